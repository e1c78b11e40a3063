"""Wipe throughput against a bare AES stream, a raw write and a raw read of the same disk, in the same run.

Run as ``python tests/bench/bench_wipe.py [--mib 1024] [--rounds 3] [--on FOLDER] [--loop]``. The figures are
the best of the rounds; what counts is the ratios. A wipe can't be faster than the slower of its two sources,
the stream and the disk.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import mmap
import os
import subprocess
import sys
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
        made = subprocess.run(
            ["losetup", "--find", "--show", image.name], check=True, capture_output=True, text=True
        )
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


def main() -> None:
    """Measure and print one JSON object; speeds in MiB/s."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--mib", type=int, default=1024)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--on", type=Path, default=Path(tempfile.gettempdir()))
    parser.add_argument("--loop", action="store_true", help="through a loop device (needs root)")
    given = parser.parse_args()
    best: dict[str, float] = {}
    with disk(given.on, given.mib, loop=given.loop) as path:
        raw(path, given.mib, write=True)
        for _ in range(given.rounds):
            round_ = {
                "stream": seconds(lambda: stream(given.mib)),
                "raw_write": seconds(lambda: raw(path, given.mib, write=True)),
                "raw_read": seconds(lambda: raw(path, given.mib, write=False)),
                "engine": wipe(path, given.mib, given.on, NoDisk)["overwrite"],
                **wipe(path, given.mib, given.on, KeptDisk),
            }
            best = {name: min(took, best.get(name, took)) for name, took in round_.items()}
    speed = {name: given.mib / took for name, took in best.items()}
    told = {
        "benchmark": "wipe",
        "disk": "loop device" if given.loop else "file",
        "mib": given.mib,
        "cpus": os.cpu_count(),
        "mib_per_second": {name: round(value) for name, value in speed.items()},
        "ratios": {
            "engine without disk / stream": round(speed["engine"] / speed["stream"], 2),
            "overwrite / stream": round(speed["overwrite"] / speed["stream"], 2),
            "overwrite / raw write": round(speed["overwrite"] / speed["raw_write"], 2),
            "overwrite / the slower of both": round(
                speed["overwrite"] / min(speed["stream"], speed["raw_write"]), 2
            ),
            "verify / raw read": round(speed["verify"] / speed["raw_read"], 2),
        },
    }
    json.dump(told, sys.stdout, indent=2)
    sys.stdout.write("\n")


if __name__ == "__main__":
    main()
