"""The three patches that change an object as it stands: merge (RFC 7386), JSON (RFC 6902) and strategic
merge."""

from __future__ import annotations

from typing import Any

import jsonpatch
import jsonpointer

from .errors import ApiError, bad_request
from .objects import Obj

MERGE = "application/merge-patch+json"
JSON = "application/json-patch+json"
STRATEGIC = "application/strategic-merge-patch+json"
APPLY = "application/apply-patch+yaml"
_REJECTED = "the server rejected our request due to an error in our request"

# lists of built-in kinds that strategic merge patches merge by key; "" merges a list of plain values
_MERGE_KEYS: dict[str, str] = {
    "metadata.ownerReferences": "uid",
    "metadata.finalizers": "",
    "status.conditions": "type",
    "secrets": "name",
    "imagePullSecrets": "name",
    "spec.validations": "expression",
    "spec.variables": "name",
    "spec.matchConditions": "name",
}


def merge_patch(target: Any, patch: Any) -> Any:
    """Apply a JSON merge patch; returns the result and leaves both arguments alone."""
    if not isinstance(patch, dict):
        return patch
    result = dict(target) if isinstance(target, dict) else {}
    for name, value in patch.items():
        if value is None:
            result.pop(name, None)
        else:
            result[name] = merge_patch(result.get(name), value)
    return result


def json_patch(target: Obj, operations: object) -> Obj:
    """Apply a JSON patch; raises 400 on a malformed one and 422 when it cannot be applied."""
    if not isinstance(operations, list):
        raise bad_request(
            "error decoding patch: json: cannot unmarshal object into Go value of type jsonpatch.Patch"
        )
    if len(operations) > 10000:
        limit = "The allowed maximum operations in a JSON patch is 10000"
        raise ApiError(413, "RequestEntityTooLarge", f"{limit}, got {len(operations)}")
    try:
        result: Obj = jsonpatch.apply_patch(target, operations)
    except jsonpatch.InvalidJsonPatch as exc:
        raise bad_request(f"error decoding patch: {exc}") from exc
    except (jsonpatch.JsonPatchException, jsonpointer.JsonPointerException, TypeError) as exc:
        details: Obj = {"causes": [{"reason": "UnexpectedServerResponse", "message": str(exc)}]}
        raise ApiError(422, "Invalid", _REJECTED, details) from exc
    return result


def strategic_patch(target: Any, patch: Any, path: str = "") -> Any:
    """Apply a strategic merge patch: a merge patch that also merges keyed lists and knows the `$`
    directives."""
    if not isinstance(patch, dict):
        return patch
    directive = patch.get("$patch")
    body = {k: v for k, v in patch.items() if not k.startswith("$")}
    if directive == "replace":
        return body
    result = dict(target) if isinstance(target, dict) else {}
    retained = patch.get("$retainKeys")
    if retained is not None:
        result = {k: v for k, v in result.items() if k in retained}
    for name, value in body.items():
        where = f"{path}.{name}" if path else name
        if value is None or (isinstance(value, dict) and value.get("$patch") == "delete"):
            result.pop(name, None)
        elif isinstance(value, list) and where in _MERGE_KEYS:
            result[name] = _merge_lists(result.get(name) or [], value, _MERGE_KEYS[where], where)
        else:
            result[name] = strategic_patch(result.get(name), value, where)
    for name, gone in patch.items():
        if name.startswith("$deleteFromPrimitiveList/"):
            field = name.partition("/")[2]
            result[field] = [v for v in result.get(field) or [] if v not in gone]
    for name, order in patch.items():
        if name.startswith("$setElementOrder/"):
            field = name.partition("/")[2]
            if field in result:
                result[field] = _ordered(
                    result[field], order, _MERGE_KEYS.get(f"{path}.{field}".lstrip("."), "")
                )
    return result


def _merge_lists(old: list[Any], patch: list[Any], key: str, path: str) -> list[Any]:
    if not key:
        return [*old, *(v for v in patch if v not in old)]
    result = list(old)
    if any(isinstance(p, dict) and p.get("$patch") == "replace" for p in patch):
        return [p for p in patch if "$patch" not in p]
    for item in patch:
        place = next((i for i, o in enumerate(result) if o.get(key) == item.get(key)), None)
        if item.get("$patch") == "delete":
            result = [o for o in result if o.get(key) != item.get(key)]
        elif place is None:
            result.append(item)
        else:
            result[place] = strategic_patch(result[place], item, path + "[]")
    return result


def _ordered(items: list[Any], order: list[Any], key: str) -> list[Any]:
    names = [o.get(key) if isinstance(o, dict) else o for o in order]

    def rank(item: Any) -> int:
        name = item.get(key) if isinstance(item, dict) else item
        return names.index(name) if name in names else len(names)

    return sorted(items, key=rank)
