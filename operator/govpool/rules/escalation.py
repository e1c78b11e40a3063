"""Clocks that ran out: who is told when nobody minded them. None of it approves or refuses anything."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from govpool.api.cloudpolicy import CloudPolicySpec
from govpool.api.policy_roles import Role
from govpool.rules.calendar import WorkCalendar
from govpool.rules.citation import clause


@dataclass(frozen=True, slots=True)
class Escalation:
    """Who is told of a clock that ran out, from when on, and under which clause."""

    role: Role
    at: datetime
    clause: str


def escalation(policy: CloudPolicySpec, due: datetime) -> Escalation | None:
    """Who is told of a clock that was due at ``due``, and from when on. None where nobody is named."""
    rule = policy.escalation
    if rule is None:
        return None
    at = due if rule.after is None else WorkCalendar.of(policy).after_working_days(due, rule.after)
    return Escalation(rule.role, at, clause(policy, rule.article))


def escalated(policy: CloudPolicySpec, due: datetime, now: datetime) -> Escalation | None:
    """The escalation once its time has come."""
    found = escalation(policy, due)
    return found if found is not None and now > found.at else None
