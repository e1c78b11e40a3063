"""Whether this host can run local machines: tried, not guessed."""

from __future__ import annotations

import os
import secrets
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from govpool_providers.base import GIB, PoolConnection
from govpool_providers.errors import ProviderError
from govpool_providers.local import cgroups, image, network, storage
from govpool_providers.local.settings import DEFAULT_HOME, LocalSettings
from govpool_providers.local.shell import run
from govpool_providers.local.store import Store

ROOM_GIB = 8
"""Free space that the base image and a small demonstration need."""
TOOLS = (
    ("systemd-nspawn", "systemd-container", True),
    ("mmdebstrap", "mmdebstrap", True),
    ("mkfs.ext4", "e2fsprogs", True),
    ("losetup", "util-linux", True),
    ("ip", "iproute2", True),
    ("ssh", "openssh-client", True),
    ("restic", "restic", False),
)
"""Tool, its Debian package, and whether a machine can't be made without it."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked at: what to do where ``ok`` is False, and whether no machine can do without it."""

    name: str
    ok: bool
    found: str
    remedy: str = ""
    needed: bool = True


def check(
    connection: PoolConnection | None = None, *, sleep: Callable[[float], None] = time.sleep
) -> list[Finding]:
    """Try everything that a local pool (this one, or one with default settings) needs; leaves nothing behind.

    Never raises: what could not be tried is a finding.
    """
    settings = LocalSettings.of(connection or PoolConnection("doctor", {}))
    findings = [_root(), *_tools()]
    if not findings[0].ok:
        return findings
    tried: list[Finding] = []
    try:
        with _scratch(settings, sleep) as scratch:
            tried += [
                _try("loop devices", lambda: _loop(scratch), "load the module: modprobe loop"),
                _try("overlayfs", lambda: _overlay(scratch), "load the module: modprobe overlay"),
            ]
    except (ProviderError, OSError) as error:
        # What was tried stands; only the folder it was tried in could not be made, or not be removed.
        remedy = f"look for .govpool-doctor-* beside {settings.state}: findmnt, losetup --list"
        tried.append(Finding("scratch folder", False, str(error), remedy, needed=not tried))
    tried += [
        _try("bridge", _bridge, "load the modules: modprobe bridge veth"),
        _try("memory limit", _memory_limit, "mount cgroup version 2, or version 1 with memory", needed=False),
    ]
    return [*findings, *tried, _room(settings), _subnet(settings), _addresses(settings), _image(settings)]


def _try(name: str, attempt: Callable[[], str], remedy: str, *, needed: bool = True) -> Finding:
    try:
        return Finding(name, True, attempt(), needed=needed)
    except (ProviderError, OSError) as error:
        return Finding(name, False, str(error), remedy, needed)


def _root() -> Finding:
    uid = os.geteuid()
    return Finding("root", uid == 0, f"user id {uid}", "run as root: mounts and loop devices need it")


def _tools() -> Iterator[Finding]:
    for tool, package, needed in TOOLS:
        path = shutil.which(tool) or shutil.which(tool, path="/usr/sbin:/sbin")
        remedy = f"apt-get install {package}"
        yield Finding(tool, path is not None, path or "not installed", remedy, needed)


@contextmanager
def _scratch(settings: LocalSettings, sleep: Callable[[float], None]) -> Iterator[Path]:
    parent = settings.state
    while not parent.is_dir():
        parent = parent.parent
    folder = Path(tempfile.mkdtemp(prefix=".govpool-doctor-", dir=parent))
    try:
        yield folder
    finally:
        storage.unmount_below(folder, sleep=sleep)
        for device in storage.loops_under(folder):
            storage.drop_loop(device, sleep=sleep)
        shutil.rmtree(folder)


def _loop(scratch: Path) -> str:
    file = scratch / "disk.img"
    storage.make_image(file, 8 * 1024**2, full=True)
    storage.format_ext4(file, "doctor")
    device = storage.ensure_loop(file)
    storage.forbid_discard(device)
    storage.ensure_mounted(device, scratch / "disk")
    direct = "direct I/O" if storage.direct_io(device) else "through the page cache"
    return f"{device} mounted, {direct}"


def _overlay(scratch: Path) -> str:
    lower = scratch / "lower"
    lower.mkdir()
    (lower / "file").write_text("lower")
    root = scratch / "root"
    storage.ensure_overlay(lower, scratch / "disk/upper", scratch / "disk/work", root)
    (root / "file").write_text("upper")
    if (lower / "file").read_text() != "lower":
        raise OSError("writing to an overlay changed its lower folder")
    return "an overlay on an ext4 loop device works"


def _bridge() -> str:
    name = f"gpd{secrets.token_hex(4)}"  # its own: another doctor may try at this moment
    for kind in (["veth", "peer", "name", f"{name}x"], ["bridge"]):
        run(["ip", "link", "add", name, "type", *kind])
        run(["ip", "link", "delete", name])
    return "bridge and veth work"


def _memory_limit() -> str:
    for group in cgroups.hierarchies():
        if group.name == "memory" or cgroups.unified_only():
            return f"{group} (cgroup version {2 if cgroups.unified_only() else 1})"
    raise OSError("no memory controller: machines would not be held to their size")


def _room(settings: LocalSettings) -> Finding:
    remedy = f"free {ROOM_GIB} GiB, or set the pool's 'state' elsewhere"
    place = settings.state
    while not place.exists():
        place = place.parent
    try:
        room = os.statvfs(place)
        under = storage.file_system_of(place)
    except (ProviderError, OSError) as error:
        return Finding("disk space", False, str(error), remedy)
    free = room.f_bavail * room.f_frsize // GIB
    found = f"{free} GiB free on {under.kind} at {place}; overwriting is {under.overwrite}"
    return Finding("disk space", free >= ROOM_GIB, found, remedy)


def _subnet(settings: LocalSettings) -> Finding:
    other = network.overlapping_route(settings)
    found = (
        f"{settings.subnet} is free"
        if other is None
        else f"{settings.subnet} overlaps {other.dst} {other.dev}"
    )
    return Finding("subnet", other is None, found, "set another 'subnet' in the pool's connection settings")


def _addresses(settings: LocalSettings) -> Finding:
    try:
        machines = Store(settings.state, sleep=time.sleep).machines()
    except ProviderError as error:
        return Finding("addresses", False, error.message, "restore the pool's records")
    free = network.free_addresses(settings, (machine.address for machine in machines))
    return Finding("addresses", bool(free), f"{len(free)} free in {settings.subnet}", "set a larger 'subnet'")


def _image(settings: LocalSettings) -> Finding:
    ready = image.find(settings.images, "bookworm")
    if ready is not None:
        return Finding("base image", True, f"{ready.name} is built")
    return _try("base image", _sources, "run apt-get update on a Debian host")


def _sources() -> str:
    image.sources("bookworm")
    return f"not yet built; the first machine builds it under {DEFAULT_HOME / 'images'}"
