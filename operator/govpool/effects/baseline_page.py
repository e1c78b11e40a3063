"""The page for people of a baseline (安全基线检测报告): one self-contained HTML file per server, made to be
printed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from itertools import groupby

from jinja2 import Environment, PackageLoader, StrictUndefined, Template

from govpool.api.baselinereport import ControlResult
from govpool.rules.baseline import BaselineOutcome, ControlOutcome

SECTIONS = {
    "8.1.4.1": ("Identification and authentication", "身份鉴别"),
    "8.1.4.2": ("Access control", "访问控制"),
    "8.1.4.3": ("Security audit", "安全审计"),
    "8.1.4.4": ("Intrusion prevention", "入侵防范"),
    "8.1.4.5": ("Protection against malicious code", "恶意代码防范"),
    "8.1.4.6": ("Trusted verification", "可信验证"),
    "8.1.4.10": ("Protection of residual information", "剩余信息保护"),
}
_WORDS = {
    ControlResult.PASS: ("pass", "符合"),
    ControlResult.FAIL: ("fail", "不符合"),
    ControlResult.ERROR: ("not checked", "未检查"),
    ControlResult.NOT_APPLICABLE: ("n/a", "不适用"),
}


@dataclass(frozen=True, slots=True)
class BaselinePage:
    """What stands in the head of the page."""

    unit: str
    """The using unit (云使用单位)."""
    system: str
    server: str
    address: str
    level: int
    """Protection level (等保) of the system."""
    at: datetime
    """When the last audit ended; with its time zone."""
    article: str
    """The article that demands the baseline."""
    report: str
    """Name of the BaselineReport."""
    outcome: BaselineOutcome


@dataclass(frozen=True, slots=True)
class Section:
    """The controls of one clause group."""

    clause: str
    title: str
    title_zh: str
    controls: Sequence[ControlOutcome]

    @property
    def passing(self) -> int:
        """How many of them pass."""
        return sum(control.result is ControlResult.PASS for control in self.controls)


def section_clause(clause: str) -> str:
    """Cut a clause down to its group: ``8.1.4.1 b)`` belongs to ``8.1.4.1``."""
    return clause.partition(" ")[0]


def sections(controls: Sequence[ControlOutcome]) -> list[Section]:
    """Group controls by clause group, in the order of the standard."""

    def place(control: ControlOutcome) -> tuple[int, ...]:
        return tuple(int(part) for part in section_clause(control.definition.clause).split("."))

    groups = groupby(sorted(controls, key=place), lambda control: section_clause(control.definition.clause))
    return [
        Section(clause, *SECTIONS.get(clause, ("Other", "其他")), tuple(members))
        for clause, members in groups
    ]


def render(page: BaselinePage) -> str:
    """Write the page.

    Raises:
        ValueError: the time has no time zone.
    """
    if page.at.tzinfo is None:
        raise ValueError("the time of a baseline needs its time zone")
    counts = page.outcome.counts
    return _template("baseline.html.j2").render(
        page=page,
        outcome=page.outcome,
        sections=_told(page.outcome.controls),
        passing=counts[ControlResult.PASS],
        failing=counts[ControlResult.FAIL] + counts[ControlResult.ERROR],
        skipped=counts[ControlResult.NOT_APPLICABLE],
        configured=sum(not c.effective and c.result is ControlResult.PASS for c in page.outcome.controls),
        at=page.at.strftime("%Y-%m-%d %H:%M %Z"),
    )


@lru_cache(maxsize=16)
def _told(controls: tuple[ControlOutcome, ...]) -> str:
    """The controls as the page shows them. Servers of one image come out alike: each kind is written once."""
    return _template("baseline_sections.html.j2").render(sections=sections(controls), words=_WORDS)


@lru_cache(maxsize=2)
def _template(name: str) -> Template:
    # Compiling takes longer than rendering.
    environment = Environment(
        loader=PackageLoader("govpool.effects"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template(name)
