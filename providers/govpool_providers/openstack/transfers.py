"""Volumes on their way from a unit's project to the pool's own, where the sanitiser (净化机) stands.

A server takes volumes of its own project only. So Cinder's owner of the volume changes; its metadata and its
snapshots go with it. A transfer that was begun and not accepted holds the volume until it is deleted.
"""

from __future__ import annotations

from govpool_providers.base import DiskState
from govpool_providers.errors import ErrorCode, ProviderError
from govpool_providers.openstack.client import Cloud, Service
from govpool_providers.openstack.volumes import Volume, Volumes

TRANSFERS = "3.59"
"""Snapshots go with the volume, and a listing takes a limit (before, it answers none for one): Train."""
ENCRYPTED = "3.70"
"""Encrypted volumes too: Xena."""
WAITING = "awaiting-transfer"


def bring(key: str, unit: Cloud, home: Cloud) -> None:
    """Bring a disk's detached volume from the unit's project to the pool's own; may be called again.

    Raises Conflict while a server has it, QuotaExceeded when the pool's own project has no room for it.
    """
    volumes = Volumes(unit)
    volume = volumes.required(key)
    if volume.state is not DiskState.DETACHED:
        raise ProviderError(
            ErrorCode.CONFLICT, f"Machine {volume.machine_key} still has disk {key}: release it first."
        )
    version = ENCRYPTED if volume.encrypted else TRANSFERS
    if volume.status == WAITING:
        volume = _taken_back(volumes, volume, unit)
    made = unit.post(
        Service.VOLUME,
        "/volume-transfers",
        {"transfer": {"volume_id": volume.id, "name": f"govpool {key}"}},
        microversion=version,
    )["transfer"]
    home.post(
        Service.VOLUME,
        f"/volume-transfers/{made['id']}/accept",
        {"accept": {"auth_key": made["auth_key"]}},
        microversion=version,
    )


def _taken_back(volumes: Volumes, volume: Volume, unit: Cloud) -> Volume:
    """The volume without the transfer that somebody began and whose key died with them."""
    listed = unit.listing(Service.VOLUME, "/volume-transfers/detail", "transfers", microversion=TRANSFERS)
    for transfer in listed:
        if transfer["volume_id"] == volume.id:
            unit.delete(Service.VOLUME, f"/volume-transfers/{transfer['id']}", microversion=TRANSFERS)
    seen = unit.until(lambda: volumes.again(volume), lambda now: now is None or now.status != WAITING)
    if seen is None or seen.status == WAITING:
        raise ProviderError(ErrorCode.RETRYABLE, f"Disk {volume.key} is still held by a transfer.")
    return seen
