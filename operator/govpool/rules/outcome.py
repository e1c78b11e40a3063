"""What a person who reports on a work order has to say, so that anything can follow from it.

It is what was declared: govpool writes it down, shows it as such, and proves nothing with it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from govpool.api.workorder import ManualOutcome, WorkOrderKind, WorkOrderSpec

OF_EACH_SERVER: Mapping[WorkOrderKind, tuple[str, ...]] = {
    WorkOrderKind.PROVISION: ("address",),
    WorkOrderKind.BASELINE: ("report", "score"),
}
"""What is reported of each server."""
OF_THE_WHOLE: Mapping[WorkOrderKind, tuple[str, ...]] = {
    WorkOrderKind.BACKUP: ("receiptSha256",),
    WorkOrderKind.WIPE: ("reference", "sha256"),
}
"""What is reported once: the receipt that the unit confirms, and the record of the destruction."""
_SHA256 = re.compile(r"^[0-9a-f]{64}$")


def lacks(order: WorkOrderSpec, outcome: ManualOutcome) -> tuple[str, ...]:
    """What an outcome leaves out or has malformed; nothing where the work failed, its statement is enough."""
    if not outcome.succeeded:
        return ()
    missing = [fact for fact in OF_THE_WHOLE.get(order.work, ()) if not _good(fact, outcome.facts)]
    given = {one.server: one.facts for one in outcome.servers}
    for server in order.servers:
        facts = given.get(server, {})
        missing += [
            f"{server}:{fact}" for fact in OF_EACH_SERVER.get(order.work, ()) if not _good(fact, facts)
        ]
    return tuple(missing)


def _good(fact: str, facts: Mapping[str, str]) -> bool:
    value = facts.get(fact, "").strip()
    if fact in ("sha256", "receiptSha256"):
        return _SHA256.match(value) is not None
    if fact == "score":
        return value.isascii() and value.isdigit() and int(value) <= 100
    return bool(value)
