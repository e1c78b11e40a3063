"""The OpenStack pool, as a :class:`~govpool_providers.base.Provider`: one project, or one for each unit."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable

import requests

from govpool_providers.base import (
    Access,
    Capacity,
    Disk,
    DiskCopy,
    DiskWant,
    Machine,
    MachineWant,
    PoolConnection,
    SanitiserDevice,
    Size,
    Stranger,
    UnitSeen,
    UnitWant,
)
from govpool_providers.errors import ErrorCode, ProviderError
from govpool_providers.openstack import transfers
from govpool_providers.openstack.client import Cloud
from govpool_providers.openstack.project import Project
from govpool_providers.openstack.settings import OpenStackSettings
from govpool_providers.openstack.strangers import strangers
from govpool_providers.openstack.units import Units
from govpool_providers.openstack.wants import check_machine, valid_key


class OpenStackProvider:
    """A pool of an OpenStack cloud. See ``docs/openstack-pool.md`` for the settings.

    ``http`` is the requests session underneath; ``clock`` (monotonic seconds) and ``sleep`` time the waits.
    """

    def __init__(
        self,
        connection: PoolConnection,
        *,
        http: requests.Session | None = None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.cloud = Cloud(
            OpenStackSettings.of(connection), http=http, clock=clock, sleep=sleep, fence=connection.fence
        )
        self._home = Project(self.cloud)
        self._units = Units(self.cloud) if self.cloud.settings.units.apart else None
        self._only = ""

    def capacity(self) -> Capacity:
        """See :class:`Provider`. With units apart, what all of them use; their limits are their own."""
        if self._units is None:
            return self._home.capacity()
        settings, seen = self.cloud.settings, [project.capacity() for project in self._projects()]
        return Capacity(
            settings.vcpu,
            settings.memory_gib,
            settings.storage_gib,
            sum(one.vcpu_used for one in seen),
            sum(one.memory_gib_used for one in seen),
            sum(one.storage_gib_used for one in seen),
        )

    # -- units --------------------------------------------------------------------------------------
    def ensure_unit(self, want: UnitWant) -> UnitSeen:
        """See :class:`Provider`."""
        return UnitSeen() if self._units is None else self._units.ensure(want)

    def for_unit(self, unit: str) -> OpenStackProvider:
        """See :class:`Provider`."""
        if self._units is None:
            return self
        view = copy.copy(self)
        view._only = unit
        return view

    def list_strangers(self) -> tuple[Stranger, ...]:
        """See :class:`Provider`."""
        if self._units is None:
            return strangers(self.cloud, "")
        return tuple(
            stranger
            for unit, project in self._units.by_unit().items()
            for stranger in strangers(project.cloud, unit)
            if self._only in {"", unit}
        )

    def _projects(self) -> tuple[Project, ...]:
        if self._units is None:
            return (self._home,)
        if not self._only:
            return self._units.all()
        found = self._units.find(self._only)
        return () if found is None else (found,)

    def _holding(self, holds: Callable[[Project], bool]) -> Project:
        """The project that has it; else the pool's own, in which nothing is found either."""
        projects = self._projects()
        if len(projects) == 1:
            return projects[0]
        return next((project for project in projects if holds(project)), self._home)

    def _with_machine(self, key: str) -> Project:
        valid_key(key)
        return self._holding(lambda project: project.has_machine(key))

    def _with_disk(self, key: str) -> Project:
        valid_key(key)
        places = self._places()
        return next((place for place in places if len(places) == 1 or place.has_disk(key)), self._home)

    # -- machines -----------------------------------------------------------------------------------
    def find_machine(self, key: str) -> Machine | None:
        """See :class:`Provider`."""
        return self._with_machine(key).find_machine(key)

    def list_machines(self, request_uid: str | None = None) -> tuple[Machine, ...]:
        """See :class:`Provider`. Two listings for each project, however many machines there are."""
        return tuple(one for project in self._projects() for one in project.list_machines(request_uid))

    def ensure_machine(self, want: MachineWant) -> Machine:
        """See :class:`Provider`. Waits up to ``wait`` seconds for each of the volumes and the server."""
        check_machine(want)
        if self._units is None:
            return self._home.ensure_machine(want)
        project = self._units.find(want.owner.unit)
        if project is None:
            raise ProviderError(
                ErrorCode.RETRYABLE,
                f"Unit {want.owner.unit} has no project in the pool yet: it is made for its TenantQuota.",
            )
        return project.ensure_machine(want)

    def resize_machine(self, key: str, size: Size) -> Machine:
        """See :class:`Provider`. Confirms a resize to the size that is wanted, reverts any other."""
        return self._with_machine(key).resize_machine(key, size)

    def add_disks(self, key: str, disks: tuple[DiskWant, ...]) -> Machine:
        """See :class:`Provider`."""
        return self._with_machine(key).add_disks(key, disks)

    def set_power(self, key: str, *, on: bool) -> Machine:
        """See :class:`Provider`."""
        return self._with_machine(key).set_power(key, on=on)

    def set_isolated(self, key: str, *, isolated: bool) -> Machine:
        """See :class:`Provider`. Every port goes down and into a security group without a rule."""
        return self._with_machine(key).set_isolated(key, isolated=isolated)

    def release_machine(self, key: str) -> None:
        """See :class:`Provider`. Groups of the request go with its last machine."""
        self._with_machine(key).release_machine(key)

    # -- disks --------------------------------------------------------------------------------------
    def _places(self) -> tuple[Project, ...]:
        """Where disks can be: in a unit's project, and on their way out in the pool's own."""
        return self._projects() if self._units is None else (*self._projects(), self._home)

    def list_disks(self, machine_key: str) -> tuple[Disk, ...]:
        """See :class:`Provider`."""
        return tuple(one for project in self._places() for one in project.list_disks(machine_key))

    def list_all_disks(self, request_uid: str | None = None) -> tuple[Disk, ...]:
        """See :class:`Provider`."""
        return tuple(one for project in self._places() for one in project.list_all_disks(request_uid))

    def list_copies(self, disk_key: str) -> tuple[DiskCopy, ...]:
        """See :class:`Provider`. What Cinder and Glance show; not what the storage behind them keeps."""
        return tuple(one for project in self._places() for one in project.list_copies(disk_key))

    def delete_copy(self, copy: DiskCopy) -> None:
        """See :class:`Provider`."""
        for project in self._places():
            if copy in project.list_copies(copy.disk_key):
                project.delete_copy(copy)

    def ensure_sanitiser(self, access: Access) -> None:
        """See :class:`RemoteSanitiser`. It stands in the pool's own project, in which no unit has a role."""
        self._home.ensure_sanitiser(access)

    def has_sanitiser(self) -> bool:
        """Whether there is a sanitiser of the pool's own."""
        return self._home.has_sanitiser()

    def release_sanitiser(self) -> None:
        """Delete the sanitiser that was made for the pool; the next wipe makes another. Conflict while it has
        a disk. Call again until :meth:`has_sanitiser` says no.
        """
        self._home.release_sanitiser()

    def attach_to_sanitiser(self, disk_key: str) -> SanitiserDevice:
        """See :class:`Provider`. A unit's volume is first brought to the pool's own project, for good."""
        holder = self._with_disk(disk_key)
        if holder is not self._home:
            transfers.bring(disk_key, holder.cloud, self.cloud)
        return self._home.attach_to_sanitiser(disk_key)

    def detach_from_sanitiser(self, disk_key: str) -> None:
        """See :class:`Provider`."""
        self._with_disk(disk_key).detach_from_sanitiser(disk_key)

    def delete_disk(self, disk_key: str) -> None:
        """See :class:`Provider`. Cinder keeps a volume while it has snapshots: then the disk stays listed."""
        self._with_disk(disk_key).delete_disk(disk_key)
