"""Server-side apply: who owns which field, who may change it, and what goes when an owner lets go."""

from __future__ import annotations

import copy
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

from .errors import ApiError, apply_conflict
from .fieldsets import (
    FieldSet,
    Path,
    atomic_map,
    changes,
    decode_fields,
    encode_fields,
    fields_of,
    is_missing,
    item_step,
    list_keys,
    node_of,
    remove_at,
    show,
    value_at,
)
from .objects import Obj

_NEVER_OWNED: frozenset[Path] = frozenset(
    {("f:apiVersion",), ("f:kind",), ("f:metadata",)}
    | {
        ("f:metadata", f"f:{name}")
        for name in [
            "name",
            "namespace",
            "creationTimestamp",
            "selfLink",
            "uid",
            "clusterName",
            "generation",
            "managedFields",
            "resourceVersion",
            "deletionTimestamp",
            "deletionGracePeriodSeconds",
        ]
    }
)


@dataclass(frozen=True)
class Writer:
    """Who writes: the field manager, how, and through which subresource."""

    manager: str
    operation: str
    api_version: str
    subresource: str = ""


@dataclass(frozen=True)
class Entry:
    """One entry of managedFields."""

    writer: Writer
    time: str
    fields: FieldSet

    def to_json(self) -> Obj:
        """Return the entry as stored."""
        entry: Obj = {
            "manager": self.writer.manager,
            "operation": self.writer.operation,
            "apiVersion": self.writer.api_version,
            "time": self.time,
            "fieldsType": "FieldsV1",
            "fieldsV1": encode_fields(self.fields),
        }
        return entry | {"subresource": self.writer.subresource} if self.writer.subresource else entry


def read_entries(obj: Obj) -> list[Entry]:
    """Read an object's managedFields; entries that hold nothing are dropped."""
    found = []
    for raw in (obj.get("metadata") or {}).get("managedFields") or ():
        if not isinstance(raw, dict) or not raw.get("fieldsV1"):
            continue
        writer = Writer(
            raw.get("manager", ""), raw.get("operation", "Update"), raw.get("apiVersion", ""),
            raw.get("subresource", ""),
        )  # fmt: skip
        found.append(Entry(writer, raw.get("time", ""), frozenset(decode_fields(raw["fieldsV1"]))))
    return found


def _write_entries(obj: Obj, entries: Iterable[Entry]) -> None:
    kept = [e for e in entries if e.fields]
    kept.sort(key=lambda e: (e.writer.operation, e.time, e.writer.manager, e.writer.subresource))
    if kept:
        obj["metadata"]["managedFields"] = [e.to_json() for e in kept]
    else:
        obj["metadata"].pop("managedFields", None)


def _ownable(paths: Iterable[Path], subresource: str, *, has_status: bool) -> FieldSet:
    """Drop what nobody owns: identity, and the half of the object that this request does not write."""

    def counts(path: Path) -> bool:
        if path in _NEVER_OWNED:
            return False
        if subresource == "status":
            return path[0] == "f:status"
        return not (has_status and path[0] == "f:status")

    return frozenset(p for p in paths if counts(p))


@dataclass(frozen=True)
class Fields:
    """What field ownership needs to know of a resource: its schema (with metadata) and whether status is
    apart."""

    node: Obj
    has_status: bool

    def of(self, obj: Obj, subresource: str) -> FieldSet:
        """Return the fields that `obj` sets."""
        return _ownable(fields_of(obj, self.node), subresource, has_status=self.has_status)


def _content(obj: Obj) -> Obj:
    metadata = {k: v for k, v in (obj.get("metadata") or {}).items() if k != "managedFields"}
    return obj | {"metadata": metadata}


def track_update(old: Obj | None, new: Obj, writer: Writer, fields: Fields, now: str) -> None:
    """Record in `new` that `writer` changed what differs from `old`: it owns that now, and nobody else
    does."""
    entries = read_entries(new)
    if old is None:
        entries = []
        changed, gone = fields.of(_content(new), writer.subresource), frozenset[Path]()
    else:
        differences = list(changes(_content(old), _content(new), fields.node))
        changed = _ownable(
            (p for p, gone in differences if not gone), writer.subresource, has_status=fields.has_status
        )
        gone = frozenset(p for p, gone in differences if gone)
    if not changed and not gone:
        _write_entries_if_changed(new, entries)
        return
    kept = []
    mine: Entry | None = None
    for entry in entries:
        if entry.writer == writer:
            mine = entry
            continue
        left = entry.fields - changed - gone
        kept.append(entry if left == entry.fields else replace(entry, fields=left))
    owned = ((mine.fields if mine else frozenset()) | changed) - gone
    if mine and owned == mine.fields and not changed:
        kept.append(mine)
    else:
        kept.append(Entry(writer, now, owned))
    _write_entries(new, kept)


def _write_entries_if_changed(obj: Obj, entries: list[Entry]) -> None:
    raw = (obj.get("metadata") or {}).get("managedFields")
    if raw is not None and len(raw) != len(entries):
        _write_entries(obj, entries)


# --- apply -------------------------------------------------------------------------------------


