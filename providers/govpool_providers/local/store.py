"""The records of a local pool: one small JSON file per machine and per disk, and the file locks.

A record is on disk before the first effect that it stands for, and goes last. So whatever a killed
process left behind is listed, adopted or deleted by the next one.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import TypeVar

from pydantic import TypeAdapter, ValidationError

from govpool_providers.base import Owner, Size
from govpool_providers.errors import ErrorCode, ProviderError

MARKER = "pool.json"
LOCK_PAUSE = 0.02
"""Seconds between two tries to take a lock."""

T = TypeVar("T")


class Phase(StrEnum):
    """How far a machine has come in this pool."""

    BUILDING = "building"
    BUILT = "built"
    RELEASING = "releasing"


@dataclass(slots=True)
class MachineRecord:
    """A machine as this pool means it to be. Holds no private key."""

    key: str
    hostname: str
    owner: Owner
    size: Size
    image: str
    network: str
    item: str
    address: str
    mac: str
    phase: Phase = Phase.BUILDING
    base: str = ""
    """Folder name of the base image under ``images``; fixed at the first start."""
    disk_keys: list[str] = field(default_factory=list)
    power: bool = True
    isolated: bool = False
    seeded: bool = False
    fresh_root: bool = False
    """True while the root disk holds nothing but what this build wrote."""
    fault: str = ""


@dataclass(slots=True)
class DiskRecord:
    """A disk as this pool means it to be; it outlives its machine."""

    key: str
    name: str
    machine_key: str
    owner: Owner
    size_bytes: int
    root: bool
    formatted: bool = False
    growing: bool = False
    sanitising: bool = False


@dataclass(slots=True)
class PoolRecord:
    """The pool's marker: shows that the state folder is the pool's own, not an empty mount point."""

    pool: str
    bridge: str
    subnet: str


_MACHINE = TypeAdapter(MachineRecord)
_DISK = TypeAdapter(DiskRecord)
_POOL = TypeAdapter(PoolRecord)


class Store:
    """Reads and writes the records under one state folder."""

    def __init__(self, state: Path, *, sleep: Callable[[float], None], lock_wait: float = 120.0) -> None:
        self.state = state
        self.machines_dir = state / "machines"
        self.disks_dir = state / "disks"
        self.run_dir = state / "run"
        self.locks_dir = state / "locks"
        self._sleep = sleep
        self._lock_wait = lock_wait

    # -- the pool -----------------------------------------------------------------------------------
    def open(self, record: PoolRecord) -> None:
        """Make the state folder and its marker; raises Conflict when it belongs to another pool."""
        found = self.pool()
        if found is None:
            self.state.mkdir(parents=True, exist_ok=True, mode=0o700)
            write_atomically(self.state / MARKER, _POOL.dump_json(record, indent=1))
        elif found != record:
            raise ProviderError(
                ErrorCode.CONFLICT,
                f"{self.state} holds pool {found.pool} on {found.bridge} {found.subnet}: "
                "give this pool a state folder of its own, or its old bridge and subnet.",
            )
        for folder in (self.machines_dir, self.disks_dir, self.run_dir, self.locks_dir):
            folder.mkdir(exist_ok=True, mode=0o700)

    def pool(self) -> PoolRecord | None:
        """The marker, or None where no pool was ever opened."""
        return _read(self.state / MARKER, _POOL)

    # -- machines -----------------------------------------------------------------------------------
    def machine(self, key: str) -> MachineRecord | None:
        """The machine's record, or None when there is none."""
        return _read(self.machines_dir / f"{key}.json", _MACHINE)

    def machines(self) -> list[MachineRecord]:
        """Every machine's record, sorted by key; one that can't be read is Unreachable, never left out."""
        paths = (path for path in entries(self.machines_dir) if path.suffix == ".json")
        return _read_all(paths, _MACHINE)

    def put_machine(self, record: MachineRecord) -> None:
        """Write the machine's record."""
        write_atomically(self.machines_dir / f"{record.key}.json", _MACHINE.dump_json(record, indent=1))

    def drop_machine(self, key: str) -> None:
        """Remove the machine's record."""
        _unlink(self.machines_dir / f"{key}.json")

    # -- disks --------------------------------------------------------------------------------------
    def disk_dir(self, key: str) -> Path:
        """The folder of a disk: its record, its image and whatever copies lie beside it."""
        return self.disks_dir / key

    def disk_image(self, key: str) -> Path:
        """The disk's image file."""
        return self.disk_dir(key) / "disk.img"

    def disk(self, key: str) -> DiskRecord | None:
        """The disk's record, or None when there is none."""
        return _read(self.disk_dir(key) / "disk.json", _DISK)

    def disks(self) -> list[DiskRecord]:
        """Every disk's record, sorted by key; one that can't be read is Unreachable, never left out."""
        return _read_all((path / "disk.json" for path in entries(self.disks_dir)), _DISK)

    def put_disk(self, record: DiskRecord) -> None:
        """Write the disk's record."""
        folder = self.disk_dir(record.key)
        if not folder.is_dir():
            folder.mkdir(mode=0o700)
            fsync_dir(self.disks_dir)
        write_atomically(folder / "disk.json", _DISK.dump_json(record, indent=1))

    def drop_disk(self, key: str) -> None:
        """Remove image, then record, each for good (the folder is synced); the folder goes when empty."""
        folder = self.disk_dir(key)
        _unlink(self.disk_image(key))
        _unlink(folder / "disk.json")
        if folder.is_dir() and not any(folder.iterdir()):
            folder.rmdir()
            fsync_dir(self.disks_dir)

    # -- locks --------------------------------------------------------------------------------------
    @contextmanager
    def lock(self, name: str) -> Iterator[None]:
        """Hold the file lock ``name`` against every other thread and process.

        The kernel drops it when the holder dies. The file is removed at the end, so that none is
        left; whoever waited on a removed file sees that and takes the new one. Raises Retryable
        when it stays taken.
        """
        self.locks_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
        path = self.locks_dir / f"{name}.lock"
        handle = self._take(path)
        try:
            yield
        finally:
            path.unlink(missing_ok=True)
            os.close(handle)

    def _take(self, path: Path) -> int:
        for _ in range(max(1, int(self._lock_wait / LOCK_PAUSE))):
            handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if _same_file(handle, path):
                    return handle
            except BlockingIOError:
                pass
            os.close(handle)
            self._sleep(LOCK_PAUSE)
        raise ProviderError(
            ErrorCode.RETRYABLE,
            f"Another call has held {path.name} for {self._lock_wait:.0f} s; it is tried again.",
            retry_after=5,
        )


