"""CustomResourceDefinitions: what is served, and what is refused because its schema is not structural."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator
from typing import Any

import pytest

from .conftest import DEFINITIONS, Api, Obj, definition, established

FINE: Obj = {
    "type": "object",
    "properties": {"spec": {"type": "object", "properties": {"a": {"type": "string"}}}},
}


def _with(**spec: Any) -> Obj:
    return {"type": "object", "properties": {"spec": {"type": "object"} | spec}}


def _a(**a: Any) -> Obj:
    return _with(properties={"a": a})


@pytest.fixture
def fresh() -> str:
    return f"x{secrets.token_hex(3)}.conformance.dev"


@pytest.fixture
async def installed(api: Api, fresh: str) -> AsyncIterator[str]:
    yield fresh
    await api.delete(f"{DEFINITIONS}/things.{fresh}")


# One schema for all versions stands above them in the API server's own version of a definition.
AT = "spec.validation.openAPIV3Schema"
IN_A = f"{AT}.properties[spec].properties[a]"


@pytest.mark.parametrize(
    ("schema", "field", "text"),
    [
        (_a(**{"$ref": "#/x"}), f"{IN_A}.$ref", "$ref is not supported"),
        (_a(), f"{IN_A}.type", "must not be empty for specified object fields"),
        (_a(anyOf=[{"type": "string"}, {"type": "null"}]), f"{IN_A}.anyOf[0].type",
         "must be empty to be structural"),
        (_a(type="array"), f"{IN_A}.items", "must be specified"),
        (_a(type="array", items={}), f"{IN_A}.items.type", "must not be empty for specified array items"),
        (_a(type="string", allOf=[{"default": "x"}]), f"{IN_A}.allOf[0].default",
         "must be undefined to be structural"),
        (_a(type="object", properties={"b": {"type": "string"}}, additionalProperties={"type": "string"}),
         f"{IN_A}.additionalProperties", "additionalProperties and properties are mutual exclusive"),
        (_a(type="array", items={"type": "string"}, uniqueItems=True), f"{IN_A}.uniqueItems",
         "uniqueItems cannot be set to true since the runtime complexity becomes quadratic"),
        (_a(type="string", default=3), f"{IN_A}.default", "must be of type string"),
        (_a(type="object", **{"x-kubernetes-list-type": "map"}), f"{IN_A}.type",
         "must be array if x-kubernetes-list-type is specified"),
        (_a(type="array", items={"type": "object", "properties": {"k": {"type": "string"}}},
            **{"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["k"]}),
         f"{IN_A}.items.properties[k].default", "it must have a default or be a required property"),
        (_with(**{"x-kubernetes-validations": [{"rule": "self.a ==="}]}),
         f"{AT}.properties[spec].x-kubernetes-validations[0].rule", "compilation failed"),
        (_with(**{"x-kubernetes-validations": [{"rule": "selff.a == 1"}]}),
         f"{AT}.properties[spec].x-kubernetes-validations[0].rule", "undeclared reference to 'selff'"),
        (_with(properties={"a": {"type": "string"}},
            **{"x-kubernetes-validations": [{"rule": "self.b == 'x'"}]}),
         f"{AT}.properties[spec].x-kubernetes-validations[0].rule", "undefined field 'b'"),
        (_a(type="array", items={"type": "string",
            "x-kubernetes-validations": [{"rule": "self == oldSelf"}]}),
         f"{IN_A}.items.x-kubernetes-validations[0].rule",
         "oldSelf cannot be used on the uncorrelatable portion of the schema"),
        ({"properties": {}}, f"{AT}.type", "must not be empty at the root"),
        ({"type": "string"}, f"{AT}.type", "must be object at the root"),
    ],
)  # fmt: skip
async def test_unstructural_schemas_are_refused(
    api: Api, fresh: str, schema: Obj, field: str, text: str
) -> None:
    reply = await api.post(DEFINITIONS, definition(fresh, "things", "Thing", schema))
    assert (reply.code, reply.reason) == (422, "Invalid"), reply.body
    assert any(c["field"] == field and text in c["message"] for c in reply.causes), reply.causes


@pytest.mark.parametrize(
    ("schema", "text"),
    [
        (_a(type="array", items=[{"type": "string"}]), "items"),
        (_a(type="integer", exclusiveMinimum=3), "exclusiveMinimum"),
        (_a(type=["string", "null"]), "type"),
    ],
)
async def test_wrong_types_in_a_schema(api: Api, fresh: str, schema: Obj, text: str) -> None:
    reply = await api.post(DEFINITIONS, definition(fresh, "things", "Thing", schema))
    assert reply.code in (400, 422), reply.body
    assert text in reply.message


async def test_unknown_schema_fields(api: Api, fresh: str) -> None:
    body = definition(fresh, "things", "Thing", _a(type="string", const="x"))
    reply = await api.post(DEFINITIONS, body, fieldValidation="Strict")
    assert reply.code == 400
    assert "strict decoding error: unknown field" in reply.message
    assert ".const" in reply.message
    reply = await api.post(DEFINITIONS, body, dryRun="All")
    assert reply.code == 201
    node = reply.body["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    assert "const" not in node["properties"]["spec"]["properties"]["a"]


async def test_names_must_fit(api: Api, fresh: str) -> None:
    body = definition(fresh, "things", "Thing", FINE)
    body["metadata"]["name"] = "other." + fresh
    reply = await api.post(DEFINITIONS, body)
    assert reply.code == 422
    assert any(
        c["field"] == "metadata.name" and 'must be spec.names.plural+"."+spec.group' in c["message"]
        for c in reply.causes
    )
    body = definition(fresh, "things", "Thing", FINE)
    body["spec"]["versions"].append(body["spec"]["versions"][0] | {"name": "v2"})
    reply = await api.post(DEFINITIONS, body)
    assert "must have exactly one version marked as storage version" in reply.message


async def test_definition_serves_and_stops_serving(api: Api, installed: str) -> None:
    name, path = f"things.{installed}", f"/apis/{installed}/v1/things"
    reply = await api.post(DEFINITIONS, definition(installed, "things", "Thing", FINE, scope="Cluster"))
    assert reply.code == 201
    await established(api, name)
    thing = {"apiVersion": f"{installed}/v1", "kind": "Thing", "metadata": {"name": "t"}, "spec": {"a": "b"}}
    await api.until(path, lambda r: r.code == 200)
    assert (await api.post(path, thing)).code == 201
    status = (await api.get(f"{DEFINITIONS}/{name}")).body["status"]
    assert status["acceptedNames"]["kind"] == "Thing"
    assert status["storedVersions"] == ["v1"]
    await api.delete(f"{DEFINITIONS}/{name}")
    await api.gone(f"{DEFINITIONS}/{name}")
    await api.until(path, lambda r: r.code == 404)
    await api.post(DEFINITIONS, definition(installed, "things", "Thing", FINE, scope="Cluster"))
    await established(api, name)
    await api.until(path, lambda r: r.code == 200)
    assert (await api.get(path)).body["items"] == []


async def test_schema_change_takes_effect(api: Api, installed: str) -> None:
    name, path = f"things.{installed}", f"/apis/{installed}/v1/things"
    body = (await api.post(DEFINITIONS, definition(installed, "things", "Thing", FINE, scope="Cluster"))).body
    await established(api, name)
    await api.until(path, lambda r: r.code == 200)
    thing = {"apiVersion": f"{installed}/v1", "kind": "Thing", "metadata": {"name": "t"}, "spec": {"b": 1}}
    assert "b" not in (await api.post(path, thing)).body["spec"]
    body = (await api.get(f"{DEFINITIONS}/{name}")).body
    body["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"]["b"] = {
        "type": "integer"
    }
    assert (await api.put(f"{DEFINITIONS}/{name}", body)).code == 200
    await api.until(
        f"/openapi/v3/apis/{installed}/v1",
        lambda r: '"b"' in str(r.body).replace("'", '"'),
    )
    reply = await api.patch(f"{path}/t", {"spec": {"b": 2}})
    assert reply.body["spec"] == {"b": 2}


async def test_two_versions(api: Api, installed: str) -> None:
    body = definition(installed, "things", "Thing", FINE, scope="Cluster")
    body["spec"]["versions"].append(body["spec"]["versions"][0] | {"name": "v1beta1", "storage": False})
    await api.post(DEFINITIONS, body)
    await established(api, f"things.{installed}")
    old, new = (f"/apis/{installed}/{v}/things" for v in ("v1beta1", "v1"))
    await api.until(old, lambda r: r.code == 200)
    thing = {
        "apiVersion": f"{installed}/v1beta1",
        "kind": "Thing",
        "metadata": {"name": "t"},
        "spec": {"a": "b"},
    }
    assert (await api.post(old, thing)).body["apiVersion"] == f"{installed}/v1beta1"
    assert (await api.get(f"{new}/t")).body["apiVersion"] == f"{installed}/v1"
    assert (await api.get(old)).body["items"][0]["apiVersion"] == f"{installed}/v1beta1"
    group = (await api.get(f"/apis/{installed}")).body
    assert group["preferredVersion"]["version"] == "v1"
