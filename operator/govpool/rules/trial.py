"""The test environment or trial run (测试、试运行) after the handover."""

from __future__ import annotations

from datetime import datetime

from govpool.api.cloudpolicy import CloudPolicySpec
from govpool.api.cloudresourcerequest import Trial
from govpool.rules.calendar import WorkCalendar
from govpool.rules.citation import clause


def trial(policy: CloudPolicySpec, handed_over: datetime) -> Trial | None:
    """The trial that starts with the handover and ends with its last day; None where there is none."""
    if policy.trial is None:
        return None
    return Trial(started=handed_over, ends=WorkCalendar.of(policy).after(handed_over, policy.trial.duration))


def trial_clause(policy: CloudPolicySpec) -> str:
    """The clause that orders the trial; empty where there is none."""
    return "" if policy.trial is None else clause(policy, policy.trial.article)
