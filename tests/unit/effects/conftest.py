"""Makes what these tests share importable beside them; an embedded control plane for those that want one."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parents[1]))

from effects_ground import Plane, plane_with


@pytest.fixture
async def plane(tmp_path: Path) -> AsyncIterator[Plane]:
    """A control plane with every kind installed and a connection with the operator's rights."""
    async with plane_with(tmp_path / "plane") as made:
        await made.install()
        yield made
