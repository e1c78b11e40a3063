"""Temporary expansions, to the day (BZ-22)."""

from typing import Any

import pytest
from rules_support import BOZHOU_TEMPORARY, Obj, at, content, policy, refusals

from govpool.api.cloudpolicy import ApplicationType

BOZHOU = policy(code="BZ", temporary=BOZHOU_TEMPORARY)
FORM = [{"type": "ChangeForm", "reference": "r", "sha256": "0" * 64, "date": "2026-11-12"}]


def expanded(starts: str, ends: str, **more: Any) -> Obj:
    one = {"server": "app", "additionalCount": 2, "starts": starts, "ends": ends}
    return {"materials": FORM, "term": {"temporary": [one | more]}}


def temporary(patch: Obj, **given: Any) -> dict[str, Any]:
    return refusals(patch, ApplicationType.TEMPORARY, approved=content(), **({"policy": BOZHOU} | given))


@pytest.mark.parametrize(
    ("starts", "ends", "refused"),
    [
        ("2027-03-01", "2027-05-31", False),  # three months exactly
        ("2027-03-01", "2027-06-01", True),
        ("2026-12-01", "2027-02-28", False),
        ("2026-11-30", "2027-02-27", False),
        ("2026-11-30", "2027-02-28", True),
        ("2026-11-23", "2026-11-23", False),  # one day
    ],
)
def test_bz_22_a_temporary_expansion_lasts_three_months_at_most(
    starts: str, ends: str, refused: bool
) -> None:
    found = temporary(expanded(starts, ends))
    assert ("TemporaryTooLong" in found) is refused
    assert not refused or found["TemporaryTooLong"].clause == "BZ-22"


@pytest.mark.parametrize(("ends", "refused"), [("2026-11-22", True), ("2026-11-23", False)])
def test_bz_22_a_period_that_is_over_is_refused(ends: str, refused: bool) -> None:
    assert ("TemporaryOver" in temporary(expanded("2026-11-01", ends))) is refused


@pytest.mark.parametrize(
    ("now", "refused"),
    [
        ("2026-12-22 23:59:59", False),  # seven working days before 31 December 2026
        ("2026-12-23 00:00:00", True),
    ],
)
def test_bz_22_an_extension_is_asked_for_seven_working_days_ahead(now: str, refused: bool) -> None:
    held = content(expanded("2026-12-01", "2026-12-31"))
    wanted = expanded("2026-12-01", "2027-01-31")
    found = refusals(wanted, ApplicationType.TEMPORARY, approved=held, policy=BOZHOU, now=at(now))
    assert ("ExtensionTooLate" in found) is refused
    assert found.keys() <= {"ExtensionTooLate"}


@pytest.mark.parametrize(("ends", "refused"), [("2027-03-31", False), ("2027-04-01", True)])
def test_bz_22_an_extension_is_itself_three_months_at_most(ends: str, refused: bool) -> None:
    held = content(expanded("2026-12-01", "2026-12-31"))
    wanted = expanded("2026-12-01", ends)
    found = refusals(wanted, ApplicationType.TEMPORARY, approved=held, policy=BOZHOU)
    assert ("TemporaryTooLong" in found) is refused


def test_what_is_in_force_is_not_judged_again() -> None:
    held = expanded("2026-01-01", "2026-10-31")
    found = refusals(held, ApplicationType.CHANGE, approved=content(held), policy=BOZHOU)
    assert found == {}


def test_yy_knows_no_temporary_expansion() -> None:
    found = temporary(expanded("2026-12-01", "2026-12-31"), policy=policy())
    assert found["TemporaryNotProvided"].clause == "YY-20"


@pytest.mark.parametrize(
    ("starts", "extends"),
    [
        ("2027-01-01", True),  # the day after: no day without it
        ("2026-12-20", True),  # runs into it
        ("2027-01-02", False),  # a day between: one of its own
    ],
)
def test_bz_22_what_follows_without_a_day_between_is_an_extension(starts: str, extends: bool) -> None:
    first = expanded("2026-12-01", "2026-12-31")
    second = expanded(starts, "2027-02-15")["term"]["temporary"]
    both = first | {"term": {"temporary": [*first["term"]["temporary"], *second]}}
    late = at("2026-12-28 10:00")
    found = refusals(both, ApplicationType.TEMPORARY, approved=content(first), policy=BOZHOU, now=late)
    assert ("ExtensionTooLate" in found) is extends
    assert not extends or found["ExtensionTooLate"].clause == "BZ-22"


def test_bz_22_a_chain_of_short_ones_does_not_last_for_ever() -> None:
    first = expanded("2026-12-01", "2026-12-31")
    second = expanded("2027-01-01", "2027-04-01")["term"]["temporary"]
    both = first | {"term": {"temporary": [*first["term"]["temporary"], *second]}}
    found = refusals(both, ApplicationType.TEMPORARY, approved=content(first), policy=BOZHOU)
    assert "TemporaryTooLong" in found


@pytest.mark.parametrize(
    ("now", "refused"),
    [
        ("2027-02-02 23:59:59", False),  # the Spring Festival is 5 to 13 February in 2027
        ("2027-02-26 23:59:59", True),
    ],
)
def test_bz_22_the_lead_is_counted_over_the_spring_festival(now: str, refused: bool) -> None:
    held = content(expanded("2026-12-01", "2027-02-28"))
    wanted = expanded("2026-12-01", "2027-04-30")
    found = refusals(wanted, ApplicationType.TEMPORARY, approved=held, policy=BOZHOU, now=at(now))
    assert ("ExtensionTooLate" in found) is refused
