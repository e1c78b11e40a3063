"""Metrics of what the operator holds: read from store and queue when Prometheus asks, nothing in between."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import TypeVar

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from govpool.api.base import Resource
from govpool.api.cloudpool import CloudPool
from govpool.api.cloudresourcerequest import CloudResourceRequest, StageState
from govpool.api.cloudserver import CloudServer, DiskPhase
from govpool.api.rectificationnotice import NoticeState, RectificationNotice
from govpool.api.tenantquota import Amounts, Standing, TenantQuota
from govpool.api.wipecertificate import GENESIS, WipeCertificate
from govpool.api.workorder import WorkOrder, WorkOrderKind, WorkOrderState, WorkOrderStatus
from govpool.effects.clock import Clock
from govpool.effects.store import Store
from govpool.lifecycle.duties import UNFINISHED, Duty, Urgency, duties
from govpool.lifecycle.sharding import WHOLE, Shard
from govpool.rules.certificate import certificate_hash

R = TypeVar("R", bound=Resource)
L = TypeVar("L", bound=tuple[str, ...])
GIB = 1024**3
CLOSED = (NoticeState.RECTIFIED, NoticeState.WITHDRAWN)


def gauge(name: str, text: str, labels: tuple[str, ...], values: Mapping[L, float]) -> GaugeMetricFamily:
    """A metric family of the values by their labels."""
    family = GaugeMetricFamily(f"govpool_{name}", text, labels=labels)
    for key, value in sorted(values.items()):
        family.add_metric(key, value)
    return family


class StateCollector(Collector):
    """Everything that a person may have to act on. Runs in whichever thread asks."""

    def __init__(self, store: Store, clock: Clock, shard: Shard = WHOLE) -> None:
        """``shard``: whose namespaces are told, so that sums over shards are right."""
        self._store, self._clock, self._shard = store, clock, shard
        self._hashes: dict[str, str] = {}

    def describe(self) -> Iterable[Metric]:
        """Nothing is known before it is read."""
        return ()

    def collect(self) -> Iterator[Metric]:
        """One family after the other; each reads the newest version of what it is about."""
        now = self._clock.now()
        requests = self._mine(CloudResourceRequest)
        notices = self._mine(RectificationNotice)
        pools = self._mine(CloudPool)
        orders = self._mine(WorkOrder)
        servers = self._mine(CloudServer)
        yield from _requests(requests)
        yield from _clocks((*requests, *notices, *pools), now)
        yield from _notices(notices)
        yield from _orders(orders, now)
        yield from _wipes(orders, servers)
        yield from _quotas(self._mine(TenantQuota))
        yield from _pools(pools, servers)
        yield from self._chains(self._mine(WipeCertificate))

    def _mine(self, kind: type[R]) -> tuple[R, ...]:
        """What it acts for; an operator may hold more."""
        found = self._store.snapshot(kind)
        if self._shard.whole:
            return found
        return tuple(item for item in found if self._shard.owns(item.metadata.namespace))

    def _chains(self, certificates: Iterable[WipeCertificate]) -> Iterator[Metric]:
        chains: defaultdict[str, list[WipeCertificate]] = defaultdict(list)
        for certificate in certificates:
            chains[certificate.spec.authority].append(certificate)
        height, gaps, last = {}, {}, {}
        for authority, found in chains.items():
            found.sort(key=lambda one: one.spec.sequence)
            expected, number = GENESIS, 0
            broken = 0
            for one in found:
                number += 1
                fits = one.spec.sequence == number and one.spec.previous_hash == expected
                broken += 0 if fits else 1
                expected, number = self._hash(one), one.spec.sequence
            height[(authority,)] = float(found[-1].spec.sequence)
            gaps[(authority,)] = float(broken)
            last[(authority,)] = max(one.spec.issued for one in found).timestamp()
        labels = ("authority",)
        yield gauge("certificate_chain_height", "Certificates in the chain.", labels, height)
        if self._shard.whole:
            # A shard sees only a part of each chain.
            yield gauge("certificate_chain_gaps", "Places where the chain does not fit.", labels, gaps)
        yield gauge("certificate_last_timestamp_seconds", "When the last was issued.", labels, last)

    def _hash(self, certificate: WipeCertificate) -> str:
        """A certificate is immutable: each is hashed once for each version that was seen of it."""
        mark = f"{certificate.metadata.uid}/{certificate.metadata.resource_version}"
        if (known := self._hashes.get(mark)) is None:
            known = self._hashes[mark] = certificate_hash(certificate.spec)
        return known


def _requests(requests: Iterable[CloudResourceRequest]) -> Iterator[Metric]:
    phases: Counter[tuple[str, ...]] = Counter()
    stuck: Counter[tuple[str, ...]] = Counter()
    findings: Counter[tuple[str, ...]] = Counter()
    paused = 0
    for request in requests:
        paused += request.paused
        status = request.status
        phases[(status.phase.value if status else "Pending",)] += 1
        if status is None:
            continue
        last = status.stages[-1] if status.stages else None
        if last is not None and last.state in (StageState.FAILED, StageState.UNKNOWN):
            stuck[last.stage.value, last.state.value] += 1
        findings.update((one.finding.value,) for one in status.findings)
    yield gauge("requests", "Requests by phase.", ("phase",), phases)
    yield gauge("requests_stuck", "Requests whose stage failed or is unknown.", ("stage", "state"), stuck)
    yield gauge("requests_paused", "Requests that are paused.", (), {(): paused})
    yield gauge("findings", "Findings that stand against requests.", ("finding",), findings)


def _clocks(resources: Iterable[Resource], now: datetime) -> Iterator[Metric]:
    count: Counter[tuple[str, ...]] = Counter()
    nearest: dict[tuple[str, ...], float] = {}
    longest: dict[tuple[str, ...], float] = {}
    for duty in (duty for resource in resources for duty in duties(resource, now)):
        step = (duty.step, duty.who.value)
        count[*step, duty.urgency.value] += 1
        left = _left(duty, now)
        if left is not None and duty.urgency is Urgency.RUNNING:
            nearest[step] = min(left, nearest.get(step, left))
        elif left is not None:
            longest[step] = max(-left, longest.get(step, 0.0))
    labels = ("step", "who")
    yield gauge("clocks", "Clocks for somebody who must act.", (*labels, "state"), count)
    yield gauge("clock_next_due_seconds", "Until the next running one ends.", labels, nearest)
    yield gauge("clock_longest_overdue_seconds", "How long the oldest is over.", labels, longest)


def _left(duty: Duty, now: datetime) -> float | None:
    return (duty.due - now).total_seconds() if duty.due else None


def _notices(notices: Iterable[RectificationNotice]) -> Iterator[Metric]:
    count: Counter[tuple[str, ...]] = Counter()
    for notice in notices:
        state = notice.status.state if notice.status else NoticeState.OPEN
        if state not in CLOSED:
            count[notice.spec.finding.value, state.value] += 1
    yield gauge("notices", "Rectification notices that are open.", ("finding", "state"), count)


def _orders(orders: Iterable[WorkOrder], now: datetime) -> Iterator[Metric]:
    count: Counter[tuple[str, ...]] = Counter()
    overdue: Counter[tuple[str, ...]] = Counter()
    oldest: dict[tuple[str, ...], float] = {}
    for order in orders:
        state = order.status.state if order.status else WorkOrderState.PENDING
        work, executor = order.spec.work.value, order.spec.executor.value
        key = (work, state.value, executor)
        count[key] += 1
        made = order.metadata.creation_timestamp or order.spec.started_by
        oldest[key] = max((now - made).total_seconds(), oldest.get(key, 0.0))
        if state in UNFINISHED and order.spec.due is not None and now > order.spec.due:
            overdue[work, executor] += 1
    labels = ("work", "state", "executor")
    yield gauge("work_orders", "Work orders that are not settled.", labels, count)
    yield gauge("work_order_oldest_seconds", "Age of the oldest of them.", labels, oldest)
    yield gauge("work_orders_overdue", "Unfinished ones whose time passed.", ("work", "executor"), overdue)


def _wipes(orders: Iterable[WorkOrder], servers: Iterable[CloudServer]) -> Iterator[Metric]:
    wipes = [order for order in orders if order.spec.work is WorkOrderKind.WIPE]
    running = [order for order in wipes if order.status and order.status.state is WorkOrderState.RUNNING]
    ends = [order.status for order in wipes if order.status and order.status.state is WorkOrderState.FAILED]
    about = {(order.metadata.namespace, name) for order in running for name in order.spec.servers}
    left = sum(
        disk.size_bytes or wanted.get(disk.key, 0) * GIB
        for server in servers
        if (server.metadata.namespace, server.metadata.name) in about and server.status
        for wanted in [{disk.key: disk.size_gib for disk in server.spec.disks}]
        for disk in server.status.disks
        if disk.phase in (DiskPhase.PENDING, DiskPhase.PRESENT)
    )
    yield gauge("wipes_running", "Wipe orders that are being carried out.", (), {(): len(running)})
    yield gauge("wipe_running_bytes", "Size of the disks that are left to wipe in them.", (), {(): left})
    yield gauge("wipe_failed_disks", "Disks whose last wipe was not verified.", (), {(): _failed(ends)})


def _failed(ends: Iterable[WorkOrderStatus]) -> float:
    # An order that failed before it came to any disk has failed for at least one.
    return sum(sum(not disk.ok for disk in end.disks) or 1 for end in ends)


def _quotas(quotas: Iterable[TenantQuota]) -> Iterator[Metric]:
    used: defaultdict[tuple[str, ...], float] = defaultdict(float)
    limits: dict[tuple[str, ...], float] = {}
    stopped = 0
    for quota in quotas:
        namespace, status = quota.metadata.namespace, quota.status
        stopped += status is not None and status.standing is Standing.ISSUING_STOPPED
        for limit in quota.spec.limits:
            for resource, value in _amounts(limit.hard):
                limits[namespace, limit.pool, resource] = value
                used[namespace, limit.pool, resource] += 0
        for held in status.reservations if status else ():
            for resource, value in _amounts(held.amounts):
                used[namespace, held.pool, resource] += value
    labels = ("namespace", "pool", "resource")
    yield gauge("quota_used", "Reserved by the unit in the pool.", labels, used)
    yield gauge("quota_limit", "The unit's hard limit in the pool.", labels, limits)
    yield gauge("units_stopped", "Units that are issued nothing more.", (), {(): stopped})


def _amounts(amounts: Amounts) -> Iterator[tuple[str, float]]:
    for name, field in type(amounts).model_fields.items():
        yield field.alias or name, float(getattr(amounts, name))


def _pools(pools: Iterable[CloudPool], servers: Iterable[CloudServer]) -> Iterator[Metric]:
    reachable: dict[tuple[str, ...], float] = {}
    seen: dict[tuple[str, ...], float] = {}
    unknown: dict[tuple[str, ...], float] = {}
    allocated: dict[tuple[str, ...], float] = {}
    capacity: dict[tuple[str, ...], float] = {}
    for pool in pools:
        name, status = pool.metadata.name, pool.status
        if status is not None:
            if status.reachable is not None:
                reachable[(name,)] = float(status.reachable)
            if status.seen_at is not None:
                seen[(name,)] = status.seen_at.timestamp()
            unknown[(name,)] = len(status.unknown_machines)
            taken = status.allocated
            for resource, value in (
                ("servers", taken.servers),
                ("vcpu", taken.vcpu),
                ("memoryGiB", taken.memory_gib),
                ("storageGiB", taken.storage_gib),
            ):
                allocated[name, resource] = value
        capacity.update({(name, resource): value for resource, value in capacities(pool)})
    phases = Counter(
        (server.spec.pool, server.status.phase.value if server.status else "Pending") for server in servers
    )
    yield gauge("pool_reachable", "Whether the pool answers.", ("pool",), reachable)
    yield gauge("pool_seen_timestamp_seconds", "When it last answered.", ("pool",), seen)
    yield gauge("pool_unknown_machines", "Machines that belong to no CloudServer.", ("pool",), unknown)
    yield gauge("pool_allocated", "What its servers take.", ("pool", "resource"), allocated)
    yield gauge("pool_capacity", "What may be issued.", ("pool", "resource"), capacity)
    yield gauge("servers", "Servers by phase.", ("pool", "phase"), phases)


def capacities(pool: CloudPool) -> Iterator[tuple[str, float]]:
    """What may be issued from the pool, overcommit included, where it sets a limit."""
    limit = pool.spec.capacity
    if limit.servers is not None:
        yield "servers", limit.servers
    if limit.vcpu is not None:
        yield "vcpu", limit.vcpu * limit.vcpu_overcommit_percent / 100
    if limit.memory_gib is not None:
        yield "memoryGiB", limit.memory_gib * limit.memory_overcommit_percent / 100
    if limit.storage_gib is not None:
        yield "storageGiB", limit.storage_gib
