"""The operator: a store, a queue, and workers that reconcile one key at a time."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine
from typing import TypeVar

from pydantic import ValidationError

from govpool.api.approval import Approval
from govpool.api.base import SETTLED_LABEL, Resource
from govpool.api.cloudpolicy import CloudPolicy
from govpool.api.cloudpool import CloudPool
from govpool.api.cloudresourcerequest import CloudResourceRequest
from govpool.api.cloudserver import CloudServer
from govpool.api.rectificationnotice import RectificationNotice
from govpool.api.servicecatalog import ServiceCatalog
from govpool.api.tenantquota import TenantQuota
from govpool.api.wipecertificate import WipeCertificate
from govpool.api.workorder import WorkOrder
from govpool.effects import metrics, secrets
from govpool.effects.apply import Feedback
from govpool.effects.clock import Clock, clock_of
from govpool.effects.dependents import AUDIT, CHAIN, woken
from govpool.effects.fence import Fence
from govpool.effects.kube import Json, Kube, KubeError, read_as
from govpool.effects.kube_errors import advice
from govpool.effects.listing import Listing
from govpool.effects.notify.notifier import TOLD_OF, Notifier
from govpool.effects.observed import reconciling
from govpool.effects.options import Options as Options  # noqa: PLC0414 - whoever runs it takes it from here
from govpool.effects.playbooks import sweep_stale
from govpool.effects.pools import Pools
from govpool.effects.queue import WorkQueue
from govpool.effects.reconcile import Reconciler
from govpool.effects.restoring import refuse_while_restoring
from govpool.effects.signing import CertificateRefusedError, KeyUnusableError
from govpool.effects.store import Key, Store
from govpool.effects.streams import Streams
from govpool.lifecycle.decision import Decision
from govpool.lifecycle.sharding import Shard
from govpool_providers.errors import ProviderError

log = logging.getLogger(__name__)
T = TypeVar("T")

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
    RectificationNotice,
)
SETTLING: tuple[type[Resource], ...] = (Approval, WorkOrder)
"""Kinds of which those that will never change again are left out of the watch."""
POOLED: tuple[type[Resource], ...] = (CloudServer, CloudResourceRequest, WipeCertificate)
"""Kinds that the decision about a pool looks at, in whatever namespace."""
NOT_SETTLED = f"{SETTLED_LABEL}!=true"
INSTALL = "install the kinds with `govpool crds apply`"
FIRST_WAIT, LONGEST_WAIT = 0.5, 15.0
"""Seconds between two tries to start."""


class Operator:
    """One operator process: :meth:`start`, feed with :meth:`saw` and :meth:`lost`, then :meth:`stop`.

    ``on_broken`` is called when a part that must always run has ended by a bug; :attr:`fault` is why. The
    process should end then: half an operator that looks alive is worse than one that is restarted.
    """

    def __init__(
        self,
        options: Options,
        on_broken: Callable[[], None] = lambda: None,
        fence: Fence | None = None,
    ) -> None:
        self._options = options
        self._fence = fence
        self._on_broken = on_broken
        self.store = Store()
        self.streams = Streams(WATCHED)
        self.listing = Listing(WATCHED, self.list_anew)
        self.started = False
        """Whether everything was listed and is worked on."""
        self.fault: BaseException | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self.notifier: Notifier | None = None
        self.kube: Kube
        self.clock: Clock
        self.queue: WorkQueue
        self.reconciler: Reconciler

    # -- start and stop ---------------------------------------------------------------------------
    async def start(self) -> None:
        """Connect, learn what there is, and begin to work; nothing is decided before all was listed.

        An API server that is not there yet, kinds that are not installed and rights that are missing are
        told in the log and waited for.

        Raises:
            ConfigException: there is no usable kubeconfig.
        """
        self._options.state_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
        sweep_stale(self._options.state_dir / "runs")
        self.kube = await Kube.connect(self._options.kubeconfig, self._fence)
        self.clock, following = await _until_done(self._reach)
        if following is not None:
            self._keep(following)
        self.equip(self.kube, self.clock, Pools(self.kube, self._fence), WorkQueue(self.clock))
        await _until_done(self._learn)
        for kind in WATCHED:
            for resource in self.store.all(kind):
                if self.acts(resource.key):
                    self.queue.add(resource.key)
        self.queue.add(CHAIN)
        self.queue.add(AUDIT)
        self._spawn(self.queue.run_heap(), "heap")
        for number in range(self._options.workers):
            self._spawn(self._work(), f"worker {number}")
        self._notify()
        self.streams.begin()
        self.started = True

    def _notify(self) -> None:
        if self._options.notifications is None:
            return
        config, shard = self._options.notifications, self._options.shard
        self.notifier = Notifier(config, self.kube, self.store, self.clock, alone=shard.whole)
        for kind in TOLD_OF:
            for resource in self.store.all(kind):
                if self.acts(resource.key):
                    self.notifier.touched(resource)
        self._spawn(self.notifier.run(), "notifier")

    def equip(self, kube: Kube, clock: Clock, pools: Pools, queue: WorkQueue) -> None:
        """What it works with: a simulation brings its own."""
        self.kube, self.clock, self.queue = kube, clock, queue
        queue.waited = metrics.QUEUE_WAIT.observe
        self.reconciler = Reconciler(
            kube,
            self.store,
            clock,
            pools,
            self._options.state_dir,
            Feedback(queue.add, self._wrote, self.lost),
            self._options.language,
        )
        self.reconciler.jobs = self._options.jobs
        self.reconciler.trail.keeps = self._options.shard.owns

    async def stop(self) -> None:
        """End every worker and every run, and give the runs up to whoever comes next. May be repeated."""
        self.started = False
        tasks, self._tasks = self._tasks, []
        for task in tasks:
            task.cancel()
        stopping = [self.reconciler.runs.stop()] if hasattr(self, "reconciler") else []
        await asyncio.gather(*tasks, self.listing.stop(), *stopping, return_exceptions=True)
        if hasattr(self, "kube"):
            await self.kube.close()

    async def _reach(self) -> tuple[Clock, asyncio.Task[None] | None]:
        await self.kube.ensure_namespace(secrets.NAMESPACE)
        await refuse_while_restoring(self.kube)
        return await clock_of(self.kube)

    async def _learn(self) -> None:
        for kind in WATCHED:
            try:
                self.listing.took(kind, (await self._list(kind, self.store.put))[0])
            except KubeError as error:
                if not error.absent:
                    raise
                name = kind.DEFINITION.crd_name
                raise KubeError(
                    404,
                    "NotFound",
                    f"the API server has no {name}: {INSTALL}",
                ) from None

    async def _list(
        self, kind: type[Resource], take: Callable[[Resource], object]
    ) -> tuple[str, frozenset[str]]:
        """List a kind, page by page, and take what is news; the list's version, and the UIDs of all in it."""

        def read(document: Json) -> str:
            namespace, name, uid, version = identity_of(document)
            known = self.store.knows((kind.DEFINITION.kind, namespace, name), uid, version)
            if not known and self.keeps(kind, namespace):
                resource = readable(kind, document)
                if resource is not None:
                    take(resource)
            return uid

        labels = NOT_SETTLED if kind in SETTLING else None
        listed, uids = await self.kube.list_as(kind, read, labels=labels)
        return listed, frozenset(uids)

    def _spawn(self, work: Coroutine[object, object, None], name: str) -> None:
        self._keep(asyncio.create_task(work, name=name))

    def _keep(self, task: asyncio.Task[None]) -> None:
        self._tasks.append(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        if task.cancelled() or task not in self._tasks:
            return
        self.fault = task.exception() or RuntimeError(f"{task.get_name()} ended")
        log.critical("%s ended by a bug: the operator ends too", task.get_name(), exc_info=self.fault)
        self._on_broken()

    @property
    def shard(self) -> Shard:
        """Which namespaces it acts for."""
        return self._options.shard

    # -- events -----------------------------------------------------------------------------------
    def _wrote(self, resource: Resource) -> None:
        """The API server took a write of ours; its stream will tell of it as well."""
        settled = resource.metadata.labels.get(SETTLED_LABEL) == "true" and type(resource) in SETTLING
        if not settled:
            self.streams.wrote(resource)
        self.saw(resource)

    def saw(self, resource: Resource) -> None:
        """A version of an object came along; who depends on it is looked at."""
        if not self.keeps(type(resource), resource.metadata.namespace):
            return
        if resource.metadata.labels.get(SETTLED_LABEL) == "true" and type(resource) in SETTLING:
            self.store.drop(resource)
            return
        before = self.store.find(resource.key)
        if self.store.put(resource):
            self._wake(before, resource)

    def lost(self, resource: Resource) -> None:
        """An object is gone, or left the watch."""
        self.store.drop(resource)
        self._wake(resource, None)

    def _wake(self, before: Resource | None, after: Resource | None) -> None:
        changed = after or before
        if self.notifier is not None and changed is not None and self.acts(changed.key):
            self.notifier.touched(changed)
        for key in woken(self.store, before, after):
            if self.acts(key):
                self.queue.add(key)

    def keeps(self, kind: type[Resource], namespace: str) -> bool:
        """Whether it holds objects of the kind and namespace: its own, those of no namespace, and, in the
        first shard, which sees to the pools, whatever lies in a pool.
        """
        shard = self._options.shard
        return not namespace or shard.owns(namespace) or (shard.first and kind in POOLED)

    def acts(self, key: Key) -> bool:
        """Whether it is this operator that reconciles the key."""
        return key in (CHAIN, AUDIT) or self._options.shard.owns(key[1])

    async def list_anew(self, kind: type[Resource]) -> str:
        """List a kind after a gap in its stream: take in what changed, forget what the server does not have
        any more. The list's resourceVersion.

        Raises:
            KubeError: the server did not give the whole list; nothing is forgotten.
        """
        version, uids = await self._list(kind, self.saw)
        for gone in self.store.unlisted(kind, uids, version):
            log.info("%s %s was deleted unseen", kind.DEFINITION.kind, gone.metadata.name)
            self.lost(gone)
        return version

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
            await self.attempt(key)
        except Exception:
            # A bug in one object's reconcile must not stop the others; it is logged whole and tried again.
            log.exception("%s: again in %.1f s", key, self.queue.retry(key))

    async def attempt(self, key: Key) -> None:
        """Reconcile the key; what may be expected to fail now and then is tried again later.

        Raises:
            Exception: a bug.
        """
        with reconciling(key, self.store.find(key)) as outcome:
            outcome.result = await self.carry_out(key)

    async def carry_out(self, key: Key) -> str:
        """Reconcile the key as :meth:`attempt` does, unobserved; what became of it, in one word.

        Raises:
            Exception: a bug.
        """
        try:
            decision = await self.reconciler.reconcile(key)
        except KubeError as error:
            level = logging.DEBUG if error.conflict else logging.WARNING
            log.log(level, "%s: %s; again in %.1f s", key, _told(error), self.queue.retry(key))
            return "conflict" if error.conflict else "api"
        except (ProviderError, CertificateRefusedError, KeyUnusableError) as error:
            log.warning("%s: %s; again in %.1f s", key, error, self.queue.retry(key))
            return "provider" if isinstance(error, ProviderError) else "refused"
        self.queue.succeeded(key)
        self.look_again(key, decision)
        return "ok"

    def look_again(self, key: Key, decision: Decision) -> None:
        """Reconcile the key again when the decision says so; it knows all that an earlier one waited for."""
        self.queue.look_at(key, decision.look_again)


def readable(kind: type[Resource], document: Json) -> Resource | None:
    """The object, or None when the model can't read it: it is told, and left alone.

    The CRD's schema is made from this very model, so such an object is of another version.
    """
    try:
        return read_as(kind, document)
    except ValidationError as error:
        meta = document.get("metadata")
        where = f"{meta.get('namespace', '')}/{meta.get('name')}" if isinstance(meta, dict) else "?"
        log.error(  # noqa: TRY400 - the message is whole, the stack tells nothing
            "%s %s can't be read and is left alone: %s", kind.DEFINITION.kind, where, error
        )
        return None


async def _until_done(step: Callable[[], Awaitable[T]]) -> T:
    """Try until the API server lets it be done; each new hindrance is told once."""
    told, wait = "", FIRST_WAIT
    while True:
        try:
            return await step()
        except KubeError as error:
            if (why := _told(error)) != told:
                log.error("not started yet: %s", why)  # noqa: TRY400 - the message is whole
                told = why
        await asyncio.sleep(wait)
        wait = min(wait * 2, LONGEST_WAIT)


def _told(error: KubeError) -> str:
    todo = advice(error)
    return f"{error} ({todo})" if todo else str(error)


def identity_of(document: Json) -> tuple[str, str, str, str]:
    """Namespace, name, UID and resourceVersion."""
    metadata = document.get("metadata")
    if not isinstance(metadata, dict):
        return "", "", "", ""
    namespace, name, uid, version = (
        str(metadata.get(field, "")) for field in ("namespace", "name", "uid", "resourceVersion")
    )
    return namespace, name, uid, version
