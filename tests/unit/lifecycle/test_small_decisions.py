"""Disks, work orders, approvals, pools, conditions and the story: small decisions, as tables."""

from datetime import timedelta

import pytest
from lifecycle_builders import (
    NOW,
    UID,
    decided,
    leaving,
    observe,
    opened,
    order,
    request,
    sanitised,
    servers,
    stored,
    wiped,
)
from rules_support import end_of, policy, pool

from govpool.api.approval import Approval, ApprovalState, ApprovalStatus, Verdict
from govpool.api.base import PAUSED_ANNOTATION, RETRY_ANNOTATION, ConditionStatus
from govpool.api.cloudresourcerequest import CloudResourceRequestStatus, Happening
from govpool.api.cloudserver import DiskPhase
from govpool.api.workorder import (
    Executor,
    ManualOutcome,
    RunLease,
    WorkOrder,
    WorkOrderKind,
    WorkOrderState,
)
from govpool.lifecycle import approval, story, work_order
from govpool.lifecycle import pool as pool_core
from govpool.lifecycle.actions import Create, StartRun, WriteStatus
from govpool.lifecycle.conditions import MAX_MESSAGE, condition, merged
from govpool.lifecycle.disks import may_delete
from govpool.lifecycle.observation import ApprovalObservation, OrderObservation, PoolObservation, Unknown
from govpool.lifecycle.request import decide as decide_request
from govpool.lifecycle.ruling import Ruling
from govpool.messages import message

# -- disks ---------------------------------------------------------------------------------------
PASSED, FAILED = sanitised(), sanitised(result="Failed")


@pytest.mark.parametrize("phase", list(DiskPhase))
@pytest.mark.parametrize("wiped_by", ["wipe-1", None])
@pytest.mark.parametrize("done", [PASSED, FAILED, None], ids=["passed", "failed", "none"])
def test_a_disk_may_be_deleted_only_when_its_wipe_is_proven(phase, wiped_by, done) -> None:
    disk = wiped(leaving(servers()[0])).status.disks[0]
    disk = disk.model_copy(update={"phase": phase, "wiped_by": wiped_by, "sanitisation": done})
    proven = phase is DiskPhase.WIPED and wiped_by == "wipe-1" and done is PASSED
    assert may_delete(disk) is proven


# -- work orders ---------------------------------------------------------------------------------
ME = "operator-1"


def judged(made: WorkOrder, *, now=NOW, here: bool = False, gone: bool = False, of=None):
    return work_order.decide(OrderObservation(made, now, ME, here, gone, of or request()))


def begins(decision) -> bool:
    return any(isinstance(action, StartRun) for action in decision.actions)


def running(holder: str, **more) -> WorkOrder:
    lease = RunLease(holder=holder, renewed=NOW)
    return order(WorkOrderKind.BASELINE, state=WorkOrderState.RUNNING, attempts=1, lease=lease, **more)


def test_a_new_order_is_on_record_before_its_run_begins() -> None:
    write, start = judged(order(WorkOrderKind.BASELINE)).actions
    assert isinstance(write, WriteStatus)
    assert isinstance(start, StartRun)
    assert (write.status.state, write.status.attempts) == (WorkOrderState.RUNNING, 1)
    assert write.status.lease == RunLease(holder=ME, renewed=NOW)
    assert start.attempt == 1


def test_a_run_that_is_under_way_here_is_left_alone() -> None:
    assert judged(running(ME), here=True).actions == ()


@pytest.mark.parametrize(
    ("holder", "after", "gone", "lost"),
    [
        ("operator-2", timedelta(seconds=59), False, False),
        ("operator-2", timedelta(seconds=60), False, True),
        ("operator-2", timedelta(seconds=1), True, True),
        (ME, timedelta(seconds=1), False, True),
    ],
    ids=["alive", "lease ran out", "known to be dead", "mine and not running"],
)
def test_a_lost_run_is_run_again(holder, after, gone, lost) -> None:
    decision = judged(running(holder), now=NOW + after, gone=gone)
    assert begins(decision) is lost
    assert lost or decision.look_again == NOW + work_order.LEASE


