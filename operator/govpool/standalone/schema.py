"""Structural schemas at work: default, prune and validate objects (apiextensions `apiserver/schema`)."""

from __future__ import annotations

import copy
import re
from collections.abc import Callable, Iterator
from datetime import date, datetime
from functools import cached_property, lru_cache
from typing import Any

import jsonschema_rs

from .errors import FieldError, duplicate, invalid_value, required, unsupported
from .objects import Obj, encode

PRESERVE = "x-kubernetes-preserve-unknown-fields"
INT_OR_STRING = "x-kubernetes-int-or-string"
EMBEDDED = "x-kubernetes-embedded-resource"
_KEYWORDS = frozenset(
    [
        "required",
        "minimum",
        "maximum",
        "exclusiveMinimum",
        "exclusiveMaximum",
        "multipleOf",
        "minLength",
        "maxLength",
        "pattern",
        "minItems",
        "maxItems",
        "minProperties",
        "maxProperties",
        "enum",
        "format",
    ]
)
_GO_DURATION = re.compile(
    r"^[-+]?(\d+(\.\d*)?|\.\d+)(ns|us|µs|ms|s|m|h)((\d+(\.\d*)?|\.\d+)(ns|us|µs|ms|s|m|h))*$"
)
_NESTED = (dict, list)
_KNOWN_TIMES = 4096
"""How many dates and times are remembered: an object has the same ones version after version."""
_BASE64 = re.compile(r"^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$")


def child(path: str, name: str | int) -> str:
    """Extend a field path by a field name or a list index."""
    if isinstance(name, int):
        return f"{path}[{name}]"
    return f"{path}.{name}" if path else name


@lru_cache(_KNOWN_TIMES)
def _is_date_time(text: str) -> bool:
    if not re.match(r"^\d{4}-\d{2}-\d{2}[Tt ]\d{2}:\d{2}:\d{2}(\.\d+)?([Zz]|[-+]\d{2}:?\d{2})$", text):
        return False
    try:
        datetime.fromisoformat(text)
    except ValueError:
        return False
    return True


@lru_cache(_KNOWN_TIMES)
def _is_date(text: str) -> bool:
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return len(text) == 10


_FORMATS: dict[str, Callable[[str], bool]] = {
    "date-time": _is_date_time,
    "datetime": _is_date_time,
    "date": _is_date,
    "duration": lambda text: text == "0" or bool(_GO_DURATION.match(text)),
    "byte": lambda text: bool(_BASE64.match(text)),
}
_NATIVE_FORMATS = frozenset({"email", "ipv4", "ipv6", "uri", "uuid", "hostname"})


