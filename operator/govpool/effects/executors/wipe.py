"""Wipe (数据清除): every disk overwritten, read back and compared; every copy deleted and seen absent."""

from __future__ import annotations

import hmac
import secrets as random
from collections.abc import Mapping

from pydantic import JsonValue

from govpool.api.cloudpolicy import Verification as VerificationChoice
from govpool.api.wipecertificate import CopyKind, CopyOutcome, MediumCopy, Sanitisation
from govpool.api.workorder import DiskResult, Evidence
from govpool.effects import secrets
from govpool.effects.executors.base import OrderContext, OrderResult
from govpool.effects.executors.disks import Leaving, leaving, on_sanitiser
from govpool.effects.executors.runs import broken, first_failure, place, play, sanitisers
from govpool.effects.kube import Kube
from govpool.effects.playbooks import PlaybookResult, PlaybookRun
from govpool.rules.certificate_evidence import EvidenceError, sanitisation
from govpool_providers.base import DiskCopy, SanitiserDevice

PLAYBOOK = "wipe.yml"
MODULE = "govpool_wipe"
TIMEOUT = 14 * 24 * 3600.0
KEY_VARIABLE = "wipe_key_{index}"


async def run(context: OrderContext) -> OrderResult:
    """Wipe every disk of the order. The keys are sealed in a Secret until the result is on record."""
    disks = await leaving(context)
    if not disks:
        return OrderResult(False, "the pool lists no disk of these servers: find out who removed them")
    copies = await remove_copies(context, disks)
    keys = await _keys(context, disks)
    async with on_sanitiser(context, disks) as devices:
        order = [item.disk.key for item in disks]
        result = await play(
            context,
            PlaybookRun(
                PLAYBOOK,
                context.order.spec.run_key,
                await sanitisers(context, devices),
                _variables(context, devices, order, keys),
                {KEY_VARIABLE.format(index=index): keys[key] for index, key in enumerate(order)},
                timeout=TIMEOUT,
            ),
        )
    if (answer := broken(result)) is not None:
        return answer
    failures = {key: first_failure(result, key) for key in devices}
    return conclude(context, disks, _reports(result), copies, failures)


def secret_name(run_key: str) -> str:
    """Name of the Secret that keeps a wipe's key until its result is on record."""
    return f"wipe-{run_key}"


async def sealed(kube: Kube, run_key: str) -> dict[str, str]:
    """The wipe's key and seed; made on first use.

    Raises:
        KubeError: the API server.
    """
    return await secrets.once(
        kube,
        secret_name(run_key),
        lambda: {"key": random.token_hex(32), "seed": random.token_hex(16)},
    )


async def _keys(context: OrderContext, disks: tuple[Leaving, ...]) -> dict[str, str]:
    """A key of 32 bytes for each disk; the same after a restart, or a resumed overwrite would not verify.

    All come from one, so that a disk that was found only after a restart has its own, too.
    """
    held = await sealed(context.kube, context.order.spec.run_key)
    root = bytes.fromhex(held["key"])
    keys = {item.disk.key: hmac.digest(root, item.disk.key.encode(), "sha256").hex() for item in disks}
    return keys | {"seed": held["seed"]}


def _variables(
    context: OrderContext, devices: dict[str, SanitiserDevice], order: list[str], keys: dict[str, str]
) -> dict[str, JsonValue]:
    rule = context.policy.spec.deregistration.wipe
    sampled = rule.verification is VerificationChoice.SAMPLED
    wanted: dict[str, JsonValue] = {
        key: [
            {
                "key": key,
                "device": devices[key].device,
                "size_bytes": devices[key].size_bytes,
                "key_variable": KEY_VARIABLE.format(index=index),
                "verification": rule.verification.value,
                **({"share": (rule.sample_percent or 100.0) / 100, "seed": keys["seed"]} if sampled else {}),
            }
        ]
        for index, key in enumerate(order)
    }
    return {
        "wipe_disks_of": wanted,
        "wipe_run_key": context.order.spec.run_key,
        **place(context, devices, "wipe"),
    }


async def remove_copies(
    context: OrderContext, disks: tuple[Leaving, ...]
) -> dict[str, tuple[MediumCopy, ...]]:
    """Delete every snapshot, backup, image and recycle-bin entry of the disks.

    What is found is put on record before it is deleted: a run after a kill finds nothing any more, and the
    certificate must name every copy that held data.
    """
    provider = context.provider.provider
    recorded = {result.disk: result for result in context.order.status.disks} if context.order.status else {}
    found: dict[str, tuple[DiskCopy, ...]] = {}
    for item in disks:
        key = item.disk.key
        found[key] = await context.provider.insist(lambda key=key: provider.list_copies(key))  # type: ignore[misc]
    known = {
        item.disk.key: _known(item.disk.key, recorded.get(item.disk.key), found[item.disk.key])
        for item in disks
    }
    if any(found.values()):
        await context.record(disks=tuple(_on_record(item, recorded, known) for item in disks))
    left: set[str] = set()
    for key, copies in found.items():
        for copy in copies:
            await context.provider.insist(lambda copy=copy: provider.delete_copy(copy))  # type: ignore[misc]
        seen = await context.provider.insist(lambda key=key: provider.list_copies(key))  # type: ignore[misc]
        left |= {copy.provider_id for copy in seen}
    return {key: tuple(_judged(context, copy, left) for copy in copies) for key, copies in known.items()}


