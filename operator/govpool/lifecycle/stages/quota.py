"""Quota (额度): reserve what was approved before anything is opened (BZ-25)."""

from __future__ import annotations

from govpool.api.tenantquota import Amounts, Reservation, TenantQuotaStatus
from govpool.lifecycle.actions import WriteQuota
from govpool.lifecycle.decision import StageResult
from govpool.lifecycle.stages.context import StageContext
from govpool.lifecycle.wanted import held
from govpool.messages import Message, message
from govpool.rules.amounts import amounts
from govpool.rules.quota import check, with_reservation
from govpool.rules.remembered import once


def decide(context: StageContext) -> StageResult:
    """Done when the unit's quota holds the larger of what is approved and what there will be at once: new
    servers are opened before old ones leave, and each counts until it was seen gone.
    """
    quota = context.observation.quota
    pool = context.approved.content.pool
    asked = amounts(context.approved.content, context.catalog)
    needed = _needed(asked, held((*context.plan.wanted, *context.plan.surplus)))
    if quota is None:
        return context.waiting(message("QuotaMissing", namespace=context.request.metadata.namespace))
    status = quota.status or TenantQuotaStatus()
    own = [found for found in status.reservations if found.request_uid == context.request.metadata.uid]
    if any(_is_made(context, found, needed) for found in own):
        return context.done(_reserved(needed), at=context.before)
    verdict = check(
        quota, pool=pool, request_uid=context.request.metadata.uid, needed=needed, policy=context.regulation
    )
    if not verdict.fits:
        return context.waiting(verdict.message)
    reservation = Reservation(
        request_uid=context.request.metadata.uid,
        request=context.request.metadata.name,
        pool=pool,
        revision=context.approved.revision,
        amounts=needed,
    )
    write = WriteQuota(
        context.request.metadata.namespace,
        quota.metadata.resource_version,
        with_reservation(status, reservation),
    )
    return context.waiting(_reserving(needed), actions=(write,))


def _is_made(context: StageContext, found: Reservation, needed: Amounts) -> bool:
    """Whether what the request holds is what has to be reserved under the approved revision."""
    approved = context.approved
    return (
        found.request == context.request.metadata.name
        and found.pool == approved.content.pool
        and found.revision == approved.revision
        and found.amounts == needed
    )


@once
def _needed(asked: Amounts, there_will_be: Amounts) -> Amounts:
    return asked.greatest(there_will_be)


def _reserving(needed: Amounts) -> Message:
    return message(
        "QuotaReserving",
        servers=needed.servers,
        vcpu=needed.vcpu,
        memory=needed.memory_gib,
        storage=needed.storage_gib,
    )


def _reserved(needed: Amounts) -> Message:
    return message(
        "QuotaReserved",
        servers=needed.servers,
        vcpu=needed.vcpu,
        memory=needed.memory_gib,
        storage=needed.storage_gib,
    )
