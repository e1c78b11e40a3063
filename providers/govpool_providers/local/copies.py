"""Copies of a disk: the files that lie beside its image."""

from __future__ import annotations

from pathlib import Path

from govpool_providers.base import CopyKind, DiskCopy
from govpool_providers.errors import ErrorCode, ProviderError
from govpool_providers.local.store import fsync_dir

KINDS = {
    ".snap": CopyKind.SNAPSHOT,
    ".bak": CopyKind.BACKUP,
    ".image": CopyKind.IMAGE,
    ".deleted": CopyKind.RECYCLE_BIN,
}
"""What a file beside the image is, by its suffix."""


def of_disk(folder: Path, disk_key: str) -> tuple[DiskCopy, ...]:
    """Every copy beside the disk's image, also after the disk itself was deleted."""
    try:
        paths = sorted(folder.iterdir())
    except FileNotFoundError:
        return ()
    return tuple(
        DiskCopy(KINDS[path.suffix], str(path), disk_key, path.stat().st_size)
        for path in paths
        if path.suffix in KINDS
    )


def delete(folder: Path, copy: DiskCopy) -> None:
    """Delete a copy for good; nothing to do is success. Invalid for a file that is no copy of the disk."""
    path = Path(copy.provider_id)
    if path.parent != folder or path.suffix not in KINDS:
        raise ProviderError(ErrorCode.INVALID, f"{path} is no copy of disk {copy.disk_key}.")
    if path.exists():
        path.unlink()
        fsync_dir(folder)
    if folder.is_dir() and not any(folder.iterdir()):
        folder.rmdir()
        fsync_dir(folder.parent)
