"""One project of an OpenStack cloud: all that a pool does in it."""

from __future__ import annotations

import logging

from govpool_providers.base import (
    Access,
    Capacity,
    Disk,
    DiskCopy,
    DiskState,
    DiskWant,
    Machine,
    MachineState,
    MachineWant,
    SanitiserDevice,
    Size,
)
from govpool_providers.errors import ErrorCode, ProviderError
from govpool_providers.openstack import quotas, tags
from govpool_providers.openstack.builder import Builder
from govpool_providers.openstack.client import Cloud
from govpool_providers.openstack.copies import Copies
from govpool_providers.openstack.networks import Networks, Port
from govpool_providers.openstack.sanitiser import Sanitiser
from govpool_providers.openstack.servers import Server, Servers
from govpool_providers.openstack.volumes import Volumes
from govpool_providers.openstack.wants import check_machine, check_size, valid_key

log = logging.getLogger(__name__)


class Project:
    """A pool's part in one project: what :class:`Provider` promises of machines and disks."""

    def __init__(self, cloud: Cloud) -> None:
        self.cloud = cloud
        self._pool = cloud.settings.pool
        self._servers = Servers(cloud)
        self._volumes = Volumes(cloud)
        self._networks = Networks(cloud)
        self._copies = Copies(cloud)
        self._sanitiser = Sanitiser(cloud, self._servers, self._volumes, self._networks)
        self._builder = Builder(cloud, self._servers, self._volumes, self._networks)

    def capacity(self) -> Capacity:
        """See :class:`Provider`."""
        return quotas.capacity(self.cloud)

    def has_machine(self, key: str) -> bool:
        """Whether the machine, or what is left of it, is in this project."""
        return self._servers.of_key(key) is not None or bool(self._volumes.of_machine(key))

    def has_disk(self, key: str) -> bool:
        """Whether the disk is in this project."""
        return self._volumes.of_key(key) is not None

    # -- machines -----------------------------------------------------------------------------------
    def find_machine(self, key: str) -> Machine | None:
        """See :class:`Provider`."""
        server = self._servers.of_key(valid_key(key))
        return None if server is None else self._seen(server)

    def list_machines(self, request_uid: str | None = None) -> tuple[Machine, ...]:
        """See :class:`Provider`. Two listings, however many machines there are."""
        wanted = [] if request_uid is None else [tags.request_tag(request_uid)]
        servers = [server for server in self._servers.tagged(*wanted) if server.key]
        ports = self._networks.ports_with_floating() if servers else {}
        ordered = sorted(servers, key=lambda server: (server.key, server.id))
        return tuple(_machine(server, ports.get(server.id, ())) for server in ordered)

    def ensure_machine(self, want: MachineWant) -> Machine:
        """See :class:`Provider`. Waits up to ``wait`` seconds for each of the volumes and the server."""
        check_machine(want)
        server = self._servers.of_key(want.key)
        if server is not None and server.metadata.get(tags.REQUEST_UID) != want.owner.request_uid:
            raise ProviderError(ErrorCode.CONFLICT, f"Machine {want.key} belongs to another request.")
        if server is not None and server.leaving:
            raise ProviderError(
                ErrorCode.CONFLICT, f"Machine {want.key} is being released: go on with release_machine."
            )
        if server is not None and self._failed(server):
            server = self._servers.delete(server)
            if server is not None:
                return self._seen(server)
        if server is None:
            built = self._builder.build(want)
            if isinstance(built, Machine):
                return built
            return self._new(self._servers.settled(built, begun="server"))
        if server.state is MachineState.BUILDING:
            server = self._servers.settled(server)
        return self._seen(server)

    def _failed(self, server: Server) -> bool:
        """Whether the server's build came to nothing, so that it may be made anew: it never ran."""
        if self._servers.given_up(server):
            log.warning("server %s: Nova stopped building it and does not say why; made anew", server.name)
            return True
        return server.state is MachineState.ERROR and not server.launched

    def resize_machine(self, key: str, size: Size) -> Machine:
        """See :class:`Provider`. Confirms a resize to the size that is wanted, reverts any other."""
        check_size(size)
        server = self._servers.required(valid_key(key))
        if server.status == "VERIFY_RESIZE":
            server = self._end_resize(server, size)
        if server.state is MachineState.RESIZING or server.size == size:
            return self._seen(server)
        if server.status not in {"ACTIVE", "SHUTOFF"}:
            raise ProviderError(ErrorCode.CONFLICT, f"Machine {key} is {server.status}: it can't be resized.")
        more = Size(size.vcpu - server.size.vcpu, size.memory_gib - server.size.memory_gib)
        quotas.check_room(self.cloud, more, 0)
        self._servers.act(server, {"resize": {"flavorRef": self._servers.flavor(size, "")}})
        server = self._resized(server)
        if server.status == "VERIFY_RESIZE":
            server = self._end_resize(server, size)
        return self._seen(server)

    def _resized(self, server: Server) -> Server:
        seen = self.cloud.until(
            lambda: self._servers.again(server),
            lambda now: now is None or (not now.task and now.status != "RESIZE"),
            begun="resize",
        )
        if seen is None:
            raise ProviderError(
                ErrorCode.NOT_FOUND, f"Machine {server.key} was deleted while it was resized."
            )
        return seen

    def _end_resize(self, server: Server, size: Size) -> Server:
        self._servers.act(server, {"confirmResize" if server.size == size else "revertResize": None})
        return self._servers.settled(server)

    def add_disks(self, key: str, disks: tuple[DiskWant, ...]) -> Machine:
        """See :class:`Provider`."""
        server = self._servers.required(valid_key(key))
        self._builder.add_disks(server, disks)
        return self._seen(server)

    def set_power(self, key: str, *, on: bool) -> Machine:
        """See :class:`Provider`."""
        server = self._servers.required(valid_key(key))
        wanted = MachineState.ACTIVE if on else MachineState.STOPPED
        if server.task in {"powering-on", "powering-off"}:
            server = self._servers.settled(server)
        if server.state is not wanted:
            if server.state not in {MachineState.ACTIVE, MachineState.STOPPED}:
                raise ProviderError(
                    ErrorCode.CONFLICT, f"Machine {key} is {server.status}: it can't be switched."
                )
            self._servers.act(server, _switching(server.status, on=on))
            server = self.cloud.until(
                lambda: self._servers.required(key),
                lambda now: now.state in {wanted, MachineState.ERROR} and not now.task,
            )
        return self._seen(server)

    def set_isolated(self, key: str, *, isolated: bool) -> Machine:
        """See :class:`Provider`. Every port goes down and into a security group without a rule."""
        server = self._servers.required(valid_key(key))
        ports = self._networks.ports(server.id).get(server.id, ())
        if any(port.up == isolated for port in ports):
            uid, network = (server.metadata.get(name, "") for name in (tags.REQUEST_UID, tags.NETWORK))
            group = (
                self._networks.isolation_group() if isolated else self._networks.request_group(uid, network)
            )
            for port in ports:
                self._networks.set_port(port, up=not isolated, security_group=group)
        return self._seen(server)

    def release_machine(self, key: str) -> None:
        """See :class:`Provider`. Groups of the request go with its last machine."""
        server = self._servers.of_key(valid_key(key))
        uids = {volume.metadata.get(tags.REQUEST_UID, "") for volume in self._volumes.of_machine(key)}
        if server is not None:
            uids.add(server.metadata.get(tags.REQUEST_UID, ""))
            if self._servers.delete(server) is not None:
                return
            self.cloud.until(
                lambda: self._volumes.of_machine(key),
                lambda now: not any(server.id in volume.servers for volume in now),
            )
        self._networks.drop_ports(key)
        for uid in sorted(uids - {""}):
            self._tidy(uid)

    def _tidy(self, uid: str) -> None:
        """Delete what the machines of a request shared, once there is none."""
        if not self._servers.tagged(tags.request_tag(uid)):
            name = tags.group_name(self._pool, uid)
            self._networks.delete_groups(name)
            self._servers.delete_groups(name)
            self._networks.delete_groups(tags.isolation_name(self._pool))

    # -- disks --------------------------------------------------------------------------------------
    def list_disks(self, machine_key: str) -> tuple[Disk, ...]:
        """See :class:`Provider`."""
        proves = self.cloud.settings.overwrite_of
        return tuple(
            volume.disk(proves(volume.kind)) for volume in self._volumes.of_machine(valid_key(machine_key))
        )

    def list_all_disks(self, request_uid: str | None = None) -> tuple[Disk, ...]:
        """See :class:`Provider`."""
        wanted = {} if request_uid is None else {tags.REQUEST_UID: request_uid}
        proves = self.cloud.settings.overwrite_of
        return tuple(
            volume.disk(proves(volume.kind)) for volume in self._volumes.those(**wanted) if volume.key
        )

    def list_copies(self, disk_key: str) -> tuple[DiskCopy, ...]:
        """See :class:`Provider`. What Cinder and Glance show; not what the storage behind them keeps."""
        return self._copies.of_disk(disk_key, self._volumes.every_of_key(valid_key(disk_key)))

    def delete_copy(self, copy: DiskCopy) -> None:
        """See :class:`Provider`."""
        self._copies.delete(copy)

    def ensure_sanitiser(self, access: Access) -> None:
        """See :class:`~govpool_providers.base.RemoteSanitiser`."""
        self._sanitiser.ensure(access)

    def has_sanitiser(self) -> bool:
        """Whether there is a sanitiser of the pool's own."""
        return self._sanitiser.own() is not None

    def release_sanitiser(self) -> None:
        """See :meth:`OpenStackProvider.release_sanitiser`."""
        self._sanitiser.release()

    def attach_to_sanitiser(self, disk_key: str) -> SanitiserDevice:
        """See :class:`Provider`."""
        return self._sanitiser.attach(self._volumes.required(valid_key(disk_key)))

    def detach_from_sanitiser(self, disk_key: str) -> None:
        """See :class:`Provider`."""
        volume = self._volumes.of_key(valid_key(disk_key))
        if volume is not None:
            self._sanitiser.detach(volume)

    def delete_disk(self, disk_key: str) -> None:
        """See :class:`Provider`. Cinder keeps a volume while it has snapshots: then the disk stays listed."""
        volumes = self._volumes.every_of_key(valid_key(disk_key))
        for volume in volumes:
            if volume.state is not DiskState.DETACHED:
                where = (
                    "the sanitiser"
                    if volume.state is DiskState.SANITISING
                    else f"machine {volume.machine_key}"
                )
                raise ProviderError(
                    ErrorCode.CONFLICT, f"Disk {disk_key} is attached to {where}: detach it first."
                )
        copies = self._copies.of_disk(disk_key, volumes) if volumes else ()
        self._copies.mark(copies)
        if any(copy.kind == "Snapshot" for copy in copies):
            log.warning("disk %s stays until its snapshots are deleted: Cinder keeps them together", disk_key)
            return
        for volume in volumes:
            self._volumes.delete(volume)

    # -- helpers ------------------------------------------------------------------------------------
    def _seen(self, server: Server) -> Machine:
        return _machine(server, self._networks.ports_with_floating(server.id).get(server.id, ()))

    def _new(self, server: Server) -> Machine:
        """A machine just made. Nova knows the addresses that it got; nobody has isolated it yet."""
        if server.state is not MachineState.ACTIVE or not server.addresses or self.cloud.settings.floating:
            return self._seen(server)
        return _machine(server, (Port("", server.id, up=True, addresses=server.addresses),))


def _machine(server: Server, ports: tuple[Port, ...]) -> Machine:
    return Machine(
        key=server.key,
        provider_id=server.id,
        state=server.state,
        size=server.size,
        image=server.metadata.get(tags.IMAGE, ""),
        addresses=(
            *(address for port in ports for address in port.addresses),
            *(address for port in ports for address in port.floating),
        ),
        owner=tags.owner_of(server.metadata),
        fault=_fault(server),
        isolated=bool(ports) and not any(port.up for port in ports),
    )


def _fault(server: Server) -> str:
    if server.state is not MachineState.ERROR:
        return ""
    return server.fault or f"Nova shows the server as {server.status} and gives no reason."


def _switching(status: str, *, on: bool) -> dict[str, None]:
    """The action that switches a server on or off from where it is."""
    if not on:
        return {"os-stop": None}
    return {{"SUSPENDED": "resume", "PAUSED": "unpause", "RESCUE": "unrescue"}.get(status, "os-start"): None}
