"""A request and its unit, and operators that tell people of it."""

from __future__ import annotations

import asyncio
import base64
import contextlib
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import yaml

from govpool.api.cloudpolicy import Stage
from govpool.api.cloudresourcerequest import CloudResourceRequest, CloudResourceRequestStatus, Deadline
from govpool.api.policy_roles import Role
from govpool.api.tenantquota import TenantQuota
from govpool.effects.clock import SystemClock
from govpool.effects.kube import Kube
from govpool.effects.notify.config import NotifyConfig
from govpool.effects.notify.notifier import Notifier
from govpool.effects.secrets import NAMESPACE
from govpool.effects.store import Store

ROOT = Path(__file__).parents[3]
UNIT = "heshan-data-bureau"
NOW = datetime(2026, 11, 23, 1, 0, tzinfo=UTC)
KEY = "whsec_" + base64.b64encode(b"the secret of the hook, 32 bytes").decode()


class Town:
    """A request and its unit, as an operator's store holds them; each notifier is an operator's."""

    def __init__(self, kube: Kube) -> None:
        self.kube, self.store = kube, Store()
        self.version = 1
        unit = next(d for d in documents("examples/02-unit.yaml") if d["kind"] == "TenantQuota")
        unit["metadata"] |= {"uid": "unit", "resourceVersion": "1"}
        self.store.put(TenantQuota.model_validate(unit))

    def put(self, *due: Deadline, name: str = "doc-approval") -> CloudResourceRequest:
        (document,) = documents("examples/03-request.yaml")
        self.version += 1
        document["metadata"] |= {
            "name": name,
            "namespace": UNIT,
            "uid": f"uid-{name}",
            "resourceVersion": str(self.version),
        }
        made = CloudResourceRequest.model_validate(document)
        made = made.model_copy(update={"status": CloudResourceRequestStatus(deadlines=list(due))})
        assert self.store.put(made)
        return made

    @contextlib.asynccontextmanager
    async def operator(self, *channels: dict[str, Any]) -> AsyncIterator[Notifier]:
        """One operator's life; it ends as by a kill: nothing is done at the end."""
        made = Notifier(
            NotifyConfig.model_validate({"channels": channels}), self.kube, self.store, SystemClock()
        )
        for request in self.store.all(CloudResourceRequest):
            made.touched(request)
        running = asyncio.create_task(made.run())
        try:
            yield made
        finally:
            running.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await running

    async def record(self, channel: str) -> dict[str, str]:
        found = await self.kube.core_get("configmaps", NAMESPACE, f"notifications-{channel}")
        return dict(found["data"]) if found else {}  # type: ignore[arg-type]

    async def settled(self, channel: str, count: int) -> None:
        """Until so much is on record as told."""
        async with asyncio.timeout(120):
            while sum(entry.startswith("t") for entry in (await self.record(channel)).values()) < count:  # noqa: ASYNC110
                await asyncio.sleep(0.02)


def documents(name: str) -> list[dict[str, Any]]:
    return [found for found in yaml.safe_load_all((ROOT / name).read_text()) if found]


def due(who: Role = Role.REVIEWER, days: int = 3, what: str = "Review doc-approval-r1") -> Deadline:
    at = NOW + timedelta(days=days)
    return Deadline(what=what, stage=Stage.REVIEW, who=who, since=NOW, due=at, article="YY-14(2)")


async def idle(made: Notifier) -> None:
    """Until the notifier has looked at everything and has nothing left to tell."""
    async with asyncio.timeout(120):
        while made._dirty or any(box.pending for box in made.outboxes):  # noqa: ASYNC110
            await asyncio.sleep(0.01)


def webhook(url: str, **more: Any) -> dict[str, Any]:
    secret = {"secretRef": {"name": "hook", "key": "secret"}}
    return {"name": "hook", "type": "webhook", "language": "en", "url": url, "secret": secret, **more}


def wecom(tmp_path: Path, url: str, name: str = "group", **more: Any) -> dict[str, Any]:
    """The URL of a robot is its secret."""
    place = tmp_path / f"{name}-url"
    place.write_text(f"{url}/cgi-bin/webhook/send?key=robot-key-4711\n")
    return {"name": name, "type": "wecom", "urlFrom": {"file": str(place)}, **more}
