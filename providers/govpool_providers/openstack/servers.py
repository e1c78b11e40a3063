"""Servers: Nova's part of a machine."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass

from govpool_providers.base import GIB, MachineState, MachineWant, Size
from govpool_providers.errors import ErrorCode, ProviderError
from govpool_providers.openstack import tags, userdata
from govpool_providers.openstack.client import Cloud, Document, Service
from govpool_providers.openstack.looks import Shared

SERVERS = "2.79"
"""Tags at creation (2.52), the flavour within the server (2.47), attaching kept volumes (2.79): Train."""
GROUPS = "2.64"
"""A server group's one policy instead of a list."""
FLAVORS = "2.61"

STATES: Mapping[str, MachineState] = {
    "BUILD": MachineState.BUILDING,
    "REBUILD": MachineState.BUILDING,
    "ACTIVE": MachineState.ACTIVE,
    "PASSWORD": MachineState.ACTIVE,
    "REBOOT": MachineState.ACTIVE,
    "HARD_REBOOT": MachineState.ACTIVE,
    "MIGRATING": MachineState.ACTIVE,
    "PAUSED": MachineState.STOPPED,
    "SUSPENDED": MachineState.STOPPED,
    "SHUTOFF": MachineState.STOPPED,
    "RESCUE": MachineState.STOPPED,
    "SHELVED": MachineState.STOPPED,
    "SHELVED_OFFLOADED": MachineState.STOPPED,
    "RESIZE": MachineState.RESIZING,
    "VERIFY_RESIZE": MachineState.RESIZING,
    "REVERT_RESIZE": MachineState.RESIZING,
}
"""Nova's server status and the contract's; a status that is not here is an error."""
GROUP = "server group"
GONE = frozenset({"DELETED"})
GIVEN_UP = 60.0
"""Seconds for which a server in BUILD has no task and nothing changes: Nova does not build it any more. So it
leaves one whose build failed while Keystone was away; it would stay so for good.
"""
RECLAIMABLE = "SOFT_DELETED"
"""Deleted but kept for a while: to be deleted for good."""


