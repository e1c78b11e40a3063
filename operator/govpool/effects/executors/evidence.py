"""Files of evidence (佐证): written whole or not at all, and known by their hash ever after."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from pathlib import Path

from pydantic import JsonValue
from pydantic_core import to_json

from govpool.api.workorder import Evidence

Keep = Callable[[Path, str, bytes], Evidence]
"""How a file is kept: its folder, its name, what is in it."""


def keep(folder: Path, name: str, content: bytes) -> Evidence:
    """Write a file of evidence, durably, and say where it lies and what its SHA-256 is."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o750)
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
    return described(folder, name, content)


def described(folder: Path, name: str, content: bytes) -> Evidence:
    """What is on record of a file of evidence. A simulation, whose files nobody reads, does no more."""
    return Evidence(name=name, sha256=hashlib.sha256(content).hexdigest(), place=str(folder / name))


def as_json(document: JsonValue) -> bytes:
    """A JSON document as evidence holds it: names in their order, so that the same says the same."""
    # The standard library's encoder is written in C only where nothing is to be indented.
    return to_json(_ordered(document), indent=1) + b"\n"


def _ordered(value: JsonValue) -> JsonValue:
    if isinstance(value, dict):
        return {name: _ordered(value[name]) for name in sorted(value)}
    return [_ordered(item) for item in value] if isinstance(value, list) else value
