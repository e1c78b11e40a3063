"""YAML read as an API server reads it, with the line of every value."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

import yaml

from govpool.rules.policy_finding import Path

Plain = dict[str, "Plain"] | list["Plain"] | str | int | float | bool | None
"""What JSON can say."""


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """Line and column of a file, from 1."""

    line: int
    column: int


@dataclass(slots=True)
class Document:
    """One YAML document."""

    value: Plain = None
    places: dict[Path, Place] = field(default_factory=dict)
    """Where each value stands; of a field, where its name does."""
    twice: list[Path] = field(default_factory=list)
    """Fields that are given more than once."""
    repeats: dict[Path, Place] = field(default_factory=dict)
    """Where such a field is given again."""

    def place(self, path: Path) -> Place:
        """Where a value stands; what is not there stands where it would belong."""
        while path and path not in self.places:
            path = path[:-1]
        return self.places.get(path, Place(1, 1))


class _Loader(yaml.SafeLoader):
    """Dates stay text, as they do on their way to an API server."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


_WIDE_COLON = re.compile(r"[ -]*[A-Za-z]+：")


class NotYamlError(Exception):
    """The text is no YAML; the message says where and why."""

    def __init__(self, place: Place, why: str, hint: str | None = None) -> None:
        super().__init__(why)
        self.place = place
        self.hint = hint
        """Key of a text on what was probably typed; None where nothing is known."""


def documents(text: str) -> Iterator[Document]:
    """The documents of a file, empty ones left out. Raises NotYamlError."""
    loader = _Loader(text)
    try:
        while loader.check_node():
            document, node = Document(), loader.get_node()
            document.value = None if node is None else _plain(loader, node, (), document, frozenset())
            if document.value is not None:
                yield document
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = Place(1, 1) if mark is None else Place(mark.line + 1, mark.column + 1)
        place, hint = _typed(text, place)
        raise NotYamlError(place, re.sub(r"\s+", " ", error.problem or str(error)), hint) from error
    except yaml.YAMLError as error:
        raise NotYamlError(Place(1, 1), re.sub(r"\s+", " ", str(error))) from error
    finally:
        loader.dispose()


def _typed(text: str, place: Place) -> tuple[Place, str | None]:
    """Where a slip of the keyboard stands in the line that can't be read, or in the one before; and which."""
    lines = text.splitlines()
    for number in (place.line, place.line - 1):
        line = lines[number - 1] if 0 < number <= len(lines) else ""
        if wide := _WIDE_COLON.match(line):
            return Place(number, wide.end()), "policy.full-width-colon"
        if tab := re.match(r" *\t", line):
            return Place(number, tab.end()), "policy.tab"
    return place, None


def _plain(loader: _Loader, node: yaml.Node, path: Path, document: Document, above: frozenset[int]) -> Plain:
    if id(node) in above:
        raise NotYamlError(_place(node), "an alias names what it stands in")
    document.places.setdefault(path, _place(node))
    above |= {id(node)}
    if isinstance(node, yaml.MappingNode):
        loader.flatten_mapping(node)
        mapping: dict[str, Plain] = {}
        for key_node, value_node in node.value:
            name = str(loader.construct_object(key_node, deep=True))
            inner = (*path, name)
            if name in mapping:
                document.twice.append(inner)
                document.repeats[inner] = _place(key_node)
                _forget(document, inner)
            document.places[inner] = _place(key_node)
            mapping[name] = _plain(loader, value_node, inner, document, above)
        return mapping
    if isinstance(node, yaml.SequenceNode):
        return [_plain(loader, item, (*path, i), document, above) for i, item in enumerate(node.value)]
    value = loader.construct_object(node, deep=True)
    return value if isinstance(value, str | int | float | bool) or value is None else str(value)


def _forget(document: Document, path: Path) -> None:
    """Only the last of several values counts, so only its places do."""
    for known in [known for known in document.places if known[: len(path)] == path]:
        del document.places[known]


def _place(node: yaml.Node) -> Place:
    return Place(node.start_mark.line + 1, node.start_mark.column + 1)
