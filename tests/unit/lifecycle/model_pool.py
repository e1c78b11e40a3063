"""A pool in memory that keeps the provider's contract, and knows which disks hold data."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from govpool.api.cloudserver import CloudServer
from govpool.lifecycle.observation import SeenInPool, Unknown
from govpool.lifecycle.server import disk_wants
from govpool_providers.base import (
    GIB,
    Disk,
    DiskState,
    DiskWant,
    Machine,
    MachineState,
    OverwriteProof,
    Owner,
    Size,
)


class PoolFault(Exception):
    """The pool did not do it: an error code of the contract."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code, self.message = code, message


@dataclass
class ModelPool:
    """Machines and disks by key. A disk that a running machine has holds data."""

    machines: dict[str, Machine] = field(default_factory=dict)
    disks: dict[str, Disk] = field(default_factory=dict)
    dirty: set[str] = field(default_factory=set)
    """Disks that hold data nobody overwrote."""
    ever: set[str] = field(default_factory=set)
    destroyed: set[str] = field(default_factory=set)
    """Disks that were deleted; each was clean."""
    reachable: bool = True
    refuses: str = ""
    """An error code that the next change gets."""

    def copy(self) -> ModelPool:
        return replace(
            self,
            machines=dict(self.machines),
            disks=dict(self.disks),
            dirty=set(self.dirty),
            ever=set(self.ever),
            destroyed=set(self.destroyed),
        )

    def look(self, server: CloudServer) -> SeenInPool | Unknown:
        if not self.reachable:
            return Unknown("Unreachable", "connection refused")
        key = server.spec.key
        return SeenInPool(self.machines.get(key), self.disks_of(key), {})

    def disks_of(self, machine: str) -> tuple[Disk, ...]:
        return tuple(d for d in self.disks.values() if d.machine_key == machine)

    def change(self) -> None:
        """Every change asks first whether the pool takes it."""
        if not self.reachable:
            raise PoolFault("Unreachable", "connection refused")
        if self.refuses:
            code, self.refuses = self.refuses, ""
            raise PoolFault(code, "not now")

    def ensure(self, server: CloudServer) -> None:
        """The first call begins to build, the next finds it built."""
        self.change()
        spec = server.spec
        found = self.machines.get(spec.key)
        for want in disk_wants(server):
            self._disk(spec.key, want)
        if found is not None:
            state = MachineState.ACTIVE if found.state is MachineState.BUILDING else found.state
            self._put(replace(found, state=state))
            return
        owner = Owner(spec.request.uid, spec.request.name, "heshan-data-bureau", spec.revision)
        size = Size(spec.vcpu, spec.memory_gib)
        made = Machine(
            spec.key, f"m-{spec.key}", MachineState.BUILDING, size, spec.image, ("10.0.0.2",), owner
        )
        self._put(made)

    def resize(self, key: str, size: Size) -> None:
        self.change()
        found = self.machines[key]
        if found.state is MachineState.RESIZING:
            self._put(replace(found, state=MachineState.ACTIVE, size=size))
        else:
            self._put(replace(found, state=MachineState.RESIZING))

    def add_disks(self, key: str, wants: tuple[DiskWant, ...]) -> None:
        self.change()
        for want in wants:
            self._disk(key, want)
        self._put(self.machines[key])

    def release(self, key: str) -> None:
        self.change()
        self.machines.pop(key, None)
        for disk in self.disks_of(key):
            self.disks[disk.key] = replace(disk, state=DiskState.DETACHED)

    def delete_disk(self, key: str) -> None:
        self.change()
        assert self.disks[key].state is DiskState.DETACHED, "an attached disk was deleted"
        assert key not in self.dirty, f"disk {key} was deleted with its data"
        del self.disks[key]
        self.destroyed.add(key)

    def overwrite(self, key: str) -> None:
        """What a wipe order does to a disk on the sanitiser."""
        assert self.disks[key].state is DiskState.DETACHED, "a disk was wiped under a running machine"
        self.dirty.discard(key)

    def takes(self) -> tuple[int, int, int, int]:
        """Servers, vCPU, GiB of memory and GiB of storage that are there."""
        sizes = [machine.size for machine in self.machines.values()]
        return (
            len(sizes),
            sum(size.vcpu for size in sizes),
            sum(size.memory_gib for size in sizes),
            sum(disk.size_bytes for disk in self.disks.values()) // GIB,
        )

    def _disk(self, machine: str, want: DiskWant) -> None:
        size = want.size_gib * GIB
        found = self.disks.get(want.key)
        if found is not None:
            assert found.size_bytes <= size, "a disk was asked to shrink"
            self.disks[want.key] = replace(found, size_bytes=size, state=DiskState.ATTACHED)
            return
        assert want.key not in self.destroyed, "a disk that was destroyed came back"
        self.ever.add(want.key)
        self.disks[want.key] = Disk(
            want.key,
            want.name,
            machine,
            f"vol-{want.key}",
            size,
            want.root,
            DiskState.ATTACHED,
            "memory",
            OverwriteProof.IN_PLACE,
        )

    def _put(self, machine: Machine) -> None:
        self.machines[machine.key] = machine
        if machine.state is not MachineState.BUILDING:
            self.dirty |= {d.key for d in self.disks_of(machine.key) if d.state is DiskState.ATTACHED}
