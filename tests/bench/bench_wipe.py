"""Wipe throughput against a bare AES stream, a raw write and a raw read of the same disk, in the same run.

A wipe can't be faster than the slower of its two sources, the stream and the disk.
"""

from __future__ import annotations

import contextlib
import mmap
import os
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import ansible.module_utils

ansible.module_utils.__path__.append(str(Path(__file__).parents[2] / "playbooks" / "module_utils"))

from ansible.module_utils import govpool_wipe_engine as engine  # noqa: E402
from ansible.module_utils.govpool_wipe_device import DiskDevice  # noqa: E402
from ansible.module_utils.govpool_wipe_record import Progress  # noqa: E402
from ansible.module_utils.govpool_wipe_stream import PIECE, Keystream  # noqa: E402

from tests.bench.report import Report  # noqa: E402

MIB = 1 << 20


class KeptDisk(DiskDevice):
    """Does not discard, so that every round overwrites blocks that are there."""

    def discard(self) -> None:
        """Leave the blocks where they are."""


class NoDisk(KeptDisk):
    """Takes every write at once: what is left is the engine itself."""

    def write(self, view: memoryview, offset: int) -> int:
        """Throw the bytes away."""
        return len(view)

    def flush(self) -> None:
        """Nothing is held back."""


@contextlib.contextmanager
def disk(folder: Path, mib: int, *, loop: bool) -> Iterator[str]:
    """A fully allocated image file, or a loop device over one."""
    with tempfile.NamedTemporaryFile(dir=folder, prefix="bench-wipe-") as image:
        os.posix_fallocate(image.fileno(), 0, mib * MIB)
        if not loop:
            yield image.name
            return
        # Direct I/O on the file below, as the local pool's sanitiser attaches disks.
        attach = ["losetup", "--direct-io=on", "--find", "--show", image.name]
        made = subprocess.run(attach, check=True, capture_output=True, text=True)
        device = made.stdout.strip()
        try:
            yield device
        finally:
            subprocess.run(["losetup", "--detach", device], check=True)


def seconds(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def stream(mib: int) -> None:
    """The stream alone, made by one thread into one buffer that stays in the cache."""
    room = memoryview(mmap.mmap(-1, PIECE + 4096))
    make = Keystream(bytes(32)).start(0)
    for _ in range(mib * MIB // PIECE):
        make(room, PIECE)


def raw(path: str, mib: int, *, write: bool) -> None:
    """Write and flush, or read, the disk front to back with direct I/O, as a simple tool would.

    Before a read the page cache is dropped, also that of the file below a loop device: it would lie.
    """
    room = mmap.mmap(-1, engine.CHUNK)
    room.write(os.urandom(engine.CHUNK))
    if not write:
        cold = DiskDevice.open(path, mib * MIB)
        cold.forget_cache()
        cold.close()
    fd = os.open(path, (os.O_RDWR if write else os.O_RDONLY) | os.O_DIRECT)
    try:
        for offset in range(0, mib * MIB, engine.CHUNK):
            if write:
                os.pwrite(fd, room, offset)
            else:
                os.preadv(fd, [room], offset)
        os.fsync(fd)
    finally:
        os.close(fd)


def wipe(path: str, mib: int, folder: Path, device: type[DiskDevice]) -> dict[str, float]:
    """One wipe; the seconds of its two passes. A disk that throws writes away must be found out."""
    record = folder / "bench-wipe.json"
    record.unlink(missing_ok=True)
    with Progress(record) as progress:
        order = engine.WipeOrder("bench", path, mib * MIB, os.urandom(32), run_key="bench")
        report = engine.Wipe(order, progress, open_device=device.open).run()
    for left in folder.glob("bench-wipe.json*"):
        left.unlink()
    if report["result"] != ("Mismatch" if device is NoDisk else "Verified"):
        raise SystemExit(f"the wipe ended otherwise than it should: {report}")
    return {"overwrite": float(report["overwrite_seconds"]), "verify": float(report["verify_seconds"])}


def measure(mib: int = 1024, rounds: int = 3, folder: Path | None = None, *, loop: bool = False) -> Report:
    """Best of the rounds, in MiB/s. What bounds a wipe is the slower of its two sources: stream and disk."""
    place = folder or Path(tempfile.gettempdir())
    kind = "loop device" if loop else "file"
    report = Report("wipe", f"{mib} MiB on a {kind}, best of {rounds}", "plain")
    if loop and os.geteuid() != 0:
        report.skipped = "a loop device needs root"
        return report
    best: dict[str, float] = {}
    with disk(place, mib, loop=loop) as path:
        raw(path, mib, write=True)
        for _ in range(rounds):
            round_ = {
                "stream": seconds(lambda: stream(mib)),
                "raw_write": seconds(lambda: raw(path, mib, write=True)),
                "raw_read": seconds(lambda: raw(path, mib, write=False)),
                "engine": wipe(path, mib, place, NoDisk)["overwrite"],
                **wipe(path, mib, place, KeptDisk),
            }
            best = {name: min(took, best.get(name, took)) for name, took in round_.items()}
    speed = {name: mib / took for name, took in best.items()}
    unit = "MiB/s"
    report.add("engine without a disk, against the AES stream", unit, speed["engine"], speed["stream"])
    report.add("overwrite, against the AES stream", unit, speed["overwrite"], speed["stream"])
    report.add("overwrite, against a raw write", unit, speed["overwrite"], speed["raw_write"])
    slower = min(speed["stream"], speed["raw_write"])
    report.add("overwrite, against the slower of both", unit, speed["overwrite"], slower)
    report.add("verify, against a raw read", unit, speed["verify"], speed["raw_read"])
    return report
