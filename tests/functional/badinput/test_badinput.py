"""Bad manifests, each with what it is told: at the door by the API server, or in a condition by govpool.

The head of each file says which. `# refused: TEXT`: the API server refuses the last document with that text,
and takes those before. `# condition: TYPE STATUS REASON: TEXT`: the server takes it, and govpool says so in
that condition; `# approved first`: after the people of its steps have approved it.
"""

from __future__ import annotations

import asyncio
import re
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest
from door import Server, collection, documents
from rule_cases import Obj
from tenacity import retry, retry_if_result, stop_after_delay, wait_fixed

from govpool.effects.operator import Options
from govpool.handlers import events

HERE = Path(__file__).parent
HEAD = re.compile(
    r"^# refused: (?P<refused>.+)$"
    r"|^# condition: (?P<type>\w+) (?P<status>True|False|Unknown) (?P<reason>\w+): (?P<told>.+)$",
    re.MULTILINE,
)


@dataclass(frozen=True)
class Manifest:
    """A file of bad input and what it is told."""

    name: str
    documents: list[Obj]
    refused: str | None
    condition: tuple[str, str, str, str] | None
    approved_first: bool


def manifests() -> list[Manifest]:
    found = []
    for path in sorted(HERE.glob("*.yaml")):
        text = path.read_text(encoding="utf-8")
        heads = list(HEAD.finditer(text))
        assert len(heads) == 1, f"{path.name} says what it is told once"
        head = heads[0]
        condition = (head["type"], head["status"], head["reason"], head["told"]) if head["type"] else None
        approved = "# approved first" in text
        found.append(Manifest(path.stem, documents(path), head["refused"], condition, approved))
    return found


AT_THE_DOOR = [each for each in manifests() if each.refused]
BY_CONDITION = [each for each in manifests() if each.condition]


def test_there_are_enough_of_both_sorts() -> None:
    assert len(AT_THE_DOOR) >= 40
    assert len(BY_CONDITION) >= 15


@pytest.mark.parametrize("manifest", AT_THE_DOOR, ids=lambda manifest: manifest.name)
def test_the_server_refuses_at_the_door(server: Server, manifest: Manifest) -> None:
    *taken, bad = manifest.documents
    try:
        for good in taken:
            made = server.create(good)
            assert made.code == 201, made.message
        answer = server.replace(bad) if taken else server.create(bad)
        assert answer.code in (400, 422), answer.body
        assert manifest.refused is not None
        assert manifest.refused in answer.message
    finally:
        server.clear(bad)


@pytest.fixture(scope="module")
def governed(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The server with an operator at work, and what requests are judged against."""
    for each in documents(HERE / "context/supply.yaml"):
        made = server.apply(each) if each["kind"] == "Namespace" else server.create(each)
        assert made.code in (200, 201), made.message
    options = Options(server.kubeconfigs["operator"], tmp_path_factory.mktemp("operator"))
    running: list[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = []
    started, failure = threading.Event(), []

    async def operate() -> None:
        running.append((asyncio.get_running_loop(), asyncio.Event()))
        started.set()
        await events.run(options, stop=running[0][1])

    def run() -> None:
        try:
            asyncio.run(operate())
        except BaseException as exc:
            failure.append(exc)

    thread = threading.Thread(target=run)
    thread.start()
    started.wait()
    try:
        yield server
    finally:
        loop, stop = running[0]
        loop.call_soon_threadsafe(stop.set)
        thread.join(timeout=60)
        assert not thread.is_alive(), "the operator ends when it is told to"
        for each in reversed(documents(HERE / "context/supply.yaml")):
            if each["kind"] != "Namespace":
                server.clear(each)
    assert failure == []


@pytest.mark.parametrize("manifest", BY_CONDITION, ids=lambda manifest: manifest.name)
def test_govpool_says_so_in_a_condition(governed: Server, manifest: Manifest) -> None:
    (request,) = manifest.documents
    made = governed.create(request)
    assert made.code == 201, made.message
    try:
        if manifest.approved_first:
            _approve(governed, request)
        assert manifest.condition is not None
        kind, status, reason, told = manifest.condition
        found = _condition(governed, request, kind, reason)
        assert (found["status"], found["reason"]) == (status, reason), found
        assert told in found["message"]
        assert found["observedGeneration"] == made.body["metadata"]["generation"]
        assert _made_for(governed, request) == [], "nothing is opened for a refused application"
    finally:
        governed.clear(request)


def _conditions(server: Server, obj: Obj) -> list[Obj]:
    stored = server.send("GET", f"{collection(obj)}/{obj['metadata']['name']}").body
    conditions: list[Obj] = stored.get("status", {}).get("conditions", [])
    return conditions


def _condition(server: Server, obj: Obj, kind: str, reason: str) -> Obj:
    """The condition once it is there with that reason; as it stands when that does not come about."""
    last: list[Obj] = []

    @retry(
        stop=stop_after_delay(20),
        wait=wait_fixed(0.1),
        retry=retry_if_result(lambda found: found is None),
        retry_error_callback=lambda _: None,
    )
    def wait() -> Obj | None:
        last[:] = _conditions(server, obj)
        return next((each for each in last if each["type"] == kind and each["reason"] == reason), None)

    found = wait()
    assert found is not None, f"no condition {kind} with reason {reason}, but {last}"
    return found


@retry(stop=stop_after_delay(20), wait=wait_fixed(0.1), retry=retry_if_result(lambda found: not found))
def _approvals(server: Server, request: Obj) -> list[Obj]:
    path = collection({"kind": "Approval", "metadata": request["metadata"]})
    listed = server.send("GET", path).body["items"]
    return [each for each in listed if each["spec"]["request"]["name"] == request["metadata"]["name"]]


def _approve(server: Server, request: Obj) -> None:
    """Every step of the request's Approval is approved by a user of its role."""
    approval = _approvals(server, request)[0] | {"apiVersion": request["apiVersion"], "kind": "Approval"}
    approval["spec"]["decisions"] = [
        {
            "stage": step["stage"],
            "verdict": "Approve",
            "by": step["role"],
            "at": datetime.now(UTC).isoformat(timespec="seconds"),
        }
        for step in approval["spec"]["steps"]
    ]
    given = server.replace(approval)
    assert given.code == 200, given.message


def _made_for(server: Server, request: Obj) -> list[str]:
    """Names of the servers that were opened for a request."""
    path = collection({"kind": "CloudServer", "metadata": request["metadata"]})
    listed = server.send("GET", path).body["items"]
    name = request["metadata"]["name"]
    return [each["metadata"]["name"] for each in listed if each["spec"]["request"]["name"] == name]
