"""Starting, finding and stopping a machine's systemd-nspawn.

The process is nobody's child and in groups of its own, so that it outlives the operator: it is the
unit's server. It is found through /proc by its ``--machine=`` argument, never by a remembered pid.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Address
from pathlib import Path

from govpool_providers.local.shell import environment, run

PROC = Path("/proc")
NSPAWN_RUN = Path("/run/systemd/nspawn")
SSH_PORT = 22
TCP_LISTEN = "0A"

LAUNCH = 'while [ "$1" != -- ]; do echo $$ > "$1/cgroup.procs" || exit 125; shift; done; shift; exec "$@"'
"""Join the groups given before ``--``, then become nspawn: no moment outside the machine's limits."""


@dataclass(frozen=True, slots=True)
class Launch:
    """What a machine is started with."""

    unit: str
    hostname: str
    root: Path
    data: Path
    groups: tuple[Path, ...]
    log: Path


def command(launch: Launch) -> list[str]:
    """The nspawn command line."""
    return [
        "systemd-nspawn",
        "--quiet",
        "--boot",
        "--register=no",
        "--keep-unit",
        f"--machine={launch.unit}",
        f"--hostname={launch.hostname}",
        f"--directory={launch.root}",
        f"--bind={launch.data}:/data",
        f"--network-veth-extra={launch.unit}:host0",
        "--drop-capability=CAP_MKNOD",
        "--resolv-conf=off",
        "--timezone=off",
        "--link-journal=no",
        "--settings=no",
        "--console=read-only",
    ]


def start(launch: Launch) -> None:
    """Start the machine detached from this process; returns before it has booted."""
    NSPAWN_RUN.mkdir(parents=True, exist_ok=True)
    groups = [str(group) for group in launch.groups]
    argv = ["sh", "-c", LAUNCH, "govpool-machine", *groups, "--", *command(launch)]
    with launch.log.open("w") as log:
        pid = os.posix_spawnp(
            "setsid",
            ["setsid", "--fork", *argv],
            environment(),
            file_actions=[
                (os.POSIX_SPAWN_OPEN, 0, "/dev/null", os.O_RDONLY, 0),
                (os.POSIX_SPAWN_DUP2, log.fileno(), 1),
                (os.POSIX_SPAWN_DUP2, log.fileno(), 2),
            ],
        )
    os.waitpid(pid, 0)


def supervisors() -> dict[str, int]:
    """The supervising process of every nspawn machine on this host, by machine name."""
    found: dict[str, int] = {}
    for entry in PROC.iterdir():
        if not entry.name.isdigit():
            continue
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            arguments = (entry / "cmdline").read_bytes().split(b"\0")
            if b"systemd-nspawn" in arguments:
                for argument in arguments:
                    if argument.startswith(b"--machine="):
                        found.setdefault(argument.removeprefix(b"--machine=").decode(), int(entry.name))
    return found


def supervisor(unit: str) -> int | None:
    """The machine's supervising process, or None when it does not run."""
    return supervisors().get(unit)


def listens(pids: Iterable[int], address: IPv4Address) -> bool:
    """Whether a process among ``pids`` sees its network with ``address`` up and sshd listening on it.

    Looked up from outside in /proc, so that it holds for a machine that lets nobody in any more.
    """
    for pid in pids:
        with contextlib.suppress(OSError):
            if PROC.joinpath("net/fib_trie").samefile(PROC / str(pid) / "net/fib_trie"):
                continue  # the supervisor: it lives in the host's network
            has_address = f"|-- {address}\n" in (PROC / str(pid) / "net/fib_trie").read_text()
            if has_address and _ssh_listens(PROC / str(pid) / "net"):
                return True
    return False


def _ssh_listens(net: Path) -> bool:
    for table in ("tcp", "tcp6"):
        for line in (net / table).read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == TCP_LISTEN and int(fields[1].rsplit(":", 1)[1], 16) == SSH_PORT:
                return True
    return False


def stop(unit: str, wait: float) -> bool:
    """Shut the machine down in order; False when it still runs after ``wait`` seconds."""
    pid = supervisor(unit)
    if pid is None:
        return True
    try:
        handle = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        if supervisor(unit) != pid:  # the number was taken over between the look-up and the opening
            return False
        with contextlib.suppress(ProcessLookupError):
            signal.pidfd_send_signal(handle, signal.SIGTERM)
        ended, _, _ = select.select([handle], [], [], wait)
        return bool(ended)
    finally:
        os.close(handle)


def sweep(unit: str) -> None:
    """Remove what a killed nspawn leaves under /run."""
    for kind in ("propagate", "unix-export"):
        folder = NSPAWN_RUN / kind / unit
        if folder.is_dir():
            if folder.is_mount():
                run(["umount", "--recursive", str(folder)])
            folder.rmdir()


def sweep_locks(root: Path) -> None:
    """Remove the lock files that a killed nspawn leaves for the machine's (still mounted) root folder."""
    if root.is_dir():
        status = root.stat()
        (NSPAWN_RUN / "locks" / f"inode-{status.st_dev}:{status.st_ino}").unlink(missing_ok=True)
    root.with_name(f".#{root.name}.lck").unlink(missing_ok=True)


def last_words(log: Path, lines: int = 3) -> str:
    """The end of the machine's console, for the person who has to find out why it did not start."""
    try:
        text = log.read_text(errors="replace")
    except FileNotFoundError:
        return ""
    said = [line.strip() for line in text.splitlines() if line.strip()]
    return " / ".join(said[-lines:])
