"""The ground check: tried for real, beside others of its kind, and it never raises."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from govpool_providers.base import PoolConnection
from govpool_providers.errors import ErrorCode, ProviderError
from govpool_providers.local import storage
from govpool_providers.local.ground import check

CODE = """
import sys
from govpool_providers.base import PoolConnection
from govpool_providers.local.ground import check
tried = ("loop devices", "overlayfs", "bridge", "scratch folder")
found = check(PoolConnection("doctor", {"state": sys.argv[1]}))
sys.exit("; ".join(f"{f.name}: {f.found}" for f in found if f.name in tried and not f.ok) or 0)
"""


@pytest.fixture
def connection(tmp_path: Path) -> PoolConnection:
    return PoolConnection("doctor", {"state": str(tmp_path)})


@pytest.mark.root
def test_several_at_once_find_the_same_and_leave_nothing(tmp_path: Path, host_ready: None) -> None:
    argv = [sys.executable, "-c", CODE, str(tmp_path)]
    at_once = [subprocess.Popen(argv, stderr=subprocess.PIPE, text=True) for _ in range(4)]
    told = [process.communicate(timeout=120)[1] for process in at_once]
    assert told == [""] * 4
    assert [process.returncode for process in at_once] == [0] * 4
    assert list(tmp_path.iterdir()) == []
    assert storage.loops_under(tmp_path) == []


@pytest.mark.root
def test_a_folder_that_does_not_go_is_a_finding_and_no_lack(
    connection: PoolConnection, monkeypatch: pytest.MonkeyPatch, host_ready: None
) -> None:
    drop = storage.drop_loop

    def late(device: str, *, sleep: Callable[[float], None]) -> None:
        drop(device, sleep=sleep)
        raise ProviderError(ErrorCode.RETRYABLE, f"{device} is still in use")

    monkeypatch.setattr(storage, "drop_loop", late)
    found = {finding.name: finding for finding in check(connection)}
    assert found["loop devices"].ok and found["overlayfs"].ok
    assert not found["scratch folder"].ok and not found["scratch folder"].needed
    assert "still in use" in found["scratch folder"].found


def test_without_root_nothing_else_is_tried(
    connection: PoolConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    found = {finding.name: finding for finding in check(connection)}
    assert not found["root"].ok and found["root"].remedy
    assert "loop devices" not in found
