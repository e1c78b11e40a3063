"""What is in a project and bears no mark of govpool's."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from govpool_providers.base import Stranger
from govpool_providers.openstack import tags
from govpool_providers.openstack.client import Cloud, Document, Service
from govpool_providers.openstack.servers import SERVERS
from govpool_providers.openstack.volumes import VOLUMES


@dataclass(frozen=True, slots=True)
class Listing:
    """How one kind of thing is listed, and what tells govpool's own."""

    kind: str
    service: Service
    path: str
    key: str
    microversion: str | None
    ours: Callable[[str, Document], bool]


def _tagged(pool: str, document: Document) -> bool:
    return (document.get("metadata") or {}).get(tags.POOL) == pool


def _root_of_sanitiser(pool: str, document: Document) -> bool:
    """A sanitiser's own root volume: Nova made it, and it goes with its server."""
    return _tagged(pool, document) or any(
        attachment.get("device") in {"/dev/vda", "/dev/sda"} and not document.get("name")
        for attachment in document.get("attachments") or []
    )


def _named(pool: str, document: Document) -> bool:
    return tags.ours(pool, str(document.get("name") or "")) or document.get("name") == "default"


def _described(pool: str, document: Document) -> bool:
    return tags.ours(pool, str(document.get("description") or ""))


LISTINGS = (
    Listing("server", Service.COMPUTE, "/servers/detail", "servers", SERVERS, _tagged),
    Listing("volume", Service.VOLUME, "/volumes/detail", "volumes", VOLUMES, _root_of_sanitiser),
    Listing("floating address", Service.NETWORK, "/floatingips", "floatingips", None, _described),
    Listing("security group", Service.NETWORK, "/security-groups", "security_groups", None, _named),
)


def strangers(cloud: Cloud, unit: str) -> tuple[Stranger, ...]:
    """Servers, volumes, floating addresses and security groups that govpool did not make. Four listings."""
    project, pool = cloud.project_id, cloud.settings.pool
    found: list[Stranger] = []
    for one in LISTINGS:
        params = {"project_id": project} if one.service is Service.NETWORK else None
        listed = cloud.listing(one.service, one.path, one.key, params=params, microversion=one.microversion)
        for document in listed:
            if not one.ours(pool, document):
                name = str(document.get("name") or document.get("floating_ip_address") or "")
                found.append(Stranger(one.kind, str(document["id"]), name, unit))
    return tuple(sorted(found, key=lambda stranger: (stranger.kind, stranger.provider_id)))
