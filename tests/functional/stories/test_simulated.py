"""Every story that ships, under every policy that ships, on virtual time: what it expects must hold."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from govpool.cli.data import shipped
from govpool.cli.scenario_file import read_scenario, scenarios
from govpool.simulation.page import render_comparison, render_page
from tests.functional.stories.playing import simulated

POLICIES = sorted(path.stem for path in shipped("policies").glob("*.yaml"))


def test_there_are_stories_enough_and_each_has_something_to_say_under_each_policy() -> None:
    assert len(scenarios()) >= 12
    assert len(POLICIES) == 5
    for name in scenarios():
        scenario = read_scenario(name)
        assert scenario.name == name
        assert scenario.about is not None, name
        for policy in POLICIES:
            asked = [e for e in scenario.expect if not e.policies or policy in e.policies]
            assert asked, f"{name} expects nothing under {policy}"


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("name", sorted(scenarios()))
def test_the_story_goes_as_expected(name: str, policy: str) -> None:
    result = simulated(name, policy)
    missed = [f"{m.at}: {m.expected}, found {m.found}" for m in result.expectations if not m.met]
    assert not missed, "\n".join(missed)
    assert not result.never_played, [n.told.en for n in result.never_played]
    assert not [p.refused for p in result.played if p.refused]
    for line in result.requests:
        for happening in line.history:
            assert happening.article.startswith(result.policy.code), f"without a citation: {happening.what}"


def test_the_scenario_in_the_document_is_a_sound_one(tmp_path: Path) -> None:
    text = (Path(__file__).parents[3] / "docs" / "simulate.md").read_text(encoding="utf-8")
    (yaml,) = re.findall(r"```yaml\n(.*?)```", text, re.DOTALL)
    path = tmp_path / "first-look.yaml"
    path.write_text(yaml, encoding="utf-8")
    result = simulated(str(path), "yiyang-2025")
    assert result.met, result.expectations


def test_the_document_lists_every_story_that_ships() -> None:
    text = (Path(__file__).parents[3] / "docs" / "simulate.md").read_text(encoding="utf-8")
    assert set(re.findall(r"^\| `([a-z0-9-]+)` \|", text, re.MULTILINE)) == set(scenarios())


def test_the_same_story_is_told_twice_in_the_same_words() -> None:
    first, second = (simulated("october-holiday", "yiyang-2025") for _ in range(2))
    assert first.model_dump_json() == second.model_dump_json()


def test_a_story_makes_a_page_and_two_policies_make_a_comparison() -> None:
    yiyang, jinan = (simulated("january-31", policy) for policy in ("yiyang-2025", "jinan-startup-area-2025"))
    page = render_page(yiyang, "zh")
    assert "第十九条第（三）项" in page
    assert "春节" in page
    side_by_side = render_comparison(yiyang, jinan, "zh")
    assert "2026-02-28" in side_by_side
    assert "2026-03-02" in side_by_side
    assert "YY-19(3)" in side_by_side
    assert "JN-15" in side_by_side
