"""Handover (交付): the unit's accounts, on record; the operator leaves; the proof from outside."""

from __future__ import annotations

import asyncio
import json
from typing import cast

from pydantic import JsonValue

from govpool.api.workorder import ServerResult
from govpool.effects import access
from govpool.effects import handover as playbook
from govpool.effects.executors.base import OrderContext, OrderResult
from govpool.effects.executors.runs import broken, first_failure, play, server_failed, targets
from govpool.effects.playbooks import PlaybookRun, Target

TIMEOUT = 900.0
ACCOUNTS = "accounts"


async def run(context: OrderContext) -> OrderResult:
    """Hand over all servers of the order; goes on from wherever an earlier run was killed."""
    found = await targets(context)
    if missing := [s.metadata.name for s in context.servers if s.metadata.name not in found]:
        return OrderResult(False, f"no address yet: {', '.join(missing)}", again=True)
    recorded = _recorded(context)
    made = await _make_accounts(context, {n: t for n, t in found.items() if n not in recorded})
    if isinstance(made, OrderResult):
        return made
    recorded |= made
    if made:
        await context.record(tuple(_on_record(name, accounts) for name, accounts in recorded.items()))
    return await _leave(context, found, recorded)


async def _make_accounts(context: OrderContext, found: dict[str, Target]) -> dict[str, str] | OrderResult:
    """Step 1; the accounts seen on each server, as JSON."""
    if not found:
        return {}
    result = await play(context, await _run(context, found, "accounts"))
    if (answer := broken(result)) is not None:
        return answer
    made: dict[str, str] = {}
    for name in found:
        accounts = playbook.unit_accounts(result, name)
        if accounts is None:
            return OrderResult(False, f"{name}: {first_failure(result, name)}")
        made[name] = json.dumps([{"name": a.name, "keys": a.key_fingerprints} for a in accounts])
    return made


async def _leave(context: OrderContext, found: dict[str, Target], recorded: dict[str, str]) -> OrderResult:
    """Steps 2 and 3: leave where the door is still open, then prove that it is shut."""
    attempts = await _try_the_doors(found)
    inside = {n: t for n, t in found.items() if attempts[n].login is playbook.Login.OPEN}
    if inside:
        # Leaving breaks the connection: what it says matters less than the door, which is tried next.
        await play(context, await _run(context, inside, "leave"))
        attempts |= await _try_the_doors(inside)
    results: list[ServerResult] = []
    for name, proof in attempts.items():
        if proof.login is playbook.Login.UNKNOWN:
            return OrderResult(
                False, f"{name}: could not tell whether the door is shut: {proof.summary()}", again=True
            )
        if not proof.locked_out:
            results.append(server_failed(name, f"the operator still gets in: {proof.summary()}"))
            continue
        facts = {
            "proof": proof.summary()[:1024],
            "hostKey": proof.host_key_fingerprint,
            ACCOUNTS: recorded[name][:1024],
        }
        results.append(ServerResult(server=name, ok=True, facts=facts))
    failed = [result.message for result in results if not result.ok]
    evidence = context.keep_json(
        "handover.json",
        cast(JsonValue, {result.server: dict(result.facts) for result in results}),
    )
    servers = {server.metadata.name: server for server in context.servers}

    async def forget_keys() -> None:
        for server in servers.values():
            await access.forget(context.kube, server)

    return OrderResult(
        not failed,
        "; ".join(failed),
        servers=tuple(results),
        evidence=(evidence,),
        afterwards=() if failed else (forget_keys,),
    )


async def _try_the_doors(found: dict[str, Target]) -> dict[str, playbook.LockoutProof]:
    """Try to get into every machine at once: sshd makes whoever it refuses wait."""
    proofs = await asyncio.gather(*(playbook.prove_locked_out(target) for target in found.values()))
    return dict(zip(found, proofs, strict=True))


async def _run(context: OrderContext, found: dict[str, Target], phase: str) -> PlaybookRun:
    accounts: list[JsonValue] = [
        {"name": admin.name, "keys": list(admin.ssh_public_keys), "sudo": "nopasswd"}
        for admin in context.request.spec.administrators
    ]
    # Every machine has an operator key of its own, which must go with the operator.
    keys: dict[str, JsonValue] = {
        server.metadata.name: (await access.keys_of(context.kube, server)).operator_public
        for server in context.servers
        if server.metadata.name in found
    }
    return PlaybookRun(
        playbook.PLAYBOOK,
        context.order.spec.run_key,
        tuple(found.values()),
        {"handover_phase": phase, "handover_accounts": accounts, "operator_public_keys": keys},
        timeout=TIMEOUT,
    )


def _recorded(context: OrderContext) -> dict[str, str]:
    """The accounts that an earlier run of this order put on record."""
    results = context.order.status.servers if context.order.status else []
    return {result.server: result.facts[ACCOUNTS] for result in results if ACCOUNTS in result.facts}


def _on_record(name: str, accounts: str) -> ServerResult:
    return ServerResult(server=name, ok=False, message="accounts made", facts={ACCOUNTS: accounts[:1024]})
