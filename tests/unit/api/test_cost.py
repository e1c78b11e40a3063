"""A server refuses a CRD whose rules might cost too much: every size is bounded and every rule stays below.

The estimate is coarser than the server's own (cel-go's checker with the Kubernetes estimator) and errs on the
dear side: it also walks into what `==` and `in` compare, which the server's does not.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from rule_cases import Obj

from govpool.api.base import Resource
from govpool.api.crd import custom_resource_definition
from govpool.api.kinds import KINDS

PER_RULE = 10_000_000
"""`StaticEstimatedCostLimit` of k8s.io/apiextensions-apiserver."""
PER_DEFINITION = 100_000_000
"""`StaticEstimatedCRDCostLimit`."""
PER_CALL = 1_000_000
"""`PerCallLimit` of k8s.io/apiserver/pkg/apis/cel: one evaluation of one rule on one object."""
PER_CHARACTER = 0.1
"""`StringTraversalCostFactor` of cel-go."""
STEP = 1.0
"""A selection, a comparison, a logical operator, a turn of a loop."""

KINDS_BY_NAME = pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.DEFINITION.kind)
MACRO = re.compile(r"(?P<list>[A-Za-z_][\w.]*)\.(?P<macro>all|exists|exists_one)\((?P<name>\w+),")
PATH = re.compile(r"\b[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*\b(?!\s*\()")
SIGN = re.compile(r"==|!=|<=|>=|<|>|&&|\|\||!|\bin\b|\bhas\(|\bsize\(|\bdouble\(")
LITERAL = re.compile(r"'[^']*'")


def root_of(kind: type[Resource]) -> Obj:
    return custom_resource_definition(kind)["spec"]["versions"][0]["schema"]["openAPIV3Schema"]


def nodes(node: Obj, path: str = "", times: int = 1) -> Iterator[tuple[str, Obj, int]]:
    """Every node with its path and how many of it an object can hold."""
    yield path, node, times
    for name, sub in node.get("properties", {}).items():
        yield from nodes(sub, f"{path}.{name}", times)
    if "items" in node:
        yield from nodes(node["items"], f"{path}[]", times * node.get("maxItems", PER_RULE))
    if "additionalProperties" in node:
        yield from nodes(
            node["additionalProperties"], f"{path}.*", times * node.get("maxProperties", PER_RULE)
        )


def weight(node: Obj) -> float:
    """What comparing the largest value of this shape costs."""
    if "enum" in node:
        return PER_CHARACTER * max(len(str(value)) for value in node["enum"])
    if node["type"] == "string":
        return PER_CHARACTER * node.get("maxLength", 64 if "format" in node else PER_RULE)
    if node["type"] == "array":
        return STEP + node["maxItems"] * weight(node["items"])
    if "additionalProperties" in node:
        return STEP + node["maxProperties"] * (weight(node["additionalProperties"]) + PER_CHARACTER * 63)
    return STEP + sum(weight(sub) for sub in node.get("properties", {}).values())


@dataclass
class Scope:
    """What the names in a rule stand for."""

    names: dict[str, Obj]

    def node(self, path: str) -> Obj | None:
        first, *rest = path.split(".")
        node = self.names.get(first)
        for step in rest:
            if node is None:
                return None
            node = node.get("properties", {}).get(step)
        return node


def cost(rule: str, scope: Scope) -> float:
    """The most that one evaluation can cost."""
    rule = LITERAL.sub("''", rule)
    total = 0.0
    while macro := MACRO.search(rule):
        start, depth = macro.end(), 1
        end = next(
            i for i in range(start, len(rule)) if (depth := depth + {"(": 1, ")": -1}.get(rule[i], 0)) == 0
        )
        items = scope.node(macro["list"])
        assert items is not None and items["type"] == "array", f"{macro['list']} is no list of this rule"
        inner = Scope({**scope.names, macro["name"]: items["items"]})
        turn = 3 * STEP + cost(rule[start:end], inner)
        total += 2 * STEP + items["maxItems"] * turn
        rule = rule[: macro.start()] + rule[end + 1 :]
    total += STEP * len(SIGN.findall(rule))
    for path in PATH.findall(rule):
        node = scope.node(path)
        if node is not None:
            total += STEP * (path.count(".") + 1) + weight(node)
    return total


def rule_costs(kind: type[Resource]) -> Iterator[tuple[str, str, float, float]]:
    """Path, rule, cost of one evaluation and of all that one object can cause."""
    for path, node, times in nodes(root_of(kind)):
        for validation in node.get("x-kubernetes-validations", []):
            once = cost(validation["rule"], Scope({"self": node, "oldSelf": node}))
            yield path, validation["rule"], once, once * times


@KINDS_BY_NAME
def test_every_size_is_bounded(kind: type[Resource]) -> None:
    loose = []
    for path, node, _ in nodes(root_of(kind)):
        if path in ("", ".apiVersion", ".kind", ".metadata"):
            continue
        if node["type"] == "array" and "maxItems" not in node:
            loose.append(f"{path}: maxItems")
        if node["type"] == "string" and not {"maxLength", "enum", "format"} & set(node):
            loose.append(f"{path}: maxLength")
        if "additionalProperties" in node and "maxProperties" not in node:
            loose.append(f"{path}: maxProperties")
    assert loose == []


@KINDS_BY_NAME
def test_no_rule_can_cost_more_than_a_server_allows(kind: type[Resource]) -> None:
    for path, rule, once, all_of_them in rule_costs(kind):
        if rule != "self == oldSelf":
            assert once <= PER_CALL, (path, rule, once)
        assert all_of_them <= PER_RULE, (path, rule, all_of_them)


@KINDS_BY_NAME
def test_all_rules_of_a_kind_stay_below_what_a_server_allows(kind: type[Resource]) -> None:
    assert sum(all_of_them for *_, all_of_them in rule_costs(kind)) <= PER_DEFINITION


def test_the_estimate_grows_with_what_a_rule_does() -> None:
    name = {"type": "string", "maxLength": 100}
    items = {"type": "array", "maxItems": 50, "items": {"type": "object", "properties": {"name": name}}}
    scope = Scope({"self": {"type": "object", "properties": {"name": name, "items": items}}})
    plain = cost("self.name == 'x'", scope)
    once = cost("self.items.all(i, i.name == 'x')", scope)
    twice = cost("self.items.all(i, self.items.exists_one(j, j.name == i.name))", scope)
    assert plain == pytest.approx(1 + 2 + 10)
    assert 50 * plain <= once <= 50 * (plain + 5)
    assert 50 * 50 * 20 <= twice <= 50 * 50 * 35
