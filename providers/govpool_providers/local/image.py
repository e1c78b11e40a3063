"""The base image of local machines: made once with mmdebstrap, shared read-only by all machines."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import resources
from pathlib import Path

from govpool_providers.errors import ErrorCode, ProviderError
from govpool_providers.local.shell import run
from govpool_providers.local.store import fsync_dir

KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
BUILD_TIMEOUT = 900.0
OPTIONS = (
    "--mode=root",
    "--variant=minbase",
    "--format=directory",
    '--aptopt=Acquire::Languages "none"',
    '--aptopt=APT::Install-Recommends "false"',
    "--dpkgopt=force-unsafe-io",
    "--dpkgopt=path-exclude=/usr/share/man/*",
    "--dpkgopt=path-exclude=/usr/share/doc/*",
    "--dpkgopt=path-exclude=/usr/share/locale/*",
)
MASKED = (
    "systemd-networkd-wait-online.service",
    "console-getty.service",
    "apt-daily.timer",
    "apt-daily-upgrade.timer",
    "e2scrub_all.timer",
    "e2scrub_reap.service",
)
"""Units that only cost boot time in a machine without a way out."""
NOT_IN_A_CONTAINER = "[Unit]\nConditionVirtualization=!container\n"
FILES = {
    "etc/ssh/sshd_config.d/10-govpool.conf": (
        "# Set by the pool: known host key, and no look-ups that delay a login.\n"
        "HostKey /etc/ssh/ssh_host_ed25519_key\nUseDNS no\nGSSAPIAuthentication no\n"
    ),
    # the audit netlink belongs to the host: in a container auditd can only fail
    "etc/systemd/system/auditd.service.d/10-govpool.conf": NOT_IN_A_CONTAINER,
    "etc/systemd/system/audit-rules.service.d/10-govpool.conf": NOT_IN_A_CONTAINER,
    "etc/apt/sources.list": "",
    "etc/resolv.conf": "",
    "etc/machine-id": "",
    "etc/hostname": "localhost\n",
    "etc/hosts": "127.0.0.1 localhost\n",
}


def packages() -> tuple[str, ...]:
    """The image's Debian packages, from ``packages.txt``."""
    text = resources.files(__package__).joinpath("packages.txt").read_text()
    lines = (line.split("#")[0].strip() for line in text.splitlines())
    return tuple(line for line in lines if line)


def image_name(suite: str) -> str:
    """Folder name of the image: changes with the packages, the options and the files set in it."""
    recipe = repr((suite, packages(), OPTIONS, MASKED, sorted(FILES.items())))
    return f"{suite}-{hashlib.sha256(recipe.encode()).hexdigest()[:12]}"


def find(images: Path, suite: str) -> Path | None:
    """The image, or None when it was not built yet."""
    path = images / image_name(suite)
    return path if path.is_dir() else None


def build(images: Path, suite: str = "bookworm", *, say: Callable[[str], None] = lambda _: None) -> Path:
    """Adopt the image of ``suite`` or build it (half a minute or so); returns its folder.

    Built beside its place and renamed, so that it is there whole or not at all; what a killed build
    left is removed. Raises Retryable with mmdebstrap's last words when the build fails.
    """
    ready = find(images, suite)
    if ready is not None:
        return ready
    images.mkdir(parents=True, exist_ok=True, mode=0o755)
    with _locked(images / ".lock"):
        ready = find(images, suite)
        if ready is not None:
            return ready
        target = images / image_name(suite)
        partial = images / f".building-{target.name}"
        _clear(partial)
        say(f"Building the base image {target.name} ({len(packages())} packages)")
        _bootstrap(partial, suite)
        _customise(partial)
        run(["sync", "--file-system", str(partial)])
        partial.rename(target)
        fsync_dir(images)
        say(f"Base image {target.name} is ready")
        return target


def _bootstrap(target: Path, suite: str) -> None:
    argv = ["mmdebstrap", *OPTIONS, f"--include={','.join(packages())}", suite, str(target), "-"]
    run(argv, stdin=sources(suite), timeout=BUILD_TIMEOUT)


def sources(suite: str) -> str:
    """The apt sources for ``suite``, after the mirrors that this host's own apt uses.

    Raises Invalid on a host without Debian sources.
    """
    form = "$(ORIGIN)|$(REPO_URI)|$(CODENAME)|$(COMPONENT)"
    host = [
        line.split("|")
        for line in run(["apt-get", "indextargets", "--format", form, "Created-By: Packages"]).splitlines()
    ]
    signed = f"[signed-by={KEYRING}] " if KEYRING.exists() else ""
    lines = []
    for origin, uri, codename, component in host:
        base, _, pocket = codename.partition("-")
        if origin == "Debian" and component == "main" and pocket in {"", "updates", "security"} and base:
            lines.append(f"deb {signed}{uri} {suite}{'-' + pocket if pocket else ''} main")
    if not lines:
        raise ProviderError(
            ErrorCode.INVALID,
            "This host's apt knows no Debian mirror ('apt-get update' may not have run): "
            "run 'apt-get update' on a Debian host, then try again.",
        )
    return "\n".join(dict.fromkeys(lines)) + "\n"


def _customise(root: Path) -> None:
    for key in (root / "etc/ssh").glob("ssh_host_*"):
        key.unlink()
    for listed in (root / "etc/apt/sources.list.d").glob("*"):
        listed.unlink()
    for name, content in FILES.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.unlink(missing_ok=True)
        path.write_text(content)
    units = root / "etc/systemd/system"
    for unit in MASKED:
        _link(units / unit, "/dev/null")
    _link(
        units / "multi-user.target.wants/systemd-networkd.service",
        "/lib/systemd/system/systemd-networkd.service",
    )
    (root / "data").mkdir(exist_ok=True)


def _link(path: Path, target: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    path.symlink_to(target)


def _clear(partial: Path) -> None:
    if not partial.exists():
        return
    for line in Path("/proc/self/mountinfo").read_text().splitlines()[::-1]:
        point = line.split(" ")[4]
        if Path(point).is_relative_to(partial):  # a killed mmdebstrap leaves proc and sys mounted
            run(["umount", point])
    shutil.rmtree(partial)


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)
