"""The documents beside the resources: discovery, version, OpenAPI."""

from __future__ import annotations

from aiohttp import web

from . import discovery, openapi
from .objects import Obj, encode
from .requests import aggregated_version
from .resources import Registry
from .rest import json_response


def find(registry: Registry, request: web.BaseRequest, path: str) -> Obj | web.Response | None:
    """Return the document at a path that is no resource's, or None."""
    parts = path.strip("/").split("/")
    version = aggregated_version(request)
    if path in ("/api", "/apis") and version:
        data = encode(discovery.aggregated(registry, core=path == "/api", version=version))
        response = json_response(data)
        response.headers["Content-Type"] = discovery.AGGREGATED.format(version)
        return response
    if path == "/api":
        return {"kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": []}
    if path == "/apis":
        return discovery.group_list(registry)
    if parts[0] == "api" and len(parts) == 2:
        return discovery.resource_list(registry, "", parts[1])
    if parts[0] == "apis" and len(parts) == 3:
        return discovery.resource_list(registry, parts[1], parts[2])
    if parts[0] == "apis" and len(parts) == 2:
        versions = registry.groups().get(parts[1])
        return (
            {"kind": "APIGroup", "apiVersion": "v1", **discovery.group(parts[1], versions)}
            if versions
            else None
        )
    return _openapi(registry, path, parts)


def _openapi(registry: Registry, path: str, parts: list[str]) -> Obj | None:
    if path == "/version":
        return discovery.VERSION
    if path == "/":
        return {
            "paths": [
                "/api",
                "/apis",
                "/healthz",
                "/livez",
                "/openapi/v2",
                "/openapi/v3",
                "/readyz",
                "/version",
            ]
        }
    if path == "/openapi/v2":
        return openapi.v2(registry)
    if path == "/openapi/v3":
        return openapi.v3_index(registry)
    if parts[:3] == ["openapi", "v3", "api"] and len(parts) == 4:
        return openapi.v3(registry, "", parts[3])
    if parts[:3] == ["openapi", "v3", "apis"] and len(parts) == 5:
        return openapi.v3(registry, parts[3], parts[4])
    return None
