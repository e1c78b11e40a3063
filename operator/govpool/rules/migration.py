"""Systems that move onto the cloud: how long the old environment is kept (迁移上云)."""

from __future__ import annotations

from datetime import datetime

from govpool.api.cloudpolicy import CloudPolicySpec
from govpool.api.cloudresourcerequest import RequestContent
from govpool.rules.calendar import WorkCalendar
from govpool.rules.citation import clause


def keep_until(
    policy: CloudPolicySpec, content: RequestContent, delivery_at: datetime | None
) -> tuple[datetime, str] | None:
    """Until when the old environment is kept, and under which clause.

    The span runs from the day of the cut-over (割接上线), or from the delivery where no cut-over was stated.
    None for a system that did not move, for a policy without the rule, and while neither day is known.
    """
    origin, rule = content.system.migrated_from, policy.migration
    if origin is None or rule is None:
        return None
    calendar = WorkCalendar.of(policy)
    since = delivery_at if origin.cut_over is None else calendar.start_of(origin.cut_over)
    if since is None:
        return None
    return calendar.after(since, rule.keep_old_environment), clause(policy, rule.article)
