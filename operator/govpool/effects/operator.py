"""The operator: a store, a queue, and workers that reconcile one key at a time."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from dataclasses import dataclass
from pathlib import Path

from govpool.api.approval import Approval
from govpool.api.base import REQUEST_LABEL, SETTLED_LABEL, Resource
from govpool.api.cloudpolicy import CloudPolicy, Stage
from govpool.api.cloudpool import CloudPool
from govpool.api.cloudresourcerequest import CloudResourceRequest, StageState
from govpool.api.cloudserver import CloudServer
from govpool.api.servicecatalog import ServiceCatalog
from govpool.api.tenantquota import Standing, TenantQuota
from govpool.api.wipecertificate import WipeCertificate
from govpool.api.workorder import WorkOrder
from govpool.effects import secrets
from govpool.effects.clock import Clock, clock_of
from govpool.effects.kube import Kube, KubeError
from govpool.effects.playbooks import sweep_stale
from govpool.effects.pools import Pools
from govpool.effects.queue import WorkQueue
from govpool.effects.reconcile import CHAIN, Reconciler
from govpool.effects.store import Key, Store
from govpool.messages import Language
from govpool_providers.errors import ProviderError

log = logging.getLogger(__name__)

WATCHED: tuple[type[Resource], ...] = (
    CloudPolicy,
    ServiceCatalog,
    CloudPool,
    TenantQuota,
    CloudResourceRequest,
    Approval,
    CloudServer,
    WorkOrder,
    WipeCertificate,
)
SETTLING: tuple[type[Resource], ...] = (Approval, WorkOrder)
"""Kinds of which those that will never change again are left out of the watch."""
NOT_SETTLED = f"{SETTLED_LABEL}!=true"
SUPPLY = (CloudPolicy, ServiceCatalog, CloudPool)
WORKERS = 32


@dataclass(frozen=True, slots=True)
class Options:
    """How an operator is run."""

    kubeconfig: Path | None
    state_dir: Path
    language: Language = "en"
    workers: int = WORKERS


class Operator:
    """One operator process: :meth:`start`, feed with :meth:`saw` and :meth:`lost`, then :meth:`stop`."""

    def __init__(self, options: Options) -> None:
        self._options = options
        self.store = Store()
        self._tasks: list[asyncio.Task[None]] = []
        self.kube: Kube
        self.clock: Clock
        self.queue: WorkQueue
        self.reconciler: Reconciler

    async def start(self) -> None:
        """Connect, learn what there is, and begin to work. Nothing is decided before all kinds were listed."""
        self._options.state_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
        sweep_stale(self._options.state_dir / "runs")
        self.kube = await Kube.connect(self._options.kubeconfig)
        await self.kube.ensure_namespace(secrets.NAMESPACE)
        self.clock, following = await clock_of(self.kube)
        if following is not None:
            self._tasks.append(following)
        self.queue = WorkQueue(self.clock)
        self.reconciler = Reconciler(
            self.kube,
            self.store,
            self.clock,
            Pools(self.kube),
            self._options.state_dir,
            self.queue.add,
            self.saw,
            self._options.language,
        )
        for kind in WATCHED:
            labels = NOT_SETTLED if kind in SETTLING else None
            for resource in await self.kube.list(kind, labels=labels):
                self.store.put(resource)
        for kind in WATCHED:
            for resource in self.store.all(kind):
                self.queue.add(resource.key)
        self.queue.add(CHAIN)
        self._tasks.append(asyncio.create_task(self.queue.run_heap(), name="heap"))
        self._tasks += [
            asyncio.create_task(self._work(), name=f"worker {number}")
            for number in range(self._options.workers)
        ]

    async def stop(self) -> None:
        """End every run and every worker."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.reconciler.runs.stop()
        await self.kube.close()

    # -- events -----------------------------------------------------------------------------------
    def saw(self, resource: Resource) -> None:
        """A version of an object came along; who depends on it is looked at."""
        if resource.metadata.labels.get(SETTLED_LABEL) == "true" and type(resource) in SETTLING:
            self.store.drop(resource)
            return
        before = self.store.find(resource.key)
        if not self.store.put(resource):
            return
        self._wake(resource, before)

    def lost(self, resource: Resource) -> None:
        """An object is gone, or left the watch."""
        self.store.drop(resource)
        self._wake(resource, resource)

    def _wake(self, resource: Resource, before: Resource | None) -> None:
        self.queue.add(resource.key)
        namespace = resource.metadata.namespace
        if uid := resource.metadata.labels.get(REQUEST_LABEL):
            self._wake_request(uid, resource)
        if isinstance(resource, WorkOrder):
            for name in resource.spec.servers:
                self.queue.add((CloudServer.DEFINITION.kind, namespace, name))
        if isinstance(resource, WipeCertificate) and before is None:
            self.queue.add(CHAIN)
        if isinstance(resource, TenantQuota):
            # A reservation written for one request only concerns those that still wait for theirs.
            everyone = not _only_reserved(before, resource)
            for request in self.store.all(CloudResourceRequest):
                if request.metadata.namespace == namespace and (everyone or _waits_for_quota(request)):
                    self.queue.add(request.key)
        changed = before is None or before.metadata.generation != resource.metadata.generation
        if isinstance(resource, SUPPLY) and changed:
            for request in self.store.all(CloudResourceRequest):
                self.queue.add(request.key)
        if isinstance(resource, CloudResourceRequest) and _unpaused(before, resource):
            for made in (CloudServer, WorkOrder):
                for item in self.store.made_for(made, resource.metadata.uid):
                    self.queue.add(item.key)

    def _wake_request(self, uid: str, resource: Resource) -> None:
        spec = getattr(resource, "spec", None)
        reference = getattr(spec, "request", None)
        name = getattr(reference, "name", None)
        if name is None and isinstance(resource, WipeCertificate) and resource.spec.deregistration:
            name = resource.spec.deregistration.request.name
        if name is not None:
            self.queue.add((CloudResourceRequest.DEFINITION.kind, resource.metadata.namespace, name))

    # -- work -------------------------------------------------------------------------------------
    async def _work(self) -> None:
        while True:
            key = await self.queue.take()
            try:
                await self._reconcile(key)
            finally:
                self.queue.done(key)

    async def _reconcile(self, key: Key) -> None:
        try:
            decision = await self.reconciler.reconcile(key)
        except KubeError as error:
            if error.absent:
                await self._forget_if_gone(key)
            if error.conflict:
                await self._refresh(key)
            delay = self.queue.retry(key)
            log.log(
                logging.DEBUG if error.conflict else logging.WARNING,
                "%s: %s; again in %.1f s",
                key,
                error,
                delay,
            )
        except ProviderError as error:
            log.warning("%s: %s; again in %.1f s", key, error, self.queue.retry(key))
        except Exception:
            # A bug in one object's reconcile must not stop the others; it is logged whole and tried again.
            log.exception("%s: again in %.1f s", key, self.queue.retry(key))
        else:
            self.queue.succeeded(key)
            if decision.look_again is not None:
                self.queue.add_at(key, decision.look_again)

    async def _refresh(self, key: Key) -> None:
        """A conflict means that what we know is old: ask, rather than wait for the stream to tell."""
        known = self.store.find(key)
        if known is None:
            return
        with contextlib.suppress(KubeError):
            newest = await self.kube.get(type(known), key[2], key[1] or None)
            if newest.metadata.uid == known.metadata.uid:
                self.store.put(newest)

    async def _forget_if_gone(self, key: Key) -> None:
        """An object that the server does not have was deleted while nobody listened."""
        known = self.store.find(key)
        if known is None:
            return
        try:
            await self.kube.get(type(known), key[2], key[1] or None)
        except KubeError as error:
            if error.absent:
                self.store.drop(known)


def _unpaused(before: Resource | None, after: Resource) -> bool:
    return before is not None and before.paused and not after.paused


def _only_reserved(before: Resource | None, after: TenantQuota) -> bool:
    """Whether nothing but reservations changed since the version that was known."""
    if not isinstance(before, TenantQuota) or before is after or after.status is None:
        return False
    standing = before.status.standing if before.status else Standing.GOOD
    return before.metadata.generation == after.metadata.generation and standing is after.status.standing


def _waits_for_quota(request: CloudResourceRequest) -> bool:
    last = request.status.stages[-1] if request.status and request.status.stages else None
    return last is not None and last.stage is Stage.QUOTA and last.state is not StageState.DONE
