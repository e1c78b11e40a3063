"""Backup (数据备份): each detached disk into the pool's restic repository, with a receipt for the unit."""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

from pydantic import JsonValue

from govpool.api.workorder import DiskResult
from govpool.effects import secrets
from govpool.effects.executors.base import OrderContext, OrderResult
from govpool.effects.executors.disks import Leaving, leaving, on_sanitiser
from govpool.effects.executors.runs import broken, first_failure, place, play, sanitisers
from govpool.effects.playbooks import PlaybookResult, PlaybookRun
from govpool.rules.certificate_evidence import EvidenceError, backup_proof
from govpool_providers.base import SanitiserDevice

PLAYBOOK = "backup.yml"
MODULE = "govpool_backup"
TIMEOUT = 24 * 3600.0


async def run(context: OrderContext) -> OrderResult:
    """Back up every disk of the order and make out one receipt for all of them."""
    repository = context.pool.spec.backup
    if repository is None:
        return OrderResult(
            False, f"CloudPool {context.pool.metadata.name} names no backup repository: set spec.backup"
        )
    password = await secrets.read(context.kube, repository.password_ref.name)
    if password is None or "password" not in password:
        name = f"{secrets.NAMESPACE}/{repository.password_ref.name}"
        return OrderResult(False, f"Secret {name} has no key password: create it", again=True)
    disks = await leaving(context)
    if not disks:
        return OrderResult(False, "the pool lists no disk of these servers: find out who removed them")
    async with on_sanitiser(context, disks) as devices:
        result = await play(
            context,
            PlaybookRun(
                PLAYBOOK,
                context.order.spec.run_key,
                await sanitisers(context, devices),
                _variables(context, repository.location, devices),
                {"backup_password": password["password"]},
                timeout=TIMEOUT,
            ),
        )
    if (answer := broken(result)) is not None:
        return answer
    failures = {key: first_failure(result, key) for key in devices}
    return conclude(context, disks, _receipts(result), failures)


def _variables(
    context: OrderContext, repository: str, devices: dict[str, SanitiserDevice]
) -> dict[str, JsonValue]:
    return {
        "backup_disks_of": {key: [{"key": key, "device": d.device}] for key, d in devices.items()},
        "backup_run_key": context.order.spec.run_key,
        "backup_request_uid": context.request.metadata.uid,
        "backup_repository": repository,
        **place(context, devices, "backup"),
    }


def _receipts(result: PlaybookResult) -> dict[str, Mapping[str, JsonValue]]:
    receipts: dict[str, Mapping[str, JsonValue]] = {}
    for task in result.of_action(MODULE):
        receipt = task.result.get("receipt")
        if isinstance(receipt, dict):
            receipts[str(receipt["disk_key"])] = receipt
    return receipts


def conclude(
    context: OrderContext,
    disks: tuple[Leaving, ...],
    receipts: Mapping[str, Mapping[str, JsonValue]],
    failures: Mapping[str, str],
) -> OrderResult:
    """The order's result: done only when every disk has a receipt."""
    results: list[DiskResult] = []
    for item in disks:
        key = item.disk.key
        receipt = receipts.get(key)
        if receipt is None:
            failure = failures.get(key, "nothing is known of it")
            results.append(DiskResult(server=item.server, disk=key, ok=False, message=failure[:4000]))
            continue
        try:
            proof = backup_proof(receipt, key)
        except EvidenceError as error:
            results.append(DiskResult(server=item.server, disk=key, ok=False, message=str(error)))
            continue
        taken = proof.model_copy(update={"taken": context.shifted(proof.taken)})
        results.append(DiskResult(server=item.server, disk=key, ok=True, backup=taken))
    failed = [f"{r.disk}: {r.message}" for r in results if not r.ok]
    document = cast(JsonValue, {key: dict(receipts[key]) for key in sorted(receipts)})
    evidence = context.keep_json("backup-receipt.json", document)
    digest = evidence.sha256 if not failed else None
    return OrderResult(
        not failed,
        "; ".join(failed)[:4000],
        disks=tuple(results),
        evidence=(evidence,),
        receipt_sha256=digest,
    )
