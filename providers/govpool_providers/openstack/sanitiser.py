"""The sanitiser (净化机): the server of the operator's own to which disks are attached for wiping."""

from __future__ import annotations

import hashlib

from govpool_providers.base import GIB, Access, DiskState, MachineState, SanitiserDevice
from govpool_providers.errors import ErrorCode, ProviderError
from govpool_providers.openstack import tags
from govpool_providers.openstack.client import Cloud, Document, Service
from govpool_providers.openstack.images import image_id
from govpool_providers.openstack.networks import Networks
from govpool_providers.openstack.servers import SERVERS, Server, Servers
from govpool_providers.openstack.settings import LOCALHOST
from govpool_providers.openstack.userdata import sanitiser_data, serial
from govpool_providers.openstack.volumes import BROKEN, MOVING, Volume, Volumes

HOSTNAME_LIMIT = 63


class Sanitiser:
    """Attaches volumes to the sanitiser and detaches them."""

    def __init__(self, cloud: Cloud, servers: Servers, volumes: Volumes, networks: Networks) -> None:
        self._cloud = cloud
        self._servers = servers
        self._volumes = volumes
        self._networks = networks

    def ensure(self, access: Access) -> None:
        """See :meth:`RemoteSanitiser.ensure_sanitiser`."""
        settings = self._cloud.settings.sanitiser
        if settings.host == LOCALHOST:
            return
        if settings.server:
            raise ProviderError(
                ErrorCode.INVALID,
                f"Nobody here has a key to server {settings.server}: run the operator on it and set"
                " sanitiser.host to localhost, or let one be made of sanitiser.image.",
            )
        server = self.own()
        if server is not None and server.metadata.get(tags.SANITISER_KEY) != _mark_of(access):
            self.release()  # nobody has its key any more, or it was made without one
            server = None
        self._running(self._servers.settled(server or self._create(access)))

    def release(self) -> None:
        """See :meth:`OpenStackProvider.release_sanitiser`."""
        server = self.own()
        if server is None:
            return
        if self._volumes.those(**{tags.SANITISER: server.id}):
            raise ProviderError(
                ErrorCode.CONFLICT, f"The sanitiser {server.id} still has disks: detach them first."
            )
        if self._servers.delete(server) is not None:
            raise ProviderError(ErrorCode.RETRYABLE, f"The sanitiser {server.id} is still being deleted.")

    def attach(self, volume: Volume) -> SanitiserDevice:
        """See :meth:`Provider.attach_to_sanitiser`; the mark is written first, so a death leaves no doubt."""
        if volume.state is DiskState.ATTACHED:
            raise ProviderError(
                ErrorCode.CONFLICT,
                f"Machine {volume.machine_key} still has disk {volume.key}: release it first.",
            )
        server = self._server()
        begun = ""
        if volume.state is DiskState.DETACHED:
            if volume.sanitiser != server.id:
                self._volumes.mark(volume, tags.SANITISER, server.id)
            self._servers.attach(server.id, volume.id)
            begun = "attachment"
        seen = self._volumes.settled(volume, begun=begun)
        if server.id not in seen.servers:
            raise ProviderError(
                ErrorCode.RETRYABLE, f"Disk {volume.key} did not get to the sanitiser: it is {seen.status}."
            )
        device = self._cloud.settings.sanitiser.device.format(serial=serial(volume.id), id=volume.id)
        return SanitiserDevice(volume.key, self._host(server), device, seen.size_gib * GIB)

    def detach(self, volume: Volume) -> None:
        """See :meth:`Provider.detach_from_sanitiser`."""
        if volume.state is DiskState.SANITISING:
            if volume.servers:
                self._servers.detach(volume.sanitiser, volume.id)
            seen = self._cloud.until(
                lambda: self._volumes.again(volume),
                lambda now: (
                    now is None or (not now.servers and now.status not in MOVING) or now.status in BROKEN
                ),
            )
            if seen is not None and seen.state is not DiskState.DETACHED:
                raise ProviderError(
                    ErrorCode.RETRYABLE, f"Disk {volume.key} is still {seen.status} at the sanitiser."
                )
        if volume.sanitiser:
            self._volumes.unmark(volume, tags.SANITISER)

    def _host(self, server: Server) -> str:
        if host := self._cloud.settings.sanitiser.host:
            return host
        ports = self._networks.ports(server.id).get(server.id, ())
        addresses = [address for port in ports for address in port.addresses]
        if not addresses:
            raise ProviderError(ErrorCode.RETRYABLE, "The sanitiser has no address yet.")
        return addresses[0]

    def _server(self) -> Server:
        """The sanitiser's server, running: an existing one that the settings name, else the pool's own."""
        settings = self._cloud.settings.sanitiser
        if settings.server:
            path = f"/servers/{settings.server}"
            found = self._cloud.find(Service.COMPUTE, path, microversion=SERVERS)
            if found is None:
                raise ProviderError(
                    ErrorCode.INVALID, f"The cloud has no server {settings.server}: correct sanitiser.server."
                )
            server = Server.of(found["server"])
        else:
            server = self._servers.settled(self.own() or self._create(None))
        return self._running(server)

    def own(self) -> Server | None:
        """The pool's own sanitiser, if it was made."""
        there = [server for server in self._servers.tagged(tags.SANITISER_TAG) if not server.leaving]
        return min(there, key=lambda server: server.id, default=None)

    @staticmethod
    def _running(server: Server) -> Server:
        if server.state is not MachineState.ACTIVE:
            said = f": {server.fault}" if server.fault else ""
            raise ProviderError(
                ErrorCode.RETRYABLE, f"The sanitiser is {server.status}{said}. Look after it."
            )
        return server

    def _create(self, access: Access | None) -> Server:
        settings = self._cloud.settings
        wanted = settings.sanitiser
        if not wanted.image or not wanted.network:
            raise ProviderError(
                ErrorCode.INVALID,
                "The pool has no sanitiser: set sanitiser.server, or sanitiser.image and sanitiser.network.",
            )
        name = f"govpool-sanitiser-{settings.pool}"
        body: Document = {
            "server": {
                "name": name,
                "config_drive": settings.config_drive,
                "flavorRef": self._servers.flavor(wanted.size, ""),
                "networks": [{"uuid": self._networks.network(wanted.network)}],
                "metadata": {tags.POOL: settings.pool},
                "tags": [tags.pool_tag(settings.pool), tags.SANITISER_TAG],
                "block_device_mapping_v2": [
                    {
                        "boot_index": 0,
                        "uuid": image_id(self._cloud, wanted.image),
                        "source_type": "image",
                        "destination_type": "volume",
                        "volume_size": wanted.root_gib,
                        "delete_on_termination": True,
                    }
                ],
            }
        }
        if access is not None:
            body["server"]["user_data"] = sanitiser_data(name[:HOSTNAME_LIMIT].rstrip("-"), access)
            body["server"]["metadata"][tags.SANITISER_KEY] = _mark_of(access)
        made = self._cloud.post(Service.COMPUTE, "/servers", body, microversion=SERVERS)
        return Server.of({"name": name, "status": "BUILD", **made["server"]})


def _mark_of(access: Access) -> str:
    return hashlib.sha256(access.host_public_key.encode()).hexdigest()
