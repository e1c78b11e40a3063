"""Spans of use, walked under the shipped policies: emergencies, seasons, late clocks, what is kept."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from lifecycle_builders import LEAVE_FORM, observe, updated
from rules_support import Obj, at, end_of, group
from test_policies_walk import EMERGENCY, PAPERS, Walk, decisions, papers_due

from govpool.api.approval import Verdict
from govpool.api.base import ConditionStatus
from govpool.api.cloudpolicy import ApplicationType, Role
from govpool.api.cloudresourcerequest import CloudResourceRequestStatus, Deadline, RequestPhase
from govpool.api.cloudserver import CloudServer, Desired, ServerPhase
from govpool.api.tenantquota import Amounts
from govpool.api.usage import Usage
from govpool.lifecycle.actions import Action, Announce, WriteSpec
from govpool.lifecycle.emergency import overdue_papers
from govpool.lifecycle.request import decide

BOZHOU, JINAN, WEIHAI, YIYANG = "bozhou-2024", "jinan-startup-area-2025", "weihai-2025", "yiyang-2025"


class Term(Walk):
    """A walk whose servers do what their specs say: they stop, start and are released at once."""

    def _carry_out(self) -> None:
        super()._carry_out()
        for action in self.actions():
            if isinstance(action, WriteSpec) and isinstance(action.resource, CloudServer):
                server = action.resource
                self.servers[server.metadata.name] = _as_told(server)

    def actions(self) -> tuple[Action, ...]:
        """What the request's decision asks for at this moment."""
        given: dict[str, Any] = {
            "policy": self.policy,
            "quota": self.quota,
            "approvals": tuple(self.approvals.values()),
            "servers": tuple(self.servers.values()),
            "orders": tuple(self.orders.values()),
        }
        return decide(observe(self.request, now=self.now, **given)).actions

    @property
    def state(self) -> CloudResourceRequestStatus:
        assert self.status is not None
        return self.status

    def edit(self, **patch: Any) -> None:
        self.patch = self.patch | patch
        self.generation += 1
        self.settle()

    def condition(self, type_: str) -> tuple[ConditionStatus, str] | None:
        found = next((one for one in self.state.conditions if one.type == type_), None)
        return None if found is None else (found.status, found.reason)

    def told(self, what: str) -> list[tuple[datetime, str]]:
        return [(one.at, one.article) for one in self.state.history if one.what == what]

    def ending(self) -> list[Deadline]:
        return [one for one in self.state.deadlines if one.by_itself]

    def running(self) -> list[str]:
        return sorted(n for n, one in self.servers.items() if one.spec.desired is Desired.RUNNING)


def _as_told(server: CloudServer) -> CloudServer:
    match server.spec.desired:
        case Desired.STOPPED:
            return updated(server, phase=ServerPhase.STOPPED, revision=server.spec.revision)
        case Desired.RUNNING:
            return updated(server, phase=ServerPhase.HANDED_OVER, revision=server.spec.revision)
        case _:
            return updated(server, phase=ServerPhase.RELEASED)


def issued(name: str, **patch: Any) -> Term:
    """An emergency of the policy, decided and handed over, without papers."""
    walk = Term(name, EMERGENCY | {"materials": []} | patch)
    decisions(walk)
    walk.open_all()
    return walk


# -- emergency -----------------------------------------------------------------------------------
def test_jn_13_the_papers_alone_are_put_before_the_authority_and_complete_it() -> None:
    walk = issued(JINAN)
    assert walk.condition("PapersMissing") == (ConditionStatus.TRUE, "PapersDue")
    assert walk.state.emergency is not None
    assert walk.state.emergency.ahead_of is ApplicationType.NEW
    walk.edit(materials=PAPERS[:2])
    assert walk.state.pending_approval is None, "half of the papers are not put before anybody"
    assert [one.value for one in walk.state.emergency.papers_missing][:1] == ["ProjectApproval"]
    walk.edit(materials=PAPERS)
    assert walk.state.pending_approval is not None
    assert (walk.condition("PapersMissing"), papers_due(walk)) == (
        (ConditionStatus.FALSE, "PutForward"),
        [],
    )
    walk.approve()
    assert walk.condition("PapersMissing") == (ConditionStatus.FALSE, "Complete")
    assert walk.told("EmergencyPapersComplete") == [(walk.now, "JN-13")]
    walk.settle()
    assert (walk.state.pending_approval, len(walk.approvals)) == (None, 2)


