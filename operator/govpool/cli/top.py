"""``govpool top``: the whole town at a glance."""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer
from rich.console import Console
from rich.live import Live

from govpool.api.base import SETTLED_LABEL, Resource, Scope
from govpool.api.cloudpool import CloudPool
from govpool.api.cloudresourcerequest import CloudResourceRequest
from govpool.api.rectificationnotice import RectificationNotice
from govpool.api.tenantquota import TenantQuota
from govpool.api.workorder import WorkOrder
from govpool.cli.options import AsOption, KubeconfigOption, LanguageOption, StateOption, language_of
from govpool.cli.run import acting, run
from govpool.cli.top_view import Town, show
from govpool.messages import Language

if TYPE_CHECKING:
    from datetime import datetime

    from govpool.cli.api import Api

R = TypeVar("R", bound=Resource)
KINDS: tuple[type[Resource], ...] = (
    CloudResourceRequest,
    RectificationNotice,
    WorkOrder,
    CloudPool,
    TenantQuota,
)
LIVE = f"{SETTLED_LABEL}!=true"
SETTLE = 0.3
"""Seconds after a change in which others of the same moment come along."""
TICK = 10.0
"""Seconds after which the spans are shown anew, without any change."""


def top(
    language: LanguageOption,
    state_dir: StateOption,
    namespace: Annotated[
        str | None, typer.Option("--namespace", "-n", help="Only this unit. Else all.")
    ] = None,
    once: Annotated[
        bool, typer.Option("--once", help="Print it once; so it does where nobody watches.")
    ] = False,
    rows: Annotated[int, typer.Option(min=1, help="Lines of a table.")] = 15,
    user: AsOption = None,
    kubeconfig: KubeconfigOption = None,
) -> None:
    """Show who must act, what is overdue, which work orders run, and how full pools and quotas are.

    Follows what happens until Ctrl-C.
    """
    who = acting(kubeconfig, user, state_dir, otherwise="viewer")
    run(_top(who, namespace, language_of(language), rows, once=once))


async def _top(who: Path | None, namespace: str | None, language: Language, rows: int, *, once: bool) -> None:
    from govpool.cli.api import connected

    console = Console(highlight=False)
    async with connected(who) as api:
        board = Board(namespace)
        await board.fill(api)
        if once or not console.is_terminal:
            console.print(show(board.town(await api.now()), language, rows))
            return
        with Live(console=console, auto_refresh=False, screen=True, vertical_overflow="ellipsis") as live:
            try:
                async with asyncio.TaskGroup() as group:
                    for kind in KINDS:
                        group.create_task(board.follow(api, kind))
                    while True:
                        live.update(show(board.town(await api.now()), language, rows), refresh=True)
                        await board.change()
            except ExceptionGroup as several:
                # A refusal is told as one, and not as a group of one.
                raise several.exceptions[0] from None


class Board:
    """What is known of the town."""

    def __init__(self, namespace: str | None) -> None:
        self._namespace = namespace
        self._known: dict[tuple[str, str, str], Resource] = {}
        self._changed = asyncio.Event()

    async def fill(self, api: Api) -> None:
        """List everything once."""
        for kind in KINDS:
            for found in await api.list(kind, namespace=self._namespace, labels=LIVE):
                self._known[found.key] = found

    async def follow(self, api: Api, kind: type[Resource]) -> None:
        """Take in whatever happens to the kind, for ever."""
        namespace = self._namespace if kind.DEFINITION.scope is Scope.NAMESPACED else None
        async for event, found in api.watch(kind, namespace=namespace, labels=LIVE):
            if event == "DELETED":
                self._known.pop(found.key, None)
            else:
                self._known[found.key] = found
            self._changed.set()

    async def change(self) -> None:
        """Return after something changed, or after a while."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(TICK):
                await self._changed.wait()
            await asyncio.sleep(SETTLE)
        self._changed.clear()

    def town(self, now: datetime) -> Town:
        """What is to be shown."""
        return Town(
            now=now,
            requests=self._all(CloudResourceRequest),
            notices=self._all(RectificationNotice),
            orders=self._all(WorkOrder),
            pools=self._all(CloudPool),
            quotas=self._all(TenantQuota),
        )

    def _all(self, kind: type[R]) -> tuple[R, ...]:
        found = (item for item in self._known.values() if isinstance(item, kind))
        return tuple(sorted(found, key=lambda item: (item.metadata.namespace, item.metadata.name)))
