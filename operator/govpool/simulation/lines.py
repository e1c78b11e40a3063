"""From a request's time line to what the page draws and lists of it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta

import holidays

from govpool.api.cloudpolicy import DECIDED_BY_PEOPLE, Stage
from govpool.rules.calendar import WorkCalendar
from govpool.simulation.picture import Bar, DayOff, Lane, Mark, Picture, Step
from govpool.simulation.result import Clock, RequestLine, ServerSpan, SimulationResult, UnitLine
from govpool.simulation.words import Words

TOLD_BY_HISTORY = frozenset({"decide", "confirm", "report", "habit"})
"""What people did that the request's own history tells, in the engine's words."""
BAD = frozenset({"Refused", "Overdue", "Escalated", "RectificationNotice", "StopIssuing", "ForcedShutdown"})
"""Entries of a history that are bad news."""
SHORTEST_CLOCK = timedelta(minutes=30)
"""Clocks without a due time that were over at once say nothing."""
_FIRST = re.compile(r"[:;,：；，。]")
_MOVED = re.compile(r"substituted|observed|调休|补假")
"""In a day's name: it is off in the place of another day, or of a weekend."""
BY_ENGINE = frozenset(
    {Stage.QUOTA, Stage.PROVISION, Stage.BASELINE, Stage.HANDOVER, Stage.RIGHT_SIZING, Stage.WIPE}
    | {Stage.RECLAIM, Stage.CERTIFICATE}
)
"""Stages that nobody has to be waited for: without a due time there is no clock to be drawn."""
HOLIDAY_LANGUAGES = {"en": "en_US", "zh": "zh_CN"}


@dataclass(frozen=True, slots=True)
class Row:
    """A line of the list below a picture, and its mark in it."""

    at: datetime
    number: int
    anchor: str
    tone: str
    """``person``, ``engine`` or ``bad``."""
    when: str
    who: str
    what: str
    article: str
    cited: str
    """The clauses in words."""
    detail: str
    key: str
    """What it is, whatever the policy and the time: for comparisons."""


def rows(line: RequestLine, result: SimulationResult, words: Words, anchor: str) -> list[Row]:
    """Everything that happened to a request, oldest first, each with its clause."""
    found = sorted(
        [
            *_history(line, words),
            *_played(line, result, words),
            *_overdue(line, words),
            *_billing(line, words),
        ],
        key=lambda row: row.at,
    )
    return [
        Row(
            row.at, number, f"{anchor}-{number}", row.tone, row.when, row.who,
            row.what, row.article, row.cited, row.detail, row.key,
        )
        for number, row in enumerate(found, start=1)
    ]  # fmt: skip


def _row(
    words: Words,
    at: datetime,
    tone: str,
    who: str,
    what: str,
    article: str = "",
    detail: str = "",
    key: str = "",
) -> Row:
    return Row(
        at, 0, "", tone, words.moment(at), words.actor(who), what, article, words.cited(article), detail, key
    )


def _history(line: RequestLine, words: Words) -> Iterator[Row]:
    by_people = {stage.value for stage in DECIDED_BY_PEOPLE}
    for item in line.history:
        head, _, verdict = item.what.partition(": ")
        bad = head in BAD or verdict in ("Refuse", "Return", "NotRectified", "Failed")
        tone = "bad" if bad else "person" if head in by_people or item.actor != "govpool" else "engine"
        yield _row(
            words, item.at, tone, item.actor, words.term(item.what), item.article, item.detail, item.what
        )


def _played(line: RequestLine, result: SimulationResult, words: Words) -> Iterator[Row]:
    for item in result.played:
        if item.request != line.name or (item.do in TOLD_BY_HISTORY and not item.refused):
            continue
        told = item.told.zh if words.language == "zh" else item.told.en
        tone = "bad" if item.refused else "person"
        yield _row(words, item.at, tone, item.by, told, detail=item.refused, key=f"{item.do}: {item.told.en}")


def _overdue(line: RequestLine, words: Words) -> Iterator[Row]:
    if _tells(line, "Overdue"):
        return
    for clock in line.clocks:
        if clock.overdue_since is not None:
            what = words.say("page.overdue", what=clock_name(clock, words))
            key = f"overdue: {clock.stage.value if clock.stage else clock.what}"
            who = clock.who.value
            yield _row(words, clock.overdue_since, "bad", who, what, clock.article, clock.what, key)


