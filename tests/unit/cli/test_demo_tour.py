"""What the demo works out before it acts."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from govpool.cli.demo.tour import days_behind


@pytest.mark.parametrize(
    ("now", "days"),
    [
        ("2026-11-16T16:00:00", 0),  # midnight in Beijing: the day is over
        ("2026-11-16T15:59:59", 1),
        ("2026-11-15T16:00:00", 1),
        ("2026-11-15T15:59:59", 2),
        ("2025-11-16T16:00:00", 365),
        ("2027-01-01T00:00:00", 0),
    ],
)
def test_the_clock_is_moved_on_until_the_papers_day_is_over(now: str, days: int) -> None:
    at = datetime.fromisoformat(now).replace(tzinfo=UTC)
    assert days_behind("2026-11-16", at) == days
    assert days_behind("2026-11-16", at + timedelta(days=days)) == 0
