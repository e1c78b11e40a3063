"""What is due in a span of use, and what ends by itself."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from govpool.api.cloudpolicy import ApplicationType, CloudPolicySpec, ReportType, Role, Stage
from govpool.api.cloudresourcerequest import Deadline, DesiredState, RequestContent, Trial
from govpool.api.request_terms import EmergencyUse
from govpool.lifecycle.emergency import issue_confirmed, same_edit
from govpool.lifecycle.observation import RequestObservation
from govpool.lifecycle.submission import Submission
from govpool.messages import Message, message
from govpool.rules.calendar import WorkCalendar
from govpool.rules.citation import clause
from govpool.rules.delivery import missing_reports
from govpool.rules.emergency import article_of, extension_until, papers_decided
from govpool.rules.migration import keep_until, kept_since
from govpool.rules.temporary import while_asked

MAX_WHAT = 256


def span_deadlines(
    observation: RequestObservation,
    policy: CloudPolicySpec,
    found: Submission,
    use: EmergencyUse | None,
    trial: Trial | None,
) -> list[Deadline]:
    """What is due of the unit, and what ends by itself."""
    return [
        *_papers(observation, policy, found, use),
        *_probe(observation, policy, found, trial),
        *_emergency_ends(observation, policy, use),
        *_expansions(observation, policy, found),
        *_old_environment(observation, policy, found),
    ]


def _papers(
    observation: RequestObservation, policy: CloudPolicySpec, found: Submission, use: EmergencyUse | None
) -> Iterator[Deadline]:
    """YY-23, JN-13, BZ-24: what was issued in an emergency waits for its papers."""
    if use is None or use.issued is None or use.papers_complete is not None or policy.emergency is None:
        return
    wanted = papers_wanted(observation, policy, found, use)
    if not wanted:
        return
    yield Deadline(
        what=message("terms.papers-due", papers=wanted).render(observation.language)[:MAX_WHAT],
        who=Role.UNIT,
        since=use.issued,
        due=use.papers_due,
        article=clause(policy, article_of(policy, policy.emergency, use.finding)),
        overdue=use.papers_due is not None and observation.now > use.papers_due,
    )


def papers_wanted(
    observation: RequestObservation, policy: CloudPolicySpec, found: Submission, use: EmergencyUse
) -> str:
    """What the unit still has to give, in words; empty when it has given everything."""
    wanted = [] if papers_put_forward(found) else [kind.value for kind in use.papers_missing]
    confirm = policy.emergency is not None and policy.emergency.issue_confirmed
    confirm = confirm or _came_with_the_application(observation, policy, found, use)
    if confirm and use.issued and not issue_confirmed(observation.request, use.issued):
        wanted.append(message("terms.issue-unconfirmed").render(observation.language))
    rejected = found.rejected is not None and not use.papers_missing
    return ", ".join(wanted) or ("-" if rejected else "")


def _came_with_the_application(
    observation: RequestObservation, policy: CloudPolicySpec, found: Submission, use: EmergencyUse
) -> bool:
    """Whether all papers were there from the start: the unit's confirmation puts them forward."""
    if use.papers_missing or found.approved is None:
        return False
    to_decide = papers_decided(policy, expansion=use.finding is not None)
    return to_decide and same_edit(observation.request, found.approved)


def asked_of(found: Submission) -> RequestContent | None:
    """The content that lies before the authority, if any does."""
    return found.pending.approval.spec.content if found.pending else None


def papers_put_forward(found: Submission) -> bool:
    """Whether the papers lie before the authority: in an application of the usual kind."""
    pending = found.pending
    return pending is not None and pending.approval.spec.application in (
        ApplicationType.NEW,
        ApplicationType.MAJOR_CHANGE,
        ApplicationType.CHANGE,
    )


def _probe(
    observation: RequestObservation, policy: CloudPolicySpec, found: Submission, trial: Trial | None
) -> Iterator[Deadline]:
    """JN-15: the monitoring probe is installed during the trial."""
    if trial is None or policy.trial is None or not policy.trial.probe_required or not holds(found):
        return
    if ReportType.PROBE not in missing_reports(policy, observation.request.spec.confirmations, trial):
        return
    yield Deadline(
        what=message("terms.probe-due").render(observation.language)[:MAX_WHAT],
        stage=Stage.REPORTS,
        who=Role.UNIT,
        since=trial.started,
        due=trial.ends,
        article=clause(policy, policy.trial.article),
        overdue=observation.now > trial.ends,
    )


