"""Which stages an application goes through, who decides and who acts, and for how long."""

from __future__ import annotations

from govpool.api.approval import Step
from govpool.api.cloudpolicy import (
    DECIDED_BY_PEOPLE,
    ApplicationType,
    CloudPolicySpec,
    Procedure,
    Stage,
    StageRule,
    When,
)
from govpool.api.cloudresourcerequest import RequestContent
from govpool.api.servicecatalog import ServiceCatalog
from govpool.rules.amounts import amounts
from govpool.rules.remembered import once


@once
def procedure(policy: CloudPolicySpec, application: ApplicationType) -> Procedure:
    """The stages of an application, in order.

    Where the policy names none for a type: a major change takes the decisions of a new application and the
    execution of a change; a temporary expansion goes as a change, an emergency as a new application, a
    change as a major one. A new application and a deregistration always have their own (a rule of the CRD).
    """
    own = _own(policy, application)
    if own is not None:
        return own
    match application:
        case ApplicationType.MAJOR_CHANGE:
            return _major_change(policy)
        case ApplicationType.TEMPORARY:
            return procedure(policy, ApplicationType.CHANGE)
        case ApplicationType.CHANGE:
            return procedure(policy, ApplicationType.MAJOR_CHANGE)
        case ApplicationType.EMERGENCY:
            return procedure(policy, ApplicationType.NEW)
        case _:
            raise ValueError(f"the policy has no procedure for {application.value}")


def steps(
    policy: CloudPolicySpec,
    application: ApplicationType,
    content: RequestContent,
    catalog: ServiceCatalog,
) -> list[Step]:
    """The decisions that people have to give, in order.

    Stages for complex applications are among them only where the content reaches one of the policy's
    thresholds. Raises UnknownItem for content that admission would refuse.
    """
    return [
        Step(stage=rule.stage, role=rule.role, clock=rule.clock, article=rule.article)
        for rule in procedure(policy, application).stages
        if rule.stage in DECIDED_BY_PEOPLE
        and (rule.when is When.ALWAYS or is_complex(policy, content, catalog))
    ]


def stage_rule(policy: CloudPolicySpec, application: ApplicationType, stage: Stage) -> StageRule | None:
    """The rule of one stage, or None if the application does not go through it."""
    return next((rule for rule in procedure(policy, application).stages if rule.stage is stage), None)


def is_complex(policy: CloudPolicySpec, content: RequestContent, catalog: ServiceCatalog) -> bool:
    """Whether the content reaches a threshold of ``admission.complex`` (JN-13). Raises UnknownItem."""
    rule = policy.admission.complex
    if rule is None:
        return False
    needed = amounts(content, catalog)
    pairs = (
        (needed.vcpu, rule.vcpu),
        (needed.memory_gib, rule.memory_gib),
        (needed.storage_gib, rule.storage_gib),
    )
    return any(limit is not None and value >= limit for value, limit in pairs)


def _own(policy: CloudPolicySpec, application: ApplicationType) -> Procedure | None:
    return next((found for found in policy.procedures if found.application is application), None)


def _major_change(policy: CloudPolicySpec) -> Procedure:
    new = procedure(policy, ApplicationType.NEW)
    change = _own(policy, ApplicationType.CHANGE) or new
    decided = [rule for rule in new.stages if rule.stage in DECIDED_BY_PEOPLE]
    executed = [rule for rule in change.stages if rule.stage not in DECIDED_BY_PEOPLE]
    return Procedure(application=ApplicationType.MAJOR_CHANGE, stages=[*decided, *executed])
