"""Emergencies, to the day: papers that follow, the longest use, extensions (YY-23, JN-13, BZ-24, BZ-26)."""

from __future__ import annotations

from typing import Any

import pytest
from rules_support import Obj, at, catalog, content, end_of, group, policy, refusals, rules

from govpool.api.cloudpolicy import ApplicationType, CloudPolicySpec, MaterialType
from govpool.api.cloudresourcerequest import Material
from govpool.api.finding import RequestFinding
from govpool.api.rectification_words import NoticeFinding
from govpool.api.request_terms import EmergencyUse
from govpool.api.servicecatalog import ServiceCatalog
from govpool.rules.admission_term import check
from govpool.rules.change import classify
from govpool.rules.emergency import (
    after_the_end,
    application_of_papers,
    disks_that_stay,
    ends,
    extension_until,
    held_before,
    holds_nothing,
    papers_decided,
    papers_due,
    papers_missing,
    papers_overdue,
)

YIYANG, JINAN, BOZHOU = rules(), rules("jinan-startup-area-2025"), rules("bozhou-2024")
TEMPLATE, WEIHAI = rules("template"), rules("weihai-2025")
ISSUED = at("2026-11-24 15:00")


def emergency(until: str | None = None, cause: str = "防汛") -> Obj:
    stated = {"cause": cause} | ({"until": until} if until else {})
    return {"term": {"kind": "Emergency", "emergency": stated}}


def paper(kind: MaterialType, day: str = "2026-11-12", until: str | None = None) -> Material:
    given = {"type": kind, "reference": "r", "sha256": "0" * 64, "date": day, "validUntil": until}
    return Material.model_validate(given)


# -- papers --------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("issued", "due"),
    [
        ("2026-11-24 00:00", "2026-11-27"),
        ("2026-11-24 23:59:59", "2026-11-27"),
        ("2026-11-25 00:00", "2026-11-30"),  # over a weekend
        ("2026-09-30 16:00", "2026-10-10"),  # over the October holiday; Saturday the 10th is worked
        ("2025-09-30 16:00", "2025-10-11"),
        ("2028-02-28 09:00", "2028-03-02"),  # over the leap day
    ],
)
def test_yy_23_papers_within_3_working_days(issued: str, due: str) -> None:
    assert papers_due(YIYANG, at(issued)) == (end_of(due), "YY-23")


@pytest.mark.parametrize(
    ("issued", "due"), [("2026-11-24 15:00", "2026-12-08"), ("2026-02-13 10:00", "2026-03-05")]
)
def test_jn_13_papers_within_10_working_days(issued: str, due: str) -> None:
    assert papers_due(JINAN, at(issued)) == (end_of(due), "JN-13")


@pytest.mark.parametrize("given", [BOZHOU, TEMPLATE, WEIHAI])
def test_bz_24_no_day_is_set_where_the_text_sets_none(given: Any) -> None:
    assert papers_due(given, ISSUED) is None


@pytest.mark.parametrize(
    ("given", "ahead_of", "wanted"),
    [
        (YIYANG, ApplicationType.NEW, ["RequestLetter", "ResourceTable"]),
        (YIYANG, ApplicationType.CHANGE, ["ChangeForm"]),
        (JINAN, ApplicationType.CHANGE, ["ChangeForm"]),
        (BOZHOU, ApplicationType.NEW, ["ProjectApproval"]),
        (BOZHOU, ApplicationType.CHANGE, ["ProjectApproval"]),
        (TEMPLATE, ApplicationType.MAJOR_CHANGE, ["ProjectApproval", "MigrationPlan"]),
        (WEIHAI, ApplicationType.NEW, []),
    ],
)
def test_yy_23_jn_13_the_papers_are_those_of_what_it_went_ahead_of(
    given: Any, ahead_of: ApplicationType, wanted: list[str]
) -> None:
    assert [kind.value for kind in papers_missing(given, ahead_of, [], ISSUED.date())] == wanted


@pytest.mark.parametrize(
    ("given", "counts"),
    [
        (paper(MaterialType.RESOURCE_TABLE), True),
        (paper(MaterialType.RESOURCE_TABLE, "2026-11-24"), True),
        (paper(MaterialType.RESOURCE_TABLE, "2026-11-25"), False),  # of tomorrow
        (paper(MaterialType.RESOURCE_TABLE, until="2026-11-24"), True),
        (paper(MaterialType.RESOURCE_TABLE, until="2026-11-23"), False),
        (paper(MaterialType.OTHER), False),
    ],
)
def test_yy_23_a_paper_that_does_not_hold_is_missing(given: Material, counts: bool) -> None:
    papers = [paper(MaterialType.REQUEST_LETTER), given]
    missing = papers_missing(YIYANG, ApplicationType.NEW, papers, ISSUED.date())
    assert missing == (() if counts else (MaterialType.RESOURCE_TABLE,))