def test_jn_13_papers_that_never_come_are_overdue_and_nothing_is_taken_away() -> None:
    walk = issued(JINAN)
    servers = dict(walk.servers)
    due = end_of("2026-12-08")
    walk.until(due)
    assert walk.condition("PapersMissing") == (ConditionStatus.TRUE, "PapersDue")
    walk.until(due + timedelta(seconds=1))
    assert walk.condition("PapersMissing") == (ConditionStatus.TRUE, "PapersOverdue")
    found = overdue_papers(walk.policy.spec, walk.request, put_forward=False, now=walk.now)
    assert found is not None
    assert (found.clause, found.since) == ("JN-20(5)", due)
    assert walk.servers == servers
    assert walk.told("Overdue") == [(due, "JN-13")]


def test_yy_23_the_unit_confirms_and_hands_in_its_papers_within_three_working_days() -> None:
    walk = issued(YIYANG)
    assert papers_due(walk) == [(end_of("2026-11-27"), "YY-23", False)]
    assert walk.state.emergency is not None
    walk.edit(materials=PAPERS)
    assert walk.state.pending_approval is not None
    assert papers_due(walk) != [], "the unit's confirmation is still missing"
    walk.confirm("delivery")
    assert papers_due(walk) == []
    while walk.state.pending_approval:
        walk.approve()
    assert walk.condition("PapersMissing") == (ConditionStatus.FALSE, "Complete")


def test_bz_24_what_was_issued_in_an_emergency_ends_after_six_months() -> None:
    walk = issued(BOZHOU)
    ends = end_of("2027-05-24")
    (ending,) = walk.ending()
    assert (ending.due, ending.article, ending.overdue) == (ends, "BZ-24", False)
    walk.until(ends)
    assert walk.phase is not RequestPhase.DEREGISTERING
    assert len(walk.running()) == 2
    walk.until(ends + timedelta(seconds=1))
    assert walk.phase is RequestPhase.DEREGISTERING
    assert walk.running() == []
    assert {one.spec.desired for one in walk.servers.values()} == {Desired.RELEASED}
    assert walk.waiting()[0] == "Backup", "nothing is wiped before it was saved"
    assert walk.told("EmergencyOver") == [(ends, "BZ-24")]
    assert walk.ending() == []


def test_bz_24_an_extension_in_time_is_decided_and_moves_the_end() -> None:
    walk = issued(BOZHOU)
    walk.until(at("2027-05-12 10:00"))
    walk.edit(term=EMERGENCY["term"] | {"emergency": {"cause": "防汛", "until": "2027-08-31"}})
    assert walk.state.pending_approval is not None
    walk.approve()
    (ending,) = walk.ending()
    assert ending.due == end_of("2027-08-31")
    walk.until(end_of("2027-05-24") + timedelta(seconds=1))
    assert walk.running()


def test_bz_24_nothing_is_taken_away_while_an_extension_lies_before_the_authority() -> None:
    walk = issued(BOZHOU)
    walk.until(at("2027-05-12 10:00"))
    walk.edit(term=EMERGENCY["term"] | {"emergency": {"cause": "防汛", "until": "2027-08-31"}})
    walk.until(end_of("2027-05-24") + timedelta(days=3))
    assert len(walk.running()) == 2, "it was asked for in time: that nobody decided is not the unit's fault"
    walk.approve(Verdict.REFUSE)
    assert (walk.running(), walk.phase) == ([], RequestPhase.DEREGISTERING)


def test_bz_24_what_has_ended_is_not_prolonged_and_not_made_permanent() -> None:
    walk = issued(BOZHOU)
    walk.until(end_of("2027-05-24") + timedelta(seconds=1))
    walk.edit(term={"kind": "Permanent"}, materials=PAPERS)
    assert walk.condition("Admitted") == (ConditionStatus.FALSE, "EmergencyOver")
    assert walk.state.pending_approval is None


