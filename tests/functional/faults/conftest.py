"""Fixtures of the fault tests."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.functional.faults.nursery import Nursery, nursery


@pytest.fixture
async def operators() -> AsyncIterator[Nursery]:
    """Where operators in processes of their own come from."""
    async with nursery() as made:
        yield made
