"""``govpool certificate``: verify wipe certificates (销毁证书), and take them out of a cluster."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
import yaml
from rich.console import Console

from govpool.api.wipecertificate import WipeCertificate
from govpool.cli.errors import CliError, Exit
from govpool.cli.options import AsOption, KubeconfigOption, NamespaceOption, StateOption
from govpool.cli.run import acting, fail, run
from govpool.effects.signing import KeyUnusableError, load_public_key, read_documents, verifier
from govpool.rules.certificate import Verdict, verify_chain

app = typer.Typer(help="Verify wipe certificates, or show one.")


class Form(StrEnum):
    """How a certificate is shown."""

    YAML = "yaml"
    HTML = "html"


@app.command()
def verify(
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="YAML or JSON files, in any order.")],
    key: Annotated[
        list[Path] | None,
        typer.Option("--key", help="The authority's public key (PEM). Else the one in the file."),
    ] = None,
    whole: Annotated[
        bool, typer.Option("--whole", help="Demand each chain from its first certificate on.")
    ] = False,
    head: Annotated[
        str | None,
        typer.Option(help="Hash that the last one must have: shows that none was cut off."),
    ] = None,
) -> None:
    """Check signature, chain and completeness of wipe certificates; needs no cluster.

    Exit code 0 when every certificate stands, 1 when one does not.
    """
    try:
        trusted = [load_public_key(path.read_bytes()) for path in key or []]
        verdicts = verify_chain(read_documents(files), verifier(trusted), whole=whole, head=head)
    except KeyUnusableError as error:
        fail(CliError(str(error), Exit.USAGE))
    except OSError as error:
        fail(CliError(f"{error.filename}: {error.strerror}", Exit.USAGE))
    console = Console(highlight=False, soft_wrap=True)
    for verdict in verdicts:
        show_verdict(console, verdict)
    if any(not verdict.ok for verdict in verdicts):
        raise typer.Exit(Exit.NO)


def show_verdict(console: Console, verdict: Verdict) -> None:
    """One certificate's verdict, with every fault and note."""
    mark = "[green]stands[/]" if verdict.ok else "[red]DOES NOT STAND[/]"
    console.print(f"{mark}  {verdict.number or '-'}  {verdict.source}")
    if verdict.ok:
        key = "a key that you named" if verdict.trusted else "the key in the file"
        console.print(f"  signature, chain and completeness hold; signed with {key}")
        console.print(f"  SHA-256 {verdict.hash}")
    for fault in verdict.faults:
        console.print(f"  [red]{fault.kind}[/]: {fault.message}", markup=True)
    for note in verdict.notes:
        console.print(f"  note: {note}")


@app.command()
def show(
    name: Annotated[str, typer.Argument(help="The WipeCertificate.")],
    state_dir: StateOption,
    form: Annotated[Form, typer.Option("--form", help="A record, or a page to print.")] = Form.YAML,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Write it to this file instead of showing it.")
    ] = None,
    namespace: NamespaceOption = None,
    user: AsOption = None,
    kubeconfig: KubeconfigOption = None,
) -> None:
    """Take a certificate out: as YAML to verify and archive, or as a bilingual page to print."""
    who = acting(kubeconfig, user, state_dir, otherwise="viewer")
    text = run(_text(name, namespace, who, form))
    if output is None:
        typer.echo(text, nl=False)
        return
    try:
        output.write_text(text, encoding="utf-8")
    except OSError as error:
        fail(CliError(f"{output}: {error.strerror}"))
    typer.echo(output)


async def _text(name: str, namespace: str | None, who: Path | None, form: Form) -> str:
    from govpool.cli.api import connected

    async with connected(who) as api:
        certificate = await api.find(WipeCertificate, name, namespace)
    return written(certificate, form)


def written(certificate: WipeCertificate, form: Form) -> str:
    """The certificate as text: YAML as the API server serves it, or a page."""
    if form is Form.HTML:
        from govpool.effects.certificate_page import render_page

        return render_page(certificate.spec)
    meta = certificate.metadata
    document = {
        "apiVersion": certificate.api_version,
        "kind": certificate.DEFINITION.kind,
        "metadata": {"name": meta.name, "namespace": meta.namespace, "uid": meta.uid},
        "spec": certificate.spec.model_dump(mode="json", by_alias=True, exclude_none=True),
    }
    return yaml.safe_dump(document, sort_keys=False, allow_unicode=True, width=110)
