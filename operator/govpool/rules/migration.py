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
    since = kept_since(policy, content, delivery_at)
    if since is None or policy.migration is None:
        return None
    until = WorkCalendar.of(policy).after(since, policy.migration.keep_old_environment)
    return until, clause(policy, policy.migration.article)


def kept_since(
    policy: CloudPolicySpec, content: RequestContent, delivery_at: datetime | None
) -> datetime | None:
    """Since when the old environment is kept for a fall-back: the cut-over, or else the delivery."""
    origin = content.system.migrated_from
    if origin is None or policy.migration is None:
        return None
    return delivery_at if origin.cut_over is None else WorkCalendar.of(policy).start_of(origin.cut_over)


def removed_too_early(until: datetime, removed: datetime | None) -> bool:
    """Whether the old environment was taken down while it still had to be kept (YY-15, BZ-21)."""
    return removed is not None and removed <= until
