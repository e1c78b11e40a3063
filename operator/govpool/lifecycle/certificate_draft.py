"""What a wipe certificate says, gathered from the servers that left; chain and signature come later."""

from __future__ import annotations

from typing import TYPE_CHECKING

from govpool.api.cloudresourcerequest import ApprovedRevision, DesiredState, TerminationConfirmation
from govpool.api.cloudserver import CloudServer, DiskStatus
from govpool.api.wipecertificate import (
    GENESIS,
    Backup,
    CopyKind,
    CopyOutcome,
    Deregistration,
    Medium,
    MediumCopy,
    MediumKind,
    OverwriteProvability,
    RegulationReference,
    Signatory,
    SignedRequest,
    SignedText,
    SystemReference,
    UnitReceipt,
    WipeCertificateSpec,
)
from govpool.api.workorder import WorkOrderKind
from govpool.lifecycle.confirmed import standing
from govpool.lifecycle.observation import RequestObservation
from govpool.lifecycle.wanted import LEAVING
from govpool.rules.wipe_plan import plan

if TYPE_CHECKING:
    # The certificate's stage is a part of the package that the context belongs to.
    from govpool.lifecycle.stages.context import StageContext


def left(context: StageContext) -> tuple[CloudServer, ...]:
    """The servers that left under the approved revision."""
    return _left(context.observation, context.approved)


def _left(observation: RequestObservation, approved: ApprovedRevision) -> tuple[CloudServer, ...]:
    return tuple(
        server
        for server in observation.servers
        if server.spec.revision == approved.revision and server.spec.desired in LEAVING
    )


def uncertified(context: StageContext) -> tuple[CloudServer, ...]:
    """Those of them with a disk that held data and stands in no certificate yet."""
    certified = {m.key for found in context.observation.certificates for m in found.spec.media}
    return tuple(
        server
        for server in left(context)
        if server.status and any(d.held_data and d.key not in certified for d in server.status.disks)
    )


def termination(context: StageContext) -> TerminationConfirmation | None:
    """The unit's confirmation that what the approved revision took away is over.

    One that was given before the last wipe had ended is about a service that had not ended.
    """
    return termination_given(context.observation, context.approved)


def termination_given(
    observation: RequestObservation, approved: ApprovedRevision
) -> TerminationConfirmation | None:
    """As :func:`termination`, for whoever looks at no stage."""
    disks = [disk for server in _left(observation, approved) if server.status for disk in server.status.disks]
    since = [approved.at, *(disk.sanitisation.finished for disk in disks if disk.sanitisation)]
    given = observation.request.spec.confirmations.terminations
    return standing((t for t in given if t.approval == approved.approval), max(since))


def draft(context: StageContext) -> WipeCertificateSpec:
    """The certificate without its place in the chain. What is missing stays missing: it is refused later."""
    leaving = uncertified(context)
    disks = [(s, d) for s in leaving if s.status for d in s.status.disks if d.held_data]
    approved, request, policy = context.approved, context.request, context.policy
    quota = context.observation.quota
    decided = next((a for a in context.observation.approvals if a.metadata.name == approved.approval), None)
    decisions = decided.spec.decisions if decided else []
    deregistration = approved.content.deregistration
    finished = [d.sanitisation.verification.at for _, d in disks if d.sanitisation]
    ended, receipt = termination(context), _receipt(context)
    return WipeCertificateSpec(
        number="draft",
        authority=policy.metadata.name,
        sequence=1,
        issued=context.now,
        regulation=RegulationReference(
            policy=policy.metadata.name,
            title=SignedText(en=policy.spec.title.en, zh=policy.spec.title.zh),
            document_number=policy.spec.document_number,
            article=policy.spec.deregistration.article,
        ),
        deregistration=Deregistration(
            request=SignedRequest(name=request.metadata.name, uid=request.metadata.uid),
            revision=approved.revision,
            approval=approved.approval,
            reason=deregistration.reason.value
            if deregistration and approved.content.state is DesiredState.DEREGISTERED
            else approved.application.value,
            decided_by=decisions[-1].by if decisions else approved.decided_by,
            decided_at=approved.at,
        ),
        system=SystemReference(
            unit=quota.spec.unit_name if quota else request.metadata.namespace,
            namespace=request.metadata.namespace,
            name=approved.content.system.name,
            protection_level=approved.content.system.protection_level,
        ),
        media=[_medium(server, disk) for server, disk in disks],
        copies=[copy for _, disk in disks for copy in _copies(disk, receipt)],
        backup=_backup(context, [disk for _, disk in disks], receipt),
        confirmation=Signatory(name=ended.by, role="unit", at=ended.at, statement=ended.statement)
        if ended
        else None,
        verified_by=Signatory(
            name="govpool operator",
            role="operator",
            at=max(finished),
            statement="Overwritten and read back by the tool named with each medium.",
        )
        if finished
        else None,
        validated_by=Signatory(name=ended.by, role="unit", at=ended.at, statement=ended.statement)
        if ended
        else None,
        previous_hash=GENESIS,
    )


def _medium(server: CloudServer, disk: DiskStatus) -> Medium:
    overwrite = OverwriteProvability(disk.overwrite)
    return Medium(
        key=disk.key,
        provider_id=disk.provider_id or disk.key,
        server=server.metadata.name,
        name=disk.name,
        kind=MediumKind.ROOT_DISK if disk.root else MediumKind.DISK,
        type=disk.medium,
        size_bytes=disk.size_bytes,
        overwrite=overwrite,
        sanitisation=disk.sanitisation,
        residual_risk=plan(overwrite).residual_risk,
        absence=disk.absence,
    )


def _copies(disk: DiskStatus, receipt: UnitReceipt | None) -> list[MediumCopy]:
    copies = list(disk.copies)
    if disk.backup is not None and receipt is not None:
        copies.append(
            MediumCopy(
                kind=CopyKind.BACKUP,
                provider_id=disk.backup.snapshot,
                medium_key=disk.key,
                size_bytes=disk.backup.bytes,
                outcome=CopyOutcome.HANDED_OVER,
                at=receipt.at,
            )
        )
    return copies


def _receipt_sha256(context: StageContext) -> str | None:
    """The hash of the receipt that this revision's backup order made out."""
    order = context.order(WorkOrderKind.BACKUP, uncertified(context))
    return order.status.receipt_sha256 if order and order.status else None


def _receipt(context: StageContext) -> UnitReceipt | None:
    expected = _receipt_sha256(context)
    disks = (d for server in uncertified(context) if server.status for d in server.status.disks)
    taken = max((disk.backup.taken for disk in disks if disk.backup), default=context.approved.at)
    given = context.request.spec.confirmations.backups
    confirmed = standing((b for b in given if b.receipt_sha256 == expected), taken)
    return (
        UnitReceipt(by=confirmed.by, at=confirmed.at, sha256=confirmed.receipt_sha256) if confirmed else None
    )


def _backup(context: StageContext, disks: list[DiskStatus], receipt: UnitReceipt | None) -> Backup:
    return Backup(
        required=context.regulation.deregistration.backup_required,
        proofs=[disk.backup for disk in disks if disk.backup],
        receipt_sha256=_receipt_sha256(context),
        receipt=receipt,
    )
