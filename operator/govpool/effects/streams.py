"""Whether the event streams move. A stream that silently stands still would leave every decision as it is."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterable
from types import SimpleNamespace

import aiohttp

from govpool.api.base import Resource

SILENT_AFTER = 720.0
"""Seconds: a stream is ended by the server after 600, and opened anew."""
OWED_AFTER = 120.0
"""Seconds that a write may take to come back on its stream."""
PATH = re.compile(r"^/apis/[^/]+/[^/]+/(?:namespaces/[^/]+/)?([a-z]+)$")
"""Of a list or a stream; the kind's plural is its group."""


class Streams:
    """One event stream for each kind: when it was last heard of, and which write it owes.

    A write whose answer was seen must come back as an event of at least its resourceVersion. Times are
    monotonic seconds.
    """

    def __init__(self, kinds: Iterable[type[Resource]], clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._kind_of = {kind.DEFINITION.plural: kind.DEFINITION.kind for kind in kinds}
        self._heard: dict[str, float] = {}
        self._newest: dict[str, int] = {}
        self._owed: dict[str, tuple[int, float]] = {}

    def begin(self) -> None:
        """From now on every stream is expected to move."""
        now = self._clock()
        self._heard = dict.fromkeys(self._kind_of.values(), now)
        self._owed = {}

    def opened(self, plural: str) -> None:
        """The server took the watch."""
        if (kind := self._kind_of.get(plural)) is not None:
            self._heard[kind] = self._clock()

    def event(self, kind: str, version: str) -> None:
        """An event came."""
        self._heard[kind] = self._clock()
        newest = max(int(version) if version.isdigit() else 0, self._newest.get(kind, 0))
        self._newest[kind] = newest
        owed = self._owed.get(kind)
        if owed is not None and owed[0] <= newest:
            del self._owed[kind]

    def wrote(self, resource: Resource) -> None:
        """The server has this version; its event is owed. The oldest that is owed stands for all after it."""
        kind, version = resource.DEFINITION.kind, resource.metadata.resource_version
        if kind not in self._heard or not version.isdigit() or kind in self._owed:
            return
        if int(version) > self._newest.get(kind, 0):
            self._owed[kind] = (int(version), self._clock())

    def silence(self) -> dict[str, float]:
        """For each kind: seconds since its stream was heard of."""
        now = self._clock()
        return {kind: now - at for kind, at in self._heard.copy().items()}

    def owed(self) -> dict[str, float]:
        """For each kind: seconds since the oldest write that did not come back; 0 when none is owed."""
        now, owed = self._clock(), self._owed.copy()
        return {kind: now - owed[kind][1] if kind in owed else 0.0 for kind in self._heard.copy()}

    def still(self) -> dict[str, str]:
        """The kinds whose streams stand still, and how that shows."""
        found = {
            kind: f"not heard of for {seconds:.0f} s"
            for kind, seconds in self.silence().items()
            if seconds > SILENT_AFTER
        }
        for kind, seconds in self.owed().items():
            if seconds > OWED_AFTER:
                found.setdefault(kind, f"a write has not come back for {seconds:.0f} s")
        return found

    def tracing(self) -> aiohttp.TraceConfig:
        """Tells of every watch that the server took."""
        trace = aiohttp.TraceConfig()

        async def ended(
            _: aiohttp.ClientSession, __: SimpleNamespace, end: aiohttp.TraceRequestEndParams
        ) -> None:
            found = PATH.match(end.url.path)
            if found and end.url.query.get("watch") and end.response.status == 200:
                self.opened(found[1])

        trace.on_request_end.append(ended)
        return trace
