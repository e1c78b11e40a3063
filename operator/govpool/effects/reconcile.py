"""Observe, decide, apply: one function per kind, run for every reason alike."""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TypeVar

from govpool.api.approval import Approval, RequestReference
from govpool.api.base import Resource
from govpool.api.cloudpolicy import CloudPolicy
from govpool.api.cloudpool import CloudPool
from govpool.api.cloudresourcerequest import CloudResourceRequest
from govpool.api.cloudserver import CloudServer, Desired
from govpool.api.rectificationnotice import RectificationNotice
from govpool.api.servicecatalog import ServiceCatalog
from govpool.api.tenantquota import TenantQuota
from govpool.api.wipecertificate import WipeCertificate
from govpool.api.workorder import Executor, WorkOrder, WorkOrderState
from govpool.effects import certificates
from govpool.effects.apply import Applier, Feedback, ServerTarget
from govpool.effects.audit import Trail
from govpool.effects.clock import Clock
from govpool.effects.dependents import AUDIT, CHAIN
from govpool.effects.echoes import Echoes
from govpool.effects.executors.base import OrderContext, Recorder
from govpool.effects.executors.evidence import Keep, keep
from govpool.effects.executors.registry import executor
from govpool.effects.identity import holder_gone
from govpool.effects.jobs import carry_out as jobs
from govpool.effects.jobs.manifests import JobSettings
from govpool.effects.kube import Kube
from govpool.effects.pool_watch import LARGE, Listed, PoolWatch
from govpool.effects.pools import Pool, Pools
from govpool.effects.rests import Rests
from govpool.effects.runs import Runs
from govpool.effects.store import Key, Store
from govpool.effects.survey import Surveyor
from govpool.lifecycle import approval as approval_core
from govpool.lifecycle import notice as notice_core
from govpool.lifecycle import pool as pool_core
from govpool.lifecycle import provider_exit
from govpool.lifecycle import request as request_core
from govpool.lifecycle import server as server_core
from govpool.lifecycle import work_order as order_core
from govpool.lifecycle.actions import StartRun, WriteQuota
from govpool.lifecycle.decision import Decision
from govpool.lifecycle.observation import (
    ApprovalObservation,
    OrderObservation,
    PoolObservation,
    RequestObservation,
    SeenInPool,
    ServerObservation,
    Unknown,
)
from govpool.messages import Language
from govpool_providers.base import Disk, Provider
from govpool_providers.errors import ErrorCode, ProviderError

log = logging.getLogger(__name__)
R = TypeVar("R", bound=Resource)


