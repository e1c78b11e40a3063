"""``govpool audit``: prove the audit trail (审计链) whole, in a cluster or from a file, and take it out."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from pydantic import JsonValue
from rich.console import Console
from rich.text import Text

from govpool.api.auditrecord import AuditRecord
from govpool.cli.errors import CliError, Exit
from govpool.cli.options import (
    AsOption,
    KubeconfigOption,
    LanguageOption,
    NamespaceOption,
    StateOption,
    language_of,
)
from govpool.cli.run import acting, fail, run
from govpool.messages import Language, message
from govpool.rules.audit_chain import ANCHOR_KIND, Anchor, Verdict, verify_trail

if TYPE_CHECKING:
    from govpool.cli.api import Api

app = typer.Typer(help="Prove the audit trail whole, or take it out.")
Document = tuple[str, Mapping[str, JsonValue]]
AllOption = Annotated[bool, typer.Option("--all", help="Every unit.")]


class Trails:
    """Records and anchors, from wherever they were read."""

    def __init__(self, documents: Sequence[Document], anchors: Mapping[str, Anchor] | None) -> None:
        self.documents = documents
        self.anchors = anchors

    def lines(self) -> Iterator[str]:
        """One JSON object per line: the records in their order, then the anchors."""
        for _, document in self.documents:
            yield json.dumps(document, ensure_ascii=False, sort_keys=True)
        for unit, anchor in sorted((self.anchors or {}).items()):
            line = {"kind": ANCHOR_KIND, "unit": unit, "sequence": anchor.sequence, "hash": anchor.hash}
            yield json.dumps(line, sort_keys=True)


@app.command()
def verify(
    language: LanguageOption,
    state_dir: StateOption,
    files: Annotated[
        list[Path] | None,
        typer.Argument(metavar="[FILE]...", help="Exported trails; without one the cluster's own."),
    ] = None,
    namespace: NamespaceOption = None,
    every: AllOption = False,
    export: Annotated[
        Path | None, typer.Option("--export", help="Also write what was verified to this file.")
    ] = None,
    user: AsOption = None,
    kubeconfig: KubeconfigOption = None,
) -> None:
    """Prove that nothing was altered, taken out, put in or cut off; a FILE needs no cluster.

    Exit code 0 when every chain is whole, 1 when one is not; each fault names its record.
    """
    if files:
        trails = read_files(files, namespace)
    else:
        who = acting(kubeconfig, user, state_dir, otherwise="viewer")
        trails = run(_of_cluster(who, namespace, every=every))
    verdicts = verify_trail(trails.documents, trails.anchors)
    if export is not None:
        write_lines(export, trails.lines())
    console = Console(highlight=False, soft_wrap=True)
    for verdict in verdicts:
        show_verdict(console, verdict, language_of(language))
    if not verdicts:
        console.print(message("audit.cli.nothing").render(language_of(language)))
    if any(not verdict.ok for verdict in verdicts):
        raise typer.Exit(Exit.NO)


@app.command()
def export(
    state_dir: StateOption,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Write to this file instead of standard output.")
    ] = None,
    namespace: NamespaceOption = None,
    every: AllOption = False,
    user: AsOption = None,
    kubeconfig: KubeconfigOption = None,
) -> None:
    """Take the trail out as JSON lines, records and anchors, to keep and to verify elsewhere."""
    who = acting(kubeconfig, user, state_dir, otherwise="viewer")
    trails = run(_of_cluster(who, namespace, every=every))
    if output is None:
        for line in trails.lines():
            typer.echo(line)
        return
    write_lines(output, trails.lines())
    typer.echo(output)


def write_lines(path: Path, lines: Iterable[str]) -> None:
    """Write the lines, or end with why not."""
    try:
        path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    except OSError as error:
        fail(CliError(f"{path}: {error.strerror}"))


def show_verdict(console: Console, verdict: Verdict, language: Language) -> None:
    """One unit's chain, with every fault."""
    whole = message("audit.cli.whole" if verdict.ok else "audit.cli.broken").render(language)
    console.print(Text.assemble((whole, "green" if verdict.ok else "red"), f"  {verdict.unit}"))
    counted = message("audit.cli.counted", records=verdict.records, entries=verdict.entries)
    console.print(Text(f"  {counted.render(language)}"))
    if verdict.head is not None:
        console.print(Text(f"  SHA-256 {verdict.head.hash}"))
    if verdict.anchor is None:
        console.print(Text(f"  {message('audit.cli.no-anchor').render(language)}", style="yellow"))
    elif verdict.ok:
        text = message(
            "audit.cli.anchored", sequence=verdict.anchor.sequence, behind=verdict.unanchored
        ).render(language)
        console.print(Text(f"  {text}"))
    for fault in verdict.faults:
        console.print(
            Text.assemble(
                "  ", (fault.kind.value, "red"), f"  {fault.record}: ", fault.message.render(language)
            )
        )


