"""Where a request stands: phases, conditions, citations, limits of the API, and the odd cases."""

from dataclasses import replace
from datetime import timedelta

import pytest
from lifecycle_builders import (
    NOW,
    Obj,
    decided,
    handed_over,
    observe,
    opened,
    order,
    request,
    reserved,
    revision,
    servers,
    stored,
)
from rules_support import catalog

from govpool.api.approval import Approval, Verdict
from govpool.api.base import FINALIZER, ConditionStatus
from govpool.api.cloudpolicy import Stage
from govpool.api.cloudresourcerequest import (
    AppliedRevision,
    CloudResourceRequestStatus,
    RequestPhase,
    StageState,
)
from govpool.api.workorder import WorkOrderKind, WorkOrderState
from govpool.lifecycle import request as core
from govpool.lifecycle import request_conditions
from govpool.lifecycle.actions import Create, HoldFinalizer, LetGo, Settle, WriteStatus
from govpool.lifecycle.decision import Decision, StageResult
from govpool.lifecycle.observation import RequestObservation
from govpool.lifecycle.stages import STAGES
from govpool.messages import message
from govpool.rules.amounts import amounts

IN_FORCE = CloudResourceRequestStatus(approved=revision())
ROOM = reserved(amounts(revision().content, catalog()))


def status_after(observation: RequestObservation) -> CloudResourceRequestStatus:
    """What is written, as an API server would store it."""
    (write,) = [
        a
        for a in core.decide(observation).actions
        if isinstance(a, WriteStatus) and a.resource.kind == "CloudResourceRequest"
    ]
    plain = write.status.model_dump(mode="json", by_alias=True, exclude_none=True)
    return CloudResourceRequestStatus.model_validate(plain)


def conditions(observation: RequestObservation) -> dict[str, tuple[str, str, str]]:
    return {c.type: (c.status.value, c.reason, c.message) for c in status_after(observation).conditions}


def kinds(decision: Decision) -> list[type]:
    return [type(action) for action in decision.actions]


# -- before anything -----------------------------------------------------------------------------
def test_the_finalizer_is_held_before_anything_is_made() -> None:
    assert kinds(core.decide(observe(request(finalizers=())))) == [HoldFinalizer]


@pytest.mark.parametrize("status", [None, IN_FORCE])
def test_paused_means_that_nothing_is_done_and_it_is_said(status) -> None:
    observation = observe(request(status=status, paused=True), servers=servers())
    assert kinds(core.decide(observation)) == [WriteStatus]
    assert conditions(observation)["Paused"][0] == "True"


@pytest.mark.parametrize("missing", ["policy", "catalog", "pool"])
def test_what_a_request_names_and_is_not_there_is_told(missing: str) -> None:
    observation = replace(observe(), **{missing: None})
    assert kinds(core.decide(observation)) == [WriteStatus]
    assert conditions(observation)["Admitted"][1] == "ReferenceMissing"


def test_an_item_that_the_catalogue_lost_changes_nothing() -> None:
    lost = catalog().model_copy(update={"spec": catalog().spec.model_copy(update={"items": []})})
    there = tuple(handed_over(server) for server in servers())
    observation = observe(request(status=IN_FORCE), catalog=lost, servers=there, quota=ROOM)
    assert kinds(core.decide(observation)) == [WriteStatus]
    assert conditions(observation)["Ready"][:2] == ("Unknown", "CatalogueLostItem")


# -- answers of stages ---------------------------------------------------------------------------
@pytest.mark.parametrize("state", list(StageState))
def test_each_answer_of_a_stage_becomes_its_condition(state: StageState, monkeypatch) -> None:
    def answers(context):
        return StageResult(Stage.QUOTA, state, message("PoolAnswered"), context.clause, at=NOW, since=NOW)

    monkeypatch.setitem(STAGES, Stage.QUOTA, answers)  # type: ignore[arg-type]
    observation = observe(request(status=IN_FORCE))
    found = conditions(observation)
    wanted = {StageState.DONE: "True", StageState.UNKNOWN: "Unknown"}.get(state, "False")
    assert found["Quota"][:2] == (wanted, state.value)
    assert found["Quota"][2].endswith("[YY-19(2)]")
    assert ("Provision" in found) is (state is StageState.DONE), "what is not done holds up the rest"
    assert set(request_conditions.STATE_CONDITION) == set(StageState)


