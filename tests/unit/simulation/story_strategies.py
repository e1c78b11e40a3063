"""Stories that nobody wrote: what units, authorities and monitors do, and when, drawn by hypothesis."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from govpool.simulation.scenario import Scenario

Obj = dict[str, Any]
STARTS, UNTIL = "2026-11-24", "2027-07-31"
NAMES = ("first", "second")
FILES = [{"name": "files", "sizeGiB": 1}]


def group(name: str, count: int = 1, item: str = "ecs-1c1g") -> Obj:
    return {"name": name, "count": count, "item": item, "image": "debian-12", "dataDisks": FILES}


def expansion(ends: str) -> Obj:
    return {"server": "app", "additionalCount": 1, "starts": "2027-02-01", "ends": ends}


EMERGENCY: Obj = {"term": {"kind": "Emergency", "emergency": {"cause": "防汛"}}}
PATCHES: tuple[Obj, ...] = (
    {"servers": [group("app", 2), group("db", 1, "ecs-1c2g")]},
    {"servers": [group("app")]},
    {"servers": [group("app", item="ecs-9c9g")]},
    {"system": {"protectionLevel": 4}},
    {"system": {"purpose": "另一用途"}},
    {"materials": []},
    {"businessCycles": [{"name": "busy", "starts": "03-01", "ends": "04-15", "server": "app", "count": 2}]},
    {"servers": [{**group("app", 2), "dataDisks": [{"name": "files", "sizeGiB": 3}]}], **EMERGENCY},
    {"term": {"kind": "Emergency", "emergency": {"cause": "防汛", "until": "2027-06-30"}}},
    {"term": {"kind": "Permanent"}},
    {"term": {"temporary": [expansion("2027-02-28")]}},
    {"term": {"temporary": [expansion("2027-04-10")]}},
    {"state": "Deregistered", "deregistration": {"reason": "SupersededBySuperiorPlatform"}},
)
DAYS = st.integers(0, 60)
DECIDED = ("Completeness", "Acceptance", "ExpertReview", "Evaluation", "Review")
BY_UNIT = ("Reports", "Agreement", "Confirmation", "Backup", "Termination")
FINDINGS = ("OtherUse", "Vulnerability", "GraveDanger", "Other")
ENFORCED = ("StopIssuing", "ForcedShutdown", "Isolation")


@st.composite
def measured(draw: st.DrawFn) -> Obj:
    """What a monitor writes down."""
    percent = st.integers(0, 100)
    used = draw(st.booleans())
    usage: Obj = {"recordedAt": "${now}", "recordedBy": "monitor", "observedUntil": "${now}", "inUse": used}
    usage["windows"] = [
        {
            "over": over,
            "ends": "${today}",
            "figures": [
                {"dimension": dimension, "mean": draw(percent), "peak": draw(percent)}
                for dimension in ("CPU", "Memory")
            ],
        }
        for over in draw(st.lists(st.sampled_from(["Week", "Month", "ThreeMonths"]), unique=True))
    ]
    if draw(st.booleans()):
        usage |= {"idleSince": "2026-12-01", "lastBusinessData": "2026-11-30"}
    return usage


def notice(number: int, finding: str, enforcement: list[str], days: tuple[int, int]) -> list[Obj]:
    """A reviewer's notice to the first system, and what he decides on it later."""
    name = f"notice-{number}"
    manifest: Obj = {
        "apiVersion": "govpool.dev/v1alpha1",
        "kind": "RectificationNotice",
        "metadata": {"name": name, "namespace": "heshan-data-bureau"},
        "spec": {
            "request": {"name": NAMES[0], "uid": "${uid:" + NAMES[0] + "}"},
            "policy": "${policy}",
            "finding": finding,
            "detail": "所见",
            "demand": "整改",
            "issued": "${now}",
            "issuedBy": "reviewer",
        },
    }
    decision = {"verdict": "NotRectified", "enforcement": enforcement, "by": "reviewer", "at": "${now}"}
    if not enforcement:
        decision = {"verdict": "Rectified", "by": "reviewer", "at": "${now}"}
    given = {"request": NAMES[0], "phase": "InService", "delay": f"P{days[0]}D"}
    return [
        {"do": "create", "id": name, "after": given, "by": "reviewer", "manifest": manifest},
        {
            "do": "patch",
            "kind": "RectificationNotice",
            "name": name,
            "namespace": "heshan-data-bureau",
            "after": {"event": name, "delay": f"P{days[1]}D"},
            "by": "reviewer",
            "body": {"spec": {"decisions": [decision | {"opinion": "意见"}]}},
        },
    ]


@st.composite
def events(draw: st.DrawFn, name: str) -> list[Obj]:
    """What happens to one system: applied for, edited, measured; as often refused as not."""
    found: list[Obj] = [
        {"do": "apply", "request": name, "id": f"{name}-applied", "after": {"delay": f"P{draw(DAYS)}D"}}
    ]
    for _ in range(draw(st.integers(0, 3))):
        mark: Obj = draw(
            st.sampled_from(
                [{"request": name, "phase": "InService"}, {"event": f"{name}-applied"}, {"delay": "P100D"}]
            )
        )
        after = {**mark, "delay": f"P{draw(DAYS)}D"}
        if draw(st.booleans()):
            found.append(
                {"do": "edit", "request": name, "after": after, "patch": draw(st.sampled_from(PATCHES))}
            )
        else:
            found.append({"do": "measure", "request": name, "after": after, "usage": draw(measured())})
    return found


@st.composite
def habits(draw: st.DrawFn) -> list[Obj]:
    """How long people take, and what they say."""
    rows: list[Obj] = []
    for stage in DECIDED:
        verdict = draw(st.sampled_from(["Approve"] * 6 + ["Refuse", "Return"]))
        after = {"workingDays": draw(st.integers(1, 25))}
        rows.append({"stage": stage, "verdict": verdict, "opinion": "意见", "after": after})
    for stage in BY_UNIT:
        does = draw(st.sampled_from(["act"] * 5 + ["nothing"]))
        rows.append({"stage": stage, "does": does, "after": {"workingDays": draw(st.integers(1, 25))}})
    return rows


@st.composite
def stories(draw: st.DrawFn) -> Scenario:
    """Two systems of one unit over eight months."""
    found = [event for name in NAMES for event in draw(events(name))]
    for number in range(draw(st.integers(0, 2))):
        enforcement = draw(st.lists(st.sampled_from(ENFORCED), max_size=2, unique=True))
        days = draw(st.tuples(DAYS, DAYS))
        found += notice(number, draw(st.sampled_from(FINDINGS)), enforcement, days)
    return Scenario.model_validate(
        {
            "name": "drawn",
            "title": {"en": "Drawn", "zh": "随机"},
            "starts": STARTS,
            "until": UNTIL,
            "requests": {name: {} for name in NAMES},
            "events": found,
            "habits": draw(habits()),
        }
    )
