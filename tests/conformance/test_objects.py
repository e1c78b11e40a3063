"""Create, read, update: identity, versions, conflicts, generation, status apart, dry run."""

from __future__ import annotations

import re

from .conftest import MERGE, Api, Kind


async def test_create_sets_what_is_the_servers(api: Api, widgets: Kind) -> None:
    reply = await api.post(widgets.path, widgets.make() | {"status": {"phase": "Made up"}})
    assert reply.code == 201
    metadata = reply.body["metadata"]
    assert re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", metadata["uid"])
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", metadata["creationTimestamp"])
    assert metadata["generation"] == 1
    assert metadata["namespace"] == widgets.namespace
    assert int(metadata["resourceVersion"]) > 0
    assert "status" not in reply.body
    assert (await api.get(f"{widgets.path}/a")).body == reply.body


async def test_create_twice(api: Api, widgets: Kind) -> None:
    await api.post(widgets.path, widgets.make())
    reply = await api.post(widgets.path, widgets.make())
    assert (reply.code, reply.reason) == (409, "AlreadyExists")
    assert reply.message == f'widgets.{widgets.group} "a" already exists'
    assert reply.body["details"] == {"name": "a", "group": widgets.group, "kind": "widgets"}
    assert (reply.body["kind"], reply.body["apiVersion"], reply.body["status"]) == ("Status", "v1", "Failure")


async def test_not_found(api: Api, widgets: Kind) -> None:
    for method in ("GET", "DELETE"):
        reply = await api.request(method, f"{widgets.path}/nobody")
        assert (reply.code, reply.reason) == (404, "NotFound")
        assert reply.message == f'widgets.{widgets.group} "nobody" not found'
    reply = await api.get("/apis/nowhere.dev/v1/things")
    assert reply.code == 404


async def test_generate_name(api: Api, widgets: Kind) -> None:
    body = widgets.make()
    body["metadata"] = {"generateName": "gen-"}
    names = {(await api.post(widgets.path, body)).body["metadata"]["name"] for _ in range(5)}
    assert len(names) == 5
    assert all(re.fullmatch(r"gen-[a-z0-9]{5}", n) for n in names)


async def test_bad_names_and_labels(api: Api, widgets: Kind) -> None:
    reply = await api.post(widgets.path, widgets.make("Not_Good"))
    assert (reply.code, reply.reason) == (422, "Invalid")
    assert reply.causes[0]["field"] == "metadata.name"
    assert "a lowercase RFC 1123 subdomain must consist of" in reply.message
    body = widgets.make()
    del body["metadata"]["name"]
    reply = await api.post(widgets.path, body)
    assert reply.code == 422
    assert "name or generateName is required" in reply.message
    reply = await api.post(widgets.path, widgets.make(labels={"a": "not good"}))
    assert reply.code == 422
    assert "a valid label must be an empty string or consist of" in reply.message
    reply = await api.post(widgets.path, widgets.make(labels={"a": 1}))  # type: ignore[dict-item]
    assert (reply.code, reply.reason) == (400, "BadRequest")


async def test_body_must_fit_the_path(api: Api, widgets: Kind) -> None:
    body = widgets.make()
    body["metadata"]["namespace"] = "elsewhere"
    reply = await api.post(widgets.path, body)
    assert reply.code == 400
    text = "the namespace of the provided object does not match the namespace sent on the request"
    assert reply.message == text
    reply = await api.post(widgets.path, widgets.make() | {"kind": "Gadget"})
    assert (reply.code, reply.causes[0]["field"]) == (422, "kind")
    assert reply.causes[0]["message"] == 'Invalid value: "Gadget": must be Widget'
    reply = await api.post(widgets.path, widgets.make() | {"apiVersion": "v1"})
    assert reply.code == 400
    created = (await api.post(widgets.path, widgets.make())).body
    reply = await api.put(f"{widgets.path}/b", created)
    assert reply.code in (400, 404)


async def test_create_with_a_version(api: Api, widgets: Kind) -> None:
    body = widgets.make()
    body["metadata"]["resourceVersion"] = "5"
    reply = await api.post(widgets.path, body)
    assert reply.code >= 400
    assert reply.message == "resourceVersion should not be set on objects to be created"
    assert (await api.get(f"{widgets.path}/a")).code == 404


async def test_missing_namespace(api: Api, group: str) -> None:
    kind = Kind(group, "nowhere-at-all")
    reply = await api.post(kind.path, kind.make())
    assert reply.code == 404
    assert reply.message == 'namespaces "nowhere-at-all" not found'


