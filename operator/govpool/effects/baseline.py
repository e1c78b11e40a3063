"""The security baseline (安全基线) as run: reads the controls, and reads the module's answers out of a
run."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import TypedDict

import yaml

from govpool.effects.playbook_paths import playbooks_dir
from govpool.effects.playbooks import PlaybookResult, TaskResult
from govpool.rules.baseline import (
    STRICT,
    BaselineOutcome,
    ControlDefinition,
    ModuleResult,
    Tolerance,
    evaluate,
)

PLAYBOOK = "baseline.yml"
MODULE = "govpool_baseline"
LEVELS = (2, 3)
"""Protection levels that the playbook takes. A level 1 system is held to level 2."""

Parameter = str | int | list[str] | list[int]


class ControlData(TypedDict):
    """A control as ``vars/controls.yml`` holds it (what concerns the operator of it)."""

    id: str
    clause: str
    level: int
    en: str
    zh: str
    parameters: list[str]


def control_file(library: Path | None = None) -> Path:
    """Name the file of the controls and of their parameters' defaults."""
    return (library or playbooks_dir()) / "roles" / "baseline" / "vars" / "controls.yml"


def load_controls(library: Path | None = None) -> tuple[tuple[ControlData, ...], Mapping[str, Parameter]]:
    """Read the controls and the defaults of their parameters.

    Raises:
        OSError: the file is not there.
        KeyError: it holds no controls.
    """
    data = yaml.safe_load(control_file(library).read_text(encoding="utf-8"))
    controls = tuple({"parameters": [], **control} for control in data["baseline_controls"])
    return controls, data["baseline_defaults"]  # type: ignore[return-value] # checked by tests/unit


def definitions(library: Path | None = None) -> tuple[ControlDefinition, ...]:
    """Read the controls as the rules want them."""
    return _definitions(library, control_file(library).stat().st_mtime_ns)


@lru_cache(maxsize=4)
def _definitions(library: Path | None, _changed: int) -> tuple[ControlDefinition, ...]:
    # Parsing the file takes 50 ms of the event loop: once per version of it, not once per order.
    return tuple(
        ControlDefinition(control["id"], control["clause"], control["level"], control["en"], control["zh"])
        for control in load_controls(library)[0]
    )


def playbook_level(protection_level: int) -> int:
    """Translate a system's protection level into the ``protection_level`` of the playbook.

    Raises:
        ValueError: level 4 and above, which no policy admits to the cloud.
    """
    if protection_level > max(LEVELS):
        raise ValueError(
            f"protection level {protection_level}: the baseline knows levels up to {max(LEVELS)}"
        )
    return max(protection_level, min(LEVELS))


def outcome(
    result: PlaybookResult,
    host: str,
    controls: tuple[ControlDefinition, ...],
    level: int,
    tolerance: Tolerance = STRICT,
) -> BaselineOutcome:
    """Judge one server of a run of ``baseline.yml``.

    Of a run in check mode the only audit is both the first and the last; of any other, a server whose second
    audit is missing (it was lost on the way, or mending locked us out) was not checked.
    """
    audits = [task for task in result.of_action(MODULE) if task.host == host]
    before = _controls(audits[0]) if audits else None
    again = audits[1] if len(audits) > 1 else None
    after = (
        before if again is not None and again.outcome == "skipped" else _controls(again) if again else None
    )
    return evaluate(controls, before, after, playbook_level(level), tolerance)


def _controls(task: TaskResult) -> list[ModuleResult] | None:
    controls = task.result.get("controls")
    if not isinstance(controls, list):
        return None
    return [control for control in controls if isinstance(control, dict)]
