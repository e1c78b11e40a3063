"""The clauses of the Jinan start-up area (济起管办字〔2025〕1号), under the policy that ships."""

from typing import Any

import pytest
from rules_support import Obj, at, catalog, content, end_of, group, policy, quota, refusals

from govpool.api.cloudpolicy import ApplicationType, ReportType, Role, Stage
from govpool.api.cloudresourcerequest import Confirmations, TerminationConfirmation, Trial
from govpool.rules.admission import material_rule
from govpool.rules.billing import billing_end, billing_start
from govpool.rules.change import classify
from govpool.rules.citation import cite
from govpool.rules.delivery import confirmation_required, missing_reports
from govpool.rules.deregistration import earliest
from govpool.rules.emergency import papers_due
from govpool.rules.procedure import procedure, steps
from govpool.rules.trial import trial, trial_clause

POLICY = policy("jinan-startup-area-2025")
JINAN = POLICY.spec
CATALOG = catalog()
NOW = at("2026-11-23 09:00")
EMERGENCY = {"term": {"kind": "Emergency", "emergency": {"cause": "防汛"}}}
PAPERS = (
    *("RequestLetter", "ResourceTable", "ProjectApproval"),
    *("ConstructionPlan", "SecurityAssessment", "PurchaseContract"),
)


def paper(kind: str) -> Obj:
    return {"type": kind, "reference": "济起函〔2026〕1号", "sha256": "0" * 64, "date": "2025-01-02"}


WHOLE = [paper(kind) for kind in PAPERS]


def refused(
    patch: Obj | None = None, application: ApplicationType = ApplicationType.NEW, **given: Any
) -> dict[str, str]:
    found = refusals({"materials": WHOLE} | (patch or {}), application, **({"policy": POLICY} | given))
    return {reason: refusal.clause for reason, refusal in found.items()}


# -- admission -----------------------------------------------------------------------------------
def test_jn_12_the_example_with_the_papers_of_jinan_is_admitted() -> None:
    assert refused() == {}


@pytest.mark.parametrize("lacking", PAPERS)
def test_jn_12_each_of_six_papers_is_handed_in(lacking: str) -> None:
    left = [one for one in WHOLE if one["type"] != lacking]
    found = refusals({"materials": left}, policy=POLICY)
    assert list(found) == ["MaterialMissing"]
    assert found["MaterialMissing"].message.key.endswith(lacking)
    assert found["MaterialMissing"].clause == "JN-12(1), JN-12(2)"


def test_jn_17_a_new_category_or_quantity_hands_in_the_papers_of_an_application() -> None:
    rule = material_rule(JINAN, ApplicationType.MAJOR_CHANGE)
    assert rule is not None
    assert [kind.value for kind in rule.required] == list(PAPERS)


def test_jn_2_5_nothing_classified() -> None:
    assert refused({"system": {"classified": True}}) == {"Classified": "JN-2, JN-5"}


@pytest.mark.parametrize(("level", "found"), [(3, {}), (4, {"ProtectionLevelTooHigh": "JN-24, JN-25"})])
def test_jn_24_25_level_three_at_most(level: int, found: dict[str, str]) -> None:
    assert refused({"system": {"protectionLevel": level}}) == found


def test_jn_14_what_the_catalogue_cannot_match_is_bought_with_consent() -> None:
    assert refused({"services": [{"item": "quantum-line"}]}) == {"NotInCatalog": "JN-14"}
    assert refused({"servers": [group(item="ecs-2c3g")]}) == {"NotInCatalog": "JN-12(1)"}


@pytest.mark.parametrize(
    ("now", "found"),
    [
        ("2025-01-01 23:59:59", {"PolicyNotInForce": "JN-26"}),
        ("2025-01-02 00:00", {}),
        ("2045-01-02 00:00", {}),  # no end is set
    ],
)
def test_jn_26_in_force_from_the_day_of_issue(now: str, found: dict[str, str]) -> None:
    early = [one | {"date": "2024-12-30"} for one in WHOLE]
    told = refused({"materials": early}, now=at(now))
    told.pop("CatalogNotInForce", None)  # the catalogue of 2026
    assert told == found


