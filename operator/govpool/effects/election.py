"""Leader election with a Lease: who wins acts behind a :class:`govpool.effects.fence.Fence`.

The client library's own election was looked at and not taken: it measures by the wall clock, does not give
the lease up when it ends, and tells nobody until when leadership is certain. client-go, whose proportions
are used here, says of itself that it does not fence.
"""

from __future__ import annotations

import asyncio
import logging
import math
import random
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import NoReturn, Protocol, cast

from govpool.effects import secrets
from govpool.effects.fence import Fence, boottime
from govpool.effects.identity import holder_gone, identity
from govpool.effects.kube import Json, Kube, KubeError
from govpool.lifecycle.leadership import (
    LeaseRecord,
    Renew,
    Sighting,
    Take,
    Timing,
    Wait,
    decide,
    released,
    seen,
)
from govpool.lifecycle.sharding import Shard

log = logging.getLogger(__name__)
LEASES = f"/apis/coordination.k8s.io/v1/namespaces/{secrets.NAMESPACE}/leases"
SHARDS_LABEL = "govpool.dev/shards"
"""On every Lease of an operator: how many shards it is one of."""
JITTER = 0.2
"""Share by which a follower's looks are spread, so that several do not look at once."""


class DeposedError(Exception):
    """Another operator leads now. What this one had under way is ended; a new process may follow."""


class Leases(Protocol):
    """Where leases are kept. Every write says which version it follows."""

    async def read(self, name: str) -> LeaseRecord | None:
        """The Lease, or None.

        Raises:
            KubeError: the API server.
        """
        ...

    async def write(self, name: str, record: LeaseRecord) -> LeaseRecord:
        """Write the record over the version that it carries, or create the Lease when it has none.

        Raises:
            KubeError: ``conflict`` or ``exists`` when somebody else wrote meanwhile.
        """
        ...

    async def rivals(self, shards: int) -> dict[str, LeaseRecord]:
        """Leases of operators that divide the namespaces into another number of shards, by name.

        Raises:
            KubeError: the API server.
        """
        ...


