"""The register of clauses as it ships: ``policies/register``, one file per section and one per text."""

from __future__ import annotations

from pathlib import Path

import yaml

from govpool.cli.data import shipped
from govpool.rules.register import Clause, Register, Section, Source, parsed

TEXTS = "texts"


def load(folder: Path | None = None) -> Register:
    """The register of a folder; without one, that which ships.

    Raises OSError if a file can't be read, yaml.YAMLError and pydantic.ValidationError if one is not what it
    must be.
    """
    folder = folder or shipped("policies") / "register"
    sections = [Section.model_validate(read(file)) for file in sorted(folder.glob("*.yaml"))]
    sources = [Source.model_validate(read(file)) for file in sorted((folder / TEXTS).glob("*.yaml"))]
    return Register(sections=tuple(sections), sources=tuple(sources))


def read(file: Path) -> object:
    """What a YAML file holds."""
    return yaml.safe_load(file.read_text(encoding="utf-8"))


def told(register: Register, citation: str, language: str) -> list[str]:
    """What is known of a citation such as ``YY-19(2)``, as lines of text.

    Raises ValueError for what is no citation, LookupError for an article that no text has.
    """
    found = register.where(citation)
    code, number, _ = parsed(citation)
    article = register.article(code, number)
    source = next(one for one in register.sources if one.code == code)
    lines = [f"{citation.strip()}  {_in(article.title, language)}  《{source.title}》"]
    for clause in found:
        lines += ["", *_clause(clause, code, language)]
    if article.because is not None and article.rest is not None:
        lines += ["", f"{article.rest.value}: {_in(article.because, language)}"]
    return lines


def _clause(clause: Clause, code: str, language: str) -> list[str]:
    rows: list[tuple[str, list[str]]] = [
        ("rule", [_in(clause.rule, language)]),
        ("numbers", [clause.numbers[code]] if code in clause.numbers else []),
        ("field", [_field(clause, path, code) for path in clause.every_field]),
        ("function", list(clause.functions)),
        ("life cycle", list(clause.place)),
        ("test", list(clause.tests)),
        ("because", [_in(clause.because, language)] if clause.because else []),
    ]
    lines = [f"{clause.term} ({clause.id}): {clause.state.value}"]
    for name, values in rows:
        lines += [f"  {name if index == 0 else '':<11}{value}" for index, value in enumerate(values)]
    return lines


def _field(clause: Clause, path: str, code: str) -> str:
    values = clause.values.get(path, {})
    return f"{path} = {shown(values[code])}" if code in values else path


def shown(value: object) -> str:
    """A policy's value as people read it."""
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def _in(text: object, language: str) -> str:
    return str(getattr(text, language))
