"""What is known of a server's disks, and which may be deleted: only those whose wipe is proven."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from operator import attrgetter

from govpool.api.cloudserver import CloudServer, DiskPhase, DiskStatus
from govpool.api.wipecertificate import AbsenceProof, OverwriteProvability, VerificationResult
from govpool.api.workorder import DiskResult, WorkOrder, WorkOrderKind, WorkOrderState
from govpool.lifecycle.actions import DeleteDisk
from govpool.lifecycle.observation import SeenInPool
from govpool_providers.base import Disk

_facts = attrgetter("name", "root", "provider_id", "size_bytes", "medium", "overwrite")
"""What the pool tells of a disk: called the same there and in a status."""


def seen_disks(server: CloudServer, seen: SeenInPool, now: datetime) -> list[DiskStatus]:
    """The disks of the status brought up to what the pool lists.

    A disk that the pool lists held data, whatever was meant to be on it. One that it lists and nobody asked
    for is taken in: it must be wiped too. One that is not listed any more was seen absent.
    """
    before = {disk.key: disk for disk in (server.status.disks if server.status else [])}
    found = {disk.key: disk for disk in seen.disks}
    result = [_present(before.get(key), disk) for key, disk in found.items()]
    result += [_absent(disk, now) for key, disk in before.items() if key not in found]
    order = {disk.key: index for index, disk in enumerate(server.spec.disks)}
    return sorted(result, key=lambda disk: (order.get(disk.key, len(order)), disk.key))


def _present(before: DiskStatus | None, disk: Disk) -> DiskStatus:
    if before is not None and _says_so(before, disk):
        return before
    facts = {
        "name": disk.name,
        "root": disk.root,
        "provider_id": disk.provider_id,
        "size_bytes": disk.size_bytes,
        "medium": disk.medium,
        "overwrite": OverwriteProvability(disk.overwrite.value).value,
        "held_data": True,
    }
    if before is None:
        return DiskStatus(key=disk.key, phase=DiskPhase.PRESENT, **facts)
    phase = DiskPhase.WIPED if before.phase is DiskPhase.WIPED else DiskPhase.PRESENT
    return before.model_copy(update={**facts, "phase": phase, "absence": None})


def _says_so(before: DiskStatus, disk: Disk) -> bool:
    """Whether the status says of the disk already what the pool lists."""
    there = before.phase in (DiskPhase.PRESENT, DiskPhase.WIPED) and before.absence is None
    return there and before.held_data and bool(_facts(before) == _facts(disk))


def _absent(disk: DiskStatus, now: datetime) -> DiskStatus:
    if disk.phase is DiskPhase.GONE or not disk.held_data:
        return disk
    proof = AbsenceProof(
        asked="list_disks and list_copies of the pool's provider, by the machine's key",
        at=now,
        disk_absent=True,
        copies_found=0,
    )
    return disk.model_copy(update={"phase": DiskPhase.GONE, "absence": proof})


def with_results(disks: Iterable[DiskStatus], server: str, orders: Iterable[WorkOrder]) -> list[DiskStatus]:
    """The disks with what finished work orders proved of them."""
    result = {disk.key: disk for disk in disks}
    for order in orders:
        if order.status is None:
            continue
        for outcome in order.status.disks:
            disk = result.get(outcome.disk)
            if outcome.server != server or disk is None or not outcome.ok:
                continue
            if order.spec.work is WorkOrderKind.BACKUP and order.status.state is WorkOrderState.SUCCEEDED:
                result[disk.key] = disk.model_copy(update={"backup": outcome.backup})
            if order.spec.work is WorkOrderKind.WIPE and proves(outcome):
                result[disk.key] = _wiped(disk, outcome, order.metadata.name)
    return list(result.values())


def _wiped(disk: DiskStatus, outcome: DiskResult, order: str) -> DiskStatus:
    phase = disk.phase if disk.phase is DiskPhase.GONE else DiskPhase.WIPED
    return disk.model_copy(
        update={
            "phase": phase,
            "sanitisation": outcome.sanitisation,
            "copies": outcome.copies,
            "wiped_by": order,
        }
    )


def proves(outcome: DiskResult) -> bool:
    """Whether a result proves a wipe: written in full, read back, and found as written."""
    done = outcome.sanitisation
    return outcome.ok and done is not None and done.verification.result is VerificationResult.PASSED


def may_delete(disk: DiskStatus) -> bool:
    """Never delete unwiped: the wipe is proven and somebody answers for it."""
    done = disk.sanitisation
    return (
        disk.phase is DiskPhase.WIPED
        and disk.wiped_by is not None
        and done is not None
        and done.verification.result is VerificationResult.PASSED
    )


def deletions(server: CloudServer, disks: Iterable[DiskStatus], seen: SeenInPool) -> list[DeleteDisk]:
    """Deletions of the disks that the pool still lists, have no copy left, and may be deleted."""
    listed = {disk.key for disk in seen.disks}
    return [
        DeleteDisk(server.spec.key, disk.key, disk.wiped_by)
        for disk in disks
        if disk.key in listed and may_delete(disk) and disk.wiped_by and not seen.copies.get(disk.key)
    ]
