"""What an API server refuses in a policy, in words that say how to write it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any

from govpool.rules.policy_finding import Finding, Path, Sort, found
from govpool.standalone.errors import FieldError

_STEP = re.compile(r"([^.\[\]]+)|\[(\d+)\]")
_TYPE = re.compile(r"must be of type ([a-z,]+): ")
_BOUND = re.compile(r"should be (greater|less) than or equal to (-?\d+)$")
_SHOWN = re.compile(r"^\S+ in body ")
_DURATION = "should match '^P"
_WRITTEN = {"code": "code-form", "country": "country-form"}
"""Fields whose pattern is said in words of its own."""
_KINDS = {
    "integer": "integer-form",
    "boolean": "boolean-form",
    "date": "date-form",
    "object": "object-form",
    "array": "list-form",
}


def malformed(path: Path, error: FieldError, value: Mapping[str, Any], node: Mapping[str, Any]) -> Finding:
    """The schema's finding in words that say what to do; else in the API server's own.

    ``value`` is the manifest that was judged, ``node`` the schema of the whole.
    """
    name = next((str(step) for step in reversed(path) if isinstance(step, str)), "")
    if error.kind == "Required value":
        return found(Sort.WRONG, path, "field-missing", name=name)
    if error.kind == "Unsupported value":
        close, known = near(error), _known(error)
        if close is not None:
            return found(Sort.WRONG, path, "not-one-of-near", value=error.value, name=name, near=close)
        return found(Sort.WRONG, path, "not-one-of", value=error.value, name=name, known=", ".join(known))
    given = at(value, steps(error.path))
    schema = _schema_of(path, node)
    bound = _BOUND.search(error.detail)
    if str(schema.get("pattern", "")).startswith("^P("):
        return found(Sort.WRONG, path, "duration-form", name=name, value=given)
    if error.type_error and "type string" in error.detail and error.value in ("integer", "number"):
        return found(Sort.WRONG, path, "quote", name=name, value=given)
    if error.type_error and (kind := _TYPE.search(error.detail)) and kind.group(1) in _KINDS:
        fields = ", ".join(schema.get("properties", {})) or "-"
        return found(Sort.WRONG, path, _KINDS[kind.group(1)], name=name, value=_short(given), fields=fields)
    if bound:
        key = "at-least" if bound.group(1) == "greater" else "at-most"
        return found(Sort.WRONG, path, key, name=name, value=given, bound=bound.group(2))
    if not error.type_error and (name.lower().endswith("article") or name in _WRITTEN):
        return found(Sort.WRONG, path, _WRITTEN.get(name, "article-form"), name=name, value=given)
    why = _SHOWN.sub("", error.detail or error.body)
    return found(Sort.WRONG, path, "malformed", name=name, why=why)


def near(error: FieldError) -> str | None:
    """The value that was probably meant, where one of a list is; None where nothing comes close."""
    return next(iter(get_close_matches(str(error.value), _known(error), n=1)), None)


def _known(error: FieldError) -> list[str]:
    return re.findall(r'"([^"]*)"', error.detail)


def at(value: Any, path: Path) -> Any:
    """What stands at a path."""
    for step in path:
        value = value[step]
    return value


def steps(text: str) -> Path:
    """``spec.procedures[0].stages`` as a path; an API server writes ``<nil>`` for the manifest itself."""
    if text == "<nil>":
        return ()
    return tuple(int(index) if index else name for name, index in _STEP.findall(text))


def _schema_of(path: Path, node: Mapping[str, Any]) -> Mapping[str, Any]:
    for step in path:
        inner = node.get("items", {}) if isinstance(step, int) else node.get("properties", {}).get(step, {})
        node = inner if isinstance(inner, dict) else {}
    return node


def _short(value: object) -> str:
    text = str(value)
    if isinstance(value, str) and re.fullmatch(r"[\d.]+|true|false", text):
        return f'"{text}"'
    return text if len(text) <= 40 else f"{text[:39]}…"
