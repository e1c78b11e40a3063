"""What is due, from whom, until when; and when to look again. An overdue clock decides nothing."""

from __future__ import annotations

from datetime import datetime, timedelta

from govpool.api.cloudpolicy import CloudPolicy, Role, Stage
from govpool.api.cloudresourcerequest import Deadline, RequestContent, TermKind
from govpool.lifecycle.decision import StageResult, earliest
from govpool.lifecycle.observation import RequestObservation
from govpool.lifecycle.submission import Judged, Submission
from govpool.messages import message
from govpool.rules.calendar import WorkCalendar
from govpool.rules.citation import clause
from govpool.rules.emergency import papers_due
from govpool.rules.temporary import next_turn


def deadlines(
    observation: RequestObservation, policy: CloudPolicy, found: Submission, results: tuple[StageResult, ...]
) -> list[Deadline]:
    """What is due, first what is due first. An overdue clock decides nothing: it is shown."""
    found_due = []
    if found.pending is not None and found.pending.judgement.step is not None:
        found_due.append(_decision_due(policy, found.pending))
    if results and not results[-1].done:
        waiting = results[-1]
        found_due.append(
            Deadline(
                what=waiting.message.render(observation.language)[:256],
                stage=waiting.stage,
                who=waiting.who or Role.OPERATOR,
                since=waiting.since or observation.now,
                due=waiting.due,
                article=waiting.clause,
                overdue=waiting.due is not None and observation.now > waiting.due,
            )
        )
    found_due += _papers_due(observation, policy, found, results)
    far = observation.now + timedelta(days=36500)
    return sorted(found_due, key=lambda deadline: deadline.due or far)


def _papers_due(
    observation: RequestObservation, policy: CloudPolicy, found: Submission, results: tuple[StageResult, ...]
) -> list[Deadline]:
    """What was issued in an emergency waits for its papers until the unit applies for it in the usual way."""
    put_forward = found.pending is not None and not _emergency(found.pending.approval.spec.content)
    if found.approved is None or not _emergency(found.approved.content) or put_forward:
        return []
    issued = next((r.at for r in results if r.stage is Stage.HANDOVER and r.done), None)
    due = papers_due(policy.spec, issued) if issued else None
    if issued is None or due is None:
        return []
    return [
        Deadline(
            what=message("EmergencyPapers").render(observation.language),
            who=Role.UNIT,
            since=issued,
            due=due[0],
            article=due[1],
            overdue=observation.now > due[0],
        )
    ]


def _emergency(content: RequestContent) -> bool:
    return content.term.kind is TermKind.EMERGENCY


def _decision_due(policy: CloudPolicy, pending: Judged) -> Deadline:
    judgement, spec = pending.judgement, pending.approval.spec
    step = next(step for step in spec.steps if step.stage is judgement.step)
    return Deadline(
        what=f"{step.stage.value} {pending.approval.metadata.name}",
        stage=step.stage,
        who=step.role,
        since=judgement.since or pending.approval.metadata.creation_timestamp or _not_stored_yet(pending),
        due=judgement.due,
        article=clause(policy.spec, step.article),
        overdue=judgement.overdue,
    )


def _not_stored_yet(pending: Judged) -> datetime:
    """An Approval that was not stored yet starts its clock when it is; until then, long ago."""
    return pending.judgement.due or datetime.fromisoformat("1970-01-01T00:00:00+00:00")


def next_look(
    observation: RequestObservation,
    policy: CloudPolicy,
    found: Submission,
    results: tuple[StageResult, ...],
    due: list[Deadline],
) -> datetime | None:
    """The next time at which something changes by itself: a clock, a trial's end, a lead time."""
    strikes = [d.due + timedelta(seconds=1) for d in due if d.due and not d.overdue]
    looks = [result.look_again for result in results if result.look_again]
    calendar = WorkCalendar.of(policy.spec)
    turn = next_turn(found.approved.content, calendar, observation.now) if found.approved else None
    return earliest(turn, *(time for time in (*strikes, *looks) if time > observation.now))
