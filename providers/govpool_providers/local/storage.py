"""Disks as image files, loop devices and mounts of this host."""

from __future__ import annotations

import errno
import fcntl
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from govpool_providers.base import OverwriteProof
from govpool_providers.errors import ErrorCode, ProviderError
from govpool_providers.local.shell import run

SYS_BLOCK = Path("/sys/block")
LOOP_CLR_FD = 0x4C01
LOOP_CTL_REMOVE = 0x4C81
"""include/uapi/linux/loop.h"""
PATIENCE = 5.0
"""Seconds to wait for a device or mount that the kernel is still letting go of."""
PAUSE = 0.05

IN_PLACE = frozenset({"ext2", "ext3", "ext4"})
"""File systems on which writing to an allocated block of a file writes to that same block."""


@dataclass(frozen=True, slots=True)
class FileSystem:
    """The file system that a path is on."""

    kind: str
    options: frozenset[str]

    @property
    def medium(self) -> str:
        """The medium of an image file on it, in words."""
        return f"file on {self.kind}"

    @property
    def overwrite(self) -> OverwriteProof:
        """Whether overwriting a file reaches its old blocks; whatever is not known to do so does not."""
        if self.kind in IN_PLACE and "data=journal" not in self.options:
            return OverwriteProof.IN_PLACE
        return OverwriteProof.COPY_ON_WRITE


@dataclass(frozen=True, slots=True)
class Mount:
    """A line of /proc/self/mountinfo."""

    point: Path
    kind: str
    source: str
    options: frozenset[str]
    shared: bool


def mounts() -> list[Mount]:
    """Every mount that this process sees, in mount order."""
    return [_mount(line) for line in Path("/proc/self/mountinfo").read_text().splitlines()]


def _mount(line: str) -> Mount:
    before, _, after = line.partition(" - ")
    fields = before.split(" ")
    kind, source, options = after.split(" ")[:3]
    return Mount(
        point=Path(fields[4].encode().decode("unicode_escape")),
        kind=kind,
        source=source,
        options=frozenset(f"{fields[5]},{options}".split(",")),
        shared=any(tag.startswith("shared:") for tag in fields[6:]),
    )


def file_system_of(path: Path) -> FileSystem:
    """The file system under ``path`` (which need not exist yet)."""
    best: Mount | None = None
    real = path.resolve()
    for mount in mounts():
        if real.is_relative_to(mount.point) and (best is None or mount.point.is_relative_to(best.point)):
            best = mount
    if best is None:
        raise ProviderError(ErrorCode.UNREACHABLE, f"No mount was found for {path}. Is /proc mounted?")
    return FileSystem(best.kind, best.options)


# -- image files ----------------------------------------------------------------------------------
def make_image(path: Path, size: int, *, full: bool) -> None:
    """Make the image file, or bring it to ``size`` bytes; never makes it smaller.

    ``full`` reserves its blocks at once, so that neither the machine nor its wipe meets a full file
    system later. Raises QuotaExceeded when there is no room.
    """
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        if os.fstat(handle).st_size < size:
            if full:
                os.posix_fallocate(handle, 0, size)
            else:
                os.ftruncate(handle, size)
            os.fsync(handle)
    finally:
        os.close(handle)


def format_ext4(image: Path, label: str) -> None:
    """Make an ext4 file system on an image file that never held data."""
    options = "nodiscard,lazy_itable_init=1,lazy_journal_init=1"
    run(["mkfs.ext4", "-F", "-q", "-L", label[:16], "-m", "0", "-E", options, str(image)])


# -- loop devices ---------------------------------------------------------------------------------
def loops_of(image: Path) -> list[str]:
    """The loop devices (``/dev/loopN``) on an image file; normally none or one."""
    found = []
    for backing in SYS_BLOCK.glob("loop*/loop/backing_file"):
        try:
            text = backing.read_text().rstrip("\n").removesuffix(" (deleted)")
        except FileNotFoundError:
            continue  # detached between the listing and the reading
        if text == str(image):
            found.append(f"/dev/{backing.parent.parent.name}")
    return sorted(found)


def loops_under(folder: Path) -> list[str]:
    """The loop devices on files under ``folder``, each with its file."""
    found = []
    for backing in SYS_BLOCK.glob("loop*/loop/backing_file"):
        try:
            text = backing.read_text().rstrip("\n")
        except FileNotFoundError:
            continue
        if Path(text.removesuffix(" (deleted)")).is_relative_to(folder):
            found.append(f"/dev/{backing.parent.parent.name}")
    return sorted(found)


def ensure_loop(image: Path) -> str:
    """Adopt the loop device on ``image`` or make one, past the page cache where the file system allows it."""
    found = loops_of(image)
    if found:
        return found[0]
    device = run(["losetup", "--find", "--show", "--nooverlap", str(image)]).strip()
    direct_io(device)
    return device


def direct_io(device: str) -> bool:
    """Switch the loop device to direct I/O on its file; False where the file system can't."""
    try:
        run(["losetup", "--direct-io=on", device])
    except ProviderError:
        return False
    return (SYS_BLOCK / Path(device).name / "loop/dio").read_text().strip() == "1"


def forbid_discard(device: str) -> None:
    """Make the device refuse discards.

    A trim from inside the machine would give blocks with data back to the host's file system, where
    no wipe of the image would ever reach them.
    """
    (SYS_BLOCK / Path(device).name / "queue/discard_max_bytes").write_text("0")


def allows_discard(device: str) -> bool:
    """Whether the device takes discards."""
    return (SYS_BLOCK / Path(device).name / "queue/discard_max_bytes").read_text().strip() != "0"


