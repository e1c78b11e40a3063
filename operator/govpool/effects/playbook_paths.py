"""Where a playbook run keeps what: its lock and record below the state directory, its secrets on tmpfs.

Standard library only: the playbook's child imports it, and every run pays for its imports.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import os
import select
import shutil
import signal
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import govpool

MARK = "GOVPOOL_PLAYBOOK_RUN"
"""Set in the environment of Ansible and of all that it starts, so that survivors of a killed run are
found."""

_MEMORY_FILESYSTEMS = frozenset({"tmpfs", "ramfs"})
_KEPT_ATTEMPTS = 5
_KEPT_RUNS = 500
_DEATH_SECONDS = 10.0


def playbooks_dir() -> Path:
    """Find the project's playbooks: packaged with govpool, else beside the source."""
    package = Path(govpool.__file__).parent
    packaged = package / "_data" / "playbooks"
    return packaged if packaged.is_dir() else package.parents[1] / "playbooks"


def runtime_root() -> Path:
    """Return (and make) the 0700 directory for secrets: the first of these that is writable and on tmpfs.

    ``$GOVPOOL_RUNTIME_DIR`` (taken as it is, also when it is not tmpfs), ``$XDG_RUNTIME_DIR/govpool``,
    ``/run/govpool``, ``/dev/shm/govpool-UID``; where none is, a directory in the system's temporary
    directory.

    Raises:
        PermissionError: the directory exists and belongs to someone else, or others may enter it.
    """
    if given := os.environ.get("GOVPOOL_RUNTIME_DIR"):
        return _private(Path(given))
    candidates = [Path("/run/govpool"), Path(f"/dev/shm/govpool-{os.getuid()}")]  # noqa: S108 - checked below
    if session := os.environ.get("XDG_RUNTIME_DIR"):
        candidates.insert(0, Path(session) / "govpool")
    for candidate in candidates:
        if in_memory(candidate.parent) and os.access(candidate.parent, os.W_OK):
            return _private(candidate)
    return _private(Path(tempfile.gettempdir()) / f"govpool-{os.getuid()}")


def in_memory(path: Path) -> bool:
    """Tell whether the path lies on a file system that never reaches a disk (swap left aside)."""
    best, kind = "", ""
    real = os.path.realpath(path)
    for line in Path("/proc/self/mounts").read_text().splitlines():
        _, point, fstype, *_ = line.split(" ")
        prefix = point.rstrip("/") + "/"
        if (real + "/").startswith(prefix) and len(prefix) >= len(best):
            best, kind = prefix, fstype
    return kind in _MEMORY_FILESYSTEMS


def _private(directory: Path) -> Path:
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    found = directory.lstat()
    if found.st_uid != os.getuid() or found.st_mode & 0o077 or directory.is_symlink():
        raise PermissionError(
            f"{directory} must be a directory of user {os.getuid()} with mode 0700: "
            "remove it, or set GOVPOOL_RUNTIME_DIR"
        )
    return directory