class KubeLeases:
    """Leases of the API server."""

    def __init__(
        self, kube: Kube, shards: int, wall: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self._kube = kube
        self._shards = shards
        self._wall = wall

    async def read(self, name: str) -> LeaseRecord | None:
        """See :class:`Leases`."""
        try:
            return _record(await self._kube.get_path(f"{LEASES}/{name}"))
        except KubeError as error:
            if error.absent:
                return None
            raise

    async def write(self, name: str, record: LeaseRecord) -> LeaseRecord:
        """See :class:`Leases`."""
        now = self._wall().strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        metadata: Json = {"name": name, "namespace": secrets.NAMESPACE}
        metadata["labels"] = {"app.kubernetes.io/managed-by": "govpool", SHARDS_LABEL: str(self._shards)}
        body: Json = {
            "apiVersion": "coordination.k8s.io/v1",
            "kind": "Lease",
            "metadata": metadata,
            "spec": {
                "holderIdentity": record.holder,
                "leaseDurationSeconds": math.ceil(record.duration),
                "leaseTransitions": record.term,
                "renewTime": now,
            },
        }
        if not record.version:
            return _record(await self._kube.post_path(LEASES, body))
        metadata |= {"resourceVersion": record.version, "uid": record.uid}
        return _record(await self._kube.put_path(f"{LEASES}/{name}", body))

    async def rivals(self, shards: int) -> dict[str, LeaseRecord]:
        """See :class:`Leases`."""
        selector = f"{SHARDS_LABEL},{SHARDS_LABEL}!={shards}"
        page = await self._kube.get_path(LEASES, {"labelSelector": selector})
        items = cast("list[Json]", page.get("items") or [])
        return {str(cast(Json, item["metadata"])["name"]): _record(item) for item in items}


class Elector:
    """One candidate: :meth:`win`, then :meth:`keep` for as long as it leads, then :meth:`release`."""

    def __init__(
        self,
        leases: Leases,
        timing: Timing,
        shard: Shard | None = None,
        *,
        me: str | None = None,
        clock: Callable[[], float] = boottime,
        gone: Callable[[str], bool] = holder_gone,
    ) -> None:
        self._leases = leases
        self._timing = timing
        self._shard = shard or Shard()
        self._clock = clock
        self._gone = gone
        self.me = me or identity()
        self.leader = ""
        """Who leads, as far as is known."""
        self.fence = Fence(clock)
        self._term: int | None = None
        self._sighting: Sighting | None = None
        self._rivals: dict[str, Sighting] = {}
        self._random = random.Random()  # noqa: S311 - spreads requests, no secret

    @property
    def leads(self) -> bool:
        """Whether it has won and was not deposed."""
        return self._term is not None

    # -- to the top -------------------------------------------------------------------------------
    async def win(self) -> None:
        """Return once this operator leads; the fence is open then. May be cancelled.

        Anything that hinders is told once in the log and waited for.
        """
        told = ""
        while True:
            hindered = ""
            try:
                async with asyncio.timeout(self._timing.duration):
                    if await self.stand():
                        return
            except KubeError as error:
                hindered = "" if error.conflict or error.exists else str(error)
            except TimeoutError:
                hindered = "the API server does not answer"
            waits = hindered or f"{self.leader or 'somebody else'} leads"
            if waits != told:
                log.info("not leading yet: %s", waits)
                told = waits
            await asyncio.sleep(self._timing.retry * self._random.uniform(1, 1 + JITTER))

    async def stand(self) -> bool:
        """Take the lead if it is free; whether it was.

        Raises:
            KubeError: the API server; a conflict means that somebody else was faster.
        """
        step = await self._look()
        if not isinstance(step, Take) or await self._rivalled():
            return False
        await self._write(step.record)
        # Of two that each took a lease of their own, at least one sees the other's here.
        if await self._rivalled():
            await self.release()
            self._term, self.fence = None, Fence(self._clock)
            return False
        log.info("leading, term %d", self._term)
        return True

    async def _rivalled(self) -> bool:
        """Whether anybody still leads who divides the namespaces otherwise: two would own the same."""
        now_there = await self._leases.rivals(self._shard.count)
        now = self._clock()
        self._rivals = {name: seen(self._rivals.get(name), record, now) for name, record in now_there.items()}
        for name, sighting in self._rivals.items():
            step = decide(self.me, None, self._judged(sighting), now, self._timing)
            if isinstance(step, Wait):
                self.leader = f"{step.holder} of another number of shards ({name})"
                return True
        return False

    # -- at the top -------------------------------------------------------------------------------
    async def keep(self) -> None:
        """Renew until deposed. Meanwhile the fence shuts by itself whenever a renewal is late, and opens
        again with one that is stored: a write that follows the version known here proves that nobody else
        led in between.

        Raises:
            DeposedError: somebody else took the lead.
        """
        while True:
            await asyncio.sleep(self._timing.retry)
            try:
                async with asyncio.timeout(self._timing.renew_deadline):
                    await self.renew()
            except KubeError as error:
                log.warning("the lease was not renewed: %s", error)
            except TimeoutError:
                log.warning("the lease was not renewed: the API server does not answer")

    async def renew(self) -> None:
        """Renew once.

        Raises:
            DeposedError: somebody else took the lead; the fence is shut for good.
            KubeError: the API server.
        """
        record = self._sighting.record if self._sighting else None
        if record is None or self._term is None:
            raise DeposedError("this operator does not lead")
        try:
            await self._write(replace(record, duration=self._timing.duration))
        except KubeError as error:
            if not (error.conflict or error.absent):
                raise
            # Either somebody else wrote, or an answer to an own write was lost.
            step = await self._look()
            if not isinstance(step, Renew):
                self._depose()
            await self._write(step.record)

    def _depose(self) -> NoReturn:
        record = self._sighting.record if self._sighting else None
        by = (record.holder or "nobody any more") if record else "nobody: the Lease was deleted"
        self.leader, self._term = record.holder if record else "", None
        self.fence.shut(f"the lead was lost to {by}")
        raise DeposedError(f"the lead was lost to {by}: what was under way here is ended")

    async def release(self) -> None:
        """Give the lead up, so that the next one need not wait. Everything must have ended before."""
        self.fence.shut("the lead was given up")
        record = self._sighting.record if self._sighting else None
        if self._term is None or record is None:
            return
        try:
            async with asyncio.timeout(self._timing.renew_deadline):
                try:
                    await self._leases.write(self._shard.lease_name, released(record))
                except KubeError as error:
                    if not error.conflict:
                        raise
                    step = await self._look()
                    if isinstance(step, Renew):
                        await self._leases.write(self._shard.lease_name, released(step.record))
        except (KubeError, TimeoutError) as error:
            log.warning("the lease was not given up, it runs out by itself: %s", error)
        self._term = None

    # -- both -------------------------------------------------------------------------------------
    async def _look(self) -> Take | Renew | Wait:
        record = await self._leases.read(self._shard.lease_name)
        now = self._clock()
        self._sighting = seen(self._sighting, record, now)
        self.leader = record.holder if record else ""
        return decide(self.me, self._term, self._judged(self._sighting), now, self._timing)

    def _judged(self, sighting: Sighting) -> Sighting:
        holder = sighting.record.holder if sighting.record else ""
        return replace(sighting, holder_gone=bool(holder) and holder != self.me and self._gone(holder))

    async def _write(self, record: LeaseRecord) -> None:
        sent = self._clock()
        stored = await self._leases.write(self._shard.lease_name, record)
        self._sighting = Sighting(stored, self._clock())
        self._term, self.leader = stored.term, self.me
        self.fence.hold(sent + self._timing.renew_deadline, stored.uid, stored.term)


async def elector(kubeconfig: Path | None, timing: Timing, shard: Shard) -> tuple[Elector, Kube]:
    """A candidate with a connection of its own, so that a renewal never waits behind other requests. The
    caller closes the connection.

    Raises:
        ConfigException: there is no usable kubeconfig.
    """
    kube = await Kube.connect(kubeconfig)
    return Elector(KubeLeases(kube, shard.count), timing, shard), kube


async def lead(elector: Elector, stopping: asyncio.Event, act: Callable[[Fence], Awaitable[None]]) -> None:
    """Wait for the lead, act behind the fence, give the lead up. ``act`` returns soon after ``stopping`` is
    set, by whoever, and leaves nothing under way; until then the lease is renewed.

    Raises:
        DeposedError: somebody else took the lead; ``act`` has ended.
    """
    if not await _won(elector, stopping):
        return
    keeping = asyncio.create_task(elector.keep(), name="keep the lead")
    keeping.add_done_callback(lambda _: stopping.set())
    try:
        await act(elector.fence)
    finally:
        deposed = keeping.done()
        keeping.cancel()
        await asyncio.gather(keeping, return_exceptions=True)
        if not deposed:
            await elector.release()
    if deposed:
        keeping.result()


async def _won(elector: Elector, stopping: asyncio.Event) -> bool:
    """Whether the lead was won before the process was told to stop."""
    winning = asyncio.create_task(elector.win(), name="win the lead")
    told = asyncio.create_task(stopping.wait())
    try:
        await asyncio.wait({winning, told}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        told.cancel()
        winning.cancel()
        await asyncio.gather(winning, told, return_exceptions=True)
    if not winning.cancelled():
        winning.result()
    if stopping.is_set():
        await elector.release()
        return False
    return elector.leads


def _record(document: Json) -> LeaseRecord:
    metadata, spec = cast(Json, document["metadata"]), cast(Json, document.get("spec") or {})
    return LeaseRecord(
        holder=str(spec.get("holderIdentity") or ""),
        duration=float(str(spec.get("leaseDurationSeconds") or 0)),
        term=int(str(spec.get("leaseTransitions") or 0)),
        uid=str(metadata["uid"]),
        version=str(metadata["resourceVersion"]),
    )
