"""Copies and keys of disks that leave: on record before they go, the same after a kill."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from effects_ground import (
    NAMESPACE,
    OWN,
    HandClock,
    Plane,
    order_of,
    policy_of,
    pool_of,
    request_of,
    running,
    server_of,
)

from govpool.api.workorder import DiskResult, ServerResult, WorkOrder
from govpool.effects.apply import Applier, Feedback, ServerTarget
from govpool.effects.executors import wipe
from govpool.effects.executors.base import OrderContext, OrderResult
from govpool.effects.executors.disks import leaving, on_sanitiser
from govpool.effects.executors.fixture import run_wipe
from govpool.effects.executors.runs import targets
from govpool.effects.kube import KubeError
from govpool.effects.pools import Pool
from govpool.effects.store import Store
from govpool.lifecycle.actions import AddDisks, EnsureMachine, ReleaseMachine
from govpool_providers.base import CopyKind, DiskState, DiskWant, PoolConnection
from govpool_providers.errors import ErrorCode, ProviderError
from govpool_providers.fixture import FixtureProvider

SERVER = server_of()
ROOT = SERVER.spec.disks[0].key


class Leaving:
    """A released server with two disks, one of which was copied, and its wipe order's runs."""

    def __init__(self, plane: Plane, state: Path) -> None:
        self.plane, self.state = plane, state
        connection = PoolConnection("fixture-pool", {"state": str(state / "pool.sqlite")})
        self.provider = FixtureProvider(connection, sleep=lambda _: None)
        self.pool = Pool("fixture-pool", self.provider)
        self.order: WorkOrder = order_of("wipe", "Wipe").model_copy(update={"status": running("me")})
        self.on_record: list[tuple[DiskResult, ...]] = []
        self.before_record: Callable[[], Awaitable[None]] | None = None

    async def release(self) -> None:
        feedback = Feedback(lambda _: None, lambda _: None, lambda _: None)
        applier = Applier(self.plane.kube, Store(), HandClock(), feedback)
        key = SERVER.spec.key
        data = DiskWant("gpd-data", "data", 10)
        actions = (EnsureMachine(key), AddDisks(key, (data,)), ReleaseMachine(key))
        await applier.apply(actions, ServerTarget(SERVER, self.pool))

    async def record(
        self, servers: tuple[ServerResult, ...] = (), disks: tuple[DiskResult, ...] = ()
    ) -> None:
        assert self.order.status is not None
        if self.before_record is not None:
            await self.before_record()
        status = self.order.status.model_copy(update={"disks": list(disks)})
        self.order = self.order.model_copy(update={"status": status})
        self.on_record.append(disks)

    @property
    def context(self) -> OrderContext:
        return OrderContext(
            order=self.order,
            request=request_of(),
            servers=(SERVER,),
            policy=policy_of(),
            pool=pool_of(),
            quota=None,
            provider=self.pool,
            kube=self.plane.kube,
            clock=HandClock(),
            state_dir=self.state,
            progress=lambda _: None,
            record=self.record,
        )

    def copies(self, disk: str) -> int:
        return len(self.provider.list_copies(disk))


@pytest.fixture
async def scene(plane: Plane, tmp_path: Path) -> Leaving:
    made = Leaving(plane, tmp_path)
    await made.release()
    return made


def found(result: OrderResult, disk: str) -> DiskResult:
    return next(r for r in result.disks if r.disk == disk)


async def test_a_copy_is_on_record_before_it_is_deleted(scene: Leaving) -> None:
    copy = scene.provider.control.plant_copy(ROOT, CopyKind.SNAPSHOT)

    async def still_there() -> None:
        assert scene.copies(ROOT) == 1

    scene.before_record = still_there
    result = await run_wipe(scene.context)
    assert result.succeeded, result.message
    assert scene.copies(ROOT) == 0 and len(scene.on_record) == 1
    (told,) = found(result, ROOT).copies
    assert (told.provider_id, told.outcome.value) == (copy.provider_id, "Deleted")
    assert found(result, "gpd-data").copies == []


