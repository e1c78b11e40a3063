"""What an OpenStack pool is opened with, read from the pool's settings."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from ipaddress import ip_network

from govpool_providers.base import OverwriteProof, PoolConnection, Size
from govpool_providers.errors import ErrorCode, ProviderError

AUTH = (
    "auth_url",
    "application_credential_id",
    "application_credential_name",
    "application_credential_secret",
    "username",
    "password",
    "user_id",
    "user_domain_id",
    "user_domain_name",
    "project_id",
    "project_name",
    "project_domain_id",
    "project_domain_name",
)
"""What of the settings and the Secret belongs to the log-in, named as in ``clouds.yaml``."""
LOCALHOST = "localhost"
"""The sanitiser's host where the operator itself runs on it."""
KEPT_SECRET = frozenset({"password", "application_credential_secret"})
PLANNED = (".cidr", ".dns", ".outside")
"""Ends of the settings that plan a network."""
INGRESS = re.compile(r"(?P<protocol>tcp|udp):(?P<port>\d{1,5})(?:@(?P<prefix>[0-9a-f:.]+/\d{1,3}))?")


class Spread(StrEnum):
    """How the machines of one request are kept apart: the policy of their server group."""

    NONE = "none"
    SOFT = "soft-anti-affinity"
    HARD = "anti-affinity"


@dataclass(frozen=True, slots=True)
class Ingress:
    """One thing that may reach a new machine: protocol, port, and from where."""

    protocol: str
    port: int
    prefix: str


@dataclass(frozen=True, slots=True)
class NetworkPlan:
    """A network that govpool makes: addresses, name servers, and the external network behind its router."""

    name: str
    cidr: str
    dns: tuple[str, ...]
    outside: str


@dataclass(frozen=True, slots=True)
class UnitSettings:
    """How units are kept apart. ``projects`` maps units to projects (id or name) that exist already."""

    apart: bool
    prefix: str
    domain: str
    """Id of the domain that projects are made in; empty for the log-in project's own."""
    domain_scope: bool
    """Whether Keystone is asked with a token for the domain, as a domain's manager has to."""
    roles: tuple[str, ...]
    """The roles that the pool's own account gets in a unit's project."""
    user_role: str
    """The role of the account that each unit gets; empty for none."""
    quotas: bool
    projects: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class SanitiserSettings:
    """Where the sanitiser is: an existing ``server`` (id), else one made from ``image`` in ``network``.

    ``host`` overrides its address ("localhost" where the operator runs on it); ``device`` is how a volume
    is called there, with ``{serial}`` for the serial number that virtio shows: the id's first 20 characters.
    """

    server: str
    image: str
    network: str
    size: Size
    root_gib: int
    host: str
    device: str


@dataclass(frozen=True, slots=True)
class OpenStackSettings:
    """The settings of one OpenStack pool.

    ``wait`` is how long a call waits, in seconds, for what it started before it returns what it sees;
    ``timeout`` how long one HTTP request may take; ``in_flight`` how many are under way at once.
    ``names`` maps "image.debian-12", "network.business", "flavor.<item>" and "volume_type.<class>" to the
    cloud's own names or ids; what is not mapped is called the same there.
    """

    pool: str
    cloud: str
    region: str
    auth: Mapping[str, str] = field(repr=False)
    wait: float
    timeout: float
    in_flight: int
    page_size: int
    names: Mapping[str, str]
    create_flavors: bool
    availability_zone: str
    spread: Spread
    ingress: Mapping[str, tuple[Ingress, ...]]
    """What reaches new machines, by kind of network; the empty name is for kinds without an entry."""
    plans: Mapping[str, NetworkPlan]
    """Networks that govpool makes."""
    floating: Mapping[str, str]
    """By network, the external network that its machines' floating addresses come from."""
    units: UnitSettings
    config_drive: bool
    overwrite: OverwriteProof
    overwrites: Mapping[str, OverwriteProof]
    """Where it differs, by the cloud's name of the volume type."""
    sanitiser: SanitiserSettings
    vcpu: int | None
    memory_gib: int | None
    storage_gib: int | None

    @classmethod
    def of(cls, connection: PoolConnection) -> OpenStackSettings:
        """Read the settings of ``connection``; raises Invalid for one that can't be understood."""
        given = connection.settings
        try:
            _refuse_secrets(given)
            return cls(
                pool=connection.pool,
                cloud=given.get("cloud", ""),
                region=given.get("region", ""),
                auth={
                    name: value
                    for name in AUTH
                    if (value := connection.secret.get(name) or given.get(name) or "")
                },
                wait=float(given.get("wait", "60")),
                timeout=float(given.get("timeout", "60")),
                in_flight=_positive(given, "in_flight", 8),
                page_size=_positive(given, "page_size", 1000),
                names={
                    name: value
                    for name, value in given.items()
                    if name.partition(".")[0] in {"image", "network", "flavor", "volume_type"}
                    and not name.endswith(PLANNED)
                },
                create_flavors=_yes(given, "create_flavors", default=False),
                availability_zone=given.get("availability_zone", ""),
                spread=Spread(given.get("spread", Spread.SOFT)),
                ingress=_all_ingress(given),
                plans=_plans(given),
                floating={
                    name.partition(".")[2]: value
                    for name, value in given.items()
                    if name.startswith("floating.")
                },
                units=_units(connection.pool, given),
                config_drive=_yes(given, "config_drive", default=True),
                overwrite=OverwriteProof(given.get("overwrite", OverwriteProof.COPY_ON_WRITE)),
                overwrites={
                    name.partition(".")[2]: OverwriteProof(value)
                    for name, value in given.items()
                    if name.startswith("overwrite.")
                },
                sanitiser=_sanitiser(given),
                vcpu=_limit(given, "capacity.vcpu"),
                memory_gib=_limit(given, "capacity.memory_gib"),
                storage_gib=_limit(given, "capacity.storage_gib"),
            )
        except ValueError as error:
            raise ProviderError(
                ErrorCode.INVALID, f"Pool {connection.pool}: {error}. Correct the pool's connection settings."
            ) from error

    def overwrite_of(self, volume_type: str) -> OverwriteProof:
        """What an overwrite proves on a volume type; ``overwrite`` where the type is not named."""
        return self.overwrites.get(volume_type, self.overwrite)

    def called(self, kind: str, name: str) -> str:
        """What the cloud calls an image, network, flavour or volume type that govpool calls ``name``."""
        return self.names.get(f"{kind}.{name}", name)

    def ingress_of(self, network: str) -> tuple[Ingress, ...]:
        """What reaches a new machine on a network."""
        return self.ingress.get(network, self.ingress[""])

    @property
    def limited(self) -> bool:
        """Whether the settings limit what may be taken, beyond the cloud's own quotas."""
        return not self.vcpu is self.memory_gib is self.storage_gib is None


