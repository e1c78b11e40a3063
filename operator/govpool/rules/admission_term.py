"""Whether a temporary expansion or an emergency keeps to the policy's limits."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, timedelta

from govpool.api.cloudpolicy import ApplicationType, CloudPolicySpec, TemporaryRule
from govpool.api.cloudresourcerequest import RequestContent, TemporaryExpansion, TermKind
from govpool.messages import message
from govpool.rules.calendar import WorkCalendar
from govpool.rules.citation import clause
from govpool.rules.procedure import procedure
from govpool.rules.refusal import Refusal


def check(
    content: RequestContent, approved: RequestContent | None, *, policy: CloudPolicySpec, now: datetime
) -> Iterator[Refusal]:
    """Every reason why the term can't be granted. What is in force already is not judged again."""
    if content.term.kind is TermKind.EMERGENCY and policy.emergency is None:
        article = procedure(policy, ApplicationType.NEW).stages[0].article
        yield Refusal(
            "EmergencyNotProvided", message("rules.admission.no-emergency"), clause(policy, article)
        )
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
        yield from _expansion(expansion, _extended(expansion, held), rule, policy, now)


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


def _extended(wanted: TemporaryExpansion, held: list[TemporaryExpansion]) -> TemporaryExpansion | None:
    """The expansion in force that ``wanted`` prolongs."""
    same = (one for one in held if one.server == wanted.server and one.starts == wanted.starts)
    return next((one for one in same if wanted.ends > one.ends), None)
