"""What the hypervisor sees of the cloud in one look: three listings, made into what bodies need to know."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from typing import Any

from openstack.connection import Connection

from govpool_providers.base import Access, Owner, Size

SERVERS, VOLUMES = "2.79", "3.44"
RUNS = frozenset({"ACTIVE", "VERIFY_RESIZE", "PASSWORD", "REBOOT", "HARD_REBOOT"})
STANDS = frozenset({"SHUTOFF", "SUSPENDED", "PAUSED", "RESIZE", "REVERT_RESIZE", "RESCUE", "SHELVED"})
STOPPING = frozenset({"powering-off", "suspending", "pausing", "resize_migrating", "resize_reverting"})
HELD = frozenset({"reserved", "attaching", "in-use", "extending"})
"""Cinder's states of a volume that a server has."""


@dataclass(frozen=True)
class SeenVolume:
    """A volume that a server has."""

    id: str
    size_gib: int
    root: bool
    going: bool
    """Whether Cinder is detaching it, or has just done so."""
    own: str
    """The name that its own machine knows it by; empty for another's disk."""


@dataclass(frozen=True)
class SeenServer:
    """A server, as far as its body goes."""

    id: str
    name: str
    fate: str
    """"runs", "stands", "leaving", or "" while nothing is to be done."""
    size: Size
    address: str
    mac: str
    up: bool
    """Whether its port is."""
    sanitiser: bool
    volumes: tuple[SeenVolume, ...]
    access: Access | None
    mounts: dict[str, str]
    """What its user data mounts: the name below /data by the volume's serial number."""

    @property
    def owner(self) -> Owner:
        return Owner(self.id, self.name, "openstack")


def look(cloud: Connection, project: str) -> list[SeenServer]:
    """Every server of a project; raises what openstacksdk does when a listing is not whole."""
    scope = {"all_tenants": "1", "project_id": project}
    servers = _listed(cloud.compute, "/servers/detail", "servers", scope, SERVERS)
    volumes = {
        one["id"]: one for one in _listed(cloud.block_storage, "/volumes/detail", "volumes", scope, VOLUMES)
    }
    ports = {
        one["device_id"]: one for one in _listed(cloud.network, "/ports", "ports", {"project_id": project})
    }
    return [_server(one, volumes, ports.get(one["id"])) for one in servers]


def _listed(proxy: Any, path: str, key: str, params: dict[str, str], version: str | None = None) -> list[Any]:
    response = proxy.get(path, params=params, microversion=version)
    response.raise_for_status()
    found: list[Any] = response.json()[key]
    return found


def _server(server: Any, volumes: dict[str, Any], port: Any) -> SeenServer:
    attached = [
        volumes[one["id"]] for one in server["os-extended-volumes:volumes_attached"] if one["id"] in volumes
    ]
    address = port["fixed_ips"][0]["ip_address"] if port and port["fixed_ips"] else ""
    told = _user_data(server)
    return SeenServer(
        id=server["id"],
        name=server["name"],
        fate=_fate(server["status"], server["OS-EXT-STS:task_state"] or "") if address else "",
        size=Size(server["flavor"]["vcpus"], server["flavor"]["ram"] // 1024),
        address=address,
        mac=port["mac_address"] if port else "",
        up=bool(port and port["admin_state_up"]),
        sanitiser="govpool-sanitiser" in server["tags"],
        volumes=tuple(_volume(server, one) for one in attached),
        access=_access(told),
        mounts={
            source.rpartition("virtio-")[2]: target.removeprefix("/data/")
            for source, target, *_ in told.get("mounts", [])
        },
    )


def _fate(status: str, task: str) -> str:
    if task in {"deleting", "soft-deleting"} or status in {"DELETED", "SOFT_DELETED"}:
        return "leaving"
    if task in STOPPING or status in STANDS:
        return "stands"
    return "runs" if status in RUNS else ""


def _volume(server: Any, volume: Any) -> SeenVolume:
    where = [one["device"] for one in volume["attachments"] if one["server_id"] == server["id"]]
    metadata = volume["metadata"]
    same = metadata.get("govpool-machine") == server["metadata"].get("govpool-key")
    return SeenVolume(
        id=volume["id"],
        size_gib=volume["size"],
        root=server["OS-EXT-SRV-ATTR:root_device_name"] in where,
        going=volume["status"] not in HELD,  # the servers were listed a moment before
        own=metadata.get("govpool-disk-name", "") if same else "",
    )


def _user_data(server: Any) -> dict[str, Any]:
    text = base64.b64decode(server.get("OS-EXT-SRV-ATTR:user_data") or "").decode()
    told: dict[str, Any] = json.loads(text.partition("\n")[2] or "{}")
    return told


def _access(told: dict[str, Any]) -> Access | None:
    if "ssh_keys" not in told:
        return None
    user, keys = told["users"][0], told["ssh_keys"]
    return Access(
        user["name"], user["ssh_authorized_keys"][0], keys["ed25519_public"], keys["ed25519_private"]
    )