def test_a_stage_is_told_once_and_with_its_clause() -> None:
    first = status_after(observe(request(status=IN_FORCE), quota=ROOM))
    (told,) = [h for h in first.history if h.key == "stage/1/Quota"]
    assert (told.article, told.at) == ("YY-19(2)", NOW)
    again = observe(request(status=first), quota=ROOM, now=NOW + timedelta(hours=1))
    assert [a for a in core.decide(again).actions if isinstance(a, WriteStatus)] == []


# -- refusals ------------------------------------------------------------------------------------
def test_a_refusal_cites_its_article() -> None:
    found = conditions(observe(request({"system": {"classified": True}})))
    assert found["Admitted"][1] == "Classified"
    assert "[YY-3]" in found["Admitted"][2]
    assert status_after(observe(request({"system": {"classified": True}}))).phase is RequestPhase.REFUSED


def test_a_refusal_without_an_article_shows_no_empty_one() -> None:
    found = conditions(observe(quota=None))
    assert found["Admitted"][1] == "UnitUnknown"
    assert "[]" not in found["Admitted"][2]


# -- what the API server would refuse ------------------------------------------------------------
def test_however_long_a_cause_is_the_status_can_be_written() -> None:
    """A cause of a work order may fill its own field; the text around it must not make it too long."""
    there = tuple(opened(server) for server in servers())
    broken = order(WorkOrderKind.BASELINE, there, state=WorkOrderState.FAILED, message="x" * 4096)
    observation = observe(request(status=IN_FORCE), servers=there, orders=(broken,), quota=ROOM)
    assert status_after(observation).stages[-1].state is StageState.FAILED


# -- orders and the end --------------------------------------------------------------------------
def settled(status: CloudResourceRequestStatus, there, orders) -> list[str]:
    observation = observe(request(status=status), servers=there, orders=orders, quota=ROOM)
    found = core.decide(observation).actions
    return [action.resource.metadata.name for action in found if isinstance(action, Settle)]


def test_orders_are_settled_only_after_everything_was_learnt_from_them() -> None:
    applied = IN_FORCE.model_copy(update={"applied": AppliedRevision(revision=1, at=NOW)})
    there = tuple(opened(server) for server in servers())
    done = order(WorkOrderKind.BASELINE, there, state=WorkOrderState.SUCCEEDED)
    assert settled(applied, there, (done,)) == []


def deleted(**given: object) -> list[type]:
    of = request(deleted=NOW, **given)  # type: ignore[arg-type]
    return kinds(core.decide(observe(of)))


def test_a_request_that_nothing_was_approved_of_may_go() -> None:
    assert LetGo in deleted()


def test_what_is_let_go_already_is_not_let_go_again() -> None:
    """Somebody else's finalizer may keep the object for a while."""
    assert LetGo not in deleted(finalizers=("example.com/other",))
    assert LetGo in deleted(finalizers=("example.com/other", FINALIZER))


@pytest.mark.parametrize(
    "given", [{"servers": servers()}, {"quota": ROOM}], ids=["a server", "a reservation"]
)
def test_deletion_is_not_deregistration(given: Obj) -> None:
    observation = observe(request(deleted=NOW, status=IN_FORCE), **given)
    assert LetGo not in kinds(core.decide(observation))
    assert conditions(observation)["DeletionBlocked"][0] == ConditionStatus.TRUE.value


def test_an_overdue_clock_is_shown_and_decides_nothing() -> None:
    (made,) = [
        a.resource
        for a in core.decide(observe()).actions
        if isinstance(a, Create) and isinstance(a.resource, Approval)
    ]
    late = observe(approvals=(stored(made),), now=NOW + timedelta(days=60))
    found = conditions(late)
    assert found["Overdue"][0] == "True"
    assert found["Overdue"][2].endswith("[YY-19(2)]")
    assert status_after(late).phase is RequestPhase.IN_REVIEW


def test_a_decision_by_a_fast_clock_is_in_force_from_now_and_not_from_later() -> None:
    (made,) = [
        a.resource
        for a in core.decide(observe()).actions
        if isinstance(a, Create) and isinstance(a.resource, Approval)
    ]
    fast = decided(stored(made), Verdict.APPROVE, Verdict.APPROVE, since=NOW)
    now = NOW + timedelta(minutes=58)
    status = status_after(observe(approvals=(fast,), now=now))
    assert status.approved is not None
    assert status.approved.at == now
