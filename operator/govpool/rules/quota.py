"""The unit's envelope (额度): what may be reserved, and the reservations themselves."""

from __future__ import annotations

from dataclasses import dataclass

from govpool.api.base import Article
from govpool.api.cloudpolicy import CloudPolicySpec
from govpool.api.tenantquota import Amounts, PoolLimit, Reservation, Standing, TenantQuota, TenantQuotaStatus
from govpool.messages import Message, message
from govpool.rules.citation import clause


@dataclass(frozen=True, slots=True)
class QuotaVerdict:
    """Whether a reservation fits."""

    fits: bool
    message: Message
    clause: str
    """Empty where the regulation has no clause for it."""


def check(
    quota: TenantQuota | None, *, pool: str, request_uid: str, needed: Amounts, policy: CloudPolicySpec
) -> QuotaVerdict:
    """Whether the request may hold ``needed`` in the pool instead of what it holds now.

    What all requests hold together stays within the hard limit. Only what grows is held against it, so that
    giving back is possible even after the limit was lowered. A pool that has no limit gives nothing. While
    issuing to the unit is stopped (停止发放), nothing grows.
    """
    under = _clause(policy, policy.quota_article)
    if quota is None:
        return QuotaVerdict(False, message("rules.quota.no-unit"), under)
    held = reserved(quota.status, request_uid=request_uid, pool=pool)
    growing = needed.beyond(held)
    if not growing:
        return QuotaVerdict(True, message("rules.quota.no-growth", pool=pool), under)
    if stopped(quota):
        return QuotaVerdict(False, stop_message(quota), _clause(policy, policy.issuing_stop_article))
    limit = limit_of(quota, pool)
    if limit is None:
        return QuotaVerdict(
            False, message("rules.quota.no-limit", unit=quota.spec.unit_name, pool=pool), under
        )
    others = others_hold(quota.status, request_uid=request_uid, pool=pool)
    exceeded = tuple(name for name in others.plus(needed).beyond(limit.hard) if name in growing)
    if exceeded:
        wanted, free = _shown(needed, exceeded), _shown(_left(limit.hard, others), exceeded)
        text = message("rules.quota.exceeded", pool=pool, needed=wanted, free=free)
        return QuotaVerdict(False, text, under)
    return QuotaVerdict(True, message("rules.quota.fits", pool=pool), under)


def stopped(quota: TenantQuota) -> bool:
    """Whether nothing more is issued to the unit."""
    return quota.status is not None and quota.status.standing is Standing.ISSUING_STOPPED


def stop_message(quota: TenantQuota) -> Message:
    """Why nothing more is issued to the unit."""
    cause = None if quota.status is None else quota.status.standing_cause
    return message("rules.quota.issuing-stopped", unit=quota.spec.unit_name, cause=cause or "-")


def reserved(status: TenantQuotaStatus | None, *, request_uid: str, pool: str) -> Amounts:
    """What the request holds in the pool."""
    if status is None:
        return Amounts()
    own = (found.amounts for found in status.reservations if _is(found, request_uid, pool))
    return next(own, Amounts())


def with_reservation(status: TenantQuotaStatus | None, reservation: Reservation) -> TenantQuotaStatus:
    """The status with this reservation in the place of what its request holds in its pool."""
    rest = without_reservation(status, reservation.request_uid, reservation.pool)
    return rest.model_copy(update={"reservations": [*rest.reservations, reservation]})


def without_reservation(status: TenantQuotaStatus | None, request_uid: str, pool: str) -> TenantQuotaStatus:
    """The status without what the request holds in the pool; the rest in its order."""
    status = status or TenantQuotaStatus()
    kept = [found for found in status.reservations if not _is(found, request_uid, pool)]
    return status.model_copy(update={"reservations": kept})


def _is(reservation: Reservation, request_uid: str, pool: str) -> bool:
    return reservation.request_uid == request_uid and reservation.pool == pool


def others_hold(status: TenantQuotaStatus | None, *, request_uid: str, pool: str) -> Amounts:
    """What all other requests hold in the pool."""
    return Amounts.total(
        found.amounts
        for found in (() if status is None else status.reservations)
        if found.pool == pool and found.request_uid != request_uid
    )


def limit_of(quota: TenantQuota, pool: str) -> PoolLimit | None:
    """The unit's limit in the pool; None: it gives nothing."""
    return next((limit for limit in quota.spec.limits if limit.pool == pool), None)


def _left(hard: Amounts, taken: Amounts) -> Amounts:
    names = type(hard).model_fields
    return Amounts(**{name: max(0, getattr(hard, name) - getattr(taken, name)) for name in names})


def _shown(amounts: Amounts, names: tuple[str, ...]) -> str:
    values = amounts.model_dump(by_alias=True)
    return ", ".join(f"{name} {values[name]}" for name in names)


def _clause(policy: CloudPolicySpec, article: Article | None) -> str:
    return "" if article is None else clause(policy, article)
