"""Looks at the cloud that callers share: who asks while a look is under way gets the next one, together."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future
from typing import Generic, TypeVar

K = TypeVar("K")
V = TypeVar("V")

GATHERING = 0.05
"""Seconds that a poll waits for others that wake at the same beat."""


class Shared(Generic[K, V]):
    """One kind of look. What it returns was asked of the cloud after the caller asked, never before.

    So a caller that has just changed something sees what its own request would have shown it, and there is
    nothing that could grow stale. ``fetch`` gets all keys that are wanted at the moment and returns what it
    found of them; what it raises, each of its callers gets. One fetch is under way at a time.
    """

    def __init__(
        self, fetch: Callable[[frozenset[K]], Mapping[K, V]], sleep: Callable[[float], None]
    ) -> None:
        self._fetch = fetch
        self._sleep = sleep
        self._lock = threading.Lock()
        self._turn = threading.Lock()
        self._next: _Look[K, V] | None = None

    def ask(self, *keys: K, gather: bool = False) -> Mapping[K, V]:
        """What there is of these keys, maybe of more; ``gather`` waits a moment for others first."""
        while True:
            look, leads = self._join(keys)
            if leads:
                return self._lead(look, gather=gather)
            found = look.outcome.result()
            if found is not None:
                return found

    def _join(self, keys: Iterable[K]) -> tuple[_Look[K, V], bool]:
        with self._lock:
            leads = self._next is None
            look = self._next = self._next or _Look()
            look.keys.update(keys)
        return look, leads

    def _lead(self, look: _Look[K, V], *, gather: bool) -> Mapping[K, V]:
        try:
            if gather:
                self._sleep(GATHERING)
            with self._turn:
                found = self._fetch(self._closed(look))
        except BaseException as error:
            self._closed(look)
            if isinstance(error, Exception):
                look.outcome.set_exception(error)
            else:  # this caller ends; the others ask anew
                look.outcome.set_result(None)
            raise
        look.outcome.set_result(found)
        return found

    def _closed(self, look: _Look[K, V]) -> frozenset[K]:
        """From here on nobody joins this look."""
        with self._lock:
            if self._next is look:
                self._next = None
            return frozenset(look.keys)


class _Look(Generic[K, V]):
    """A look that has not begun yet, or what came of it: None when its caller ended."""

    def __init__(self) -> None:
        self.keys: set[K] = set()
        self.outcome: Future[Mapping[K, V] | None] = Future()
