"""Stages in a pool that only people reach: each is a person's work order, and done is what was declared.

Nothing of it was seen, so nothing of it is certified: see :mod:`govpool.lifecycle.declared`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime

from govpool.api.cloudpolicy import Role, Stage
from govpool.api.cloudresourcerequest import StageState
from govpool.api.cloudserver import CloudServer, Declared, Desired, ServerPhase
from govpool.api.workorder import WorkOrderKind, WorkOrderState
from govpool.lifecycle.actions import Action, Create, WriteSpec
from govpool.lifecycle.confirmed import standing
from govpool.lifecycle.decision import StageResult
from govpool.lifecycle.stages import backup, baseline, reclaim
from govpool.lifecycle.stages.asked import ask
from govpool.lifecycle.stages.context import OPEN_PHASES, StageContext
from govpool.lifecycle.wanted import server_phase
from govpool.messages import message


def provision(context: StageContext) -> StageResult:
    """Done when every approved server was declared to be there, with its address."""
    actions: list[Action] = []
    new: list[CloudServer] = []
    changed: list[CloudServer] = []
    for wanted in context.plan.wanted:
        current = context.current(wanted)
        if current is None:
            actions.append(Create(wanted))
        elif current.spec != wanted.spec:
            actions.append(WriteSpec(wanted))
        if current is None or current.status is None or current.status.opened_at is None:
            new.append(wanted)
        elif current.spec != wanted.spec or not _stands(current):
            changed.append(wanted)
    if new:
        return ask(context, WorkOrderKind.PROVISION, tuple(new), first=tuple(actions))
    if changed:
        return ask(context, WorkOrderKind.RESIZE, tuple(changed), first=tuple(actions))
    return _done(context, _current(context), WorkOrderKind.PROVISION, WorkOrderKind.RESIZE)


def _stands(server: CloudServer) -> bool:
    status = server.status
    return status is not None and status.phase in OPEN_PHASES and status.revision == server.spec.revision


def met_baseline(context: StageContext) -> StageResult:
    """Done when the provider filed each server's baseline."""
    servers = _current(context)
    lacking = tuple(server for server in servers if not baseline.met(server))
    if lacking:
        return ask(context, WorkOrderKind.BASELINE, lacking)
    return _done(context, servers, WorkOrderKind.BASELINE)


def handover(context: StageContext) -> StageResult:
    """Done when each server was declared to be handed over."""
    servers = _current(context)
    lacking = tuple(s for s in servers if s.status is None or s.status.handover is None)
    if lacking:
        return ask(context, WorkOrderKind.HANDOVER, lacking)
    return _done(context, servers, WorkOrderKind.HANDOVER)


def saved(context: StageContext) -> StageResult:
    """Done when the backup was declared and the unit confirmed its receipt."""
    if (first := backup.departure(context)) is not None:
        return first
    leaving = context.plan.surplus
    if not leaving or not context.regulation.deregistration.backup_required:
        return _done(context, _gone(context), WorkOrderKind.BACKUP)
    if any(_of(server, WorkOrderKind.BACKUP) is None for server in leaving):
        return ask(context, WorkOrderKind.BACKUP, leaving)
    order = next(
        (
            one
            for one in context.orders(WorkOrderKind.BACKUP)
            if one.status and one.status.state is WorkOrderState.SUCCEEDED and one.status.receipt_sha256
        ),
        None,
    )
    if order is None or order.status is None:
        return ask(context, WorkOrderKind.BACKUP, leaving)
    sha256 = order.status.receipt_sha256
    given = context.request.spec.confirmations.backups
    receipt = standing((one for one in given if one.receipt_sha256 == sha256), _at(context, leaving))
    missing = message("ReceiptMissing", sha256=sha256)
    if receipt is None or receipt.at > context.now:
        look = receipt.at if receipt else None
        return context.waiting(missing, who=Role.UNIT, look_again=look)
    return context.done(message("BackupConfirmed", by=receipt.by), at=max(context.before, receipt.at))


def wiped(context: StageContext) -> StageResult:
    """Done when the destruction of data was declared, with its record."""
    leaving = context.plan.surplus
    if any(_of(server, WorkOrderKind.WIPE) is None for server in leaving):
        return ask(context, WorkOrderKind.WIPE, leaving)
    return _done(context, leaving or _gone(context), WorkOrderKind.WIPE)


def reclaimed(context: StageContext) -> StageResult:
    """Done when every leaving server was declared to be gone, and what was reserved is given back."""
    leaving = context.plan.surplus
    if not leaving:
        given_back = reclaim.decide(context)
        declared = given_back.state is StageState.DONE and _gone(context)
        return _done(context, _gone(context), WorkOrderKind.RECLAIM) if declared else given_back
    going = tuple(reclaim.go(server) for server in leaving if server.spec.desired is not Desired.GONE)
    return ask(context, WorkOrderKind.RECLAIM, leaving, first=going)


def uncertified(context: StageContext) -> StageResult:
    """Nothing was seen, so nothing is certified, and it says so."""
    return context.done(message("declared.no-certificate"), at=context.before)


def _current(context: StageContext) -> tuple[CloudServer, ...]:
    return tuple(filter(None, (context.current(wanted) for wanted in context.plan.wanted)))


def _gone(context: StageContext) -> tuple[CloudServer, ...]:
    """Servers that left under this revision and were declared to be gone."""
    left = (s for s in context.observation.servers if s.spec.revision == context.approved.revision)
    return tuple(server for server in left if server_phase(server) is ServerPhase.GONE)


def _of(server: CloudServer, *work: WorkOrderKind) -> Declared | None:
    """The last thing of that kind that was declared of the server."""
    kinds = {one.value for one in work}
    said = [one for one in (server.status.declared if server.status else ()) if one.work in kinds]
    return said[-1] if said else None


def _done(context: StageContext, servers: tuple[CloudServer, ...], *work: WorkOrderKind) -> StageResult:
    said = [found for server in servers if (found := _of(server, *work))]
    if not said:
        return context.done(message("declared.none"), at=context.before)
    last = max(said, key=lambda one: one.at)
    text = message("declared.done", by=last.by, statement=last.statement or "-")
    return context.done(text, at=min(context.now, max(context.before, last.at)))


def _at(context: StageContext, servers: tuple[CloudServer, ...]) -> datetime:
    said = [found.at for server in servers if (found := _of(server, WorkOrderKind.BACKUP))]
    return max(said, default=context.before)


STAGES: Mapping[Stage, Callable[[StageContext], StageResult]] = {
    Stage.PROVISION: provision,
    Stage.BASELINE: met_baseline,
    Stage.HANDOVER: handover,
    Stage.BACKUP: saved,
    Stage.WIPE: wiped,
    Stage.RECLAIM: reclaimed,
    Stage.CERTIFICATE: uncertified,
}
