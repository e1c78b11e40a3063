"""A Kopf operator in its own process: it sees objects, patches their status and posts events."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from .conftest import Api, Kind, Target

OPERATOR = """
import kopf

@kopf.on.startup()
def configure(settings, **_):
    settings.posting.loggers = False
    settings.networking.request_timeout = 60

@kopf.on.event("{group}", "v1", "widgets", labels={{"settled": kopf.ABSENT}})
async def seen(event, body, patch, **_):
    if event["type"] != "DELETED" and not (body.get("status") or {{}}).get("phase"):
        patch.status["phase"] = "Seen"
        kopf.event(body, type="Normal", reason="Seen", message="seen by kopf")
"""


@pytest.fixture
def operator(target: Target, group: str, tmp_path: Path) -> Iterator[Path]:
    source = tmp_path / "operator.py"
    source.write_text(OPERATOR.format(group=group))
    log = tmp_path / "log"
    with log.open("w") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", "kopf", "run", "--all-namespaces", "--standalone", str(source)],
            stdout=out, stderr=out, env=os.environ | {"KUBECONFIG": str(target.kubeconfig)},
        )  # fmt: skip
    yield log
    process.terminate()
    process.wait(20)


async def test_kopf_works_on_it(api: Api, widgets: Kind, operator: Path) -> None:
    await api.post(widgets.path, widgets.make("before"))
    phase = lambda r: (r.body.get("status") or {}).get("phase") == "Seen"  # noqa: E731
    await api.until(f"{widgets.path}/before", phase, 20)
    for index in range(20):
        await api.post(widgets.path, widgets.make(f"w{index}"))
    for index in range(20):
        await api.until(f"{widgets.path}/w{index}", phase)
    events = f"/api/v1/namespaces/{widgets.namespace}/events"
    await api.until(events, lambda r: len(r.body["items"]) >= 21)
    text = await asyncio.to_thread(operator.read_text)
    assert "Traceback" not in text
    assert "Failed" not in text, text
