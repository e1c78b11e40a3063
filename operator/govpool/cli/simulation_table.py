"""What a simulation came to, on a terminal."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from zoneinfo import ZoneInfo

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from govpool.messages import Language, message
from govpool.simulation.result import BillingSpan, Clock, RequestLine, SimulationResult


class SimulationTable:
    """Tables of one result in one language, in the policy's time zone."""

    def __init__(self, result: SimulationResult, language: Language) -> None:
        self._result, self._language = result, language
        self._zone = ZoneInfo(result.policy.time_zone)

    def render(self) -> Group:
        """The whole result: expectations last, where the eye rests."""
        result = self._result
        title = result.title.en if self._language == "en" else result.title.zh
        policy = result.policy.title.en if self._language == "en" else result.policy.title.zh
        span = self._say("span", since=self._day(result.started), until=self._day(result.until))
        parts: list[RenderableType] = [
            Text(self._say("title", scenario=title, policy=f"{policy} ({result.policy.code})"), style="bold"),
            Text(span, style="dim"),
        ]
        for line in result.requests:
            parts += self._request(line)
        parts += self._troubles()
        parts += self._expected()
        parts.append(Text(self._say("counts", **result.counts.model_dump()), style="dim"))
        return Group(*parts)

    # -- a request --------------------------------------------------------------------------------
    def _request(self, line: RequestLine) -> Iterator[RenderableType]:
        yield Text(f"\n{line.name}  {line.system}  {line.unit_name}", style="bold")
        facts = Table(box=None, show_header=False, pad_edge=False)
        facts.add_column(style="dim", no_wrap=True)
        facts.add_column(overflow="fold")
        phases = " → ".join(f"{span.phase.value} {self._day(span.since)}" for span in line.phases)
        facts.add_row(self._say("phase"), phases or self._say("none"))
        facts.add_row(self._say("billing"), self._billing(line.billing))
        fees = " → ".join(self._say("fee-value", fee=step.fee_per_year) for step in line.fees)
        facts.add_row(self._say("fee"), fees or self._say("none"))
        yield facts
        if line.history:
            story = self._table("story", "since", "who", "what", "article", "")
            for item in line.history:
                story.add_row(self._moment(item.at), item.actor, item.what, item.article, Text(item.detail))
            yield story
        if clocks := [clock for clock in line.clocks if clock.due is not None]:
            table = self._table("clocks", "since", "who", "what", "article", "due", "ended")
            for clock in clocks:
                table.add_row(*self._clock(clock))
            yield table

    def _clock(self, clock: Clock) -> tuple[str | Text, ...]:
        due: str | Text = self._day(clock.due)
        if clock.overdue_since is not None:
            due = Text(self._say("overdue", day=self._day(clock.due)), style="red")
        what = clock.stage.value if clock.stage else clock.what
        ended = self._day(clock.ended) if clock.ended else self._say("open")
        return self._day(clock.since), clock.who.value, what, clock.article, due, ended

    def _billing(self, billing: BillingSpan | None) -> str:
        if billing is None:
            return self._say("none")
        ended = f"{self._day(billing.until)} ({billing.ended_article})" if billing.until else ""
        return f"{self._day(billing.since)} ({billing.started_article}) – {ended}"

    # -- the whole --------------------------------------------------------------------------------
    def _troubles(self) -> Iterator[RenderableType]:
        for done in self._result.played:
            if done.refused:
                told = done.told.en if self._language == "en" else done.told.zh
                why = self._say("refused", why=done.refused)
                yield Text(f"{self._moment(done.at)} {done.by}: {told}: {why}", style="yellow")
        for never in self._result.never_played:
            told = never.told.en if self._language == "en" else never.told.zh
            yield Text(self._say("never", told=told, why=never.why), style="yellow")

    def _expected(self) -> Iterator[RenderableType]:
        expectations = self._result.expectations
        if not expectations:
            return
        failed = [item for item in expectations if not item.met]
        if failed:
            table = self._table("expected", "since", "request", "expected", "found")
            for item in failed:
                expected, found = Text(item.expected), Text(item.found, style="red")
                table.add_row(self._moment(item.at), item.request or "-", expected, found)
            yield table
        key = "not-met" if failed else "all-met"
        told = self._say(key, count=len(expectations), failed=len(failed))
        yield Text(f"\n{told}", style="red" if failed else "green")

    def _table(self, title: str, *columns: str) -> Table:
        table = Table(box=None, pad_edge=False, title=f"\n{self._say(title)}", title_justify="left")
        table.title_style, table.header_style = "bold", "dim"
        for place, name in enumerate(columns):
            last = place == len(columns) - 1
            table.add_column(self._say(name) if name else "", no_wrap=not last, overflow="fold")
        return table

    def _say(self, key: str, **values: object) -> str:
        return message(f"simulate.{key}", **values).render(self._language)

    def _day(self, at: datetime | None) -> str:
        return at.astimezone(self._zone).date().isoformat() if at else "-"

    def _moment(self, at: datetime) -> str:
        return at.astimezone(self._zone).strftime("%Y-%m-%d %H:%M")
