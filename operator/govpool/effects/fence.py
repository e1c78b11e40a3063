"""The fence: nothing goes out unless this operator still leads, asked right before it does."""

from __future__ import annotations

import math
import time
from collections.abc import Callable

import aiohttp

from govpool.effects.kube_errors import NOT_LEADER, KubeError
from govpool_providers.errors import ErrorCode, ProviderError

READING = frozenset({"GET", "HEAD", "OPTIONS"})


def boottime() -> float:
    """Seconds since the machine started, the time that it slept included; never goes back.

    The ordinary monotonic clock stands still while the machine sleeps, and a lease does not.
    """
    return time.clock_gettime(time.CLOCK_BOOTTIME)


class NotLeaderError(KubeError):
    """This operator does not lead now: nothing was sent. It may lead again later, or another does."""

    def __init__(self, why: str) -> None:
        super().__init__(0, NOT_LEADER, f"not done: {why}")

    def __str__(self) -> str:
        return self.message


class Fence:
    """Says until when this operator may act. May be asked from any thread."""

    def __init__(self, clock: Callable[[], float] = boottime) -> None:
        self._clock = clock
        self._until = -math.inf
        self._shut = ""
        self._term = ("", 0)

    def hold(self, until: float, lease: str, term: int) -> None:
        """The lead is held until a time of the fence's clock. A fence that was shut stays shut."""
        self._term = (lease, term)
        self._until = until

    def shut(self, why: str) -> None:
        """The lead is lost for good."""
        self._shut = self._shut or why

    @property
    def term(self) -> tuple[str, int]:
        """UID of the Lease and its number of changes of hands: a later leader's is greater."""
        return self._term

    @property
    def left(self) -> float:
        """Seconds for which it is open from now; none when it is shut."""
        return 0.0 if self._shut else max(self._until - self._clock(), 0.0)

    def check(self) -> None:
        """Return if this operator leads at this moment.

        Raises:
            NotLeaderError: it does not, or it can't tell.
        """
        if self._shut:
            raise NotLeaderError(self._shut)
        late = self._clock() - self._until
        if late >= 0:
            raise NotLeaderError("the lease could not be renewed in time")


class PoolFence:
    """The fence as providers see it: it answers with their own errors."""

    def __init__(self, fence: Fence) -> None:
        self._fence = fence

    @property
    def term(self) -> tuple[str, int]:
        """See :attr:`Fence.term`."""
        return self._fence.term

    def check(self) -> None:
        """See :meth:`Fence.check`.

        Raises:
            ProviderError: Conflict, when this operator does not lead.
        """
        try:
            self._fence.check()
        except NotLeaderError as error:
            raise ProviderError(ErrorCode.CONFLICT, error.message) from None


def fenced(fence: Fence) -> aiohttp.TraceConfig:
    """Has every request that may change something ask the fence when its bytes are about to be written: it
    may have waited for a connection, or the process may have been frozen, since it was decided.

    aiohttp tells of headers and of each piece of a body just before it writes them.
    """
    trace = aiohttp.TraceConfig()

    async def about_to_write(
        _session: aiohttp.ClientSession,
        _context: object,
        params: aiohttp.TraceRequestHeadersSentParams | aiohttp.TraceRequestChunkSentParams,
    ) -> None:
        if params.method not in READING:
            fence.check()

    trace.on_request_headers_sent.append(about_to_write)
    trace.on_request_chunk_sent.append(about_to_write)
    return trace
