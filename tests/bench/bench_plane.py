"""The embedded control plane: durable writes per second and how late a watcher hears of a write.

Writes are held against the same number of commits of one SQLite row of the same size (WAL,
``synchronous=FULL``) and of bare ``fsync``, one after the other, on the same disk in the same run. The
server is a process of its own; the client takes its share of the same cores.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import sqlite3
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

from tests.bench.children import Child, child
from tests.bench.people import MERGE, Client, Json, application, client, install
from tests.bench.report import Report

CONFIGMAPS = "/api/v1/namespaces/default/configmaps"
UPDATES_PER_SECOND = 100
PAYLOAD = "x" * 1024


async def measure(writes: int = 1500, sizes: tuple[int, ...] = (1000, 10_000), updates: int = 500) -> Report:
    """Measure writes at three concurrencies, then watches over so many objects."""
    report = Report("plane", "embedded control plane, 1 KiB objects", "SQLite, a commit per row")
    with tempfile.TemporaryDirectory(prefix="govpool-bench-") as folder:
        home = Path(folder)
        async with child("plane_process", home / "plane", log=home / "plane.log") as plane:  # noqa: SIM117
            async with client(Path(plane.ready["admin"])) as people:
                await install(people, home / "pool.sqlite", ["unit"])
                await _writes(report, home, plane, people, writes)
                for size in sizes:
                    await _watches(report, people, size, updates)
    return report


# -- writes --------------------------------------------------------------------------------------
async def _writes(report: Report, home: Path, plane: Child, people: Client, writes: int) -> None:
    size = len(str(_configmap("a")))
    sqlite_rate, fsync_rate = _sqlite(home, size, writes), _fsync(home, size, writes)
    for at_once in (1, 16, 64):
        count = max(writes // 5, 100) if at_once == 1 else writes

        async def create(number: int, at_once: int = at_once) -> None:
            await people.must("POST", CONFIGMAPS, _configmap(f"c{at_once}-{number}"))

        rate = await _rate(create, count, at_once)
        report.add(f"creates of a ConfigMap, {at_once} at once", "/s", rate, sqlite_rate)
    for at_once in (1, 16):
        count = max(writes // 5, 100)

        async def apply(number: int, at_once: int = at_once) -> None:
            await people.apply(application(f"r{at_once}-{number}", "unit"))

        rate = await _rate(apply, count, at_once)
        report.add(f"creates of a CloudResourceRequest, {at_once} at once", "/s", rate, sqlite_rate)
    used = await plane.ask("counts")
    report.notes.append(f"bare fsync of as many bytes: {fsync_rate:,.0f} /s; SQLite: {sqlite_rate:,.0f} /s")
    report.notes.append(f"memory of the control plane then: {used['rss']:.0f} MiB")


def _configmap(name: str) -> Json:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": {"payload": PAYLOAD}}


async def _rate(work: Callable[[int], Awaitable[None]], count: int, at_once: int) -> float:
    numbers = iter(range(count))

    async def one() -> None:
        for number in numbers:
            await work(number)

    began = time.perf_counter()
    async with asyncio.TaskGroup() as group:
        for _ in range(at_once):
            group.create_task(one())
    return count / (time.perf_counter() - began)


def _sqlite(home: Path, size: int, count: int) -> float:
    """Commits per second of one row each."""
    with contextlib.closing(sqlite3.connect(home / "bare.sqlite", isolation_level=None)) as database:
        database.execute("PRAGMA journal_mode=WAL")
        database.execute("PRAGMA synchronous=FULL")
        database.execute("CREATE TABLE objects (name TEXT PRIMARY KEY, body BLOB) WITHOUT ROWID")
        body = os.urandom(size)
        began = time.perf_counter()
        for number in range(count):
            database.execute("REPLACE INTO objects VALUES (?,?)", (f"row-{number}", body))
        return count / (time.perf_counter() - began)


def _fsync(home: Path, size: int, count: int) -> float:
    """Appends per second, each flushed to the disk."""
    body = os.urandom(size)
    with (home / "bare.log").open("wb", buffering=0) as file:
        began = time.perf_counter()
        for _ in range(count):
            file.write(body)
            os.fsync(file.fileno())
        return count / (time.perf_counter() - began)


# -- watches -------------------------------------------------------------------------------------
async def _watches(report: Report, people: Client, size: int, updates: int) -> None:
    there = len(await people.all(CONFIGMAPS))

    async def create(number: int) -> None:
        await people.must("POST", CONFIGMAPS, _configmap(f"w{size}-{number}"))

    if size > there:
        await _rate(create, size - there, 64)
    for watchers in (1, 10):
        acknowledged, late = await _latencies(people, watchers, updates)
        title = f"{size:,} objects, {watchers} watchers"
        for share in (50, 99):
            report.add(f"watch p{share}, {title}", "ms", _percentile(late, share))
        report.notes.append(
            f"answer to the writer, {title}: p50 {_percentile(acknowledged, 50):.1f} ms, "
            f"p99 {_percentile(acknowledged, 99):.1f} ms"
        )
    began = time.perf_counter()
    found = await people.all(CONFIGMAPS)
    report.notes.append(
        f"list of {len(found):,} objects in pages of 500: {time.perf_counter() - began:.2f} s"
    )


async def _latencies(people: Client, watchers: int, updates: int) -> tuple[list[float], list[float]]:
    """Milliseconds from sending a write to its answer, and to each watcher's event."""
    found, version = await people.pages(CONFIGMAPS)
    names = [item["metadata"]["name"] for item in found[:updates]]
    sent: dict[str, float] = {}
    late: list[float] = []
    acknowledged: list[float] = []

    async def watch() -> None:
        seen = 0
        async for event in people.watch(f"{CONFIGMAPS}?resourceVersion={version}"):
            mark = (event["object"]["metadata"].get("annotations") or {}).get("bench")
            if mark in sent:
                late.append(1000 * (time.perf_counter() - sent[mark]))
                seen += 1
                if seen == updates:
                    return

    async def write(number: int) -> None:
        mark = f"{version}-{number}"
        sent[mark] = began = time.perf_counter()
        body = {"metadata": {"annotations": {"bench": mark}}}
        await people.must("PATCH", f"{CONFIGMAPS}/{names[number % len(names)]}", body, headers=MERGE)
        acknowledged.append(1000 * (time.perf_counter() - began))

    async with asyncio.timeout(300), asyncio.TaskGroup() as group:
        for _ in range(watchers):
            group.create_task(watch())
        start = asyncio.get_running_loop().time()
        for number in range(updates):
            await asyncio.sleep(
                max(0.0, start + number / UPDATES_PER_SECOND - asyncio.get_running_loop().time())
            )
            group.create_task(write(number))
    return acknowledged, late


def _percentile(values: list[float], share: int) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, len(ordered) * share // 100)]
