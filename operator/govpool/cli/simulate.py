"""``govpool simulate``: play a story under a regulation before it is enacted."""

from __future__ import annotations

import sys
import time
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from govpool.cli.errors import CliError, Exit
from govpool.cli.options import LanguageOption, language_of
from govpool.cli.run import fail
from govpool.messages import Language, message

if TYPE_CHECKING:
    from govpool.effects.kube import Json
    from govpool.simulation.result import SimulationResult
    from govpool.simulation.scenario import Scenario


class Format(StrEnum):
    """How a result is told."""

    TABLE = "table"
    JSON = "json"
    HTML = "html"


def simulate(
    language: LanguageOption,
    policy: Annotated[
        str | None,
        typer.Option("--policy", help="A CloudPolicy's file, or the name of one that ships."),
    ] = None,
    scenario: Annotated[
        str | None,
        typer.Option("--scenario", help="A scenario's file, or the name of one that ships. None: list them."),
    ] = None,
    compare: Annotated[
        str | None, typer.Option("--compare", help="A second policy: both stories side by side.")
    ] = None,
    until: Annotated[
        datetime | None,
        typer.Option("--until", formats=["%Y-%m-%d"], help="Last day, instead of the scenario's own."),
    ] = None,
    as_if_in_force: Annotated[
        bool,
        typer.Option(
            "--as-if-in-force",
            help="Play a regulation that is not in force yet as if it were.",
        ),
    ] = False,
    format_: Annotated[Format, typer.Option("--format", help="How the result is told.")] = Format.TABLE,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Write there instead of standard output.")
    ] = None,
) -> None:
    """Play a scenario on virtual time: the operator's own decisions, years in seconds, no control plane.

    Exit code 1 when something that the scenario expects is not so.
    """
    told = language_of(language)
    try:
        if scenario is None:
            _list(told)
            return
        results = _played([policy, compare], scenario, until, told, as_if_in_force=as_if_in_force)
    except CliError as error:
        fail(error)
    _tell(results, format_, output, told)
    if not all(result.met for result in results):
        raise typer.Exit(Exit.NO)


def _list(language: Language) -> None:
    from govpool.cli.scenario_file import read_scenario, scenarios

    for name in scenarios():
        title = read_scenario(name).title
        typer.echo(f"{name:24} {title.en if language == 'en' else title.zh}")


def _played(
    named: list[str | None],
    scenario_name: str,
    until: datetime | None,
    language: Language,
    *,
    as_if_in_force: bool,
) -> list[SimulationResult]:
    from pydantic import ValidationError

    from govpool.cli.data import shipped
    from govpool.cli.run import explained
    from govpool.cli.scenario_file import read_scenario
    from govpool.simulation.ground import Ground
    from govpool.simulation.simulate import simulate as play

    policies = [name for name in named if name is not None]
    if named[0] is None:
        raise CliError("name the policy: --policy FILE, or one that ships", Exit.USAGE)
    scenario = _shortened(read_scenario(scenario_name), until)
    results = []
    for name in policies:
        document = _policy(name)
        if as_if_in_force:
            document = _in_force(document, scenario)
        elif (first := _not_yet(document, scenario)) is not None:
            hint = message("simulate.not-yet", policy=name, first=first, starts=scenario.starts[:10])
            sys.stderr.write(f"{hint.render(language)}\n")
        ground = Ground.read(shipped("examples"), document)
        began = time.monotonic()
        try:
            results.append(play(scenario, ground, language=language))
        except ValidationError as error:
            raise CliError(f"{name} can't be played: {error}; see govpool policy check") from None
        except Exception as error:
            if (known := explained(error)) is None:
                raise
            raise known from None
        took = message("simulate.took", seconds=f"{time.monotonic() - began:.1f}").render(language)
        sys.stderr.write(f"{scenario.name}, {name}: {took}\n")
    return results


