"""What a local pool is opened with, read from the pool's settings."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path

from govpool_providers.base import PoolConnection
from govpool_providers.errors import ErrorCode, ProviderError

DEFAULT_HOME = Path("/var/lib/govpool")
DEFAULT_SUBNET = "10.213.0.0/24"
DEFAULT_BRIDGE = "govpool0"
SUITES: Mapping[str, str] = {"debian-12": "bookworm", "debian-13": "trixie"}
"""Image names that the pool builds by itself, and the Debian suite of each."""


@dataclass(frozen=True, slots=True)
class LocalSettings:
    """The settings of one local pool.

    ``state`` holds the records, locks, run folders and disks of the pool; ``images`` the base images,
    which pools may share. ``boot_wait`` and ``stop_wait`` are seconds. A limit that is None is not
    enforced (storage always is, by the space that is really free).
    """

    pool: str
    state: Path
    images: Path
    bridge: str
    subnet: IPv4Network
    full_allocation: bool
    boot_wait: float
    stop_wait: float
    vcpu: int | None
    memory_gib: int | None
    storage_gib: int | None

    @classmethod
    def of(cls, connection: PoolConnection) -> LocalSettings:
        """Read the settings of ``connection``; raises Invalid for one that can't be understood."""
        given = connection.settings
        try:
            subnet = IPv4Network(given.get("subnet", DEFAULT_SUBNET))
            return cls(
                pool=connection.pool,
                state=Path(given.get("state") or DEFAULT_HOME / "pools" / connection.pool).absolute(),
                images=Path(given.get("images") or DEFAULT_HOME / "images").absolute(),
                bridge=_bridge(given.get("bridge", DEFAULT_BRIDGE)),
                subnet=_subnet(subnet),
                full_allocation=_allocation(given.get("allocation", "full")),
                boot_wait=float(given.get("boot_wait", "15")),
                stop_wait=float(given.get("stop_wait", "10")),
                vcpu=_limit(given, "capacity.vcpu"),
                memory_gib=_limit(given, "capacity.memory_gib"),
                storage_gib=_limit(given, "capacity.storage_gib"),
            )
        except ValueError as error:
            raise ProviderError(
                ErrorCode.INVALID, f"Pool {connection.pool}: {error}. Correct the pool's connection settings."
            ) from error

    @property
    def gateway(self) -> IPv4Address:
        """The bridge's own address: the first of the subnet."""
        return self.subnet.network_address + 1

    def unit_name(self, machine_key: str) -> str:
        """The machine's name on this host, for nspawn, its network interface and its control groups.

        Fourteen characters (an interface name has at most 15): the pool's prefix, then the key's part.
        """
        return f"{self.unit_prefix}{_digest(machine_key, 7)}"

    @property
    def unit_prefix(self) -> str:
        """What the names of all the pool's machines on this host begin with."""
        return f"gp{_digest(str(self.state), 5)}"


def _digest(text: str, length: int) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:length]


def _subnet(subnet: IPv4Network) -> IPv4Network:
    if not subnet.is_private or not 16 <= subnet.prefixlen <= 29:
        raise ValueError(f"subnet {subnet} is not a private network between /16 and /29")
    return subnet


def _bridge(name: str) -> str:
    if not 1 <= len(name) <= 15 or not name.replace("-", "").replace("_", "").isalnum():
        raise ValueError(f"bridge {name!r} is not an interface name of 1 to 15 letters, digits, - and _")
    return name


def _allocation(word: str) -> bool:
    if word not in {"full", "sparse"}:
        raise ValueError(f"allocation {word!r} is neither 'full' nor 'sparse'")
    return word == "full"


def _limit(given: Mapping[str, str], name: str) -> int | None:
    text = given.get(name)
    if text is None:
        return None
    value = int(text)
    if value < 0:
        raise ValueError(f"{name} is negative")
    return value
