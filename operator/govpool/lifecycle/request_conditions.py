"""The conditions of a CloudResourceRequest: one for each stage, and what people ask first."""

from __future__ import annotations

from govpool.api.base import Condition, ConditionStatus
from govpool.api.cloudpolicy import CloudPolicy
from govpool.api.cloudresourcerequest import CloudResourceRequestStatus, RequestPhase, StageState
from govpool.lifecycle import provider_exit, terms
from govpool.lifecycle.clocks import overdue_text
from govpool.lifecycle.conditions import Said, condition, merged
from govpool.lifecycle.decision import StageResult
from govpool.lifecycle.observation import RequestObservation
from govpool.lifecycle.submission import Submission
from govpool.messages import Message, message
from govpool.rules.calendar import WorkCalendar

STATE_CONDITION = {
    StageState.DONE: ConditionStatus.TRUE,
    StageState.WAITING: ConditionStatus.FALSE,
    StageState.REFUSED: ConditionStatus.FALSE,
    StageState.FAILED: ConditionStatus.FALSE,
    StageState.UNKNOWN: ConditionStatus.UNKNOWN,
}


def told(
    observation: RequestObservation,
    type_: str,
    status: ConditionStatus,
    reason: str,
    text: Message | str,
    article: str = "",
) -> Said:
    """A condition of the request, in the operator's language."""
    return condition(
        type_,
        status,
        reason,
        text,
        clause=article,
        generation=observation.request.metadata.generation,
        now=observation.now,
        language=observation.language,
    )


def with_others(status: CloudResourceRequestStatus, *more: Said) -> list[Condition]:
    """The conditions told before, with these in place of those of the same type."""
    types = {item.type for item in more}
    return merged(status.conditions, [*(c for c in status.conditions if c.type not in types), *more])


def conditions(
    observation: RequestObservation,
    policy: CloudPolicy,
    found: Submission,
    results: tuple[StageResult, ...],
    after: CloudResourceRequestStatus,
) -> list[Said]:
    """Every condition of the request, in the order in which people read them."""
    true, false = ConditionStatus.TRUE, ConditionStatus.FALSE
    ready = after.phase in (RequestPhase.IN_SERVICE, RequestPhase.DEREGISTERED)
    found_conditions = [
        told(
            observation,
            "Ready",
            true if ready else false,
            after.phase,
            message("Phase", phase=after.phase),
        ),
        _admitted(observation, found),
        _approved(observation, found),
    ]
    found_conditions += [
        told(
            observation,
            result.stage,
            STATE_CONDITION[result.state],
            result.state,
            stage.message,
            result.clause,
        )
        for result, stage in zip(results, after.stages, strict=True)
    ]
    late = [d for d in after.deadlines if d.overdue]
    if late:
        first = next((d for d in late if d.escalated_to), late[0])
        reason = "ClockEscalated" if first.escalated_to else "ClockRanOut"
        text = overdue_text(first)
        found_conditions.append(told(observation, "Overdue", true, reason, text, first.article))
    found_conditions += terms.conditions(observation, policy.spec, found, after)
    found_conditions += provider_exit.told(observation)
    found_conditions += _drifted(observation)
    if after.findings:
        found_conditions.append(_findings(observation, after))
    if observation.request.deleting:
        text = message("DeletionWaits")
        found_conditions.append(told(observation, "DeletionBlocked", true, "NotDeregistered", text))
    calendar = WorkCalendar.of(policy.spec)
    year = calendar.local_day(observation.now).year
    if not calendar.announced(year):
        text = message("HolidaysUnannounced", year=year)
        found_conditions.append(told(observation, "CalendarAnnounced", false, "HolidaysUnannounced", text))
    return found_conditions


def _drifted(observation: RequestObservation) -> list[Said]:
    """That somebody changed servers in the pool, and which."""
    apart = [
        f"{server.metadata.name} ({'; '.join(server.status.drift)})"
        for server in observation.servers
        if server.status and server.status.drift
    ]
    if not apart:
        return []
    text = message("drift.request", servers=", ".join(apart))
    return [told(observation, "Drifted", ConditionStatus.TRUE, "Drifted", text)]


def _findings(observation: RequestObservation, after: CloudResourceRequestStatus) -> Said:
    """What stands against the request; the first that is more than a proposal gives the reason."""
    first = next((one for one in after.findings if not one.soft), after.findings[0])
    texts = " ".join(f"{one.text} [{one.article}]" for one in after.findings)
    text = message("finding.count", count=len(after.findings), texts=texts)
    return told(observation, "Findings", ConditionStatus.TRUE, first.finding.value, text)


def _admitted(observation: RequestObservation, found: Submission) -> Said:
    if not found.refusals:
        return told(
            observation, "Admitted", ConditionStatus.TRUE, "Admitted", message("Admitted"), found.classified
        )
    first = found.refusals[0]
    texts = "; ".join(
        r.message.render(observation.language) + (f" [{r.clause}]" if r.clause else "")
        for r in found.refusals
    )
    return told(observation, "Admitted", ConditionStatus.FALSE, first.reason, texts)


def _approved(observation: RequestObservation, found: Submission) -> Said:
    if found.pending is not None:
        step, role = found.pending.judgement.step, found.pending.judgement.role
        text = message(
            "AwaitingDecision",
            approval=found.pending.approval.metadata.name,
            step=step.value if step else "-",
            role=role.value if role else "-",
        )
        return told(observation, "Approved", ConditionStatus.FALSE, "AwaitingDecision", text)
    if found.rejected is not None:
        last = found.rejected.judgement.last
        text = message(
            "Rejected",
            verdict=last.verdict.value if last else "-",
            by=last.by if last else "-",
            opinion=last.opinion if last else "-",
        )
        return told(
            observation, "Approved", ConditionStatus.FALSE, found.rejected.judgement.state.value, text
        )
    if found.approved is None:
        return told(observation, "Approved", ConditionStatus.FALSE, "NotAdmitted", message("NotPutForward"))
    text = message("InForce", approval=found.approved.approval, revision=found.approved.revision)
    if found.refusals:
        return told(observation, "Approved", ConditionStatus.FALSE, "EditNotAdmitted", text)
    return told(observation, "Approved", ConditionStatus.TRUE, "Approved", text)
