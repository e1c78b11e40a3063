"""From CloudPools to providers: found through entry points, called in threads, a bounded number at once."""

from __future__ import annotations

import asyncio
import base64
import contextvars
from collections import defaultdict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import entry_points
from typing import TypeVar, cast

from tenacity import AsyncRetrying, retry_if_exception, stop_after_attempt, wait_random_exponential

from govpool.api.cloudpool import CloudPool, SecretReference
from govpool.effects.counted import counted
from govpool.effects.fence import Fence, PoolFence
from govpool.effects.kube import Kube, KubeError
from govpool.effects.kube_errors import advice
from govpool_providers.base import PoolConnection, Provider, ProviderFactory
from govpool_providers.errors import ErrorCode, ProviderError

T = TypeVar("T")
IN_FLIGHT = 8
"""Calls to one pool at once; more would only queue in the pool."""
GROUP = "govpool.providers"
INSISTENCE = 5
"""Tries of one call within a run."""


def may_pass(error: BaseException) -> bool:
    """Whether the same call may work a moment later."""
    return isinstance(error, ProviderError) and error.code in (
        ErrorCode.RETRYABLE,
        ErrorCode.CONFLICT,
        ErrorCode.UNREACHABLE,
    )


class Pool:
    """One pool's provider, called without blocking the event loop."""

    def __init__(
        self,
        name: str,
        provider: Provider,
        fence: Fence | None = None,
        connection: PoolConnection | None = None,
    ) -> None:
        self.name = name
        self.connection = connection or PoolConnection(name, {})
        """What the provider was opened with."""
        self.provider = provider
        self._fence = fence
        # Threads of its own: a pool that does not answer must not take those of the others.
        self._threads = ThreadPoolExecutor(IN_FLIGHT, thread_name_prefix=f"pool-{name}")

    async def call(self, function: Callable[[], T]) -> T:
        """Run a provider call in a thread. A call that has begun is waited for even when cancelled: a thread
        can't be ended, and nobody may meet its effect afterwards.

        Raises:
            ProviderError: whatever goes wrong; what no provider should raise counts as Retryable.
            NotLeaderError: this operator does not lead any more, and nothing was begun.
        """

        def guarded() -> T:
            # Here, not before: the call may have waited for a thread, or the process have been frozen.
            if self._fence is not None:
                self._fence.check()
            return function()

        # The log lines of the call tell what it is for, too.
        work = self._threads.submit(contextvars.copy_context().run, guarded)
        call = asyncio.wrap_future(work)
        try:
            return await asyncio.shield(call)
        except asyncio.CancelledError:
            if not work.cancel():
                await asyncio.wait({call})
                if not call.cancelled():
                    call.exception()  # looked at, so that it is not told as forgotten
            raise
        except OSError as error:
            raise ProviderError(ErrorCode.RETRYABLE, f"{type(error).__name__}: {error}") from error

    async def insist(self, function: Callable[[], T]) -> T:
        """Like :meth:`call`, and once more a few times when that may help: a run of many calls would else
        hardly ever come to its end in a pool of which each call fails now and then.

        Raises:
            ProviderError: as :meth:`call`.
        """
        tries = AsyncRetrying(
            retry=retry_if_exception(may_pass),
            stop=stop_after_attempt(INSISTENCE),
            wait=wait_random_exponential(multiplier=0.2, max=5),
            reraise=True,
        )
        result: T = await tries(self.call, function)
        return result


class Pools:
    """Providers by pool; opened anew when the pool's connection changes."""

    def __init__(self, kube: Kube, fence: Fence | None = None) -> None:
        self._kube = kube
        self._fence = fence
        self._open: dict[str, tuple[str, Pool]] = {}
        self._opening: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    async def of(self, pool: CloudPool) -> Pool:
        """The pool's provider.

        Raises:
            ProviderError: Invalid when there is no such provider or its settings are no good, Unauthorised
                when the Secret is missing or may not be read.
            KubeError: the API server did not answer.
        """
        async with self._opening[pool.metadata.name]:
            connection = pool.spec.connection
            secret, version = await self._secret(connection.secret_ref)
            mark = f"{connection.model_dump_json()}/{version}"
            known = self._open.get(pool.metadata.name)
            if known is not None and known[0] == mark:
                return known[1]
            settings = {**connection.settings, **({"cloud": connection.cloud} if connection.cloud else {})}
            fence = PoolFence(self._fence) if self._fence is not None else None
            given = PoolConnection(pool.metadata.name, settings, secret, fence)
            opened = factory(connection.provider)(given)
            result = Pool(pool.metadata.name, counted(pool.metadata.name, opened), self._fence, given)
            self._open[pool.metadata.name] = (mark, result)
            return result

    async def _secret(self, reference: SecretReference | None) -> tuple[dict[str, str], str]:
        if reference is None:
            return {}, ""
        try:
            document = await self._kube.core_get("secrets", reference.namespace, reference.name)
        except KubeError as error:
            if error.status != 403:
                raise
            raise ProviderError(ErrorCode.UNAUTHORISED, f"{error.message}: {advice(error)}") from None
        if document is None:
            raise ProviderError(
                ErrorCode.UNAUTHORISED,
                f"Secret {reference.namespace}/{reference.name} is missing: put the pool's credentials there",
            )
        data = cast(dict[str, str], document.get("data") or {})
        metadata = cast(dict[str, str], document["metadata"])
        values = {key: base64.b64decode(value).decode() for key, value in data.items()}
        return values, metadata["resourceVersion"]


def factory(name: str) -> ProviderFactory:
    """The provider that an entry point of the group ``govpool.providers`` names.

    Raises:
        ProviderError: Invalid when none does.
    """
    for entry in entry_points(group=GROUP):
        if entry.name == name:
            try:
                return cast(ProviderFactory, entry.load())
            except ImportError as error:
                raise ProviderError(
                    ErrorCode.INVALID, f"provider {name!r} is not installed whole: {error}"
                ) from error
    known = ", ".join(sorted(entry.name for entry in entry_points(group=GROUP)))
    raise ProviderError(ErrorCode.INVALID, f"no provider is called {name!r}: use one of {known}")
