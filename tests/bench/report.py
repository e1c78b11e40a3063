"""What a benchmark measured: printed as a table, kept as JSON."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console
from rich.table import Table


@dataclass(frozen=True, slots=True)
class Row:
    """One line: what was measured here, by the plain comparison, and the ratio of the two."""

    what: str
    unit: str
    value: float
    against: float | None = None
    """The same figure of the plain comparison, in the same unit."""

    @property
    def ratio(self) -> float | None:
        """Ours divided by the comparison's; None when there is none."""
        return self.value / self.against if self.against else None


@dataclass(slots=True)
class Report:
    """A benchmark's result. ``skipped`` says why nothing was measured."""

    bench: str
    setting: str
    against: str = ""
    rows: list[Row] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    skipped: str = ""

    def add(self, what: str, unit: str, value: float, against: float | None = None) -> None:
        """Add a line."""
        self.rows.append(Row(what, unit, value, against))


def show(report: Report, console: Console) -> None:
    """Print a report as a table."""
    title = f"{report.bench}: {report.setting}"
    if report.skipped:
        console.print(f"[bold]{title}[/bold]\n  skipped: {report.skipped}\n")
        return
    table = Table(title=title, title_justify="left", title_style="bold")
    table.add_column("measured")
    table.add_column("govpool", justify="right")
    table.add_column(report.against or "plain", justify="right")
    table.add_column("ratio", justify="right")
    for row in report.rows:
        ratio = "" if row.ratio is None else f"{row.ratio:.2f}"
        other = "" if row.against is None else f"{_number(row.against)} {row.unit}"
        table.add_row(row.what, f"{_number(row.value)} {row.unit}", other, ratio)
    console.print(table)
    for note in report.notes:
        console.print(f"  {note}", highlight=False)
    console.print()


def _number(value: float) -> str:
    if value == int(value) or abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"


def machine() -> dict[str, str | int]:
    """The machine in general words."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return {
        "cpus": os.cpu_count() or 0,
        "memoryGiB": round(memory / 2**30),
        "python": platform.python_version(),
        "kernel": platform.release(),
    }


def keep(reports: Sequence[Report], folder: Path) -> Path:
    """Write the reports with the date and the load of the machine; the newest is also ``latest.json``."""
    folder.mkdir(parents=True, exist_ok=True)
    now = datetime.now(UTC)
    document = {
        "at": now.isoformat(timespec="seconds"),
        "machine": machine(),
        "load": os.getloadavg(),
        "reports": [
            {**asdict(report), "rows": [{**asdict(row), "ratio": row.ratio} for row in report.rows]}
            for report in reports
        ],
    }
    text = json.dumps(document, indent=2, ensure_ascii=False) + "\n"
    path = folder / f"{now:%Y%m%dT%H%M%SZ}.json"
    path.write_text(text)
    (folder / "latest.json").write_text(text)
    return path
