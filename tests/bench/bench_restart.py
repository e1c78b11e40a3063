"""Restart over settled objects: how long until all were seen and looked at once, and the memory it takes.

One application is really taken into service; its objects, and its machines in the fixture pool, are then
copied in the files below the API server, under new names and UIDs. Against a bare list and watch.
"""

from __future__ import annotations

import asyncio
import json
import sqlite3
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path

from govpool.api.workorder import WorkOrderKind
from govpool.effects.operator import NOT_SETTLED, SETTLING
from govpool.lifecycle import naming
from tests.bench.children import Answer, Child, child
from tests.bench.report import Report
from tests.functional.lifecycle import story
from tests.functional.lifecycle.world import NAMESPACE, REQUEST, World, world

PATIENCE = 600.0
UNIT_SIZE = 50
"""Requests of one unit."""
KINDS = ("cloudresourcerequests", "cloudservers", "approvals", "workorders", "baselinereports")
WATCHED_PER_REQUEST = 3
"""The request and its two servers; what is settled is left out of the watch."""
SUFFIX = ".govpool.dev"
NO_VERSION = "@version@"
WRITES = ("create", "update", "patch", "delete")


async def measure(objects: int = 5000) -> Report:
    """Restart the operator over so many watched objects and compare."""
    requests = -(-objects // WATCHED_PER_REQUEST)
    report = Report("restart", f"{requests * WATCHED_PER_REQUEST} objects in service", "bare list and watch")
    with tempfile.TemporaryDirectory(prefix="govpool-bench-") as folder:
        home = Path(folder)
        async with world(home) as people:
            uid = await template(people)
        total = multiply(home, uid, requests)
        async with child("plane_process", home / "plane", log=home / "plane.log") as plane:
            async with child("list_process", plane.ready["operator"], log=home / "list.log") as bare:
                listed = await bare.ask("usage")
            await plane.ask("reset")
            async with child(
                "operator_process", plane.ready["operator"], home / "operator", log=home / "operator.log"
            ) as operator:
                done = await settled(operator)
                counted = await plane.ask("counts")
    _tell(report, total, done, listed, counted)
    return report


async def template(people: World) -> str:
    """One application in service; the request's UID."""
    people.patience = 180.0
    async with people.operator():
        await story.apply_and_approve(people)
        await story.into_service(people)
        await people.until(lambda: _at_rest(people), "its orders and Approvals are settled")
    return (await people.request()).metadata.uid


async def _at_rest(people: World) -> bool:
    left = [await people.kube.list(kind, labels=NOT_SETTLED) for kind in SETTLING]
    return not any(left)


async def settled(operator: Child, patience: float = PATIENCE) -> Answer:
    """Wait until the operator has looked at everything once; how it stands then."""
    async with asyncio.timeout(patience):
        while "settled" not in (state := await operator.ask("usage"))["times"]:  # noqa: ASYNC110
            await asyncio.sleep(0.1)
    return {**state, "spawned": operator.spawned}


# -- copying -------------------------------------------------------------------------------------
def multiply(home: Path, uid: str, requests: int) -> int:
    """Copy the template until there are so many requests; how many objects of ours there are then."""
    plane = sqlite3.connect(home / "plane" / "state.db")
    pool = sqlite3.connect(home / "pool.sqlite")
    marks = ",".join("?" * len(KINDS))
    rows = plane.execute(
        f"SELECT storage, name, body FROM objects WHERE namespace = ? AND storage IN ({marks})",
        (NAMESPACE, *(kind + SUFFIX for kind in KINDS)),
    ).fetchall()
    machines = pool.execute("SELECT key, request, doc FROM machine").fetchall()
    disks = pool.execute("SELECT key, request, machine, doc FROM disk").fetchall()
    others = [name for name in _uids(body for _, _, body in rows) if name != uid]
    originals = [(storage, name, _at_no_version(bytes(body))) for storage, name, body in rows]
    version = int(plane.execute("SELECT value FROM facts WHERE name = 'resourceVersion'").fetchone()[0])
    namespace, unit = _unit(plane)
    reservation = unit["status"]["reservations"][0]
    for number in range(1, requests):
        space = f"{NAMESPACE}-{number // UNIT_SIZE}" if number >= UNIT_SIZE else NAMESPACE
        new = str(uuid.uuid4())
        swap = _Swap(uid, new, f"system-{number}", space, others, machines, disks)
        if number % UNIT_SIZE == 0:
            namespace = _copied(namespace, space, version := version + 1, "")
            _put(plane, "namespaces", "", space, namespace)
            unit = {**_copied(unit, "unit", version := version + 1, space)}
            unit["status"] = {**unit["status"], "reservations": []}
        for storage, name, text in originals:
            copied = swap(text).replace(NO_VERSION, str(version := version + 1))
            _put_text(plane, storage, space, swap(name), copied)
        unit["status"]["reservations"].append({**reservation, "requestUid": new, "request": swap.name})
        if number % UNIT_SIZE == UNIT_SIZE - 1 or number == requests - 1:
            _put(plane, "tenantquotas" + SUFFIX, space, "unit", unit)
        pool.executemany(
            "INSERT INTO machine VALUES (?,?,?)", [[swap(column) for column in row] for row in machines]
        )
        pool.executemany(
            "INSERT INTO disk VALUES (?,?,?,?)", [[swap(column) for column in row] for row in disks]
        )
    plane.execute("REPLACE INTO facts VALUES ('resourceVersion', ?)", (str(version),))
    total = int(
        plane.execute("SELECT count(*) FROM objects WHERE storage LIKE ?", ("%" + SUFFIX,)).fetchone()[0]
    )
    for database in (plane, pool):
        database.commit()
        database.close()
    return total


class _Swap:
    """From the template's names, keys and UIDs to those of a copy."""

    def __init__(
        self,
        old: str,
        new: str,
        name: str,
        namespace: str,
        others: list[str],
        machines: list[tuple[str, str, str]],
        disks: list[tuple[str, str, str, str]],
    ) -> None:
        self.name = name
        pairs = {old: new, naming.short(old): naming.short(new), f'"{NAMESPACE}"': f'"{namespace}"'}
        pairs |= {uid: str(uuid.uuid4()) for uid in others}
        for work in WorkOrderKind:
            pairs[naming.run_key(old, work, 1)] = naming.run_key(new, work, 1)
        keys: dict[str, str] = {}
        for group in ("app", "db"):
            keys[naming.machine_key(old, group, 0)] = naming.machine_key(new, group, 0)
        for key, _, machine, document in disks:
            keys[key] = naming.disk_key(keys[machine], json.loads(document)["name"])
        if {row[0] for row in machines} - set(keys):
            raise RuntimeError("the example's server groups were renamed: name them here too")
        self._pairs = {**keys, **pairs, REQUEST: name}

    def __call__(self, text: str) -> str:
        """The copy's text."""
        for old, new in self._pairs.items():
            text = text.replace(old, new)
        return text


def _at_no_version(body: bytes) -> str:
    """The object's JSON with a mark in the place of its version, so that no copy has to be parsed."""
    document = json.loads(body)
    document["metadata"]["resourceVersion"] = NO_VERSION
    return _json(document)


def _uids(bodies: Iterator[bytes]) -> list[str]:
    return [json.loads(bytes(body))["metadata"]["uid"] for body in bodies]


def _unit(plane: sqlite3.Connection) -> tuple[Answer, Answer]:
    def read(storage: str, namespace: str, name: str) -> Answer:
        (body,) = plane.execute(
            "SELECT body FROM objects WHERE storage = ? AND namespace = ? AND name = ?",
            (storage, namespace, name),
        ).fetchone()
        document: Answer = json.loads(bytes(body))
        return document

    return read("namespaces", "", NAMESPACE), read("tenantquotas" + SUFFIX, NAMESPACE, "unit")


def _copied(document: Answer, name: str, version: int, namespace: str) -> Answer:
    meta = {**document["metadata"], "name": name, "uid": str(uuid.uuid4()), "resourceVersion": str(version)}
    return {**document, "metadata": meta | ({"namespace": namespace} if namespace else {})}


def _put(plane: sqlite3.Connection, storage: str, namespace: str, name: str, document: Answer) -> None:
    _put_text(plane, storage, namespace, name, _json(document))


def _put_text(plane: sqlite3.Connection, storage: str, namespace: str, name: str, text: str) -> None:
    plane.execute("REPLACE INTO objects VALUES (?,?,?,?)", (storage, namespace, name, text.encode()))


def _json(document: Answer) -> str:
    return json.dumps(document, ensure_ascii=False, separators=(",", ":"))


# -- the report ----------------------------------------------------------------------------------
def _tell(report: Report, total: int, settled: Answer, listed: Answer, counted: Answer) -> None:
    times = settled["times"]
    report.add("all seen", "s", times["listed"] - times["imported"], listed["listed"] - listed["imported"])
    report.add("all looked at once", "s", times["settled"] - times["imported"])
    report.add("CPU until then", "s", settled["cpu"], listed["cpu"])
    report.add("resident memory", "MiB", settled["rss"], listed["rss"])
    report.add(
        "memory for the objects", "MiB", settled["rss"] - settled["empty"], listed["rss"] - listed["empty"]
    )
    report.add("start of the process until imported", "s", times["imported"] - settled["spawned"])
    mine = {
        key.removeprefix("operator "): count
        for key, count in counted["requests"].items()
        if key.startswith("operator ")
    }
    writes = {
        key: count
        for key, count in mine.items()
        if key.split(" ")[0] in ("create", "update", "patch", "delete")
    }
    report.add("API writes", "", sum(writes.values()))
    report.notes.append(f"{settled['objects']} objects in the operator's store, {total} on the server")
    if writes:
        report.notes.append(f"writes: {writes}")
