"""What a CloudServer needs next: each branch, and what is never done."""

from dataclasses import replace
from datetime import timedelta

import pytest
from lifecycle_builders import (
    NOW,
    handed_over,
    hardened,
    leaving,
    look,
    machine,
    opened,
    order,
    pool_disks,
    request,
    server_result,
    servers,
    updated,
    wipe_results,
    wiped,
)

from govpool.api.base import PAUSED_ANNOTATION
from govpool.api.cloudserver import CloudServer, CloudServerStatus, Desired, DiskPhase, ServerPhase
from govpool.api.workorder import WorkOrderKind, WorkOrderState
from govpool.lifecycle.actions import (
    AddDisks,
    DeleteDisk,
    EnsureMachine,
    HoldFinalizer,
    LetGo,
    ReleaseMachine,
    ResizeMachine,
    SetPower,
    WriteStatus,
)
from govpool.lifecycle.observation import ServerObservation, Unknown
from govpool.lifecycle.server import decide, faulted
from govpool_providers.base import GIB, DiskState, MachineState, Size

APP = servers()[0]
DETACHED = pool_disks(APP, DiskState.DETACHED)
PROVIDER = (EnsureMachine, ResizeMachine, AddDisks, SetPower, ReleaseMachine, DeleteDisk)


def meta(server: CloudServer, **update: object) -> CloudServer:
    return server.model_copy(update={"metadata": server.metadata.model_copy(update=update)})


def asked_of_pool(observation: ServerObservation) -> list[object]:
    return [action for action in decide(observation).actions if isinstance(action, PROVIDER)]


def status_after(observation: ServerObservation) -> CloudServerStatus:
    """The status that the decision writes, or the one that stands."""
    for action in decide(observation).actions:
        if isinstance(action, WriteStatus):
            assert isinstance(action.status, CloudServerStatus)
            return action.status
    assert observation.server.status is not None
    return observation.server.status


# -- before anything -----------------------------------------------------------------------------
def test_the_finalizer_is_held_before_anything_is_made() -> None:
    (action,) = decide(look(meta(APP, finalizers=()), None)).actions
    assert isinstance(action, HoldFinalizer)


@pytest.mark.parametrize(
    "server", [APP, opened(APP), leaving(APP), wiped(leaving(APP, desired=Desired.GONE))]
)
@pytest.mark.parametrize("whose", ["server", "request"])
def test_paused_means_that_nothing_is_done(server: CloudServer, whose: str) -> None:
    paused = meta(server, annotations={PAUSED_ANNOTATION: "true"}) if whose == "server" else server
    of = request(paused=whose == "request")
    for seen, disks in ((None, ()), (None, DETACHED), (machine(APP), pool_disks(APP))):
        assert decide(look(paused, seen, disks, of=of)).actions == ()


# -- running -------------------------------------------------------------------------------------
def test_a_machine_that_never_was_is_built() -> None:
    (ensure,) = asked_of_pool(look(APP, None))
    assert ensure == EnsureMachine(APP.spec.key)
    assert status_after(look(APP, None)).phase is ServerPhase.BUILDING


@pytest.mark.parametrize("state", [MachineState.BUILDING, MachineState.STOPPED])
def test_building_goes_on_until_it_runs(state: MachineState) -> None:
    observation = look(APP, machine(APP, state), pool_disks(APP))
    assert asked_of_pool(observation) == [EnsureMachine(APP.spec.key)]
    assert status_after(observation).opened_at is None


def test_a_fault_while_building_is_tried_again() -> None:
    observation = look(APP, machine(APP, MachineState.ERROR, fault="no valid host"))
    assert asked_of_pool(observation) == [EnsureMachine(APP.spec.key)]
    status = status_after(observation)
    assert status.phase is ServerPhase.ERROR
    assert "no valid host" in status.message


def test_a_fault_of_a_server_with_data_is_left_to_people() -> None:
    """A machine in Error is replaced by the next ensure: never where there may be data."""
    observation = look(opened(APP), machine(APP, MachineState.ERROR, fault="host down"), pool_disks(APP))
    assert asked_of_pool(observation) == []
    assert status_after(observation).phase is ServerPhase.ERROR


def test_a_machine_that_vanished_is_never_made_anew() -> None:
    for disks in ((), DETACHED):
        observation = look(opened(APP), None, disks)
        assert asked_of_pool(observation) == []
        assert "not made anew" in status_after(observation).message


