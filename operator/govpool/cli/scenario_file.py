"""A scenario read from its file; what is wrong is told with line and column."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path as FilePath

from pydantic import ValidationError

from govpool.cli.data import shipped
from govpool.cli.errors import CliError, Exit
from govpool.cli.yaml_places import Document, NotYamlError, documents
from govpool.simulation.scenario import Scenario
from govpool.simulation.scenario_check import Place, problems


def scenarios() -> dict[str, FilePath]:
    """The scenarios that ship, by name."""
    return {path.stem: path for path in sorted(shipped("scenarios").glob("*.yaml"))}


def read_scenario(given: str) -> Scenario:
    """The scenario in a file, or the one that ships under a name.

    Raises:
        CliError: there is none, or it is no sound one; every problem with its place.
    """
    path = scenarios().get(given) or FilePath(given)
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise CliError(f"{path}: not UTF-8: save it as UTF-8") from None
    except OSError as error:
        known = ", ".join(scenarios())
        raise CliError(f"{given}: {error.strerror}; scenarios that ship: {known}", Exit.USAGE) from None
    try:
        found = list(documents(text))
    except NotYamlError as error:
        raise CliError(f"{path}:{error.place.line}:{error.place.column}: not YAML: {error}") from None
    if len(found) != 1:
        raise CliError(f"{path}: holds {len(found)} documents where one scenario is expected")
    (document,) = found
    told = [(place, "is given twice") for place in document.twice]
    try:
        scenario = Scenario.model_validate(document.value)
    except ValidationError as error:
        told += _translated(error, document)
        raise _wrong(path, document, told) from None
    told += list(problems(scenario))
    if told:
        raise _wrong(path, document, told)
    return scenario


def _translated(error: ValidationError, document: Document) -> Iterator[tuple[Place, str]]:
    """pydantic's errors at the file's own paths: tags of unions are no part of the file."""
    for one in error.errors(include_url=False, include_context=False, include_input=False):
        path: Place = ()
        for step in one["loc"]:
            if (*path, step) in document.places:
                path = (*path, step)
        missing = one["type"] == "missing"
        yield path, f"{one['loc'][-1]} is missing" if missing else _plainly(one["msg"])


def _plainly(text: str) -> str:
    text = text.removeprefix("Value error, ")
    return "there is no such field" if text.startswith("Extra inputs") else text


def _wrong(path: FilePath, document: Document, told: list[tuple[Place, str]]) -> CliError:
    lines = []
    for where, why in sorted(told, key=lambda one: document.place(one[0])):
        place = document.place(where)
        name = ".".join(str(step) for step in where) or "scenario"
        line = f"{path}:{place.line}:{place.column}: {name}: {why}"
        if line not in lines:
            lines.append(line)
    return CliError("this is no sound scenario:\n" + "\n".join(lines))