def _same_file(handle: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(handle), path.stat())
    except FileNotFoundError:
        return False


def write_atomically(path: Path, content: bytes) -> None:
    """Write a file so that it is found whole or as it was before, also after a power cut."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.{id(content):x}.tmp")
    with temporary.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
    fsync_dir(path.parent)


def fsync_dir(folder: Path) -> None:
    """Make what was created in or removed from a folder durable."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _unlink(path: Path) -> None:
    if path.exists():
        path.unlink()
        fsync_dir(path.parent)


def _read(path: Path, adapter: TypeAdapter[T]) -> T | None:
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return None
    try:
        return adapter.validate_json(content)
    except ValidationError as error:
        raise ProviderError(
            ErrorCode.UNREACHABLE, f"{path} can't be read as a record: restore it from a backup. ({error})"
        ) from error


def _read_all(paths: Iterable[Path], adapter: TypeAdapter[T]) -> list[T]:
    found = (_read(path, adapter) for path in paths)
    return [record for record in found if record is not None]


def entries(folder: Path) -> list[Path]:
    """The paths in a folder, sorted; none where there is no such folder."""
    # iterdir and not glob: glob passes over a folder that it may not read, as if it were empty
    try:
        return sorted(folder.iterdir())
    except FileNotFoundError:
        return []
