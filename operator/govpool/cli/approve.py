"""``govpool approve``: decide a step of an Approval (审批单)."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from govpool.api.approval import Verdict
from govpool.api.cloudpolicy import Stage
from govpool.cli.options import (
    AsOption,
    KubeconfigOption,
    LanguageOption,
    NamespaceOption,
    StateOption,
    kubeconfig_of,
    language_of,
)
from govpool.cli.run import run
from govpool.messages import Language, Message, message

if TYPE_CHECKING:
    from govpool.cli.decisions import Decided


def approve(  # noqa: PLR0913, PLR0917 - one parameter an option
    name: Annotated[str, typer.Argument(metavar="REQUEST|APPROVAL", help="A request or its Approval.")],
    language: LanguageOption,
    state_dir: StateOption,
    namespace: NamespaceOption = None,
    step: Annotated[
        Stage | None, typer.Option("--step", help="The step to decide. Else the one that waits.")
    ] = None,
    verdict: Annotated[
        Verdict, typer.Option("--verdict", help="Approve, Refuse, or Return for supplement (补正).")
    ] = Verdict.APPROVE,
    opinion: Annotated[
        str, typer.Option("--opinion", help="Why (意见). Required unless it is approved.")
    ] = "",
    user: AsOption = None,
    kubeconfig: KubeconfigOption = None,
) -> None:
    """Decide a step of an Approval: approve, refuse or return it.

    Writes what an approval system would write: a decision by the authenticated user, dated by the control
    plane's clock. A decision that was given stands.
    """
    run(
        _approve(
            name, namespace, (step, verdict, opinion), (kubeconfig, user, state_dir), language_of(language)
        )
    )


async def _approve(
    name: str,
    namespace: str | None,
    wanted: tuple[Stage | None, Verdict, str],
    who: tuple[Path | None, str | None, Path],
    language: Language,
) -> None:
    from govpool.cli.api import connected
    from govpool.cli.decisions import Verdicts, decide, find_approval

    step, verdict, opinion = wanted
    async with connected(kubeconfig_of(*who)) as api:
        approval = await find_approval(api, name, namespace, language)
        done = await decide(api, approval, Verdicts(verdict, opinion, step), language)
    for told in _told(done):
        typer.echo(told.render(language))


def _told(done: Decided) -> list[Message]:
    name, given = done.approval.metadata.name, done.decision
    told = [
        message(
            "cli.decided", by=given.by, step=given.stage.value, approval=name, verdict=given.verdict.value
        )
    ]
    if done.early is not None:
        told.append(message("cli.decided-early", before=done.early.value))
    elif done.following is not None:
        told.append(
            message("cli.decision-follows", step=done.following.stage.value, role=done.following.role.value)
        )
    return told
