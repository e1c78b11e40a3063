"""People edit, decide, delete and pause while the operator works."""

from __future__ import annotations

import asyncio
from pathlib import Path

from govpool.api.approval import ApprovalState
from govpool.api.base import PAUSED_ANNOTATION, ConditionStatus
from govpool.api.cloudresourcerequest import CloudResourceRequest
from govpool.api.cloudserver import CloudServer
from govpool.effects.kube import KubeError
from govpool_providers.base import Size
from govpool_providers.errors import ErrorCode
from govpool_providers.fixture import Effect, FaultPlan, FaultRule, FixtureControl
from tests.functional.faults.endings import nothing_left, pool_of
from tests.functional.lifecycle import story
from tests.functional.lifecycle.world import NAMESPACE, ROOT, World, documents, world


def more_memory(town: World) -> dict[str, object]:
    """The application's groups of servers, the database with 2 GiB."""
    app, db = town.application()["spec"]["servers"]
    return {"servers": [app, {**db, "item": "ecs-1c2g"}]}


def change_of(item: str) -> dict[str, object]:
    """A change of the database to another catalogue item, with its form."""
    (patch,) = documents(ROOT / "examples" / "04-change.yaml")
    app, db = patch["spec"]["servers"]
    return {**patch["spec"], "servers": [{**app, "count": 1}, {**db, "item": item}]}


def says(request: CloudResourceRequest, type_: str, status: ConditionStatus) -> bool:
    """Whether the request has the condition with that status."""
    conditions = request.status.conditions if request.status else []
    return any(c.type == type_ and c.status is status for c in conditions)


async def servers(town: World) -> dict[str, CloudServer]:
    found = await town.kube.list(CloudServer, namespace=NAMESPACE)
    return {server.spec.group: server for server in found}


async def test_edit_while_in_review_supersedes_the_approval(tmp_path: Path) -> None:
    """What was decided before the edit counts for what was applied for then, and for nothing else."""
    async with world(tmp_path) as town, town.operator():
        await town.apply(town.application())
        first = await town.decide(by="acceptor")
        await town.edit(more_memory(town))

        async def overtaken() -> bool:
            approvals = await town.approvals()
            states = [a.status.state for a in approvals if a.status]
            return states == [ApprovalState.SUPERSEDED, ApprovalState.PENDING]

        await town.until(overtaken, "the first Approval is superseded by a second")
        second = (await town.approvals())[1]
        assert second.spec.revision > first.spec.revision and second.spec.decisions == []
        assert await town.kube.list(CloudServer, namespace=NAMESPACE) == ()
        await town.decide(by="acceptor")
        await town.decide(by="reviewer")
        await town.phase("Trial")
        assert (await servers(town))["db"].spec.memory_gib == 2
        assert (await town.approvals())[0].status.state is ApprovalState.SUPERSEDED  # type: ignore[union-attr]


async def test_edit_while_opening_is_a_new_revision(tmp_path: Path) -> None:
    """The approved revision is opened as approved; the edit waits for its own approval."""
    pool = pool_of(tmp_path)
    async with world(tmp_path) as town, town.operator():
        pool.set_faults(FaultPlan((FaultRule(ErrorCode.RETRYABLE, "ensure_machine", nth=1, times=4),)))
        await story.apply_and_approve(town)
        await town.until(lambda: some_server(town), "opening has begun")
        await town.edit(change_of("ecs-1c2g"))
        town.hurry = "PT1S"
        await town.phase("Trial")
        request = await town.request()
        assert request.status and request.status.approved and request.status.pending_approval
        assert request.status.approved.revision == 1
        assert pool.ledger(Effect.RESIZE) == []
        assert (await servers(town))["db"].spec.memory_gib == 1
        await town.decide(by="reviewer")

        async def grown() -> bool:
            status = (await servers(town))["db"].status
            return status is not None and status.memory_gib == 2

        await town.until(grown, "the change is carried out after its own approval")
        assert pool.violations() == []
        assert len(pool.ledger(Effect.CREATE_MACHINE)) == 2


async def some_server(town: World) -> bool:
    return bool(await town.kube.list(CloudServer, namespace=NAMESPACE))


async def test_approval_races_with_an_edit(tmp_path: Path) -> None:
    """Whoever is first: only what an Approval shows as approved is ever carried out."""
    pool = pool_of(tmp_path)
    async with world(tmp_path) as town, town.operator():
        town.hurry = "PT1S"
        await story.apply_and_approve(town)
        await story.into_service(town)
        await town.edit(change_of("ecs-1c2g"))
        for item in ("ecs-2c2g", "ecs-1c2g", "ecs-2c4g"):
            known = len(await town.approvals())
            await asyncio.gather(town.decide(by="reviewer"), town.edit(change_of(item)))
            await town.until(lambda known=known: decided(town, known), "the race is settled")  # type: ignore[misc]
        judged = [a for a in await town.approvals() if a.status]
        in_force = [a for a in judged if a.status and a.status.state is ApprovalState.APPROVED]
        wanted = {size(a.spec.content.servers[1].item) for a in in_force}
        told = {entry.detail for entry in pool.ledger(Effect.RESIZE)}
        assert told <= {f"{s.vcpu} vCPU, {s.memory_gib} GiB" for s in wanted}, told
        assert pool.violations() == []


def size(item: str) -> Size:
    """The size that a catalogue item's name tells: ecs-2c4g."""
    vcpu, memory = item.removeprefix("ecs-").removesuffix("g").split("c")
    return Size(int(vcpu), int(memory))


async def decided(town: World, before: int) -> bool:
    """Whether every Approval but the newest is settled one way or the other."""
    approvals = await town.approvals()
    states = [a.status.state for a in approvals if a.status]
    return len(states) == len(approvals) and ApprovalState.PENDING not in states[: max(before - 1, 0)]


