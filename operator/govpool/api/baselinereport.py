"""BaselineReport (安全基线检测报告): the result of a baseline on one server."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, ClassVar

from pydantic import Field

from govpool.api.approval import RequestReference
from govpool.api.base import (
    Column,
    Definition,
    Instant,
    Model,
    Resource,
    Rule,
    Scope,
    Sha256,
    ShortText,
    Text,
    Title,
)


class ControlResult(StrEnum):
    """What came of one control."""

    PASS = "Pass"  # noqa: S105 the word of a control, no password
    FAIL = "Fail"
    ERROR = "Error"
    """Could not be checked; counts as failed."""
    NOT_APPLICABLE = "NotApplicable"


class Control(Model):
    """One control of the baseline."""

    id: ShortText
    """Its id in the playbook: ``IA-01``."""
    clause: ShortText
    """Clause of GB/T 22239-2019."""
    title: Title
    """English title."""
    title_zh: ShortText = ""
    """Chinese title."""
    expected: Text
    """What the clause demands."""
    found_before: Text = ""
    """Found before anything was mended."""
    found: Text
    """Found at the end."""
    result: ControlResult
    mended: bool = False
    """Whether the playbook mended it."""


class BaselineReportSpec(Model):
    """The result of a baseline on one server. Never changes."""

    request: RequestReference
    server: Title
    """Name of the CloudServer."""
    work_order: Title
    """Name of the WorkOrder."""
    revision: Annotated[int, Field(ge=1)]
    """The request's approved revision."""
    protection_level: Annotated[int, Field(ge=1, le=5)]
    """Level of the multi-level protection scheme (网络安全等级保护)."""
    at: Instant
    """When it ended."""
    article: ShortText
    """Clause that demands it."""
    controls: Annotated[list[Control], Field(min_length=1, max_length=200)]
    """What came of each control."""
    score: Annotated[int, Field(ge=0, le=100)]
    """Percentage of applicable controls that pass."""
    passed: bool
    """Whether the gate opened."""
    reason: Text = ""
    """Why not, when it did not."""
    page: Title
    """Where the page for people lies."""
    page_sha256: Sha256
    """Hash of the page."""

    RULES: ClassVar[tuple[Rule, ...]] = (
        Rule("self == oldSelf", "a report is immutable"),
        Rule(
            "!self.passed || self.controls.exists(c, c.result == 'Pass')",
            "a report in which nothing was checked can't pass",
        ),
    )


class BaselineReport(Resource):
    """The result of a security baseline (安全基线检测报告) on one server."""

    DEFINITION: ClassVar[Definition] = Definition(
        kind="BaselineReport",
        plural="baselinereports",
        singular="baselinereport",
        short_names=("blr",),
        scope=Scope.NAMESPACED,
        columns=(
            Column("Server", ".spec.server"),
            Column("Level", ".spec.protectionLevel", type="integer"),
            Column("Score", ".spec.score", type="integer"),
            Column("Passed", ".spec.passed", type="boolean"),
            Column("At", ".spec.at"),
        ),
        has_status=False,
    )
    spec: BaselineReportSpec
