"""When a second look at a request can only find what the first one found.

Writing a status wakes the request that was written. Most of these looks find nothing to do, and cost as much
as any other: what a decision goes by is worked out all over again.
"""

from __future__ import annotations

from dataclasses import fields, replace

from govpool.api.cloudresourcerequest import CloudResourceRequest, CloudResourceRequestStatus
from govpool.api.workorder import Executor, WorkOrder
from govpool.lifecycle import restored
from govpool.lifecycle.actions import Announce, Create, Record, WriteStatus
from govpool.lifecycle.decision import Decision
from govpool.lifecycle.observation import RequestObservation
from govpool.lifecycle.under_way import only_under_way

TOLD = frozenset(
    {
        "addresses",
        "citations",
        "conditions",
        "deadlines",
        "due",
        "fee_per_year",
        "history",
        "next_look",
        "observed_generation",
        "phase",
        "stages",
        "who",
    }
)
"""Fields of a request's status that only tell people how things stand. A decision carries them on as they are
where it says the same, and goes by none of them; by the phase only of what was restored and not yet adopted.
"""
RUN_HERE = (Executor.LOCAL, Executor.JOB)
"""Of these orders a request says the same from their issue to their end."""
_AROUND = tuple(
    field.name for field in fields(RequestObservation) if field.name not in ("request", "now", "orders")
)


def only_tells(before: CloudResourceRequestStatus | None, after: CloudResourceRequestStatus) -> bool:
    """Whether a status differs from the one before it in nothing that a decision goes by."""
    if before is None:
        return False
    names = (name for name in CloudResourceRequestStatus.model_fields if name not in TOLD)
    return all(getattr(before, name) == getattr(after, name) for name in names)


def at_rest(
    observation: RequestObservation,
    decision: Decision,
    newest: CloudResourceRequest,
    orders: tuple[WorkOrder, ...],
) -> RequestObservation | None:
    """What the next look would observe if nothing happens but the write of what this decision told, and the
    orders that it issued begin.

    None: something else followed from the decision, or ``newest`` and ``orders``, the request and its orders
    as they are now known, are not what was written: the next look may find something to do.
    """
    request, status = observation.request, observation.request.status
    if restored.awaits(request):
        return None
    issued: list[WorkOrder] = []
    for action in decision.actions:
        match action:
            case Record() | Announce():
                pass
            case WriteStatus(resource, after) if resource is request and isinstance(
                after, CloudResourceRequestStatus
            ):
                if not only_tells(status, after):
                    return None
                status = after
            case Create(resource) if isinstance(resource, WorkOrder) and resource.spec.executor in RUN_HERE:
                issued.append(resource)
            case _:
                return None
    if not _issued(observation.orders, issued, orders):
        return None
    version = {"resource_version": newest.metadata.resource_version}
    same = newest.metadata == request.metadata.model_copy(update=version) and newest.spec == request.spec
    if not same or newest.status != status:
        return None
    return replace(observation, request=newest, orders=orders)


def _issued(before: tuple[WorkOrder, ...], issued: list[WorkOrder], now: tuple[WorkOrder, ...]) -> bool:
    """Whether the orders known now are those from before and the issued ones, as they were issued."""
    if len(now) != len(before) + len(issued):
        return False
    known = {order.metadata.name: order for order in before}
    specs = {order.metadata.name: order.spec for order in issued}
    return all(
        order is known.get(order.metadata.name)
        or (order.status is None and order.spec == specs.get(order.metadata.name))
        for order in now
    )


def same_around(one: RequestObservation, other: RequestObservation) -> bool:
    """Whether both observed the very same version of the request, with the very same around it. How far an
    order's run is makes no difference, as it wakes no request.
    """
    if one.request is not other.request or len(one.orders) != len(other.orders):
        return False
    orders = zip(one.orders, other.orders, strict=True)
    if not all(before is after or only_under_way(before, after) for before, after in orders):
        return False
    return all(_same(getattr(one, name), getattr(other, name)) for name in _AROUND)


def _same(one: object, other: object) -> bool:
    if isinstance(one, tuple) and isinstance(other, tuple):
        return len(one) == len(other) and all(a is b for a, b in zip(one, other, strict=True))
    return one is other
