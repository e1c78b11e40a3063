"""Files of evidence (佐证): written whole or not at all, and known by their hash ever after."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from pydantic import JsonValue
from pydantic_core import to_json

from govpool.api.workorder import Evidence


def keep(folder: Path, name: str, content: bytes) -> Evidence:
    """Write a file of evidence, durably, and say where it lies and what its SHA-256 is."""
    path, draft = folder / name, folder / f".{name}.part"
    with draft.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
    directory = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(directory)  # the name, too, must outlast a crash
    finally:
        os.close(directory)
    return Evidence(name=name, sha256=hashlib.sha256(content).hexdigest(), place=str(path))


def keep_json(folder: Path, name: str, document: JsonValue) -> Evidence:
    """Write a JSON document as evidence: names in their order, so that the same says the same."""
    # The standard library's encoder is written in C only where nothing is to be indented.
    return keep(folder, name, to_json(_ordered(document), indent=1) + b"\n")


def _ordered(value: JsonValue) -> JsonValue:
    if isinstance(value, dict):
        return {name: _ordered(value[name]) for name in sorted(value)}
    return [_ordered(item) for item in value] if isinstance(value, list) else value
