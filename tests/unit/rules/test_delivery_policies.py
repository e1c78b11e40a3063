"""Between handover and formal operation, by policy: what is filed, and when billing starts."""

from __future__ import annotations

from datetime import datetime

import pytest
from rules_support import at, end_of, rules

from govpool.api.cloudresourcerequest import Confirmations
from govpool.rules.billing import billing_start
from govpool.rules.delivery import (
    agreement_required,
    confirmation_required,
    required_reports,
    right_sizing_required,
)
from govpool.rules.trial import trial, trial_clause

HANDED_OVER = at("2027-01-31 15:00")
TRIAL_ENDS = {
    "yiyang-2025": end_of("2027-02-28"),  # a calendar month, cut to February
    "jinan-startup-area-2025": end_of("2027-03-02"),  # thirty days
    "template": end_of("2027-03-02"),
}
TRIALS = {"yiyang-2025": "YY-19(3)", "jinan-startup-area-2025": "JN-15", "template": "T-18"}
REPORTS = {
    "yiyang-2025": ["Trial"],
    "bozhou-2024": ["Trial", "SecurityTest"],
    "jinan-startup-area-2025": ["Probe"],
    "weihai-2025": ["SecurityTest"],
    "template": [],
}
NEEDED = {
    "yiyang-2025": (True, False, True),
    "bozhou-2024": (False, True, False),
    "jinan-startup-area-2025": (False, False, True),
    "weihai-2025": (False, False, True),
    "template": (False, False, True),
}


@pytest.mark.parametrize("name", REPORTS)
def test_yy_19_3_jn_15_bz_20_wh_19_t_18_the_trial_by_month_by_days_or_without_a_length(name: str) -> None:
    found = trial(rules(name), HANDED_OVER)
    assert (found.ends if found else None) == TRIAL_ENDS.get(name)
    assert trial_clause(rules(name)) == TRIALS.get(name, "")


@pytest.mark.parametrize(
    ("name", "handed_over", "ends"),
    [
        ("yiyang-2025", "2028-01-31 23:59:59", "2028-02-29"),
        ("yiyang-2025", "2028-01-29 00:00:00", "2028-02-29"),
        ("yiyang-2025", "2028-02-29 12:00:00", "2028-03-29"),
        ("jinan-startup-area-2025", "2028-01-31 23:59:59", "2028-03-01"),
        ("jinan-startup-area-2025", "2027-12-31 00:00:00", "2028-01-30"),
    ],
)
def test_yy_19_3_jn_15_to_the_day_over_leap_years(name: str, handed_over: str, ends: str) -> None:
    found = trial(rules(name), at(handed_over))
    assert found is not None
    assert found.ends == end_of(ends)


@pytest.mark.parametrize("name", REPORTS)
def test_yy_19_3_jn_15_bz_20_wh_19_4_what_is_filed(name: str) -> None:
    assert [kind.value for kind in required_reports(rules(name))] == REPORTS[name]


@pytest.mark.parametrize("name", NEEDED)
def test_yy_19_4_39_bz_21_jn_16_wh_9_2_advice_agreement_confirmation(name: str) -> None:
    given = rules(name)
    found = (right_sizing_required(given), agreement_required(given), confirmation_required(given))
    assert found == NEEDED[name]


def started(name: str, handed_over: datetime | None = HANDED_OVER, **said: str) -> object:
    rows = {key: {"by": "liu", "at": at(moment)} for key, moment in said.items()}
    given = rules(name)
    days = trial(given, handed_over) if handed_over else None
    return billing_start(
        given, handed_over=handed_over, trial=days, confirmations=Confirmations.model_validate(rows)
    )


AFTER = "2027-03-10 10:00"


@pytest.mark.parametrize(
    ("name", "said", "starts"),
    [
        ("yiyang-2025", {"delivery": AFTER}, (at(AFTER), "YY-39")),
        ("yiyang-2025", {"delivery": "2027-02-10 10:00"}, (end_of("2027-02-28"), "YY-39")),
        ("yiyang-2025", {"agreement": AFTER}, None),
        ("bozhou-2024", {"agreement": "2027-02-10 10:00"}, (at("2027-02-10 10:00"), "BZ-21")),
        ("bozhou-2024", {"delivery": AFTER}, None),
        ("jinan-startup-area-2025", {"delivery": AFTER}, (at(AFTER), "JN-16")),
        ("jinan-startup-area-2025", {"delivery": "2027-03-02 23:59:59"}, (end_of("2027-03-02"), "JN-16")),
        ("jinan-startup-area-2025", {"delivery": "2027-02-10 10:00"}, (end_of("2027-03-02"), "JN-16")),
        ("jinan-startup-area-2025", {}, None),
        ("weihai-2025", {"delivery": "2027-02-10 10:00"}, (at("2027-02-10 10:00"), "WH-9(2), WH-34")),
        ("template", {"delivery": "2027-02-10 10:00"}, (end_of("2027-03-02"), "T-5")),
    ],
)
def test_yy_39_bz_21_jn_16_wh_34_t_5_billing_starts_as_each_says(
    name: str, said: dict[str, str], starts: object
) -> None:
    assert started(name, **said) == starts


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("yiyang-2025", "delivery"),
        ("bozhou-2024", "agreement"),
        ("jinan-startup-area-2025", "delivery"),
        ("weihai-2025", "delivery"),
    ],
)
def test_yy_39_bz_21_jn_16_wh_34_nothing_is_billed_before_it_was_handed_over(name: str, said: str) -> None:
    assert started(name, None, **{said: AFTER}) is None
    found = started(name, at("2027-04-01 09:00"), **{said: "2027-01-01 10:00"})
    assert isinstance(found, tuple)
    assert found[0] >= at("2027-04-01 09:00")
