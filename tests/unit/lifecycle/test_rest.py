"""When a request needs no second look."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from govpool.api.approval import Approval, ApprovalState, ApprovalStatus, RequestReference
from govpool.api.base import ObjectMeta
from govpool.api.cloudpolicy import Stage
from govpool.api.cloudresourcerequest import (
    CloudResourceRequest,
    CloudResourceRequestStatus,
    RequestPhase,
    StageState,
    StageStatus,
    Trial,
)
from govpool.api.cloudserver import CloudServer, CloudServerSpec, CloudServerStatus, Desired, ServerPhase
from govpool.api.origin import RequestOrigin
from govpool.api.workorder import (
    Executor,
    WorkOrder,
    WorkOrderKind,
    WorkOrderSpec,
    WorkOrderState,
    WorkOrderStatus,
)
from govpool.lifecycle.actions import Announce, Create, LetGo, Settle, WriteSpec, WriteStatus
from govpool.lifecycle.decision import Decision
from govpool.lifecycle.observation import RequestObservation
from govpool.lifecycle.rest import TOLD, at_rest, only_tells, same_around

NOW = datetime(2026, 1, 5, 8, tzinfo=UTC)
BEFORE = CloudResourceRequestStatus()
META = ObjectMeta(name="system", namespace="unit", uid="1", generation=1, resource_version="7")
# Nothing here looks into the spec.
REQUEST = CloudResourceRequest.model_construct(kind="CloudResourceRequest", metadata=META, status=BEFORE)
REQUEST = REQUEST.model_copy(update={"spec": "as it is"})
LOOK = RequestObservation(REQUEST, NOW)
MORE = BEFORE.model_copy(update={"due": NOW, "citations": ["YY-19"]})
WRITTEN = REQUEST.model_copy(
    update={"metadata": META.model_copy(update={"resource_version": "8"}), "status": MORE}
)


def order(executor: Executor, status: WorkOrderStatus | None = None) -> WorkOrder:
    spec = WorkOrderSpec.model_construct(
        work=WorkOrderKind.BASELINE, request=RequestReference(name="system", uid="1"), executor=executor
    )
    return WorkOrder.model_construct(metadata=ObjectMeta(name="order"), spec=spec, status=status)


@pytest.mark.parametrize("name", sorted(CloudResourceRequestStatus.model_fields.keys() - {"trial"}))
def test_a_status_only_tells_more_where_no_other_field_differs(name: str) -> None:
    other = BEFORE.model_copy(update={name: "something else"})
    assert only_tells(BEFORE, other) is (name in TOLD)
    assert not only_tells(None, BEFORE)


def test_what_only_told_is_at_rest_until_something_around_it_changes() -> None:
    told = Decision((WriteStatus(REQUEST, MORE), Announce(REQUEST, "Phase", "")))
    rest = at_rest(LOOK, told, WRITTEN, (), ())
    assert rest is not None and rest.request is WRITTEN
    assert same_around(rest, replace(LOOK, request=WRITTEN))
    again = WRITTEN.model_copy()
    assert not same_around(rest, replace(LOOK, request=again))
    assert not same_around(rest, replace(LOOK, request=WRITTEN, language="zh"))
    assert not same_around(rest, replace(LOOK, request=WRITTEN, orders=(order(Executor.LOCAL),)))


def test_what_was_restored_is_looked_at_until_it_is_adopted() -> None:
    origin = RequestOrigin(uid="1", created=NOW, taken=NOW, restored=NOW)
    for adopted in (None, NOW):
        before = BEFORE.model_copy(update={"origin": origin.model_copy(update={"adopted": adopted})})
        after = before.model_copy(update={"phase": RequestPhase.DEREGISTERED})
        request = REQUEST.model_copy(update={"status": before})
        written = WRITTEN.model_copy(update={"status": after})
        told = Decision((WriteStatus(request, after),))
        rest = at_rest(RequestObservation(request, NOW), told, written, (), ())
        assert (rest is None) is (adopted is None)


def test_a_trial_that_begins_is_news_where_reports_are_judged_by_it() -> None:
    trial = BEFORE.model_copy(update={"trial": Trial(started=NOW, ends=NOW)})
    assert only_tells(BEFORE, trial) and not only_tells(trial, BEFORE)
    report = StageStatus(stage=Stage.REPORTS, state=StageState.WAITING, article="YY-19(3)")
    assert not only_tells(BEFORE, trial.model_copy(update={"stages": [report]}))


def test_a_granted_approval_that_settles_changes_nothing() -> None:
    for state in ApprovalState:
        # Nothing here looks into the spec.
        approval = Approval.model_construct(metadata=META, spec=None, status=ApprovalStatus(state=state))
        seen = replace(LOOK, approvals=(approval,))
        rest = at_rest(seen, Decision((Settle(approval), WriteStatus(REQUEST, MORE))), WRITTEN, (), ())
        assert (rest is not None) is (state is ApprovalState.APPROVED)
        assert rest is None or rest.approvals == ()


def server(desired: Desired = Desired.RUNNING, status: CloudServerStatus | None = None) -> CloudServer:
    spec = CloudServerSpec.model_construct(desired=desired)
    meta = ObjectMeta(name="app-0", namespace="unit", uid="2", resource_version="9")
    return CloudServer.model_construct(metadata=meta, spec=spec, status=status)


def test_a_new_server_changes_nothing_until_something_came_of_it() -> None:
    made = server()
    decision = Decision((Create(made), WriteStatus(REQUEST, MORE)))
    assert at_rest(LOOK, decision, WRITTEN, (), ()) is None
    rest = at_rest(LOOK, decision, WRITTEN, (), (made,))
    assert rest is not None
    found = replace(LOOK, request=WRITTEN)
    begun = CloudServerStatus(phase=ServerPhase.BUILDING, message="it is built", retry_at=NOW)
    assert same_around(rest, replace(found, servers=(server(status=begun),)))
    for news in ({"phase": ServerPhase.OPEN}, {"phase": ServerPhase.ERROR}, {"addresses": ["10.0.0.1"]}):
        assert not same_around(rest, replace(found, servers=(server(status=begun.model_copy(update=news)),)))
    assert not same_around(rest, found)


def test_a_released_server_that_is_to_go_changes_nothing_until_it_is_gone() -> None:
    kept = CloudServerStatus(phase=ServerPhase.RELEASED)
    for desired in Desired:
        before, after = server(desired, kept), server(Desired.GONE, kept)
        seen = replace(LOOK, servers=(before,))
        decision = Decision((WriteSpec(after), WriteStatus(REQUEST, MORE)))
        rest = at_rest(seen, decision, WRITTEN, (), (after,))
        assert (rest is not None) is (desired is Desired.RELEASED)
    edited = server(Desired.GONE, kept.model_copy(update={"phase": ServerPhase.GONE}))
    seen = replace(LOOK, servers=(server(Desired.RELEASED, kept),))
    assert at_rest(seen, decision, WRITTEN, (), (edited,)) is None


def test_what_did_something_or_met_another_writer_is_looked_at_again() -> None:
    told = WriteStatus(REQUEST, MORE)
    assert at_rest(LOOK, Decision((told, LetGo(REQUEST, "proof"))), WRITTEN, (), ()) is None
    edited = WRITTEN.model_copy(update={"spec": "edited"})
    assert at_rest(LOOK, Decision((told,)), edited, (), ()) is None
    other = WRITTEN.model_copy(update={"status": BEFORE})
    assert at_rest(LOOK, Decision((told,)), other, (), ()) is None
    assert at_rest(LOOK, Decision((told,)), WRITTEN, (order(Executor.LOCAL),), ()) is None


@pytest.mark.parametrize("executor", list(Executor))
def test_an_issued_order_changes_nothing_until_its_run_ends(executor: Executor) -> None:
    issued = order(executor)
    decision = Decision((Create(issued), WriteStatus(REQUEST, MORE)))
    rest = at_rest(LOOK, decision, WRITTEN, (issued,), ())
    assert (rest is not None) is (executor in (Executor.LOCAL, Executor.JOB))
    if rest is None:
        return
    runs = order(executor, WorkOrderStatus(state=WorkOrderState.RUNNING, attempts=1))
    assert same_around(rest, replace(LOOK, request=WRITTEN, orders=(runs,)))
    ended = order(executor, WorkOrderStatus(state=WorkOrderState.SUCCEEDED, attempts=1))
    assert not same_around(rest, replace(LOOK, request=WRITTEN, orders=(ended,)))
    assert at_rest(LOOK, decision, WRITTEN, (ended,), ()) is None
