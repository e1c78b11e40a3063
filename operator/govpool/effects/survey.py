"""Looking through a pool for what nobody here made, and bringing units there, when it is time for either."""

from __future__ import annotations

from collections import defaultdict
from datetime import datetime

from govpool.api.cloudpool import CloudPool
from govpool.api.tenantquota import TenantQuota
from govpool.effects.pools import Pool, Pools
from govpool.lifecycle import pool_survey
from govpool.lifecycle.observation import Survey, Surveyed, Unknown
from govpool.lifecycle.pool_survey import Tried
from govpool_providers.base import Disk, Provider, UnitSeen, UnitWant
from govpool_providers.errors import ProviderError


class Surveyor:
    """Knows when each pool was looked through and each unit brought there; after a restart all is due."""

    def __init__(self, pools: Pools) -> None:
        self._pools = pools
        self._looked: dict[str, datetime] = {}
        self._tried: defaultdict[str, dict[str, Tried]] = defaultdict(dict)

    async def survey(
        self,
        cloud_pool: CloudPool,
        quotas: tuple[TenantQuota, ...],
        now: datetime,
        disks: tuple[Disk, ...] | None = None,
    ) -> Surveyed:
        """What is due of a pool, looked at; each part for itself Unknown when the pool did not say.

        ``disks`` are all of the pool's, where they were just listed.
        """
        name = cloud_pool.metadata.name
        tried = self._tried[name]
        wants = pool_survey.units_due(cloud_pool, quotas, tried, now)
        due = pool_survey.due(cloud_pool, self._looked.get(name), now)
        if not wants and not due:
            return Surveyed()
        try:
            pool = await self._pools.of(cloud_pool)
        except ProviderError as error:
            unknown = Unknown(error.code.value, error.message)
            return Surveyed(unknown if due else None)
        generations = {quota.metadata.namespace: quota.metadata.generation for quota in quotas}
        units: dict[str, UnitSeen | Unknown] = {}
        for want in wants:
            units[want.name] = seen = await _unit(pool, want)
            well = isinstance(seen, UnitSeen) and seen.limits in {None, want.limits}
            tried[want.name] = Tried(now, generations[want.name], well)
        found = await _through(pool, disks) if due else None
        if isinstance(found, Survey):
            self._looked[name] = now
        return Surveyed(found, units)


async def _unit(pool: Pool, want: UnitWant) -> UnitSeen | Unknown:
    try:
        return await pool.call(lambda: pool.provider.ensure_unit(want))
    except ProviderError as error:
        return Unknown(error.code.value, error.message)


async def _through(pool: Pool, disks: tuple[Disk, ...] | None) -> Survey | Unknown:
    try:
        return await pool.call(lambda: _listed(pool.provider, disks))
    except ProviderError as error:
        return Unknown(error.code.value, error.message)


def _listed(provider: Provider, disks: tuple[Disk, ...] | None) -> Survey:
    return Survey(provider.list_strangers(), provider.list_all_disks() if disks is None else disks)
