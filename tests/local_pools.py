"""Local pools for tests: each with a bridge, a subnet and a folder of its own; nothing is left of it."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from govpool_providers.base import PoolConnection
from govpool_providers.local import leftovers, purge
from tests.contract.contract_pools import free_settings


@contextmanager
def local_pool(name: str, number: int) -> Iterator[PoolConnection]:
    """A pool in a folder that pytest never rotates away under a machine that still runs.

    ``number`` keeps the pools of one process apart. Whatever a test does, nothing of the pool is left.
    """
    home = Path(tempfile.mkdtemp(prefix=f"govpool-{name}-", dir="/var/tmp"))
    connection = PoolConnection(name, free_settings(home / "pool", number))
    try:
        yield connection
    finally:
        purge(connection)
        assert leftovers(connection) == []
        home.rmdir()
