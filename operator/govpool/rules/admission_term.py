"""Whether a temporary expansion or an emergency keeps to the policy's limits."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import date, datetime, timedelta

from govpool.api.cloudpolicy import ApplicationType, CloudPolicySpec, EmergencyRule, TemporaryRule
from govpool.api.cloudresourcerequest import RequestContent, TemporaryExpansion, TermKind
from govpool.api.finding import RequestFinding
from govpool.api.rectification_words import NoticeFinding
from govpool.api.request_terms import EmergencyUse
from govpool.messages import message
from govpool.rules.calendar import WorkCalendar
from govpool.rules.citation import clause
from govpool.rules.emergency import (
    article_of,
    bottleneck,
    ends,
    extension_until,
    holds_nothing,
    is_emergency,
    longest,
    same_cause,
)
from govpool.rules.procedure import procedure
from govpool.rules.refusal import Refusal
from govpool.rules.temporary import prolonged


def check(
    content: RequestContent,
    approved: RequestContent | None,
    *,
    policy: CloudPolicySpec,
    now: datetime,
    use: EmergencyUse | None = None,
    findings: Iterable[RequestFinding] = (),
) -> Iterator[Refusal]:
    """Every reason why the term can't be granted. What is in force already is not judged again.

    ``use`` is the emergency that is in force, if one is; ``findings`` are what stands against the request.
    """
    if content.term.kind is TermKind.EMERGENCY and policy.emergency is None:
        article = procedure(policy, ApplicationType.NEW).stages[0].article
        yield Refusal(
            "EmergencyNotProvided", message("rules.admission.no-emergency"), clause(policy, article)
        )
    if use is not None and use.over and holds_nothing(use) and content != approved and policy.emergency:
        under = clause(policy, policy.emergency.article)
        yield Refusal("EmergencyOver", message("terms.emergency-reclaimed"), under)
        return
    if is_emergency(content) and policy.emergency is not None:
        yield from _expands(content, approved, policy.emergency, policy, findings)
        yield from _emergency(content, approved, use, policy.emergency, policy, now)
    held = [] if approved is None else approved.term.temporary
    added = [one for one in content.term.temporary if one not in held]
    if not added:
        return
    rule = policy.temporary
    if rule is None:
        text = message("rules.admission.no-temporary")
        yield Refusal("TemporaryNotProvided", text, clause(policy, policy.change.article))
        return
    for expansion in added:
        yield from _expansion(expansion, prolonged(expansion, held), rule, policy, now)


def _expands(
    content: RequestContent,
    approved: RequestContent | None,
    rule: EmergencyRule,
    policy: CloudPolicySpec,
    findings: Iterable[RequestFinding],
) -> Iterator[Refusal]:
    """BZ-26(1): an emergency expansion meets a bottleneck that was found (发现云主机出现资源瓶颈)."""
    stated = bottleneck(content)
    if stated is None or (approved is not None and same_cause(approved, content)):
        return
    under = clause(policy, article_of(policy, rule, stated))
    if policy.efficiency is None or policy.efficiency.emergency_expansion_article is None:
        yield Refusal("ExpansionNotProvided", message("terms.no-emergency-expansion"), under)
        return
    found = [one.key for one in findings if one.finding is NoticeFinding.EXPAND]
    if stated not in found:
        text = message("terms.no-bottleneck", finding=stated, found=", ".join(found) or "-")
        yield Refusal("BottleneckNotFound", text, under)


def _emergency(
    content: RequestContent,
    approved: RequestContent | None,
    use: EmergencyUse | None,
    rule: EmergencyRule,
    policy: CloudPolicySpec,
    now: datetime,
) -> Iterator[Refusal]:
    """BZ-24: six months at most, and an extension is asked for seven working days ahead."""
    if approved is not None and approved.term == content.term:
        return
    same = approved is not None and same_cause(approved, content)
    running = use if same and use is not None and use.issued is not None else None
    calendar = WorkCalendar.of(policy)
    under = clause(policy, article_of(policy, rule, bottleneck(content)))
    until, today = content.term.emergency.until if content.term.emergency else None, calendar.local_day(now)
    if until is not None and until < today:
        text = message("terms.emergency-ended-before", until=until, today=today)
        yield Refusal("EmergencyOver", text, under)
    asked = ends(policy, content, running.issued) if running and running.issued else None
    prolongs = running is not None and running.ends is not None and (asked is None or asked > running.ends)
    since = running.ends if prolongs and running and running.ends else (running and running.issued) or now
    last = longest(policy, rule, since) if bottleneck(content) is None else None
    if until is not None and last is not None and until > last:
        yield Refusal("EmergencyTooLong", message("terms.emergency-too-long", last=last, until=until), under)
    latest = extension_until(policy, running.ends) if prolongs and running and running.ends else None
    if latest is not None and now > latest and rule.extension_lead and running and running.ends:
        text = message(
            "terms.emergency-extension-late",
            ends=calendar.local_day(running.ends),
            days=rule.extension_lead.working_days,
            latest=latest.date(),
        )
        yield Refusal("ExtensionTooLate", text, under)


def _expansion(
    wanted: TemporaryExpansion,
    extended: TemporaryExpansion | None,
    rule: TemporaryRule,
    policy: CloudPolicySpec,
    now: datetime,
) -> Iterator[Refusal]:
    calendar, under = WorkCalendar.of(policy), clause(policy, rule.article)
    today = calendar.local_day(now)
    if wanted.ends < today:
        text = message("rules.admission.temporary-over", server=wanted.server, ends=wanted.ends, today=today)
        yield Refusal("TemporaryOver", text, under)
    first = wanted.starts if extended is None else extended.ends + timedelta(days=1)
    last = last_day(calendar, first, rule)
    if wanted.ends > last:
        text = message("rules.admission.temporary-too-long", server=wanted.server, starts=first, last=last)
        yield Refusal("TemporaryTooLong", text, under)
    if extended is not None:
        latest = calendar.before_working_days(calendar.end_of(extended.ends), rule.extension_lead)
        if now > latest:
            text = message(
                "rules.admission.extension-late",
                server=wanted.server,
                ends=extended.ends,
                days=rule.extension_lead.working_days,
                latest=latest.date(),
            )
            yield Refusal("ExtensionTooLate", text, under)


def last_day(calendar: WorkCalendar, first: date, rule: TemporaryRule) -> date:
    """The last day of the longest expansion that starts on ``first``: P3M from 1 March ends on 31 May."""
    over = calendar.local_day(calendar.after(calendar.start_of(first), rule.max_duration))
    return over - timedelta(days=1)
