"""What one time line shows: bars, steps and marks in lanes over one stretch of time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Bar:
    """Something that lasts."""

    start: datetime
    end: datetime
    label: str
    """Shown in the bar or beside it."""
    tone: str
    """CSS class that colours it."""
    title: str = ""
    """Shown on hover."""
    due: datetime | None = None
    """For a clock: when it ends."""
    late: bool = False
    """Whether it ran out: what lies behind ``due`` is red."""


@dataclass(frozen=True, slots=True)
class Mark:
    """Something that happened, numbered as in the list below the picture."""

    at: datetime
    number: int
    tone: str
    title: str
    anchor: str
    """Id of its row in the list."""


@dataclass(frozen=True, slots=True)
class Step:
    """A number that holds from an instant on."""

    at: datetime
    value: int
    title: str


@dataclass(frozen=True, slots=True)
class Lane:
    """A row of the picture. It holds bars, marks or steps."""

    label: str
    bars: Sequence[Bar] = ()
    marks: Sequence[Mark] = ()
    steps: Sequence[Step] = ()
    beside: bool = False
    """Whether labels stand beside the bars (thin bars) or within them."""
    href: str = ""
    """Where its label leads."""


@dataclass(frozen=True, slots=True)
class DayOff:
    """A stretch of days on which offices are closed."""

    start: datetime
    end: datetime
    name: str
    """The public holiday in it; empty for a plain weekend."""


@dataclass(frozen=True, slots=True)
class Picture:
    """One drawing."""

    start: datetime
    end: datetime
    lanes: Sequence[Lane]
    days_off: Sequence[DayOff] = ()
    makeup: Sequence[datetime] = ()
    """Starts of the days on weekends that are worked."""
    title: str = ""
    """For readers who can't see it."""
