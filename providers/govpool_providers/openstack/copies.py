"""What can bring a volume's data back: snapshots, backups, and images of servers that were made with them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable

from govpool_providers.base import GIB, CopyKind, DiskCopy
from govpool_providers.errors import ErrorCode, ProviderError
from govpool_providers.openstack import tags
from govpool_providers.openstack.client import Cloud, Document, Service
from govpool_providers.openstack.volumes import VOLUMES, Volume

PATHS = {
    CopyKind.SNAPSHOT: (Service.VOLUME, "/snapshots"),
    CopyKind.BACKUP: (Service.VOLUME, "/backups"),
    CopyKind.IMAGE: (Service.IMAGE, "/images"),
}


class Copies:
    """The recovery paths of disks that the services' interfaces show.

    A recycle bin of the storage behind Cinder is not among them, nor an image uploaded from a volume: it
    bears no trace of where it came from.
    """

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud

    def of_disk(self, disk_key: str, volumes: Iterable[Volume]) -> tuple[DiskCopy, ...]:
        """The copies of a disk: by its volumes, and by the mark that they were given before those went."""
        ids = {volume.id for volume in volumes}

        def belongs(document: Document) -> bool:
            marked = (document.get("metadata") or {}).get(tags.COPY_OF)
            return document.get("volume_id") in ids or marked == disk_key

        snapshots = list(filter(belongs, self._listed("/snapshots/detail", "snapshots")))
        backups = list(filter(belongs, self._listed("/backups/detail", "backups")))
        of_snapshots = {snapshot["id"] for snapshot in snapshots}
        images = [image for image in self._images() if _sources(image) & of_snapshots]
        return (
            *(_copy(CopyKind.SNAPSHOT, one, disk_key, int(one["size"]) * GIB) for one in snapshots),
            *(_copy(CopyKind.BACKUP, one, disk_key, int(one["size"]) * GIB) for one in backups),
            *(_copy(CopyKind.IMAGE, one, disk_key, int(one.get("size") or 0)) for one in images),
        )

    def mark(self, copies: Iterable[DiskCopy]) -> None:
        """Let copies be found by their disk's key when its volume is gone."""
        for copy in copies:
            if copy.kind is CopyKind.SNAPSHOT:
                body: Document = {"metadata": {tags.COPY_OF: copy.disk_key}}
                path = f"/snapshots/{copy.provider_id}/metadata"
                self._cloud.post(Service.VOLUME, path, body, microversion=VOLUMES)
            elif copy.kind is CopyKind.BACKUP:
                path = f"/backups/{copy.provider_id}"
                body = {"backup": {"metadata": {tags.COPY_OF: copy.disk_key}}}
                self._cloud.put(Service.VOLUME, path, body, microversion=VOLUMES)

    def delete(self, copy: DiskCopy) -> None:
        """Delete a copy and wait until it is seen to be gone."""
        if copy.kind not in PATHS:
            raise ProviderError(ErrorCode.INVALID, f"OpenStack has no {copy.kind} that could be deleted.")
        service, folder = PATHS[copy.kind]
        path = f"{folder}/{copy.provider_id}"
        version = VOLUMES if service is Service.VOLUME else None
        look: Callable[[], Document | None] = lambda: self._cloud.find(service, path, microversion=version)  # noqa: E731
        if look() is None:
            return
        self._cloud.delete(service, path, microversion=version)
        self._cloud.until(look, lambda now: now is None)

    def _listed(self, path: str, key: str) -> list[Document]:
        return self._cloud.listing(Service.VOLUME, path, key, microversion=VOLUMES)

    def _images(self) -> list[Document]:
        return self._cloud.listing(Service.IMAGE, "/images", "images", params={"visibility": "private"})


def _copy(kind: CopyKind, document: Document, disk_key: str, size: int) -> DiskCopy:
    return DiskCopy(kind, str(document["id"]), disk_key, size)


def _sources(image: Document) -> set[str]:
    """The snapshots that an image of a server with volumes consists of."""
    text = image.get("block_device_mapping")
    if not isinstance(text, str):
        return set()
    try:
        mappings = json.loads(text)
    except ValueError:
        return set()
    return {str(one["snapshot_id"]) for one in mappings if isinstance(one, dict) and one.get("snapshot_id")}
