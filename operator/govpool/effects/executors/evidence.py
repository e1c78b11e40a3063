"""Files of evidence (佐证): written whole or not at all, and known by their hash ever after."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path

from pydantic import JsonValue

from govpool.api.workorder import Evidence


def keep(folder: Path, name: str, content: bytes) -> Evidence:
    """Write a file of evidence, durably, and say where it lies and what its SHA-256 is."""
    path = folder / name
    draft = path.with_name(f".{name}.part")
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
    """Write a JSON document as evidence."""
    text = json.dumps(document, ensure_ascii=False, indent=1, sort_keys=True)
    return keep(folder, name, text.encode() + b"\n")