def test_what_runs_as_approved_is_open_since_it_was_first_seen_so() -> None:
    observation = look(APP, machine(APP), pool_disks(APP))
    status = status_after(observation)
    assert (status.phase, status.opened_at, status.revision) == (ServerPhase.OPEN, NOW, 1)
    assert [disk.held_data for disk in status.disks] == [True, True]
    assert asked_of_pool(observation) == []
    later = look(updated(APP, **dict(status)), machine(APP), pool_disks(APP), now=NOW + timedelta(days=3))
    assert decide(later).actions == ()


def test_yy_20_the_machine_is_brought_to_the_approved_size() -> None:
    small = machine(APP, size=Size(1, 2))
    assert asked_of_pool(look(opened(APP), small, pool_disks(APP))) == [
        ResizeMachine(APP.spec.key, Size(1, 1))
    ]
    still = machine(APP, MachineState.RESIZING)
    assert asked_of_pool(look(opened(APP), still, pool_disks(APP))) == [
        ResizeMachine(APP.spec.key, Size(1, 1))
    ]


def test_yy_20_missing_disks_are_added_and_small_ones_grown() -> None:
    root, files = pool_disks(APP)
    without = opened(APP)
    assert without.status is not None
    without = updated(without, disks=[disk for disk in without.status.disks if disk.root])
    (added,) = asked_of_pool(look(without, machine(APP), (root,)))
    assert isinstance(added, AddDisks)
    assert [want.key for want in added.disks] == [files.key]
    grown = APP.spec.disks[1].model_copy(update={"size_gib": 2})
    bigger = APP.model_copy(
        update={"spec": APP.spec.model_copy(update={"disks": [APP.spec.disks[0], grown]})}
    )
    (grows,) = asked_of_pool(look(opened(bigger), machine(APP), (root, files)))
    assert isinstance(grows, AddDisks)
    assert [want.size_gib for want in grows.disks] == [2]


def test_a_disk_that_is_larger_than_approved_is_not_touched() -> None:
    root, files = pool_disks(APP)
    larger = replace(files, size_bytes=5 * GIB)
    assert asked_of_pool(look(opened(APP), machine(APP), (root, larger))) == []


def test_a_server_that_somebody_stopped_is_told_and_not_started() -> None:
    observation = look(handed_over(APP), machine(APP, MachineState.STOPPED), pool_disks(APP))
    assert asked_of_pool(observation) == []
    status = status_after(observation)
    assert (status.phase, status.drift) == (ServerPhase.STOPPED, ["power: Stopped, approved Running"])


def test_drift_is_forgotten_once_it_runs_again() -> None:
    stopped = updated(handed_over(APP), phase=ServerPhase.STOPPED, drift=["power"])
    status = status_after(look(stopped, machine(APP), pool_disks(APP)))
    assert (status.phase, status.drift) == (ServerPhase.HANDED_OVER, [])


def resting(server: CloudServer, **status: object) -> CloudServer:
    spec = server.spec.model_copy(update={"desired": Desired.STOPPED, "revision": 2})
    return updated(handed_over(server), **status).model_copy(update={"spec": spec})


def test_wh_30_a_server_of_a_quiet_period_is_switched_off_and_kept() -> None:
    observation = look(resting(APP), machine(APP), pool_disks(APP))
    assert asked_of_pool(observation) == [SetPower(APP.spec.key, on=False)]
    status = status_after(observation)
    assert (status.phase, status.switched_off, status.drift) == (ServerPhase.HANDED_OVER, True, [])


def test_wh_30_a_server_that_rests_as_asked_is_no_drift() -> None:
    observation = look(resting(APP, switched_off=True), machine(APP, MachineState.STOPPED), pool_disks(APP))
    assert asked_of_pool(observation) == []
    status = status_after(observation)
    assert (status.phase, status.revision, status.drift) == (ServerPhase.STOPPED, 2, [])


def test_wh_30_what_govpool_switched_off_it_switches_on_again() -> None:
    back = updated(handed_over(APP), phase=ServerPhase.STOPPED, switched_off=True)
    observation = look(back, machine(APP, MachineState.STOPPED), pool_disks(APP))
    assert asked_of_pool(observation) == [SetPower(APP.spec.key, on=True)]
    runs = status_after(look(back, machine(APP), pool_disks(APP)))
    assert (runs.phase, runs.switched_off) == (ServerPhase.HANDED_OVER, False)


