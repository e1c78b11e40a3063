"""Bring a backup back into an empty control plane, in an order that causes no effect.

The API server gives every object a new UID, a new date and generation 1. What depends on them:

* Everything made for a request knows it by its UID: labels, Approvals, quota reservations, names of orders,
  keys of machines and disks, tags in the pool, signed certificates, hash-chained records. Most of it can't be
  changed, so the request keeps its UID: ``status.origin`` says it, and whoever reads the request goes by it.
* Owner references have to name the UID in this API server, or its garbage collector deletes who has them.
* A revision is a generation. The spec is written as often as it had been, so that the next edit is the next
  revision and no name is given twice.
* Clocks of decisions run from an Approval's date, reports from a pool's: ``status.origin`` keeps them.

Pools come last: without its pool nothing is done for any request, whatever already looks on.
"""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import cast

from pydantic import JsonValue

from govpool.api.approval import Approval
from govpool.api.auditrecord import AuditRecord
from govpool.api.base import API_VERSION, Resource, Scope
from govpool.api.baselinereport import BaselineReport
from govpool.api.cloudpolicy import CloudPolicy
from govpool.api.cloudpool import CloudPool
from govpool.api.cloudresourcerequest import CloudResourceRequest
from govpool.api.cloudserver import CloudServer
from govpool.api.kinds import by_kind
from govpool.api.rectificationnotice import RectificationNotice
from govpool.api.servicecatalog import ServiceCatalog
from govpool.api.tenantquota import TenantQuota
from govpool.api.wipecertificate import WipeCertificate
from govpool.api.workorder import WorkOrder
from govpool.effects import certificates, restoring, secrets
from govpool.effects.archive import Archive
from govpool.effects.kube import Json, Kube, KubeError
from govpool.lifecycle.restored import ADOPTED

ORDER: tuple[type[Resource], ...] = (
    AuditRecord,
    WipeCertificate,
    TenantQuota,
    CloudResourceRequest,
    Approval,
    CloudServer,
    WorkOrder,
    BaselineReport,
    RectificationNotice,
    CloudPolicy,
    ServiceCatalog,
    CloudPool,
)
AT_ONCE = 16
SUPPLY = (CloudPolicy.DEFINITION.kind, ServiceCatalog.DEFINITION.kind, CloudPool.DEFINITION.kind)
"""Kinds that GitOps may have put there already: what is there stands."""
DATED = (CloudResourceRequest.DEFINITION.kind, Approval.DEFINITION.kind, CloudPool.DEFINITION.kind)
"""Kinds whose status keeps what they were."""
BINDINGS = "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicybindings"
PATIENCE, PAUSE = 30.0, 0.5
"""Seconds in which an API server may still enforce an admission policy that was just unbound."""


class RestoreError(Exception):
    """The restore can't begin or go on; ``key`` and ``values`` name its text in the message catalogue."""

    def __init__(self, key: str, **values: object) -> None:
        super().__init__(key)
        self.key = key
        self.values = values


@dataclass(slots=True)
class Restored:
    """What came of a restore."""

    made: Counter[str] = field(default_factory=Counter)
    """Objects made, by kind."""
    there: Counter[str] = field(default_factory=Counter)
    """Objects that were there already."""
    missing_secrets: list[str] = field(default_factory=list)
    """Secrets of the old control plane that this one does not have, ``namespace/name``."""


