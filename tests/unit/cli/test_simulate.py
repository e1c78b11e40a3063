"""``govpool simulate``: files, mistakes with their lines, formats, exit codes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from govpool.cli.errors import CliError
from govpool.cli.main import app
from govpool.cli.scenario_file import read_scenario, scenarios

GOOD = """\
name: short
title: {en: Short, zh: 短}
starts: "2026-01-05"
until: "2026-01-31"
requests:
  system: {}
events:
  - {do: apply, request: system}
expect:
  - {phase: PHASE}
"""


def written(tmp_path: Path, text: str) -> str:
    path = tmp_path / "story.yaml"
    path.write_text(text)
    return str(path)


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("request: system}", "request: sistem}", "8:17: events.0.request: there is no request sistem"),
        ("until:", "untill:", "4:1: untill: there is no such field"),
        ("do: apply", "do: aply", "8:5: events.0"),
        ("phase: PHASE", "phase: Open", "10:6: expect.0.phase"),
        ('until: "2026-01-31"', 'until: "2025-01-31"', "ends before it starts"),
    ],
)
def test_a_mistake_is_told_with_its_place(tmp_path: Path, old: str, new: str, told: str) -> None:
    text = GOOD.replace("PHASE", "Trial") if "PHASE" not in old else GOOD
    with pytest.raises(CliError) as refused:
        read_scenario(written(tmp_path, text.replace(old, new)))
    assert told in str(refused.value)


def test_what_ships_is_sound() -> None:
    assert len(scenarios()) >= 12
    for name in scenarios():
        assert read_scenario(name).name == name


def test_json_and_exit_codes(tmp_path: Path) -> None:
    runner = CliRunner()
    command = ["simulate", "--policy", "yiyang-2025", "--format", "json", "--scenario"]
    done = runner.invoke(app, [*command, written(tmp_path, GOOD.replace("PHASE", "Trial"))])
    assert done.exit_code == 0
    assert json.loads(done.stdout)["requests"][0]["phases"][-1]["phase"] == "Trial"
    done = runner.invoke(app, [*command, written(tmp_path, GOOD.replace("PHASE", "InService"))])
    assert done.exit_code == 1 and json.loads(done.stdout)["expectations"][0]["met"] is False


def test_a_last_day_before_the_first_is_told(tmp_path: Path) -> None:
    path = written(tmp_path, GOOD.replace("PHASE", "Trial"))
    given = ["simulate", "--policy", "template", "--scenario", path, "--until", "2025-01-01"]
    done = CliRunner().invoke(app, given)
    assert done.exit_code == 2
    assert "--until 2025-01-01: the story begins on" in done.output


def test_a_table_in_chinese(tmp_path: Path) -> None:
    story = written(tmp_path, GOOD.replace("PHASE", "Trial"))
    given = ["simulate", "--policy", "yiyang-2025", "--scenario", story, "--language", "zh"]
    done = CliRunner().invoke(app, given)
    assert done.exit_code == 0 and "预期全部符合" in done.stdout


def test_a_regulation_that_is_not_in_force_yet_is_played_as_if_it_were(tmp_path: Path) -> None:
    draft = (Path(__file__).parents[3] / "policies/yiyang-2025.yaml").read_text(encoding="utf-8")
    policy = tmp_path / "draft.yaml"
    policy.write_text(
        draft.replace('"2025-09-25"', '"2028-03-01"').replace('"2027-09-24"', '"2030-02-28"'),
        encoding="utf-8",
    )
    given = ["--policy", str(policy), "--scenario", written(tmp_path, GOOD.replace("PHASE", "Trial"))]
    refused = CliRunner().invoke(app, ["simulate", *given, "--format", "json"])
    assert refused.exit_code == 1 and "--as-if-in-force" in refused.stderr
    played = CliRunner().invoke(app, ["simulate", *given, "--as-if-in-force"])
    assert played.exit_code == 0, played.output
