"""What a scenario's form can't show: names that nothing has, moments that can't come."""

from __future__ import annotations

from collections.abc import Iterator

from govpool.api.kinds import by_kind
from govpool.simulation import scenario as plan
from govpool.simulation.scenario import UID
from govpool_providers.errors import ErrorCode

Place = tuple[str | int, ...]
Problem = tuple[Place, str]
"""Where in the file, and what is wrong."""


def problems(scenario: plan.Scenario) -> Iterator[Problem]:
    """Every problem, in the order of the file."""
    if scenario.until[:10] < scenario.starts[:10]:
        yield ("until",), "ends before it starts"
    ids = [event.id for event in scenario.events if event.id is not None]
    made = {*scenario.requests, *_created(scenario)}
    for number, event in enumerate(scenario.events):
        where: Place = ("events", number)
        yield from _uids(where, event, made)
        if event.id is not None and ids.count(event.id) > 1:
            yield (*where, "id"), f"{event.id} is the id of more than one event"
        yield from _request(scenario, (*where, "request"), event.whose)
        yield from _mark(scenario, (*where, "after"), event.after, ids)
        yield from _outside(scenario, (*where, "at"), event.at)
        yield from _own(where, event)
    for number, habit in enumerate(scenario.habits):
        for name in habit.requests:
            yield from _request(scenario, ("habits", number, "requests"), name)
        if habit.verdict != "Approve" and not habit.opinion:
            yield ("habits", number, "verdict"), "a refusal or return gives its reason in opinion"
    for number, reaction in enumerate(scenario.reactions):
        yield from _kind(("reactions", number, "kind"), reaction.kind)
        for name in reaction.requests:
            yield from _request(scenario, ("reactions", number, "requests"), name)
    for number, expected in enumerate(scenario.expect):
        where = ("expect", number)
        yield from _request(scenario, (*where, "request"), expected.request)
        yield from _mark(scenario, (*where, "after"), expected.after, ids)
        yield from _outside(scenario, (*where, "at"), expected.at)
        if expected.object is not None:
            yield from _kind((*where, "object", "kind"), expected.object.kind)
        about = (expected.phase, expected.condition, expected.deadline, expected.happened, expected.billing)
        one = any(item is not None for item in about) or expected.servers is not None
        if one and expected.request is None and len(scenario.requests) > 1:
            yield where, "say which request: there are several"
        if not one and expected.quota is None and expected.object is None:
            yield where, "expects nothing"


def _own(where: Place, event: plan.AnyEvent) -> Iterator[Problem]:
    if isinstance(event, plan.Patch | plan.Delete):
        yield from _kind((*where, "kind"), event.kind)
        if event.name is None and event.request is None:
            yield where, "give name or request"
    if isinstance(event, plan.Fault) and event.code not in {code.value for code in ErrorCode}:
        known = ", ".join(code.value for code in ErrorCode)
        yield (*where, "code"), f"{event.code} is no error code of a provider: use one of {known}"
    if isinstance(event, plan.Decide) and event.verdict != "Approve" and not event.opinion:
        yield (*where, "verdict"), "a refusal or return gives its reason in opinion"


def _created(scenario: plan.Scenario) -> Iterator[str]:
    for event in scenario.events:
        meta = event.manifest.get("metadata") if isinstance(event, plan.Create) else None
        if isinstance(meta, dict):
            yield str(meta.get("name"))


def _uids(where: Place, event: plan.AnyEvent, made: set[str]) -> Iterator[Problem]:
    """Names in ``${uid:NAME}`` that nothing in the scenario has."""
    for name in sorted(set(UID.findall(event.model_dump_json())) - made):
        yield where, f"${{uid:{name}}}: no request and no created object is called {name}"


def _request(scenario: plan.Scenario, where: Place, name: str | None) -> Iterator[Problem]:
    if name is not None and name not in scenario.requests:
        yield where, f"there is no request {name}: requests has {', '.join(scenario.requests)}"


def _mark(scenario: plan.Scenario, where: Place, mark: plan.Mark | None, ids: list[str]) -> Iterator[Problem]:
    if mark is None:
        return
    yield from _request(scenario, (*where, "request"), mark.request)
    if mark.event is not None and mark.event not in ids:
        yield (*where, "event"), f"there is no event with the id {mark.event}"


def _outside(scenario: plan.Scenario, where: Place, at: str | None) -> Iterator[Problem]:
    if at is not None and not scenario.starts[:10] <= at[:10] <= scenario.until[:10]:
        yield where, f"{at} is not between {scenario.starts} and {scenario.until}"


def _kind(where: Place, name: str) -> Iterator[Problem]:
    try:
        by_kind(name)
    except KeyError:
        yield where, f"there is no kind {name}"
