"""Who leads: every case of the decision, and that no two ever act at once."""

from __future__ import annotations

from dataclasses import dataclass, replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from govpool.lifecycle.leadership import (
    LeaseRecord,
    Renew,
    Sighting,
    Take,
    Timing,
    Wait,
    decide,
    released,
    seen,
)

TIMING = Timing()
HELD = LeaseRecord("other", 15.0, 4, uid="lease", version="7")


@pytest.mark.parametrize(
    ("term", "sighting", "now", "step"),
    [
        pytest.param(None, Sighting(None, 0), 0, Take(LeaseRecord("me", 15.0, 1)), id="there is no lease"),
        pytest.param(
            None,
            Sighting(released(HELD), 0),
            0,
            Take(replace(HELD, holder="me", term=5)),
            id="it was given up",
        ),
        pytest.param(None, Sighting(HELD, 10), 24.9, Wait(25, "other"), id="somebody holds it"),
        pytest.param(
            None, Sighting(HELD, 10), 25, Take(replace(HELD, holder="me", term=5)), id="it ran out here"
        ),
        pytest.param(
            None,
            Sighting(replace(HELD, duration=60), 10),
            69,
            Wait(70, "other"),
            id="the holder's duration counts, not the own",
        ),
        pytest.param(
            None,
            Sighting(HELD, 10, holder_gone=True),
            11,
            Take(replace(HELD, holder="me", term=5)),
            id="the holder is known to be dead",
        ),
        pytest.param(
            4,
            Sighting(replace(HELD, holder="me"), 10),
            11,
            Renew(replace(HELD, holder="me")),
            id="it is held",
        ),
        pytest.param(
            4,
            Sighting(replace(HELD, holder="me"), 10),
            99,
            Renew(replace(HELD, holder="me")),
            id="it lapsed and nobody took it",
        ),
        pytest.param(3, Sighting(HELD, 10), 11, Wait(25, "other"), id="somebody else took it"),
        pytest.param(
            3,
            Sighting(replace(HELD, holder="me"), 10),
            11,
            Take(replace(HELD, holder="me", term=5)),
            id="the own name under another term is not held",
        ),
    ],
)
def test_each_case(term: int | None, sighting: Sighting, now: float, step: object) -> None:
    assert decide("me", term, sighting, now, TIMING) == step


def test_what_did_not_change_is_seen_since_it_was_first_seen() -> None:
    first = seen(None, HELD, 10)
    assert seen(first, HELD, 12).since == 10
    assert seen(first, replace(HELD, version="8"), 12).since == 12
    assert seen(first, None, 12) == Sighting(None, 12)


@pytest.mark.parametrize("numbers", [(10, 10, 2), (15, 10, 10), (15, 16, 2), (15, 10, 0)])
def test_a_holder_never_outlasts_its_lease(numbers: tuple[float, float, float]) -> None:
    with pytest.raises(ValueError, match="must hold"):
        Timing(*numbers)
    assert Timing.of(1.0).renew_deadline < 1.0


# -- no two at once --------------------------------------------------------------------------------
@dataclass
class Candidate:
    """An operator as the election sees it: a clock of its own, and requests that take their time."""

    name: str
    rate: float
    offset: float
    deadline: float = TIMING.renew_deadline
    term: int | None = None
    sighting: Sighting | None = None
    sent: tuple[float, LeaseRecord] | None = None
    answer: tuple[float, LeaseRecord | None] | None = None
    open_until: float = float("-inf")

    def clock(self, now: float) -> float:
        return self.offset + self.rate * now


@dataclass
class Server:
    """The API server's part: one record, and a version that a write must follow."""

    record: LeaseRecord | None = None
    versions: int = 0

    def write(self, record: LeaseRecord) -> LeaseRecord | None:
        if record.version != (self.record.version if self.record else ""):
            return None
        self.versions += 1
        self.record = replace(record, uid="lease", version=str(self.versions))
        return self.record


