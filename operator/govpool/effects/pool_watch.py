"""A large pool is looked at as a whole: one list tells which of its servers are worth a look of their own.

Asking a pool of 20,000 servers about each of them every five minutes is 200 calls a second for nothing. The
pool's own look lists machines and disks anyway; whatever differs from the list before wakes its server.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from govpool.api.cloudserver import CloudServer, Desired, ServerPhase
from govpool.effects.store import Key
from govpool.lifecycle.decision import Decision
from govpool.lifecycle.observation import SeenInPool
from govpool.lifecycle.server import RESYNC, UNSEEN
from govpool_providers.base import Disk, Machine

LARGE = 200
"""Servers from which on a pool is looked at as a whole; below, each server is asked about."""
RARELY = timedelta(hours=6)
"""Between two looks at a server that stands still in such a pool, for what no list tells."""
AT_REST = (ServerPhase.HANDED_OVER, ServerPhase.STOPPED)
Marks = dict[str, int]
"""Machine key to a mark that differs when the machine or one of its disks does."""


@dataclass(frozen=True, slots=True)
class Listed:
    """A list of the whole pool."""

    machines: tuple[Machine, ...]
    disks: tuple[Disk, ...]

    @property
    def marks(self) -> Marks:
        """What tells a change of each machine."""
        return marks_of(self.machines, self.disks)

    def by_machine(self) -> dict[str, SeenInPool]:
        """What the list tells of each machine that is there."""
        disks: defaultdict[str, list[Disk]] = defaultdict(list)
        for disk in self.disks:
            disks[disk.machine_key].append(disk)
        return {m.key: SeenInPool(m, tuple(disks.get(m.key, ())), {}) for m in self.machines}


def marks_of(machines: Iterable[Machine], disks: Iterable[Disk]) -> Marks:
    """What a list of the whole pool tells of each machine and its disks."""
    marks = {machine.key: hash(machine) for machine in machines}
    for disk in disks:
        # In any order: a provider promises none.
        marks[disk.machine_key] = marks.get(disk.machine_key, 0) ^ hash(disk)
    return marks


class PoolWatch:
    """The last list of each large pool."""

    def __init__(self) -> None:
        self._known: dict[str, Marks] = {}
        self._told: dict[str, dict[str, SeenInPool]] = {}
        self._lost: set[str] = set()

    def took(self, pool: str, marks: Marks, servers: Iterable[CloudServer]) -> list[Key]:
        """Take a list in; servers that it tells something new about: all, when the pool was lost."""
        before, lost = self._known.get(pool), pool in self._lost
        self._known[pool] = marks
        self._lost.discard(pool)
        if lost:
            return [server.key for server in servers]
        if before is None:
            # Whoever was looked at before this first list has the next look of its own still to come.
            return []
        changed = {key for key, _ in marks.items() ^ before.items()}
        return [s.key for s in servers if s.spec.key in changed]

    def told(self, pool: str, listed: Listed) -> None:
        """After a start, or when a lost pool answers again, every server is looked at: by this one list."""
        if pool not in self._known or pool in self._lost:
            self._told[pool] = listed.by_machine()
        else:
            self._told.pop(pool, None)

    def seen(self, server: CloudServer) -> SeenInPool | None:
        """What such a list told of a server that stands still, once; None: look at it by itself.

        The list is a look at every server: what differs from it later is in a later list. Whoever finds
        something to do looks again before doing it.
        """
        if server.status is None or server.status.phase not in AT_REST or server.spec.desired is Desired.GONE:
            return None
        return self._told.get(server.spec.pool, {}).pop(server.spec.key, None)

    def lost(self, pool: str, servers: Iterable[CloudServer]) -> list[Key]:
        """The pool could not be asked; the first time, every server of it has to say so."""
        if pool in self._lost or pool not in self._known:
            return []
        self._lost.add(pool)
        return [server.key for server in servers]

    def rarely(self, server: CloudServer, decision: Decision, now: datetime) -> Decision:
        """The decision about a server that stands still, with its next look left to its pool's.

        Also while the pool is lost: when it answers again, every server is looked at.
        """
        at_rest = server.status is not None and server.status.phase in AT_REST
        pool = server.spec.pool
        usual = now + (UNSEEN if pool in self._lost else RESYNC)
        if pool not in self._known or not at_rest or decision.actions or decision.look_again != usual:
            return decision
        # Spread over the time by the server's own key, so that not all come at once.
        spread = int(server.spec.key[-6:], 16) / 0xFFFFFF
        return replace(decision, look_again=now + RARELY * (0.5 + spread / 2))