async def test_a_run_after_a_kill_still_names_the_copies(scene: Leaving) -> None:
    copy = scene.provider.control.plant_copy(ROOT, CopyKind.BACKUP)
    first = await wipe.remove_copies(scene.context, await leaving(scene.context))
    assert scene.copies(ROOT) == 0 and first[ROOT]
    # Killed here: only what is on record is left.
    result = await run_wipe(scene.context)
    (told,) = found(result, ROOT).copies
    assert (told.provider_id, told.outcome.value, told.medium_key) == (copy.provider_id, "Deleted", ROOT)


async def test_without_the_record_nothing_is_deleted(scene: Leaving) -> None:
    scene.provider.control.plant_copy(ROOT, CopyKind.SNAPSHOT)

    async def refuses() -> None:
        raise KubeError(503, "ServiceUnavailable", "not now")

    scene.before_record = refuses
    with pytest.raises(KubeError):
        await run_wipe(scene.context)
    assert scene.copies(ROOT) == 1


async def test_copies_stay_known_when_the_wipe_fails(scene: Leaving) -> None:
    scene.provider.control.plant_copy(ROOT, CopyKind.SNAPSHOT)
    disks = await leaving(scene.context)
    copies = await wipe.remove_copies(scene.context, disks)
    failed = wipe.conclude(scene.context, disks, {}, copies, {})
    assert not failed.succeeded and failed.afterwards == () and len(found(failed, ROOT).copies) == 1


async def test_keys_are_the_same_after_a_restart_also_for_a_disk_found_later(scene: Leaving) -> None:
    disks = await leaving(scene.context)
    one = await wipe._keys(scene.context, disks[:1])
    both = await wipe._keys(scene.context, disks)
    assert all(both[name] == value for name, value in one.items())
    keys = [both[item.disk.key] for item in disks]
    assert len(set(keys)) == 2 and all(len(bytes.fromhex(key)) == 32 for key in keys)
    sealed = await scene.plane.admin.core_get("secrets", OWN, f"wipe-{scene.order.spec.run_key}")
    assert sealed is not None and set(sealed["data"]) == {"key", "seed"}  # type: ignore[arg-type]


async def test_keys_go_after_success_only(scene: Leaving) -> None:
    name = f"wipe-{scene.order.spec.run_key}"
    await wipe._keys(scene.context, await leaving(scene.context))
    result = await run_wipe(scene.context)
    assert await scene.plane.admin.core_get("secrets", OWN, name) is not None
    for step in result.afterwards:
        await step()
    assert await scene.plane.admin.core_get("secrets", OWN, name) is None


async def test_one_disk_that_does_not_detach_does_not_keep_the_others(
    scene: Leaving, monkeypatch: pytest.MonkeyPatch
) -> None:
    detach = scene.provider.detach_from_sanitiser

    def stuck(key: str) -> None:
        if key == ROOT:
            raise ProviderError(ErrorCode.INVALID, "stuck")
        detach(key)

    monkeypatch.setattr(scene.provider, "detach_from_sanitiser", stuck)
    disks = await leaving(scene.context)
    with pytest.raises(ProviderError, match="stuck"):
        async with on_sanitiser(scene.context, disks) as devices:
            assert len(devices) == 2
    states = {disk.key: disk.state for disk in scene.provider.list_disks(SERVER.spec.key)}
    assert states["gpd-data"] is DiskState.DETACHED and states[ROOT] is not DiskState.DETACHED


async def test_nobody_gets_in_with_new_keys_after_the_handover(scene: Leaving) -> None:
    from govpool.effects import access

    status = {"addresses": ["10.0.0.1"]}
    server = type(SERVER).model_validate(
        SERVER.model_dump(mode="json", by_alias=True, exclude_none=True) | {"status": status}
    )
    context = scene.context
    object.__setattr__(context, "servers", (server,))
    assert set(await targets(context)) == {server.metadata.name}
    await access.forget(scene.plane.kube, server)
    with pytest.raises(ProviderError, match="are gone"):
        await targets(context)
    assert await access.known_keys(scene.plane.kube, server) is None and NAMESPACE
