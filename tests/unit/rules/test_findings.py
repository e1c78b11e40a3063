"""Findings: evidence with a validity, what older systems make good, the unused trial, papers and clocks."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from rules_support import at, policy, request

from govpool.api.cloudpolicy import MaterialType, Role, Stage
from govpool.api.cloudresourcerequest import Confirmation, Confirmations, Deadline, Material, System, Trial
from govpool.api.rectification_words import NoticeFinding
from govpool.api.usage import Usage
from govpool.messages import message
from govpool.rules.findings import (
    evidence_findings,
    overdue_findings,
    papers_finding,
    platform_findings,
    unused_trial,
    usage_findings,
)

NOW = at("2026-11-23 09:00")
JINAN, BOZHOU = policy("jinan-startup-area-2025").spec, policy("bozhou-2024").spec
YIYANG, TEMPLATE = policy("yiyang-2025").spec, policy("template").spec
WEIHAI = policy("weihai-2025").spec


def system(level: int = 3, since: str | None = None) -> System:
    given = request().spec.system.model_dump(by_alias=True)
    return System.model_validate(given | {"protectionLevel": level, "onCloudSince": since})


def paper(kind: str, date: str = "2026-01-05", until: str | None = None) -> Material:
    return Material.model_validate(
        {"type": kind, "reference": "r-1", "sha256": "0" * 64, "date": date, "validUntil": until}
    )


def lacks(spec: Any, papers: list[Material], level: int = 3, now: datetime = NOW) -> dict[str, str]:
    found = evidence_findings(spec, system(level), papers, live=True, now=now)
    return {finding.key.rpartition("/")[2]: finding.clause for finding in found}


# -- evidence ------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("spec", "level", "expected"),
    [
        (JINAN, 3, {"ProtectionFiling", "ProtectionAssessment", "CryptoAssessment"}),
        (JINAN, 2, {"ProtectionFiling", "ProtectionAssessment"}),
        (JINAN, 1, set()),
        (BOZHOU, 3, {"ProtectionFiling", "ProtectionAssessment", "CryptoAssessment", "SoftwareTest"}),
        (YIYANG, 3, {"ProtectionAssessment", "CryptoAssessment", "SoftwareTest"}),
        (YIYANG, 2, set()),
        (TEMPLATE, 3, {"ProtectionFiling", "ProtectionAssessment", "CryptoAssessment"}),
        (TEMPLATE, 2, {"ProtectionFiling", "ProtectionAssessment"}),
        (WEIHAI, 3, set()),
    ],
)
def test_jn_24_bz_31_yy_33_t_25_evidence_that_is_missing(spec: Any, level: int, expected: set[str]) -> None:
    found = lacks(spec, [], level)
    assert set(found) == expected
    articles = {"JN": {"JN-24"}, "BZ": {"BZ-31"}, "YY": {"YY-33"}, "T": {"T-25", "T-27"}}
    assert set(found.values()) <= articles.get(spec.code, set())


@pytest.mark.parametrize(
    ("until", "now", "lapsed"),
    [
        ("2026-11-23", "2026-11-23 23:59", False),
        ("2026-11-23", "2026-11-24 00:00", True),
        (None, "2036-11-23 09:00", False),
    ],
)
def test_jn_24_an_assessment_counts_to_its_last_day(until: str | None, now: str, lapsed: bool) -> None:
    papers = [paper(kind, until=until) for kind in ("ProtectionFiling", "ProtectionAssessment")]
    found = evidence_findings(JINAN, system(2), papers, live=True, now=at(now))
    assert len(found) == (2 if lapsed else 0)
    assert all(f.finding is NoticeFinding.EVIDENCE_LAPSED for f in found)
    assert all(f.message.key == "finding.EvidenceLapsed" for f in found)


@pytest.mark.parametrize(
    ("date", "now", "lapsed"),
    [
        ("2025-11-23", "2026-11-23 23:59", False),
        ("2025-11-23", "2026-11-24 00:00", True),
        ("2024-02-29", "2025-02-28 23:59", False),
        ("2024-02-29", "2025-03-01 00:00", True),
    ],
)
def test_t_27_an_assessment_is_renewed_every_year(date: str, now: str, lapsed: bool) -> None:
    papers = [paper(kind, "2024-01-05") for kind in ("ProtectionFiling", "ProtectionAssessment")]
    papers.append(paper("CryptoAssessment", date, until="2099-12-31"))
    assert set(lacks(TEMPLATE, papers, now=at(now))) == ({"CryptoAssessment"} if lapsed else set())


def test_the_newest_paper_counts() -> None:
    old, new = paper("ProtectionAssessment", "2024-01-05", "2025-01-05"), paper("ProtectionAssessment")
    assert "ProtectionAssessment" not in lacks(JINAN, [old, new], 2)


def test_a_paper_of_tomorrow_proves_nothing_yet() -> None:
    assert "ProtectionAssessment" in lacks(JINAN, [paper("ProtectionAssessment", "2026-11-24")], 2)


def test_evidence_is_asked_for_once_a_system_is_in_operation() -> None:
    assert evidence_findings(JINAN, system(), [], live=False, now=NOW) == ()


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        (YIYANG, {"ProtectionAssessment", "CryptoAssessment"}),
        (BOZHOU, {"ProtectionAssessment", "CryptoAssessment", "CloudServiceAssessment"}),
        (JINAN, {"CloudServiceAssessment"}),
        (TEMPLATE, {"ProtectionAssessment"}),
        (WEIHAI, {"ProtectionAssessment", "CryptoAssessment"}),
    ],
)
def test_yy_32_bz_32_jn_25_t_24_wh_26_assessments_of_the_platform(spec: Any, expected: set[str]) -> None:
    assert {f.key.rpartition("/")[2] for f in platform_findings(spec, [], NOW)} == expected
    there = [paper(kind) for kind in expected]
    assert platform_findings(spec, there, NOW) == ()
    assert len(platform_findings(spec, there, at("2027-01-06 00:00"))) == len(expected)


# -- made good -----------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("since", "now", "expected"),
    [
        ("2025-01-01", "2025-12-31 23:59", 0),
        ("2025-01-01", "2026-01-01 00:00", 4),
        ("2025-01-02", "2026-01-01 00:00", 0),
        ("2025-01-01", "2026-12-31 23:59", 4),
        ("2025-01-01", "2027-01-01 00:00", 5),
        (None, "2027-01-01 00:00", 0),
    ],
)
def test_jn_12_older_systems_make_good_by_the_end_of_2025_and_of_2026(
    since: str | None, now: str, expected: int
) -> None:
    found = evidence_findings(JINAN, system(since=since), [], live=False, now=at(now))
    assert len(found) == expected
    assert {f.clause for f in found} <= {"JN-12"}
    assert {f.finding for f in found} <= {NoticeFinding.MAKE_GOOD_OVERDUE}


def test_jn_12_what_was_made_good_is_no_finding() -> None:
    there = [
        paper(kind, "2025-06-01")
        for kind in ("ProtectionFiling", "ProtectionAssessment", "CryptoAssessment", "SoftwareTest")
    ]
    found = evidence_findings(JINAN, system(since="2024-05-01"), there, live=False, now=at("2026-06-01"))
    assert found == ()


# -- the unused trial ----------------------------------------------------------------------------
ENDS = at("2026-11-20 23:59:59")
TRIAL = Trial(started=at("2026-10-21 10:00"), ends=ENDS)


def used(in_use: bool | None, until: datetime = NOW) -> Usage:
    return Usage(recorded_at=until, recorded_by="monitor", observed_until=until, in_use=in_use)


def word(day: str = "2026-11-21 09:00") -> Confirmation:
    return Confirmation(by="liu", at=at(day))


@pytest.mark.parametrize(
    ("servers", "found"),
    [
        ({"app-0": used(False), "app-1": used(False)}, True),
        ({"app-0": used(False, ENDS)}, True),
        ({"app-0": used(False, ENDS - timedelta(seconds=1))}, False),
        ({"app-0": used(False), "app-1": used(True)}, False),
        ({"app-0": used(False), "app-1": used(None)}, False),
        ({"app-0": used(False), "app-1": None}, False),
        ({}, False),
    ],
    ids=["all", "to-the-end", "before-the-end", "one-used", "one-unknown", "one-unmeasured", "none"],
)
def test_jn_15_only_figures_that_say_so_make_a_trial_unused(
    servers: dict[str, Usage | None], found: bool
) -> None:
    finding = unused_trial(JINAN, TRIAL, servers, Confirmations(), NOW)
    assert (finding is not None) is found
    if finding is not None:
        assert (finding.finding, finding.clause) == (NoticeFinding.UNUSED_TRIAL, "JN-15")


def test_jn_15_the_units_own_word_makes_it_unused() -> None:
    finding = unused_trial(JINAN, TRIAL, {}, Confirmations(unused=word()), NOW)
    assert finding is not None
    assert ("statedBy", "liu") in finding.figures


@pytest.mark.parametrize("now", [ENDS - timedelta(seconds=1), TRIAL.started])
def test_jn_15_nothing_is_unused_before_the_trial_is_over(now: datetime) -> None:
    assert unused_trial(JINAN, TRIAL, {}, Confirmations(unused=word()), now) is None


def test_jn_15_a_unit_that_confirmed_delivery_has_used_it() -> None:
    given = Confirmations(delivery=word())
    assert unused_trial(JINAN, TRIAL, {"app-0": used(False)}, given, NOW) is None


def test_a_policy_that_says_nothing_of_unused_trials_finds_none() -> None:
    assert unused_trial(YIYANG, TRIAL, {"app-0": used(False)}, Confirmations(), NOW) is None


# -- low after a reduction -----------------------------------------------------------------------
def low() -> Usage:
    figures = {"dimension": "CPU", "meanOfMonthlyPeaks": 5, "peak": 20}
    return Usage.model_validate(
        {
            "recordedAt": NOW.isoformat(),
            "recordedBy": "monitor",
            "observedUntil": NOW.isoformat(),
            "windows": [{"over": "ThreeMonths", "ends": "2026-11-22", "figures": [figures]}],
        }
    )


@pytest.mark.parametrize(
    ("reduced", "found"),
    [
        ("2026-08-23 10:00", True),
        ("2026-08-22 10:00", False),
        ("2026-11-22 10:00", True),
        ("2026-11-24 10:00", False),
        (None, False),
    ],
)
def test_jn_20_1_still_low_within_three_months_after_a_reduction(reduced: str | None, found: bool) -> None:
    after = at(reduced) if reduced else None
    findings = usage_findings(JINAN, {"app-0": low()}, reduced_at=after, now=NOW)
    sorts = [(f.finding, f.clause) for f in findings]
    assert (NoticeFinding.REDUCE, "JN-18(2)") in sorts
    assert ((NoticeFinding.STILL_LOW, "JN-20(1)") in sorts) is found


# -- clocks and papers ---------------------------------------------------------------------------
def test_an_overdue_clock_of_the_unit_is_a_finding_and_one_of_the_authority_is_not() -> None:
    def deadline(who: Role, *, overdue: bool = True, stage: Stage | None = Stage.REPORTS) -> Deadline:
        return Deadline(
            what="x", stage=stage, who=who, since=NOW, due=NOW, article="YY-19(3)", overdue=overdue
        )

    given = [deadline(Role.UNIT), deadline(Role.REVIEWER), deadline(Role.UNIT, overdue=False)]
    (found,) = overdue_findings([*given, deadline(Role.UNIT, stage=None)])
    assert (found.key, found.clause) == ("overdue/Reports", "YY-19(3)")


def test_papers_of_an_emergency_become_a_finding_with_what_is_missing() -> None:
    told = message("Verbatim", text="papers")
    found = papers_finding(told, "JN-20(5)", NOW, [MaterialType.REQUEST_LETTER])
    assert found.finding is NoticeFinding.EMERGENCY_PAPERS_OVERDUE
    assert ("missing", "RequestLetter") in found.figures