def test_a_run_that_is_begun_again_counts_as_another_attempt() -> None:
    write, start = judged(running("operator-2"), gone=True).actions
    assert write.status.attempts == start.attempt == 2


def test_the_next_attempt_waits_for_its_time() -> None:
    waits = order(WorkOrderKind.WIPE, state=WorkOrderState.PENDING, attempts=2)
    waits = waits.model_copy(
        update={"status": waits.status.model_copy(update={"next_attempt": NOW + timedelta(seconds=10)})}
    )
    early = judged(waits, now=NOW + timedelta(seconds=9))
    assert (early.actions, early.look_again) == ((), NOW + timedelta(seconds=10))
    assert begins(judged(waits, now=NOW + timedelta(seconds=10)))


@pytest.mark.parametrize("state", [WorkOrderState.SUCCEEDED, WorkOrderState.FAILED])
def test_a_finished_order_stands(state) -> None:
    assert judged(order(WorkOrderKind.WIPE, state=state), now=NOW + timedelta(days=9)).actions == ()


def annotated(made: WorkOrder, **annotations: str) -> WorkOrder:
    return made.model_copy(update={"metadata": made.metadata.model_copy(update={"annotations": annotations})})


def test_a_person_asks_for_one_more_attempt_and_gets_one() -> None:
    failed = annotated(
        order(WorkOrderKind.WIPE, state=WorkOrderState.FAILED, attempts=3), **{RETRY_ANNOTATION: "1"}
    )
    write, start = judged(failed).actions
    assert (write.status.retry_seen, start.attempt) == ("1", 4)
    again = failed.model_copy(
        update={"status": write.status.model_copy(update={"state": WorkOrderState.FAILED})}
    )
    assert judged(again).actions == ()


def test_nobody_repeats_what_succeeded() -> None:
    done = annotated(order(WorkOrderKind.WIPE, state=WorkOrderState.SUCCEEDED), **{RETRY_ANNOTATION: "1"})
    assert judged(done).actions == ()


@pytest.mark.parametrize("whose", ["order", "request"])
def test_a_paused_order_is_not_run(whose) -> None:
    made = order(WorkOrderKind.BASELINE)
    if whose == "order":
        made = annotated(made, **{PAUSED_ANNOTATION: "true"})
    assert judged(made, of=request(paused=whose == "request")).actions == ()


@pytest.mark.parametrize("succeeded", [True, False, None])
def test_a_persons_order_follows_only_the_persons_word(succeeded) -> None:
    said = None
    if succeeded is not None:
        said = ManualOutcome(by="li", at=NOW, succeeded=succeeded, statement="done by hand")
    made = order(WorkOrderKind.MANUAL)
    spec = made.spec.model_copy(update={"executor": Executor.PERSON, "outcome": said})
    decision = judged(made.model_copy(update={"spec": spec}))
    assert not begins(decision)
    if said is None:
        assert decision.actions == ()
        return
    (write,) = decision.actions
    state = WorkOrderState.SUCCEEDED if succeeded else WorkOrderState.FAILED
    assert (write.status.state, write.status.message) == (state, "done by hand")


@pytest.mark.parametrize(("attempts", "seconds"), [(1, 5), (2, 10), (3, 20), (6, 160), (7, 300), (1000, 300)])
def test_attempts_back_off_to_five_minutes(attempts, seconds) -> None:
    assert work_order.retry_after(attempts) == timedelta(seconds=seconds)


# -- approvals -----------------------------------------------------------------------------------
def made_approval() -> Approval:
    (action,) = [
        a
        for a in decide_request(observe()).actions
        if isinstance(a, Create) and isinstance(a.resource, Approval)
    ]
    return stored(action.resource, created=NOW)


