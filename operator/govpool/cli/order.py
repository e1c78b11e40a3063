"""``govpool order``: what a person reports of a WorkOrder (工单) that a person carries out."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, cast

import typer

from govpool.api.workorder import Executor, ManualOutcome, ReportedServer, WorkOrder, WorkOrderState
from govpool.cli.errors import CliError, Exit, refusal
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

app = typer.Typer(help="Report on work orders that persons carry out.")


@app.command()
def done(  # noqa: PLR0913, PLR0917 - one parameter an option
    order: Annotated[str, typer.Argument(metavar="WORKORDER", help="The WorkOrder.")],
    language: LanguageOption,
    state_dir: StateOption,
    statement: Annotated[str, typer.Option("--statement", help="In your own words.")] = "",
    failed: Annotated[bool, typer.Option("--failed", help="It was tried and could not be done.")] = False,
    fact: Annotated[
        list[str] | None,
        typer.Option(
            "--fact",
            help="SERVER:KEY=VALUE (address, id, report, score), or KEY=VALUE of the whole"
            " (receiptSha256, reference, sha256). May be given several times.",
        ),
    ] = None,
    namespace: NamespaceOption = None,
    user: AsOption = None,
    kubeconfig: KubeconfigOption = None,
) -> None:
    """Report that a work order was carried out, or with --failed that it was not. It stands."""
    who, words = acting(kubeconfig, user, state_dir), language_of(language)
    if failed and not statement.strip():
        raise refusal("order-failed-why", words)
    whole, servers = facts(fact or [], words)
    run(_report(order, namespace, who, _Said(not failed, statement, whole, servers), words))


class _Said:
    """What is reported, before it is known by whom and when."""

    def __init__(
        self, succeeded: bool, statement: str, whole: dict[str, str], servers: dict[str, dict[str, str]]
    ) -> None:
        self.succeeded, self.statement, self.whole, self.servers = succeeded, statement, whole, servers


def facts(given: list[str], language: Language) -> tuple[dict[str, str], dict[str, dict[str, str]]]:
    """Facts of the whole, and of each server.

    Raises:
        CliError: one has no ``=``, or no key.
    """
    whole: dict[str, str] = {}
    servers: dict[str, dict[str, str]] = {}
    for text in given:
        name, equals, value = text.partition("=")
        server, colon, key = name.rpartition(":")
        if not equals or not key.strip() or (colon and not server):
            raise CliError(message("cli.fact-malformed", fact=text).render(language), Exit.USAGE)
        if colon:
            servers.setdefault(server, {})[key] = value
        else:
            whole[key] = value
    return whole, servers


async def _report(
    name: str, namespace: str | None, who: Path | None, said: _Said, language: Language
) -> None:
    from govpool.cli.api import connected
    from govpool.effects.kube import Json

    async with connected(who) as api:
        order = await api.find(WorkOrder, name, namespace)
        by, at = await api.whoami(), await api.now()
        outcome = ManualOutcome(
            by=by,
            at=at,
            succeeded=said.succeeded,
            statement=said.statement,
            facts=said.whole,
            servers=[ReportedServer(server=server, facts=found) for server, found in said.servers.items()],
        )

        def reported(current: WorkOrder) -> Json:
            if current.spec.executor is not Executor.PERSON:
                raise refusal("order-not-a-persons", language, order=name)
            before = current.spec.outcome
            if before is not None:
                raise refusal(
                    "order-reported-already", language, by=before.by, order=name, at=before.at.isoformat()
                )
            return cast(Json, {"spec": {"outcome": outcome.model_dump(mode="json", by_alias=True)}})

        await api.change(WorkOrder, order, reported)
    state = WorkOrderState.SUCCEEDED if said.succeeded else WorkOrderState.FAILED
    typer.echo(message("cli.order-reported", by=by, order=name, state=state.value).render(language))
