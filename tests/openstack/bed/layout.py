"""Where the bed's files lie and which ports it listens on (loopback only)."""

from __future__ import annotations

import hashlib
import os
import secrets
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

HERE = Path(__file__).parent
REGION = "RegionOne"
CLOUD = "govpool-bed"
APIS = {
    "keystone": "identity",
    "placement": "placement",
    "glance": "image",
    "neutron": "network",
    "nova": "compute",
    "cinder": "block-storage",
}
"""Services with an HTTP API, and their types in the catalogue."""
DATABASES = ("keystone", "placement", "glance", "neutron", "nova", "nova_api", "nova_cell0", "cinder")


@dataclass(frozen=True)
class Layout:
    """One bed: ``home`` keeps what is worth keeping (venv, Debian's files, seed); ``home/run`` is one run."""

    home: Path
    first_port: int

    @classmethod
    def of_environment(cls) -> Layout:
        """GOVPOOL_BED_HOME and GOVPOOL_BED_PORT, else a folder in the user's cache and port 26400."""
        cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
        home = Path(os.environ.get("GOVPOOL_BED_HOME") or cache / "govpool" / "openstack-bed")
        return cls(home.absolute(), int(os.environ.get("GOVPOOL_BED_PORT", "26400")))

    @property
    def venv(self) -> Path:
        return self.home / "venv"

    @property
    def site(self) -> Path:
        return next((self.venv / "lib").glob("python3*")) / "site-packages"

    @property
    def debian(self) -> Path:
        """Root of the unpacked Debian packages."""
        return self.home / "debian"

    @property
    def run(self) -> Path:
        return self.home / "run"

    @property
    def etc(self) -> Path:
        return self.run / "etc"

    @property
    def log(self) -> Path:
        return self.run / "log"

    @property
    def pids(self) -> Path:
        return self.run / "pids"

    @property
    def lock_file(self) -> Path:
        return HERE / "requirements.lock"

    @property
    def clouds_yaml(self) -> Path:
        return self.run / "clouds.yaml"

    @property
    def seed(self) -> Path:
        """Databases and Keystone's keys as they are after all migrations, for these versions and ports."""
        said = hashlib.sha256(f"{self.first_port}\n".encode())
        for source in (self.lock_file, HERE / "seed.py"):
            said.update(source.read_bytes())
        return self.home / f"seed-{said.hexdigest()[:12]}"

    def port(self, service: str) -> int:
        """The port of an API, of "mariadb", "rabbitmq", "rabbitmq-dist" or "epmd"."""
        names = (*APIS, "mariadb", "rabbitmq", "rabbitmq-dist", "epmd")
        return self.first_port + names.index(service)

    def url(self, service: str) -> str:
        """The address of an API as the catalogue has it."""
        version = {"keystone": "/v3", "nova": "/v2.1", "cinder": "/v3"}.get(service, "")
        return f"http://127.0.0.1:{self.port(service)}{version}"

    @cached_property
    def password(self) -> str:
        """The password of every account of the bed: drawn once, readable by its owner only."""
        path = self.home / "password"
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(handle, "w") as file:
                file.write(secrets.token_urlsafe(24))
        return path.read_text()

    def environment(self, **more: str) -> dict[str, str]:
        """What every process of the bed is started with."""
        kept = {name: os.environ[name] for name in ("HOME", "LANG", "TZ") if name in os.environ}
        libraries = next((self.debian / "usr/lib").glob("*-linux-gnu"), self.debian)
        return {
            **kept,
            "PATH": f"{self.venv}/bin:{self.debian}/usr/bin:{self.debian}/usr/sbin:"
            "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin",
            "LD_LIBRARY_PATH": str(libraries),
            "PYTHONWARNINGS": "ignore",
            "GOVPOOL_BED_RUN": str(self.run),
            **more,
        }
