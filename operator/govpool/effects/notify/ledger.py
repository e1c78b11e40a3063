"""Who was told what: a ConfigMap for each channel, written before and after a message goes out.

An entry is a digest of what was told, and nothing of its text.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Collection, Iterable
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import cast

from govpool.effects import secrets
from govpool.effects.kube import Json, Kube, KubeError

log = logging.getLogger(__name__)
MOST = 20_000
"""Entries of a channel: about 700 KiB of the 1 MiB that an object may have."""
KEPT = timedelta(days=30)
"""How long it is remembered that something was told that is no longer true: it may come back meanwhile."""
TRIES = 5


class Mark(StrEnum):
    """What became of a message."""

    SENDING = "s"
    """It is going out; whoever finds this after a restart does not know whether it did."""
    TOLD = "t"


def digest(key: str) -> str:
    """What stands for a telling in the ledger, and is its id for receivers."""
    return hashlib.sha256(key.encode()).hexdigest()[:24]


class Ledger:
    """The entries of one channel. Operators that lead write them: one, or one for each shard."""

    def __init__(
        self, kube: Kube, channel: str, now: Callable[[], datetime], *, forgets: bool = True
    ) -> None:
        """``forgets``: whether what is no longer true here is true nowhere else either."""
        self._kube, self._now, self._forgets = kube, now, forgets
        self.name = f"notifications-{channel}"
        self._document: Json | None = None
        self._entries: dict[str, str] = {}
        self._read = False

    async def load(self) -> frozenset[str]:
        """Read it anew; the digests of what was going out when whoever wrote it last ended.

        Raises:
            KubeError: the API server did not answer.
        """
        self._document = await self._kube.core_get("configmaps", secrets.NAMESPACE, self.name)
        self._entries = dict(cast("dict[str, str]", (self._document or {}).get("data") or {}))
        self._read = True
        return frozenset(key for key, entry in self._entries.items() if entry.startswith(Mark.SENDING))

    def knows(self, key: str) -> bool:
        """Whether it was told, or is going out."""
        return key in self._entries

    async def write(
        self,
        *,
        sending: Iterable[str] = (),
        told: Iterable[str] = (),
        dropped: Iterable[str] = (),
        current: Collection[str] = (),
    ) -> None:
        """Put on record what goes out, what went out, and what did not after all. ``current`` is what is
        still true; the rest is forgotten in time.

        Raises:
            KubeError: it is not on record.
        """
        at = f"{int(self._now().timestamp()):x}"
        changes = dict.fromkeys(sending, f"{Mark.SENDING}{at}") | dict.fromkeys(told, f"{Mark.TOLD}{at}")
        gone = frozenset(dropped)
        for _ in range(TRIES):
            entries = {key: entry for key, entry in self._entries.items() if key not in gone} | changes
            entries = self._forgetting(entries, current)
            try:
                self._document = await self._store(entries)
            except KubeError as error:
                if not (error.conflict or error.exists or error.absent):
                    raise
                # Written by somebody else, or removed: what is there counts, and ours on top of it.
                await self.load()
                continue
            self._entries = entries
            return
        raise KubeError(409, "Conflict", f"{self.name} is written by somebody all the time")

    def _forgetting(self, entries: dict[str, str], current: Collection[str]) -> dict[str, str]:
        since = self._now() - KEPT
        kept = entries
        if self._forgets:
            kept = {key: entry for key, entry in entries.items() if key in current or _at(entry) > since}
        if len(kept) <= MOST:
            return kept
        log.warning("%s holds more than %d entries: the oldest are forgotten", self.name, MOST)
        order = sorted(kept, key=lambda key: (key in current, _at(kept[key])))
        return {key: kept[key] for key in order[len(kept) - MOST :]}

    async def _store(self, entries: dict[str, str]) -> Json:
        metadata: Json = {
            "name": self.name,
            "namespace": secrets.NAMESPACE,
            "labels": {"app.kubernetes.io/managed-by": "govpool"},
        }
        body = cast(Json, {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": entries})
        if self._document is None:
            return await self._kube.core_create("configmaps", secrets.NAMESPACE, body)
        known = cast("dict[str, str]", self._document["metadata"])
        metadata["resourceVersion"] = known["resourceVersion"]
        return await self._kube.core_replace("configmaps", secrets.NAMESPACE, self.name, body)


def _at(entry: str) -> datetime:
    try:
        return datetime.fromtimestamp(int(entry[1:], 16), UTC)
    except ValueError:
        return datetime.fromtimestamp(0, UTC)
