"""One list of each kind: what streams begin with, and what is found after a gap."""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import aiohttp
import pytest
from effects_ground import Plane, operators, order_of, until
from yarl import URL

from govpool.api.base import Resource
from govpool.api.workorder import WorkOrder
from govpool.effects.kube import KubeError
from govpool.effects.listing import Listing
from govpool.effects.operator import WATCHED, Operator, Options
from govpool.handlers import events
from govpool.standalone.faults import Fault, FaultKind

ORDERS = "/apis/govpool.dev/v1alpha1/workorders"
FIRST = "watch=true&allowWatchBookmarks=true&sendInitialEvents=true&resourceVersionMatch=NotOlderThan"


class Session:
    """What a session asks for, and with which status it is answered."""

    def __init__(self, listing: Listing) -> None:
        self._listing = listing
        self.status = 200
        self.asked: list[URL] = []

    async def get(self, url: str) -> None:
        async def handler(request: Any) -> Any:
            self.asked.append(request.url)
            return SimpleNamespace(status=self.status)

        request = cast(aiohttp.ClientRequest, SimpleNamespace(url=URL(f"http://server{url}")))
        await self._listing.middleware(request, handler)


class Lists:
    """A kind that is listed anew: each list has the next version."""

    def __init__(self) -> None:
        self.made = 0
        self.broken = False
        self.may_end = asyncio.Event()
        self.may_end.set()

    async def __call__(self, kind: type[Resource]) -> str:
        self.made += 1
        await self.may_end.wait()
        if self.broken:
            raise KubeError(503, "ServiceUnavailable", "not now")
        return str(100 + self.made)


@pytest.fixture
def lists() -> Lists:
    return Lists()


@pytest.fixture
def listing(lists: Lists) -> Listing:
    made = Listing([WorkOrder], lists)
    made.took(WorkOrder, "7")
    return made


async def test_a_stream_follows_the_list_that_was_made(listing: Listing, lists: Lists) -> None:
    session = Session(listing)
    await session.get(f"{ORDERS}?{FIRST}&labelSelector=a%21%3Dtrue")
    (asked,) = session.asked
    wanted = {"watch": "true", "allowWatchBookmarks": "true", "labelSelector": "a!=true"}
    assert dict(asked.query) == {**wanted, "resourceVersion": "7"} and lists.made == 0


async def test_other_requests_are_left_as_they_are(listing: Listing, lists: Lists) -> None:
    session = Session(listing)
    paths = [
        f"{ORDERS}?watch=true&resourceVersion=9",
        f"{ORDERS}?limit=1",
        f"/apis/govpool.dev/v1alpha1/auditrecords?{FIRST}",
        f"/api/v1/namespaces?{FIRST}",
    ]
    for path in paths:
        await session.get(path)
    assert [url.path_qs for url in session.asked] == [URL(path).path_qs for path in paths]
    assert lists.made == 0


async def test_a_stream_that_was_refused_asks_from_the_same_list_again(
    listing: Listing, lists: Lists
) -> None:
    session = Session(listing)
    session.status = 503
    await session.get(f"{ORDERS}?{FIRST}")
    session.status = 200
    await session.get(f"{ORDERS}?{FIRST}")
    assert [url.query["resourceVersion"] for url in session.asked] == ["7", "7"] and lists.made == 0


async def test_after_a_gap_the_kind_is_listed_once_for_all_that_wait(listing: Listing, lists: Lists) -> None:
    session = Session(listing)
    await session.get(f"{ORDERS}?{FIRST}")
    lists.may_end.clear()
    given_up, waits = (asyncio.create_task(session.get(f"{ORDERS}?{FIRST}")) for _ in range(2))
    await until(lambda: lists.made > 0, "a list began")
    given_up.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await given_up
    lists.may_end.set()
    await asyncio.wait_for(waits, 5)
    assert lists.made == 1 and session.asked[-1].query["resourceVersion"] == "101"


