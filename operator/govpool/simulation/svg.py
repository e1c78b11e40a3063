"""Pictures as inline SVG: no script, no outside resource; the page's style sheet gives the colours."""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from markupsafe import Markup

from govpool.messages import Language
from govpool.simulation.picture import Bar, Lane, Mark, Picture, Step

WIDTH, GUTTER, MARGIN = 1180, 112, 18
AXIS = 40
"""Height of the axis: years or months, and the holidays' names."""
BAR, THIN, MARK, STEPS = 24, 15, 20, 46
GAP, TIGHT = 10, 4
"""Between two lanes; between lanes that are one list (``href``)."""
RADIUS = 8.5
FONT = 11.0
WEEKEND_PIXELS = 1.6
"""Weekends are drawn from this many pixels a day on: below it they would be a grey haze."""
_MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]


@dataclass(frozen=True, slots=True)
class _Scale:
    start: datetime
    pixels_per_second: float

    def x(self, at: datetime) -> float:
        raw = GUTTER + (at - self.start).total_seconds() * self.pixels_per_second
        return round(min(max(raw, GUTTER), WIDTH - MARGIN), 1)

    @property
    def day(self) -> float:
        """Pixels a day."""
        return self.pixels_per_second * 86400


def draw(picture: Picture, language: Language) -> Markup:
    """The picture. Its height follows from its lanes."""
    span = max((picture.end - picture.start).total_seconds(), 3600.0)
    scale = _Scale(picture.start, (WIDTH - GUTTER - MARGIN) / span)
    parts: list[Markup] = []
    y = float(AXIS)
    for lane in picture.lanes:
        drawn, height = _lane(lane, scale, y, language)
        parts.append(drawn)
        y += height + (TIGHT if lane.href else GAP)
    bottom = y - TIGHT / 2
    ground = _ground(picture, scale, bottom, language)
    return Markup(
        '<svg class="line" viewBox="0 0 {} {}" role="img" aria-label="{}" '
        'xmlns="http://www.w3.org/2000/svg">{}{}</svg>'
    ).format(WIDTH, math.ceil(bottom + 4), picture.title, ground, Markup("").join(parts))


def width_of(text: str) -> float:
    """How wide a text of the picture is, in pixels, near enough to place it."""
    return sum(FONT if unicodedata.east_asian_width(c) in "WF" else FONT * 0.56 for c in text)


# -- the ground: days off, months, the frame --------------------------------------------------------
def _ground(picture: Picture, scale: _Scale, bottom: float, language: Language) -> Markup:
    parts = [*_days_off(picture, scale, bottom), *_ticks(picture, scale, bottom, language)]
    return Markup("").join(parts)


def _days_off(picture: Picture, scale: _Scale, bottom: float) -> Iterator[Markup]:
    for off in picture.days_off:
        left, right = scale.x(off.start), scale.x(off.end)
        if right - left < 0.4 or (not off.name and scale.day < WEEKEND_PIXELS):
            continue
        days = f"{off.start:%m-%d} – {off.end - timedelta(seconds=1):%m-%d}"
        yield Markup(
            '<rect class="{}" x="{}" y="{}" width="{:.1f}" height="{:.1f}"><title>{}</title></rect>'
        ).format(
            "holiday" if off.name else "off",
            left,
            AXIS - 6,
            right - left,
            bottom - AXIS + 6,
            f"{off.name} {days}".strip(),
        )
    yield from _feasts(picture, scale)
    for day in picture.makeup:
        if scale.day >= WEEKEND_PIXELS:
            yield Markup('<rect class="makeup" x="{}" y="{}" width="{:.1f}" height="3"/>').format(
                scale.x(day), AXIS - 6, max(scale.day, 2)
            )


def _feasts(picture: Picture, scale: _Scale) -> Iterator[Markup]:
    """The names of public holidays, the long ones first where there is no room for all."""
    taken: list[tuple[float, float]] = []
    for off in sorted((o for o in picture.days_off if o.name), key=lambda o: o.start - o.end):
        middle, half = (scale.x(off.start) + scale.x(off.end)) / 2, width_of(off.name) * 0.45 + 3
        free = all(middle + half < left or middle - half > right for left, right in taken)
        if free and middle - half > GUTTER - 30 and middle + half < WIDTH:
            taken.append((middle - half, middle + half))
            yield Markup('<text class="feast" x="{:.1f}" y="{}">{}</text>').format(middle, AXIS - 9, off.name)


