"""Embedded only: what was acknowledged is on disk, whatever happens to the process."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import sqlite3
import stat
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest

from govpool.standalone.authz import DEFAULT_USERS
from govpool.standalone.server import ControlPlane

from .conftest import WIDGET_SCHEMA, Api, Kind, connect, definition

MAPS = "/api/v1/namespaces/default/configmaps"


@asynccontextmanager
async def process(state: Path) -> AsyncIterator[asyncio.subprocess.Process]:
    """A control plane in a process of its own, ready."""
    path = os.pathsep.join(p for p in sys.path if p)
    started = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "govpool.standalone", "--state-dir", str(state),
        stdout=asyncio.subprocess.PIPE, env=os.environ | {"PYTHONPATH": path},
    )  # fmt: skip
    assert started.stdout is not None
    line = await asyncio.wait_for(started.stdout.readline(), 20)
    assert line.startswith(b"https://127.0.0.1:")
    try:
        yield started
    finally:
        if started.returncode is None:
            started.kill()
            await started.wait()


class Ledger(dict[str, int]):
    """What was acknowledged: name -> the value that must stay; -1 while a deletion is on its way."""

    def __init__(self) -> None:
        super().__init__()
        self._grown = asyncio.Event()

    def __setitem__(self, name: str, value: int) -> None:
        super().__setitem__(name, value)
        self._grown.set()

    async def reached(self, count: int) -> None:
        while len(self) < count:
            self._grown.clear()
            await self._grown.wait()


async def _storm(api: Api, worker: int, acknowledged: Ledger, deleted: set[str]) -> None:
    """Create, patch and delete until the server dies; note only what it acknowledged."""
    index = 0
    try:
        while True:
            name = f"w{worker}-{index}"
            reply = await api.post(MAPS, {"metadata": {"name": name}, "data": {"n": "0"}})
            assert reply.code == 201, reply.message
            acknowledged[name] = 0
            reply = await api.patch(f"{MAPS}/{name}", {"data": {"n": "1"}})
            assert reply.code == 200, reply.message
            acknowledged[name] = 1
            if index % 3 == 0:
                acknowledged[name] = -1  # from here either answer is right until the deletion is acknowledged
                await api.delete(f"{MAPS}/{name}")
                deleted.add(name)
            index += 1
    except (aiohttp.ClientError, ConnectionError, TimeoutError):
        return


async def test_kill_in_a_write_storm_loses_nothing(tmp_path: Path) -> None:
    state = tmp_path / "state"
    chance = random.Random(20261121)
    acknowledged = Ledger()
    deleted: set[str] = set()
    highest = 0
    for round_ in range(4):
        async with process(state) as running, connect(state / "admin.kubeconfig") as api:
            listed = (await api.get(MAPS)).body
            found = {i["metadata"]["name"]: int(i["data"]["n"]) for i in listed["items"]}
            for name, wanted in acknowledged.items():
                if name in deleted:
                    assert name not in found, f"{name} came back"
                elif wanted >= 0:
                    assert found.get(name, -9) >= wanted, f"{name} was acknowledged and is lost"
            assert int(listed["metadata"]["resourceVersion"]) >= highest
            if round_ == 3:
                break
            before = len(acknowledged)
            storm = [
                asyncio.create_task(_storm(api, round_ * 100 + n, acknowledged, deleted)) for n in range(16)
            ]
            await asyncio.wait_for(acknowledged.reached(before + 50), 20)
            await asyncio.sleep(chance.uniform(0.05, 0.4))
            highest = int((await api.get(MAPS)).rv)
            running.send_signal(signal.SIGKILL)
            await running.wait()
            await asyncio.gather(*storm)
    assert len(acknowledged) > 150
    assert deleted


async def test_sigterm_closes_watches_within_two_seconds(tmp_path: Path) -> None:
    state = tmp_path / "state"
    async with process(state) as running, connect(state / "admin.kubeconfig") as api:
        async with api.watch(MAPS) as watch, api.watch("/api/v1/secrets") as other:
            loop = asyncio.get_running_loop()
            begun = loop.time()
            running.terminate()
            ended = await asyncio.gather(watch.ended(), other.ended())
            code = await asyncio.wait_for(running.wait(), 5)
            took = loop.time() - begun
        assert (ended, code) == ([True, True], 0)
        assert took < 2


async def test_everything_survives_a_restart(tmp_path: Path) -> None:
    state = tmp_path / "state"
    crd = definition("keep.conformance.dev", "widgets", "Widget", WIDGET_SCHEMA, subresources={"status": {}})
    kind = Kind("keep.conformance.dev", "default")
    async with ControlPlane(state) as plane, connect(plane.kubeconfig("admin")) as api:
        await api.post("/apis/apiextensions.k8s.io/v1/customresourcedefinitions", crd)
        made = (await api.post(kind.path, kind.make())).body
        old = made["metadata"]["resourceVersion"]
        await api.patch(f"{kind.path}/a", {"spec": {"size": 4}})
        kept = (await api.get(f"{kind.path}/a")).body
        token = plane.kubeconfig("admin").read_text()
        url = plane.url
    async with ControlPlane(state) as plane, connect(plane.kubeconfig("admin")) as api:
        assert plane.url == url
        assert plane.kubeconfig("admin").read_text() == token
        assert (await api.get(f"{kind.path}/a")).body == kept
        async with api.watch(kind.path, resourceVersion=old) as watch:
            event = await watch.next()
        assert (event["type"], event["object"]["code"], event["object"]["reason"]) == (
            "ERROR",
            410,
            "Expired",
        )
        now = (await api.get(kind.path)).rv
        async with api.watch(kind.path, resourceVersion=now) as watch:
            after = await api.patch(f"{kind.path}/a", {"spec": {"size": 5}})
            assert await watch.names(1) == [("MODIFIED", "a")]
        assert int(after.rv) > int(kept["metadata"]["resourceVersion"])


async def test_deletions_in_progress_are_finished_after_a_restart(tmp_path: Path) -> None:
    state = tmp_path / "state"
    async with ControlPlane(state) as plane, connect(plane.kubeconfig("admin")) as api:
        await api.post("/api/v1/namespaces", {"metadata": {"name": "doomed"}})
        for index in range(50):
            await api.post("/api/v1/namespaces/doomed/configmaps", {"metadata": {"name": f"c{index}"}})
        await api.delete("/api/v1/namespaces/doomed")
    async with ControlPlane(state) as plane, connect(plane.kubeconfig("admin")) as api:
        await api.gone("/api/v1/namespaces/doomed")


async def test_failed_commit_is_not_acknowledged(tmp_path: Path) -> None:
    """With the database locked by somebody else, writes fail, reads go on, and later writes work."""
    state = tmp_path / "state"
    async with ControlPlane(state) as plane, connect(plane.kubeconfig("admin")) as api:
        await api.post(MAPS, {"metadata": {"name": "before"}})
        intruder = sqlite3.connect(state / "state.db", isolation_level=None)
        intruder.execute("BEGIN IMMEDIATE")
        refused = await asyncio.gather(*(api.post(MAPS, {"metadata": {"name": f"x{n}"}}) for n in range(5)))
        assert {r.code for r in refused} == {500}
        assert all("nothing was written" in r.message for r in refused)
        names = [i["metadata"]["name"] for i in (await api.get(MAPS)).body["items"]]
        assert names == ["before"]
        intruder.execute("ROLLBACK")
        intruder.close()
        assert (await api.post(MAPS, {"metadata": {"name": "x0"}})).code == 201


async def test_one_process_per_state_directory(tmp_path: Path) -> None:
    async with ControlPlane(tmp_path / "state"):
        with pytest.raises(RuntimeError, match="another control plane runs on"):
            async with ControlPlane(tmp_path / "state"):
                pass


async def test_files_are_their_owners_only(tmp_path: Path) -> None:
    state = tmp_path / "state"
    async with ControlPlane(state):
        assert stat.S_IMODE(state.stat().st_mode) == 0o700
        for path in state.iterdir():
            if path.name.endswith((".kubeconfig", ".key", ".db")):
                assert stat.S_IMODE(path.stat().st_mode) == 0o600, path
        tokens = [
            line.split()[1]
            for p in state.glob("*.kubeconfig")
            for line in p.read_text().splitlines()
            if "token:" in line
        ]
        database = b"".join(p.read_bytes() for p in state.glob("state.db*"))
        assert len(tokens) == len(DEFAULT_USERS)
        assert not any(t.encode() in database for t in tokens)


async def test_only_loopback_unless_asked(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="not a loopback address"):
        ControlPlane(tmp_path / "state", host="0.0.0.0")


async def test_port_that_is_taken_leaves_nothing_behind(tmp_path: Path) -> None:
    state = tmp_path / "state"
    async with ControlPlane(tmp_path / "other") as other:
        port = int(other.url.rpartition(":")[2])
        with pytest.raises(OSError, match="in use"):
            async with ControlPlane(state, port=port):
                pass
    async with ControlPlane(state, port=port) as plane:
        assert plane.url == f"https://127.0.0.1:{port}"


async def test_only_the_newest_events_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("govpool.standalone.gc._EVENTS_KEPT", 10)
    monkeypatch.setattr("govpool.standalone.gc._EVENTS_SLACK", 5)
    path = "/api/v1/namespaces/default/events"
    async with ControlPlane(tmp_path / "state") as plane, connect(plane.kubeconfig("admin")) as api:
        for index in range(20):
            event = {
                "metadata": {"name": f"e{index}"},
                "involvedObject": {"name": "x", "namespace": "default"},
            }
            assert (await api.post(path, event)).code == 201
        left = await api.until(path, lambda r: len(r.body["items"]) <= 15)
        names = {i["metadata"]["name"] for i in left.body["items"]}
        assert {f"e{n}" for n in range(10, 20)} <= names
        assert "e0" not in names