def ensure_discarding_loop(image: Path, *, sleep: Callable[[float], None]) -> str:
    """A loop device on ``image`` that takes discards."""
    for _ in range(3):
        device = ensure_loop(image)
        if allows_discard(device):
            break
        drop_loop(device, sleep=sleep)
    return device


def device_size(device: str) -> int:
    """Size of a block device in bytes."""
    return int((SYS_BLOCK / Path(device).name / "size").read_text()) * 512


def drop_loop(device: str, *, sleep: Callable[[float], None]) -> None:
    """Detach a loop device; raises Retryable while something still holds it open."""
    backing = SYS_BLOCK / Path(device).name / "loop/backing_file"
    waited = 0.0
    while backing.exists():
        _clear(device)
        if not backing.exists():
            break
        if waited >= PATIENCE:
            raise ProviderError(
                ErrorCode.RETRYABLE,
                f"{device} is still in use; find the user with 'fuser -v {device}' and 'lsblk'.",
            )
        sleep(PAUSE)
        waited += PAUSE
    _forget(device)


def _forget(device: str) -> None:
    """Remove a free loop device that refuses discards: the kernel would keep that for its next file."""
    if not (SYS_BLOCK / Path(device).name).exists() or allows_discard(device):
        return
    handle = os.open("/dev/loop-control", os.O_RDWR | os.O_CLOEXEC)
    try:
        fcntl.ioctl(handle, LOOP_CTL_REMOVE, int(Path(device).name.removeprefix("loop")))
    except OSError as error:
        if error.errno not in {errno.EBUSY, errno.ENODEV}:  # taken, or removed, by somebody else meanwhile
            raise
    finally:
        os.close(handle)


def _clear(device: str) -> None:
    handle = os.open(device, os.O_RDONLY | os.O_CLOEXEC)
    try:
        fcntl.ioctl(handle, LOOP_CLR_FD)
    except OSError as error:
        if error.errno not in {errno.ENXIO, errno.EBUSY}:  # already detached; still mounted
            raise
    finally:
        os.close(handle)


def grow_file_system(device: str, image: Path, point: Path, *, sleep: Callable[[float], None]) -> bool:
    """Let the loop device and the ext4 file system on it take up the whole image file.

    A mounted file system grows where it is, if the kernel lets this process do that (it asks for
    CAP_SYS_RESOURCE); else it is unmounted for a moment. False when it is in use and so can only
    grow before the machine's next start.
    """
    if device_size(device) != image.stat().st_size:
        run(["losetup", "--set-capacity", device])
    if mounted(point):
        try:
            run(["resize2fs", device])
        except ProviderError as error:
            if error.code is not ErrorCode.UNAUTHORISED:
                raise
        else:
            return True
        if not _unmount(point):
            return False
        unmount_below(point, sleep=sleep)
    if not _checked(device, sleep):
        return False
    run(["resize2fs", device])
    return True


def _checked(device: str, sleep: Callable[[float], None]) -> bool:
    """Check an unmounted file system; False while the kernel or another namespace still holds the device."""
    waited = 0.0
    while waited < PATIENCE:
        try:
            run(["e2fsck", "-f", "-p", device], well=(0, 1))
        except ProviderError as error:
            if "Cannot continue" not in error.message:
                raise
        else:
            return True
        sleep(PAUSE)
        waited += PAUSE
    return False


# -- mounts ---------------------------------------------------------------------------------------
def mounted(point: Path) -> bool:
    """Whether something is mounted exactly there."""
    return any(mount.point == point for mount in mounts())


def ensure_shared_folder(point: Path, source: Path | None = None) -> None:
    """Bind ``source`` (or the folder itself) to ``point`` as a shared mount.

    What is mounted or unmounted under it then reaches running machines, and no machine that was
    started meanwhile keeps an unmounted disk busy through its copy of this host's mounts.
    """
    point.mkdir(parents=True, exist_ok=True, mode=0o700)
    found = [mount for mount in mounts() if mount.point == point]
    if not found:
        run(["mount", "--bind", str(source or point), str(point)])
    if not found or not found[-1].shared:
        run(["mount", "--make-shared", str(point)])


def ensure_mounted(device: str, point: Path) -> None:
    """Mount the ext4 file system of a block device, without discard."""
    point.mkdir(parents=True, exist_ok=True, mode=0o755)
    if not mounted(point):
        run(["mount", "-t", "ext4", "-o", "nodiscard,noatime", device, str(point)])


def ensure_overlay(lower: Path, upper: Path, work: Path, point: Path) -> None:
    """Mount an overlay whose every change goes to ``upper``."""
    for folder in (upper, work, point):
        folder.mkdir(parents=True, exist_ok=True, mode=0o755)
    if not mounted(point):
        options = f"lowerdir={lower},upperdir={upper},workdir={work}"
        run(["mount", "-t", "overlay", "overlay", "-o", options, str(point)])


def unmount_below(folder: Path, *, sleep: Callable[[float], None]) -> None:
    """Unmount everything at and below ``folder``, innermost and latest first."""
    waited = 0.0
    while True:
        points = [mount.point for mount in mounts() if mount.point.is_relative_to(folder)]
        if not points:
            return
        if not _unmount(points[-1]):
            if waited >= PATIENCE:
                raise ProviderError(
                    ErrorCode.RETRYABLE,
                    f"{points[-1]} is still in use; find the user with 'fuser -vm {points[-1]}'.",
                )
            sleep(PAUSE)
            waited += PAUSE


def _unmount(point: Path) -> bool:
    try:
        run(["umount", str(point)])
    except ProviderError as error:
        if "busy" in error.message or "not mounted" in error.message:
            return False
        raise
    return True
