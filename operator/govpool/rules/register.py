"""The register (条款登记): each clause of the regulations, what carries it out, what is left to people."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from enum import StrEnum
from functools import lru_cache
from types import UnionType
from typing import Annotated, Union, get_args, get_origin

from pydantic import ConfigDict, Field, JsonValue, StringConstraints, model_validator

from govpool.api.base import Article, Model
from govpool.api.cloudpolicy import CloudPolicySpec
from govpool.api.kinds import by_kind

Code = Annotated[str, StringConstraints(pattern=r"^[A-Z]{1,4}$")]
"""A policy's code: ``YY``."""
Words = Annotated[str, StringConstraints(min_length=1)]
Key = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9-]*$")]

_CLAUSE = re.compile(r"^(?P<code>[A-Z]{1,4})-(?P<article>\d+)(?:\((?P<item>\d+)\))?$")
_STEP = re.compile(r"^(?P<name>[a-zA-Z]+)(?:\[(?P<key>[A-Za-z0-9-]+)\])?$")
_KEYS = ("application", "stage", "type", "name", "finding", "duty", "material")
"""The field by which a member of a list is named: ``procedures[New]``; others are numbered: ``anyOf[0]``."""


class Entry(Model):
    """A part of the register; a field that it does not have is a mistake."""

    model_config = ConfigDict(extra="forbid")


class Prose(Entry):
    """A text in both languages."""

    en: Words
    zh: Words


class State(StrEnum):
    """What becomes of a clause."""

    ENFORCED = "enforced"
    """The engine carries it out, or refuses what breaks it."""
    RECORDED = "recorded"
    """It is kept, shown and cited; people act on it."""
    ORGANISATIONAL = "organisational"
    """It binds people and bodies, outside what a system can see."""


class Clause(Entry):
    """One rule, wherever several regulations lay it down."""

    id: Key
    """Its name in the register."""
    term: Words
    """Its Chinese term."""
    articles: Annotated[dict[Code, Article], Field(min_length=1)]
    """Where each regulation says so, by the policy's code."""
    rule: Prose
    """What it says, in our own words."""
    numbers: Mapping[Code, Words] = {}
    """Numbers of the text that no field of a policy holds."""
    fields: tuple[str, ...] = ()
    """Fields without values to compare, of a CloudPolicy or another kind (``TenantQuota:spec.outside``)."""
    values: Mapping[str, Mapping[Code, JsonValue]] = {}
    """Field of a CloudPolicy to what each shipped policy has in it; null where a policy leaves it out."""
    functions: tuple[str, ...] = ()
    """The rule functions, by their dotted names."""
    place: tuple[str, ...] = ()
    """Where in the life cycle: modules that ask those functions."""
    tests: tuple[str, ...] = ()
    """Names of test functions."""
    state: State
    because: Prose | None = None
    """Why it is not, or not wholly, carried out by the engine."""

    @model_validator(mode="after")
    def _explained(self) -> Clause:
        if self.state is not State.ENFORCED and self.because is None:
            raise ValueError(f"{self.id}: what is {self.state.value} says why")
        return self

    @property
    def every_field(self) -> tuple[str, ...]:
        """The fields, with and without values."""
        return (*self.fields, *(path for path in self.values if path not in self.fields))

    def clauses(self) -> Iterator[str]:
        """Each clause on its own: ``YY-19(2)``."""
        for code, article in self.articles.items():
            for part in article.split(","):
                yield f"{code}-{part}"


class Section(Entry):
    """A part of the life that the clauses are about."""

    number: Annotated[int, Field(ge=1)]
    title: Prose
    clauses: Annotated[tuple[Clause, ...], Field(min_length=1)]


class Subject(StrEnum):
    """Why an article, or the part of it that no clause cites, has no rule."""

    DEFINITION = "definition"
    """Purpose, scope, terms, entry into force: nothing to carry out."""
    ORGANISATIONAL = "organisational"
    """Duties of people and bodies."""


class ArticleEntry(Entry):
    """One article of a text."""

    title: Prose
    """What it is about, in our own words."""
    items: Annotated[int, Field(ge=0)] = 0
    """How many numbered items (项) it has."""
    rest: Subject | None = None
    """What it is where no clause of the register cites it, or what is left beside those clauses."""
    because: Prose | None = None
    """Why nothing is carried out."""


class Source(Entry):
    """One text, article by article."""

    code: Code
    policy: Words
    """Name of its CloudPolicy."""
    title: Words
    """Its Chinese title."""
    articles: dict[Annotated[int, Field(ge=1)], ArticleEntry]


