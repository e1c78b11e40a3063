"""Sets of fields, as server-side apply keeps them in managedFields (structured-merge-diff `fieldpath`).

A path is a tuple of the strings that FieldsV1 uses: `f:name`, `k:{"name":"x"}` and `v:"x"`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from .objects import Obj, encode

Path = tuple[str, ...]
FieldSet = frozenset[Path]
_MISSING = object()


def node_of(node: Obj | None, name: str) -> Obj | None:
    """Return the schema of a field; None where nothing is known, and the field counts as untyped."""
    if node is None:
        return None
    found = (node.get("properties") or {}).get(name)
    if isinstance(found, dict):
        return found
    extra = node.get("additionalProperties")
    return extra if isinstance(extra, dict) else None


def is_field(node: Obj | None, name: str) -> bool:
    """Tell a declared field from a key of a map."""
    return node is not None and name in (node.get("properties") or {})


def atomic_map(node: Obj | None) -> bool:
    """Tell whether a map is owned as a whole."""
    return node is not None and node.get("x-kubernetes-map-type") == "atomic"


def list_keys(node: Obj | None) -> tuple[str, tuple[str, ...]]:
    """Return a list's type (atomic, set, map) and its keys."""
    if node is None:
        return "atomic", ()
    return node.get("x-kubernetes-list-type") or "atomic", tuple(node.get("x-kubernetes-list-map-keys") or ())


def item_step(item: Any, node: Obj | None) -> str | None:
    """Return the path step that names an item of a set or map list; None if it cannot be named."""
    kind, keys = list_keys(node)
    if kind == "set":
        return "v:" + encode(item).decode()
    if kind == "map" and isinstance(item, dict):
        properties = ((node or {}).get("items") or {}).get("properties") or {}
        found = {k: item.get(k, (properties.get(k) or {}).get("default")) for k in sorted(keys)}
        return "k:" + encode({k: v for k, v in found.items() if v is not None}).decode()
    return None


def fields_of(value: Any, node: Obj | None, path: Path = ()) -> list[Path]:
    """Return the paths that a value sets."""
    found: list[Path] = []
    _collect(value, node, path, found)
    return found


def _collect(value: Any, node: Obj | None, path: Path, found: list[Path]) -> None:
    if isinstance(value, dict) and not atomic_map(node):
        if not value and path:
            found.append(path)
        for name, item in value.items():
            below = (*path, f"f:{name}")
            if path and not is_field(node, name):
                found.append(below)
            if isinstance(item, dict | list):
                _collect(item, node_of(node, name), below, found)
            else:
                found.append(below)
    elif isinstance(value, list) and list_keys(node)[0] != "atomic":
        if not value:
            found.append(path)
        for item in value:
            step = item_step(item, node)
            if step is not None:
                found.append((*path, step))
                _collect(item, (node or {}).get("items"), (*path, step), found)
    elif path:
        found.append(path)


def encode_fields(fields: FieldSet) -> Obj:
    """Write a set as FieldsV1."""
    tree: Obj = {}
    for path in sorted(fields):
        at = tree
        for step in path:
            at = at.setdefault(step, {})
        at["."] = {}
    return _trim(tree)


def _trim(tree: Obj) -> Obj:
    """Keep `.` only where a member also has children."""
    return {name: {} if set(sub) == {"."} else _trim(sub) for name, sub in tree.items() if name != "."} | (
        {".": {}} if "." in tree and len(tree) > 1 else {}
    )


def decode_fields(tree: Obj, path: Path = ()) -> Iterator[Path]:
    """Read FieldsV1."""
    for name, sub in tree.items():
        if name == ".":
            yield path
        elif not sub:
            yield (*path, name)
        else:
            yield from decode_fields(sub, (*path, name))


def _item_index(items: list[Any], node: Obj | None, step: str) -> int | None:
    return next((i for i, item in enumerate(items) if item_step(item, node) == step), None)


def value_at(value: Any, node: Obj | None, path: Path) -> Any:
    """Return the value at a path, or `MISSING`."""
    for step in path:
        if step.startswith("f:"):
            name = step[2:]
            if not isinstance(value, dict) or name not in value:
                return _MISSING
            value, node = value[name], node_of(node, name)
        else:
            index = _item_index(value, node, step) if isinstance(value, list) else None
            if index is None:
                return _MISSING
            value, node = value[index], (node or {}).get("items")
    return value


def is_missing(value: Any) -> bool:
    """Tell whether `value_at` found nothing."""
    return value is _MISSING


def remove_at(value: Any, node: Obj | None, path: Path) -> None:
    """Remove what a path names, in place; a container left empty by it stays."""
    *above, last = path
    parent = value
    for step in above:
        if step.startswith("f:"):
            if not isinstance(parent, dict) or step[2:] not in parent:
                return
            parent, node = parent[step[2:]], node_of(node, step[2:])
        else:
            index = _item_index(parent, node, step) if isinstance(parent, list) else None
            if index is None:
                return
            parent, node = parent[index], (node or {}).get("items")
    if last.startswith("f:"):
        if isinstance(parent, dict):
            parent.pop(last[2:], None)
    elif isinstance(parent, list):
        index = _item_index(parent, node, last)
        if index is not None:
            del parent[index]


def show(path: Path) -> str:
    """Print a path as conflict messages do: `.spec.servers[name="web"].count`."""
    text = ""
    for step in path:
        kind, _, rest = step.partition(":")
        if kind == "f":
            text += f".{rest}"
        elif kind == "k":
            keys = json.loads(rest)
            text += "[" + ",".join(f"{k}={encode(v).decode()}" for k, v in keys.items()) + "]"
        else:
            text += f"[={rest}]"
    return text


def changes(old: Any, new: Any, node: Obj | None, path: Path = ()) -> Iterator[tuple[Path, bool]]:
    """Yield (path, gone) for every field that differs; `gone` tells a removal from a new or changed value."""
    if old is _MISSING:
        yield from ((p, False) for p in fields_of(new, node, path))
    elif new is _MISSING:
        yield from ((p, True) for p in fields_of(old, node, path))
    elif old == new and type(old) is type(new):
        return
    elif isinstance(old, dict) and isinstance(new, dict) and not atomic_map(node):
        if not new or not old:
            yield path, False
        for name in old.keys() | new.keys():
            below = (*path, f"f:{name}")
            before, after = old.get(name, _MISSING), new.get(name, _MISSING)
            if path and not is_field(node, name) and (before is _MISSING) is not (after is _MISSING):
                yield below, after is _MISSING
            yield from changes(before, after, node_of(node, name), below)
    elif isinstance(old, list) and isinstance(new, list) and list_keys(node)[0] != "atomic":
        before_items = {item_step(i, node): i for i in old}
        after_items = {item_step(i, node): i for i in new}
        for step in before_items.keys() | after_items.keys():
            if step is None:
                continue
            below = (*path, step)
            before, after = before_items.get(step, _MISSING), after_items.get(step, _MISSING)
            if (before is _MISSING) is not (after is _MISSING):
                yield below, after is _MISSING
            yield from changes(before, after, (node or {}).get("items"), below)
    else:
        yield path, False
