"""What the project may take and has taken."""

from __future__ import annotations

from dataclasses import replace

from govpool_providers.base import Capacity, Size, UnitLimits
from govpool_providers.errors import ErrorCode, ProviderError
from govpool_providers.openstack.client import Cloud, Document, Service
from govpool_providers.openstack.servers import SERVERS
from govpool_providers.openstack.settings import OpenStackSettings
from govpool_providers.openstack.volumes import VOLUMES

UNLIMITED = -1


def capacity(cloud: Cloud) -> Capacity:
    """The smaller of the project's quota and the settings' limit; usage as the services count it."""
    settings = cloud.settings
    compute = cloud.get(Service.COMPUTE, "/limits", microversion=SERVERS)["limits"]["absolute"]
    storage = cloud.get(Service.VOLUME, "/limits", microversion=VOLUMES)["limits"]["absolute"]
    memory = _limit(compute["maxTotalRAMSize"])
    return Capacity(
        vcpu=_least(settings.vcpu, _limit(compute["maxTotalCores"])),
        memory_gib=_least(settings.memory_gib, None if memory is None else memory // 1024),
        storage_gib=_least(settings.storage_gib, _limit(storage["maxTotalVolumeGigabytes"])),
        vcpu_used=int(compute["totalCoresUsed"]),
        memory_gib_used=-(-int(compute["totalRAMUsed"]) // 1024),
        storage_gib_used=int(storage["totalGigabytesUsed"]),
    )


def check_room(cloud: Cloud, more: Size, storage_gib: int) -> None:
    """Refuse (QuotaExceeded) what goes beyond the settings' limits; the cloud enforces its own quotas."""
    if not cloud.settings.limited:
        return
    now = capacity(cloud)
    for what, used, added, limit in (
        ("vCPU", now.vcpu_used, more.vcpu, cloud.settings.vcpu),
        ("GiB of memory", now.memory_gib_used, more.memory_gib, cloud.settings.memory_gib),
        ("GiB of storage", now.storage_gib_used, storage_gib, cloud.settings.storage_gib),
    ):
        if limit is not None and added > 0 and used + added > limit:
            raise ProviderError(
                ErrorCode.QUOTA_EXCEEDED, f"{used + added} {what} wanted in a pool of {limit}: make room."
            )


# -- of units -----------------------------------------------------------------------------------
def of_unit(cloud: Cloud, project: str) -> UnitLimits:
    """The quotas of a project as the services have them; asked as the project's own account may."""
    path = f"/os-quota-sets/{project}"
    compute = cloud.get(Service.COMPUTE, path, microversion=SERVERS)["quota_set"]
    storage = cloud.get(Service.VOLUME, path, microversion=VOLUMES)["quota_set"]
    network = cloud.get(Service.NETWORK, f"/quotas/{project}")["quota"]
    return UnitLimits(
        servers=int(compute["instances"]),
        vcpu=int(compute["cores"]),
        memory_gib=int(compute["ram"]) // 1024,
        storage_gib=int(storage["gigabytes"]),
        public_addresses=int(network["floatingip"]),
    )


def set_unit(cloud: Cloud, project: str, limits: UnitLimits) -> None:
    """Set a project's quotas; what follows from the number of servers is not limited on its own.

    ``cloud`` is logged in for that very project: Neutron lets nobody but an administrator change the quotas
    of another, whatever its policy says.
    """
    compute: Document = {
        "instances": limits.servers,
        "cores": limits.vcpu,
        "ram": limits.memory_gib * 1024,
        **dict.fromkeys(("server_groups", "server_group_members"), UNLIMITED),
    }
    storage: Document = {"gigabytes": limits.storage_gib, "volumes": UNLIMITED}
    network: Document = {
        "floatingip": limits.public_addresses,
        **dict.fromkeys(("port", "security_group", "security_group_rule"), UNLIMITED),
    }
    path = f"/os-quota-sets/{project}"
    cloud.put(Service.COMPUTE, path, {"quota_set": compute}, microversion=SERVERS)
    cloud.put(Service.VOLUME, path, {"quota_set": storage}, microversion=VOLUMES)
    cloud.put(Service.NETWORK, f"/quotas/{project}", {"quota": network})


def with_sanitiser(limits: UnitLimits, settings: OpenStackSettings) -> UnitLimits:
    """The limits with room for the sanitiser that works in the unit's project, where it is made there."""
    return _shifted(limits, settings, 1)


def without_sanitiser(limits: UnitLimits, settings: OpenStackSettings) -> UnitLimits:
    """What :func:`with_sanitiser` was given."""
    return _shifted(limits, settings, -1)


def _shifted(limits: UnitLimits, settings: OpenStackSettings, times: int) -> UnitLimits:
    sanitiser = settings.sanitiser
    if not sanitiser.image:
        return limits
    return replace(
        limits,
        servers=limits.servers + times,
        vcpu=limits.vcpu + times * sanitiser.size.vcpu,
        memory_gib=limits.memory_gib + times * sanitiser.size.memory_gib,
        storage_gib=limits.storage_gib + times * sanitiser.root_gib,
    )


def _limit(value: object) -> int | None:
    number = int(str(value))
    return None if number < 0 else number


def _least(one: int | None, other: int | None) -> int | None:
    return min((value for value in (one, other) if value is not None), default=None)