def _billing(line: RequestLine, words: Words) -> Iterator[Row]:
    if line.billing is None or _tells(line, "BillingStarted"):
        return
    yield _row(
        words,
        line.billing.since,
        "engine",
        "govpool",
        words.say("page.billing.starts"),
        line.billing.started_article,
        key="billing starts",
    )
    if line.billing.until:
        yield _row(
            words,
            line.billing.until,
            "engine",
            "govpool",
            words.say("page.billing.ends"),
            line.billing.ended_article,
            key="billing ends",
        )


def _tells(line: RequestLine, what: str) -> bool:
    """Whether the request's own history has such entries; then nothing is added to it."""
    return any(item.what.partition(": ")[0] == what for item in line.history)


def clock_name(clock: Clock, words: Words) -> str:
    """What a clock measures, short enough for a picture."""
    return words.term(clock.stage.value) if clock.stage else _FIRST.split(clock.what)[0]


# -- pictures ---------------------------------------------------------------------------------------
def picture(
    line: RequestLine, result: SimulationResult, words: Words, listed: Iterable[Row], end: datetime
) -> Picture:
    """A request's picture, over the whole of the story."""
    lanes = [
        Lane(words.say("page.lane.phase"), bars=list(phases(line, words, end))),
        Lane(words.say("page.lane.clocks"), bars=list(_clocks(line, words, end)), beside=True),
        Lane(words.say("page.lane.notices"), bars=list(_notices(line, words, end)), beside=True),
        Lane(words.say("page.lane.marks"), marks=[_mark(row, words) for row in listed]),
        Lane(words.say("page.lane.servers"), steps=server_steps(line.servers, result.started, words)),
        Lane(words.say("page.lane.billing"), bars=list(_bill(line, words, end))),
    ]
    return Picture(
        words.local(result.started),
        words.local(end),
        [lane for lane in lanes if lane.bars or lane.marks or lane.steps],
        *days(result, words),
        title=f"{line.system} ({line.name})",
    )


def phases(line: RequestLine, words: Words, end: datetime, href: str = "") -> Iterator[Bar]:
    """The bars of its phases."""
    for span in line.phases:
        until = span.until or end
        name = words.term(span.phase.value)
        still = "" if span.until else f" ({words.say('page.until-end')})"
        title = f"{name}: {words.moment(span.since)} – {words.moment(until)}{still}"
        yield Bar(words.local(span.since), words.local(until), name, span.phase.value, title)


def _clocks(line: RequestLine, words: Words, end: datetime) -> Iterator[Bar]:
    for clock in line.clocks:
        until = clock.ended or end
        if clock.due is None and (clock.stage in BY_ENGINE or until - clock.since < SHORTEST_CLOCK):
            continue
        late = clock.overdue_since is not None
        label = clock_name(clock, words)
        if late and clock.due is not None:
            label += " · " + words.say("page.clock.late", span=words.span(until - clock.due))
        yield Bar(
            words.local(clock.since),
            words.local(max(until, clock.since)),
            f"{label} · {clock.article}",
            "overdue" if late else "intime",
            _clock_title(clock, words),
            words.local(clock.due) if clock.due else None,
            late=late,
        )


def _clock_title(clock: Clock, words: Words) -> str:
    due = words.moment(clock.due) if clock.due else words.say("page.clock.no-due")
    told = words.say(
        "page.clock.title",
        what=clock.what,
        who=words.term(clock.who.value),
        since=words.moment(clock.since),
        due=due,
        article=words.cited(clock.article) or clock.article,
    )
    return told + (
        "; " + words.say("page.clock.done", at=words.moment(clock.ended)) if clock.ended is not None else ""
    )


def _notices(line: RequestLine, words: Words, end: datetime) -> Iterator[Bar]:
    for notice in line.notices:
        until = notice.until or end
        late = notice.due is not None and until > notice.due
        finding = notice.about if notice.kind == "RectificationNotice" else ""
        text = ": ".join(filter(None, (notice.about, notice.detail.get(words.language, ""))))
        parts = (words.term(notice.kind), words.term(finding), words.term(notice.state), notice.article)
        about = " · ".join(part for part in parts if part)
        yield Bar(
            words.local(notice.since),
            words.local(until),
            about,
            "notice overdue" if late else "notice",
            f"{notice.name}: {text} {words.cited(notice.article)}".strip(),
            words.local(notice.due) if notice.due else None,
            late=late,
        )


