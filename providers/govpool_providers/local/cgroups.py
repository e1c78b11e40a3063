"""Control groups of a machine: its limits, its processes, and their end.

Works on version 1 (and the hybrid layout), where every controller has a hierarchy of its own, and on
version 2. The memory limit is real: what a machine asks for beyond it is reclaimed or killed inside it.
"""

from __future__ import annotations

import contextlib
import errno
import os
import signal
from collections.abc import Callable
from pathlib import Path

from govpool_providers.base import GIB, Size
from govpool_providers.errors import ErrorCode, ProviderError

ROOT = Path("/sys/fs/cgroup")
PARENT = "govpool"
CONTROLLERS = ("systemd", "unified", "memory", "cpu", "cpu,cpuacct", "cpuacct", "pids", "devices")
"""Hierarchies of version 1 that a machine gets a group in, where they are mounted."""
CPU_PERIOD_US = 100_000
PIDS_MAX = 4096
DEVICES = ("c 1:3", "c 1:5", "c 1:7", "c 1:8", "c 1:9", "c 5:0", "c 5:1", "c 5:2", "c 136:*", "c 10:200")
"""null, zero, full, random, urandom, tty, console, ptmx, pts, tun: no block device."""
PATIENCE = 5.0
PAUSE = 0.02


def unified_only() -> bool:
    """Whether this host has version 2 alone."""
    return (ROOT / "cgroup.controllers").exists()


def hierarchies() -> list[Path]:
    """Where machines get groups on this host."""
    if unified_only():
        return [ROOT]
    return [ROOT / name for name in CONTROLLERS if (ROOT / name / "cgroup.procs").exists()]


def groups(unit: str) -> list[Path]:
    """The machine's groups that exist."""
    return [path for root in hierarchies() if (path := root / PARENT / unit).is_dir()]


def groups_named(prefix: str) -> list[Path]:
    """The groups of every machine whose name begins with ``prefix``."""
    return [group for root in hierarchies() for group in (root / PARENT).glob(f"{prefix}*")]


def ensure(unit: str, size: Size) -> list[Path]:
    """Adopt or make the machine's groups with its limits; returns them."""
    made = []
    for root in hierarchies():
        group = root / PARENT / unit
        group.mkdir(parents=True, exist_ok=True)
        made.append(group)
    if unified_only():
        for folder in (ROOT, ROOT / PARENT):
            (folder / "cgroup.subtree_control").write_text("+cpu +memory +pids")
    limit(unit, size)
    _limit_devices(ROOT / "devices" / PARENT / unit)
    return made


def limit(unit: str, size: Size) -> None:
    """Set the limits of a machine that may be running; Conflict when it uses more memory than that."""
    in_use = ProviderError(
        ErrorCode.CONFLICT,
        f"The machine uses more than {size.memory_gib} GiB of memory: stop it, then resize it.",
    )
    for group in groups(unit):
        # version 1 refuses with EBUSY; version 2 would obey and kill what does not fit
        if _anonymous_memory(group) > size.memory_gib * GIB:
            raise in_use
        try:
            _limit(group, size)
        except OSError as error:
            if error.errno == errno.EBUSY:
                raise in_use from error
            raise


def _anonymous_memory(group: Path) -> int:
    """Bytes of the group's memory that can't be reclaimed, where version 2 tells; else 0."""
    if not unified_only() or not (group / "memory.stat").exists():
        return 0
    for line in (group / "memory.stat").read_text().splitlines():
        name, _, value = line.partition(" ")
        if name == "anon":
            return int(value)
    return 0


def _limit(group: Path, size: Size) -> None:
    limits = {
        "memory.limit_in_bytes": str(size.memory_gib * GIB),
        "memory.max": str(size.memory_gib * GIB),
        "cpu.cfs_period_us": str(CPU_PERIOD_US),
        "cpu.cfs_quota_us": str(size.vcpu * CPU_PERIOD_US),
        "cpu.max": f"{size.vcpu * CPU_PERIOD_US} {CPU_PERIOD_US}",
        "pids.max": str(PIDS_MAX),
    }
    for name, value in limits.items():
        file = group / name
        if file.exists():
            file.write_text(value)


def _limit_devices(group: Path) -> None:
    if not (group / "devices.deny").exists():
        return
    (group / "devices.deny").write_text("a")
    for device in DEVICES:
        (group / "devices.allow").write_text(f"{device} rwm")


def memory_limit(unit: str) -> int | None:
    """The machine's memory limit in bytes as the kernel has it; None where it has no group."""
    for group in groups(unit):
        for name in ("memory.limit_in_bytes", "memory.max"):
            if (group / name).exists():
                return int((group / name).read_text())
    return None


def processes(unit: str) -> list[int]:
    """Every process in the machine's groups."""
    found: set[int] = set()
    for group in groups(unit):
        for folder, _, _ in os.walk(group):  # passes over groups that vanish under it
            found.update(_members(Path(folder)))
    return sorted(found)


def some_processes(unit: str) -> list[int]:
    """Processes of the machine, found cheaply: of the first of its groups that has any of its own."""
    for group in sorted(groups(unit), key=lambda group: group.parent.parent.name in {"systemd", "unified"}):
        if found := _members(group):
            return sorted(found)
    return processes(unit)


def _members(group: Path) -> set[int]:
    try:
        return {int(pid) for pid in (group / "cgroup.procs").read_text().split()} - {0}
    except FileNotFoundError:
        return set()
    except OSError as error:
        if error.errno in {
            errno.ENODEV,
            errno.EOPNOTSUPP,
        }:  # removed while read; a threaded group of version 2
            return set()
        raise


def kill(unit: str, *, sleep: Callable[[float], None]) -> None:
    """Kill every process of the machine and wait until none is left; Retryable when some won't go."""
    waited = 0.0
    while pids := processes(unit):
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        if waited >= PATIENCE:
            raise ProviderError(
                ErrorCode.RETRYABLE,
                f"Processes {pids} of the machine don't end; see their state in /proc.",
            )
        sleep(PAUSE)
        waited += PAUSE


def remove(unit: str, *, sleep: Callable[[float], None]) -> None:
    """Remove the machine's groups, innermost first, and govpool's own when it was the last."""
    waited = 0.0
    while left := [group for group in groups(unit) if not _removed(group)]:
        if waited >= PATIENCE:
            raise ProviderError(ErrorCode.RETRYABLE, f"Control groups {left} can't be removed yet.")
        sleep(PAUSE)
        waited += PAUSE
    for root in hierarchies():
        with contextlib.suppress(OSError):  # not empty: other machines live there
            (root / PARENT).rmdir()


def _removed(group: Path) -> bool:
    for folder, _, _ in os.walk(group, topdown=False):
        try:
            Path(folder).rmdir()
        except FileNotFoundError:
            continue
        except OSError as error:
            if error.errno == errno.EBUSY:  # the kernel still counts a process that has just ended
                return False
            raise
    return True
