"""Two policies on one story: what is alike, what comes at another time, what only one of them has."""

from __future__ import annotations

from datetime import timedelta

import pytest
from rich.console import Console
from tests.unit.simulation.page_results import OTHER, POLICY, line, result

from govpool.simulation.compare import LATER, ONLY, SAME, compare, table, verdict
from govpool.simulation.page import render_comparison
from govpool.simulation.words import Words


def test_the_same_story_under_two_codes_differs_in_nothing() -> None:
    comparison = compare(result(), result(line(code="BZ"), policy=OTHER))
    assert comparison.count(SAME) == 8
    assert comparison.count(LATER) == comparison.count(ONLY) == 0
    assert not any(fact.differs for fact in comparison.facts)


def test_a_later_story_says_by_how_many_days() -> None:
    later = result(line(code="BZ", later=timedelta(days=5)), policy=OTHER)
    comparison = compare(result(), later)
    assert comparison.count(LATER) == 7
    assert comparison.count(SAME) == 1, "what the scenario itself does comes on its day under both"
    pair = next(p for p in comparison.requests[0].pairs if p.kind == LATER)
    assert verdict(pair, Words.of(POLICY, "en")) == "+5 d"
    billing = next(fact for fact in comparison.facts if fact.name == "Billing starts")
    assert [(v.text, v.article) for v in billing.values] == [("2026-04-07", "YY-39"), ("2026-04-12", "BZ-39")]
    assert billing.differs


def test_what_only_one_policy_has_stands_alone() -> None:
    whole = line(code="BZ")
    kept = [item for item in whole.history if item.what != "Acceptance: Approve"]
    without = whole.model_copy(update={"history": kept})
    comparison = compare(result(), result(without, policy=OTHER))
    (pair,) = [p for p in comparison.requests[0].pairs if p.kind == ONLY]
    assert pair.what == "Acceptance: approved"
    assert pair.sides[1] is None


def test_two_scenarios_can_t_be_compared() -> None:
    other = result(policy=OTHER).model_copy(update={"scenario": "autumn"})
    with pytest.raises(ValueError, match="spring, autumn"):
        compare(result(), other)


def test_table_and_page_cite_both_policies() -> None:
    first, second = result(), result(line(code="BZ", later=timedelta(days=5)), policy=OTHER)
    console = Console(width=220, record=True, file=open("/dev/null", "w"))  # noqa: SIM115 - closed with the process
    console.print(table(compare(first, second, "zh"), "zh"))
    told = console.export_text()
    page = render_comparison(first, second, "zh")
    for text in ("YY-39", "BZ-39", "+5 天", "亳州市政务云管理办法（试行）"):
        assert text in told
        assert text in page
    assert page.count("<svg") == 2
    assert "《亳州市政务云管理办法（试行）》第三十九条" in page