def test_bz_24_an_extension_that_comes_late_is_refused() -> None:
    walk = issued(BOZHOU)
    walk.until(at("2027-05-20 10:00"))
    walk.edit(term=EMERGENCY["term"] | {"emergency": {"cause": "防汛", "until": "2027-08-31"}})
    assert walk.state.pending_approval is None
    assert walk.condition("Admitted") == (ConditionStatus.FALSE, "ExtensionTooLate")
    assert walk.ending()[0].due == end_of("2027-05-24")


def test_bz_26_1_an_emergency_expansion_reverts_to_what_was_held_before() -> None:
    walk = Term(BOZHOU, {"servers": [group(count=1)]})
    decisions(walk)
    walk.open_all()
    walk.file("Trial", "SecurityTest")
    walk.confirm("agreement")
    walk.edit(servers=[group(count=3)], **EMERGENCY)
    walk.approve()
    walk.open_all()
    assert walk.state.emergency is not None
    assert [(one.name, one.count) for one in walk.state.emergency.held] == [("app", 1)]
    assert len(walk.running()) == 3
    assert walk.state.emergency.ends is not None
    walk.until(walk.state.emergency.ends + timedelta(seconds=1))
    assert walk.running() == ["doc-approval-app-0"]
    assert walk.waiting()[0] == "Backup"
    assert walk.phase is not RequestPhase.DEREGISTERING


def test_bz_24_disks_that_grew_in_an_emergency_stay_after_it_and_are_told() -> None:
    """No volume shrinks: what stays is told with its article, and counts in the quota."""
    walk = Term(BOZHOU, {"servers": [group(count=1, gib=1)]})
    decisions(walk)
    walk.open_all()
    walk.file("Trial", "SecurityTest")
    walk.confirm("agreement")
    assert walk.condition("DisksStay") is None
    before = _reserved(walk).storage_gib
    walk.edit(servers=[group(count=2, gib=3)], **EMERGENCY)
    walk.approve()
    walk.open_all()
    assert walk.condition("DisksStay") == (ConditionStatus.TRUE, "EmergencyRuns")
    assert walk.state.emergency is not None and walk.state.emergency.ends is not None
    ends = walk.state.emergency.ends
    assert walk.told("DisksStay") == []
    walk.until(ends + timedelta(seconds=1))
    assert walk.condition("DisksStay") == (ConditionStatus.TRUE, "EmergencyOver")
    assert walk.told("DisksStay") == [(ends, "BZ-24")]
    (stays,) = (one for one in walk.state.conditions if one.type == "DisksStay")
    assert "app/data 1 -> 3 GiB x 1" in stays.message and "BZ-24" in stays.message
    (kept,) = (s for n, s in walk.servers.items() if n in walk.running())
    assert sum(disk.size_gib for disk in kept.spec.disks if not disk.root) == 3
    # The other server counts until it was seen to be gone.
    assert _reserved(walk).storage_gib == 2 * (before + 2)


def _reserved(walk: Term) -> Amounts:
    assert walk.quota.status is not None
    (own,) = walk.quota.status.reservations
    return own.amounts


def bottleneck(count: int) -> tuple[Term, str]:
    """A system in service whose first server lacks memory."""
    walk = Term(BOZHOU, {"servers": [group(count=count)]})
    decisions(walk)
    walk.open_all()
    walk.file("Trial", "SecurityTest")
    walk.confirm("agreement")
    name = min(walk.servers)
    full = {"dimension": "Memory", "mean": 91, "peak": 99}
    figures = {
        "recordedAt": walk.now,
        "recordedBy": "provider",
        "observedUntil": walk.now,
        "windows": [{"over": "Week", "ends": walk.now.date(), "figures": [full]}],
    }
    walk.servers[name] = updated(walk.servers[name], usage=Usage.model_validate(figures))
    walk.settle()
    return walk, f"use/{name}/expansion"


def expand(walk: Term, count: int, finding: str) -> None:
    asked = {"kind": "Emergency", "emergency": {"cause": "内存瓶颈", "finding": finding}}
    walk.edit(servers=[group(count=count)], term=asked)


