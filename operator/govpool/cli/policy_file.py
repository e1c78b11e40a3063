"""A file of CloudPolicies, checked: its form as an API server checks it, then what the engine makes of it."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from functools import cache
from typing import Any

from pydantic import ValidationError

from govpool.api.base import API_VERSION
from govpool.api.cloudpolicy import CloudPolicy
from govpool.api.crd import custom_resource_definition
from govpool.cli.policy_forms import malformed, near, steps
from govpool.cli.yaml_places import Document, NotYamlError, Place, documents
from govpool.rules.policy_check import check
from govpool.rules.policy_finding import Finding, Path, Sort, found
from govpool.standalone.cel import RuleNode, rule_errors
from govpool.standalone.errors import FieldError
from govpool.standalone.schema import Schema

_SPEC: Path = ("spec",)
_DURATIONS = ("duration", "keepOldEnvironment", "maxDuration", "transition")
_CONSEQUENCES = {"policy.stage-not-reached", "policy.stage-for-article", "policy.billing-never"}
"""Findings that a stage which can't be read may cause elsewhere."""
_BOTH_LANGUAGES = {"en": "-", "zh": "-"}
_STAND_INS: Mapping[str, Any] = {
    "title": _BOTH_LANGUAGES,
    "issuer": _BOTH_LANGUAGES,
    "code": "X",
    "documentNumber": "-",
    "effectiveFrom": "2000-01-01",
    "yearStarts": "01-01",
    "startsOn": "HandedOver",
    "role": "operator",
    **dict.fromkeys(_DURATIONS, "P1D"),
}
"""What stands in for a required value that nothing else is judged by, while the rest is."""


@dataclass(frozen=True, slots=True)
class Located:
    """A finding and where in the file it is."""

    place: Place
    finding: Finding


@dataclass(frozen=True, slots=True)
class CheckedPolicy:
    """One CloudPolicy of a file."""

    name: str
    findings: tuple[Located, ...]

    @property
    def mistakes(self) -> int:
        """How many findings need mending."""
        return len(self.findings)


def check_text(text: str) -> tuple[CheckedPolicy, ...]:
    """Every CloudPolicy in the text; empty when it holds none. Raises NotYamlError."""
    policies = []
    for document in documents(text):
        manifest = document.value
        if isinstance(manifest, dict) and manifest.get("kind") == CloudPolicy.DEFINITION.kind:
            metadata = manifest.get("metadata")
            name = str(metadata.get("name", "")) if isinstance(metadata, dict) else ""
            policies.append(CheckedPolicy(name or "-", _located(document, manifest)))
    return tuple(policies)


def _located(document: Document, manifest: Mapping[str, object]) -> tuple[Located, ...]:
    located = [
        Located(document.repeats[path], found(Sort.WRONG, path, "duplicate-key", name=path[-1]))
        for path in document.twice
    ]
    located += [Located(document.place(one.path), one) for one in _findings(manifest)]
    return tuple(sorted(located, key=lambda one: (one.place, one.finding.where)))


@cache
def _schema() -> tuple[dict[str, Any], Schema, RuleNode]:
    version = custom_resource_definition(CloudPolicy)["spec"]["versions"][0]
    node: dict[str, Any] = version["schema"]["openAPIV3Schema"]
    return node, Schema(node), RuleNode(node, root=True)


def _findings(manifest: Mapping[str, object]) -> Iterator[Finding]:
    """What an API server refuses; then, without what it refuses, what the engine can't do."""
    yield from _identity(manifest)
    node, schema, rules = _schema()
    sound = copy.deepcopy(dict(manifest))
    unknown = [_unknown(steps(name), node) for name in schema.prune(sound)]
    yield from unknown
    meant = {(*one.path[:-1], near) for one in unknown for key, near in one.message.values if key == "near"}
    schema.default(sound)
    trimmed = _Trimmed(sound)
    while errors := schema.errors(trimmed.value):
        told = [(trimmed.original(steps(error.path)), error) for error in errors]
        for path in dict.fromkeys(path for path, _ in told):
            # One mistake, one message: of a field that is written in another way, and of one with two faults.
            if trimmed.whole(path) and path not in meant:
                error = next(error for place, error in told if place == path)
                yield malformed(path, error, trimmed.value, node)
        if not all(trimmed.leave_out(path, error) for path, error in told):
            yield found(Sort.MISSING, _SPEC, "not-judged")
            return
    try:
        policy = CloudPolicy.model_validate(trimmed.value)
    except ValidationError:
        yield found(Sort.MISSING, _SPEC, "not-judged")
        return
    broken = [] if trimmed.lost_a_procedure() else rule_errors(rules, trimmed.value, None)
    for error in broken:
        path = trimmed.original(steps(error.path))
        # What a part breaks of which something was left out may only follow from that.
        if len(path) <= len(_SPEC) or trimmed.whole(path):
            yield _broken(path, error)
    for finding in check(policy.spec):
        path = trimmed.original(finding.path)
        follows = trimmed.lost_a_stage() and finding.message.key in _CONSEQUENCES
        if trimmed.whole(path) and not follows:
            yield Finding(finding.sort, path, finding.message)


