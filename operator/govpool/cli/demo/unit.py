"""The unit's administrator (云使用单位管理员): own key, and a marker on every disk."""

from __future__ import annotations

import base64
import binascii
import errno
import hashlib
import mmap
import os
import re
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from govpool.api.cloudserver import CloudServer
from govpool.cli.demo.workspace import Workspace, output_of
from govpool.cli.errors import CliError

ACCOUNT = "heshan-admin"
CHUNK = 4 * 1024 * 1024
PAGE = mmap.PAGESIZE


def make_key(path: Path) -> str:
    """Make the administrator's key pair; the private half goes to ``path`` (0600), the public is returned."""
    key = Ed25519PrivateKey.generate()
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.OpenSSH, serialization.NoEncryption()
    )
    path.touch(mode=0o600)
    path.write_bytes(private)
    public = key.public_key().public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH)
    return f"{public.decode()} {ACCOUNT}"


@dataclass(slots=True)
class Unit:
    """The administrator at work."""

    workspace: Workspace
    marker: str = ""

    def __post_init__(self) -> None:
        """A marker that nobody else has."""
        self.marker = f"govpool-demo-marker-{secrets.token_hex(16)}"

    async def ssh(self, server: CloudServer, script: str, stdin: str = "") -> str:
        """Run a script on a server over SSH, with the host key that the handover has on record.

        Raises:
            CliError: the host key is another, or the login or script fails.
        """
        address = await self._trusted(server)
        options = {
            "BatchMode": "yes",
            "IdentitiesOnly": "yes",
            "StrictHostKeyChecking": "yes",
            "UserKnownHostsFile": str(self._known_hosts),
            "ConnectTimeout": "10",
        }
        given = [part for name, value in options.items() for part in ("-o", f"{name}={value}")]
        return await output_of(
            "ssh", "-F", "none", *given, "-i", str(self.workspace.unit_key), f"{ACCOUNT}@{address}", script,
            stdin=stdin,
        )  # fmt: skip

    async def leave_marker(self, server: CloudServer) -> None:
        """Write the marker onto the root disk and every data disk of a server, and have it written out."""
        data = [f"/data/{disk.name}/govpool-demo.txt" for disk in server.spec.disks if not disk.root]
        places = " ".join(data)
        script = f"sudo -n tee {places} > ~/govpool-demo.txt && sudo -n sync {places} ~/govpool-demo.txt"
        await self.ssh(server, script, stdin=f"{self.marker}\n" * 64)

    @property
    def _known_hosts(self) -> Path:
        return self.workspace.path / "known_hosts"

    async def _trusted(self, server: CloudServer) -> str:
        """The server's address, once its host key was found to be the one on record."""
        status = server.status
        if status is None or not status.addresses:
            raise CliError(f"{server.metadata.name} has no address")
        address = status.addresses[0]
        known = self._known_hosts.read_text() if self._known_hosts.exists() else ""
        if f"{address} " in known:
            return address
        expected = recorded_host_key(server)
        scanned = await output_of("ssh-keyscan", "-t", "ed25519", "-T", "10", address)
        lines = [line for line in scanned.splitlines() if line.startswith(f"{address} ")]
        matching = [line for line in lines if fingerprint(line.split()[2]) == expected]
        if not matching:
            raise CliError(f"{address} shows another host key than the one on record ({expected})")
        self._known_hosts.write_text(f"{known}{matching[0]}\n")
        return address


def recorded_host_key(server: CloudServer) -> str:
    """The fingerprint of the server's host key, from its status or from the proof of its handover.

    Raises:
        CliError: there is none on record.
    """
    status = server.status
    if status is not None and status.host_key_fingerprint:
        return status.host_key_fingerprint
    proof = status.handover.proof if status is not None and status.handover is not None else ""
    found = re.search(r"SHA256:[A-Za-z0-9+/]{43}", proof)
    if found is None:
        raise CliError(f"no host key of {server.metadata.name} is on record")
    return found.group()


def fingerprint(public_key: str) -> str:
    """An OpenSSH public key's fingerprint as ``ssh-keygen -l`` writes it."""
    try:
        raw = base64.b64decode(public_key, validate=True)
    except (ValueError, binascii.Error):
        return ""
    return "SHA256:" + base64.b64encode(hashlib.sha256(raw).digest()).decode().rstrip("=")


# -- disks ---------------------------------------------------------------------------------------
def set_aside(workspace: Workspace, servers: Iterable[CloudServer]) -> list[Path]:
    """Give every disk image of the pool a second name, so that the very same file can be searched later.

    Raises:
        CliError: the images lie on another file system than the demo's folder.
    """
    workspace.aside.mkdir(exist_ok=True)
    kept = []
    for key, image in _images(workspace, servers):
        link = workspace.aside / f"{key}.img"
        if not link.exists():
            try:
                link.hardlink_to(image)
            except OSError as error:
                raise CliError(f"{image} can't be kept in sight ({error}): give --work beside it") from None
        kept.append(link)
    return kept


def _images(workspace: Workspace, servers: Iterable[CloudServer]) -> list[tuple[str, Path]]:
    """The raw files of the pool's disks, by the disks' keys."""
    if workspace.cloud is None:
        found = (workspace.path / "pool" / "disks").glob("*/disk.img")
        return sorted((image.parent.name, image) for image in found)
    folder = workspace.cloud.volumes
    disks = [disk for server in servers if server.status for disk in server.status.disks]
    return sorted((disk.key, folder / (disk.provider_id or disk.key)) for disk in disks) if folder else []


def holds(image: Path, marker: str) -> bool:
    """Whether the marker stands anywhere in a raw disk image, byte by byte, whatever its file system says.

    Reads past the page cache where the file system can, so that it is the medium that answers.
    """
    wanted = marker.encode()
    keep = len(wanted) - 1  # what may begin in one piece and end in the next
    handle = _opened(image)
    try:
        # Direct reads want an aligned buffer; the end of the piece before stands right in front of it.
        with mmap.mmap(-1, PAGE + CHUNK) as buffer, memoryview(buffer) as view, view[PAGE:] as piece:
            while count := os.readv(handle, [piece]):
                if buffer.find(wanted, PAGE - keep, PAGE + count) >= 0:
                    return True
                buffer[PAGE - keep : PAGE] = buffer[PAGE + count - keep : PAGE + count]
        return False
    finally:
        os.close(handle)


def _opened(image: Path) -> int:
    try:
        return os.open(image, os.O_RDONLY | os.O_CLOEXEC | os.O_DIRECT)
    except OSError as error:
        if error.errno != errno.EINVAL:
            raise
        return os.open(image, os.O_RDONLY | os.O_CLOEXEC)
