"""The generated CustomResourceDefinitions: structural, within CEL's cost limits, and not drifted."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

import pytest
import yaml
from pydantic import Field
from rule_cases import Obj

from govpool.api.base import Column, Definition, Model, Resource, Rule, Scope
from govpool.api.crd import CEL_KEYWORDS, SchemaError, cel_name, custom_resource_definition, structural_schema
from govpool.api.kinds import KINDS, by_kind, by_plural
from govpool.effects import crds
from govpool.standalone.crd import definition_errors, prepare
from govpool.standalone.schema import Schema

REPOSITORY = Path(__file__).parents[3]
ALLOWED = {
    "type", "description", "default", "enum", "pattern", "format", "minLength", "maxLength",
    "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf", "minItems",
    "maxItems", "items", "properties", "required", "minProperties", "maxProperties",
    "additionalProperties", "x-kubernetes-validations", "x-kubernetes-list-type",
    "x-kubernetes-list-map-keys", "x-kubernetes-int-or-string", "anyOf",
}  # fmt: skip
KINDS_BY_NAME = pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.DEFINITION.kind)


def root_of(kind: type[Resource]) -> Obj:
    return custom_resource_definition(kind)["spec"]["versions"][0]["schema"]["openAPIV3Schema"]


def nodes(node: Obj, path: str = "") -> Iterator[tuple[str, Obj]]:
    """Every node with its path; `[]` is an item, `*` a value under a free key."""
    yield path, node
    for name, sub in node.get("properties", {}).items():
        yield from nodes(sub, f"{path}.{name}")
    if "items" in node:
        yield from nodes(node["items"], f"{path}[]")
    if isinstance(node.get("additionalProperties"), dict):
        yield from nodes(node["additionalProperties"], f"{path}.*")


# --- structural schemas ("Specifying a structural schema", Kubernetes documentation) ---


@KINDS_BY_NAME
def test_every_node_is_structural(kind: type[Resource]) -> None:
    for path, node in nodes(root_of(kind)):
        assert set(node) <= ALLOWED, (path, set(node) - ALLOWED)
        if node.get("x-kubernetes-int-or-string"):
            assert "type" not in node and node["anyOf"] == [{"type": "integer"}, {"type": "string"}], path
            continue
        assert node.get("type") in {"object", "array", "string", "integer", "number", "boolean"}, path
        assert "anyOf" not in node, path
        assert ("items" in node) == (node["type"] == "array"), path
        assert not ("properties" in node and "additionalProperties" in node), path
        if node["type"] == "object" and path != ".metadata":
            assert "properties" in node or "additionalProperties" in node, path
        assert set(node.get("required", [])) <= set(node.get("properties", {})), path
        for flag in ("exclusiveMinimum", "exclusiveMaximum"):
            assert node.get(flag, True) is True, path
            assert flag not in node or flag.removeprefix("exclusive").lower() in node, path
        if "format" in node:
            assert node["type"] == "string" and node["format"] in {"date", "date-time"}, path
        if "pattern" in node:
            re.compile(node["pattern"])
            assert "(?" not in node["pattern"].replace("(?:", ""), f"{path}: RE2 has no look-around"


@KINDS_BY_NAME
def test_the_root_says_nothing_of_metadata(kind: type[Resource]) -> None:
    root = root_of(kind)
    assert root["type"] == "object"
    assert root["properties"]["metadata"] == {"type": "object"}
    assert ("status" in root["properties"]) == kind.DEFINITION.has_status
    for validation in root.get("x-kubernetes-validations", []):
        seen = set(re.findall(r"metadata\.(\w+)", validation["rule"]))
        assert seen <= {"name", "generateName"}, validation


@KINDS_BY_NAME
def test_defaults_are_valid_whole_and_know_no_unknown_field(kind: type[Resource]) -> None:
    for path, node in nodes(root_of(kind)):
        if "default" not in node:
            continue
        assert node["default"] is not None, path
        wrapped = {
            "type": "object",
            "properties": {"value": {k: v for k, v in node.items() if k != "default"}},
        }
        value = {"value": node["default"]}
        schema = Schema(wrapped)
        assert schema.prune(value) == [], path
        assert [str(error) for error in schema.errors(value)] == [], path
        completed = {"value": yaml.safe_load(yaml.safe_dump(node["default"]))}
        schema.default(completed)
        assert completed == value, f"{path}: the default leaves out {completed}"


@KINDS_BY_NAME
def test_a_rule_has_one_line_of_message_and_no_uncorrelatable_old_self(kind: type[Resource]) -> None:
    for path, node in nodes(root_of(kind)):
        for validation in node.get("x-kubernetes-validations", []):
            assert validation["message"] and "\n" not in validation["message"]
            if "oldSelf" in validation["rule"]:
                assert "[]" not in path, f"{path}: items of a list have no old self"


@KINDS_BY_NAME
def test_every_field_is_described(kind: type[Resource]) -> None:
    bare = [
        path
        for path, node in nodes(root_of(kind))
        if not node.get("description") and path != ".metadata" and not path.endswith(("[]", ".*"))
    ]
    assert bare == []


@KINDS_BY_NAME
def test_the_embedded_control_plane_accepts_the_definition(kind: type[Resource]) -> None:
    definition = custom_resource_definition(kind)
    assert prepare(definition) == []
    assert [str(error) for error in definition_errors(definition)] == []


def test_conditions_are_merged_by_type() -> None:
    status = root_of(by_kind("CloudResourceRequest"))["properties"]["status"]
    conditions = status["properties"]["conditions"]
    assert conditions["x-kubernetes-list-type"] == "map"
    assert conditions["x-kubernetes-list-map-keys"] == ["type"]
    assert "type" in conditions["items"]["required"]


def test_names_of_kinds_do_not_clash() -> None:
    names = [
        name
        for kind in KINDS
        for name in (kind.DEFINITION.plural, kind.DEFINITION.singular, *kind.DEFINITION.short_names)
    ]
    assert len(names) == len(set(names))
    for kind in KINDS:
        assert by_plural(kind.DEFINITION.plural) is kind
        assert by_kind(kind.DEFINITION.kind) is kind
    with pytest.raises(KeyError):
        by_kind("Pod")


@KINDS_BY_NAME
def test_every_column_points_at_a_field(kind: type[Resource]) -> None:
    known = {path for path, _ in nodes(root_of(kind))}
    for column in kind.DEFINITION.columns:
        path = re.sub(r"\[\d+\]", "[]", column.json_path)
        assert path in known | {".metadata.creationTimestamp"}, column


# --- the files ---


def test_the_files_in_crds_have_not_drifted() -> None:
    assert crds.drift(REPOSITORY / "crds") == []


def test_drift_is_told_per_file_and_mended_by_writing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert crds.main([str(tmp_path)]) == 0
    assert crds.main([str(tmp_path), "--check"]) == 0
    first, second, *_ = sorted(tmp_path.glob("*.yaml"))
    first.write_text(first.read_text() + "# edited\n")
    second.unlink()
    (tmp_path / "govpool.dev_ghosts.yaml").write_text("{}")
    capsys.readouterr()
    assert crds.main([str(tmp_path), "--check"]) == 1
    told = capsys.readouterr().err
    assert f"{first.name}: differs" in told
    assert f"{second.name}: missing" in told
    assert "govpool.dev_ghosts.yaml: no such kind" in told
    crds.write(tmp_path)
    assert crds.drift(tmp_path) == []


@KINDS_BY_NAME
def test_yaml_gives_the_definition_back(kind: type[Resource]) -> None:
    text = crds.render(kind)
    assert yaml.safe_load(text) == custom_resource_definition(kind)
    assert "&id" not in text, "no anchors"


# --- what the generator does with each shape, and what it refuses ---


class Inner(Model):
    size: int = 3
    label: str | None = None


class Shapes(Model):
    """Two lines of
    one paragraph."""

    always: Literal["only"] = "only"
    above: Annotated[float, Field(gt=0, lt=1)]
    port: int | str
    pair: tuple[str, ...] = ()
    triple: tuple[int, int, int]
    free: dict[str, Inner] = {}  # noqa: RUF012 pydantic copies it
    inner: Inner = Inner()
    maybe: Inner | None = None
    day: date
    at: datetime | None = None
    memory_gib: int = 1


def test_the_generator_says_each_shape_as_a_server_wants_it() -> None:
    schema = structural_schema(Shapes)
    shapes = schema["properties"]
    assert schema["description"] == "Two lines of one paragraph."
    assert schema["required"] == ["above", "port", "triple", "day"]
    assert shapes["always"] == {"default": "only", "enum": ["only"], "type": "string"}
    assert shapes["above"] == {
        "type": "number", "minimum": 0, "exclusiveMinimum": True, "maximum": 1, "exclusiveMaximum": True,
    }  # fmt: skip
    assert shapes["port"] == {
        "x-kubernetes-int-or-string": True, "anyOf": [{"type": "integer"}, {"type": "string"}],
    }  # fmt: skip
    assert shapes["pair"] == {"type": "array", "default": [], "items": {"type": "string"}}
    assert shapes["triple"] == {"type": "array", "minItems": 3, "maxItems": 3, "items": {"type": "integer"}}
    assert shapes["free"]["additionalProperties"]["properties"]["size"] == {"type": "integer", "default": 3}
    assert shapes["inner"]["default"] == {"size": 3}, "no null in a default"
    assert "default" not in shapes["maybe"]
    assert shapes["day"]["format"] == "date"
    assert shapes["at"] == {"type": "string", "format": "date-time"}
    assert "memoryGiB" in shapes
    validator = Schema({"type": "object", "properties": {"spec": schema}})
    valid: dict[str, Any] = {"above": 0.5, "port": "http", "triple": [1, 2, 3], "day": "2025-01-01"}
    assert validator.errors({"spec": valid}) == []
    assert validator.errors({"spec": valid | {"above": 0}}) != []


class Node(Model):
    children: list[Node] = []  # noqa: RUF012 pydantic copies it


class Union(Model):
    either: Inner | Node


class Money(Model):
    amount: Decimal


class Empty(Model):
    pass


class HoldsEmpty(Model):
    empty: Empty


class OldItem(Model):
    name: str
    RULES: ClassVar[tuple[Rule, ...]] = (Rule("self.name == oldSelf.name", "immutable"),)


class HoldsOldItems(Model):
    items: list[OldItem]


class HoldsOldItemsByKey(Model):
    items: dict[str, OldItem]


class Namespaced(Model):
    namespace: str
    RULES: ClassVar[tuple[Rule, ...]] = (Rule("self.namespace != ''", "say where"),)


class NamespacedEscaped(Model):
    namespace: str
    RULES: ClassVar[tuple[Rule, ...]] = (Rule("self.__namespace__ != ''", "say where"),)


@pytest.mark.parametrize(
    ("model", "told"),
    [
        (Node, "contains itself"),
        (Union, "anyOf has no structural form"),
        (Money, "anyOf has no structural form"),
        (HoldsEmpty, "prune everything"),
        (HoldsOldItems, "no old self"),
        (Namespaced, "must spell namespace as __namespace__"),
    ],
)
def test_the_generator_refuses_what_a_server_would(model: type[Model], told: str) -> None:
    with pytest.raises(SchemaError, match=told):
        structural_schema(model)


@pytest.mark.parametrize("model", [HoldsOldItemsByKey, NamespacedEscaped])
def test_the_generator_lets_through_what_a_server_does(model: type[Model]) -> None:
    assert structural_schema(model)["type"] == "object"


def _with_rule(rule: str) -> type[Resource]:
    class Thing(Resource):
        """A thing."""

        DEFINITION: ClassVar[Definition] = Definition(
            "Thing",
            "things",
            "thing",
            (),
            Scope.CLUSTER,
            (Column("A", ".spec.size"),),
            (Rule(rule, "no"),),
            False,
        )
        spec: Inner

    return Thing


def test_root_rules_see_only_the_name_of_the_metadata() -> None:
    assert custom_resource_definition(_with_rule("self.metadata.name != 'x'"))
    with pytest.raises(SchemaError, match=r"metadata\.name and metadata\.generateName"):
        custom_resource_definition(_with_rule("self.metadata.labels.size() > 0"))


def test_names_are_spelt_as_cel_can_read_them() -> None:
    assert cel_name("namespace") == "__namespace__"
    assert cel_name("in") == "__in__"
    assert cel_name("a-b.c/d") == "a__dash__b__dot__c__slash__d"
    assert cel_name("a__b") == "a__underscores__b"
    assert cel_name("pool") == "pool"
    assert len(CEL_KEYWORDS) == 21
