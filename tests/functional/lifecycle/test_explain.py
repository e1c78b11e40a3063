"""Every decision is explained from the audit trail, also when the request is long gone."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

from typer.testing import CliRunner

from govpool.api.auditrecord import AuditRecord
from govpool.api.cloudresourcerequest import CloudResourceRequest
from govpool.cli.main import app
from govpool.effects.kube import KubeError
from tests.functional.faults.endings import anchor_of, trail_whole
from tests.functional.lifecycle import story
from tests.functional.lifecycle.world import NAMESPACE, REQUEST, World, world

WIDTH = "200"


async def told(town: World, *arguments: str) -> tuple[int, str]:
    """What a command of the viewer's answers, in a thread of its own."""
    runner = CliRunner(env={"COLUMNS": WIDTH, "KUBECONFIG": "", "LANG": "C"})
    given = [*arguments, "--kubeconfig", str(town.operators.parent / "viewer.kubeconfig")]
    answer = await asyncio.to_thread(runner.invoke, app, given)
    return answer.exit_code, answer.output


async def test_from_application_to_its_deletion(tmp_path: Path) -> None:
    async with world(tmp_path) as town:
        async with town.operator():
            await story.apply_and_approve(town)
            await story.into_service(town)
            await story.change(town)
            code, early = await told(town, "explain", REQUEST, "-n", NAMESPACE, "--language", "en")
            assert code == 0, early
            assert "nothing is due" in early
            await story.deregister(town)
            await trail_whole(town)
            before = len(await town.kube.list(AuditRecord, namespace=NAMESPACE))
            await town.kube.delete(await town.request())
            await town.until(lambda: _gone(town), "the request is gone")
            await town.until(lambda: _anchored(town, before + 1), "its end is anchored")
        code, text = await told(town, "explain", REQUEST, "-n", NAMESPACE, "--language", "en")
        assert code == 0, text
        for expected in (
            "Classified: New",
            "rules.change.classify",
            "With term.kind Emergency and its cause",
            "Acceptance: Approve",
            "Review: Approve",
            "article 19(2)",
            "BillingStarted",
            "Confirmed one day later, billing would have started",
            "score wanted: ",
            "Certificate",
            "LetGo",
            "the request is gone, and its trail stays",
        ):
            assert expected in text, expected
        code, chinese = await told(town, "explain", REQUEST, "-n", NAMESPACE, "--language", "zh")
        assert code == 0, chinese
        assert "《" in chinese and "第十九条第（二）项" in chinese and "若晚一日确认交付" in chinese
        code, plain = await told(
            town, "explain", REQUEST, "-n", NAMESPACE, "--format", "json", "--language", "en"
        )
        document = json.loads(plain)
        assert document["deleted"] is True
        assert all(d["article"] and d["citation"] and d["outcome"] for d in document["decisions"])
        keys = {d["what"] for d in document["decisions"]}
        assert {"Trial", "Wipe", "Reclaim", "Termination", "BillingEnded", "LetGo"} <= keys
        await _proven(town, tmp_path)


async def _gone(town: World) -> bool:
    try:
        await town.kube.get(CloudResourceRequest, REQUEST, NAMESPACE)
    except KubeError as error:
        return error.absent
    return False


async def _anchored(town: World, sequence: int) -> bool:
    anchor = await anchor_of(town)
    return anchor is not None and anchor.sequence >= sequence


async def _proven(town: World, tmp_path: Path) -> None:
    """In the cluster and out of it; and what is done to either is seen."""
    exported = tmp_path / "trail.jsonl"
    code, text = await told(
        town, "audit", "verify", "-n", NAMESPACE, "--language", "en", "--export", str(exported)
    )
    assert code == 0, text
    assert text.startswith("whole")
    code, text = await told(town, "audit", "verify", str(exported), "--language", "zh")
    assert code == 0 and text.startswith("完整"), text
    lines = exported.read_text().splitlines()
    exported.write_text("\n".join([*lines[:2], *lines[3:]]))
    code, text = await told(town, "audit", "verify", str(exported), "--language", "en")
    assert code == 1 and "Gap  audit-00000003" in text, text
    last = max(await town.kube.list(AuditRecord, namespace=NAMESPACE), key=lambda r: r.spec.sequence)
    await town.kube.delete(last)
    code, text = await told(town, "audit", "verify", "--all", "--language", "en")
    assert code == 1 and f"Cut  {last.metadata.name}" in text, text