def _refuse_secrets(given: Mapping[str, str]) -> None:
    if found := sorted(KEPT_SECRET & given.keys()):
        raise ValueError(f"{found[0]} stands in the settings: put it into the Secret that the pool names")


def _sanitiser(given: Mapping[str, str]) -> SanitiserSettings:
    return SanitiserSettings(
        server=given.get("sanitiser.server", ""),
        image=given.get("sanitiser.image", ""),
        network=given.get("sanitiser.network", ""),
        size=Size(_positive(given, "sanitiser.vcpu", 1), _positive(given, "sanitiser.memory_gib", 1)),
        root_gib=_positive(given, "sanitiser.root_gib", 10),
        host=given.get("sanitiser.host", ""),
        device=given.get("sanitiser.device", "/dev/disk/by-id/virtio-{serial}"),
    )


def _all_ingress(given: Mapping[str, str]) -> dict[str, tuple[Ingress, ...]]:
    texts = {"": "tcp:22"} | {
        name.partition(".")[2]: text
        for name, text in given.items()
        if name == "ingress" or name.startswith("ingress.")
    }
    return {name: tuple(_ingress(one) for one in text.split(",") if one) for name, text in texts.items()}


def _plans(given: Mapping[str, str]) -> dict[str, NetworkPlan]:
    plans = {}
    for key, cidr in given.items():
        if key.startswith("network.") and key.endswith(".cidr"):
            name = key.removeprefix("network.").removesuffix(".cidr")
            ip_network(cidr)
            servers = given.get(f"network.{name}.dns", "")
            dns = tuple(one.strip() for one in servers.split(",") if one.strip())
            plans[name] = NetworkPlan(name, cidr, dns, given.get(f"network.{name}.outside", ""))
    return plans


def _units(pool: str, given: Mapping[str, str]) -> UnitSettings:
    projects = {
        name.removeprefix("project."): value for name, value in given.items() if name.startswith("project.")
    }
    return UnitSettings(
        apart=_yes(given, "units.apart", default=bool(projects)),
        prefix=given.get("units.prefix", f"govpool-{pool}-"),
        domain=given.get("units.domain", ""),
        domain_scope=_yes(given, "units.domain_scope", default=False),
        roles=tuple(role.strip() for role in given.get("units.roles", "member").split(",")),
        user_role=given.get("units.user_role", ""),
        quotas=_yes(given, "units.quotas", default=True),
        projects=projects,
    )


def _ingress(text: str) -> Ingress:
    match = INGRESS.fullmatch(text.strip())
    if match is None or not 1 <= int(match["port"]) <= 65535:
        raise ValueError(f"ingress {text!r} is not like tcp:22 or tcp:22@10.0.0.0/8")
    return Ingress(match["protocol"], int(match["port"]), match["prefix"] or "0.0.0.0/0")


def _yes(given: Mapping[str, str], name: str, *, default: bool) -> bool:
    word = given.get(name, str(default).lower())
    if word not in {"true", "false"}:
        raise ValueError(f"{name} {word!r} is neither 'true' nor 'false'")
    return word == "true"


def _positive(given: Mapping[str, str], name: str, default: int) -> int:
    value = int(given.get(name, default))
    if value < 1:
        raise ValueError(f"{name} is less than 1")
    return value


def _limit(given: Mapping[str, str], name: str) -> int | None:
    text = given.get(name)
    if text is None:
        return None
    value = int(text)
    if value < 0:
        raise ValueError(f"{name} is negative")
    return value
