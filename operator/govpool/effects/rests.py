"""Requests at rest: looks that can only find what the look a moment before found are left out."""

from __future__ import annotations

from datetime import datetime, timedelta

from govpool.api.cloudresourcerequest import CloudResourceRequest
from govpool.api.cloudserver import CloudServer
from govpool.api.workorder import WorkOrder
from govpool.effects.store import Key
from govpool.lifecycle.decision import Decision
from govpool.lifecycle.observation import RequestObservation
from govpool.lifecycle.rest import at_rest, same_around

A_MOMENT = timedelta(seconds=10)
"""How long an echo of our own write takes at most. What is looked at later is looked at for its own sake."""
REMEMBERED = 1024
"""How many requests are remembered; an echo comes next, or not at all."""


class Rests:
    """The last observation of each request that was left with nothing to do."""

    def __init__(self) -> None:
        self._known: dict[Key, tuple[RequestObservation, Decision, datetime]] = {}

    def forget(self) -> None:
        """Drop everything: nobody asks any more."""
        self._known.clear()

    def found(self, observation: RequestObservation) -> Decision | None:
        """What was decided when the very same was observed a moment ago; None: it has to be decided."""
        known = self._known.get(observation.request.key)
        if known is None or not same_around(known[0], observation):
            return None
        _, decision, until = known
        return decision if observation.now < until else None

    def took(
        self,
        observation: RequestObservation,
        decision: Decision,
        newest: CloudResourceRequest | None,
        orders: tuple[WorkOrder, ...],
        servers: tuple[CloudServer, ...],
    ) -> None:
        """Remember what was decided and carried out. ``newest``, ``orders`` and ``servers``: the request and
        what was made for it as they are known after it.
        """
        key = observation.request.key
        self._known.pop(key, None)
        rest = at_rest(observation, decision, newest, orders, servers) if newest is not None else None
        if rest is None:
            return
        if len(self._known) >= REMEMBERED:
            del self._known[next(iter(self._known))]
        self._known[key] = rest, Decision(look_again=decision.look_again), _until(rest, decision)


def _until(rest: RequestObservation, decision: Decision) -> datetime:
    """When it may be otherwise by itself: a clock may strike in the very moment."""
    clocks = rest.request.status.deadlines if rest.request.status else []
    times = (decision.look_again, *(clock.due for clock in clocks if not clock.overdue))
    return min([rest.now + A_MOMENT, *(time for time in times if time is not None)])
