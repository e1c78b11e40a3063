"""Every CEL rule lets through what it should and refuses what it should, with its own message."""

from __future__ import annotations

import copy
from functools import cache

import pytest
from rule_cases import Case, Obj, bases, edited, rule_cases, rule_table, rules

from govpool.api.crd import custom_resource_definition
from govpool.api.kinds import by_kind
from govpool.standalone.cel import RuleNode, rule_errors
from govpool.standalone.schema import Schema


@cache
def schema_node(kind: str) -> Obj:
    version = custom_resource_definition(by_kind(kind))["spec"]["versions"][0]
    return version["schema"]["openAPIV3Schema"]


@cache
def compiled_rules(kind: str) -> RuleNode:
    return RuleNode(schema_node(kind), root=True)


def refusals(kind: str, new: Obj, old: Obj | None = None) -> list[str]:
    """What the embedded control plane has to say about the object; unknown fields count."""
    node = schema_node(kind)
    schema = Schema(node)
    new, old = copy.deepcopy(new), copy.deepcopy(old)
    unknown = [f"unknown field {path}" for path in schema.prune(new)]
    for each in (new, old):
        if each is not None:
            schema.default(each)
    found = [str(error) for error in schema.errors(new)]
    if not found:
        found = [str(error) for error in rule_errors(compiled_rules(kind), new, old)]
    return unknown + found


@pytest.mark.parametrize("case", rule_cases(), ids=lambda case: case.id)
def test_a_rule_says_what_its_table_says(case: Case) -> None:
    if case.old is not None:
        assert refusals(case.kind, case.old) == []
    found = refusals(case.kind, case.new, case.old)
    if case.message:
        assert any(case.message in line for line in found), found
    else:
        assert found == []


def test_every_rule_has_cases_of_both_sorts() -> None:
    table = {entry["rule"]: entry for entry in rule_table()}
    assert set(table) == set(rules())
    lacking = [name for name, entry in table.items() if not (entry["accept"] and entry["reject"])]
    assert lacking == []


def test_the_table_names_each_rule_once_and_a_kind_that_has_it() -> None:
    names = [entry["rule"] for entry in rule_table()]
    assert len(names) == len(set(names))
    for entry in rule_table():
        rule = rules()[entry["rule"]]
        assert repr(rule.rule) in repr(schema_node(entry["kind"])), entry["rule"]


def test_a_rule_that_looks_at_the_old_object_is_tried_on_an_update() -> None:
    for entry in rule_table():
        if "oldSelf" in rules()[entry["rule"]].rule:
            assert any("old" in case for case in entry["reject"]), entry["rule"]


def test_the_base_objects_are_valid_and_their_models_read_them() -> None:
    for kind, base in bases().items():
        assert refusals(kind, base) == [], kind
        read = by_kind(kind).model_validate(edited(base, {}))
        assert read.metadata.name == base["metadata"]["name"]


def test_all_of_an_approval_but_its_decisions_is_immutable() -> None:
    rule = next(rule for name, rule in rules().items() if "what is put before the authority" in name)
    fields = set(schema_node("Approval")["properties"]["spec"]["properties"]) - {"decisions"}
    assert {name for name in fields if f"self.{name} == oldSelf.{name}" in rule.rule} == fields
