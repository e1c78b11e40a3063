"""Open watches on the wire: one JSON line per event."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable
from dataclasses import dataclass

from aiohttp import web

from . import tables
from .calls import convert, present
from .clock import Clock
from .errors import ApiError
from .objects import Obj, encode
from .requests import Accepted, ResourcePath, accepted, flag, number, resource_version
from .resources import Resource
from .rest import Rest, read_field, read_selector
from .selectors import Selector
from .storage import Store, Stored
from .watch import Hub, Recent, Watcher

_BOOKMARK_SECONDS = 30.0
_INITIAL_EVENTS = "k8s.io/initial-events-end"


def _line(kind: str, data: bytes) -> bytes:
    return b'{"type":"' + kind.encode() + b'","object":' + data + b"}\n"


@dataclass(frozen=True)
class _Form:
    """How objects are written in this stream."""

    resource: Resource
    accepted: Accepted
    clock: Clock

    @property
    def key(self) -> str:
        """Return what tells this form from others of the same event."""
        r = self.resource
        return f"{r.serial}/{self.accepted.form}/{self.accepted.include}"

    def event(self, kind: str, recent: Recent) -> bytes:
        """Return the line of an event, rendered once for all watchers of the same form."""
        return recent.bytes((kind, self.key), lambda: _line(kind, self._change(kind, recent)))

    def _change(self, kind: str, recent: Recent) -> bytes:
        change = recent.change
        gone = kind == "DELETED" and not change.deleted and change.old is not None
        if gone:
            # the object left the selection: show it as it was last seen, at the version of the change
            obj = recent.object(before=True) | {}
            obj["metadata"] = obj["metadata"] | {"resourceVersion": str(change.new.rv)}
            return self._shaped(obj)
        if not self.accepted.form:
            return present(change.new, self.resource)
        return self._shaped(recent.object())

    def existing(self, stored: Stored) -> bytes:
        """Return the line that introduces an object that was there before."""
        data = present(stored, self.resource) if not self.accepted.form else self._shaped(stored.load())
        return _line("ADDED", data)

    def _shaped(self, obj: Obj) -> bytes:
        obj = convert(dict(obj), self.resource)
        if self.accepted.form == "Table":
            metadata = {"resourceVersion": obj["metadata"]["resourceVersion"]}
            return encode(
                tables.table(self.resource, [obj], metadata, self.clock.now(), self.accepted.include)
            )
        return encode(tables.partial(obj) if self.accepted.form else obj)

    def bookmark(self, rv: int, *, initial: bool = False) -> bytes:
        """Return a BOOKMARK line."""
        metadata: Obj = {"resourceVersion": str(rv), "creationTimestamp": None}
        if initial:
            metadata["annotations"] = {_INITIAL_EVENTS: "true"}
        head: Obj = {
            "kind": self.resource.kind,
            "apiVersion": self.resource.api_version,
            "metadata": metadata,
        }
        if self.accepted.form == "Table":
            row = {"cells": [], "object": {"kind": "PartialObjectMetadata",
            "apiVersion": tables.TABLE_VERSION,
                                           "metadata": metadata}}  # fmt: skip
            table = tables.table(self.resource, [], {"resourceVersion": str(rv)}, self.clock.now())
            head = table | {"rows": [row]}
        return _line("BOOKMARK", encode(head))


class Streams:
    """Serves watches."""

    def __init__(self, store: Store, hub: Hub, rest: Rest, clock: Clock) -> None:
        self._store = store
        self._hub = hub
        self._rest = rest
        self._clock = clock

    async def watch(
        self, request: web.BaseRequest, path: ResourcePath, resource: Resource
    ) -> web.StreamResponse:
        """Stream changes until the client leaves, the time is up or the server closes."""
        form = _Form(resource, accepted(request), self._clock)
        selector = read_selector(request, resource, path.name)
        since = resource_version(request)
        timeout = number(request, "timeoutSeconds") or (1800 + secrets.randbelow(1800))
        read: Callable[[Obj, str], str] = lambda obj, field: read_field(resource, obj, field)  # noqa: E731
        watcher = Watcher(path.namespace, selector, read)
        response = web.StreamResponse(
            headers={"Content-Type": "application/json", "Cache-Control": "no-cache, private"}
        )
        response.enable_chunked_encoding()
        storage = resource.storage_key
        first = b""
        try:
            first = self._begin(request, path, form, selector, watcher, since)
        except ApiError as error:
            if error.code != 410:
                raise
            watcher.close()
            first = _line("ERROR", error.body())
        try:
            await response.prepare(request)
            if first:
                await response.write(first)
            bookmarks = flag(request, "allowWatchBookmarks")
            await self._follow(response, watcher, form, timeout, bookmarks=bookmarks)
            await response.write_eof()
        except ConnectionError:
            return response
        finally:
            self._hub.unsubscribe(storage, watcher)
        return response

    def _begin(
        self,
        request: web.BaseRequest,
        path: ResourcePath,
        form: _Form,
        selector: Selector,
        watcher: Watcher,
        since: int | None,
    ) -> bytes:
        """Attach the watcher; returns what is sent first: existing objects when no version was given."""
        storage = form.resource.storage_key
        initial = flag(request, "sendInitialEvents")
        if since and not initial:
            self._hub.subscribe(storage, watcher, since)
            return b""
        rv = self._store.committed_rv
        self._hub.subscribe(storage, watcher, None)
        if request.query.get("sendInitialEvents", "").lower() in ("false", "0"):
            return b""
        lines = [form.existing(s) for s in self._rest.select(path.namespace, form.resource, selector)]
        if initial and flag(request, "allowWatchBookmarks"):
            lines.append(form.bookmark(rv, initial=True))
        return b"".join(lines)

    async def _follow(
        self, response: web.StreamResponse, watcher: Watcher, form: _Form, seconds: int, *, bookmarks: bool
    ) -> None:
        loop = asyncio.get_running_loop()
        end = loop.time() + seconds
        while True:
            watcher.wake.clear()
            if watcher.pending:
                lines = []
                while watcher.pending:
                    lines.append(form.event(*watcher.pending.popleft()))
                await response.write(b"".join(lines))
            left = end - loop.time()
            if watcher.pending:
                continue  # what came while we wrote
            if watcher.closed or left <= 0:
                return
            try:
                # wait_for() loses a cancellation that comes in the moment in which the event is set.
                async with asyncio.timeout(min(left, _BOOKMARK_SECONDS)):
                    await watcher.wake.wait()
            except TimeoutError:
                if bookmarks:
                    await response.write(form.bookmark(self._store.committed_rv))
