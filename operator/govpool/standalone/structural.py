"""Structural schemas: find in an openAPIV3Schema whatever a real API server would refuse."""

from __future__ import annotations

import re
from collections.abc import Iterator

from .cel import compile_rule
from .cel_expressions import CelError, undefined_field
from .errors import FieldError, bad_request, forbidden_field, invalid_value, required
from .objects import Obj, lookup
from .schema import EMBEDDED, INT_OR_STRING, PRESERVE, Schema

_STRINGS = [
    "id",
    "$schema",
    "$ref",
    "description",
    "type",
    "format",
    "title",
    "pattern",
    "x-kubernetes-list-type",
    "x-kubernetes-map-type",
]
_BOOLS = [
    "exclusiveMinimum",
    "exclusiveMaximum",
    "uniqueItems",
    "nullable",
    "x-kubernetes-preserve-unknown-fields",
    "x-kubernetes-embedded-resource",
    "x-kubernetes-int-or-string",
]
_NUMBERS = ["maximum", "minimum", "multipleOf"]
_INTS = ["maxLength", "minLength", "maxItems", "minItems", "maxProperties", "minProperties"]
_LISTS = [
    "enum",
    "required",
    "allOf",
    "anyOf",
    "oneOf",
    "x-kubernetes-list-map-keys",
    "x-kubernetes-validations",
]
_MAPS = ["properties", "patternProperties", "definitions", "dependencies", "externalDocs"]
_FREE = ["default", "example", "items", "not", "additionalProperties", "additionalItems"]
_GO_TYPES: dict[str, tuple[tuple[type, ...], str]] = (
    dict.fromkeys(_STRINGS, ((str,), "string"))
    | dict.fromkeys(_BOOLS, ((bool,), "bool"))
    | dict.fromkeys(_NUMBERS, ((int, float), "float64"))
    | dict.fromkeys(_INTS, ((int,), "int64"))
    | dict.fromkeys(_LISTS, ((list,), "[]v1.JSON"))
    | dict.fromkeys(_MAPS, ((dict,), "map[string]v1.JSONSchemaProps"))
)
KNOWN = frozenset(_GO_TYPES) | frozenset(_FREE)
_SCHEMA_MAPS = ("properties", "patternProperties", "definitions")
_SCHEMA_LISTS = ("allOf", "anyOf", "oneOf")
_SCHEMA_NODES = ("items", "not", "additionalProperties", "additionalItems")
_JSON_NAMES = {bool: "bool", int: "number", float: "number", str: "string", list: "array", dict: "object"}


def _children(node: Obj, path: str, sep: str = ".") -> Iterator[tuple[Obj, str, str]]:
    """Yield (schema, path, how it hangs on its parent) for all schemas directly inside a schema."""
    for name in _SCHEMA_MAPS:
        for key, sub in (node.get(name) or {}).items():
            if isinstance(sub, dict):
                yield sub, f"{path}.{name}[{key}]" if sep == "[" else f"{path}.{name}.{key}", name
    for name in _SCHEMA_LISTS:
        for index, sub in enumerate(node.get(name) or ()):
            if isinstance(sub, dict):
                yield sub, f"{path}.{name}[{index}]", name
    for name in _SCHEMA_NODES:
        if isinstance(node.get(name), dict):
            yield node[name], f"{path}.{name}", name


def strip_unknown(node: Obj, path: str) -> list[str]:
    """Check the Go types of a raw JSONSchemaProps and drop fields it does not have; returns their paths.

    Raises 400 where the API server could not decode the value.
    """
    unknown = []
    for name in list(node):
        value = node[name]
        if name not in KNOWN:
            del node[name]
            unknown.append(f"{path}.{name}")
        elif value is None:
            del node[name]
        elif name in _GO_TYPES:
            kinds, go_type = _GO_TYPES[name]
            if not isinstance(value, kinds) or (isinstance(value, bool) and bool not in kinds):
                raise bad_request(
                    'CustomResourceDefinition in version "v1" cannot be handled as a '
                    "CustomResourceDefinition: json:"
                    f" cannot unmarshal {_JSON_NAMES.get(type(value), 'object')} into Go struct field"
                    f" JSONSchemaProps.{path}.{name} of type {go_type}"
                )
    for sub, where, _ in _children(node, path):
        unknown.extend(strip_unknown(sub, where))
    return unknown


# --- structural checks -------------------------------------------------------------------------

_UNSUPPORTED = ("id", "additionalItems", "patternProperties", "definitions", "dependencies", "$ref")


