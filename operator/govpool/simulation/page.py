"""What a simulation came to as one self-contained page: no script, no outside resource, printable."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from govpool import __version__
from govpool.api.base import BilingualText
from govpool.messages import Language
from govpool.simulation import compare as compared
from govpool.simulation.lines import Row, days, phases, picture, rows, server_steps, standing
from govpool.simulation.picture import Lane, Picture
from govpool.simulation.result import RequestLine, SimulationResult
from govpool.simulation.svg import draw
from govpool.simulation.words import Words

_FOLD = re.compile(r"(?<=[\u3000-\uffef]) (?=[\u3000-\uffef])")
MOST_DETAILED = 60
"""Requests that get a picture and a list of their own; a page of thousands opens in no browser."""
MOST_AT_A_GLANCE = 400


@dataclass(frozen=True, slots=True)
class _Policy:
    name: str
    code: str
    title: str
    number: str

    @property
    def short(self) -> str:
        return self.title


@dataclass(frozen=True, slots=True)
class _Head:
    stamp: str
    title: str
    about: str
    subtitle: str
    policies: Sequence[_Policy]


@dataclass(frozen=True, slots=True)
class _Tile:
    value: str
    label: str
    tone: str = ""


@dataclass(frozen=True, slots=True)
class _Drawn:
    svg: Markup
    side: int = 0
    """1 or 2 in a comparison."""
    code: str = ""
    short: str = ""


@dataclass(frozen=True, slots=True)
class _Side:
    when: str
    article: str = ""
    cited: str = ""
    number: int = 0
    anchor: str = ""
    tone: str = ""


@dataclass(frozen=True, slots=True)
class _Pair:
    what: str
    kind: str
    verdict: str
    sides: Sequence[_Side]


@dataclass(frozen=True, slots=True)
class _Section:
    anchor: str
    title: str
    name: str
    subtitle: str
    pictures: Sequence[_Drawn]
    rows: Sequence[Row] = ()
    pairs: Sequence[_Pair] = ()


@dataclass(frozen=True, slots=True)
class _Expected:
    text: str
    met: bool


@dataclass(slots=True)
class _Page:
    """What the template fills in."""

    head: _Head
    tiles: Sequence[_Tile] = ()
    facts: Sequence[compared.Fact] = ()
    counted: str = ""
    glance: Markup | str = ""
    expected: Sequence[_Expected] = ()
    sections: list[_Section] = field(default_factory=list)
    left_out: str = ""


# -- one policy -------------------------------------------------------------------------------------
def render_page(result: SimulationResult, language: Language | None = None) -> str:
    """The page of one result, in its own language unless another one is given for the labels."""
    words = Words.of(result.policy, language or _language(result))
    page = _Page(
        head=_head([result], words, "page.simulated"),
        tiles=_tiles(result, words),
        glance=_glance(result, words),
        expected=_expected(result, words),
    )
    for number, line in enumerate(result.requests[:MOST_DETAILED], start=1):
        page.sections.append(_section(line, result, words, number))
    if len(result.requests) > MOST_DETAILED:
        page.left_out = words.say("page.left-out", count=len(result.requests) - MOST_DETAILED)
    return _render(page, words)


def _section(line: RequestLine, result: SimulationResult, words: Words, number: int) -> _Section:
    listed = rows(line, result, words, f"r{number}")
    drawn = draw(picture(line, result, words, listed, result.until), words.language)
    return _Section(
        anchor=f"r{number}",
        title=line.system,
        name=line.name,
        subtitle=f"{line.unit_name} · {_ending(line, words)}",
        pictures=[_Drawn(drawn)],
        rows=listed,
    )


def _ending(line: RequestLine, words: Words) -> str:
    phase = words.term(line.phase.value) if line.phase else "–"
    return f"{words.say('page.final')}{'：' if words.language == 'zh' else ': '}{phase}"


def _head(results: Sequence[SimulationResult], words: Words, stamp: str) -> _Head:
    first = results[0]
    return _Head(
        stamp=words.say(stamp),
        title=_told(first.title, words.language),
        about=_told(first.about, words.language) if first.about else "",
        subtitle=words.say(
            "page.subtitle",
            start=words.day(first.started),
            end=words.day(first.until),
            zone=first.policy.time_zone,
        ),
        policies=[
            _Policy(
                r.policy.name, r.policy.code, _told(r.policy.title, words.language), r.policy.document_number
            )
            for r in results
        ],
    )


def _tiles(result: SimulationResult, words: Words) -> list[_Tile]:
    lines = result.requests
    refused = sum(_refusals(line) for line in lines)
    overdue = sum(clock.overdue_since is not None for line in lines for clock in line.clocks)
    notices = sum(notice.kind == "RectificationNotice" for line in lines for notice in line.notices)
    spans = [span for line in lines for span in line.servers]
    most = max((step.value for step in server_steps(spans, result.started, words)), default=0)
    met = sum(item.met for item in result.expectations)
    tiles = [
        _Tile(str(len(lines)), words.say("page.tile.requests")),
        _Tile(str(sum(len(line.decisions) for line in lines)), words.say("page.tile.decisions")),
        _Tile(str(most), words.say("page.tile.servers")),
        _Tile(str(overdue), words.say("page.tile.overdue"), "bad" if overdue else ""),
        _Tile(str(refused), words.say("page.tile.refused"), "bad" if refused else ""),
    ]
    if notices:
        tiles.append(_Tile(str(notices), words.say("page.tile.notices"), "bad"))
    if result.expectations:
        tone = "good" if met == len(result.expectations) else "bad"
        tiles.append(_Tile(f"{met}/{len(result.expectations)}", words.say("page.tile.expected"), tone))
    return tiles


def _refusals(line: RequestLine) -> int:
    return sum(item.what.startswith("Refused") or item.what.endswith(": Refuse") for item in line.history)


def _glance(result: SimulationResult, words: Words) -> Markup | str:
    """All requests and units that stand badly, in one picture; of one request alone it would say nothing."""
    troubled = [unit for unit in result.units if len(unit.standings) > 1]
    if len(result.requests) < 2 and not troubled:
        return ""
    lanes = [
        Lane(_name(line, result), bars=list(phases(line, words, result.until)), href=f"r{number}")
        for number, line in enumerate(result.requests[:MOST_AT_A_GLANCE], start=1)
    ]
    lanes += [standing(unit, words, result.until) for unit in troubled]
    title = words.say("page.glance")
    start, end = words.local(result.started), words.local(result.until)
    return draw(Picture(start, end, lanes, *days(result, words), title=title), words.language)


def _name(line: RequestLine, result: SimulationResult) -> str:
    """The system's name, unless it is several requests' one."""
    alike = sum(other.system == line.system for other in result.requests)
    return line.system if alike == 1 else line.name


def _expected(result: SimulationResult, words: Words) -> list[_Expected]:
    found = []
    for item in result.expectations:
        told = _told(item.because, words.language) if item.because else item.expected
        text = f"{words.day(item.at)} {told}"
        found.append(_Expected(text if item.met else f"{text} — {item.expected} ≠ {item.found}", item.met))
    return found


# -- two policies -----------------------------------------------------------------------------------
def render_comparison(
    first: SimulationResult, second: SimulationResult, language: Language | None = None
) -> str:
    """Two policies side by side. Raises ValueError if the results are of different scenarios."""
    language = language or _language(first)
    comparison = compared.compare(first, second, language)
    words = Words.of(first.policy, language)
    page = _Page(
        head=_head([first, second], words, "page.compared"),
        facts=comparison.facts,
        counted=compared.counted(comparison, words),
    )
    end = max(first.until, second.until)
    for number, request in enumerate(comparison.requests[:MOST_DETAILED], start=1):
        page.sections.append(_pair_section(request, comparison, words, number, end))
    if len(comparison.requests) > MOST_DETAILED:
        page.left_out = words.say("page.left-out", count=len(comparison.requests) - MOST_DETAILED)
    return _render(page, words)


def _pair_section(
    request: compared.ComparedRequest,
    comparison: compared.Comparison,
    words: Words,
    number: int,
    end: datetime,
) -> _Section:
    drawn = []
    sides = zip(request.lines, request.listed, comparison.results, strict=True)
    for side, (line, listed, result) in enumerate(sides, start=1):
        own = Words.of(result.policy, words.language)
        svg = draw(picture(line, result, own, listed, end), words.language)
        drawn.append(_Drawn(svg, side, result.policy.code, _told(result.policy.title, words.language)))
    line = request.lines[0]
    return _Section(
        anchor=f"r{number}",
        title=line.system,
        name=line.name,
        subtitle=line.unit_name,
        pictures=drawn,
        pairs=[_pair(pair, words) for pair in request.pairs],
    )


def _pair(pair: compared.Pair, words: Words) -> _Pair:
    sides = [
        _Side(row.when, row.article, row.cited, row.number, row.anchor, row.tone)
        if row
        else _Side(words.say("compare.absent"))
        for row in pair.sides
    ]
    return _Pair(pair.what, pair.kind, compared.verdict(pair, words), sides)


# -- the template -----------------------------------------------------------------------------------
def _render(page: _Page, words: Words) -> str:
    return (
        _environment()
        .get_template("timeline.html.j2")
        .render(
            head=page.head,
            tiles=page.tiles,
            facts=page.facts,
            counted=page.counted,
            glance=page.glance,
            expected=page.expected,
            sections=page.sections,
            left_out=page.left_out,
            footer=words.say("page.footer", version=__version__),
            language=words.language,
            t=words.say,
        )
    )


def _environment() -> Environment:
    return Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def _told(text: BilingualText, language: Language) -> str:
    # A folded line of YAML leaves a space where it was broken, which Chinese does not have.
    return _FOLD.sub("", text.zh) if language == "zh" else text.en


def _language(result: SimulationResult) -> Language:
    return "zh" if result.language == "zh" else "en"
