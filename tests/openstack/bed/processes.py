"""The bed's processes: started in sessions of their own, known by pid files, ended by them alone."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from tests.openstack.bed.layout import Layout


class BedError(Exception):
    """The bed can't go on; the text says why and where to look."""


def start(bed: Layout, name: str, argv: Sequence[str | Path], environment: Mapping[str, str]) -> None:
    """Start a daemon; its output goes to ``log/<name>.log``."""
    with (bed.log / f"{name}.log").open("ab") as log:
        process = subprocess.Popen(
            [str(word) for word in argv],
            env=dict(environment),
            cwd=bed.run,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    (bed.pids / name).write_text(str(process.pid))


def do(bed: Layout, name: str, argv: Sequence[str | Path], environment: Mapping[str, str]) -> None:
    """Run a command to its end; BedError with its last words when it fails."""
    done = subprocess.run(
        [str(word) for word in argv], env=dict(environment), capture_output=True, text=True, check=False
    )
    (bed.log / f"do-{name}.log").write_text(done.stdout + done.stderr)
    if done.returncode:
        words = (done.stderr or done.stdout).strip().splitlines()[-5:]
        raise BedError(f"{name} failed ({done.returncode}): " + "\n".join(words))


def until(what: str, seconds: float, condition: Callable[[], bool], *, pause: float = 0.1) -> None:
    """Wait for a condition; BedError when it did not come true in time."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise BedError(f"{what}: not so after {seconds:.0f} s")
        time.sleep(pause)


def listening(port: int) -> bool:
    """Whether something takes connections on a port of the loopback."""
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def running(bed: Layout, name: str) -> int | None:
    """The pid of a daemon that runs and is the bed's own, else None."""
    try:
        pid = int((bed.pids / name).read_text())
        own = os.readlink(f"/proc/{pid}/cwd").startswith(str(bed.run))  # some change into a folder of theirs
        ended = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except (OSError, ValueError):
        return None
    return pid if own and not ended else None


def names(bed: Layout) -> list[str]:
    """The daemons that were started."""
    return sorted(path.name for path in bed.pids.glob("*"))


def stop(bed: Layout, wanted: Sequence[str], *, seconds: float = 10) -> None:
    """End daemons with all that they started, and wait until they are gone: politely, then not.

    uWSGI's master may end before its worker, which then holds the port that the next one needs.
    """
    groups = {name: pid for name in wanted if (pid := running(bed, name))}
    for number in (signal.SIGTERM, signal.SIGKILL):
        for pid in groups.values():
            _signal(pid, number)
        try:
            until("every process has ended", seconds, lambda: not any(map(_members, groups.values())))
        except BedError:
            continue
        break
    for name in wanted:
        if name in groups and _members(groups[name]):
            raise BedError(f"{name} does not end")
        (bed.pids / name).unlink(missing_ok=True)


def _members(group: int) -> bool:
    """Whether a process of this group (a daemon is the leader of its own) has not ended yet."""
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, _parent, its_group = stat.read_text().rpartition(")")[2].split()[:3]
        except (OSError, ValueError):
            continue
        if int(its_group) == group and state != "Z":
            return True
    return False


def _signal(group: int, number: signal.Signals) -> None:
    try:
        os.killpg(group, number)
    except ProcessLookupError:
        return
