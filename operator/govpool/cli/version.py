"""``govpool version``."""

from __future__ import annotations

import platform
from importlib.metadata import PackageNotFoundError, version

import typer


def print_version() -> None:
    """Show the version of govpool and of what it stands on."""
    typer.echo(f"govpool {version('govpool')}")
    typer.echo(f"python {platform.python_version()} on {platform.platform(terse=True)}")
    for package in ("kopf", "kubernetes", "ansible-core", "ansible-runner"):
        try:
            typer.echo(f"{package} {version(package)}")
        except PackageNotFoundError:
            typer.echo(f"{package} is not installed")
