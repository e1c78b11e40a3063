"""Emergency issuing (应急发放): opened first, the papers follow, and its use may have an end."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from govpool.api.base import Article
from govpool.api.cloudpolicy import ApplicationType, CloudPolicySpec, MaterialType
from govpool.api.cloudresourcerequest import Material, RequestContent, Server, Service, TermKind
from govpool.api.policy_terms import EmergencyRule, PapersGo, PapersOverdue
from govpool.api.request_terms import EmergencyUse, HeldDisk, HeldGroup, HeldService
from govpool.api.servicecatalog import ServiceCatalog
from govpool.messages import Message, message
from govpool.rules.calendar import WorkCalendar
from govpool.rules.citation import clause
from govpool.rules.materials import material_rule


@dataclass(frozen=True, slots=True)
class OverduePapers:
    """A finding: something was issued in an emergency, and its papers did not come (YY-23, JN-13)."""

    reason: str
    """A CamelCase word, for notices and programs."""
    message: Message
    """What is missing, since when, and what to do about it."""
    clause: str
    """The clause that makes it a finding."""
    since: datetime
    """When the papers were due."""
    missing: tuple[MaterialType, ...]
    """The papers that are missing; none when only the unit's confirmation of the issue is."""


@dataclass(frozen=True, slots=True)
class StayingDisk:
    """A disk that came or grew in an emergency and stays after it."""

    group: str
    disk: str
    count: int
    """On how many servers of the group."""
    before_gib: int
    """Its size before the emergency; 0 where it was not there."""
    gib: int
    """Its size now."""


# -- emergency expansion -------------------------------------------------------------------------
def bottleneck(content: RequestContent) -> str | None:
    """The finding that an emergency expansion meets (BZ-26(1)); None for any other emergency."""
    stated = content.term.emergency
    return stated.finding if stated is not None and is_emergency(content) else None


def article_of(policy: CloudPolicySpec, rule: EmergencyRule, finding: str | None) -> Article:
    """Which article an emergency stands under: that on expansions where it meets a finding."""
    efficiency = policy.efficiency
    own = efficiency.emergency_expansion_article if efficiency is not None and finding is not None else None
    return own or rule.article


# -- papers --------------------------------------------------------------------------------------
def papers_due(policy: CloudPolicySpec, issued: datetime) -> tuple[datetime, str] | None:
    """Until when the unit completes the papers (YY-23, JN-13), and under which clause.

    ``issued`` is when the resources were handed over. None where the policy sets no number of days.
    """
    rule = policy.emergency
    if rule is None or rule.papers_within is None:
        return None
    return WorkCalendar.of(policy).after_working_days(issued, rule.papers_within), clause(
        policy, rule.article
    )


def papers_missing(
    policy: CloudPolicySpec,
    ahead_of: ApplicationType,
    materials: Iterable[Material],
    today: date,
    *,
    expansion: bool = False,
) -> tuple[MaterialType, ...]:
    """The papers that are still to come, in the policy's order.

    They are those that the policy lists for emergencies, or else those of the application that the
    emergency went ahead of; of an ``expansion`` on a finding always the latter (BZ-26(1)). One that is dated
    after ``today`` or no longer valid does not count.
    """
    rule = policy.emergency
    if rule is None:
        return ()
    usual = material_rule(policy, ahead_of)
    listed: Sequence[MaterialType] = usual.required if usual else ()
    wanted = listed if rule.papers is None or expansion else rule.papers
    there = {
        paper.type
        for paper in materials
        if paper.date <= today and (paper.valid_until is None or paper.valid_until >= today)
    }
    return tuple(kind for kind in wanted if kind not in there)


def papers_decided(policy: CloudPolicySpec, *, expansion: bool = False) -> bool:
    """Whether the papers are put before the authority like an application, and not only filed (BZ-24).

    Those of an ``expansion`` on a finding always are: they complete the change (完成变更流程, BZ-26(1)).
    """
    rule = policy.emergency
    return rule is not None and (expansion or rule.papers_go is PapersGo.DECIDED)


def application_of_papers(ahead_of: ApplicationType) -> ApplicationType:
    """As what the papers are decided: what was new goes the way of a new application, as a major change of
    what is held already; a change goes as one.
    """
    return ahead_of if ahead_of is ApplicationType.CHANGE else ApplicationType.MAJOR_CHANGE


def papers_overdue(
    policy: CloudPolicySpec,
    *,
    issued: datetime,
    missing: Sequence[MaterialType],
    issue_confirmed: bool,
    decided: bool,
    now: datetime,
    expansion: bool = False,
) -> OverduePapers | None:
    """The finding that papers of an emergency did not come in time; None while they are in time, or there.

    ``missing`` are the papers still to come, ``issue_confirmed`` whether the unit confirmed the issue,
    ``decided`` whether the papers are put before the authority, or complete. Nothing is reclaimed on it.
    """
    rule, due = policy.emergency, papers_due(policy, issued)
    if rule is None or due is None or now <= due[0] or rule.papers_overdue is not PapersOverdue.FINDING:
        return None
    unconfirmed = rule.issue_confirmed and not issue_confirmed
    if not unconfirmed and (decided or (not missing and not papers_decided(policy, expansion=expansion))):
        return None
    names = ", ".join(kind.value for kind in missing) or "-"
    return OverduePapers(
        "EmergencyPapersOverdue",
        message("terms.papers-overdue", papers=names, due=due[0].isoformat()),
        clause(policy, rule.papers_overdue_article or rule.article),
        due[0],
        tuple(missing),
    )


