"""The controls' data: complete, unique, and understood by the module."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from govpool.effects.baseline import control_file, load_controls, outcome, playbook_level
from govpool.effects.baseline_doc import page
from govpool.effects.baseline_page import SECTIONS, section_clause
from govpool.effects.playbooks import Outcome, PlaybookResult, TaskResult
from govpool.rules.baseline import ControlDefinition, Gate

ROLE = control_file().parents[1]
sys.path.insert(0, str(ROLE / "module_utils"))

from govpool_baseline.audit import BadControls, Baseline  # noqa: E402

CONTROLS, DEFAULTS = load_controls()
IDS = [control["id"] for control in CONTROLS]


def strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for part in value:
            yield from strings(part)
    elif isinstance(value, dict):
        yield from strings(list(value.values()))


def used(control: Any) -> set[str]:
    found = set()
    for text in strings(control["checks"]):
        found |= set(re.findall(r"\$\{(\w+)\}", text)) | set(re.findall(r"^\$(\w+)$", text))
    return found


def test_there_are_enough_and_each_is_complete() -> None:
    assert len(CONTROLS) >= 40
    assert len(set(IDS)) == len(IDS)
    for control in CONTROLS:
        assert re.fullmatch(r"[A-Z]{2}-\d\d", control["id"])
        assert re.fullmatch(r"8\.1\.4\.\d+( [a-g]\))?", control["clause"]), control["id"]
        assert section_clause(control["clause"]) in SECTIONS
        assert control["level"] in (2, 3)
        assert control["en"]
        assert re.search(r"[一-鿿]", control["zh"])


@pytest.mark.parametrize("control", CONTROLS, ids=IDS)
def test_a_control_names_the_parameters_that_it_uses(control: Any) -> None:
    fixed = {"write_kex"}  # written with strong_kex
    assert used(control) - fixed == set(control["parameters"])
    assert used(control) <= set(DEFAULTS)


def test_every_parameter_is_used() -> None:
    assert set(DEFAULTS) == set().union(*(used(control) for control in CONTROLS))


@pytest.mark.parametrize("level", [2, 3])
def test_the_module_understands_them(level: int) -> None:
    baseline = Baseline(CONTROLS, DEFAULTS, {}, level)
    assert len(baseline.controls) == sum(control["level"] <= level for control in CONTROLS)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"no_such": "1"}, "no control has the parameters"),
        ({"password_max_days": "many"}, "whole number"),
        ({"admin_sources": "10.0.0.0/33"}, "10.0.0.0/33"),
        ({"umask": ["027"]}, "must be like"),
    ],
)
def test_wrong_parameters_are_refused(parameters: dict[str, Any], message: str) -> None:
    with pytest.raises(BadControls, match=message):
        Baseline(CONTROLS, DEFAULTS, parameters, 3)


def test_a_policys_text_becomes_a_number_or_a_list() -> None:
    given = {
        "password_max_days": "60",
        "admin_sources": "10.1.0.0/16, 10.2.0.0/16",
        "allowed_tcp_ports": "22,443",
    }
    baseline = Baseline(CONTROLS, DEFAULTS, given, 3)
    checks = {control["id"]: checks for control, checks in baseline.controls}
    assert checks["IA-10"][0].days == 60
    assert checks["IP-05"][0].sources == ["10.1.0.0/16", "10.2.0.0/16"]
    assert checks["IP-03"][0].allowed["tcp"] == {22, 443}


def test_the_page_in_docs_is_the_controls_own() -> None:
    written = Path(__file__).parents[2] / "docs" / "baseline.md"
    assert written.read_text(encoding="utf-8") == page(), (
        "run: python -m govpool.effects.baseline_doc > docs/baseline.md"
    )


def test_the_data_goes_through_json() -> None:
    json.dumps({"controls": CONTROLS, "defaults": DEFAULTS})


@pytest.mark.parametrize(("level", "wanted"), [(1, 2), (2, 2), (3, 3)])
def test_level(level: int, wanted: int) -> None:
    assert playbook_level(level) == wanted


def test_level_four_is_refused() -> None:
    with pytest.raises(ValueError, match="protection level 4"):
        playbook_level(4)


def audit(host: str, task: Outcome, *outcomes: str) -> TaskResult:
    rows = [{"id": f"C-{n}", "result": one} for n, one in enumerate(outcomes)]
    return TaskResult(host, "Audit", "govpool_baseline", task, {"controls": rows} if outcomes else {})


@pytest.mark.parametrize(
    ("tasks", "gate"),
    [
        ([audit("a", Outcome.CHANGED, "fail"), audit("a", Outcome.OK, "pass")], Gate.MET),
        ([audit("a", Outcome.CHANGED, "fail"), audit("b", Outcome.OK, "pass")], Gate.NOT_CHECKED),
        ([audit("a", Outcome.CHANGED, "pass"), audit("a", Outcome.UNREACHABLE)], Gate.NOT_CHECKED),
        ([audit("a", Outcome.OK, "pass"), audit("a", Outcome.SKIPPED)], Gate.MET),
        ([audit("a", Outcome.CHANGED, "fail"), audit("a", Outcome.SKIPPED)], Gate.NOT_MET),
        ([audit("a", Outcome.FAILED)], Gate.NOT_CHECKED),
        ([], Gate.NOT_CHECKED),
    ],
)
def test_a_run_is_judged_by_its_last_audit(tasks: list[TaskResult], gate: Gate) -> None:
    run = PlaybookResult("successful", tuple(tasks), {}, frozenset(), frozenset(), 1.0)
    controls = (ControlDefinition("C-0", "8.1.4.1 a)", 2, "t", "题"),)
    assert outcome(run, "a", controls, 2).gate is gate
