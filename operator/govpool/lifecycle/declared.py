"""decide: a server in a pool that only people reach. All that is known of it is what they declared (申报)."""

from __future__ import annotations

from govpool.api.base import FINALIZER, ConditionStatus
from govpool.api.cloudserver import (
    BaselineSummary,
    CloudServerStatus,
    Declared,
    Desired,
    HandoverSummary,
    ServerPhase,
)
from govpool.api.workorder import Executor, WorkOrder, WorkOrderKind, WorkOrderState
from govpool.lifecycle.actions import Action, LetGo, WriteStatus
from govpool.lifecycle.conditions import MAX_MESSAGE, condition, merged
from govpool.lifecycle.decision import Decision
from govpool.lifecycle.observation import ServerObservation
from govpool.messages import message

LEAVING = (Desired.RELEASED, Desired.GONE)
OPENING = (WorkOrderKind.PROVISION, WorkOrderKind.RESIZE)


def decide(observation: ServerObservation, before: CloudServerStatus) -> Decision:
    """Take over what was declared of the server; nothing is asked of any pool, and nothing is done to one."""
    server = observation.server
    status = before
    for order in sorted(observation.orders, key=lambda one: (one.spec.revision, one.metadata.name)):
        if _counts(order, server.metadata.name, status):
            status = _with(status, order, server.metadata.name)
    if server.spec.desired in LEAVING:
        gone = any(one.work == WorkOrderKind.RECLAIM.value for one in status.declared)
        phase = ServerPhase.GONE if gone else ServerPhase.RELEASED
    elif status.opened_at is None:
        phase = ServerPhase.BUILDING
    elif status.revision != server.spec.revision:
        phase = ServerPhase.RESIZING
    else:
        phase = ServerPhase.HANDED_OVER if status.handover else ServerPhase.OPEN
    text = message("pool.by-hand")
    told = condition(
        "Declared",
        ConditionStatus.UNKNOWN,
        "NotSeen",
        text,
        clause=server.spec.article,
        generation=server.metadata.generation,
        now=observation.now,
        language=observation.language,
    )
    after = status.model_copy(
        update={
            "phase": phase,
            "observed_generation": server.metadata.generation,
            "conditions": merged(before.conditions, [told]),
            "message": text.render(observation.language)[:MAX_MESSAGE],
        }
    )
    actions: tuple[Action, ...] = () if after == server.status else (WriteStatus(server, after),)
    if phase is ServerPhase.GONE and server.deleting and FINALIZER in server.metadata.finalizers:
        actions = (*actions, LetGo(server, "its end was declared by the provider"))
    return Decision(actions)


def _counts(order: WorkOrder, server: str, status: CloudServerStatus) -> bool:
    """Whether somebody reported that the order was carried out, and it was not taken over yet."""
    done = order.status is not None and order.status.state is WorkOrderState.SUCCEEDED
    own = order.spec.executor is Executor.PERSON and server in order.spec.servers
    return done and own and all(one.order != order.metadata.name for one in status.declared)


def _with(status: CloudServerStatus, order: WorkOrder, server: str) -> CloudServerStatus:
    outcome = order.spec.outcome
    if outcome is None:
        return status
    facts = next((one.facts for one in outcome.servers if one.server == server), {})
    name, work = order.metadata.name, order.spec.work
    said = Declared(work=work.value, order=name, by=outcome.by, at=outcome.at, statement=outcome.statement)
    update: dict[str, object] = {"declared": [*status.declared, said][-64:]}
    proof = f"declared by {outcome.by}, not seen: {outcome.statement}"
    if work in OPENING:
        update |= {"revision": order.spec.revision, "opened_at": status.opened_at or outcome.at}
        update["provider_id"] = facts.get("id", status.provider_id)[:256]
        address = facts.get("address")
        update["addresses"] = address.split(",")[:16] if address else status.addresses
    elif work is WorkOrderKind.BASELINE:
        update["baseline"] = BaselineSummary(
            report=f"declared: {facts['report']}"[:256],
            passed=True,
            score=int(facts["score"]),
            at=outcome.at,
            work_order=name,
        )
    elif work is WorkOrderKind.HANDOVER:
        update["handover"] = HandoverSummary(at=outcome.at, proof=proof[:4096], work_order=name)
    elif work is WorkOrderKind.RECLAIM:
        update["addresses"] = []
    return status.model_copy(update=update)
