"""Whether what is applied for can be issued at all: catalogue, images, networks, and changes of disks."""

from __future__ import annotations

from collections.abc import Iterator

from govpool.api.cloudpolicy import CloudPolicySpec
from govpool.api.cloudpool import CloudPool, Mapping
from govpool.api.cloudresourcerequest import DataDisk, RequestContent, Server
from govpool.api.servicecatalog import ServiceCatalog
from govpool.messages import message
from govpool.rules.catalogue import Use, nearest, storage_item, uses
from govpool.rules.citation import clause
from govpool.rules.errors import UnknownItem
from govpool.rules.refusal import Refusal


def check(
    content: RequestContent,
    approved: RequestContent | None,
    *,
    policy: CloudPolicySpec,
    catalog: ServiceCatalog,
    pool: CloudPool,
) -> Iterator[Refusal]:
    """Every reason why the content can't be issued from the pool."""
    yield from _items(content, policy, catalog)
    yield from _names(content, pool)
    yield from _many(content)
    if approved is not None:
        if content.system.network is not approved.system.network:
            text = message("rules.admission.network-change", network=approved.system.network)
            yield Refusal("NetworkChange", text, clause(policy, policy.change.article))
        held = {server.name: server for server in approved.servers}
        for server in content.servers:
            if server.name in held:
                yield from _same_group(held[server.name], server, policy, catalog)


MOST_SERVERS = 400
"""A work order and a request's status name every server; etcd bounds how long they may be."""


def _many(content: RequestContent) -> Iterator[Refusal]:
    """A system larger than one request can carry is applied for in several."""
    extra = sum(expansion.additional_count for expansion in content.term.temporary)
    wanted = extra + sum(server.count for server in content.servers)
    if wanted > MOST_SERVERS:
        text = message("rules.admission.too-many-servers", wanted=wanted, most=MOST_SERVERS)
        yield Refusal("TooManyServers", text, "")


def _items(content: RequestContent, policy: CloudPolicySpec, catalog: ServiceCatalog) -> Iterator[Refusal]:
    for use in uses(content):
        item = catalog.item(use.item)
        if item is None:
            yield _not_in_catalogue(use, policy, catalog)
        elif item.category not in use.categories:
            text = message(
                "rules.admission.wrong-category", path=use.path, item=use.item, category=item.category
            )
            yield Refusal("WrongCategory", text, clause(policy, policy.admission.catalogue_article))


def _not_in_catalogue(use: Use, policy: CloudPolicySpec, catalog: ServiceCatalog) -> Refusal:
    rule = policy.admission
    found = nearest(catalog, use)
    if found is not None:
        text = message(
            "rules.admission.nearest",
            path=use.path,
            item=use.item,
            nearest=found.name,
            price=found.price_per_year,
        )
        return Refusal("NotInCatalog", text, clause(policy, rule.catalogue_article))
    if rule.self_purchase_article is not None:
        text = message("rules.admission.self-purchase", path=use.path, item=use.item)
        return Refusal("NotInCatalog", text, clause(policy, rule.self_purchase_article))
    text = message("rules.admission.no-match", path=use.path, item=use.item)
    return Refusal("NotInCatalog", text, clause(policy, rule.catalogue_article))


def _names(content: RequestContent, pool: CloudPool) -> Iterator[Refusal]:
    """Images and the network, where the pool lists what it has; a pool without a list takes any name."""
    mappings, name = pool.spec.mappings, pool.metadata.name
    for server in content.servers:
        if not _has(mappings.images, server.image):
            known = _listed(mappings.images)
            text = message(
                "rules.admission.image", server=server.name, image=server.image, pool=name, known=known
            )
            yield Refusal("UnknownImage", text, "")
    network = content.system.network.value
    if not _has(mappings.networks, network):
        known = _listed(mappings.networks)
        text = message("rules.admission.network", network=network, pool=name, known=known)
        yield Refusal("UnknownNetwork", text, "")


def _has(mappings: list[Mapping], name: str) -> bool:
    return not mappings or any(mapping.name == name for mapping in mappings)


def _listed(mappings: list[Mapping]) -> str:
    return ", ".join(mapping.name for mapping in mappings)


def _same_group(
    held: Server, wanted: Server, policy: CloudPolicySpec, catalog: ServiceCatalog
) -> Iterator[Refusal]:
    """What can't be done to servers that hold data: a smaller disk or none, another class, another image."""
    under = clause(policy, policy.change.article)
    if wanted.image != held.image:
        text = message("rules.admission.image-change", server=wanted.name, image=held.image)
        yield Refusal("ImageChange", text, under)
    yield from _root_disk(held, wanted, under, catalog)
    if wanted.count:
        kept = {disk.name for disk in wanted.data_disks}
        for disk in held.data_disks:
            if disk.name not in kept:
                text = message("rules.admission.disk-removal", server=wanted.name, disk=disk.name)
                yield Refusal("DiskRemoval", text, under)
    disks = {disk.name: disk for disk in held.data_disks}
    for disk in wanted.data_disks:
        before = disks.get(disk.name)
        if before is None:
            continue
        if disk.size_gib < before.size_gib:
            text = message(
                "rules.admission.disk-shrink",
                server=wanted.name,
                disk=disk.name,
                before=before.size_gib,
                after=disk.size_gib,
            )
            yield Refusal("DiskShrink", text, under)
        if _class(catalog, before) != _class(catalog, disk):
            text = message("rules.admission.volume-class-change", server=wanted.name, disk=disk.name)
            yield Refusal("VolumeClassChange", text, under)


def _root_disk(held: Server, wanted: Server, under: str, catalog: ServiceCatalog) -> Iterator[Refusal]:
    before, after = catalog.item(held.item), catalog.item(wanted.item)
    if before is None or after is None:
        return
    had, gets = before.provides.root_disk_gib or 0, after.provides.root_disk_gib or 0
    if gets < had:
        text = message("rules.admission.disk-shrink", server=wanted.name, disk="root", before=had, after=gets)
        yield Refusal("DiskShrink", text, under)


def _class(catalog: ServiceCatalog, disk: DataDisk) -> str | None:
    """The name of the disk's storage item, whether it is in the catalogue or no longer."""
    try:
        item = storage_item(catalog, disk)
    except UnknownItem as unknown:
        return unknown.item
    return None if item is None else item.name
