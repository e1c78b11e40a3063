"""What the bed's Glance holds for servers with bodies: ext4 file systems that lie over the local base image.

A body's root is an overlay: the base image below, the root volume's ``upper`` folder above. So an image is a
file system, and what is in its ``upper`` is what that image has more than the base.
"""

from __future__ import annotations

import subprocess
import tempfile
from pathlib import Path

MIB = 1024**2
SERVER_MIB, SANITISER_MIB = 16, 192
SANITISER_PACKAGES = ("restic", "python3-cryptography", "python3-cffi-backend")
"""What wiping and backup need on the sanitiser (docs/wiping.md), and the base image has not."""


def server_image(folder: Path) -> Path:
    """A server's image: nothing but the base."""
    return _made(folder / "server.img", SERVER_MIB)


def sanitiser_image(folder: Path) -> Path:
    """The sanitiser's image: the base, and the packages that wiping and backup need."""
    with tempfile.TemporaryDirectory(dir=folder) as place:
        upper = Path(place) / "tree" / "upper"
        upper.mkdir(parents=True)
        download = ["apt-get", "download", "-qq", "-o", "APT::Sandbox::User=root", *SANITISER_PACKAGES]
        subprocess.run(download, cwd=place, check=True, capture_output=True)
        for package in Path(place).glob("*.deb"):
            subprocess.run(["dpkg-deb", "-x", package, upper], check=True)
        return _made(folder / "sanitiser.img", SANITISER_MIB, upper.parent)


def _made(path: Path, mib: int, tree: Path | None = None) -> Path:
    with path.open("wb") as file:
        file.truncate(mib * MIB)
    content = ["-d", str(tree)] if tree else []
    subprocess.run(["mkfs.ext4", "-F", "-q", "-m", "0", *content, str(path)], check=True)
    return path
