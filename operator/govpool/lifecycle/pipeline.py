"""Walk the stages of a procedure: each answers, and the first that is not done holds up the rest."""

from __future__ import annotations

from datetime import datetime

from govpool.api.cloudpolicy import DECIDED_BY_PEOPLE, ApplicationType, CloudPolicy, Stage, StageRule
from govpool.api.cloudresourcerequest import ApprovedRevision, CloudResourceRequestStatus, DesiredState
from govpool.api.servicecatalog import ServiceCatalog
from govpool.lifecycle.decision import StageResult
from govpool.lifecycle.observation import RequestObservation
from govpool.lifecycle.stages import issued
from govpool.lifecycle.stages.choice import stage_of
from govpool.lifecycle.stages.context import StageContext
from govpool.lifecycle.wanted import LEAVING, plan
from govpool.rules.calendar import WorkCalendar
from govpool.rules.citation import clause
from govpool.rules.procedure import procedure
from govpool.rules.remembered import once

LEAVING_STAGES = (Stage.BACKUP, Stage.WIPE, Stage.RECLAIM, Stage.TERMINATION, Stage.CERTIFICATE)


def walk(
    observation: RequestObservation,
    policy: CloudPolicy,
    catalog: ServiceCatalog,
    approved: ApprovedRevision,
    status: CloudResourceRequestStatus,
) -> tuple[StageResult, ...]:
    """Answers of the stages up to and with the first that is not done."""
    article = clause(policy.spec, procedure(policy.spec, approved.application).stages[-1].article)
    today = WorkCalendar.of(policy.spec).local_day(observation.now)
    follows = policy.spec.business_cycles
    seasons = clause(policy.spec, follows.article) if follows else ""
    servers = plan(
        observation.request, approved, catalog, observation.servers, article, today, seasons=seasons
    )
    reduces = bool(servers.surplus) or _left_before(observation, approved)
    before: datetime = approved.at
    results: list[StageResult] = []
    for rule in _effect_stages(policy, approved, reduces):
        context = StageContext(rule, observation, policy, catalog, approved, status, servers, before)
        result = issued.told(context, stage_of(context)(context))
        results.append(result)
        if not result.done:
            break
        before = result.at or before
    return tuple(results)


def effect_stages(policy: CloudPolicy, approved: ApprovedRevision, *, reduces: bool) -> tuple[StageRule, ...]:
    """The stages that govpool carries out. A change walks the whole way of a new application again, under
    its own rules where it has them: what was done before answers Done at once.
    """
    return _effect_stages(policy, approved, reduces)


@once
def _effect_stages(
    policy: CloudPolicy,
    approved: ApprovedRevision,
    reduces: bool,
) -> tuple[StageRule, ...]:
    own = {r.stage: r for r in procedure(policy.spec, approved.application).stages}
    if approved.content.state is DesiredState.DEREGISTERED:
        return tuple(rule for rule in own.values() if rule.stage not in DECIDED_BY_PEOPLE)
    whole = procedure(policy.spec, ApplicationType.NEW).stages
    rules = [own.get(rule.stage, rule) for rule in whole if rule.stage not in DECIDED_BY_PEOPLE]
    if not reduces:
        return tuple(rules)
    leaving = [
        rule
        for rule in procedure(policy.spec, ApplicationType.DEREGISTRATION).stages
        if rule.stage in LEAVING_STAGES
    ]
    after = next((i for i, rule in enumerate(rules) if rule.stage is Stage.HANDOVER), len(rules) - 1) + 1
    return (*rules[:after], *leaving, *rules[after:])


def _left_before(observation: RequestObservation, approved: ApprovedRevision) -> bool:
    return any(
        server.spec.revision == approved.revision and server.spec.desired in LEAVING
        for server in observation.servers
    )
