"""Discovery: which groups, versions and resources are served, in the old and in the aggregated form."""

from __future__ import annotations

from .objects import Obj
from .resources import Registry, Resource

AGGREGATED = "application/json;g=apidiscovery.k8s.io;v={};as=APIGroupDiscoveryList"
VERSION: Obj = {
    "major": "1",
    "minor": "36",
    "gitVersion": "v1.36.0+govpool",
    "gitCommit": "",
    "gitTreeState": "clean",
    "buildDate": "1970-01-01T00:00:00Z",
    "goVersion": "",
    "compiler": "cpython",
    "platform": "linux/amd64",
}
"""The API level that is spoken; clients such as kubectl compare it with their own."""


def _resource(resource: Resource) -> Obj:
    found: Obj = {
        "name": resource.plural,
        "singularName": resource.singular,
        "namespaced": resource.namespaced,
        "kind": resource.kind,
        "verbs": sorted(resource.verbs),
    }
    if resource.short_names:
        found["shortNames"] = list(resource.short_names)
    if resource.categories:
        found["categories"] = list(resource.categories)
    return found


def resource_list(registry: Registry, group: str, version: str) -> Obj | None:
    """Return the APIResourceList of a group version; None when it is not served."""
    resources: list[Obj] = []
    for resource in registry.of(group, version):
        resources.append(_resource(resource))
        if resource.status:
            resources.append(
                {
                    "name": f"{resource.plural}/status",
                    "singularName": "",
                    "namespaced": resource.namespaced,
                    "kind": resource.kind,
                    "verbs": ["get", "patch", "update"],
                }
            )
        if resource.storage_key == "serviceaccounts":
            resources.append(
                {
                    "name": "serviceaccounts/token", "singularName": "", "namespaced": True,
                    "kind": "TokenRequest",
                    "group": "authentication.k8s.io", "version": "v1", "verbs": ["create"],
                }
            )  # fmt: skip
    if not resources:
        return None
    name = f"{group}/{version}" if group else version
    return {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": name, "resources": resources}


def group(name: str, versions: list[str]) -> Obj:
    """Return one APIGroup."""
    found = [{"groupVersion": f"{name}/{v}", "version": v} for v in versions]
    return {"name": name, "versions": found, "preferredVersion": found[0]}


def group_list(registry: Registry) -> Obj:
    """Return the APIGroupList of all named groups."""
    groups = [group(name, versions) for name, versions in registry.groups().items() if name]
    return {"kind": "APIGroupList", "apiVersion": "v1", "groups": groups}


def _aggregated_resource(resource: Resource) -> Obj:
    kind = {"group": resource.group, "version": resource.version, "kind": resource.kind}
    scope = "Namespaced" if resource.namespaced else "Cluster"
    found: Obj = {
        "resource": resource.plural,
        "responseKind": kind,
        "scope": scope,
        "singularResource": resource.singular,
        "verbs": sorted(resource.verbs),
    }
    if resource.short_names:
        found["shortNames"] = list(resource.short_names)
    if resource.categories:
        found["categories"] = list(resource.categories)
    if resource.status:
        status = {"subresource": "status", "responseKind": kind, "verbs": ["get", "patch", "update"]}
        found["subresources"] = [status]
    return found


def aggregated(registry: Registry, *, core: bool, version: str) -> Obj:
    """Return the aggregated discovery document of /api (core) or /apis."""
    items: list[Obj] = []
    for name, versions in registry.groups().items():
        if (name == "") is not core:
            continue
        items.append(
            {
                "metadata": {"name": name} if name else {},
                "versions": [
                    {
                        "version": v,
                        "resources": [_aggregated_resource(r) for r in registry.of(name, v)],
                        "freshness": "Current",
                    }
                    for v in versions
                ],
            }
        )
    return {
        "kind": "APIGroupDiscoveryList",
        "apiVersion": f"apidiscovery.k8s.io/{version}",
        "metadata": {},
        "items": items,
    }
