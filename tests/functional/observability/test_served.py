"""One operator at work, seen from outside: its health, its metrics as the document has them, its log."""

from __future__ import annotations

import asyncio
import contextlib
import re
import urllib.error
import urllib.request
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from govpool.cli.api import connected, documents
from govpool.cli.crds import install
from govpool.effects.endpoint import Address
from govpool.effects.monitor import monitored
from govpool.effects.notify.config import NotifyConfig
from govpool.effects.operator import Options
from govpool.handlers import events
from govpool.lifecycle.leadership import Timing
from govpool.standalone.server import ControlPlane
from tests.functional.observability.notified import UNIT
from tests.functional.observability.receivers import receiver

ROOT = Path(__file__).parents[3]
DOCUMENT = ROOT / "docs/observability.md"
ROW = re.compile(r"^\| `(govpool_\w+)` \| (\w+) \| ([^|]*)\|", re.MULTILINE)


def documented() -> dict[str, tuple[str, frozenset[str]]]:
    """Every metric of the document with its type and labels."""
    rows = ROW.findall(DOCUMENT.read_text(encoding="utf-8"))
    return {name: (type_, frozenset(re.findall(r"`(\w+)`", labels))) for name, type_, labels in rows}


def get(port: int, path: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=30) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()
    except OSError:
        return 0, ""


async def until(port: int, path: str, *wanted: str) -> str:
    """The page once it is 200 and has all that is wanted."""
    async with asyncio.timeout(240):
        while True:
            status, text = await asyncio.to_thread(get, port, path)
            if status == 200 and all(part in text for part in wanted):
                return text
            await asyncio.sleep(0.05)


def free_port() -> int:
    import socket

    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


@contextlib.asynccontextmanager
async def operator(plane: ControlPlane, state: Path, *, hook: str = "") -> AsyncIterator[int]:
    """An operator that serves on the port."""
    port, stop = free_port(), asyncio.Event()
    secret = state.parent / "hook-secret"
    secret.write_text("s")
    # A name of its own: other operators of this process count as well.
    channel = {"name": "served-hook", "type": "webhook", "url": hook, "secret": {"file": str(secret)}}
    options = Options(
        plane.kubeconfig("operator"),
        state,
        election=Timing.of(60.0),
        address=Address("127.0.0.1", port),
        notifications=NotifyConfig.model_validate({"channels": [channel] if hook else []}),
    )
    running = asyncio.create_task(events.run(options, stop=stop))
    try:
        yield port
    finally:
        stop.set()
        await asyncio.wait_for(running, 60)


@pytest.fixture
async def plane(tmp_path: Path) -> AsyncIterator[ControlPlane]:
    async with ControlPlane(tmp_path / "plane", tls=False) as made:
        async with connected(made.kubeconfig("admin")) as api:
            await install(api)
            await api.ensure_namespace(UNIT)
        yield made


@pytest.mark.timeout(600)
async def test_an_operator_serves_what_the_document_says(plane: ControlPlane, tmp_path: Path) -> None:
    async with receiver() as hook, operator(plane, tmp_path / "first", hook=hook.url) as port:
        await until(port, "/readyz", "[+]listed: everything", "[+]streams: all move")
        async with connected(plane.kubeconfig("admin")) as api:
            for name in ("policies/yiyang-2025.yaml", "examples/01-supply.yaml", "examples/02-unit.yaml"):
                for document in documents(ROOT / name):
                    await api.apply(document)
            (request,) = documents(ROOT / "examples/03-request.yaml")
            request["metadata"]["namespace"] = UNIT  # type: ignore[index, call-overload]
            request["spec"]["pool"] = "fixture-pool"  # type: ignore[index, call-overload]
            await api.apply(request)
        told = await hook.after(1)
        assert told.json["to"] == "acceptor" and told.json["article"] == "YY-19(2)"
        text = await until(
            port,
            "/metrics",
            'govpool_clocks{state="running",step="Acceptance",who="acceptor"} 1.0',
            'govpool_notifications_total{channel="served-hook",result="sent"} 1.0',
            'govpool_provider_calls_total{call="list_machines",code="OK",pool="fixture-pool"}',
            'govpool_requests{phase="InReview"} 1.0',
            f'govpool_quota_limit{{namespace="{UNIT}",pool="fixture-pool",resource="vcpu"}}',
        )
        compare(text)


async def test_one_that_waits_for_the_lead_is_ready_and_counts_nothing_of_the_town() -> None:
    async with monitored(Address("127.0.0.1", 0)) as waiting:
        await until(waiting.port, "/readyz", "it waits for the lead")
        text = await until(waiting.port, "/metrics", "govpool_started 0.0")
        assert "govpool_clocks{" not in text and "govpool_quota_used{" not in text, "sums stay right"
        assert (await asyncio.to_thread(get, waiting.port, "/healthz"))[0] == 200


def compare(text: str) -> None:
    """The served families are the document's, with its types, and no label that it does not name."""
    served = {}
    for family in text_string_to_metric_families(text):
        if family.name.startswith("govpool_"):
            name = f"{family.name}_total" if family.type == "counter" else family.name
            labels = {label for sample in family.samples for label in sample.labels} - {"le"}
            served[name] = (family.type, labels)
    table = documented()
    assert len(table) > 40 and served.keys() == table.keys()
    for name, (type_, labels) in served.items():
        assert type_ == table[name][0], name
        assert labels <= table[name][1], name
        assert labels == table[name][1] or not labels, name
