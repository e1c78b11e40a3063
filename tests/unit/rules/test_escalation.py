"""Clocks that ran out: whom they are told to, and from when on."""

from __future__ import annotations

import pytest
from rules_support import at, end_of, rules

from govpool.api.policy_roles import Role
from govpool.rules.escalation import escalated, escalation

POLICIES = ("template", "yiyang-2025", "bozhou-2024", "jinan-startup-area-2025", "weihai-2025")


@pytest.mark.parametrize(
    ("due", "told"),
    [
        ("2026-11-27", "2026-12-02"),  # over a weekend
        ("2026-09-30", "2026-10-10"),  # over the October holiday; Saturday the 10th is worked
        ("2028-02-28", "2028-03-02"),  # over the leap day
    ],
)
def test_t_30_yy_5_1_three_working_days_after_a_clock_ran_out(due: str, told: str) -> None:
    found = escalation(rules(), end_of(due))
    assert found is not None
    assert (found.role, found.at, found.clause) == (Role.SUPERVISOR, end_of(told), "YY-5(1), YY-37")


def test_yy_5_1_not_before_the_last_second() -> None:
    due = end_of("2026-11-27")
    assert escalated(rules(), due, at("2026-12-02 23:59:59")) is None
    assert escalated(rules(), due, at("2026-12-03 00:00:00")) is not None


def test_at_once_where_no_days_are_named() -> None:
    policy = rules(escalation={"role": "supervisor", "article": "37"})
    due = end_of("2026-11-27")
    assert escalated(policy, due, due) is None
    assert escalated(policy, due, at("2026-11-28")) is not None


def test_nobody_is_told_where_the_policy_names_nobody() -> None:
    assert escalation(rules(escalation=None), end_of("2026-11-27")) is None


@pytest.mark.parametrize("name", POLICIES)
def test_t_30_yy_5_1_37_bz_7_2_jn_7_wh_5_1_somebody_supervises(name: str) -> None:
    found = escalation(rules(name), end_of("2026-11-27"))
    assert found is not None
    assert found.role is Role.SUPERVISOR
