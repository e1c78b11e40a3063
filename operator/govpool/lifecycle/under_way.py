"""What of a work order is its run's own affair, and nobody else's."""

from __future__ import annotations

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
    if before.metadata.model_copy(update={"resource_version": ""}) != after.metadata.model_copy(
        update={"resource_version": ""}
    ):
        return False
    return before.spec == after.spec and _told(before.status) == _told(after.status)


def _told(status: WorkOrderStatus | None) -> WorkOrderStatus:
    """As much of an order's status as others look at."""
    known = status or WorkOrderStatus()
    running = known.state is WorkOrderState.RUNNING
    return known.model_copy(
        update={
            "state": WorkOrderState.PENDING if running else known.state,
            **{name: WorkOrderStatus.model_fields[name].get_default() for name in RUN_OWN},
        }
    )
