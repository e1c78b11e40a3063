"""The operator's rights against a recorded life: nothing is missing, nothing is spare."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path

import pytest

from govpool.api.cloudserver import CloudServer
from govpool.api.rectificationnotice import RectificationNotice
from govpool.effects.operator import Options
from govpool.handlers.events import run
from govpool.lifecycle.leadership import Timing
from tests.chart.charts import NAMESPACE, objects
from tests.chart.rbac import grants
from tests.chart.recorded import Recorder, missing
from tests.functional.lifecycle import story
from tests.functional.lifecycle.world import NAMESPACE as UNIT
from tests.functional.lifecycle.world import World, world

pytest.importorskip("helm_python", reason="Helm's library has no wheel for this platform")
ACCOUNT = {"kind": "ServiceAccount", "name": "govpool", "namespace": NAMESPACE}


async def live(town: World) -> None:
    """The whole life of a system that idles for a while, so that govpool gives a notice."""
    await story.apply_and_approve(town)
    await story.into_service(town)
    await idle(town)
    await story.change(town)
    await story.deregister(town)


async def idle(town: World) -> None:
    """Nobody uses the servers for months, the provider measures it, and the notice is there."""
    await town.advance("P120D")
    now = await town.now()
    usage = {
        "recordedAt": now.isoformat(),
        "recordedBy": "admin",
        "observedUntil": now.isoformat(),
        "source": "monitoring",
        "inUse": True,
        "idleSince": (now - timedelta(days=100)).date().isoformat(),
        "lastBusinessData": (now - timedelta(days=100)).date().isoformat(),
    }
    for server in await town.kube.list(CloudServer, namespace=UNIT):
        path = f"/apis/govpool.dev/v1alpha1/namespaces/{UNIT}/cloudservers/{server.metadata.name}/status"
        patch = "application/merge-patch+json"
        await town.kube._request("PATCH", path, body={"status": {"usage": usage}}, content_type=patch)

    async def noticed() -> bool:
        notices = await town.kube.list(RectificationNotice, namespace=UNIT)
        return any(notice.status is not None for notice in notices)

    await town.until(noticed, "a notice of govpool's own", 60)


@pytest.mark.timeout(300)
async def test_the_operator_may_do_what_it_does_and_nothing_else(tmp_path: Path) -> None:
    recorder = Recorder()
    async with world(tmp_path, faults=recorder) as town:
        stop = asyncio.Event()
        options = Options(town.operators, town.state, election=Timing())
        task = asyncio.create_task(run(options, stop=stop))
        try:
            await live(town)
        finally:
            stop.set()
            await asyncio.wait_for(task, 30)
    allowed = grants(objects(), ACCOUNT)
    assert missing(lambda wanted: any(grant.covers(wanted) for grant in allowed), recorder.seen) == []
    spare = [grant for grant in allowed if not any(grant.covers(wanted) for wanted in recorder.seen)]
    assert spare == []
