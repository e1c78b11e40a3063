"""Whether a server meets the security baseline (安全基线): the gate before handover. Pure.

A control that was not checked has failed, and a baseline in which nothing was checked, or nothing applied,
is not met: a tool that finds "no action is necessary" because it found nothing to check must not open the
gate.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from pydantic import JsonValue

from govpool.api.baselinereport import Control, ControlResult
from govpool.rules.remembered import once

_RESULTS = {
    "pass": ControlResult.PASS,
    "fail": ControlResult.FAIL,
    "error": ControlResult.ERROR,
    "not-applicable": ControlResult.NOT_APPLICABLE,
}
_NAMED = 8

ModuleResult = Mapping[str, JsonValue]
"""One control as the Ansible module ``govpool_baseline`` reports it."""


class Gate(StrEnum):
    """Why the gate opened or did not."""

    MET = "BaselineMet"
    NOT_MET = "BaselineNotMet"
    """Controls fail, more than the policy allows."""
    NOT_CHECKED = "BaselineNotChecked"
    """No control was checked at the end: the machine was lost, or the playbook was."""
    NOTHING_APPLIED = "BaselineNothingApplied"
    """No control applies to this machine, so that nothing is known about it."""


@dataclass(frozen=True, slots=True)
class ControlDefinition:
    """A control as the playbook defines it."""

    id: str
    clause: str
    """Clause of GB/T 22239-2019."""
    level: int
    """The protection level (等保) from which it applies."""
    title: str
    title_zh: str


@dataclass(frozen=True, slots=True)
class ControlOutcome:
    """One control of one server, before and after mending."""

    definition: ControlDefinition
    expected: str
    found_before: str
    found: str
    before: ControlResult | None
    """None where the first audit did not report it."""
    result: ControlResult
    mended: bool
    """It failed, and passes since the playbook changed something."""
    effective: bool
    """False where it is configured, but this machine can't show or set it in force; ``detail`` says why."""
    detail: str
    waived: bool
    """It did not pass, and the policy lets it be."""


@dataclass(frozen=True, slots=True)
class BaselineOutcome:
    """The result of a baseline on one server."""

    controls: tuple[ControlOutcome, ...]
    score: int
    """Percentage of applicable controls that pass, rounded down: 100 means all."""
    passed: bool
    gate: Gate
    message: str
    """For people: why the gate did not open, and what to do next; empty when it opened without reserve."""

    @property
    def counts(self) -> Mapping[ControlResult, int]:
        """How many controls came out how."""
        return Counter(control.result for control in self.controls)

    @property
    def mended(self) -> int:
        """How many controls the playbook mended."""
        return sum(control.mended for control in self.controls)


@dataclass(frozen=True, slots=True)
class Tolerance:
    """What the policy lets pass (``CloudPolicy.spec.baseline``)."""

    min_score: int = 100
    """Percentage of the applicable controls, those waived left aside, that must pass."""
    waivable: frozenset[str] = frozenset()
    """Controls that may fail."""


STRICT = Tolerance()


def evaluate(
    definitions: Sequence[ControlDefinition],
    before: Sequence[ModuleResult] | None,
    after: Sequence[ModuleResult] | None,
    level: int,
    tolerance: Tolerance = STRICT,
) -> BaselineOutcome:
    """Judge a server by the audit at the end; the audit before it tells what was mended.

    ``level`` is the protection level of the system. For an audit without mending, give its results as both.
    What the machine reports beyond the definitions is left aside: it can't open the gate.

    Raises:
        ValueError: two definitions have the same id.
    """
    expected = [definition for definition in definitions if definition.level <= level]
    if len({definition.id for definition in expected}) != len(expected):
        raise ValueError("two controls have the same id")
    first, last = _by_id(before), _by_id(after)
    controls = tuple(
        _outcome(definition, first.get(definition.id, []), last.get(definition.id, []), tolerance)
        for definition in expected
    )
    passing = sum(control.result is ControlResult.PASS for control in controls)
    applicable = sum(control.result is not ControlResult.NOT_APPLICABLE for control in controls)
    gate = _gate(controls, tolerance) if last else Gate.NOT_CHECKED
    return BaselineOutcome(
        controls=controls,
        score=100 * passing // applicable if applicable else 0,
        passed=gate is Gate.MET,
        gate=gate,
        message=_message(gate, controls, tolerance),
    )


