"""A detached disk as the source of a backup: its file system mounted read-only, or the disk as it is.

The mount lives in a mount namespace of this process alone. It is gone when the process is, also after
kill -9, so a killed backup leaves no stale mount behind. Standard library only.
"""

from __future__ import annotations

import ctypes
import os
import stat
import struct
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ansible.module_utils.govpool_backup_restic import BackupFailed

CLONE_NEWNS = 0x00020000
MS_REC_PRIVATE = 0x4000 | (1 << 18)
MNT_DETACH = 0x2
_BASE = "ro,nosuid,nodev,noexec"
_OPTIONS = {
    # Replaying a journal would write to the disk.
    "ext2": _BASE,
    "ext3": f"{_BASE},noload",
    "ext4": f"{_BASE},noload",
    "xfs": f"{_BASE},norecovery,nouuid",
    "btrfs": f"{_BASE},nologreplay",
}
_NEEDS_RECOVERY = 0x4
"""EXT4_FEATURE_INCOMPAT_RECOVER."""


@dataclass(frozen=True)
class Source:
    """What is backed up. Without a ``root`` the disk itself is."""

    device: str
    size_bytes: int
    filesystem: str
    root: str | None
    note: str
    """Why the disk is taken as it is, or what is known of the file system's state."""


def enter_private_mounts(*used: Path) -> None:
    """Give this process mounts of its own, which end with it; what ``used`` lies on stays mounted.

    Mounts of other disks are let go: a copy of them would keep those disks busy for as long as the backup runs.
    Raises BackupFailed without the right to.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    none = ctypes.c_char_p(None)
    if libc.unshare(CLONE_NEWNS) or libc.mount(none, b"/", none, ctypes.c_ulong(MS_REC_PRIVATE), none):
        error = os.strerror(ctypes.get_errno())
        raise BackupFailed("Source", f"no mount namespace of its own ({error}): the backup runs as root")
    for point in reversed(list(_mounts_of_disks())):
        if not any(f"{os.path.realpath(path)}/".startswith(f"{point}/") for path in used):
            libc.umount2(os.fsencode(point), MNT_DETACH)  # gone already with the one that it lay in


def _mounts_of_disks() -> Iterator[str]:
    """Mount points of loop devices and of overlays (which may lie on one), but for the root."""
    with open("/proc/self/mountinfo", encoding="utf-8") as lines:
        for line in lines:
            fields, _, after = line.partition(" - ")
            kind, source = after.split(" ")[:2]
            point = fields.split(" ")[4].encode().decode("unicode_escape")
            if point != "/" and (kind == "overlay" or source.startswith("/dev/loop")):
                yield point


def open_source(device: str, mountpoint: Path) -> Source:
    """Mount the disk's file system at ``mountpoint`` if it has one that can be mounted. Raises BackupFailed."""
    try:
        kind = os.stat(device).st_mode
        if not (stat.S_ISBLK(kind) or stat.S_ISREG(kind)):
            raise BackupFailed("NotADisk", f"{device} is neither a block device nor an image file")
        size = _size(device)
    except OSError as error:
        raise BackupFailed("NotADisk", f"{device}: {error.strerror}; attach the disk to the sanitiser first") from error
    filesystem = _filesystem(device)
    if not filesystem:
        return Source(device, size, "", None, "no file system was found on it: the disk is taken as it is")
    options = _OPTIONS.get(filesystem, _BASE) + (",loop" if stat.S_ISREG(kind) else "")
    mountpoint.mkdir(parents=True, exist_ok=True, mode=0o700)
    command = ["mount", "-t", filesystem, "-o", options, "--", device, str(mountpoint)]
    done = subprocess.run(command, capture_output=True, check=False)
    if done.returncode != 0:
        said = " ".join(done.stderr.decode(errors="replace").split())
        return Source(device, size, filesystem, None, f"its {filesystem} can't be mounted: taken as it is ({said})")
    unclean = filesystem in {"ext3", "ext4"} and _journal_pending(device)
    note = "not unmounted cleanly: changes that were only in its journal are not in the backup" if unclean else ""
    return Source(device, size, filesystem, str(mountpoint), note)


def close_source(source: Source) -> None:
    """Unmount. Raises BackupFailed if the disk stays busy."""
    if source.root is None:
        return
    done = subprocess.run(["umount", "--", source.root], capture_output=True, check=False)
    if done.returncode != 0:
        said = " ".join(done.stderr.decode(errors="replace").split())
        raise BackupFailed("Source", f"{source.device} can't be unmounted: {said}")


def _size(device: str) -> int:
    fd = os.open(device, os.O_RDONLY | os.O_CLOEXEC)
    try:
        return os.lseek(fd, 0, os.SEEK_END)
    finally:
        os.close(fd)


def _filesystem(device: str) -> str:
    command = ["blkid", "--probe", "--usages", "filesystem", "--match-tag", "TYPE", "--output", "value", "--", device]
    done = subprocess.run(command, capture_output=True, check=False)
    if done.returncode not in {0, 2}:  # 2: nothing found, or ambivalent
        said = " ".join(done.stderr.decode(errors="replace").split())
        raise BackupFailed("Source", f"{device} can't be read: {said}")
    return done.stdout.decode().strip()


def _journal_pending(device: str) -> bool:
    with open(device, "rb") as disk:
        disk.seek(1024 + 0x60)
        (incompatible,) = struct.unpack("<I", disk.read(4))
    return bool(incompatible & _NEEDS_RECOVERY)
