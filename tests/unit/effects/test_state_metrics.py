"""What Prometheus reads: the numbers behind a town, and labels that stay few."""

from __future__ import annotations

from datetime import timedelta

import pytest
from certificate_examples import chain
from effects_ground import (
    NAMESPACE,
    NOW,
    HandClock,
    order_of,
    pool_of,
    quota,
    request_of,
    server_of,
    versioned,
)

from govpool.api.base import PAUSED_ANNOTATION, ObjectMeta, Resource
from govpool.api.cloudpolicy import Stage
from govpool.api.cloudpool import CloudPoolStatus
from govpool.api.cloudresourcerequest import (
    CloudResourceRequest,
    CloudResourceRequestStatus,
    Deadline,
    RequestPhase,
    StageState,
    StageStatus,
)
from govpool.api.policy_roles import Role
from govpool.api.tenantquota import Amounts, Reservation, Standing, TenantQuotaStatus
from govpool.api.wipecertificate import WipeCertificate
from govpool.api.workorder import Executor, WorkOrderState, WorkOrderStatus
from govpool.effects.signing import generate_private_key
from govpool.effects.state_metrics import StateCollector
from govpool.effects.store import Store
from govpool.lifecycle.sharding import WHOLE, Shard

Labels = tuple[tuple[str, str], ...]


def read(*resources: Resource, shard: Shard = WHOLE) -> dict[str, dict[Labels, float]]:
    """Every sample by its metric's name and labels."""
    store = Store()
    for number, resource in enumerate(resources, start=1):
        assert store.put(versioned(resource, number, f"u{number}"))
    found: dict[str, dict[Labels, float]] = {}
    for family in StateCollector(store, HandClock(), shard).collect():
        for sample in family.samples:
            found.setdefault(sample.name, {})[tuple(sorted(sample.labels.items()))] = sample.value
    return found


def labels(**values: str) -> Labels:
    return tuple(sorted(values.items()))


def request(name: str, **status: object) -> CloudResourceRequest:
    return request_of(name).model_copy(update={"status": CloudResourceRequestStatus(**status)})  # type: ignore[arg-type]


def due(who: Role, days: float | None, **more: object) -> Deadline:
    given = {
        "what": "Review doc-approval-r1",
        "who": who,
        "since": NOW - timedelta(days=9),
        "article": "YY-14",
    }
    at = None if days is None else NOW + timedelta(days=days)
    return Deadline(**given, due=at, overdue=at is not None and at < NOW, **more)  # type: ignore[arg-type]


def test_each_clock_is_counted_once_by_step_role_and_how_it_stands() -> None:
    found = read(
        request("a", deadlines=[due(Role.REVIEWER, 2, stage=Stage.REVIEW), due(Role.UNIT, None)]),
        request("b", deadlines=[due(Role.REVIEWER, 1, stage=Stage.REVIEW)]),
        request("c", deadlines=[due(Role.REVIEWER, -3, stage=Stage.REVIEW)]),
        request(
            "d",
            deadlines=[
                due(Role.REVIEWER, -5, stage=Stage.REVIEW, escalated_to=Role.SUPERVISOR, escalated_at=NOW),
                due(Role.UNIT, 4, by_itself=True),
            ],
        ),
    )
    review = {"step": "Review", "who": "reviewer"}
    assert found["govpool_clocks"] == {
        labels(**review, state="running"): 2,
        labels(**review, state="overdue"): 1,
        labels(**review, state="escalated"): 1,
        labels(step="Term", who="unit", state="running"): 1,
    }
    assert found["govpool_clock_next_due_seconds"] == {labels(**review): 86400}
    assert found["govpool_clock_longest_overdue_seconds"] == {labels(**review): 5 * 86400}


def test_requests_by_phase_and_those_that_are_stuck() -> None:
    failed = StageStatus(stage=Stage.BASELINE, state=StageState.FAILED, article="YY-17")
    done = StageStatus(stage=Stage.QUOTA, state=StageState.DONE, article="YY-13")
    paused = request_of("p")
    paused = paused.model_copy(
        update={"metadata": paused.metadata.model_copy(update={"annotations": {PAUSED_ANNOTATION: "true"}})}
    )
    found = read(
        request("a", phase=RequestPhase.OPENING, stages=[done, failed]),
        request("b", phase=RequestPhase.OPENING, stages=[done]),
        paused,
    )
    assert found["govpool_requests"] == {labels(phase="Opening"): 2, labels(phase="Pending"): 1}
    assert found["govpool_requests_stuck"] == {labels(stage="Baseline", state="Failed"): 1}
    assert found["govpool_requests_paused"] == {(): 1}


