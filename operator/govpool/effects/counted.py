"""A provider whose calls are counted and timed; it is the same in everything else."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import cast

from govpool.effects import metrics
from govpool_providers.base import Provider


class _Counted:
    """Passes every call on. The contract's methods, and nothing else, are what a provider is called by."""

    def __init__(self, pool: str, provider: Provider) -> None:
        self._pool, self._provider = pool, provider

    def __getattr__(self, name: str) -> object:
        found = getattr(self._provider, name)
        if not callable(found) or name.startswith("_"):
            return found
        call = cast("Callable[..., object]", found)

        @functools.wraps(call)
        def timed(*args: object, **kwargs: object) -> object:
            return metrics.timed_call(self._pool, name, lambda: call(*args, **kwargs))

        return timed


def counted(pool: str, provider: Provider) -> Provider:
    """The provider, with its calls counted under the pool's name."""
    return cast(Provider, _Counted(pool, provider))
