"""Ports and security groups: Neutron's part of a machine."""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, replace

from govpool_providers.errors import ErrorCode, ProviderError
from govpool_providers.openstack import tags
from govpool_providers.openstack.client import Cloud, Document, Service
from govpool_providers.openstack.looks import Shared
from govpool_providers.openstack.network_maker import Maker
from govpool_providers.openstack.settings import Ingress

GROUP = "security group"


@dataclass(frozen=True, slots=True)
class Port:
    """A port as Neutron shows it."""

    id: str
    server: str
    up: bool
    """Its administrative state: what was asked for."""
    addresses: tuple[str, ...]
    floating: tuple[str, ...] = ()

    @classmethod
    def of(cls, document: Document) -> Port:
        """Read Neutron's document."""
        return cls(
            id=document["id"],
            server=document.get("device_id") or "",
            up=bool(document["admin_state_up"]),
            addresses=tuple(ip["ip_address"] for ip in document.get("fixed_ips") or []),
        )


class Networks:
    """Neutron, as far as machines need it."""

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud
        self._pool = cloud.settings.pool
        self._ports = Shared(self._ports_of, cloud.sleep)
        self._groups = Shared(self._groups_of, cloud.sleep)
        self._grouping = threading.Lock()

    def network(self, name: str) -> str:
        """The id of the network that govpool calls ``name``: made where the settings say of what, else found.

        Raises Invalid when there is not exactly one.
        """
        if plan := self._cloud.settings.plans.get(name):
            return self._cloud.known("network", f"made:{name}", lambda: Maker(self._cloud).network(plan))
        return self.named(name)

    def named(self, name: str) -> str:
        """The id of an existing network."""
        called = self._cloud.settings.called("network", name)

        def look() -> str:
            for by in ("name", "id"):
                params = {by: called}
                found = self._cloud.listing(Service.NETWORK, "/networks", "networks", params=params)
                if found:
                    return only("network", name, called, found)
            return only("network", name, called, [])

        return self._cloud.known("network", called, look)

    # -- ports --------------------------------------------------------------------------------------
    def ports(self, server: str = "") -> dict[str, tuple[Port, ...]]:
        """Ports by server: of one, or all that the credentials let see."""
        return dict(self._ports.ask(server)) if server else self._ports_of(frozenset())

    def _ports_of(self, servers: frozenset[str]) -> dict[str, tuple[Port, ...]]:
        """Ports of some servers, or of all, in one listing: several values are alternatives to Neutron."""
        params = {"device_id": sorted(servers)} if servers else {}
        by_server: defaultdict[str, list[Port]] = defaultdict(list)
        for document in self._cloud.listing(Service.NETWORK, "/ports", "ports", params=params):
            port = Port.of(document)
            by_server[port.server].append(port)
        return {server: tuple(sorted(ports, key=lambda port: port.id)) for server, ports in by_server.items()}

    def ports_with_floating(self, server: str = "") -> dict[str, tuple[Port, ...]]:
        """Like :meth:`ports`, with floating addresses where the pool gives any."""
        ports = self.ports(server)
        if not self._cloud.settings.floating or not ports:
            return ports
        floating: defaultdict[str, list[str]] = defaultdict(list)
        for document in self._floating({}):
            floating[document.get("port_id") or ""].append(document["floating_ip_address"])
        return {
            server: tuple(replace(port, floating=tuple(floating.get(port.id, ()))) for port in of_server)
            for server, of_server in ports.items()
        }

    def ensure_port(self, key: str, network: str, security_group: str, outside: str) -> str:
        """A machine's port with a floating address of the network ``outside``, both made where missing.

        Nova keeps a port that it was given: :meth:`drop_ports` removes it.
        """
        name = tags.port_name(self._pool, key)
        found = self._named_ports(name)
        if found:
            port = str(found[0]["id"])
        else:
            body: Document = {
                "port": {"name": name, "network_id": network, "security_groups": [security_group]},
            }
            port = str(self._cloud.post(Service.NETWORK, "/ports", body)["port"]["id"])
        if not self._floating({"port_id": port}):
            address: Document = {
                "floating_network_id": self.named(outside),
                "port_id": port,
                "description": name,
            }
            self._cloud.post(Service.NETWORK, "/floatingips", {"floatingip": address})
        return port

    def drop_ports(self, key: str) -> None:
        """Delete the floating address and the port that were made for a machine."""
        name = tags.port_name(self._pool, key)
        for address in self._floating({"description": name}):
            self._cloud.delete(Service.NETWORK, f"/floatingips/{address['id']}")
        for port in self._named_ports(name):
            self._cloud.delete(Service.NETWORK, f"/ports/{port['id']}")

    def _named_ports(self, name: str) -> list[Document]:
        found = self._cloud.listing(Service.NETWORK, "/ports", "ports", params={"name": name})
        return sorted(found, key=lambda port: (not port.get("device_id"), port["id"]))

    def _floating(self, params: dict[str, str]) -> list[Document]:
        return self._cloud.listing(Service.NETWORK, "/floatingips", "floatingips", params=params)

    def set_port(self, port: Port, *, up: bool, security_group: str) -> None:
        """Bring a port up or down and give it one security group."""
        body: Document = {"port": {"admin_state_up": up, "security_groups": [security_group]}}
        self._cloud.put(Service.NETWORK, f"/ports/{port.id}", body)

    # -- security groups ----------------------------------------------------------------------------
    def security_groups(self, name: str) -> list[Document]:
        """The security groups of this name, the one that counts first."""
        return self._groups.ask(name)[name]

    def _groups_of(self, names: frozenset[str]) -> dict[str, list[Document]]:
        params = {"name": sorted(names)}
        found = self._cloud.listing(Service.NETWORK, "/security-groups", "security_groups", params=params)
        found.sort(key=lambda group: (group.get("created_at") or "", group["id"]))
        return {name: [group for group in found if group["name"] == name] for name in names}

    def known_group(self, uid: str, network: str) -> str:
        """:meth:`request_group`, remembered for a while: a system's servers are made one after the other."""
        name = f"{tags.group_name(self._pool, uid)}/{network}"
        return self._cloud.known(GROUP, name, lambda: self.request_group(uid, network))

    def request_group(self, uid: str, network: str) -> str:
        """The security group of a request's machines, with the ingress rules of its kind of network."""
        name = tags.group_name(self._pool, uid)
        rules = self._cloud.settings.ingress_of(network)
        group = next(iter(self.security_groups(name)), None)
        if group is None or _missing(group, rules):
            with self._grouping:  # machines of a request that are made side by side share a group
                group = next(iter(self.security_groups(name)), None) or self._create_group(name)
                for rule in _missing(group, rules):
                    self._create_rule(group["id"], rule.protocol, rule.port, rule.prefix)
        return str(group["id"])

    def isolation_group(self) -> str:
        """The security group that lets nothing in or out."""
        name = tags.isolation_name(self._pool)
        group = next(iter(self.security_groups(name)), None) or self._create_group(name)
        for rule in group.get("security_group_rules", []):
            self._cloud.delete(Service.NETWORK, f"/security-group-rules/{rule['id']}")
        return str(group["id"])

    def _create_group(self, name: str) -> Document:
        body: Document = {"security_group": {"name": name, "description": "Made by govpool"}}
        made: Document = self._cloud.post(Service.NETWORK, "/security-groups", body)["security_group"]
        return made

    def _create_rule(self, group: str, protocol: str, port: int, prefix: str) -> None:
        rule: Document = {
            "security_group_id": group,
            "direction": "ingress",
            "ethertype": "IPv6" if ":" in prefix else "IPv4",
            "protocol": protocol,
            "port_range_min": port,
            "port_range_max": port,
            "remote_ip_prefix": prefix,
        }
        try:
            self._cloud.post(Service.NETWORK, "/security-group-rules", {"security_group_rule": rule})
        except ProviderError as error:
            if error.code is not ErrorCode.CONFLICT:  # made by another operator just now
                raise

    def delete_groups(self, name: str) -> None:
        """Delete the security groups of this name that nothing uses."""
        self._cloud.drop(GROUP, name)
        for group in self.security_groups(name):
            try:
                self._cloud.delete(Service.NETWORK, f"/security-groups/{group['id']}")
            except ProviderError as error:
                if (
                    error.code is not ErrorCode.CONFLICT
                ):  # in use: somebody else's port, or one that is leaving
                    raise


def _missing(group: Document, rules: Iterable[Ingress]) -> list[Ingress]:
    """The rules that a security group does not have yet."""
    there = {
        (rule["protocol"], rule["port_range_min"], rule["remote_ip_prefix"])
        for rule in group.get("security_group_rules", [])
        if rule["direction"] == "ingress"
    }
    return [rule for rule in rules if (rule.protocol, rule.port, rule.prefix) not in there]


def only(kind: str, name: str, called: str, found: list[Document]) -> str:
    """The id of the only thing found; Invalid when there is none or more than one."""
    if len(found) == 1:
        return str(found[0]["id"])
    many = f"{len(found)} of them" if found else "none"
    raise ProviderError(
        ErrorCode.INVALID,
        f"The cloud's {kind} {called!r}: there is {many}. Set {kind}.{name} to the id of the right one.",
    )
