"""``govpool demo``: asks, runs the tour, keeps the evidence, and leaves nothing behind however it ends."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import time
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from govpool.cli.errors import CliError, Exit
from govpool.cli.options import Lang, LanguageOption, language_of
from govpool.cli.run import fail, run
from govpool_providers.errors import ProviderError

if TYPE_CHECKING:
    from govpool.cli.demo.cloud import DemoCloud
    from govpool.cli.demo.screen import Screen
    from govpool.cli.demo.stage import Stage
    from govpool.cli.demo.workspace import Workspace

MARK = "govpool-demo.txt"
"""Marks a folder of evidence as ours: only such a one is replaced."""
DEFAULT_KEEP = Path(".govpool/demo")


class PoolChoice(StrEnum):
    """Where the demo's servers are."""

    LOCAL = "local"
    FIXTURE = "fixture"
    OPENSTACK = "openstack"


def demo(
    language: LanguageOption,
    pool: Annotated[
        PoolChoice,
        typer.Option(
            help="local: real machines on this host (root). fixture: in memory. openstack: a real cloud."
        ),
    ] = PoolChoice.LOCAL,
    cloud_file: Annotated[
        Path | None, typer.Option(help="For openstack: which cloud, and the pool's settings (YAML).")
    ] = None,
    keep: Annotated[Path, typer.Option(help="Where the evidence is kept.")] = DEFAULT_KEEP,
    work: Annotated[
        Path, typer.Option(help="Where it works meanwhile; the local pool wants 8 GiB there.")
    ] = Path("/var/tmp"),  # noqa: S108 - a folder of its own is made in it
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Ask nothing.")] = False,
) -> None:
    """Show the main job end to end, for real: from an application to a signed wipe certificate.

    Uses a control plane, an operator and a pool of its own. Leaves nothing running or mounted, also after
    Ctrl-C; the evidence is kept.
    """
    from govpool.cli.demo.screen import Screen

    screen = Screen(Console(highlight=False), language_of(language))
    try:
        _check_keep(keep)
        cloud = _cloud(screen, cloud_file) if pool is PoolChoice.OPENSTACK else None
        chosen = pool if cloud else _grounded(screen, pool, work, yes=yes)
    except CliError as error:
        fail(error)
    run(_demo(screen, chosen, cloud, (work, keep), language))


def _check_keep(keep: Path) -> None:
    if keep.exists() and any(keep.iterdir()) and not (keep / MARK).exists():
        raise CliError(f"{keep} is not empty and not of a demo: give another folder with --keep", Exit.USAGE)


def _grounded(screen: Screen, pool: PoolChoice, work: Path, *, yes: bool) -> PoolChoice:
    """Look at the ground; where local machines can't be, offer the tour without."""
    from govpool.cli.doctor import examine, kubectl, lacking, show
    from govpool_providers.base import PoolConnection

    if kubectl() is None:
        raise CliError("kubectl is not installed: pip install 'govpool[demo]'")
    if pool is PoolChoice.FIXTURE:
        screen.say("not-real")
        return pool
    from govpool.cli.demo.workspace import free_subnet

    root = os.geteuid() == 0
    settings = {"subnet": free_subnet(work), "state": str(work / "govpool-doctor")} if root else {}
    with screen.step("ground") as step:
        findings = examine(PoolConnection("demo", settings))
        lacks = lacking(findings)
        step.note(screen.text("ground-found", checked=len(findings), lacking=len(lacks)))
    if not lacks:
        return pool
    show(screen.console, findings)
    screen.say("not-real")
    if not yes and not (screen.console.is_terminal and typer.confirm(screen.text("go-on"))):
        raise CliError(screen.text("mend-or-fixture"))
    return PoolChoice.FIXTURE


def _cloud(screen: Screen, file: Path | None) -> DemoCloud:
    """The cloud of the file, after it answered."""
    from govpool.cli.demo.cloud import ask, load
    from govpool.cli.doctor import kubectl

    if kubectl() is None:
        raise CliError("kubectl is not installed: pip install 'govpool[demo]'")
    if file is None:
        raise CliError(screen.text("no-cloud"), Exit.USAGE)
    cloud = load(file)
    with screen.step("cloud", cloud=cloud.cloud) as step:
        free = ask(cloud)
        step.note(screen.text("cloud-found", free="∞" if free is None else free))
    return cloud


