"""Work that a person carries out: ask for it, wait for the word, and ask again where it failed."""

from __future__ import annotations

from collections.abc import Mapping

from govpool.api.base import RETRY_ANNOTATION
from govpool.api.cloudpolicy import Role
from govpool.api.cloudserver import CloudServer
from govpool.api.workorder import Executor, WorkOrder, WorkOrderKind, WorkOrderState
from govpool.lifecycle.actions import Action, Create
from govpool.lifecycle.decision import StageResult
from govpool.lifecycle.naming import order_name, run_key
from govpool.lifecycle.stages.context import StageContext
from govpool.lifecycle.stages.orders import made
from govpool.messages import message


def ask(
    context: StageContext,
    work: WorkOrderKind,
    servers: tuple[CloudServer, ...],
    *,
    first: tuple[Action, ...] = (),
    parameters: Mapping[str, str] | None = None,
) -> StageResult:
    """Waiting for a person's word, or Failed by it. A failed order is given anew when somebody asks for it.

    What a person reported stands, so another attempt is another order.
    """
    names = {server.metadata.name for server in servers}
    given = [one for one in context.orders(work) if names <= set(one.spec.servers) and _same(one, parameters)]
    failed = [one for one in given if one.status and one.status.state is WorkOrderState.FAILED]
    live = [one for one in given if one not in failed]
    again = [one.metadata.annotations.get(RETRY_ANNOTATION, "") for one in failed]
    if not live and not all(again):
        refused = next(one for one, asked in zip(failed, again, strict=True) if not asked)
        return _failed(context, refused)._replace(actions=first)
    if not live:
        order = order_for(context, work, servers, Executor.PERSON, parameters=parameters, again=again)
        text = message("declared.waits", work=work.value, order=order.metadata.name)
        return context.waiting(text, who=order.spec.role, due=order.spec.due, actions=(Create(order), *first))
    order = live[0]
    text = message("declared.waits", work=work.value, order=order.metadata.name)
    return context.waiting(text, who=order.spec.role, due=order.spec.due, actions=first)


def _same(order: WorkOrder, parameters: Mapping[str, str] | None) -> bool:
    return parameters is None or order.spec.parameters == dict(parameters)


def _failed(context: StageContext, order: WorkOrder) -> StageResult:
    outcome = order.spec.outcome
    if outcome is not None and outcome.succeeded and order.status is not None:
        lacks = order.status.message.removeprefix("lacks ")
        return context.failed(message("declared.lacks", lacks=lacks, order=order.metadata.name))
    text = message(
        "declared.failed",
        by=outcome.by if outcome else "-",
        work=order.spec.work.value,
        statement=outcome.statement if outcome else "",
        order=order.metadata.name,
    )
    return context.failed(text)


def order_for(
    context: StageContext,
    work: WorkOrderKind,
    servers: tuple[CloudServer, ...],
    executor: Executor,
    *,
    parameters: Mapping[str, str] | None = None,
    again: list[str] | None = None,
) -> WorkOrder:
    """The order, in the provider's name where the service is purchased (YY-4, YY-19), else the organ's."""
    order = made(context, work, servers)
    role = Role.PROVIDER if context.purchased else Role.OPERATOR
    spec = order.spec.model_copy(
        update={"executor": executor, "role": role, "parameters": dict(parameters or {})}
    )
    metadata = order.metadata
    if again:
        request, revision = context.request, context.approved.revision
        marks = [*spec.servers, *again]
        metadata = metadata.model_copy(update={"name": order_name(request, work, revision, marks)})
        spec = spec.model_copy(update={"run_key": run_key(request.metadata.uid, work, revision, marks)})
    return order.model_copy(update={"metadata": metadata, "spec": spec})
