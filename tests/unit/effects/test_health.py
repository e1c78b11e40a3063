"""What a probe is answered, and by whom while the event loop stands still."""

from __future__ import annotations

import asyncio
import threading
import time
import urllib.error
import urllib.request

import pytest
from effects_ground import HandClock

from govpool.api.cloudserver import CloudServer
from govpool.api.workorder import WorkOrder
from govpool.effects import health as health_module
from govpool.effects.endpoint import Endpoint
from govpool.effects.health import LOOP_STILL, QUEUE_STILL, Check, Health, Heartbeat, page
from govpool.effects.monitor import Monitor
from govpool.effects.queue import WorkQueue
from govpool.effects.streams import SILENT_AFTER, Streams


class Ground:
    """A process of which a test says how it is."""

    def __init__(self) -> None:
        self.now = time.monotonic()
        self.fault: BaseException | None = None
        self.queue: WorkQueue | None = WorkQueue(HandClock())
        self.waiting = ""
        self.streams = Streams((CloudServer, WorkOrder), self.clock)
        self.streams.begin()
        self.health = Health(
            Heartbeat(self.clock),
            self.streams,
            fault=lambda: self.fault,
            queue=lambda: self.queue,
            waiting=lambda: self.waiting,
            clock=self.clock,
        )

    def clock(self) -> float:
        return self.now

    def live(self) -> tuple[bool, str]:
        return page(self.health.live())

    def ready(self) -> tuple[bool, str]:
        return page(self.health.ready())


def test_all_is_well() -> None:
    ground = Ground()
    assert ground.live() == (
        True,
        "[+]loop: 0.0 s behind\n[+]parts: all run\n[+]queue: nothing waits\n[+]streams: all move\n",
    )
    assert ground.ready()[0]


def test_a_loop_without_a_sign_of_life_stands_still() -> None:
    ground = Ground()
    ground.now += LOOP_STILL + 2
    ok, text = ground.live()
    assert not ok and "[-]loop: 31.0 s behind" in text


def test_a_part_that_ended_is_told_without_what_it_said() -> None:
    ground = Ground()
    ground.fault = ValueError("token abc")
    ok, text = ground.live()
    assert not ok and "[-]parts: ended: ValueError" in text and "abc" not in text


def test_keys_that_nobody_takes_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    ground = Ground()
    monkeypatch.setattr(health_module, "LOOP_STILL", 1e9)
    assert ground.queue is not None
    ground.queue.add(("CloudServer", "ns", "a"))
    ground.streams.opened("cloudservers")
    ground.now += QUEUE_STILL + 5
    ok, text = ground.live()
    assert not ok and "[-]queue: 1 wait" in text
    ground.queue.take_now()
    assert "[+]queue: nothing waits" in ground.live()[1], "a long reconcile is no standstill"


def test_one_stream_that_stands_still_wants_a_new_start_and_all_of_them_do_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ground = Ground()
    monkeypatch.setattr(health_module, "LOOP_STILL", 1e9)
    ground.now += SILENT_AFTER + 1
    assert ground.live()[0] and not ground.ready()[0], "the API server is away"
    ground.streams.opened("workorders")
    ok, text = ground.live()
    assert not ok and "[-]streams: CloudServer not heard of for 721 s" in text and not ground.ready()[0]


def test_it_is_not_ready_before_everything_was_listed_unless_it_waits_for_the_lead() -> None:
    ground = Ground()
    ground.queue = None
    assert not ground.ready()[0] and ground.live()[0]
    ground.waiting = "nothing: it waits for the lead"
    assert ground.ready() == (
        True,
        "[+]loop: 0.0 s behind\n[+]parts: all run\n"
        "[+]listed: nothing: it waits for the lead\n[+]streams: all move\n",
    )


def get(port: int, path: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=30) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def test_the_endpoint_answers_while_the_loop_is_held_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health_module, "LOOP_STILL", 0.2)
    monkeypatch.setattr(health_module, "BEAT", 0.05)
    asked: list[tuple[int, str]] = []

    async def held_up() -> None:
        monitor = Monitor()
        beating = asyncio.create_task(monitor.heart.run())
        await asyncio.sleep(0)
        with Endpoint("127.0.0.1", 0, live=monitor.live, ready=monitor.ready, metrics=monitor) as endpoint:

            def ask() -> None:
                while not asked or asked[-1][0] == 200:
                    asked.append(get(endpoint.port, "/healthz"))

            asking = threading.Thread(target=ask)
            asking.start()
            asking.join(60)  # nothing else runs in the loop meanwhile
        beating.cancel()

    asyncio.run(held_up())
    assert asked[-1][0] == 503 and "[-]loop:" in asked[-1][1]


def test_the_endpoint_knows_its_paths_and_gives_its_port_back() -> None:
    checks = (Check("a", True, "yes"),)
    monitor = Monitor()
    with Endpoint("127.0.0.1", 0, live=lambda: checks, ready=lambda: checks, metrics=monitor) as endpoint:
        port = endpoint.port
        assert get(port, "/readyz?verbose") == (200, "[+]a: yes\n")
        assert get(port, "/") == (404, "/metrics, /healthz, /readyz\n")
        status, text = get(port, "/metrics")
        assert status == 200 and "govpool_started 0.0" in text and "process_cpu_seconds_total" in text
        with pytest.raises(OSError):
            Endpoint("127.0.0.1", port, live=lambda: checks, ready=lambda: checks, metrics=monitor)
    with Endpoint("127.0.0.1", port, live=lambda: checks, ready=lambda: checks, metrics=monitor) as again:
        assert again.port == port
