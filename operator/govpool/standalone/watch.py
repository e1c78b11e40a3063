"""Watches: recent changes per resource in memory, fanned out as bytes that are rendered once."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable

from .errors import expired
from .objects import Obj
from .selectors import Selector
from .storage import Change, Store, Stored

HISTORY = 8192
"""Changes kept per resource for watches that start in the past."""
BACKLOG = 16384
"""Events a watcher may lag behind before it is cut off; it then lists again."""
Reader = Callable[[Obj, str], str]


class Recent:
    """A change in the history, with what was rendered of it so far."""

    __slots__ = ("_objects", "change", "rendered")

    def __init__(self, change: Change) -> None:
        self.change = change
        self.rendered: dict[tuple[str, str], bytes] = {}
        self._objects: dict[bool, Obj] = {}

    def object(self, *, before: bool = False) -> Obj:
        """Return the object after, or before, the change, parsed once."""
        if before not in self._objects:
            source = self.change.old if before and self.change.old else self.change.new
            self._objects[before] = source.load()
        return self._objects[before]

    def bytes(self, key: tuple[str, str], make: Callable[[], bytes]) -> bytes:
        """Return one rendering of the event, made at most once."""
        found = self.rendered.get(key)
        if found is None:
            found = self.rendered[key] = make()
        return found


class Watcher:
    """One open watch: what it selects, and events waiting to be sent."""

    def __init__(self, namespace: str, selector: Selector, read: Reader) -> None:
        self.namespace = namespace
        self.selector = selector
        self._read = read
        self.pending: deque[tuple[str, Recent]] = deque()
        self.wake = asyncio.Event()
        self.closed = False

    def offer(self, recent: Recent) -> None:
        """Queue the change if it concerns this watch, as ADDED, MODIFIED or DELETED from its point of
        view."""
        kind = self._kind(recent)
        if kind is None:
            return
        if len(self.pending) >= BACKLOG:
            self.close()
            return
        self.pending.append((kind, recent))
        self.wake.set()

    def close(self) -> None:
        """End the watch."""
        self.closed = True
        self.wake.set()

    def selects(self, stored: Stored, load: Callable[[], Obj]) -> bool:
        """Tell whether an object is in scope."""
        if self.namespace and stored.key.namespace != self.namespace:
            return False
        return not self.selector or self.selector.matches(
            stored.labels, lambda path: self._read(load(), path)
        )

    def _kind(self, recent: Recent) -> str | None:
        change = recent.change
        if self.namespace and change.new.key.namespace != self.namespace:
            return None
        if not self.selector:
            return "DELETED" if change.deleted else "ADDED" if change.old is None else "MODIFIED"
        old = change.old
        was = old is not None and self.selects(old, lambda: recent.object(before=True))
        now = not change.deleted and self.selects(change.new, recent.object)
        return {(True, True): "MODIFIED", (False, True): "ADDED", (True, False): "DELETED"}.get((was, now))


class Hub:
    """History and watchers of all resources."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._history: dict[str, deque[Recent]] = {}
        self._watchers: dict[str, set[Watcher]] = {}
        self._oldest: dict[str, int] = {}
        self._start = store.committed_rv
        store.subscribe(self._on_change)

    def _on_change(self, change: Change) -> None:
        storage = change.new.key.storage
        recent = Recent(change)
        history = self._history.setdefault(storage, deque())
        history.append(recent)
        if len(history) > HISTORY:
            self._oldest[storage] = history.popleft().change.new.rv
        for watcher in tuple(self._watchers.get(storage, ())):
            watcher.offer(recent)

    def subscribe(self, storage: str, watcher: Watcher, since: int | None) -> None:
        """Attach a watcher; with `since`, changes after that version come first. Raises 410 when too old."""
        if since is not None:
            oldest = self._oldest.get(storage, self._start)
            if since < oldest:
                raise expired(f"too old resource version: {since} ({oldest})")
            for recent in self._history.get(storage, ()):
                if recent.change.new.rv > since:
                    watcher.offer(recent)
        self._watchers.setdefault(storage, set()).add(watcher)

    def unsubscribe(self, storage: str, watcher: Watcher) -> None:
        """Detach a watcher."""
        self._watchers.get(storage, set()).discard(watcher)

    def compact(self) -> None:
        """Forget all history: every watch from an older version gets 410 from now on."""
        self._history.clear()
        self._oldest = {}
        self._start = self._store.committed_rv

    def close_all(self, storage: str | None = None) -> None:
        """End all watches, or those of one resource."""
        for name, watchers in self._watchers.items():
            if storage in (None, name):
                for watcher in tuple(watchers):
                    watcher.close()
