"""``govpool clock``: the embedded control plane's own time, which can be moved on; no other's can."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from govpool.cli.errors import refusal
from govpool.cli.options import (
    AsOption,
    KubeconfigOption,
    LanguageOption,
    StateOption,
    language_of,
)
from govpool.cli.run import acting, run
from govpool.messages import Language

if TYPE_CHECKING:
    from govpool.cli.api import Api

app = typer.Typer(help="Show the embedded control plane's clock, or move it on.")


@app.command()
def show(
    language: LanguageOption,
    state_dir: StateOption,
    user: AsOption = None,
    kubeconfig: KubeconfigOption = None,
) -> None:
    """Show what time it is in the control plane, and how far that is ahead of this machine."""
    run(_clock(acting(kubeconfig, user, state_dir, otherwise="viewer"), None, language_of(language)))


@app.command()
def advance(
    duration: Annotated[str, typer.Argument(help="ISO-8601, by the calendar: P31D, P1M, PT12H.")],
    language: LanguageOption,
    state_dir: StateOption,
    user: AsOption = None,
    kubeconfig: KubeconfigOption = None,
) -> None:
    """Move the embedded control plane's clock on, never back; refused on any other control plane."""
    run(_clock(acting(kubeconfig, user, state_dir, otherwise="admin"), duration, language_of(language)))


async def _clock(who: Path | None, duration: str | None, language: Language) -> None:
    from govpool.cli.api import connected

    async with connected(who) as api:
        state = await moved(api, duration, language)
    days, rest = divmod(round(float(state["offsetSeconds"])), 86400)
    hours, minutes = rest // 3600, rest % 3600 // 60
    typer.echo(f"{state['now']}  (+{days}d {hours:02d}:{minutes:02d})")


async def moved(api: Api, duration: str | None, language: Language = "en") -> dict[str, str]:
    """Move the clock on by an ISO-8601 duration, or with None only look; returns its state.

    Raises:
        CliError: the control plane has no clock of its own.
        KubeError: the duration is none, or this user may not.
    """
    from govpool.effects.clock import CLOCK_PATH
    from govpool.effects.kube import KubeError

    try:
        if duration is None:
            document = await api.get_path(CLOCK_PATH)
        else:
            document = await api.post_path(CLOCK_PATH, {"advance": duration})
    except KubeError as error:
        if error.status == 404:
            raise refusal("clock-fixed", language) from None
        raise
    return {key: str(value) for key, value in document.items()}
