"""Take a backup: every object of every kind, status included, and what govpool keeps beside them.

Lists of several kinds are never of one instant. They are read against the order in which things are written:
whatever is written last is read first, so that nothing in the backup tells of something that is not in it.
It is then like the state after a power cut between two writes, which the operator goes on from anyway.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import cast

from govpool import __version__
from govpool.api.approval import Approval
from govpool.api.auditrecord import AuditRecord
from govpool.api.base import API_VERSION, Resource
from govpool.api.baselinereport import BaselineReport
from govpool.api.cloudpolicy import CloudPolicy
from govpool.api.cloudpool import CloudPool
from govpool.api.cloudresourcerequest import CloudResourceRequest
from govpool.api.cloudserver import CloudServer
from govpool.api.kinds import KINDS
from govpool.api.rectificationnotice import RectificationNotice
from govpool.api.servicecatalog import ServiceCatalog
from govpool.api.tenantquota import TenantQuota
from govpool.api.wipecertificate import WipeCertificate
from govpool.api.workorder import WorkOrder
from govpool.effects import archive, certificates, secrets
from govpool.effects.audit import ANCHORS
from govpool.effects.kube import Json, Kube

ORDER: tuple[type[Resource], ...] = (
    CloudResourceRequest,
    CloudServer,
    WorkOrder,
    BaselineReport,
    Approval,
    RectificationNotice,
    TenantQuota,
    WipeCertificate,
    AuditRecord,
    CloudPolicy,
    ServiceCatalog,
    CloudPool,
)
"""Last written, first read: a request's status tells of servers, orders, decisions and records."""
KEPT = (ANCHORS, certificates.CHAIN)
"""ConfigMaps: the ends of the audit trails, and the chain of certificates with its public key."""
MANAGED = "app.kubernetes.io/managed-by"


@dataclass(slots=True)
class _Found:
    objects: list[Json] = field(default_factory=list)
    core: list[Json] = field(default_factory=list)
    secrets: list[Json] = field(default_factory=list)
    left_out: int = 0


async def back_up(
    kube: Kube, path: Path, *, now: datetime, passphrase: str | None = None
) -> archive.Manifest:
    """Write a backup of the whole control plane to a file. Secrets go in only with a passphrase, encrypted.

    Raises:
        KubeError: the API server did not give everything; nothing is written.
        OSError: the file can't be written.
    """
    found = await _read(kube)
    names = [f"{_meta(one)['namespace']}/{_meta(one)['name']}" for one in found.secrets]
    manifest, members = archive.pack(
        found.objects,
        found.core,
        taken=now,
        version=__version__,
        api_version=API_VERSION,
        secrets=names,
        sealed=archive.seal(found.secrets, passphrase) if passphrase is not None else None,
        left_out=found.left_out,
    )
    archive.write(path, members, now)
    return manifest


async def _read(kube: Kube) -> _Found:
    if missing := set(KINDS) - set(ORDER):
        raise LookupError(f"no place in the order of a backup: {sorted(k.__name__ for k in missing)}")
    found = _Found()
    for name in KEPT:
        document = await kube.core_get("configmaps", secrets.NAMESPACE, name)
        if document is not None:
            found.core.append({**document, "kind": "ConfigMap", "apiVersion": "v1"})
    for kind in ORDER:
        _, documents = await kube.list_as(kind, _whole(kind))
        found.objects += documents
    found.objects, found.left_out = _closed(found.objects)
    found.core += await _namespaces(kube, found.objects)
    found.secrets = await _secrets(kube, found.objects)
    return found


def _whole(kind: type[Resource]) -> Callable[[Json], Json]:
    def whole(document: Json) -> Json:
        metadata = {key: value for key, value in _meta(document).items() if key != "managedFields"}
        named = {"apiVersion": API_VERSION, "kind": kind.DEFINITION.kind}
        return cast(Json, {**document, **named, "metadata": metadata})

    return whole


def _closed(objects: Sequence[Json]) -> tuple[list[Json], int]:
    """Without what belongs to a request that was made after the requests were read."""
    known = {str(_meta(o)["uid"]) for o in objects if o["kind"] == CloudResourceRequest.DEFINITION.kind}

    def belongs(document: Json) -> bool:
        owners = cast("list[dict[str, str]]", _meta(document).get("ownerReferences") or [])
        ours = [o for o in owners if o["kind"] == CloudResourceRequest.DEFINITION.kind]
        return all(owner["uid"] in known for owner in ours)

    kept = [one for one in objects if belongs(one)]
    return kept, len(objects) - len(kept)


async def _namespaces(kube: Kube, objects: Sequence[Json]) -> list[Json]:
    names = {str(_meta(one)["namespace"]) for one in objects if _meta(one).get("namespace")}
    found = [await kube.get_path(f"/api/v1/namespaces/{name}") for name in sorted(names)]
    return [{**one, "kind": "Namespace", "apiVersion": "v1"} for one in found]


async def _secrets(kube: Kube, objects: Sequence[Json]) -> list[Json]:
    """Those that govpool made, and those that pools name."""
    wanted = {(secrets.NAMESPACE, name) for name in await _made(kube)}
    for one in objects:
        if one["kind"] != CloudPool.DEFINITION.kind:
            continue
        spec = CloudPool.model_validate(one).spec
        for reference in (spec.connection.secret_ref, spec.backup.password_ref if spec.backup else None):
            wanted |= {(reference.namespace, reference.name)} if reference else set()
    found = [(key, await kube.core_get("secrets", *key)) for key in sorted(wanted)]
    return [{**one, "kind": "Secret", "apiVersion": "v1"} for _, one in found if one is not None]


async def _made(kube: Kube) -> list[str]:
    listed = await kube.get_path(f"/api/v1/namespaces/{secrets.NAMESPACE}/secrets")
    items = cast("list[Json]", listed.get("items") or [])
    return [
        str(_meta(item)["name"])
        for item in items
        if cast("dict[str, str]", _meta(item).get("labels") or {}).get(MANAGED) == "govpool"
    ]


def _meta(document: Json) -> Json:
    return cast(Json, document["metadata"])
