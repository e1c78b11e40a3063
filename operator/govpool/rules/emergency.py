"""Emergency issuing (应急发放): opened first, the papers follow."""

from __future__ import annotations

from datetime import datetime

from govpool.api.cloudpolicy import CloudPolicySpec
from govpool.rules.calendar import WorkCalendar
from govpool.rules.citation import clause


def papers_due(policy: CloudPolicySpec, issued: datetime) -> tuple[datetime, str] | None:
    """Until when the unit completes the papers (YY-23, JN-13), and under which clause.

    ``issued`` is when the resources were handed over. None where the policy sets no number of days.
    """
    rule = policy.emergency
    if rule is None or rule.papers_within is None:
        return None
    return WorkCalendar.of(policy).after_working_days(issued, rule.papers_within), clause(
        policy, rule.article
    )
