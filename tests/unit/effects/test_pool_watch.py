"""A large pool is looked at as a whole: which servers a list wakes, and whose own look may wait."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from effects_ground import server_of

from govpool.api.cloudserver import CloudServer, CloudServerStatus, ServerPhase
from govpool.effects.pool_watch import RARELY, Listed, Marks, PoolWatch, marks_of
from govpool.lifecycle.actions import WriteStatus
from govpool.lifecycle.decision import Decision
from govpool.lifecycle.server import RESYNC, UNSEEN
from govpool_providers.base import Disk, DiskState, Machine, MachineState, OverwriteProof, Owner, Size

NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)
OWNER = Owner("u", "r", "n", 1)


def machine(key: str) -> Machine:
    return Machine(key, f"id-{key}", MachineState.ACTIVE, Size(1, 1), "debian", ("10.0.0.2",), OWNER)


def disk(key: str, of: str) -> Disk:
    return Disk(key, "root", of, f"id-{key}", 1, True, DiskState.ATTACHED, "file", OverwriteProof.IN_PLACE)


def server(name: str, key: str, phase: ServerPhase = ServerPhase.HANDED_OVER) -> CloudServer:
    made = server_of(name, key=key, pool="p")
    return made.model_copy(update={"status": CloudServerStatus(phase=phase)})


SERVERS = (server("one", "gp-00000a"), server("two", "gp-fffff0"))
MACHINES = (machine("gp-00000a"), machine("gp-fffff0"))
DISKS = (disk("d-1", "gp-00000a"), disk("d-2", "gp-00000a"), disk("d-3", "gp-fffff0"))


def watched() -> tuple[PoolWatch, Marks]:
    watch, marks = PoolWatch(), marks_of(MACHINES, DISKS)
    assert watch.took("p", marks, SERVERS) == []
    return watch, marks


def test_the_same_list_in_another_order_wakes_nobody() -> None:
    watch, _ = watched()
    assert watch.took("p", marks_of(reversed(MACHINES), reversed(DISKS)), SERVERS) == []


@pytest.mark.parametrize(
    "machines, disks",
    [
        ((replace(MACHINES[0], size=Size(2, 1)), MACHINES[1]), DISKS),
        ((replace(MACHINES[0], state=MachineState.STOPPED), MACHINES[1]), DISKS),
        ((replace(MACHINES[0], isolated=True), MACHINES[1]), DISKS),
        (MACHINES[1:], DISKS),
        (MACHINES[1:], DISKS[2:]),
        (MACHINES, DISKS[1:]),
        (MACHINES, (replace(DISKS[0], state=DiskState.DETACHED), *DISKS[1:])),
        (MACHINES, (*DISKS, disk("d-4", "gp-00000a"))),
    ],
)
def test_what_changed_wakes_its_server_alone(machines: tuple[Machine, ...], disks: tuple[Disk, ...]) -> None:
    watch, _ = watched()
    assert watch.took("p", marks_of(machines, disks), SERVERS) == [SERVERS[0].key]


def test_a_pool_that_is_lost_is_told_by_every_server_once() -> None:
    watch, marks = watched()
    assert watch.lost("p", SERVERS) == [one.key for one in SERVERS]
    assert watch.lost("p", SERVERS) == []
    assert watch.rarely(SERVERS[0], Decision((), NOW + RESYNC), NOW).look_again == NOW + RESYNC
    assert watch.took("p", marks, SERVERS) == [one.key for one in SERVERS], "each says that it is seen again"
    assert watch.took("p", marks, SERVERS) == []
    assert watch.lost("another", SERVERS) == []


def test_while_a_pool_is_lost_its_servers_at_rest_do_not_ask_it_one_by_one() -> None:
    watch, _ = watched()
    again = Decision((), NOW + UNSEEN)
    assert watch.rarely(SERVERS[0], again, NOW) is again, "the pool answers: it is this one that was not seen"
    watch.lost("p", SERVERS)
    look = watch.rarely(SERVERS[0], again, NOW).look_again
    assert look is not None and look >= NOW + RARELY / 2
    building = server("x", "gp-00000a", ServerPhase.BUILDING)
    assert watch.rarely(building, again, NOW) is again
    told = Decision((WriteStatus(SERVERS[0], CloudServerStatus()),), NOW + UNSEEN)
    assert watch.rarely(SERVERS[0], told, NOW) is told


def test_the_first_list_is_a_look_at_every_server_that_stands_still_once() -> None:
    watch, listed = PoolWatch(), Listed(MACHINES, DISKS)
    watch.told("p", listed)
    watch.took("p", listed.marks, SERVERS)
    seen = watch.seen(SERVERS[0])
    assert seen is not None and (seen.machine, seen.disks) == (MACHINES[0], DISKS[:2])
    assert watch.seen(SERVERS[0]) is None, "woken again, it is looked at by itself"
    assert watch.seen(server("x", "gp-00000x")) is None, "what the list has not is looked for"
    watch.told("p", listed)
    assert watch.seen(SERVERS[1]) is None, "a later list wakes whom it tells something new"


@pytest.mark.parametrize("phase", [p for p in ServerPhase if p.value not in ("HandedOver", "Stopped")])
def test_a_server_that_is_on_its_way_is_not_judged_by_a_list(phase: ServerPhase) -> None:
    watch = PoolWatch()
    watch.told("p", Listed(MACHINES, DISKS))
    assert watch.seen(server("x", "gp-00000a", phase)) is None
    leaving = server_of("x", key="gp-00000a", pool="p", desired="Gone")
    still = CloudServerStatus(phase=ServerPhase.STOPPED)
    assert watch.seen(leaving.model_copy(update={"status": still})) is None


def test_when_a_lost_pool_answers_again_one_list_is_a_look_at_every_server() -> None:
    watch, marks = watched()
    watch.lost("p", SERVERS)
    watch.told("p", Listed(MACHINES, DISKS))
    watch.took("p", marks, SERVERS)
    assert all(watch.seen(one) is not None for one in SERVERS)


def test_a_server_at_rest_leaves_its_look_to_the_pool() -> None:
    watch, _ = watched()
    looks = [watch.rarely(one, Decision((), NOW + RESYNC), NOW).look_again for one in SERVERS]
    assert all(look and NOW + RARELY / 2 <= look <= NOW + RARELY for look in looks)
    assert looks[0] != looks[1]


@pytest.mark.parametrize("phase", [p for p in ServerPhase if p.value not in ("HandedOver", "Stopped")])
def test_a_server_that_is_on_its_way_is_looked_at_as_before(phase: ServerPhase) -> None:
    watch, _ = watched()
    decision = Decision((), NOW + RESYNC)
    assert watch.rarely(server("x", "gp-00000a", phase), decision, NOW) is decision


def test_another_time_than_the_usual_one_stands() -> None:
    watch, _ = watched()
    soon = Decision((), NOW + timedelta(seconds=10))
    assert watch.rarely(SERVERS[0], soon, NOW) is soon
    unwatched = Decision((), NOW + RESYNC)
    assert PoolWatch().rarely(SERVERS[0], unwatched, NOW) is unwatched
