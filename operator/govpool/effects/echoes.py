"""The look at a server that only our own write brought: what the pool said a moment before is enough for it.

Writing a status wakes the server that was written, and mostly there is nothing to do. Asking the pool again
would double the calls to it. Whoever does find something to do looks again before doing it, and what the pool
does by itself is seen when the server is looked at in its own time.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from govpool.api.cloudserver import CloudServer
from govpool.api.workorder import WorkOrder
from govpool.effects.store import Key
from govpool.lifecycle.actions import WriteStatus
from govpool.lifecycle.decision import Decision
from govpool.lifecycle.observation import SeenInPool, ServerObservation, Unknown

A_MOMENT = timedelta(seconds=10)
"""How long an echo of our own write takes at most."""
REMEMBERED = 1024
"""How many servers are remembered; an echo comes next, or not at all."""


class Echoes:
    """What was last observed of each server whose status was written for it, and for nothing else."""

    def __init__(self) -> None:
        self._known: dict[Key, tuple[CloudServer, ServerObservation]] = {}

    def forget(self) -> None:
        """There is reason to ask the pool: something may have happened in it."""
        self._known.clear()

    def took(self, observation: ServerObservation, decision: Decision, newest: CloudServer | None) -> None:
        """Remember what was decided on and carried out; ``newest`` is the server as it is known after it."""
        self._known.pop(observation.server.key, None)
        only_told = all(isinstance(action, WriteStatus) for action in decision.actions)
        if newest is None or newest is observation.server or not only_told:
            return
        if len(self._known) >= REMEMBERED:
            del self._known[next(iter(self._known))]
        self._known[newest.key] = newest, observation

    def seen(self, server: CloudServer, orders: Iterable[WorkOrder], now: datetime) -> SeenInPool | None:
        """What the pool said before this very version of the server was written, once; None: ask it."""
        newest, before = self._known.pop(server.key, (None, None))
        if before is None or newest is not server or now - before.now > A_MOMENT:
            return None
        if isinstance(before.seen, Unknown) or _ended(orders) != _ended(before.orders):
            return None
        return before.seen


def _ended(orders: Iterable[WorkOrder]) -> set[str]:
    """Orders of which the pool may show what came of them."""
    return {order.metadata.uid for order in orders if order.status and order.status.finished}
