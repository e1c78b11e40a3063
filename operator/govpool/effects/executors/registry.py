"""Which executor carries out which order on which pool."""

from __future__ import annotations

from collections.abc import Mapping

from govpool.api.cloudpool import CloudPool
from govpool.api.workorder import WorkOrderKind
from govpool.effects.executors import backup, baseline, fixture, handover, wipe
from govpool.effects.executors.base import Executor

ANSIBLE: Mapping[WorkOrderKind, Executor] = {
    WorkOrderKind.BASELINE: baseline.run,
    WorkOrderKind.HANDOVER: handover.run,
    WorkOrderKind.BACKUP: backup.run,
    WorkOrderKind.WIPE: wipe.run,
}
SIMULATED: Mapping[WorkOrderKind, Executor] = {
    WorkOrderKind.BASELINE: fixture.run_baseline,
    WorkOrderKind.HANDOVER: fixture.run_handover,
    WorkOrderKind.BACKUP: fixture.run_backup,
    WorkOrderKind.WIPE: fixture.run_wipe,
}


def executor(work: WorkOrderKind, pool: CloudPool) -> Executor | None:
    """The executor, or None when nobody carries out such orders here."""
    simulated = pool.spec.connection.provider == "fixture"
    return (SIMULATED if simulated else ANSIBLE).get(work)