def _openapi_errors(node: Obj, path: str) -> Iterator[FieldError]:
    for name in _UNSUPPORTED:
        if node.get(name):
            yield forbidden_field(f"{path}.{name}", f"{name} is not supported")
    if node.get("type") == "null":
        yield forbidden_field(f"{path}.type", "type cannot be set to null, use nullable as an alternative")
    elif node.get("type") and node["type"] not in (
        "string",
        "number",
        "integer",
        "boolean",
        "array",
        "object",
    ):
        supported = ("array", "boolean", "integer", "number", "object", "string")
        detail = "supported values: " + ", ".join(f'"{s}"' for s in supported)
        yield FieldError(f"{path}.type", "Unsupported value", detail, node["type"], show_value=True)
    if isinstance(node.get("items"), list):
        yield forbidden_field(f"{path}.items", "items must be a schema object and not an array")
    if node.get("uniqueItems"):
        yield forbidden_field(
            f"{path}.uniqueItems",
            "uniqueItems cannot be set to true since the runtime complexity becomes quadratic",
        )
    if node.get("properties") and "additionalProperties" in node and node["additionalProperties"] is not True:
        detail = "additionalProperties and properties are mutual exclusive"
        yield forbidden_field(f"{path}.additionalProperties", detail)
    yield from _list_type_errors(node, path)
    for sub, where, _ in _children(node, path, "["):
        yield from _openapi_errors(sub, where)


def _list_type_errors(node: Obj, path: str) -> Iterator[FieldError]:
    kind, keys = node.get("x-kubernetes-list-type"), node.get("x-kubernetes-list-map-keys")
    if kind is not None and node.get("type") != "array":
        where, detail = f"{path}.type", "must be array if x-kubernetes-list-type is specified"
        yield invalid_value(where, node["type"], detail) if node.get("type") else required(where, detail)
    if kind is not None and kind not in ("atomic", "set", "map"):
        detail = 'supported values: "atomic", "map", "set"'
        where = f"{path}.x-kubernetes-list-type"
        yield FieldError(where, "Unsupported value", detail, kind, show_value=True)
    if keys and kind != "map":
        where = f"{path}.x-kubernetes-list-type"
        detail = "must be map if x-kubernetes-list-map-keys is non-empty"
        yield required(where, detail) if kind is None else invalid_value(where, kind, detail)
    if kind == "map":
        yield from _map_key_errors(node, path, keys or [])
    map_type = node.get("x-kubernetes-map-type")
    if map_type is not None and map_type not in ("atomic", "granular"):
        detail = 'supported values: "atomic", "granular"'
        where = f"{path}.x-kubernetes-map-type"
        yield FieldError(where, "Unsupported value", detail, map_type, show_value=True)


def _map_key_errors(node: Obj, path: str, keys: list[str]) -> Iterator[FieldError]:
    items = node.get("items") or {}
    where = f"{path}.x-kubernetes-list-map-keys"
    if not keys:
        yield required(where, "must not be empty if x-kubernetes-list-type is map")
    if isinstance(items, dict) and items.get("type") != "object":
        detail = "must be object if parent array's x-kubernetes-list-type is map"
        yield invalid_value(f"{path}.items.type", items.get("type", ""), detail)
    for index, key in enumerate(keys):
        prop = lookup(items, "properties", key)
        if prop is None:
            yield invalid_value(f"{where}[{index}]", key, "entries must all be names of item properties")
        elif prop.get("type") in ("array", "object"):
            detail = "must be a scalar type if parent array's x-kubernetes-list-type is map"
            yield invalid_value(f"{path}.items.properties[{key}].type", prop["type"], detail)
        elif key not in (items.get("required") or ()) and "default" not in prop:
            detail = (
                "this property is in x-kubernetes-list-map-keys, so it must have a default or be a "
                "required property"
            )
            yield required(f"{path}.items.properties[{key}].default", detail)


_INT_OR_STRING_ANY = [{"type": "integer"}, {"type": "string"}]
_LEVELS = {
    "root": "must not be empty at the root",
    "item": "must not be empty for specified array items",
    "field": "must not be empty for specified object fields",
}


