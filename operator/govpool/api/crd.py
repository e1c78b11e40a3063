"""CustomResourceDefinitions made from the kinds' models.

An API server takes only *structural* schemas: every node has a type, nothing is referred to, ``null`` is no
type, and validation that goes beyond one value is CEL. Pydantic's JSON schema is none of that; this module
makes it so and refuses at generation what a server would refuse at installation.

Sources: Kubernetes, "Extend the Kubernetes API with CustomResourceDefinitions" (structural schemas,
defaulting, validation rules) and ``k8s.io/apiextensions-apiserver`` (``ValidateCustomResourceDefinition``).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace

from pydantic import TypeAdapter
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue, NoDefault
from pydantic_core import core_schema

from govpool.api.base import GROUP, VERSION, Column, Condition, Model, Resource, Rule

CATEGORY = "govpool"
"""``kubectl get govpool`` lists every kind."""

RULES_KEYWORD = "x-kubernetes-validations"
MAP_LIST_KEYWORDS = {"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["type"]}
"""Conditions are merged by their type, as ``metav1.Condition`` lists are everywhere."""

CEL_KEYWORDS = frozenset(
    {"true", "false", "null", "in", "as", "break", "const", "continue", "else", "for", "function", "if"}
    | {"import", "let", "loop", "package", "namespace", "return", "var", "void", "while"}
)
"""Property names that CEL can't spell: reserved words of its grammar."""
METADATA_IN_RULES = frozenset({"name", "generateName"})
"""What of ``metadata`` a rule may see; the rest is not in its type."""
KNOWN_STRING_FORMATS = frozenset({"date", "date-time"})
"""The formats in use. Integers and numbers carry none: kube-apiserver 1.34.0 warns about ``int64``."""

_CARRIED = (
    "description",
    "type",
    "default",
    "enum",
    "pattern",
    "minLength",
    "maxLength",
    "minimum",
    "maximum",
    "multipleOf",
    "minItems",
    "maxItems",
    "minProperties",
    "maxProperties",
)
_SCALARS = frozenset({"string", "integer", "number", "boolean"})
_CONDITION_MARK = "x-govpool-condition"
_OLD_SELF = re.compile(r"\boldSelf\b")
_KEYWORD_ACCESS = re.compile(rf"\.({'|'.join(sorted(CEL_KEYWORDS))})\b(?!\s*\()")
_METADATA_ACCESS = re.compile(r"\bmetadata\.(\w+)")


class SchemaError(ValueError):
    """A model can't be said in a structural schema, or a rule can't be carried out by an API server."""


def cel_name(property_name: str) -> str:
    """How a rule spells a property: CEL has no ``-``, ``.`` or ``/`` in names and reserves some words.

    Source: "Validation rules", table of escaping, in the Kubernetes documentation of CRDs.
    """
    if property_name in CEL_KEYWORDS:
        return f"__{property_name}__"
    escaped = property_name.replace("__", "__underscores__")
    for sign, word in ((".", "__dot__"), ("-", "__dash__"), ("/", "__slash__")):
        escaped = escaped.replace(sign, word)
    return escaped


@dataclass(frozen=True, slots=True)
class _Place:
    """Where in the schema the generator is."""

    path: str
    defs: Mapping[str, JsonSchemaValue]
    trail: tuple[str, ...] = ()
    """The models that this place lies in."""
    correlatable: bool = True
    """Whether a server can tell which old value belongs to the new one, so that rules see ``oldSelf``."""

    def below(self, step: str, correlatable: bool = True) -> _Place:
        """A place within this one."""
        return replace(self, path=self.path + step, correlatable=self.correlatable and correlatable)


class _StructuralJsonSchema(GenerateJsonSchema):
    """Pydantic's generator, with each model's CEL rules at its node and no null anywhere."""

    def model_schema(self, schema: core_schema.ModelSchema) -> JsonSchemaValue:
        json_schema = super().model_schema(schema)
        cls = schema["cls"]
        if issubclass(cls, Model) and cls.RULES:
            json_schema[RULES_KEYWORD] = [_validation(rule) for rule in cls.RULES]
        if issubclass(cls, Condition):
            json_schema[_CONDITION_MARK] = True
        return json_schema

    def nullable_schema(self, schema: core_schema.NullableSchema) -> JsonSchemaValue:
        return self.generate_inner(schema["schema"])

    def get_default_value(self, schema: core_schema.WithDefaultSchema) -> object:
        default = super().get_default_value(schema)
        return NoDefault if default is None else default

    def encode_default(self, dft: object) -> object:
        return TypeAdapter(type(dft)).dump_python(dft, mode="json", by_alias=True, exclude_none=True)


