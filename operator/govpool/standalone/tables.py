"""metav1.Table: what `kubectl get` shows, columns computed by the server."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from . import jsonpath
from .clock import human_age
from .objects import Obj, encode, lookup
from .resources import Column, Resource

TABLE_VERSION = "meta.k8s.io/v1"
_NAME_COLUMN: Obj = {
    "name": "Name",
    "type": "string",
    "format": "name",
    "description": "Name of the object, unique within its namespace.",
    "priority": 0,
}


def definitions(resource: Resource) -> list[Obj]:
    """Return the column definitions of a resource's tables."""
    columns = resource.columns or (Column("Age", ".metadata.creationTimestamp", "date"),)
    rest = [
        {
            "name": c.name,
            "type": c.type,
            "format": c.format,
            "description": c.description,
            "priority": c.priority,
        }
        for c in columns
    ]
    return [*([] if resource.storage_key == "events" else [_NAME_COLUMN]), *rest]


def _data_count(obj: Obj) -> int:
    return len(obj.get("data") or {}) + len(obj.get("binaryData") or {})


def _computed(column: Column, obj: Obj, now: datetime) -> Any:
    """Columns of built-in kinds that no JSONPath gives."""
    if column.name == "Data":
        return _data_count(obj)
    if column.name == "Validations":
        return len(lookup(obj, "spec", "validations") or ())
    if column.name == "Last Seen":
        when = (
            lookup(obj, "series", "lastObservedTime")
            or obj.get("lastTimestamp") or obj.get("deprecatedLastTimestamp") or obj.get("eventTime")
            or obj.get("firstTimestamp") or obj["metadata"].get("creationTimestamp")
        )  # fmt: skip
        return human_age(str(when), now)
    regarding = obj.get("involvedObject") or obj.get("regarding") or {}
    return f"{str(regarding.get('kind', '')).lower()}/{regarding.get('name', '')}"


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    return encode(value).decode()


def cell(column: Column, obj: Obj, now: datetime) -> Any:
    """Compute one cell; None where the object has no such field."""
    if not column.path:
        return _computed(column, obj, now)
    path = ".note" if column.path == ".message" and "note" in obj else column.path
    try:
        found = jsonpath.find(path, obj)
    except ValueError:
        return None
    if not found:
        return None
    if column.type == "date":
        return human_age(found[0], now) if isinstance(found[0], str) and found[0] else "<unknown>"
    if column.type == "string":
        return " ".join(_text(v) for v in found if v is not None)
    value = found[0]
    if column.type == "integer" and isinstance(value, float):
        return int(value)
    wanted = {"integer": int, "number": (int, float), "boolean": bool}.get(column.type)
    return value if wanted is None or isinstance(value, wanted) else None  # type: ignore[arg-type]


def partial(obj: Obj) -> Obj:
    """Return the object as PartialObjectMetadata."""
    return {"kind": "PartialObjectMetadata", "apiVersion": TABLE_VERSION, "metadata": obj["metadata"]}


def row(resource: Resource, obj: Obj, now: datetime, include: str = "Metadata") -> Obj:
    """Return one table row; `include` is None, Metadata or Object, as in the request's includeObject."""
    cells = [cell(c, obj, now) for c in resource.columns]
    if resource.storage_key != "events":
        cells.insert(0, obj["metadata"]["name"])
    made: Obj = {"cells": cells}
    if include == "Metadata":
        made["object"] = partial(obj)
    elif include == "Object":
        made["object"] = obj
    return made


def table(
    resource: Resource, objects: Iterable[Obj], metadata: Obj, now: datetime, include: str = "Metadata"
) -> Obj:
    """Return a Table of objects."""
    return {
        "kind": "Table",
        "apiVersion": TABLE_VERSION,
        "metadata": metadata,
        "columnDefinitions": definitions(resource),
        "rows": [row(resource, o, now, include) for o in objects],
    }
