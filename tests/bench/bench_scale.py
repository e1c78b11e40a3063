"""Scale: restart and rest over 1,000 and 10,000 settled requests, and 1,000 applications at once.

The settled requests are copies of one that was really taken into service (see ``bench_restart``); beside the
operator, in the same run, a bare list and watch of the same objects. At rest means: nothing happens, the
figures are what watching, looking into the pool and keeping time cost.
"""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path

from tests.bench.bench_restart import PATIENCE, WATCHED_PER_REQUEST, multiply, settled, template
from tests.bench.children import Answer, child
from tests.bench.report import Report
from tests.functional.lifecycle.world import world

REST = 310.0
"""Seconds of rest that are measured: longer than the five minutes between two surveys of a pool."""
A_LOOK = 2000
"""Servers of a pool that is looked at every minute; more of them as many times more seldom, up to ten."""
AFTER = 20.0
"""Seconds between the last reconcile and the beginning of that: what a start leaves behind is no rest."""


async def measure(sizes: tuple[int, ...] = (1000, 10000), rest: float = REST) -> list[Report]:
    """Restart and rest over each number of requests; the last report sets them against each other."""
    found = [await _restart(size, max(rest, _between(size) if rest == REST else 0.0)) for size in sizes]
    reports = [report for report, _ in found]
    if len(sizes) > 1:
        reports.append(_growth(sizes, [figures for _, figures in found]))
    return reports


def _between(requests: int) -> float:
    """Seconds in which the pool of so many requests is looked at once."""
    return 62.0 * min(max(2 * requests / A_LOOK, 1.0), 10.0)


async def _restart(requests: int, rest: float) -> tuple[Report, dict[str, float]]:
    objects = requests * WATCHED_PER_REQUEST
    setting = f"{requests} settled requests with {2 * requests} servers"
    report = Report("scale", setting, "bare list and watch")
    with tempfile.TemporaryDirectory(prefix="govpool-bench-") as folder:
        home = Path(folder)
        async with world(home) as people:
            uid = await template(people)
        total = multiply(home, uid, requests)
        async with child("plane_process", home / "plane", log=home / "plane.log") as plane:
            async with child("list_process", plane.ready["operator"], log=home / "list.log") as bare:
                listed = await bare.ask("usage")
                await asyncio.sleep(rest / 10)
                rested = await bare.ask("usage")
            await plane.ask("reset")
            async with child(
                "operator_process", plane.ready["operator"], home / "operator", log=home / "operator.log"
            ) as operator:
                done = await settled(operator, max(PATIENCE, objects / 20))
                started = await plane.ask("counts")
                await asyncio.sleep(AFTER)
                await plane.ask("reset")
                before = await operator.ask("usage")
                await asyncio.sleep(rest)
                after = await operator.ask("usage")
                idle = await plane.ask("counts")
    times, per = done["times"], objects / 10000
    seen = times["listed"] - times["imported"]
    figures = {
        "all seen, ms an object": 1000 * seen / objects,
        "CPU until looked at once, ms an object": 1000 * done["cpu"] / objects,
        "memory, KiB an object": 1024 * (done["rss"] - done["empty"]) / objects,
    }
    bare_seen = listed["listed"] - listed["imported"]
    report.add("all seen", "s", seen, bare_seen)
    report.add("all seen, for each 10,000 objects", "s", seen / per, bare_seen / per)
    report.add("all looked at once", "s", times["settled"] - times["imported"])
    report.add("CPU until all were seen", "s", done["seenCpu"], listed["cpu"])
    report.add("CPU until all were looked at once", "s", done["cpu"], listed["cpu"])
    report.add("resident memory", "MiB", done["rss"], listed["rss"])
    report.add("memory for the objects", "MiB", done["rss"] - done["empty"], listed["rss"] - listed["empty"])
    report.add("CPU at rest", "% of a core", _share(before, after), _share(listed, rested))
    report.add("reconciles a minute at rest", "", _rate(before, after, rest))
    calls, lists = _calls(idle)
    report.add("API calls a minute at rest", "", 60 * calls / rest)
    report.add("lists a minute at rest", "", 60 * lists / rest)
    report.add("API writes since the start", "", _writes(started) + _writes(idle))
    report.notes.append(f"{done['objects']} objects in the operator's store, {total} on the server")
    report.notes.append(f"at rest for {rest:.0f} s: {_mine(idle)}")
    report.notes.append(f"writes until settled: {_writes_of(started)}")
    report.notes.append(f"reconciles until settled: {done['reconciles']}")
    return report, figures


def _share(before: Answer, after: Answer) -> float:
    return float(100 * (after["cpu"] - before["cpu"]) / (after["clock"] - before["clock"]))


def _rate(before: Answer, after: Answer, rest: float) -> float:
    return float(60 * (sum(after["reconciles"].values()) - sum(before["reconciles"].values())) / rest)


def _mine(counted: Answer) -> dict[str, int]:
    return {
        key.removeprefix("operator "): count
        for key, count in counted["requests"].items()
        if key.startswith("operator ")
    }


def _calls(counted: Answer) -> tuple[int, int]:
    mine = _mine(counted)
    return sum(mine.values()), sum(count for key, count in mine.items() if key.startswith("list "))


def _writes_of(counted: Answer) -> dict[str, int]:
    verbs = ("create", "update", "patch", "delete")
    return {key: count for key, count in _mine(counted).items() if key.split(" ")[0] in verbs}


def _writes(counted: Answer) -> int:
    return sum(_writes_of(counted).values())


def _growth(sizes: tuple[int, ...], figures: list[dict[str, float]]) -> Report:
    report = Report(
        "growth", f"{sizes[-1]} requests against {sizes[0]}, for each object", f"{sizes[0]} requests"
    )
    for name, value in figures[-1].items():
        what, _, unit = name.partition(", ")
        report.add(what, unit, value, figures[0][name])
    return report