class Reconciler:
    """Brings observations, decisions and effects together."""

    def __init__(
        self,
        kube: Kube,
        store: Store,
        clock: Clock,
        pools: Pools,
        state_dir: Path,
        feedback: Feedback,
        language: Language = "en",
    ) -> None:
        self._kube = kube
        self._store = store
        self._clock = clock
        self._pools = pools
        self._surveyor = Surveyor(pools)
        self._state_dir = state_dir
        self._language: Language = language
        self.jobs: JobSettings | None = None
        """How Jobs are made; None: what runs playbooks is run here."""
        self.keep: Keep = keep
        self.runs = Runs(kube, clock, feedback.wake, feedback.took)
        self._applier = Applier(kube, store, clock, feedback)
        self._wake, self._pool_watch = feedback.wake, PoolWatch()
        self._reserving: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self.rests, self.echoes = Rests(), Echoes()
        self._by_kind: dict[str, Callable[[Resource], Awaitable[Decision]]] = {
            CloudResourceRequest.DEFINITION.kind: self._request,
            Approval.DEFINITION.kind: self._approval,
            CloudServer.DEFINITION.kind: self._server,
            WorkOrder.DEFINITION.kind: self._order,
            CloudPool.DEFINITION.kind: self._pool,
            RectificationNotice.DEFINITION.kind: self._notice,
        }

    @property
    def applier(self) -> Applier:
        """What carries out its decisions."""
        return self._applier

    @property
    def trail(self) -> Trail:
        """The audit trail that it writes."""
        return self._applier.trail

    async def reconcile(self, key: Key) -> Decision:
        """Look at the object under the key and do what is next; nothing when it is gone.

        Raises:
            KubeError: the API server did not take a write, or did not answer.
            ProviderError: the pool did not do what was asked; it is on record already.
        """
        if key == CHAIN:
            await certificates.finish(self._kube)
            return Decision()
        if key == AUDIT:
            return Decision(look_again=await self._applier.trail.anchor())
        resource = self._store.find(key)
        act = self._by_kind.get(key[0])
        if resource is None or act is None:
            return Decision()
        return await act(resource)

    # -- requests ---------------------------------------------------------------------------------
    async def _request(self, resource: Resource) -> Decision:
        request = _as(CloudResourceRequest, resource)
        observation = self.observe_request(request)
        if (found := self.rests.found(observation)) is not None:
            return found
        decision = request_core.decide(observation)
        if not any(isinstance(action, WriteQuota) for action in decision.actions):
            await self._applier.apply(decision.actions)
            after = self._store.get(CloudResourceRequest, *_place(request))
            orders = self._store.made_for(WorkOrder, request.metadata.uid)
            servers = self._store.made_for(CloudServer, request.metadata.uid)
            self.rests.took(observation, decision, after, orders, servers)
            return decision
        # All reservations of a unit stand in one object: one after the other, each on what the one before
        # it left, instead of all but one meeting a conflict and backing off.
        turn = self._reserving[request.metadata.namespace]
        if not turn.locked():
            async with turn:
                await self._applier.apply(decision.actions)
            return decision
        async with turn:
            newest = self._store.find(request.key)
            if newest is None:
                return Decision()
            decision = request_core.decide(self.observe_request(_as(CloudResourceRequest, newest)))
            await self._applier.apply(decision.actions)
            return decision

    def observe_request(self, request: CloudResourceRequest) -> RequestObservation:
        """The request and what surrounds it, as known."""
        uid, store = request.metadata.uid, self._store
        pool = store.get(CloudPool, request.spec.pool)
        return RequestObservation(
            request=request,
            now=self._clock.now(),
            policy=store.get(CloudPolicy, pool.spec.policy) if pool else None,
            catalog=store.get(ServiceCatalog, pool.spec.catalog) if pool else None,
            pool=pool,
            quota=store.get(TenantQuota, "unit", request.metadata.namespace),
            approvals=store.made_for(Approval, uid),
            servers=store.made_for(CloudServer, uid),
            orders=store.made_for(WorkOrder, uid),
            certificates=store.made_for(WipeCertificate, uid),
            notices=self._notices(request.metadata.namespace),
            language=self._language,
            executor=Executor.LOCAL if self.jobs is None else Executor.JOB,
        )

    # -- approvals --------------------------------------------------------------------------------
    async def _approval(self, resource: Resource) -> Decision:
        approval = _as(Approval, resource)
        policy = self._store.get(CloudPolicy, approval.spec.policy)
        decision = approval_core.decide(ApprovalObservation(approval, self._clock.now(), policy))
        await self._applier.apply(decision.actions)
        return decision

    # -- servers ----------------------------------------------------------------------------------
    async def _server(self, resource: Resource) -> Decision:
        server = _as(CloudServer, resource)
        orders = self._store.made_for(WorkOrder, server.spec.request.uid)
        known = self._pool_watch.seen(server) or self.echoes.seen(server, orders, self._clock.now())
        if known is not None:
            observation = self._observe_server(server, known)
            if not (decision := server_core.decide(observation)).actions:
                return self._pool_watch.rarely(server, decision, observation.now)
        pool, seen = await self._look(server)
        observation = self._observe_server(server, seen)
        decision = server_core.decide(observation)
        decision = self._pool_watch.rarely(server, decision, observation.now)
        target = ServerTarget(server, pool) if pool is not None else None
        try:
            await self._applier.apply(decision.actions, target)
        except ProviderError as error:
            newest = self._store.get(CloudServer, server.metadata.name, server.metadata.namespace) or server
            told = server_core.faulted(newest, observation, error.code, error.message, error.retry_after)
            await self._applier.apply(told.actions)
            return told
        self.echoes.took(observation, decision, self._store.get(CloudServer, *_place(server)))
        return decision

    def _observe_server(self, server: CloudServer, seen: SeenInPool | Unknown) -> ServerObservation:
        return ServerObservation(
            server=server,
            now=self._clock.now(),
            pool=self._store.get(CloudPool, server.spec.pool),
            seen=seen,
            orders=self._store.made_for(WorkOrder, server.spec.request.uid),
            request=self._request_of(server.spec.request, server.metadata.namespace),
            notices=self._notices(server.metadata.namespace),
            language=self._language,
        )

    async def _look(self, server: CloudServer) -> tuple[Pool | None, SeenInPool | Unknown]:
        """Ask the pool about one server, whole or not at all."""
        cloud_pool = self._store.get(CloudPool, server.spec.pool)
        if cloud_pool is None:
            return None, Unknown("PoolMissing", f"there is no CloudPool {server.spec.pool}: create it")
        try:
            pool = await self._pools.of(cloud_pool)
            provider = pool.provider.for_unit(server.metadata.namespace)
            return pool, await pool.call(partial(_seen, provider, server))
        except ProviderError as error:
            return None, Unknown(error.code.value, error.message)

    # -- notices ----------------------------------------------------------------------------------
    def _notices(self, namespace: str) -> tuple[RectificationNotice, ...]:
        """Every notice of the unit."""
        found = self._store.within(RectificationNotice, namespace)
        return tuple(sorted(found, key=lambda notice: notice.metadata.name))

    async def _notice(self, resource: Resource) -> Decision:
        # A stop of issuing is written beside the unit's reservations: one after the other, as they are.
        async with self._reserving[resource.metadata.namespace]:
            newest = self._store.find(resource.key)
            if newest is None:
                return Decision()
            decision = notice_core.decide(self.observe_notice(_as(RectificationNotice, newest)))
            await self._applier.apply(decision.actions)
            return decision

    def observe_notice(self, notice: RectificationNotice) -> notice_core.NoticeObservation:
        """The notice and what it is about, as known."""
        namespace, about = notice.metadata.namespace, notice.spec.request
        request = self._request_of(about, namespace) if about else None
        pool = self._store.get(CloudPool, request.spec.pool) if request else None
        return notice_core.NoticeObservation(
            notice=notice,
            now=self._clock.now(),
            policy=self._store.get(CloudPolicy, notice.spec.policy),
            quota=self._store.get(TenantQuota, "unit", namespace),
            request=request,
            governing=pool.spec.policy if pool else None,
            notices=self._notices(namespace),
            language=self._language,
        )

    # -- work orders ------------------------------------------------------------------------------
    async def _order(self, resource: Resource) -> Decision:
        order = _as(WorkOrder, resource)
        running_here = self.runs.running(order.key)
        runs = order.status is not None and order.status.state is WorkOrderState.RUNNING
        # Whether another runs it is read from the system: only where nothing else tells.
        lease = order.status.lease if order.status and runs and not running_here else None
        decision = order_core.decide(
            OrderObservation(
                order=order,
                now=self._clock.now(),
                me=self.runs.me,
                running_here=running_here,
                holder_gone=lease is not None and holder_gone(lease.holder),
                request=self._request_of(order.spec.request, order.metadata.namespace),
            )
        )
        starts = any(isinstance(action, StartRun) for action in decision.actions)
        # Whatever may be missing is missed before the order is said to run.
        run = await self._prepare(order) if starts else None
        await self._applier.apply(tuple(a for a in decision.actions if not isinstance(a, StartRun)))
        if run is not None:
            run(self._store.get(WorkOrder, order.metadata.name, order.metadata.namespace) or order)
        return decision

    async def _prepare(self, order: WorkOrder) -> Callable[[WorkOrder], None]:
        """What starts the order's run once its status says so.

        Raises:
            ProviderError: something that the run needs is not known, or nobody carries out such orders.
        """
        namespace, spec = order.metadata.namespace, order.spec
        pool = self._store.get(CloudPool, spec.pool)
        policy = self._store.get(CloudPolicy, pool.spec.policy) if pool else None
        request = self._request_of(spec.request, namespace)
        servers = [self._store.get(CloudServer, name, namespace) for name in spec.servers]
        known = [s for s in servers if s is not None and s.spec.request.uid == spec.request.uid]
        if pool is None or policy is None or request is None or len(known) < len(servers):
            # A run over fewer servers than ordered would report success for those that it left out.
            raise ProviderError(
                ErrorCode.RETRYABLE,
                f"pool, policy, request or servers of {order.metadata.name} are not known",
            )
        carry_out = executor(spec.work, pool)
        if carry_out is None:
            raise ProviderError(
                ErrorCode.INVALID, f"nobody here carries out {spec.work.value} orders: give it to a person"
            )
        provider = await self._pools.of(pool)
        if spec.executor is Executor.JOB:
            if self.jobs is None:
                # Its Job may be at work, and nobody here would see it.
                raise ProviderError(
                    ErrorCode.INVALID,
                    f"{order.metadata.name} is for a Job: run the operator with --executor job",
                )
            carry_out = jobs.executor(self.jobs, carry_out)

        def begin(newest: WorkOrder) -> None:
            def context(said: dict[str, str], record: Recorder) -> OrderContext:
                return OrderContext(
                    order=newest,
                    request=request,
                    servers=tuple(known),
                    policy=policy,
                    pool=pool,
                    quota=self._store.get(TenantQuota, "unit", namespace),
                    provider=provider,
                    kube=self._kube,
                    clock=self._clock,
                    state_dir=self._state_dir,
                    progress=lambda text: said.update(progress=text),
                    record=record,
                    keep=self.keep,
                )

            self.runs.start(newest, carry_out, context)

        return begin

    def _request_of(self, reference: RequestReference, namespace: str) -> CloudResourceRequest | None:
        """The request itself, not one that was made later under its name."""
        found = self._store.get(CloudResourceRequest, reference.name, namespace)
        return found if found is not None and found.metadata.uid == reference.uid else None

    # -- pools ------------------------------------------------------------------------------------
    async def _pool(self, resource: Resource) -> Decision:
        cloud_pool = _as(CloudPool, resource)
        servers = tuple(s for s in self._store.all(CloudServer) if s.spec.pool == cloud_pool.metadata.name)
        machines, disks = ((), None) if cloud_pool.by_hand else await self._machines(cloud_pool, servers)
        quotas = tuple(
            quota
            for quota in self._store.all(TenantQuota)
            if any(limit.pool == cloud_pool.metadata.name for limit in quota.spec.limits)
        )
        surveyed = await self._surveyor.survey(cloud_pool, quotas, self._clock.now(), disks)
        seen = replace(self._with_exit(cloud_pool, machines, servers), quotas=quotas, surveyed=surveyed)
        decision = pool_core.decide(seen)
        await self._applier.apply(decision.actions)
        return decision

    async def _machines(
        self, cloud_pool: CloudPool, servers: tuple[CloudServer, ...]
    ) -> tuple[tuple[str, ...] | Unknown, tuple[Disk, ...] | None]:
        """Keys of the pool's machines; of a large pool also its disks, from which a survey may be made."""
        name, large = cloud_pool.metadata.name, len(servers) >= LARGE
        try:
            pool = await self._pools.of(cloud_pool)
            if not large:
                return await pool.call(partial(_machine_keys, pool.provider)), None
            listed = await pool.call(partial(_listed, pool.provider))
        except ProviderError as error:
            self._wake_all(self._pool_watch.lost(name, servers))
            return Unknown(error.code.value, error.message), None
        # The next list is compared with this one: what was seen of a server before may be older than it.
        self.echoes.forget()
        self._pool_watch.told(name, listed)
        self._wake_all(self._pool_watch.took(name, listed.marks, servers))
        return tuple(machine.key for machine in listed.machines), listed.disks

    def _wake_all(self, keys: Iterable[Key]) -> None:
        for key in keys:
            self._wake(key)

    def _with_exit(
        self, pool: CloudPool, machines: tuple[str, ...] | Unknown, servers: tuple[CloudServer, ...]
    ) -> PoolObservation:
        """The pool, and while its provider leaves the requests and certificates that the exit is about."""
        leaves = pool.spec.state in provider_exit.ENDING
        requests = self._store.all(CloudResourceRequest) if leaves else ()
        name = pool.metadata.name
        return PoolObservation(
            pool,
            self._clock.now(),
            machines,
            servers,
            self._language,
            policy=self._store.get(CloudPolicy, pool.spec.policy),
            requests=tuple(one for one in requests if one.spec.pool == name),
            elsewhere=tuple(one for one in requests if one.spec.pool != name),
            certificates=self._store.all(WipeCertificate) if leaves else (),
        )


def _place(resource: Resource) -> tuple[str, str]:
    return resource.metadata.name, resource.metadata.namespace


def _machine_keys(provider: Provider) -> tuple[str, ...]:
    return tuple(machine.key for machine in provider.list_machines())


def _listed(provider: Provider) -> Listed:
    return Listed(provider.list_machines(), provider.list_all_disks())


def _seen(provider: Provider, server: CloudServer) -> SeenInPool:
    key = server.spec.key
    machine, disks = provider.find_machine(key), provider.list_disks(key)
    copies = {}
    if server.spec.desired is Desired.GONE:
        copies = {disk.key: len(provider.list_copies(disk.key)) for disk in disks}
    return SeenInPool(machine, disks, copies)


def _as(kind: type[R], resource: Resource) -> R:
    if not isinstance(resource, kind):
        raise TypeError(f"{resource.key} is no {kind.DEFINITION.kind}")
    return resource
