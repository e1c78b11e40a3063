"""What was ruled with one look at a request: each decision with its rule, clause, inputs and outcome."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

from govpool.api.approval import Approval, Decision, Verdict
from govpool.api.auditrecord import Told
from govpool.api.cloudpolicy import CloudPolicy, Stage
from govpool.api.cloudresourcerequest import (
    ApprovedRevision,
    CloudResourceRequestStatus,
    Happening,
    StageState,
)
from govpool.api.servicecatalog import ServiceCatalog
from govpool.lifecycle import grounds, stage_grounds, turn_grounds
from govpool.lifecycle.actions import LetGo, WriteStatus
from govpool.lifecycle.decision import StageResult
from govpool.lifecycle.observation import RequestObservation
from govpool.lifecycle.ruling import Ruling, inputs
from govpool.lifecycle.submission import Submission
from govpool.messages import Language, Message, message
from govpool.rules.citation import clause

ONCE = frozenset({Stage.TRIAL, Stage.REPORTS, Stage.RIGHT_SIZING, Stage.AGREEMENT, Stage.CONFIRMATION})
"""Stages that a request goes through once, whatever is approved later."""
HELD_UP = (StageState.REFUSED, StageState.FAILED)


class Look(NamedTuple):
    """A look at a request and what it gave."""

    observation: RequestObservation
    policy: CloudPolicy
    catalog: ServiceCatalog
    found: Submission
    results: tuple[StageResult, ...]
    before: CloudResourceRequestStatus
    after: CloudResourceRequestStatus
    """Without the story."""
    told: frozenset[str]
    """Keys of what the story tells already: their grounds are not looked for again."""

    @property
    def ground(self) -> grounds.Ground:
        """What a stage's answer rests on."""
        return grounds.Ground(self.observation, self.policy, self.catalog, self.after)


def rulings(look: Look) -> Iterator[Ruling]:
    """What stands decided at this look and is not told yet."""
    yield from _submitted(look)
    for approval in look.observation.approvals:
        for decision in approval.spec.decisions:
            if decision_key(approval, decision) not in look.told:
                yield decided(approval, decision, look)
    yield from _settled(look)
    if look.found.approved is not None:
        for result in look.results:
            yield from _stage(look, look.found.approved, result)
    yield from _turns(look)


# -- what was applied for ------------------------------------------------------------------------
def _submitted(look: Look) -> Iterator[Ruling]:
    found, observation = look.found, look.observation
    generation, now = observation.request.metadata.generation, observation.now
    if found.judged is not None:
        generation = found.judged.revision
    judged = found.classification
    if judged is not None and f"classified/{generation}" not in look.told:
        yield Ruling(
            key=f"classified/{generation}",
            at=now,
            what=f"Classified: {judged.application.value}",
            clause=judged.clause,
            outcome=judged.message,
            rule="rules.change.classify",
            inputs=grounds.classification(look.ground, judged),
            otherwise=grounds.otherwise_classified(look.ground, judged),
        )
    seen: dict[str, int] = {}
    for refusal in found.refusals:
        number = seen[refusal.reason] = seen.get(refusal.reason, 0) + 1
        key = f"refused/{generation}/{refusal.reason}" + (f"/{number}" if number > 1 else "")
        if key in look.told:
            continue
        yield Ruling(
            key=key,
            at=now,
            what=f"Refused: {refusal.reason}",
            # A technical reason has no clause of its own: it keeps the application from this one's way.
            clause=refusal.clause or found.classified,
            outcome=refusal.message,
            rule="rules.admission.admit",
            inputs=grounds.admission(look.ground),
            otherwise=grounds.otherwise_refused(look.ground, found, refusal),
        )
    admitted = judged is not None and not found.refusals and f"admitted/{generation}" not in look.told
    if judged is not None and admitted and found.pending is not None:
        spec = found.pending.approval.spec
        yield Ruling(
            key=f"admitted/{generation}",
            at=now,
            what="Admitted",
            clause=clause(look.policy.spec, spec.steps[0].article),
            outcome=message(
                "audit.admitted",
                approval=found.pending.approval.metadata.name,
                steps=", ".join(f"{step.stage.value} ({step.role.value})" for step in spec.steps),
            ),
            rule="rules.admission.admit",
            inputs=grounds.admission(look.ground),
            otherwise=grounds.otherwise_admitted(look.ground, judged),
        )


# -- what people decided -------------------------------------------------------------------------
def decision_key(approval: Approval, decision: Decision) -> str:
    """Key of somebody's decision on a step."""
    return f"decision/{approval.metadata.name}/{decision.stage.value}"


def decided(approval: Approval, decision: Decision, look: Look) -> Ruling:
    """What somebody decided, and whether in time."""
    step = next(step for step in approval.spec.steps if step.stage is decision.stage)
    clock = grounds.clock_of(approval, decision, look.policy.spec)
    verdict = decision.verdict
    return Ruling(
        key=decision_key(approval, decision),
        at=decision.at,
        actor=decision.by,
        what=f"{decision.stage.value}: {verdict.value}",
        clause=clause(look.policy.spec, step.article),
        outcome=_verdict(approval, decision),
        rule="rules.approvals.judge",
        inputs=inputs(
            {
                "approval": approval.metadata.name,
                "revision": approval.spec.revision,
                "role": step.role.value,
                "opinion": decision.opinion,
                "clock since": clock.since,
                "clock": f"{step.clock.working_days} working days" if step.clock else None,
                "due": clock.due,
                "in time": None if clock.due is None else ("yes" if decision.at <= clock.due else "no"),
            }
        ),
        otherwise=grounds.otherwise_decided(verdict is Verdict.APPROVE, clock),
        detail=message("Verbatim", text=decision.opinion),
    )


