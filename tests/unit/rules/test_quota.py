"""The unit's envelope: never exceeded, and always possible to give back."""

from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from rules_support import quota, rules

from govpool.api.tenantquota import Amounts, Reservation, Standing, TenantQuota, TenantQuotaStatus
from govpool.rules.quota import QuotaVerdict, check, reserved, with_reservation, without_reservation

POOL = "local-pool"
HARD = Amounts(servers=6, vcpu=8, memory_gib=12, storage_gib=24)
YIYANG = rules()


def reservation(uid: str, amounts: Amounts, pool: str = POOL, revision: int = 1) -> Reservation:
    return Reservation(request_uid=uid, request=f"r-{uid}", pool=pool, revision=revision, amounts=amounts)


def unit(*held: Reservation, standing: Standing = Standing.GOOD) -> TenantQuota:
    status = TenantQuotaStatus(reservations=list(held), standing=standing, standing_cause="notice-7")
    return quota().model_copy(update={"status": status})


def asked(given: TenantQuota | None, needed: Amounts, uid: str = "a", pool: str = POOL) -> QuotaVerdict:
    return check(given, pool=pool, request_uid=uid, needed=needed, policy=YIYANG)


@pytest.mark.parametrize(
    ("field", "value", "fits"),
    [
        ("servers", 6, True),
        ("servers", 7, False),
        ("vcpu", 8, True),
        ("vcpu", 9, False),
        ("memory_gib", 12, True),
        ("memory_gib", 13, False),
        ("storage_gib", 24, True),
        ("storage_gib", 25, False),
        ("bandwidth_mbps", 1, False),
        ("public_addresses", 1, False),
    ],
)
def test_bz_25_nothing_beyond_the_hard_limit(field: str, value: int, fits: bool) -> None:
    assert asked(unit(), Amounts(**{field: value})).fits is fits


def test_bz_25_what_others_hold_is_taken() -> None:
    held = unit(reservation("b", Amounts(servers=4)), reservation("c", Amounts(servers=1)))
    assert asked(held, Amounts(servers=1)).fits
    verdict = asked(held, Amounts(servers=2))
    assert not verdict.fits
    assert verdict.message.render() == (
        "The quota in pool local-pool does not suffice: needed servers 2; free servers 1. Ask for less, give"
        " something back, or ask the authority for a larger quota."
    )
    assert verdict.clause == "YY-19(2)"


def test_what_the_request_holds_itself_is_not_counted_twice() -> None:
    held = unit(reservation("a", Amounts(servers=4)))
    assert asked(held, Amounts(servers=6)).fits


def test_what_is_held_in_another_pool_is_not_counted() -> None:
    held = unit(reservation("b", Amounts(servers=6), pool="fixture-pool"))
    assert asked(held, Amounts(servers=6)).fits


def test_a_pool_without_a_limit_gives_nothing() -> None:
    verdict = asked(unit(), Amounts(servers=1), pool="elsewhere")
    assert (verdict.fits, verdict.message.key) == (False, "rules.quota.no-limit")
    assert asked(unit(), Amounts(), pool="elsewhere").fits


def test_without_a_unit_there_is_no_quota() -> None:
    assert not asked(None, Amounts()).fits


def test_yy_22_4_while_issuing_is_stopped_nothing_grows() -> None:
    held = unit(reservation("a", Amounts(servers=2, vcpu=4)), standing=Standing.ISSUING_STOPPED)
    verdict = asked(held, Amounts(servers=2, vcpu=5))
    assert (verdict.fits, verdict.clause) == (False, "YY-22(4)")
    assert "notice-7" in verdict.message.render("zh")
    assert asked(held, Amounts(servers=2, vcpu=4)).fits
    assert asked(held, Amounts(servers=1, vcpu=4)).fits
    assert asked(held, Amounts()).fits


