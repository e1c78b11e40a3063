"""Whether the procedures of a policy can be walked: stages, their order, who decides, which clock counts."""

from __future__ import annotations

from collections.abc import Iterator

from govpool.api.cloudpolicy import (
    DECIDED_BY_PEOPLE,
    ApplicationType,
    CloudPolicySpec,
    Procedure,
    Role,
    Stage,
    StageRule,
    When,
)
from govpool.rules.policy_finding import Finding, Path, Sort, found

OPENING = (Stage.QUOTA, Stage.PROVISION, Stage.BASELINE, Stage.HANDOVER)
DELIVERY = (Stage.TRIAL, Stage.REPORTS, Stage.RIGHT_SIZING, Stage.AGREEMENT, Stage.CONFIRMATION)
LEAVING = (Stage.BACKUP, Stage.WIPE, Stage.RECLAIM, Stage.TERMINATION, Stage.CERTIFICATE)
_NEEDED = (Stage.PROVISION, Stage.BASELINE, Stage.HANDOVER)
_APPLICANTS = (Role.UNIT, Role.SPONSOR)
_RANK = (
    dict.fromkeys(DECIDED_BY_PEOPLE, 0)
    | {stage: rank for rank, stage in enumerate(OPENING, 1)}
    | dict.fromkeys(DELIVERY, len(OPENING) + 1)
    | {stage: rank for rank, stage in enumerate(LEAVING, 1)}
)
"""Stages of one rank may stand in any order; a lower rank comes first."""


def check(policy: CloudPolicySpec) -> Iterator[Finding]:
    """Every finding about ``procedures``."""
    for index, procedure in enumerate(policy.procedures):
        path: Path = ("spec", "procedures", index)
        yield from _decisions(policy, procedure, path)
        yield from _stages(policy, procedure, path)
        yield from _order(procedure, path)
        yield from _clocks(policy, procedure, path)
        yield from _use(policy, procedure, path)
    yield from _complex(policy)


def stages_of(policy: CloudPolicySpec, application: ApplicationType) -> dict[Stage, Path]:
    """The stages of an application's own procedure with their places; empty where it has none."""
    return {
        rule.stage: ("spec", "procedures", index, "stages", place)
        for index, procedure in enumerate(policy.procedures)
        if procedure.application is application
        for place, rule in enumerate(procedure.stages)
    }


def place_of(policy: CloudPolicySpec, application: ApplicationType) -> Path:
    """Where the stages of an application's procedure stand."""
    indexes = (i for i, one in enumerate(policy.procedures) if one.application is application)
    index = next(indexes, None)
    return ("spec", "procedures") if index is None else ("spec", "procedures", index, "stages")


def _decisions(policy: CloudPolicySpec, procedure: Procedure, path: Path) -> Iterator[Finding]:
    decided = [rule for rule in procedure.stages if rule.stage in DECIDED_BY_PEOPLE]
    if not any(rule.when is When.ALWAYS for rule in decided):
        yield found(
            Sort.MISSING, (*path, "stages"), "nobody-decides", application=procedure.application.value
        )
    for place, rule in _numbered(procedure, path):
        if rule.stage in DECIDED_BY_PEOPLE and rule.role in _APPLICANTS:
            values = {"stage": rule.stage.value, "role": rule.role.value}
            yield found(Sort.CONTRADICTORY, (*place, "role"), "own-judge", **values)
        if rule.when is When.COMPLEX:
            if rule.stage not in DECIDED_BY_PEOPLE:
                yield found(Sort.BEYOND, (*place, "when"), "when-on-effect", stage=rule.stage.value)
            elif policy.admission.complex is None:
                yield found(Sort.MISSING, (*place, "when"), "never-complex", stage=rule.stage.value)


