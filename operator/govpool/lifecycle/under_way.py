"""What of a work order is its run's own affair, and nobody else's."""

from __future__ import annotations

from operator import attrgetter

from govpool.api.base import Resource
from govpool.api.workorder import WorkOrder, WorkOrderState, WorkOrderStatus

RUN_OWN = (
    "observed_generation",
    "conditions",
    "attempts",
    "retry_seen",
    "lease",
    "job",
    "started",
    "progress",
)
"""Fields of an order's status that only its run and its own reconcile look at."""


def only_under_way(before: Resource | None, after: Resource | None) -> bool:
    """Whether an order only began, went on or told its progress: no request or server follows that."""
    if not isinstance(before, WorkOrder) or not isinstance(after, WorkOrder):
        return False
    if _told(before.status) != _told(after.status) or before.spec != after.spec:
        return False
    version = {"resource_version": ""}
    return {**before.metadata.__dict__, **version} == {**after.metadata.__dict__, **version}


def _told(status: WorkOrderStatus | None) -> tuple[object, ...]:
    """As much of an order's status as others look at."""
    known = status or _ISSUED
    running = known.state is WorkOrderState.RUNNING
    return WorkOrderState.PENDING if running else known.state, _of_others(known)


_ISSUED = WorkOrderStatus()
_of_others = attrgetter(
    *(name for name in WorkOrderStatus.model_fields if name != "state" and name not in RUN_OWN)
)
