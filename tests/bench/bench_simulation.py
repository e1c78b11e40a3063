"""The simulator: requests over three years on virtual time, and what one decision of the core costs."""

from __future__ import annotations

import json
import random
import time
from collections import Counter
from datetime import date, timedelta
from typing import Any

import yaml

from govpool.effects import reconcile
from govpool.simulation.ground import Ground
from govpool.simulation.result import SimulationResult
from govpool.simulation.scenario import Scenario
from govpool.simulation.simulate import simulate
from tests.bench.children import ROOT
from tests.bench.report import Report

STARTS, YEARS = date(2026, 1, 5), 3
UNITS = 20
CHANGED, LEAVING = 0.3, 0.8
"""Shares of the requests that are changed, and that are deregistered within the three years."""
BARE = 50_000
"""Writes of the bare loop, before the simulation and again after it."""
HARD = {"servers": 10_000, "vcpu": 10_000, "memoryGiB": 10_000, "storageGiB": 100_000}


def measure(requests: int = 1000, policy: str = "template") -> Report:
    """Play a generated load and say what it took."""
    (manifest,) = yaml.safe_load_all((ROOT / "policies" / f"{policy}.yaml").read_text(encoding="utf-8"))
    ground = Ground.read(ROOT / "examples", json.loads(json.dumps(manifest, default=str)))
    scenario = load(requests)
    cost, bare = _Cost(), [_bare_write()]
    with cost:
        cpu, began = time.process_time(), time.monotonic()
        result = simulate(scenario, ground)
        cpu, took = time.process_time() - cpu, time.monotonic() - began
    bare.append(_bare_write())
    _check(result)
    report = Report(
        "simulation",
        f"{requests} requests over {YEARS} simulated years, from application to certificate",
        against="bare loop of writes",
    )
    counts, plain = result.counts, sum(bare) / len(bare)
    report.add("wall time", "s", took)
    report.add("CPU time", "s", cpu, counts.writes * plain)
    report.add("CPU per request", "ms", 1000 * cpu / requests)
    report.add("reconciles", "", counts.decisions)
    report.add("CPU per reconcile", "ms", 1000 * cpu / counts.decisions)
    report.add("CPU per decide() of a request", "ms", 1000 * cost.seconds / cost.calls)
    report.add("CPU per write", "ms", 1000 * cpu / counts.writes, 1000 * plain)
    report.add("writes", "", counts.writes)
    report.add("moves of the clock", "", counts.moves)
    phases = Counter(str(line.phase) for line in result.requests)
    report.notes.append(
        f"the bare loop took {1e6 * bare[0]:.1f} us a write before and {1e6 * bare[1]:.1f} us after:"
        " where these differ, or change from run to run, so does the machine"
    )
    report.notes.append("at the end: " + ", ".join(f"{n} {phase}" for phase, n in sorted(phases.items())))
    report.notes.append(
        f"{counts.approvals} approvals, {counts.servers} servers, {counts.orders} orders,"
        f" {counts.certificates} certificates, {counts.overdue} clocks ran out"
    )
    return report


def load(requests: int) -> Scenario:
    """Applications spread over two years; what follows is up to the people's habits."""
    draw = random.Random(20250106)
    events: list[dict[str, Any]] = []
    plans: dict[str, Any] = {}
    for number in range(requests):
        name = f"system-{number}"
        plans[name] = {"unit": f"unit-{number % UNITS}"}
        day = STARTS + timedelta(days=draw.randrange(730))
        at = f"{day}T{draw.randrange(8, 18):02}:{draw.randrange(60):02}"
        events.append({"do": "apply", "request": name, "at": at})
        if draw.random() < CHANGED:
            events.append(_edit(name, draw.randrange(20, 120), {"servers": _more()}))
        if draw.random() < LEAVING:
            reason = {"reason": "SupersededBySuperiorPlatform"}
            patch = {"state": "Deregistered", "deregistration": reason}
            events.append(_edit(name, draw.randrange(150, 240), patch))
    return Scenario.model_validate(
        {
            "name": "load",
            "title": {"en": "A generated load", "zh": "生成的负载"},
            "starts": STARTS.isoformat(),
            "until": STARTS.replace(year=STARTS.year + YEARS).isoformat(),
            "units": [
                {
                    "namespace": f"unit-{number}",
                    "patch": {"limits": [{"pool": "fixture-pool", "hard": HARD}]},
                }
                for number in range(UNITS)
            ],
            "requests": plans,
            "events": events,
        }
    )


def _bare_write() -> float:
    """CPU seconds in which a bare loop keeps an application as JSON and reads it back: no rule, no check."""
    (application,) = yaml.safe_load_all((ROOT / "examples" / "03-request.yaml").read_text(encoding="utf-8"))
    document = json.loads(json.dumps(application, default=str))
    kept: dict[int, str] = {}
    began = time.process_time()
    for number in range(BARE):
        kept[number % 1000] = json.dumps(document)
        json.loads(kept[number % 1000])
    return (time.process_time() - began) / BARE


def _edit(name: str, days: int, patch: dict[str, Any]) -> dict[str, Any]:
    after = {"request": name, "phase": "InService", "delay": f"P{days}D"}
    return {"do": "edit", "request": name, "after": after, "patch": patch}


def _more() -> list[dict[str, Any]]:
    disk = [{"name": "files", "sizeGiB": 1}]
    return [
        {"name": "app", "count": 1, "item": "ecs-1c2g", "image": "debian-12", "dataDisks": disk},
        {"name": "db", "count": 1, "item": "ecs-1c1g", "image": "debian-12", "dataDisks": disk},
    ]


def _check(result: SimulationResult) -> None:
    """A load that was refused or got stuck would look fast."""
    if refused := [done for done in result.played if done.refused]:
        raise RuntimeError(f"{len(refused)} deeds were refused; the first: {refused[0].refused}")
    stuck = [line.name for line in result.requests if str(line.phase) not in ("InService", "Deregistered")]
    if len(stuck) > len(result.requests) / 20:
        raise RuntimeError(f"{len(stuck)} requests came to no end, {stuck[0]} among them")


class _Cost:
    """Counts and times the pure core's decisions about requests while it is entered, in CPU time."""

    def __init__(self) -> None:
        self.calls, self.seconds = 0, 0.0

    def __enter__(self) -> None:
        self._decide = reconcile.request_core.decide

        def timed(*given: Any) -> Any:
            began = time.thread_time()
            try:
                return self._decide(*given)
            finally:
                self.calls += 1
                self.seconds += time.thread_time() - began

        reconcile.request_core.decide = timed

    def __exit__(self, *_: object) -> None:
        reconcile.request_core.decide = self._decide