@pytest.mark.parametrize(
    ("verdicts", "state", "step", "due"),
    [
        ((), ApprovalState.PENDING, "Acceptance", end_of("2026-12-07")),
        ((Verdict.APPROVE,), ApprovalState.PENDING, "Review", end_of("2026-12-07")),
        ((Verdict.APPROVE, Verdict.APPROVE), ApprovalState.APPROVED, None, None),
        ((Verdict.REFUSE,), ApprovalState.REFUSED, None, None),
        ((Verdict.APPROVE, Verdict.RETURN), ApprovalState.RETURNED, None, None),
    ],
)
def test_yy_19_2_how_an_approval_stands(verdicts, state, step, due) -> None:
    given = decided(made_approval(), *verdicts)
    decision = approval.decide(ApprovalObservation(given, NOW + timedelta(hours=3), policy()))
    (write,) = decision.actions
    status = write.status
    assert (status.state, status.step and status.step.value, status.due) == (state, step, due)
    assert decision.look_again == (due + timedelta(seconds=1) if due else None)
    again = given.model_copy(update={"status": status})
    assert approval.decide(ApprovalObservation(again, NOW + timedelta(hours=4), policy())).actions == ()


def test_an_overdue_approval_says_so_and_decides_nothing() -> None:
    late = ApprovalObservation(made_approval(), NOW + timedelta(days=90), policy())
    (write,) = approval.decide(late).actions
    assert (write.status.state, write.status.overdue) == (ApprovalState.PENDING, True)
    assert approval.decide(late).look_again is None


def test_decisions_on_a_superseded_approval_change_nothing() -> None:
    over = decided(made_approval(), Verdict.APPROVE, Verdict.APPROVE)
    over = over.model_copy(update={"status": ApprovalStatus(state=ApprovalState.SUPERSEDED)})
    assert approval.decide(ApprovalObservation(over, NOW + timedelta(days=1), policy())).actions == ()


def test_without_its_policy_an_approval_is_not_judged() -> None:
    assert approval.decide(ApprovalObservation(made_approval(), NOW, None)).actions == ()


# -- pools ---------------------------------------------------------------------------------------
def test_machines_that_nobody_knows_are_named_and_left_alone() -> None:
    there = tuple(opened(server) for server in servers())
    known = there[0].spec.key
    decision = pool_core.decide(PoolObservation(stored(pool()), NOW, (known, "gp-stranger"), there))
    (write,) = decision.actions
    assert isinstance(write, WriteStatus)
    assert write.status.unknown_machines == ["gp-stranger"]
    assert write.status.allocated.servers == 2


@pytest.mark.parametrize(
    "machines, count, minutes",
    [((), 10, 1), ((), 5000, 2.5), ((), 50_000, 10), (Unknown("Unreachable", "no"), 50_000, 1)],
)
def test_a_large_pool_is_looked_at_the_more_seldom_and_a_lost_one_every_minute(
    machines: tuple[str, ...] | Unknown, count: int, minutes: float
) -> None:
    seen = PoolObservation(stored(pool()), NOW, machines, (opened(servers()[0]),) * count)
    assert pool_core.decide(seen).look_again == NOW + timedelta(minutes=minutes)


def test_a_pool_that_does_not_answer_keeps_what_was_known_of_it() -> None:
    first = pool_core.decide(PoolObservation(stored(pool()), NOW, ("gp-stranger",), ()))
    known = stored(pool()).model_copy(update={"status": first.actions[0].status})
    (write,) = pool_core.decide(PoolObservation(known, NOW, Unknown("Unreachable", "no"), ())).actions
    assert write.status.unknown_machines == ["gp-stranger"]
    assert (write.status.reachable, write.status.conditions[0].status.value) == (False, "Unknown")


