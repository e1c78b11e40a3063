"""Kubernetes Events as a channel: told on the object itself, for ``kubectl events``."""

from __future__ import annotations

from govpool.effects import events
from govpool.effects.clock import Clock
from govpool.effects.kube import Kube, KubeError
from govpool.effects.notify.channel import FailedError, Item
from govpool.lifecycle.tellings import Topic

CALM = (Topic.DUE, Topic.ORDER)
"""What is no warning."""


class Events:
    """One Event for each thing."""

    bundle = 1
    pause = 0.0

    def __init__(self, kube: Kube, clock: Clock) -> None:
        self._kube, self._clock = kube, clock

    async def close(self) -> None:
        """Nothing is kept open."""

    async def send(self, items: tuple[Item, ...]) -> None:
        """See :class:`Channel`."""
        (item,) = items
        topic = item.telling.topic
        note = "\n".join((item.title, *item.lines))
        try:
            await events.write(
                self._kube,
                item.telling.about,
                f"Told{topic.value}",
                note,
                warning=topic not in CALM,
                now=self._clock.now(),
            )
        except KubeError as error:
            if error.passing:
                raise FailedError(str(error)) from None
            raise