# -- where trails come from ----------------------------------------------------------------------
async def _of_cluster(who: Path | None, namespace: str | None, *, every: bool) -> Trails:
    from govpool.cli.api import connected

    async with connected(who) as api:
        unit = None if every else namespace or api.namespace
        return await read_cluster(api, unit)


async def read_cluster(api: Api, unit: str | None) -> Trails:
    """One unit's trail, or every unit's. The anchors first: what is appended meanwhile lies behind them."""
    anchors = await read_anchors_of(api, unit)
    found = await api.list(AuditRecord, namespace=unit)
    ordered = sorted(found, key=lambda record: record.key)
    return Trails([(record.metadata.name, document_of(record)) for record in ordered], anchors)


async def read_anchors_of(api: Api, unit: str | None) -> Mapping[str, Anchor] | None:
    """The anchors; None when this user may not read them."""
    from govpool.effects import secrets
    from govpool.effects.audit import ANCHORS, read_anchors
    from govpool.effects.kube import KubeError

    try:
        anchors = read_anchors(await api.core_get("configmaps", secrets.NAMESPACE, ANCHORS))
    except KubeError as error:
        if error.status != 403:
            raise
        return None
    return {name: anchor for name, anchor in anchors.items() if unit in (None, name)}


def document_of(record: AuditRecord) -> dict[str, JsonValue]:
    """The record as it is exported: what it says, its name and its unit's namespace."""
    meta = record.metadata
    return {
        "apiVersion": record.api_version,
        "kind": record.DEFINITION.kind,
        "metadata": {"name": meta.name, "namespace": meta.namespace},
        "spec": record.spec.model_dump(mode="json", by_alias=True, exclude_none=True),
    }


def read_files(paths: Sequence[Path], unit: str | None) -> Trails:
    """Trails from exported files; ends the process when one can't be read at all."""
    documents: list[Document] = []
    anchors: dict[str, Anchor] = {}
    for path in paths:
        try:
            lines = path.read_text(encoding="utf-8").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            fail(CliError(f"{path}: {error}", Exit.USAGE))
        for number, line in enumerate(lines, 1):
            if line.strip():
                _read_line(f"{path}:{number}", line, documents, anchors)
    if unit is not None:
        documents = [one for one in documents if _unit_of(one[1]) in (unit, None)]
        anchors = {name: anchor for name, anchor in anchors.items() if name == unit}
    return Trails(documents, anchors or None)


def _read_line(place: str, line: str, documents: list[Document], anchors: dict[str, Anchor]) -> None:
    try:
        document = json.loads(line)
    except ValueError:
        document = None
    if not isinstance(document, dict):
        # It is judged like a record that can't be read: the others are judged all the same.
        documents.append((place, {"metadata": {"name": place}}))
    elif document.get("kind") == ANCHOR_KIND:
        try:
            anchors[str(document["unit"])] = Anchor.read(f"{document['sequence']} {document['hash']}")
        except (KeyError, ValueError):
            fail(CliError(f"{place}: this line is no anchor", Exit.USAGE))
    else:
        documents.append((place, document))


def _unit_of(document: Mapping[str, JsonValue]) -> str | None:
    metadata = document.get("metadata")
    named = metadata.get("namespace") if isinstance(metadata, Mapping) else None
    return str(named) if named else None
