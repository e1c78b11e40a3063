"""``govpool usage``: record what was measured of servers (云资源使用情况)."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

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
    from govpool.api.cloudserver import CloudServer
    from govpool.api.usage import Usage
    from govpool.cli.api import Api

app = typer.Typer(help="What was measured of servers: the figures that efficiency is judged by.")


@app.command()
def record(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Figures, YAML or CSV (docs/usage.md).")],
    language: LanguageOption,
    state_dir: StateOption,
    namespace: NamespaceOption = None,
    user: AsOption = None,
    kubeconfig: KubeconfigOption = None,
) -> None:
    """Record a file of figures in the status of their servers. All of it is taken, or nothing.

    What was recorded of a server before is replaced. A figure that the file leaves out is not known from then
    on, and no rule says anything about it.
    """
    who = acting(kubeconfig, user, state_dir)
    run(_record(file, namespace, who, language_of(language)))


async def _record(file: Path, namespace: str | None, who: Path | None, language: Language) -> None:
    from govpool.api.cloudserver import CloudServer
    from govpool.cli.api import connected
    from govpool.cli.errors import CliError
    from govpool.cli.usage_file import entries
    from govpool.effects.kube import KubeError

    found = entries(file, language)
    async with connected(who) as api:
        by, at = await api.whoami(), await api.now()
        wanted: list[tuple[CloudServer, Usage]] = []
        for entry in found:
            usage = entry.usage(by, at, language)
            try:
                server = await api.find(CloudServer, entry.server, entry.namespace or namespace)
            except KubeError as error:
                if not error.absent:
                    raise
                text = message("usage.refused", place=entry.place, what=str(error))
                raise CliError(text.render(language)) from None
            wanted.append((server, usage))
        for server, usage in wanted:
            await _write(api, server, usage)
            told = message(
                "usage.recorded", server=server.metadata.name, until=usage.observed_until.isoformat()
            )
            typer.echo(told.render(language))


async def _write(api: Api, server: CloudServer, usage: Usage) -> None:
    """Replace the server's figures and nothing else of its status."""
    whole = usage.model_dump(mode="json", by_alias=True, exclude_none=True)
    aliases = (field.alias or name for name, field in type(usage).model_fields.items())
    # A merge patch keeps what it does not name: what is not known any more is named with null.
    await api.merge_status(server, {"usage": dict.fromkeys(aliases) | whole})
