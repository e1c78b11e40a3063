"""Operator CPU per request: applications created at once, approved, opened and handed over until trial.

Against a bare aiohttp loop that creates the same objects and makes the same number of writes to each kind.
"""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections import Counter
from pathlib import Path

from tests.bench.children import Answer, Child, child
from tests.bench.people import (
    API,
    MERGE,
    Client,
    Json,
    application,
    at_work,
    authority,
    client,
    install,
    phase,
    until_all,
)
from tests.bench.report import Report

WRITES = ("create", "update", "patch", "delete")
PATIENCE = 900.0
PATIENCE_EACH = 3.0
"""Seconds for each request, on a machine that has other things to do."""
BARE_AT_ONCE = 32


async def measure(requests: int = 1000, units: int = 20) -> Report:
    """Take ``requests`` applications of ``units`` units to the trial phase and compare."""
    report = Report(
        "operator",
        f"{requests} requests of {units} units, 2 servers each, from application to trial",
        "bare aiohttp loop",
    )
    with tempfile.TemporaryDirectory(prefix="govpool-bench-") as folder:
        home = Path(folder)
        async with child("plane_process", home / "plane", log=home / "plane.log") as plane:  # noqa: SIM117
            async with client(Path(plane.ready["admin"])) as people:
                names = [f"unit-{number}" for number in range(units)]
                await install(people, home / "pool.sqlite", names)
                used = await _operate(home, plane, people, requests, names)
                bare = await _bare(people, used["writes"])
    _tell(report, requests, used, bare)
    return report


async def _operate(home: Path, plane: Child, people: Client, requests: int, units: list[str]) -> Answer:
    async with child(
        "operator_process", plane.ready["operator"], home / "operator", log=home / "operator.log"
    ) as operator:
        await _idle(operator)
        before, _ = await operator.ask("usage"), await plane.ask("reset")
        began = time.monotonic()
        async with at_work(authority(people)):
            slots = asyncio.Semaphore(BARE_AT_ONCE)

            async def apply(number: int) -> None:
                async with slots:
                    await people.apply(application(f"system-{number}", units[number % len(units)]))

            await asyncio.gather(*(apply(number) for number in range(requests)))
            applied = time.monotonic()
            async with asyncio.timeout(max(PATIENCE, requests * PATIENCE_EACH)):
                await until_all(people, requests, phase("Trial"))
            await _idle(operator)
        took = time.monotonic() - began
        after, counted = await operator.ask("usage"), await plane.ask("counts")
    mine = {
        tuple(key.split(" ")[1:]): count
        for key, count in counted["requests"].items()
        if key.startswith("operator ")
    }
    return {
        "cpu": after["cpu"] - before["cpu"],
        "peak": after["peak"],
        "rss": after["rss"],
        "took": took,
        "applying": applied - began,
        "plane_cpu": counted["cpu"],
        "writes": {key: count for key, count in mine.items() if key[0] in WRITES},
        "reads": sum(count for key, count in mine.items() if key[0] == "get"),
        "reconciles": after["reconciles"],
        "waits": after["waits"],
    }


async def _idle(operator: Child) -> None:
    """Wait until the operator has had nothing to do for half a second."""
    quiet = 0
    async with asyncio.timeout(PATIENCE):
        while quiet < 5:
            state = await operator.ask("usage")
            quiet = quiet + 1 if state["idle"] and state["objects"] else 0
            await asyncio.sleep(0.1)


# -- the bare loop -------------------------------------------------------------------------------
async def _bare(people: Client, writes: dict[tuple[str, str], int]) -> Answer:
    """As many creates of copies of the same objects, and as many patches with the objects' own status."""
    await people.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "bare"}})
    creates = Counter({resource: n for (verb, resource), n in writes.items() if verb == "create"})
    changes: Counter[str] = Counter()
    for (verb, resource), count in writes.items():
        if verb in ("update", "patch"):
            changes[resource.partition("/")[0]] += count
    work = []
    for resource in sorted({*creates, *changes}):
        if (paths := _path(resource)) is None:
            continue
        found = await people.all(paths[0])
        count = creates[resource] or len(found)
        if found:
            work.append((paths[1], [found[n % len(found)] for n in range(count)], changes[resource]))
    slots = asyncio.Semaphore(BARE_AT_ONCE)
    done = 0

    async def one(path: str, original: Json, number: int, patches: int) -> None:
        nonlocal done
        async with slots:
            name = f"{original['metadata']['name'][:40].rstrip('.-')}-bare-{number}"
            status = original.get("status")
            copy = {key: value for key, value in original.items() if key not in ("status", "metadata")}
            meta = {"name": name, "labels": original["metadata"].get("labels", {})}
            if "namespaces/bare" in path:
                meta["namespace"] = "bare"
            await people.must("POST", path, {**copy, "metadata": meta})
            for turn in range(patches):
                body = {"metadata": {"annotations": {"bench": str(turn)}}, "status": status}
                await people.must("PATCH", f"{path}/{name}", body, headers=MERGE)
            done += 1 + patches

    began, cpu = time.monotonic(), time.process_time()
    tasks = []
    for path, originals, patches in work:
        each, rest = divmod(patches, len(originals))
        tasks += [
            one(path, original, number, each + (number < rest)) for number, original in enumerate(originals)
        ]
    await asyncio.gather(*tasks)
    return {"cpu": time.process_time() - cpu, "took": time.monotonic() - began, "writes": done}


def _path(resource: str) -> tuple[str, str] | None:
    """Where to list a resource and where to make copies; None for what the unit's objects do not cover."""
    if resource == "events":
        base = "/apis/events.k8s.io/v1"
    elif resource == "secrets":
        base = "/api/v1"
    elif resource in ("tenantquotas", "cloudpools", "configmaps", "leases"):
        return None
    else:
        base = API
    return f"{base}/{resource}", f"{base}/namespaces/bare/{resource}"


# -- the report ----------------------------------------------------------------------------------
def _tell(report: Report, requests: int, used: Answer, bare: Answer) -> None:
    writes = sum(used["writes"].values())
    report.add("CPU per request", "ms", 1000 * used["cpu"] / requests, 1000 * bare["cpu"] / requests)
    report.add("CPU per write", "ms", 1000 * used["cpu"] / writes, 1000 * bare["cpu"] / bare["writes"])
    report.add("API writes per request", "", writes / requests, bare["writes"] / requests)
    report.add("API reads per request", "", used["reads"] / requests)
    report.add("reconciles per request", "", sum(used["reconciles"].values()) / requests)
    report.add("all in trial after", "s", used["took"], bare["took"])
    report.add("wait in the queue, p50", "ms", used["waits"][0])
    report.add("wait in the queue, p99", "ms", used["waits"][1])
    report.add("memory at the end", "MiB", used["rss"])
    counts = sorted(used["writes"].items(), key=lambda item: -item[1])
    report.notes.append(
        "writes per request: "
        + ", ".join(f"{verb} {resource} {count / requests:.2f}" for (verb, resource), count in counts)
    )
    report.notes.append(
        "reconciles per request: "
        + ", ".join(f"{kind} {count / requests:.2f}" for kind, count in sorted(used["reconciles"].items()))
    )
    report.notes.append(
        f"control plane, its own process: {1000 * used['plane_cpu'] / requests:.0f} CPU ms a request"
    )
