"""A control plane that is lost, and another one in its place, over the same pool."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture
def backup_file(tmp_path: Path) -> Path:
    """Where a test's backup lies."""
    return tmp_path / "govpool.backup"
