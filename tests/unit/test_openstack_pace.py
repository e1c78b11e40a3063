"""When a provider's waits look again, and when it takes Nova for having given a build up."""

from __future__ import annotations

import pytest

from govpool_providers.base import PoolConnection
from govpool_providers.openstack.client import Cloud
from govpool_providers.openstack.pace import Pace
from govpool_providers.openstack.servers import GIVEN_UP, Server, Servers
from govpool_providers.openstack.settings import OpenStackSettings


@pytest.mark.parametrize("now", [0.0, 0.31, 0.4999, 12.5])
@pytest.mark.parametrize(
    ("elapsed", "pause", "beat"), [(0.0, 0.1, 0.5), (2.1, 0.7, 0.5), (3.6, 1.2, 1.0), (90, 2.0, 2.0)]
)
def test_polls_come_at_a_beat_and_not_much_before_their_pause(
    now: float, elapsed: float, pause: float, beat: float
) -> None:
    wait = Pace().again(elapsed, now)
    assert 0.6 * pause <= wait + 1e-9 < 0.6 * pause + beat + 1e-6
    beats = (now + wait) / beat
    assert beats == pytest.approx(round(beats))


class Waits:
    """A cloud whose time passes only by sleeping, and something in it that takes its time."""

    def __init__(self, wait: float = 60.0) -> None:
        self.now = 100.0
        self.looks = 0
        self.cloud = Cloud(
            OpenStackSettings.of(PoolConnection("pool", {"wait": str(wait)})),
            clock=lambda: self.now,
            sleep=self.sleep,
        )

    def sleep(self, seconds: float) -> None:
        self.now += seconds

    def wait(self, seconds: float, begun: str = "") -> tuple[int, float]:
        """How many looks it took to see what is done after so many seconds, and how long."""
        since, before = self.now, self.looks
        self.cloud.until(self.look, lambda now: now >= since + seconds, begun=begun)
        return self.looks - before, self.now - since

    def look(self) -> float:
        self.looks += 1
        return self.now


@pytest.mark.parametrize("seconds", [0.2, 3.0, 9.0, 30.0])
def test_what_took_as_long_the_last_times_is_seen_after_a_few_looks_and_soon(seconds: float) -> None:
    waits = Waits()
    first, _ = waits.wait(seconds, "server")
    for _ in range(5):
        looks, took = waits.wait(seconds, "server")
        assert looks <= min(first, 8)
        assert took <= seconds + 2.0
    assert looks < first or first == 1


def test_what_is_quicker_than_before_is_seen_earlier_each_time() -> None:
    waits = Waits()
    took = [waits.wait(30.0, "server")[1], *(waits.wait(1.0, "server")[1] for _ in range(12))]
    assert took[0] >= 30
    assert took[-1] <= 2.0
    assert waits.wait(1.0, "volume")[1] <= 1.6


def test_a_wait_ends_when_patience_does_whatever_it_took_before() -> None:
    waits = Waits(wait=20.0)
    assert waits.wait(19.0, "server")[1] >= 19
    looks, took = waits.wait(1000.0, "server")
    assert looks >= 1
    assert 20.0 <= took <= 22.0
    assert waits.wait(1.0, "server")[1] <= 14.0  # a time-out is no measure of how long it takes


@pytest.mark.parametrize(
    ("task", "updated_again", "given_up"),
    [("", False, True), ("", True, False), ("networking", False, False)],
)
def test_a_build_without_a_task_that_nothing_changes_of_is_given_up(
    task: str, updated_again: bool, given_up: bool
) -> None:
    waits = Waits()
    servers = Servers(waits.cloud)

    def seen(updated: str) -> Server:
        told = {"id": "s1", "name": "web", "status": "BUILD", "updated": updated}
        return Server.of({**told, "OS-EXT-STS:task_state": task or None})

    assert not servers.given_up(seen("T1"))
    waits.sleep(GIVEN_UP - 1)
    assert not servers.given_up(seen("T1"))
    if updated_again:
        assert not servers.given_up(seen("T2"))
    waits.sleep(1)
    assert servers.given_up(seen("T2" if updated_again else "T1")) is given_up
