"""The gate of the baseline: what was not checked has failed."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from govpool.api.baselinereport import ControlResult
from govpool.rules.baseline import ControlDefinition, Gate, Tolerance, evaluate, report_controls

DEFINITIONS = tuple(
    ControlDefinition(f"C-{n}", "8.1.4.1 a)", 3 if n == 4 else 2, f"Control {n}", f"控制{n}")
    for n in range(1, 5)
)


def result(number: int, outcome: str = "pass", **more: Any) -> dict[str, Any]:
    return {
        "id": f"C-{number}",
        "clause": "8.1.4.1 a)",
        "result": outcome,
        "expected": "e",
        "found": "f",
    } | more


def results(*outcomes: str) -> list[dict[str, Any]]:
    return [result(n, outcome) for n, outcome in enumerate(outcomes, 1)]


CASES = [
    # level, audit at the end, tolerance, gate, score
    (2, results("pass", "pass", "pass"), Tolerance(), Gate.MET, 100),
    (3, results("pass", "pass", "pass"), Tolerance(), Gate.NOT_MET, 75),  # C-4 was not checked
    (3, results("pass", "pass", "pass", "pass"), Tolerance(), Gate.MET, 100),
    (2, results("pass", "pass", "fail"), Tolerance(), Gate.NOT_MET, 66),
    (2, results("pass", "pass", "error"), Tolerance(), Gate.NOT_MET, 66),
    (2, results("pass", "pass", "not-applicable"), Tolerance(), Gate.MET, 100),
    (2, results("pass", "pass", "fail"), Tolerance(66), Gate.MET, 66),
    (2, results("pass", "pass", "fail"), Tolerance(67), Gate.NOT_MET, 66),
    (2, results("pass", "pass", "fail"), Tolerance(100, frozenset({"C-3"})), Gate.MET, 66),
    (2, results("pass", "pass", "fail"), Tolerance(100, frozenset({"C-2"})), Gate.NOT_MET, 66),
    (2, results("fail", "fail", "fail"), Tolerance(1, frozenset({"C-1", "C-2", "C-3"})), Gate.NOT_MET, 0),
    (2, results("not-applicable", "not-applicable", "not-applicable"), Tolerance(), Gate.NOTHING_APPLIED, 0),
    (2, [], Tolerance(), Gate.NOT_CHECKED, 0),
    (2, None, Tolerance(), Gate.NOT_CHECKED, 0),
    (2, [*results("pass", "pass", "pass"), result(3)], Tolerance(), Gate.NOT_MET, 66),  # reported twice
    (2, results("pass", "pass", "compliant"), Tolerance(), Gate.NOT_MET, 66),  # a word we do not know
    (2, [result(9), result(8)], Tolerance(), Gate.NOT_MET, 0),  # other controls than ours
]


@pytest.mark.parametrize(("level", "after", "tolerance", "gate", "score"), CASES)
def test_gate(level: int, after: Any, tolerance: Tolerance, gate: Gate, score: int) -> None:
    found = evaluate(DEFINITIONS, after, after, level, tolerance)
    assert (found.gate, found.score, found.passed) == (gate, score, gate is Gate.MET)
    assert found.passed or found.message


def test_what_was_mended_needs_both_audits() -> None:
    before = [result(1, "fail", mended=True, found="old"), result(2, "fail", mended=True), result(3, "fail")]
    after = [result(1, found="new"), result(2, "fail"), result(3)]
    first, second, third = evaluate(DEFINITIONS, before, after, 2).controls
    assert (first.mended, first.found_before, first.found) == (True, "old", "new")
    assert not second.mended, "the playbook said mended, and it fails all the same"
    assert not third.mended, "it came right without the playbook"


def test_why_it_could_not_be_mended_is_told() -> None:
    before = [*results("pass", "pass"), result(3, "fail", detail="remove the rule by hand")]
    outcome = evaluate(DEFINITIONS, before, results("pass", "pass", "fail"), 2)
    assert outcome.controls[2].detail == "remove the rule by hand"


def test_configured_only_is_kept_apart() -> None:
    after = [*results("pass", "pass"), result(3, effective=False, detail="the host's kernel")]
    outcome = evaluate(DEFINITIONS, after, after, 2)
    assert outcome.passed
    assert [control.effective for control in outcome.controls] == [True, True, False]
    assert report_controls(outcome)[2].found == "f - the host's kernel"


def test_lost_after_mending_is_not_checked() -> None:
    outcome = evaluate(DEFINITIONS, results("pass", "pass", "pass"), None, 2)
    assert outcome.gate is Gate.NOT_CHECKED
    assert {control.result for control in outcome.controls} == {ControlResult.ERROR}


def test_two_definitions_with_one_id_are_a_bug() -> None:
    with pytest.raises(ValueError, match="same id"):
        evaluate([DEFINITIONS[0], DEFINITIONS[0]], [], [], 2)


ROWS = st.lists(
    st.fixed_dictionaries(
        {"id": st.sampled_from(["C-1", "C-2", "C-3", "C-4", "X"])},
        optional={
            "result": st.sampled_from(["pass", "fail", "error", "not-applicable", "skipped", "", None, 1]),
            "found": st.one_of(st.text(max_size=5), st.none(), st.integers()),
            "mended": st.booleans(),
        },
    ),
    max_size=8,
)


@given(
    before=st.none() | ROWS,
    after=st.none() | ROWS,
    level=st.sampled_from([2, 3]),
    min_score=st.integers(1, 100),
    waivable=st.frozensets(st.sampled_from(["C-1", "C-2", "C-3", "C-4"])),
)
def test_invariants(before: Any, after: Any, level: int, min_score: int, waivable: frozenset[str]) -> None:
    outcome = evaluate(DEFINITIONS, before, after, level, Tolerance(min_score, waivable))
    assert len(outcome.controls) == sum(d.level <= level for d in DEFINITIONS), (
        "every control is in the report"
    )
    passing = {c.definition.id for c in outcome.controls if c.result is ControlResult.PASS}
    said = [row.get("id") for row in after or [] if row.get("result") == "pass"]
    assert all(said.count(name) == 1 for name in passing), "passed only if reported once, as passed"
    if outcome.passed:
        assert passing
    if outcome.passed and min_score == 100:
        failed = {
            c.definition.id for c in outcome.controls if c.result in (ControlResult.FAIL, ControlResult.ERROR)
        }
        assert failed <= waivable
    assert (outcome.score == 100) == (
        bool(passing)
        and all(c.result in (ControlResult.PASS, ControlResult.NOT_APPLICABLE) for c in outcome.controls)
    )
    assert report_controls(outcome)
