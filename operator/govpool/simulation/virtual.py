"""The simulated town: the real store, reconciler, applier and executors on virtual time, without a server."""

from __future__ import annotations

import gc
import logging
import os
import tempfile
from collections.abc import Callable, Coroutine
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

from govpool.api.base import Resource
from govpool.api.cloudpool import CloudPool, PoolState
from govpool.api.cloudresourcerequest import CloudResourceRequest
from govpool.api.cloudserver import CloudServer
from govpool.api.kinds import by_kind
from govpool.effects import secrets
from govpool.effects.executors.evidence import described
from govpool.effects.kube import Json, KubeError
from govpool.effects.operator import WATCHED, Operator, Options
from govpool.effects.queue import WorkQueue
from govpool.effects.store import Key
from govpool.lifecycle.actions import WriteStatus
from govpool.lifecycle.decision import Decision
from govpool.lifecycle.pool import RESYNC
from govpool.messages import Language
from govpool.simulation.kube import MemoryKube
from govpool.simulation.loop import VirtualClock, VirtualLoop, run
from govpool.simulation.pools import SimulatedPools
from govpool.simulation.result import Counts
from govpool.simulation.town import Change, Drifted
from govpool_providers.base import Size
from govpool_providers.fixture import FaultPlan

R = TypeVar("R", bound=Resource)
T = TypeVar("T")
POLLED = (CloudServer.DEFINITION.kind, CloudPool.DEFINITION.kind)
"""Kinds that are looked at again and again only to see what a pool did by itself."""
RESTLESS = 100
"""Reconciles at one time, for each object that there is, after which something goes round in circles."""
RARELY = timedelta(days=30)
"""How long the sums of a large pool, which are only shown, may be behind: each time all of it is read."""
IN_MEMORY = Path("/dev/shm")  # noqa: S108 - a folder of our own in it
"""Where evidence is kept while a story is played: nobody reads it afterwards."""
COLLECT_EVERY = (10_000_000, 10, 10)
"""Thresholds of the garbage collector: next to nothing here goes in circles, and all of it lives on."""
LARGE = 500_000
"""How many new objects are not gone over once more at the end of a story: that of some 200 requests."""
BACKOFF = 3600.0
"""Longest back-off in seconds: what fails for months is not asked each minute of them."""
UNEASY = timedelta(days=1)
"""How long every look is taken after counted faults were set, so that they are met."""
NO_KEYS = dict.fromkeys(
    ("operatorPrivateKey", "operatorPublicKey", "hostPrivateKey", "hostPublicKey"), "simulated"
)
"""What stands in place of a machine's keys."""


class RestlessError(RuntimeError):
    """The core never comes to rest: a bug."""


class SimulatedOperator(Operator):
    """The operator, driven one reconcile at a time.

    Looks that would only poll a pool in which nobody but govpool changes anything are left out: the town says
    when something did.
    """

    def __init__(
        self, options: Options, kube: MemoryKube, clock: VirtualClock, pools: SimulatedPools
    ) -> None:
        super().__init__(options)
        self.equip(kube, clock, pools, WorkQueue(clock, seed=0, longest_backoff=BACKOFF))
        # A story is no process that somebody watches: no metric and no trace of it is kept.
        self.queue.waited = lambda _: None
        # Nor does anybody read the files of its evidence, or log in to a machine that is none.
        self.reconciler.keep = described
        self.reconciler.applier.make_keys = lambda: NO_KEYS
        self.decisions = 0
        self.uneasy_until: datetime | None = None

    def written(self, before: Resource | None, after: Resource | None) -> None:
        """A write, as the watch tells it."""
        resource = after or before
        if resource is None or type(resource) not in WATCHED:
            return
        if after is not None:
            self.saw(after)
        elif before is not None:
            self.lost(before)
        if isinstance(resource, CloudServer):
            pool: Key = (CloudPool.DEFINITION.kind, "", resource.spec.pool)
            servers = self.store.count(CloudServer)
            self.queue.add_at(pool, self.clock.now() + min(RESYNC * servers**2, RARELY))
        elif isinstance(resource, CloudResourceRequest):
            # How far a provider's exit is depends on the requests, on those elsewhere too.
            for leaving in self.store.all(CloudPool):
                if leaving.spec.state is not PoolState.OPEN:
                    self.queue.add(leaving.key)

    def _wrote(self, resource: Resource) -> None:
        """Every write was told as it was made: see :meth:`written`."""

    async def step(self) -> bool:
        """Reconcile the next key; False when none waits. A bug is not tried again here: it ends the story."""
        key = self.queue.take_now()
        if key is None:
            return False
        self.decisions += 1
        try:
            await self.carry_out(key)
        finally:
            self.queue.done(key)
        return True

    def look_again(self, key: Key, decision: Decision) -> None:
        """When to reconcile the key again."""
        if key[0] not in POLLED or not self._polls(key) or (decision.actions and not _sums(key, decision)):
            super().look_again(key, decision)
        elif key[0] == CloudServer.DEFINITION.kind:
            # What it was to be looked at for again has been seen to be done.
            self.queue.look_at(key, None)

    def stirred(self) -> None:
        """Something happened in a pool: everything in it is looked at."""
        self.reconciler.echoes.forget()
        for key in (item.key for kind in (CloudServer, CloudPool) for item in self.store.all(kind)):
            self.queue.add(key)

    def _polls(self, key: Key) -> bool:
        """Whether looking at the object again could only show what the town would tell."""
        now = self.clock.now()
        if self.uneasy_until is not None and now < self.uneasy_until:
            return False
        server = self.store.find(key)
        status = server.status if isinstance(server, CloudServer) else None
        return status is None or status.retry_at is None or status.retry_at <= now


