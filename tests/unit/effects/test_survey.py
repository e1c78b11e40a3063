"""Bringing units to a pool and looking through it, with a fixture pool behind it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import cast

import pytest

from govpool.api.base import ObjectMeta
from govpool.api.cloudpool import CloudPool
from govpool.api.tenantquota import TenantQuota
from govpool.effects.kube import Kube
from govpool.effects.pools import Pools
from govpool.effects.survey import Surveyor
from govpool.lifecycle.observation import Survey, Unknown
from govpool_providers.base import PoolConnection, Stranger, UnitLimits, UnitSeen
from govpool_providers.fixture import Effect, FixtureControl, outage

NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)
SETTINGS = {"units": "true"}
LIMITS = UnitLimits(servers=3, vcpu=4)


@pytest.fixture
def control() -> Iterator[FixtureControl]:
    made = FixtureControl(PoolConnection("surveyed", SETTINGS))
    yield made
    made.forget()


@pytest.fixture
def pool() -> CloudPool:
    return CloudPool.model_validate(
        {
            "apiVersion": "govpool.dev/v1alpha1",
            "kind": "CloudPool",
            "metadata": {"name": "surveyed"},
            "spec": {
                "title": "A pool",
                "connection": {"provider": "fixture", "settings": SETTINGS},
                "operatingMode": "SelfBuilt",
                "policy": "p",
                "catalog": "c",
            },
        }
    )


def quota(servers: int = 3, generation: int = 1) -> TenantQuota:
    spec = {
        "unitName": "Bureau",
        "limits": [{"pool": "surveyed", "hard": {"servers": servers, "vcpu": 4}}],
    }
    metadata = ObjectMeta(name="unit", namespace="bureau", generation=generation)
    return TenantQuota.model_validate(
        {"apiVersion": "govpool.dev/v1alpha1", "kind": "TenantQuota", "metadata": metadata, "spec": spec}
    )


async def test_a_unit_gets_its_limits_and_gets_them_back(pool: CloudPool, control: FixtureControl) -> None:
    surveyor = Surveyor(Pools(cast(Kube, None)))
    first = await surveyor.survey(pool, (quota(),), NOW)
    assert first.units == {"bureau": UnitSeen("fixture-bureau", LIMITS)}
    assert (await surveyor.survey(pool, (quota(),), NOW + timedelta(minutes=1))).units == {}
    control.set_unit("bureau", UnitLimits(servers=99))
    again = await surveyor.survey(pool, (quota(),), NOW + timedelta(minutes=5))
    assert again.units == {"bureau": UnitSeen("fixture-bureau", LIMITS)}
    assert control.unit("bureau") == LIMITS
    changed = await surveyor.survey(pool, (quota(servers=5, generation=2),), NOW + timedelta(minutes=6))
    assert changed.units["bureau"] == UnitSeen("fixture-bureau", UnitLimits(servers=5, vcpu=4))
    assert len(control.ledger(Effect.UNIT)) == 3


async def test_what_somebody_made_is_seen_within_a_resync_and_stays(
    pool: CloudPool, control: FixtureControl
) -> None:
    surveyor = Surveyor(Pools(cast(Kube, None)))
    empty = await surveyor.survey(pool, (), NOW)
    assert empty.survey == Survey((), ())
    control.plant_stranger(Stranger("server", "id-1", "by hand"))
    assert (await surveyor.survey(pool, (), NOW + timedelta(minutes=4))).survey is None
    found = await surveyor.survey(pool, (), NOW + timedelta(minutes=5))
    assert found.survey == Survey((Stranger("server", "id-1", "by hand"),), ())
    later = await surveyor.survey(pool, (), NOW + timedelta(minutes=10))
    assert later.survey == found.survey


async def test_a_pool_that_does_not_answer_is_asked_again(pool: CloudPool, control: FixtureControl) -> None:
    surveyor = Surveyor(Pools(cast(Kube, None)))
    control.set_faults(outage())
    failed = await surveyor.survey(pool, (quota(),), NOW)
    assert isinstance(failed.survey, Unknown)
    assert isinstance(failed.units["bureau"], Unknown)
    control.clear_faults()
    healed = await surveyor.survey(pool, (quota(),), NOW + timedelta(minutes=1))
    assert isinstance(healed.survey, Survey)
    assert isinstance(healed.units["bureau"], UnitSeen)
