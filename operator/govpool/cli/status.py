"""``govpool status``: a request's whole story."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.live import Live

from govpool.api.approval import Approval
from govpool.api.base import Resource
from govpool.api.baselinereport import BaselineReport
from govpool.api.cloudresourcerequest import CloudResourceRequest
from govpool.api.cloudserver import CloudServer
from govpool.api.rectificationnotice import RectificationNotice
from govpool.api.workorder import WorkOrder
from govpool.cli.options import (
    AsOption,
    KubeconfigOption,
    LanguageOption,
    NamespaceOption,
    StateOption,
    language_of,
)
from govpool.cli.run import acting, run
from govpool.cli.story import Story, show
from govpool.messages import Language

if TYPE_CHECKING:
    from govpool.cli.api import Api


def status(
    request: Annotated[str, typer.Argument(metavar="REQUEST", help="The CloudResourceRequest.")],
    language: LanguageOption,
    state_dir: StateOption,
    namespace: NamespaceOption = None,
    watch: Annotated[bool, typer.Option("--watch", "-w", help="Follow it until Ctrl-C.")] = False,
    user: AsOption = None,
    kubeconfig: KubeconfigOption = None,
) -> None:
    """Tell a request's whole story: what happened, what is due, who must act, under which article."""
    who = acting(kubeconfig, user, state_dir, otherwise="viewer")
    run(_status(request, namespace, who, language_of(language), follow=watch))


async def _status(
    name: str, namespace: str | None, who: Path | None, language: Language, *, follow: bool
) -> None:
    from govpool.cli.api import connected

    console = Console(highlight=False)
    async with connected(who) as api:
        found = await api.find(CloudResourceRequest, name, namespace)
        if not follow:
            console.print(show(await read(api, found), language))
            return
        with Live(console=console, auto_refresh=False) as live:
            async for _ in changes(api, found):
                current = await api.get(CloudResourceRequest, name, found.metadata.namespace)
                live.update(show(await read(api, current), language), refresh=True)


async def read(api: Api, request: CloudResourceRequest) -> Story:
    """Everything that was made for the request, and the control plane's time."""
    namespace, uid = request.metadata.namespace, request.metadata.uid
    approvals = await api.list(Approval, namespace=namespace)
    servers = await api.list(CloudServer, namespace=namespace)
    orders = await api.list(WorkOrder, namespace=namespace)
    reports = await api.list(BaselineReport, namespace=namespace)
    notices = await api.list(RectificationNotice, namespace=namespace)
    return Story(
        request=request,
        now=await api.now(),
        approvals=tuple(a for a in approvals if a.spec.request.uid == uid),
        servers=tuple(s for s in servers if s.spec.request.uid == uid),
        orders=tuple(o for o in orders if o.spec.request.uid == uid),
        reports=tuple(r for r in reports if r.spec.request.uid == uid),
        notices=tuple(n for n in notices if n.spec.request is None or n.spec.request.uid == uid),
    )


async def changes(api: Api, request: CloudResourceRequest) -> AsyncIterator[None]:
    """Yields whenever the request changed, or something that was made for it."""
    changed = asyncio.Event()
    changed.set()

    async def follow(kind: type[Resource]) -> None:
        async for _ in api.watch(kind, namespace=request.metadata.namespace):
            changed.set()

    async with asyncio.TaskGroup() as group:
        for kind in (CloudResourceRequest, Approval, CloudServer, WorkOrder, RectificationNotice):
            group.create_task(follow(kind))
        while True:
            await changed.wait()
            changed.clear()
            yield