def _not_yet(document: Json, scenario: Scenario) -> str | None:
    """The regulation's first day, where the story begins before it."""
    spec = document.get("spec")
    first = str(spec.get("effectiveFrom", "")) if isinstance(spec, dict) else ""
    return first if first[:10] > scenario.starts[:10] else None


def _in_force(document: Json, scenario: Scenario) -> Json:
    """The regulation with a validity that holds the story; the story then tells nothing of the real one."""
    spec = document.get("spec")
    if not isinstance(spec, dict):
        return document
    spec = dict(spec)
    if _not_yet(document, scenario) is not None:
        spec["effectiveFrom"] = scenario.starts[:10]
    if str(spec.get("effectiveUntil") or "9999")[:10] < scenario.until[:10]:
        spec["effectiveUntil"] = scenario.until[:10]
    return {**document, "spec": spec}


def _shortened(scenario: Scenario, until: datetime | None) -> Scenario:
    """The scenario as far as one wants to see it; what is expected later is not judged."""
    if until is None:
        return scenario
    day = until.date().isoformat()
    first = scenario.starts[:10]
    if day <= first:
        raise CliError(f"--until {day}: the story begins on {first}; name a later day", Exit.USAGE)
    kept = [item for item in scenario.expect if item.at is not None and item.at[:10] <= day]
    return scenario.model_copy(update={"until": day, "expect": kept})


def _policy(given: str) -> Json:
    from govpool.api.cloudpolicy import CloudPolicy
    from govpool.cli.data import shipped
    from govpool.cli.yaml_places import NotYamlError, documents

    ships = {path.stem: path for path in sorted(shipped("policies").glob("*.yaml"))}
    path = ships.get(given) or Path(given)
    try:
        found = [one.value for one in documents(path.read_text(encoding="utf-8"))]
    except NotYamlError as error:
        raise CliError(f"{path}:{error.place.line}:{error.place.column}: not YAML: {error}") from None
    except (OSError, UnicodeDecodeError):
        raise CliError(f"{given}: no such policy; those that ship: {', '.join(ships)}", Exit.USAGE) from None
    kind = CloudPolicy.DEFINITION.kind
    for document in found:
        if isinstance(document, dict) and document.get("kind") == kind:
            return dict(document)
    raise CliError(f"{path}: holds no CloudPolicy", Exit.USAGE)


def _tell(results: list[SimulationResult], format_: Format, output: Path | None, language: Language) -> None:
    if format_ is Format.TABLE:
        _table(results, output, language)
        return
    text = _json(results) if format_ is Format.JSON else _page(results, language)
    if output is None:
        sys.stdout.write(text)
        return
    try:
        output.write_text(text, encoding="utf-8")
    except OSError as error:
        fail(CliError(f"{output}: {error.strerror}", Exit.USAGE))


def _json(results: list[SimulationResult]) -> str:
    documents = [result.model_dump_json(by_alias=True, indent=2) for result in results]
    return (documents[0] if len(documents) == 1 else "[" + ",\n".join(documents) + "]") + "\n"


def _page(results: list[SimulationResult], language: Language) -> str:
    from govpool.simulation.page import render_comparison, render_page

    if len(results) == 1:
        return render_page(results[0], language)
    return render_comparison(results[0], results[1], language)


def _table(results: list[SimulationResult], output: Path | None, language: Language) -> None:
    from rich.console import Console

    from govpool.cli.simulation_table import SimulationTable
    from govpool.simulation.compare import compare, table

    def tell(console: Console) -> None:
        if len(results) == 1:
            console.print(SimulationTable(results[0], language).render(), highlight=False)
        else:
            console.print(table(compare(results[0], results[1], language), language), highlight=False)

    if output is None:
        tell(Console() if sys.stdout.isatty() else Console(width=160))
        return
    try:
        with output.open("w", encoding="utf-8") as file:
            tell(Console(file=file, width=160))
    except OSError as error:
        fail(CliError(f"{output}: {error.strerror}", Exit.USAGE))