def overdue(under: Any, now: str, **given: Any) -> tuple[str, Any] | None:
    facts = {"missing": (MaterialType.RESOURCE_TABLE,), "issue_confirmed": False, "decided": False}
    found = papers_overdue(under, issued=ISSUED, now=at(now), **(facts | given))
    return None if found is None else (found.clause, found.since)


def test_yy_23_papers_are_overdue_after_the_last_second_of_the_third_day() -> None:
    assert overdue(YIYANG, "2026-11-27 23:59:59") is None
    assert overdue(YIYANG, "2026-11-28 00:00:00") == ("YY-23", end_of("2026-11-27"))


def test_jn_13_20_5_papers_that_do_not_come_are_a_finding_of_irregular_use() -> None:
    assert overdue(JINAN, "2026-12-08 23:59:59") is None
    assert overdue(JINAN, "2026-12-09 00:00:00") == ("JN-20(5)", end_of("2026-12-08"))
    found = papers_overdue(
        JINAN, issued=ISSUED, missing=(), issue_confirmed=False, decided=False, now=at("2026-12-09")
    )
    assert found is not None
    assert found.reason == "EmergencyPapersOverdue"
    assert "2026-12-08" in found.message.render("zh")


def test_jn_13_papers_that_lie_before_the_authority_are_no_finding() -> None:
    assert overdue(JINAN, "2027-01-09", decided=True, missing=()) is None


def test_yy_23_the_unit_confirms_the_issue_within_the_same_span() -> None:
    assert overdue(YIYANG, "2026-11-28", decided=True, missing=()) == ("YY-23", end_of("2026-11-27"))
    assert overdue(YIYANG, "2026-11-28", decided=True, missing=(), issue_confirmed=True) is None


def test_bz_24_a_paper_without_a_day_is_never_a_finding() -> None:
    assert overdue(BOZHOU, "2027-11-28") is None


def test_papers_overdue_is_only_shown_where_the_policy_says_so() -> None:
    shown = rules(emergency={"papersWithin": {"workingDays": 3}, "papersOverdue": "Shown", "article": "23"})
    assert overdue(shown, "2027-11-28") is None


def test_yy_23_jn_13_are_decided_and_bz_24_is_filed() -> None:
    decided = [papers_decided(one) for one in (YIYANG, JINAN, TEMPLATE, BOZHOU, WEIHAI)]
    assert decided == [True, True, True, False, False]


# -- how the papers are decided ------------------------------------------------------------------
def test_jn_13_the_papers_alone_go_the_way_of_an_application() -> None:
    held = content(emergency())
    found = classify(held, held, policy=JINAN, catalog=catalog())
    assert (found.application, found.clause) == (ApplicationType.MAJOR_CHANGE, "JN-13")


def test_bz_26_1_the_papers_of_an_emergency_expansion_go_the_way_of_a_change() -> None:
    held = content(emergency())
    plain = content()
    for wanted in (held, plain):
        found = classify(held, wanted, policy=BOZHOU, catalog=catalog(), ahead_of=ApplicationType.CHANGE)
        assert (found.application, found.clause) == (ApplicationType.CHANGE, "BZ-24")
    assert application_of_papers(ApplicationType.NEW) is ApplicationType.MAJOR_CHANGE


def test_bz_24_a_later_day_of_the_same_emergency_is_its_extension() -> None:
    found = classify(content(emergency()), content(emergency("2027-08-01")), policy=BOZHOU, catalog=catalog())
    assert (found.application, found.message.key) == (
        ApplicationType.EMERGENCY,
        "rules.change.emergency-extended",
    )
    other = classify(content(emergency()), content(emergency(cause="保障")), policy=BOZHOU, catalog=catalog())
    assert other.message.key == "rules.change.emergency"


# -- emergency expansion ---------------------------------------------------------------------------
BOTTLENECK = RequestFinding.model_validate(
    {
        "key": "use/doc-approval-app-0/expansion",
        "finding": "Expand",
        "text": "t",
        "article": "BZ-26(1)",
        "since": "2026-11-20T00:00:00Z",
    }
)


def expansion(key: str = BOTTLENECK.key, until: str | None = None) -> Obj:
    term = emergency(until)["term"]
    return {"term": term | {"emergency": term["emergency"] | {"finding": key}}}


def expansion_refused(under: CloudPolicySpec, key: str, *findings: RequestFinding) -> list[tuple[str, str]]:
    asked = content(expansion(key))
    found = check(asked, content(), policy=under, now=ISSUED, findings=findings)
    return [(one.reason, one.clause) for one in found]


