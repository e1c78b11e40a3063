"""What a request tells of spans of use: emergencies, seasons, old environments, and what waits in line."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, timedelta

from govpool.api.base import ConditionStatus
from govpool.api.cloudpolicy import CloudPolicySpec
from govpool.api.cloudresourcerequest import ApprovedRevision, CloudResourceRequestStatus, Happening
from govpool.lifecycle.clocks import clocks_told, happening
from govpool.lifecycle.conditions import Said, condition
from govpool.lifecycle.emergency import in_force
from govpool.lifecycle.observation import RequestObservation
from govpool.lifecycle.spans import asked_of, holds, old_environment, papers_wanted
from govpool.lifecycle.submission import Submission
from govpool.messages import Message, message
from govpool.rules import cycles
from govpool.rules.calendar import WorkCalendar
from govpool.rules.citation import clause
from govpool.rules.emergency import article_of, disks_that_stay
from govpool.rules.migration import removed_too_early
from govpool.rules.temporary import while_asked


# -- the story -----------------------------------------------------------------------------------
def happenings(
    observation: RequestObservation,
    policy: CloudPolicySpec,
    found: Submission,
    after: CloudResourceRequestStatus,
) -> list[Happening]:
    """What began, ended or ran out, for the request's story."""
    return [
        *clocks_told(after, policy),
        *_emergency_told(observation, policy, after),
        *_expansions_told(observation, policy, found),
        *_cycles_told(observation, policy, found, after),
        *_old_environment_told(observation, policy, found),
    ]


def _emergency_told(
    observation: RequestObservation, policy: CloudPolicySpec, after: CloudResourceRequestStatus
) -> Iterator[Happening]:
    use = after.emergency
    if use is None or use.issued is None or policy.emergency is None:
        return
    under = clause(policy, article_of(policy, policy.emergency, use.finding))
    key = f"emergency/{use.revision}"
    if use.finding is not None:
        text = message("terms.expanded", finding=use.finding).render(observation.language)
        yield happening("EmergencyExpansion", use.issued, text, under, f"{key}/expansion")
    if use.papers_complete:
        text = message("terms.papers-complete").render(observation.language)
        yield happening("EmergencyPapersComplete", use.papers_complete, text, under, f"{key}/papers")
    if use.over and use.ends:
        ended = message("terms.emergency-over", ends=use.ends.isoformat()).render(observation.language)
        yield happening("EmergencyOver", use.ends, ended, under, f"{key}/over/{use.ends.isoformat()}")
        if disks := _staying(observation, after):
            stays = message("terms.disks-stay", disks=disks).render(observation.language)
            yield happening("DisksStay", use.ends, stays, under, f"{key}/disks/{use.ends.isoformat()}")


def _staying(observation: RequestObservation, after: CloudResourceRequestStatus) -> str:
    """The disks that came or grew in an emergency and stay after it, for people; empty where none do."""
    use, approved, catalog = after.emergency, after.approved, observation.catalog
    if use is None or approved is None or catalog is None or not in_force(approved):
        return ""
    return ", ".join(
        f"{one.group}/{one.disk} {one.before_gib} -> {one.gib} GiB x {one.count}"
        for one in disks_that_stay(approved.content, use, catalog)
    )


def _expansions_told(
    observation: RequestObservation, policy: CloudPolicySpec, found: Submission
) -> Iterator[Happening]:
    """BZ-22: what stays past its last day, because nobody has decided yet."""
    if policy.temporary is None or found.approved is None or not holds(found):
        return
    held = found.approved.content
    if not held.term.temporary:
        return
    calendar = WorkCalendar.of(policy)
    under, today = clause(policy, policy.temporary.article), calendar.local_day(observation.now)
    for one, stays in zip(
        held.term.temporary, while_asked(held, asked_of(found)).term.temporary, strict=True
    ):
        if one.ends < today <= stays.ends:
            text = message(
                "terms.expansion-over", count=one.additional_count, server=one.server, ends=one.ends
            )
            key = f"expansion/{one.server}/{one.ends.isoformat()}/stays"
            at = calendar.start_of(one.ends + timedelta(days=1))
            yield happening("ExpansionStays", at, text.render(observation.language), under, key)


