"""Discovery, OpenAPI, reviews about oneself."""

from __future__ import annotations

from .conftest import Api, Kind

AGGREGATED = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"


async def test_groups(api: Api, group: str) -> None:
    body = (await api.get("/apis")).body
    found = {g["name"]: [v["version"] for v in g["versions"]] for g in body["groups"]}
    assert found[group] == ["v1"]
    for name in (
        "apiextensions.k8s.io",
        "coordination.k8s.io",
        "events.k8s.io",
        "admissionregistration.k8s.io",
    ):
        assert "v1" in found[name]
    assert (await api.get("/api")).body["versions"] == ["v1"]


async def test_resources(api: Api, group: str) -> None:
    body = (await api.get(f"/apis/{group}/v1")).body
    found = {r["name"]: r for r in body["resources"]}
    widget = found["widgets"]
    assert (widget["kind"], widget["singularName"], widget["namespaced"]) == ("Widget", "widget", True)
    assert widget["categories"] == ["conformance"]
    assert widget["shortNames"] == [f"w{group[1:4]}"]
    assert {"create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"} <= set(
        widget["verbs"]
    )
    assert set(found["widgets/status"]["verbs"]) == {"get", "patch", "update"}
    core = {r["name"]: r for r in (await api.get("/api/v1")).body["resources"]}
    assert not core["namespaces"]["namespaced"]
    assert {"configmaps", "secrets", "events", "serviceaccounts", "namespaces/status"} <= set(core)


async def test_aggregated_discovery(api: Api, group: str) -> None:
    reply = await api.get("/apis", accept=AGGREGATED + ",application/json")
    assert reply.headers["Content-Type"].replace(" ", "").startswith(AGGREGATED)
    item = next(i for i in reply.body["items"] if i["metadata"]["name"] == group)
    resource = item["versions"][0]["resources"][0]
    assert (resource["resource"], resource["scope"]) == ("widgets", "Namespaced")
    assert resource["responseKind"]["kind"] == "Widget"
    assert resource["subresources"][0]["subresource"] == "status"


async def test_openapi_v3(api: Api, group: str) -> None:
    index = (await api.get("/openapi/v3")).body["paths"]
    entry = index[f"apis/{group}/v1"]["serverRelativeURL"]
    path, _, query = entry.partition("?")
    document = (await api.get(path, **dict([query.split("=", 1)]))).body
    schemas = document["components"]["schemas"]
    widget = next(
        s for s in schemas.values()
        if any(k["kind"] == "Widget" for k in s.get("x-kubernetes-group-version-kind", []))
    )  # fmt: skip
    assert widget["properties"]["spec"]["properties"]["size"]["description"] == "Size in centimetres."
    patch = document["paths"][f"/apis/{group}/v1/namespaces/{{namespace}}/widgets/{{name}}"]["patch"]
    assert {"dryRun", "fieldManager", "fieldValidation", "force"} <= {p["name"] for p in patch["parameters"]}


async def test_version_and_health(api: Api) -> None:
    assert (await api.get("/version")).body["major"] == "1"
    for path in ("/healthz", "/livez", "/readyz"):
        assert (await api.get(path)).body["text"] == "ok"


async def test_self_reviews(api: Api, widgets: Kind) -> None:
    attributes = {
        "verb": "create",
        "group": widgets.group,
        "resource": "widgets",
        "namespace": widgets.namespace,
    }
    body = {
        "apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectAccessReview",
        "spec": {"resourceAttributes": attributes},
    }  # fmt: skip
    reply = await api.post("/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", body)
    assert (reply.code, reply.body["status"]["allowed"]) == (201, True)
    me = await api.post("/apis/authentication.k8s.io/v1/selfsubjectreviews", {})
    assert "system:authenticated" in me.body["status"]["userInfo"]["groups"]


async def test_unknown_verbs_and_paths(api: Api, widgets: Kind) -> None:
    assert (await api.get("/no/such/path")).code == 404
    assert (await api.get("/api/v1/flying-pigs")).code == 404
    reply = await api.delete("/api/v1/namespaces")
    assert (reply.code, reply.reason) == (405, "MethodNotAllowed")
    assert (await api.get(f"{widgets.path}/a/scale")).code == 404
