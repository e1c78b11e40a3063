"""What of a work order is its run's own affair, and of a server its pool's, and nobody else's."""

from __future__ import annotations

from operator import attrgetter

from govpool.api.base import Resource
from govpool.api.cloudserver import CloudServer, CloudServerStatus, ServerPhase
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
SERVER_OWN = ("observed_generation", "conditions", "message", "seen_at", "retry_at")
"""Fields of a server's status that only its own reconcile and people look at, unless it is in error or was
restored.
"""


def only_under_way(before: Resource | None, after: Resource | None) -> bool:
    """Whether an order only began, went on or told its progress: no request or server follows that."""
    if not isinstance(before, WorkOrder) or not isinstance(after, WorkOrder):
        return False
    return _told(before.status) == _told(after.status) and _unwritten(before, after)


def only_retold(before: Resource | None, after: Resource | None) -> bool:
    """Whether a server only began to be built, or said anew what it waits for: nothing came of it yet."""
    if not isinstance(before, CloudServer) or not isinstance(after, CloudServer):
        return False
    seen, now = before.status or _UNSEEN, after.status or _UNSEEN
    if ServerPhase.ERROR in (seen.phase, now.phase) or bool(_of_request(seen) != _of_request(now)):
        return False
    begins = seen.phase in _MADE and now.phase in _MADE
    return (begins or seen.phase is now.phase) and _unwritten(before, after)


def _unwritten(before: WorkOrder | CloudServer, after: WorkOrder | CloudServer) -> bool:
    """Whether nothing but the status was written."""
    version = {"resource_version": ""}
    meta = {**before.metadata.__dict__, **version} == {**after.metadata.__dict__, **version}
    return meta and before.spec == after.spec


def _told(status: WorkOrderStatus | None) -> tuple[object, ...]:
    """As much of an order's status as others look at."""
    known = status or _ISSUED
    running = known.state is WorkOrderState.RUNNING
    return WorkOrderState.PENDING if running else known.state, _of_others(known)


_ISSUED = WorkOrderStatus()
_of_others = attrgetter(
    *(name for name in WorkOrderStatus.model_fields if name != "state" and name not in RUN_OWN)
)
_UNSEEN = CloudServerStatus()
_MADE = (ServerPhase.PENDING, ServerPhase.BUILDING)
_of_request = attrgetter(
    *(name for name in CloudServerStatus.model_fields if name != "phase" and name not in SERVER_OWN)
)