def _ticks(picture: Picture, scale: _Scale, bottom: float, language: Language) -> Iterator[Markup]:
    every = next(n for n in (1, 2, 3, 6, 12, 24, 60) if n * 30 * scale.day > 52 or n == 60)
    if 30 * scale.day > 330:
        yield from _weeks(picture, scale, bottom)
    at, first, free = _month(picture.start), True, 0.0
    while at < picture.end:
        x = scale.x(at)
        if at > picture.start:
            yield Markup('<line class="grid" x1="{0}" x2="{0}" y1="{1}" y2="{2:.1f}"/>').format(
                x, AXIS - 6, bottom
            )
        months = at.month - 1 if every <= 12 else at.year * 12
        wanted = months % every == 0 or first
        name = _month_name(at, language, year=first or at.month == 1 or every >= 12)
        if wanted and x >= free and x + width_of(name) < WIDTH:
            free = x + width_of(name) + 8
            yield Markup('<text class="tick" x="{:.1f}" y="14">{}</text>').format(x + 3, name)
            first = False
        at = _next_month(at)


def _weeks(picture: Picture, scale: _Scale, bottom: float) -> Iterator[Markup]:
    """Days of the month, each Monday, where a month is wide."""
    day = picture.start.replace(hour=0, minute=0, second=0, microsecond=0)
    while day < picture.end:
        if day.weekday() == 0 and day > picture.start:
            x = scale.x(day)
            yield Markup('<line class="week" x1="{0}" x2="{0}" y1="{1}" y2="{2:.1f}"/>').format(
                x, AXIS - 6, bottom
            )
            if 3 < day.day < 29:
                yield Markup('<text class="tick day" x="{:.1f}" y="14">{}</text>').format(x + 3, day.day)
        day += timedelta(days=1)


def _month(at: datetime) -> datetime:
    return at.replace(day=1, hour=0, minute=0, second=0, microsecond=0)


def _next_month(at: datetime) -> datetime:
    return _month(at + timedelta(days=32))


def _month_name(at: datetime, language: Language, *, year: bool) -> str:
    if language == "zh":
        return f"{at.year}年{at.month}月" if year else f"{at.month}月"
    return f"{_MONTHS[at.month - 1]} {at.year}" if year else _MONTHS[at.month - 1]


# -- lanes ------------------------------------------------------------------------------------------
def _lane(lane: Lane, scale: _Scale, y: float, language: Language) -> tuple[Markup, float]:
    if lane.steps:
        body, height = _steps(lane.steps, scale, y)
    elif lane.marks:
        body, height = _marks(lane.marks, scale, y)
    elif lane.beside:
        body, height = _thin_bars(lane.bars, scale, y, language)
    else:
        body, height = _bars(lane.bars, scale, y)
    shown = _shortened(lane.label, GUTTER - 12)
    label = Markup('<text class="lane" x="{}" y="{:.1f}">{}<title>{}</title></text>').format(
        GUTTER - 8, y + 12.5 if height > BAR + 1 or lane.beside else y + height / 2 + 4, shown, lane.label
    )
    if lane.href:
        label = Markup('<a href="#{}">{}</a>').format(lane.href, label)
    return label + body, height


def _shortened(text: str, room: float) -> str:
    if width_of(text) <= room:
        return text
    while text and width_of(text) > room - FONT:
        text = text[:-1]
    return text + "…"


def _bars(bars: Sequence[Bar], scale: _Scale, y: float) -> tuple[Markup, float]:
    """Wide bars side by side, their labels within where there is room."""
    parts = []
    for bar in bars:
        left, right = scale.x(bar.start), scale.x(bar.end)
        wide = max(right - left, 1.2)
        parts.append(
            Markup(
                '<g class="bar {}"><title>{}</title><rect x="{}" y="{}" width="{:.1f}" height="{}" rx="3"/>'
            ).format(bar.tone, bar.title or bar.label, left, y, wide, BAR)
        )
        if width_of(bar.label) + 8 <= wide:
            parts.append(
                Markup('<text x="{:.1f}" y="{:.1f}">{}</text>').format(left + 6, y + BAR / 2 + 4, bar.label)
            )
        parts.append(Markup("</g>"))
    return Markup("").join(parts), BAR


def _thin_bars(bars: Sequence[Bar], scale: _Scale, y: float, language: Language) -> tuple[Markup, float]:
    """Thin bars in as few rows as their labels allow; what lies behind its due time is red."""
    ends: list[float] = []
    parts = []
    for bar in sorted(bars, key=lambda b: (b.start, b.end)):
        left = scale.x(bar.start)
        last = max(bar.end, bar.due) if bar.due else bar.end
        right = max(scale.x(last), left + 2)
        wide = width_of(bar.label) + 8
        place = "behind" if right + wide <= WIDTH - 2 else "before" if left - wide >= GUTTER else "under"
        start = left - wide if place == "before" else left
        end = right + wide if place == "behind" else max(right, left + wide) if place == "under" else right
        rows = 2 if place == "under" else 1
        row = next(
            (n for n in range(len(ends)) if all(t + 6 <= start for t in ends[n : n + rows])), len(ends)
        )
        ends[row : row + rows] = [end] * rows
        parts.append(_thin(bar, scale, y + row * (THIN + 3), (left, right), place))
    return Markup("").join(parts), max(len(ends), 1) * (THIN + 3) - 3


