"""Label and field selectors (apimachinery `labels` and `fields`)."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from .errors import bad_request

_SET = re.compile(r"^\s*(?P<key>[^\s!=,()]+)\s+(?P<op>in|notin)\s*\((?P<values>[^)]*)\)\s*$")
_EQUAL = re.compile(r"^\s*(?P<key>[^\s!=<>,()]+)\s*(?P<op>==|!=|=)\s*(?P<value>[^\s,()=!]*)\s*$")
_ORDER = re.compile(r"^\s*(?P<key>[^\s!=<>,()]+)\s*(?P<op>[<>])\s*(?P<value>-?\d+)\s*$")
_EXISTS = re.compile(r"^\s*(?P<not>!?)\s*(?P<key>[^\s!=<>,()]+)\s*$")


@dataclass(frozen=True)
class Requirement:
    """One term of a label selector."""

    key: str
    op: str
    values: tuple[str, ...] = ()

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Tell whether the labels meet this term."""
        present = self.key in labels
        value = labels.get(self.key, "")
        if self.op == "in":
            return present and value in self.values
        if self.op == "notin":
            return not present or value not in self.values
        if self.op in "<>":
            if not re.fullmatch(r"-?\d+", value):
                return False
            return int(value) < int(self.values[0]) if self.op == "<" else int(value) > int(self.values[0])
        return present is (self.op == "exists")


def _requirement(term: str) -> Requirement:
    if found := _SET.match(term):
        values = tuple(v.strip() for v in found["values"].split(","))
        return Requirement(found["key"], found["op"], values)
    if found := _EQUAL.match(term):
        return Requirement(found["key"], "notin" if found["op"] == "!=" else "in", (found["value"],))
    if found := _ORDER.match(term):
        return Requirement(found["key"], found["op"], (found["value"],))
    if found := _EXISTS.match(term):
        return Requirement(found["key"], "absent" if found["not"] else "exists")
    raise bad_request(f'unable to parse requirement: found "{term.strip()}", expected: a label requirement')


def _terms(text: str) -> list[str]:
    """Split at commas that stand outside parentheses."""
    return [t for t in re.split(r",(?![^(]*\))", text) if t.strip()]


def parse_labels(text: str) -> tuple[Requirement, ...]:
    """Parse a label selector; raises 400 on a malformed one."""
    return tuple(_requirement(t) for t in _terms(text))


@dataclass(frozen=True)
class FieldTerm:
    """One term of a field selector: equal or not equal."""

    path: str
    value: str
    negated: bool = False


def parse_fields(text: str) -> tuple[FieldTerm, ...]:
    """Parse a field selector; raises 400 on a malformed one."""
    terms = []
    for part in _terms(text):
        found = re.match(r"^\s*([^=!\s]+)\s*(==|!=|=)\s*(.*?)\s*$", part)
        if not found:
            raise bad_request(f"invalid selector: '{part}'; can't understand '{part}'")
        terms.append(FieldTerm(found[1], found[3], found[2] == "!="))
    return tuple(terms)


@dataclass(frozen=True)
class Selector:
    """Label and field terms together; `matches` wants the labels and a way to read a field as a string."""

    labels: tuple[Requirement, ...] = ()
    fields: tuple[FieldTerm, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.labels or self.fields)

    def matches(self, labels: Mapping[str, str], read: Callable[[str], str]) -> bool:
        """Tell whether an object is selected."""
        return all(r.matches(labels) for r in self.labels) and all(
            (read(t.path) == t.value) is not t.negated for t in self.fields
        )
