"""When a second look at a request can only find what the first one found.

Writing a status wakes the request that was written, and so does what is made for it. Most of these looks find
nothing to do, and cost as much as any other: what a decision goes by is worked out all over again.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import fields, replace
from operator import attrgetter

from govpool.api.approval import Approval, ApprovalState
from govpool.api.base import Resource
from govpool.api.cloudpolicy import Stage
from govpool.api.cloudresourcerequest import CloudResourceRequest, CloudResourceRequestStatus
from govpool.api.cloudserver import CloudServer, Desired
from govpool.api.workorder import Executor, WorkOrder
from govpool.lifecycle import restored
from govpool.lifecycle.actions import Action, Announce, Create, Record, Settle, WriteSpec, WriteStatus
from govpool.lifecycle.decision import Decision
from govpool.lifecycle.observation import RequestObservation
from govpool.lifecycle.under_way import only_retold, only_under_way

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
_around = attrgetter(
    *(f.name for f in fields(RequestObservation) if f.name not in ("request", "now", "orders", "servers"))
)
_gone_by = attrgetter(*(n for n in CloudResourceRequestStatus.model_fields if n not in TOLD and n != "trial"))
Made = WorkOrder | CloudServer
Key = tuple[str, str, str]


def only_tells(before: CloudResourceRequestStatus | None, after: CloudResourceRequestStatus) -> bool:
    """Whether a status differs from the one before it in nothing that a decision goes by."""
    if before is None or bool(_gone_by(before) != _gone_by(after)):
        return False
    if before.trial == after.trial:
        return True
    # One that begins was gone by already, but for the stage of reports: that looks at what is on record.
    return before.trial is None and all(stage.stage is not Stage.REPORTS for stage in after.stages)


def at_rest(
    observation: RequestObservation,
    decision: Decision,
    newest: CloudResourceRequest,
    orders: tuple[WorkOrder, ...],
    servers: tuple[CloudServer, ...],
) -> RequestObservation | None:
    """What the next look would observe if nothing happens but the write of what this decision told, and the
    orders and servers that it issued begin, or servers begin to go.

    None: something else followed from the decision, or the request as it is now known (``newest``), with its
    ``orders`` and ``servers``, is not what was written: the next look may find something to do.
    """
    request, status = observation.request, observation.request.status
    if restored.awaits(request):
        return None
    made: dict[Key, Made] = {}
    approvals = observation.approvals
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
            case Settle(Approval() as settled) if _in_force(settled):
                approvals = tuple(one for one in approvals if one is not settled)
            case _ if (begun := _begun(action, observation.servers)) is not None:
                made[begun.key] = begun
            case _:
                return None
    if not _as_made((*observation.orders, *observation.servers), made, (*orders, *servers)):
        return None
    version = {"resource_version": newest.metadata.resource_version}
    same = newest.metadata == request.metadata.model_copy(update=version) and newest.spec == request.spec
    if not same or newest.status != status:
        return None
    return replace(observation, request=newest, orders=orders, servers=servers, approvals=approvals)


def _in_force(approval: Approval) -> bool:
    """Whether it was granted: what it says stands in the request's status once it is settled."""
    return approval.status is not None and approval.status.state is ApprovalState.APPROVED


def _begun(action: Action, servers: Iterable[CloudServer]) -> Made | None:
    """What an action begins of which a request says the same until something came of it."""
    match action:
        case Create(WorkOrder() as order) if order.spec.executor in RUN_HERE:
            return order
        case Create(CloudServer() as server):
            return server
        case WriteSpec(CloudServer() as server) if server.spec.desired is Desired.GONE:
            released = (s for s in servers if s.spec.desired is Desired.RELEASED)
            return server if any(s.metadata.name == server.metadata.name for s in released) else None
    return None


def _as_made(before: Iterable[Made], made: Mapping[Key, Made], now: Collection[Made]) -> bool:
    """Whether there is now what there was before and what was made, as it was made."""
    known = {one.key: one for one in before}
    if {one.key for one in now} != known.keys() | made.keys():
        return False
    return all(one is known.get(one.key) or _is(one, made.get(one.key)) for one in now)


def _is(one: Made, made: Made | None) -> bool:
    return made is not None and one.spec == made.spec and one.status == made.status


def same_around(one: RequestObservation, other: RequestObservation) -> bool:
    """Whether both observed the very same version of the request, with the very same around it. How far an
    order's run is makes no difference, nor what a server says anew, as nothing came of either.
    """
    return (
        one.request is other.request
        and _like(one.orders, other.orders, only_under_way)
        and _like(one.servers, other.servers, only_retold)
        and bool(_around(one) == _around(other))
    )


def _like(
    one: tuple[Made, ...], other: tuple[Made, ...], no_news: Callable[[Resource, Resource], bool]
) -> bool:
    """Whether these are the same, but for changes that are no news to a request."""
    if len(one) != len(other):
        return False
    return all(a is b or no_news(a, b) for a, b in zip(one, other, strict=True))
