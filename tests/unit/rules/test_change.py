"""What an edit asks for."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rules_support import (
    BOZHOU_CHANGE,
    BOZHOU_TEMPORARY,
    JINAN_CHANGE,
    Obj,
    catalog,
    content,
    documents,
    group,
    rules,
)

from govpool.api.cloudpolicy import ApplicationType, CloudPolicySpec
from govpool.api.cloudresourcerequest import RequestContent
from govpool.rules.change import Classification, classify

YIYANG, WEIHAI = rules(), rules("weihai-2025")
BOZHOU = rules(code="BZ", change=BOZHOU_CHANGE, temporary=BOZHOU_TEMPORARY)
JINAN = rules(code="JN", change=JINAN_CHANGE)
CATALOG = catalog()
EMERGENCY = {"term": {"kind": "Emergency", "emergency": {"cause": "防汛"}}}
LEAVING = {"state": "Deregistered", "deregistration": {"reason": "NoLongerNeeded"}}


def servers(count: int, **more: Any) -> RequestContent:
    return content({"servers": [group(count=count, **more)]})


def judged(policy: CloudPolicySpec, before: RequestContent | None, after: RequestContent) -> Classification:
    return classify(before, after, policy=policy, catalog=CATALOG)


def test_yy_19_what_has_nothing_in_force_is_new() -> None:
    found = judged(YIYANG, None, content())
    assert (found.application, found.clause) == (ApplicationType.NEW, "YY-19(2)")


@pytest.mark.parametrize("count", [1, 2, 50])
def test_yy_20_every_change_is_a_change(count: int) -> None:
    found = judged(YIYANG, servers(2), servers(count))
    assert (found.application, found.clause) == (ApplicationType.CHANGE, "YY-20")


def test_yy_20_the_example_change_is_a_change() -> None:
    patch = documents("examples/04-change.yaml")[0]["spec"]
    assert judged(YIYANG, content(), content(patch)).application is ApplicationType.CHANGE


@pytest.mark.parametrize("count", [1, 2, 3])
def test_wh_20_every_change_goes_the_application_way(count: int) -> None:
    found = judged(WEIHAI, servers(2), servers(count))
    assert (found.application, found.clause) == (ApplicationType.MAJOR_CHANGE, "WH-20")


@pytest.mark.parametrize(
    ("before", "after", "major"),
    [
        (2, 3, False),  # exactly half is not more
        (2, 1, False),
        (4, 6, False),
        (4, 7, True),
        (4, 2, False),
        (4, 1, True),  # giving back counts like asking for more
        (10, 15, False),
        (10, 16, True),
    ],
)
def test_bz_22_more_than_half_of_what_is_held_is_major(before: int, after: int, major: bool) -> None:
    found = judged(BOZHOU, servers(before), servers(after))
    assert found.application is (ApplicationType.MAJOR_CHANGE if major else ApplicationType.CHANGE)
    assert found.clause == "BZ-22"
    assert not major or found.message.key == "rules.change.above.Servers"


@pytest.mark.parametrize(
    ("after", "dimension"),
    [
        (group(count=4, item="ecs-2c2g"), "VCPU"),
        (group(count=4, item="ecs-1c2g"), "Memory"),
        (group(count=4, gib=3), "Storage"),  # (1+3)/(1+1): doubled
    ],
)
def test_bz_22_any_one_dimension_counts(after: Obj, dimension: str) -> None:
    found = judged(BOZHOU, servers(4), content({"servers": [after]}))
    assert found.message.key == f"rules.change.above.{dimension}"


def test_bz_22_the_fee_counts_by_its_growth_only() -> None:
    before = content({"servers": [group(count=4)]})
    dear = content({"servers": [group(count=4)], "services": [{"item": "sec-waf"}]})
    assert judged(BOZHOU, before, dear).message.key == "rules.change.above.Fee"
    assert judged(BOZHOU, dear, before).application is ApplicationType.CHANGE


def test_bz_22_something_where_nothing_was_is_more_than_any_share() -> None:
    before = content({"servers": [group(count=100)]})
    after = content({"servers": [group(count=100)], "services": [{"item": "net-internet"}]})
    assert judged(BOZHOU, before, after).message.key == "rules.change.above.Bandwidth"


@pytest.mark.parametrize(
    ("after", "application"),
    [
        (group(count=1), ApplicationType.CHANGE),
        (group(count=2, item="ecs-4c8g"), ApplicationType.CHANGE),  # another size is no other category
        (group(count=2, gib=100), ApplicationType.CHANGE),
        (group(count=3), ApplicationType.MAJOR_CHANGE),
    ],
)
def test_jn_17_a_larger_quantity_goes_the_application_way(after: Obj, application: ApplicationType) -> None:
    found = judged(JINAN, servers(2), content({"servers": [after]}))
    assert (found.application, found.clause) == (application, "JN-17")


@pytest.mark.parametrize(
    ("before", "after", "major"),
    [
        ([], [{"item": "sec-waf"}], True),
        ([{"item": "sec-waf"}], [{"item": "sec-waf", "quantity": 2}], True),
        ([{"item": "sec-waf", "quantity": 2}], [{"item": "sec-waf"}], False),
        ([{"item": "sec-waf"}], [], False),
    ],
)
def test_jn_17_a_new_category_goes_the_application_way(
    before: list[Obj], after: list[Obj], major: bool
) -> None:
    found = judged(JINAN, content({"services": before}), content({"services": after}))
    assert (found.application is ApplicationType.MAJOR_CHANGE) is major


@pytest.mark.parametrize("policy", [YIYANG, WEIHAI, BOZHOU, JINAN])
def test_yy_21_the_end_of_use_is_a_deregistration_whatever_else_changed(policy: CloudPolicySpec) -> None:
    found = judged(policy, servers(2), content(LEAVING | {"servers": [group(count=40)]}))
    assert found.application is ApplicationType.DEREGISTRATION
    assert judged(policy, None, content(LEAVING)).application is ApplicationType.DEREGISTRATION


def test_yy_23_an_emergency_is_issued_first() -> None:
    found = judged(YIYANG, None, content(EMERGENCY))
    assert (found.application, found.clause) == (ApplicationType.EMERGENCY, "YY-23")
    again = judged(YIYANG, content(), content(EMERGENCY))
    assert again.application is ApplicationType.EMERGENCY


def test_yy_23_completing_the_papers_goes_the_application_way() -> None:
    found = judged(YIYANG, content(EMERGENCY), content())
    assert (found.application, found.clause) == (ApplicationType.MAJOR_CHANGE, "YY-23")


def test_yy_23_a_change_under_the_same_emergency_is_a_change() -> None:
    found = judged(YIYANG, content(EMERGENCY), content(EMERGENCY | {"servers": [group(count=3)]}))
    assert found.application is ApplicationType.CHANGE


def expansion(count: int, ends: str = "2026-12-31") -> Obj:
    return {"server": "app", "additionalCount": count, "starts": "2026-12-01", "ends": ends}


def test_bz_22_a_temporary_expansion_alone_is_temporary() -> None:
    wanted = content({"term": {"temporary": [expansion(9)]}})
    found = judged(BOZHOU, content(), wanted)
    assert (found.application, found.clause) == (ApplicationType.TEMPORARY, "BZ-22")
    longer = content({"term": {"temporary": [expansion(9, "2027-01-31")]}})
    assert judged(BOZHOU, wanted, longer).application is ApplicationType.TEMPORARY
    assert judged(BOZHOU, wanted, content()).application is ApplicationType.CHANGE


def test_bz_22_with_anything_else_it_is_a_change() -> None:
    wanted = content({"term": {"temporary": [expansion(9)]}, "system": {"purpose": "另一用途"}})
    assert judged(BOZHOU, content(), wanted).application is ApplicationType.CHANGE


@pytest.mark.parametrize("policy", [BOZHOU, JINAN])
def test_what_cant_be_compared_goes_the_application_way(policy: CloudPolicySpec) -> None:
    found = judged(policy, servers(2), servers(2, item="gone"))
    assert found.application is ApplicationType.MAJOR_CHANGE
    assert dict(found.message.values)["item"] == "gone"


@given(before=st.integers(1, 100), after=st.integers(1, 100))
def test_half_is_measured_alike_upwards_and_downwards(before: int, after: int) -> None:
    found = judged(BOZHOU, servers(before), servers(after))
    major = abs(after - before) * 2 > before
    assert (found.application is ApplicationType.MAJOR_CHANGE) is major


@given(
    st.lists(
        st.tuples(st.sampled_from(["app", "db"]), st.integers(0, 9)), unique_by=lambda x: x[0], min_size=1
    )
)
def test_no_change_is_never_major(groups: list[tuple[str, int]]) -> None:
    held = content({"servers": [group(name, count) for name, count in groups]})
    for policy in (YIYANG, BOZHOU, JINAN):
        assert judged(policy, held, held).application is ApplicationType.CHANGE
