"""Notices: their status, the unit's standing, and what servers and requests carry out for them."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from lifecycle_builders import (
    NOW,
    UID,
    handed_over,
    look,
    machine,
    observe,
    opened,
    pool_disks,
    request,
    revision,
    servers,
    stored,
    updated,
)
from rules_support import policy, quota

from govpool.api.approval import RequestReference
from govpool.api.base import PAUSED_ANNOTATION
from govpool.api.cloudpolicy import ApplicationType
from govpool.api.cloudresourcerequest import CloudResourceRequestStatus, DesiredState, Trial
from govpool.api.cloudserver import CloudServer, CloudServerStatus, ServerHold, ServerPhase
from govpool.api.rectification_words import Enforcement, NoticeFinding
from govpool.api.rectificationnotice import (
    NoticeState,
    RectificationNotice,
    RectificationNoticeSpec,
    RectificationNoticeStatus,
)
from govpool.api.tenantquota import Standing, TenantQuota, TenantQuotaStatus
from govpool.api.usage import Usage
from govpool.lifecycle import findings
from govpool.lifecycle import request as request_core
from govpool.lifecycle.actions import Action, Create, SetIsolated, SetPower, WriteQuota, WriteStatus
from govpool.lifecycle.enforcement import forced_out
from govpool.lifecycle.notice import NoticeObservation, decide
from govpool.lifecycle.observation import ServerObservation
from govpool.lifecycle.server import decide as decide_server
from govpool_providers.base import Machine, MachineState

JINAN = policy("jinan-startup-area-2025")
REFERENCE = RequestReference(name="doc-approval", uid=UID)


def notice(finding: str = "OtherUse", name: str = "n-1", **fields: Any) -> RectificationNotice:
    spec = {
        "request": {"name": "doc-approval", "uid": UID},
        "policy": "jinan-startup-area-2025",
        "finding": finding,
        "detail": "mining",
        "demand": "stop it",
        "issued": NOW.isoformat(),
        "issuedBy": "wang",
    }
    return RectificationNotice(
        kind="RectificationNotice",
        metadata=request().metadata.model_copy(update={"name": name, "uid": name, "finalizers": ()}),
        spec=RectificationNoticeSpec.model_validate(spec | fields),
    )


def decision(verdict: str, at: datetime = NOW, *enforcement: str) -> dict[str, Any]:
    given = {"verdict": verdict, "by": "wang", "at": at.isoformat(), "opinion": "seen"}
    return given | {"enforcement": list(enforcement)}


def seen(of: RectificationNotice, **more: Any) -> NoticeObservation:
    return NoticeObservation(of, NOW, JINAN, quota(), request(), (of,), **more)


def after(observation: NoticeObservation) -> RectificationNoticeStatus:
    for action in decide(observation).actions:
        if isinstance(action, WriteStatus):
            assert isinstance(action.status, RectificationNoticeStatus)
            return action.status
    assert observation.notice.status is not None
    return observation.notice.status


def judged(of: RectificationNotice) -> RectificationNotice:
    """The notice with the status that its reconcile writes."""
    return of.model_copy(update={"status": after(seen(of))})


def quotas(actions: tuple[Action, ...]) -> list[TenantQuotaStatus]:
    return [action.status for action in actions if isinstance(action, WriteQuota)]


# -- the notice ----------------------------------------------------------------------------------
def test_an_enforcement_is_recorded_with_who_decided_it_and_its_clause() -> None:
    status = after(seen(notice(decisions=[decision("NotRectified", NOW, "ForcedShutdown")])))
    (record,) = status.enforcement
    assert (record.action, record.by, record.article) == (Enforcement.FORCED_SHUTDOWN, "wang", "JN-20(4)")
    assert status.in_force == [Enforcement.FORCED_SHUTDOWN]
    assert status.state is NoticeState.ENFORCED


def test_a_record_that_was_lifted_stays_on_record() -> None:
    first = decision("NotRectified", NOW, "ForcedShutdown")
    standing = judged(notice(decisions=[first]))
    spec = notice(decisions=[first, decision("Rectified")]).spec
    status = after(seen(standing.model_copy(update={"spec": spec})))
    assert [(r.action, r.lifted) for r in status.enforcement] == [(Enforcement.FORCED_SHUTDOWN, NOW)]
    assert (status.in_force, status.state) == ([], NoticeState.RECTIFIED)


def test_a_second_look_writes_nothing() -> None:
    assert decide(seen(judged(notice()))).actions == ()


def test_it_looks_again_when_its_clock_runs_out() -> None:
    opinion = {"by": "expert", "at": NOW.isoformat(), "opinion": "so"}
    found = decide(seen(notice(expertOpinion=opinion)))
    due = after(seen(notice(expertOpinion=opinion))).due
    assert due is not None
    assert found.look_again == due + timedelta(seconds=1)


def test_a_paused_notice_is_left_alone() -> None:
    given = notice("GraveDanger")
    meta = given.metadata.model_copy(update={"annotations": {PAUSED_ANNOTATION: "true"}})
    assert decide(seen(given.model_copy(update={"metadata": meta}))).actions == ()


@pytest.mark.parametrize(
    ("observation", "reason"),
    [
        (replace(seen(notice()), policy=None), "PolicyMissing"),
        (replace(seen(notice("GraveDanger")), policy=policy("yiyang-2025")), "NotProvided"),
        (replace(seen(notice()), governing="yiyang-2025"), "OtherPolicy"),
        (replace(seen(notice()), request=None), "RequestMissing"),
        (seen(notice(decisions=[decision("NotRectified", NOW, "StopIssuing")])), "NotProvided"),
        (replace(seen(notice("UnusedTrial")), quota=None), "UnitUnknown"),
    ],
)
def test_what_hinders_a_notice_is_said(observation: NoticeObservation, reason: str) -> None:
    assert reason in [condition.reason for condition in after(observation).conditions]


def test_without_its_policy_nothing_is_lifted() -> None:
    standing = judged(notice("GraveDanger"))
    status = after(replace(seen(standing), policy=None))
    assert status.in_force == [Enforcement.ISOLATION]


# -- the unit's standing -------------------------------------------------------------------------
def test_jn_15_the_units_issuing_stops_with_the_notice_as_its_cause() -> None:
    (status,) = quotas(decide(seen(notice("UnusedTrial"))).actions)
    assert (status.standing, status.standing_cause) == (Standing.ISSUING_STOPPED, "n-1")
    assert status.standing_since == NOW


def stopped(cause: str | None) -> TenantQuota:
    status = TenantQuotaStatus(standing=Standing.ISSUING_STOPPED, standing_cause=cause, standing_since=NOW)
    return quota().model_copy(update={"status": status})


def test_issuing_goes_on_once_the_notice_is_closed() -> None:
    closed = notice("UnusedTrial", decisions=[decision("Withdrawn")])
    (status,) = quotas(decide(replace(seen(closed), quota=stopped("n-1"))).actions)
    assert (status.standing, status.standing_cause) == (Standing.GOOD, None)


def test_another_notice_keeps_it_stopped() -> None:
    closed = notice("UnusedTrial", decisions=[decision("Withdrawn")])
    other = judged(notice("UnusedTrial", "n-2"))
    found = decide(replace(seen(closed), quota=stopped("n-1"), notices=(closed, other)))
    (status,) = quotas(found.actions)
    assert (status.standing, status.standing_cause) == (Standing.ISSUING_STOPPED, "n-2")


@pytest.mark.parametrize("cause", ["by order of the mayor", None])
def test_a_stop_that_people_set_by_hand_is_left_as_it_is(cause: str | None) -> None:
    closed = notice("UnusedTrial", decisions=[decision("Withdrawn")])
    assert quotas(decide(replace(seen(closed), quota=stopped(cause))).actions) == []


# -- servers -------------------------------------------------------------------------------------
APP = handed_over(opened(servers()[0]))


def watch(server: CloudServer, seen: Machine) -> ServerObservation:
    """The server with all of its disks."""
    return look(server, seen, pool_disks(server))


def of_pool(actions: tuple[Action, ...]) -> list[Action]:
    return [action for action in actions if isinstance(action, SetIsolated | SetPower)]


def status_of(actions: tuple[Action, ...]) -> CloudServerStatus:
    (status,) = (action.status for action in actions if isinstance(action, WriteStatus))
    assert isinstance(status, CloudServerStatus)
    return status


def test_jn_25_bz_34_the_network_is_cut_at_once_and_recorded_before() -> None:
    danger = judged(notice("GraveDanger"))
    seen_ = replace(watch(APP, machine(APP)), notices=(danger,))
    actions = decide_server(seen_).actions
    assert [type(action) for action in actions] == [WriteStatus, SetIsolated]
    assert of_pool(actions) == [SetIsolated(APP.spec.key, isolated=True)]
    (hold,) = status_of(actions).holds
    assert (hold.action, hold.notice) == (Enforcement.ISOLATION, "n-1")


def test_it_is_cut_even_while_the_pool_is_left_alone_after_a_refusal() -> None:
    waiting = updated(APP, retry_at=NOW + timedelta(hours=1), observed_generation=APP.metadata.generation)
    seen_ = replace(watch(waiting, machine(waiting)), notices=(judged(notice("GraveDanger")),))
    assert of_pool(decide_server(seen_).actions) == [SetIsolated(APP.spec.key, isolated=True)]


def test_an_isolated_server_runs_on_and_is_not_ready() -> None:
    seen_ = replace(watch(APP, machine(APP, isolated=True)), notices=(judged(notice("GraveDanger")),))
    actions = decide_server(seen_).actions
    status = status_of(actions)
    assert of_pool(actions) == []
    assert (status.phase, status.isolated) == (ServerPhase.HANDED_OVER, True)
    conditions = {c.type: c.status.value for c in status.conditions}
    assert (conditions["Ready"], conditions["Isolation"]) == ("False", "True")


def held(action: Enforcement, **more: object) -> CloudServer:
    return updated(APP, holds=[ServerHold(action=action, notice="n-1", since=NOW)], **more)


def test_it_is_connected_again_when_the_notice_is_lifted() -> None:
    was = held(Enforcement.ISOLATION, isolated=True)
    actions = decide_server(watch(was, machine(was, isolated=True))).actions
    assert of_pool(actions) == [SetIsolated(APP.spec.key, isolated=False)]
    kept = [h.action for a in actions if isinstance(a, WriteStatus) for h in a.status.holds]  # type: ignore[attr-defined]
    assert kept == [Enforcement.ISOLATION], "until it was seen connected"
    assert status_of(decide_server(watch(was, machine(was))).actions).holds == []


def test_what_somebody_else_cut_is_not_connected() -> None:
    assert of_pool(decide_server(watch(APP, machine(APP, isolated=True))).actions) == []


def test_jn_20_a_forced_shutdown_powers_off_and_deletes_nothing() -> None:
    order = judged(notice(decisions=[decision("NotRectified", NOW, "ForcedShutdown")]))
    actions = decide_server(replace(watch(APP, machine(APP)), notices=(order,))).actions
    assert of_pool(actions) == [SetPower(APP.spec.key, on=False)]
    assert {type(action) for action in actions} == {WriteStatus, SetPower}
    off = updated(APP, switched_off=True)
    rests = replace(watch(off, machine(off, MachineState.STOPPED)), notices=(order,))
    status = status_of(decide_server(rests).actions)
    assert (status.phase, [hold.action for hold in status.holds]) == (
        ServerPhase.STOPPED,
        [Enforcement.FORCED_SHUTDOWN],
    )


def test_it_is_powered_on_again_when_the_notice_is_lifted() -> None:
    was = held(Enforcement.FORCED_SHUTDOWN, switched_off=True, phase=ServerPhase.STOPPED)
    actions = decide_server(watch(was, machine(was, MachineState.STOPPED))).actions
    assert of_pool(actions) == [SetPower(APP.spec.key, on=True)]


def test_another_units_or_requests_notice_touches_no_server() -> None:
    other = judged(notice("GraveDanger", request={"name": "other", "uid": "other"}))
    assert of_pool(decide_server(replace(watch(APP, machine(APP)), notices=(other,))).actions) == []


# -- the request ---------------------------------------------------------------------------------
def test_a_decided_deregistration_takes_the_place_of_an_approval() -> None:
    order = judged(notice("UnusedTrial", decisions=[decision("NotRectified", NOW, "Deregistration")]))
    forced = forced_out((order,), REFERENCE, revision(number=3), 4)
    assert forced is not None
    assert forced.application is ApplicationType.DEREGISTRATION
    assert forced.content.state is DesiredState.DEREGISTERED
    assert (forced.revision, forced.approval, forced.notice, forced.decided_by) == (5, "n-1", "n-1", "wang")


@pytest.mark.parametrize("fields", [{}, {"request": None}], ids=["not-decided", "of-the-whole-unit"])
def test_nothing_else_forces_a_request_out(fields: dict[str, Any]) -> None:
    decisions = [decision("NotRectified", NOW, "Deregistration")] if fields else []
    order = judged(notice("UnusedTrial", decisions=decisions, **fields))
    assert forced_out((order,), REFERENCE, revision(), 1) is None
    assert forced_out((), REFERENCE, revision(), 1) is None


def unused(server: CloudServer) -> CloudServer:
    usage = Usage(recorded_at=NOW, recorded_by="monitor", observed_until=NOW, in_use=False)
    return updated(server, usage=usage)


def in_trial() -> CloudResourceRequestStatus:
    ended = Trial(started=NOW - timedelta(days=31), ends=NOW - timedelta(hours=1))
    return CloudResourceRequestStatus(approved=revision(since=NOW - timedelta(days=40)), trial=ended)


def test_jn_15_govpool_gives_one_notice_for_an_unused_trial() -> None:
    of = request(status=in_trial())
    there = tuple(unused(handed_over(opened(server))) for server in servers())
    observation = replace(observe(of), policy=JINAN, servers=there)
    decided = request_core.decide(observation)
    (made,) = (
        a.resource
        for a in decided.actions
        if isinstance(a, Create) and isinstance(a.resource, RectificationNotice)
    )
    assert (made.spec.finding, made.spec.article) == (NoticeFinding.UNUSED_TRIAL, "JN-15")
    assert made.spec.issued_by == "govpool"
    assert made.detail_in("zh") != made.detail_in("en") == made.spec.detail
    assert "试运行" in made.detail_in("zh") and "stated" not in made.detail_in("zh")
    assert "收回资源" in made.demand_in("zh") and made.demand_in("en") == made.spec.demand
    assert made.metadata.owner_references == ()
    again = replace(observation, notices=(stored(made),))
    assert not [a for a in request_core.decide(again).actions if isinstance(a, Create)]


def test_findings_are_on_the_request_since_they_were_first_made() -> None:
    of = request(status=in_trial())
    there = tuple(unused(handed_over(opened(server))) for server in servers())
    observation = replace(observe(of), policy=JINAN, servers=there)
    (status,) = (
        a.status
        for a in request_core.decide(observation).actions
        if isinstance(a, WriteStatus) and isinstance(a.status, CloudResourceRequestStatus)
    )
    (found,) = [f for f in status.findings if f.finding is NoticeFinding.UNUSED_TRIAL]
    assert (found.since, found.article) == (NOW, "JN-15")
    condition = next(c for c in status.conditions if c.type == "Findings")
    assert condition.reason == "UnusedTrial"
    assert "JN-15" in condition.message


def test_a_notice_and_its_enforcement_are_in_the_story() -> None:
    order = judged(notice(decisions=[decision("NotRectified", NOW, "ForcedShutdown")]))
    told = [(h.actor, h.what) for h in findings.told((order,), request())]
    assert told == [
        ("wang", "RectificationNotice: OtherUse"),
        ("wang", "RectificationNotice: NotRectified"),
        ("wang", "ForcedShutdown"),
    ]


# -- the platform --------------------------------------------------------------------------------
def test_yy_32_a_pool_shows_which_assessments_of_its_platform_are_missing() -> None:
    from rules_support import pool

    from govpool.lifecycle import pool as pool_core
    from govpool.lifecycle.observation import PoolObservation

    def shown(evidence: list[dict[str, str]]) -> tuple[str, str]:
        of = stored(pool(evidence=evidence))
        decided = pool_core.decide(PoolObservation(of, NOW, (), (), policy=policy("yiyang-2025")))
        (status,) = (a.status for a in decided.actions if isinstance(a, WriteStatus))
        found = {c.type: c for c in status.conditions}["PlatformEvidence"]  # type: ignore[attr-defined]
        return found.status.value, found.message

    missing = shown([])
    assert missing[0] == "False"
    assert missing[1].count("[YY-32]") == 2
    papers = [
        {"type": kind, "reference": "r", "sha256": "0" * 64, "date": "2026-03-02"}
        for kind in ("ProtectionAssessment", "CryptoAssessment")
    ]
    assert shown(papers)[0] == "True"
