"""After a restore: what the pools have that the backup does not know, and what people say of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import cast

from pydantic import JsonValue

from govpool.api.base import API_VERSION, PAUSED_ANNOTATION, REQUEST_LABEL
from govpool.api.cloudpool import CloudPool
from govpool.api.cloudresourcerequest import CloudResourceRequest
from govpool.api.cloudserver import CloudServer, ServerPhase
from govpool.api.wipecertificate import WipeCertificate
from govpool.effects import certificates, secrets
from govpool.effects.kube import Json, Kube, KubeError
from govpool.effects.pools import Pools
from govpool.effects.restore import RestoreError, marked, replayed
from govpool.effects.signing import load_public_key, verifier
from govpool.lifecycle.restored import ADOPTED, awaits, origin_of
from govpool.rules.certificate import parse, verify_chain
from govpool_providers.base import Machine
from govpool_providers.errors import ProviderError

AHEAD = "AheadOfBackup"


@dataclass(frozen=True, slots=True)
class Waiting:
    """A restored request that is not adopted yet, and why."""

    request: CloudResourceRequest
    why: str
    """Empty: no operator has looked at it yet."""


@dataclass(frozen=True, slots=True)
class Stranger:
    """A machine with govpool's tags that no CloudServer knows, or one that is said to be gone."""

    pool: str
    machine: Machine


@dataclass(frozen=True, slots=True)
class Found:
    """What people have to look at after a restore."""

    waiting: tuple[Waiting, ...]
    strangers: tuple[Stranger, ...]
    unknown: tuple[tuple[str, str], ...]
    """Pools that could not be asked, and why: nothing is concluded about them."""

    @property
    def nothing(self) -> bool:
        """Whether all is known and nothing waits."""
        return not (self.waiting or self.strangers or self.unknown)


async def look(kube: Kube) -> Found:
    """Compare what there is with the pools' tags.

    Raises:
        KubeError: the API server did not tell what there is.
    """
    requests = await kube.list(CloudResourceRequest)
    waiting = tuple(Waiting(one, _why(one)) for one in requests if awaits(one))
    strangers, unknown = await _strangers(kube)
    return Found(waiting, strangers, unknown)


def _why(request: CloudResourceRequest) -> str:
    conditions = request.status.conditions if request.status else []
    return next((c.message for c in conditions if c.type == ADOPTED), "")


async def _strangers(kube: Kube) -> tuple[tuple[Stranger, ...], tuple[tuple[str, str], ...]]:
    servers = await kube.list(CloudServer)
    known = {s.spec.key for s in servers if s.status is None or s.status.phase is not ServerPhase.GONE}
    pools, strangers, unknown = Pools(kube), [], []
    for cloud_pool in await kube.list(CloudPool):
        if cloud_pool.by_hand:
            continue
        name = cloud_pool.metadata.name
        try:
            pool = await pools.of(cloud_pool)
            machines = await pool.call(pool.provider.list_machines)
        except ProviderError as error:
            unknown.append((name, f"{error.code}: {error.message}"))
            continue
        strangers += [Stranger(name, machine) for machine in machines if machine.key not in known]
    strangers.sort(key=lambda s: (s.machine.owner.unit, s.machine.owner.request_name, s.machine.key))
    return tuple(strangers), tuple(unknown)


# -- what people say -----------------------------------------------------------------------------
async def accept(
    kube: Kube, request: CloudResourceRequest, *, by: str, at: datetime, even_if_ahead: bool = False
) -> None:
    """Let govpool act on a restored request again, as the backup has it.

    Raises:
        RestoreError: it was not restored, or is adopted; or the pool has servers of a later revision, which
            may hold live data (``even_if_ahead`` accepts that).
    """
    origin = origin_of(request)
    if origin is None or origin.adopted is not None:
        raise RestoreError("recover.not-restored", request=request.metadata.name)
    servers = await kube.list(
        CloudServer, namespace=request.metadata.namespace, labels=f"{REQUEST_LABEL}={request.metadata.uid}"
    )
    ahead = [s.metadata.name for s in servers if _reason(s) == AHEAD]
    if ahead and not even_if_ahead:
        raise RestoreError("recover.ahead", servers=", ".join(sorted(ahead)))
    adopted: Json = {"adopted": at.isoformat(), "adoptedBy": by}
    await kube.merge_path(f"{_path(request)}/status", {"status": {"origin": adopted}})


def _reason(server: CloudServer) -> str:
    conditions = server.status.conditions if server.status else []
    return next((c.reason for c in conditions if c.type == ADOPTED), "")


