"""Looks that callers share: fewer requests, and never an answer from before the question."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, cast

import pytest

from govpool_providers.base import PoolConnection
from govpool_providers.errors import ErrorCode, ProviderError
from govpool_providers.openstack import tags
from govpool_providers.openstack.client import Cloud, Service
from govpool_providers.openstack.looks import Shared
from govpool_providers.openstack.networks import Networks
from govpool_providers.openstack.servers import Servers
from govpool_providers.openstack.settings import OpenStackSettings
from govpool_providers.openstack.volumes import Volume, Volumes

PATIENCE = 30.0


class Slow:
    """A look that is under way until it is let go; each waits for its own word."""

    def __init__(self) -> None:
        self.truth = {"a": 1, "b": 1}
        self.asked: list[frozenset[str]] = []
        self._began, self._go = threading.Semaphore(0), threading.Semaphore(0)

    def fetch(self, keys: frozenset[str]) -> Mapping[str, int]:
        self.asked.append(keys)
        seen = dict(self.truth)
        self._began.release()
        assert self._go.acquire(timeout=PATIENCE)
        return seen

    def begun(self) -> None:
        assert self._began.acquire(timeout=PATIENCE)

    def go(self) -> None:
        self._go.release()


def no_sleep(_seconds: float) -> None:
    return


def waiting(shared: Shared[str, int], keys: Iterable[str]) -> None:
    """Until the next look is to be for these keys."""
    wanted, end = set(keys), threading.Event()
    for _ in range(3000):
        following = shared._next
        if following is not None and following.keys >= wanted:
            return
        end.wait(0.01)
    raise AssertionError(f"nobody waits for {wanted}")


def test_who_asks_during_a_look_gets_the_next_one_and_shares_it() -> None:
    slow = Slow()
    shared = Shared(slow.fetch, no_sleep)
    with ThreadPoolExecutor(3) as threads:
        first = threads.submit(shared.ask, "a")
        slow.begun()
        slow.truth = {"a": 2, "b": 2}  # somebody's own change, before their look
        later = [threads.submit(shared.ask, key) for key in ("a", "b")]
        waiting(shared, "ab")
        slow.go()
        slow.begun()
        slow.go()
        assert first.result(PATIENCE)["a"] == 1
        assert [one.result(PATIENCE)[key] for one, key in zip(later, "ab", strict=True)] == [2, 2]
    assert slow.asked == [frozenset("a"), frozenset("ab")]


def test_what_a_look_raises_each_of_its_callers_gets_and_the_next_look_is_a_new_one() -> None:
    failing = [True]
    slow = Slow()

    def fetch(keys: frozenset[str]) -> Mapping[str, int]:
        seen = slow.fetch(keys)
        if failing[0] and len(keys) > 1:
            raise ProviderError(ErrorCode.UNREACHABLE, "nothing answers")
        return seen

    shared = Shared(fetch, no_sleep)
    with ThreadPoolExecutor(3) as threads:
        threads.submit(shared.ask, "a")
        slow.begun()
        both = [threads.submit(shared.ask, key) for key in ("a", "b")]
        waiting(shared, "ab")
        slow.go()
        slow.begun()
        slow.go()
        for one in both:
            with pytest.raises(ProviderError, match="nothing answers"):
                one.result(PATIENCE)
        failing[0] = False
        slow.go()
        assert shared.ask("a", "b") == {"a": 1, "b": 1}


class Killed(BaseException):
    """The caller's thread ends."""


def test_the_end_of_the_caller_that_looks_is_not_the_end_of_those_who_wait() -> None:
    slow, deaths = Slow(), [1]

    def fetch(keys: frozenset[str]) -> Mapping[str, int]:
        seen = slow.fetch(keys)
        if len(slow.asked) == 2 and deaths.pop():
            raise Killed
        return seen

    shared = Shared(fetch, no_sleep)
    with ThreadPoolExecutor(3) as threads:
        threads.submit(shared.ask, "a")
        slow.begun()
        both: list[Future[Mapping[str, int]]] = [threads.submit(shared.ask, key) for key in ("a", "b")]
        waiting(shared, "ab")
        for _ in range(3):
            slow.go()
        ended = [one.exception(PATIENCE) for one in both]
        assert sorted(type(one).__name__ for one in ended) == ["Killed", "NoneType"]
    assert len(slow.asked) == 3


