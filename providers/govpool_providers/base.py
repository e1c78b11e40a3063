"""The contract between govpool and a cloud resource pool (云资源池).

Every call is synchronous-looking (the caller runs it in a thread), may be repeated at any time with
the same arguments, and does at most one step that can be lost: ``ensure_*`` looks for what exists
under the deterministic key before it creates anything, ``release`` and ``delete_*`` go on from
wherever an earlier call was killed. A call that could not find out raises
:class:`~govpool_providers.errors.ProviderError` with ``Unreachable``; it never answers "none".

A *machine* is a server without its disks' fate: releasing the machine keeps every disk, so that a
disk can be backed up and sanitised from a trusted sanitiser before it is deleted.
Keys are given by the caller, derived from Kubernetes UIDs, at most 40 characters of ``[a-z0-9-]``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol, runtime_checkable

GIB = 1024**3


class MachineState(StrEnum):
    """The power and build state of a machine, after Nova's server status."""

    BUILDING = "Building"
    ACTIVE = "Active"
    STOPPED = "Stopped"
    RESIZING = "Resizing"
    ERROR = "Error"


class DiskState(StrEnum):
    """Where a disk is."""

    ATTACHED = "Attached"
    """To its machine."""
    DETACHED = "Detached"
    SANITISING = "Sanitising"
    """Attached to the sanitiser."""


class OverwriteProof(StrEnum):
    """Whether overwriting a disk of this backend reaches the medium that held the data."""

    IN_PLACE = "InPlace"
    """A written block replaces the block that held the data: an overwrite proves itself by read-back."""
    COPY_ON_WRITE = "CopyOnWrite"
    """Thin, snapshotting or log-structured: old blocks may survive; the certificate must say so."""
    ENCRYPTED = "Encrypted"
    """Destroying the key destroys the data."""


class CopyKind(StrEnum):
    """A way to get a disk's data back after the disk is gone."""

    SNAPSHOT = "Snapshot"
    BACKUP = "Backup"
    IMAGE = "Image"
    RECYCLE_BIN = "RecycleBin"


@dataclass(frozen=True, slots=True)
class Owner:
    """Whom a resource belongs to; written to the pool as tags, so that it is found again from there."""

    request_uid: str
    request_name: str
    unit: str
    """The unit's namespace."""
    revision: int = 0


@dataclass(frozen=True, slots=True)
class Size:
    """Computing capacity of a machine."""

    vcpu: int
    memory_gib: int


@dataclass(frozen=True, slots=True)
class DiskWant:
    """A disk that a machine shall have. Exactly one disk of a machine is its root disk."""

    key: str
    name: str
    size_gib: int
    root: bool = False
    volume_class: str | None = None


@dataclass(frozen=True, slots=True)
class Access:
    """How the operator gets in between provisioning and handover, as cloud-init carries it.

    ``host_private_key`` is an OpenSSH Ed25519 key made for this machine: the first connection is
    checked against its public half. Neither it nor the repr of this object ever reaches a log.
    """

    user: str
    authorized_key: str
    host_public_key: str
    host_private_key: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class MachineWant:
    """A machine as approved. ``key`` is deterministic; everything else may be compared with what is found."""

    key: str
    hostname: str
    owner: Owner
    size: Size
    image: str
    network: str
    disks: tuple[DiskWant, ...]
    access: Access
    item: str = ""
    """The catalogue item, for pools that map items to flavours of their own."""


@dataclass(frozen=True, slots=True)
class Disk:
    """A disk as found in the pool."""

    key: str
    name: str
    machine_key: str
    provider_id: str
    size_bytes: int
    root: bool
    state: DiskState
    medium: str
    """What it is stored on, in the provider's own words: "file on ext4", "ceph rbd"."""
    overwrite: OverwriteProof


@dataclass(frozen=True, slots=True)
class Machine:
    """A machine as found in the pool."""

    key: str
    provider_id: str
    state: MachineState
    size: Size
    image: str
    addresses: tuple[str, ...]
    owner: Owner
    fault: str = ""
    """The pool's own words when ``state`` is Error."""
    isolated: bool = False


@dataclass(frozen=True, slots=True)
class DiskCopy:
    """A snapshot, backup, image or recycle-bin entry that still holds a disk's data."""

    kind: CopyKind
    provider_id: str
    disk_key: str
    size_bytes: int


@dataclass(frozen=True, slots=True)
class SanitiserDevice:
    """A disk attached to the trusted sanitiser (净化机).

    ``host`` is "localhost" when the operator's own machine is the sanitiser, else an address that
    Ansible reaches; ``device`` is the block device's path there.
    """

    disk_key: str
    host: str
    device: str
    size_bytes: int


@dataclass(frozen=True, slots=True)
class Capacity:
    """What a pool has and what is taken, both without overcommit. ``None`` where the pool can't say."""

    vcpu: int | None = None
    memory_gib: int | None = None
    storage_gib: int | None = None
    vcpu_used: int = 0
    memory_gib_used: int = 0
    storage_gib_used: int = 0


@dataclass(frozen=True, slots=True)
class UnitLimits:
    """The hard limits of a using unit (云使用单位) in one pool."""

    servers: int = 0
    vcpu: int = 0
    memory_gib: int = 0
    storage_gib: int = 0
    public_addresses: int = 0


@dataclass(frozen=True, slots=True)
class UnitWant:
    """A using unit as it shall be in the pool. ``name`` is its namespace."""

    name: str
    title: str
    limits: UnitLimits


@dataclass(frozen=True, slots=True)
class UnitSeen:
    """A using unit as found in the pool."""

    project: str = ""
    """The pool's id for what keeps the unit apart; empty where the pool keeps all units together."""
    limits: UnitLimits | None = None
    """The limits that the pool itself enforces, read back; None where it has none for a unit."""


