"""A control plane with the operator's namespace, and what notifiers stand on."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tenacity import wait_none

from govpool.effects.kube import Kube
from govpool.effects.notify import notifier as notifier_module
from govpool.effects.notify import outbox
from govpool.effects.secrets import NAMESPACE, once
from govpool.standalone.server import ControlPlane
from tests.functional.observability.notified import KEY, UNIT, Town
from tests.functional.observability.receivers import Receiver, receiver


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """What waits for people's patience elsewhere does not here."""
    monkeypatch.setattr(notifier_module, "SETTLE", 0.0)
    monkeypatch.setattr(outbox, "_BACKOFF", wait_none())
    monkeypatch.setattr(outbox, "FIRST_REST", 0.01)
    monkeypatch.setattr(outbox, "LONGEST_REST", 0.05)


@pytest.fixture
async def kube(tmp_path: Path) -> AsyncIterator[Kube]:
    """A connection with the operator's rights."""
    async with ControlPlane(tmp_path / "plane", tls=False) as plane:
        admin = await Kube.connect(plane.kubeconfig("admin"))
        for name in (NAMESPACE, UNIT):
            await admin.ensure_namespace(name)
        await admin.close()
        connection = await Kube.connect(plane.kubeconfig("operator"))
        yield connection
        await connection.close()


@pytest.fixture
async def town(kube: Kube) -> Town:
    await once(kube, "hook", lambda: {"secret": KEY, "url": "unused"})
    return Town(kube)


@pytest.fixture
async def hook() -> AsyncIterator[Receiver]:
    async with receiver() as made:
        yield made
