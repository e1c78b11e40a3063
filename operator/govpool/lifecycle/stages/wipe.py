"""Wipe (数据清除): every disk that held data is overwritten and read back (YY-21(2))."""

from __future__ import annotations

from govpool.api.cloudserver import CloudServer, DiskPhase
from govpool.api.workorder import WorkOrderKind
from govpool.lifecycle.decision import StageResult
from govpool.lifecycle.stages.backup import holds_data
from govpool.lifecycle.stages.context import StageContext
from govpool.lifecycle.stages.orders import carried_out_by
from govpool.messages import message

PROVEN = (DiskPhase.WIPED, DiskPhase.GONE)


def decide(context: StageContext) -> StageResult:
    """Done when every leaving disk that held data is proven wiped."""
    holding = tuple(server for server in context.plan.surplus if holds_data(server))
    if any(not wiped(server) for server in holding):
        return carried_out_by(context, WorkOrderKind.WIPE, holding)
    disks = [d for server in holding if server.status for d in server.status.disks]
    times = [d.sanitisation.finished for d in disks if d.sanitisation]
    return context.done(message("DisksWiped", disks=len(disks)), at=max([context.before, *times]))


def wiped(server: CloudServer) -> bool:
    """Whether every disk of the server that held data is proven wiped."""
    return server.status is not None and all(
        disk.phase in PROVEN for disk in server.status.disks if disk.held_data
    )