# -- conditions ----------------------------------------------------------------------------------
def told(type_: str, status: ConditionStatus, *, now=NOW, key: str = "PoolAnswered", clause: str = "YY-1"):
    return condition(type_, status, "Answered", message(key), clause=clause, generation=3, now=now)


def test_a_condition_ends_with_the_clause_that_it_follows() -> None:
    found = told("Ready", ConditionStatus.TRUE)
    assert found.message.endswith("[YY-1]")
    assert (found.observed_generation, found.last_transition_time) == (3, NOW)
    assert "[" not in told("Ready", ConditionStatus.TRUE, clause="").message


@pytest.mark.parametrize("before", list(ConditionStatus))
@pytest.mark.parametrize("after", list(ConditionStatus))
def test_the_transition_time_moves_only_with_the_status(before, after) -> None:
    later = NOW + timedelta(hours=1)
    (found,) = merged([told("Ready", before)], [told("Ready", after, now=later)])
    assert found.last_transition_time == (NOW if before is after else later)


def test_a_condition_that_is_not_told_any_more_is_dropped() -> None:
    found = merged([told("Old", ConditionStatus.TRUE)], [told("New", ConditionStatus.TRUE)])
    assert [item.type for item in found] == ["New"]


def test_a_long_message_is_cut() -> None:
    long = message("Verbatim", text="x" * 9000)
    found = condition("Ready", ConditionStatus.TRUE, "R", long, generation=1, now=NOW)
    assert len(found.message) == MAX_MESSAGE


# -- the story -----------------------------------------------------------------------------------
def ruling(key: str, minutes: int = 0) -> Ruling:
    text = message("Verbatim", text="x")
    return Ruling(key=key, at=NOW + timedelta(minutes=minutes), what="x", clause="YY-19(2)", outcome=text)


def retold(status: CloudResourceRequestStatus, rulings: list[Ruling]) -> list[Happening]:
    return story.retell(status, story.untold(status, rulings, story.told(status)))


def test_what_was_told_is_not_told_again() -> None:
    once = retold(CloudResourceRequestStatus(), [ruling("a"), ruling("b", 1)])
    twice = retold(CloudResourceRequestStatus(history=once), [ruling("b", 5), ruling("c", 2), ruling("c", 3)])
    assert [item.key for item in twice] == ["a", "b", "c"]


def test_what_happened_first_is_told_first() -> None:
    found = retold(CloudResourceRequestStatus(), [ruling("later", 9), ruling("first", 1)])
    assert [item.key for item in found] == ["first", "later"]


def test_the_story_is_bounded_and_the_oldest_makes_room() -> None:
    told_before = [ruling(str(n), n).happening("en") for n in range(story.MAX_HISTORY)]
    full = CloudResourceRequestStatus(history=told_before)
    found = retold(full, [ruling("new", 999)])
    assert len(found) == story.MAX_HISTORY
    assert (found[0].key, found[-1].key) == ("1", "new")


def test_what_made_room_is_not_told_once_more() -> None:
    left = [ruling(str(n), n).happening("en") for n in range(1, story.MAX_HISTORY + 1)]
    short = CloudResourceRequestStatus(history=left)
    assert story.untold(short, [ruling("0", 0)], story.told(short)) == []


def test_decisions_are_told_with_who_and_under_which_clause() -> None:
    approval_ = decided(made_approval(), Verdict.APPROVE)
    actions = decide_request(observe(request(), approvals=(approval_,))).actions
    (after,) = [a.status for a in actions if isinstance(a, WriteStatus) and a.resource.kind != "Approval"]
    assert isinstance(after, CloudResourceRequestStatus)
    (accepted,) = [item for item in after.history if item.key.startswith("decision/")]
    assert (accepted.actor, accepted.article) == ("acceptor-1", "YY-19(2)")
    assert accepted.key.startswith("decision/doc-approval-r1-")


def test_the_uid_is_no_part_of_what_people_read() -> None:
    assert UID not in made_approval().metadata.name