async def test_a_list_that_fails_is_a_stream_that_fails(listing: Listing, lists: Lists) -> None:
    session = Session(listing)
    listing.followed("workorders")
    lists.broken = True
    with pytest.raises(aiohttp.ClientConnectionError, match="not now"):
        await session.get(f"{ORDERS}?{FIRST}")
    assert session.asked == []
    lists.broken = False
    await session.get(f"{ORDERS}?{FIRST}")
    assert lists.made == 2 and session.asked[0].query["resourceVersion"] == "102"


async def test_stopping_ends_a_list_that_is_under_way(listing: Listing, lists: Lists) -> None:
    listing.followed("workorders")
    lists.may_end.clear()
    waits = asyncio.create_task(listing.since("workorders"))
    await until(lambda: lists.made > 0, "a list began")
    await asyncio.wait_for(listing.stop(), 5)
    with pytest.raises(asyncio.CancelledError):
        await waits


# -- with Kopf and an API server -----------------------------------------------------------------
@contextlib.asynccontextmanager
async def at_work(plane: Plane, state: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Operator]:
    """An operator whose streams are all open."""
    made = operators(monkeypatch)
    stop = asyncio.Event()
    running = asyncio.create_task(events.run(Options(plane.operator_kubeconfig, state), stop=stop))
    try:
        await until(lambda: streams(plane) == {kind.DEFINITION.plural for kind in WATCHED}, "all followed")
        yield made[0]
    finally:
        stop.set()
        await asyncio.wait_for(running, 20)
    assert made[0].fault is None


def streams(plane: Plane) -> set[str]:
    return {seen.resource for seen in plane.seen if seen.verb == "watch"}


def listed(plane: Plane) -> Counter[str]:
    return Counter(seen.resource for seen in plane.seen if seen.verb == "list")


async def test_each_kind_is_listed_once_and_nothing_is_missed_between_list_and_stream(
    plane: Plane, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = await plane.admin.create(order_of())
    plane.fault = lambda r: Fault(FaultKind.STATUS, 503) if r.verb == "watch" else None
    made: list[Operator] = []
    learn = Operator._learn

    async def then_more(self: Operator) -> None:
        await learn(self)
        made.append(self)
        await plane.admin.create(order_of("later"))
        await plane.admin.delete(before)
        plane.fault = lambda _: None

    monkeypatch.setattr(Operator, "_learn", then_more)
    async with at_work(plane, tmp_path / "o", monkeypatch) as operator:
        await until(lambda: operator.store.find(order_of("later").key) is not None, "what came after")
        await until(lambda: operator.store.find(before.key) is None, "what went after")
        assert made == [operator]
        assert listed(plane) == {kind.DEFINITION.plural: 1 for kind in WATCHED}


async def test_what_was_deleted_in_a_gap_is_forgotten_and_only_that_kind_is_listed(
    plane: Plane, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone, kept = await plane.admin.create(order_of()), await plane.admin.create(order_of("kept"))
    async with at_work(plane, tmp_path / "o", monkeypatch) as operator:
        plane.fault = lambda r: Fault(FaultKind.STATUS, 503) if r.verb == "watch" else None
        plane.server.hub.close_all("workorders.govpool.dev")
        asked = len(plane.seen)
        await until(lambda: "watch" in {r.verb for r in plane.seen[asked:]}, "asked for in vain")
        await plane.admin.delete(gone)
        plane.server.hub.compact()
        plane.fault = lambda _: None
        await until(lambda: operator.store.find(gone.key) is None, "forgotten")
        assert operator.store.find(kept.key) is not None
        late = await plane.admin.create(order_of("late"))
        await until(lambda: operator.store.find(late.key) is not None, "followed again")
        assert listed(plane)["workorders"] > 1
        assert all(count == 1 for plural, count in listed(plane).items() if plural != "workorders")
