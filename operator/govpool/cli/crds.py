"""``govpool crds``: the CustomResourceDefinitions, as files and in a cluster."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import typer

from govpool.cli.data import shipped
from govpool.cli.errors import CliError, Exit
from govpool.cli.options import AsOption, KubeconfigOption, StateOption
from govpool.cli.run import acting, run

if TYPE_CHECKING:
    from govpool.cli.api import Api
    from govpool.effects.kube import Json

app = typer.Typer(help="The CustomResourceDefinitions: write, check, or apply them.")
_ESTABLISH_SECONDS = 30.0


@app.command()
def write(directory: Annotated[Path, typer.Argument(help="Where to.")] = Path("crds")) -> None:
    """Write every CRD as a file; files of kinds that no longer exist are removed."""
    from govpool.effects import crds

    for path in crds.write(directory):
        typer.echo(path)


@app.command()
def check(directory: Annotated[Path, typer.Argument(help="Where they lie.")] = Path("crds")) -> None:
    """Say what differs from the models; exit code 1 when anything does."""
    from govpool.effects import crds

    found = crds.drift(directory)
    for line in found:
        typer.echo(line, err=True)
    if found:
        raise typer.Exit(Exit.NO)


@app.command("apply")
def apply_(
    state_dir: StateOption,
    admission: Annotated[
        bool, typer.Option(help="Also the ValidatingAdmissionPolicies that say who may decide what.")
    ] = True,
    policies: Annotated[bool, typer.Option(help="Also the CloudPolicies that ship with govpool.")] = False,
    user: AsOption = None,
    kubeconfig: KubeconfigOption = None,
) -> None:
    """Apply the CRDs to a cluster (server-side) and wait until they are served."""
    who = acting(kubeconfig, user, state_dir, otherwise="admin")
    run(_apply(who, admission=admission, policies=policies))


async def _apply(who: Path | None, *, admission: bool, policies: bool) -> None:
    from govpool.cli.api import connected

    async with connected(who) as api:
        for name in await install(api, admission=admission, policies=policies):
            typer.echo(name)


async def install(api: Api, *, admission: bool = True, policies: bool = False) -> list[str]:
    """Apply what govpool needs of a control plane; returns what was applied, ``Kind/name``.

    Raises:
        CliError: a CRD is not served half a minute after it was applied.
        KubeError: the API server refuses one of them.
    """
    from govpool.cli.api import documents

    definitions = documents(shipped("crds"))
    applied = [await _applied(api, document) for document in definitions]
    names = [entry.partition("/")[2] for entry in applied]
    await _served(api, names)
    more = documents(shipped("crds") / "admission") if admission else []
    more += documents(shipped("policies")) if policies else []
    more.append({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "govpool-system"}})
    return applied + [await _applied(api, document) for document in more]


async def _served(api: Api, names: list[str]) -> None:
    from tenacity import AsyncRetrying, RetryError, retry_if_result, stop_after_delay, wait_fixed

    async def lacking() -> list[str]:
        return [name for name in names if not await api.established(name)]

    asking = AsyncRetrying(
        retry=retry_if_result(bool), stop=stop_after_delay(_ESTABLISH_SECONDS), wait=wait_fixed(0.1)
    )
    try:
        await asking(lacking)
    except RetryError as error:
        left = ", ".join(error.last_attempt.result())
        raise CliError(f"applied, and not served after {_ESTABLISH_SECONDS:.0f} s: {left}") from None


async def _applied(api: Api, document: Json) -> str:
    stored = await api.apply(document)
    metadata = cast("dict[str, str]", stored["metadata"])
    return f"{document['kind']}/{metadata['name']}"
