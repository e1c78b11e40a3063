"""Work orders on fixture pools: no machine, no Ansible, no disk; what is checked is the way through them.

Reports and proofs made here say that they are simulated, in the names of tool and control.
"""

from __future__ import annotations

import hashlib
from datetime import datetime
from typing import cast

from pydantic import JsonValue

from govpool.api.cloudpolicy import BaselineRule
from govpool.api.workorder import ServerResult
from govpool.effects import access
from govpool.effects import baseline as controls
from govpool.effects.executors import backup, baseline, wipe
from govpool.effects.executors.base import OrderContext, OrderResult
from govpool.effects.executors.disks import leaving, on_sanitiser
from govpool.rules.baseline import BaselineOutcome, ControlDefinition, ModuleResult, Tolerance, evaluate
from govpool.rules.remembered import once
from govpool_providers.base import Disk
from govpool_providers.fixture import FixtureProvider

TOOL = "simulated"
MENDED_EVERY = 7
"""Every so many controls the simulation finds one failing and mends it."""
FAILING = "simulate.failing_controls"
"""Setting of a fixture pool: ids of controls, with commas between them, that fail and can't be mended."""


async def run_baseline(context: OrderContext) -> OrderResult:
    """Controls are found to pass in the end but for those that the pool's settings name; some are mended."""
    level = controls.playbook_level(context.request.spec.system.protection_level)
    failing = context.pool.spec.connection.settings.get(FAILING, "")
    outcome = _found(controls.definitions(), context.policy.spec.baseline, failing, level)
    return baseline.conclude(context, {server.metadata.name: outcome for server in context.servers})


@once
def _found(
    definitions: tuple[ControlDefinition, ...], rule: BaselineRule, failing: str, level: int
) -> BaselineOutcome:
    before: list[ModuleResult] = [
        _control(d.id, d.clause, ok=index % MENDED_EVERY != 0) for index, d in enumerate(definitions)
    ]
    named = failing.split(",")
    after: list[ModuleResult] = [
        _control(d.id, d.clause, ok=d.id not in named, mended=index % MENDED_EVERY == 0)
        for index, d in enumerate(definitions)
    ]
    tolerance = Tolerance(rule.min_score, frozenset(rule.waivable))
    return evaluate(definitions, before, after, level, tolerance)


def _control(id_: str, clause: str, *, ok: bool, mended: bool = False) -> dict[str, JsonValue]:
    return {
        "id": id_,
        "clause": clause,
        "expected": "simulated",
        "found": "simulated: as expected" if ok else "simulated: otherwise",
        "result": "pass" if ok else "fail",
        "mended": mended and ok,
        "effective": True,
        "detail": "",
    }


async def run_handover(context: OrderContext) -> OrderResult:
    """The keys are destroyed; there is no door to try."""
    proof = "simulated: a fixture pool has no machine to log in to"
    results = tuple(
        ServerResult(server=s.metadata.name, ok=True, facts={"proof": proof}) for s in context.servers
    )

    async def forget_keys() -> None:
        for server in context.servers:
            await access.forget(context.kube, server)

    evidence = context.keep_json("handover.json", {r.server: proof for r in results})
    return OrderResult(True, servers=results, evidence=(evidence,), afterwards=(forget_keys,))


async def run_backup(context: OrderContext) -> OrderResult:
    """A receipt for each disk the pool lists."""
    disks = await leaving(context)
    if not disks:
        return OrderResult(False, "the pool lists no disk of these servers: find out who removed them")
    # The receipt is the same when the run is repeated, as an adopted snapshot would be.
    taken = (context.order.status.started if context.order.status else None) or context.clock.now()
    async with on_sanitiser(context, disks):
        receipts = {item.disk.key: _receipt(item.disk, taken - context.clock.ahead) for item in disks}
    return backup.conclude(context, disks, receipts, {})


def _receipt(disk: Disk, taken: datetime) -> dict[str, JsonValue]:
    digest = hashlib.sha256(disk.key.encode()).hexdigest()
    return {
        "disk_key": disk.key,
        "place": "simulated",
        "snapshot": digest[:16],
        "tree": digest,
        "manifest_sha256": digest,
        "bytes": disk.size_bytes,
        "files": 1,
        "taken": taken.isoformat(),
    }


async def run_wipe(context: OrderContext) -> OrderResult:
    """The fixture's own record of each disk is overwritten."""
    disks = await leaving(context)
    if not disks:
        return OrderResult(False, "the pool lists no disk of these servers: find out who removed them")
    provider = cast(FixtureProvider, context.provider.provider)
    copies = await wipe.remove_copies(context, disks)
    started = context.clock.now() - context.clock.ahead
    async with on_sanitiser(context, disks):
        for item in disks:
            key = item.disk.key
            await context.provider.insist(lambda key=key: provider.mark_wiped(key))  # type: ignore[misc]
    finished = context.clock.now() - context.clock.ahead
    reports = {item.disk.key: _wipe_report(context, item.disk, started, finished) for item in disks}
    return wipe.conclude(context, disks, reports, copies, {})


def _wipe_report(
    context: OrderContext, disk: Disk, started: datetime, finished: datetime
) -> dict[str, JsonValue]:
    nothing: JsonValue = {"count": 0, "bytes": 0, "ranges": []}
    return {
        "disk_key": disk.key,
        "run_key": context.order.spec.run_key,
        "result": "Verified",
        "technique_class": "Clear",
        "tool": TOOL,
        "tool_version": TOOL,
        "key_fingerprint": "0" * 32,
        "size_bytes": disk.size_bytes,
        "bytes_written": disk.size_bytes,
        "bytes_verified": disk.size_bytes,
        "bytes_per_second": disk.size_bytes,
        "write_errors": nothing,
        "verify_errors": nothing,
        "mismatches": nothing,
        "started_at": started.isoformat(),
        "verified_at": finished.isoformat(),
        "finished_at": finished.isoformat(),
        "verification": {"method": "Full", "share": 1.0, "seed": "", "block_bytes": 65536, "blocks_read": 1},
        "read_back": [TOOL],
        "discard": {"result": "Done", "message": TOOL},
    }
