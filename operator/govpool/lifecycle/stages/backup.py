"""Backup (数据备份): what is to be destroyed is saved first; the unit gives a receipt (YY-21(2))."""

from __future__ import annotations

from govpool.api.cloudpolicy import Role
from govpool.api.cloudserver import CloudServer, Desired, ServerPhase
from govpool.api.workorder import WorkOrderKind, WorkOrderState
from govpool.lifecycle.actions import Action, WriteSpec
from govpool.lifecycle.confirmed import standing
from govpool.lifecycle.decision import StageResult
from govpool.lifecycle.stages.context import StageContext
from govpool.lifecycle.stages.orders import carried_out_by, deregisters
from govpool.lifecycle.wanted import LEAVING, server_phase
from govpool.messages import message
from govpool.rules.deregistration import earliest


def departure(context: StageContext) -> StageResult | None:
    """What comes before a backup: the lead time, and machines that go first; None when nothing does."""
    leaving = context.plan.surplus
    asked = context.approved.asked_at or context.before
    asked_for = deregisters(context) and context.approved.notice is None
    opens = earliest(context.regulation, asked) if asked_for else None
    if opens is not None and context.now < opens:
        return context.waiting(message("LeadTimeRuns", until=opens.isoformat()), due=opens, look_again=opens)
    staying = [server for server in leaving if server.spec.desired not in LEAVING]
    if staying:
        actions: tuple[Action, ...] = tuple(release(server, context.approved.revision) for server in staying)
        return context.waiting(message("ServersLeaving", servers=_names(staying)), actions=actions)
    attached = [s for s in leaving if server_phase(s) not in (ServerPhase.RELEASED, ServerPhase.GONE)]
    if attached:
        return context.waiting(message("ServersReleasing", servers=_names(attached)))
    return None


def decide(context: StageContext) -> StageResult:
    """Done when every leaving disk that held data has a backup with the unit's receipt."""
    if (first := departure(context)) is not None:
        return first
    holding = tuple(server for server in context.plan.surplus if holds_data(server))
    if not holding or not context.regulation.deregistration.backup_required:
        return context.done(message("NothingToBackUp"), at=context.before)
    if any(not backed_up(server) for server in holding):
        return carried_out_by(context, WorkOrderKind.BACKUP, holding)
    return _receipt(context, holding)


def _receipt(context: StageContext, holding: tuple[CloudServer, ...]) -> StageResult:
    order = context.order(WorkOrderKind.BACKUP, holding)
    status = order.status if order else None
    if status is None or status.state is not WorkOrderState.SUCCEEDED or status.receipt_sha256 is None:
        return carried_out_by(context, WorkOrderKind.BACKUP, holding)
    given = context.request.spec.confirmations.backups
    own = (receipt for receipt in given if receipt.receipt_sha256 == status.receipt_sha256)
    disks = (disk for server in holding if server.status for disk in server.status.disks)
    receipt = standing(own, max(disk.backup.taken for disk in disks if disk.backup))
    missing = message("ReceiptMissing", sha256=status.receipt_sha256)
    if receipt is None:
        return context.waiting(missing, who=Role.UNIT)
    if receipt.at > context.now:
        # By a fast clock. Wiping at once would be wiping before the receipt.
        return context.waiting(missing, who=Role.UNIT, look_again=receipt.at)
    return context.done(message("BackupConfirmed", by=receipt.by), at=max(context.before, receipt.at))


def release(server: CloudServer, revision: int) -> WriteSpec:
    """Take the machine away and keep its disks; the revision says under which Approval it left."""
    update = {"desired": Desired.RELEASED, "revision": revision}
    return WriteSpec(server.model_copy(update={"spec": server.spec.model_copy(update=update)}))


def holds_data(server: CloudServer) -> bool:
    """Whether any disk of the server held data and is not known to be gone."""
    return server.status is not None and any(disk.held_data for disk in server.status.disks)


def backed_up(server: CloudServer) -> bool:
    """Whether every disk that held data has a backup."""
    return server.status is not None and all(
        disk.backup is not None for disk in server.status.disks if disk.held_data
    )


def _names(servers: list[CloudServer]) -> str:
    return ", ".join(server.metadata.name for server in servers)
