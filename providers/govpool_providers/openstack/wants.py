"""What can be said against a wanted machine before the cloud is asked."""

from __future__ import annotations

import re

from govpool_providers.base import DiskWant, MachineWant, Size
from govpool_providers.errors import ErrorCode, ProviderError

KEY = re.compile(r"[a-z0-9-]{1,40}")
HOSTNAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
DISK_NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?")
USER = re.compile(r"[a-z][a-z0-9-]{0,30}")


def valid_key(key: str) -> str:
    """The key, or Invalid."""
    if not KEY.fullmatch(key):
        raise ProviderError(ErrorCode.INVALID, f"Key {key!r} is not 1 to 40 characters of a-z, 0-9 and '-'.")
    return key


def check_machine(want: MachineWant) -> None:
    """Refuse (Invalid) a machine that can never be."""
    valid_key(want.key)
    check_size(want.size)
    check_disks(want.disks)
    if sum(disk.root for disk in want.disks) != 1:
        raise ProviderError(ErrorCode.INVALID, f"Machine {want.key} must have exactly one root disk.")
    if not HOSTNAME.fullmatch(want.hostname):
        raise ProviderError(ErrorCode.INVALID, f"Hostname {want.hostname!r} is not a DNS label.")
    if not USER.fullmatch(want.access.user) or want.access.user == "root":
        raise ProviderError(ErrorCode.INVALID, f"Account {want.access.user!r} is not allowed.")


def check_size(size: Size) -> None:
    """Refuse (Invalid) a machine of nothing."""
    if size.vcpu < 1 or size.memory_gib < 1:
        raise ProviderError(ErrorCode.INVALID, f"Size {size.vcpu} vCPU, {size.memory_gib} GiB is too small.")


def check_disks(wants: tuple[DiskWant, ...]) -> None:
    """Refuse (Invalid) disks that can't be: their names become folders of the machine."""
    for want in wants:
        valid_key(want.key)
        if not DISK_NAME.fullmatch(want.name) or want.size_gib < 1:
            raise ProviderError(
                ErrorCode.INVALID, f"Disk {want.name!r} of {want.size_gib} GiB: wants a DNS label and 1 GiB."
            )
    for field in ("key", "name"):
        if len({getattr(want, field) for want in wants}) != len(wants):
            raise ProviderError(ErrorCode.INVALID, f"Two disks have the same {field}.")
