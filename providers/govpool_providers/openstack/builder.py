"""Building machines: volumes first, then the server with everything in one call."""

from __future__ import annotations

from govpool_providers.base import DiskState, DiskWant, Machine, MachineState, MachineWant, Owner, Size
from govpool_providers.errors import ErrorCode, ProviderError
from govpool_providers.openstack import quotas, tags
from govpool_providers.openstack.client import Cloud
from govpool_providers.openstack.images import image_id
from govpool_providers.openstack.networks import Networks
from govpool_providers.openstack.servers import Server, Servers
from govpool_providers.openstack.volumes import BROKEN, MOVING, Volume, Volumes
from govpool_providers.openstack.wants import check_disks


class Builder:
    """What a machine is made of, adopted where it is there already."""

    def __init__(self, cloud: Cloud, servers: Servers, volumes: Volumes, networks: Networks) -> None:
        self._cloud = cloud
        self._servers = servers
        self._volumes = volumes
        self._networks = networks

    def build(self, want: MachineWant) -> Server | Machine:
        """The machine's new server; or the machine as it is while its volumes are not ready.

        Everything that can be refused is looked up before anything is made.
        """
        began = self._cloud.clock()
        there = self._existing(want.key, want.disks)
        flavor = self._servers.flavor(want.size, want.item)
        network = self._networks.network(want.network)
        image = image_id(self._cloud, want.image)
        missing = sum(disk.size_gib for disk in want.disks if disk.key not in there)
        quotas.check_room(self._cloud, want.size, missing)
        for volume in list(there.values()):
            if volume.status in BROKEN and volume.fresh:  # of an earlier call, and nobody's data is in it
                self._volumes.delete(volume)
                del there[volume.key]
        volumes = self._made(want.key, want.owner, want.disks, there, image)
        for volume in volumes:
            if volume.status in BROKEN:
                return _unborn(want, MachineState.ERROR, self._volumes.fault(volume))
            if volume.status in MOVING:
                return _unborn(want, MachineState.BUILDING)
        ids = {volume.key: volume.id for volume in volumes}
        for volume in volumes:
            self._volumes.give(volume)
        try:
            group = self._networks.known_group(want.owner.request_uid, want.network)
            plug = {"uuid": network}
            if outside := self._cloud.settings.floating.get(want.network):
                plug = {"port": self._networks.ensure_port(want.key, network, group, outside)}
            return self._servers.create(want, ids, flavor, plug, group)
        except ProviderError as error:
            if error.code in {ErrorCode.INVALID, ErrorCode.NOT_FOUND} and self._cloud.forget(began):
                raise ProviderError(
                    ErrorCode.RETRYABLE, f"{error.message}. Names are looked up anew at the next try."
                ) from error
            if error.code is not ErrorCode.CONFLICT:
                raise
            # Another operator was faster: its server has the volumes, and is listed a moment later.
            made = self._cloud.until(lambda: self._servers.of_key(want.key), lambda found: found is not None)
            if made is None:
                raise
            return made

    def add_disks(self, server: Server, wants: tuple[DiskWant, ...]) -> None:
        """Create and attach what is missing, grow what is smaller; refuse first what can't be."""
        check_disks(wants)
        there = self._existing(server.key, wants)
        for want in wants:
            found = there.get(want.key)
            if found is None and want.root:
                raise ProviderError(ErrorCode.INVALID, f"Machine {server.key} has its root disk already.")
            if found is not None and found.size_gib > want.size_gib:
                raise ProviderError(
                    ErrorCode.INVALID, f"Disk {want.key} has {found.size_gib} GiB and can't be made smaller."
                )
        if server.state not in {MachineState.ACTIVE, MachineState.STOPPED}:
            raise ProviderError(
                ErrorCode.CONFLICT, f"Machine {server.key} is {server.status}, not in service."
            )
        sizes = {volume.key: volume.size_gib for volume in there.values()}
        growth = sum(want.size_gib - sizes.get(want.key, 0) for want in wants)
        quotas.check_room(self._cloud, Size(0, 0), growth)
        owner = tags.owner_of(server.metadata)
        made = {volume.key: volume for volume in self._made(server.key, owner, wants, there, "")}
        for want in wants:
            self._bring(server, made[want.key], want)

    def _bring(self, server: Server, volume: Volume, want: DiskWant) -> None:
        """Grow and attach one volume."""
        if volume.status in BROKEN:
            raise ProviderError(ErrorCode.RETRYABLE, self._volumes.fault(volume))
        if volume.size_gib < want.size_gib:
            volume = self._volumes.extend(volume, want.size_gib)
        begun = ""
        if volume.state is DiskState.DETACHED:
            self._volumes.give(volume)
            self._servers.attach(server.id, volume.id)
            begun = "attachment"
        seen = self._volumes.settled(volume, begun=begun)
        if server.id not in seen.servers:
            raise ProviderError(
                ErrorCode.RETRYABLE,
                f"Disk {volume.key} is not attached to {server.key} yet: it is {seen.status}.",
            )

    def _existing(self, machine_key: str, wants: tuple[DiskWant, ...]) -> dict[str, Volume]:
        """The volumes that are there under the wanted keys; Conflict when one is not to be had."""
        there = self._volumes.around(machine_key, (want.key for want in wants))
        for want in wants:
            volume = there.get(want.key)
            if volume is None:
                continue
            if volume.machine_key != machine_key:
                raise ProviderError(
                    ErrorCode.CONFLICT, f"Disk {want.key} belongs to machine {volume.machine_key}."
                )
            if volume.state is DiskState.SANITISING:
                raise ProviderError(ErrorCode.CONFLICT, f"Disk {want.key} is attached to the sanitiser.")
        names = {volume.metadata.get(tags.DISK_NAME): volume.key for volume in there.values()}
        for want in wants:
            if names.get(want.name, want.key) != want.key:
                raise ProviderError(
                    ErrorCode.INVALID, f"Machine {machine_key} has another disk {want.name!r}."
                )
        wanted = {want.key for want in wants}
        return {key: volume for key, volume in there.items() if key in wanted}

    def _made(
        self,
        machine_key: str,
        owner: Owner,
        wants: tuple[DiskWant, ...],
        there: dict[str, Volume],
        image: str,
    ) -> list[Volume]:
        """The volumes of ``wants``, created side by side where missing, each when nothing moves in it."""
        fresh: set[str] = set()
        volumes: list[Volume] = []
        for want in wants:
            volume = there.get(want.key)
            if volume is None:
                volume = self._volumes.create(machine_key, owner, want, image if want.root else "")
                fresh.add(volume.id)
            volumes.append(volume)
        since = self._cloud.clock()
        kept = [self._volumes.settled(volume) for volume in volumes if volume.id not in fresh]
        made = [volume for volume in volumes if volume.id in fresh]
        return [*kept, *(self._volumes.chosen(machine_key, made, since) if made else ())]


def _unborn(want: MachineWant, state: MachineState, fault: str = "") -> Machine:
    """A machine of which there are only volumes yet."""
    return Machine(want.key, "", state, want.size, want.image, (), want.owner, fault)
