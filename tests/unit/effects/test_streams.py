"""Whether event streams are known to stand still, and only then."""

from __future__ import annotations

from effects_ground import server_of, versioned

from govpool.api.cloudserver import CloudServer
from govpool.api.workorder import WorkOrder
from govpool.effects.streams import OWED_AFTER, SILENT_AFTER, Streams


class Hand:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def begun() -> tuple[Streams, Hand]:
    hand = Hand()
    streams = Streams((CloudServer, WorkOrder), hand)
    streams.begin()
    return streams, hand


def test_a_stream_that_is_opened_anew_now_and_then_moves() -> None:
    streams, hand = begun()
    for _ in range(5):
        hand.now += SILENT_AFTER - 1
        streams.opened("cloudservers")
    assert streams.still() == {"WorkOrder": f"not heard of for {5 * (SILENT_AFTER - 1):.0f} s"}
    streams.event("WorkOrder", "17")
    assert streams.still() == {}


def test_a_write_is_owed_until_its_event_or_a_later_one_came() -> None:
    streams, hand = begun()
    streams.event("CloudServer", "5")
    streams.wrote(versioned(server_of(), 7))
    hand.now += OWED_AFTER + 1
    assert streams.still() == {"CloudServer": f"a write has not come back for {OWED_AFTER + 1:.0f} s"}
    streams.event("CloudServer", "6")
    assert streams.still(), "an older event is no answer"
    streams.event("CloudServer", "9")
    assert streams.still() == {} and streams.owed() == {"CloudServer": 0.0, "WorkOrder": 0.0}


def test_a_write_that_came_back_before_its_answer_is_not_owed() -> None:
    streams, hand = begun()
    streams.event("CloudServer", "7")
    streams.wrote(versioned(server_of(), 7))
    hand.now += OWED_AFTER + 1
    assert streams.still() == {}


def test_the_oldest_owed_write_counts_however_many_follow() -> None:
    streams, hand = begun()
    for version in range(2, 20):
        streams.wrote(versioned(server_of(), version))
        hand.now += 10
    assert streams.owed()["CloudServer"] == 180


def test_nothing_is_expected_before_it_begins() -> None:
    streams = Streams((CloudServer,))
    streams.wrote(versioned(server_of(), 3))
    streams.opened("pods")
    assert streams.still() == {} and streams.owed() == {}
