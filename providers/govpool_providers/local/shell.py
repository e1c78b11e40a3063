"""Running the host's tools, and turning what the system says into the contract's errors."""

from __future__ import annotations

import errno
import functools
import os
import subprocess
from collections.abc import Callable, Container, Sequence
from typing import ParamSpec, TypeVar

from govpool_providers.errors import ErrorCode, ProviderError

P = ParamSpec("P")
R = TypeVar("R")

TOOL_TIMEOUT = 120.0
"""Seconds that a tool may take before it counts as stuck."""


def environment() -> dict[str, str]:
    """The environment of the tools: their words in English, and the system's own tools on the path."""
    path = os.environ.get("PATH", "/usr/bin:/bin")
    return {**os.environ, "LC_ALL": "C.UTF-8", "PATH": f"{path}:/usr/sbin:/sbin"}


def run(
    argv: Sequence[str],
    *,
    stdin: str | None = None,
    timeout: float = TOOL_TIMEOUT,
    well: Container[int] = (0,),
) -> str:
    """Run a tool and give its standard output.

    Raises Retryable (QuotaExceeded, Unauthorised where it says so) with its last words when its exit
    code is not one of ``well`` or it takes longer than ``timeout`` seconds.
    """
    try:
        done = subprocess.run(
            list(argv),
            input=stdin,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
            env=environment(),
        )
    except FileNotFoundError as error:
        raise ProviderError(
            ErrorCode.RETRYABLE, f"{argv[0]} is not installed on this host. Run 'govpool doctor'."
        ) from error
    except subprocess.TimeoutExpired as error:
        raise ProviderError(
            ErrorCode.RETRYABLE, f"{argv[0]} did not end within {timeout:.0f} s; it is tried again."
        ) from error
    if done.returncode not in well:
        words = (done.stderr.strip() or done.stdout.strip()).splitlines()
        said = words[-1] if words else f"exit code {done.returncode}"
        raise ProviderError(_code_of(said), f"{argv[0]} {argv[1] if len(argv) > 1 else ''} failed: {said}")
    return done.stdout


def _code_of(said: str) -> ErrorCode:
    if "No space left" in said:
        return ErrorCode.QUOTA_EXCEEDED
    if "Permission denied" in said or "Operation not permitted" in said:
        return ErrorCode.UNAUTHORISED
    return ErrorCode.RETRYABLE


def as_provider_error(error: OSError, otherwise: ErrorCode) -> ProviderError:
    """What an error of the operating system means to the caller of a provider."""
    if error.errno in {errno.EACCES, errno.EPERM}:
        return ProviderError(
            ErrorCode.UNAUTHORISED, f"{error}. The local pool needs root: run the operator as root."
        )
    if error.errno in {errno.ENOSPC, errno.EDQUOT}:
        return ProviderError(ErrorCode.QUOTA_EXCEEDED, f"{error}. Make room on the pool's file system.")
    return ProviderError(otherwise, f"{error}")


def translated(otherwise: ErrorCode) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Decorate a provider method so that it raises nothing but ProviderError.

    ``otherwise`` is the code for what the operating system says about neither rights nor room:
    Unreachable for a method that only looks (it could not tell), Retryable for one that acts.
    """

    def decorate(method: Callable[P, R]) -> Callable[P, R]:
        @functools.wraps(method)
        def call(*args: P.args, **kwargs: P.kwargs) -> R:
            try:
                return method(*args, **kwargs)
            except OSError as error:
                raise as_provider_error(error, otherwise) from error

        return call

    return decorate