# -- orders --------------------------------------------------------------------------------------
def test_the_baseline_is_taken_over_from_its_order() -> None:
    result = server_result(APP, report="r-1", score="98")
    done = order(WorkOrderKind.BASELINE, [APP], state=WorkOrderState.SUCCEEDED, servers=[result])
    status = status_after(look(opened(APP), machine(APP), pool_disks(APP), orders=(done,)))
    assert status.baseline is not None
    assert (status.baseline.passed, status.baseline.score, status.baseline.report) == (True, 98, "r-1")


def test_a_baseline_that_failed_is_taken_over_as_failed() -> None:
    result = server_result(APP, ok=False, report="r-1", score="80")
    done = order(WorkOrderKind.BASELINE, [APP], state=WorkOrderState.FAILED, servers=[result])
    status = status_after(look(opened(APP), machine(APP), pool_disks(APP), orders=(done,)))
    assert status.baseline is not None
    assert not status.baseline.passed


@pytest.mark.parametrize(
    ("state", "ok", "handed"),
    [
        (WorkOrderState.SUCCEEDED, True, True),
        (WorkOrderState.FAILED, True, False),
        (WorkOrderState.SUCCEEDED, False, False),
        (WorkOrderState.RUNNING, True, False),
    ],
)
def test_handed_over_only_by_an_order_that_succeeded(state: WorkOrderState, ok: bool, handed: bool) -> None:
    result = server_result(APP, ok=ok, proof="login refused")
    done = order(WorkOrderKind.HANDOVER, [APP], state=state, servers=[result])
    status = status_after(look(hardened(APP), machine(APP), pool_disks(APP), orders=(done,)))
    assert (status.handover is not None) is handed
    assert status.phase is (ServerPhase.HANDED_OVER if handed else ServerPhase.OPEN)


# -- leaving -------------------------------------------------------------------------------------
def test_yy_21_2_the_machine_is_released_and_its_disks_are_kept() -> None:
    observation = look(leaving(APP), machine(APP), pool_disks(APP))
    assert asked_of_pool(observation) == [ReleaseMachine(APP.spec.key)]


def test_a_disk_that_is_still_attached_is_released_too() -> None:
    assert asked_of_pool(look(leaving(APP), None, pool_disks(APP))) == [ReleaseMachine(APP.spec.key)]


def test_released_with_its_disks_it_waits() -> None:
    observation = look(leaving(APP), None, DETACHED)
    assert asked_of_pool(observation) == []
    assert status_after(observation).phase is ServerPhase.RELEASED


def test_wiped_disks_are_not_deleted_while_only_released() -> None:
    assert asked_of_pool(look(wiped(leaving(APP)), None, DETACHED)) == []


def test_going_deletes_wiped_disks_and_no_others() -> None:
    going = wiped(leaving(APP, desired=Desired.GONE))
    deleted = asked_of_pool(look(going, None, DETACHED))
    assert {action.disk_key for action in deleted} == {disk.key for disk in DETACHED}
    assert {action.proof for action in deleted} == {"doc-approval-wipe-r2"}
    root, data = going.status.disks
    half = updated(going, disks=[root, data.model_copy(update={"phase": DiskPhase.PRESENT})])
    (only,) = asked_of_pool(look(half, None, DETACHED))
    assert only.disk_key == root.key
    assert data.key in status_after(look(half, None, DETACHED)).message


def test_a_disk_with_a_copy_left_is_not_deleted() -> None:
    going = wiped(leaving(APP, desired=Desired.GONE))
    copied, clean = DETACHED
    (only,) = asked_of_pool(look(going, None, DETACHED, copies={copied.key: 1, clean.key: 0}))
    assert only.disk_key == clean.key


def test_gone_only_when_every_disk_was_seen_absent_after_its_wipe() -> None:
    going = wiped(leaving(APP, desired=Desired.GONE))
    status = status_after(look(going, None, (), now=NOW + timedelta(hours=1)))
    assert status.phase is ServerPhase.GONE
    assert all(disk.absence and disk.absence.at == NOW + timedelta(hours=1) for disk in status.disks)


@pytest.mark.parametrize("desired", [Desired.RELEASED, Desired.GONE])
def test_disks_that_vanished_unwiped_are_a_loss_and_never_gone(desired: Desired) -> None:
    status = status_after(look(leaving(APP, desired=desired), None, ()))
    assert status.phase is ServerPhase.ERROR
    assert "can't be certified" in status.message


def test_a_disk_that_nobody_asked_for_is_taken_in_and_must_be_wiped_too() -> None:
    going = wiped(leaving(APP, desired=Desired.GONE))
    stray = replace(DETACHED[0], key="gpd-stray", name="stray")
    deleted = asked_of_pool(look(going, None, (*DETACHED, stray)))
    assert "gpd-stray" not in {action.disk_key for action in deleted}