def merge(live: Any, config: Any, node: Obj | None) -> Any:
    """Merge an applied configuration into what is there: maps by key, lists by their type."""
    if isinstance(config, dict) and isinstance(live, dict) and not atomic_map(node):
        result = dict(live)
        for name, value in config.items():
            result[name] = (
                merge(result[name], value, node_of(node, name)) if name in result else copy.deepcopy(value)
            )
        return result
    if isinstance(config, list) and isinstance(live, list) and list_keys(node)[0] != "atomic":
        return _merge_list(live, config, node)
    return copy.deepcopy(config)


def _merge_list(live: list[Any], config: list[Any], node: Obj | None) -> list[Any]:
    items = (node or {}).get("items")
    result = list(live)
    places = {item_step(item, node): i for i, item in enumerate(result)}
    for item in config:
        step = item_step(item, node)
        if step in places:
            result[places[step]] = merge(result[places[step]], item, items)
        else:
            result.append(copy.deepcopy(item))
    return result


def _describe(writer: Writer, time: str) -> str:
    text = f'"{writer.manager}"'
    if writer.subresource:
        text += f' with subresource "{writer.subresource}"'
    if writer.operation == "Update":
        text += f" using {writer.api_version}" + (f" at {time}" if time else "")
    return text


def _conflict_error(found: list[tuple[Entry, Path]]) -> ApiError:
    causes: list[Obj] = [
        {
            "reason": "FieldManagerConflict",
            "message": f"conflict with {_describe(e.writer, e.time)}",
            "field": show(path),
        }
        for e, path in found
    ]
    if len(found) == 1:
        entry, path = found[0]
        text = (
            f"Apply failed with 1 conflict: conflict with {_describe(entry.writer, entry.time)}: {show(path)}"
        )
        return apply_conflict(text, causes)
    lines: list[str] = []
    for shown in sorted({_describe(e.writer, e.time) for e, _ in found}):
        lines.append(f"conflicts with {shown}:")
        lines += [f"- {show(p)}" for e, p in found if _describe(e.writer, e.time) == shown]
    return apply_conflict(f"Apply failed with {len(found)} conflicts: " + "\n".join(lines), causes)


def _conflicts(
    live: Obj, config: Obj, owned: FieldSet, entries: list[Entry], node: Obj
) -> list[tuple[Entry, Path]]:
    found = []
    for entry in entries:
        for path in sorted(owned & entry.fields):
            wanted, there = value_at(config, node, path), value_at(live, node, path)
            if path[-1][0] == "k" or (
                isinstance(wanted, dict) and isinstance(there, dict) and not _leaf(node, path)
            ):
                continue
            if is_missing(there) or there != wanted:
                found.append((entry, path))
    return found


def _leaf(node: Obj, path: Path) -> bool:
    """Tell whether the map at `path` is owned as a whole."""
    at: Obj | None = node
    for step in path:
        at = node_of(at, step[2:]) if step.startswith("f:") else (at or {}).get("items")
    return atomic_map(at)


@dataclass(frozen=True)
class Application:
    """One server-side apply."""

    config: Obj
    writer: Writer
    force: bool
    now: str

    def onto(self, live: Obj, fields: Fields) -> Obj:
        """Return `live` with the configuration applied; raises 409 on fields that others own with other
        values."""
        config = _content(self.config)
        owned = fields.of(config, self.writer.subresource)
        entries = read_entries(live)
        mine = next((e for e in entries if e.writer == self.writer), None)
        before = next((e for e in entries if _same_applier(e.writer, self.writer)), None)
        others = [e for e in entries if e is not before]
        conflicts = _conflicts(live, config, owned, others, fields.node)
        if conflicts and not self.force:
            raise _conflict_error(conflicts)
        result: Obj = merge(live, self._writable(config, fields), fields.node)
        result["metadata"] = dict(result["metadata"])
        lost = {path for _, path in conflicts}
        others = [replace(e, fields=e.fields - lost) if e.fields & lost else e for e in others]
        if before:
            self._let_go(result, before.fields - owned, others, fields)
        unchanged = mine is not None and mine.fields == owned
        time = mine.time if mine and unchanged and _content(result) == _content(live) else self.now
        _write_entries(result, [*others, Entry(self.writer, time, owned)])
        return result

    def _writable(self, config: Obj, fields: Fields) -> Obj:
        """Leave out the half that this request does not write."""
        if self.writer.subresource == "status":
            return {k: v for k, v in config.items() if k == "status"}
        return {k: v for k, v in config.items() if not (k == "status" and fields.has_status)}

    @staticmethod
    def _let_go(result: Obj, gone: FieldSet, others: list[Entry], fields: Fields) -> None:
        """Remove what this applier no longer sets and nobody else owns."""
        held = {path[:n] for e in others for path in e.fields for n in range(1, len(path) + 1)}
        clone = copy.deepcopy(result)
        loose = [p for p in gone if p not in held and p not in _NEVER_OWNED]
        # list items first: without its key fields an item could not be found any more
        for path in sorted(loose, key=lambda p: (p[-1].startswith("f:"), -len(p))):
            remove_at(clone, fields.node, path)
        result.clear()
        result.update(clone)


def _same_applier(a: Writer, b: Writer) -> bool:
    """The same manager applying in another version is still the same applier."""
    return (a.manager, a.operation, a.subresource) == (b.manager, b.operation, b.subresource)
