"""``govpool retry``: ask for another attempt of a WorkOrder (工单) that failed."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from govpool.api.base import RETRY_ANNOTATION
from govpool.api.workorder import WorkOrder, WorkOrderState
from govpool.cli.errors import refusal
from govpool.cli.options import (
    AsOption,
    KubeconfigOption,
    LanguageOption,
    NamespaceOption,
    StateOption,
    language_of,
)
from govpool.cli.run import acting, run
from govpool.messages import Language, message


def retry(
    order: Annotated[str, typer.Argument(metavar="WORKORDER", help="The WorkOrder that failed.")],
    language: LanguageOption,
    state_dir: StateOption,
    namespace: NamespaceOption = None,
    user: AsOption = None,
    kubeconfig: KubeconfigOption = None,
) -> None:
    """Ask for another attempt of a work order that failed, once its cause is mended."""
    who = acting(kubeconfig, user, state_dir, otherwise="admin")
    run(_retry(order, namespace, who, language_of(language)))


async def _retry(name: str, namespace: str | None, who: Path | None, language: Language) -> None:
    from govpool.cli.api import connected

    async with connected(who) as api:
        order = await api.find(WorkOrder, name, namespace)
        state = order.status.state if order.status else WorkOrderState.PENDING
        if state is not WorkOrderState.FAILED:
            raise refusal("retry-not-failed", language, order=name, state=state.value)
        at = await api.now()
        await api.change(
            WorkOrder,
            order,
            lambda _: {"metadata": {"annotations": {RETRY_ANNOTATION: at.isoformat()}}},
        )
    typer.echo(message("cli.retry-asked", order=name).render(language))
