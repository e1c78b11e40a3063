"""Who must be looked at because an object changed, came or went."""

from __future__ import annotations

from collections.abc import Iterator

from govpool.api.approval import Approval
from govpool.api.base import REQUEST_LABEL, Resource
from govpool.api.cloudpolicy import CloudPolicy, Stage
from govpool.api.cloudpool import CloudPool
from govpool.api.cloudresourcerequest import CloudResourceRequest, StageState
from govpool.api.cloudserver import CloudServer
from govpool.api.rectificationnotice import RectificationNotice
from govpool.api.servicecatalog import ServiceCatalog
from govpool.api.tenantquota import Standing, TenantQuota
from govpool.api.wipecertificate import WipeCertificate
from govpool.api.workorder import WorkOrder
from govpool.effects.store import Key, Store
from govpool.lifecycle import restored
from govpool.lifecycle.under_way import only_under_way

SUPPLY = (CloudPolicy, ServiceCatalog, CloudPool)
CHAIN: Key = ("CertificateChain", "", "")
"""No object of its own: the head of the certificates' chain, which an operator may have left half written."""

AUDIT: Key = ("AuditAnchors", "", "")
"""No object of its own either: the anchors of the audit trails."""


def woken(store: Store, before: Resource | None, after: Resource | None) -> Iterator[Key]:
    """Keys to reconcile after ``before`` became ``after``; None: it was not known, or it is gone.

    The same key may come more than once.
    """
    resource = after or before
    if resource is None:
        return
    yield resource.key
    if only_under_way(before, after):
        return
    if isinstance(resource, WorkOrder):
        # Before the request: what came of the order is told by its servers, which the request waits for.
        yield from _servers_of(resource, issued=before is None and resource.status is None)
    if resource.metadata.labels.get(REQUEST_LABEL):
        yield from _request(resource)
    match resource:
        case WipeCertificate() if before is None:
            yield CHAIN
        case RectificationNotice():
            yield from _notice(store, resource)
        case TenantQuota():
            yield from _notices(store, resource.metadata.namespace)
            yield from _quota(store, before, after, resource.metadata.namespace)
            yield from _pools(store, before, after)
        case CloudPolicy() | ServiceCatalog() | CloudPool():
            if before is None or after is None or before.metadata.generation != after.metadata.generation:
                yield from (item.key for item in store.all(CloudResourceRequest))
                yield from (item.key for item in store.all(Approval))
                yield from (item.key for item in store.all(RectificationNotice))
            yield from _leaving(store, before, after)
        case CloudResourceRequest():
            if _let_loose(before, after):
                for kind in (CloudServer, WorkOrder):
                    yield from (item.key for item in store.made_for(kind, resource.metadata.uid))


def _servers_of(order: WorkOrder, *, issued: bool) -> Iterator[Key]:
    """The servers that an order is for; one that was only just ``issued`` says nothing of them yet."""
    if not issued:
        kind, namespace = CloudServer.DEFINITION.kind, order.metadata.namespace
        yield from ((kind, namespace, name) for name in order.spec.servers)


def _let_loose(before: Resource | None, after: Resource | None) -> bool:
    """Whether a request was paused, or restored and not adopted, and is so no more."""
    if not isinstance(before, CloudResourceRequest) or not isinstance(after, CloudResourceRequest):
        return False
    return (before.paused and not after.paused) or (restored.awaits(before) and not restored.awaits(after))


def _leaving(store: Store, before: Resource | None, after: Resource | None) -> Iterator[Key]:
    """Requests in a pool whose provider leaves show how far that is."""
    if not (isinstance(before, CloudPool) and isinstance(after, CloudPool)) or after.status is None:
        return
    if (before.status.exit if before.status else None) == after.status.exit:
        return
    name = after.metadata.name
    yield from (one.key for one in store.all(CloudResourceRequest) if one.spec.pool == name)


def _request(resource: Resource) -> Iterator[Key]:
    """The request that the object was made for."""
    kind, namespace = CloudResourceRequest.DEFINITION.kind, resource.metadata.namespace
    match resource:
        case Approval() | CloudServer() | WorkOrder():
            yield (kind, namespace, resource.spec.request.name)
        case WipeCertificate() if resource.spec.deregistration:
            yield (kind, namespace, resource.spec.deregistration.request.name)


def _notice(store: Store, notice: RectificationNotice) -> Iterator[Key]:
    """What a notice is about: one request with its servers, or all of the unit's."""
    namespace, named = notice.metadata.namespace, notice.spec.request
    for request in store.within(CloudResourceRequest, namespace):
        if named is None or named.uid == request.metadata.uid:
            yield request.key
            yield from (server.key for server in store.made_for(CloudServer, request.metadata.uid))


def _notices(store: Store, namespace: str) -> Iterator[Key]:
    """The unit's notices: one that stops issuing waits for the quota that it is written to."""
    yield from (notice.key for notice in store.within(RectificationNotice, namespace))


def _quota(store: Store, before: Resource | None, after: Resource | None, namespace: str) -> Iterator[Key]:
    """A reservation written for one request only concerns those that still wait for theirs."""
    everyone = not _only_reserved(before, after)
    for request in store.within(CloudResourceRequest, namespace):
        if everyone or _waits_for_quota(request):
            yield request.key


def _pools(store: Store, before: Resource | None, after: Resource | None) -> Iterator[Key]:
    """Pools have the unit's limits too: a pool that keeps units apart gets the new ones."""
    if before is None or after is None or before.metadata.generation != after.metadata.generation:
        yield from (pool.key for pool in store.all(CloudPool))


def _only_reserved(before: Resource | None, after: Resource | None) -> bool:
    """Whether nothing but reservations changed since the version that was known."""
    if not isinstance(before, TenantQuota) or not isinstance(after, TenantQuota) or after.status is None:
        return False
    standing = before.status.standing if before.status else Standing.GOOD
    return before.metadata.generation == after.metadata.generation and standing is after.status.standing


def _waits_for_quota(request: CloudResourceRequest) -> bool:
    last = request.status.stages[-1] if request.status and request.status.stages else None
    return last is not None and last.stage is Stage.QUOTA and last.state is not StageState.DONE
