"""Deletion: finalizers, preconditions, owners, namespaces."""

from __future__ import annotations

import secrets

from .conftest import Api, Kind, Obj


def _owned(widgets: Kind, name: str, owner: Obj, *, block: bool = False) -> Obj:
    body = widgets.make(name)
    body["metadata"]["ownerReferences"] = [
        {
            "apiVersion": widgets.api_version, "kind": "Widget", "name": owner["metadata"]["name"],
            "uid": owner["metadata"]["uid"], "blockOwnerDeletion": block,
        }
    ]  # fmt: skip
    return body


async def test_delete_answers_with_a_status(api: Api, widgets: Kind) -> None:
    made = (await api.post(widgets.path, widgets.make())).body
    reply = await api.delete(f"{widgets.path}/a")
    assert (reply.code, reply.body["kind"], reply.body["status"]) == (200, "Status", "Success")
    details = {"name": "a", "group": widgets.group, "kind": "widgets", "uid": made["metadata"]["uid"]}
    assert reply.body["details"] == details
    assert (await api.get(f"{widgets.path}/a")).code == 404


async def test_finalizers_hold_an_object(api: Api, widgets: Kind) -> None:
    body = widgets.make()
    body["metadata"]["finalizers"] = ["conformance.dev/hold"]
    made = (await api.post(widgets.path, body)).body
    reply = await api.delete(f"{widgets.path}/a")
    assert reply.code == 200
    assert reply.body["metadata"]["deletionTimestamp"]
    assert reply.body["metadata"]["deletionGracePeriodSeconds"] == 0
    assert reply.body["metadata"]["generation"] == made["metadata"]["generation"] + 1
    again = await api.delete(f"{widgets.path}/a")
    assert again.body["metadata"]["deletionTimestamp"] == reply.body["metadata"]["deletionTimestamp"]
    more = {"metadata": {"finalizers": ["conformance.dev/hold", "conformance.dev/more"]}}
    refused = await api.patch(f"{widgets.path}/a", more)
    assert refused.code == 422
    assert "no new finalizers can be added if the object is being deleted" in refused.message
    undo = await api.patch(f"{widgets.path}/a", {"metadata": {"deletionTimestamp": None}})
    assert undo.body["metadata"]["deletionTimestamp"]
    assert (await api.patch(f"{widgets.path}/a", {"spec": {"size": 9}})).code == 200
    done = await api.patch(f"{widgets.path}/a", {"metadata": {"finalizers": None}})
    assert done.code == 200
    assert (await api.get(f"{widgets.path}/a")).code == 404


async def test_preconditions(api: Api, widgets: Kind) -> None:
    made = (await api.post(widgets.path, widgets.make())).body
    wrong = {"preconditions": {"uid": "00000000-0000-0000-0000-000000000000"}}
    reply = await api.delete(f"{widgets.path}/a", wrong)
    assert (reply.code, reply.reason) == (409, "Conflict")
    assert "the UID in the precondition" in reply.message
    await api.patch(f"{widgets.path}/a", {"spec": {"size": 4}})
    stale = {"preconditions": {"resourceVersion": made["metadata"]["resourceVersion"]}}
    reply = await api.delete(f"{widgets.path}/a", stale)
    assert reply.code == 409
    assert "the ResourceVersion in the precondition" in reply.message
    right = {"preconditions": {"uid": made["metadata"]["uid"]}}
    assert (await api.delete(f"{widgets.path}/a", right)).code == 200


async def test_dependents_go_with_their_owner(api: Api, widgets: Kind) -> None:
    owner = (await api.post(widgets.path, widgets.make("owner"))).body
    child = (await api.post(widgets.path, _owned(widgets, "child", owner))).body
    await api.post(widgets.path, _owned(widgets, "grandchild", child))
    await api.post(widgets.path, widgets.make("bystander"))
    await api.delete(f"{widgets.path}/owner", {"propagationPolicy": "Background"})
    await api.gone(f"{widgets.path}/child")
    await api.gone(f"{widgets.path}/grandchild")
    assert (await api.get(f"{widgets.path}/bystander")).code == 200


async def test_orphans_stay(api: Api, widgets: Kind) -> None:
    owner = (await api.post(widgets.path, widgets.make("owner"))).body
    await api.post(widgets.path, _owned(widgets, "child", owner))
    await api.delete(f"{widgets.path}/owner", {"propagationPolicy": "Orphan"})
    await api.gone(f"{widgets.path}/owner")
    child = await api.get(f"{widgets.path}/child")
    assert child.code == 200
    assert "ownerReferences" not in child.body["metadata"]


async def test_foreground_waits_for_dependents(api: Api, widgets: Kind) -> None:
    owner = (await api.post(widgets.path, widgets.make("owner"))).body
    body = _owned(widgets, "child", owner, block=True)
    body["metadata"]["finalizers"] = ["conformance.dev/hold"]
    await api.post(widgets.path, body)
    reply = await api.delete(f"{widgets.path}/owner", {"propagationPolicy": "Foreground"})
    assert reply.body["metadata"]["finalizers"] == ["foregroundDeletion"]
    await api.until(f"{widgets.path}/child", lambda r: "deletionTimestamp" in r.body["metadata"])
    assert (await api.get(f"{widgets.path}/owner")).code == 200
    await api.patch(f"{widgets.path}/child", {"metadata": {"finalizers": None}})
    await api.gone(f"{widgets.path}/owner")


async def test_owner_that_never_was(api: Api, widgets: Kind) -> None:
    nobody = {"metadata": {"name": "nobody", "uid": "11111111-1111-1111-1111-111111111111"}}
    await api.post(widgets.path, _owned(widgets, "child", nobody))
    await api.gone(f"{widgets.path}/child", 60)


async def test_namespace_goes_with_its_content(api: Api, group: str) -> None:
    name = f"conf-{secrets.token_hex(4)}"
    path = f"/api/v1/namespaces/{name}"
    await api.post("/api/v1/namespaces", {"metadata": {"name": name}})
    kind = Kind(group, name)
    body = kind.make()
    body["metadata"]["finalizers"] = ["conformance.dev/hold"]
    await api.post(kind.path, body)
    await api.post(f"{path}/configmaps", {"metadata": {"name": "c"}})
    reply = await api.delete(path)
    assert reply.body["status"]["phase"] == "Terminating"
    await api.gone(f"{path}/configmaps/c")
    refused = await api.post(kind.path, kind.make("late"))
    assert (refused.code, refused.reason) == (403, "Forbidden")
    text = f"unable to create new content in namespace {name} because it is being terminated"
    assert text in refused.message
    assert (await api.get(path)).code == 200
    await api.patch(f"{kind.path}/a", {"metadata": {"finalizers": None}})
    await api.gone(path)


async def test_namespaces_that_stay(api: Api) -> None:
    reply = await api.delete("/api/v1/namespaces/default")
    assert (reply.code, reply.reason) == (403, "Forbidden")
    assert reply.message == 'namespaces "default" is forbidden: this namespace may not be deleted'
