"""Stages that are carried out by a work order: make it, wait for it, tell how it ended."""

from __future__ import annotations

from govpool.api.approval import RequestReference
from govpool.api.cloudresourcerequest import DesiredState
from govpool.api.cloudserver import CloudServer
from govpool.api.workorder import WorkOrder, WorkOrderKind, WorkOrderSpec, WorkOrderState
from govpool.lifecycle.actions import Create
from govpool.lifecycle.decision import StageResult
from govpool.lifecycle.naming import made_for, order_name, run_key
from govpool.lifecycle.stages.context import StageContext
from govpool.messages import Message, message

EXECUTION = (
    WorkOrderKind.PROVISION,
    WorkOrderKind.RESIZE,
    WorkOrderKind.BASELINE,
    WorkOrderKind.HANDOVER,
    WorkOrderKind.MANUAL,
)
"""Orders that belong to carrying out an approval and share its clock."""


def carried_out_by(
    context: StageContext, work: WorkOrderKind, servers: tuple[CloudServer, ...]
) -> StageResult:
    """Waiting or Failed, after the order's state. The stage itself says when it is Done, from the servers."""
    order = context.order(work, servers)
    if order is None:
        order = made(context, work, servers)
        return context.waiting(_under_way(order, ""), actions=(Create(order),))
    status = order.status
    if status is not None and status.state is WorkOrderState.FAILED:
        return context.failed(
            message("OrderFailed", work=work.value, order=order.metadata.name, cause=status.message)
        )
    waits = status is not None and status.state is WorkOrderState.PENDING
    return context.waiting(_under_way(order, status.message if status and waits else ""))


def _under_way(order: WorkOrder, cause: str) -> Message:
    """The same words from its issue to its end: how far it is stands in the order, which is written for each
    step of it; the request is written only when something is wrong.
    """
    name, work = order.metadata.name, order.spec.work.value
    if cause:
        return message("OrderAgain", work=work, order=name, cause=cause)
    return message("OrderUnderWay", work=work, order=name)


def made(context: StageContext, work: WorkOrderKind, servers: tuple[CloudServer, ...]) -> WorkOrder:
    """The order of that kind for these servers under the approved revision."""
    request, revision = context.request, context.approved.revision
    names = [server.metadata.name for server in servers]
    again_for = names if context.carried_out_before or context.orders(work) else []
    return WorkOrder(
        kind=WorkOrder.DEFINITION.kind,
        metadata=made_for(request, order_name(request, work, revision, again_for)),
        spec=WorkOrderSpec(
            work=work,
            request=RequestReference(name=request.metadata.name, uid=request.metadata.uid),
            revision=revision,
            approval=context.approved.approval,
            pool=context.approved.content.pool,
            servers=names,
            executor=context.observation.executor,
            run_key=run_key(request.metadata.uid, work, revision, again_for),
            started_by=context.now,
            due=context.execution_due if work in EXECUTION else context.due,
            article=context.clause,
        ),
    )


def deregisters(context: StageContext) -> bool:
    """Whether the approved revision is the end of use."""
    return context.approved.content.state is DesiredState.DEREGISTERED