def test_bz_26_1_a_bottleneck_is_met_at_once_and_its_change_papers_complete_it() -> None:
    walk, found = bottleneck(3)
    expand(walk, 4, "use/other/expansion")
    assert walk.condition("Admitted") == (ConditionStatus.FALSE, "BottleneckNotFound")
    expand(walk, 4, found)
    assert walk.state.pending_approval is not None, "what was found is the ground"
    assert walk.approvals[walk.state.pending_approval].spec.classified_under == "BZ-26(1)"
    assert len(walk.running()) == 3, "the organ consents first"
    walk.approve()
    walk.open_all()
    assert len(walk.running()) == 4
    assert [article for _, article in walk.told("EmergencyExpansion")] == ["BZ-26(1)"]
    assert walk.condition("PapersMissing") == (ConditionStatus.TRUE, "PapersDue")
    assert papers_due(walk) == [(None, "BZ-26(1)", False)]
    assert walk.ending() == []
    walk.edit(materials=[*PAPERS, PAPERS[0] | {"type": "ChangeForm"}])
    assert walk.state.pending_approval is not None
    assert walk.approvals[walk.state.pending_approval].spec.application is ApplicationType.CHANGE
    walk.approve()
    walk.settle()
    assert walk.condition("PapersMissing") == (ConditionStatus.FALSE, "Complete")
    walk.until(walk.now + timedelta(days=400))
    assert len(walk.running()) == 4, "it stays with the change"


def test_bz_26_1_papers_that_came_with_an_expansion_go_forward_with_its_confirmation() -> None:
    walk, found = bottleneck(1)
    expand(walk, 2, found)
    walk.approve()
    walk.open_all()
    approvals = set(walk.approvals)
    assert walk.state.emergency is not None
    assert walk.state.emergency.ahead_of is ApplicationType.MAJOR_CHANGE, "100 percent more"
    assert walk.state.emergency.papers_missing == []
    assert walk.state.pending_approval is None, "one edit has one Approval"
    assert walk.condition("PapersMissing") == (ConditionStatus.TRUE, "PapersDue")
    walk.now += timedelta(minutes=1)
    walk.generation += 1  # as an API server counts it
    walk.confirm("delivery")
    assert walk.condition("PapersMissing") == (ConditionStatus.FALSE, "PutForward")
    assert set(walk.approvals) - approvals == {walk.state.pending_approval}
    while walk.state.pending_approval:
        walk.approve()
    assert walk.condition("PapersMissing") == (ConditionStatus.FALSE, "Complete")


# -- business cycles -----------------------------------------------------------------------------
BUSY = {"name": "busy", "starts": "12-01", "ends": "02-28", "server": "app", "count": 3}
QUIET = {"name": "quiet", "starts": "07-01", "ends": "08-31", "server": "app", "count": 1}


def seasonal(name: str = WEIHAI, *, cycles: list[Obj] | None = None) -> Term:
    walk = Term(name, {"servers": [group(count=2)], "businessCycles": cycles or [BUSY, QUIET]})
    decisions(walk)
    walk.open_all()
    return walk


def test_wh_30_resources_follow_the_seasons_over_the_years_and_nothing_is_destroyed() -> None:
    walk = seasonal()
    walk.file("SecurityTest")
    walk.confirm("delivery")
    assert walk.phase is RequestPhase.IN_SERVICE
    assert walk.state.next_look == at("2026-12-01")
    walk.until(at("2026-12-01"))
    walk.open_all()
    assert len(walk.running()) == 3
    keys = {name: one.spec.key for name, one in walk.servers.items()}
    for day, count in (
        ("2027-02-28 23:59:59", 3),
        ("2027-03-01 00:00", 2),
        ("2027-06-30 23:59:59", 2),
        ("2027-07-01 00:00", 1),
        ("2027-09-01 00:00", 2),
        ("2027-12-01 00:00", 3),
        ("2028-02-28 23:59:59", 3),
        ("2028-02-29 00:00", 2),  # the leap day is no part of the period
        ("2028-12-01 00:00", 3),
    ):
        walk.until(at(day))
        assert len(walk.running()) == count, day
        assert walk.phase is RequestPhase.IN_SERVICE, day
    assert {name: one.spec.key for name, one in walk.servers.items()} == keys
    assert {one.spec.desired for one in walk.servers.values()} == {Desired.RUNNING}
    assert {one.spec.article for one in walk.servers.values()} >= {"WH-30"}
    begun = [moment for moment, article in walk.told("BusinessCycleBegins") if article == "WH-30"]
    assert begun[:2] == [at("2026-12-01"), at("2027-07-01")]
    assert at("2027-03-01") in [moment for moment, _ in walk.told("BusinessCycleEnds")]