def test_bz_26_1_an_emergency_expansion_meets_a_bottleneck_that_was_found() -> None:
    assert expansion_refused(BOZHOU, BOTTLENECK.key, BOTTLENECK) == []
    none = [("BottleneckNotFound", "BZ-26(1)")]
    assert expansion_refused(BOZHOU, BOTTLENECK.key) == none
    assert expansion_refused(BOZHOU, "use/other/expansion", BOTTLENECK) == none
    low = BOTTLENECK.model_copy(update={"finding": NoticeFinding.REDUCE})
    assert expansion_refused(BOZHOU, BOTTLENECK.key, low) == none


def test_bz_26_1_no_other_text_expands_on_a_finding() -> None:
    for under, article in ((YIYANG, "YY-23"), (JINAN, "JN-13"), (TEMPLATE, "T-15")):
        assert expansion_refused(under, BOTTLENECK.key, BOTTLENECK) == [("ExpansionNotProvided", article)]


def test_bz_26_1_an_expansion_is_classified_and_completed_under_its_own_clause() -> None:
    held = content(expansion())
    asked = classify(content(), held, policy=BOZHOU, catalog=catalog())
    assert (asked.application, asked.clause, asked.message.key) == (
        ApplicationType.EMERGENCY,
        "BZ-26(1)",
        "rules.change.emergency-expansion",
    )
    papers = classify(held, held, policy=BOZHOU, catalog=catalog(), ahead_of=ApplicationType.CHANGE)
    assert (papers.application, papers.clause) == (ApplicationType.CHANGE, "BZ-26(1)")


def test_bz_26_1_the_change_papers_follow_and_are_decided() -> None:
    day = ISSUED.date()
    assert papers_missing(BOZHOU, ApplicationType.CHANGE, [], day) == (MaterialType.PROJECT_APPROVAL,)
    wanted = papers_missing(BOZHOU, ApplicationType.CHANGE, [], day, expansion=True)
    assert wanted == (MaterialType.CHANGE_FORM,)
    assert papers_decided(BOZHOU, expansion=True)
    assert not papers_decided(WEIHAI, expansion=True), "no emergency at all"


def test_bz_26_1_what_a_change_completes_does_not_end_after_six_months() -> None:
    assert ends(BOZHOU, content(expansion()), ISSUED) is None
    assert ends(BOZHOU, content(expansion(until="2027-12-31")), ISSUED) == end_of("2027-12-31")
    late = content(expansion(until="2027-12-31"))
    assert list(check(late, content(), policy=BOZHOU, now=ISSUED, findings=[BOTTLENECK])) == []


# -- the end -------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("issued", "last"),
    [
        ("2026-11-24 00:00", "2027-05-24"),
        ("2026-11-24 23:59:59", "2027-05-24"),
        ("2026-08-31 12:00", "2027-02-28"),
        ("2027-08-31 12:00", "2028-02-29"),  # into a leap year
        ("2027-08-29 12:00", "2028-02-29"),
        ("2026-01-31 12:00", "2026-07-31"),
    ],
)
def test_bz_24_six_months_at_most_from_the_configuration(issued: str, last: str) -> None:
    assert ends(BOZHOU, content(emergency()), at(issued)) == end_of(last)
    assert ends(TEMPLATE, content(emergency()), at(issued)) == end_of(last)


def test_bz_24_it_ends_on_the_day_that_was_approved() -> None:
    assert ends(BOZHOU, content(emergency("2027-01-31")), ISSUED) == end_of("2027-01-31")


def test_yy_23_sets_no_longest_use() -> None:
    assert ends(YIYANG, content(emergency()), ISSUED) is None
    assert ends(YIYANG, content(), ISSUED) is None
    assert ends(YIYANG, content(emergency("2027-01-31")), ISSUED) == end_of("2027-01-31")


@pytest.mark.parametrize(
    ("until", "refused"),
    [("2027-05-23", None), ("2027-05-24", "EmergencyTooLong"), ("2026-11-22", "EmergencyOver")],
)
def test_bz_24_no_more_than_six_months_can_be_asked_for(until: str, refused: str | None) -> None:
    found = check(content(emergency(until)), None, policy=BOZHOU, now=at("2026-11-23 23:59:59"))
    assert [one.reason for one in found] == ([refused] if refused else [])


def running(last: str = "2026-12-31") -> EmergencyUse:
    return EmergencyUse(revision=1, ahead_of=ApplicationType.NEW, issued=at("2026-07-01"), ends=end_of(last))


