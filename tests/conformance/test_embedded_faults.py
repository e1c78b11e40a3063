"""Embedded only: the faults that tests may order happen as ordered, and only then."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from govpool.standalone.faults import Fault, FaultKind, FaultRequest
from govpool.standalone.server import ControlPlane

from .conftest import Api, connect

MAPS = "/api/v1/namespaces/default/configmaps"


class Orders:
    """Hands out ordered faults, one per matching write."""

    def __init__(self) -> None:
        self.waiting: list[Fault] = []
        self.seen: list[FaultRequest] = []

    def __call__(self, request: FaultRequest) -> Fault | None:
        self.seen.append(request)
        if request.resource == "configmaps" and request.verb in ("create", "list") and self.waiting:
            return self.waiting.pop(0)
        return None


@pytest.fixture
def orders() -> Orders:
    return Orders()


@pytest.fixture
async def api(tmp_path: Path, orders: Orders) -> AsyncIterator[Api]:
    plane = ControlPlane(tmp_path / "state", tls=False, faults=orders)
    async with plane, connect(plane.kubeconfig("admin")) as client:
        assert plane.url.startswith("http://127.0.0.1:")
        yield client


@pytest.mark.parametrize("code", [409, 429, 500, 503])
async def test_status(api: Api, orders: Orders, code: int) -> None:
    orders.waiting.append(Fault(FaultKind.STATUS, code, retry_after=7))
    reply = await api.post(MAPS, {"metadata": {"name": "c"}})
    assert (reply.code, reply.body["kind"]) == (code, "Status")
    assert reply.headers.get("Retry-After") == ("7" if code in (429, 503) else None)
    assert (await api.get(f"{MAPS}/c")).code == 404
    assert (await api.post(MAPS, {"metadata": {"name": "c"}})).code == 201


@pytest.mark.parametrize(("kind", "there"), [(FaultKind.DROP_BEFORE, 404), (FaultKind.DROP_AFTER, 200)])
async def test_dropped_connections(api: Api, orders: Orders, kind: FaultKind, there: int) -> None:
    orders.waiting.append(Fault(kind))
    with pytest.raises(aiohttp.ClientError):
        await api.post(MAPS, {"metadata": {"name": "c"}})
    assert (await api.get(f"{MAPS}/c")).code == there


async def test_cut_watches(api: Api, orders: Orders) -> None:
    async with api.watch(MAPS) as watch:
        orders.waiting.append(Fault(FaultKind.CUT_WATCHES))
        await api.get(MAPS)
        assert await watch.ended()


async def test_compacted_history_is_gone(api: Api, orders: Orders) -> None:
    old = (await api.post(MAPS, {"metadata": {"name": "a"}})).rv
    await api.post(MAPS, {"metadata": {"name": "b"}})
    page = (await api.get(MAPS, limit="1")).body["metadata"]["continue"]
    orders.waiting.append(Fault(FaultKind.COMPACT))
    await api.get(MAPS)
    async with api.watch(MAPS, resourceVersion=old) as watch:
        event = await watch.next()
        assert await watch.ended()
    assert event["type"] == "ERROR"
    assert (event["object"]["code"], event["object"]["reason"]) == (410, "Expired")
    assert event["object"]["message"].startswith(f"too old resource version: {old} (")
    reply = await api.get(MAPS, **{"limit": "1", "continue": page})
    assert (reply.code, reply.reason) == (410, "Expired")


async def test_hook_sees_what_is_asked(api: Api, orders: Orders) -> None:
    await api.patch(f"{MAPS}/nobody", {"data": {}})
    last = orders.seen[-1]
    assert (last.verb, last.resource, last.namespace, last.name, last.user) == (
        "patch", "configmaps", "default", "nobody", "admin",
    )  # fmt: skip