@dataclass(frozen=True, slots=True)
class Server:
    """A server as Nova shows it."""

    id: str
    name: str
    status: str
    task: str
    metadata: Mapping[str, str]
    size: Size
    fault: str
    tags: frozenset[str]
    launched: bool
    """Whether it ever ran, and so whether there may be data in it."""
    updated: str
    """When Nova last changed something of it, as Nova writes it."""
    addresses: tuple[str, ...]
    """As Nova remembers them, which may be a moment behind Neutron."""

    @classmethod
    def of(cls, document: Document) -> Server:
        """Read Nova's document."""
        flavor, fault = document.get("flavor") or {}, document.get("fault") or {}
        return cls(
            id=document["id"],
            name=document["name"],
            status=document["status"],
            task=document.get("OS-EXT-STS:task_state") or "",
            metadata=document.get("metadata") or {},
            size=Size(int(flavor.get("vcpus", 0)), int(flavor.get("ram", 0)) // 1024),
            fault=str(fault.get("message", "")),
            tags=frozenset(document.get("tags") or ()),
            launched=bool(document.get("OS-SRV-USG:launched_at")),
            updated=document.get("updated") or "",
            addresses=tuple(
                str(address["addr"])
                for of_network in (document.get("addresses") or {}).values()
                for address in of_network
            ),
        )

    @property
    def key(self) -> str:
        """The machine's key; empty for the sanitiser."""
        return self.metadata.get(tags.KEY, "")

    @property
    def state(self) -> MachineState:
        """The contract's word for the status."""
        return STATES.get(self.status, MachineState.ERROR)

    @property
    def leaving(self) -> bool:
        """Whether it is being deleted."""
        return self.task == "deleting" or self.status == RECLAIMABLE

    @property
    def settled(self) -> bool:
        """Whether nothing is under way."""
        return not self.task and self.state not in {MachineState.BUILDING, MachineState.RESIZING}


class Servers:
    """Nova, as far as machines need it."""

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud
        self._pool = cloud.settings.pool
        self._by_key = Shared(self._of_keys, cloud.sleep)
        self._groups = Shared(self._groups_of, cloud.sleep)
        self._grouping = threading.Lock()
        self._idle: dict[str, tuple[str, float]] = {}
        """Servers in BUILD without a task: as of when, and when that was first seen."""

    # -- looking ------------------------------------------------------------------------------------
    def tagged(self, *wanted_tags: str) -> list[Server]:
        """The pool's servers that have all of these tags."""
        return self._listed({"tags": ",".join([tags.pool_tag(self._pool), *wanted_tags])})

    def _listed(self, params: dict[str, str]) -> list[Server]:
        found = self._cloud.listing(
            Service.COMPUTE, "/servers/detail", "servers", params=params, microversion=SERVERS
        )
        return [server for server in map(Server.of, found) if server.status not in GONE]

    def _of_keys(self, keys: frozenset[str]) -> dict[str, list[Server]]:
        """The servers of some machines: one listing, however many they are."""
        any_of = ",".join(sorted(map(tags.key_tag, keys)))
        found = self._listed({"tags": tags.pool_tag(self._pool), "tags-any": any_of})
        return {key: [server for server in found if tags.key_tag(key) in server.tags] for key in keys}

    def of_key(self, key: str) -> Server | None:
        """The machine's server. Of several (there should never be) the one that is not in error."""
        found = self._by_key.ask(key)[key]
        return min(
            found, key=lambda server: (server.leaving, server.status == "ERROR", server.id), default=None
        )

    def again(self, server: Server) -> Server | None:
        """The server as it is now; None when it is gone. For polls: those at one time share a listing."""
        if server.key:
            listed = self._by_key.ask(server.key, gather=True)[server.key]
            if same := next((one for one in listed if one.id == server.id), None):
                return same
        # Not listed is not gone: on its way from one of Nova's databases to the next a server is in neither.
        found = self._cloud.find(Service.COMPUTE, f"/servers/{server.id}", microversion=SERVERS)
        if found is None or found["server"]["status"] in GONE:
            return None
        return Server.of(found["server"])

    def required(self, key: str) -> Server:
        """The machine's server, or NotFound, or Conflict while it is deleted."""
        server = self.of_key(key)
        if server is None:
            raise ProviderError(ErrorCode.NOT_FOUND, f"The pool has no machine {key}.")
        if server.leaving:
            raise ProviderError(ErrorCode.CONFLICT, f"Machine {key} is being released.")
        return server

    def settled(self, server: Server, *, begun: str = "") -> Server:
        """The server when nothing is under way, or as it is after ``wait`` seconds; NotFound when gone.

        ``begun``: see :meth:`Cloud.until`.
        """
        seen = self._cloud.until(
            lambda: self.again(server),
            lambda now: now is None or now.settled or self.given_up(now),
            begun=begun,
        )
        if seen is None:
            raise ProviderError(ErrorCode.NOT_FOUND, f"Server {server.name} was deleted by somebody.")
        return seen

    def given_up(self, server: Server) -> bool:
        """Whether Nova has given up building the server and does not say so: nothing changed of it, in BUILD
        and without a task, for so long. A restart begins to count anew.
        """
        if server.status != "BUILD" or server.task or server.launched:
            self._idle.pop(server.id, None)
            return False
        now = self._cloud.clock()
        updated, since = self._idle.get(server.id, ("", now))
        if updated != server.updated:
            self._idle[server.id] = server.updated, now
            return False
        return now - since >= GIVEN_UP

    # -- acting -------------------------------------------------------------------------------------
    def create(
        self,
        want: MachineWant,
        volumes: Mapping[str, str],
        flavor: str,
        plug: Mapping[str, str],
        security_group: str,
    ) -> Server:
        """Create the server on its volumes, with everything it needs: nothing has to be done afterwards.

        ``plug`` is what Nova plugs in: a network, or a port that has its security group already.
        """
        settings = self._cloud.settings
        body: Document = {
            "server": {
                "name": want.hostname,
                "flavorRef": flavor,
                "networks": [dict(plug)],
                "security_groups": [{"name": security_group}],
                "metadata": tags.of_server(self._pool, want),
                "tags": tags.server_tags(self._pool, want),
                "user_data": userdata.user_data(want, volumes),
                "config_drive": settings.config_drive,
                "block_device_mapping_v2": [
                    {
                        "boot_index": 0 if disk.root else -1,
                        "uuid": volumes[disk.key],
                        "source_type": "volume",
                        "destination_type": "volume",
                        "delete_on_termination": False,
                        "tag": disk.name,
                    }
                    for disk in sorted(want.disks, key=lambda disk: not disk.root)
                ],
            }
        }
        if settings.availability_zone:
            body["server"]["availability_zone"] = settings.availability_zone
        if group := self.known_group(tags.group_name(self._pool, want.owner.request_uid)):
            body["os:scheduler_hints"] = {"group": group}
        made = self._cloud.post(Service.COMPUTE, "/servers", body, microversion=SERVERS)
        return Server.of(
            {
                "name": want.hostname,
                "metadata": body["server"]["metadata"],
                "status": "BUILD",
                "OS-EXT-STS:task_state": "scheduling",
                **made["server"],
            }
        )

    def delete(self, server: Server) -> Server | None:
        """Delete the server and wait; what is left of it when patience ends."""
        self._idle.pop(server.id, None)
        if server.status == RECLAIMABLE:
            self.act(server, {"forceDelete": None})
        elif not server.leaving:
            self._cloud.delete(Service.COMPUTE, f"/servers/{server.id}", microversion=SERVERS)
        return self._cloud.until(lambda: self.again(server), lambda now: now is None, begun="server's end")

    def act(self, server: Server, action: Document) -> None:
        """One of Nova's server actions."""
        self._cloud.post(Service.COMPUTE, f"/servers/{server.id}/action", action, microversion=SERVERS)

    def attach(self, server_id: str, volume_id: str) -> None:
        """Begin to attach a volume, to be kept when the server is deleted."""
        body: Document = {"volumeAttachment": {"volumeId": volume_id, "delete_on_termination": False}}
        path = f"/servers/{server_id}/os-volume_attachments"
        self._cloud.post(Service.COMPUTE, path, body, microversion=SERVERS)

    def detach(self, server_id: str, volume_id: str) -> None:
        """Begin to detach a volume."""
        path = f"/servers/{server_id}/os-volume_attachments/{volume_id}"
        self._cloud.delete(Service.COMPUTE, path, microversion=SERVERS)

    # -- flavours -----------------------------------------------------------------------------------
    def flavor(self, size: Size, item: str) -> str:
        """The flavour for a size: the one that the catalogue item is mapped to, a fitting one, or a new one.

        Raises Invalid when there is none and the pool does not allow to create one.
        """
        settings = self._cloud.settings
        mapped = settings.names.get(f"flavor.{item}", "")
        label = f"{mapped}:{size.vcpu}x{size.memory_gib}"
        return self._cloud.known("flavor", label, lambda: self._flavor(size, mapped))

    def _flavor(self, size: Size, mapped: str) -> str:
        found = self._cloud.listing(Service.COMPUTE, "/flavors/detail", "flavors", microversion=FLAVORS)
        fitting = [
            flavor
            for flavor in found
            if flavor["vcpus"] == size.vcpu
            and flavor["ram"] == size.memory_gib * GIB // 1024**2
            and (not mapped or mapped in {flavor["id"], flavor["name"]})
            and not flavor.get("OS-FLV-DISABLED:disabled")
        ]
        if fitting:
            # root disks are volumes: a flavour with a disk of its own would take room for nothing
            return str(min(fitting, key=lambda flavor: (flavor["disk"], flavor["name"]))["id"])
        wanted = f"{size.vcpu} vCPU and {size.memory_gib} GiB" + (f" called {mapped}" if mapped else "")
        if mapped or not self._cloud.settings.create_flavors:
            raise ProviderError(
                ErrorCode.INVALID,
                f"The cloud has no flavour of {wanted}: have one made, or set create_flavors.",
            )
        return self._create_flavor(size)

    def _create_flavor(self, size: Size) -> str:
        name = f"govpool-{size.vcpu}c{size.memory_gib}g"
        body: Document = {
            "flavor": {"name": name, "id": name, "vcpus": size.vcpu, "ram": size.memory_gib * 1024, "disk": 0}
        }
        try:
            self._cloud.post(Service.COMPUTE, "/flavors", body, microversion=FLAVORS)
        except ProviderError as error:
            if error.code is not ErrorCode.CONFLICT:  # made by another operator just now
                raise
        return name

    # -- server groups ------------------------------------------------------------------------------
    def groups(self, name: str) -> list[str]:
        """The ids of the server groups of this name."""
        return self._groups.ask(name)[name]

    def _groups_of(self, names: frozenset[str]) -> dict[str, list[str]]:
        found = self._cloud.listing(
            Service.COMPUTE, "/os-server-groups", "server_groups", microversion=GROUPS
        )
        return {name: sorted(str(group["id"]) for group in found if group["name"] == name) for name in names}

    def known_group(self, name: str) -> str:
        """:meth:`ensure_group`, remembered for a while: a system's servers are made one after the other."""
        if self._cloud.settings.spread == "none":
            return ""
        return self._cloud.known(GROUP, name, lambda: self.ensure_group(name))

    def ensure_group(self, name: str) -> str:
        """The server group that spreads a request's machines; empty when they are not to be spread."""
        policy = self._cloud.settings.spread
        if policy == "none":
            return ""
        if found := self.groups(name):
            return found[0]
        with self._grouping:  # machines of a request that are made side by side share a group
            return next(iter(self.groups(name)), "") or self._create_group(name)

    def _create_group(self, name: str) -> str:
        policy = self._cloud.settings.spread
        body: Document = {"server_group": {"name": name, "policy": str(policy)}}
        made = self._cloud.post(Service.COMPUTE, "/os-server-groups", body, microversion=GROUPS)
        return str(made["server_group"]["id"])

    def delete_groups(self, name: str) -> None:
        """Delete the server groups of this name."""
        self._cloud.drop(GROUP, name)
        for group in self.groups(name):
            self._cloud.delete(Service.COMPUTE, f"/os-server-groups/{group}", microversion=GROUPS)
