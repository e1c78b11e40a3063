"""Carry out actions. Each may be repeated; none is followed by anything that could fail and lose it."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass

from govpool.api.base import FINALIZER, Model, Resource
from govpool.api.cloudresourcerequest import CloudResourceRequest, CloudResourceRequestStatus
from govpool.api.cloudserver import CloudServer
from govpool.api.tenantquota import TenantQuota
from govpool.api.workorder import WorkOrder, WorkOrderKind
from govpool.effects import access, certificates, events, secrets
from govpool.effects.audit import Trail
from govpool.effects.clock import Clock
from govpool.effects.dependents import AUDIT
from govpool.effects.kube import Kube, KubeError
from govpool.effects.pools import Pool
from govpool.effects.signing import CertificateRefusedError
from govpool.effects.store import Key, Store
from govpool.lifecycle.actions import (
    Action,
    AddDisks,
    Announce,
    Create,
    DeleteDisk,
    EnsureMachine,
    HoldFinalizer,
    IssueCertificate,
    LetGo,
    Record,
    ReleaseMachine,
    ResizeMachine,
    SetIsolated,
    SetPower,
    Settle,
    WriteQuota,
    WriteSpec,
    WriteStatus,
)
from govpool.lifecycle.server import disk_wants
from govpool_providers.base import MachineWant, Owner, Size

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ServerTarget:
    """The server and pool that machine actions are about."""

    server: CloudServer
    pool: Pool


@dataclass(frozen=True, slots=True)
class Feedback:
    """How effects tell the operator what they learnt."""

    wake: Callable[[Key], None]
    """The key wants to be reconciled."""
    took: Callable[[Resource], None]
    """The API server has this version of the object."""
    lost: Callable[[Resource], None]
    """The API server does not have the object any more."""


class Applier:
    """Carries out actions against the API server and the pools."""

    def __init__(
        self,
        kube: Kube,
        store: Store,
        clock: Clock,
        feedback: Feedback,
    ) -> None:
        self._kube = kube
        self._store = store
        self._clock = clock
        self._wake = feedback.wake
        self._took = feedback.took
        self._lost = feedback.lost
        self.trail = Trail(kube, store, clock)
        self.make_keys: access.MakeKeys = access.new_keys
        """For a machine that is about to be made; a simulation has none that anybody could enter."""

    async def apply(self, actions: tuple[Action, ...], target: ServerTarget | None = None) -> None:
        """Carry out the actions in their order.

        Raises:
            KubeError: the API server; a conflict means that the observation was old: look again.
            ProviderError: the pool.
        """
        for action in actions:
            try:
                await self._one(action, target)
            except KubeError as error:
                if error.conflict or error.absent:
                    await self._look_again(action)
                raise

    async def _look_again(self, action: Action) -> None:
        """What is known of the object is old: ask, rather than wait for the stream to tell."""
        known = self._subject(action)
        if known is None or not known.metadata.uid:
            return
        try:
            newest = await self._kube.get(type(known), known.metadata.name, known.metadata.namespace or None)
        except KubeError as error:
            if error.absent:
                self._lost(known)
            return
        if newest.metadata.uid != known.metadata.uid:
            self._lost(known)
        self._took(newest)

    def _subject(self, action: Action) -> Resource | None:
        match action:
            case WriteSpec() | WriteStatus() | HoldFinalizer() | LetGo() | Settle():
                return action.resource
            case WriteQuota(namespace):
                return self._store.get(TenantQuota, "unit", namespace)
            case _:
                return None

    async def _one(self, action: Action, target: ServerTarget | None) -> None:
        match action:
            case Create(resource):
                self._took(await self._kube.create(_held(resource)))
            case WriteSpec(resource):
                self._took(await self._kube.write_spec(resource))
            case WriteStatus(resource, status):
                await self._write_status(resource, status)
            case Record():
                await self.trail.append(action)
                # Now: whatever fails after it, its anchor must follow.
                self._wake(AUDIT)
            case WriteQuota(namespace, version, quota_status):
                quota = self._store.get(TenantQuota, "unit", namespace)
                if quota is None or quota.metadata.resource_version != version:
                    raise KubeError(409, "Conflict", f"the quota of {namespace} was written meanwhile")
                self._took(await self._kube.write_status(quota, quota_status))
            case HoldFinalizer(resource):
                self._took(await self._kube.set_finalizer(resource, present=True))
            case LetGo(resource, proof):
                log.info("%s %s goes: %s", resource.kind, resource.metadata.name, proof)
                await self._let_go(resource)
            case Settle(resource):
                await self._clean_up(resource)
                self._store.drop(await self._kube.settle(resource))
            case IssueCertificate():
                await self._certify(action)
            case Announce(resource, reason, note, warning):
                await events.post(self._kube, resource, reason, note, warning=warning, now=self._clock.now())
            case _:
                await self._machine(action, target)

    async def _write_status(self, resource: Resource, status: Model) -> None:
        self._took(await self._kube.write_status(resource, status))
        if isinstance(resource, CloudResourceRequest) and isinstance(status, CloudResourceRequestStatus):
            self.trail.wrote(resource, status)

    async def _let_go(self, resource: Resource) -> None:
        await self._clean_up(resource)
        left = await self._kube.set_finalizer(resource, present=False)
        if left.metadata.finalizers:
            self._took(left)
        else:
            self._store.drop(left)

    async def _certify(self, action: IssueCertificate) -> None:
        request, now = action.request, self._clock.now()
        try:
            self._took(await certificates.issue(self._kube, request, action.name, action.draft))
        except CertificateRefusedError as refusal:
            await events.post(self._kube, request, "CertificateRefused", str(refusal), warning=True, now=now)
            raise

    async def _machine(self, action: Action, target: ServerTarget | None) -> None:
        if target is None:
            raise TypeError(f"{action.key} is about a server, and none was given")
        server, pool = target.server, target.pool
        provider, key = pool.provider.for_unit(server.metadata.namespace), server.spec.key
        want = await self._want(server) if isinstance(action, EnsureMachine) else None
        if self._paused(server):
            # The pause came after the decision; taking it off wakes the server.
            log.info("%s is paused: %s is not done", server.metadata.name, action.key)
            return
        match action:
            case EnsureMachine() if want is not None:
                await pool.call(lambda: provider.ensure_machine(want))
            case ResizeMachine(_, size):
                await pool.call(lambda: provider.resize_machine(key, size))
            case AddDisks(_, disks):
                await pool.call(lambda: provider.add_disks(key, disks))
            case SetPower(_, on):
                await pool.call(lambda: provider.set_power(key, on=on))
            case SetIsolated(_, isolated):
                await pool.call(lambda: provider.set_isolated(key, isolated=isolated))
            case ReleaseMachine():
                await pool.call(lambda: provider.release_machine(key))
            case DeleteDisk(_, disk_key, proof):
                log.info("disk %s of %s is deleted: wiped by %s", disk_key, server.metadata.name, proof)
                await pool.call(lambda: provider.delete_disk(disk_key))
            case _:
                raise TypeError(f"nobody carries out {type(action).__name__}")

    def _paused(self, server: CloudServer) -> bool:
        request = self._store.get(CloudResourceRequest, server.spec.request.name, server.metadata.namespace)
        newest = self._store.get(CloudServer, server.metadata.name, server.metadata.namespace)
        return (request is not None and request.paused) or (newest is not None and newest.paused)

    async def _want(self, server: CloudServer) -> MachineWant:
        keys = await access.keys_of(self._kube, server, self.make_keys)
        spec = server.spec
        return MachineWant(
            key=spec.key,
            hostname=server.metadata.name,
            owner=Owner(spec.request.uid, spec.request.name, server.metadata.namespace, spec.revision),
            size=Size(spec.vcpu, spec.memory_gib),
            image=spec.image,
            network=spec.network,
            disks=disk_wants(server),
            access=keys.access,
            item=spec.item,
        )

    async def _clean_up(self, resource: Resource) -> None:
        """Secrets that have served; a run that was killed before it could do so leaves them to this."""
        if isinstance(resource, CloudServer):
            await access.forget(self._kube, resource)
        if isinstance(resource, WorkOrder):
            if resource.spec.work is WorkOrderKind.WIPE:
                await secrets.destroy(self._kube, f"wipe-{resource.spec.run_key}")
            if resource.spec.work is WorkOrderKind.HANDOVER:
                for name in resource.spec.servers:
                    server = self._store.get(CloudServer, name, resource.metadata.namespace)
                    if server is not None:
                        await access.forget(self._kube, server)


def _held(resource: Resource) -> Resource:
    """A new server has its finalizer from the beginning: one write less, and no moment without it."""
    if not isinstance(resource, CloudServer):
        return resource
    metadata = resource.metadata.model_copy(update={"finalizers": (FINALIZER,)})
    return resource.model_copy(update={"metadata": metadata})
