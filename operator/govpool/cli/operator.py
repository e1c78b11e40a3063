"""``govpool operator``: carries out what was approved, on any Kubernetes API server or an embedded one."""

from __future__ import annotations

import logging
import os
from pathlib import Path
from typing import Annotated

import typer

from govpool.cli.options import KubeconfigOption, LanguageOption, default_state_dir, language_of
from govpool.cli.run import run
from govpool.messages import Language


def default_operator_dir() -> Path:
    """Where an operator keeps evidence: beside the embedded control plane's state."""
    return default_state_dir().with_name("operator")


def operator(
    language: LanguageOption,
    state_dir: Annotated[
        Path,
        typer.Option(
            "--state-dir",
            help="Evidence, run records and locks of the operator.",
            default_factory=default_operator_dir,
        ),
    ],
    control_plane_dir: Annotated[
        Path,
        typer.Option(
            "--control-plane-dir",
            help="State of the embedded control plane, started when no other is named.",
            default_factory=default_state_dir,
        ),
    ],
    kubeconfig: KubeconfigOption = None,
    liveness: Annotated[
        str | None, typer.Option(help="Answer health probes here: http://127.0.0.1:8080/healthz.")
    ] = None,
    verbose: Annotated[int, typer.Option("--verbose", "-v", count=True, help="Log more; -vv logs all.")] = 0,
) -> None:
    """Run the operator until Ctrl-C, against the first of these that there is:

    --kubeconfig, $KUBECONFIG, the cluster of its Pod, an embedded control plane that it starts along.
    What is under way when it stops is taken up again by the next one.
    """
    levels = {0: logging.WARNING, 1: logging.INFO}
    logging.basicConfig(
        level=levels.get(verbose, logging.DEBUG), format="%(asctime)s %(levelname)s %(name)s %(message)s"
    )
    run(_operator(kubeconfig, control_plane_dir, state_dir, liveness, language_of(language)))


async def _operator(
    kubeconfig: Path | None, plane_dir: Path, state_dir: Path, liveness: str | None, language: Language
) -> None:
    from govpool.cli.control_planes import control_plane
    from govpool.effects.operator import Options
    from govpool.handlers import events

    async with control_plane(kubeconfig, plane_dir) as found:
        typer.echo(f"The operator (process {os.getpid()}) works on {found.what}; Ctrl-C stops it.", err=True)
        await events.run(Options(found.kubeconfig, state_dir, language), liveness=liveness)
