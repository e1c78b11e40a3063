"""The service directory: which item a request means, and which one is nearest to what it asked for."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from difflib import SequenceMatcher
from math import log2

from govpool.api.cloudresourcerequest import DataDisk, RequestContent
from govpool.api.servicecatalog import CatalogItem, Category, ServiceCatalog
from govpool.rules.errors import UnknownItem

_SIZE = re.compile(r"(?P<vcpu>\d+)\s*c\D{0,3}?(?P<memory>\d+)\s*g", re.IGNORECASE)
_ALIKE = 0.5
"""Likeness of two names, from 0 to 1, from which one may be meant for the other."""


@dataclass(frozen=True, slots=True)
class Use:
    """A place where content names an item of the catalogue."""

    path: str
    """Where: ``servers[app].item``."""
    item: str
    """What it names."""
    categories: frozenset[Category]
    """What may stand there."""


SERVERS = frozenset({Category.SERVER})
STORAGE = frozenset({Category.STORAGE})
SERVICES = frozenset(Category) - SERVERS


def uses(content: RequestContent) -> Iterator[Use]:
    """Every item that the content names, with where and as what."""
    for server in content.servers:
        yield Use(f"servers[{server.name}].item", server.item, SERVERS)
        for disk in server.data_disks:
            if disk.volume_class is not None:
                place = f"servers[{server.name}].dataDisks[{disk.name}].volumeClass"
                yield Use(place, disk.volume_class, STORAGE)
    for service in content.services:
        yield Use(f"services[{service.item}].item", service.item, SERVICES)


def known(catalog: ServiceCatalog, name: str) -> CatalogItem:
    """The item of that name. Raises UnknownItem."""
    item = catalog.item(name)
    if item is None:
        raise UnknownItem(name)
    return item


def storage_item(catalog: ServiceCatalog, disk: DataDisk) -> CatalogItem | None:
    """The item that a data disk is billed as: its volume class, else the catalogue's first Storage item.

    None where the catalogue prices no storage. Raises UnknownItem for a class that is not in it.
    """
    if disk.volume_class is not None:
        return known(catalog, disk.volume_class)
    return next((item for item in catalog.spec.items if item.category is Category.STORAGE), None)


def nearest(catalog: ServiceCatalog, use: Use) -> CatalogItem | None:
    """The item nearest in function and size to one that the catalogue does not have (YY-19(1), BZ-16).

    Servers are compared by vCPU and memory where the name tells them (``ecs-8c16g``), all else by
    name. None if nothing in the category comes near.
    """
    candidates = [item for item in catalog.spec.items if item.category in use.categories]
    if not candidates:
        return None
    size = _SIZE.search(use.item)
    if size is not None and use.categories == SERVERS:
        wanted = int(size["vcpu"]), int(size["memory"])
        return min(candidates, key=lambda item: (_distance(item, wanted), item.name))
    best = max(candidates, key=lambda item: (_likeness(item, use.item), item.name))
    return best if use.categories == SERVERS or _likeness(best, use.item) >= _ALIKE else None


def _distance(item: CatalogItem, wanted: tuple[int, int]) -> float:
    given = item.provides.vcpu or 1, item.provides.memory_gib or 1
    return sum(abs(log2(max(have, 1) / max(want, 1))) for have, want in zip(given, wanted, strict=True))


def _likeness(item: CatalogItem, name: str) -> float:
    return SequenceMatcher(None, item.name.casefold(), name.casefold()).ratio()
