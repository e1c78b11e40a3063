"""Each policy that ships, walked: from the application to the formal operation, by decisions alone."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from lifecycle_builders import (
    NOW,
    SHA,
    handed_over,
    hardened,
    held,
    observe,
    opened,
    request,
    stored,
    with_status,
)
from rules_support import Obj, at, end_of, group, policy, quota

from govpool.api.approval import Approval, Decision, Verdict
from govpool.api.cloudresourcerequest import (
    CloudResourceRequest,
    CloudResourceRequestStatus,
    RequestPhase,
)
from govpool.api.cloudserver import CloudServer
from govpool.api.workorder import WorkOrder
from govpool.lifecycle.actions import Create, WriteQuota, WriteStatus
from govpool.lifecycle.request import decide

EVERY_PAPER = (
    *("RequestLetter", "ResourceTable", "ProjectApproval", "ConstructionPlan", "MigrationPlan"),
    *("SecurityAssessment", "PurchaseContract"),
)
PAPERS = [{"type": kind, "reference": "r", "sha256": SHA, "date": "2026-11-12"} for kind in EVERY_PAPER]
EMERGENCY = {"term": {"kind": "Emergency", "emergency": {"cause": "防汛"}}}


class Walk:
    """A request under a policy, and what was made for it; nothing but decisions moves it."""

    def __init__(self, name: str, patch: Obj | None = None) -> None:
        self.policy, self.now, self.said = policy(name), NOW, {}
        self.patch: Obj = {"materials": PAPERS} | (patch or {})
        self.generation = 1
        self.quota = stored(quota(), version="7")
        self.approvals: dict[str, Approval] = {}
        self.servers: dict[str, CloudServer] = {}
        self.orders: dict[str, WorkOrder] = {}
        self.status: CloudResourceRequestStatus | None = None
        self.settle()

    @property
    def request(self) -> CloudResourceRequest:
        patch = self.patch | {"confirmations": self.said}
        return request(patch, generation=self.generation, status=self.status)

    def settle(self) -> CloudResourceRequestStatus:
        """Decide and carry out until nothing changes."""
        for _ in range(20):
            before = (self.status, len(self.approvals), len(self.servers), len(self.orders), self.quota)
            self._carry_out()
            if before == (self.status, len(self.approvals), len(self.servers), len(self.orders), self.quota):
                assert self.status is not None
                return self.status
        raise AssertionError("decisions never come to rest")

    def _carry_out(self) -> None:
        given: dict[str, Any] = {
            "policy": self.policy,
            "quota": self.quota,
            "approvals": tuple(self.approvals.values()),
            "servers": tuple(self.servers.values()),
            "orders": tuple(self.orders.values()),
        }
        for action in decide(observe(self.request, now=self.now, **given)).actions:
            match action:
                case Create(resource=Approval() as approval):
                    self.approvals[approval.metadata.name] = stored(approval, created=self.now)
                case Create(resource=CloudServer() as server):
                    self.servers[server.metadata.name] = held(stored(server))
                case Create(resource=WorkOrder() as order):
                    self.orders[order.metadata.name] = stored(order)
                case WriteQuota(status=status):
                    self.quota = with_status(self.quota, status)
                case WriteStatus(
                    resource=CloudResourceRequest(), status=CloudResourceRequestStatus() as status
                ):
                    self.status = status
                case _:
                    pass

    def waiting(self) -> tuple[str, str]:
        """Which stage waits, and under which clause."""
        assert self.status is not None
        due = self.status.deadlines[0]
        assert due.stage is not None
        return due.stage.value, due.article

    def approve(self, verdict: Verdict = Verdict.APPROVE) -> None:
        """Give the next decision of the newest Approval, a day later."""
        self.now += timedelta(days=1)
        (name,) = [n for n, one in self.approvals.items() if one.spec.revision == self.generation]
        approval = self.approvals[name]
        opinion = "" if verdict is Verdict.APPROVE else "请补充"
        stage = approval.spec.steps[len(approval.spec.decisions)].stage
        given = Decision(stage=stage, verdict=verdict, by="li", opinion=opinion, at=self.now)
        spec = approval.spec.model_copy(update={"decisions": [*approval.spec.decisions, given]})
        self.approvals[name] = approval.model_copy(update={"spec": spec})
        self.settle()

    def open_all(self) -> None:
        """The pool opens what is wanted, the baseline passes, the machines are handed over."""
        assert self.waiting()[0] == "Provision"
        for step, stage in ((opened, "Baseline"), (hardened, "Handover"), (handed_over, "")):
            self.now += timedelta(hours=1)
            self.servers = {name: step(one, since=self.now) for name, one in self.servers.items()}
            self.settle()
            assert not stage or self.waiting()[0] == stage

    def file(self, *kinds: str) -> None:
        rows = [
            {"type": kind, "reference": "r", "sha256": SHA, "at": self.now.isoformat(), "by": "liu"}
            for kind in kinds
        ]
        self.said = self.said | {"reports": [*self.said.get("reports", []), *rows]}
        self.settle()

    def confirm(self, what: str) -> None:
        self.said = self.said | {what: {"by": "liu", "at": self.now.isoformat()}}
        self.settle()

    def until(self, moment: datetime) -> None:
        self.now = moment
        self.settle()

    @property
    def phase(self) -> RequestPhase:
        assert self.status is not None
        return self.status.phase

    def billed_since(self) -> datetime | None:
        assert self.status is not None
        return self.status.billing.started


def decisions(walk: Walk) -> list[tuple[str, str]]:
    """Approve every step; which they were."""
    given = []
    while walk.phase is RequestPhase.IN_REVIEW:
        given.append(walk.waiting())
        walk.approve()
    return given


def test_bozhou_from_completeness_to_the_tripartite_agreement() -> None:
    walk = Walk("bozhou-2024")
    assert decisions(walk) == [
        ("Completeness", "BZ-18"),
        ("Evaluation", "BZ-18, BZ-19"),
        ("Review", "BZ-7(4), BZ-19"),
    ]
    walk.open_all()
    assert walk.waiting() == ("Reports", "BZ-20")
    walk.file("Trial")
    assert walk.waiting() == ("Reports", "BZ-20")
    walk.file("SecurityTest")
    assert (walk.waiting(), walk.billed_since()) == (("Agreement", "BZ-21"), None)
    walk.confirm("agreement")
    assert (walk.phase, walk.billed_since()) == (RequestPhase.IN_SERVICE, walk.now)


def test_bozhou_returns_what_is_incomplete_and_opens_nothing() -> None:
    walk = Walk("bozhou-2024")
    walk.approve(Verdict.RETURN)
    assert (walk.phase, walk.servers) == (RequestPhase.REFUSED, {})
    walk.patch = walk.patch | {"materials": [*PAPERS, PAPERS[0] | {"type": "Other"}]}
    walk.generation = 2
    walk.settle()
    assert (walk.phase, walk.waiting()) == (RequestPhase.IN_REVIEW, ("Completeness", "BZ-18"))


def test_jinan_from_the_review_over_trial_and_probe_to_the_confirmation() -> None:
    walk = Walk("jinan-startup-area-2025")
    assert decisions(walk) == [("Review", "JN-13")]
    walk.open_all()
    assert (walk.phase, walk.waiting()) == (RequestPhase.TRIAL, ("Trial", "JN-15"))
    ends = end_of("2026-12-24")  # handed over on 24 November
    assert walk.status is not None
    assert walk.status.due == ends
    walk.confirm("delivery")  # early: it starts nothing before the trial is over
    walk.until(ends - timedelta(seconds=1))
    assert (walk.phase, walk.billed_since()) == (RequestPhase.TRIAL, None)
    walk.until(ends)
    assert (walk.waiting(), walk.billed_since()) == (("Reports", "JN-15"), ends)
    walk.file("Probe")
    assert walk.phase is RequestPhase.IN_SERVICE


def test_jinan_asks_experts_about_what_is_large() -> None:
    walk = Walk("jinan-startup-area-2025", {"servers": [group(count=16, item="ecs-4c8g")]})
    assert walk.waiting() == ("ExpertReview", "JN-13")
    walk.approve()
    assert walk.waiting() == ("Review", "JN-13")


def test_the_template_from_acceptance_to_the_confirmation() -> None:
    walk = Walk("template")
    assert walk.status is not None
    assert walk.status.due == end_of("2026-12-07")
    assert decisions(walk) == [("Acceptance", "T-17"), ("Review", "T-17")]
    walk.open_all()
    walk.until(at("2026-12-26 09:00"))
    assert walk.waiting() == ("Confirmation", "T-18")
    walk.confirm("delivery")
    assert (walk.phase, walk.billed_since()) == (RequestPhase.IN_SERVICE, walk.now)


def papers_due(walk: Walk) -> list[tuple[datetime | None, str, bool]]:
    assert walk.status is not None
    return [
        (one.due, one.article, one.overdue)
        for one in walk.status.deadlines
        if one.stage is None and not one.by_itself
    ]


def test_jn_13_an_emergency_waits_for_its_papers_from_the_day_of_issue() -> None:
    walk = Walk("jinan-startup-area-2025", EMERGENCY | {"materials": []})
    assert papers_due(walk) == []
    decisions(walk)
    walk.open_all()
    due = end_of("2026-12-08")  # issued on 24 November
    assert papers_due(walk) == [(due, "JN-13", False)]
    assert walk.status is not None
    assert walk.status.next_look == due + timedelta(seconds=1)
    walk.until(due + timedelta(seconds=1))
    assert papers_due(walk) == [(due, "JN-13", True)]
    assert walk.servers, "an overdue clock takes nothing away"
    walk.patch = {"materials": PAPERS, "term": {"kind": "Permanent"}}
    walk.generation = 2
    assert walk.settle().pending_approval is not None
    assert papers_due(walk) == [], "what was handed in is no longer waited for"
    walk.approve()
    assert walk.settle().pending_approval is None
    assert papers_due(walk) == []


def test_bz_24_an_emergency_of_bozhou_has_no_day_for_its_papers() -> None:
    walk = Walk("bozhou-2024", EMERGENCY | {"materials": []})
    decisions(walk)
    walk.open_all()
    assert papers_due(walk) == [(None, "BZ-24", False)]
    walk.patch = walk.patch | {"materials": [one for one in PAPERS if one["type"] == "ProjectApproval"]}
    walk.generation = 2
    walk.settle()
    assert papers_due(walk) == [], "filed is complete: nobody decides it once more"
    assert walk.status is not None
    assert (walk.status.pending_approval, len(walk.approvals)) == (None, 1)


@pytest.mark.parametrize("name", ["bozhou-2024", "jinan-startup-area-2025", "template"])
def test_nothing_is_opened_before_the_last_decision(name: str) -> None:
    walk = Walk(name)
    while walk.phase is RequestPhase.IN_REVIEW:
        assert (walk.servers, walk.orders) == ({}, {})
        walk.approve()
    assert walk.servers