def _emergency_ends(
    observation: RequestObservation, policy: CloudPolicySpec, use: EmergencyUse | None
) -> Iterator[Deadline]:
    """BZ-24: at most six months from the configuration."""
    if use is None or use.ends is None or use.issued is None or use.over or policy.emergency is None:
        return
    latest = extension_until(policy, use.ends)
    text = message("terms.emergency-ends", extension=_extension(observation, latest))
    under = clause(policy, article_of(policy, policy.emergency, use.finding))
    yield _ending(observation, text, use.issued, use.ends, under)


def _expansions(
    observation: RequestObservation, policy: CloudPolicySpec, found: Submission
) -> Iterator[Deadline]:
    """BZ-22: an expansion that runs, until when, and until when its extension is asked for."""
    rule = policy.temporary
    if rule is None or not holds(found) or found.approved is None:
        return
    held = found.approved.content
    if not held.term.temporary:
        return
    calendar = WorkCalendar.of(policy)
    today = calendar.local_day(observation.now)
    under = clause(policy, rule.article)
    staying = while_asked(held, asked_of(found)).term.temporary
    for one, stays in zip(held.term.temporary, staying, strict=True):
        if one.ends < today <= stays.ends:
            kept = message("terms.expansion-stays", count=one.additional_count, server=one.server)
            yield _ending(
                observation, kept, calendar.start_of(one.starts), calendar.end_of(stays.ends), under
            )
        if not one.starts <= today <= one.ends:
            continue
        end = calendar.end_of(one.ends)
        latest = calendar.before_working_days(end, rule.extension_lead)
        text = message(
            "terms.expansion-ends",
            count=one.additional_count,
            server=one.server,
            extension=_extension(observation, latest),
        )
        yield _ending(observation, text, calendar.start_of(one.starts), end, under)


def _extension(observation: RequestObservation, latest: datetime | None) -> str:
    if latest is None:
        return ""
    if observation.now > latest:
        return message("terms.no-extension-any-more").render(observation.language)
    return message("terms.extension-by", latest=latest.isoformat()).render(observation.language)


def _old_environment(
    observation: RequestObservation, policy: CloudPolicySpec, found: Submission
) -> Iterator[Deadline]:
    """YY-15, BZ-21: the environment that a system came from is kept for three months."""
    kept = old_environment(observation, policy, found)
    if kept is None or observation.now > kept[1] or observation.now < kept[0]:
        return
    since, until, under, old = kept
    text = message("terms.old-environment", old=old, until=until.isoformat())
    yield _ending(observation, text, since, until, under)


def old_environment(
    observation: RequestObservation, policy: CloudPolicySpec, found: Submission
) -> tuple[datetime, datetime, str, str] | None:
    """Since when and until when the old environment is kept, under which clause, and what it is."""
    if found.approved is None or found.approved.content.system.migrated_from is None:
        return None
    content, delivery = found.approved.content, observation.request.spec.confirmations.delivery
    at = delivery.at if delivery else None
    since, until = kept_since(policy, content, at), keep_until(policy, content, at)
    if since is None or until is None or content.system.migrated_from is None:
        return None
    return since, until[0], until[1], content.system.migrated_from.description


def old_environment_turns(
    observation: RequestObservation, policy: CloudPolicySpec, found: Submission
) -> list[datetime]:
    """When the old environment begins to be kept and when it may go: nothing else happens then."""
    kept = old_environment(observation, policy, found)
    return [] if kept is None else [kept[0], kept[1] + timedelta(seconds=1)]


def _ending(
    observation: RequestObservation, text: Message, since: datetime, end: datetime, under: str
) -> Deadline:
    what = text.render(observation.language).strip()[:MAX_WHAT]
    return Deadline(what=what, who=Role.UNIT, since=since, due=end, article=under, by_itself=True)


def holds(found: Submission) -> bool:
    """Whether anything is held under the revision in force."""
    return found.approved is not None and found.approved.content.state is DesiredState.ACTIVE
