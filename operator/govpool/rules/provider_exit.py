"""When a provider may stop, and what is proven before its pool is closed (云服务商退出, YY-17, WH-18)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from govpool.api.cloudpolicy import CloudPolicySpec
from govpool.api.cloudpool import CloudPoolSpec, OperatingMode
from govpool.api.cloudserver import CloudServer
from govpool.api.pool_exit import PoolExit
from govpool.api.wipecertificate import WipeCertificate
from govpool.messages import Message, message
from govpool.rules.calendar import WorkCalendar
from govpool.rules.citation import clause


@dataclass(frozen=True, slots=True)
class ExitTerms:
    """The spans of an exit."""

    notice_until: datetime | None
    """Until when the notice runs; none where the regulation sets no span."""
    transition_since: datetime | None
    """Since when the free transition runs; none while the exit is not approved."""
    transition_until: datetime | None
    """Until when it runs."""
    clause: str
    """The clause that says so."""

    @property
    def earliest_stop(self) -> datetime | None:
        """Before then the provider may not stop; None while nobody can tell: the exit is not approved."""
        if self.transition_until is None:
            return None
        return max(self.transition_until, self.notice_until or self.transition_until)


def terms(policy: CloudPolicySpec, exit_: PoolExit) -> ExitTerms | None:
    """Notice and transition of an exit; None where the regulation has no rule on it.

    The transition runs from the approval (WH-18: 自批准同意后). A regulation that names no approval (YY-17)
    has it run from the notice.
    """
    rule = policy.provider_exit
    if rule is None:
        return None
    calendar = WorkCalendar.of(policy)
    notice = calendar.after(exit_.notice.at, rule.notice) if rule.notice else None
    since = exit_.approval.at if exit_.approval else None
    if since is None and rule.approval_article is None:
        since = exit_.notice.at
    until = calendar.after(since, rule.transition) if since else None
    return ExitTerms(notice, since, until, clause(policy, rule.article))


def objections(policy: CloudPolicySpec, exit_: PoolExit) -> tuple[Message, ...]:
    """What is against the exit as it was given notice of: no approval, or too early a last day."""
    spans, rule = terms(policy, exit_), policy.provider_exit
    if spans is None or rule is None:
        return ()
    found = []
    if exit_.approval is None and rule.approval_article is not None:
        found.append(message("exit.unapproved", by=exit_.notice.by))
    earliest, last = spans.earliest_stop or spans.notice_until, exit_.stops
    if last is not None and earliest is not None:
        calendar = WorkCalendar.of(policy)
        if calendar.end_of(last) < earliest:
            text = message("exit.too-early", stops=last, earliest=calendar.local_day(earliest))
            found.append(text)
    return tuple(found)


def closing_lacks(
    pool: CloudPoolSpec,
    policy: CloudPolicySpec,
    servers: Iterable[CloudServer],
    certificates: Iterable[WipeCertificate],
    now: datetime,
    *,
    gone: Iterable[str],
) -> tuple[Message, ...]:
    """Why the pool can't be closed: not approved, in its spans, not empty, or not proven.

    ``gone`` names the servers that were seen, or declared, to be gone. What a certificate covers is
    told by the keys of its media: a disk that held data and is in none of them is not proven to be wiped.
    """
    lacks: list[Message] = []
    if pool.operating_mode is OperatingMode.PURCHASED_SERVICE and policy.provider_exit is not None:
        lacks += _exit_lacks(pool, policy, now)
    known, absent = tuple(servers), frozenset(gone)
    left = sorted(server.metadata.name for server in known if server.metadata.name not in absent)
    if left:
        lacks.append(message("exit.servers-left", count=len(left), servers=", ".join(left[:8])))
    certified = {medium.key for found in certificates for medium in found.spec.media}
    disks = [disk for server in known if server.status for disk in server.status.disks if disk.held_data]
    unproven = sorted(disk.key for disk in disks if disk.key not in certified)
    if unproven:
        lacks.append(message("exit.disks-unproven", count=len(unproven), disks=", ".join(unproven[:4])))
    declared = sorted(s.metadata.name for s in known if s.status and s.status.declared)
    if declared and not (pool.exit and pool.exit.destruction):
        lacks.append(message("exit.only-declared", servers=", ".join(declared[:8])))
    return tuple(lacks)


def _exit_lacks(pool: CloudPoolSpec, policy: CloudPolicySpec, now: datetime) -> list[Message]:
    if pool.exit is None:
        return [message("exit.no-notice")]
    lacks = [text for text in objections(policy, pool.exit) if text.key == "exit.unapproved"]
    spans = terms(policy, pool.exit)
    if spans is not None and spans.notice_until is not None and now < spans.notice_until:
        lacks.append(message("exit.notice-runs", until=spans.notice_until.isoformat()))
    return lacks