# -- the end -------------------------------------------------------------------------------------
def ends(policy: CloudPolicySpec, content: RequestContent, issued: datetime) -> datetime | None:
    """When the use ends by itself (BZ-24: six months from the configuration at most).

    On the last day that was approved, or after the longest use; None where neither is set. An expansion that
    meets a finding has no longest use: it stays with the change that completes it (BZ-26(1)).
    """
    rule, emergency = policy.emergency, content.term.emergency
    if rule is None or emergency is None:
        return None
    calendar = WorkCalendar.of(policy)
    if emergency.until is not None:
        return calendar.end_of(emergency.until)
    if rule.max_duration is None or bottleneck(content) is not None:
        return None
    return calendar.after(issued, rule.max_duration)


def longest(policy: CloudPolicySpec, rule: EmergencyRule, since: datetime) -> date | None:
    """The last day that may be asked for when use begins, or an extension begins, at ``since``."""
    if rule.max_duration is None:
        return None
    calendar = WorkCalendar.of(policy)
    return calendar.local_day(calendar.after(since, rule.max_duration))


def extension_until(policy: CloudPolicySpec, end: datetime) -> datetime | None:
    """The last instant at which an extension may be asked for (BZ-24: seven working days ahead)."""
    rule = policy.emergency
    if rule is None or rule.extension_lead is None:
        return None
    return WorkCalendar.of(policy).before_working_days(end, rule.extension_lead)


def is_emergency(content: RequestContent) -> bool:
    """Whether the content is held under an emergency."""
    return content.term.kind is TermKind.EMERGENCY


def same_cause(before: RequestContent, after: RequestContent) -> bool:
    """Whether both are held under one emergency; only its last day may differ."""
    first, second = before.term.emergency, after.term.emergency
    return (
        is_emergency(before)
        and is_emergency(after)
        and first is not None
        and second is not None
        and (first.cause, first.finding) == (second.cause, second.finding)
    )


def held_before(content: RequestContent | None) -> tuple[list[HeldGroup], list[HeldService]]:
    """What stays when an emergency ends: what was held when it began."""
    if content is None:
        return [], []
    groups = [
        HeldGroup(
            name=one.name,
            count=one.count,
            item=one.item,
            disks=[HeldDisk(name=disk.name, size_gib=disk.size_gib) for disk in one.data_disks],
        )
        for one in content.servers
    ]
    services = [HeldService(item=one.item, quantity=one.quantity) for one in content.services]
    return groups, services


def after_the_end(content: RequestContent, use: EmergencyUse) -> RequestContent:
    """The content once the emergency is over: what was held before, and nothing that came with it.

    Disks that were added or grew stay, see :func:`disks_that_stay`.
    """
    held = {group.name: group for group in use.held}
    servers: list[Server] = []
    for group in content.servers:
        before = held.get(group.name)
        kept = min(group.count, before.count) if before else 0
        servers.append(
            group.model_copy(update={"count": kept, "item": before.item if before else group.item})
        )
    services = [Service(item=one.item, quantity=one.quantity) for one in use.services]
    term = content.term.model_copy(update={"temporary": []})
    return content.model_copy(
        update={"servers": servers, "services": services, "term": term, "business_cycles": []}
    )


def disks_that_stay(
    content: RequestContent, use: EmergencyUse, catalog: ServiceCatalog
) -> tuple[StayingDisk, ...]:
    """The disks that came or grew in the emergency on servers that were held before it.

    No volume shrinks and a disk is taken away only with its server, so these stay when the emergency ends
    (BZ-24): they count in the quota until their servers are given back.
    """
    groups = {group.name: group for group in content.servers}
    found: list[StayingDisk] = []
    for held in use.held:
        group = groups.get(held.name)
        count = min(held.count, group.count) if group else 0
        if group is None or count == 0:
            continue
        had, has = root_gib(catalog, held.item), root_gib(catalog, group.item)
        if had is not None and has is not None and has > had:
            found.append(StayingDisk(group.name, "root", count, had, has))
        if held.disks is None:
            continue
        before = {disk.name: disk.size_gib for disk in held.disks}
        found += [
            StayingDisk(group.name, disk.name, count, before.get(disk.name, 0), disk.size_gib)
            for disk in group.data_disks
            if disk.size_gib > before.get(disk.name, 0)
        ]
    return tuple(found)


def root_gib(catalog: ServiceCatalog, item: str) -> int | None:
    """The root disk of a server item, in GiB; None where the catalogue has none."""
    found = catalog.item(item)
    return found.provides.root_disk_gib if found else None


def holds_nothing(use: EmergencyUse) -> bool:
    """Whether nothing at all stays when the emergency ends."""
    return not use.services and not any(group.count for group in use.held)
