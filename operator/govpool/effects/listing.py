"""One list of each kind: where its event stream begins, and begins again after a gap.

Kopf would list everything for itself, after the operator did, and hold each object until a task of its own
had looked at it. So it is told to ask for initial events in the stream (KEP-3157), and its session asks for
the events since the operator's own list instead. Where the server no longer has those (410 Gone), the kind is
listed anew, which also tells what was deleted meanwhile.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine, Iterable

import aiohttp

from govpool.api.base import Resource
from govpool.effects.kube import KubeError
from govpool.effects.streams import PATH

log = logging.getLogger(__name__)
INITIAL = ("sendInitialEvents", "resourceVersionMatch", "resourceVersion")
"""Query of a stream that is to begin with what there is."""


class Listing:
    """The version of each kind's last list. ``relist`` lists a kind, takes in what differs from what is
    known, and returns the list's resourceVersion; it may raise :class:`KubeError`.
    """

    def __init__(
        self,
        kinds: Iterable[type[Resource]],
        relist: Callable[[type[Resource]], Coroutine[object, object, str]],
    ) -> None:
        self._kinds = {kind.DEFINITION.plural: kind for kind in kinds}
        self._relist = relist
        self._unused: dict[str, str] = {}
        self._under_way: dict[str, asyncio.Task[str]] = {}

    def took(self, kind: type[Resource], version: str) -> None:
        """The kind was listed; its stream may follow from there."""
        self._unused[kind.DEFINITION.plural] = version

    async def since(self, plural: str) -> str:
        """From which version on a stream that knows none has to follow.

        Raises:
            KubeError: the kind had to be listed anew, and could not be.
        """
        if plural not in self._unused:
            # Whoever waits for the list may give up before it is whole; the next one goes on waiting.
            task = self._under_way.get(plural) or asyncio.create_task(self._relist(self._kinds[plural]))
            self._under_way[plural] = task
            try:
                self._unused[plural] = await asyncio.shield(task)
            finally:
                if task.done():
                    self._under_way.pop(plural, None)
        return self._unused[plural]

    def followed(self, plural: str) -> None:
        """A stream began there; one that knows no version after that has met a gap."""
        self._unused.pop(plural, None)

    async def stop(self) -> None:
        """End lists that are under way."""
        tasks = list(self._under_way.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def middleware(
        self, request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
    ) -> aiohttp.ClientResponse:
        """Of the session that streams: a stream that asks for what there is gets what came after the list.

        Raises:
            aiohttp.ClientConnectionError: the kind could not be listed; the stream is asked for again.
        """
        found = PATH.match(request.url.path)
        plural = found[1] if found else ""
        if plural not in self._kinds or INITIAL[0] not in request.url.query:
            return await handler(request)
        try:
            version = await self.since(plural)
        except KubeError as error:
            log.info("%s are listed later: %s", plural, error)
            raise aiohttp.ClientConnectionError(str(error)) from error
        rest = [(name, value) for name, value in request.url.query.items() if name not in INITIAL]
        request.url = request.url.with_query([*rest, ("resourceVersion", version)])
        response = await handler(request)
        if response.status == 200:
            self.followed(plural)
        return response
