"""What a policy lacks, where it contradicts itself, and what it asks for that the engine can't do.

An API server checks the form: fields, types, the CEL rules. This goes on from there, from what the rules and
the life cycle really read.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from govpool.api.base import Duration
from govpool.api.cloudpolicy import (
    ApplicationType,
    BillingStart,
    CloudPolicySpec,
    Stage,
    Verification,
)
from govpool.api.policy_terms import PapersOverdue
from govpool.rules import policy_notices, policy_procedures
from govpool.rules.calendar import WorkCalendar
from govpool.rules.delivery import required_reports
from govpool.rules.errors import NoCalendar
from govpool.rules.policy_finding import Finding, Path, Sort, found
from govpool.rules.policy_procedures import place_of, stages_of

COMMON_YEAR = 2026
HIGHEST_LEVEL = 3
"""The security baseline's controls are those of GB/T 22239-2019 up to its third level."""


def check(policy: CloudPolicySpec) -> tuple[Finding, ...]:
    """Every finding, in the order of the policy's parts; each needs mending."""
    parts = (
        _calendar,
        _admission,
        policy_procedures.check,
        _change,
        _trial,
        _delivery,
        _billing,
        _spans,
        _emergency,
        _deregistration,
        policy_notices.check,
    )
    return tuple(finding for part in parts for finding in part(policy))


def _calendar(policy: CloudPolicySpec) -> Iterator[Finding]:
    calendar, path = policy.calendar, ("spec", "calendar")
    try:
        ZoneInfo(policy.time_zone)
    except (ZoneInfoNotFoundError, ValueError):
        yield found(Sort.BEYOND, ("spec", "timeZone"), "no-zone", zone=policy.time_zone)
    else:
        try:
            WorkCalendar.of(policy)
        except NoCalendar:
            yield found(Sort.BEYOND, (*path, "country"), "no-calendar", country=calendar.country)
    for index, day in enumerate(calendar.workdays):
        if day in calendar.holidays:
            yield found(Sort.CONTRADICTORY, (*path, "workdays", index), "day-both", day=day)


def _admission(policy: CloudPolicySpec) -> Iterator[Finding]:
    rule, path = policy.admission, ("spec", "admission")
    if rule.max_protection_level > HIGHEST_LEVEL:
        values = {"highest": HIGHEST_LEVEL, "level": rule.max_protection_level}
        yield found(Sort.BEYOND, (*path, "maxProtectionLevel"), "level-beyond", **values)
    seen: set[ApplicationType] = set()
    for index, papers in enumerate(rule.materials):
        place: Path = (*path, "materials", index)
        if papers.application in seen:
            yield found(Sort.CONTRADICTORY, place, "materials-twice", application=papers.application.value)
        seen.add(papers.application)
        follow = policy.emergency is not None and policy.emergency.papers_within is not None
        if papers.application is ApplicationType.EMERGENCY and papers.required and follow:
            yield found(Sort.CONTRADICTORY, (*place, "required"), "materials-first")


def _change(policy: CloudPolicySpec) -> Iterator[Finding]:
    rule, path = policy.change, ("spec", "change")
    given = (
        ("majorAbovePercent", rule.major_above_percent is not None, "majorArticle", rule.major_article),
        ("newItemsAreMajor", rule.new_items_are_major, "newItemsArticle", rule.new_items_article),
        ("allAreMajor", rule.all_are_major, "allArticle", rule.all_article),
    )
    for field, on, article, cited in given:
        if on and cited is None:
            yield found(Sort.MISSING, (*path, field), "article-missing", field=field, article=article)
        if not on and cited is not None:
            yield found(Sort.CONTRADICTORY, (*path, article), "article-idle", field=field, article=article)
    if rule.all_are_major:
        for field, on, _, _ in given[:2]:
            if on:
                yield found(Sort.CONTRADICTORY, (*path, field), "share-idle", field=field)


def _trial(policy: CloudPolicySpec) -> Iterator[Finding]:
    stage = stages_of(policy, ApplicationType.NEW).get(Stage.TRIAL)
    values = {"article": "trial", "stage": Stage.TRIAL.value}
    if policy.trial is not None and stage is None:
        place = place_of(policy, ApplicationType.NEW)
        yield found(Sort.MISSING, place, "stage-for-article", **values)
    if policy.trial is None and stage is not None:
        yield found(Sort.MISSING, stage, "article-for-stage", **values)


