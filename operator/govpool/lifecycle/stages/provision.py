"""Provision (开通): exactly the approved servers, no more and no less (JN-14, YY-20)."""

from __future__ import annotations

from datetime import datetime

from govpool.api.cloudserver import CloudServer, Desired, ServerPhase
from govpool.api.rectification_words import Enforcement
from govpool.lifecycle.actions import Action, Create, WriteSpec
from govpool.lifecycle.decision import StageResult
from govpool.lifecycle.stages.context import OPEN_PHASES, StageContext
from govpool.lifecycle.wanted import server_phase
from govpool.messages import message


def decide(context: StageContext) -> StageResult:
    """Done when every approved server runs with the approved size and disks."""
    actions: list[Action] = []
    lagging: list[str] = []
    faults: list[str] = []
    for wanted in context.plan.wanted:
        current = context.current(wanted)
        as_approved = current is not None and current.spec == wanted.spec
        if current is None:
            actions.append(Create(wanted))
        elif not as_approved:
            actions.append(WriteSpec(wanted))
        if current is None or not as_approved or not carries_out(current):
            lagging.append(wanted.metadata.name)
        if current is not None and server_phase(current) is ServerPhase.ERROR and current.status:
            faults.append(f"{wanted.metadata.name}: {current.status.message}")
    if lagging:
        text = message(
            "ServersOpening",
            ready=len(context.plan.wanted) - len(lagging),
            wanted=len(context.plan.wanted),
            lagging=", ".join(lagging),
            faults="; ".join(faults),
        )
        return context.waiting(text, actions=tuple(actions))
    return context.done(message("ServersOpen", wanted=len(context.plan.wanted)), at=_opened(context))


def carries_out(server: CloudServer) -> bool:
    """Whether the server runs as its spec says."""
    status = server.status
    phases = (ServerPhase.STOPPED,) if server.spec.desired is Desired.STOPPED else OPEN_PHASES
    if status is None or status.revision != server.spec.revision:
        return False
    # Switched off by a notice it still is what was approved.
    shut_down = any(hold.action is Enforcement.FORCED_SHUTDOWN for hold in status.holds)
    return status.phase in phases or (shut_down and status.phase is ServerPhase.STOPPED)


def _opened(context: StageContext) -> datetime:
    opened = [s.status.opened_at for s in context.observation.servers if s.status and s.status.opened_at]
    return max([context.before, *opened])
