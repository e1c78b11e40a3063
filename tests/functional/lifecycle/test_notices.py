"""Notices carried out: a server cut off and connected again, switched off and on, a system forced out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from govpool.api.approval import Approval
from govpool.api.base import Resource
from govpool.api.cloudserver import CloudServer, ServerPhase
from govpool.api.rectificationnotice import RectificationNotice
from govpool.api.tenantquota import Standing, TenantQuota
from govpool.api.wipecertificate import WipeCertificate
from govpool_providers.local.network import answers_ssh
from tests.functional.lifecycle import story
from tests.functional.lifecycle.test_local_pool import with_local_pool
from tests.functional.lifecycle.world import NAMESPACE, REQUEST, ROOT, World, documents, world
from tests.local_pools import local_pool

RULES: list[dict[str, Any]] = [
    {"finding": "GraveDanger", "atOnce": ["Isolation"], "article": "22(4)"},
    {
        "finding": "Vulnerability",
        "clock": "P1M",
        "enforcement": ["ForcedShutdown", "Deregistration"],
        "article": "22(4)",
    },
]
"""What the test's policy has beside the shipped one's, or in their place."""


async def under_these_rules(town: World) -> None:
    (policy,) = documents(ROOT / "policies" / "yiyang-2025.yaml")
    ours = {rule["finding"] for rule in RULES}
    notices = policy["spec"]["rectification"]["notices"]
    policy["spec"]["rectification"]["notices"] = [n for n in notices if n["finding"] not in ours] + RULES
    await town.apply(policy)


async def give(town: World, finding: str, name: str) -> RectificationNotice:
    request = await town.request()
    notice = {
        "apiVersion": "govpool.dev/v1alpha1",
        "kind": "RectificationNotice",
        "metadata": {"name": name, "namespace": NAMESPACE},
        "spec": {
            "request": {"name": REQUEST, "uid": request.metadata.uid},
            "policy": "yiyang-2025",
            "finding": finding,
            "detail": "scans the network",
            "demand": "find the cause",
            "issued": await story.stamp(town),
            "issuedBy": "reviewer",
        },
    }
    await town.apply(notice)
    return await town.kube.get(RectificationNotice, name, NAMESPACE)


async def decide(town: World, name: str, verdict: str, *enforcement: str) -> None:
    notice = await town.kube.get(RectificationNotice, name, NAMESPACE)
    given = [d.model_dump(mode="json", by_alias=True) for d in notice.spec.decisions]
    more = {"verdict": verdict, "by": "reviewer", "at": await story.stamp(town), "opinion": "seen"}
    decisions: Any = [*given, {**more, "enforcement": list(enforcement)}]
    await town.kube.merge(notice, {"spec": {"decisions": decisions}})


async def all_servers(town: World) -> list[CloudServer]:
    found: list[Resource] = list(await town.kube.list(CloudServer, namespace=NAMESPACE))
    return [server for server in found if isinstance(server, CloudServer) and server.status]


async def until_servers(town: World, what: str, **wanted: object) -> list[CloudServer]:
    async def there() -> bool:
        servers = await all_servers(town)
        return bool(servers) and all(
            getattr(server.status, name) == value for server in servers for name, value in wanted.items()
        )

    await town.until(there, what, 120)
    return await all_servers(town)


def reachable(servers: list[CloudServer]) -> list[bool]:
    return [answers_ssh(address) for s in servers if s.status for address in s.status.addresses]


async def until_reachable(town: World, servers: list[CloudServer]) -> None:
    async def answer() -> bool:
        return all(reachable(servers))

    await town.until(answer, "SSH answers", 60)


@pytest.mark.root
@pytest.mark.slow
@pytest.mark.timeout(420)
async def test_a_real_machine_is_cut_off_and_switched_off_and_comes_back(tmp_path: Path) -> None:
    with local_pool("local-pool", 7) as connection:
        async with world(tmp_path) as town:
            await with_local_pool(town, tmp_path, connection)
            await under_these_rules(town)
            async with town.operator():
                await town.apply(town.application(pool="local-pool"))
                await town.decide(by="acceptor")
                await town.decide(by="reviewer")
                await town.phase("Trial", seconds=240)
                servers = await until_servers(town, "handed over", phase=ServerPhase.HANDED_OVER)
                assert all(reachable(servers))

                await give(town, "GraveDanger", "attack")
                cut = await until_servers(town, "cut off", isolated=True)
                assert not any(reachable(cut))
                assert [[h.notice for h in s.status.holds] for s in cut if s.status] == [["attack"]] * 2
                await decide(town, "attack", "Rectified")
                await until_servers(town, "connected again", isolated=False, holds=[])
                await until_reachable(town, servers)

                await give(town, "Vulnerability", "holes")
                await decide(town, "holes", "NotRectified", "ForcedShutdown")
                off = await until_servers(town, "switched off", phase=ServerPhase.STOPPED)
                assert not any(reachable(off))
                assert (await town.request()).status.phase.value == "Trial"  # type: ignore[union-attr]
                await decide(town, "holes", "Rectified")
                await until_servers(town, "on again", phase=ServerPhase.HANDED_OVER, holds=[])
                await until_reachable(town, servers)


@pytest.mark.timeout(240)
async def test_a_forced_deregistration_goes_the_whole_proven_way(tmp_path: Path) -> None:
    async with world(tmp_path) as town:
        await under_these_rules(town)
        async with town.operator():
            await story.apply_and_approve(town)
            await story.into_service(town)
            before = [a.metadata.name for a in await town.kube.list(Approval, namespace=NAMESPACE)]
            await give(town, "Vulnerability", "holes")
            await decide(town, "holes", "NotRectified", "Deregistration")
            await story.complete_deregistration(town)
            (certificate,) = await town.kube.list(WipeCertificate, namespace=NAMESPACE)
            proof = certificate.spec.deregistration
            assert proof is not None
            assert (proof.approval, proof.decided_by, proof.reason) == ("holes", "reviewer", "ForcedByNotice")
            after = [a.metadata.name for a in await town.kube.list(Approval, namespace=NAMESPACE)]
            assert after == before, "the decision stands in the notice and nowhere else"


@pytest.mark.timeout(120)
async def test_yy_22_4_a_unit_is_issued_nothing_until_its_notice_is_closed(tmp_path: Path) -> None:
    async with world(tmp_path) as town, town.operator():
        await story.apply_and_approve(town)
        await town.phase("Trial", seconds=60)
        await give(town, "OtherUse", "mining")
        await decide(town, "mining", "NotRectified", "StopIssuing")

        async def standing(wanted: Standing, cause: str | None) -> None:
            async def so() -> bool:
                quota = await town.kube.get(TenantQuota, "unit", NAMESPACE)
                status = quota.status
                return status is not None and (status.standing, status.standing_cause) == (wanted, cause)

            await town.until(so, f"standing {wanted.value}")

        await standing(Standing.ISSUING_STOPPED, "mining")
        await decide(town, "mining", "Withdrawn")
        await standing(Standing.GOOD, None)
