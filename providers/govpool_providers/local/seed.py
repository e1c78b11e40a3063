"""The identity that a machine is given before its first boot, as cloud-init would on a new instance."""

from __future__ import annotations

import os
import re
import uuid
from pathlib import Path

from govpool_providers.base import Access, MachineWant
from govpool_providers.errors import ErrorCode, ProviderError
from govpool_providers.local.shell import run

HOSTNAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
USER = re.compile(r"[a-z][a-z0-9-]{0,30}")
ACCOUNT_COMMENT = "govpool operator"


def check(want: MachineWant) -> None:
    """Refuse (Invalid) what could not be set: host name, account name, keys."""
    access = want.access
    problems = [
        (not HOSTNAME.fullmatch(want.hostname), f"hostname {want.hostname!r} is not a DNS label"),
        (not USER.fullmatch(access.user) or access.user == "root", f"account {access.user!r} is not allowed"),
        ("\n" in access.authorized_key.strip(), "the authorised key is more than one line"),
        (not access.host_public_key.startswith("ssh-ed25519 "), "the host key is not an Ed25519 key"),
        (
            "OPENSSH PRIVATE KEY" not in access.host_private_key,
            "the host's private key is not OpenSSH's",
        ),
    ]
    for wrong, text in problems:
        if wrong:
            raise ProviderError(ErrorCode.INVALID, f"Machine {want.key}: {text}.")


def plant(root: Path, want: MachineWant, address: str, network_file: str) -> None:
    """Write host name, network, host key and operator account into the machine's root; may be repeated."""
    _write(root, "etc/hostname", f"{want.hostname}\n")
    _write(root, "etc/hosts", f"127.0.0.1 localhost\n{address} {want.hostname}\n")
    _write(root, "etc/resolv.conf", "")
    machine_id = uuid.uuid5(uuid.NAMESPACE_OID, f"{want.owner.request_uid}/{want.key}")
    _write(root, "etc/machine-id", f"{machine_id.hex}\n", 0o444)
    _write(root, "etc/systemd/network/10-govpool.network", network_file)
    _host_key(root, want.access)
    _account(root, want.access)


def _host_key(root: Path, access: Access) -> None:
    for old in (root / "etc/ssh").glob("ssh_host_*"):
        old.unlink()
    _write(root, "etc/ssh/ssh_host_ed25519_key", access.host_private_key.rstrip("\n") + "\n", 0o600)
    _write(root, "etc/ssh/ssh_host_ed25519_key.pub", access.host_public_key.strip() + "\n")


def _account(root: Path, access: Access) -> None:
    user = access.user
    if _entry(root / "etc/passwd", user) is None:
        run(["chroot", str(root), "useradd", "-m", "-s", "/bin/bash", "-c", ACCOUNT_COMMENT, user])
    entry = _entry(root / "etc/passwd", user)
    if entry is None:
        raise ProviderError(ErrorCode.RETRYABLE, f"The account {user} could not be made in {root}.")
    uid, gid, folder = int(entry[2]), int(entry[3]), f"{entry[5].lstrip('/')}/.ssh"
    _write(root, f"{folder}/authorized_keys", access.authorized_key.strip() + "\n", 0o600)
    (root / folder).chmod(0o700)
    for path in (root / folder, root / folder / "authorized_keys"):
        os.chown(path, uid, gid, follow_symlinks=False)
    _write(root, f"etc/sudoers.d/{user}", f"{user} ALL=(ALL) NOPASSWD:ALL\n", 0o440)


def _entry(passwd: Path, user: str) -> list[str] | None:
    for line in passwd.read_text().splitlines():
        fields = line.split(":")
        if fields[0] == user:
            return fields
    return None


def _write(root: Path, name: str, content: str, mode: int = 0o644) -> None:
    path = root / name
    # a root disk that a unit has used may hold links that lead out of it, to this host's own files
    if not path.parent.resolve().is_relative_to(root.resolve()):
        raise ProviderError(ErrorCode.INVALID, f"{path.parent} leads out of the machine's root disk.")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, mode)
    with os.fdopen(handle, "w") as file:
        file.write(content)
    path.chmod(mode)
