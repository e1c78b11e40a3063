"""Looking through a pool: what nobody here made, and whether units have there what their quota says."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from govpool.api.base import ConditionStatus
from govpool.api.cloudpool import CloudPool, CloudPoolStatus, PoolState
from govpool.api.pool_drift import PoolUnit, UnitCeiling, UnknownResource
from govpool.api.tenantquota import TenantQuota
from govpool.lifecycle.conditions import Said, condition
from govpool.lifecycle.observation import PoolObservation, Survey, Unknown
from govpool.messages import Message, message
from govpool_providers.base import UnitLimits, UnitSeen, UnitWant

RESYNC = timedelta(minutes=5)
"""Between two looks through a pool, and between two looks at a unit that is as it has to be."""
AGAIN = timedelta(minutes=1)
"""Until a unit is tried again that could not be brought there."""
LISTED = 128
UNKNOWN = "UnknownResources"


@dataclass(frozen=True, slots=True)
class Tried:
    """When a unit was last brought to a pool, by which generation of its quota, and whether it came about."""

    at: datetime
    generation: int
    well: bool


def due(pool: CloudPool, last: datetime | None, now: datetime) -> bool:
    """Whether it is time to look through the pool, which was last done at ``last``."""
    if pool.by_hand or pool.spec.state is PoolState.CLOSED:
        return False
    return last is None or now >= last + RESYNC


def units_due(
    pool: CloudPool, quotas: Iterable[TenantQuota], tried: Mapping[str, Tried], now: datetime
) -> tuple[UnitWant, ...]:
    """The units that have a limit in the pool and are to be brought there, or looked at again."""
    if pool.by_hand or pool.spec.state is PoolState.CLOSED:
        return ()
    wants = []
    for quota in sorted(quotas, key=lambda one: one.metadata.namespace):
        limit = next((one.hard for one in quota.spec.limits if one.pool == pool.metadata.name), None)
        if limit is None or quota.deleting:
            continue
        before = tried.get(quota.metadata.namespace)
        changed = before is None or before.generation != quota.metadata.generation
        if before is None or changed or now >= before.at + (RESYNC if before.well else AGAIN):
            limits = UnitLimits(**{name: getattr(limit, name) for name in UnitCeiling.model_fields})
            wants.append(UnitWant(quota.metadata.namespace, quota.spec.unit_name, limits))
    return tuple(wants)


def update(observation: PoolObservation) -> dict[str, object]:
    """What the survey changes in the pool's status."""
    result: dict[str, object] = {"units": _units(observation)}
    survey = observation.surveyed.survey
    if isinstance(survey, Survey):
        result["unknown_resources"] = _unknown(survey, observation)
    return result


def _unknown(survey: Survey, observation: PoolObservation) -> list[UnknownResource]:
    known = {server.spec.key for server in observation.servers}
    found = [
        UnknownResource(kind=one.kind, provider_id=one.provider_id, name=one.name[:256], unit=one.unit)
        for one in survey.strangers
    ]
    found += [
        UnknownResource(kind="disk", provider_id=disk.provider_id, name=disk.key)
        for disk in survey.disks
        if disk.machine_key not in known
    ]
    return sorted(found, key=lambda one: (one.unit, one.kind, one.provider_id))[:LISTED]


def _units(observation: PoolObservation) -> list[PoolUnit]:
    """What is known of each unit there; of one that could not be asked, what was known before."""
    units = {one.unit: one for one in (observation.pool.status or CloudPoolStatus()).units}
    quotas = {quota.metadata.namespace: quota for quota in observation.quotas}
    for unit, seen in observation.surveyed.units.items():
        if isinstance(seen, Unknown):
            known = units.get(unit) or PoolUnit(unit=unit)
            units[unit] = known.model_copy(update={"fits": False, "message": seen.message})
        elif seen.limits is None:
            units.pop(unit, None)
        elif unit in quotas:
            units[unit] = _unit(unit, seen, quotas[unit], observation)
    return [one for unit, one in sorted(units.items()) if unit in quotas]


def _unit(unit: str, seen: UnitSeen, quota: TenantQuota, observation: PoolObservation) -> PoolUnit:
    ceiling = UnitCeiling(**{name: getattr(seen.limits, name) for name in UnitCeiling.model_fields})
    hard = next(one.hard for one in quota.spec.limits if one.pool == observation.pool.metadata.name)
    fits = all(getattr(ceiling, name) == getattr(hard, name) for name in UnitCeiling.model_fields)
    return PoolUnit(unit=unit, project=seen.project, limits=ceiling, fits=fits)


def conditions(observation: PoolObservation, after: CloudPoolStatus) -> list[Said]:
    """Whether everything in the pool is known, and whether units have what their quota says."""
    told: list[Said] = []
    looked = any(one.type == UNKNOWN for one in after.conditions)
    if looked or isinstance(observation.surveyed.survey, Survey):
        strange = after.unknown_resources
        text = message("drift.unknown", count=len(strange)) if strange else message("drift.none-unknown")
        told.append(_told(observation, UNKNOWN, bool(strange), "Found" if strange else "None", text))
    if after.units:
        apart = [one for one in after.units if not one.fits]
        text = message("drift.units-fit", count=len(after.units))
        if apart:
            named = "; ".join(f"{one.unit}: {one.message}" if one.message else one.unit for one in apart)
            text = message("drift.units-differ", units=named)
        told.append(_told(observation, "UnitQuotas", not apart, "Differ" if apart else "Fit", text))
    return told


def _told(observation: PoolObservation, type_: str, true: bool, reason: str, text: Message) -> Said:
    return condition(
        type_,
        ConditionStatus.TRUE if true else ConditionStatus.FALSE,
        reason,
        text,
        generation=observation.pool.metadata.generation,
        now=observation.now,
        language=observation.language,
    )
