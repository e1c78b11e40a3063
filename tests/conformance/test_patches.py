"""Merge, JSON, strategic and apply patches."""

from __future__ import annotations

from .conftest import JSON_PATCH, MERGE, STRATEGIC, Api, Kind


async def test_merge_patch(api: Api, widgets: Kind) -> None:
    await api.post(widgets.path, widgets.make(labels={"a": "1", "b": "2"}, names=["x"]))
    reply = await api.patch(
        f"{widgets.path}/a", {"metadata": {"labels": {"a": None}}, "spec": {"names": ["y"]}}
    )
    assert reply.code == 200
    assert reply.body["metadata"]["labels"] == {"b": "2"}
    assert reply.body["spec"]["names"] == ["y"]


async def test_json_patch(api: Api, widgets: Kind) -> None:
    await api.post(widgets.path, widgets.make(names=["x"]))
    operations = [
        {"op": "test", "path": "/spec/size", "value": 3},
        {"op": "replace", "path": "/spec/size", "value": 8},
        {"op": "add", "path": "/spec/names/-", "value": "y"},
    ]
    reply = await api.patch(f"{widgets.path}/a", operations, JSON_PATCH)
    assert (reply.body["spec"]["size"], reply.body["spec"]["names"]) == (8, ["x", "y"])
    reply = await api.patch(f"{widgets.path}/a", [operations[0]], JSON_PATCH)
    assert (reply.code, reply.reason) == (422, "Invalid")
    assert reply.message == "the server rejected our request due to an error in our request"
    reply = await api.patch(f"{widgets.path}/a", [{"op": "remove", "path": "/spec/nothing"}], JSON_PATCH)
    assert reply.code == 422
    reply = await api.patch(f"{widgets.path}/a", {"op": "remove"}, JSON_PATCH)
    assert reply.code == 400


async def test_strategic_patch_is_for_built_in_kinds(api: Api, widgets: Kind) -> None:
    await api.post(widgets.path, widgets.make())
    reply = await api.patch(f"{widgets.path}/a", {"spec": {"size": 5}}, STRATEGIC)
    assert (reply.code, reply.reason) == (415, "UnsupportedMediaType")
    path = f"/api/v1/namespaces/{widgets.namespace}/configmaps"
    metadata = {"name": "c", "finalizers": ["conformance.dev/one"]}
    await api.post(path, {"metadata": metadata, "data": {"a": "1"}})
    patch = {"metadata": {"finalizers": ["conformance.dev/two"]}, "data": {"a": None, "b": "2"}}
    reply = await api.patch(f"{path}/c", patch, STRATEGIC)
    assert reply.body["data"] == {"b": "2"}
    assert sorted(reply.body["metadata"]["finalizers"]) == ["conformance.dev/one", "conformance.dev/two"]
    gone = {
        "metadata": {"$deleteFromPrimitiveList/finalizers": ["conformance.dev/one", "conformance.dev/two"]}
    }
    reply = await api.patch(f"{path}/c", gone, STRATEGIC)
    assert "finalizers" not in reply.body["metadata"]


async def test_patch_cannot_rename(api: Api, widgets: Kind) -> None:
    await api.post(widgets.path, widgets.make())
    reply = await api.patch(f"{widgets.path}/a", {"metadata": {"name": "b"}}, MERGE)
    assert reply.code in (400, 422)


async def test_patch_of_nothing(api: Api, widgets: Kind) -> None:
    assert (await api.patch(f"{widgets.path}/a", {"spec": {"size": 5}}, MERGE)).code == 404


def _managers(body: dict) -> dict[tuple[str, str], dict]:  # type: ignore[type-arg]
    return {(m["manager"], m["operation"]): m["fieldsV1"] for m in body["metadata"]["managedFields"]}


async def test_apply_creates_and_owns(api: Api, widgets: Kind) -> None:
    config = widgets.make(parts=[{"name": "p"}], tags=["t"])
    reply = await api.apply(f"{widgets.path}/a", config, "one")
    assert reply.code == 201
    owned = _managers(reply.body)[("one", "Apply")]
    assert owned["f:spec"] == {
        "f:size": {},
        "f:parts": {'k:{"name":"p"}': {".": {}, "f:name": {}}},
        "f:tags": {'v:"t"': {}},
    }
    again = await api.apply(f"{widgets.path}/a", config, "one")
    assert (again.code, again.rv) == (200, reply.rv)


async def test_apply_wants_a_manager(api: Api, widgets: Kind) -> None:
    reply = await api.patch(f"{widgets.path}/a", widgets.make(), "application/apply-patch+yaml")
    assert reply.code in (400, 422)
    assert "is required for apply patch" in reply.message