def structural_schema(model: type[Model]) -> JsonSchemaValue:
    """The model as a structural OpenAPI v3 schema, with its rules and those of the models within.

    Raises SchemaError for what can't be said so: a union of models, a recursive model, a property that allows
    both named and free keys, a rule with ``oldSelf`` where old and new can't be correlated.
    """
    raw = model.model_json_schema(by_alias=True, schema_generator=_StructuralJsonSchema)
    return _node(raw, _Place(model.__name__, raw.get("$defs", {})))


def custom_resource_definition(kind: type[Resource]) -> JsonSchemaValue:
    """The kind's CustomResourceDefinition, ``apiextensions.k8s.io/v1``, with one served and stored version.

    Raises SchemaError as :func:`structural_schema` does.
    """
    definition = kind.DEFINITION
    version: JsonSchemaValue = {
        "name": VERSION,
        "served": True,
        "storage": True,
        "schema": {"openAPIV3Schema": _root(kind)},
    }
    if definition.has_status:
        version["subresources"] = {"status": {}}
    version["additionalPrinterColumns"] = [_column(column) for column in definition.columns]
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": definition.crd_name},
        "spec": {
            "group": GROUP,
            "names": {
                "kind": definition.kind,
                "listKind": f"{definition.kind}List",
                "plural": definition.plural,
                "singular": definition.singular,
                "shortNames": list(definition.short_names),
                "categories": [CATEGORY],
            },
            "scope": definition.scope.value,
            "versions": [version],
        },
    }


def _root(kind: type[Resource]) -> JsonSchemaValue:
    definition = kind.DEFINITION
    spec = kind.model_fields["spec"].annotation
    if not (isinstance(spec, type) and issubclass(spec, Model)):
        raise SchemaError(f"{definition.kind}.spec is not a model")
    properties: JsonSchemaValue = {
        "apiVersion": {"type": "string", "description": "Version of this representation."},
        "kind": {"type": "string", "description": "The kind that this object represents."},
        "metadata": {"type": "object"},
        "spec": structural_schema(spec),
    }
    status = _status_model(kind)
    if definition.has_status:
        if status is None:
            raise SchemaError(f"{definition.kind} says that it has a status and has no model of it")
        properties["status"] = structural_schema(status)
    root: JsonSchemaValue = {
        "description": _text(kind.__doc__ or definition.kind),
        "type": "object",
        "properties": properties,
        "required": ["spec"],
    }
    if definition.rules:
        for rule in definition.rules:
            _check_metadata(rule, definition.kind)
            _check_keywords(rule.rule, definition.kind)
        root[RULES_KEYWORD] = [_validation(rule) for rule in definition.rules]
    return root


def _status_model(kind: type[Resource]) -> type[Model] | None:
    field = kind.model_fields.get("status")
    if field is None:
        return None
    candidates = [field.annotation, *getattr(field.annotation, "__args__", ())]
    return next((c for c in candidates if isinstance(c, type) and issubclass(c, Model)), None)


def _column(column: Column) -> JsonSchemaValue:
    shown: JsonSchemaValue = {"name": column.name, "type": column.type, "jsonPath": column.json_path}
    if column.description:
        shown["description"] = column.description
    if column.priority:
        shown["priority"] = column.priority
    return shown


def _validation(rule: Rule) -> JsonSchemaValue:
    validation: JsonSchemaValue = {"rule": rule.rule, "message": rule.message}
    if rule.field_path is not None:
        validation["fieldPath"] = rule.field_path
    if rule.optional_old_self:
        validation["optionalOldSelf"] = True
    return validation


def _text(docstring: str) -> str:
    """One line per paragraph: the source's line breaks mean nothing to a reader of ``kubectl explain``."""
    return "\n\n".join(" ".join(paragraph.split()) for paragraph in docstring.strip().split("\n\n"))


