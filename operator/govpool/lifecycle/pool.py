"""decide: what is known of a pool, for people to see. Nothing is ever done to a pool from here."""

from __future__ import annotations

from datetime import timedelta

from govpool.api.base import ConditionStatus
from govpool.api.cloudpool import Allocated, CloudPoolStatus, PoolState
from govpool.api.policy_evidence import EvidenceSubject
from govpool.api.policy_pool import PeriodicDue
from govpool.lifecycle import pool_survey, provider_exit
from govpool.lifecycle.actions import WriteStatus
from govpool.lifecycle.conditions import Said, condition, merged
from govpool.lifecycle.decision import Decision
from govpool.lifecycle.observation import PoolObservation, Unknown
from govpool.lifecycle.wanted import held
from govpool.messages import message
from govpool.rules import parties, reporting
from govpool.rules.findings import platform_findings

RESYNC = timedelta(minutes=1)
A_LOOK = 2000
"""Servers for which a look a minute is not too much; more of them are looked at the more seldom."""
SELDOM = timedelta(minutes=10)
"""Longest time between two looks, however many servers there are."""


def decide(observation: PoolObservation) -> Decision:
    """Whether the pool answers, what its servers take, and which machines nobody here knows."""
    pool, seen = observation.pool, observation.machines
    before = pool.status or CloudPoolStatus()
    total = held(observation.servers)
    allocated = Allocated(
        servers=total.servers, vcpu=total.vcpu, memory_gib=total.memory_gib, storage_gib=total.storage_gib
    )
    update: dict[str, object] = {
        "observed_generation": pool.metadata.generation,
        "allocated": allocated,
    }
    if pool.by_hand:
        # Nobody asks such a pool, and an empty answer would read as an empty pool.
        text, status, reason = message("pool.by-hand"), ConditionStatus.UNKNOWN, "Declared"
        update["reachable"] = None
    elif isinstance(seen, Unknown):
        text = message("PoolUnknown", reason=seen.reason, cause=seen.message)
        status, reason = ConditionStatus.UNKNOWN, seen.reason
        update["reachable"] = False
    else:
        text, status, reason = message("PoolAnswered"), ConditionStatus.TRUE, "Answered"
        known = {server.spec.key for server in observation.servers}
        update["reachable"] = True
        update["unknown_machines"] = sorted(set(seen) - known)[:64]
    reachable = condition(
        "Reachable",
        status,
        reason,
        text,
        generation=pool.metadata.generation,
        now=observation.now,
        language=observation.language,
    )
    told = [reachable, *provider_exit.conditions(observation), *_parties(observation)]
    told += _evidence(observation)
    update |= pool_survey.update(observation)
    told += pool_survey.conditions(observation, before.model_copy(update=update))
    update["conditions"] = merged(before.conditions, told)
    update["exit"] = provider_exit.progress(observation)
    update["closed_at"] = provider_exit.closed_at(observation)
    update["reports_due"] = _reports_due(observation)
    after = before.model_copy(update=update)
    if pool.status is not None and after == pool.status:
        return Decision(look_again=observation.now + _pause(observation))
    answered = {} if isinstance(seen, Unknown) or pool.by_hand else {"seen_at": observation.now}
    return Decision(
        (WriteStatus(pool, after.model_copy(update=answered)),), observation.now + _pause(observation)
    )


def _pause(observation: PoolObservation) -> timedelta:
    """Until the next look: a list of a large pool takes its time, here and there; none does not."""
    if isinstance(observation.machines, Unknown):
        return RESYNC
    return min(RESYNC * max(1.0, len(observation.servers) / A_LOOK), SELDOM)


def _reports_due(observation: PoolObservation) -> list[PeriodicDue]:
    """The pool's periodic reports that are due next (register 7): shown, and nothing more."""
    pool, policy = observation.pool, observation.policy
    if policy is None or pool.spec.state is PoolState.CLOSED:
        return []
    since = pool.metadata.creation_timestamp or observation.now
    own = reporting.due(policy.spec, pool.spec.reports, since, observation.now)
    return own + reporting.due(policy.spec, pool.spec.reports, since, observation.now, of_units=True)


def _evidence(observation: PoolObservation) -> list[Said]:
    """YY-32, BZ-32, JN-25: assessments of the platform that are missing or no longer valid."""
    pool, policy = observation.pool, observation.policy
    if policy is None or not any(r.subject is EvidenceSubject.PLATFORM for r in policy.spec.evidence):
        return []
    lacking = platform_findings(policy.spec, pool.spec.evidence, observation.now)
    texts = " ".join(f"{one.message.render(observation.language)} [{one.clause}]" for one in lacking)
    text = message("Verbatim", text=texts) if lacking else message("platform.evidence")
    return [
        condition(
            "PlatformEvidence",
            ConditionStatus.FALSE if lacking else ConditionStatus.TRUE,
            "EvidenceLapsed" if lacking else "Valid",
            text,
            generation=pool.metadata.generation,
            now=observation.now,
            language=observation.language,
        )
    ]


def _parties(observation: PoolObservation) -> list[Said]:
    """YY-12, YY-13: what stands against the parties of the pool's contracts."""
    pool, policy = observation.pool, observation.policy
    if policy is None or policy.spec.parties is None or not pool.spec.parties:
        return []
    against = parties.objections(policy.spec, pool.spec.parties)
    texts = "; ".join(f"{one.message.render(observation.language)} [{one.clause}]" for one in against)
    return [
        condition(
            "Parties",
            ConditionStatus.FALSE if against else ConditionStatus.TRUE,
            against[0].reason if against else "Fine",
            message("Verbatim", text=texts) if against else message("pool.parties-fine"),
            generation=pool.metadata.generation,
            now=observation.now,
            language=observation.language,
        )
    ]
