"""decide: whether a work order is run, waited for, or run again."""

from __future__ import annotations

from datetime import timedelta

from govpool.api.base import RETRY_ANNOTATION
from govpool.api.workorder import (
    Executor,
    RunLease,
    ServerResult,
    WorkOrder,
    WorkOrderState,
    WorkOrderStatus,
)
from govpool.lifecycle import restored
from govpool.lifecycle.actions import Action, StartRun, WriteStatus
from govpool.lifecycle.decision import Decision
from govpool.lifecycle.naming import job_name
from govpool.lifecycle.observation import OrderObservation
from govpool.rules.outcome import lacks

LEASE = timedelta(seconds=60)
"""A run whose lease was not renewed for so long is lost."""
FINISHED = (WorkOrderState.SUCCEEDED, WorkOrderState.FAILED)
_ISSUED = WorkOrderStatus()


def decide(observation: OrderObservation) -> Decision:
    """Begin a run when nobody runs the order; a person's order only follows the person's word."""
    order = observation.order
    status = order.status or _ISSUED
    if order.paused or (observation.request is not None and observation.request.paused):
        return Decision()
    if order.spec.executor is Executor.PERSON:
        return _person(observation, status)
    if restored.awaits(observation.request):
        # What it works on may be another's by now: the request wakes it once it is adopted.
        return Decision()
    if order.spec.executor is Executor.API:
        # Its servers are its run; the request's stage tells how far they are.
        return Decision()
    asked = order.metadata.annotations.get(RETRY_ANNOTATION, "")
    if status.state is WorkOrderState.FAILED and asked and asked != status.retry_seen:
        return _begin(observation, status.model_copy(update={"retry_seen": asked}))
    if status.state in FINISHED or observation.running_here:
        return Decision()
    if status.state is WorkOrderState.RUNNING and status.lease is not None and not observation.holder_gone:
        stale = status.lease.renewed + LEASE
        if status.lease.holder != observation.me and observation.now < stale:
            return Decision(look_again=stale)
    if status.next_attempt is not None and observation.now < status.next_attempt:
        return Decision(look_again=status.next_attempt)
    return _begin(observation, status)


def _begin(observation: OrderObservation, status: WorkOrderStatus) -> Decision:
    order, attempt = observation.order, status.attempts + 1
    by_job = order.spec.executor is Executor.JOB
    after = status.model_copy(
        update={
            "observed_generation": order.metadata.generation,
            "state": WorkOrderState.RUNNING,
            "attempts": attempt,
            "lease": RunLease(holder=observation.me, renewed=observation.now),
            # A Job that has not brought its result yet is met again, whoever made it.
            "job": status.job or (job_name(order.spec.run_key, attempt) if by_job else None),
            "started": observation.now,
            "finished": None,
            "next_attempt": None,
            "message": "",
            "progress": "",
        }
    )
    # The status is on record before the run begins: a kill in between is a lost run, and is run again.
    actions: tuple[Action, ...] = (WriteStatus(order, after), StartRun(order.spec.run_key, attempt))
    return Decision(actions)


def _person(observation: OrderObservation, status: WorkOrderStatus) -> Decision:
    order, outcome = observation.order, observation.order.spec.outcome
    if outcome is None or status.state in FINISHED:
        return Decision()
    missing = lacks(order.spec, outcome)
    succeeded = outcome.succeeded and not missing
    given = {one.server: one.facts for one in outcome.servers}
    after = status.model_copy(
        update={
            "observed_generation": order.metadata.generation,
            "state": WorkOrderState.SUCCEEDED if succeeded else WorkOrderState.FAILED,
            "finished": outcome.at,
            "message": f"lacks {', '.join(missing)}"[:4096] if missing else outcome.statement,
            "servers": [
                ServerResult(server=name, ok=succeeded, message=outcome.statement, facts=given.get(name, {}))
                for name in order.spec.servers
            ],
            "receipt_sha256": outcome.facts.get("receiptSha256") if succeeded else None,
        }
    )
    return Decision((WriteStatus(order, after),))


def retry_after(attempts: int) -> timedelta:
    """How long to wait before the next attempt: doubling from 5 seconds to 5 minutes."""
    return min(timedelta(seconds=5 * 2 ** min(attempts - 1, 10)), timedelta(minutes=5))


def failed(order: WorkOrder) -> bool:
    """Whether the order's result is a failure."""
    return order.status is not None and order.status.state is WorkOrderState.FAILED