def _known(key: str, recorded: DiskResult | None, found: tuple[DiskCopy, ...]) -> tuple[MediumCopy, ...]:
    """Copies that an earlier run put on record, and those that were found now."""
    before = {copy.provider_id: copy for copy in (recorded.copies if recorded else ())}
    now = {
        copy.provider_id: MediumCopy(
            kind=CopyKind(copy.kind.value),
            provider_id=copy.provider_id,
            medium_key=key,
            size_bytes=copy.size_bytes,
            outcome=CopyOutcome.PRESENT,
        )
        for copy in found
    }
    return tuple((before | now).values())


def _on_record(
    item: Leaving, recorded: Mapping[str, DiskResult], known: Mapping[str, tuple[MediumCopy, ...]]
) -> DiskResult:
    key = item.disk.key
    base = recorded.get(key) or DiskResult(server=item.server, disk=key, ok=False, message="not wiped yet")
    return base.model_copy(update={"copies": list(known[key])})


def _judged(context: OrderContext, copy: MediumCopy, left: set[str]) -> MediumCopy:
    if copy.provider_id in left:
        return copy.model_copy(update={"outcome": CopyOutcome.PRESENT, "at": context.clock.now()})
    if copy.outcome is CopyOutcome.DELETED:
        return copy
    return copy.model_copy(update={"outcome": CopyOutcome.DELETED, "at": context.clock.now()})


def _reports(result: PlaybookResult) -> dict[str, Mapping[str, JsonValue]]:
    reports: dict[str, Mapping[str, JsonValue]] = {}
    for task in result.of_action(MODULE):
        report = task.result.get("wipe")
        if isinstance(report, dict):
            reports[str(report["disk_key"])] = report
    return reports


def conclude(
    context: OrderContext,
    disks: tuple[Leaving, ...],
    reports: Mapping[str, Mapping[str, JsonValue]],
    copies: Mapping[str, tuple[MediumCopy, ...]],
    failures: Mapping[str, str],
) -> OrderResult:
    """The order's result: done only when every disk was verified and no copy is left."""
    results: list[DiskResult] = []
    evidence: list[Evidence] = []
    for item in disks:
        key, report = item.disk.key, reports.get(item.disk.key)
        if report is None:
            failure = failures.get(key, "nothing is known of it")
            results.append(_failed(item, failure[:4000], copies[key]))
            continue
        evidence.append(context.keep_json(f"wipe-{key}.json", dict(report)))
        results.append(_disk(context, item, report, copies[key]))
    failed = [f"{r.disk}: {r.message}" for r in results if not r.ok]

    async def destroy_keys() -> None:
        await secrets.destroy(context.kube, f"wipe-{context.order.spec.run_key}")

    return OrderResult(
        not failed,
        "; ".join(failed)[:4000],
        disks=tuple(results),
        evidence=tuple(evidence),
        afterwards=() if failed else (destroy_keys,),
    )


def _disk(
    context: OrderContext, item: Leaving, report: Mapping[str, JsonValue], copies: tuple[MediumCopy, ...]
) -> DiskResult:
    key = item.disk.key
    try:
        done = _shifted(context, sanitisation(report, key, item.disk.size_bytes))
    except EvidenceError as error:
        return _failed(item, str(error), copies)
    present = [copy.provider_id for copy in copies if copy.outcome is CopyOutcome.PRESENT]
    verified = done.verification.result.value == "Passed"
    message = "" if verified else f"read-back: {done.verification.result.value}"
    if present:
        message = f"copies are still there: {', '.join(present)}"
    return DiskResult(
        server=item.server,
        disk=key,
        ok=verified and not present,
        message=message,
        sanitisation=done,
        copies=list(copies),
    )


def _failed(item: Leaving, message: str, copies: tuple[MediumCopy, ...]) -> DiskResult:
    return DiskResult(server=item.server, disk=item.disk.key, ok=False, message=message, copies=list(copies))


def _shifted(context: OrderContext, done: Sanitisation) -> Sanitisation:
    """The sanitiser's times on the operator's clock."""
    verification = done.verification.model_copy(update={"at": context.shifted(done.verification.at)})
    return done.model_copy(
        update={
            "started": context.shifted(done.started),
            "finished": context.shifted(done.finished),
            "verification": verification,
        }
    )