def test_giving_back_is_possible_after_the_limit_was_lowered() -> None:
    held = unit(reservation("a", Amounts(servers=9, vcpu=2)))
    assert asked(held, Amounts(servers=8, vcpu=2)).fits
    assert asked(held, Amounts(servers=8, vcpu=3)).fits  # what grows is within its own limit
    assert not asked(held, Amounts(servers=10, vcpu=2)).fits


def test_a_reservation_takes_the_place_of_the_requests_own() -> None:
    first = with_reservation(None, reservation("a", Amounts(servers=1)))
    second = with_reservation(first, reservation("b", Amounts(servers=2)))
    third = with_reservation(second, reservation("a", Amounts(servers=3), revision=2))
    assert [(one.request_uid, one.revision) for one in third.reservations] == [("b", 1), ("a", 2)]
    assert reserved(third, request_uid="a", pool=POOL) == Amounts(servers=3)
    assert with_reservation(third, third.reservations[-1]) == third  # done again, nothing changes


def test_taking_a_reservation_away_leaves_the_rest_and_the_standing() -> None:
    status = TenantQuotaStatus(
        reservations=[
            reservation("a", HARD),
            reservation("a", HARD, pool="other"),
            reservation("b", HARD),
        ],
        standing=Standing.ISSUING_STOPPED,
    )
    left = without_reservation(status, "a", POOL)
    assert [(one.request_uid, one.pool) for one in left.reservations] == [("a", "other"), ("b", POOL)]
    assert left.standing is Standing.ISSUING_STOPPED
    assert without_reservation(left, "a", POOL) == left
    assert without_reservation(None, "a", POOL) == TenantQuotaStatus()


AMOUNTS = st.builds(
    Amounts,
    servers=st.integers(0, 7),
    vcpu=st.integers(0, 9),
    memory_gib=st.integers(0, 13),
    storage_gib=st.integers(0, 25),
)
UIDS = st.sampled_from("abcd")


class AnySequence(RuleBasedStateMachine):
    """Requests come and go in any order; what they hold together never exceeds the limit."""

    def __init__(self) -> None:
        super().__init__()
        self.unit: Any = unit()
        self.model: dict[str, Amounts] = {}

    def _store(self, status: TenantQuotaStatus) -> None:
        self.unit = self.unit.model_copy(update={"status": status})

    @rule(uid=UIDS, needed=AMOUNTS)
    def reserve(self, uid: str, needed: Amounts) -> None:
        verdict = asked(self.unit, needed, uid)
        before = self.model.get(uid, Amounts())
        others = Amounts()
        for other, amounts in self.model.items():
            others = others if other == uid else others.plus(amounts)
        may = not others.plus(needed).beyond(HARD)
        if self.unit.status.standing is Standing.ISSUING_STOPPED:
            may = not needed.beyond(before)
        assert verdict.fits is may
        if verdict.fits:
            self._store(with_reservation(self.unit.status, reservation(uid, needed)))
            self.model[uid] = needed

    @rule(uid=UIDS)
    def release(self, uid: str) -> None:
        self._store(without_reservation(self.unit.status, uid, POOL))
        self.model.pop(uid, None)

    @precondition(lambda self: self.unit.status.standing is Standing.GOOD)
    @rule()
    def stop(self) -> None:
        self._store(self.unit.status.model_copy(update={"standing": Standing.ISSUING_STOPPED}))

    @precondition(lambda self: self.unit.status.standing is Standing.ISSUING_STOPPED)
    @rule()
    def resume(self) -> None:
        self._store(self.unit.status.model_copy(update={"standing": Standing.GOOD}))

    @invariant()
    def within_the_limit(self) -> None:
        total = Amounts()
        for one in self.unit.status.reservations:
            total = total.plus(one.amounts)
        assert not total.beyond(HARD)
        held = {one.request_uid: one.amounts for one in self.unit.status.reservations}
        assert held == self.model


TestAnySequence = AnySequence.TestCase
TestAnySequence.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
