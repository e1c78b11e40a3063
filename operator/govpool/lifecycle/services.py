"""Services of the catalogue that a person sets up (人工办理): what is wanted, and what was declared."""

from __future__ import annotations

from govpool.api.cloudresourcerequest import (
    ApprovedRevision,
    CloudResourceRequestStatus,
    DeclaredService,
    DesiredState,
    RequestContent,
)
from govpool.api.servicecatalog import Fulfilment, ServiceCatalog
from govpool.api.workorder import Executor, WorkOrder, WorkOrderKind, WorkOrderState
from govpool.lifecycle.observation import RequestObservation


def wanted(content: RequestContent, catalog: ServiceCatalog, *, by_hand: bool) -> dict[str, int]:
    """Item to quantity of what a person sets up: in a pool that only people reach that is every service."""
    if content.state is DesiredState.DEREGISTERED:
        return {}
    found: dict[str, int] = {}
    for service in content.services:
        item = catalog.item(service.item)
        if by_hand or (item is not None and item.fulfilment is Fulfilment.MANUAL):
            found[service.item] = found.get(service.item, 0) + service.quantity
    return found


def held(status: CloudResourceRequestStatus) -> dict[str, int]:
    """Item to quantity of what was declared to be there."""
    return {one.item: one.quantity for one in status.services}


def difference(before: dict[str, int], after: dict[str, int]) -> dict[str, str]:
    """What a person is told to do, item by item: ``2 -> 5``. Zero is: not there."""
    return {
        item: f"{before.get(item, 0)} -> {after.get(item, 0)}"
        for item in sorted({*before, *after})
        if before.get(item, 0) != after.get(item, 0)
    }


def declared(
    observation: RequestObservation, approved: ApprovedRevision | None, before: CloudResourceRequestStatus
) -> list[DeclaredService]:
    """The services after what persons reported on the orders of the revision in force."""
    if approved is None:
        return before.services
    known = {one.item: one for one in before.services}
    orders = [order for order in observation.orders if _carried_out(order, approved.revision)]
    for order in sorted(orders, key=lambda one: one.metadata.name):
        known = _after(known, order)
    return [known[item] for item in sorted(known)]


def _carried_out(order: WorkOrder, revision: int) -> bool:
    return (
        order.spec.work is WorkOrderKind.MANUAL
        and order.spec.revision == revision
        and order.spec.executor is Executor.PERSON
        and order.status is not None
        and order.status.state is WorkOrderState.SUCCEEDED
    )


def _after(known: dict[str, DeclaredService], order: WorkOrder) -> dict[str, DeclaredService]:
    outcome = order.spec.outcome
    if outcome is None:
        return known
    result = dict(known)
    for item, step in order.spec.parameters.items():
        quantity = int(step.rpartition(" ")[2])
        if quantity == 0:
            result.pop(item, None)
        elif item not in result or result[item].quantity != quantity:
            result[item] = DeclaredService(
                item=item, quantity=quantity, order=order.metadata.name, by=outcome.by, at=outcome.at
            )
    return result