def _mark(row: Row, words: Words) -> Mark:
    title = f"{row.number}. {row.when} {row.who}{'：' if words.language == 'zh' else ': '}{row.what}"
    cited = f"\n{row.article} {row.cited}" if row.article else ""
    return Mark(words.local(row.at), row.number, row.tone, title + cited, row.anchor)


def server_steps(servers: Iterable[ServerSpan], start: datetime, words: Words) -> list[Step]:
    """How many servers there are, from each instant on at which that changes."""
    spans = list(servers)
    if not spans:
        return []
    instants = sorted({start, *(s.since for s in spans), *(s.until for s in spans if s.until)})
    steps: list[Step] = []
    for at in instants:
        there = [s for s in spans if s.since <= at and (s.until is None or s.until > at)]
        title = words.say(
            "page.servers.title",
            count=len(there),
            vcpu=sum(s.vcpu for s in there),
            memory=sum(s.memory_gib for s in there),
            storage=sum(s.storage_gib for s in there),
            at=words.moment(at),
        )
        if not steps or steps[-1].value != len(there):
            steps.append(Step(words.local(at), len(there), title))
    return steps


def _bill(line: RequestLine, words: Words, end: datetime) -> Iterator[Bar]:
    billing = line.billing
    if billing is None:
        return
    until = billing.until or end
    turns = sorted({billing.since, *(f.since for f in line.fees if billing.since < f.since < until)})
    for since, stop in zip(turns, [*turns[1:], until], strict=True):
        fee = next((f.fee_per_year for f in reversed(line.fees) if f.since <= since), "0.00")
        ended = f" ({billing.ended_article})" if billing.until and stop == until else ""
        title = words.say(
            "page.billing.title",
            start=words.moment(since),
            started_article=billing.started_article,
            end=words.moment(stop),
            ended_article=ended,
            fee=fee,
        )
        label = words.say("page.billing.label", fee=f"{float(fee):,.2f}")
        yield Bar(words.local(since), words.local(stop), label, "billing", title)


# -- what surrounds requests ------------------------------------------------------------------------
def standing(unit: UnitLine, words: Words, end: datetime) -> Lane:
    """A unit's standing over time."""
    bars = [
        Bar(
            words.local(span.since),
            words.local(span.until or end),
            words.term(span.standing.value),
            span.standing.value,
            f"{unit.unit_name}: {words.term(span.standing.value)} {span.cause}".strip(),
        )
        for span in unit.standings
    ]
    return Lane(unit.unit_name, bars=bars)


def days(result: SimulationResult, words: Words) -> tuple[list[DayOff], list[datetime]]:
    """The days on which offices are closed, in stretches, and the weekend days that are worked."""
    rule = result.policy.calendar
    calendar = WorkCalendar(rule.country, words.zone, frozenset(rule.holidays), frozenset(rule.workdays))
    feasts = holidays.country_holidays(
        calendar.country,
        years=range(result.started.year, result.until.year + 2),
        language=HOLIDAY_LANGUAGES[words.language],
    )
    off: list[DayOff] = []
    makeup: list[datetime] = []
    day, last = words.local(result.started).date(), words.local(result.until).date()
    run: list[date] = []
    while day <= last:
        if calendar.is_working_day(day):
            if day.weekday() >= 5:
                makeup.append(calendar.start_of(day))
            off += _stretch(run, feasts, calendar)
            run = []
        else:
            run.append(day)
        day += timedelta(days=1)
    return [*off, *_stretch(run, feasts, calendar)], makeup


def _stretch(run: list[date], feasts: holidays.HolidayBase, calendar: WorkCalendar) -> list[DayOff]:
    if not run:
        return []
    names = [feasts[day] for day in run if day in feasts]
    named = [name for name in names if not _MOVED.search(name)] or names
    # The festival itself names the stretch, not its eve: it lasts longer.
    name = max(dict.fromkeys(named), key=named.count) if named else ""
    return [DayOff(calendar.start_of(run[0]), calendar.start_of(run[-1] + timedelta(days=1)), name)]