def _stages(policy: CloudPolicySpec, procedure: Procedure, path: Path) -> Iterator[Finding]:
    """Each stage once, where it belongs; none of those missing without which nothing works."""
    application = procedure.application
    seen: set[Stage] = set()
    new = stages_of(policy, ApplicationType.NEW)
    for place, rule in _numbered(procedure, path):
        stage = rule.stage
        if stage in seen:
            values = {"stage": stage.value, "application": application.value}
            yield found(Sort.CONTRADICTORY, place, "stage-twice", **values)
        elif _misplaced(stage, application):
            values = {"stage": stage.value, "application": application.value}
            yield found(Sort.CONTRADICTORY, place, "stage-misplaced", **values)
        elif application not in (ApplicationType.NEW, ApplicationType.DEREGISTRATION) and (
            new and stage not in DECIDED_BY_PEOPLE and stage not in new
        ):
            yield found(Sort.BEYOND, place, "stage-not-reached", stage=stage.value)
        seen.add(stage)
    lacking = [stage.value for stage in _needed(policy, application) if stage not in seen]
    if lacking:
        values = {"application": application.value, "stages": ", ".join(lacking)}
        yield found(Sort.MISSING, (*path, "stages"), "stages-missing", **values)


def _misplaced(stage: Stage, application: ApplicationType) -> bool:
    if application is ApplicationType.DEREGISTRATION:
        return stage in OPENING or stage in DELIVERY
    return stage in LEAVING


def _needed(policy: CloudPolicySpec, application: ApplicationType) -> tuple[Stage, ...]:
    """The stages without which nothing is opened, proven safe, handed over, or proven destroyed."""
    match application:
        case ApplicationType.NEW:
            return _NEEDED if policy.quota_article is None else OPENING
        case ApplicationType.DEREGISTRATION:
            return LEAVING
        case _:
            return ()


def _order(procedure: Procedure, path: Path) -> Iterator[Finding]:
    last: StageRule | None = None
    for place, rule in _numbered(procedure, path):
        if _misplaced(rule.stage, procedure.application):
            continue
        if last is not None and _RANK[rule.stage] < _RANK[last.stage]:
            values = {"stage": rule.stage.value, "before": last.stage.value}
            yield found(Sort.CONTRADICTORY, place, "stage-order", **values)
        else:
            last = rule


def _clocks(policy: CloudPolicySpec, procedure: Procedure, path: Path) -> Iterator[Finding]:
    changing = procedure.application in (ApplicationType.CHANGE, ApplicationType.MAJOR_CHANGE)
    span = policy.execution.change if changing else policy.execution.new
    field = "execution.change" if changing else "execution.new"
    for place, rule in _numbered(procedure, path):
        if rule.clock is None:
            continue
        if rule.stage is Stage.TRIAL and policy.trial is not None:
            values = {"duration": policy.trial.duration}
            yield found(Sort.CONTRADICTORY, (*place, "clock"), "trial-clock", **values)
        elif span is not None and rule.stage in OPENING and rule.stage is not Stage.QUOTA:
            values = {"stage": rule.stage.value, "field": field}
            yield found(Sort.CONTRADICTORY, (*place, "clock"), "two-clocks", **values)


def _use(policy: CloudPolicySpec, procedure: Procedure, path: Path) -> Iterator[Finding]:
    """A procedure that no application ever takes, or that every application of is refused."""
    application = procedure.application
    name = {"application": application.value}
    if application is ApplicationType.TEMPORARY and policy.temporary is None:
        yield found(Sort.MISSING, path, "procedure-refused", field="temporary", **name)
    if application is ApplicationType.EMERGENCY and policy.emergency is None:
        yield found(Sort.MISSING, path, "procedure-refused", field="emergency", **name)
    own = {one.application for one in policy.procedures}
    falls_back = policy.temporary is not None and ApplicationType.TEMPORARY not in own
    if application is ApplicationType.CHANGE and policy.change.all_are_major and not falls_back:
        yield found(Sort.CONTRADICTORY, path, "procedure-never-used", field="change.allAreMajor", **name)


def _complex(policy: CloudPolicySpec) -> Iterator[Finding]:
    rule, path = policy.admission.complex, ("spec", "admission", "complex")
    if rule is None:
        return
    if rule.vcpu is None and rule.memory_gib is None and rule.storage_gib is None:
        yield found(Sort.MISSING, path, "complex-empty")
    elif not any(stage.when is When.COMPLEX for one in policy.procedures for stage in one.stages):
        yield found(Sort.CONTRADICTORY, path, "complex-unused")


def _numbered(procedure: Procedure, path: Path) -> Iterator[tuple[Path, StageRule]]:
    for index, rule in enumerate(procedure.stages):
        yield (*path, "stages", index), rule
