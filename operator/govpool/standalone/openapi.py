"""OpenAPI v3 and v2 documents, enough for `kubectl explain` and for the checks that `kubectl apply` makes
first."""

from __future__ import annotations

import hashlib
from typing import Any

from .discovery import VERSION
from .kinds import OBJECT_META
from .objects import Obj, encode
from .resources import Registry, Resource

_META = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"
_LIST_META = "io.k8s.apimachinery.pkg.apis.meta.v1.ListMeta"
_QUERY = ("dryRun", "fieldManager", "fieldValidation", "force")


def _definition_name(resource: Resource) -> str:
    host = ".".join(reversed((resource.group or "core.k8s.io").split(".")))
    return f"{host}.{resource.version}.{resource.kind}"


def _kind(resource: Resource, kind: str = "") -> Obj:
    return {"group": resource.group, "version": resource.version, "kind": kind or resource.kind}


def _published(node: Obj) -> Obj:
    """Return a structural node as it is published: v3 has no boolean `items` or junctors to worry about."""
    return {
        k: v for k, v in node.items() if k not in ("x-kubernetes-validations", "default") or v is not None
    }


def _schema(resource: Resource, reference: str) -> Obj:
    node = _published(resource.schema_node)
    properties: dict[str, Any] = {
        "apiVersion": {"type": "string", "description": "Version of the API that the object is written in."},
        "kind": {"type": "string", "description": "Kind of the object."},
        **(node.get("properties") or {}),
    }
    properties["metadata"] = {
        "allOf": [{"$ref": f"{reference}{_META}"}],
        "default": {},
        "description": "Standard object metadata.",
    }
    return node | {"properties": properties, "x-kubernetes-group-version-kind": [_kind(resource)]}


def _list_schema(resource: Resource, reference: str) -> Obj:
    return {
        "type": "object",
        "description": f"A list of {resource.kind}.",
        "required": ["items"],
        "properties": {
            "apiVersion": {"type": "string"},
            "kind": {"type": "string"},
            "metadata": {"allOf": [{"$ref": f"{reference}{_LIST_META}"}]},
            "items": {"type": "array", "items": {"$ref": f"{reference}{_definition_name(resource)}"}},
        },
        "x-kubernetes-group-version-kind": [_kind(resource, resource.collection_kind)],
    }


def _schemas(resources: list[Resource], reference: str) -> Obj:
    found: Obj = {
        _META: OBJECT_META,
        _LIST_META: {
            "type": "object",
            "properties": {
                "continue": {"type": "string"},
                "remainingItemCount": {"type": "integer", "format": "int64"},
                "resourceVersion": {"type": "string"},
                "selfLink": {"type": "string"},
            },
        },
    }
    for resource in resources:
        found[_definition_name(resource)] = _schema(resource, reference)
        found[f"{_definition_name(resource)}List"] = _list_schema(resource, reference)
    return found


def _operation(resource: Resource, action: str, *, v3: bool) -> Obj:
    def query(name: str) -> Obj:
        kind = "boolean" if name == "force" else "string"
        typed = {"schema": {"type": kind, "uniqueItems": True}} if v3 else {"type": kind}
        return {"name": name, "in": "query", **typed}

    operation: Obj = {
        "operationId": f"{action}{resource.version.capitalize()}{resource.kind}",
        "x-kubernetes-action": action,
        "x-kubernetes-group-version-kind": _kind(resource),
        "responses": {"200": {"description": "OK"}},
    }
    if action in ("patch", "put", "post"):
        operation["parameters"] = [query(n) for n in _QUERY]
    return operation


def _paths(resources: list[Resource], *, v3: bool) -> Obj:
    found: Obj = {}
    for r in resources:
        base = f"/apis/{r.group}/{r.version}" if r.group else f"/api/{r.version}"
        scope = f"{base}/namespaces/{{namespace}}/{r.plural}" if r.namespaced else f"{base}/{r.plural}"
        found[scope] = {a: _operation(r, a, v3=v3) for a in ("get", "post")}
        if "patch" in r.verbs:
            found[f"{scope}/{{name}}"] = {
                a: _operation(r, a, v3=v3) for a in ("get", "put", "patch", "delete")
            }
    return found


def v3(registry: Registry, group: str, version: str) -> Obj | None:
    """Return the OpenAPI v3 document of one group version; None when it is not served."""
    resources = registry.of(group, version)
    if not resources:
        return None
    return {
        "openapi": "3.0.0",
        "info": {"title": "Kubernetes", "version": VERSION["gitVersion"]},
        "paths": _paths(resources, v3=True),
        "components": {"schemas": _schemas(resources, "#/components/schemas/")},
    }


def v3_index(registry: Registry) -> Obj:
    """Return the index of OpenAPI v3 documents; each address carries the hash of its document."""
    paths: Obj = {}
    for group, versions in registry.groups().items():
        for version in versions:
            path = f"apis/{group}/{version}" if group else f"api/{version}"
            digest = hashlib.sha256(encode(v3(registry, group, version))).hexdigest()[:32]
            paths[path] = {"serverRelativeURL": f"/openapi/v3/{path}?hash={digest}"}
    return {"paths": paths}


def v2(registry: Registry) -> Obj:
    """Return one OpenAPI v2 document for everything."""
    resources = registry.all()
    return {
        "swagger": "2.0",
        "info": {"title": "Kubernetes", "version": VERSION["gitVersion"]},
        "paths": _paths(resources, v3=False),
        "definitions": _schemas(resources, "#/definitions/"),
    }
