"""Append to the audit trail: one chain of records per unit, and an anchor of each chain's end.

A record takes the place that follows the last one by its name, so that of two operators only one can have
it; the other reads on and comes after. What a request's status tells was recorded before. A record counts as
acknowledged once that status was written; the anchor never moves beyond one that is not. Whoever starts
therefore reads from the anchor on, and what it finds there is all that may have been recorded without having
been told: it is not recorded again.
"""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import cast

from govpool.api.auditrecord import MAX_ENTRIES, AuditEntry, AuditRecord, AuditRecordSpec, record_name
from govpool.api.base import FINALIZER, REQUEST_LABEL, ObjectMeta
from govpool.api.cloudresourcerequest import CloudResourceRequest, CloudResourceRequestStatus
from govpool.api.wipecertificate import GENESIS
from govpool.effects import secrets
from govpool.effects.clock import Clock
from govpool.effects.kube import Json, Kube, KubeError
from govpool.effects.store import Store
from govpool.lifecycle.actions import Record
from govpool.lifecycle.story import told
from govpool.rules.audit_chain import Anchor, follows, linked, record_hash

log = logging.getLogger(__name__)
ANCHORS = "audit-anchors"
"""ConfigMap with the end of each unit's chain: namespace to sequence and hash."""
ANCHOR_EVERY = timedelta(seconds=2)
"""Many records share one write of the anchors."""


@dataclass(slots=True)
class _Link:
    """A record whose request's status is not known to tell of it yet."""

    at: Anchor
    request: tuple[str, str]
    """Its name and UID."""
    keys: frozenset[str]
    done: bool = False
    """Its request's status was written after it."""


@dataclass(slots=True)
class _Chain:
    """What is known of one unit's chain: its end, and the records after what may be anchored."""

    head: Anchor | None = None
    safe: Anchor | None = None
    """The last record before which everything is acknowledged."""
    anchored: Anchor | None = None
    open: list[_Link] = field(default_factory=list)
    untold: defaultdict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    """By request: keys that are recorded, and by the time the status was written were so no more."""

    def took(self, record: AuditRecord, digest: str) -> None:
        spec = record.spec
        self.head = Anchor(spec.sequence, digest)
        keys = frozenset(entry.key for entry in spec.entries)
        self.open.append(_Link(self.head, (spec.request.name, spec.request.uid), keys))

    def recorded(self, uid: str) -> set[str]:
        keys = {key for link in self.open if link.request[1] == uid for key in link.keys}
        return keys | self.untold.get(uid, set())

    def wrote(self, uid: str, told_now: frozenset[str]) -> None:
        for link in self.open:
            if link.request[1] == uid and not link.done:
                link.done = True
                if left := link.keys - told_now:
                    self.untold[uid] |= left