@dataclass(frozen=True, slots=True)
class RunPaths:
    """The places of one run key."""

    digest: str
    lock: Path
    secrets: Path
    """The directory on tmpfs; exists only while the run is alive."""
    records: Path

    @classmethod
    def of(cls, state_dir: Path, run_key: str) -> RunPaths:
        """Derive the places; the same key in another state directory is another run."""
        digest = hashlib.sha256(f"{state_dir.resolve()}\0{run_key}".encode()).hexdigest()[:16]
        return cls._at(state_dir, digest)

    @classmethod
    def known(cls, state_dir: Path) -> Iterator[RunPaths]:
        """Yield the places of every run key that this state directory has seen."""
        for lock in sorted((state_dir / "playbooks" / "locks").glob("*.lock")):
            yield cls._at(state_dir, lock.stem)

    @classmethod
    def _at(cls, state_dir: Path, digest: str) -> RunPaths:
        base = state_dir.resolve() / "playbooks"
        return cls(
            digest, base / "locks" / f"{digest}.lock", runtime_root() / digest, base / "records" / digest
        )

    def to_json(self) -> dict[str, str]:
        """Give the places as text, for the child."""
        return {
            "digest": self.digest,
            "lock": str(self.lock),
            "secrets": str(self.secrets),
            "records": str(self.records),
        }

    @classmethod
    def from_json(cls, places: dict[str, str]) -> RunPaths:
        """Read what :meth:`to_json` gave."""
        return cls(places["digest"], *(Path(places[name]) for name in ("lock", "secrets", "records")))

    def prepare(self) -> None:
        """Make the directories for the lock and the records, readable by their owner only."""
        for directory in (self.lock.parent, self.records):
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)

    def next_record(self) -> Path:
        """Name the record of the next attempt, and remove the oldest beyond what is kept."""
        attempts = sorted(self.records.glob("*.jsonl"))
        for old in attempts[: max(0, len(attempts) - _KEPT_ATTEMPTS + 1)]:
            old.unlink(missing_ok=True)
        runs = sorted(self.records.parent.iterdir(), key=lambda run: run.stat().st_mtime)
        for old in runs[: max(0, len(runs) - _KEPT_RUNS)]:
            if old != self.records:
                shutil.rmtree(old, ignore_errors=True)  # another run may be rotating too
        return self.records / f"{int(attempts[-1].stem) + 1 if attempts else 1:06d}.jsonl"


@contextlib.contextmanager
def try_lock(paths: RunPaths) -> Iterator[bool]:
    """Hold the run key's lock if nobody does; yield whether it is held."""
    if not paths.lock.parent.is_dir():
        yield False
        return
    with paths.lock.open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
            return
        yield True


@contextlib.contextmanager
def scratch(purpose: str) -> Iterator[Path]:
    """Make a directory for secrets, locked while it is used and removed after; see :func:`sweep_scratch`."""
    folder = Path(tempfile.mkdtemp(prefix=f"{purpose}-", dir=runtime_root()))
    with _opened(os.open(folder, os.O_RDONLY | os.O_DIRECTORY)) as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        try:
            yield folder
        finally:
            shutil.rmtree(folder)


def sweep_scratch() -> tuple[str, ...]:
    """Remove the scratch directories whose users were killed; return their names."""
    swept: list[str] = []
    for folder in runtime_root().glob("*-*"):
        gone_or_used = contextlib.suppress(FileNotFoundError, BlockingIOError)
        with gone_or_used, _opened(os.open(folder, os.O_RDONLY | os.O_DIRECTORY)) as handle:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(folder)
            swept.append(folder.name)
    return tuple(swept)


def reclaim(paths: RunPaths) -> bool:
    """Kill what a dead run left running and remove its secrets; tell whether there was anything.

    The caller holds the lock.
    """
    found = False
    while survivors := tuple(marked(paths.digest)):
        found = True
        kill(survivors)
    if paths.secrets.exists():
        found = True
        shutil.rmtree(paths.secrets)
    return found


def marked(digest: str) -> Iterator[int]:
    """Yield the processes that carry the run's mark in their environment and still live."""
    needle = f"{MARK}={digest}".encode()
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            if needle in (entry / "environ").read_bytes().split(b"\0"):
                yield int(entry.name)
        except OSError:  # ended meanwhile, or belongs to another user and so is not ours
            continue


def kill(pids: Iterable[int]) -> None:
    """Send SIGKILL and wait until they are dead; who is gone already is fine.

    Raises:
        OSError: a process did not die within ten seconds (it hangs in the kernel).
    """
    for pid in pids:
        with contextlib.suppress(ProcessLookupError), _opened(os.pidfd_open(pid)) as handle:
            signal.pidfd_send_signal(handle, signal.SIGKILL)
            if not select.select([handle], [], [], _DEATH_SECONDS)[0]:
                raise OSError(errno.EBUSY, f"process {pid} of a killed playbook run does not die")


@contextlib.contextmanager
def _opened(descriptor: int) -> Iterator[int]:
    try:
        yield descriptor
    finally:
        os.close(descriptor)
