"""Shapes shared by the whole control plane: JSON objects as they travel, and their keys."""

from __future__ import annotations

import json
from typing import Any, NamedTuple

Obj = dict[str, Any]
"""A Kubernetes object, list or patch as JSON: its shape is known only to the schema it is checked against."""


class Key(NamedTuple):
    """Where an object lives: the storage name (`plural.group`), its namespace ("" if none) and its name."""

    storage: str
    namespace: str
    name: str


_encoder = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False)


def encode(value: object) -> bytes:
    """Serialise to compact UTF-8 JSON, the form in which objects are stored and sent."""
    return _encoder.encode(value).encode()


def decode(data: bytes) -> Obj:
    """Parse stored bytes into a fresh object that the caller may change."""
    parsed: Obj = json.loads(data)
    return parsed


def meta(obj: Obj) -> Obj:
    """Return the object's metadata, adding an empty one when there is none."""
    found = obj.get("metadata")
    if not isinstance(found, dict):
        found = obj["metadata"] = {}
    return found


def lookup(obj: object, *path: str) -> Any:
    """Follow field names down from `obj`; None when one of them is absent."""
    for step in path:
        if not isinstance(obj, dict):
            return None
        obj = obj.get(step)
    return obj
