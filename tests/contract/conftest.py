"""The pools that the contract suite runs on, each new for one test and looked over for leaks after it."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from govpool_providers.base import CopyKind, Machine, PoolConnection
from govpool_providers.fixture import FixtureControl, FixtureProvider, outage
from govpool_providers.local import LocalProvider, leftovers, purge
from govpool_providers.local.ground import check
from govpool_providers.local.image import build
from govpool_providers.local.settings import LocalSettings

sys.path.insert(0, str(Path(__file__).parent))  # importlib mode puts no test folder on the path

from contract_pools import ACCESS, HOST_KEY, USER_KEY, KeyPair, Pool, free_settings, want_machine


@pytest.fixture(scope="session")
def host_ready() -> None:
    """Skip, with the reason, where this host can't run local machines."""
    lacks = [f"{finding.name}: {finding.found}" for finding in check() if not finding.ok and finding.needed]
    if lacks:
        pytest.skip("local machines can't run here: " + "; ".join(lacks))


@pytest.fixture(scope="session")
def base_image(host_ready: None) -> Path:
    """The base image, built once and kept between runs."""
    settings = LocalSettings.of(PoolConnection("contract", {}))
    return build(settings.images, "bookworm")


@contextmanager
def made_pool_home() -> Iterator[Path]:
    """A folder that pytest never rotates away under a machine that still runs."""
    home = Path(tempfile.mkdtemp(prefix="govpool-contract-", dir="/var/tmp"))
    yield home
    home.rmdir()


@contextmanager
def made_local_pool(home: Path, number: int = 0) -> Iterator[Pool]:
    """A new local pool, of which nothing is left in the end."""
    connection = PoolConnection("contract", free_settings(home / "pool", number))
    yield local_pool_on(connection)
    purge(connection)
    assert leftovers(connection) == []


@pytest.fixture
def pool_home() -> Iterator[Path]:
    """The folder that the test's local pool is in."""
    with made_pool_home() as home:
        yield home


@pytest.fixture
def local_pool(pool_home: Path, base_image: Path) -> Iterator[Pool]:
    """The test's own local pool."""
    with made_local_pool(pool_home) as pool:
        yield pool


@pytest.fixture(scope="session")
def shared_pool(base_image: Path) -> Iterator[Pool]:
    """A local pool with machine m1, for tests that change nothing there."""
    with made_pool_home() as home, made_local_pool(home, 2) as pool:
        pool.build(want_machine())
        yield pool


def local_pool_on(local_connection: PoolConnection) -> Pool:
    """A local pool as a pool under test."""
    state = Path(local_connection.settings["state"])

    def break_sight() -> None:
        for record in state.glob("*s/**/*.json"):
            record.write_text("{ torn")

    def plant_copy(disk_key: str) -> None:
        image = state / "disks" / disk_key / "disk.img"
        snapshot = image.with_name("before-upgrade.snap")
        snapshot.touch()
        os.truncate(snapshot, image.stat().st_size)

    return Pool("local", local_connection, LocalProvider, break_sight, plant_copy)


@pytest.fixture
def fixture_pool(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Pool]:
    connection = PoolConnection(request.node.name, {"state": str(tmp_path / "pool.sqlite"), "looks": "3"})
    control = FixtureControl(connection)
    yield Pool(
        "fixture",
        connection,
        FixtureProvider,
        lambda: control.set_faults(outage()),
        lambda disk_key: str(control.plant_copy(disk_key, CopyKind.SNAPSHOT)) and None,
    )
    control.forget()


@pytest.fixture(params=["fixture", pytest.param("local", marks=pytest.mark.root)])
def pool(request: pytest.FixtureRequest) -> Pool:
    """One pool of every kind."""
    made: Pool = request.getfixturevalue(f"{request.param}_pool")
    return made


@pytest.fixture
def ssh(tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run a command in a machine over SSH; the host key must be the one known beforehand."""
    key = tmp_path / "user-key"
    key.write_text(USER_KEY.private)
    key.chmod(0o600)

    def connect(
        machine: Machine, command: str, host_key: KeyPair = HOST_KEY
    ) -> subprocess.CompletedProcess[str]:
        known = tmp_path / "known-hosts"
        known.write_text(f"{machine.addresses[0]} {host_key.public}\n")
        options = {
            "UserKnownHostsFile": known,
            "StrictHostKeyChecking": "yes",
            "BatchMode": "yes",
            "IdentitiesOnly": "yes",
            "ConnectTimeout": "5",
        }
        flags = [f"-o{name}={value}" for name, value in options.items()]
        target = f"{ACCESS.user}@{machine.addresses[0]}"
        argv = ["ssh", "-F", "none", *flags, "-i", str(key), target, command]
        return subprocess.run(argv, capture_output=True, text=True, check=False, timeout=60)

    return connect
