"""What a wipe remembers across a kill: one small JSON file per disk, replaced atomically and fsynced.

It only ever says what has been flushed or compared already, so whoever reads it may trust it.
Runs on the sanitiser with its own python3: standard library only, no import of govpool.
"""

from __future__ import annotations

import fcntl
import hashlib
import hmac
import json
import os
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from ansible.module_utils.govpool_wipe_device import RefusedError

FORMAT = 1
MAX_RANGES = 64
"""Ranges told one by one; beyond that only the count and the bytes go on growing."""


def fingerprint(key: bytes) -> str:
    """Tell keys apart without giving anything of them away: HMAC-SHA256 over a fixed text, 32 hex digits."""
    return hmac.new(key, b"govpool wipe key", hashlib.sha256).hexdigest()[:32]


@dataclass
class Ranges:
    """Stretches of a disk, ascending: count, bytes, and the first MAX_RANGES as [offset, bytes]."""

    count: int = 0
    bytes: int = 0
    ranges: list[list[int]] = field(default_factory=list)
    end: int = -1
    """Where the last stretch ends, so that one that goes on there is joined to it."""

    def add(self, found: Iterable[tuple[int, int]]) -> None:
        """Add stretches that lie behind all those added before."""
        for offset, length in found:
            joined = offset == self.end
            self.bytes += length
            self.end = offset + length
            if not joined:
                self.count += 1
                if len(self.ranges) < MAX_RANGES:
                    self.ranges.append([offset, length])
            elif self.count <= MAX_RANGES:
                self.ranges[-1][1] += length

    def told(self) -> dict[str, object]:
        """As the report carries it."""
        return {"count": self.count, "bytes": self.bytes, "ranges": self.ranges}


@dataclass
class State:
    """Where a wipe stands. Offsets and sizes in bytes, seconds of work without the time it lay killed."""

    disk_key: str
    run_key: str
    size_bytes: int
    key_fingerprint: str
    started_at: str
    phase: str = "Overwriting"
    """Overwriting, Verifying, Discarding, Done."""
    overwritten: int = 0
    verified: int = 0
    bytes_compared: int = 0
    zero_bytes: int = 0
    overwrite_seconds: float = 0.0
    verify_seconds: float = 0.0
    verified_at: str = ""
    resumed: int = 0
    read_back: list[str] = field(default_factory=list)
    write_errors: Ranges = field(default_factory=Ranges)
    verify_errors: Ranges = field(default_factory=Ranges)
    mismatches: Ranges = field(default_factory=Ranges)
    report: dict[str, object] = field(default_factory=dict)

    def restart_verification(self) -> None:
        """Forget every comparison made so far."""
        self.verified = self.bytes_compared = self.zero_bytes = 0
        self.verify_errors, self.mismatches = Ranges(), Ranges()


class Progress:
    """The progress file of one disk, locked while a wipe runs: a second wipe of the same disk is refused."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._path = Path(path)
        self._lock = -1
        self.state: State

    def __enter__(self) -> Progress:
        self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        lock = self._path.with_name(self._path.name + ".lock")
        self._lock = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(self._lock)
            raise RefusedError(
                "AlreadyRunning", f"a wipe of this disk is running ({self._path}); wait for its end"
            ) from error
        return self

    def __exit__(self, *exc: object) -> None:
        os.close(self._lock)

    def begin(
        self, disk_key: str, run_key: str, size_bytes: int, key_fingerprint: str, now: datetime
    ) -> State:
        """Go on from the file if it is of the same disk, run and key and did not end badly; else anew."""
        found = read(self._path)
        same = found is not None and (
            found.disk_key,
            found.run_key,
            found.size_bytes,
            found.key_fingerprint,
        ) == (
            disk_key,
            run_key,
            size_bytes,
            key_fingerprint,
        )
        ended_badly = found is not None and found.phase == "Done" and found.report.get("result") != "Verified"
        if found is not None and same and not ended_badly:
            found.resumed += found.phase != "Done"
            self.state = found
        else:
            started = now.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
            self.state = State(disk_key, run_key, size_bytes, key_fingerprint, started)
        self.save()
        return self.state

    def save(self) -> None:
        """Put the state on disk; when this returns it survives a power cut."""
        text = json.dumps({"format": FORMAT, **asdict(self.state)}, sort_keys=True)
        new = self._path.with_name(self._path.name + ".new")
        fd = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        with os.fdopen(fd, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        new.replace(self._path)
        folder = os.open(self._path.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def read(path: str | os.PathLike[str]) -> State | None:
    """The state on file; None when there is none or it was written by a version that kept it otherwise."""
    try:
        held = json.loads(Path(path).read_text(encoding="utf-8"))
        if held.pop("format") != FORMAT:
            return None
        for name in ("write_errors", "verify_errors", "mismatches"):
            held[name] = Ranges(**held[name])
        return State(**held)
    except (FileNotFoundError, ValueError, KeyError, TypeError, AttributeError):
        # Without a record the wipe begins at 0: slower, never less sure.
        return None