class Register(Entry):
    """Every clause, and every article of every text."""

    sections: tuple[Section, ...]
    sources: tuple[Source, ...]

    @property
    def clauses(self) -> tuple[Clause, ...]:
        """The clauses of all sections, in order."""
        return tuple(clause for section in self.sections for clause in section.clauses)

    def citing(self, code: str, article: int, item: int | None = None) -> tuple[Clause, ...]:
        """The clauses that cite an article: with an item, those that cite it or the article as a whole."""
        found = []
        for clause in self.clauses:
            for cited in map(parsed, clause.clauses()):
                whole = item is None or cited[2] is None
                if cited[:2] == (code, article) and (whole or cited[2] == item):
                    found.append(clause)
                    break
        return tuple(found)

    def where(self, clause: str) -> tuple[Clause, ...]:
        """The clauses behind a citation such as ``YY-19(2)``. Raises ValueError for what is no citation,
        and LookupError for an article that no text has.
        """
        code, article, item = parsed(clause)
        entry = self.article(code, article)
        if item is not None and item > entry.items:
            raise LookupError(f"{code}-{article} has {entry.items} numbered items")
        return self.citing(code, article, item)

    def article(self, code: str, article: int) -> ArticleEntry:
        """An article of a text. Raises LookupError where there is none."""
        source = next((one for one in self.sources if one.code == code), None)
        if source is None:
            known = ", ".join(one.code for one in self.sources)
            raise LookupError(f"no text has the code {code}; there are {known}")
        if article not in source.articles:
            raise LookupError(f"{code} has articles 1 to {max(source.articles)}, and no {article}")
        return source.articles[article]


@lru_cache(maxsize=4096)
def parsed(clause: str) -> tuple[str, int, int | None]:
    """Code, article and item of a citation. Raises ValueError if it is none."""
    found = _CLAUSE.match(clause.strip())
    if found is None:
        raise ValueError(f"{clause!r} is no clause: write YY-19 for an article, YY-19(2) for its second item")
    item = found["item"]
    return found["code"], int(found["article"]), None if item is None else int(item)


def unaccounted(source: Source, register: Register) -> Iterator[str]:
    """Articles and items of a text that neither a clause cites nor a reason accounts for."""
    for number in range(1, max(source.articles, default=0) + 1):
        entry = source.articles.get(number)
        if entry is None:
            yield f"{source.code}-{number}: no entry"
        elif entry.rest is not None:
            if entry.because is None:
                yield f"{source.code}-{number}: {entry.rest.value} without a reason"
        elif not register.citing(source.code, number):
            yield f"{source.code}-{number}: no clause cites it, and nothing says why"
        else:
            for item in range(1, entry.items + 1):
                if not register.citing(source.code, number, item):
                    yield f"{source.code}-{number}({item}): no clause cites it, and nothing says why"


def value_at(policy: CloudPolicySpec, path: str) -> JsonValue:
    """What a policy has at a field path, as in its manifest; None where it leaves it out.

    Raises LookupError for a path that no policy could have.
    """
    exists(path)
    found: JsonValue = policy.model_dump(mode="json", by_alias=True, exclude_none=True)
    for name, key in _steps(path):
        found = found.get(name) if isinstance(found, dict) else None
        if key is not None:
            members = found if isinstance(found, list) else []
            named = enumerate(members)
            found = next((one for index, one in named if key == str(index) or _named(one, key)), None)
    return found


def exists(path: str) -> None:
    """Raise LookupError unless the models have a field at that path."""
    kind, _, inner = path.rpartition(":")
    try:
        node: object = by_kind(kind) if kind else CloudPolicySpec
    except KeyError:
        raise LookupError(f"{path}: there is no kind {kind}") from None
    for name, key in _steps(inner):
        node = _field(node, name, path)
        if key is not None:
            node = _member(node, key, path)


def _field(node: object, name: str, path: str) -> object:
    if isinstance(node, type) and issubclass(node, Model):
        for field in node.model_fields.values():
            if field.alias == name:
                return _plain(field.annotation)
    raise LookupError(f"{path}: {getattr(node, '__name__', node)} has no field {name}")


def _member(node: object, key: str, path: str) -> object:
    """The members of a list, if one of them could be named ``key``."""
    inner = _plain(get_args(node)[0]) if get_origin(node) is list else None
    if inner is not None and key.isdigit():
        return inner
    if isinstance(inner, type) and issubclass(inner, Model):
        for field in inner.model_fields.values():
            kind = _plain(field.annotation)
            if field.alias in _KEYS and isinstance(kind, type):
                if not issubclass(kind, StrEnum) or key in {one.value for one in kind}:
                    return inner
                raise LookupError(f"{path}: no {kind.__name__} is called {key}")
    raise LookupError(f"{path}: no list whose members are called by name stands before [{key}]")


def _plain(annotation: object) -> object:
    """The type behind ``Optional`` and ``Annotated``."""
    origin = get_origin(annotation)
    if origin is Annotated:
        return _plain(get_args(annotation)[0])
    if origin in (Union, UnionType):
        return _plain(next(one for one in get_args(annotation) if one is not type(None)))
    return annotation


def _steps(path: str) -> Iterator[tuple[str, str | None]]:
    for part in path.rpartition(":")[2].split("."):
        found = _STEP.match(part)
        if found is None:
            raise LookupError(f"{path}: {part!r} is no step of a path")
        yield found["name"], found["key"]


def _named(member: JsonValue, key: str) -> bool:
    return isinstance(member, dict) and any(member.get(name) == key for name in _KEYS)
