"""Two policies, one story: what comes out differently, and what follows what under each."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from govpool.messages import Language
from govpool.simulation.lines import Row, rows, server_steps
from govpool.simulation.result import RequestLine, SimulationResult
from govpool.simulation.words import Words

SAME, LATER, ONLY = "same", "later", "only"


@dataclass(frozen=True, slots=True)
class Value:
    """What a fact is under one policy."""

    text: str
    article: str = ""
    cited: str = ""
    """The clauses in words."""


@dataclass(frozen=True, slots=True)
class Fact:
    """One outcome of a request under both policies."""

    request: str
    name: str
    values: tuple[Value, Value]

    @property
    def differs(self) -> bool:
        """Whether the policies come to different things; another article for the same is no difference."""
        return self.values[0].text != self.values[1].text


@dataclass(frozen=True, slots=True)
class Pair:
    """The same happening under both policies; None where it does not happen."""

    sides: tuple[Row | None, Row | None]
    kind: str
    """``same`` (the same day), ``later`` (another day) or ``only`` (under one policy)."""

    @property
    def what(self) -> str:
        """What happens."""
        row = self.sides[0] or self.sides[1]
        return row.what if row else ""

    @property
    def at(self) -> datetime:
        """When it first happens."""
        return min(row.at for row in self.sides if row)


@dataclass(frozen=True, slots=True)
class ComparedRequest:
    """One request under both policies."""

    lines: tuple[RequestLine, RequestLine]
    listed: tuple[list[Row], list[Row]]
    pairs: list[Pair]


@dataclass(frozen=True, slots=True)
class Comparison:
    """The same scenario under two policies."""

    results: tuple[SimulationResult, SimulationResult]
    facts: list[Fact]
    requests: list[ComparedRequest]

    def count(self, kind: str) -> int:
        """How many happenings are alike, at another time, or under one policy only."""
        return sum(pair.kind == kind for request in self.requests for pair in request.pairs)


def compare(first: SimulationResult, second: SimulationResult, language: Language = "en") -> Comparison:
    """Put two results of one scenario side by side. Raises ValueError if they are of different scenarios."""
    if first.scenario != second.scenario:
        raise ValueError(f"results of two scenarios can't be compared: {first.scenario}, {second.scenario}")
    words = (Words.of(first.policy, language), Words.of(second.policy, language))
    others = {line.name: line for line in second.requests}
    compared: list[ComparedRequest] = []
    facts: list[Fact] = []
    for line in first.requests:
        other = others.get(line.name)
        if other is None:
            continue
        number = len(compared) + 1
        listed = (
            rows(line, first, words[0], f"r{number}a"),
            rows(other, second, words[1], f"r{number}b"),
        )
        compared.append(ComparedRequest((line, other), listed, pairs(*listed, words)))
        facts += _facts((line, other), (first, second), words)
    return Comparison((first, second), facts, compared)


def pairs(first: list[Row], second: list[Row], words: tuple[Words, Words]) -> list[Pair]:
    """Each happening with the same one under the other policy: the n-th of a kind with the n-th of it."""
    left, right = _numbered(first), _numbered(second)
    found = []
    for key in dict.fromkeys([*left, *right]):
        sides = (left.get(key), right.get(key))
        if sides[0] is None or sides[1] is None:
            kind = ONLY
        else:
            kind = SAME if words[0].day(sides[0].at) == words[1].day(sides[1].at) else LATER
        found.append(Pair(sides, kind))
    return sorted(found, key=lambda pair: pair.at)


def _numbered(listed: list[Row]) -> dict[tuple[str, int], Row]:
    ordered = sorted(listed, key=lambda row: row.key)
    return {
        (key, number): row
        for key, group in groupby(ordered, key=lambda row: row.key)
        for number, row in enumerate(group)
    }


def _facts(
    lines: tuple[RequestLine, RequestLine],
    results: tuple[SimulationResult, SimulationResult],
    words: tuple[Words, Words],
) -> Iterator[Fact]:
    sides = [
        dict(_told(line, result, word)) for line, result, word in zip(lines, results, words, strict=True)
    ]
    for name in dict.fromkeys([*sides[0], *sides[1]]):
        values = (sides[0].get(name, Value("–")), sides[1].get(name, Value("–")))
        if values[0].text != "–" or values[1].text != "–":
            yield Fact(lines[0].name, words[0].say(f"compare.fact.{name}"), values)


def _told(line: RequestLine, result: SimulationResult, words: Words) -> Iterator[tuple[str, Value]]:
    def value(text: str, article: str = "") -> Value:
        return Value(text, article, words.cited(article))

    steps = server_steps(line.servers, result.started, words)
    yield "phase", value(words.term(line.phase.value) if line.phase else "–")
    yield "servers", value(str(steps[-1].value) if steps else "0")
    yield "most", value(str(max((step.value for step in steps), default=0)))
    handed = next((item for item in line.history if item.what == "Handover"), None)
    yield "handed-over", value(words.day(handed.at), handed.article) if handed else value("–")
    if line.trial_ends:
        trial = next((item.article for item in line.history if item.what == "Trial"), "")
        yield "trial", value(words.day(line.trial_ends), trial)
    billing = line.billing
    yield "billing", value(words.day(billing.since), billing.started_article) if billing else value("–")
    if billing:
        until = billing.until or result.until
        yield "billed", value(str((words.local(until).date() - words.local(billing.since).date()).days))
        if billing.until:
            yield "billing-ended", value(words.day(billing.until), billing.ended_article)
    yield "decisions", value(str(len(line.decisions)))
    overdue = [clock for clock in line.clocks if clock.overdue_since]
    articles = ", ".join(dict.fromkeys(clock.article for clock in overdue))
    yield "overdue", value(str(len(overdue)), articles)
    refused = [
        item for item in line.history if item.what.startswith("Refused") or item.what.endswith(": Refuse")
    ]
    articles = ", ".join(dict.fromkeys(item.article for item in refused if item.article))
    yield "refused", value(str(len(refused)), articles)
    notices = [notice for notice in line.notices if notice.kind == "RectificationNotice"]
    yield (
        "notices",
        value(str(len(notices)), ", ".join(dict.fromkeys(n.article for n in notices if n.article))),
    )


# -- on a terminal ----------------------------------------------------------------------------------
COLOURS = {SAME: "dim", LATER: "yellow", ONLY: "red"}


def table(comparison: Comparison, language: Language) -> Group:
    """The comparison for a terminal: what comes out, then step by step."""
    words = [Words.of(result.policy, language) for result in comparison.results]
    codes = [result.policy.code for result in comparison.results]
    parts: list[RenderableType] = []
    for result in comparison.results:
        title = result.policy.title.zh if language == "zh" else result.policy.title.en
        parts.append(Text.assemble((result.policy.code, "bold"), f"  {title}"))
    outcome = Table(title=words[0].say("compare.outcome"), title_justify="left")
    for column in ("", "", *codes):
        outcome.add_column(column)
    for fact in comparison.facts:
        shown = [f"{value.text} ({value.article})" if value.article else value.text for value in fact.values]
        outcome.add_row(fact.request, fact.name, *shown, style="bold" if fact.differs else "dim")
    parts.append(outcome)
    for request in comparison.requests:
        steps = Table(title=f"{request.lines[0].system} ({request.lines[0].name})", title_justify="left")
        for column in (words[0].say("page.column.what"), *codes, ""):
            steps.add_column(column)
        for pair in request.pairs:
            shown = [
                f"{row.when} {row.article}".strip() if row else words[0].say("compare.absent")
                for row in pair.sides
            ]
            steps.add_row(pair.what, *shown, verdict(pair, words[0]), style=COLOURS[pair.kind])
        parts.append(steps)
    parts.append(Text(counted(comparison, words[0])))
    return Group(*parts)


def counted(comparison: Comparison, words: Words) -> str:
    """How much is alike, in one line."""
    counts = {kind: comparison.count(kind) for kind in (SAME, LATER, ONLY)}
    if not counts[LATER] and not counts[ONLY]:
        return words.say("compare.nothing")
    return words.say("compare.count", **counts)


def verdict(pair: Pair, words: Words) -> str:
    """How a happening differs: by how many days, or under which policy it happens at all."""
    first, second = pair.sides
    if first and second:
        days = (words.local(second.at).date() - words.local(first.at).date()).days
        return words.say("compare.days", days=f"{days:+d}") if days else words.say("compare.same")
    return words.say("compare.only-first" if first else "compare.only-second")
