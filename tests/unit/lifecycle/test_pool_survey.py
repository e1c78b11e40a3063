"""A look through a pool: strangers are listed and stay, and units get there what their quota says."""

from dataclasses import replace
from datetime import timedelta

from lifecycle_builders import NOW, opened, pool, pool_disks, quota, servers, stored

from govpool.api.cloudpool import CloudPool, CloudPoolStatus
from govpool.api.pool_drift import UnknownResource
from govpool.lifecycle import pool as pool_core
from govpool.lifecycle import pool_survey
from govpool.lifecycle.actions import WriteStatus
from govpool.lifecycle.observation import PoolObservation, Survey, Surveyed, Unknown
from govpool.lifecycle.pool_survey import Tried
from govpool_providers.base import Stranger, UnitLimits, UnitSeen

UNIT = quota()
POOL = stored(pool())
LIMITS = UnitLimits(
    **{name: getattr(UNIT.spec.limits[0].hard, name) for name in UnitLimits.__dataclass_fields__}
)
STRANGER = Stranger("server", "id-1", "by hand", "bureau")
LEFT = replace(pool_disks(servers()[0])[0], key="gp-x-root", machine_key="gp-x", provider_id="vol-1")


def after(surveyed: Surveyed, known: CloudPool = POOL) -> CloudPoolStatus:
    there = tuple(opened(server) for server in servers())
    observation = PoolObservation(known, NOW, (), there, quotas=(UNIT,), surveyed=surveyed)
    decision = pool_core.decide(observation)
    assert all(isinstance(action, WriteStatus) for action in decision.actions), "nothing is ever done to it"
    (write,) = decision.actions
    assert isinstance(write, WriteStatus)
    assert isinstance(write.status, CloudPoolStatus)
    return write.status


def said(status: CloudPoolStatus, type_: str) -> tuple[str, str]:
    return next((one.status.value, one.reason) for one in status.conditions if one.type == type_)


def test_what_nobody_here_made_is_listed() -> None:
    status = after(Surveyed(Survey((STRANGER,), (LEFT,))))
    assert status.unknown_resources == [
        UnknownResource(kind="disk", provider_id="vol-1", name="gp-x-root"),
        UnknownResource(kind="server", provider_id="id-1", name="by hand", unit="bureau"),
    ]
    assert said(status, "UnknownResources") == ("True", "Found")
    clean = after(Surveyed(Survey((), ())))
    assert said(clean, "UnknownResources") == ("False", "None")


def test_a_look_that_failed_forgets_nothing() -> None:
    known = POOL.model_copy(update={"status": after(Surveyed(Survey((STRANGER,), ())))})
    observation = PoolObservation(known, NOW, Unknown("Unreachable", "no"), ())
    (write,) = pool_core.decide(replace(observation, surveyed=Surveyed(Unknown("Unreachable", "no")))).actions
    assert isinstance(write, WriteStatus)
    assert isinstance(write.status, CloudPoolStatus)
    assert [one.name for one in write.status.unknown_resources] == ["by hand"]


def test_a_unit_is_brought_there_and_read_back() -> None:
    (want,) = pool_survey.units_due(POOL, [UNIT], {}, NOW)
    assert (want.name, want.title, want.limits) == (UNIT.metadata.namespace, UNIT.spec.unit_name, LIMITS)
    status = after(Surveyed(units={want.name: UnitSeen("project-1", LIMITS)}))
    assert [(one.unit, one.project, one.fits) for one in status.units] == [(want.name, "project-1", True)]
    assert said(status, "UnitQuotas") == ("True", "Fit")


def test_a_unit_is_looked_at_again_after_a_resync_a_change_or_a_failure() -> None:
    name, generation = UNIT.metadata.namespace, UNIT.metadata.generation

    def again(minutes: int, tried: Tried) -> bool:
        return bool(pool_survey.units_due(POOL, [UNIT], {name: tried}, NOW + timedelta(minutes=minutes)))

    assert not again(4, Tried(NOW, generation, well=True))
    assert again(5, Tried(NOW, generation, well=True))
    assert again(0, Tried(NOW, generation + 1, well=True))
    assert not again(0, Tried(NOW, generation, well=False))
    assert again(1, Tried(NOW, generation, well=False))


def test_a_quota_that_differs_is_told() -> None:
    name = UNIT.metadata.namespace
    other = after(Surveyed(units={name: UnitSeen("project-1", replace(LIMITS, vcpu=1))}))
    assert said(other, "UnitQuotas") == ("False", "Differ")
    failed = after(Surveyed(units={name: Unknown("Unauthorised", "may not make projects")}))
    assert said(failed, "UnitQuotas") == ("False", "Differ")
    assert failed.units[0].message == "may not make projects"


def test_a_pool_without_units_of_its_own_has_none() -> None:
    status = after(Surveyed(units={UNIT.metadata.namespace: UnitSeen()}))
    assert status.units == []
    assert all(one.type != "UnitQuotas" for one in status.conditions)


def test_it_is_looked_through_within_a_resync() -> None:
    assert pool_survey.due(POOL, None, NOW)
    assert not pool_survey.due(POOL, NOW, NOW + timedelta(minutes=4))
    assert pool_survey.due(POOL, NOW, NOW + timedelta(minutes=5))
