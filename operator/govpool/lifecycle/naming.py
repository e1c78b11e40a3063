"""Deterministic names: from UID, revision and step, so that a replay finds what it made before."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from functools import lru_cache

from govpool.api.approval import RequestReference
from govpool.api.base import REQUEST_LABEL, ObjectMeta, OwnerReference
from govpool.api.cloudresourcerequest import CloudResourceRequest
from govpool.api.workorder import WorkOrderKind

JOB_NAME = 60
"""Characters of a Job's name, with room for the numbers of its report's further parts."""


def short(uid: str) -> str:
    """Six characters that tell a re-made request from its namesake."""
    return hashlib.sha256(uid.encode()).hexdigest()[:6]


def approval_name(request: CloudResourceRequest, revision: int) -> str:
    """Name of the Approval of one revision."""
    return f"{request.metadata.name}-r{revision}-{short(request.metadata.uid)}"


def order_name(
    request: CloudResourceRequest, work: WorkOrderKind, revision: int, again_for: Iterable[str] = ()
) -> str:
    """Name of the work order of one kind for one revision.

    A revision may want the same work once more for other servers (a temporary expansion that returns):
    ``again_for`` names them.
    """
    name = f"{request.metadata.name}-{work.value.lower()}-r{revision}-{short(request.metadata.uid)}"
    return name + _again(again_for)


def certificate_name(request: CloudResourceRequest, revision: int, again_for: Iterable[str] = ()) -> str:
    """Name of the WipeCertificate for what one revision took away; ``again_for`` as for orders."""
    return f"{request.metadata.name}-r{revision}-{short(request.metadata.uid)}" + _again(again_for)


def _again(servers: Iterable[str]) -> str:
    names = sorted(servers)
    return f"-{short('/'.join(names))}" if names else ""


def server_name(request: CloudResourceRequest, group: str, ordinal: int) -> str:
    """Name of a CloudServer."""
    return f"{request.metadata.name}-{group}-{ordinal}"


def machine_key(request_uid: str, group: str, ordinal: int) -> str:
    """Key of a machine in its pool; does not depend on the CloudServer object, which may be lost."""
    return "gp-" + hashlib.sha256(f"{request_uid}/{group}/{ordinal}".encode()).hexdigest()[:24]


def disk_key(machine: str, disk: str) -> str:
    """Key of a disk in its pool."""
    return "gpd-" + hashlib.sha256(f"{machine}/{disk}".encode()).hexdigest()[:24]


def run_key(request_uid: str, work: WorkOrderKind, revision: int, again_for: Iterable[str] = ()) -> str:
    """Key of a run; the same order never has two runs at once."""
    digest = hashlib.sha256(f"{request_uid}/{work}/{revision}".encode()).hexdigest()[:16]
    return f"{work.value.lower()}-r{revision}-{digest}" + _again(again_for)


def job_name(run_key: str, attempt: int) -> str:
    """Name of the Job of an attempt: 63 characters at most, as its Pods carry it in a label."""
    name = f"{run_key}-{attempt}"
    return name if len(name) <= JOB_NAME else f"{run_key[: JOB_NAME - 12]}-{short(name)}-{attempt}"


def reference(request: CloudResourceRequest) -> RequestReference:
    """How what is made for the request names it: always the same object for the same request."""
    return _reference(request.metadata.name, request.metadata.uid)


@lru_cache(maxsize=4096)
def _reference(name: str, uid: str) -> RequestReference:
    return RequestReference(name=name, uid=uid)


def made_for(request: CloudResourceRequest, name: str, *, owned: bool = True) -> ObjectMeta:
    """Metadata of something made for a request. What is owned goes when the request goes."""
    owner = OwnerReference(
        api_version=request.api_version,
        kind=request.DEFINITION.kind,
        name=request.metadata.name,
        uid=request.metadata.object_uid,
        controller=True,
        block_owner_deletion=True,
    )
    return ObjectMeta(
        name=name,
        namespace=request.metadata.namespace,
        labels={REQUEST_LABEL: request.metadata.uid},
        owner_references=(owner,) if owned else (),
    )
