"""Makes what these tests share importable beside them; an embedded control plane for those that want one."""

from __future__ import annotations

import asyncio
import shutil
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parents[1]))

from effects_ground import Plane, plane_with


@pytest.fixture(scope="session")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The state of a control plane with every kind installed; made once, to be copied."""
    state = tmp_path_factory.mktemp("installed") / "plane"

    async def install() -> None:
        async with plane_with(state) as made:
            await made.install()

    asyncio.run(install())
    return state


@pytest.fixture
async def plane(installed: Path, tmp_path: Path) -> AsyncIterator[Plane]:
    """A control plane with every kind installed and a connection with the operator's rights."""
    shutil.copytree(installed, tmp_path / "plane")
    async with plane_with(tmp_path / "plane") as made:
        yield made
