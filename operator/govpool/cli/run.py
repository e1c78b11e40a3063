"""Running a command: its errors become a sentence and an exit code, never a traceback."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Coroutine
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn, TypeVar

import typer

from govpool.cli.errors import CliError, Exit
from govpool.cli.options import kubeconfig_of

if TYPE_CHECKING:
    from govpool.effects.kube import KubeError

T = TypeVar("T")


def run(work: Coroutine[object, object, T]) -> T:
    """Carry out a command's work; end the process with its exit code when it can't be done."""
    try:
        return asyncio.run(work)
    except KeyboardInterrupt:
        raise typer.Exit(Exit.INTERRUPTED) from None
    except Exception as error:
        told = explained(error)
        if told is None:
            raise
        fail(told)


def acting(
    kubeconfig: Path | None, user: str | None, state_dir: Path, *, otherwise: str | None = None
) -> Path | None:
    """The kubeconfig that a command uses (see :func:`kubeconfig_of`); ends the process when there is none."""
    try:
        return kubeconfig_of(kubeconfig, user, state_dir, otherwise=otherwise)
    except CliError as error:
        fail(error)


def fail(error: CliError) -> NoReturn:
    """Say why on standard error and end with the error's exit code."""
    sys.stderr.write(f"govpool: {error}\n")
    raise typer.Exit(error.code)


def explained(error: Exception) -> CliError | None:
    """An expected error in words; None for a bug, whose traceback is wanted."""
    if isinstance(error, CliError):
        return error
    # Imported here: whoever only asks for help need not wait for the Kubernetes client.
    from kubernetes.aio.config import ConfigException

    from govpool.effects.kube import KubeError
    from govpool_providers.errors import ProviderError

    if isinstance(error, KubeError):
        return _of_server(error)
    if isinstance(error, ProviderError):
        return CliError(f"{error.code}: {error.message}")
    if isinstance(error, ConfigException):
        return CliError(f"the kubeconfig can't be used: {error}", Exit.USAGE)
    if isinstance(error, OSError) and error.filename is not None:
        return CliError(f"{error.filename}: {error.strerror}")
    return None


def _of_server(error: KubeError) -> CliError:
    advice = {
        0: "is the control plane running, and is this its kubeconfig?",
        401: "the control plane does not know this token: take a fresh kubeconfig",
        403: "use the kubeconfig of somebody who may (--as, --kubeconfig)",
        409: "somebody wrote it meanwhile: look again, then repeat",
    }.get(error.status)
    code = Exit.UNKNOWN if error.passing else Exit.NO
    return CliError(f"{error.message}" + (f" ({advice})" if advice else ""), code)