def test_a_poll_waits_for_others_before_it_looks_and_a_decision_does_not() -> None:
    slept: list[float] = []
    shared: Shared[str, int] = Shared(lambda keys: dict.fromkeys(keys, 1), slept.append)
    shared.ask("a")
    assert slept == []
    shared.ask("a", gather=True)
    assert len(slept) == 1


# -- what is asked of the services ------------------------------------------------------------------
class Told(Cloud):
    """A cloud that answers from lists, and counts."""

    def __init__(self, **lists: list[dict[str, Any]]) -> None:
        super().__init__(OpenStackSettings.of(PoolConnection("pool", {})), sleep=no_sleep)
        self.lists = lists
        self.queries: list[tuple[str, Mapping[str, object]]] = []

    def listing(
        self,
        service: Service,
        path: str,
        key: str,
        *,
        params: Mapping[str, str | Sequence[str]] | None = None,
        microversion: str | None = None,
    ) -> list[dict[str, Any]]:
        self.queries.append((path, dict(params or {})))
        return list(self.lists[key])

    def find(self, service: Service, path: str, *, microversion: str | None = None) -> dict[str, Any] | None:
        self.queries.append((path, {}))
        there = [one for one in self.lists.get("volumes", []) if path == f"/volumes/{one['id']}"]
        return {"volume": there[0]} if there else None


def server(key: str, status: str = "ACTIVE") -> dict[str, Any]:
    return {
        "id": f"id-{key}",
        "name": key,
        "status": status,
        "tags": [tags.pool_tag("pool"), tags.key_tag(key)],
        "metadata": {tags.KEY: key},
    }


def volume(key: str, machine: str) -> dict[str, Any]:
    metadata = {tags.POOL: "pool", tags.KEY: key, tags.MACHINE: machine}
    return {
        "id": f"id-{key}",
        "status": "available",
        "size": 1,
        "created_at": "2026-11-02",
        "metadata": metadata,
    }


def test_servers_of_many_machines_are_one_listing_by_their_tags() -> None:
    cloud = Told(servers=[server("m1"), server("m2")])
    found = Servers(cloud)._of_keys(frozenset({"m1", "m2", "m3"}))
    assert {key: [one.id for one in ones] for key, ones in found.items()} == {
        "m1": ["id-m1"],
        "m2": ["id-m2"],
        "m3": [],
    }
    ((path, params),) = cloud.queries
    assert path == "/servers/detail"
    assert params == {
        "tags": tags.pool_tag("pool"),
        "tags-any": ",".join(tags.key_tag(key) for key in ("m1", "m2", "m3")),
    }


def test_a_server_that_is_not_listed_is_asked_for_before_it_counts_as_gone() -> None:
    cloud = Told(servers=[server("m1")])
    servers = Servers(cloud)
    seen = servers.of_key("m1")
    assert seen is not None
    cloud.lists["servers"] = []
    assert servers.again(seen) is None
    assert [path for path, _ in cloud.queries] == ["/servers/detail", "/servers/detail", "/servers/id-m1"]


def test_volumes_are_one_listing_of_the_pool_until_that_is_the_longer_way() -> None:
    cloud = Told(volumes=[volume("m1-root", "m1"), volume("m2-root", "m2")])
    volumes = Volumes(cloud)
    assert set(volumes.around("m1", ["m1-root", "m2-root"])) == {"m1-root", "m2-root"}
    assert [path for path, _ in cloud.queries] == ["/volumes/detail"]
    cloud.lists["volumes"] = [volume(f"m{n}-root", f"m{n}") for n in range(200)]
    cloud.queries.clear()
    volumes.around("m1", ["m1-root"])
    assert len(cloud.queries) == 1, "how many there are is seen in a listing"
    cloud.queries.clear()
    volumes.around("m1", ["m1-root"])
    asked = sorted(str(params["metadata"]) for _, params in cloud.queries)
    wanted = ({tags.POOL: "pool", tags.KEY: "m1-root"}, {tags.POOL: "pool", tags.MACHINE: "m1"})
    assert asked == sorted(map(repr, wanted)), "two short looks"


