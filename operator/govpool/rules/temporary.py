"""Temporary expansions (临时扩容): more servers for a stated period, and none after it (BZ-22, BZ-26(1))."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime, timedelta

from govpool.api.cloudresourcerequest import RequestContent, Server, TemporaryExpansion
from govpool.rules.calendar import WorkCalendar


def count_on(content: RequestContent, server: Server, day: date) -> int:
    """How many servers of the group were approved for a day: the permanent ones and that day's expansions."""
    return server.count + extra_on(content, server, day)


def extra_on(content: RequestContent, server: Server, day: date) -> int:
    """How many servers the expansions of a day add to the group."""
    return sum(
        expansion.additional_count
        for expansion in content.term.temporary
        if expansion.server == server.name and expansion.starts <= day <= expansion.ends
    )


def prolonged(wanted: TemporaryExpansion, held: Iterable[TemporaryExpansion]) -> TemporaryExpansion | None:
    """The expansion in force that ``wanted`` prolongs: the same one with a later end, or one that it runs
    into or follows without a day between. Otherwise a chain of short ones would last for ever without being
    asked for ahead.
    """
    day = timedelta(days=1)
    before = [
        one
        for one in held
        if one.server == wanted.server and one.starts <= wanted.starts <= one.ends + day < wanted.ends + day
    ]
    return max(before, key=lambda one: one.ends, default=None)


def while_asked(content: RequestContent, asked: RequestContent | None) -> RequestContent:
    """The content while ``asked`` lies before the authority: what it prolongs stays, as many as there are, at
    the longest until the day that was asked for.

    BZ-22 has an extension asked for ahead; that the decision takes its time takes nothing away. One that was
    asked for too late never lies before the authority.
    """
    if asked is None:
        return content
    held = content.term.temporary
    ends: dict[int, date] = {}
    for wanted in asked.term.temporary:
        before = prolonged(wanted, held) if wanted not in held else None
        if before is not None:
            place = held.index(before)
            ends[place] = max(wanted.ends, ends.get(place, wanted.ends))
    if not ends:
        return content
    kept = [one.model_copy(update={"ends": ends.get(place, one.ends)}) for place, one in enumerate(held)]
    return content.model_copy(update={"term": content.term.model_copy(update={"temporary": kept})})


def next_turn(content: RequestContent, calendar: WorkCalendar, now: datetime) -> datetime | None:
    """When the next expansion begins or reverts by itself; None when there is none to come."""
    turns = [
        calendar.start_of(day)
        for expansion in content.term.temporary
        for day in (expansion.starts, expansion.ends + timedelta(days=1))
    ]
    return min((turn for turn in turns if turn > now), default=None)
