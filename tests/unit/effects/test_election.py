"""The election at work: a Lease in memory, a clock in the hand, and the fence that comes of both."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest
from effects_ground import Plane
from election_ground import TIMING, MemoryLeases, Seconds, candidate

from govpool.effects import fence as fence_module
from govpool.effects import secrets
from govpool.effects.election import DeposedError, Elector, KubeLeases, lead
from govpool.effects.fence import Fence, NotLeaderError
from govpool.effects.kube import Kube, KubeError
from govpool.lifecycle.leadership import Timing
from govpool.lifecycle.sharding import WHOLE, Shard
from govpool.standalone.faults import Fault, FaultKind, FaultRequest


# -- who leads -------------------------------------------------------------------------------------
async def test_the_second_waits_and_leads_when_the_first_gives_up() -> None:
    leases, clock = MemoryLeases(), Seconds()
    one, two = candidate(leases, clock, "one"), candidate(leases, clock, "two")
    assert await one.stand()
    assert not await two.stand()
    assert two.leader == "one"
    await one.release()
    with pytest.raises(NotLeaderError, match="given up"):
        one.fence.check()
    assert await two.stand(), "at once, without waiting for the lease to run out"
    assert two.fence.term == ("uid-govpool-operator", 2)


async def test_the_second_leads_when_the_first_is_silent_for_the_whole_lease() -> None:
    leases, clock = MemoryLeases(), Seconds()
    one, two = candidate(leases, clock, "one"), candidate(leases, clock, "two")
    await one.stand()
    await two.stand()
    clock.now += TIMING.duration - 0.1
    with pytest.raises(NotLeaderError, match="in time"):
        one.fence.check()
    assert not await two.stand()
    clock.now += 0.1
    assert await two.stand()
    with pytest.raises(DeposedError, match="two"):
        await one.renew()
    clock.now -= 100
    with pytest.raises(NotLeaderError, match="lost to two"):
        one.fence.check()


async def test_a_dead_leader_on_this_machine_is_not_waited_for() -> None:
    leases, clock = MemoryLeases(), Seconds()
    await candidate(leases, clock, "one").stand()
    assert await candidate(leases, clock, "two", dead=("one",)).stand()


async def test_late_renewals_shut_the_fence_and_the_next_one_opens_it() -> None:
    leases, clock = MemoryLeases(), Seconds()
    one = candidate(leases, clock)
    await one.stand()
    leases.down = True
    clock.now += TIMING.renew_deadline
    with pytest.raises(KubeError):
        await one.renew()
    with pytest.raises(NotLeaderError):
        one.fence.check()
    assert one.leads
    clock.now += 3600
    leases.down = False
    await one.renew()
    one.fence.check()
    assert one.fence.term[1] == 1, "nobody led in between: it is the same term"


async def test_a_renewal_counts_from_when_it_was_sent() -> None:
    leases, clock = MemoryLeases(), Seconds()
    one = candidate(leases, clock)
    await one.stand()
    original = leases.write

    async def slow(name: str, record: object) -> object:
        clock.now += 4
        return await original(name, record)  # type: ignore[arg-type]

    leases.write = slow  # type: ignore[assignment, method-assign]
    await one.renew()
    assert one.fence.left == pytest.approx(TIMING.renew_deadline - 4)


async def test_an_answer_that_was_lost_does_not_depose() -> None:
    leases, clock = MemoryLeases(), Seconds()
    one = candidate(leases, clock)
    await one.stand()
    leases.lose = 1
    with pytest.raises(KubeError, match="lost"):
        await one.renew()
    await one.renew()
    one.fence.check()


async def test_a_deleted_lease_deposes() -> None:
    leases, clock = MemoryLeases(), Seconds()
    one = candidate(leases, clock)
    await one.stand()
    leases.kept.clear()
    with pytest.raises(DeposedError, match="deleted"):
        await one.renew()


async def test_shards_lead_side_by_side() -> None:
    leases, clock = MemoryLeases(), Seconds()
    assert await candidate(leases, clock, "one", Shard(0, 2)).stand()
    assert await candidate(leases, clock, "two", Shard(1, 2)).stand()


async def test_another_number_of_shards_waits_until_the_former_one_is_gone() -> None:
    """During a change of the number, two operators would else keep the same namespace."""
    leases, clock = MemoryLeases(), Seconds()
    whole = candidate(leases, clock, "whole", WHOLE)
    half = candidate(leases, clock, "half", Shard(1, 2))
    assert await whole.stand()
    assert not await half.stand()
    assert "another number of shards" in half.leader
    clock.now += 5
    await whole.renew()
    clock.now += TIMING.duration - 1
    assert not await half.stand()
    await whole.release()
    assert await half.stand()
    assert not await candidate(leases, clock, "again", WHOLE).stand()


async def test_of_two_numbers_of_shards_that_start_at_once_not_both_lead() -> None:
    leases, clock = MemoryLeases(), Seconds()
    one, two = candidate(leases, clock, "one", WHOLE), candidate(leases, clock, "two", Shard(0, 2))
    won = await asyncio.gather(one.stand(), two.stand())
    assert won.count(True) <= 1


# -- acting ----------------------------------------------------------------------------------------
async def test_it_acts_until_told_to_stop_and_gives_the_lead_up_last() -> None:
    leases, clock, stopping = MemoryLeases(), Seconds(), asyncio.Event()
    seen = []

    async def act(fence: Fence) -> None:
        fence.check()
        seen.append("acts")
        stopping.set()
        await stopping.wait()
        fence.check()
        seen.append("has ended")

    await lead(candidate(leases, clock), stopping, act)
    assert seen == ["acts", "has ended"]
    assert leases.kept["govpool-operator"].holder == ""


async def test_a_bug_gives_the_lead_up_too() -> None:
    leases, clock = MemoryLeases(), Seconds()

    async def act(_: Fence) -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await lead(candidate(leases, clock), asyncio.Event(), act)
    assert leases.kept["govpool-operator"].holder == ""


async def test_who_is_deposed_is_told_to_stop() -> None:
    leases, clock, stopping = MemoryLeases(), Seconds(), asyncio.Event()
    quick = Elector(leases, Timing.of(0.05), me="one", clock=clock, gone=lambda _: False)

    async def act(_: Fence) -> None:
        clock.now += 60
        await Elector(leases, Timing.of(0.05), me="two", clock=clock, gone=lambda one: one == "one").stand()
        await stopping.wait()

    with pytest.raises(DeposedError, match="two"):
        await asyncio.wait_for(lead(quick, stopping, act), 20)
    assert leases.kept["govpool-operator"].holder == "two", "what another one holds is not given up"


async def test_told_to_stop_while_it_waits() -> None:
    leases, clock, stopping = MemoryLeases(), Seconds(), asyncio.Event()
    await candidate(leases, clock, "other").stand()

    async def act(_: Fence) -> None:
        raise AssertionError("it does not lead")

    waiting = asyncio.create_task(lead(candidate(leases, clock), stopping, act))
    stopping.set()
    await asyncio.wait_for(waiting, 20)


# -- on an API server ------------------------------------------------------------------------------
async def test_leases_of_a_real_api(plane: Plane) -> None:
    leases = KubeLeases(plane.kube, 1)
    clock = Seconds()
    one = Elector(leases, TIMING, me="one", clock=clock, gone=lambda _: False)
    two = Elector(leases, TIMING, me="two", clock=clock, gone=lambda _: False)
    assert await one.stand()
    assert not await two.stand()
    await one.renew()
    path = f"/apis/coordination.k8s.io/v1/namespaces/{secrets.NAMESPACE}/leases/govpool-operator"
    document = await plane.admin.get_path(path)
    assert document["spec"]["holderIdentity"] == "one"  # type: ignore[index, call-overload]
    assert document["spec"]["leaseDurationSeconds"] == 15  # type: ignore[index, call-overload]
    clock.now += 15
    assert not await two.stand(), "it was renewed since it was last seen"
    clock.now += 15
    assert await two.stand()
    assert two.fence.term[1] == 2
    with pytest.raises(DeposedError):
        await one.renew()
    assert set(await KubeLeases(plane.kube, 2).rivals(2)) == {"govpool-operator"}
    assert await leases.rivals(1) == {}


async def test_nothing_is_written_behind_a_shut_fence(plane: Plane) -> None:
    clock = Seconds()
    fence = Fence(clock)
    kube = await Kube.connect(plane.operator_kubeconfig, fence)
    body: dict[str, object] = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}}
    try:
        with pytest.raises(NotLeaderError):
            await kube.core_create("configmaps", secrets.NAMESPACE, body)  # type: ignore[arg-type]
        assert await kube.core_get("configmaps", secrets.NAMESPACE, "a") is None, "reading is free"
        fence.hold(clock.now + 10, "lease", 1)
        await kube.core_create("configmaps", secrets.NAMESPACE, body)  # type: ignore[arg-type]
        clock.now += 10
        with pytest.raises(NotLeaderError):
            await kube.core_delete("configmaps", secrets.NAMESPACE, "a")
        assert await kube.core_get("configmaps", secrets.NAMESPACE, "a") is not None
    finally:
        await kube.close()


async def test_a_repeated_write_asks_the_fence_again(plane: Plane, monkeypatch: pytest.MonkeyPatch) -> None:
    """The server asked for patience; when it was over, so was the lead."""
    clock = Seconds()
    fence = Fence(clock)
    fence.hold(clock.now + 10, "lease", 1)
    kube = await Kube.connect(plane.operator_kubeconfig, fence)

    def judge(request: FaultRequest) -> Fault | None:
        clock.now += 11
        return Fault(FaultKind.STATUS, 429, retry_after=0) if request.method == "POST" else None

    plane.fault = judge
    body: dict[str, object] = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}}
    try:
        with pytest.raises(NotLeaderError):
            await kube.core_create("configmaps", secrets.NAMESPACE, body)  # type: ignore[arg-type]
        assert len([r for r in plane.seen if r.method == "POST"]) == 1
    finally:
        await kube.close()


def test_the_fence_counts_the_time_that_the_machine_slept() -> None:
    """CLOCK_MONOTONIC does not."""
    assert json.loads(Path("/proc/uptime").read_text().split()[0]) == pytest.approx(
        fence_module.boottime(), abs=5
    )