def _verdict(approval: Approval, decision: Decision) -> Message:
    name, step, by = approval.metadata.name, decision.stage.value, decision.by
    opinion = decision.opinion or "-"
    match decision.verdict:
        case Verdict.APPROVE:
            return message("audit.decided.Approve", approval=name, step=step, by=by, opinion=opinion)
        case Verdict.REFUSE:
            return message("audit.decided.Refuse", approval=name, step=step, by=by, opinion=opinion)
        case Verdict.RETURN:
            return message("audit.decided.Return", approval=name, step=step, by=by, opinion=opinion)


def _settled(look: Look) -> Iterator[Ruling]:
    """An Approval came into force, or was overtaken by an edit."""
    found, policy, now = look.found, look.policy.spec, look.observation.now
    by_name = {approval.metadata.name: approval for approval in look.observation.approvals}
    approved = found.approved
    if found.newly_approved and approved is not None and approved.approval in by_name:
        spec = by_name[approved.approval].spec
        yield Ruling(
            key=f"in-force/{approved.revision}",
            at=approved.at,
            what="InForce",
            clause=clause(policy, spec.steps[-1].article),
            outcome=message("InForce", approval=approved.approval, revision=approved.revision),
            rule="rules.approvals.judge",
            inputs=inputs(
                {
                    "application": spec.application.value,
                    "steps": len(spec.steps),
                    "approved by": ", ".join(f"{d.by} ({d.stage.value})" for d in spec.decisions),
                    "content": spec.submission_hash,
                }
            ),
            otherwise=(message("audit.otherwise.in-force"),),
        )
    for action in found.actions:
        if isinstance(action, WriteStatus) and isinstance(action.resource, Approval):
            overtaken = action.resource
            steps = overtaken.spec.steps
            yield Ruling(
                key=f"superseded/{overtaken.metadata.name}",
                at=now,
                what="Superseded",
                clause=clause(policy, steps[0].article),
                outcome=message("audit.superseded", approval=overtaken.metadata.name),
                rule="lifecycle.submission.submission",
                inputs=inputs(
                    {
                        "revision of the Approval": overtaken.spec.revision,
                        "revision of the request": look.observation.request.metadata.generation,
                        "decisions given": len(overtaken.spec.decisions),
                    }
                ),
                otherwise=(message("audit.otherwise.superseded"),),
            )


# -- what was carried out ------------------------------------------------------------------------
def _stage(look: Look, approved: ApprovedRevision, result: StageResult) -> Iterator[Ruling]:
    name, revision = result.stage.value, approved.revision
    if result.done and result.at is not None:
        key = f"stage/{name}" if result.stage in ONCE else f"stage/{revision}/{name}"
        at, what = result.at, name
    elif result.state in HELD_UP or result.message.key.startswith("rules."):
        key = f"held/{revision}/{name}/{result.message.key}"
        at, what = look.observation.now, f"{name}: {result.state.value}"
    else:
        return
    if key in look.told:
        return
    rested = stage_grounds.stage(look.ground, approved, result)
    yield Ruling(
        key=key,
        at=at,
        what=what,
        clause=result.clause,
        outcome=result.message,
        rule=rested.rule,
        inputs=rested.inputs,
        otherwise=rested.otherwise,
    )


def let_go(look: Look, action: LetGo) -> Ruling:
    """The request goes: nothing is held for it any more."""
    rule = look.policy.spec.deregistration
    return Ruling(
        key="let-go",
        at=look.observation.now,
        what="LetGo",
        clause=clause(look.policy.spec, rule.article),
        outcome=message("audit.let-go", proof=action.proof),
        rule="lifecycle.request.nothing_held",
        inputs=inputs(
            {
                "servers held": 0,
                "phase": look.after.phase.value,
                "certificate": look.after.certificate,
            }
        ),
        otherwise=(message("audit.otherwise.let-go"),),
    )


# -- what clocks did -----------------------------------------------------------------------------
def _turns(look: Look) -> Iterator[Ruling]:
    """The trial and billing, once they are known."""
    yield from grounds.trial_rulings(look.ground, look.before)
    yield from grounds.billing_rulings(look.ground, look.before)


def lifted(look: Look, tell: Callable[[Language], list[Happening]]) -> Iterator[Ruling]:
    """What others tell as happenings, as rulings: in both languages, with the grounds that are known."""
    language = look.observation.language
    new = [happening for happening in tell(language) if happening.key not in look.told]
    if not new:
        return
    others = {happening.key: happening.detail for happening in tell("zh" if language == "en" else "en")}
    for happening in new:
        other = others.get(happening.key, happening.detail)
        said = (happening.detail, other) if language == "en" else (other, happening.detail)
        rested = turn_grounds.happening(look.ground, happening)
        yield Ruling(
            key=happening.key,
            at=happening.at,
            what=happening.what,
            clause=happening.article,
            outcome=Told(en=said[0] or happening.what, zh=said[1] or happening.what),
            actor=happening.actor,
            rule=rested.rule,
            inputs=rested.inputs,
            otherwise=rested.otherwise,
            detail=message("Verbatim", text=happening.detail),
        )