async def test_apply_conflict_and_force(api: Api, widgets: Kind) -> None:
    await api.apply(f"{widgets.path}/a", widgets.make(size=3), "one")
    reply = await api.apply(f"{widgets.path}/a", widgets.make(size=4), "two")
    assert (reply.code, reply.reason) == (409, "Conflict")
    assert reply.message == 'Apply failed with 1 conflict: conflict with "one": .spec.size'
    assert reply.causes == [
        {"reason": "FieldManagerConflict", "message": 'conflict with "one"', "field": ".spec.size"}
    ]
    reply = await api.apply(f"{widgets.path}/a", widgets.make(size=4), "two", force="true")
    assert (reply.code, reply.body["spec"]["size"]) == (200, 4)
    assert ("one", "Apply") not in _managers(reply.body)


async def test_apply_shares_equal_values(api: Api, widgets: Kind) -> None:
    await api.apply(f"{widgets.path}/a", widgets.make(size=3), "one")
    reply = await api.apply(f"{widgets.path}/a", widgets.make(size=3), "two")
    assert reply.code == 200
    assert set(_managers(reply.body)) == {("one", "Apply"), ("two", "Apply")}
    one = widgets.make()
    one["spec"] = {"size": 3, "names": ["n"]}
    assert (await api.apply(f"{widgets.path}/a", one, "one")).code == 200


async def test_apply_removes_what_is_no_longer_applied(api: Api, widgets: Kind) -> None:
    first = widgets.make(names=["x"], parts=[{"name": "p"}, {"name": "q"}], labels={"k": "v"})
    await api.apply(f"{widgets.path}/a", first, "one")
    await api.patch(f"{widgets.path}/a", {"spec": {"ratio": 0.5}}, MERGE, fieldManager="human")
    reply = await api.apply(f"{widgets.path}/a", widgets.make(parts=[{"name": "q"}]), "one")
    spec = reply.body["spec"]
    assert "names" not in spec
    assert [p["name"] for p in spec["parts"]] == ["q"]
    assert spec["ratio"] == 0.5
    assert "labels" not in reply.body["metadata"]


async def test_apply_keeps_what_another_owns(api: Api, widgets: Kind) -> None:
    await api.apply(f"{widgets.path}/a", widgets.make(parts=[{"name": "p"}]), "one")
    await api.apply(f"{widgets.path}/a", widgets.make(parts=[{"name": "q", "note": "n"}]), "two")
    reply = await api.apply(f"{widgets.path}/a", widgets.make(), "one")
    assert reply.body["spec"]["parts"] == [{"name": "q", "note": "n", "count": 1}]


async def test_update_takes_ownership(api: Api, widgets: Kind) -> None:
    await api.apply(f"{widgets.path}/a", widgets.make(size=3), "one")
    reply = await api.patch(f"{widgets.path}/a", {"spec": {"size": 9}}, MERGE, fieldManager="human")
    managers = _managers(reply.body)
    assert managers[("human", "Update")] == {"f:spec": {"f:size": {}}}
    assert ("one", "Apply") not in managers
    reply = await api.apply(f"{widgets.path}/a", widgets.make(size=10), "one")
    assert reply.code == 409
    assert 'conflict with "human" using' in reply.message


async def test_apply_to_status(api: Api, widgets: Kind) -> None:
    await api.apply(f"{widgets.path}/a", widgets.make(), "one")
    body = {"apiVersion": widgets.api_version, "kind": "Widget", "status": {"phase": "Fine"}}
    reply = await api.apply(f"{widgets.path}/a/status", body, "controller")
    assert reply.body["status"] == {"phase": "Fine"}
    entry = next(m for m in reply.body["metadata"]["managedFields"] if m["manager"] == "controller")
    assert (entry["subresource"], entry["fieldsV1"]) == ("status", {"f:status": {"f:phase": {}}})
    again = await api.apply(f"{widgets.path}/a", widgets.make() | {"status": {"phase": "No"}}, "one")
    assert again.body["status"] == {"phase": "Fine"}


async def test_apply_atomic_map(api: Api, widgets: Kind) -> None:
    await api.apply(f"{widgets.path}/a", widgets.make(whole={"a": 1}), "one")
    reply = await api.apply(f"{widgets.path}/a", widgets.make(whole={"b": 2}), "two")
    assert (reply.code, reply.causes[0]["field"]) == (409, ".spec.whole")
    reply = await api.apply(f"{widgets.path}/a", widgets.make(whole={"b": 2}), "two", force="true")
    assert reply.body["spec"]["whole"] == {"b": 2}


async def test_several_conflicts(api: Api, widgets: Kind) -> None:
    await api.apply(f"{widgets.path}/a", widgets.make(size=3, names=["x"]), "one")
    reply = await api.apply(f"{widgets.path}/a", widgets.make(size=4, names=["y"]), "two")
    assert (
        reply.message == 'Apply failed with 2 conflicts: conflicts with "one":\n- .spec.names\n- .spec.size'
    )
