"""``govpool run-order``: what the container of a work order's Job runs. People have no use for it."""

from __future__ import annotations

import asyncio
import logging
import signal
from pathlib import Path
from typing import Annotated

import typer

from govpool.cli.errors import CliError, Exit
from govpool.cli.options import KubeconfigOption
from govpool.cli.run import run


def run_order(
    order: Annotated[Path, typer.Option(help="The order, as the operator packed it.")],
    report: Annotated[str, typer.Option(help="NAMESPACE/NAME of the ConfigMap that takes the report.")],
    state_dir: Annotated[Path, typer.Option("--state-dir", help="Where the run keeps its files.")],
    kubeconfig: KubeconfigOption = None,
) -> None:
    """Carry out one work order and report: the container of its Job runs this.

    Exit code 0 when it was reported how the order ended, also where it ended badly.
    """
    namespace, _, name = report.partition("/")
    if not namespace or not name:
        raise typer.BadParameter("NAMESPACE/NAME is wanted", param_hint="--report")
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    state_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    run(_run_order(order, namespace, name, state_dir, kubeconfig))


async def _run_order(
    order: Path, namespace: str, name: str, state_dir: Path, kubeconfig: Path | None
) -> None:
    from govpool.effects.jobs.runner import run_order as carry_out

    running = asyncio.ensure_future(carry_out(order, namespace, name, state_dir, kubeconfig))
    # The first process of a container gets no signal that it does not handle.
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, running.cancel)
    try:
        await running
    except ValueError as error:
        raise CliError(f"{order}: {error}", Exit.NO) from None
    except asyncio.CancelledError:
        raise CliError(f"{order}: ended from outside before it was done", Exit.NO) from None