# -- steps ---------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("servers", "complex_"),
    [
        ([group(count=1)], False),
        ([group(count=15, item="ecs-4c8g")], False),  # 60 vCPU, 120 GiB
        ([group(count=16, item="ecs-4c8g")], True),  # 64 vCPU
        ([group(count=31, item="ecs-2c4g")], False),  # 62 vCPU
        ([group(count=1, gib=10238)], False),  # with the root disk 10,239 GiB
        ([group(count=1, gib=10239)], True),
    ],
)
def test_jn_13_experts_assess_what_is_complex_or_large_first(servers: list[Obj], complex_: bool) -> None:
    found = steps(JINAN, ApplicationType.NEW, content({"servers": servers}), CATALOG)
    expected = [(Stage.EXPERT_REVIEW, Role.EXPERT)] if complex_ else []
    assert [(step.stage, step.role) for step in found] == [*expected, (Stage.REVIEW, Role.REVIEWER)]
    assert {step.article for step in found} == {"13"}


def test_jn_17_a_change_is_reviewed_within_ten_working_days() -> None:
    (step,) = steps(JINAN, ApplicationType.CHANGE, content(), CATALOG)
    assert (step.stage, step.article, step.clock and step.clock.working_days) == (Stage.REVIEW, "17", 10)


@pytest.mark.parametrize(
    ("after", "application"),
    [
        ({"servers": [group(count=2, gib=2)]}, ApplicationType.CHANGE),
        ({"servers": [group(count=2, item="ecs-2c4g")]}, ApplicationType.CHANGE),
        ({"servers": [group(count=1)]}, ApplicationType.CHANGE),
        ({"servers": [group(count=3)]}, ApplicationType.MAJOR_CHANGE),
        ({"servers": [group(count=2)], "services": [{"item": "sec-waf"}]}, ApplicationType.MAJOR_CHANGE),
    ],
)
def test_jn_17_a_new_category_or_quantity_goes_the_application_way(
    after: Obj, application: ApplicationType
) -> None:
    held = content({"servers": [group(count=2)]})
    found = classify(held, content(after), policy=JINAN, catalog=CATALOG)
    assert (found.application, found.clause) == (application, "JN-17")


def test_jn_17_the_application_way_has_the_decisions_of_a_new_application() -> None:
    large = content({"servers": [group(count=16, item="ecs-4c8g")]})
    found = steps(JINAN, ApplicationType.MAJOR_CHANGE, large, CATALOG)
    assert [step.stage for step in found] == [Stage.EXPERT_REVIEW, Stage.REVIEW]


# -- emergency -----------------------------------------------------------------------------------
def test_jn_13_an_emergency_is_opened_at_once_and_without_papers() -> None:
    found = classify(None, content(EMERGENCY), policy=JINAN, catalog=CATALOG)
    assert (found.application, found.clause) == (ApplicationType.EMERGENCY, "JN-13")
    assert refused(EMERGENCY | {"materials": []}, ApplicationType.EMERGENCY) == {}
    (step,) = steps(JINAN, ApplicationType.EMERGENCY, content(EMERGENCY), CATALOG)
    assert (step.stage, step.role) == (Stage.REVIEW, Role.REVIEWER)


@pytest.mark.parametrize(
    ("issued", "due"),
    [
        ("2026-11-23 15:00", "2026-12-07"),
        ("2026-09-21 09:00", "2026-10-12"),  # over two holidays; 10 October is a make-up workday
    ],
)
def test_jn_13_the_papers_follow_within_ten_working_days(issued: str, due: str) -> None:
    assert papers_due(JINAN, at(issued)) == (end_of(due), "JN-13")


# -- trial, delivery, billing --------------------------------------------------------------------
@pytest.mark.parametrize(
    ("issued", "ends"),
    [
        ("2026-11-23 15:00", "2026-12-23"),
        ("2027-01-31 12:00", "2027-03-02"),
        ("2028-01-31 12:00", "2028-03-01"),
    ],
)
def test_jn_15_the_trial_lasts_thirty_days_from_issue(issued: str, ends: str) -> None:
    assert trial(JINAN, at(issued)) == Trial(started=at(issued), ends=end_of(ends))
    assert trial_clause(JINAN) == "JN-15"


