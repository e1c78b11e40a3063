"""From CloudPools to providers: found through entry points, called in threads, a bounded number at once."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Callable
from importlib.metadata import entry_points
from typing import TypeVar, cast

from govpool.api.cloudpool import CloudPool, SecretReference
from govpool.effects.kube import Kube
from govpool_providers.base import PoolConnection, Provider, ProviderFactory
from govpool_providers.errors import ErrorCode, ProviderError

T = TypeVar("T")
IN_FLIGHT = 8
"""Calls to one pool at once; more would only queue in the pool."""
GROUP = "govpool.providers"


class Pool:
    """One pool's provider, called without blocking the event loop."""

    def __init__(self, name: str, provider: Provider) -> None:
        self.name = name
        self.provider = provider
        self._slots = asyncio.Semaphore(IN_FLIGHT)

    async def call(self, function: Callable[[], T]) -> T:
        """Run a provider call in a thread.

        Raises:
            ProviderError: whatever goes wrong; what no provider should raise counts as Retryable.
        """
        async with self._slots:
            try:
                return await asyncio.to_thread(function)
            except ProviderError:
                raise
            except OSError as error:
                raise ProviderError(ErrorCode.RETRYABLE, f"{type(error).__name__}: {error}") from error


class Pools:
    """Providers by pool; opened anew when the pool's connection changes."""

    def __init__(self, kube: Kube) -> None:
        self._kube = kube
        self._open: dict[str, tuple[str, Pool]] = {}
        self._opening = asyncio.Lock()

    async def of(self, pool: CloudPool) -> Pool:
        """The pool's provider.

        Raises:
            ProviderError: Invalid when there is no such provider, Unauthorised when the Secret is missing.
            KubeError: the Secret can't be read.
        """
        async with self._opening:
            connection = pool.spec.connection
            secret, version = await self._secret(connection.secret_ref)
            mark = f"{connection.model_dump_json()}/{version}"
            known = self._open.get(pool.metadata.name)
            if known is not None and known[0] == mark:
                return known[1]
            settings = {**connection.settings, **({"cloud": connection.cloud} if connection.cloud else {})}
            opened = factory(connection.provider)(PoolConnection(pool.metadata.name, settings, secret))
            result = Pool(pool.metadata.name, opened)
            self._open[pool.metadata.name] = (mark, result)
            return result

    async def _secret(self, reference: SecretReference | None) -> tuple[dict[str, str], str]:
        if reference is None:
            return {}, ""
        document = await self._kube.core_get("secrets", reference.namespace, reference.name)
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
            return cast(ProviderFactory, entry.load())
    known = ", ".join(sorted(entry.name for entry in entry_points(group=GROUP)))
    raise ProviderError(ErrorCode.INVALID, f"no provider is called {name!r}: use one of {known}")
