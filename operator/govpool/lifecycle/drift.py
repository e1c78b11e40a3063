"""Where a server differs from what was approved because somebody changed it in the pool (drift).

Shown always; undone only where the pool's ``spec.drift`` says so. What an approved change has not reached yet
is no drift, nor what a notice enforces.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from govpool.api.cloudpool import CloudPool
from govpool.api.cloudserver import CloudServer, CloudServerStatus, DiskPhase, ServerPhase
from govpool.api.pool_drift import DriftHandling, DriftRule
from govpool.lifecycle.observation import SeenInPool
from govpool.messages import Message, message
from govpool_providers.base import GIB, DiskState, DiskWant, Machine, MachineState, Size

IN_WORK = (ServerPhase.PENDING, ServerPhase.BUILDING, ServerPhase.RESIZING)


@dataclass(frozen=True, slots=True)
class Drift:
    """How a server differs, in words, and what of it is not to be undone."""

    told: tuple[Message, ...] = ()
    keep_size: bool = False
    """Its size is not what was approved, and stays so."""
    keep_power: bool = True
    """It stands still or runs and should not, and stays so."""
    attach: tuple[str, ...] = field(default=())
    """Keys of disks that are to be attached again."""


def found(server: CloudServer, before: CloudServerStatus, seen: SeenInPool, rule: DriftRule) -> Drift:
    """The drift of a server that is in service; none while an approved change is on its way."""
    machine = seen.machine
    if machine is None or not settled(server, before):
        return Drift()
    told, keep_size, attach = [], False, []
    if text := _size(server, machine):
        told.append(text)
        keep_size = rule.resized is not DriftHandling.MEND
    for key, text in _disks(server, before, seen):
        told.append(text)
        if key and rule.detached is DriftHandling.MEND:
            attach.append(key)
    if machine.isolated and not before.holds:
        told.append(message("drift.cut"))
    return Drift(tuple(told), keep_size, rule.power is not DriftHandling.MEND, tuple(attach))


def settled(server: CloudServer, before: CloudServerStatus) -> bool:
    """Whether the server had reached what was approved, so that a difference is somebody else's doing."""
    return (
        before.opened_at is not None
        and before.revision == server.spec.revision
        and before.observed_generation == server.metadata.generation
        and before.phase not in IN_WORK
    )


def power(machine: Machine, *, rests: bool) -> Message:
    """That it stands still, or runs, and should not."""
    approved = "Stopped" if rests else "Running"
    return message("drift.power", seen=machine.state.value, approved=approved)


def may_come_back(before: CloudServerStatus, seen: SeenInPool, rule: DriftRule) -> bool:
    """Whether a server that vanished is made anew: only on its own disks, with its unit's data."""
    there = {disk.key for disk in seen.disks if disk.state is DiskState.DETACHED}
    had = {disk.key for disk in before.disks if disk.held_data and disk.phase is not DiskPhase.GONE}
    return rule.vanished is DriftHandling.MEND and bool(had) and had <= there


def missing_disks(
    server: CloudServer, wants: tuple[DiskWant, ...], seen: SeenInPool, attach: tuple[str, ...]
) -> tuple[DiskWant, ...]:
    """Disks to add, grow or attach. One that was there and is gone is a loss: an empty one would hide it."""
    there = {disk.key: disk for disk in seen.disks}
    known = {disk.key for disk in (server.status.disks if server.status else []) if disk.provider_id}

    def wanting(want: DiskWant) -> bool:
        disk = there.get(want.key)
        if disk is None:
            return want.key not in known
        return disk.size_bytes < want.size_gib * GIB or want.key in attach

    return tuple(want for want in wants if wanting(want))


def _size(server: CloudServer, machine: Machine) -> Message | None:
    approved = Size(server.spec.vcpu, server.spec.memory_gib)
    if machine.state is MachineState.RESIZING:
        return message("drift.resizing", vcpu=approved.vcpu, memory=approved.memory_gib)
    if machine.size == approved:
        return None
    return message(
        "drift.size",
        vcpu=machine.size.vcpu,
        memory=machine.size.memory_gib,
        approved_vcpu=approved.vcpu,
        approved_memory=approved.memory_gib,
    )


def _disks(server: CloudServer, before: CloudServerStatus, seen: SeenInPool) -> Iterator[tuple[str, Message]]:
    """Each difference of a disk; with its key where attaching it would undo it."""
    there = {disk.key: disk for disk in seen.disks}
    known = {disk.key for disk in before.disks if disk.provider_id}
    for approved in server.spec.disks:
        disk, name = there.get(approved.key), approved.name
        if disk is None:
            if approved.key in known:
                yield "", message("drift.disk-gone", disk=name)
            continue
        if disk.state is not DiskState.ATTACHED:
            loose = disk.state is DiskState.DETACHED and not approved.root
            yield approved.key if loose else "", message("drift.disk-loose", disk=name, seen=disk.state.value)
        if disk.size_bytes > approved.size_gib * GIB:
            seen_gib = disk.size_bytes // GIB
            yield "", message("drift.disk-size", disk=name, seen=seen_gib, approved=approved.size_gib)


def rule_of(pool: CloudPool | None) -> DriftRule:
    """What may be undone in the pool."""
    return DriftRule() if pool is None else pool.spec.drift
