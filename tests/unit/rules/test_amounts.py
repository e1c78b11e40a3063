"""What content takes and costs."""

from decimal import Decimal
from typing import Any

import pytest
from rules_support import Obj, catalog, content, documents, group, policy

from govpool.api.tenantquota import Amounts
from govpool.rules.amounts import amounts, fee_per_year, yearly_fee
from govpool.rules.errors import UnknownItem

CATALOG = catalog()
LEAVING = {"state": "Deregistered", "deregistration": {"reason": "NoLongerNeeded"}}


def needed(**patch: Any) -> Amounts:
    return amounts(content(patch), CATALOG)


def test_the_example_takes_two_servers_with_root_and_data_disks() -> None:
    assert needed() == Amounts(servers=2, vcpu=2, memory_gib=2, storage_gib=4)
    assert fee_per_year(content(), CATALOG) == Decimal("1255.20")


def test_the_example_change_adds_a_server_and_memory() -> None:
    changed = content(documents("examples/04-change.yaml")[0]["spec"])
    assert amounts(changed, CATALOG) == Amounts(servers=3, vcpu=3, memory_gib=4, storage_gib=6)
    assert fee_per_year(changed, CATALOG) == Decimal("2134.80")


def test_other_items_count_by_their_quantity() -> None:
    services = [
        {"item": "net-internet", "quantity": 10},
        {"item": "net-public-address", "quantity": 2},
        {"item": "evs-fast", "quantity": 5},
        {"item": "sec-waf"},
    ]
    found = needed(servers=[group(count=0)], services=services)
    assert found == Amounts(bandwidth_mbps=10, public_addresses=2, storage_gib=5)
    fee = fee_per_year(content({"servers": [], "services": services}), CATALOG)
    assert fee == Decimal("13722.00")  # 10 x 960 + 2 x 240 + 5 x 8.40 + 3600


def test_a_disk_is_billed_by_its_class_or_else_the_first() -> None:
    def of(disk: Obj) -> Decimal:
        return fee_per_year(content({"servers": [group(dataDisks=[disk])]}), CATALOG) - Decimal(624)

    assert of({"name": "d", "sizeGiB": 10, "volumeClass": "evs-fast"}) == Decimal("84.00")
    assert of({"name": "d", "sizeGiB": 10}) == Decimal("36.00")


def test_started_units_of_storage_are_whole_units() -> None:
    items = [
        item.model_copy(update={"provides": item.provides.model_copy(update={"storage_gib": 100})})
        if item.name == "evs-standard"
        else item
        for item in CATALOG.spec.items
    ]
    hundreds = CATALOG.model_copy(update={"spec": CATALOG.spec.model_copy(update={"items": items})})
    for gib, units in ((1, 1), (100, 1), (101, 2)):
        wanted = content({"servers": [group(gib=gib)]})
        assert fee_per_year(wanted, hundreds) == Decimal(624) + units * Decimal("3.60")


def expansion(starts: str, ends: str, count: int) -> Obj:
    return {"server": "app", "additionalCount": count, "starts": starts, "ends": ends}


@pytest.mark.parametrize(
    ("expansions", "servers"),
    [
        ([expansion("2026-12-01", "2026-12-31", 3)], 4),
        ([expansion("2026-12-01", "2026-12-31", 3), expansion("2027-01-01", "2027-01-31", 2)], 4),
        ([expansion("2026-12-01", "2026-12-31", 3), expansion("2026-12-31", "2027-01-31", 2)], 6),
    ],
)
def test_of_temporary_expansions_those_count_together_that_overlap(
    expansions: list[Obj], servers: int
) -> None:
    found = needed(servers=[group()], term={"temporary": expansions})
    assert (found.servers, found.vcpu, found.storage_gib) == (servers, servers, 2 * servers)
    wanted = content({"servers": [group()], "term": {"temporary": expansions}})
    assert fee_per_year(wanted, CATALOG) == fee_per_year(content({"servers": [group()]}), CATALOG)


def test_wh_30_a_business_cycle_is_reserved_at_its_highest() -> None:
    cycle = {"name": "year-end", "starts": "12-20", "ends": "01-20", "server": "app", "count": 4}
    assert needed(servers=[group(count=2)], businessCycles=[cycle]).servers == 4
    assert needed(servers=[group(count=2)], businessCycles=[cycle | {"count": 1}]).servers == 2


@pytest.mark.parametrize(
    ("cycle", "more"),
    [
        # Two servers more for 32 days of a common year; none more; fewer: they are kept, at their price.
        ({"count": 4}, Decimal("110.04")),  # 2 x 627.60 x 32 / 365
        ({"count": 2}, Decimal(0)),
        ({"count": 1}, Decimal(0)),
        ({"starts": "02-01", "ends": "02-29", "count": 3}, Decimal("48.14")),  # 627.60 x 28 / 365
    ],
)
def test_wh_30_a_busy_period_is_paid_by_its_days(cycle: Obj, more: Decimal) -> None:
    year_end = {"name": "busy", "starts": "12-20", "ends": "01-20", "server": "app", "count": 4}
    wanted = content({"servers": [group(count=2)], "businessCycles": [year_end | cycle]})
    plain = fee_per_year(wanted, CATALOG)
    assert yearly_fee(wanted, policy("weihai-2025").spec, CATALOG) == plain + more
    # Where the periods are a record nothing is opened for them, and nothing is paid.
    assert yearly_fee(wanted, policy("bozhou-2024").spec, CATALOG) == plain


def test_a_deregistered_content_needs_and_costs_nothing() -> None:
    assert needed(**LEAVING) == Amounts()
    assert fee_per_year(content(LEAVING), CATALOG) == Decimal("0.00")
    assert needed(**LEAVING, servers=[group(item="gone")]) == Amounts()


@pytest.mark.parametrize(
    "patch",
    [
        {"servers": [group(item="gone")]},
        {"services": [{"item": "gone"}]},
        {"servers": [group(dataDisks=[{"name": "d", "sizeGiB": 1, "volumeClass": "gone"}])]},
    ],
)
def test_an_unknown_item_is_never_free(patch: Obj) -> None:
    with pytest.raises(UnknownItem, match="gone"):
        fee_per_year(content(patch), CATALOG)


def test_an_unknown_item_is_never_nothing() -> None:
    with pytest.raises(UnknownItem, match="gone"):
        needed(servers=[group(item="gone")])
