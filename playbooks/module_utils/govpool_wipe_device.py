"""A block device or image file as the wipe engine sees it: opened exclusively, read past the page cache.

Runs on the sanitiser (净化机) with its own python3: standard library only, no import of govpool.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import fcntl
import os
import stat
import struct
from pathlib import Path

# linux/fs.h and linux/falloc.h
BLKFLSBUF = 0x1261
BLKSSZGET = 0x1268
BLKDISCARD = 0x1277
BLKGETSIZE64 = 0x80081272
FALLOC_FL_KEEP_SIZE = 0x01
FALLOC_FL_PUNCH_HOLE = 0x02

FILE_BLOCK = 4096
"""Alignment that O_DIRECT on a file needs at most, bytes."""


class RefusedError(Exception):
    """The disk was not touched: something about it is not as ordered.

    ``reason`` is one of NotADisk, Mounted, Held, ReadOnly, SizeDiffers, NoDirectIO, AlreadyRunning, NoKey.
    """

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message


class DiskDevice:
    """An open disk. Not thread-bound: positional reads and writes only."""

    def __init__(
        self, path: str, fd: int, size: int, block: int, *, is_block: bool, buffered_fd: int
    ) -> None:
        self.path = path
        self.size = size
        self.block = block
        self.is_block = is_block
        self._fd = fd
        self._buffered = buffered_fd
        self.direct = bool(fcntl.fcntl(fd, fcntl.F_GETFL) & os.O_DIRECT)

    # -- opening ---------------------------------------------------------------------------------
    @classmethod
    def open(cls, path: str, expected_size: int) -> DiskDevice:
        """Open ``path`` for wiping. Raises RefusedError unless it is free and has ``expected_size`` bytes."""
        try:
            found = Path(path).stat()
        except OSError as error:
            raise RefusedError(
                "NotADisk", f"{path}: {error.strerror}; attach the disk to the sanitiser first"
            ) from error
        if stat.S_ISBLK(found.st_mode):
            device = cls._open_block(path, found)
        elif stat.S_ISREG(found.st_mode):
            device = cls._open_file(path)
        else:
            raise RefusedError(
                "NotADisk", f"{path} is neither a block device nor a regular file; name the disk itself"
            )
        if device.size != expected_size:
            device.close()
            raise RefusedError(
                "SizeDiffers",
                f"{path} has {device.size} bytes, the order says {expected_size}: this is another disk, "
                "or it was resized; look the disk up again before wiping",
            )
        return device

    @classmethod
    def _open_block(cls, path: str, found: os.stat_result) -> DiskDevice:
        places = mounted_at(found.st_rdev)
        if places:
            raise RefusedError("Mounted", f"{path} is mounted at {', '.join(places)}; unmount it first")
        try:
            # O_EXCL without O_CREAT: the kernel refuses while a file system, swap or another wipe holds it.
            fd = os.open(path, os.O_RDWR | os.O_EXCL | os.O_DIRECT | os.O_CLOEXEC)
        except OSError as error:
            raise _refusal(path, error) from error
        if os.fstat(fd).st_rdev != found.st_rdev:
            os.close(fd)
            raise RefusedError(
                "Held", f"{path} was replaced while it was being opened; look the disk up again"
            )
        size = struct.unpack("Q", fcntl.ioctl(fd, BLKGETSIZE64, bytes(8)))[0]
        block = struct.unpack("I", fcntl.ioctl(fd, BLKSSZGET, bytes(4)))[0]
        return cls(path, fd, size, max(block, 512), is_block=True, buffered_fd=-1)

    @classmethod
    def _open_file(cls, path: str) -> DiskDevice:
        loop = loop_over(path)
        if loop:
            raise RefusedError(
                "Held", f"{path} is the backing file of {loop}; wipe {loop} or detach it first"
            )
        try:
            buffered = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        except OSError as error:
            raise _refusal(path, error) from error
        try:
            fcntl.flock(buffered, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(buffered)
            raise RefusedError("Held", f"{path} is locked by another process; end that one first") from error
        try:
            fd = os.open(path, os.O_RDWR | os.O_DIRECT | os.O_CLOEXEC)
        except OSError:
            fd = os.dup(buffered)
        return cls(path, fd, os.fstat(fd).st_size, FILE_BLOCK, is_block=False, buffered_fd=buffered)

    def close(self) -> None:
        """Let the disk go."""
        os.close(self._fd)
        if self._buffered >= 0:
            os.close(self._buffered)

    # -- reading and writing ---------------------------------------------------------------------
    def write(self, view: memoryview, offset: int) -> int:
        """Write once at ``offset``; return the number of bytes taken, which may be fewer. Raises OSError."""
        # Only the last part of an image file can be unaligned; O_DIRECT would refuse it.
        unaligned = (len(view) | offset) % self.block
        return os.pwrite(self._buffered if unaligned and self._buffered >= 0 else self._fd, view, offset)

    def read(self, view: memoryview, offset: int) -> int:
        """Read once from ``offset`` into ``view`` (whole blocks); return how many bytes. Raises OSError."""
        return os.preadv(self._fd, [view], offset)

    def flush(self) -> None:
        """Bring every acknowledged write to the medium. Raises OSError."""
        os.fsync(self._fd)

    def forget_cache(self) -> tuple[str, ...]:
        """Make the kernel forget what it remembers of the disk, so that reads ask the medium.

        Returns what was done, for the record.
        """
        done = ["O_DIRECT"] if self.direct else []
        if self.is_block:
            fcntl.ioctl(self._fd, BLKFLSBUF, 0)
            done.append("BLKFLSBUF")
            backing = backing_file(os.fstat(self._fd).st_rdev)
            if backing:
                # A loop device answers from the page cache of the file below it.
                with contextlib.suppress(OSError):
                    _drop(backing)
                    done.append("backing file POSIX_FADV_DONTNEED")
        else:
            os.posix_fadvise(self._buffered, 0, 0, os.POSIX_FADV_DONTNEED)
            done.append("POSIX_FADV_DONTNEED")
        return tuple(done)

    def discard(self) -> None:
        """Give every block back to the storage (TRIM, punch hole). Raises OSError where it can't."""
        if self.is_block:
            fcntl.ioctl(self._fd, BLKDISCARD, struct.pack("QQ", 0, self.size))
            return
        libc = ctypes.CDLL(None, use_errno=True)
        mode = FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE
        span = (ctypes.c_int64(0), ctypes.c_int64(self.size))
        if libc.fallocate(self._buffered, mode, *span) != 0:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number))


