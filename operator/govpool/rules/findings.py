"""What stands against a request (发现的问题): use, evidence, an unused trial, papers that are overdue.

A finding is a value. It never acts: it is shown, and where the policy says so a notice follows.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime

from govpool.api.cloudpolicy import CloudPolicySpec, MaterialType, Role, UnusedAction
from govpool.api.cloudresourcerequest import Confirmations, Deadline, Material, System, Trial
from govpool.api.policy_efficiency import EfficiencySort
from govpool.api.policy_evidence import EvidenceRule, EvidenceSubject
from govpool.api.rectification_words import NoticeFinding
from govpool.api.usage import Usage
from govpool.messages import Message, message
from govpool.rules.calendar import WorkCalendar
from govpool.rules.citation import clause
from govpool.rules.efficiency import Answer, judge


@dataclass(frozen=True, slots=True)
class Finding:
    """One finding. ``key`` is the same for as long as it lasts."""

    key: str
    finding: NoticeFinding
    message: Message
    """What was found and what to do next."""
    clause: str
    """The clause that it follows, with the policy's code."""
    server: str | None = None
    """The CloudServer that it is about; None: the system as a whole."""
    figures: tuple[tuple[str, str], ...] = ()
    """What it rests on: name and value."""
    soft: bool = False
    """Whether it only proposes."""
    expert_review: bool = False
    """Whether experts assess it first."""


# -- use -----------------------------------------------------------------------------------------
def usage_findings(
    policy: CloudPolicySpec,
    servers: Mapping[str, Usage | None],
    *,
    reduced_at: datetime | None,
    now: datetime,
) -> tuple[Finding, ...]:
    """What the figures of each server say (BZ-26, JN-18, JN-20(1), WH-29, YY-22). ``servers`` by name.

    ``reduced_at`` is when the system's last reduction was approved.
    """
    found: list[Finding] = []
    for server, usage in servers.items():
        for judgement in judge(policy, usage, now):
            if judgement.answer is not Answer.YES:
                continue
            rule, figures = judgement.rule, _shown(judgement.figures)
            found.append(
                Finding(
                    key=f"use/{server}/{rule.name}",
                    finding=NoticeFinding(rule.sort.value),
                    message=message(f"finding.{rule.sort.value}", server=server, figures=figures),
                    clause=judgement.clause,
                    server=server,
                    figures=judgement.figures,
                    soft=rule.soft,
                    expert_review=rule.expert_review,
                )
            )
    return (*found, *_still_low(policy, found, reduced_at, now))


def _still_low(
    policy: CloudPolicySpec, found: Iterable[Finding], reduced_at: datetime | None, now: datetime
) -> Iterator[Finding]:
    """Still low within three months after a reduction (JN-20(1))."""
    rule = policy.rectification
    if rule is None or rule.low_after_reduction is None or reduced_at is None or reduced_at > now:
        return
    calendar = WorkCalendar.of(policy)
    if now > calendar.after(reduced_at, rule.low_after_reduction):
        return
    article = next((n.article for n in rule.notices if n.finding is NoticeFinding.STILL_LOW), rule.article)
    day = calendar.local_day(reduced_at)
    for low in found:
        if low.finding.value == EfficiencySort.REDUCE and not low.soft:
            yield Finding(
                key=f"still-low/{low.key}",
                finding=NoticeFinding.STILL_LOW,
                message=message(
                    "finding.StillLowAfterReduction",
                    server=low.server or "-",
                    figures=_shown(low.figures),
                    reduced=day,
                ),
                clause=clause(policy, article),
                server=low.server,
                figures=(*low.figures, ("reducedAt", str(day))),
            )


def _shown(figures: Iterable[tuple[str, str]]) -> str:
    return "; ".join(f"{name} {value}" for name, value in figures)


# -- evidence ------------------------------------------------------------------------------------
def evidence_findings(
    policy: CloudPolicySpec, system: System, materials: Iterable[Material], *, live: bool, now: datetime
) -> tuple[Finding, ...]:
    """Assessments and filings that a system lacks (JN-24, BZ-31, YY-33). ``live``: it is in operation."""
    papers, today = list(materials), WorkCalendar.of(policy).local_day(now)
    rules = (
        rule
        for rule in policy.evidence
        if rule.subject is EvidenceSubject.SYSTEM and system.protection_level >= rule.from_level and live
    )
    found = tuple(_evidence(policy, rules, papers, today, "Evidence"))
    return (*found, *_make_good(policy, system, papers, today))


def platform_findings(
    policy: CloudPolicySpec, materials: Iterable[Material], now: datetime
) -> tuple[Finding, ...]:
    """Assessments that the platform itself lacks (YY-32, BZ-32, T-24)."""
    today = WorkCalendar.of(policy).local_day(now)
    rules = (rule for rule in policy.evidence if rule.subject is EvidenceSubject.PLATFORM)
    return tuple(_evidence(policy, rules, list(materials), today, "PlatformEvidence"))


