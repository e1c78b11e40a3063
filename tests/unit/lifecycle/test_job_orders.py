"""Work orders that Jobs carry out: which Job, and when another one."""

from __future__ import annotations

from datetime import timedelta

import pytest
from lifecycle_builders import NOW, order, request

from govpool.api.base import RETRY_ANNOTATION
from govpool.api.workorder import Executor, WorkOrder, WorkOrderKind, WorkOrderState, WorkOrderStatus
from govpool.lifecycle import work_order
from govpool.lifecycle.actions import WriteStatus
from govpool.lifecycle.naming import JOB_NAME, job_name
from govpool.lifecycle.observation import OrderObservation


def by_job(**status: object) -> WorkOrder:
    made = order(WorkOrderKind.BASELINE)
    spec = made.spec.model_copy(update={"executor": Executor.JOB})
    return made.model_copy(update={"spec": spec, "status": WorkOrderStatus(**status) if status else None})


def begun(made: WorkOrder) -> WorkOrderStatus:
    later = NOW + timedelta(hours=1)
    decision = work_order.decide(OrderObservation(made, later, "me", False, True, request()))
    (write,) = [action for action in decision.actions if isinstance(action, WriteStatus)]
    assert isinstance(write.status, WorkOrderStatus)
    return write.status


def test_its_job_is_on_record_before_it_is_made() -> None:
    made = by_job()
    assert begun(made).job == f"{made.spec.run_key}-1"


def test_an_operator_that_takes_over_meets_the_same_job() -> None:
    after = begun(by_job(state=WorkOrderState.RUNNING, attempts=1, job="baseline-1"))
    assert (after.attempts, after.job) == (2, "baseline-1")


@pytest.mark.parametrize("state", [WorkOrderState.PENDING, WorkOrderState.RUNNING])
def test_after_a_result_the_next_attempt_is_another_job(state: WorkOrderState) -> None:
    made = by_job(state=state, attempts=3)
    assert begun(made).job == f"{made.spec.run_key}-4"


def test_who_asks_for_another_attempt_gets_another_job() -> None:
    made = by_job(state=WorkOrderState.FAILED, attempts=1)
    metadata = made.metadata.model_copy(update={"annotations": {RETRY_ANNOTATION: "again"}})
    assert begun(made.model_copy(update={"metadata": metadata})).job == f"{made.spec.run_key}-2"


def test_an_order_that_is_carried_out_here_has_none() -> None:
    assert begun(order(WorkOrderKind.BASELINE)).job is None


@pytest.mark.parametrize("attempt", [1, 12, 999])
def test_a_name_fits_into_a_label(attempt: int) -> None:
    names = {job_name(key * 63, attempt) for key in "ab"}
    assert len(names) == 2 and all(len(name) <= JOB_NAME + 3 for name in names)
