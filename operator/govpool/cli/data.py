"""The files that come with govpool: packaged, else beside the source."""

from __future__ import annotations

from pathlib import Path

import govpool


def shipped(name: str) -> Path:
    """The folder ``crds``, ``policies``, ``playbooks`` or ``examples``."""
    package = Path(govpool.__file__).parent
    packaged = package / "_data" / name
    return packaged if packaged.is_dir() else package.parents[1] / name