async def restore(
    kube: Kube,
    archive: Archive,
    *,
    now: datetime,
    passphrase: str | None = None,
    settled: str | None = None,
    progress: Callable[[str], None] = lambda _: None,
) -> Restored:
    """Bring back everything; may be repeated when it was cut short.

    ``settled`` names who says that nothing happened after the backup (the operator had been stopped before
    it was taken): then every request is adopted at once. Else each waits until its servers were seen.

    Raises:
        RestoreError: an operator runs, the control plane is not empty, or its kinds are not installed.
        ArchiveError: the passphrase does not open the Secrets.
        KubeError: the API server; what was made so far stays, and the next call goes on.
    """
    opened = archive.open_secrets(passphrase) if passphrase is not None else []
    await _may_begin(kube, archive)
    await kube.ensure_namespace(secrets.NAMESPACE)
    await _begin(kube, archive, now)
    await _unbind(kube)
    work = _Work(kube, archive, now, settled)
    for document in archive.core:
        await work.core(document)
    for document in opened:
        await work.core(document)
    for kind in ORDER:
        await work.every(kind)
        progress(kind.DEFINITION.kind)
    await work.delete_again()
    await certificates.catch_up(kube)
    await _bind_again(kube)
    for name in archive.manifest.secrets:
        namespace, _, secret = name.partition("/")
        if await kube.core_get("secrets", namespace, secret) is None:
            work.result.missing_secrets.append(name)
    await restoring.clear_mark(kube)
    return work.result


# -- before and after ----------------------------------------------------------------------------
async def _may_begin(kube: Kube, archive: Archive) -> None:
    if archive.manifest.api_version != API_VERSION:
        raise RestoreError("restore.other-version", found=archive.manifest.api_version, known=API_VERSION)
    holder = await restoring.running_operator(kube)
    if holder is not None:
        raise RestoreError("restore.operator-runs", holder=holder)
    mark = await restoring.read_mark(kube)
    if mark is not None:
        if mark.get("archive") != archive.manifest.archive:
            raise RestoreError("restore.other-archive", archive=mark.get("archive", "?"))
        return
    for kind in ORDER:
        try:
            found = await kube.list(kind) if kind is CloudResourceRequest else await _probe(kube, kind)
        except KubeError as error:
            if error.absent:
                raise RestoreError("restore.no-kinds", kind=kind.DEFINITION.kind) from None
            raise
        if kind is CloudResourceRequest and found:
            names = ", ".join(one.metadata.name for one in found[:5])
            raise RestoreError("restore.not-empty", count=len(found), names=names)


async def _probe(kube: Kube, kind: type[Resource]) -> tuple[Resource, ...]:
    """Whether the kind is served; what is there is not read."""
    await kube.get_path(f"/apis/{API_VERSION}/{kind.DEFINITION.plural}?limit=1")
    return ()


async def _begin(kube: Kube, archive: Archive, now: datetime) -> None:
    """Set the mark, and in it the bindings of govpool's admission policies as they are."""
    if await restoring.read_mark(kube) is not None:
        return
    listed = await _bindings(kube)
    data = {
        "archive": archive.manifest.archive,
        "began": now.isoformat(),
        "bindings": json.dumps(listed),
    }
    await restoring.set_mark(kube, data)


async def _bindings(kube: Kube) -> list[Json]:
    try:
        listed = await kube.get_path(BINDINGS)
    except KubeError as error:
        if not error.absent:
            raise
        return []
    items = cast("list[Json]", listed.get("items") or [])
    ours = [one for one in items if _name(one).endswith(".govpool.dev")]
    return [
        {
            "apiVersion": "admissionregistration.k8s.io/v1",
            "kind": "ValidatingAdmissionPolicyBinding",
            "metadata": {"name": _name(one)},
            "spec": one["spec"],
        }
        for one in ours
    ]


async def _unbind(kube: Kube) -> None:
    """Only who gave a decision may write it, and a restore writes those of all: see :func:`_bind_again`."""
    for one in await _bindings(kube):
        try:
            await kube.delete_path(f"{BINDINGS}/{_name(one)}")
        except KubeError as error:
            if not error.absent:
                raise


async def _bind_again(kube: Kube) -> None:
    mark = await restoring.read_mark(kube) or {}
    for one in cast("list[Json]", json.loads(mark.get("bindings", "[]"))):
        try:
            await kube.post_path(BINDINGS, one)
        except KubeError as error:
            if not error.exists:
                raise


