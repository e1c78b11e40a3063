"""What would have kept a refusal from standing: other words in the application, another day, another unit or
pool. Each candidate is tried on admission itself, and only what really lifts the refusal is told. Pure.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import date, datetime

from govpool.api.cloudpolicy import CloudPolicySpec
from govpool.api.cloudpool import CloudPool, PoolState
from govpool.api.cloudresourcerequest import (
    CloudResourceRequest,
    CloudResourceRequestSpec,
    CloudResourceRequestStatus,
    Deregistration,
)
from govpool.api.finding import RequestFinding
from govpool.api.rectification_words import NoticeFinding
from govpool.api.tenantquota import Standing, TenantQuota
from govpool.messages import Message, message
from govpool.rules.calendar import WorkCalendar
from govpool.rules.refusal import Refusal


@dataclass(frozen=True, slots=True)
class Asked:
    """An application and what it is judged with."""

    request: CloudResourceRequest
    pool: CloudPool
    quota: TenantQuota | None
    now: datetime

    def with_spec(self, **update: object) -> Asked:
        """The same with other words in the application."""
        spec = self.request.spec.model_copy(update=update)
        return replace(self, request=self.request.model_copy(update={"spec": spec}))


@dataclass(frozen=True, slots=True)
class OtherAsked:
    """Circumstances under which the refusal does not stand."""

    message: Message
    asked: Asked


Judge = Callable[[Asked], tuple[Refusal, ...]]


def lifted_by(
    asked: Asked, refusal: Refusal, judge: Judge, policy: CloudPolicySpec
) -> tuple[OtherAsked, ...]:
    """What lifts the refusal; none where nobody could have changed it."""
    return tuple(
        other
        for other in _candidates(asked, refusal, policy)
        if all((one.reason, one.message) != (refusal.reason, refusal.message) for one in judge(other.asked))
    )


def _candidates(asked: Asked, refusal: Refusal, policy: CloudPolicySpec) -> Iterator[OtherAsked]:
    values = dict(refusal.message.values)
    for find in (_words, _term, _as_approved, _circumstances):
        yield from find(asked, refusal.reason, values, policy)


# -- the application's own words -----------------------------------------------------------------
def _words(
    asked: Asked, reason: str, values: dict[str, str], policy: CloudPolicySpec
) -> Iterator[OtherAsked]:
    spec = asked.request.spec
    if reason == "DeregistrationReasonNotAccepted" and policy.deregistration.reasons:
        first = policy.deregistration.reasons[0]
        accepted = ", ".join(one.value for one in policy.deregistration.reasons)
        given = asked.with_spec(deregistration=Deregistration(reason=first))
        yield OtherAsked(message("audit.otherwise.reason", accepted=accepted), given)
    if reason == "NeedBasisMissing":
        yield OtherAsked(message("audit.otherwise.basis"), asked.with_spec(need_basis="-"))
    if reason == "NotInCatalog" and "nearest" in values:
        text = message("audit.otherwise.nearest", item=values["item"], nearest=values["nearest"])
        yield OtherAsked(text, asked.with_spec(**_with_item(spec, values["item"], values["nearest"])))


def _with_item(spec: CloudResourceRequestSpec, item: str, nearest: str) -> dict[str, object]:
    """Servers and services with another catalogue item in the place of one."""
    named = {"item": nearest}
    return {
        "servers": [one.model_copy(update=named) if one.item == item else one for one in spec.servers],
        "services": [one.model_copy(update=named) if one.item == item else one for one in spec.services],
    }


# -- spans of use --------------------------------------------------------------------------------
def _term(asked: Asked, reason: str, values: dict[str, str], policy: CloudPolicySpec) -> Iterator[OtherAsked]:
    spec, approved = asked.request.spec, _approved_temporary(asked)
    term = spec.term
    if reason == "TemporaryTooLong":
        last = date.fromisoformat(values["last"])
        shorter = [
            one.model_copy(update={"ends": min(one.ends, last)}) if one.server == values["server"] else one
            for one in term.temporary
        ]
        other = asked.with_spec(term=term.model_copy(update={"temporary": shorter}))
        yield OtherAsked(message("audit.otherwise.until", last=last), other)
    if reason == "EmergencyTooLong" and term.emergency is not None:
        last = date.fromisoformat(values["last"])
        shorter_use = term.emergency.model_copy(update={"until": last})
        other = asked.with_spec(term=term.model_copy(update={"emergency": shorter_use}))
        yield OtherAsked(message("audit.otherwise.until", last=last), other)
    if reason == "ExtensionTooLate":
        latest = date.fromisoformat(values["latest"])
        other = replace(asked, now=WorkCalendar.of(policy).end_of(latest))
        yield OtherAsked(message("audit.otherwise.asked-by", latest=latest), other)
    if reason in ("TemporaryNotProvided", "TemporaryOver", "ExtensionTooLate", "TemporaryTooLong"):
        other = asked.with_spec(term=term.model_copy(update={"temporary": approved}))
        yield OtherAsked(message("audit.otherwise.no-expansion"), other)


def _approved_temporary(asked: Asked) -> list[object]:
    status = asked.request.status
    return list(status.approved.content.term.temporary) if status and status.approved else []


# -- what is in force ----------------------------------------------------------------------------
_OF_SERVERS = ("ExpansionNotDue", "DiskShrink", "DiskRemoval", "ImageChange", "VolumeClassChange")


def _as_approved(
    asked: Asked, reason: str, values: dict[str, str], policy: CloudPolicySpec
) -> Iterator[OtherAsked]:
    """The servers as they were approved (BZ-26(1) for an expansion)."""
    status = asked.request.status
    if reason in _OF_SERVERS and status is not None and status.approved is not None:
        other = asked.with_spec(servers=status.approved.content.servers)
        yield OtherAsked(message("audit.otherwise.servers-as-approved"), other)


# -- day, unit, pool, figures --------------------------------------------------------------------
def _circumstances(
    asked: Asked, reason: str, values: dict[str, str], policy: CloudPolicySpec
) -> Iterator[OtherAsked]:
    if reason == "PolicyNotInForce":
        day = date.fromisoformat(values["day"])
        other = replace(asked, now=WorkCalendar.of(policy).start_of(day))
        yield OtherAsked(message("audit.otherwise.on-day", day=day), other)
    if reason == "SponsorMissing" and asked.quota is not None:
        entered = asked.quota.spec.model_copy(update={"sponsor": "-"})
        quota = asked.quota.model_copy(update={"spec": entered})
        yield OtherAsked(message("audit.otherwise.sponsor"), replace(asked, quota=quota))
    if reason == "IssuingStopped" and asked.quota is not None and asked.quota.status is not None:
        good = asked.quota.status.model_copy(update={"standing": Standing.GOOD, "standing_cause": None})
        quota = asked.quota.model_copy(update={"status": good})
        yield OtherAsked(message("audit.otherwise.good-standing"), replace(asked, quota=quota))
    if reason in ("PoolNotOpen", "ProviderLeaves"):
        opened = asked.pool.spec.model_copy(update={"state": PoolState.OPEN})
        pool = asked.pool.model_copy(update={"spec": opened})
        text = message("audit.otherwise.pool-open", pool=asked.pool.metadata.name)
        yield OtherAsked(text, replace(asked, pool=pool))
    if reason in ("ExpansionNotDue", "BottleneckNotFound"):
        yield OtherAsked(
            message("audit.otherwise.found-high"), _found_high(asked, values.get("finding", "-"))
        )


def _found_high(asked: Asked, key: str) -> Asked:
    """Use was found high enough."""
    status = asked.request.status or CloudResourceRequestStatus()
    found = RequestFinding(
        key=key, finding=NoticeFinding.EXPAND, text="-", article="-", since=asked.now, soft=False
    )
    standing = status.model_copy(update={"findings": [*status.findings, found]})
    return replace(asked, request=asked.request.model_copy(update={"status": standing}))