def _evidence(
    policy: CloudPolicySpec, rules: Iterable[EvidenceRule], papers: list[Material], today: date, text: str
) -> Iterator[Finding]:
    for rule in rules:
        kind = rule.material
        held = [paper for paper in papers if paper.type is kind and paper.date <= today]
        ends = [(valid_until(policy, rule, paper), paper) for paper in held]
        lasting = [(end, paper) for end, paper in ends if end is not None]
        if len(lasting) < len(held):
            continue
        best = max(lasting, key=lambda pair: pair[0], default=None)
        if best is not None and best[0] >= today:
            continue
        figures = [("material", kind.value)]
        if best is None:
            told = message(f"finding.{text}Missing", material=kind.value)
        else:
            end, paper = best
            told = message(f"finding.{text}Lapsed", material=kind.value, date=paper.date, until=end)
            figures += [("date", str(paper.date)), ("validUntil", str(end)), ("reference", paper.reference)]
        yield Finding(
            key=f"evidence/{rule.subject.value}/{kind.value}",
            finding=NoticeFinding.EVIDENCE_LAPSED,
            message=told,
            clause=clause(policy, rule.article),
            figures=tuple(figures),
        )


def valid_until(policy: CloudPolicySpec, rule: EvidenceRule, paper: Material) -> date | None:
    """The last day on which the paper proves anything: the earlier of its own end and the policy's span.

    None where neither sets one.
    """
    calendar = WorkCalendar.of(policy)
    ends = [paper.valid_until] if paper.valid_until else []
    if rule.renewed_every is not None:
        ends.append(calendar.local_day(calendar.after(calendar.start_of(paper.date), rule.renewed_every)))
    return min(ends, default=None)


def _make_good(
    policy: CloudPolicySpec, system: System, papers: list[Material], today: date
) -> Iterator[Finding]:
    """What a system that was on the cloud before the regulation had to make good (JN-12)."""
    since = system.on_cloud_since
    if since is None or since >= policy.effective_from:
        return
    there = {p.type for p in papers if p.date <= today and (p.valid_until is None or p.valid_until >= today)}
    for rule in policy.make_good:
        if today <= rule.until:
            continue
        for kind in rule.materials:
            if kind in there:
                continue
            yield Finding(
                key=f"make-good/{kind.value}",
                finding=NoticeFinding.MAKE_GOOD_OVERDUE,
                message=message(
                    "finding.MakeGoodOverdue",
                    material=kind.value,
                    until=rule.until,
                    from_=policy.effective_from,
                ),
                clause=clause(policy, rule.article),
                figures=(("material", kind.value), ("until", str(rule.until)), ("onCloudSince", str(since))),
            )


# -- the unused trial ----------------------------------------------------------------------------
def unused_trial(
    policy: CloudPolicySpec,
    trial: Trial | None,
    servers: Mapping[str, Usage | None],
    confirmations: Confirmations,
    now: datetime,
) -> Finding | None:
    """The trial is over and nobody used it (JN-15).

    Only two things say so: the unit's own statement, or figures of every server, measured until the trial's
    end or later, that each say it was never used. Without them it can't be told, and nothing is found. A unit
    that has confirmed delivery has used it.
    """
    rule = policy.trial
    if rule is None or rule.unused is UnusedAction.NONE or trial is None or now < trial.ends:
        return None
    if confirmations.delivery is not None:
        return None
    stated = confirmations.unused
    if stated is not None:
        text = message("finding.UnusedTrial.stated", ends=trial.ends.isoformat(), by=stated.by)
        figures: tuple[tuple[str, str], ...] = (("statedBy", stated.by), ("at", stated.at.isoformat()))
    elif servers and all(_never_used(usage, trial.ends, now) for usage in servers.values()):
        shown = ", ".join(servers)
        text = message("finding.UnusedTrial.measured", ends=trial.ends.isoformat(), servers=shown)
        figures = tuple((name, f"inUse: false, {_until(usage)}") for name, usage in servers.items())[:16]
    else:
        return None
    return Finding(
        key="unused-trial",
        finding=NoticeFinding.UNUSED_TRIAL,
        message=text,
        clause=clause(policy, rule.article),
        figures=figures,
    )


def _never_used(usage: Usage | None, ends: datetime, now: datetime) -> bool:
    return usage is not None and usage.in_use is False and ends <= usage.observed_until <= now


def _until(usage: Usage | None) -> str:
    return usage.observed_until.isoformat() if usage else "-"


# -- clocks --------------------------------------------------------------------------------------
def overdue_findings(deadlines: Iterable[Deadline]) -> tuple[Finding, ...]:
    """Clocks of the unit that ran out, other than those that have a finding of their own."""
    return tuple(
        Finding(
            key=f"overdue/{deadline.stage.value}",
            finding=NoticeFinding.CLOCK_OVERDUE,
            message=message("finding.ClockOverdue", what=deadline.what, due=deadline.due.isoformat()),
            clause=deadline.article,
            figures=(("due", deadline.due.isoformat()),),
        )
        for deadline in deadlines
        if deadline.overdue and deadline.due and deadline.who is Role.UNIT and deadline.stage is not None
    )


def papers_finding(told: Message, under: str, due: datetime, missing: Iterable[MaterialType]) -> Finding:
    """The finding that papers of an emergency are overdue (YY-23, JN-13), from the rule that made it out."""
    names = ", ".join(kind.value for kind in missing)
    return Finding(
        key="emergency-papers",
        finding=NoticeFinding.EMERGENCY_PAPERS_OVERDUE,
        message=told,
        clause=under,
        figures=(("due", due.isoformat()), *((("missing", names),) if names else ())),
    )
