"""Which statement of the unit counts: one that was not given before what it is about."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import TypeVar

from govpool.api.cloudresourcerequest import Confirmation

C = TypeVar("C", bound=Confirmation)


def standing(statements: Iterable[C], since: datetime) -> C | None:
    """The first of the statements that was given at ``since`` or later; an earlier one is about nothing yet.

    Statements are only ever added: who spoke too early, or by a slow clock, says it again.
    """
    return min((found for found in statements if found.at >= since), key=lambda found: found.at, default=None)
