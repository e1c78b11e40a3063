"""Lists: selectors, pages, versions, tables."""

from __future__ import annotations

import pytest

from .conftest import Api, Kind

TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json"
PARTIAL = "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io"


@pytest.fixture
async def five(api: Api, widgets: Kind) -> Kind:
    for index, name in enumerate("abcde"):
        labels = {"n": str(index), "even": str(index % 2 == 0).lower()} | ({"x": ""} if name == "a" else {})
        color = "green" if name in "ab" else "red"
        assert (await api.post(widgets.path, widgets.make(name, labels=labels, color=color))).code == 201
    return widgets


def _names(body: dict) -> str:  # type: ignore[type-arg]
    return "".join(i["metadata"]["name"] for i in body["items"])


@pytest.mark.parametrize(
    ("selector", "wanted"),
    [
        ("n=1", "b"), ("n==1", "b"), ("n!=1", "acde"), ("n in (0,2)", "ac"), ("n notin (0,2)", "bde"),
        ("x", "a"),
        ("!x", "bcde"), ("even=true,n!=0", "ce"), ("even=true,n in (0, 4)", "ae"), ("nope=1", ""),
    ],
)  # fmt: skip
async def test_label_selectors(api: Api, five: Kind, selector: str, wanted: str) -> None:
    assert _names((await api.get(five.path, labelSelector=selector)).body) == wanted


@pytest.mark.parametrize(
    ("selector", "wanted"),
    [
        ("metadata.name=b", "b"),
        ("metadata.name!=b", "acde"),
        ("spec.color=green", "ab"),
        ("spec.color!=green", "cde"),
    ],
)
async def test_field_selectors(api: Api, five: Kind, selector: str, wanted: str) -> None:
    assert _names((await api.get(five.path, fieldSelector=selector)).body) == wanted


async def test_bad_selectors(api: Api, five: Kind) -> None:
    reply = await api.get(five.path, fieldSelector="spec.size=3")
    assert (reply.code, reply.reason) == (400, "BadRequest")
    assert "field label not supported: spec.size" in reply.message
    assert (await api.get(five.path, labelSelector="a in (")).code == 400


async def test_list_shape(api: Api, five: Kind) -> None:
    body = (await api.get(five.path)).body
    assert (body["kind"], body["apiVersion"]) == ("WidgetList", five.api_version)
    assert int(body["metadata"]["resourceVersion"]) >= max(
        int(i["metadata"]["resourceVersion"]) for i in body["items"]
    )
    across = (await api.get(f"/apis/{five.group}/v1/widgets")).body
    assert {"a", "e"} <= {i["metadata"]["name"] for i in across["items"]}


async def test_pages_show_one_moment(api: Api, five: Kind) -> None:
    first = (await api.get(five.path, limit="2")).body
    assert _names(first) == "ab"
    assert first["metadata"]["remainingItemCount"] == 3
    await api.delete(f"{five.path}/c")
    await api.post(five.path, five.make("bb"))
    second = (await api.get(five.path, **{"limit": "2", "continue": first["metadata"]["continue"]})).body
    assert _names(second) == "cd"
    assert second["metadata"]["resourceVersion"] == first["metadata"]["resourceVersion"]
    third = (await api.get(five.path, **{"limit": "2", "continue": second["metadata"]["continue"]})).body
    assert _names(third) == "e"
    assert not third["metadata"].get("continue")


async def test_bad_continue(api: Api, five: Kind) -> None:
    reply = await api.get(five.path, **{"limit": "2", "continue": "bm9uc2Vuc2U"})
    assert reply.code in (400, 410)


async def test_version_from_the_future(api: Api, five: Kind) -> None:
    version = str(int((await api.get(five.path)).rv) + 1_000_000)
    reply = await api.get(five.path, resourceVersion=version, timeoutSeconds="1")
    assert reply.code == 504
    assert any(c.get("reason") == "ResourceVersionTooLarge" for c in reply.causes)
    reply = await api.get(five.path, resourceVersion="abc")
    assert reply.code == 400


async def test_table(api: Api, five: Kind) -> None:
    status = {"status": {"phase": "Open", "conditions": [{"type": "Ready", "status": "True"}]}}
    await api.patch(f"{five.path}/a/status", status)
    body = (await api.get(five.path, accept=TABLE)).body
    assert (body["kind"], body["apiVersion"]) == ("Table", "meta.k8s.io/v1")
    columns = [(c["name"], c["type"], c["priority"]) for c in body["columnDefinitions"]]
    assert columns == [
        ("Name", "string", 0), ("Size", "integer", 0), ("Ready", "string", 0), ("Phase", "string", 0),
        ("Color", "string", 1), ("Age", "date", 0),
    ]  # fmt: skip
    cells = body["rows"][0]["cells"]
    assert cells[:5] == ["a", 3, "True", "Open", "green"]
    assert cells[5].endswith("s")
    assert body["rows"][1]["cells"][2:4] == [None, None] or body["rows"][1]["cells"][2:4] == ["", None]
    assert body["rows"][0]["object"]["kind"] == "PartialObjectMetadata"
    one = (await api.get(f"{five.path}/a", accept=TABLE)).body
    assert [r["cells"][0] for r in one["rows"]] == ["a"]


async def test_partial_metadata(api: Api, five: Kind) -> None:
    body = (await api.get(five.path, accept=PARTIAL)).body
    assert body["kind"] == "PartialObjectMetadataList"
    assert all("spec" not in i for i in body["items"])


async def test_delete_collection(api: Api, five: Kind) -> None:
    reply = await api.delete(five.path, labelSelector="even=true")
    assert reply.code == 200
    assert _names((await api.get(five.path)).body) == "bd"