class Trail:
    """The audit trail of every unit."""

    def __init__(self, kube: Kube, store: Store, clock: Clock) -> None:
        self._kube = kube
        self._store = store
        self._clock = clock
        self._chains: dict[str, _Chain] = {}
        self._writing: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._last_anchored: datetime | None = None
        self.keeps: Callable[[str], bool] = lambda _: True
        """Whether a unit is this operator's: another one writes the trails of the others."""

    # -- append -----------------------------------------------------------------------------------
    async def append(self, action: Record) -> None:
        """Record what was not recorded yet, at the end of the unit's chain.

        Raises:
            KubeError: the API server; what was recorded is known and not recorded again.
        """
        unit, uid = action.request.metadata.namespace, action.request.metadata.uid
        async with self._writing[unit]:
            chain = await self._chain(unit)
            while True:
                known = chain.recorded(uid)
                entries = [entry for entry in action.entries if entry.key not in known][:MAX_ENTRIES]
                if not entries:
                    return
                spec = draft(action, entries)
                await self._next(chain, action, linked(spec, chain.head))

    def wrote(self, request: CloudResourceRequest, status: CloudResourceRequestStatus) -> None:
        """The request's status was written: what is recorded of it is acknowledged."""
        if (chain := self._chains.get(request.metadata.namespace)) is not None:
            chain.wrote(request.metadata.uid, told(status))

    async def _next(self, chain: _Chain, action: Record, spec: AuditRecordSpec) -> None:
        """Write the record, or take in the one that somebody else put in its place."""
        record = AuditRecord(
            kind=AuditRecord.DEFINITION.kind,
            metadata=ObjectMeta(
                name=record_name(spec.sequence),
                namespace=spec.unit,
                labels={REQUEST_LABEL: action.request.metadata.uid},
            ),
            spec=spec,
        )
        try:
            stored = await self._kube.create(record)
        except KubeError as error:
            if not error.exists:
                raise
            stored = await self._kube.get(AuditRecord, record.metadata.name, spec.unit)
        # What came back as it was written needs no second look at its hash.
        self._take(chain, stored, spec.hash if stored.spec == spec else None)

    def _take(self, chain: _Chain, stored: AuditRecord, known: str | None = None) -> None:
        """Go on from the record; ``known`` is its :func:`record_hash`, where it is known."""
        digest = known or record_hash(stored.spec)
        if not follows(stored.spec, chain.head, digest):
            # The chain goes on from what is there, so that nothing is lost; `audit verify` names the break.
            log.error(
                "AuditRecord %s/%s does not follow the record before it: run govpool audit verify",
                stored.metadata.namespace,
                stored.metadata.name,
            )
            number = int(stored.metadata.name.rpartition("-")[2])
            stored = stored.model_copy(update={"spec": stored.spec.model_copy(update={"sequence": number})})
            digest = record_hash(stored.spec)
        chain.took(stored, digest)

    async def _chain(self, unit: str, anchors: Mapping[str, Anchor] | None = None) -> _Chain:
        """The unit's chain; when it is first asked for, read on from its anchor, one of ``anchors`` where
        they were just read: an older one only means more to read.
        """
        if unit in self._chains:
            return self._chains[unit]
        anchor = (read_anchors(await self._anchors()) if anchors is None else anchors).get(unit)
        chain = _Chain(head=anchor, safe=anchor, anchored=anchor)
        if anchor is None:
            found = await self._kube.list(AuditRecord, namespace=unit)
            for record in sorted(found, key=lambda one: one.metadata.name):
                if record.metadata.name == record_name(record.spec.sequence):
                    self._take(chain, record)
        else:
            await self._read_on(chain, unit)
        self._chains[unit] = chain
        return chain

    async def _read_on(self, chain: _Chain, unit: str) -> None:
        while True:
            sequence = chain.head.sequence + 1 if chain.head else 1
            try:
                self._take(chain, await self._kube.get(AuditRecord, record_name(sequence), unit))
            except KubeError as error:
                if not error.absent:
                    raise
                return

    # -- anchor -----------------------------------------------------------------------------------
    async def anchor(self) -> datetime | None:
        """Write down how far each chain is acknowledged; when to come again, None: when more is recorded.

        Raises:
            KubeError: the API server; a conflict means that another operator wrote: look again.
        """
        now = self._clock.now()
        if self._last_anchored is not None and now < self._last_anchored + ANCHOR_EVERY:
            return self._last_anchored + ANCHOR_EVERY
        if self._last_anchored is None:
            await self._resume()
        behind = False
        # A unit whose first record comes meanwhile has asked for the next anchor.
        for unit, chain in tuple(self._chains.items()):
            if chain.open:
                behind |= await self._acknowledge(unit, chain)
        changed = {
            unit: chain.safe
            for unit, chain in self._chains.items()
            if chain.safe is not None and chain.safe is not chain.anchored
        }
        if changed:
            await self._write(changed)
        self._last_anchored = now
        return now + ANCHOR_EVERY if behind else None

    async def _resume(self) -> None:
        """After a start: the chains of every unit, whose anchors an operator may have left behind."""
        known = read_anchors(await self._anchors())
        asking = {request.metadata.namespace for request in self._store.all(CloudResourceRequest)}
        for unit in sorted(filter(self.keeps, known.keys() | asking)):
            async with self._writing[unit]:
                await self._chain(unit, known)

    async def _acknowledge(self, unit: str, chain: _Chain) -> bool:
        """Move on over what the requests' statuses tell; whether something is left."""
        async with self._writing[unit]:
            while chain.open and await self._told(unit, chain.open[0]):
                chain.safe = chain.open.pop(0).at
            return bool(chain.open)

    async def _told(self, unit: str, link: _Link) -> bool:
        """Whether the request's status tells what the record holds, or there is no such request any more."""
        if link.done:
            return True
        name, uid = link.request
        request = self._store.get(CloudResourceRequest, name, unit)
        if request is None:
            try:
                request = await self._kube.get(CloudResourceRequest, name, unit)
            except KubeError as error:
                if not error.absent:
                    raise
        if request is None or request.metadata.uid != uid:
            return True
        left = request.deleting and FINALIZER not in request.metadata.finalizers
        return left or (request.status is not None and link.keys <= told(request.status))

    async def _anchors(self) -> Json | None:
        return await self._kube.core_get("configmaps", secrets.NAMESPACE, ANCHORS)

    async def _write(self, changed: dict[str, Anchor]) -> None:
        found = await self._anchors()
        texts = _texts(found)
        known = _read({unit: texts[unit] for unit in changed if unit in texts})
        # Another operator may be further: an anchor never goes back.
        ahead = {u: a for u, a in changed.items() if u not in known or known[u].sequence < a.sequence}
        written = {unit: anchor.text for unit, anchor in ahead.items()}
        body = cast(
            Json,
            {
                **(found or {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": ANCHORS}}),
                "data": dict(sorted({**texts, **written}.items())),
            },
        )
        if found is None:
            await self._kube.core_create("configmaps", secrets.NAMESPACE, body)
        elif ahead:
            await self._kube.core_replace("configmaps", secrets.NAMESPACE, ANCHORS, body)
        for unit, anchor in changed.items():
            self._chains[unit].anchored = anchor


def read_anchors(config_map: Json | None) -> dict[str, Anchor]:
    """Anchors by unit. What is no anchor is left out: `audit verify` then finds records without one."""
    return _read(_texts(config_map))


def _texts(config_map: Json | None) -> dict[str, str]:
    return cast("dict[str, str]", (config_map or {}).get("data") or {})


def _read(texts: Mapping[str, str]) -> dict[str, Anchor]:
    found: dict[str, Anchor] = {}
    for unit, text in texts.items():
        try:
            found[unit] = Anchor.read(text)
        except ValueError:
            log.warning("ConfigMap %s/%s has no anchor for %s", secrets.NAMESPACE, ANCHORS, unit)
    return found


def draft(action: Record, entries: Sequence[AuditEntry]) -> AuditRecordSpec:
    """A record of some of the entries, without its place in the chain."""
    meta = action.request.metadata
    return AuditRecordSpec.model_validate(
        {
            "unit": meta.namespace,
            "sequence": 1,
            "request": {"name": meta.name, "uid": meta.uid},
            "system": action.request.spec.system.name,
            "revision": meta.generation,
            "policy": action.policy,
            "recorded": action.at,
            "entries": list(entries),
            "previous_hash": GENESIS,
            "hash": GENESIS,
        }
    )
