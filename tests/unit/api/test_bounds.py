"""Every bound of every schema holds: a value at the bound is taken, one beyond it is refused."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, get_args

import pytest
from pydantic import StringConstraints
from rule_cases import Obj

from govpool.api.base import Duration, Resource
from govpool.api.crd import custom_resource_definition
from govpool.api.kinds import KINDS
from govpool.standalone.schema import Schema


@dataclass(frozen=True)
class Bound:
    """One bound of one field: values that keep it and values that do not."""

    path: str
    node: Obj
    keyword: str
    within: list[Any]
    beyond: list[Any]


def nodes(node: Obj, path: str) -> Iterator[tuple[str, Obj]]:
    yield path, node
    for name, sub in node.get("properties", {}).items():
        yield from nodes(sub, f"{path}.{name}")
    for keyword in ("items", "additionalProperties"):
        if keyword in node:
            yield from nodes(node[keyword], f"{path}[]")


def bounds(path: str, node: Obj) -> Iterator[Bound]:
    """What the node's keywords allow and refuse; patterns have words of their own."""
    kind = node["type"]
    if "enum" in node:
        yield Bound(path, node, "enum", list(node["enum"]), ["no such word", ""])
    if kind in ("integer", "number"):
        low, high = node.get("minimum"), node.get("maximum")
        if low is not None:
            edge = [] if node.get("exclusiveMinimum") else [low]
            beyond = [low] if node.get("exclusiveMinimum") else [low - 1]
            yield Bound(path, node, "minimum", [*edge, low + 1], beyond)
        if high is not None:
            yield Bound(path, node, "maximum", [high], [high + 1])
        yield Bound(path, node, "type", [], ["1", True, []])
    if kind == "string" and "enum" not in node and "format" not in node:
        yield from _string(path, node)
    if kind == "boolean":
        yield Bound(path, node, "type", [True, False], ["true", 1])
    if kind == "array":
        yield Bound(path, node, "maxItems", [], [[None] * (node["maxItems"] + 1)])
        if "minItems" in node:
            yield Bound(path, node, "minItems", [], [[]])
    if "additionalProperties" in node:
        many = {f"k{number}": "v" for number in range(node["maxProperties"] + 1)}
        yield Bound(path, node, "maxProperties", [{"k": "v"}], [many])
    if "format" in node:
        good = "2025-02-28" if node["format"] == "date" else "2025-02-28T23:59:59Z"
        yield Bound(path, node, "format", [good], ["2025-02-30", "yesterday", "28.02.2025"])


DURATION = next(each.pattern for each in get_args(Duration) if isinstance(each, StringConstraints))
WORDS: dict[str, tuple[list[str], list[str]]] = {
    r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$": (["a", "a-1", "1a"], ["-a", "a-", "A", "a_b", "a.b", "ä"]),
    r"^[a-z0-9-]+$": (["a-1"], ["A", "a_b", "a b"]),
    r"^[0-9a-f]{64}$": (["0" * 64], ["0" * 63, "0" * 65, "G" * 64, "A" * 64]),
    DURATION: (
        ["P1M", "P30D", "P1Y6M", "PT12H", "P1DT12H", "P1Y2M3W4DT5H6M7S", "PT5M"],
        ["1M", "P1", "P", "PT", "P1DT", "30 days", "P-1D", "P1D1Y", "P1H", ""],
    ),
    r"^[0-9a-fA-F.:]+/[0-9]{1,3}$": (["10.0.0.0/24", "fd00::/64"], ["10.0.0.0", "net/24", "10.0.0.0/"]),
    r"^\d+(\(\d+\))?(,\d+(\(\d+\))?)*$": (["19", "19(2)", "19(2),39"], ["YY-19", "19(a)", "19,", "19 (2)"]),
    r"^\d+(\.\d{1,2})?$": (["0", "12.5", "12.50"], ["12,50", "-1", "1.234", "1e3", ".5"]),
    r"^[A-Z]{2}$": (["CN"], ["cn", "CHN"]),
    r"^[A-Z]{1,4}$": (["YY", "A"], ["yy", "ABCDE", "A1"]),
    r"^(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])$": (["01-01", "12-31"], ["13-01", "00-10", "1-1", "01-32"]),
    r"^[^@\s]+@[^@\s]+$": (["a@b"], ["a", "a@b c", "@"]),
    r"^[a-z_][a-z0-9_-]{0,31}$": (["li", "_x"], ["Li", "1li", "li.x"]),
    r"^(ssh-(ed25519|rsa)|ecdsa-sha2-nistp(256|384|521)) [A-Za-z0-9+/=]+( [^\n]*)?$": (
        ["ssh-ed25519 AAAA", "ssh-rsa AAAA= me@there", "ecdsa-sha2-nistp256 AAAA"],
        ["AAAA", "ssh-dss AAAA", "ssh-ed25519", "ssh-ed25519 AAAA x\nssh-rsa BBBB"],
    ),
    r"^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$": (["Ready", "A1"], ["1A", "not ready", "A:"]),
    r"^[A-Za-z0-9][A-Za-z0-9._/-]*$": (["LS-2025-0001", "a/b.c"], ["-a", "a b", "证1"]),
    r"^Ed25519$": (["Ed25519"], ["RSA", "ed25519"]),
    r"^SHA256:[0-9a-f]{64}$": (["SHA256:" + "0" * 64], ["0" * 64, "SHA256:0", "MD5:" + "0" * 64]),
}
"""For each pattern in use: words that it takes and words that it refuses."""


def _string(path: str, node: Obj) -> Iterator[Bound]:
    long = "a" * (node["maxLength"] + 1)
    yield Bound(path, node, "maxLength", [] if "pattern" in node else [long[:-1]], [long])
    yield Bound(path, node, "type", [], [1, 1.5, True, ["a"], {"a": "b"}])
    if node.get("minLength"):
        yield Bound(path, node, "minLength", [], [""])
    if "pattern" in node:
        good, bad = WORDS[node["pattern"]]
        yield Bound(
            path, node, "pattern", [word for word in good if len(word) <= node["maxLength"]], list(bad)
        )


def refusals(node: Obj, value: object) -> list[str]:
    schema = Schema({"type": "object", "properties": {"value": node}})
    return [str(error) for error in schema.errors({"value": value})]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.DEFINITION.kind)
def test_every_bound_holds(kind: type[Resource]) -> None:
    root = custom_resource_definition(kind)["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    tried = 0
    for part in ("spec", "status"):
        if part not in root["properties"]:
            continue
        for path, node in nodes(root["properties"][part], f".{part}"):
            for bound in bounds(path, node):
                for value in bound.within:
                    assert refusals(node, value) == [], (bound.path, bound.keyword, value)
                for value in bound.beyond:
                    assert refusals(node, value) != [], (bound.path, bound.keyword, value)
                    tried += 1
    assert tried > 20


def test_every_pattern_in_the_table_is_in_use() -> None:
    used = set()
    for kind in KINDS:
        root = custom_resource_definition(kind)["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
        used |= {node["pattern"] for _, node in nodes(root["properties"]["spec"], "") if "pattern" in node}
        if "status" in root["properties"]:
            status = nodes(root["properties"]["status"], "")
            used |= {node["pattern"] for _, node in status if "pattern" in node}
    assert used == set(WORDS)
