"""Networks by kind that govpool makes itself: network, subnet, router to the outside."""

from __future__ import annotations

from govpool_providers.openstack import tags
from govpool_providers.openstack.client import Cloud, Document, Service
from govpool_providers.openstack.settings import NetworkPlan

SETTLING = 1.5
"""Seconds after which what another operator made in the same second is listed: Neutron tells whole ones."""


class Maker:
    """Makes a project's networks; each step looks for what is there, so that any call may be the last."""

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud
        self._pool = cloud.settings.pool

    def network(self, plan: NetworkPlan) -> str:
        """The id of the planned network, whole."""
        name = tags.network_name(self._pool, plan.name)
        network = self._ensure("network", {"name": name}, {"description": "Made by govpool"})
        subnet = self._ensure(
            "subnet",
            {"name": name, "network_id": network},
            {
                "cidr": plan.cidr,
                "ip_version": 6 if ":" in plan.cidr else 4,
                "dns_nameservers": list(plan.dns),
            },
        )
        if plan.outside:
            self._router(name, subnet, plan.outside)
        return network

    def _router(self, name: str, subnet: str, outside: str) -> None:
        router = self._ensure(
            "router", {"name": name}, {"external_gateway_info": {"network_id": self._outside(outside)}}
        )
        params = {"device_id": router, "device_owner": "network:router_interface"}
        joined = self._cloud.listing(Service.NETWORK, "/ports", "ports", params=params)
        if not any(ip["subnet_id"] == subnet for port in joined for ip in port.get("fixed_ips") or []):
            path = f"/routers/{router}/add_router_interface"
            self._cloud.put(Service.NETWORK, path, {"subnet_id": subnet})

    def _outside(self, called: str) -> str:
        for by in ("name", "id"):
            params = {by: called, "router:external": "true"}
            found = self._cloud.listing(Service.NETWORK, "/networks", "networks", params=params)
            if found:
                return str(found[0]["id"])
        return called

    def _ensure(self, kind: str, by: dict[str, str], more: Document) -> str:
        """The project's own thing of this name; of several, made at once, the oldest, and ours goes."""
        if found := self._found(kind, by):
            return found[0]
        made = str(self._cloud.post(Service.NETWORK, f"/{kind}s", {kind: {**by, **more}})[kind]["id"])
        self._cloud.sleep(SETTLING)
        first = (self._found(kind, by) or [made])[0]
        if first != made:
            self._cloud.delete(Service.NETWORK, f"/{kind}s/{made}")
        return first

    def _found(self, kind: str, by: dict[str, str]) -> list[str]:
        params = {**by, "project_id": self._cloud.project_id}
        found = self._cloud.listing(Service.NETWORK, f"/{kind}s", f"{kind}s", params=params)
        return [
            str(one["id"]) for one in sorted(found, key=lambda one: (one.get("created_at") or "", one["id"]))
        ]
