"""Files of figures (YAML or CSV) for ``govpool usage record``: read whole, or refused whole."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import cast

import yaml
from pydantic import ValidationError

from govpool.api.usage import Usage
from govpool.cli.errors import CliError, Exit
from govpool.messages import Language, message

Json = dict[str, object]
FIGURES = ("mean", "peak", "meanOfDailyPeaks", "meanOfMonthlyPeaks")
WHOLE = {"logins", "freeDataDiskGiB", "dataGrowthGiBPerYear"}
ONCE = {
    "observedUntil",
    "source",
    "lastBusinessData",
    "idleSince",
    "stoppedSince",
    "inUse",
} | WHOLE
COLUMNS = frozenset({"server", "namespace", "over", "ends", "dimension", *FIGURES}) | ONCE
GIVEN = (frozenset(f.alias or name for name, f in Usage.model_fields.items()) | {"server", "namespace"}) - {
    "recordedAt",
    "recordedBy",
}
"""What an entry may say; who records it and when is not the file's to say."""
TRUTHS = {"true": True, "false": False}


@dataclass(frozen=True, slots=True)
class Entry:
    """The figures of one server, as a file has them."""

    place: str
    """File and line or number, for people."""
    server: str
    namespace: str | None
    figures: Json

    def usage(self, by: str, at: datetime, language: Language) -> Usage:
        """The figures as recorded by somebody at a time.

        Raises CliError for figures that can't be: the first is told with its place.
        """
        document = {"observedUntil": at.isoformat(), **self.figures}
        try:
            usage = Usage.model_validate({**document, "recordedAt": at.isoformat(), "recordedBy": by})
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(str(step) for step in first["loc"])
            raise _refused(self.place, f"{where}: {first['msg']}", language) from None
        except ValueError as error:
            raise _refused(self.place, str(error), language) from None
        if usage.observed_until.tzinfo is None:
            raise _refused(self.place, "observedUntil has no time zone: 2026-11-22T00:00:00+08:00", language)
        if usage.observed_until > at:
            raise _refused(self.place, f"observedUntil is later than now ({at.isoformat()})", language)
        if usage.in_use is False and usage.logins:
            raise _refused(self.place, "inUse is false and there are logins", language)
        lengths = [window.over for window in usage.windows]
        if len(set(lengths)) < len(lengths):
            raise _refused(self.place, "there is more than one window of a length", language)
        for window in usage.windows:
            dimensions = [figures.dimension for figures in window.figures]
            if len(set(dimensions)) < len(dimensions):
                raise _refused(self.place, f"{window.over.value} has a dimension twice", language)
        return usage


def entries(path: Path, language: Language = "en") -> tuple[Entry, ...]:
    """The entries of a file, one per server.

    Raises CliError when it can't be read, names no server, names one twice, or has a word that is none.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise CliError(f"{path}: {error}", Exit.USAGE) from None
    read = _csv if path.suffix.lower() == ".csv" else _yaml
    found = tuple(read(path.name, text, language))
    if not found:
        raise _refused(path.name, "there are no figures in it", language)
    named = [(entry.namespace, entry.server) for entry in found]
    for entry, name in zip(found, named, strict=True):
        if named.count(name) > 1:
            raise _refused(entry.place, f"server {entry.server} is there more than once", language)
    return found


def _refused(place: str, what: str, language: Language) -> CliError:
    return CliError(message("usage.refused", place=place, what=what).render(language))


def _yaml(name: str, text: str, language: Language) -> Iterator[Entry]:
    try:
        document = yaml.safe_load(text)
    except (yaml.YAMLError, ValueError) as error:  # a 31st of November is a ValueError
        raise _refused(name, f"no YAML: {error}", language) from None
    servers = document.get("servers") if isinstance(document, dict) else None
    if not isinstance(servers, list):
        raise _refused(name, "it has no list `servers`", language)
    for number, item in enumerate(servers):
        place = f"{name}: servers[{number}]"
        if not isinstance(item, dict) or not isinstance(item.get("server"), str):
            raise _refused(place, "it names no server", language)
        if unknown := sorted(set(map(str, item)) - GIVEN):
            raise _refused(place, f"{unknown[0]} is none of {', '.join(sorted(GIVEN))}", language)
        figures = {key: _plain(value) for key, value in item.items() if key not in ("server", "namespace")}
        yield Entry(place, item["server"], item.get("namespace"), figures)


def _plain(value: object) -> object:
    """Days and times as text: YAML reads them as such."""
    if isinstance(value, dict):
        return {key: _plain(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_plain(inner) for inner in value]
    return value.isoformat() if hasattr(value, "isoformat") else value


def _csv(name: str, text: str, language: Language) -> Iterator[Entry]:
    """A row per server, window and dimension; what is said once may stand in any of a server's rows."""
    reader = csv.DictReader(text.splitlines())
    if unknown := sorted(set(reader.fieldnames or ()) - COLUMNS):
        raise _refused(f"{name}:1", f"{unknown[0]} is none of {', '.join(sorted(COLUMNS))}", language)
    found: dict[tuple[str | None, str], tuple[str, Json]] = {}
    for row in reader:
        place = f"{name}:{reader.line_num}"
        given = {key: value.strip() for key, value in row.items() if key and value and value.strip()}
        server = given.pop("server", "")
        if not server:
            raise _refused(place, "it names no server", language)
        if None in row:
            raise _refused(place, "it has more values than there are columns", language)
        key = (given.pop("namespace", None), server)
        _, figures = found.setdefault(key, (place, {"windows": []}))
        _row(figures, given, place, language)
    for (namespace, server), (place, figures) in found.items():
        yield Entry(place, server, namespace, figures)


def _row(figures: Json, given: Mapping[str, str], place: str, language: Language) -> None:
    for column in ONCE & set(given):
        value = _value(column, given[column], place, language)
        if column in figures and figures[column] != value:
            raise _refused(place, f"{column} was {figures[column]} before", language)
        figures[column] = value
    measured = {
        column: _number(given[column], column, place, language) for column in FIGURES if column in given
    }
    if not measured:
        return
    for column in ("over", "ends", "dimension"):
        if column not in given:
            raise _refused(place, f"figures need {column}", language)
    windows = cast("list[Json]", figures["windows"])
    window = next((w for w in windows if w["over"] == given["over"]), None)
    if window is None:
        window = {"over": given["over"], "ends": given["ends"], "figures": []}
        windows.append(window)
    if window["ends"] != given["ends"]:
        raise _refused(place, f"{given['over']} ended on {window['ends']} before", language)
    cast("list[Json]", window["figures"]).append({"dimension": given["dimension"], **measured})


def _value(column: str, text: str, place: str, language: Language) -> object:
    if column == "inUse":
        if text.lower() not in TRUTHS:
            raise _refused(place, "inUse is true or false, or left empty when it is not known", language)
        return TRUTHS[text.lower()]
    if column in WHOLE and not text.isdigit():
        raise _refused(place, f"{column} is no whole number: {text}", language)
    return int(text) if column in WHOLE else text


def _number(text: str, column: str, place: str, language: Language) -> float:
    try:
        return float(text)
    except ValueError:
        raise _refused(place, f"{column} is no number: {text}", language) from None