def _list_of(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _to_draft4(node: Obj, *, root: bool = False) -> Obj:
    """Translate one structural node to the JSON schema draft in which exclusive bounds are booleans."""
    out: Obj = {k: v for k, v in node.items() if k in _KEYWORDS}
    if out.get("format") not in _FORMATS and out.get("format") not in _NATIVE_FORMATS:
        out.pop("format", None)
    kind = node.get("type")
    if node.get(INT_OR_STRING):
        kind = ["integer", "string"]
    if kind:
        out["type"] = (
            [*(kind if isinstance(kind, list) else [kind]), "null"] if node.get("nullable") else kind
        )
    if node.get("nullable") and "enum" in out:
        out["enum"] = [*out["enum"], None]
    if properties := node.get("properties"):
        skip = {"metadata"} if root else set()
        out["properties"] = {k: _to_draft4(v) for k, v in properties.items() if k not in skip}
    extra = node.get("additionalProperties")
    if isinstance(extra, dict):
        out["additionalProperties"] = _to_draft4(extra)
    if isinstance(node.get("items"), dict):
        out["items"] = _to_draft4(node["items"])
    for junctor in ("allOf", "anyOf", "oneOf"):
        if node.get(junctor):
            out[junctor] = [_to_draft4(n) for n in node[junctor]]
    if isinstance(node.get("not"), dict):
        out["not"] = _to_draft4(node["not"])
    return out


class Schema:
    """One version's structural schema, compiled once."""

    def __init__(self, node: Obj) -> None:
        self.node = node

    @cached_property
    def _validator(self) -> Any:
        return jsonschema_rs.Draft4Validator(
            _to_draft4(self.node, root=True), formats=_FORMATS, validate_formats=True
        )

    @cached_property
    def _status_validator(self) -> Any:
        status = (self.node.get("properties") or {}).get("status") or {}
        wrapped = {"type": "object", "properties": {"status": status}}
        return jsonschema_rs.Draft4Validator(
            _to_draft4(wrapped, root=True), formats=_FORMATS, validate_formats=True
        )

    @cached_property
    def _keyed(self) -> frozenset[int]:
        """Identities of the nodes at or below which there is a list of type set or map."""
        found: set[int] = set()
        _mark_keyed(self.node, found)
        return frozenset(found)

    def compile(self) -> None:
        """Build the validator now; raises ValueError when a pattern or keyword cannot be understood."""
        self._validator.is_valid({})

    def default(self, obj: Obj, sound: Obj | None = None) -> None:
        """Drop nulls of non-nullable fields and fill in defaults, in place.

        What it shares with ``sound``, an object that was made sound before, is passed over.
        """
        _settle(obj, self.node, sound, root=True)

    def prune(self, obj: Obj, sound: Obj | None = None) -> list[str]:
        """Remove unknown fields in place; returns their paths. ``sound``: see :meth:`default`."""
        return list(_prune(obj, self.node, "", sound, root=True))

    def errors(self, obj: Obj, *, status_only: bool = False) -> list[FieldError]:
        """Validate the object; upstream wording."""
        validator = self._status_validator if status_only else self._validator
        found: list[FieldError] = []
        if not validator.is_valid(obj):
            for error in validator.iter_errors(obj):
                found.extend(_translate(error))
        if self._keyed:
            found.extend(_list_errors(obj, self.node, "", self._keyed))
        return found


# --- defaults and pruning ----------------------------------------------------------------------


def _subschema(node: Obj, name: str) -> Obj | None:
    found = (node.get("properties") or {}).get(name)
    if isinstance(found, dict):
        return found
    extra = node.get("additionalProperties")
    return extra if isinstance(extra, dict) else None


def _fields(sound: object) -> Obj:
    """The fields of an object that is sound already; what is the very same object needs no second look."""
    return sound if isinstance(sound, dict) else {}


def _settle(value: object, node: Obj, sound: object = None, *, root: bool = False) -> None:
    """Fill in defaults, and drop the nulls that none took the place of."""
    if isinstance(value, list) and isinstance(node.get("items"), dict):
        for item in value:
            _settle(item, node["items"])
    if not isinstance(value, dict):
        return
    properties = node.get("properties") or {}
    for name, sub in properties.items():
        if "default" in sub and (name not in value or (value[name] is None and not sub.get("nullable"))):
            value[name] = copy.deepcopy(sub["default"])
    known = _fields(sound)
    for name, item in list(value.items()):
        if root and name == "metadata":
            continue  # its own schema sees to it: a kind's may say nothing more of it
        if item is None:
            if name in properties and not properties[name].get("nullable"):
                del value[name]
        elif (
            isinstance(item, _NESTED)
            and item is not known.get(name)
            and (found := _subschema(node, name)) is not None
        ):
            _settle(item, found, known.get(name))


def _prune(value: object, node: Obj, path: str, sound: object = None, *, root: bool = False) -> Iterator[str]:
    if isinstance(value, list):
        items = node.get("items")
        if isinstance(items, dict):
            for index, item in enumerate(value):
                if isinstance(item, dict | list):
                    yield from _prune(item, items, child(path, index))
        return
    if not isinstance(value, dict):
        return
    implicit = ("apiVersion", "kind", "metadata") if root or node.get(EMBEDDED) else ()
    keep = bool(node.get(PRESERVE)) or node.get("additionalProperties") is True
    known = _fields(sound)
    for name, item in list(value.items()):
        if name in implicit or (item is not None and item is known.get(name)):
            continue
        sub = _subschema(node, name)
        if sub is not None:
            if isinstance(item, _NESTED):
                yield from _prune(item, sub, child(path, name), known.get(name))
        elif not keep:
            del value[name]
            yield child(path, name)


# --- validation --------------------------------------------------------------------------------


def _type_of(value: object) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "boolean"
    for kind, name in ((int, "integer"), (float, "number"), (str, "string"), (list, "array")):
        if isinstance(value, kind):
            return name
    return "object"


def _number(value: object) -> str:
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


_BOUNDS: dict[str, tuple[str, str]] = {
    "Minimum": ("limit", "should be greater than or equal to {}"),
    "Maximum": ("limit", "should be less than or equal to {}"),
    "ExclusiveMinimum": ("limit", "should be greater than {}"),
    "ExclusiveMaximum": ("limit", "should be less than {}"),
    "MultipleOf": ("multiple_of", "should be a multiple of {}"),
    "MinLength": ("limit", "should be at least {} chars long"),
    "MinItems": ("limit", "should have at least {} items"),
    "MinProperties": ("limit", "should have at least {} properties"),
    "Pattern": ("pattern", "should match '{}'"),
}
_JUNCTORS = {
    "AnyOf": "must validate at least one schema (anyOf)",
    "OneOfNotValid": "must validate one and only one schema (oneOf). Found none valid",
    "OneOfMultipleValid": "must validate one and only one schema (oneOf). Found 2 valid alternatives",
    "Not": "must not validate the schema (not)",
}


def _translate(error: Any) -> Iterator[FieldError]:
    """Say in upstream words what jsonschema-rs found."""
    path = ""
    for step in error.instance_path:
        path = child(path, step)
    where, value, kind = path or "<nil>", error.instance, error.kind
    name = type(kind).__name__
    shown = where if path else '""'
    if name in _BOUNDS:
        attribute, text = _BOUNDS[name]
        yield invalid_value(where, value, f"{shown} in body {text.format(_number(getattr(kind, attribute)))}")
    elif name in _JUNCTORS:
        yield invalid_value(where, value, f"{shown} {_JUNCTORS[name]}")
        if name in ("AnyOf", "OneOfNotValid"):
            for branch in kind.context:
                for cause in branch:
                    yield from _translate(cause)
    elif name == "Required":
        yield required(child(path, kind.property))
    elif name == "Type":
        yield _type_error(where, shown, value, error)
    else:
        yield _one_value(where, shown, value, error)


def _one_value(where: str, shown: str, value: Any, error: Any) -> FieldError:
    """Translate what is wrong with a single value."""
    kind = error.kind
    name = type(kind).__name__
    if name == "Enum":
        options = [o if isinstance(o, str) else _number(o) for o in kind.options if o is not None]
        return unsupported(where, value, options)
    if name == "MaxLength":
        return FieldError(where, "Too long", f"may not be more than {kind.limit} bytes")
    if name in ("MaxItems", "MaxProperties"):
        detail = f"must have at most {kind.limit} items"
        return FieldError(where, "Too many", detail, len(value), show_value=True)
    if name == "Format":
        detail = f"{shown} in body must be of type {kind.format}: {encode(value).decode()}"
        return FieldError(where, "Invalid value", detail, value, show_value=True, type_error=True)
    return invalid_value(where, value, error.message)


def _type_error(where: str, shown: str, value: object, error: Any) -> FieldError:
    wanted = [t for t in _list_of(error.kind.as_dict().get("types")) or [error.kind.types] if t != "null"]
    got = _type_of(value)
    detail = f"{shown} in body must be of type {','.join(map(str, wanted))}: {encode(got).decode()}"
    return FieldError(where, "Invalid value", detail, got, show_value=True, type_error=True)


def _mark_keyed(node: Obj, found: set[int]) -> bool:
    below = [_mark_keyed(sub, found) for sub in (node.get("properties") or {}).values()]
    below += [
        _mark_keyed(node[n], found)
        for n in ("items", "additionalProperties")
        if isinstance(node.get(n), dict)
    ]
    if any(below) or node.get("x-kubernetes-list-type") in ("set", "map"):
        found.add(id(node))
        return True
    return False


def _list_errors(value: object, node: Obj, path: str, keyed: frozenset[int]) -> Iterator[FieldError]:
    """Find duplicates in lists of type set or map; only nodes that lead to one are entered."""
    if id(node) not in keyed:
        return
    if isinstance(value, dict):
        for name, item in value.items():
            if isinstance(item, dict | list) and (sub := _subschema(node, name)) is not None:
                yield from _list_errors(item, sub, child(path, name), keyed)
    elif isinstance(value, list) and isinstance(node.get("items"), dict):
        seen: set[bytes] = set()
        for index, item in enumerate(value):
            identity = list_identity(item, node)
            if identity is not None:
                if identity in seen:
                    yield duplicate(child(path, index), _identity_value(item, node))
                seen.add(identity)
            yield from _list_errors(item, node["items"], child(path, index), keyed)


def _identity_value(item: object, node: Obj) -> object:
    keys = node.get("x-kubernetes-list-map-keys")
    if keys and isinstance(item, dict):
        return {k: item[k] for k in keys if k in item}
    return item


def list_identity(item: object, node: Obj) -> bytes | None:
    """Return what makes an item of a set or map list unique; None for atomic lists."""
    kind = node.get("x-kubernetes-list-type")
    if kind == "set":
        return encode(item)
    if kind == "map" and isinstance(item, dict):
        properties = (node.get("items") or {}).get("properties") or {}
        keys = node.get("x-kubernetes-list-map-keys") or []
        return encode([item.get(k, (properties.get(k) or {}).get("default")) for k in keys])
    return None
