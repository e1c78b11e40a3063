"""What is due, from whom, until when; and when to look again. An overdue clock decides nothing."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from govpool.api.cloudpolicy import CloudPolicy, Role
from govpool.api.cloudresourcerequest import Deadline, RequestContent
from govpool.lifecycle.decision import StageResult, earliest
from govpool.lifecycle.observation import RequestObservation
from govpool.lifecycle.spans import asked_of
from govpool.lifecycle.submission import Judged, Submission
from govpool.rules import cycles
from govpool.rules.calendar import WorkCalendar
from govpool.rules.citation import clause
from govpool.rules.temporary import next_turn, while_asked


def deadlines(
    observation: RequestObservation,
    policy: CloudPolicy,
    found: Submission,
    results: tuple[StageResult, ...],
    more: Iterable[Deadline] = (),
) -> list[Deadline]:
    """What is due, first what is due first, and last what ends by itself. An overdue clock decides nothing:
    it is shown. ``more`` are those of spans of use.
    """
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
    found_due += more
    far = observation.now + timedelta(days=36500)
    return sorted(found_due, key=lambda deadline: (deadline.by_itself, deadline.due or far))


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
    others: Iterable[datetime] = (),
) -> datetime | None:
    """The next time at which something changes by itself: a clock, a trial's end, a lead time."""
    strikes = [d.due + timedelta(seconds=1) for d in due if d.due and not d.overdue]
    looks = [*others, *(result.look_again for result in results if result.look_again)]
    held = while_asked(found.approved.content, asked_of(found)) if found.approved else None
    turn = _next_turn(held, policy, observation.now) if held else None
    return earliest(turn, *(time for time in (*strikes, *looks) if time > observation.now))


def _next_turn(content: RequestContent, policy: CloudPolicy, now: datetime) -> datetime | None:
    if not content.term.temporary and not content.business_cycles:
        return None
    calendar = WorkCalendar.of(policy.spec)
    season = cycles.next_turn(content, calendar, now) if cycles.carried_out(policy.spec) else None
    return earliest(season, next_turn(content, calendar, now))