@dataclass(frozen=True, slots=True)
class Stranger:
    """Something in the pool that bears no mark of govpool's: somebody made it by other ways."""

    kind: str
    """The pool's own word: server, volume, floating address ..."""
    provider_id: str
    name: str
    unit: str = ""
    """The unit in whose project it is; empty where units are not kept apart."""


@runtime_checkable
class Provider(Protocol):
    """One cloud resource pool. See the module's text for what every method promises."""

    def capacity(self) -> Capacity:
        """Ask the pool for its capacity; also the probe of whether it can be reached."""
        ...

    # -- units ------------------------------------------------------------------------------------
    def ensure_unit(self, want: UnitWant) -> UnitSeen:
        """Adopt or create what keeps the unit apart in the pool, set its limits, and read them back.

        A pool that keeps all units together does nothing and says so.
        """
        ...

    def for_unit(self, unit: str) -> Provider:
        """The pool as one unit's calls see it, so that no other unit's part of it is searched. No I/O."""
        ...

    def list_strangers(self) -> tuple[Stranger, ...]:
        """Everything in the pool that govpool did not make, of every unit, whole or not at all."""
        ...

    # -- machines ---------------------------------------------------------------------------------
    def find_machine(self, key: str) -> Machine | None:
        """The machine under ``key``, or None when the pool was seen not to have it."""
        ...

    def list_machines(self, request_uid: str | None = None) -> tuple[Machine, ...]:
        """Every machine of govpool's in the pool (of one request, if given), whole or not at all."""
        ...

    def ensure_machine(self, want: MachineWant) -> Machine:
        """Adopt or create the machine and its disks; start the creation and return what is seen now.

        Call again until ``state`` is Active or Error. Disks that already exist under their keys are
        attached as they are, never re-made. A machine in Error without data is replaced by the next call.
        Does not resize an existing machine and does not change its power.
        """
        ...

    def resize_machine(self, key: str, size: Size) -> Machine:
        """Bring the machine to ``size``; call again until ``Machine.size == size`` and it is Active."""
        ...

    def add_disks(self, key: str, disks: tuple[DiskWant, ...]) -> Machine:
        """Create and attach missing disks; grow those that are smaller. Never shrinks (Invalid)."""
        ...

    def set_power(self, key: str, *, on: bool) -> Machine:
        """Start or stop the machine."""
        ...

    def set_isolated(self, key: str, *, isolated: bool) -> Machine:
        """Cut the machine from every network at once, or undo it. Keeps it running."""
        ...

    def release_machine(self, key: str) -> None:
        """Remove the machine, its ports and addresses, and keep every disk (the root disk too), detached.

        Call again until ``find_machine`` answers None.
        """
        ...

    # -- disks ------------------------------------------------------------------------------------
    def list_disks(self, machine_key: str) -> tuple[Disk, ...]:
        """Every disk of the machine key, attached or not, also after the machine was released."""
        ...

    def list_all_disks(self, request_uid: str | None = None) -> tuple[Disk, ...]:
        """Every disk of govpool's in the pool (of one request, if given), whole or not at all."""
        ...

    def list_copies(self, disk_key: str) -> tuple[DiskCopy, ...]:
        """Every recovery path of the disk: snapshots, backups, images made of it, recycle bins."""
        ...

    def delete_copy(self, copy: DiskCopy) -> None:
        """Delete a copy; call again until ``list_copies`` does not show it."""
        ...

    def attach_to_sanitiser(self, disk_key: str) -> SanitiserDevice:
        """Attach a detached disk to the sanitiser. Conflict while its machine still has it."""
        ...

    def detach_from_sanitiser(self, disk_key: str) -> None:
        """Undo :meth:`attach_to_sanitiser`; nothing to do is success."""
        ...

    def delete_disk(self, disk_key: str) -> None:
        """Delete a detached disk, past every recycle bin; call again until ``list_disks`` does not show it.

        The provider does not know whether the disk was wiped: the caller answers for that.
        Conflict while it is attached to a machine or the sanitiser.
        """
        ...


class Fence(Protocol):
    """Says whether the caller may still act: of several operators only one may, and it can lose that right
    while a call is under way.
    """

    @property
    def term(self) -> tuple[str, int]:
        """Who gave the right, and a number that is greater for everyone who was given it later."""
        ...

    def check(self) -> None:
        """To be asked right before each step that changes the pool. Raises Conflict when the right is lost:
        the call ends there, as if it had been killed, and whoever has the right now goes on.
        """
        ...


@runtime_checkable
class RemoteSanitiser(Protocol):
    """What a provider has more whose sanitiser (净化机) is a machine that the operator logs in to."""

    def ensure_sanitiser(self, access: Access) -> None:
        """Adopt or make the sanitiser with these keys; nothing to do where ``host`` is "localhost".

        Called before :meth:`Provider.attach_to_sanitiser`. One with other keys is made anew when no disk is
        attached to it; Conflict while one is.
        """
        ...


@dataclass(frozen=True, slots=True)
class PoolConnection:
    """What a provider is opened with: the ``CloudPool``'s connection, resolved.

    ``settings`` come from the pool's spec and hold no secret; ``secret`` comes from the Secret it names.
    ``fence`` is None where only one operator can be.
    """

    pool: str
    settings: Mapping[str, str]
    secret: Mapping[str, str] = field(default_factory=dict, repr=False)
    fence: Fence | None = None


class ProviderFactory(Protocol):
    """What an entry point of the group ``govpool.providers`` names: a class opened with a connection."""

    def __call__(self, connection: PoolConnection) -> Provider:
        """Open the pool without any I/O that can fail; the first call finds out whether it can be reached."""
        ...