@once
def report_controls(outcome: BaselineOutcome) -> list[Control]:
    """Write the controls as a BaselineReport carries them."""
    return [
        Control(
            id=control.definition.id,
            clause=control.definition.clause,
            title=control.definition.title,
            title_zh=control.definition.title_zh,
            expected=_short(control.expected),
            found_before=_short(control.found_before),
            found=_short(" - ".join(text for text in (control.found, control.detail) if text)),
            result=control.result,
            mended=control.mended,
        )
        for control in outcome.controls
    ]


def _by_id(results: Sequence[ModuleResult] | None) -> dict[str, list[ModuleResult]]:
    found: dict[str, list[ModuleResult]] = {}
    for result in results or ():
        found.setdefault(str(result.get("id")), []).append(result)
    return found


def _outcome(
    definition: ControlDefinition,
    first: list[ModuleResult],
    last: list[ModuleResult],
    tolerance: Tolerance,
) -> ControlOutcome:
    begun = first[0] if len(first) == 1 else {}
    ended, detail = (last[0], "") if len(last) == 1 else ({}, "reported twice" if last else "not checked")
    result = _RESULTS.get(str(ended.get("result")), ControlResult.ERROR)
    if ended and str(ended.get("result")) not in _RESULTS:
        detail = f"reported with the unknown result {ended.get('result')!r}"
    before = _RESULTS.get(str(begun.get("result")))
    failed = result in (ControlResult.FAIL, ControlResult.ERROR)
    # what the first audit noted is why mending failed
    notes = [detail, _text(ended, "detail"), _text(begun, "detail") if failed else ""]
    return ControlOutcome(
        definition=definition,
        expected=_text(ended, "expected") or _text(begun, "expected"),
        found_before=_text(begun, "found"),
        found=_text(ended, "found"),
        before=before,
        result=result,
        mended=bool(begun.get("mended")) and result is ControlResult.PASS,
        effective=ended.get("effective") is not False,
        detail="; ".join(dict.fromkeys(note for note in notes if note)),
        waived=failed and definition.id in tolerance.waivable,
    )


def _gate(controls: Sequence[ControlOutcome], tolerance: Tolerance) -> Gate:
    applicable = [c for c in controls if c.result is not ControlResult.NOT_APPLICABLE]
    if not applicable:
        return Gate.NOTHING_APPLIED if controls else Gate.NOT_CHECKED
    passing = sum(control.result is ControlResult.PASS for control in applicable)
    counted = sum(not control.waived for control in applicable)
    return Gate.MET if passing and 100 * passing >= tolerance.min_score * counted else Gate.NOT_MET


def _message(gate: Gate, controls: Sequence[ControlOutcome], tolerance: Tolerance) -> str:
    failing = [c for c in controls if c.result in (ControlResult.FAIL, ControlResult.ERROR)]
    named = ", ".join(control.definition.id for control in failing[:_NAMED])
    if len(failing) > _NAMED:
        named += f" and {len(failing) - _NAMED} more"
    match gate:
        case Gate.MET:
            return f"not met, and allowed by the policy: {named}" if failing else ""
        case Gate.NOT_MET:
            return (
                f"{len(failing)} controls are not met ({named}); the policy wants {tolerance.min_score} %: "
                "mend what the report says to each, or have the policy waive them, and run the baseline again"
            )
        case Gate.NOT_CHECKED:
            return (
                "no control was checked at the end: see that the machine answers, and run the baseline again"
            )
        case Gate.NOTHING_APPLIED:
            return "no control applies to this machine: nothing is known about it, so look at its image"


def _text(result: ModuleResult, key: str) -> str:
    value = result.get(key)
    return value if isinstance(value, str) else ""


def _short(text: str, limit: int = 1000) -> str:
    """Keep within what a BaselineReport may hold."""
    return text if len(text) <= limit else text[: limit - 1] + "…"