async def test_delete_in_mid_life_destroys_nothing(tmp_path: Path) -> None:
    pool = pool_of(tmp_path)
    async with world(tmp_path) as town, town.operator():
        town.hurry = "PT1S"
        await story.apply_and_approve(town)
        await story.into_service(town)
        before, inventory = pool.ledger(), pool.inventory()
        await town.kube.delete(await town.request())

        async def told() -> bool:
            return says(await town.request(), "DeletionBlocked", ConditionStatus.TRUE)

        await town.until(told, "it is said that deleting is not deregistering")
        await town.advance("P40D")
        await town.until(told, "it is still said")
        assert pool.ledger() == before and pool.inventory() == inventory
        assert len(await town.kube.list(CloudServer, namespace=NAMESPACE)) == 2
        await story.ask_to_deregister(town)
        ending = asyncio.create_task(story.complete_deregistration(town))

        async def absent() -> bool:
            return not await there(town)

        try:
            await town.until(absent, "the request goes once its deregistration is proven")
        finally:
            # The story's last look is for a phase that nobody shows any more.
            ending.cancel()
        assert pool.violations() == []
        await nothing_left(town, pool)


async def there(town: World) -> bool:
    try:
        await town.request()
    except KubeError as error:
        if error.absent:
            return False
        raise
    return True


async def test_delete_of_what_was_never_approved_lets_it_go(tmp_path: Path) -> None:
    async with world(tmp_path) as town, town.operator():
        await town.apply(town.application())
        await town.phase("InReview")
        await town.kube.delete(await town.request())

        async def absent() -> bool:
            return not await there(town)

        await town.until(absent, "an application that nobody approved may be withdrawn")
        assert pool_of(tmp_path).ledger() == []


async def pause(town: World, value: str | None) -> None:
    body = {"metadata": {"annotations": {PAUSED_ANNOTATION: value}}}
    await town.kube.merge(await town.request(), body)  # type: ignore[arg-type]


async def test_pause_stops_every_effect(tmp_path: Path) -> None:
    pool = pool_of(tmp_path)
    async with world(tmp_path) as town, town.operator():
        await town.apply(town.application())
        await town.decide(by="acceptor")
        await pause(town, "true")

        async def told() -> bool:
            return says(await town.request(), "Paused", ConditionStatus.TRUE)

        await town.until(told, "it says that it is paused")
        (approval,) = await town.approvals()
        assert approval.spec.decisions
        await town.decide(by="reviewer")
        await town.advance("P2D")
        await town.until(lambda: approved(town), "the Approval itself shows the decision")
        assert pool.ledger() == [] and await town.kube.list(CloudServer, namespace=NAMESPACE) == ()
        await pause(town, None)
        town.hurry = "PT1S"
        await town.phase("Trial")
        assert not says(await town.request(), "Paused", ConditionStatus.TRUE)


async def approved(town: World) -> bool:
    (approval,) = await town.approvals()
    return approval.status is not None and approval.status.state is ApprovalState.APPROVED


async def test_pause_in_the_middle_of_opening_and_of_the_end(tmp_path: Path) -> None:
    """Paused with work under way: nothing more reaches the pool until the pause is taken off."""
    pool = pool_of(tmp_path)
    async with world(tmp_path) as town, town.operator():
        pool.set_faults(FaultPlan((FaultRule(ErrorCode.RETRYABLE, "ensure_machine"),)))
        await story.apply_and_approve(town)
        await town.until(lambda: some_server(town), "opening has begun")
        await still(town, pool)
        town.hurry = "PT1S"
        await story.into_service(town)
        town.hurry = ""
        pool.set_faults(FaultPlan((FaultRule(ErrorCode.RETRYABLE, "release_machine"),)))
        await story.ask_to_deregister(town)
        await still(town, pool)
        town.hurry = "PT1S"
        await story.complete_deregistration(town)
        assert pool.violations() == [] and not pool.inventory()


async def still(town: World, pool: FixtureControl) -> None:
    """Pause, let the pool be well again and two days pass: nothing happens. Take the pause off."""
    await pause(town, "true")

    async def told() -> bool:
        return says(await town.request(), "Paused", ConditionStatus.TRUE)

    await town.until(told, "it says that it is paused")
    pool.clear_faults()
    before = pool.ledger()
    for _ in range(8):
        await town.advance("PT6H")
        await town.until(told, "it is still paused")
    assert pool.ledger() == before
    await pause(town, None)


async def test_refused_returned_and_resubmitted(tmp_path: Path) -> None:
    async with world(tmp_path) as town, town.operator():
        await town.apply(town.application())
        await town.decide("Return", by="acceptor")
        await town.phase("Refused")
        request = await town.request()
        assert says(request, "Approved", ConditionStatus.FALSE)
        assert len(await town.approvals()) == 1, "the same papers are not put forward twice"
        await town.edit(more_memory(town))
        await town.decide(by="acceptor")
        await town.decide("Refuse", by="reviewer")
        await town.phase("Refused")
        assert await town.kube.list(CloudServer, namespace=NAMESPACE) == ()
        assert pool_of(tmp_path).ledger() == []
        await town.edit({"servers": town.application()["spec"]["servers"]})
        await town.decide(by="acceptor")
        await town.decide(by="reviewer")
        town.hurry = "PT1S"
        await town.phase("Trial")
        states = [a.status.state.value for a in await town.approvals() if a.status]
        assert states == ["Returned", "Refused", "Approved"]
        status = (await town.request()).status
        assert status is not None
        keys = [h.key for h in status.history if h.key.startswith("decision/")]
        assert len(keys) == len(set(keys)) == 5