def test_wh_30_in_a_quiet_period_no_more_are_opened_than_run() -> None:
    walk = seasonal(cycles=[QUIET | {"starts": "11-01", "ends": "12-31"}])
    assert len(walk.servers) == 1
    walk.until(at("2027-01-01"))
    assert len(walk.servers) == 2


def test_where_no_article_follows_them_the_cycles_are_a_record() -> None:
    walk = seasonal(JINAN)
    assert walk.condition("BusinessCycles") == (ConditionStatus.FALSE, "RecordedOnly")
    walk.until(at("2026-12-01"))
    assert len(walk.servers) == 2


# -- clocks that run out -------------------------------------------------------------------------
def test_yy_19_2_an_overdue_clock_is_escalated_once_and_decides_nothing() -> None:
    walk = Term(YIYANG)
    due = walk.state.due
    assert due == end_of("2026-12-07")
    walk.now = due + timedelta(seconds=1)
    assert [one.reason for one in walk.actions() if isinstance(one, Announce)] == ["ClockRanOut"]
    walk.settle()
    assert walk.condition("Overdue") == (ConditionStatus.TRUE, "ClockRanOut")
    told = end_of("2026-12-10")
    assert (walk.state.overdue_clocks, walk.state.next_look) == (1, told + timedelta(seconds=1))
    walk.now = told + timedelta(seconds=1)
    assert [one.reason for one in walk.actions() if isinstance(one, Announce)] == ["ClockEscalated"]
    walk.settle()
    assert walk.condition("Overdue") == (ConditionStatus.TRUE, "ClockEscalated")
    late = walk.state.deadlines[0]
    assert (late.escalated_to, late.escalated_at) == (Role.SUPERVISOR, told)
    assert walk.told("Escalated: supervisor") == [(told, "YY-5(1), YY-37")]
    walk.until(told + timedelta(days=90))
    assert [one for one in walk.actions() if isinstance(one, Announce)] == []
    assert (walk.phase, walk.state.overdue_clocks) == (RequestPhase.IN_REVIEW, 1)


def test_jn_15_the_probe_is_reported_during_the_trial() -> None:
    walk = Term(JINAN)
    decisions(walk)
    walk.open_all()
    ends = end_of("2026-12-24")
    probe = next(one for one in walk.state.deadlines if one.stage and one.stage.value == "Reports")
    assert (probe.due, probe.who, probe.article, probe.overdue) == (ends, Role.UNIT, "JN-15", False)
    walk.until(ends + timedelta(seconds=1))
    assert any(one.overdue and one.article == "JN-15" for one in walk.state.deadlines)
    walk.file("Probe")
    assert not any(one.overdue for one in walk.state.deadlines)


# -- migration -----------------------------------------------------------------------------------
@pytest.mark.parametrize(("name", "under"), [(YIYANG, "YY-15"), (BOZHOU, "BZ-21")])
def test_yy_15_bz_21_the_old_environment_is_tracked_from_the_cut_over(name: str, under: str) -> None:
    system = {"system": {"migratedFrom": {"description": "旧机房", "cutOver": "2026-11-30"}}}
    walk = Term(name, system)
    decisions(walk)
    walk.open_all()
    assert walk.ending() == [], "before the cut-over nothing runs"
    until = end_of("2027-02-28")
    walk.until(at("2026-11-30"))
    (kept,) = walk.ending()
    assert (kept.due, kept.who, kept.article) == (until, Role.UNIT, under)
    assert walk.told("OldEnvironmentKept") == [(at("2026-11-30"), under)]
    assert walk.condition("OldEnvironmentKept") == (ConditionStatus.TRUE, "Kept")
    walk.until(until + timedelta(seconds=1))
    assert (walk.ending(), walk.told("OldEnvironmentOver")) == ([], [(until, under)])
    assert walk.condition("OldEnvironmentKept") == (ConditionStatus.TRUE, "MayGo")