def _sums(key: Key, decision: Decision) -> bool:
    """Whether a pool only told anew what is in it, of which the write itself brings the next look."""
    return key[0] == CloudPool.DEFINITION.kind and all(isinstance(a, WriteStatus) for a in decision.actions)


class VirtualTown:
    """A town in this process: see :class:`govpool.simulation.town.Town`."""

    def __init__(
        self, loop: VirtualLoop, starts: datetime, home: Path, language: Language, seed: int
    ) -> None:
        self._loop = loop
        self.clock = VirtualClock(loop, starts)
        self._changes: list[Change] = []
        self.kube = MemoryKube(loop, self.clock, seed, self._written)
        self._pools = SimulatedPools(loop, self.clock)
        options = Options(kubeconfig=None, state_dir=home, language=language)
        self.operator = SimulatedOperator(options, self.kube, self.clock, self._pools)
        self._moves = 0

    async def open(self) -> None:
        """Make what a control plane has before anybody comes."""
        await self.kube.ensure_namespace(secrets.NAMESPACE)

    async def close(self) -> None:
        """End what is under way and forget everything."""
        await self.operator.stop()
        self._pools.close()
        # A town refers to itself: what is still in it is left to the garbage collector, which goes over all.
        self.kube.forget()
        self.operator.store.forget()
        self.operator.reconciler.rests.forget()
        self.operator.reconciler.echoes.forget()
        self._changes.clear()

    def _written(self, before: Resource | None, after: Resource | None) -> None:
        self._changes.append(Change(self.clock.now(), before, after))
        self.operator.written(before, after)

    # -- time -------------------------------------------------------------------------------------
    def now(self) -> datetime:
        """The present time."""
        return self.clock.now()

    async def settle(self) -> None:
        """Reconcile until nothing waits, and let runs go on as far as they can without time passing.

        Raises:
            RestlessError: there is no end of it.
        """
        began = self.operator.decisions
        while True:
            while await self.operator.step():
                if self.operator.decisions - began > RESTLESS * (len(self.operator.store) + RESTLESS):
                    raise RestlessError(f"govpool goes round in circles since {self.now():%Y-%m-%d %H:%M}")
            await self._loop.idle()
            self.operator.queue.strike()
            if self.operator.queue.idle:
                return

    def next_look(self) -> datetime | None:
        """The next due time of the queue, or of anything that waits by asyncio."""
        timer = self._loop.next_timer()
        due = self.operator.queue.strike()
        known = [at for at in (due, self.clock.at(timer) if timer is not None else None) if at is not None]
        if not self.operator.queue.idle:
            return self.now()
        return min(known, default=None)

    async def move_to(self, at: datetime) -> None:
        """Let time pass."""
        self._moves += 1
        await self.clock.until(at)
        self.operator.queue.strike()

    async def changes(self) -> tuple[Change, ...]:
        """Every write since this was last asked."""
        told, self._changes = tuple(self._changes), []
        return told

    # -- people -----------------------------------------------------------------------------------
    async def find(self, kind: type[R], name: str, namespace: str = "") -> R | None:
        """An object, or None."""
        return self.kube.find(kind, name, namespace)

    async def list(self, kind: type[R], namespace: str | None = None) -> tuple[R, ...]:
        """Every object of a kind."""
        return await self.kube.list(kind, namespace=namespace)

    async def made_for(self, kind: type[R], request: CloudResourceRequest) -> tuple[R, ...]:
        """Every object of a kind that was made for the request."""
        return self.kube.made_for(kind, request.metadata.namespace, request.metadata.uid)

    async def namespace(self, name: str) -> None:
        """Create the namespace unless it is there."""
        await self.kube.ensure_namespace(name)

    async def create(self, document: Json, *, by: str) -> None:
        """Create an object; every pool is one of the fixture provider."""
        self.kube.post(_kind(str(document.get("kind"))), document)

    async def patch(
        self, kind: type[Resource], name: str, namespace: str, body: Json, *, by: str, status: bool = False
    ) -> None:
        """A merge patch."""
        self.kube.patch(kind, name, namespace, body, status=status)

    async def delete(self, kind: type[Resource], name: str, namespace: str, *, by: str) -> None:
        """Delete an object."""
        await self.kube.delete(await self.kube.get(kind, name, namespace))

    # -- pools ------------------------------------------------------------------------------------
    async def set_faults(self, pool: str, plan: FaultPlan) -> None:
        """Let calls fail, or heal."""
        self._pools.control(await self.kube.get(CloudPool, pool)).set_faults(plan)
        if any(rule.nth is not None for rule in plan.rules):
            self.operator.uneasy_until = self.now() + UNEASY
        self.operator.stirred()

    async def drift(self, pool: str, key: str, drift: Drifted) -> None:
        """Change a machine behind govpool's back."""
        control = self._pools.control(await self.kube.get(CloudPool, pool))
        size = control.machine(key).size
        control.drift(
            key,
            size=Size(drift.vcpu or size.vcpu, drift.memory_gib or size.memory_gib),
            power=drift.power,
        )
        if drift.fault is not None:
            control.break_machine(key, drift.fault)
        self.operator.stirred()

    def counts(self) -> Counts:
        """What was done so far."""
        return Counts(
            decisions=self.operator.decisions,
            writes=self.kube.writes,
            conflicts=self.kube.conflicts,
            provider_calls=self._pools.calls,
            moves=self._moves,
        )