def act(candidate: Candidate, server: Server, what: str, now: float) -> None:
    clock = candidate.clock(now)
    match what:
        case "look":
            candidate.sighting = seen(candidate.sighting, server.record, clock)
        case "send" if candidate.sighting is not None and candidate.sent is None:
            step = decide(candidate.name, candidate.term, candidate.sighting, clock, TIMING)
            if isinstance(step, Wait):
                candidate.term, candidate.open_until = None, float("-inf")
            elif candidate.term is None or isinstance(step, Renew):
                candidate.sent = (clock, step.record)
            else:
                candidate.term, candidate.open_until = None, float("-inf")
        case "arrive" if candidate.sent is not None and candidate.answer is None:
            candidate.answer = (candidate.sent[0], server.write(candidate.sent[1]))
        case "answer" if candidate.answer is not None:
            at, stored = candidate.answer
            candidate.sent = candidate.answer = None
            if stored is not None:
                candidate.sighting = Sighting(stored, clock)
                candidate.term, candidate.open_until = stored.term, at + candidate.deadline
        case "lose":
            candidate.sent = candidate.answer = None
        case "die":
            candidate.name += "+"
            candidate.term = candidate.sighting = candidate.sent = candidate.answer = None
            candidate.open_until = float("-inf")
        case "release" if candidate.term is not None and candidate.sighting and candidate.sighting.record:
            candidate.open_until, candidate.term = float("-inf"), None
            server.write(released(candidate.sighting.record))


STEPS = st.lists(
    st.tuples(
        st.integers(0, 2),
        st.sampled_from(["look", "send", "arrive", "answer"] * 4 + ["lose", "die", "release"]),
        st.sampled_from([0.0, 0.0, 0.5, 2.0, 6.0, 11.0, 16.0, 40.0]),
    ),
    max_size=120,
)
RATES = st.tuples(*[st.floats(0.9, 1.1)] * 3)


def acting(candidates: list[Candidate], now: float) -> list[str]:
    return [one.name for one in candidates if one.clock(now) < one.open_until]


def most_at_once(steps: list[tuple[int, str, float]], rates: tuple[float, ...], deadline: float) -> int:
    """How many acted at once at the worst moment."""
    candidates = [
        Candidate(f"operator-{number}", rate, 1000.0 * number, deadline) for number, rate in enumerate(rates)
    ]
    server, now, most = Server(), 0.0, 0
    for who, what, pause in steps:
        now += pause
        act(candidates[who], server, what, now)
        most = max(most, len(acting(candidates, now)))
    return most


@settings(max_examples=400, deadline=None)
@given(STEPS, RATES)
def test_no_two_act_at_once(steps: list[tuple[int, str, float]], rates: tuple[float, ...]) -> None:
    """Whatever is frozen, lost or late, and with clocks a tenth too fast or too slow."""
    assert most_at_once(steps, rates, TIMING.renew_deadline) <= 1


def test_a_holder_that_outlasted_its_lease_would_be_found() -> None:
    """The world above can tell: with a deadline beyond the lease, two act at once."""
    take = [(0, "look", 0.0), (0, "send", 0.0), (0, "arrive", 0.0), (0, "answer", 0.0)]
    other = [(1, "look", 1.0), (1, "send", 16.0), (1, "arrive", 0.0), (1, "answer", 0.0)]
    assert most_at_once(take + other, (1.0, 1.0, 1.0), 60.0) == 2
    assert most_at_once(take + other, (1.0, 1.0, 1.0), TIMING.renew_deadline) == 1


@settings(max_examples=100, deadline=None)
@given(st.lists(st.sampled_from(["take", "release", "expire"]), max_size=30))
def test_terms_only_grow(hands: list[str]) -> None:
    record: LeaseRecord | None = None
    last = 0
    for number, what in enumerate(hands):
        if what == "release" and record is not None:
            record = released(record)
            continue
        step = decide(f"operator-{number}", None, Sighting(record, 0.0), 100.0, TIMING)
        assert isinstance(step, Take)
        assert step.record.term > last
        record, last = step.record, step.record.term
