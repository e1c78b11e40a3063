"""``govpool recover``: after a restore, what differs from the backup and what a person says of it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

from govpool.api.cloudresourcerequest import CloudResourceRequest
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

if TYPE_CHECKING:
    from govpool.effects.recover import Found

app = typer.Typer(help="After a restore: what differs from the backup, and what a person says of it.")


@app.command("list")
def list_(
    language: LanguageOption,
    state_dir: StateOption,
    user: AsOption = None,
    kubeconfig: KubeconfigOption = None,
) -> None:
    """Show requests that wait for a person, and machines in the pools that nobody knows.

    Exit code 1 when there are any, 3 when a pool could not be asked.
    """
    who = acting(kubeconfig, user, state_dir, otherwise="admin")
    found = run(_look(who))
    show(Console(highlight=False), found, language_of(language))
    if found.unknown:
        raise typer.Exit(Exit.UNKNOWN)
    if not found.nothing:
        raise typer.Exit(Exit.NO)


async def _look(who: Path | None) -> Found:
    from govpool.cli.api import connected
    from govpool.effects.recover import look

    async with connected(who) as api:
        return await look(api)


def show(console: Console, found: Found, language: Language) -> None:
    """Both tables, or that there is nothing to do."""
    if found.nothing:
        console.print(_say("none", language))
    if found.waiting:
        table = _table(language, "request", "why")
        for item in found.waiting:
            meta = item.request.metadata
            table.add_row(f"{meta.namespace}/{meta.name}", item.why or _say("not-looked", language))
        console.print(table)
    if found.strangers:
        console.print(_say("unknown", language))
        table = _table(language, "machine", "pool", "owner", "revision", "size")
        for stranger in found.strangers:
            machine, owner = stranger.machine, stranger.machine.owner
            whose = f"{owner.unit}/{owner.request_name}\n{owner.request_uid}"
            size = f"{machine.size.vcpu} vCPU, {machine.size.memory_gib} GiB"
            table.add_row(machine.key, stranger.pool, whose, str(owner.revision), size)
        console.print(table)
    for pool, why in found.unknown:
        console.print(_say("pool-unknown", language, pool=pool, why=why), style="yellow")


@app.command()
def accept(
    request: Annotated[str, typer.Argument(metavar="REQUEST", help="The CloudResourceRequest.")],
    language: LanguageOption,
    state_dir: StateOption,
    even_if_ahead: Annotated[
        bool,
        typer.Option("--even-if-ahead", help="Although servers of a later revision may hold live data."),
    ] = False,
    namespace: NamespaceOption = None,
    user: AsOption = None,
    kubeconfig: KubeconfigOption = None,
) -> None:
    """Let govpool act on a restored request again, as the backup has it.

    It then makes what is missing and goes on with what was under way, a wipe included.
    """
    who = acting(kubeconfig, user, state_dir, otherwise="admin")
    run(_accept(request, namespace, who, language_of(language), even_if_ahead=even_if_ahead))


async def _accept(
    name: str, namespace: str | None, who: Path | None, language: Language, *, even_if_ahead: bool
) -> None:
    from govpool.cli.api import connected
    from govpool.effects.recover import accept
    from govpool.effects.restore import RestoreError

    async with connected(who) as api:
        found = await api.find(CloudResourceRequest, name, namespace)
        by = await api.whoami()
        try:
            await accept(api, found, by=by, at=await api.now(), even_if_ahead=even_if_ahead)
        except RestoreError as error:
            raise refusal(error.key, language, **error.values) from None
    typer.echo(_say("accepted", language, by=by, request=name))


@app.command()
def claim(
    manifest: Annotated[Path, typer.Argument(help="The application, as YAML.", exists=True, dir_okay=False)],
    uid: Annotated[str, typer.Option(help="UID that the machines are tagged with (recover list).")],
    language: LanguageOption,
    state_dir: StateOption,
    user: AsOption = None,
    kubeconfig: KubeconfigOption = None,
) -> None:
    """Apply again for a request that was made after the backup, so that its machines are adopted."""
    who = acting(kubeconfig, user, state_dir, otherwise="admin")
    run(_claim(manifest, uid, who, language_of(language)))


async def _claim(manifest: Path, uid: str, who: Path | None, language: Language) -> None:
    from govpool.cli.api import connected, documents
    from govpool.effects.recover import claim
    from govpool.effects.restore import RestoreError

    found = documents(manifest)
    if len(found) != 1 or found[0].get("kind") != CloudResourceRequest.DEFINITION.kind:
        raise CliError(f"{manifest} has to hold one CloudResourceRequest", Exit.USAGE)
    async with connected(who) as api:
        try:
            revision = await claim(api, found[0], uid, now=await api.now())
        except RestoreError as error:
            raise refusal(error.key, language, **error.values) from None
    name = CloudResourceRequest.model_validate(found[0]).metadata.name
    typer.echo(_say("claimed", language, request=name, uid=uid, revision=revision))


@app.command("certificates")
def certificates_(
    files: Annotated[
        list[Path], typer.Argument(help="Certificates as YAML or JSON.", exists=True, dir_okay=False)
    ],
    language: LanguageOption,
    state_dir: StateOption,
    user: AsOption = None,
    kubeconfig: KubeconfigOption = None,
) -> None:
    """Put back certificates that were issued after the backup, so that no number is given twice."""
    who = acting(kubeconfig, user, state_dir, otherwise="admin")
    if not run(_certificates(files, who, language_of(language))):
        raise typer.Exit(Exit.NO)


async def _certificates(files: list[Path], who: Path | None, language: Language) -> bool:
    from govpool.cli.api import connected
    from govpool.effects.recover import import_certificates
    from govpool.effects.signing import read_documents

    async with connected(who) as api:
        results = await import_certificates(api, list(read_documents(files)))
    for one in results:
        if one.why:
            typer.echo(_say("certificate-bad", language, certificate=one.source, why=one.why), err=True)
        else:
            key = "certificate-imported" if one.made else "certificate-there"
            typer.echo(_say(key, language, certificate=one.number))
    return not any(one.why for one in results)


def _table(language: Language, *columns: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim")
    for column in columns:
        table.add_column(_say(f"column.{column}", language), overflow="fold")
    return table


def _say(key: str, language: Language, **values: object) -> str:
    return message(f"cli.recover.{key}", **values).render(language)