# -- objects -------------------------------------------------------------------------------------
class _Work:
    """One restore: the documents, and the new UIDs of those that own others."""

    def __init__(self, kube: Kube, archive: Archive, now: datetime, settled: str | None) -> None:
        self._kube, self._archive, self._now, self._settled = kube, archive, now, settled
        self._uids: dict[str, str] = {}
        self._slots = asyncio.Semaphore(AT_ONCE)
        self._deleted: list[Json] = []
        self.result = Restored()

    async def core(self, document: Json) -> None:
        """A Namespace, ConfigMap or Secret; one that is there stays as it is."""
        kind, meta = str(document["kind"]), cast(Json, document["metadata"])
        plural = f"{kind.lower()}s"
        place = f"/namespaces/{meta['namespace']}" if meta.get("namespace") else ""
        body = {key: value for key, value in document.items() if key not in ("status", "metadata")}
        if kind == "Namespace":
            body.pop("spec", None)
        elif meta["namespace"] != secrets.NAMESPACE:
            await self._kube.ensure_namespace(str(meta["namespace"]))
        body["metadata"] = _metadata(meta)
        try:
            await self._kube.post_path(f"/api/v1{place}/{plural}", body)
        except KubeError as error:
            if not error.exists:
                raise
            self.result.there[kind] += 1
        else:
            self.result.made[kind] += 1

    async def every(self, kind: type[Resource]) -> None:
        """Every object of a kind, several at once."""
        name = kind.DEFINITION.kind
        documents = [one for one in self._archive.objects if one["kind"] == name]
        try:
            async with asyncio.TaskGroup() as group:
                for document in documents:
                    group.create_task(self._guarded(document))
        except* KubeError as failed:
            # The first tells what is wrong; what was made stays, and a repeated restore goes on.
            raise failed.exceptions[0] from None

    async def _guarded(self, document: Json) -> None:
        async with self._slots:
            await self._one(document)

    async def _one(self, document: Json) -> None:
        kind, meta = by_kind(str(document["kind"])), cast(Json, document["metadata"])
        generation = int(str(meta.get("generation", 1))) - (1 if meta.get("deletionTimestamp") else 0)
        revisions = generation if kind is CloudResourceRequest else 1
        stored = await self._create(kind, document, replays=revisions > 1)
        if kind is CloudResourceRequest:
            stored = await replayed(self._kube, self._path_of(document), document, stored, revisions)
        self._uids[str(meta["uid"])] = str(cast(Json, stored["metadata"])["uid"])
        if kind.DEFINITION.has_status:
            await self._status(kind, document, stored)
        if meta.get("deletionTimestamp"):
            self._deleted.append(document)

    async def _create(self, kind: type[Resource], document: Json, *, replays: bool) -> Json:
        meta = cast(Json, document["metadata"])
        body = {key: value for key, value in document.items() if key != "status"}
        body["metadata"] = {**_metadata(meta), **self._owners(meta)}
        if replays:
            body["spec"] = marked(cast(Json, document["spec"]), 1)
        try:
            stored = await patiently(partial(self._kube.post_path, _path(kind, meta), body))
        except KubeError as error:
            if not error.exists:
                raise
            self.result.there[kind.DEFINITION.kind] += 1
            return await self._kube.get_path(f"{_path(kind, meta)}/{meta['name']}")
        self.result.made[kind.DEFINITION.kind] += 1
        return stored

    async def _status(self, kind: type[Resource], document: Json, stored: Json) -> None:
        """The status as it was, and what the object was; written over whatever somebody wrote since."""
        status = self._status_of(kind, document, stored)
        if status is None:
            return
        path = self._path_of(document)
        while True:
            body = {**stored, "status": status}
            try:
                await patiently(partial(self._kube.put_path, f"{path}/status", body))
            except KubeError as error:
                if not error.conflict:
                    raise
            else:
                return
            stored = await self._kube.get_path(path)

    def _status_of(self, kind: type[Resource], document: Json, stored: Json) -> Json | None:
        name, meta = kind.DEFINITION.kind, cast(Json, document["metadata"])
        before = cast("Json | None", document.get("status"))
        if name not in DATED and before is None:
            return None
        status = dict(before or {})
        if status.get("observedGeneration") == meta.get("generation") and before is not None:
            status["observedGeneration"] = cast(Json, stored["metadata"])["generation"]
        conditions = cast("list[Json]", status.get("conditions") or [])
        if conditions:
            # Of an earlier restore: it says nothing about this one.
            status["conditions"] = [one for one in conditions if one["type"] != ADOPTED]
        if name in DATED:
            status["origin"] = self._origin(name, meta, cast("Json | None", status.get("origin")))
        return status

    def _origin(self, kind: str, meta: Json, earlier: Json | None) -> Json:
        """What it was at first, however often it was restored."""
        origin: Json = {
            "uid": (earlier or meta)["uid"],
            "created": earlier["created"] if earlier else meta["creationTimestamp"],
            "generation": meta.get("generation", 1),
            "taken": self._archive.manifest.taken.isoformat(),
            "restored": self._now.isoformat(),
        }
        if kind == CloudResourceRequest.DEFINITION.kind and self._settled is not None:
            origin |= {"adopted": self._now.isoformat(), "adoptedBy": self._settled}
        return origin

    def _owners(self, meta: Json) -> Json:
        """Owner references with the owners' new UIDs; an owner that is not there any more is left out."""
        owners = cast("list[Json]", meta.get("ownerReferences") or [])
        kept: list[JsonValue] = [
            {**owner, "uid": self._uids[str(owner["uid"])]}
            for owner in owners
            if str(owner["uid"]) in self._uids
        ]
        return {"ownerReferences": kept} if kept else {}

    async def delete_again(self) -> None:
        """Delete what was being deleted: its finalizers hold it, as they did."""
        for document in self._deleted:
            try:
                await self._kube.delete_path(self._path_of(document))
            except KubeError as error:
                if not error.absent:
                    raise

    def _path_of(self, document: Json) -> str:
        meta = cast(Json, document["metadata"])
        return f"{_path(by_kind(str(document['kind'])), meta)}/{meta['name']}"


