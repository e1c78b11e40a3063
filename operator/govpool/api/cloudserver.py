"""CloudServer (云服务器): one server with its disks, from creation to the last disk's deletion."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, ClassVar

from pydantic import Field, StringConstraints

from govpool.api.approval import RequestReference
from govpool.api.base import (
    Column,
    Condition,
    Definition,
    Instant,
    Model,
    Name,
    Resource,
    Rule,
    Scope,
    ShortText,
    Text,
    Title,
)
from govpool.api.rectification_words import Enforcement
from govpool.api.usage import Usage
from govpool.api.wipecertificate import AbsenceProof, BackupProof, MediumCopy, Sanitisation

PoolKey = Annotated[str, StringConstraints(max_length=40, pattern=r"^[a-z0-9-]+$")]
"""Deterministic name of something in the pool."""


class Desired(StrEnum):
    """What the request wants of a server."""

    RUNNING = "Running"
    STOPPED = "Stopped"
    """Switched off and kept whole: a quiet period, a forced shutdown."""
    RELEASED = "Released"
    """No machine any more; its disks are kept, detached, for backup and wiping."""
    GONE = "Gone"
    """Its disks are deleted as well; carried out only for disks that are proven wiped."""


class ServerDisk(Model):
    """A disk that the server has."""

    key: PoolKey
    """Its key in the pool."""
    name: Name
    """Its name: ``root`` or the data disk's."""
    size_gib: Annotated[int, Field(ge=1)]
    """Size in GiB."""
    root: bool = False
    """Whether it is the root disk."""
    volume_class: Name | None = None
    """Storage item of the catalogue."""


class CloudServerSpec(Model):
    """A server as approved. Written by govpool only."""

    request: RequestReference
    revision: Annotated[int, Field(ge=1)]
    """The approved revision that this spec carries out."""
    article: ShortText
    """Clause under which it was opened or last changed."""
    pool: Name
    """The CloudPool."""
    key: PoolKey
    """The machine's key in the pool, from the request's UID, the group's name and the ordinal."""
    group: Name
    """The group of servers in the request."""
    ordinal: Annotated[int, Field(ge=0)]
    """Number within its group, from 0."""
    item: Name
    """Catalogue item."""
    vcpu: Annotated[int, Field(ge=1)]
    """Virtual CPUs."""
    memory_gib: Annotated[int, Field(ge=1)]
    """Memory in GiB."""
    image: Title
    """Operating system image."""
    network: ShortText
    """The network that it is on."""
    disks: Annotated[list[ServerDisk], Field(min_length=1, max_length=17)]
    """Root disk first."""
    desired: Desired = Desired.RUNNING

    RULES: ClassVar[tuple[Rule, ...]] = (
        Rule("self.key == oldSelf.key && self.pool == oldSelf.pool", "key and pool are immutable"),
        Rule(
            "!(oldSelf.desired in ['Released', 'Gone']) || self.desired in ['Released', 'Gone']",
            "a released server does not come back",
        ),
        Rule("self.disks.exists_one(d, d.root)", "a server has exactly one root disk"),
        Rule(
            "oldSelf.disks.all(d, self.disks.exists(e, e.key == d.key && e.sizeGiB >= d.sizeGiB))",
            "a disk neither shrinks nor leaves before it was wiped",
        ),
    )


class DiskPhase(StrEnum):
    """Where a disk is in its life."""

    PENDING = "Pending"
    PRESENT = "Present"
    WIPED = "Wiped"
    """Overwritten and read back; may be deleted."""
    GONE = "Gone"
    """Seen absent from the pool."""


class DiskStatus(Model):
    """A disk as seen, and what was proven of it. Kept after the disk is gone."""

    key: PoolKey
    """Its key in the pool."""
    name: Name
    """Its name: root or the data disk's."""
    root: bool = False
    """Whether it is the root disk."""
    provider_id: ShortText = ""
    """Its id in the provider's own words."""
    size_bytes: Annotated[int, Field(ge=0)] = 0
    """Size in bytes, as seen."""
    medium: ShortText = ""
    """What it is stored on, in the provider's own words."""
    overwrite: ShortText = ""
    """Whether an overwrite reaches the medium: InPlace, CopyOnWrite, Encrypted."""
    phase: DiskPhase = DiskPhase.PENDING
    held_data: bool = False
    """Whether anything was ever written to it: true from the moment its machine was first Active."""
    backup: BackupProof | None = None
    """The backup that was made of it."""
    sanitisation: Sanitisation | None = None
    """How it was wiped, and how that was verified."""
    copies: Annotated[list[MediumCopy], Field(max_length=64)] = []
    """Snapshots, backups and images of it, and what became of them."""
    absence: AbsenceProof | None = None
    """How it was seen to be gone."""
    wiped_by: Title | None = None
    """The WorkOrder that proved it."""


