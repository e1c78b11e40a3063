"""``python -m tests.bench [NAME ...] [--quick]``: run benchmarks, print and keep what they measured."""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

from rich.console import Console

from tests.bench import (
    bench_baseline,
    bench_operator,
    bench_plane,
    bench_restart,
    bench_scale,
    bench_simulation,
    bench_wipe,
)
from tests.bench.children import ROOT
from tests.bench.report import Report, keep, machine, show

KEPT = ROOT / ".govpool" / "bench"
BENCHES: dict[str, Callable[[bool], list[Report]]] = {
    "operator": lambda quick: [asyncio.run(bench_operator.measure(*((50, 5) if quick else (1000, 20))))],
    "restart": lambda quick: [asyncio.run(bench_restart.measure(300 if quick else 5000))],
    "scale": lambda quick: asyncio.run(
        bench_scale.measure((30, 60), 5.0) if quick else bench_scale.measure()
    ),
    "plane": lambda quick: [
        asyncio.run(bench_plane.measure(300, (200,), 100) if quick else bench_plane.measure())
    ],
    "wipe": lambda quick: [
        bench_wipe.measure(128 if quick else 1024, 1 if quick else 3, loop=loop) for loop in (False, True)
    ],
    "simulation": lambda quick: [bench_simulation.measure(30 if quick else 1000)],
    "baseline": lambda quick: [asyncio.run(bench_baseline.measure((1,) if quick else (1, 10)))],
}


def main() -> int:
    """Run the named benchmarks, or all. 1 when one of them could not be carried out to its end."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("name", nargs="*", choices=[*BENCHES, []], help="which; all when none is named")
    parser.add_argument("--quick", action="store_true", help="small sizes: whether it runs, not how fast")
    parser.add_argument("--keep-in", type=Path, default=KEPT, help="folder of the results as JSON")
    given = parser.parse_args()
    # Ended from outside, a bench takes its processes, machines and devices with it, as after Ctrl-C.
    signal.signal(signal.SIGTERM, lambda *_: signal.raise_signal(signal.SIGINT))
    console = Console(width=max(Console().width, 110))
    facts = machine()
    load = os.getloadavg()[0]
    console.print(
        f"{facts['cpus']} cores, {facts['memoryGiB']} GiB, Python {facts['python']}; load {load:.1f}\n",
        highlight=False,
    )
    if load > 0.5:
        console.print("Something else runs on this machine: read the ratios, not the figures.\n")
    reports: list[Report] = []
    failed = False
    for name in given.name or list(BENCHES):
        try:
            found = BENCHES[name](given.quick)
        except Exception:
            # The other benchmarks are worth having all the same; the exit code tells.
            console.print_exception()
            failed = True
            continue
        for report in found:
            show(report, console)
        reports += found
    path = keep(reports, given.keep_in)
    console.print(f"kept in {path}", highlight=False, soft_wrap=True)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