def _cycles_told(
    observation: RequestObservation,
    policy: CloudPolicySpec,
    found: Submission,
    after: CloudResourceRequestStatus,
) -> Iterator[Happening]:
    """WH-30: each beginning and each end of a period that fell into the time of this approval."""
    if policy.business_cycles is None or found.approved is None or not holds(found):
        return
    approved = found.approved
    if not approved.content.business_cycles:
        return
    calendar = WorkCalendar.of(policy)
    under, today = clause(policy, policy.business_cycles.article), calendar.local_day(observation.now)
    known = [item.key for item in after.history]
    for cycle in approved.content.business_cycles:
        current = cycles.period(cycle, today)
        if current is not None:
            text = message(
                "terms.cycle-begins",
                cycle=cycle.name,
                server=cycle.server,
                count=cycle.count,
                last=current[1],
            )
            at = max(calendar.start_of(current[0]), approved.at)
            yield _cycle(observation, "Begins", text, at, under, cycle.name, current)
        for key in known:
            last = _begun_period(key, cycle.name)
            group = next((one for one in approved.content.servers if one.name == cycle.server), None)
            if last is None or last[1] >= today or group is None:
                continue
            next_day = last[1] + timedelta(days=1)
            count = cycles.running_on(approved.content, group, next_day)
            text = message("terms.cycle-over", cycle=cycle.name, server=cycle.server, count=count)
            at = calendar.start_of(next_day)
            yield _cycle(observation, "Ends", text, at, under, cycle.name, last)


def _cycle(
    observation: RequestObservation,
    what: str,
    text: Message,
    at: datetime,
    under: str,
    name: str,
    days: tuple[date, date],
) -> Happening:
    key = f"cycle/{name}/{days[0].isoformat()}/{days[1].isoformat()}/{what}"
    return happening(f"BusinessCycle{what}", at, text.render(observation.language), under, key)


def _begun_period(key: str, name: str) -> tuple[date, date] | None:
    """The period whose beginning a key of the story told."""
    parts = key.split("/")
    if len(parts) != 5 or parts[0] != "cycle" or parts[1] != name or parts[4] != "Begins":
        return None
    return date.fromisoformat(parts[2]), date.fromisoformat(parts[3])


def _old_environment_told(
    observation: RequestObservation, policy: CloudPolicySpec, found: Submission
) -> Iterator[Happening]:
    kept = old_environment(observation, policy, found)
    if kept is None or observation.now < kept[0]:
        return
    since, until, under, old = kept
    last, key = until.isoformat(), f"old-environment/{until.date().isoformat()}"
    text = message("terms.old-environment", old=old, until=last).render(observation.language)
    yield happening("OldEnvironmentKept", since, text, under, f"{key}/kept")
    if observation.now > until:
        over = message("terms.old-environment-over", old=old, until=last).render(observation.language)
        yield happening("OldEnvironmentOver", until, over, under, f"{key}/over")
    removed = observation.request.spec.confirmations.old_environment_removed
    if removed is not None and removed.at <= observation.now:
        note, what = message("terms.old-environment-removed", old=old), "OldEnvironmentRemoved"
        if removed_too_early(until, removed.at):
            what = "OldEnvironmentRemovedTooEarly"
            note = message(
                "terms.old-environment-too-early", old=old, until=last, removed=removed.at.isoformat()
            )
        detail = note.render(observation.language)
        yield happening(what, removed.at, detail, under, f"{key}/removed", removed.by)


# -- conditions ----------------------------------------------------------------------------------
def conditions(
    observation: RequestObservation,
    policy: CloudPolicySpec,
    found: Submission,
    after: CloudResourceRequestStatus,
) -> list[Said]:
    """What people ask about spans of use; each only where there is something to tell."""
    parts = (
        _disks_condition(observation, policy, after),
        _papers_condition(observation, policy, found, after),
        _cycles_condition(observation, policy, found.approved),
        _old_environment_condition(observation, policy, found),
        _queued_condition(observation, found),
    )
    return [one for one in parts if one is not None]


def _say(
    observation: RequestObservation, type_: str, reason: str, text: Message, *, true: bool, under: str = ""
) -> Said:
    return condition(
        type_,
        ConditionStatus.TRUE if true else ConditionStatus.FALSE,
        reason,
        text,
        clause=under,
        generation=observation.request.metadata.generation,
        now=observation.now,
        language=observation.language,
    )


