"""Temporary expansions (临时扩容): more servers for a stated period, and none after it (BZ-22, BZ-26(1))."""

from __future__ import annotations

from datetime import date, datetime, timedelta

from govpool.api.cloudresourcerequest import RequestContent, Server
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


def next_turn(content: RequestContent, calendar: WorkCalendar, now: datetime) -> datetime | None:
    """When the next expansion begins or reverts by itself; None when there is none to come."""
    turns = [
        calendar.start_of(day)
        for expansion in content.term.temporary
        for day in (expansion.starts, expansion.ends + timedelta(days=1))
    ]
    return min((turn for turn in turns if turn > now), default=None)
