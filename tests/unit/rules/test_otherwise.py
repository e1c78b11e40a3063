"""What would have made it otherwise: whatever is suggested, done, really turns the rule's answer."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rules_support import (
    BOZHOU_CHANGE,
    BOZHOU_TEMPORARY,
    JINAN_CHANGE,
    NOW,
    Obj,
    catalog,
    content,
    group,
    policy,
    pool,
    quota,
    request,
    rules,
)

from govpool.api.cloudpolicy import ApplicationType, CloudPolicySpec, Dimension
from govpool.api.cloudresourcerequest import CloudResourceRequestSpec, RequestContent
from govpool.api.tenantquota import Amounts, PoolLimit, Reservation, TenantQuotaStatus
from govpool.rules.admission import admit
from govpool.rules.change import Classification, classify
from govpool.rules.otherwise import (
    OtherContent,
    moved,
    nothing_turns,
    other_admission,
    other_classification,
    other_quota,
    other_refusal,
)
from govpool.rules.quota import check
from govpool.rules.refusal import Refusal

CATALOG = catalog()
BOZHOU = rules(code="BZ", change=BOZHOU_CHANGE, temporary=BOZHOU_TEMPORARY)
JINAN = rules(code="JN", change=JINAN_CHANGE)
POLICIES = {"yiyang": rules(), "weihai": rules("weihai-2025"), "bozhou": BOZHOU, "jinan": JINAN}
MAJOR, CHANGE = ApplicationType.MAJOR_CHANGE, ApplicationType.CHANGE


def servers(count: int, **more: Any) -> RequestContent:
    return content({"servers": [group(count=count, **more)]})


def others(
    regulation: CloudPolicySpec, before: RequestContent | None, after: RequestContent
) -> tuple[Classification, tuple[OtherContent, ...]]:
    def ask(wanted: RequestContent) -> Classification:
        return classify(before, wanted, policy=regulation, catalog=CATALOG)

    found = ask(after)
    turned = other_classification(before, after, found, ask)
    for one in turned:
        assert ask(one.content).application is one.application
        assert one.application is not found.application
    return found, turned


# -- classification ------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("held", "asked", "count", "application"),
    [
        (6, 10, 9, CHANGE),  # 50 % of 6 is 3: 9 is the most that is no major change
        (6, 1, 3, CHANGE),  # and 3 the least
        (6, 8, 10, MAJOR),
        (10, 14, 16, MAJOR),
    ],
)
def test_bz_22_the_nearest_count_is_named(
    held: int, asked: int, count: int, application: ApplicationType
) -> None:
    _, turned = others(BOZHOU, servers(held), servers(asked))
    (one,) = [o for o in turned if o.application is application and o.content.servers[0].count == count]
    assert dict(one.message.values)["count"] == str(count)
    assert str(count) in one.message.render("en") and str(count) in one.message.render("zh")


@pytest.mark.parametrize("held", [2, 6, 9])
@pytest.mark.parametrize("asked", [1, 3, 5, 12])
def test_bz_22_one_server_nearer_would_not_turn_it(held: int, asked: int) -> None:
    found, turned = others(BOZHOU, servers(held), servers(asked))
    for one in turned:
        count = one.content.servers[0].count
        nearer = count + (1 if count < asked else -1)
        assert classify(servers(held), servers(nearer), policy=BOZHOU, catalog=CATALOG).application is (
            found.application
        )


def test_bz_22_a_larger_size_is_named_by_its_group() -> None:
    before = content({"servers": [group(count=2), group(name="db", count=1)]})
    after = content({"servers": [group(count=2, item="ecs-4c8g"), group(name="db", count=1)]})
    found, turned = others(BOZHOU, before, after)
    assert found.application is MAJOR
    assert "audit.otherwise.group.Change" in {one.message.key for one in turned}


def test_bz_22_a_group_given_back_is_named() -> None:
    before = content({"servers": [group(count=1), group(name="db", count=3)]})
    after = content({"servers": [group(count=1)]})
    found, turned = others(BOZHOU, before, after)
    assert found.application is MAJOR
    assert any(one.message.key == "audit.otherwise.group.Change" for one in turned)


def test_yy_20_where_every_change_is_a_change_nothing_is_suggested() -> None:
    found, turned = others(POLICIES["yiyang"], servers(2), servers(50))
    assert turned == ()
    assert nothing_turns(found.application).render("en").startswith("No other number")


def test_wh_20_where_every_change_is_major_nothing_is_suggested() -> None:
    assert others(POLICIES["weihai"], servers(2), servers(3))[1] == ()


def test_bz_22_a_temporary_expansion_without_its_period() -> None:
    period = {"server": "app", "additionalCount": 2, "starts": "2026-12-01", "ends": "2026-12-31"}
    before = servers(2)
    after = content({"servers": [group(count=2)], "term": {"temporary": [period]}})
    found, turned = others(BOZHOU, before, after)
    assert found.application is ApplicationType.TEMPORARY
    # Without it nothing would be asked for at all: there is no such other application.
    assert not any(one.message.key.startswith("audit.otherwise.no-period") for one in turned)
    lasting = content({"servers": [group(count=3)], "term": {"temporary": [period]}})
    found, _ = others(BOZHOU, before, lasting)
    assert found.application in (CHANGE, MAJOR)


def test_yy_21_a_deregistration_would_be_something_else_while_active() -> None:
    after = content({"state": "Deregistered", "deregistration": {"reason": "NoLongerNeeded"}})
    _, (one,) = others(POLICIES["yiyang"], content(), after)
    assert one.message.key.startswith("audit.otherwise.active.")


def test_yy_23_a_new_application_would_be_an_emergency() -> None:
    found, (one,) = others(POLICIES["yiyang"], None, content())
    assert (found.application, one.application) == (ApplicationType.NEW, ApplicationType.EMERGENCY)


def groups() -> st.SearchStrategy[list[Obj]]:
    one = st.builds(
        lambda name, count, item, gib: group(name=name, count=count, item=item, gib=gib),
        st.sampled_from(["app", "db", "web"]),
        st.integers(0, 12),
        st.sampled_from([item.name for item in CATALOG.spec.items if item.provides.vcpu]),
        st.integers(1, 64),
    )
    return st.lists(one, min_size=1, max_size=3, unique_by=lambda found: found["name"])


@given(st.sampled_from(sorted(POLICIES)), groups(), groups())
def test_every_suggestion_turns_it(name: str, before: list[Obj], after: list[Obj]) -> None:
    others(POLICIES[name], content({"servers": before}), content({"servers": after}))


@given(groups(), groups())
def test_what_moved_is_what_the_rule_compares(before: list[Obj], after: list[Obj]) -> None:
    """The share that is told decides: some dimension lies above it exactly when the change is major."""
    held, wanted = content({"servers": before}), content({"servers": after})
    found = classify(held, wanted, policy=BOZHOU, catalog=CATALOG)
    above = False
    for one in moved(held, wanted, CATALOG):
        moves = one.after - one.before
        size = moves if one.dimension is Dimension.FEE else abs(moves)
        above |= size * 2 > one.before
        assert (one.percent is None) is (one.before == 0)
    assert found.application is (MAJOR if above else CHANGE)


# -- admission -----------------------------------------------------------------------------------
def asking(spec: CloudResourceRequestSpec, **more: Any) -> tuple[Refusal, ...]:
    given_ = {"policy": policy(), "catalog": CATALOG, "pool": pool(), "quota": quota(), "now": NOW} | more
    made = request().model_copy(update={"spec": spec})
    return admit(made, ApplicationType.NEW, **given_)


@pytest.mark.parametrize(
    ("patch", "reason", "key"),
    [
        ({"system": {"classified": True}}, "Classified", "audit.otherwise.not-classified"),
        ({"system": {"protectionLevel": 4}}, "ProtectionLevelTooHigh", "audit.otherwise.lower-level"),
        ({"materials": []}, "MaterialMissing", "audit.otherwise.paper"),
        (
            {
                "materials": [
                    {"type": kind, "reference": "r", "sha256": "0" * 64, "date": "2027-01-01"}
                    for kind in ("RequestLetter", "ResourceTable")
                ]
            },
            "MaterialInTheFuture",
            "audit.otherwise.paper",
        ),
    ],
)
def test_a_reason_falls_with_what_is_suggested(patch: Obj, reason: str, key: str) -> None:
    spec = request(patch).spec
    refused = [one for one in asking(spec) if one.reason == reason]
    assert refused
    for refusal in refused:
        (other,) = other_refusal(spec, refusal, asking, rules(), NOW.date())
        assert other.message.key == key
        assert refusal.message not in [one.message for one in asking(other.spec)]
        assert refusal.message in [one.message for one in asking(spec)]


def test_a_reason_that_lies_outside_the_application_suggests_nothing() -> None:
    spec = request().spec
    cordoned = pool(state="Cordoned")
    (refusal,) = asking(spec, pool=cordoned)
    assert refusal.reason == "PoolNotOpen"
    assert other_refusal(spec, refusal, lambda s: asking(s, pool=cordoned), rules(), NOW.date()) == ()


def test_what_would_have_kept_it_out_does_keep_it_out() -> None:
    spec = request().spec
    assert asking(spec) == ()
    found = other_admission(spec, asking, rules())
    assert {one.reason for one in found} >= {"Classified", "ProtectionLevelTooHigh", "MaterialMissing"}
    for one in found:
        assert one.reason in [refusal.reason for refusal in asking(one.spec)]


# -- quota ---------------------------------------------------------------------------------------
def envelope(hard: Amounts, held: Amounts) -> Any:
    unit = quota()
    status = TenantQuotaStatus(
        reservations=[
            Reservation(request_uid="b", request="other", pool="local-pool", revision=1, amounts=held)
        ]
    )
    limits = [PoolLimit(pool="local-pool", hard=hard)]
    return unit.model_copy(update={"spec": unit.spec.model_copy(update={"limits": limits}), "status": status})


AMOUNTS = st.builds(
    Amounts,
    servers=st.integers(0, 20),
    vcpu=st.integers(0, 64),
    memory_gib=st.integers(0, 256),
    storage_gib=st.integers(0, 2000),
)


@given(AMOUNTS, AMOUNTS, AMOUNTS)
def test_bz_25_every_suggestion_turns_the_quota(needed: Amounts, hard: Amounts, held: Amounts) -> None:
    def fits(need: Amounts, limit: Amounts) -> bool:
        given_ = envelope(limit, held)
        return check(given_, pool="local-pool", request_uid="a", needed=need, policy=rules()).fits

    now = fits(needed, hard)
    found = other_quota(needed, hard, held, fits)
    if now and needed != Amounts():
        assert found, "what fits has a most"
    for one in found:
        assert one.fits is not now
        assert fits(one.needed, one.hard) is one.fits


def test_bz_25_what_was_free_is_named() -> None:
    def fits(need: Amounts, limit: Amounts) -> bool:
        given_ = envelope(limit, Amounts(servers=4))
        return check(given_, pool="local-pool", request_uid="a", needed=need, policy=rules()).fits

    less, more = other_quota(Amounts(servers=3), Amounts(servers=6), Amounts(servers=4), fits)
    assert "servers 2" in less.message.render("en")
    assert "servers 7" in more.message.render("zh")
