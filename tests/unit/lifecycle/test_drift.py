"""Drift: what somebody changed in the pool is told, and undone only where the pool says so."""

from dataclasses import replace

import pytest
from lifecycle_builders import handed_over, look, machine, pool, pool_disks, servers, stored, updated
from test_server import asked_of_pool, resting, status_after

from govpool.api.base import Condition
from govpool.api.cloudserver import CloudServer, CloudServerStatus, ServerPhase
from govpool.api.pool_drift import DriftHandling, DriftRule
from govpool.lifecycle.actions import AddDisks, EnsureMachine, ResizeMachine, SetPower
from govpool.lifecycle.observation import ServerObservation
from govpool_providers.base import GIB, DiskState, MachineState, Size

APP = updated(handed_over(servers()[0]), observed_generation=servers()[0].metadata.generation)
KEY = APP.spec.key
DISKS = pool_disks(APP)
MEND = DriftRule(**dict.fromkeys(DriftRule.model_fields, DriftHandling.MEND))


def within(observation: ServerObservation, rule: DriftRule) -> ServerObservation:
    """The same in a pool with this rule."""
    made = stored(pool())
    spec = made.spec.model_copy(update={"drift": rule})
    return replace(observation, pool=made.model_copy(update={"spec": spec}))


def drifted(status: CloudServerStatus) -> Condition | None:
    return next((one for one in status.conditions if one.type == "Drifted"), None)


def vanished(server: CloudServer = APP, disks: DiskState = DiskState.DETACHED) -> ServerObservation:
    return look(server, None, pool_disks(server, disks))


RESIZED = look(APP, machine(APP, size=Size(2, 4)), DISKS)
UNDER_RESIZE = look(APP, machine(APP, MachineState.RESIZING), DISKS)
STOPPED = look(APP, machine(APP, MachineState.STOPPED), DISKS)
LOOSE = look(APP, machine(APP), (DISKS[0], replace(DISKS[1], state=DiskState.DETACHED)))
LOST = look(APP, machine(APP), DISKS[:1])
LARGER = look(APP, machine(APP), (DISKS[0], replace(DISKS[1], size_bytes=5 * GIB)))
CUT = look(APP, replace(machine(APP), isolated=True), DISKS)
NAMED = DISKS[1].name


@pytest.mark.parametrize(
    ("observation", "told", "phase"),
    [
        (RESIZED, "size: 2 vCPU 4 GiB, approved 1 vCPU 1 GiB", ServerPhase.HANDED_OVER),
        (
            UNDER_RESIZE,
            "size: being changed by somebody, approved 1 vCPU 1 GiB",
            ServerPhase.HANDED_OVER,
        ),
        (STOPPED, "power: Stopped, approved Running", ServerPhase.STOPPED),
        (vanished(), "server: not in the pool, approved Running", ServerPhase.ERROR),
        (LOOSE, f"disk {NAMED}: Detached, approved Attached", ServerPhase.HANDED_OVER),
        (LOST, f"disk {NAMED}: not in the pool any more, not made anew", ServerPhase.HANDED_OVER),
        (LARGER, f"disk {NAMED}: 5 GiB, approved 1 GiB", ServerPhase.HANDED_OVER),
        (CUT, "network: cut off, approved connected", ServerPhase.HANDED_OVER),
    ],
)
def test_it_is_told_and_left_alone(observation: ServerObservation, told: str, phase: ServerPhase) -> None:
    assert asked_of_pool(observation) == []
    status = status_after(observation)
    assert (status.phase, status.drift) == (phase, [told])
    shown = drifted(status)
    assert shown is not None
    assert told in shown.message


@pytest.mark.parametrize(
    ("observation", "action"),
    [
        (RESIZED, ResizeMachine(KEY, Size(1, 1))),
        (UNDER_RESIZE, ResizeMachine(KEY, Size(1, 1))),
        (STOPPED, SetPower(KEY, on=True)),
        (vanished(), EnsureMachine(KEY)),
    ],
)
def test_it_is_undone_where_the_pool_says_so(observation: ServerObservation, action: object) -> None:
    assert asked_of_pool(within(observation, MEND)) == [action]


def test_a_detached_disk_is_attached_again_where_the_pool_says_so() -> None:
    (action,) = asked_of_pool(within(LOOSE, MEND))
    assert isinstance(action, AddDisks)
    assert [want.key for want in action.disks] == [DISKS[1].key]


@pytest.mark.parametrize("observation", [LOST, LARGER, CUT])
def test_what_cant_be_undone_without_a_loss_is_only_told(observation: ServerObservation) -> None:
    assert asked_of_pool(within(observation, MEND)) == []
    assert status_after(within(observation, MEND)).drift


def test_a_server_comes_back_on_all_of_its_disks_or_not_at_all() -> None:
    short = within(look(APP, None, pool_disks(APP, DiskState.DETACHED)[:1]), MEND)
    assert asked_of_pool(short) == []
    assert status_after(short).phase is ServerPhase.ERROR
    taken = within(vanished(disks=DiskState.SANITISING), MEND)
    assert asked_of_pool(taken) == []


def test_an_approved_change_on_its_way_is_no_drift() -> None:
    newer = APP.model_copy(update={"spec": APP.spec.model_copy(update={"revision": 9, "vcpu": 2})})
    changing = look(newer, machine(APP), DISKS)
    assert asked_of_pool(changing) == [ResizeMachine(KEY, Size(2, 1))]
    assert status_after(changing).drift == []


def test_one_that_rests_and_was_started_is_told_and_stopped_where_the_pool_says_so() -> None:
    rests = updated(resting(servers()[0]), phase=ServerPhase.STOPPED, switched_off=True, revision=2)
    rests = updated(rests, observed_generation=rests.metadata.generation)
    started = look(rests, machine(APP), DISKS)
    assert asked_of_pool(started) == []
    assert status_after(started).drift == ["power: Active, approved Stopped"]
    assert asked_of_pool(within(started, MEND)) == [SetPower(KEY, on=False)]


def test_it_is_forgotten_when_it_is_over() -> None:
    before = updated(APP, drift=["size: 2 vCPU 4 GiB, approved 1 vCPU 1 GiB"])
    status = status_after(look(before, machine(APP), DISKS))
    assert status.drift == []
    assert drifted(status) is None
