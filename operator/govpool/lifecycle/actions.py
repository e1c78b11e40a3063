"""What a decision may ask for. Frozen, with a deterministic key: doing it twice is doing it once."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime

from govpool.api.auditrecord import AuditEntry
from govpool.api.base import Model, Resource
from govpool.api.cloudresourcerequest import CloudResourceRequest
from govpool.api.tenantquota import TenantQuotaStatus
from govpool.api.wipecertificate import WipeCertificateSpec
from govpool_providers.base import DiskWant, Size


@dataclass(frozen=True, slots=True)
class Create:
    """Create the object; that it exists already is success."""

    resource: Resource

    @property
    def key(self) -> str:
        """Kind and name: names are made from UID, revision and step."""
        return f"create/{self.resource.kind}/{self.resource.metadata.namespace}/{self.resource.metadata.name}"


@dataclass(frozen=True, slots=True)
class WriteSpec:
    """Replace the spec of one of govpool's own objects, if nobody wrote it since it was read."""

    resource: Resource

    @property
    def key(self) -> str:
        """Kind, name and the version that was read."""
        meta = self.resource.metadata
        return f"spec/{self.resource.kind}/{meta.namespace}/{meta.name}/{meta.resource_version}"


@dataclass(frozen=True, slots=True)
class WriteStatus:
    """Replace the status, if nobody wrote the object since it was read."""

    resource: Resource
    status: Model

    @property
    def key(self) -> str:
        """Kind, name and the version that was read."""
        meta = self.resource.metadata
        return f"status/{self.resource.kind}/{meta.namespace}/{meta.name}/{meta.resource_version}"


@dataclass(frozen=True, slots=True)
class WriteQuota:
    """Write the unit's reservations, if nobody wrote them since they were read."""

    namespace: str
    resource_version: str
    status: TenantQuotaStatus

    @property
    def key(self) -> str:
        """The unit and the version that was read."""
        return f"quota/{self.namespace}/{self.resource_version}"


@dataclass(frozen=True, slots=True)
class Record:
    """Append to the unit's audit trail what is not recorded yet: before anything tells of it or follows."""

    request: CloudResourceRequest
    policy: str
    at: datetime
    entries: tuple[AuditEntry, ...]

    @property
    def key(self) -> str:
        """The request's UID and what is recorded."""
        keys = "\n".join(entry.key for entry in self.entries)
        return f"record/{self.request.metadata.uid}/{hashlib.sha256(keys.encode()).hexdigest()[:16]}"


@dataclass(frozen=True, slots=True)
class HoldFinalizer:
    """Put govpool's finalizer on the object, before anything is made for it."""

    resource: Resource

    @property
    def key(self) -> str:
        """Kind and UID."""
        return f"hold/{self.resource.kind}/{self.resource.metadata.uid}"


@dataclass(frozen=True, slots=True)
class LetGo:
    """Take govpool's finalizer off; ``proof`` says what was seen."""

    resource: Resource
    proof: str

    @property
    def key(self) -> str:
        """Kind and UID."""
        return f"let-go/{self.resource.kind}/{self.resource.metadata.uid}"


@dataclass(frozen=True, slots=True)
class Settle:
    """Label the object as settled: it never changes again and leaves the watch."""

    resource: Resource

    @property
    def key(self) -> str:
        """Kind and UID."""
        return f"settle/{self.resource.kind}/{self.resource.metadata.uid}"


@dataclass(frozen=True, slots=True)
class IssueCertificate:
    """Sign the draft, chain it to its predecessor and store it. Number, sequence, previous hash and
    signature are filled in by the effect, one certificate at a time.
    """

    request: CloudResourceRequest
    name: str
    draft: WipeCertificateSpec

    @property
    def key(self) -> str:
        """The request's UID and the certificate's name."""
        return f"certificate/{self.request.metadata.uid}/{self.name}"


@dataclass(frozen=True, slots=True)
class Announce:
    """Post a Kubernetes Event about the object."""

    resource: Resource
    reason: str
    note: str
    warning: bool = False

    @property
    def key(self) -> str:
        """Object and reason."""
        return f"event/{self.resource.metadata.uid}/{self.reason}"


@dataclass(frozen=True, slots=True)
class EnsureMachine:
    """Adopt or create the server's machine."""

    machine_key: str

    @property
    def key(self) -> str:
        """The machine's key."""
        return f"ensure/{self.machine_key}"


@dataclass(frozen=True, slots=True)
class ResizeMachine:
    """Bring the machine to the approved size."""

    machine_key: str
    size: Size

    @property
    def key(self) -> str:
        """Machine and size."""
        return f"resize/{self.machine_key}/{self.size.vcpu}/{self.size.memory_gib}"


@dataclass(frozen=True, slots=True)
class AddDisks:
    """Attach missing disks and grow smaller ones."""

    machine_key: str
    disks: tuple[DiskWant, ...]

    @property
    def key(self) -> str:
        """Machine and disks."""
        return f"disks/{self.machine_key}/" + ",".join(f"{d.key}:{d.size_gib}" for d in self.disks)


@dataclass(frozen=True, slots=True)
class SetPower:
    """Start or stop the machine."""

    machine_key: str
    on: bool

    @property
    def key(self) -> str:
        """Machine and power."""
        return f"power/{self.machine_key}/{self.on}"


@dataclass(frozen=True, slots=True)
class SetIsolated:
    """Cut the machine from every network, or connect it again."""

    machine_key: str
    isolated: bool

    @property
    def key(self) -> str:
        """Machine and isolation."""
        return f"isolated/{self.machine_key}/{self.isolated}"


@dataclass(frozen=True, slots=True)
class ReleaseMachine:
    """Remove the machine and keep its disks."""

    machine_key: str

    @property
    def key(self) -> str:
        """The machine's key."""
        return f"release/{self.machine_key}"


@dataclass(frozen=True, slots=True)
class DeleteDisk:
    """Delete a disk; made only by :func:`govpool.lifecycle.disks.deletions` with the proof of its wipe."""

    machine_key: str
    disk_key: str
    proof: str
    """The work order that wiped it."""

    @property
    def key(self) -> str:
        """The disk's key."""
        return f"delete-disk/{self.disk_key}"


@dataclass(frozen=True, slots=True)
class StartRun:
    """Begin a run of the work order, after its status says so."""

    run_key: str
    attempt: int

    @property
    def key(self) -> str:
        """Run key and attempt."""
        return f"run/{self.run_key}/{self.attempt}"


Action = (
    Create
    | WriteSpec
    | WriteStatus
    | WriteQuota
    | Record
    | HoldFinalizer
    | LetGo
    | Settle
    | IssueCertificate
    | Announce
    | EnsureMachine
    | ResizeMachine
    | AddDisks
    | SetPower
    | SetIsolated
    | ReleaseMachine
    | DeleteDisk
    | StartRun
)
