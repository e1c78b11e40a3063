"""decide: what is known of a pool, for people to see. Nothing is ever done to a pool from here."""

from __future__ import annotations

from datetime import timedelta

from govpool.api.base import ConditionStatus
from govpool.api.cloudpool import Allocated, CloudPoolStatus
from govpool.lifecycle.actions import WriteStatus
from govpool.lifecycle.conditions import condition, merged
from govpool.lifecycle.decision import Decision
from govpool.lifecycle.observation import PoolObservation, Unknown
from govpool.lifecycle.wanted import held
from govpool.messages import message

RESYNC = timedelta(minutes=1)


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
    if isinstance(seen, Unknown):
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
    update["conditions"] = merged(before.conditions, [reachable])
    after = before.model_copy(update=update)
    if pool.status is not None and after == pool.status:
        return Decision(look_again=observation.now + RESYNC)
    answered = {} if isinstance(seen, Unknown) else {"seen_at": observation.now}
    return Decision((WriteStatus(pool, after.model_copy(update=answered)),), observation.now + RESYNC)