async def _demo(
    screen: Screen, pool: PoolChoice, cloud: DemoCloud | None, places: tuple[Path, Path], language: Lang
) -> None:
    from govpool.cli.demo.workspace import Workspace

    work, keep = places
    began = time.monotonic()
    interruption = _Interruption(screen)
    await _sweep(screen, work)
    if pool is PoolChoice.LOCAL:
        await _image(screen)
    workspace = Workspace.make(pool.value, work, cloud)
    try:
        certificate = await _play(screen, workspace, language)
        screen.chapter("chapter-summary")
    except BaseException as error:
        screen.chapter("chapter-stopped")
        if isinstance(error, asyncio.CancelledError):
            raise CliError(screen.text("interrupted"), Exit.INTERRUPTED) from None
        raise
    finally:
        interruption.leaving = True
        await _leave(screen, workspace, keep)
    screen.say("kept", certificate=certificate.name, keep=keep, seconds=f"{time.monotonic() - began:.0f}")
    screen.say("try-next", certificate=keep / "wipe-certificate.yaml", public=keep / "authority-key.pem")


async def _play(screen: Screen, workspace: Workspace, language: Lang) -> Path:
    from govpool.cli.demo.stage import processes, staged
    from govpool.cli.demo.tour import Seen, tour

    seen = Seen()
    screen.chapter("chapter-ground")
    async with (
        processes(screen, workspace, language.value) as children,
        staged(screen, workspace, children) as stage,
    ):
        await tour(stage, seen)
        await _story(stage)
    if seen.certificate is None:
        raise CliError("the tour ended without a certificate")
    return seen.certificate


async def _story(stage: Stage) -> None:
    """The request's whole story, in both languages, as evidence."""
    from govpool.api.cloudresourcerequest import CloudResourceRequest
    from govpool.cli.demo.stage import REQUEST
    from govpool.cli.demo.workspace import NAMESPACE
    from govpool.cli.status import read
    from govpool.cli.story import show

    api = stage.apis["admin"]
    story = await read(api, await api.get(CloudResourceRequest, REQUEST, NAMESPACE))
    for language in Lang:
        with (stage.workspace.evidence / f"story.{language.value}.txt").open("w") as file:
            Console(file=file, width=160, highlight=False).print(show(story, language_of(language)))


class _Interruption:
    """The first signal ends the tour; those after it, or while it cleans up, are asked to wait."""

    def __init__(self, screen: Screen) -> None:
        self._screen = screen
        self._main = asyncio.current_task()
        self.leaving = False
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            asyncio.get_running_loop().add_signal_handler(number, self._signalled)

    def _signalled(self) -> None:
        if self.leaving:
            self._screen.say("cleaning")
            return
        self.leaving = True
        if self._main is not None:
            self._main.cancel()


async def _sweep(screen: Screen, work: Path) -> None:
    """Remove what demos left that were killed before they could."""
    from govpool.cli.demo.workspace import abandoned

    for workspace in abandoned(work):
        with screen.step("sweep", path=workspace.path) as step:
            try:
                await asyncio.to_thread(workspace.purge)
            except ProviderError as error:  # of a cloud that may be gone for good
                step.note(screen.text("not-swept", why=error.message, path=workspace.path))


async def _image(screen: Screen) -> None:
    """The base image of the machines: built once on this host, and kept."""
    from govpool_providers.local import image
    from govpool_providers.local.settings import DEFAULT_HOME

    folder = DEFAULT_HOME / "images"
    if image.find(folder, "bookworm") is not None:
        return
    with screen.step("image", folder=folder) as step:
        await asyncio.to_thread(image.build, folder, say=step.says)


async def _leave(screen: Screen, workspace: Workspace, keep: Path) -> None:
    """Keep the evidence, remove everything else, and look whether that is true."""
    with screen.step("leave") as step:
        try:
            _keep(workspace, keep)
        finally:
            left = await asyncio.to_thread(workspace.purge)
        for what in left:
            step.note(what)
        step.note(screen.text("left" if left else "nothing-left", count=len(left), keep=keep))


def _keep(workspace: Workspace, keep: Path) -> None:
    if keep.exists():
        shutil.rmtree(keep)
    keep.mkdir(parents=True)
    (keep / MARK).write_text("Evidence of a govpool demo. The next one replaces it.\n")
    for folder, place in ((workspace.evidence, keep), (workspace.manifests, keep / "manifests")):
        shutil.copytree(folder, place, dirs_exist_ok=True)
    for log in workspace.path.glob("*.log"):
        shutil.copy(log, keep)