def in_town(
    starts: datetime,
    play: Callable[[VirtualTown], Coroutine[Any, Any, T]],
    *,
    language: Language = "en",
    seed: int = 0,
) -> T:
    """Play something in a fresh town; nothing of it remains."""
    loop = VirtualLoop()
    memory = str(IN_MEMORY) if IN_MEMORY.is_dir() and os.access(IN_MEMORY, os.W_OK) else None
    with tempfile.TemporaryDirectory(prefix="govpool-simulate-", dir=memory) as home:

        async def whole() -> T:
            town = VirtualTown(loop, starts, Path(home), language, seed)
            await town.open()
            try:
                return await play(town)
            finally:
                await town.close()

        quiet = logging.getLogger("govpool.effects")
        level, thresholds = quiet.level, gc.get_threshold()
        quiet.setLevel(logging.ERROR)
        gc.set_threshold(*COLLECT_EVERY)
        try:
            return run(loop, whole())
        finally:
            _grow_old()
            gc.set_threshold(*thresholds)
            quiet.setLevel(level)


def _grow_old() -> None:
    """Put what a large story made among the old objects, as a collection would that looks at each of them.
    Whatever of it is garbage goes with the next collection of the old ones.
    """
    if gc.get_count()[0] > LARGE:
        gc.freeze()
        gc.unfreeze()


def _kind(name: str) -> type[Resource]:
    try:
        return by_kind(name)
    except KeyError:
        raise KubeError(404, "NotFound", f'no kind "{name}" in govpool.dev/v1alpha1') from None