def test_ports_of_many_servers_are_one_listing() -> None:
    port = {"id": "p1", "device_id": "s1", "admin_state_up": True, "fixed_ips": []}
    cloud = Told(ports=[port])
    found = Networks(cloud)._ports_of(frozenset({"s1", "s2"}))
    assert [one.id for one in found["s1"]] == ["p1"]
    assert cloud.queries == [("/ports", {"device_id": ["s1", "s2"]})]


def test_machines_of_a_request_that_are_made_side_by_side_share_their_groups() -> None:
    """All of them see that there is none; only one makes it."""

    class Making(Told):
        def post(self, service: Service, path: str, body: Any, *, microversion: str | None = None) -> Any:
            self.queries.append((path, {}))
            made = {"id": "g1", **next(iter(body.values()))}
            kind = next(iter(body))
            self.lists.get(f"{kind}s", []).append(made)
            return {kind: made}

    cloud = Making(server_groups=[], security_groups=[], security_group_rules=[])
    servers, networks = Servers(cloud), Networks(cloud)
    ways: list[Callable[[], str]] = [
        lambda: servers.ensure_group("g"),
        lambda: networks.request_group("uid", "business"),
    ]
    for way in ways:
        barrier = threading.Barrier(4)

        def at_once(way: Callable[[], str] = way, barrier: threading.Barrier = barrier) -> str:
            barrier.wait(PATIENCE)
            return way()

        with ThreadPoolExecutor(4) as threads:
            made = [one.result(PATIENCE) for one in [threads.submit(at_once) for _ in range(4)]]
        assert made == ["g1"] * 4
    posted = [path for path, params in cloud.queries if not params and "detail" not in path]
    assert posted.count("/security-groups") == 1
    assert len(cast(list[Any], cloud.lists["server_groups"])) == 1


def test_a_requests_groups_are_looked_up_once_and_anew_once_they_were_deleted() -> None:
    class Making(Told):
        def post(self, service: Service, path: str, body: Any, *, microversion: str | None = None) -> Any:
            (kind,) = body
            made = {"id": f"g{len(self.queries)}", **body[kind]}
            self.lists.get(f"{kind}s", []).append(made)
            return {kind: made}

        def delete(self, service: Service, path: str, *, microversion: str | None = None) -> None:
            for listed in self.lists.values():
                listed[:] = [one for one in listed if one["id"] != path.rsplit("/", 1)[-1]]

    cloud = Making(server_groups=[], security_groups=[], security_group_rules=[])
    servers, networks = Servers(cloud), Networks(cloud)
    name = tags.group_name("pool", "uid")

    def both() -> tuple[str, str]:
        return networks.known_group("uid", "business"), servers.known_group(name)

    first = both()
    asked = len(cloud.queries)
    assert both() == first
    assert len(cloud.queries) == asked, "a second server asks for neither"
    networks.delete_groups(name)
    servers.delete_groups(name)
    second = both()
    assert not set(second) & set(first), "of a system that comes back, new ones are made"


def test_a_name_that_many_want_at_once_is_looked_up_once() -> None:
    cloud, looked = Told(), []

    def look() -> str:
        looked.append("flavor")
        return "f1"

    barrier = threading.Barrier(4)

    def want(_number: int) -> str:
        barrier.wait(PATIENCE)
        return cloud.known("flavor", "1x1", look)

    with ThreadPoolExecutor(4) as threads:
        assert list(threads.map(want, range(4))) == ["f1"] * 4
    assert looked == ["flavor"]


def test_of_two_volumes_of_one_disk_the_older_is_chosen_and_the_younger_deleted() -> None:
    class Deleting(Told):
        def delete(self, service: Service, path: str, *, microversion: str | None = None) -> None:
            self.queries.append((f"DELETE {path}", {}))

    ours, older = volume("m1-root", "m1") | {"id": "ours"}, volume("m1-root", "m1") | {"id": "older"}
    cloud = Deleting(volumes=[ours, older | {"created_at": "2026-11-01"}])
    volumes = Volumes(cloud)
    made = [Volume.of(ours)]
    assert [one.id for one in volumes.chosen("m1", made, cloud.clock())] == ["older"]
    assert [path for path, _ in cloud.queries if "DELETE" in path] == ["DELETE /volumes/ours"]
    cloud.lists["volumes"] = []
    with pytest.raises(ProviderError) as caught:
        volumes.chosen("m1", made, cloud.clock())
    assert caught.value.code is ErrorCode.NOT_FOUND