def _node(raw: JsonSchemaValue, place: _Place) -> JsonSchemaValue:
    raw, place = _resolved(raw, place)
    _refuse_combinations(raw, place)
    kind = raw.get("type")
    node: JsonSchemaValue = {}
    if raw.get("x-kubernetes-int-or-string"):
        node = {"x-kubernetes-int-or-string": True, "anyOf": [{"type": "integer"}, {"type": "string"}]}
    elif kind not in _SCALARS | {"array", "object"}:
        raise SchemaError(f"{place.path}: a structural schema needs a type here, not {kind!r}")
    node |= {keyword: raw[keyword] for keyword in _CARRIED if keyword in raw}
    if "description" in node:
        node["description"] = _text(node["description"])
    if "const" in raw:
        node["enum"] = [raw["const"]]
    node |= _exclusive_bounds(raw)
    if kind == "string" and "format" in raw:
        if raw["format"] not in KNOWN_STRING_FORMATS:
            known = ", ".join(sorted(KNOWN_STRING_FORMATS))
            raise SchemaError(f"{place.path}: format {raw['format']} is none of {known}")
        node["format"] = raw["format"]
    if kind == "array":
        node |= _array(raw, place)
    if kind == "object":
        node |= _object(raw, place)
    for validation in raw.get(RULES_KEYWORD, ()):
        _check_rule(validation["rule"], place)
    if RULES_KEYWORD in raw:
        node[RULES_KEYWORD] = raw[RULES_KEYWORD]
    return node


def _resolved(raw: JsonSchemaValue, place: _Place) -> tuple[JsonSchemaValue, _Place]:
    """The node with what it refers to put in its place; its own keywords win."""
    while "$ref" in raw:
        name = str(raw["$ref"]).removeprefix("#/$defs/")
        if name in place.trail:
            raise SchemaError(f"{place.path}: {name} contains itself; a structural schema can't be recursive")
        place = replace(place, trail=(*place.trail, name))
        raw = {**place.defs[name], **{key: value for key, value in raw.items() if key != "$ref"}}
    if sorted(each.get("type", "") for each in raw.get("anyOf", ())) == ["integer", "string"]:
        kept = {key: value for key, value in raw.items() if key != "anyOf"}
        raw = {**kept, "x-kubernetes-int-or-string": True}
    return raw, place


def _refuse_combinations(raw: JsonSchemaValue, place: _Place) -> None:
    for keyword in ("anyOf", "oneOf", "allOf", "not"):
        if keyword in raw:
            raise SchemaError(
                f"{place.path}: {keyword} has no structural form here: make it one model and a rule on a tag"
            )


def _exclusive_bounds(raw: JsonSchemaValue) -> JsonSchemaValue:
    """OpenAPI 3.0 spells an exclusive bound as a bound and a flag."""
    bounds: JsonSchemaValue = {}
    for exclusive, bound in (("exclusiveMinimum", "minimum"), ("exclusiveMaximum", "maximum")):
        if exclusive in raw:
            bounds |= {bound: raw[exclusive], exclusive: True}
    return bounds


def _array(raw: JsonSchemaValue, place: _Place) -> JsonSchemaValue:
    items = raw.get("items")
    if items is None:
        members = raw.get("prefixItems", [])
        if not members or any(member != members[0] for member in members):
            raise SchemaError(f"{place.path}: the items of a list are of one type")
        items = members[0]
    is_map = _CONDITION_MARK in _resolved(items, place)[0]
    array: JsonSchemaValue = {"items": _node(items, place.below("[]", correlatable=is_map))}
    return array | (MAP_LIST_KEYWORDS if is_map else {})


def _object(raw: JsonSchemaValue, place: _Place) -> JsonSchemaValue:
    properties = raw.get("properties")
    free = raw.get("additionalProperties")
    if isinstance(free, dict):
        if properties:
            raise SchemaError(f"{place.path}: an object has either named properties or free keys")
        return {"additionalProperties": _node(free, place.below(".*"))}
    if not properties:
        raise SchemaError(f"{place.path}: a server would prune everything of an object without properties")
    shape: JsonSchemaValue = {
        "properties": {name: _node(value, place.below(f".{name}")) for name, value in properties.items()}
    }
    if raw.get("required"):
        shape["required"] = raw["required"]
    return shape


def _check_rule(rule: str, place: _Place) -> None:
    if _OLD_SELF.search(rule) and not place.correlatable:
        raise SchemaError(
            f"{place.path}: the rule {rule!r} looks at oldSelf, but items of a list that is no map have no"
            " old self: put the rule on the model that holds the list"
        )
    _check_keywords(rule, place.path)


def _check_keywords(rule: str, path: str) -> None:
    word = _KEYWORD_ACCESS.search(rule)
    if word:
        raise SchemaError(f"{path}: the rule {rule!r} must spell {word[1]} as {cel_name(word[1])}")


def _check_metadata(rule: Rule, kind: str) -> None:
    for name in _METADATA_ACCESS.findall(rule.rule):
        if name not in METADATA_IN_RULES:
            raise SchemaError(f"{kind}: a rule sees metadata.name and metadata.generateName, not {name}")
