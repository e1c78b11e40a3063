"""Reclaim (资源回收): wiped disks are deleted and seen absent, the quota is given back (YY-21(2))."""

from __future__ import annotations

from datetime import datetime

from govpool.api.cloudserver import CloudServer, Desired
from govpool.api.tenantquota import TenantQuotaStatus
from govpool.lifecycle.actions import Action, WriteQuota, WriteSpec
from govpool.lifecycle.decision import StageResult
from govpool.lifecycle.stages.context import StageContext
from govpool.lifecycle.stages.orders import deregisters
from govpool.messages import message
from govpool.rules.quota import without_reservation


def decide(context: StageContext) -> StageResult:
    """Done when every leaving server is seen gone and, at the end of use, nothing is reserved any more."""
    leaving = context.plan.surplus
    if leaving:
        actions: tuple[Action, ...] = tuple(go(s) for s in leaving if s.spec.desired is not Desired.GONE)
        names = ", ".join(server.metadata.name for server in leaving)
        return context.waiting(message("ServersGoing", servers=names), actions=actions)
    if deregisters(context) and (write := _give_back(context)) is not None:
        return context.waiting(message("QuotaGivingBack"), actions=(write,))
    return context.done(message("Reclaimed"), at=max([context.before, *_seen_absent(context)]))


def _seen_absent(context: StageContext) -> list[datetime]:
    """When the disks of what left under this revision were seen to be gone."""
    left = [s for s in context.observation.servers if s.spec.revision == context.approved.revision]
    disks = [disk for server in left if server.status for disk in server.status.disks]
    return [disk.absence.at for disk in disks if disk.absence]


def go(server: CloudServer) -> WriteSpec:
    """Want the server gone, disks and all."""
    return WriteSpec(
        server.model_copy(update={"spec": server.spec.model_copy(update={"desired": Desired.GONE})})
    )


def _give_back(context: StageContext) -> WriteQuota | None:
    quota = context.observation.quota
    if quota is None:
        return None
    status = quota.status or TenantQuotaStatus()
    uid, pool = context.request.metadata.uid, context.approved.content.pool
    after = without_reservation(status, uid, pool)
    if after == status:
        return None
    return WriteQuota(context.request.metadata.namespace, quota.metadata.resource_version, after)
