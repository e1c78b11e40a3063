"""Work orders beside a stage (YY-4, YY-19): those that a provider's API carries out where the service is
purchased, and those of services that a person sets up.
"""

from __future__ import annotations

from collections.abc import Iterable

from govpool.api.cloudpolicy import Stage
from govpool.api.cloudserver import CloudServer
from govpool.api.workorder import (
    Executor,
    ServerResult,
    WorkOrder,
    WorkOrderKind,
    WorkOrderState,
    WorkOrderStatus,
)
from govpool.lifecycle import services
from govpool.lifecycle.actions import Action, Create, WriteSpec, WriteStatus
from govpool.lifecycle.decision import StageResult
from govpool.lifecycle.stages.asked import ask, order_for
from govpool.lifecycle.stages.context import StageContext

KINDS = {
    Stage.PROVISION: (WorkOrderKind.PROVISION, WorkOrderKind.RESIZE),
    Stage.RECLAIM: (WorkOrderKind.RECLAIM,),
}
FINISHED = (WorkOrderState.SUCCEEDED, WorkOrderState.FAILED)


def told(context: StageContext, result: StageResult) -> StageResult:
    """The stage's answer, with the orders that go with it."""
    if result.stage not in KINDS:
        return result
    if context.purchased and not context.by_hand:
        result = _to_provider(context, result)
    return _by_persons(context, result)


# -- the provider's API --------------------------------------------------------------------------
def _to_provider(context: StageContext, result: StageResult) -> StageResult:
    """An order for what the stage is about to do, and its end once the stage saw it done."""
    orders = [Create(order) for order in _new_orders(context, result)]
    moved = [_moved(context, order, done=result.done) for order in _open_orders(context, result.stage)]
    # The order is on record before anything is done under it.
    return result._replace(actions=(*orders, *result.actions, *filter(None, moved)))


def _new_orders(context: StageContext, result: StageResult) -> list[WorkOrder]:
    found: list[WorkOrder] = []
    for work in KINDS[result.stage]:
        servers = tuple(_about(context, work, result.actions))
        known = {name for order in context.orders(work) for name in order.spec.servers}
        new = tuple(server for server in servers if server.metadata.name not in known)
        if new:
            found.append(order_for(context, work, new, Executor.API))
    return found


def _about(context: StageContext, work: WorkOrderKind, actions: Iterable[Action]) -> Iterable[CloudServer]:
    for action in actions:
        if isinstance(action, Create) and isinstance(action.resource, CloudServer):
            if work is WorkOrderKind.PROVISION:
                yield action.resource
        elif isinstance(action, WriteSpec) and isinstance(action.resource, CloudServer):
            resized = work is WorkOrderKind.RESIZE and _other_size(context, action.resource)
            if work is WorkOrderKind.RECLAIM or resized:
                yield action.resource


def _other_size(context: StageContext, wanted: CloudServer) -> bool:
    """Whether size or disks change; a revision that only counts on is no work."""
    current = context.current(wanted)
    return current is None or (current.spec.vcpu, current.spec.memory_gib, current.spec.disks) != (
        wanted.spec.vcpu,
        wanted.spec.memory_gib,
        wanted.spec.disks,
    )


def _open_orders(context: StageContext, stage: Stage) -> list[WorkOrder]:
    """Orders of the provider's API that have not ended, those of revisions that were overtaken too."""
    return [
        order
        for order in context.observation.orders
        if order.spec.executor is Executor.API
        and order.spec.work in KINDS[stage]
        and order.spec.revision <= context.approved.revision
        and (order.status is None or order.status.state not in FINISHED)
    ]


def _moved(context: StageContext, order: WorkOrder, *, done: bool) -> WriteStatus | None:
    before = order.status or WorkOrderStatus()
    state = WorkOrderState.SUCCEEDED if done else WorkOrderState.RUNNING
    if before.state is state:
        return None
    update: dict[str, object] = {
        "observed_generation": order.metadata.generation,
        "state": state,
        "started": before.started or context.now,
        "attempts": max(before.attempts, 1),
    }
    if done:
        update |= {"finished": context.now, "servers": [_seen(context, name) for name in order.spec.servers]}
    return WriteStatus(order, before.model_copy(update=update))


def _seen(context: StageContext, name: str) -> ServerResult:
    found = next((s for s in context.observation.servers if s.metadata.name == name), None)
    status = found.status if found else None
    facts = {"address": ",".join(status.addresses), "id": status.provider_id} if status else {}
    told_ = status.phase.value if status else "-"
    return ServerResult(server=name, ok=True, message=told_, facts={k: v for k, v in facts.items() if v})


# -- services that a person sets up --------------------------------------------------------------
def _by_persons(context: StageContext, result: StageResult) -> StageResult:
    """Beside the servers a person sets up, changes and takes down services; the stage waits for both."""
    before = services.held(context.status)
    after = services.wanted(context.approved.content, context.catalog, by_hand=context.by_hand)
    steps = services.difference(before, after)
    if not steps:
        return result
    asked = ask(context, WorkOrderKind.MANUAL, (), parameters=steps)
    if result.done:
        return asked._replace(actions=(*result.actions, *asked.actions))
    return result._replace(actions=(*asked.actions, *result.actions))
