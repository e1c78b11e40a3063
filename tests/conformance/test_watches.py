"""Watches: order, selectors, bookmarks, expiry."""

from __future__ import annotations

import asyncio

from .conftest import Api, Kind

TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io"


async def test_watch_from_a_list(api: Api, widgets: Kind) -> None:
    await api.post(widgets.path, widgets.make("old"))
    version = (await api.get(widgets.path)).rv
    async with api.watch(widgets.path, resourceVersion=version) as watch:
        await api.post(widgets.path, widgets.make("a"))
        await api.patch(f"{widgets.path}/a", {"spec": {"size": 4}})
        await api.delete(f"{widgets.path}/a")
        events = [await watch.next() for _ in range(3)]
    assert [e["type"] for e in events] == ["ADDED", "MODIFIED", "DELETED"]
    versions = [int(e["object"]["metadata"]["resourceVersion"]) for e in events]
    assert versions == sorted(set(versions))
    assert events[2]["object"]["spec"]["size"] == 4


async def test_watch_replays_what_was_missed(api: Api, widgets: Kind) -> None:
    version = (await api.post(widgets.path, widgets.make("a"))).rv
    await api.patch(f"{widgets.path}/a", {"spec": {"size": 4}})
    await api.post(widgets.path, widgets.make("b"))
    async with api.watch(widgets.path, resourceVersion=version) as watch:
        assert await watch.names(2) == [("MODIFIED", "a"), ("ADDED", "b")]


async def test_watch_without_a_version_begins_with_what_is_there(api: Api, widgets: Kind) -> None:
    await api.post(widgets.path, widgets.make("a"))
    await api.post(widgets.path, widgets.make("b"))
    async with api.watch(widgets.path) as watch:
        assert sorted(await watch.names(2)) == [("ADDED", "a"), ("ADDED", "b")]
        await api.delete(f"{widgets.path}/b")
        assert await watch.names(1) == [("DELETED", "b")]


async def test_watch_list(api: Api, widgets: Kind) -> None:
    await api.post(widgets.path, widgets.make("a"))
    query = {
        "sendInitialEvents": "true",
        "allowWatchBookmarks": "true",
        "resourceVersionMatch": "NotOlderThan",
    }
    async with api.watch(widgets.path, **query) as watch:
        assert await watch.names(1) == [("ADDED", "a")]
        mark = await watch.next()
        assert mark["type"] == "BOOKMARK"
        assert mark["object"]["metadata"]["annotations"] == {"k8s.io/initial-events-end": "true"}
        await api.post(widgets.path, widgets.make("b"))
        assert await watch.names(1) == [("ADDED", "b")]


async def test_selector_transitions(api: Api, widgets: Kind) -> None:
    made = await api.post(widgets.path, widgets.make("a"))
    async with api.watch(widgets.path, resourceVersion=made.rv, labelSelector="in=yes") as watch:
        await api.patch(f"{widgets.path}/a", {"spec": {"size": 4}})
        await api.patch(f"{widgets.path}/a", {"metadata": {"labels": {"in": "yes"}}})
        await api.patch(f"{widgets.path}/a", {"spec": {"size": 5}})
        last = await api.patch(f"{widgets.path}/a", {"metadata": {"labels": {"in": "no"}}})
        await api.patch(f"{widgets.path}/a", {"metadata": {"labels": {"in": "yes"}}})
        events = [await watch.next() for _ in range(4)]
    assert [e["type"] for e in events] == ["ADDED", "MODIFIED", "DELETED", "ADDED"]
    assert events[2]["object"]["metadata"]["labels"] == {"in": "yes"}
    assert events[2]["object"]["metadata"]["resourceVersion"] == last.rv


async def test_one_object_and_field_selector(api: Api, widgets: Kind) -> None:
    version = (await api.get(widgets.path)).rv
    async with (
        api.watch(widgets.path, resourceVersion=version, fieldSelector="metadata.name=b") as named,
        api.watch(widgets.path, resourceVersion=version, fieldSelector="spec.color=green") as green,
    ):
        await api.post(widgets.path, widgets.make("a", color="green"))
        await api.post(widgets.path, widgets.make("b"))
        await api.patch(f"{widgets.path}/b", {"spec": {"color": "green"}})
        assert await named.names(2) == [("ADDED", "b"), ("MODIFIED", "b")]
        assert await green.names(2) == [("ADDED", "a"), ("ADDED", "b")]


async def test_namespaces_do_not_mix(api: Api, widgets: Kind) -> None:
    version = (await api.get(widgets.path)).rv
    other = Kind(widgets.group, "default")
    async with (
        api.watch(widgets.path, resourceVersion=version) as here,
        api.watch(f"/apis/{widgets.group}/v1/widgets", resourceVersion=version) as everywhere,
    ):
        await api.post(other.path, other.make("elsewhere"))
        await api.post(widgets.path, widgets.make("here"))
        await api.delete(f"{other.path}/elsewhere")
        assert await here.names(1) == [("ADDED", "here")]
        assert await everywhere.names(3, within=(other.namespace, widgets.namespace)) == [
            ("ADDED", "elsewhere"),
            ("ADDED", "here"),
            ("DELETED", "elsewhere"),
        ]


async def test_timeout_ends_the_watch(api: Api, widgets: Kind) -> None:
    version = (await api.get(widgets.path)).rv
    async with api.watch(widgets.path, resourceVersion=version, timeoutSeconds="1") as watch:
        assert await watch.ended(4)


async def test_very_old_version_is_gone(api: Api, widgets: Kind) -> None:
    await api.post(widgets.path, widgets.make("a"))
    async with api.watch("/api/v1/namespaces", resourceVersion="1") as watch:
        event = await watch.next()
    if event["type"] == "ERROR":  # a cluster that is older than its own history says so
        assert event["object"]["code"] == 410
        assert event["object"]["reason"] in ("Expired", "Gone")


async def test_table_watch(api: Api, widgets: Kind) -> None:
    version = (await api.get(widgets.path)).rv
    async with api.watch(widgets.path, accept=TABLE, resourceVersion=version) as watch:
        await api.post(widgets.path, widgets.make("a"))
        event = await watch.next()
    assert event["type"] == "ADDED"
    assert event["object"]["kind"] == "Table"
    assert event["object"]["rows"][0]["cells"][:2] == ["a", 3]


async def test_many_watchers_see_the_same(api: Api, widgets: Kind) -> None:
    version = (await api.get(widgets.path)).rv

    async def follow() -> list[tuple[str, str]]:
        async with api.watch(widgets.path, resourceVersion=version) as watch:
            return await watch.names(20)

    followers = [asyncio.create_task(follow()) for _ in range(20)]
    for index in range(20):
        await api.post(widgets.path, widgets.make(f"w{index}"))
    seen = await asyncio.gather(*followers)
    assert all(s == [("ADDED", f"w{i}") for i in range(20)] for s in seen)


async def test_partial_metadata_watch(api: Api, widgets: Kind) -> None:
    version = (await api.get(widgets.path)).rv
    partial = "application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io"
    async with api.watch(widgets.path, accept=partial, resourceVersion=version) as watch:
        await api.post(widgets.path, widgets.make("a"))
        event = await watch.next()
    assert (event["object"]["kind"], event["object"].get("spec")) == ("PartialObjectMetadata", None)
