"""Baseline (安全基线检测): no server is handed over before it met the baseline (WH-19(3))."""

from __future__ import annotations

from govpool.api.cloudserver import CloudServer
from govpool.api.workorder import WorkOrderKind
from govpool.lifecycle.decision import StageResult
from govpool.lifecycle.stages.context import StageContext
from govpool.lifecycle.stages.orders import carried_out_by
from govpool.messages import message


def decide(context: StageContext) -> StageResult:
    """Done when every wanted server met the baseline, in this revision or before an earlier handover."""
    servers = tuple(filter(None, (context.current(wanted) for wanted in context.plan.wanted)))
    lacking = tuple(server for server in servers if not met(server))
    if lacking:
        return carried_out_by(context, WorkOrderKind.BASELINE, lacking)
    times = [s.status.baseline.at for s in servers if s.status and s.status.baseline]
    scores = ", ".join(
        f"{s.metadata.name} {s.status.baseline.score}%" for s in servers if s.status and s.status.baseline
    )
    return context.done(message("BaselineMet", scores=scores), at=max([context.before, *times]))


def met(server: CloudServer) -> bool:
    """Whether the server's last baseline passed."""
    return server.status is not None and server.status.baseline is not None and server.status.baseline.passed