def _thin(bar: Bar, scale: _Scale, y: float, ends: tuple[float, float], place: str) -> Markup:
    left, right = ends
    middle = y + THIN / 2
    parts = [Markup('<g class="clock {}"><title>{}</title>').format(bar.tone, bar.title or bar.label)]
    if bar.due:
        due = scale.x(bar.due)
        parts.append(
            Markup('<rect class="track" x="{}" y="{}" width="{:.1f}" height="8" rx="4"/>').format(
                left, middle - 4, max(due - left, 2)
            )
        )
    in_time = min(bar.end, bar.due) if bar.due else bar.end
    parts.append(
        Markup('<rect class="{}" x="{}" y="{}" width="{:.1f}" height="8" rx="4"/>').format(
            "run" if bar.due else "run boundless", left, middle - 4, max(scale.x(in_time) - left, 2)
        )
    )
    if bar.due and bar.late:
        late = scale.x(bar.due)
        parts.append(
            Markup('<rect class="late" x="{}" y="{}" width="{:.1f}" height="8" rx="2"/>').format(
                late, middle - 4, max(scale.x(bar.end) - late, 3)
            )
        )
    if bar.due:
        parts.append(
            Markup('<line class="due" x1="{0}" x2="{0}" y1="{1}" y2="{2}"/>').format(
                scale.x(bar.due), middle - 6.5, middle + 6.5
            )
        )
    where = {"behind": right + 6, "before": left - 6, "under": left}[place]
    anchor = "end" if place == "before" else "start"
    middle += THIN + 1 if place == "under" else 0
    parts.append(
        Markup('<text x="{:.1f}" y="{:.1f}" text-anchor="{}">{}</text></g>').format(
            where, middle + 4, anchor, bar.label
        )
    )
    return Markup("").join(parts)


def _marks(marks: Sequence[Mark], scale: _Scale, y: float) -> tuple[Markup, float]:
    """Numbered marks; those at the same place and of the same tone become one with a range."""
    ends: list[float] = []
    parts = []
    for group in _grouped(marks, scale):
        first, last = group[0], group[-1]
        label = str(first.number) if first is last else f"{first.number}–{last.number}"
        half = max(RADIUS, width_of(label) / 2 + 4)
        x = min(max(scale.x(first.at), GUTTER + half), WIDTH - MARGIN - half)
        row = next((n for n, taken in enumerate(ends) if taken + 2 <= x - half), len(ends))
        ends[row : row + 1] = [x + half]
        middle = y + row * (MARK + 1) + MARK / 2
        parts.append(
            Markup(
                '<a href="#{}" class="mark {}"><title>{}</title>'
                '<rect x="{:.1f}" y="{:.1f}" width="{:.1f}" height="{}" rx="{}"/>'
                '<text x="{:.1f}" y="{:.1f}">{}</text></a>'
            ).format(
                first.anchor,
                first.tone,
                "\n".join(mark.title for mark in group),
                x - half,
                middle - RADIUS,
                half * 2,
                RADIUS * 2,
                RADIUS,
                x,
                middle + 3.7,
                label,
            )
        )
    return Markup("").join(parts), max(len(ends), 1) * (MARK + 1)


def _grouped(marks: Sequence[Mark], scale: _Scale) -> list[list[Mark]]:
    groups: list[list[Mark]] = []
    for mark in sorted(marks, key=lambda m: m.number):
        near = groups and scale.x(mark.at) - scale.x(groups[-1][0].at) < RADIUS
        if near and groups[-1][-1].tone == mark.tone:
            groups[-1].append(mark)
        else:
            groups.append([mark])
    return groups


def _steps(steps: Sequence[Step], scale: _Scale, y: float) -> tuple[Markup, float]:
    """A stair: the number is written on each step that is wide enough for it."""
    most = max(1, *(step.value for step in steps))
    right = WIDTH - MARGIN
    ends = [scale.x(step.at) for step in steps[1:]] + [float(right)]
    floor = y + STEPS
    parts = []
    for step, end in zip(steps, ends, strict=True):
        left, high = scale.x(step.at), step.value / most * (STEPS - 14)
        if step.value and end > left:
            parts.append(
                Markup(
                    '<g class="step"><title>{}</title>'
                    '<rect x="{}" y="{:.1f}" width="{:.1f}" height="{:.1f}"/>'
                    '<line x1="{}" x2="{:.1f}" y1="{:.1f}" y2="{:.1f}"/></g>'
                ).format(
                    step.title, left, floor - high, end - left, high, left, end, floor - high, floor - high
                )
            )
        if step.value and end - left > width_of(str(step.value)) + 3:
            parts.append(
                Markup('<text class="count" x="{:.1f}" y="{:.1f}">{}</text>').format(
                    left + 3, floor - high - 3.5, step.value
                )
            )
    parts.append(
        Markup('<line class="floor" x1="{}" x2="{}" y1="{}" y2="{}"/>').format(GUTTER, right, floor, floor)
    )
    return Markup("").join(parts), STEPS
