"""The request's story (status.history): what happened, when, by whom, under which article; told once each."""

from __future__ import annotations

from collections.abc import Iterable

from govpool.api.approval import Approval
from govpool.api.cloudpolicy import CloudPolicySpec, Stage
from govpool.api.cloudresourcerequest import CloudResourceRequestStatus, Happening
from govpool.lifecycle.conditions import MAX_MESSAGE
from govpool.lifecycle.decision import StageResult
from govpool.messages import Language
from govpool.rules.citation import clause

MAX_HISTORY = 256


def retell(status: CloudResourceRequestStatus, happenings: Iterable[Happening]) -> list[Happening]:
    """The story with what is new; by key, so that a replay tells nothing twice. The oldest makes room."""
    told = {item.key for item in status.history}
    new = sorted((h for h in happenings if h.key not in told), key=lambda h: h.at)
    return [*status.history, *new][-MAX_HISTORY:]


def decisions(approvals: Iterable[Approval], policy: CloudPolicySpec) -> list[Happening]:
    """What people decided."""
    return [
        Happening(
            at=decision.at,
            actor=decision.by,
            what=f"{decision.stage.value}: {decision.verdict.value}",
            detail=decision.opinion,
            article=next(
                (clause(policy, s.article) for s in approval.spec.steps if s.stage == decision.stage), ""
            ),
            key=f"decision/{approval.metadata.name}/{decision.stage.value}",
        )
        for approval in approvals
        for decision in approval.spec.decisions
    ]


ONCE = frozenset({Stage.TRIAL, Stage.REPORTS, Stage.RIGHT_SIZING, Stage.AGREEMENT, Stage.CONFIRMATION})
"""Stages that a request goes through once, whatever is approved later."""


def stages(revision: int, results: Iterable[StageResult], language: Language) -> list[Happening]:
    """What was carried out."""
    return [
        Happening(
            at=result.at,
            actor="govpool",
            what=result.stage.value,
            detail=result.message.render(language)[:MAX_MESSAGE],
            article=result.clause,
            key=f"stage/{result.stage.value}"
            if result.stage in ONCE
            else f"stage/{revision}/{result.stage.value}",
        )
        for result in results
        if result.done and result.at is not None
    ]