def _disks_condition(
    observation: RequestObservation, policy: CloudPolicySpec, after: CloudResourceRequestStatus
) -> Said | None:
    """BZ-24: what does not go when an emergency ends, because no volume shrinks."""
    use, disks = after.emergency, _staying(observation, after)
    if not disks or use is None or use.ends is None or policy.emergency is None:
        return None
    under = clause(policy, article_of(policy, policy.emergency, use.finding))
    if use.over:
        text = message("terms.disks-stay", disks=disks)
        return _say(observation, "DisksStay", "EmergencyOver", text, true=True, under=under)
    text = message("terms.disks-will-stay", disks=disks)
    return _say(observation, "DisksStay", "EmergencyRuns", text, true=True, under=under)


def _papers_condition(
    observation: RequestObservation,
    policy: CloudPolicySpec,
    found: Submission,
    after: CloudResourceRequestStatus,
) -> Said | None:
    """YY-23, JN-13, BZ-24: whether papers of what was issued in an emergency are missing."""
    use, approved = after.emergency, found.approved
    if use is None or use.issued is None or approved is None or policy.emergency is None:
        return None
    article = article_of(policy, policy.emergency, use.finding)
    under = clause(policy, article)
    if not in_force(approved) or use.papers_complete is not None:
        text = message("terms.papers-complete")
        return _say(observation, "PapersMissing", "Complete", text, true=False, under=under)
    wanted = papers_wanted(observation, policy, found, use)
    if not wanted:
        text = message("terms.papers-put-forward")
        return _say(observation, "PapersMissing", "PutForward", text, true=False, under=under)
    if wanted == "-":
        text = message("terms.papers-refused")
        return _say(observation, "PapersMissing", "NotAccepted", text, true=True, under=under)
    if use.papers_due is not None and observation.now > use.papers_due:
        text = message("terms.papers-overdue", papers=wanted, due=use.papers_due.isoformat())
        under = clause(policy, policy.emergency.papers_overdue_article or article)
        return _say(observation, "PapersMissing", "PapersOverdue", text, true=True, under=under)
    text = message("terms.papers-due", papers=wanted)
    return _say(observation, "PapersMissing", "PapersDue", text, true=True, under=under)


def _cycles_condition(
    observation: RequestObservation, policy: CloudPolicySpec, approved: ApprovedRevision | None
) -> Said | None:
    if approved is None or not approved.content.business_cycles:
        return None
    if policy.business_cycles is None:
        text = message("terms.cycles-recorded")
        return _say(observation, "BusinessCycles", "RecordedOnly", text, true=False)
    today = WorkCalendar.of(policy).local_day(observation.now)
    counts = ", ".join(
        f"{group.name} {cycles.running_on(approved.content, group, today)}"
        for group in approved.content.servers
    )
    text = message("terms.cycles-followed", counts=counts)
    under = clause(policy, policy.business_cycles.article)
    return _say(observation, "BusinessCycles", "Followed", text, true=True, under=under)


def _old_environment_condition(
    observation: RequestObservation, policy: CloudPolicySpec, found: Submission
) -> Said | None:
    kept = old_environment(observation, policy, found)
    if kept is None:
        return None
    _, until, under, old = kept
    removed = observation.request.spec.confirmations.old_environment_removed
    last = until.isoformat()
    if removed is not None and removed_too_early(until, removed.at):
        text = message("terms.old-environment-too-early", old=old, until=last, removed=removed.at.isoformat())
        return _say(observation, "OldEnvironmentKept", "RemovedTooEarly", text, true=False, under=under)
    if observation.now <= until:
        text = message("terms.old-environment", old=old, until=last)
        return _say(observation, "OldEnvironmentKept", "Kept", text, true=True, under=under)
    text = message("terms.old-environment-over", old=old, until=last)
    if removed is not None:
        text = message("terms.old-environment-removed", old=old)
    return _say(observation, "OldEnvironmentKept", "MayGo", text, true=True, under=under)


def _queued_condition(observation: RequestObservation, found: Submission) -> Said | None:
    """An approved revision that waits for what leaves under the one before it."""
    if found.queued is None or found.approved is None:
        return None
    approval = found.queued.approval
    text = message(
        "terms.queued",
        approval=approval.metadata.name,
        revision=approval.spec.revision,
        before=found.approved.revision,
    )
    return _say(observation, "Queued", "WaitsForCertificate", text, true=True)