@pytest.mark.parametrize(
    ("removed", "reason"),
    [("2027-02-28 23:59:59", "RemovedTooEarly"), ("2027-03-01 00:00:00", "MayGo")],
)
def test_yy_15_a_removal_before_three_months_are_over_is_flagged(removed: str, reason: str) -> None:
    walk = Term(YIYANG, {"system": {"migratedFrom": {"description": "旧机房", "cutOver": "2026-11-30"}}})
    decisions(walk)
    walk.until(at(removed))
    walk.confirm("oldEnvironmentRemoved")
    found = walk.condition("OldEnvironmentKept")
    assert found is not None
    assert found[1] == reason


# -- the end -------------------------------------------------------------------------------------
def test_jn_19_the_lead_runs_from_the_application_and_not_from_its_approval() -> None:
    walk = Term(JINAN)
    decisions(walk)
    walk.open_all()
    walk.until(at("2027-01-04 10:00"))
    leaves = {"state": "Deregistered", "deregistration": {"reason": "OtherRequiredByPolicy"}}
    walk.edit(materials=[*PAPERS, LEAVE_FORM], **leaves)
    asked = walk.now
    walk.now += timedelta(days=7)
    walk.approve()
    assert walk.state.approved is not None
    assert walk.state.approved.asked_at == asked
    backup = walk.state.deadlines[0]
    assert (backup.stage and backup.stage.value, backup.due) == ("Backup", end_of("2027-01-18"))
    assert walk.running()
    walk.until(end_of("2027-01-18"))
    assert walk.running() == []
    assert walk.state.billing.ended is None


def test_yy_19_4_the_advice_rests_on_what_was_measured() -> None:
    walk = Term(YIYANG)
    decisions(walk)
    walk.open_all()
    name = min(walk.servers)
    figures = {
        "recordedAt": "2026-12-24T00:00:00Z",
        "recordedBy": "monitor",
        "observedUntil": "2026-12-24T00:00:00Z",
        "windows": [
            {"over": "Week", "ends": "2026-12-24", "figures": [{"dimension": "CPU", "mean": 4, "peak": 9}]}
        ],
    }
    walk.servers[name] = updated(walk.servers[name], usage=Usage.model_validate(figures))
    assert walk.state.trial is not None
    walk.until(walk.state.trial.ends)
    walk.file("Trial")
    filed = next(one for one in walk.state.stages if one.stage.value == "RightSizing")
    assert f"{name}: CPU Week: mean 4 %, peak 9 %" in filed.message
    assert filed.article == "YY-19(4)"


# -- what waits in line --------------------------------------------------------------------------
def test_yy_20_an_approved_change_that_waits_for_what_leaves_says_so() -> None:
    walk = Term(BOZHOU, {"servers": [group(count=3)]})
    decisions(walk)
    walk.open_all()
    walk.file("Trial", "SecurityTest")
    walk.confirm("agreement")
    form = PAPERS[0] | {"type": "ChangeForm"}
    walk.edit(servers=[group(count=2)], materials=[*PAPERS, form])
    walk.approve()
    assert walk.waiting()[0] == "Backup"
    assert walk.condition("Queued") is None
    walk.edit(servers=[group(count=2), group("db", count=2)])
    while walk.state.pending_approval:
        walk.approve()
    assert walk.condition("Queued") == (ConditionStatus.TRUE, "WaitsForCertificate")
    assert walk.state.approved is not None
    assert walk.state.approved.revision == 2


@pytest.mark.parametrize(("late", "overdue"), [(timedelta(0), []), (timedelta(seconds=1), ["YY-19(2)"])])
def test_yy_19_2_had_somebody_acted_by_the_day_that_is_told_nothing_would_be_overdue(
    late: timedelta, overdue: list[str]
) -> None:
    walk = Term(YIYANG)
    (due,) = (one.due for one in walk.state.deadlines if one.due is not None)
    walk.until(due + late)
    walk.approve()
    assert [article for _, article in walk.told("Overdue")] == overdue