async def test_update_bumps_version_and_generation(api: Api, widgets: Kind) -> None:
    first = (await api.post(widgets.path, widgets.make())).body
    first["spec"]["size"] = 5
    second = (await api.put(f"{widgets.path}/a", first)).body
    assert int(second["metadata"]["resourceVersion"]) > int(first["metadata"]["resourceVersion"])
    assert second["metadata"]["generation"] == 2
    second["metadata"]["labels"] = {"just": "metadata"}
    third = (await api.put(f"{widgets.path}/a", second)).body
    assert third["metadata"]["generation"] == 2
    assert third["metadata"]["uid"] == first["metadata"]["uid"]


async def test_stale_update(api: Api, widgets: Kind) -> None:
    old = (await api.post(widgets.path, widgets.make())).body
    await api.patch(f"{widgets.path}/a", {"spec": {"size": 4}})
    reply = await api.put(f"{widgets.path}/a", old)
    assert (reply.code, reply.reason) == (409, "Conflict")
    assert reply.message == (
        f'Operation cannot be fulfilled on widgets.{widgets.group} "a": the object has been modified;'
        " please apply your changes to the latest version and try again"
    )
    patch = {"metadata": {"resourceVersion": old["metadata"]["resourceVersion"]}, "spec": {"size": 9}}
    assert (await api.patch(f"{widgets.path}/a", patch)).code == 409


async def test_update_without_a_version(api: Api, widgets: Kind) -> None:
    await api.post(widgets.path, widgets.make())
    reply = await api.put(f"{widgets.path}/a", widgets.make(size=4))
    assert reply.code == 422
    assert "metadata.resourceVersion" in reply.message
    assert "must be specified for an update" in reply.message


async def test_built_in_kinds_may_be_updated_without_a_version(api: Api, ns: str) -> None:
    path = f"/api/v1/namespaces/{ns}/configmaps"
    await api.post(path, {"metadata": {"name": "c"}, "data": {"a": "1"}})
    reply = await api.put(f"{path}/c", {"metadata": {"name": "c"}, "data": {"a": "2"}})
    assert (reply.code, reply.body["data"]) == (200, {"a": "2"})


async def test_a_key_of_a_config_map_is_text_or_binary_and_not_both(api: Api, ns: str) -> None:
    path = f"/api/v1/namespaces/{ns}/configmaps"
    await api.post(path, {"metadata": {"name": "c"}, "data": {"a": "1"}})
    reply = await api.patch(f"{path}/c", {"binaryData": {"a": "YQ=="}})
    assert (reply.code, reply.reason) == (422, "Invalid")
    assert 'data[a]: Invalid value: "a": duplicate of key present in binaryData' in reply.message
    assert (await api.patch(f"{path}/c", {"binaryData": {"b": "YQ=="}})).code == 200


async def test_no_op_keeps_the_version(api: Api, widgets: Kind) -> None:
    before = (await api.post(widgets.path, widgets.make())).body
    after = (await api.put(f"{widgets.path}/a", before)).body
    assert after["metadata"]["resourceVersion"] == before["metadata"]["resourceVersion"]
    again = (await api.patch(f"{widgets.path}/a", {"spec": {"size": 3}}, MERGE)).body
    assert again["metadata"]["resourceVersion"] == before["metadata"]["resourceVersion"]


async def test_wrong_uid(api: Api, widgets: Kind) -> None:
    made = (await api.post(widgets.path, widgets.make())).body
    made["metadata"]["uid"] = "00000000-0000-0000-0000-000000000000"
    made["metadata"].pop("resourceVersion")
    reply = await api.patch(f"{widgets.path}/a", {"metadata": {"uid": made["metadata"]["uid"]}})
    assert reply.code == 422
    assert "field is immutable" in reply.message
    version = (await api.get(f"{widgets.path}/a")).body["metadata"]["resourceVersion"]
    made["metadata"]["resourceVersion"] = version
    reply = await api.put(f"{widgets.path}/a", made)
    assert reply.code == 409
    assert "Precondition failed: UID in precondition" in reply.message


async def test_status_is_apart(api: Api, widgets: Kind) -> None:
    made = (await api.post(widgets.path, widgets.make())).body
    made["status"] = {"phase": "Ignored"}
    made["spec"]["size"] = 4
    main = (await api.put(f"{widgets.path}/a", made)).body
    assert "status" not in main
    assert main["metadata"]["generation"] == 2
    main["status"] = {"phase": "Open"}
    main["spec"]["size"] = 50
    main["metadata"]["labels"] = {"ignored": "too"}
    status = (await api.put(f"{widgets.path}/a/status", main)).body
    assert status["status"] == {"phase": "Open"}
    assert status["spec"]["size"] == 4
    assert status["metadata"]["generation"] == 2
    assert "labels" not in status["metadata"]
    patched = await api.patch(f"{widgets.path}/a/status", {"status": {"phase": "Done"}, "spec": {"size": 9}})
    assert (patched.body["status"]["phase"], patched.body["spec"]["size"]) == ("Done", 4)
    assert (await api.get(f"{widgets.path}/a/status")).body["status"] == {"phase": "Done"}
    cut = await api.patch(f"{widgets.path}/a", {"status": None})
    assert cut.body["status"] == {"phase": "Done"}


