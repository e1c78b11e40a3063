"""``govpool confirm``: what the unit (云使用单位) states along the way."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from govpool.api.cloudpolicy import ReportType
from govpool.api.cloudresourcerequest import CloudResourceRequest, Confirmation, Report
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

if TYPE_CHECKING:
    from govpool.cli.confirmations import Speaker

T = TypeVar("T")
app = typer.Typer(help="State something as the unit: delivery, agreement, backup, termination, a report.")
RequestArgument = Annotated[str, typer.Argument(metavar="REQUEST", help="The CloudResourceRequest.")]
StatementOption = Annotated[str, typer.Option("--statement", help="In the unit's own words.")]


@dataclass(frozen=True, slots=True)
class _Said:
    request: str
    namespace: str | None
    kubeconfig: Path | None
    statement: str
    language: Language


@app.command()
def delivery(
    request: RequestArgument,
    language: LanguageOption,
    state_dir: StateOption,
    statement: StatementOption = "",
    namespace: NamespaceOption = None,
    user: AsOption = None,
    kubeconfig: KubeconfigOption = None,
) -> None:
    """Confirm that delivery is complete (资源发放完成). Billing may start with it."""
    who = acting(kubeconfig, user, state_dir)
    run(_state(_Said(request, namespace, who, statement, language_of(language)), "delivery"))


@app.command()
def agreement(
    request: RequestArgument,
    language: LanguageOption,
    state_dir: StateOption,
    statement: StatementOption = "",
    namespace: NamespaceOption = None,
    user: AsOption = None,
    kubeconfig: KubeconfigOption = None,
) -> None:
    """Confirm that the tripartite agreement (三方协议) was signed."""
    who = acting(kubeconfig, user, state_dir)
    run(_state(_Said(request, namespace, who, statement, language_of(language)), "agreement"))


@app.command()
def backup(
    request: RequestArgument,
    language: LanguageOption,
    state_dir: StateOption,
    statement: StatementOption = "",
    namespace: NamespaceOption = None,
    user: AsOption = None,
    kubeconfig: KubeconfigOption = None,
) -> None:
    """Confirm the receipt of the backup (备份回执). From here on the data may be destroyed."""
    who = acting(kubeconfig, user, state_dir)
    run(_state(_Said(request, namespace, who, statement, language_of(language)), "backup"))


@app.command()
def termination(
    request: RequestArgument,
    language: LanguageOption,
    state_dir: StateOption,
    statement: StatementOption = "",
    namespace: NamespaceOption = None,
    user: AsOption = None,
    kubeconfig: KubeconfigOption = None,
) -> None:
    """Confirm that the service has ended (服务终止) under the Approval in force. Billing may end with it."""
    who = acting(kubeconfig, user, state_dir)
    run(_state(_Said(request, namespace, who, statement, language_of(language)), "termination"))


@app.command(name="old-environment")
def old_environment(
    request: RequestArgument,
    language: LanguageOption,
    state_dir: StateOption,
    statement: StatementOption = "",
    namespace: NamespaceOption = None,
    user: AsOption = None,
    kubeconfig: KubeconfigOption = None,
) -> None:
    """State that the environment that the system came from (原系统) was taken down, once it may be."""
    who = acting(kubeconfig, user, state_dir)
    run(_state(_Said(request, namespace, who, statement, language_of(language)), "old-environment"))


@app.command()
def report(  # noqa: PLR0913, PLR0917 - one parameter an option
    request: RequestArgument,
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, readable=True, help="The report.")],
    language: LanguageOption,
    state_dir: StateOption,
    type_: Annotated[ReportType, typer.Option("--type", help="What it reports on.")] = ReportType.TRIAL,
    reference: Annotated[
        str, typer.Option("--reference", help="Document number or place. Else the file's name.")
    ] = "",
    namespace: NamespaceOption = None,
    user: AsOption = None,
    kubeconfig: KubeconfigOption = None,
) -> None:
    """File a report: its hash is put on record, the file stays with the unit."""
    who = acting(kubeconfig, user, state_dir)
    said = _Said(request, namespace, who, "", language_of(language))
    run(_file(said, type_, file, reference))


async def _state(said: _Said, what: str) -> None:
    from govpool.cli import confirmations

    give: dict[str, Callable[[Speaker], Awaitable[Confirmation]]] = {
        "delivery": confirmations.delivery,
        "agreement": confirmations.agreement,
        "old-environment": confirmations.old_environment,
        "backup": confirmations.backup,
        "termination": confirmations.termination,
    }
    given: Confirmation = await _speak(said, give[what])
    told = message("cli.confirmed", by=given.by, what=what, request=said.request, at=given.at.isoformat())
    typer.echo(told.render(said.language))


async def _file(said: _Said, type_: ReportType, file: Path, reference: str) -> None:
    from govpool.cli import confirmations

    filed: Report = await _speak(said, lambda s: confirmations.report(s, type_, file, reference))
    told = message(
        "cli.report-taken", by=filed.by, reference=filed.reference, type=filed.type.value, sha256=filed.sha256
    )
    typer.echo(told.render(said.language))


async def _speak(said: _Said, give: Callable[[Speaker], Awaitable[T]]) -> T:
    from govpool.cli.api import connected
    from govpool.cli.confirmations import Speaker

    async with connected(said.kubeconfig) as api:
        request = await api.find(CloudResourceRequest, said.request, said.namespace)
        return await give(Speaker(api, request, said.statement, said.language))