@dataclass(slots=True)
class _Trimmed:
    """The manifest without what is wrong in it, so that the rest can still be judged."""

    manifest: dict[str, Any]
    dropped: set[Path] = field(default_factory=set)
    stand_ins: dict[Path, Any] = field(default_factory=dict)
    value: dict[str, Any] = field(init=False)
    _origin: dict[Path, Path] = field(init=False)

    def __post_init__(self) -> None:
        self._trim()

    def leave_out(self, path: Path, error: FieldError) -> bool:
        """Leave a value out, or what it is missing from, or let another stand in for it.

        False when too little would stay to be judged.
        """
        instead = _stand_in(path, error)
        if instead is not None and path not in self.stand_ins:
            self.stand_ins[path] = instead
            self._trim()
            return True
        out = path[:-1] if error.kind == "Required value" else path
        if len(out) <= len(_SPEC):
            return False
        self.dropped.add(out)
        self._trim()
        return True

    def whole(self, path: Path) -> bool:
        """Whether nothing was left out at or below the path: what is said of it is then not a consequence."""
        return path not in self.stand_ins and not any(out[: len(path)] == path for out in self.dropped)

    def lost_a_procedure(self) -> bool:
        """Whether the rules about procedures would judge by less than was written."""
        return any(out[:2] == ("spec", "procedures") and len(out) <= 3 for out in self.dropped)

    def lost_a_stage(self) -> bool:
        """Whether a procedure lacks what was written and can't be read."""
        return any(out[:2] == ("spec", "procedures") for out in self.dropped)

    def original(self, path: Path) -> Path:
        """The place in the manifest of a place in what is left of it."""
        known = next(path[:size] for size in range(len(path), -1, -1) if path[:size] in self._origin)
        return self._origin[known] + path[len(known) :]

    def _trim(self) -> None:
        self._origin = {}
        self.value = self._copy(self.manifest, (), ())

    def _copy(self, value: Any, here: Path, origin: Path) -> Any:
        self._origin[here] = origin
        if isinstance(value, dict):
            kept = {name: member for name, member in value.items() if (*origin, name) not in self.dropped}
            added = {path[-1]: value for path, value in self.stand_ins.items() if path[:-1] == origin}
            kept |= {str(name): value for name, value in added.items()}
            return {name: self._copy(kept[name], (*here, name), (*origin, name)) for name in kept}
        if isinstance(value, list):
            left = [(i, member) for i, member in enumerate(value) if (*origin, i) not in self.dropped]
            return [self._copy(one, (*here, now), (*origin, i)) for now, (i, one) in enumerate(left)]
        return value


def _stand_in(path: Path, error: FieldError) -> object:
    """What a wrong or missing value may be taken for, so that it hides nothing else; None if nothing."""
    name = str(path[-1]) if path else ""
    close = near(error) if error.kind == "Unsupported value" else None
    if close is not None:
        return close
    return "1" if name.lower().endswith("article") else _STAND_INS.get(name)


def _identity(manifest: Mapping[str, object]) -> Iterator[Finding]:
    if manifest.get("apiVersion") != API_VERSION:
        why = f"apiVersion: {API_VERSION}"
        yield found(Sort.WRONG, ("apiVersion",), "malformed", name="apiVersion", why=why)
    metadata = manifest.get("metadata")
    name = metadata.get("name") if isinstance(metadata, dict) else None
    if not isinstance(name, str) or not name:
        yield found(Sort.WRONG, ("metadata",), "field-missing", name="metadata.name")


def _unknown(path: Path, node: Mapping[str, Any]) -> Finding:
    name = str(path[-1])
    if close := get_close_matches(name, _fields(path[:-1], node), n=1):
        return found(Sort.WRONG, path, "unknown-field-near", name=name, near=close[0])
    return found(Sort.WRONG, path, "unknown-field", name=name)


def _fields(path: Path, node: Mapping[str, Any]) -> Sequence[str]:
    for step in path:
        node = node.get("items" if isinstance(step, int) else "properties", {})
        node = node if isinstance(step, int) else node.get(step, {})
    return list(node.get("properties", {}))


def _broken(path: Path, error: FieldError) -> Finding:
    return found(Sort.WRONG, path, "rule-broken", why=error.detail or error.body)


__all__ = ["CheckedPolicy", "Located", "NotYamlError", "check_text"]