async def patiently(write: Callable[[], Awaitable[Json]]) -> Json:
    """Repeat a write that an admission policy denies: an API server needs a moment to forget one.

    Raises:
        KubeError: the API server refused it for another reason, or still does.
    """
    loop = asyncio.get_running_loop()
    until = loop.time() + PATIENCE
    while True:
        try:
            return await write()
        except KubeError as error:
            if "ValidatingAdmissionPolicy" not in error.message or loop.time() > until:
                raise
        await asyncio.sleep(PAUSE)


async def replayed(kube: Kube, path: str, document: Json, stored: Json, revisions: int) -> Json:
    """Write a request's spec until its generation is the one given, the last time as the document has it."""
    spec = cast(Json, document["spec"])
    has = int(str(cast(Json, stored["metadata"])["generation"]))
    for number in range(has + 1, revisions + 1):
        now = spec if number == revisions else marked(spec, number)
        body: Json = {"spec": {"system": now["system"]}}
        stored = await patiently(partial(kube.merge_path, path, body))
    return stored


def _path(kind: type[Resource], meta: Json) -> str:
    place = f"/namespaces/{meta['namespace']}" if kind.DEFINITION.scope is Scope.NAMESPACED else ""
    return f"/apis/{API_VERSION}{place}/{kind.DEFINITION.plural}"


def _metadata(meta: Json) -> Json:
    kept = {"name", "namespace", "labels", "annotations", "finalizers"}
    return {key: value for key, value in meta.items() if key in kept and value}


def marked(spec: Json, number: int) -> Json:
    """The spec, as one of its earlier revisions stands in for it: what it said then nobody needs any more."""
    system = cast(Json, spec["system"])
    return {**spec, "system": {**system, "purpose": f"{system.get('purpose', '')} "[:4000] + f"#{number}"}}


def _name(document: Json) -> str:
    return str(cast(Json, document["metadata"])["name"])
