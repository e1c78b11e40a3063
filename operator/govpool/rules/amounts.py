"""What content takes in every dimension of a quota, and what it costs in a year."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import ROUND_HALF_UP, Decimal

from govpool.api.base import Day
from govpool.api.cloudpolicy import CloudPolicySpec
from govpool.api.cloudresourcerequest import DataDisk, DesiredState, RequestContent, Server
from govpool.api.servicecatalog import CatalogItem, ServiceCatalog
from govpool.api.tenantquota import Amounts
from govpool.rules.catalogue import known, storage_item
from govpool.rules.cycles import length
from govpool.rules.remembered import once

DAYS_OF_A_YEAR = 365
_FEN = Decimal("0.01")


@once
def amounts(content: RequestContent, catalog: ServiceCatalog) -> Amounts:
    """The most that the content may ever take at once: what is reserved for it.

    Root and data disks count as storage. Of temporary expansions those count together that overlap; of a
    business cycle its highest count. A deregistered content needs nothing. Raises UnknownItem.
    """
    if content.state is DesiredState.DEREGISTERED:
        return Amounts()
    most = _amounts(content, catalog, extra={})
    for expansion in content.term.temporary:
        most = most.greatest(_amounts(content, catalog, extra=_active(content, expansion.starts)))
    return most


@once
def fee_per_year(content: RequestContent, catalog: ServiceCatalog) -> Decimal:
    """The fee of what is held permanently for a whole year, in CNY with two decimals.

    Temporary expansions are settled by their days and are not part of it. Raises UnknownItem.
    """
    if content.state is DesiredState.DEREGISTERED:
        return Decimal(0).quantize(_FEN)
    return sum(_fees(content, catalog), Decimal(0)).quantize(_FEN, ROUND_HALF_UP)


def yearly_fee(content: RequestContent, policy: CloudPolicySpec, catalog: ServiceCatalog) -> Decimal:
    """:func:`fee_per_year`, with the business cycles where resources follow them (WH-30).

    What a busy period adds counts by its days. What a quiet one switches off is kept, disks and all, and its
    price stays. Raises UnknownItem.
    """
    fee = fee_per_year(content, catalog)
    if policy.business_cycles is None or not content.business_cycles:
        return fee
    return sum(_seasonal(content, catalog), fee).quantize(_FEN, ROUND_HALF_UP)


def _seasonal(content: RequestContent, catalog: ServiceCatalog) -> Iterator[Decimal]:
    for cycle in content.business_cycles:
        for server in content.servers:
            if server.name == cycle.server and cycle.count > server.count:
                yield _each(server, catalog) * (cycle.count - server.count) * length(cycle) / DAYS_OF_A_YEAR


def _each(server: Server, catalog: ServiceCatalog) -> Decimal:
    """What one server of the group costs in a year, its data disks included."""
    disks = (_disk_fee(disk, catalog) for disk in server.data_disks)
    return sum(disks, Decimal(known(catalog, server.item).price_per_year))


def _fees(content: RequestContent, catalog: ServiceCatalog) -> Iterator[Decimal]:
    for server in content.servers:
        yield _each(server, catalog) * server.count
    for service in content.services:
        yield Decimal(known(catalog, service.item).price_per_year) * service.quantity


def _disk_fee(disk: DataDisk, catalog: ServiceCatalog) -> Decimal:
    item = storage_item(catalog, disk)
    if item is None:
        return Decimal(0)
    started_units = -(-disk.size_gib // (item.provides.storage_gib or 1))
    return Decimal(item.price_per_year) * started_units


def _active(content: RequestContent, day: Day) -> dict[str, int]:
    """Servers of each group that temporary expansions add on one day."""
    extra: dict[str, int] = {}
    for expansion in content.term.temporary:
        if expansion.starts <= day <= expansion.ends:
            extra[expansion.server] = extra.get(expansion.server, 0) + expansion.additional_count
    return extra


def _amounts(content: RequestContent, catalog: ServiceCatalog, extra: dict[str, int]) -> Amounts:
    total = Amounts()
    for server in content.servers:
        count = _count(content, server) + extra.get(server.name, 0)
        total = total.plus(_servers(server, known(catalog, server.item), count))
    for service in content.services:
        total = total.plus(_units(known(catalog, service.item), service.quantity))
    return total


def _count(content: RequestContent, server: Server) -> int:
    cycles = (cycle.count for cycle in content.business_cycles if cycle.server == server.name)
    return max((server.count, *cycles))


def _servers(server: Server, item: CatalogItem, count: int) -> Amounts:
    gives = item.provides
    disks = (gives.root_disk_gib or 0) + sum(disk.size_gib for disk in server.data_disks)
    return Amounts(
        servers=count,
        vcpu=count * (gives.vcpu or 0),
        memory_gib=count * (gives.memory_gib or 0),
        storage_gib=count * disks,
    )


def _units(item: CatalogItem, quantity: int) -> Amounts:
    gives = item.provides
    return Amounts(
        vcpu=quantity * (gives.vcpu or 0),
        memory_gib=quantity * (gives.memory_gib or 0),
        storage_gib=quantity * ((gives.root_disk_gib or 0) + (gives.storage_gib or 0)),
        bandwidth_mbps=quantity * (gives.bandwidth_mbps or 0),
        public_addresses=quantity * (gives.public_addresses or 0),
    )