def _refusal(path: str, error: OSError) -> RefusedError:
    if error.errno == errno.EBUSY:
        return RefusedError(
            "Held", f"{path} is held by a file system, swap, RAID or another process; release it first"
        )
    if error.errno in {errno.EROFS, errno.EACCES, errno.EPERM}:
        return RefusedError(
            "ReadOnly", f"{path} can't be opened for writing: {error.strerror}; attach it writable, as root"
        )
    if error.errno == errno.EINVAL:
        return RefusedError(
            "NoDirectIO", f"{path} takes no direct I/O, so a read-back would only show the page cache"
        )
    return RefusedError("NotADisk", f"{path}: {error.strerror}; attach the disk to the sanitiser again")


def _drop(path: str) -> None:
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
        os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
    finally:
        os.close(fd)


def mounted_at(rdev: int, mountinfo: str = "/proc/self/mountinfo") -> tuple[str, ...]:
    """Where the device, or a partition of it, is mounted in this mount namespace."""
    wanted = {f"{os.major(rdev)}:{os.minor(rdev)}"}
    for part in Path(f"/sys/dev/block/{os.major(rdev)}:{os.minor(rdev)}").glob("*/dev"):
        wanted.add(part.read_text().strip())
    rows = [line.split() for line in Path(mountinfo).read_text().splitlines()]
    return tuple(row[4] for row in rows if row[2] in wanted)


def backing_file(rdev: int) -> str | None:
    """The file below a loop device; None for any other device."""
    try:
        text = Path(f"/sys/dev/block/{os.major(rdev)}:{os.minor(rdev)}/loop/backing_file").read_text()
    except OSError:
        return None
    return text.rstrip("\n")


def loop_over(path: str) -> str | None:
    """The loop device that serves the file ``path``, if there is one."""
    for entry in Path("/sys/block").glob("loop*/loop/backing_file"):
        try:
            if Path(entry.read_text().rstrip("\n")).samefile(path):
                return f"/dev/{entry.parts[3]}"
        except OSError:
            continue  # detached, or its file was deleted, while we looked
    return None
