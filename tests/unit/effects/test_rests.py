"""How long what was found at rest is taken to be so."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from govpool.api.base import ObjectMeta
from govpool.api.cloudpolicy import Role
from govpool.api.cloudresourcerequest import CloudResourceRequest, CloudResourceRequestStatus, Deadline
from govpool.effects.rests import A_MOMENT, Rests
from govpool.lifecycle.decision import Decision
from govpool.lifecycle.observation import RequestObservation

NOW = datetime(2026, 1, 5, 8, tzinfo=UTC)
A_BIT = timedelta(milliseconds=4)


def look(*clocks: Deadline) -> RequestObservation:
    status = CloudResourceRequestStatus(deadlines=list(clocks))
    meta = ObjectMeta(name="system", namespace="unit", uid="1", resource_version="7")
    # Nothing here looks into the spec.
    request = CloudResourceRequest.model_construct(kind="CloudResourceRequest", metadata=meta, status=status)
    return RequestObservation(request.model_copy(update={"spec": "as it is"}), NOW)


def clock(due: datetime, *, overdue: bool = False) -> Deadline:
    return Deadline(what="a paper", who=Role.UNIT, since=NOW, due=due, article="YY-19", overdue=overdue)


def left_out(seen: RequestObservation, decision: Decision, after: timedelta) -> bool:
    rests = Rests()
    rests.took(seen, decision, seen.request, (), ())
    return rests.found(replace(seen, now=NOW + after)) == Decision(look_again=decision.look_again)


def test_what_was_at_rest_is_so_for_a_moment() -> None:
    assert left_out(look(), Decision(), A_BIT)
    assert not left_out(look(), Decision(), A_MOMENT)


def test_and_not_beyond_the_time_of_the_next_look() -> None:
    decision = Decision(look_again=NOW + A_BIT)
    assert left_out(look(), decision, A_BIT / 2)
    assert not left_out(look(), decision, A_BIT)


@pytest.mark.parametrize("due", [NOW, NOW + A_BIT / 2])
def test_nor_when_a_clock_strikes_in_that_very_moment(due: datetime) -> None:
    decision = Decision(look_again=due + timedelta(seconds=1))
    assert not left_out(look(clock(due)), decision, A_BIT)
    assert left_out(look(clock(due, overdue=True)), decision, A_BIT)
    assert left_out(look(clock(NOW + timedelta(days=1))), decision, A_BIT)