@pytest.mark.parametrize(
    ("now", "late"),
    [
        ("2026-12-22 23:59:59", False),  # seven working days before 31 December 2026
        ("2026-12-23 00:00:00", True),
    ],
)
def test_bz_24_an_extension_is_asked_for_seven_working_days_ahead(now: str, late: bool) -> None:
    assert extension_until(BOZHOU, end_of("2026-12-31")) == end_of("2026-12-22")
    found = list(
        check(
            content(emergency("2027-03-31")),
            content(emergency()),
            policy=BOZHOU,
            now=at(now),
            use=running(),
        )
    )
    assert [(one.reason, one.clause) for one in found] == ([("ExtensionTooLate", "BZ-24")] if late else [])


@pytest.mark.parametrize(("until", "refused"), [("2027-06-30", []), ("2027-07-01", ["EmergencyTooLong"])])
def test_bz_24_an_extension_is_itself_six_months_at_most(until: str, refused: list[str]) -> None:
    found = check(
        content(emergency(until)),
        content(emergency()),
        policy=BOZHOU,
        now=at("2026-12-01"),
        use=running(),
    )
    assert [one.reason for one in found] == refused


def test_bz_24_to_end_earlier_is_no_extension() -> None:
    found = check(
        content(emergency("2026-12-30")),
        content(emergency()),
        policy=BOZHOU,
        now=at("2026-12-29"),
        use=running(),
    )
    assert list(found) == []


def test_bz_24_what_is_in_force_is_not_judged_again() -> None:
    held = emergency("2026-12-31")
    late = at("2026-12-30")
    assert list(check(content(held), content(held), policy=BOZHOU, now=late, use=running())) == []


def test_bz_24_at_the_end_what_was_held_before_stays() -> None:
    before = content()
    grown = content({"servers": [one.model_dump(mode="json", by_alias=True) for one in before.servers]})
    more = [one.model_copy(update={"count": one.count + 3}) for one in grown.servers]
    new = more[0].model_copy(update={"name": "extra", "count": 2})
    grown = grown.model_copy(update={"servers": [*more, new]})
    groups, services = held_before(before)
    use = EmergencyUse(revision=2, ahead_of=ApplicationType.CHANGE, held=groups, services=services)
    kept = after_the_end(grown, use)
    assert [(one.name, one.count) for one in kept.servers] == [
        *((one.name, one.count) for one in before.servers),
        ("extra", 0),
    ]
    assert not holds_nothing(use)


def staying(
    before: Obj, after: Obj, within: ServiceCatalog | None = None, **forgotten: Any
) -> list[tuple[str, str, int, int, int]]:
    groups, services = held_before(content({"servers": [before]}))
    groups = [one.model_copy(update=forgotten) for one in groups]
    use = EmergencyUse(revision=2, ahead_of=ApplicationType.CHANGE, held=groups, services=services)
    found = disks_that_stay(content({"servers": [after]}), use, within or catalog())
    return [(one.group, one.disk, one.count, one.before_gib, one.gib) for one in found]


@pytest.mark.parametrize(
    ("before", "after", "stay"),
    [
        (group(gib=10), group(gib=10), []),
        (group(gib=10), group(gib=40), [("app", "data", 1, 10, 40)]),
        (group(count=2, gib=10), group(count=5, gib=11), [("app", "data", 2, 10, 11)]),
        (group(count=5, gib=10), group(count=2, gib=11), [("app", "data", 2, 10, 11)]),
        (group(dataDisks=[]), group(gib=8), [("app", "data", 1, 0, 8)]),
        (group(count=0, gib=10), group(count=3, gib=40), []),
    ],
)
def test_bz_24_disks_that_came_or_grew_in_an_emergency_stay(
    before: Obj, after: Obj, stay: list[tuple[str, str, int, int, int]]
) -> None:
    assert staying(before, after) == stay


def test_bz_24_a_larger_root_disk_stays_too() -> None:
    known = catalog()
    items = [
        one.model_copy(update={"provides": one.provides.model_copy(update={"root_disk_gib": 40})})
        if one.name == "ecs-4c8g"
        else one
        for one in known.spec.items
    ]
    larger = known.model_copy(update={"spec": known.spec.model_copy(update={"items": items})})
    small, large = group(item="ecs-1c1g"), group(item="ecs-4c8g")
    assert staying(small, large) == []
    assert staying(small, large, within=larger) == [("app", "root", 1, 1, 40)]


def test_bz_24_of_disks_that_nobody_wrote_down_nothing_is_told() -> None:
    assert staying(group(gib=10), group(gib=40), disks=None) == []


def test_bz_24_at_the_end_of_one_that_began_from_nothing_nothing_stays() -> None:
    use = EmergencyUse(revision=1, ahead_of=ApplicationType.NEW)
    assert holds_nothing(use)
    assert {one.count for one in after_the_end(content(emergency()), use).servers} == {0}


def test_wh_knows_no_emergency_and_refuses_one() -> None:
    found = refusals(emergency(), ApplicationType.EMERGENCY, policy=policy("weihai-2025"))
    assert "EmergencyNotProvided" in found
