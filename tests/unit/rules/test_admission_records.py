"""What an application states beside what is issued: YY-19(1), BZ-16, WH-19(1), YY-28."""

from __future__ import annotations

import pytest
from rules_support import Obj, catalog, content, policy, pool, refusals, request

from govpool.api.cloudpolicy import ApplicationType
from govpool.api.servicecatalog import Fulfilment, ServiceCatalog
from govpool.rules import admission_records
from govpool.rules.revision import content_hash

BOUGHT = {"what": "Tape library", "why": "nothing keeps data for thirty years"}


def test_yy_19_1_what_a_unit_buys_itself_is_part_of_what_is_approved() -> None:
    assert refusals({"selfPurchases": [BOUGHT]}) == {}
    asked = content({"selfPurchases": [BOUGHT]})
    assert [one.what for one in asked.self_purchases] == ["Tape library"]
    assert content_hash(asked) != content_hash(content())


def test_bz_16_a_policy_that_names_no_own_purchase_refuses_it() -> None:
    admission = policy().spec.admission.model_dump(by_alias=True) | {"selfPurchaseArticle": None}
    found = refusals({"selfPurchases": [BOUGHT]}, policy=policy(admission=admission))
    assert found["SelfPurchaseNotProvided"].clause == "YY-11, YY-19(1)"


def test_yy_11_what_the_directory_has_is_not_bought_elsewhere() -> None:
    item = catalog().spec.items[0]
    for name in (item.name, item.title.zh):
        found = refusals({"selfPurchases": [BOUGHT | {"what": name}]})
        assert found["SelfPurchaseInCatalog"].clause == "YY-19(1)"


@pytest.mark.parametrize(("basis", "refused"), [("", True), ("  ", True), ("120 papers a day", False)])
def test_wh_19_1_the_need_comes_with_its_basis(basis: str, refused: bool) -> None:
    found = refusals({"needBasis": basis}, policy=policy("weihai-2025"))
    assert ("NeedBasisMissing" in found) is refused
    if refused:
        assert found["NeedBasisMissing"].clause == "WH-19(1)"
    assert "NeedBasisMissing" not in refusals({"needBasis": basis})


CHECK: Obj = {"passed": True, "reference": "安测〔2026〕1号", "date": "2026-01-05"}


def changed_item(**more: object) -> ServiceCatalog:
    base = catalog()
    items = [item.model_copy(update=more) if item.name == "ecs-1c1g" else item for item in base.spec.items]
    return base.model_copy(update={"spec": base.spec.model_copy(update={"items": items})})


def reasons(of: ServiceCatalog, **spec: Obj | str) -> list[tuple[str, str]]:
    found = admission_records.check(
        request().spec,
        content(),
        ApplicationType.NEW,
        policy=policy().spec,
        catalog=of,
        pool=pool(**spec),
    )
    return [(one.reason, one.clause) for one in found]


def test_yy_28_what_fails_the_security_requirements_is_not_deployed() -> None:
    assert reasons(catalog()) == []
    assert set(reasons(changed_item(meets_security_requirements=False))) == {("ProductInsecure", "YY-28")}


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        ({}, None),
        ({"onCloud": True}, "ProductUnchecked"),
        ({"onCloud": True, "securityCheck": CHECK | {"passed": False}}, "ProductInsecure"),
        ({"onCloud": True, "securityCheck": CHECK}, None),
    ],
)
def test_yy_28_what_a_unit_bought_is_deployed_only_when_it_meets_the_requirements(
    more: Obj, reason: str | None
) -> None:
    found = refusals({"selfPurchases": [BOUGHT | more]})
    assert {one: found[one].clause for one in found} == ({reason: "YY-28"} if reason else {})
    # A policy without the article asks for no check.
    assert (
        refusals({"selfPurchases": [BOUGHT | more]}, policy=policy("bozhou-2024"))
        .keys()
        .isdisjoint({"ProductUnchecked", "ProductInsecure"})
    )


def test_a_server_that_a_person_sets_up_is_not_issued_by_a_machine() -> None:
    manual = changed_item(fulfilment=Fulfilment.MANUAL)
    assert {reason for reason, _ in reasons(manual)} == {"SetUpByAPerson"}
    assert reasons(manual, connection={"provider": "manual"}) == []
