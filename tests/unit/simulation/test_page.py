"""The page: everything that happened, drawn and listed, in both languages, without anything from outside."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from datetime import timedelta

import pytest
from tests.unit.simulation.page_results import POLICY, line, local, result

from govpool.messages import Language
from govpool.simulation.lines import days, picture, rows, server_steps
from govpool.simulation.page import MOST_DETAILED, render_page
from govpool.simulation.svg import WIDTH, draw
from govpool.simulation.words import Words

SVG = "{http://www.w3.org/2000/svg}"


def words(language: Language = "en") -> Words:
    return Words.of(POLICY, language)


def drawn(language: Language = "en") -> ET.Element:
    told = result()
    listed = rows(told.requests[0], told, words(language), "r1")
    return ET.fromstring(
        str(draw(picture(told.requests[0], told, words(language), listed, told.until), language))
    )


def test_the_picture_is_well_formed_and_has_a_bar_for_each_phase() -> None:
    bars = [g for g in drawn().iter(f"{SVG}g") if (g.get("class") or "").startswith("bar ")]
    assert [g.get("class") for g in bars] == ["bar InReview", "bar Trial", "bar InService", "bar billing"]


def test_what_lies_behind_the_due_time_is_red_and_only_that() -> None:
    late = [r for r in drawn().iter(f"{SVG}rect") if r.get("class") == "late"]
    assert len(late) == 2  # the review and the notice; the trial ended as it fell due
    overdue = [g for g in drawn().iter(f"{SVG}g") if "overdue" in (g.get("class") or "")]
    texts = ["".join(text.itertext()) for g in overdue for text in g.iter(f"{SVG}text")]
    assert texts[0] == "Review · overdue by 4 d · YY-19(2)"


def test_nothing_is_drawn_outside_the_picture() -> None:
    for rect in drawn().iter(f"{SVG}rect"):
        left, wide = float(rect.get("x") or 0), float(rect.get("width") or 0)
        assert left >= 0
        assert left + wide <= WIDTH


def test_marks_lead_to_their_row_and_tell_the_clause_in_words() -> None:
    told = result()
    page = render_page(told)
    listed = rows(told.requests[0], told, words(), "r1")
    assert [row.number for row in listed] == list(range(1, len(listed) + 1))
    for row in listed:
        assert f'<tr id="{row.anchor}"' in page
    linked = {a.get("href") for a in drawn().iter(f"{SVG}a")}
    assert linked <= {f"#{row.anchor}" for row in listed}
    title = next(t.text or "" for a in drawn().iter(f"{SVG}a") for t in a.iter(f"{SVG}title"))
    assert title.startswith("1. 2026-02-02 Mon 09:00 liu: Applies for 2 servers")
    assert any("Measures of Yiyang, article 39" in (t.text or "") for t in drawn().iter(f"{SVG}title"))


def test_the_list_has_what_people_did_what_the_engine_did_and_what_ran_out() -> None:
    told = result()
    listed = rows(told.requests[0], told, words(), "r1")
    assert [(row.what, row.tone, row.article) for row in listed] == [
        ("Applies for 2 servers", "person", ""),
        ("Acceptance: approved", "person", "YY-19(2)"),
        ("Review: refused", "bad", "YY-19(2)"),
        ("Review is overdue", "bad", "YY-19(2)"),
        ("Review: approved", "person", "YY-19(2)"),
        ("Handover", "engine", "YY-19(3)"),
        ("Confirmation", "engine", "YY-39"),
        ("Billing starts", "engine", "YY-39"),
    ]


def test_days_off_are_stretches_with_the_festival_s_name_and_make_up_days_are_not_off() -> None:
    off, makeup = days(result(), words("zh"))
    festival = next(stretch for stretch in off if stretch.name == "春节")
    assert (festival.start, festival.end) == (local("2026-02-15T00:00"), local("2026-02-24T00:00"))
    assert [f"{day:%m-%d}" for day in makeup] == ["02-14", "02-28", "05-09"]
    assert all(not (stretch.start <= day < stretch.end) for stretch in off for day in makeup)


def test_the_stair_of_servers_counts_those_that_are_there() -> None:
    told = result()
    steps = server_steps(told.requests[0].servers, told.started, words())
    assert [(f"{step.at:%m-%d}", step.value) for step in steps] == [("02-01", 0), ("03-05", 2), ("04-20", 1)]
    assert "2 vCPU, 4 GiB memory, 8 GiB data" in steps[1].title


@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_page_needs_nothing_from_outside_and_escapes_what_it_tells(language: Language) -> None:
    page = render_page(result(), language)
    assert not re.search(r"<script|<link|<img|@import|url\(|src=", page)
    assert set(re.findall(r"https?://[^\s\"]+", page)) == {"http://www.w3.org/2000/svg"}
    assert "two servers &lt;handed over&gt;" in page
    assert ("不同意" in page) == (language == "zh")


def test_an_expectation_that_did_not_hold_says_what_was_there_instead() -> None:
    page = render_page(result(), "en")
    assert "2026-04-01 The trial is over — phase InService ≠ phase Trial" in page
    assert "<b>1/2</b>" in page


def test_a_page_of_very_many_requests_says_how_many_it_leaves_out() -> None:
    lines = [line(f"r-{n}", later=timedelta(hours=n)) for n in range(MOST_DETAILED + 5)]
    page = render_page(result(*lines))
    assert page.count("<article id=") == MOST_DETAILED
    assert "5 more requests are left out" in page
    assert page.count('href="#r7"') == 1, "the overview leads to each request"


@pytest.mark.parametrize(
    ("article", "english", "chinese"),
    [
        ("YY-19(2)", "article 19(2)", "第十九条第（二）项"),
        ("YY-28, YY-30", "articles 28, 30", "第二十八条、第三十条"),
    ],
)
def test_clauses_are_cited_in_words(article: str, english: str, chinese: str) -> None:
    assert words().cited(article) == f"Measures of Yiyang, {english}"
    assert words("zh").cited(article) == f"《益阳市市级政务云管理暂行办法》{chinese}"
    assert words().cited("") == ""
