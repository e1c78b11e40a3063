"""Who executes (YY-4, YY-19): the organ, the provider through its API, or a person who says so."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from lifecycle_builders import NOW, opened, request, revision, servers, stage, stored
from rules_support import catalog, pool

from govpool.api.base import RETRY_ANNOTATION
from govpool.api.cloudpolicy import Stage
from govpool.api.cloudresourcerequest import CloudResourceRequestStatus, StageState
from govpool.api.cloudserver import CloudServer
from govpool.api.servicecatalog import CatalogItem, ServiceCatalog
from govpool.api.workorder import ManualOutcome, WorkOrder, WorkOrderKind, WorkOrderState
from govpool.lifecycle import services, work_order
from govpool.lifecycle.actions import Create, WriteStatus
from govpool.lifecycle.decision import StageResult
from govpool.lifecycle.observation import OrderObservation
from govpool.lifecycle.stages import issued
from govpool.lifecycle.stages.choice import stage_of
from govpool.lifecycle.stages.context import StageContext

PURCHASED = {"operatingMode": "PurchasedService"}
BY_HAND = PURCHASED | {"connection": {"provider": "manual"}}
SERVICE = "waf"


def answer(context: StageContext) -> StageResult:
    return issued.told(context, stage_of(context)(context))


def made(result: StageResult) -> list[WorkOrder]:
    found = [a.resource for a in result.actions if isinstance(a, Create)]
    return [one for one in found if isinstance(one, WorkOrder)]


def reported(order: WorkOrder, *, succeeded: bool = True, **facts: Any) -> WorkOrder:
    """The order after its person's word, as the order's own decision judges it."""
    outcome = ManualOutcome(by="chen", at=NOW, succeeded=succeeded, statement="well", **facts)
    told = stored(order).model_copy(update={"spec": order.spec.model_copy(update={"outcome": outcome})})
    (write,) = work_order.decide(OrderObservation(told, NOW, "me", False, False)).actions
    assert isinstance(write, WriteStatus)
    return told.model_copy(update={"status": write.status})


def with_service() -> ServiceCatalog:
    base = catalog()
    item = CatalogItem.model_validate(
        {
            "name": SERVICE,
            "title": {"en": "Firewall", "zh": "防火墙"},
            "category": "Security",
            "unit": "set",
            "provides": {},
            "pricePerYear": "100",
            "fulfilment": "Manual",
        }
    )
    return base.model_copy(update={"spec": base.spec.model_copy(update={"items": [*base.spec.items, item]})})


# -- who executes --------------------------------------------------------------------------------
def test_yy_4_a_self_built_pool_issues_no_order_to_a_provider() -> None:
    assert made(answer(stage(Stage.PROVISION))) == []


def test_yy_19_a_purchased_pool_has_the_order_on_record_before_anything_is_done_under_it() -> None:
    result = answer(stage(Stage.PROVISION, pool=pool(**PURCHASED)))
    (order,) = made(result)
    assert (order.spec.role.value, order.spec.executor.value) == ("provider", "api")
    assert order.spec.work is WorkOrderKind.PROVISION
    first = result.actions[0]
    assert isinstance(first, Create)
    assert first.resource == order
    assert sorted(order.spec.servers) == sorted(
        a.resource.metadata.name
        for a in result.actions
        if isinstance(a, Create) and isinstance(a.resource, CloudServer)
    )


def test_yy_19_the_order_ends_once_its_servers_are_seen_to_run() -> None:
    (order,) = made(answer(stage(Stage.PROVISION, pool=pool(**PURCHASED))))
    running = tuple(opened(server) for server in servers())
    result = answer(stage(Stage.PROVISION, pool=pool(**PURCHASED), servers=running, orders=(stored(order),)))
    assert result.done
    (write,) = [a for a in result.actions if isinstance(a, WriteStatus)]
    assert write.status.state is WorkOrderState.SUCCEEDED  # type: ignore[attr-defined]
    assert made(result) == []


def test_no_run_is_begun_for_an_order_of_the_providers_api() -> None:
    (order,) = made(answer(stage(Stage.PROVISION, pool=pool(**PURCHASED))))
    decision = work_order.decide(OrderObservation(stored(order), NOW, "me", False, False))
    assert (decision.actions, decision.look_again) == ((), None)


# -- by a person's word ----------------------------------------------------------------------------
@pytest.mark.parametrize("mode", ["SelfBuilt", "PurchasedService"])
def test_yy_19_who_answers_for_a_persons_order(mode: str) -> None:
    found = pool(**(BY_HAND | {"operatingMode": mode}))
    (order,) = made(answer(stage(Stage.PROVISION, pool=found)))
    role = "provider" if mode == "PurchasedService" else "operator"
    assert (order.spec.role.value, order.spec.executor.value) == (role, "person")


def test_a_word_that_lacks_the_address_carries_nothing_on() -> None:
    of_hand = pool(**BY_HAND)
    (order,) = made(answer(stage(Stage.PROVISION, pool=of_hand)))
    told = reported(order)
    assert told.status is not None
    assert told.status.state is WorkOrderState.FAILED
    result = answer(stage(Stage.PROVISION, pool=of_hand, servers=servers(), orders=(told,)))
    assert (result.state, result.message.key) == (StageState.FAILED, "declared.lacks")


def test_another_attempt_is_another_order_since_what_was_reported_stands() -> None:
    of_hand = pool(**BY_HAND)
    (order,) = made(answer(stage(Stage.PROVISION, pool=of_hand)))
    told = reported(order, succeeded=False)
    meta = told.metadata.model_copy(update={"annotations": {RETRY_ANNOTATION: "1"}})
    asked = told.model_copy(update={"metadata": meta})
    again = answer(stage(Stage.PROVISION, pool=of_hand, servers=servers(), orders=(asked,)))
    (second,) = made(again)
    assert second.metadata.name != order.metadata.name
    assert second.spec.run_key != order.spec.run_key
    waiting = answer(stage(Stage.PROVISION, pool=of_hand, servers=servers(), orders=(asked, stored(second))))
    assert made(waiting) == []
    assert waiting.state is StageState.WAITING


# -- services that a person sets up ------------------------------------------------------------------
def asks(quantity: int) -> Any:
    patch = {"services": [{"item": SERVICE, "quantity": quantity}]} if quantity else {"services": []}
    return request(patch)


def provision(of: Any, status: CloudResourceRequestStatus | None = None, **given: Any) -> StageContext:
    running = tuple(opened(server) for server in servers())
    context = stage(Stage.PROVISION, of, servers=running, **given)
    return context._replace(catalog=with_service(), status=status or CloudResourceRequestStatus())


@pytest.mark.parametrize(
    ("held", "wanted", "told"), [(0, 2, "0 -> 2"), (2, 5, "2 -> 5"), (5, 0, "5 -> 0"), (3, 3, None)]
)
def test_yy_19_a_service_that_a_person_sets_up_gets_an_order(
    held: int, wanted: int, told: str | None
) -> None:
    known = [{"item": SERVICE, "quantity": held, "order": "o", "by": "chen", "at": NOW}] if held else []
    status = CloudResourceRequestStatus.model_validate({"services": known})
    result = answer(provision(asks(wanted), status))
    orders = made(result)
    assert [one.spec.parameters for one in orders] == ([{SERVICE: told}] if told else [])
    assert result.done is (told is None)
    assert all(one.spec.executor.value == "person" for one in orders)


def test_a_service_is_there_once_it_was_declared() -> None:
    of = asks(2)
    context = provision(of)
    (order,) = made(answer(context))
    told = reported(order)
    observation = replace(context.observation, orders=(told,), now=NOW + timedelta(hours=1))
    (found,) = services.declared(observation, revision(of), CloudResourceRequestStatus())
    assert (found.item, found.quantity, found.by) == (SERVICE, 2, "chen")
    done = answer(provision(of, CloudResourceRequestStatus(services=[found]), orders=(told,)))
    assert done.done
