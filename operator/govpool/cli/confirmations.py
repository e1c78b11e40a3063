"""What the unit states (使用单位确认): delivery, agreement, receipt of a backup, end of service, reports."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from govpool.api.base import Model, wire_name
from govpool.api.cloudpolicy import ReportType, Stage
from govpool.api.cloudresourcerequest import (
    BackupConfirmation,
    CloudResourceRequest,
    Confirmation,
    Confirmations,
    Report,
    StageState,
    StageStatus,
    TerminationConfirmation,
)
from govpool.api.workorder import WorkOrder, WorkOrderKind
from govpool.cli.api import Api
from govpool.cli.errors import CliError, refusal
from govpool.effects.kube import Json
from govpool.messages import Language


@dataclass(frozen=True, slots=True)
class Speaker:
    """Who states something, about which request, in which words."""

    api: Api
    request: CloudResourceRequest
    statement: str = ""
    language: Language = "en"


async def delivery(speaker: Speaker) -> Confirmation:
    """The unit confirms that delivery is complete (资源发放完成), once the request waits for it.

    Raises:
        CliError: it does not: a delivery that is confirmed too early would start billing.
    """
    status = speaker.request.status
    current = status.stages[-1] if status and status.stages else None
    if current is None:
        raise refusal("nothing-in-force", speaker.language, request=speaker.request.metadata.name)
    given = speaker.request.spec.confirmations.delivery
    waits = current.stage is Stage.CONFIRMATION and current.state is StageState.WAITING
    # What was issued in an emergency is confirmed at once (YY-23); billing still waits for what starts it.
    issued = status is not None and status.emergency is not None and status.emergency.issued is not None
    if given is None and not waits and not issued:
        raise _not_yet(speaker, current)
    return await _once(speaker, "delivery", "Delivery", lambda given: given.delivery)


async def agreement(speaker: Speaker) -> Confirmation:
    """The tripartite agreement (三方协议) was signed."""
    return await _once(speaker, "agreement", "Agreement", lambda given: given.agreement)


async def old_environment(speaker: Speaker) -> Confirmation:
    """The environment that the system came from was taken down (原系统下线).

    Raises:
        CliError: it was stated before, or has to be kept still (YY-15, BZ-21).
    """
    status = speaker.request.status
    until = status.keep_old_environment_until if status else None
    if until is not None and await speaker.api.now() <= until:
        name = speaker.request.metadata.name
        raise refusal("kept-still", speaker.language, request=name, until=until.isoformat())
    what = "old environment"
    return await _once(speaker, "old_environment_removed", what, lambda given: given.old_environment_removed)


async def backup(speaker: Speaker) -> BackupConfirmation:
    """The unit's receipt for the backup, by the hash that stands in the Backup work order.

    Raises:
        CliError: there is no backup whose receipt waits.
    """
    namespace, name = speaker.request.metadata.namespace, speaker.request.metadata.name
    orders = [
        order
        for order in await speaker.api.list(WorkOrder, namespace=namespace)
        if order.spec.request.uid == speaker.request.metadata.uid and order.spec.work is WorkOrderKind.BACKUP
    ]
    given = {receipt.receipt_sha256 for receipt in speaker.request.spec.confirmations.backups}
    made = [o for o in orders if o.status is not None and o.status.receipt_sha256 is not None]
    waiting = [o for o in made if o.status and o.status.receipt_sha256 not in given]
    if not waiting:
        key = "receipt-given" if made else "backup-unfinished" if orders else "no-backup"
        raise refusal(key, speaker.language, request=name)
    newest = max(waiting, key=lambda order: order.spec.revision)
    digest = newest.status.receipt_sha256 if newest.status else None
    stated = {**await _stated(speaker), "receipt_sha256": digest}
    confirmation = BackupConfirmation.model_validate(stated)
    await _write(speaker, lambda now: {"backups": [*now.backups, confirmation]})
    return confirmation


async def termination(speaker: Speaker) -> TerminationConfirmation:
    """The end of service under the Approval in force (服务终止); only once everything was reclaimed.

    Raises:
        CliError: the request does not wait for it.
    """
    status, name = speaker.request.status, speaker.request.metadata.name
    current = status.stages[-1] if status and status.stages else None
    if status is None or status.approved is None or current is None:
        raise refusal("nothing-in-force", speaker.language, request=name)
    approval = status.approved.approval
    # One given too early, or for an earlier reduction, is no reason against the one that is waited for.
    waits_since = next((d.since for d in status.deadlines if d.stage is Stage.TERMINATION), None)
    given = [t for t in speaker.request.spec.confirmations.terminations if t.approval == approval]
    if any(waits_since is None or t.at >= waits_since for t in given):
        raise refusal("termination-given", speaker.language, request=name, approval=approval)
    if current.stage is not Stage.TERMINATION or current.state is not StageState.WAITING:
        raise _not_yet(speaker, current)
    stated = {**await _stated(speaker), "approval": approval}
    confirmation = TerminationConfirmation.model_validate(stated)
    await _write(speaker, lambda now: {"terminations": [*now.terminations, confirmation]})
    return confirmation


async def report(speaker: Speaker, type_: ReportType, file: Path, reference: str) -> Report:
    """File a report (报告): its hash and where it lies; the file itself stays with the unit.

    Raises:
        OSError: the file can't be read.
    """
    with file.open("rb") as opened:
        digest = hashlib.file_digest(opened, "sha256").hexdigest()
    filed = Report(
        type=type_,
        reference=reference or file.name,
        sha256=digest,
        at=await speaker.api.now(),
        by=await speaker.api.whoami(),
    )
    if any(r.type is type_ and r.sha256 == digest for r in speaker.request.spec.confirmations.reports):
        raise refusal("report-filed", speaker.language, type=type_.value, file=file)
    await _write(speaker, lambda now: {"reports": [*now.reports, filed]})
    return filed


def _not_yet(speaker: Speaker, at: StageStatus) -> CliError:
    name = speaker.request.metadata.name
    return refusal("not-yet", speaker.language, request=name, stage=at.stage.value, message=at.message)


async def _once(
    speaker: Speaker, field: str, what: str, read: Callable[[Confirmations], Confirmation | None]
) -> Confirmation:
    earlier = read(speaker.request.spec.confirmations)
    if earlier is not None:
        raise refusal(
            "confirmed-already", speaker.language, what=what, by=earlier.by, at=earlier.at.isoformat()
        )
    confirmation = Confirmation.model_validate(await _stated(speaker))
    await _write(speaker, lambda _: {field: confirmation})
    return confirmation


async def _stated(speaker: Speaker) -> dict[str, object]:
    by, at = await speaker.api.whoami(), await speaker.api.now()
    return {"by": by, "at": at, "statement": speaker.statement}


async def _write(
    speaker: Speaker, add: Callable[[Confirmations], Mapping[str, Model | Sequence[Model]]]
) -> None:
    def altered(current: CloudResourceRequest) -> Json:
        added = {wire_name(field): _json(value) for field, value in add(current.spec.confirmations).items()}
        return cast(Json, {"spec": {"confirmations": added}})

    await speaker.api.change(CloudResourceRequest, speaker.request, altered)


def _json(value: Model | Sequence[Model]) -> object:
    if isinstance(value, Model):
        return value.model_dump(mode="json", by_alias=True, exclude_none=True)
    return [_json(item) for item in value]