def _structural_errors(node: Obj, path: str, level: str) -> Iterator[FieldError]:
    kind = node.get("type")
    items = node.get("items")
    if kind == "array" and not isinstance(items, dict | list):
        yield required(f"{path}.items", "must be specified")
    if isinstance(items, dict):
        yield from _structural_errors(items, f"{path}.items", "item")
    for name, sub in (node.get("properties") or {}).items():
        if not (level == "root" and name == "metadata"):
            yield from _structural_errors(sub, f"{path}.properties[{name}]", "field")
    extra = node.get("additionalProperties")
    if extra is not None and level == "root":
        yield forbidden_field(f"{path}.additionalProperties", "must not be used at the root")
    if isinstance(extra, dict):
        yield from _structural_errors(extra, f"{path}.additionalProperties", "field")
    yield from _extension_errors(node, path)
    if not kind and not node.get(INT_OR_STRING) and not node.get(PRESERVE) and not node.get(EMBEDDED):
        yield required(f"{path}.type", _LEVELS[level])
    if level == "root" and kind and kind != "object":
        yield invalid_value(f"{path}.type", kind, "must be object at the root")
    if level == "root":
        yield from _root_metadata_errors(node, path)
    yield from _junctor_errors(node, path, spine=node)


def _extension_errors(node: Obj, path: str) -> Iterator[FieldError]:
    if node.get(INT_OR_STRING) and node.get(PRESERVE):
        yield invalid_value(f"{path}.{PRESERVE}", True, "must be false if x-kubernetes-int-or-string is true")
    if node.get(INT_OR_STRING) and node.get("type"):
        yield forbidden_field(f"{path}.type", "must be empty if x-kubernetes-int-or-string is true")
    if node.get(EMBEDDED) and node.get("type") != "object":
        detail = "must be object if x-kubernetes-embedded-resource is true"
        yield (
            invalid_value(f"{path}.type", node["type"], detail)
            if node.get("type")
            else required(f"{path}.type", detail)
        )
    pattern = node.get("pattern")
    if pattern:
        try:
            re.compile(pattern)
        except re.error:
            problem = _pattern_problem(pattern)
            if problem:
                detail = f"must be a valid regular expression, but isn't: {problem}"
                yield invalid_value(f"{path}.pattern", pattern, detail)


def _pattern_problem(pattern: str) -> str:
    """Ask the engine that will run the pattern; it knows classes such as \\p{Han} that Python does not."""
    try:
        Schema({"type": "string", "pattern": pattern}).compile()
    except ValueError as exc:
        return str(exc)
    return ""


def _root_metadata_errors(node: Obj, path: str) -> Iterator[FieldError]:
    metadata = lookup(node, "properties", "metadata")
    if metadata is None:
        return
    where = f"{path}.properties[metadata]"
    if metadata.get("type") != "object":
        yield invalid_value(f"{where}.type", metadata.get("type", ""), "must be object")
    allowed = {"type", "description"}
    properties = metadata.get("properties") or {}
    if properties and set(properties) <= {"name", "generateName"}:
        allowed.add("properties")
    if set(metadata) - allowed:
        yield forbidden_field(
            where,
            "must not specify anything other than name and generateName, but metadata is implicitly "
            "specified",
        )


_NESTED_FORBIDDEN = {
    "type": "must be empty to be structural",
    "additionalProperties": "must be undefined to be structural",
    "default": "must be undefined to be structural",
    "title": "must be empty to be structural",
    "description": "must be empty to be structural",
    "nullable": "must be false to be structural",
    PRESERVE: "must be false to be structural",
    EMBEDDED: "must be false to be structural",
    INT_OR_STRING: "must be false to be structural",
    "x-kubernetes-list-map-keys": "must be empty to be structural",
    "x-kubernetes-list-type": "must be undefined to be structural",
    "x-kubernetes-map-type": "must be undefined to be structural",
    "x-kubernetes-validations": "must be empty to be structural",
}


def _junctor_errors(node: Obj, path: str, spine: Obj | None) -> Iterator[FieldError]:
    for junctor in _SCHEMA_LISTS:
        if junctor == "anyOf" and node.get("anyOf") == _INT_OR_STRING_ANY and node.get(INT_OR_STRING):
            continue
        for index, nested in enumerate(node.get(junctor) or ()):
            where = f"{path}.{junctor}[{index}]"
            if (junctor, index) == ("allOf", 0) and nested.get("anyOf") == _INT_OR_STRING_ANY:
                continue
            yield from _nested_errors(nested, where, spine)
    if isinstance(node.get("not"), dict):
        yield from _nested_errors(node["not"], f"{path}.not", spine)