async def test_status_is_validated(api: Api, widgets: Kind) -> None:
    await api.post(widgets.path, widgets.make())
    reply = await api.patch(f"{widgets.path}/a/status", {"status": {"phase": 5}})
    assert reply.code == 422
    assert reply.causes[0]["field"] == "status.phase"


async def test_dry_run_changes_nothing(api: Api, widgets: Kind) -> None:
    reply = await api.post(widgets.path, widgets.make(), dryRun="All")
    assert reply.code == 201
    assert reply.body["spec"]["color"] == "red"
    assert (await api.get(f"{widgets.path}/a")).code == 404
    made = (await api.post(widgets.path, widgets.make())).body
    reply = await api.patch(f"{widgets.path}/a", {"spec": {"size": 9}}, dryRun="All")
    assert reply.body["spec"]["size"] == 9
    await api.delete(f"{widgets.path}/a", dryRun="All")
    assert (await api.get(f"{widgets.path}/a")).body == made
    reply = await api.post(widgets.path, widgets.make("b"), dryRun="Some")
    assert reply.code == 422


async def test_secret_string_data_and_immutability(api: Api, ns: str) -> None:
    path = f"/api/v1/namespaces/{ns}/secrets"
    made = await api.post(path, {"metadata": {"name": "s"}, "stringData": {"k": "v"}, "immutable": True})
    assert made.code == 201
    assert made.body["data"] == {"k": "dg=="}
    assert "stringData" not in made.body
    assert made.body["type"] == "Opaque"
    reply = await api.patch(f"{path}/s", {"data": {"k": "eA=="}})
    assert reply.code == 422
    assert "field is immutable when `immutable` is set" in reply.message


async def test_yaml_bodies(api: Api, widgets: Kind) -> None:
    text = (
        f"apiVersion: {widgets.api_version}\nkind: Widget\nmetadata: {{name: in-yaml}}\nspec: "
        f"{{size: 7, since: 2026-01-02T03:04:05Z}}\n"
    )
    reply = await api.request("POST", widgets.path, raw=text.encode(), media="application/yaml")
    assert (reply.code, reply.body["spec"]["size"]) == (201, 7)
    assert reply.body["spec"]["since"] == "2026-01-02T03:04:05Z"


async def test_bad_bodies(api: Api, widgets: Kind) -> None:
    assert (await api.request("POST", widgets.path, raw=b'{"a":')).code == 400
    assert (await api.request("POST", widgets.path, raw=b"[1]")).code == 400
    reply = await api.request("POST", widgets.path, raw=b"a=1", media="text/plain")
    assert (reply.code, reply.reason) == (415, "UnsupportedMediaType")
    await api.post(widgets.path, widgets.make())
    reply = await api.get(f"{widgets.path}/a", accept="application/xml")
    assert (reply.code, reply.reason) == (406, "NotAcceptable")


async def test_leases_and_events(api: Api, ns: str) -> None:
    path = f"/apis/coordination.k8s.io/v1/namespaces/{ns}/leases"
    spec = {"holderIdentity": "me", "leaseDurationSeconds": 15, "renewTime": "2026-01-01T00:00:00.000000Z"}
    made = await api.post(path, {"metadata": {"name": "l"}, "spec": spec})
    assert (made.code, made.body["spec"]["holderIdentity"]) == (201, "me")
    event = {
        "metadata": {"name": "e", "namespace": ns},
        "involvedObject": {"kind": "Widget", "namespace": ns, "name": "a"},
        "reason": "Tested", "message": "hello", "type": "Normal", "source": {"component": "conformance"},
    }  # fmt: skip
    assert (await api.post(f"/api/v1/namespaces/{ns}/events", event)).code == 201
    other = (await api.get(f"/apis/events.k8s.io/v1/namespaces/{ns}/events/e")).body
    assert (other["note"], other["regarding"]["name"], other["apiVersion"]) == (
        "hello",
        "a",
        "events.k8s.io/v1",
    )
    found = await api.get(
        f"/api/v1/namespaces/{ns}/events", fieldSelector="involvedObject.name=a,type=Normal"
    )
    assert len(found.body["items"]) == 1
    found = await api.get(f"/api/v1/namespaces/{ns}/events", fieldSelector="involvedObject.name=b")
    assert found.body["items"] == []
