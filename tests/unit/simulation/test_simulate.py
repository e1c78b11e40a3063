"""Stories on virtual time: who acts, who does not, and what the result tells of it."""

from __future__ import annotations

from datetime import datetime

import pytest
from tests.unit.simulation.simulation_ground import ground, line, played, scenario

from govpool.api.cloudresourcerequest import RequestPhase
from govpool.lifecycle import request as request_core
from govpool.simulation.ground import Calendar
from govpool.simulation.habits import HABITS
from govpool.simulation.scenario_check import problems


def test_the_same_story_is_the_same_to_the_byte() -> None:
    assert played().model_dump_json() == played().model_dump_json()


def test_a_story_makes_no_keys_and_writes_no_files(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("govpool.effects.access._pair", "os.fsync"):
        monkeypatch.setattr(name, None)
    assert line(played()).phase is RequestPhase.IN_SERVICE


def test_everybody_does_his_part_unless_told_otherwise() -> None:
    result = played()
    assert line(result).phase is RequestPhase.IN_SERVICE
    assert line(result).billing is not None and line(result).servers
    assert not any(done.refused for done in result.played)


def test_whoever_does_nothing_holds_it_up_and_the_clock_runs_out() -> None:
    result = played(habits=[{"stage": "Acceptance", "does": "nothing"}])
    (clock,) = [c for c in line(result).clocks if c.overdue_since is not None]
    assert line(result).phase is RequestPhase.IN_REVIEW and clock.ended is None
    assert clock.stage == "Acceptance" and clock.article == "YY-19(2)"
    day = Calendar.of(ground().in_force(scenario())).day
    assert clock.due is not None and day(clock.due) == "2026-01-19"  # ten working days after 5 January


def test_events_follow_their_marks() -> None:
    result = played(
        events=[
            {"do": "apply", "request": "system", "at": "2026-01-06"},
            {"do": "note", "id": "seen", "after": {"request": "system", "phase": "Trial", "delay": "P3D"}},
            {"do": "note", "after": {"event": "seen", "delay": {"workingDays": 1}, "time": "16:30"}},
            {"do": "note", "after": {"request": "system", "phase": "Deregistered"}},
        ]
    )
    notes = [done.at.astimezone(result.started.tzinfo) for done in result.played if done.do == "note"]
    trial = next(span.since for span in line(result).phases if span.phase is RequestPhase.TRIAL)
    assert (notes[0].date() - trial.date()).days == 3 and notes[1].strftime("%H:%M") == "16:30"
    assert len(notes) == 2 and len(result.never_played) == 1


def test_what_the_api_refuses_is_told_and_changes_nothing() -> None:
    result = played(
        events=[
            {"do": "apply", "request": "system"},
            {"do": "edit", "request": "system", "at": "2026-01-06", "patch": {"pool": "another"}},
        ]
    )
    refused = [done for done in result.played if done.refused]
    assert len(refused) == 1 and "pool is immutable" in refused[0].refused
    assert line(result).phase is RequestPhase.IN_SERVICE


def test_expectations_are_judged_at_their_time() -> None:
    result = played(
        expect=[
            {"at": "2026-01-05", "phase": "InReview"},
            {"phase": "InReview"},
            {"happened": {"what": "Handover", "times": 1}},
            {"object": {"kind": "CloudServer", "count": 2, "where": {"status.phase": "HandedOver"}}},
        ]
    )
    assert [item.met for item in result.expectations] == [True, False, True, True]
    assert "phase InService" in result.expectations[1].found and not result.met


def test_an_outage_passes_without_a_trace_in_the_end() -> None:
    events = [
        {"do": "apply", "request": "system"},
        {"do": "fault", "at": "2026-01-06"},
        {"do": "heal", "at": "2026-01-20"},
    ]
    result = played(events=events)
    provided = next(h for h in line(result).history if h.what == "Provision")
    assert provided.at >= datetime.fromisoformat("2026-01-20T00:00:00+08:00")
    assert line(result).phase is RequestPhase.IN_SERVICE


def test_a_bug_ends_the_story(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(request_core, "decide", broken)
    with pytest.raises(ZeroDivisionError):
        played()


def test_a_drift_is_seen() -> None:
    drift = {"do": "drift", "request": "system", "server": "app", "power": False, "at": "2026-03-02"}
    result = played(events=[{"do": "apply", "request": "system"}, drift])
    assert any(span.phase == "Stopped" for span in line(result).servers)


def test_each_stage_has_one_habit() -> None:
    assert len({habit.stage for habit in HABITS}) == len(HABITS)


def notice(request: str) -> dict[str, object]:
    spec = {
        "request": {"name": "system", "uid": f"${{uid:{request}}}"},
        "policy": "${policy}",
        "finding": "OtherUse",
        "detail": "videos",
        "demand": "stop",
        "issued": "${now}",
        "issuedBy": "reviewer",
    }
    return {
        "do": "create",
        "at": "2026-03-02",
        "manifest": {
            "apiVersion": "govpool.dev/v1alpha1",
            "kind": "RectificationNotice",
            "metadata": {"name": "other-use", "namespace": "heshan-data-bureau"},
            "spec": spec,
        },
    }


def test_an_object_that_is_created_may_name_the_uid_of_a_request() -> None:
    result = played(events=[{"do": "apply", "request": "system"}, notice("system")])
    assert any(item.what == "RectificationNotice: OtherUse" for item in line(result).history)


def test_the_uid_of_what_the_story_has_not_is_told() -> None:
    story = scenario(events=[{"do": "apply", "request": "system"}, notice("sistem")])
    assert [text for _, text in problems(story)] == [
        "${uid:sistem}: no request and no created object is called sistem"
    ]


def test_in_a_pool_that_only_people_reach_each_step_is_dated_by_its_word() -> None:
    leave = {"state": "Deregistered", "deregistration": {"reason": "NoLongerNeeded", "detail": "over"}}
    result = played(
        supply={"pool": {"connection": {"provider": "manual"}, "operatingMode": "PurchasedService"}},
        until="2026-12-31",
        events=[
            {"do": "apply", "request": "system"},
            {"do": "edit", "request": "system", "at": "2026-06-01", "patch": leave},
        ],
    )
    assert line(result).phase is RequestPhase.DEREGISTERED
    ends = {item.what: item.at for item in line(result).history}
    dates = [ends[what] for what in ("Backup", "Wipe", "Reclaim", "Termination")]
    assert dates == sorted(dates) and dates[2] > dates[1]
    assert not any(done.refused for done in result.played)
