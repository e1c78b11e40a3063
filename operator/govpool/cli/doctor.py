"""``govpool doctor``: whether this machine can run local pools, tried and not guessed."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from govpool.cli.errors import Exit
from govpool_providers.base import PoolConnection
from govpool_providers.local.ground import Finding, check


def doctor(
    state: Annotated[
        Path | None, typer.Option(help="Where a local pool would keep its disks. Else the default place.")
    ] = None,
    subnet: Annotated[str | None, typer.Option(help="Subnet of its machines. Else the default one.")] = None,
) -> None:
    """Check the ground: root, loop devices, overlayfs, nspawn, disk space, free addresses, tools.

    Everything is tried and nothing is left behind. Exit code 1 when something is lacking that a local pool
    can't do without.
    """
    settings = {"state": str(state) if state else None, "subnet": subnet}
    given = {key: value for key, value in settings.items() if value is not None}
    findings = examine(PoolConnection("doctor", given))
    show(Console(), findings)
    if lacking(findings):
        raise typer.Exit(Exit.NO)


def examine(connection: PoolConnection) -> list[Finding]:
    """What a local pool needs, and what the demo needs beside it."""
    return [_python(), _kubectl(), *check(connection)]


def lacking(findings: list[Finding]) -> list[Finding]:
    """The findings that nothing works without."""
    return [finding for finding in findings if finding.needed and not finding.ok]


def kubectl() -> str | None:
    """The kubectl that was installed with govpool, else the machine's own; None without any."""
    beside = Path(sys.executable).with_name("kubectl")
    return str(beside) if beside.exists() else shutil.which("kubectl")


def show(console: Console, findings: list[Finding]) -> None:
    """The findings as a table, with what to do for each lack."""
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(width=4)
    table.add_column(style="bold")
    table.add_column(overflow="fold")
    for finding in findings:
        mark = "[green]ok" if finding.ok else "[red]NO" if finding.needed else "[yellow]no"
        table.add_row(mark, finding.name, finding.found)
        if not finding.ok and finding.remedy:
            table.add_row("", "", f"[bold]→ {finding.remedy}")
    console.print(table)
    lacks = lacking(findings)
    if lacks:
        console.print(f"{len(lacks)} lacking. `govpool demo --pool fixture` shows the way in memory instead.")
    else:
        console.print("This machine can run local pools.")


def _python() -> Finding:
    version = ".".join(map(str, sys.version_info[:3]))
    return Finding("Python", sys.version_info >= (3, 11), version, "install Python 3.11 or newer")


def _kubectl() -> Finding:
    path = kubectl()
    return Finding(
        "kubectl", path is not None, path or "not installed", "pip install 'govpool[demo]'", needed=False
    )
