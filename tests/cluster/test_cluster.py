"""On a real API server: the chart's roles and policies let the whole life through, and nothing forbidden."""

from __future__ import annotations

import asyncio
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from govpool.api.approval import Approval
from govpool.api.auditrecord import AuditRecord
from govpool.api.base import Resource
from govpool.api.baselinereport import BaselineReport
from govpool.api.cloudserver import CloudServer
from govpool.api.wipecertificate import WipeCertificate
from govpool.api.workorder import WorkOrder
from govpool.effects.kube import KubeError
from tests.cluster.acts import FORBIDDEN, PERMITTED, Act
from tests.cluster.world import ClusterWorld, cluster
from tests.functional.lifecycle import story
from tests.functional.lifecycle.world import NAMESPACE, REQUEST

pytest.importorskip("helm_python", reason="Helm's library has no wheel for this platform")
pytestmark = [pytest.mark.cluster, pytest.mark.slow, pytest.mark.timeout(900)]


@dataclass
class Tried:
    """What came of an act."""

    status: int
    message: str


async def attempt(world: ClusterWorld, act: Act, names: dict[str, str]) -> Tried:
    """Do it in that person's name; nothing is kept of what succeeds."""
    body: Any = json.loads(_filled(json.dumps(act.body), names)) if act.body is not None else None
    media = "application/merge-patch+json" if act.method == "PATCH" else "application/json"
    query = {} if act.method == "GET" else {"dryRun": "All"}
    try:
        await world.kubes[act.who]._request(act.method, _filled(act.path, names), query, body, media)
    except KubeError as error:
        return Tried(error.status, str(error))
    return Tried(200, "")


def _filled(text: str, names: dict[str, str]) -> str:
    for key, value in names.items():
        text = text.replace(f"<{key}>", value)
    return text


async def test_the_whole_life_as_the_chart_s_service_account(tmp_path: Path) -> None:
    kubeconfig = Path(os.environ["KUBECONFIG"].split(os.pathsep)[0])
    async with cluster(kubeconfig, tmp_path) as world, world.operator():
        await story.whole(world)
        (certificate,) = await world.kube.list(WipeCertificate, namespace=NAMESPACE)
        assert len(certificate.spec.media) == 6
        refused = [answer for answer in world.operator_door.answers if answer[2] in (401, 403)]
        assert refused == [], "the chart's roles lack what the operator needs"

        await world.apply(world.application("second"))
        names = await _names(world)
        wrong = []
        for act in (*PERMITTED, *FORBIDDEN):
            tried = await attempt(world, act, names)
            if tried.status not in act.answers or act.says not in tried.message:
                wrong.append(f"{act.who}: {act.what}: {tried.status} {tried.message}")
        assert not wrong, "\n".join(wrong)


async def _names(world: ClusterWorld) -> dict[str, str]:
    """What the acts are about: a second application that waits, and what the first one left behind."""
    approval: Approval | None = None

    async def waits() -> bool:
        nonlocal approval
        open_ = [a for a in await world.approvals("second") if a.status and a.status.step]
        approval = open_[0] if open_ else None
        return approval is not None

    await world.until(waits, "the second application waits")
    assert approval is not None

    async def first(kind: type[Resource]) -> str:
        return min(item.metadata.name for item in await world.kube.list(kind, namespace=NAMESPACE))

    decided = next(a for a in await world.approvals(REQUEST) if a.spec.decisions)
    kinds: dict[str, type[Resource]] = {
        "certificate": WipeCertificate,
        "report": BaselineReport,
        "record": AuditRecord,
        "order": WorkOrder,
        "server": CloudServer,
    }
    found = {name: await first(kind) for name, kind in kinds.items()}
    return {
        **found,
        "approval": approval.metadata.name,
        "decided": decided.metadata.name,
        "request": "second",
        "ns": NAMESPACE,
        "at": await story.stamp(world),
        "quota": "unit",
    }


async def test_doors_tell_identities_apart(tmp_path: Path) -> None:
    from tests.cluster.proxy import Identity, doors

    kubeconfig = Path(os.environ["KUBECONFIG"].split(os.pathsep)[0])
    who = Identity("somebody", ("some:group",))
    async with doors(kubeconfig, [who], tmp_path) as opened:
        from govpool.effects.kube import Kube

        kube = await Kube.connect(opened["somebody"][1])
        try:
            review = {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}
            answer: Any = await kube.post_path("/apis/authentication.k8s.io/v1/selfsubjectreviews", review)
        finally:
            await kube.close()
        await asyncio.sleep(0)
    assert answer["status"]["userInfo"]["username"] == "somebody"
    assert set(answer["status"]["userInfo"]["groups"]) == {"some:group", "system:authenticated"}