def _delivery(policy: CloudPolicySpec) -> Iterator[Finding]:
    """What is asked for between trial and formal operation, and the stages that ask for it."""
    rule, stages = policy.delivery, stages_of(policy, ApplicationType.NEW)
    pairs = (
        ("delivery.rightSizingArticle", rule.right_sizing_article, Stage.RIGHT_SIZING),
        ("delivery.agreementArticle", rule.agreement_article, Stage.AGREEMENT),
        ("delivery.confirmationArticle", rule.confirmation_article, Stage.CONFIRMATION),
    )
    place = place_of(policy, ApplicationType.NEW)
    for article, cited, stage in pairs:
        values = {"article": article, "stage": stage.value}
        if cited is not None and stage not in stages:
            yield found(Sort.MISSING, place, "stage-for-article", **values)
        if cited is None and stage in stages:
            yield found(Sort.MISSING, stages[stage], "article-for-stage", **values)
    wanted = required_reports(policy)
    if wanted and Stage.REPORTS not in stages:
        field = "delivery.reports" if rule.reports else "trial"
        yield found(Sort.MISSING, place, "stage-for-article", article=field, stage=Stage.REPORTS.value)
    if not wanted and Stage.REPORTS in stages:
        yield found(Sort.CONTRADICTORY, stages[Stage.REPORTS], "reports-idle")
    path: Path = ("spec", "delivery")
    if rule.reports and rule.reports_article is None:
        values = {"field": "reports", "article": "reportsArticle"}
        yield found(Sort.MISSING, (*path, "reports"), "article-missing", **values)
    if rule.reports_article is not None and not wanted:
        values = {"field": "reports", "article": "reportsArticle"}
        yield found(Sort.CONTRADICTORY, (*path, "reportsArticle"), "article-idle", **values)


def _billing(policy: CloudPolicySpec) -> Iterator[Finding]:
    """What starts billing must be able to happen."""
    starts, stages = policy.billing.starts_on, stages_of(policy, ApplicationType.NEW)
    stage = {
        BillingStart.AGREEMENT_SIGNED: Stage.AGREEMENT,
        BillingStart.DELIVERY_CONFIRMED: Stage.CONFIRMATION,
        BillingStart.CONFIRMED_AFTER_TRIAL: Stage.CONFIRMATION,
    }.get(starts)
    try:
        date.fromisoformat(f"{COMMON_YEAR}-{policy.billing.year_starts}")
    except ValueError:
        place: Path = ("spec", "billing", "yearStarts")
        yield found(Sort.WRONG, place, "no-day", day=policy.billing.year_starts)
    path: Path = ("spec", "billing", "startsOn")
    if stage is not None and stage not in stages:
        needs = f"procedures[New].stages[{stage.value}]"
        yield found(Sort.CONTRADICTORY, path, "billing-never", starts_on=starts.value, needs=needs)
    if policy.trial is None and starts in (BillingStart.TRIAL_ENDED, BillingStart.CONFIRMED_AFTER_TRIAL):
        yield found(Sort.CONTRADICTORY, path, "billing-never", starts_on=starts.value, needs="trial")


def _spans(policy: CloudPolicySpec) -> Iterator[Finding]:
    """A span of nothing: P0D."""
    spans: list[tuple[Path, Duration | None]] = []
    if policy.trial is not None:
        spans.append((("trial", "duration"), policy.trial.duration))
    if policy.migration is not None:
        spans.append((("migration", "keepOldEnvironment"), policy.migration.keep_old_environment))
    if policy.temporary is not None:
        spans.append((("temporary", "maxDuration"), policy.temporary.max_duration))
    if policy.emergency is not None:
        spans.append((("emergency", "maxDuration"), policy.emergency.max_duration))
    if policy.provider_exit is not None:
        spans.append((("providerExit", "notice"), policy.provider_exit.notice))
        spans.append((("providerExit", "transition"), policy.provider_exit.transition))
    for path, span in spans:
        if span is not None and not any(digit in "123456789" for digit in span):
            yield found(Sort.CONTRADICTORY, ("spec", *path), "no-time", value=span)


def _emergency(policy: CloudPolicySpec) -> Iterator[Finding]:
    rule = policy.emergency
    if rule is None:
        return
    path: Path = ("spec", "emergency")
    if rule.extension_lead is not None and rule.max_duration is None:
        yield found(Sort.CONTRADICTORY, (*path, "extensionLead"), "lead-idle")
    if rule.papers_overdue_article is not None and rule.papers_overdue is PapersOverdue.SHOWN:
        yield found(Sort.CONTRADICTORY, (*path, "papersOverdueArticle"), "overdue-idle")


def _deregistration(policy: CloudPolicySpec) -> Iterator[Finding]:
    rule, path = policy.deregistration, ("spec", "deregistration")
    if rule.wipe.verification is Verification.FULL and rule.wipe.sample_percent is not None:
        yield found(Sort.CONTRADICTORY, (*path, "wipe", "samplePercent"), "sample-idle")
    for index, reason in enumerate(rule.reasons):
        if reason in rule.reasons[:index]:
            yield found(Sort.CONTRADICTORY, (*path, "reasons", index), "reason-twice", reason=reason.value)
