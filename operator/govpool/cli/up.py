"""``govpool up``: the embedded control plane, in the foreground."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from govpool.cli.errors import CliError
from govpool.cli.options import StateOption
from govpool.cli.run import run

if TYPE_CHECKING:
    from govpool.standalone.server import ControlPlane


def up(
    state_dir: StateOption,
    port: Annotated[int, typer.Option(help="0 keeps the last one, or takes a free one.")] = 0,
    host: Annotated[str, typer.Option(help="Address to serve on.")] = "127.0.0.1",
    allow_remote: Annotated[
        bool, typer.Option("--allow-remote", help="Serve an address that other machines can reach.")
    ] = False,
    unit_namespace: Annotated[
        str, typer.Option(help="Namespace of the user `unit`, given at the first start.")
    ] = "default",
    policies: Annotated[bool, typer.Option(help="Also apply the CloudPolicies that ship.")] = False,
) -> None:
    """Run the embedded control plane until Ctrl-C: a Kubernetes API for one machine, durable in SQLite.

    Applies govpool's CRDs and admission policies. The kubeconfigs of admin, operator, acceptor, reviewer,
    viewer and unit lie in the state directory, readable by their owner only.
    """
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    try:
        plane = _plane(state_dir, port, host, unit_namespace, allow_remote=allow_remote)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--host") from None
    run(serve(plane, lambda: _told(plane, state_dir), policies=policies))


def _plane(state_dir: Path, port: int, host: str, unit_namespace: str, *, allow_remote: bool) -> ControlPlane:
    from govpool.standalone.server import ControlPlane

    return ControlPlane(
        state_dir, port=port, host=host, allow_remote=allow_remote, unit_namespace=unit_namespace
    )


async def serve(plane: ControlPlane, ready: Callable[[], None], *, policies: bool = False) -> None:
    """Serve until SIGTERM or SIGINT; ``ready`` is called once everything is applied.

    Raises:
        CliError: another control plane has the state directory, or the port is taken.
    """
    from govpool.cli.api import connected
    from govpool.cli.crds import install

    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with contextlib.AsyncExitStack() as stack:
        try:
            await stack.enter_async_context(plane)
        except RuntimeError as error:
            raise CliError(str(error)) from None
        except OSError as error:
            raise CliError(f"the control plane can't start: {error}") from None
        async with connected(plane.kubeconfig("admin")) as api:
            await install(api, policies=policies)
        ready()
        await stop.wait()


def _told(plane: ControlPlane, state_dir: Path) -> None:
    users = ", ".join(sorted(path.stem for path in state_dir.glob("*.kubeconfig")))
    typer.echo(f"The control plane answers at {plane.url}; Ctrl-C stops it.")
    typer.echo(f"Users ({users}) have their kubeconfigs in {state_dir}:")
    typer.echo(f"  export KUBECONFIG={state_dir / 'admin.kubeconfig'}")
    typer.echo("  kubectl api-resources --api-group govpool.dev")
    typer.echo(f"  govpool operator --kubeconfig {state_dir / 'operator.kubeconfig'}")