def test_the_wipe_is_taken_over_from_its_order() -> None:
    done = order(WorkOrderKind.WIPE, [APP], number=2, state=WorkOrderState.SUCCEEDED, disks=wipe_results(APP))
    status = status_after(look(leaving(APP), None, DETACHED, orders=(done,)))
    assert {disk.phase for disk in status.disks} == {DiskPhase.WIPED}
    assert {disk.wiped_by for disk in status.disks} == {done.metadata.name}


def test_a_wipe_that_was_not_verified_proves_nothing() -> None:
    done = order(
        WorkOrderKind.WIPE, [APP], number=2, state=WorkOrderState.FAILED, disks=wipe_results(APP, ok=False)
    )
    status = status_after(look(leaving(APP), None, DETACHED, orders=(done,)))
    assert {disk.phase for disk in status.disks} == {DiskPhase.PRESENT}


# -- deletion ------------------------------------------------------------------------------------
def test_a_deleted_server_that_is_not_gone_stays_and_says_why() -> None:
    deleted = meta(handed_over(APP), deletion_timestamp=NOW)
    observation = look(deleted, machine(APP), pool_disks(APP))
    assert not any(isinstance(a, (LetGo, *PROVIDER)) for a in decide(observation).actions)
    assert "DeletionBlocked" in [c.type for c in status_after(observation).conditions]


def test_a_server_that_was_seen_gone_is_let_go() -> None:
    left = meta(updated(APP, phase=ServerPhase.GONE), deletion_timestamp=NOW)
    (action,) = decide(look(left, None)).actions
    assert isinstance(action, LetGo)


# -- could not tell ------------------------------------------------------------------------------
UNREACHABLE = Unknown("Unreachable", "connection refused")


@pytest.mark.parametrize(
    "server", [APP, opened(APP), handed_over(APP), leaving(APP), wiped(leaving(APP, desired=Desired.GONE))]
)
def test_unknown_does_nothing_and_concludes_nothing(server: CloudServer) -> None:
    observation = look(server, UNREACHABLE)
    assert asked_of_pool(observation) == []
    before, after = server.status or CloudServerStatus(), status_after(observation)
    assert (after.phase, after.disks, after.addresses, after.handover) == (
        before.phase,
        before.disks,
        before.addresses,
        before.handover,
    )
    (reachable,) = [c for c in after.conditions if c.type == "PoolReachable"]
    assert (reachable.status.value, reachable.reason) == ("Unknown", "Unreachable")
    again = look(updated(server, **dict(after)), UNREACHABLE, now=NOW + timedelta(minutes=1))
    assert decide(again).actions == ()
    assert decide(again).look_again is not None


@pytest.mark.parametrize("code", ["Retryable", "QuotaExceeded", "Invalid", "NotFound", "Conflict"])
def test_a_refusal_of_the_pool_is_told_and_tried_again_later(code: str) -> None:
    observation = look(APP, None)
    told = faulted(APP, observation, code, "no more addresses")
    (write,) = told.actions
    assert isinstance(write, WriteStatus)
    assert "no more addresses" in write.status.message
    assert told.look_again is not None
    assert told.look_again > NOW


@pytest.mark.parametrize("code", ["Unreachable", "Unauthorised"])
def test_a_pool_that_does_not_answer_a_change_is_unknown(code: str) -> None:
    (write,) = faulted(opened(APP), look(opened(APP), machine(APP)), code, "refused").actions
    assert isinstance(write, WriteStatus)
    assert [c.status.value for c in write.status.conditions if c.type == "PoolReachable"] == ["Unknown"]


def test_however_long_the_pools_words_are_the_status_can_be_written() -> None:
    words = "x" * 9000
    for observation in (
        look(APP, machine(APP, MachineState.ERROR, fault=words)),
        look(APP, Unknown("E", words)),
    ):
        status = status_after(observation)
        CloudServerStatus.model_validate(status.model_dump(mode="json", by_alias=True, exclude_none=True))
    (write,) = faulted(APP, look(APP, None), "Invalid", words).actions
    assert isinstance(write, WriteStatus)
    CloudServerStatus.model_validate(write.status.model_dump(mode="json", by_alias=True, exclude_none=True))


def test_what_was_let_go_is_not_let_go_again() -> None:
    left = meta(
        updated(APP, phase=ServerPhase.GONE), deletion_timestamp=NOW, finalizers=("example.com/other",)
    )
    assert decide(look(left, None)).actions == ()
