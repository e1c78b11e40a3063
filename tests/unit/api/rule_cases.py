"""The tables of cases: valid objects, what differs from them, and what a server has to say about it."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

import yaml

from govpool.api.base import Model, Resource, Rule
from govpool.api.kinds import KINDS

HERE = Path(__file__).parent
Obj = dict[str, Any]


@dataclass(frozen=True)
class Case:
    """One object put before a server, as new or in place of `old`."""

    id: str
    kind: str
    new: Obj
    old: Obj | None
    message: str
    """Part of the server's refusal; empty when it is let through."""


def bases() -> dict[str, Obj]:
    return yaml.safe_load((HERE / "bases.yaml").read_text(encoding="utf-8"))


def edited(base: Obj, edits: dict[str, Any]) -> Obj:
    """The base with the value at each dotted path set, appended (`+`) or removed (None)."""
    result = copy.deepcopy(base)
    for path, value in edits.items():
        *parents, last = path.split(".") if not path.startswith("metadata.labels") else path.split(".", 2)
        place: Any = result
        for step in parents:
            place = place[int(step)] if isinstance(place, list) else place.setdefault(step, {})
        if isinstance(place, list):
            if last == "+":
                place.append(copy.deepcopy(value))
            elif value is None:
                del place[int(last)]
            else:
                place[int(last)] = copy.deepcopy(value)
        elif last == "+":
            raise ValueError(f"{path}: nothing to append to")
        elif value is None:
            place.pop(last, None)
        else:
            place[last] = copy.deepcopy(value)
    return result


def models_of(kind: type[Resource]) -> Iterator[type[Model]]:
    """Every model that the kind is made of, itself first."""
    seen: set[type[Model]] = set()
    waiting: list[Any] = [kind]
    while waiting:
        annotation = waiting.pop()
        if isinstance(annotation, type) and issubclass(annotation, Model):
            if annotation in seen:
                continue
            seen.add(annotation)
            yield annotation
            waiting += [field.annotation for field in annotation.model_fields.values()]
        waiting += get_args(annotation)


def rules() -> dict[str, Rule]:
    """Every rule of every kind, by the name that the table uses."""
    found: dict[str, Rule] = {}
    for kind in KINDS:
        for model in models_of(kind):
            for rule in (*model.RULES, *(kind.DEFINITION.rules if model is kind else ())):
                found[f"{model.__name__}: {rule.message}"] = rule
    return found


def rule_table() -> list[Obj]:
    return yaml.safe_load((HERE / "rules.yaml").read_text(encoding="utf-8"))


def rule_cases() -> list[Case]:
    """Every case of `rules.yaml`."""
    base = bases()
    cases = []
    for entry in rule_table():
        kind, message = entry["kind"], entry["rule"].partition(": ")[2]
        for verdict in ("accept", "reject"):
            for number, case in enumerate(entry[verdict]):
                old = case.get("old")
                cases.append(
                    Case(
                        id=f"{entry['rule']} / {verdict} {number}",
                        kind=kind,
                        new=edited(base[kind], case["new"]),
                        old=None if old is None else edited(base[kind], old),
                        message=message if verdict == "reject" else "",
                    )
                )
    return cases
