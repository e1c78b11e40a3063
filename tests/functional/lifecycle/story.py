"""The main job as people live it: from the application to the certificate, on any pool."""

from __future__ import annotations

from typing import Any

from govpool.api.workorder import WorkOrder, WorkOrderKind
from tests.functional.lifecycle.world import NAMESPACE, REQUEST, ROOT, World, documents

UNIT = "liu"


async def stamp(world: World) -> str:
    return (await world.now()).isoformat().replace("+00:00", "Z")


async def apply_and_approve(world: World, name: str = REQUEST) -> None:
    await world.apply(world.application(name))
    await world.decide(by="acceptor", name=name)
    await world.decide(by="reviewer", name=name)


async def into_service(world: World, name: str = REQUEST) -> None:
    await world.phase("Trial", name, seconds=180)
    await world.advance("P32D")
    await world.stage("Reports", name)
    report = {"type": "Trial", "reference": "r-1", "sha256": "a" * 64, "at": await stamp(world), "by": UNIT}
    await world.confirm("reports", report, name)
    await world.stage("Confirmation", name)
    await world.confirm("delivery", {"by": UNIT, "at": await stamp(world), "statement": "确认"}, name)
    await world.phase("InService", name)


async def change(world: World, name: str = REQUEST) -> None:
    (patch,) = documents(ROOT / "examples" / "04-change.yaml")
    await world.edit(patch["spec"], name)
    await world.decide(by="reviewer", name=name)

    async def applied() -> bool:
        status = (await world.request(name)).status
        return bool(
            status
            and status.approved
            and status.applied
            and status.approved.revision == status.applied.revision
            and status.approved.revision > 1
            and status.phase.value == "InService"
        )

    await world.until(applied, "the change is carried out", 180)


async def deregister(world: World, name: str = REQUEST) -> None:
    await ask_to_deregister(world, name)
    await complete_deregistration(world, name)


async def ask_to_deregister(world: World, name: str = REQUEST) -> None:
    (patch,) = documents(ROOT / "examples" / "05-deregister.yaml")
    await world.edit(patch["spec"], name)
    await world.decide(by="reviewer", name=name)


async def complete_deregistration(world: World, name: str = REQUEST) -> None:
    """From the approved deregistration to its end: what the unit confirms on the way."""
    await world.stage("Backup", name, seconds=120)
    orders: list[Any] = [
        o
        for o in await world.kube.list(WorkOrder, namespace=NAMESPACE)
        if o.spec.work is WorkOrderKind.BACKUP and o.spec.request.name == name
    ]
    digest = orders[-1].status.receipt_sha256
    await world.confirm(
        "backups",
        {"by": UNIT, "at": await stamp(world), "statement": "已收到", "receiptSha256": digest},
        name,
    )
    request = await world.stage("Termination", name, seconds=180)
    approval = request.status.approved.approval if request.status and request.status.approved else ""
    await world.confirm(
        "terminations",
        {"by": UNIT, "at": await stamp(world), "statement": "服务终止", "approval": approval},
        name,
    )
    await world.phase("Deregistered", name)


async def whole(world: World, name: str = REQUEST) -> None:
    """From the application to the certificate."""
    await apply_and_approve(world, name)
    await into_service(world, name)
    await change(world, name)
    await deregister(world, name)
