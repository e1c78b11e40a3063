"""What a person of the provider reports of a work order that he carried out."""

from __future__ import annotations

import hashlib

from govpool.api.workorder import WorkOrder
from govpool.effects.kube import Json
from govpool.rules.outcome import OF_EACH_SERVER, OF_THE_WHOLE

SCORE = "100"
FIRST_ADDRESS = 10
NETWORK = "192.0.2"
"""Addresses for documentation (RFC 5737)."""


def reported(order: WorkOrder, today: str) -> Json:
    """``facts`` and ``servers`` of an outcome, as somebody would give them who did his work.

    See :func:`govpool.rules.outcome.lacks`. Made up, and always the same for the same order.
    """
    whole: Json = {fact: _fact(fact, order, "", 0, today) for fact in OF_THE_WHOLE.get(order.spec.work, ())}
    wanted = OF_EACH_SERVER.get(order.spec.work, ())
    servers: list[Json] = [
        {"server": name, "facts": {fact: _fact(fact, order, name, place, today) for fact in wanted}}
        for place, name in enumerate(order.spec.servers)
    ]
    return {"facts": whole, "servers": [*servers] if wanted else []}


def _fact(fact: str, order: WorkOrder, server: str, place: int, today: str) -> str:
    name = f"{order.spec.work.value} {server or order.metadata.name} {today}"
    match fact:
        case "address":
            return f"{NETWORK}.{FIRST_ADDRESS + place % 200}"
        case "score":
            return SCORE
        case "sha256" | "receiptSha256":
            return hashlib.sha256(name.encode()).hexdigest()
        case _:
            return name
