"""decide: where a CloudResourceRequest stands and what to do next."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from functools import partial

from govpool.api.base import FINALIZER, ConditionStatus
from govpool.api.cloudpolicy import CloudPolicy, Stage
from govpool.api.cloudresourcerequest import (
    AppliedRevision,
    ApprovedRevision,
    Billing,
    CloudResourceRequest,
    CloudResourceRequestStatus,
    DesiredState,
    Happening,
    RequestPhase,
    ServerAddress,
    StageState,
    StageStatus,
    Trial,
)
from govpool.api.cloudserver import CloudServer
from govpool.api.servicecatalog import ServiceCatalog
from govpool.api.workorder import WorkOrderState
from govpool.lifecycle import (
    clocks,
    findings,
    provider_exit,
    request_conditions,
    restored,
    services,
    story,
    terms,
)
from govpool.lifecycle.actions import Action, Announce, HoldFinalizer, LetGo, Record, Settle, WriteStatus
from govpool.lifecycle.certificate_draft import termination_given
from govpool.lifecycle.conditions import MAX_MESSAGE, merged
from govpool.lifecycle.deadlines import deadlines, next_look
from govpool.lifecycle.decision import Decision, StageResult
from govpool.lifecycle.emergency import in_effect, use_after
from govpool.lifecycle.observation import RequestObservation
from govpool.lifecycle.pipeline import walk
from govpool.lifecycle.request_conditions import told, with_others
from govpool.lifecycle.ruling import Ruling
from govpool.lifecycle.rulings import Look, let_go, lifted, rulings
from govpool.lifecycle.spans import asked_of, old_environment_turns, span_deadlines
from govpool.lifecycle.submission import Submission, submission
from govpool.lifecycle.wanted import held
from govpool.messages import Language, message
from govpool.rules.amounts import yearly_fee
from govpool.rules.billing import billing_end, billing_start
from govpool.rules.migration import keep_until
from govpool.rules.remembered import once
from govpool.rules.trial import trial

DELIVERY_STAGES = (Stage.REPORTS, Stage.RIGHT_SIZING, Stage.AGREEMENT, Stage.CONFIRMATION)


def decide(observation: RequestObservation) -> Decision:
    """Everything that follows from the observation, the new status included."""
    request = observation.request
    status = request.status or CloudResourceRequestStatus()
    if request.paused:
        paused = told(observation, "Paused", ConditionStatus.TRUE, "Paused", message("Paused"))
        return _write(observation, status.model_copy(update={"conditions": with_others(status, paused)}))
    if FINALIZER not in request.metadata.finalizers and not request.deleting:
        return Decision((HoldFinalizer(request),))
    policy, catalog, pool = observation.policy, observation.catalog, observation.pool
    if policy is None or catalog is None or pool is None:
        return _missing_reference(observation, status)
    status = restored.considered(observation, status)
    found = submission(observation, policy, catalog, pool)
    effective: ApprovedRevision | None = None
    results: tuple[StageResult, ...] = ()
    if found.approved is not None:
        try:
            effective = in_effect(found.approved, status, policy.spec, observation.now, asked_of(found))
            results = walk(observation, policy, catalog, effective, status)
        except LookupError as error:
            return _lost_item(observation, status, str(error))
    after, look, news = _status(observation, status, policy, catalog, found, effective, results)
    actions: list[Action] = [*found.actions, *(action for result in results for action in result.actions)]
    actions += _settled_orders(observation, after)
    actions += findings.notices(observation, policy, after.findings)
    if request.deleting:
        gone = _let_go(observation, after, found)
        news += tuple(let_go(look, action) for action in gone)
        actions += gone
    actions = restored.allowed(after, actions)
    written = _write(observation, after)
    recorded = _recorded(observation, policy, news)
    announced = _announced(observation, status, after)
    return Decision((*recorded, *actions, *written.actions, *announced), after.next_look)


def _recorded(
    observation: RequestObservation, policy: CloudPolicy, news: tuple[Ruling, ...]
) -> tuple[Record, ...]:
    """What is new goes into the audit trail before anything follows from it."""
    if not news:
        return ()
    entries = tuple(ruling.entry(policy.spec) for ruling in news)
    return (Record(observation.request, policy.metadata.name, observation.now, entries),)


def _write(observation: RequestObservation, after: CloudResourceRequestStatus) -> Decision:
    if after == observation.request.status:
        return Decision(look_again=after.next_look)
    return Decision((WriteStatus(observation.request, after),), after.next_look)


def _announced(
    observation: RequestObservation, before: CloudResourceRequestStatus, after: CloudResourceRequestStatus
) -> list[Announce]:
    """Events for what people should notice: a new phase, a refusal, a failure, a clock that ran out."""
    announced: list[Announce] = []
    request, known = observation.request, {c.type: c for c in before.conditions}
    if after.phase is not before.phase:
        note = message("Phase", phase=after.phase.value).render(observation.language)
        announced.append(Announce(request, after.phase.value, note))
    for item in after.conditions:
        previous = known.get(item.type)
        if previous is item:
            continue
        bad = (item.type == "Admitted" and item.status is ConditionStatus.FALSE) or (
            item.reason == StageState.FAILED
        )
        news = previous is None or (previous.status, previous.message) != (item.status, item.message)
        if bad and news:
            announced.append(Announce(request, item.reason, item.message, warning=True))
    return announced + clocks.clocks_announced(observation, before, after)


# -- what the status says ------------------------------------------------------------------------
def _status(
    observation: RequestObservation,
    before: CloudResourceRequestStatus,
    policy: CloudPolicy,
    catalog: ServiceCatalog,
    found: Submission,
    approved: ApprovedRevision | None,
    results: tuple[StageResult, ...],
) -> tuple[CloudResourceRequestStatus, Look, tuple[Ruling, ...]]:
    request = observation.request
    complete = approved is not None and bool(results) and results[-1].done
    handed_over = _handed_over(results)
    days = before.trial or (trial(policy.spec, handed_over) if handed_over else None)
    use = use_after(request, policy.spec, catalog, found.approved, results, observation.now, asked_of(found))
    spans = span_deadlines(observation, policy.spec, found, use, days)
    spans += provider_exit.deadlines(observation)
    due, tellings = clocks.with_escalations(
        deadlines(observation, policy, found, results, spans), policy.spec, observation.now
    )
    turns = old_environment_turns(observation, policy.spec, found)
    first = next((one for one in due if not one.by_itself), None)
    phase = _phase(before, found, approved, results, complete=complete)
    applied = before.applied
    if complete and approved is not None and (applied is None or applied.revision != approved.revision):
        applied = AppliedRevision(revision=approved.revision, at=observation.now)
    keep = keep_until(policy.spec, approved.content, _delivered_at(request)) if approved else None
    after = before.model_copy(
        update={
            "observed_generation": request.metadata.generation,
            "phase": phase,
            "approved": found.approved,
            "applied": applied,
            "judged": found.judged,
            "pending_approval": found.pending.approval.metadata.name if found.pending else None,
            "stages": _stages(observation, before, approved, results),
            "deadlines": due,
            "who": first.who if first else None,
            "due": first.due if first else None,
            "trial": days,
            "billing": _billing(before, policy, observation, approved, results, days),
            "keep_old_environment_until": keep[0] if keep else None,
            "fee_per_year": f"{yearly_fee(approved.content, policy.spec, catalog):.2f}" if approved else None,
            "addresses": list(_addresses(*observation.servers)),
            "certificate": _certificate(observation) or before.certificate,
            "emergency": use,
            "services": services.declared(observation, found.approved, before),
            "overdue_clocks": before.overdue_clocks + clocks.newly_overdue(before, due),
            "citations": _citations(found, results),
            "next_look": next_look(observation, policy, found, results, due, [*tellings, *turns]),
        }
    )
    after = findings.with_findings(observation, policy, catalog, before, after)
    look = Look(observation, policy, catalog, found, results, before, after, story.told(before))
    tell = partial(_others_tell, observation, policy, found, after)
    news = story.untold(before, [*rulings(look), *lifted(look, tell)], look.told)
    told_now = request_conditions.conditions(observation, policy, found, results, after)
    conditions = merged(before.conditions, [*told_now, *restored.conditions(observation, after)])
    history = story.retell(before, news, observation.language)
    return after.model_copy(update={"conditions": conditions, "history": history}), look, tuple(news)


def _others_tell(
    observation: RequestObservation,
    policy: CloudPolicy,
    found: Submission,
    after: CloudResourceRequestStatus,
    language: Language,
) -> list[Happening]:
    """What else happened, in one language."""
    if language != observation.language:
        observation = replace(observation, language=language)
    return [
        *terms.happenings(observation, policy.spec, found, after),
        *findings.told(observation.notices, observation.request, language),
    ]


def _phase(
    before: CloudResourceRequestStatus,
    found: Submission,
    approved: ApprovedRevision | None,
    results: tuple[StageResult, ...],
    *,
    complete: bool,
) -> RequestPhase:
    if approved is None:
        if found.pending is not None:
            return RequestPhase.IN_REVIEW
        return RequestPhase.REFUSED
    if approved.content.state is DesiredState.DEREGISTERED:
        return RequestPhase.DEREGISTERED if complete else RequestPhase.DEREGISTERING
    if complete:
        return RequestPhase.IN_SERVICE
    if before.applied is not None:
        return RequestPhase.CHANGING
    current = results[-1].stage if results else Stage.QUOTA
    if current is Stage.TRIAL:
        return RequestPhase.TRIAL
    return RequestPhase.DELIVERY if current in DELIVERY_STAGES else RequestPhase.OPENING


def _stages(
    observation: RequestObservation,
    before: CloudResourceRequestStatus,
    approved: ApprovedRevision | None,
    results: tuple[StageResult, ...],
) -> list[StageStatus]:
    """How far each stage is. What was done stays told as it was: a later look finds nothing left to do, which
    would read as if nothing had been done.
    """
    same = (
        approved is not None and before.approved is not None and before.approved.revision == approved.revision
    )
    told_before = {one.stage: one for one in before.stages if one.state is StageState.DONE} if same else {}
    return [
        (told_before.get(result.stage) if result.done else None) or _stage_status(observation, result)
        for result in results
    ]


def _stage_status(observation: RequestObservation, result: StageResult) -> StageStatus:
    return StageStatus(
        stage=result.stage,
        state=result.state,
        article=result.clause,
        message=result.message.render(observation.language)[:MAX_MESSAGE],
        who=result.who,
        at=result.at,
    )


def _billing(
    before: CloudResourceRequestStatus,
    policy: CloudPolicy,
    observation: RequestObservation,
    approved: ApprovedRevision | None,
    results: tuple[StageResult, ...],
    days: Trial | None,
) -> Billing:
    """Billing starts once, as the policy says, and ends with the unit's confirmation of the end.

    Only the end of all use ends it, once everything was reclaimed; a part that was given up does not, and
    neither does a confirmation that came before the last wipe.
    """
    billing = before.billing
    confirmations = observation.request.spec.confirmations
    if billing.started is None:
        handed_over = _handed_over(results)
        start = billing_start(policy.spec, handed_over=handed_over, trial=days, confirmations=confirmations)
        if start is not None and start[0] <= observation.now:
            billing = billing.model_copy(update={"started": start[0], "started_article": start[1]})
    confirmed = any(result.stage is Stage.TERMINATION and result.done for result in results)
    ends = approved is not None and approved.content.state is DesiredState.DEREGISTERED
    if ends and confirmed and approved is not None and billing.ended is None:
        end = billing_end(policy.spec, termination_given(observation, approved))
        if end is not None:
            billing = billing.model_copy(update={"ended": end[0], "ended_article": end[1]})
    return billing


def _handed_over(results: tuple[StageResult, ...]) -> datetime | None:
    return next((r.at for r in results if r.stage is Stage.HANDOVER and r.done), None)


def _delivered_at(request: CloudResourceRequest) -> datetime | None:
    delivery = request.spec.confirmations.delivery
    return delivery.at if delivery else None


@once
def _addresses(*servers: CloudServer) -> tuple[ServerAddress, ...]:
    return tuple(
        ServerAddress(server=server.metadata.name, address=address)
        for server in sorted(servers, key=lambda s: s.metadata.name)
        for address in (server.status.addresses if server.status else ())
    )


def _certificate(observation: RequestObservation) -> str | None:
    names = sorted(certificate.metadata.name for certificate in observation.certificates)
    return names[-1] if names else None


def _citations(found: Submission, results: tuple[StageResult, ...]) -> list[str]:
    cited = [refusal.clause for refusal in found.refusals]
    cited += [found.classified] if found.classified else []
    cited += [result.clause for result in results[-1:]]
    return list(dict.fromkeys(cited))[:32]


# -- the odd cases -------------------------------------------------------------------------------
def _missing_reference(observation: RequestObservation, status: CloudResourceRequestStatus) -> Decision:
    request = observation.request
    names = {
        "CloudPool": None if observation.pool else request.spec.pool,
        "CloudPolicy": observation.pool.spec.policy if observation.pool and not observation.policy else None,
        "ServiceCatalog": observation.pool.spec.catalog
        if observation.pool and not observation.catalog
        else None,
    }
    missing = ", ".join(f"{kind} {name}" for kind, name in names.items() if name)
    text = message("ReferenceMissing", missing=missing)
    found = told(observation, "Admitted", ConditionStatus.FALSE, "ReferenceMissing", text)
    after = status.model_copy(
        update={
            "observed_generation": request.metadata.generation,
            "conditions": with_others(status, found),
            "next_look": None,
        }
    )
    written = _write(observation, after)
    if request.deleting and nothing_held(observation, after):
        return Decision((*written.actions, LetGo(request, "nothing was ever approved or opened")))
    return written


def _lost_item(observation: RequestObservation, status: CloudResourceRequestStatus, what: str) -> Decision:
    text = message("CatalogueLostItem", what=what)
    lost = told(observation, "Ready", ConditionStatus.UNKNOWN, "CatalogueLostItem", text)
    return _write(observation, status.model_copy(update={"conditions": with_others(status, lost)}))


def _settled_orders(observation: RequestObservation, after: CloudResourceRequestStatus) -> list[Action]:
    """Orders of revisions that were carried out, or overtaken; nothing looks at them any more."""
    applied = after.applied.revision if after.applied else 0
    recorded = observation.request.status.applied if observation.request.status else None
    at_rest = after.phase in (RequestPhase.IN_SERVICE, RequestPhase.DEREGISTERED)
    # A revision that wants work once more (a temporary expansion) still has to learn what came of it.
    if recorded is None or recorded.revision != applied or not at_rest:
        return []
    return [
        Settle(order)
        for order in observation.orders
        if order.spec.revision <= applied
        and order.status is not None
        and order.status.state in (WorkOrderState.SUCCEEDED, WorkOrderState.FAILED)
    ]


def nothing_held(observation: RequestObservation, after: CloudResourceRequestStatus) -> bool:
    """Whether no server is left and nothing is reserved: only then may the request vanish."""
    uid = observation.request.metadata.uid
    quota = observation.quota.status if observation.quota else None
    reserved = any(r.request_uid == uid for r in quota.reservations) if quota else False
    return held(observation.servers).servers == 0 and not reserved


def _let_go(
    observation: RequestObservation, after: CloudResourceRequestStatus, found: Submission
) -> list[LetGo]:
    """Deletion is not deregistration: only a request that holds nothing goes."""
    if FINALIZER not in observation.request.metadata.finalizers:
        return []
    deregistered = after.phase is RequestPhase.DEREGISTERED
    never_in_force = found.approved is None and not observation.servers
    if (deregistered or never_in_force) and nothing_held(observation, after):
        proof = f"certificate {after.certificate}" if after.certificate else "no disk ever held data"
        return [LetGo(observation.request, proof)]
    return []
