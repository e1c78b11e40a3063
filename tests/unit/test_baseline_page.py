"""The page of a baseline shows everything, and nothing on it is taken for markup."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from govpool.effects.baseline import definitions
from govpool.effects.baseline_page import BaselinePage, render
from govpool.rules.baseline import Tolerance, evaluate


def page(at: datetime, tolerance: Tolerance | None = None) -> str:
    controls = definitions()
    rows = [
        {
            "id": c.id,
            "clause": c.clause,
            "result": "pass",
            "expected": "<b>x</b>",
            "found": "<script>alert(1)</script>",
        }
        for c in controls
    ]
    after = [row | {"result": "fail"} if row["id"] == "IP-03" else row for row in rows]
    outcome = evaluate(controls, rows, after, 3, tolerance or Tolerance())
    return render(
        BaselinePage("某局 <Bureau>", "系统", "web-1", "10.0.0.2", 3, at, "WH-19(3)", "r-1", outcome)
    )


def test_every_control_is_on_it_and_nothing_is_markup() -> None:
    html = page(datetime(2026, 3, 2, tzinfo=UTC))
    for control in definitions():
        assert f">{control.id}<" in html
        assert control.title_zh in html
    assert "<script" not in html
    assert "某局 &lt;Bureau&gt;" in html
    assert "Not passed 未通过" in html
    assert "IP-03" in html.split('class="says"')[1].split("</p>")[0]


def test_it_loads_nothing_from_outside() -> None:
    html = page(datetime(2026, 3, 2, tzinfo=UTC))
    assert "http" not in html
    assert "url(" not in html


def test_a_waived_control_is_marked() -> None:
    html = page(datetime(2026, 3, 2, tzinfo=UTC), Tolerance(100, frozenset({"IP-03"})))
    assert "Passed 通过" in html
    assert "waived 豁免" in html


def test_a_time_without_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="time zone"):
        page(datetime(2026, 3, 2))