async def claim(kube: Kube, document: Json, uid: str, *, now: datetime) -> int:
    """Make a request that the backup does not know, as the one that machines in a pool are tagged for.

    It is applied for and approved as any other; its servers are then found by their keys and adopted. The
    revision that it begins with, later than any that a machine is tagged with, is returned.

    Raises:
        RestoreError: no machine is tagged for it, or the request or the UID is taken.
    """
    meta = cast(dict[str, str], document["metadata"])
    name, unit = meta["name"], meta["namespace"]
    taken = [one for one in await kube.list(CloudResourceRequest) if one.metadata.uid == uid]
    if taken:
        raise RestoreError("recover.claim-taken", uid=uid, request=taken[0].metadata.name)
    strangers, _ = await _strangers(kube)
    owners = [s.machine.owner for s in strangers]
    ours = [o for o in owners if (o.request_uid, o.unit, o.request_name) == (uid, unit, name)]
    if not ours:
        raise RestoreError("recover.claim-unknown", uid=uid, request=name)
    revision = max(owner.revision for owner in ours)
    collection = f"/apis/{API_VERSION}/namespaces/{unit}/{CloudResourceRequest.DEFINITION.plural}"
    # Paused from its first moment on: nobody may look at it before it is said whose it is.
    paused: JsonValue = {PAUSED_ANNOTATION: "true"}
    spec = marked(cast(Json, document["spec"]), 1)
    body: Json = {
        **document,
        "metadata": {"name": name, "namespace": unit, "annotations": paused},
        "spec": spec,
    }
    try:
        stored = await kube.post_path(collection, body)
    except KubeError as error:
        if not error.exists:
            raise
        raise RestoreError("recover.claim-there", request=name) from None
    path = f"{collection}/{name}"
    await replayed(kube, path, document, stored, revision + 1)
    at = now.isoformat()
    origin: Json = {"uid": uid, "created": at, "generation": revision, "taken": at, "restored": at}
    await kube.merge_path(f"{path}/status", {"status": {"origin": origin}})
    await kube.merge_path(path, {"metadata": {"annotations": {PAUSED_ANNOTATION: None}}})
    return revision + 1


def _path(request: CloudResourceRequest) -> str:
    meta = request.metadata
    return f"/apis/{API_VERSION}/namespaces/{meta.namespace}/{request.DEFINITION.plural}/{meta.name}"


# -- certificates --------------------------------------------------------------------------------
@dataclass(frozen=True, slots=True)
class Imported:
    """What became of one certificate's file."""

    source: str
    number: str
    why: str = ""
    """Why it was not taken; empty: it is there."""
    made: bool = False


async def import_certificates(
    kube: Kube, documents: Sequence[tuple[str, dict[str, JsonValue]]]
) -> list[Imported]:
    """Put back certificates that were issued after the backup, if they continue the chain that is there.

    Raises:
        KubeError: the API server.
        KeyUnusableError: the published public key can't be read.
    """
    chain = await kube.core_get("configmaps", secrets.NAMESPACE, certificates.CHAIN)
    data = cast("dict[str, str]", (chain or {}).get("data") or {})
    pem = data.get(certificates.PUBLIC_KEY)
    trusted = [load_public_key(pem.encode())] if pem else []
    there = {certificate_number(one): one for one in await kube.list(WipeCertificate)}
    known = [(number, _document(one)) for number, one in there.items()]
    verdicts = {v.source: v for v in verify_chain([*known, *documents], verifier(trusted))}
    result: list[Imported] = []
    for source, document in documents:
        verdict = verdicts.get(source)
        if verdict is None:
            # The same as one that is there: the chain keeps one of two equal links.
            result.append(Imported(source, source))
        elif not verdict.ok:
            result.append(Imported(source, verdict.number, "; ".join(f.message for f in verdict.faults)))
        else:
            result.append(Imported(source, verdict.number, made=await _put_back(kube, document)))
    await certificates.catch_up(kube)
    return result


def certificate_number(certificate: WipeCertificate) -> str:
    """Its number in its authority's chain."""
    return certificate.spec.number


async def _put_back(kube: Kube, document: dict[str, JsonValue]) -> bool:
    """Make the certificate; whether it was not there."""
    meta, spec = cast(dict[str, str], document["metadata"]), parse(document)
    labels = {REQUEST_LABEL: spec.deregistration.request.uid} if spec.deregistration else {}
    body = {
        "apiVersion": API_VERSION,
        "kind": WipeCertificate.DEFINITION.kind,
        "metadata": {"name": meta["name"], "namespace": meta["namespace"], "labels": labels},
        "spec": document["spec"],
    }
    plural = WipeCertificate.DEFINITION.plural
    try:
        path = f"/apis/{API_VERSION}/namespaces/{meta['namespace']}/{plural}"
        await kube.post_path(path, cast(Json, body))
    except KubeError as error:
        if not error.exists:
            raise
        return False
    return True


def _document(certificate: WipeCertificate) -> dict[str, JsonValue]:
    return cast("dict[str, JsonValue]", certificate.model_dump(mode="json", by_alias=True, exclude_none=True))