def test_work_orders_by_kind_state_and_age_and_wipes_with_their_bytes() -> None:
    old = order_of("old", "Wipe")
    old = old.model_copy(
        update={
            "metadata": old.metadata.model_copy(update={"creation_timestamp": NOW - timedelta(hours=3)}),
            "status": WorkOrderStatus(state=WorkOrderState.RUNNING),
        }
    )
    late = order_of("late", "Manual")
    late = late.model_copy(
        update={
            "spec": late.spec.model_copy(
                update={"executor": Executor.PERSON, "due": NOW - timedelta(minutes=1)}
            )
        }
    )
    server = server_of()
    disk = {"key": "gpd-doc-approval-app-0", "name": "root", "phase": "Present", "sizeBytes": 7}
    status = type(server).model_fields["status"].annotation.__args__[0].model_validate({"disks": [disk]})  # type: ignore[union-attr]
    broken = order_of("broken", "Wipe").model_copy(
        update={"status": WorkOrderStatus(state=WorkOrderState.FAILED)}
    )
    found = read(old, late, broken, server.model_copy(update={"status": status}))
    running = labels(work="Wipe", state="Running", executor="local")
    assert found["govpool_work_orders"][running] == 1
    assert found["govpool_work_order_oldest_seconds"][running] == 3 * 3600
    assert found["govpool_work_orders_overdue"] == {labels(work="Manual", executor="person"): 1}
    assert found["govpool_wipes_running"] == {(): 1}
    assert found["govpool_wipe_running_bytes"] == {(): 7}
    assert found["govpool_wipe_failed_disks"] == {(): 1}


def test_quotas_and_pools_are_told_with_their_limits() -> None:
    held = Reservation(
        request_uid="x", request="a", pool="local-pool", revision=1, amounts=Amounts(servers=2, vcpu=6)
    )
    unit = quota()
    pool = unit.spec.limits[0].pool
    status = TenantQuotaStatus(
        reservations=[held.model_copy(update={"pool": pool}), held.model_copy(update={"pool": pool})],
        standing=Standing.ISSUING_STOPPED,
    )
    cloud = pool_of(capacity={"vcpu": 100, "vcpuOvercommitPercent": 200})
    cloud = cloud.model_copy(update={"status": CloudPoolStatus(reachable=False, unknown_machines=["x"])})
    found = read(unit.model_copy(update={"status": status}), cloud, server_of())
    mine = {"namespace": NAMESPACE, "pool": pool}
    assert found["govpool_quota_used"][labels(**mine, resource="vcpu")] == 12
    assert found["govpool_quota_limit"][labels(**mine, resource="vcpu")] == unit.spec.limits[0].hard.vcpu
    assert found["govpool_units_stopped"] == {(): 1}
    assert found["govpool_pool_reachable"] == {labels(pool="fixture-pool"): 0}
    assert found["govpool_pool_capacity"] == {labels(pool="fixture-pool", resource="vcpu"): 200}
    assert found["govpool_servers"] == {labels(pool="fixture-pool", phase="Pending"): 1}
    assert found["govpool_pool_unknown_machines"] == {labels(pool="fixture-pool"): 1}


@pytest.fixture(scope="module")
def certificates() -> list[WipeCertificate]:
    made = chain(4, generate_private_key())
    return [
        WipeCertificate(metadata=ObjectMeta(name=f"c{n}", namespace="ns"), spec=spec)
        for n, spec in enumerate(made)
    ]


def test_a_chain_of_certificates_is_as_high_as_its_last_and_has_no_gap(
    certificates: list[WipeCertificate],
) -> None:
    found = read(*reversed(certificates))
    (height,) = found["govpool_certificate_chain_height"].values()
    (gaps,) = found["govpool_certificate_chain_gaps"].values()
    assert (height, gaps) == (4, 0)


def test_a_certificate_that_is_missing_or_altered_is_a_gap(certificates: list[WipeCertificate]) -> None:
    (gaps,) = read(certificates[0], *certificates[2:])["govpool_certificate_chain_gaps"].values()
    assert gaps == 1
    spec = certificates[1].spec.model_copy(update={"number": "WC-2026-9999"})
    altered = certificates[1].model_copy(update={"spec": spec})
    (gaps,) = read(certificates[0], altered, *certificates[2:])["govpool_certificate_chain_gaps"].values()
    assert gaps == 1


def test_a_shard_tells_of_its_own_namespaces_and_of_no_gap_in_a_part_of_the_chain(
    certificates: list[WipeCertificate],
) -> None:
    shards = [Shard(index, 4) for index in range(4)]
    mine = next(shard for shard in shards if shard.owns(NAMESPACE))
    told = [read(certificates[3], request("a"), quota(), pool_of(), shard=shard) for shard in shards]
    assert not any("govpool_certificate_chain_gaps" in found for found in told)
    assert [bool(found.get("govpool_requests")) for found in told] == [shard == mine for shard in shards]
    pools = [bool(found.get("govpool_pool_capacity")) for found in told]
    assert pools == [True, False, False, False], "the first shard sees to the pools"


def test_the_number_of_series_grows_with_units_and_not_with_requests() -> None:
    def series(count: int) -> int:
        requests = [request(f"r{n}", deadlines=[due(Role.UNIT, n % 3 - 1)]) for n in range(count)]
        orders = [order_of(f"o{n}") for n in range(count)]
        servers = [server_of(f"s{n}", f"uid-{n}") for n in range(count)]
        return sum(len(found) for found in read(quota(), pool_of(), *requests, *orders, *servers).values())

    assert series(60) == series(6)
