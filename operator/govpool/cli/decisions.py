"""Deciding an Approval (审批): what ``govpool approve`` writes is what an approval system would write."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import cast

from govpool.api.approval import Approval, ApprovalState, Decision, Step, Verdict
from govpool.api.cloudpolicy import Stage
from govpool.api.cloudresourcerequest import CloudResourceRequest
from govpool.cli.api import Api
from govpool.cli.errors import refusal
from govpool.effects.kube import Json, KubeError
from govpool.messages import Language

CLOSED = (ApprovalState.REFUSED, ApprovalState.RETURNED, ApprovalState.SUPERSEDED, ApprovalState.APPROVED)


@dataclass(frozen=True, slots=True)
class Decided:
    """What was written."""

    approval: Approval
    decision: Decision
    early: Stage | None
    """The step that must be decided before this one counts."""
    following: Step | None
    """The step that waits next."""


@dataclass(frozen=True, slots=True)
class Verdicts:
    """What somebody wants to decide."""

    verdict: Verdict = Verdict.APPROVE
    opinion: str = ""
    step: Stage | None = None
    """None: the one that waits."""


async def find_approval(api: Api, name: str, namespace: str | None, language: Language = "en") -> Approval:
    """The Approval of that name, or the one that is open for the request of that name.

    Raises:
        CliError: the request has no open Approval.
        KubeError: neither is there.
    """
    try:
        return await api.find(Approval, name, namespace)
    except KubeError as error:
        if not error.absent:
            raise
    request = await api.find(CloudResourceRequest, name, namespace)
    status = request.status
    if status is None or status.pending_approval is None:
        phase = status.phase.value if status else "Pending"
        raise refusal("nothing-to-decide", language, request=name, phase=phase)
    return await api.get(Approval, status.pending_approval, request.metadata.namespace)


async def decide(api: Api, approval: Approval, wanted: Verdicts, language: Language = "en") -> Decided:
    """Append a decision as whoever the API server knows us to be, dated by the control plane's clock.

    Raises:
        CliError: there is nothing to decide, or it was decided.
        KubeError: the API server refuses: not this user's role, for example.
    """
    if wanted.verdict is not Verdict.APPROVE and not wanted.opinion.strip():
        raise refusal("opinion-missing", language, verdict=wanted.verdict.value)
    by, at = await api.whoami(), await api.now()
    changed = await api.change(
        Approval, approval, lambda current: _with_decision(current, wanted, by, at, language)
    )
    decision = next(d for d in changed.spec.decisions if d.by == by and d.at == at)
    open_steps = _open_steps(changed)
    order = [step.stage for step in changed.spec.steps]
    before = [s.stage for s in open_steps if order.index(s.stage) < order.index(decision.stage)]
    following = open_steps[0] if open_steps and decision.verdict is Verdict.APPROVE else None
    return Decided(changed, decision, before[0] if before else None, following)


def _open_steps(approval: Approval) -> list[Step]:
    given = {decision.stage for decision in approval.spec.decisions}
    return [step for step in approval.spec.steps if step.stage not in given]


def _with_decision(approval: Approval, wanted: Verdicts, by: str, at: datetime, language: Language) -> Json:
    name, spec = approval.metadata.name, approval.spec
    state = approval.status.state if approval.status else ApprovalState.PENDING
    waiting = _open_steps(approval)
    stage = wanted.step or (waiting[0].stage if waiting else None)
    earlier = next((d for d in spec.decisions if d.stage is stage), None)
    if earlier is not None:
        raise refusal(
            "decided-already",
            language,
            approval=name,
            step=earlier.stage.value,
            verdict=earlier.verdict.value,
            by=earlier.by,
            at=earlier.at.isoformat(),
        )
    if state in CLOSED or stage is None:
        raise refusal("approval-closed", language, approval=name, state=state.value)
    if all(step.stage is not stage for step in spec.steps):
        known = ", ".join(step.stage.value for step in spec.steps)
        raise refusal("no-such-step", language, approval=name, step=stage.value, known=known)
    decision = Decision(stage=stage, verdict=wanted.verdict, by=by, opinion=wanted.opinion, at=at)
    given = [*spec.decisions, decision]
    return cast(
        Json,
        {"spec": {"decisions": [d.model_dump(mode="json", by_alias=True) for d in given]}},
    )
