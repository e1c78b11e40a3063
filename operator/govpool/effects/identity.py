"""The name of this process in leases, and whether the process behind a name is known to be dead."""

from __future__ import annotations

import os
import socket
from pathlib import Path


def identity() -> str:
    """This operator's name in leases: host, process and when the process began, so that a reused process
    number is no life sign.
    """
    return f"{_place()}/{os.getpid()}/{_began(os.getpid())}"


def holder_gone(holder: str) -> bool:
    """Whether the holder of a lease ran on this machine and is known to be dead."""
    place, _, rest = holder.partition("/")
    pid, _, began = rest.partition("/")
    return place == _place() and pid.isdigit() and _began(int(pid)) != began


def _place() -> str:
    """Where process numbers mean the same as here: two hosts may have one name, and a container its own
    numbers.
    """
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text()[:8]
        numbers = Path("/proc/self/ns/pid").readlink().name.strip("pid:[]")
    except OSError:
        return socket.gethostname()
    return f"{socket.gethostname()}_{boot}_{numbers}"


def _began(pid: int) -> str:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return ""
    # A killed process that nobody has waited for yet is still listed, and does nothing any more.
    return "" if fields[0] == "Z" else fields[19]
