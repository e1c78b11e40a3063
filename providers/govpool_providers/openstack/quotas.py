"""What the project may take and has taken."""

from __future__ import annotations

from govpool_providers.base import Capacity, Size
from govpool_providers.errors import ErrorCode, ProviderError
from govpool_providers.openstack.client import Cloud, Service
from govpool_providers.openstack.servers import SERVERS
from govpool_providers.openstack.volumes import VOLUMES


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


def _limit(value: object) -> int | None:
    number = int(str(value))
    return None if number < 0 else number


def _least(one: int | None, other: int | None) -> int | None:
    return min((value for value in (one, other) if value is not None), default=None)