def _nested_errors(nested: Obj, path: str, spine: Obj | None) -> Iterator[FieldError]:
    """Check a schema under a junctor: only value validations of fields that the spine has."""
    for name, detail in _NESTED_FORBIDDEN.items():
        if nested.get(name) not in (None, False, "", []):
            yield forbidden_field(f"{path}.{name}", detail)
    for name, sub in (nested.get("properties") or {}).items():
        where = f"{path}.properties[{name}]"
        if name == "metadata":
            yield forbidden_field(where, "must not be specified in a nested context")
        below = lookup(spine, "properties", name)
        if spine is not None and below is None and not isinstance(spine.get("additionalProperties"), dict):
            shown = re.sub(r"\.(anyOf|allOf|oneOf)\[\d+\]|\.not(?=\.|$)", "", where)
            yield required(shown, f"because it is defined in {where}")
        yield from _nested_errors(sub, where, below)
    if isinstance(nested.get("items"), dict):
        below = lookup(spine, "items")
        yield from _nested_errors(
            nested["items"], f"{path}.items", below if isinstance(below, dict) else None
        )
    yield from _junctor_errors(nested, path, spine)


def _default_errors(node: Obj, path: str) -> Iterator[FieldError]:
    if "default" in node:
        try:
            problems = Schema({"type": "object", "properties": {"default": node}}).errors(
                {"default": node["default"]}
            )
        except ValueError:
            problems = []  # the pattern that does not compile is reported where it stands
        for problem in problems:
            where = path + "." + problem.path
            yield FieldError(where, problem.kind, problem.detail, problem.value, problem.show_value)
    for sub, where, how in _children(node, path, "["):
        if how in ("properties", "items", "additionalProperties"):
            yield from _default_errors(sub, where)


_ROOT_FIELDS: Obj = {
    "apiVersion": {"type": "string"},
    "kind": {"type": "string"},
    "metadata": {
        "type": "object",
        "properties": {"name": {"type": "string"}, "generateName": {"type": "string"}},
    },
}
"""What rules at the root see beside the schema's own properties."""


def _expression_problem(raw: Obj, source: str, node: Obj, *, correlatable: bool) -> str:
    """Return why the API server would not take an expression, or ""."""
    try:
        rule = compile_rule({"rule": source, "optionalOldSelf": raw.get("optionalOldSelf")})
    except CelError as exc:
        return str(exc)
    if rule.transition and not correlatable:
        return "oldSelf cannot be used on the uncorrelatable portion of the schema"
    names = frozenset({"self"} if raw.get("optionalOldSelf") else {"self", "oldSelf"})
    missing = undefined_field(source, node, names)
    return f"compilation failed: ERROR: <input>: undefined field '{missing}'" if missing else ""


def _rule_errors(raw: object, node: Obj, where: str, *, correlatable: bool) -> Iterator[FieldError]:
    if not isinstance(raw, dict) or not str(raw.get("rule", "")).strip():
        yield required(f"{where}.rule", "rule is not specified")
        return
    for name in ("rule", "messageExpression"):
        source = raw.get(name)
        problem = _expression_problem(raw, source, node, correlatable=correlatable) if source else ""
        if problem:
            yield invalid_value(f"{where}.{name}", source, problem)
    if "\n" in str(raw.get("message", "")):
        yield invalid_value(f"{where}.message", raw["message"], "message must not contain line breaks")


def _cel_errors(
    node: Obj, path: str, *, correlatable: bool = True, root: bool = False
) -> Iterator[FieldError]:
    seen = node | {"properties": (node.get("properties") or {}) | _ROOT_FIELDS} if root else node
    for index, raw in enumerate(node.get("x-kubernetes-validations") or ()):
        yield from _rule_errors(
            raw, seen, f"{path}.x-kubernetes-validations[{index}]", correlatable=correlatable
        )
    for sub, where, how in _children(node, path, "["):
        lost = how == "items" and node.get("x-kubernetes-list-type") != "map"
        yield from _cel_errors(sub, where, correlatable=correlatable and not lost)


def schema_errors(node: Obj, path: str) -> list[FieldError]:
    """Return everything a real API server would refuse in one version's openAPIV3Schema."""
    found = [*_openapi_errors(node, path), *_structural_errors(node, path, "root")]
    if not found:
        found = [*_default_errors(node, path), *_cel_errors(node, path, root=True)]
    if not found:
        try:
            Schema(node).compile()
        except ValueError as exc:
            found = [invalid_value(path, "", f"error building validator: {exc}")]
    return sorted(found, key=str)