class ServerPhase(StrEnum):
    """Where a server stands."""

    PENDING = "Pending"
    BUILDING = "Building"
    OPEN = "Open"
    """Running, and the operator can still get in."""
    RESIZING = "Resizing"
    HANDED_OVER = "HandedOver"
    """The unit's; the operator is locked out."""
    STOPPED = "Stopped"
    RELEASED = "Released"
    GONE = "Gone"
    ERROR = "Error"


class BaselineSummary(Model):
    """The last baseline."""

    report: Title
    """Name of the BaselineReport."""
    passed: bool
    """Whether the gate opened."""
    score: Annotated[int, Field(ge=0, le=100)]
    """Percentage of applicable controls that pass."""
    at: Instant
    """When."""
    work_order: Title
    """Name of the WorkOrder."""


class HandoverSummary(Model):
    """The handover."""

    at: Instant
    """When."""
    proof: Text
    """How it was proven that the operator is locked out."""
    work_order: Title
    """Name of the WorkOrder."""


class ServerHold(Model):
    """Something that govpool enforces on the server, for a notice; recorded before it is done."""

    action: Enforcement
    """ForcedShutdown or Isolation."""
    notice: Title
    """Name of the RectificationNotice."""
    since: Instant
    """Since when."""


class Declared(Model):
    """Something that a person reported of the server and nobody here saw."""

    work: ShortText
    """Kind of the work order."""
    order: Title
    """Name of the WorkOrder."""
    by: Title
    """Who reported it."""
    at: Instant
    """When."""
    statement: Text = ""
    """In that person's words."""


class CloudServerStatus(Model):
    """A server as last seen."""

    observed_generation: int = 0
    """Generation of the spec that this status is about."""
    conditions: Annotated[list[Condition], Field(max_length=16)] = []
    """Aspects of its state, one of each type."""
    phase: ServerPhase = ServerPhase.PENDING
    provider_id: ShortText = ""
    """The server's id in the provider's own words."""
    addresses: Annotated[list[ShortText], Field(max_length=16)] = []
    """IP addresses."""
    host_key_fingerprint: ShortText = ""
    """SHA-256 fingerprint of its SSH host key."""
    vcpu: int = 0
    """As seen in the pool."""
    memory_gib: int = 0
    """As seen in the pool."""
    disks: Annotated[list[DiskStatus], Field(max_length=64)] = []
    """Its disks, those that are gone included."""
    seen_at: Instant | None = None
    """When the pool last answered about it."""
    opened_at: Instant | None = None
    """When it was first Active."""
    revision: int = 0
    """The revision whose size and disks it has."""
    baseline: BaselineSummary | None = None
    handover: HandoverSummary | None = None
    switched_off: bool = False
    """Whether it was govpool that switched it off, as the spec said; then govpool switches it on again."""
    drift: Annotated[list[ShortText], Field(max_length=16)] = []
    """Where it differs from what was approved."""
    message: Text = ""
    """What happened and what to do next, for people."""
    retry_at: Instant | None = None
    """When govpool tries again."""
    isolated: bool = False
    """Whether it is cut from every network, as seen in the pool."""
    holds: Annotated[list[ServerHold], Field(max_length=2)] = []
    """What is enforced on it; lifted when the notice is."""
    usage: Usage | None = None
    """What was measured of it. Written by whoever measures, never by govpool itself."""
    declared: Annotated[list[Declared], Field(max_length=64)] = []
    """What was declared of it and not seen, in a pool that only people reach."""


class CloudServer(Resource):
    """One server (云服务器) with its disks."""

    DEFINITION: ClassVar[Definition] = Definition(
        kind="CloudServer",
        plural="cloudservers",
        singular="cloudserver",
        short_names=("csrv",),
        scope=Scope.NAMESPACED,
        columns=(
            Column("Phase", ".status.phase"),
            Column("Request", ".spec.request.name"),
            Column("vCPU", ".status.vcpu", type="integer"),
            Column("GiB", ".status.memoryGiB", type="integer"),
            Column("Address", ".status.addresses[0]"),
            Column("Baseline", ".status.baseline.passed", type="boolean"),
            Column("Pool", ".spec.pool", priority=1),
            Column("Age", ".metadata.creationTimestamp", type="date"),
        ),
    )
    spec: CloudServerSpec
    status: CloudServerStatus | None = None