def filed(*kinds: str) -> Confirmations:
    rows = [{"type": k, "reference": "r", "sha256": "0" * 64, "by": "liu", "at": NOW} for k in kinds]
    return Confirmations.model_validate({"reports": rows})


@pytest.mark.parametrize(
    ("kinds", "missing"), [((), (ReportType.PROBE,)), (("Trial",), (ReportType.PROBE,)), (("Probe",), ())]
)
def test_jn_15_the_probe_is_installed_before_delivery(
    kinds: tuple[str, ...], missing: tuple[ReportType, ...]
) -> None:
    assert missing_reports(JINAN, filed(*kinds), trial(JINAN, NOW)) == missing


def test_jn_15_a_policy_without_a_probe_asks_for_none() -> None:
    assert missing_reports(policy("template").spec, filed(), trial(JINAN, NOW)) == ()


def test_jn_14_16_opened_handed_over_tried_and_confirmed() -> None:
    stages = [rule.stage for rule in procedure(JINAN, ApplicationType.NEW).stages]
    assert stages == [
        *(Stage.EXPERT_REVIEW, Stage.REVIEW, Stage.QUOTA, Stage.PROVISION, Stage.BASELINE, Stage.HANDOVER),
        *(Stage.TRIAL, Stage.REPORTS, Stage.CONFIRMATION),
    ]
    assert confirmation_required(JINAN)


@pytest.mark.parametrize(
    ("confirmed", "starts"),
    [
        (None, None),
        ("2026-12-01 10:00", end_of("2026-12-23")),  # confirmed early: the trial's end
        ("2026-12-23 23:59:59", end_of("2026-12-23")),
        ("2026-12-28 10:00", at("2026-12-28 10:00")),
    ],
)
def test_jn_16_billing_starts_at_the_later_of_trial_end_and_confirmation(confirmed: str, starts: Any) -> None:
    given = {} if confirmed is None else {"delivery": {"by": "liu", "at": at(confirmed)}}
    said = Confirmations.model_validate(given)
    found = billing_start(JINAN, handed_over=NOW, trial=trial(JINAN, NOW), confirmations=said)
    assert found == (None if starts is None else (starts, "JN-16"))


# -- the end -------------------------------------------------------------------------------------
FIVE = (
    "BusinessCancelledByPolicy",
    "SupersededBySuperiorPlatform",
    "MergedIntoDistrictPlatform",
    "FunctionOutdatedByUpgrade",
    "OtherRequiredByPolicy",
)


@pytest.mark.parametrize(("reason", "accepted"), [*((one, True) for one in FIVE), ("NoLongerNeeded", False)])
def test_jn_19_five_reasons_end_a_service(reason: str, accepted: bool) -> None:
    leaving = {
        "materials": [paper("DeregistrationForm")],
        "state": "Deregistered",
        "deregistration": {"reason": reason},
    }
    found = refused(leaving, ApplicationType.DEREGISTRATION, approved=content())
    under = "JN-19(1), JN-19(2), JN-19(3), JN-19(4), JN-19(5)"
    assert found == ({} if accepted else {"DeregistrationReasonNotAccepted": under})


@pytest.mark.parametrize(
    ("asked", "opens"),
    [("2026-11-23 09:00", "2026-12-07"), ("2026-12-24 09:00", "2027-01-08")],
)
def test_jn_19_nothing_is_taken_away_for_ten_working_days(asked: str, opens: str) -> None:
    assert earliest(JINAN, at(asked)) == end_of(opens)


def test_jn_19_the_service_ends_when_the_unit_says_so_and_billing_with_it() -> None:
    said = TerminationConfirmation.model_validate({"approval": "a", "by": "liu", "at": NOW})
    assert billing_end(JINAN, said) == (NOW, "JN-19")
    assert cite(JINAN, "19(5)", "zh") == "《济南新旧动能转换起步区政务云管理办法》第十九条第（五）项"


def test_jn_15_further_applications_of_a_stopped_unit_are_refused() -> None:
    stopped = quota({"standing": "IssuingStopped", "standingCause": "试运行逾期未使用"})
    assert refused(quota=stopped) == {"IssuingStopped": "JN-15"}
