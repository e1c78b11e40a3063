"""Whatever a valid policy says and whatever people do under it: what must hold in every history."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from lifecycle_builders import LEAVES, NOW, handed_over, hardened, opened, stored
from policy_strategies import policies
from rules_support import Obj, group, quota
from test_policies_walk import PAPERS, Walk

from govpool.api.approval import Decision, Verdict
from govpool.api.cloudpolicy import CloudPolicy, Stage
from govpool.api.cloudresourcerequest import CloudResourceRequestStatus, DesiredState, RequestPhase
from govpool.rules.calendar import WorkCalendar
from govpool.rules.policy_check import check
from govpool.rules.policy_finding import Sort
from govpool.rules.procedure import stage_rule

TECHNICAL = {"PoolNotOpen", "UnitUnknown", "UnknownImage", "UnknownNetwork", "TooManyServers"}
"""Refusals that no regulation speaks of."""
CLAUSE = re.compile(r"RND-\d+(\(\d+\))?(, RND-\d+(\(\d+\))?)*")

FILES = {"dataDisks": [{"name": "files", "sizeGiB": 1, "volumeClass": "evs-standard"}]}
EDITS: tuple[Obj, ...] = (
    {"servers": [group("app", count=2, **FILES), group("db")]},
    {"servers": [group("app", **FILES), group("db", gib=3)]},
    {"servers": [group("app", **FILES)]},
    {"servers": [group("app", item="ecs-9c9g", **FILES), group("db")]},
    {"system": {"protectionLevel": 4}},
    {"system": {"purpose": "另一用途"}},
    {"services": [{"item": "quantum-line"}]},
    {"term": {"kind": "Emergency", "emergency": {"cause": "防汛"}}},
    {
        "term": {
            "kind": "Permanent",
            "temporary": [
                {"server": "app", "additionalCount": 1, "starts": "2026-12-01", "ends": "2027-01-10"}
            ],
        }
    },
    LEAVES,
    {"materials": []},
)
Step = tuple[str, Any]
APPROVE: Step = ("decide", Verdict.APPROVE)
OPEN: Step = ("open", 0)
STEPS = st.one_of(
    st.just(APPROVE),
    st.tuples(st.just("decide"), st.sampled_from(list(Verdict))),
    st.just(OPEN),
    st.tuples(st.just("wait"), st.integers(1, 40 * 24)),
    st.tuples(st.just("edit"), st.integers(0, len(EDITS) - 1)),
    st.tuples(st.just("say"), st.sampled_from(["Trial", "SecurityTest", "Probe", "agreement", "delivery"])),
)
EDIT = st.tuples(st.just("edit"), st.integers(0, len(EDITS) - 1))
LONG = st.tuples(st.just("wait"), st.integers(10 * 24, 60 * 24))
SOON: list[Step] = [APPROVE, APPROVE, APPROVE, APPROVE, OPEN, OPEN]
BEGINNINGS = st.one_of(
    st.just(SOON),
    st.tuples(LONG, st.just(APPROVE), LONG).map(list),
    st.tuples(EDIT, LONG).map(lambda two: [*SOON, *two, *SOON]),
    st.just([]),
)
HISTORIES = st.tuples(BEGINNINGS, st.lists(STEPS, min_size=4, max_size=12)).map(
    lambda two: [*two[0], *two[1]]
)
"""What people do, and time that passes: most often after the application was approved and opened."""


class History(Walk):
    """A walk under any policy, in steps that may come to nothing."""

    def __init__(self, policy: CloudPolicy) -> None:
        self.policy, self.now, self.said = policy, NOW, {}
        self.patch: Obj = {"materials": PAPERS}
        self.generation = 1
        self.quota = stored(quota(), version="7")
        self.approvals, self.servers, self.orders = {}, {}, {}
        self.status: CloudResourceRequestStatus | None = None
        self.settle()

    def take(self, step: Step) -> None:
        getattr(self, f"_{step[0]}")(step[1])

    def _decide(self, verdict: Verdict) -> None:
        """The next decision of the Approval that is open, an hour later."""
        pending = self.status and self.status.pending_approval
        if not pending:
            return
        self.now += timedelta(hours=1)
        spec = self.approvals[pending].spec
        stage = spec.steps[len(spec.decisions)].stage
        row = Decision(stage=stage, verdict=verdict, by="li", opinion="意见", at=self.now)
        spec = spec.model_copy(update={"decisions": [*spec.decisions, row]})
        self.approvals[pending] = self.approvals[pending].model_copy(update={"spec": spec})
        self.settle()

    def _wait(self, hours: int) -> None:
        self.until(self.now + timedelta(hours=hours))

    def _edit(self, which: int) -> None:
        self.patch = self.patch | EDITS[which]
        self.generation += 1
        self.settle()

    def _open(self, _: int) -> None:
        self.now += timedelta(hours=1)
        for step in (opened, hardened, handed_over):
            self.servers = {name: step(one, since=self.now) for name, one in self.servers.items()}
        self.settle()

    def _say(self, what: str) -> None:
        if what in self.said:
            return
        self.confirm(what) if what.islower() else self.file(what)

    def shown(self) -> list[str]:
        """Everything that there is, as text."""
        assert self.status is not None
        made = [*self.approvals.values(), *self.servers.values(), *self.orders.values(), self.quota]
        return [self.status.model_dump_json(), *(one.model_dump_json() for one in made)]

    def effects(self) -> list[Any]:
        """What a refusal must leave as it is."""
        return [
            {name: one.spec for name, one in self.servers.items()},
            {name: one.spec for name, one in self.orders.items()},
            self.quota.status,
        ]


def walked(policy: CloudPolicy, steps: list[Step]) -> Iterator[History]:
    """The history after each step."""
    history = History(policy)
    yield history
    for step in steps:
        history.take(step)
        yield history


MANY = settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    phases=[
        Phase.explicit,
        Phase.reuse,
        Phase.generate,
    ],  # making a history smaller takes longer than reading it
)


@MANY
@given(policies())
def test_what_is_drawn_is_a_policy_that_stands(policy: CloudPolicy) -> None:
    wrong = [
        f"{one.where}: {one.message.render()}" for one in check(policy.spec) if one.sort is not Sort.NOTE
    ]
    assert wrong == []


@MANY
@given(policies(), HISTORIES)
def test_no_decision_is_without_a_citation(policy: CloudPolicy, steps: list[Step]) -> None:
    for history in walked(policy, steps):
        status = history.status
        assert status is not None
        for happening in status.history:
            if happening.what.removeprefix("Refused: ") not in TECHNICAL:
                assert CLAUSE.fullmatch(happening.article), happening
        for stage in status.stages:
            assert CLAUSE.fullmatch(stage.article), stage
        for deadline in status.deadlines:
            assert CLAUSE.fullmatch(deadline.article), deadline
        for approval in history.approvals.values():
            assert CLAUSE.fullmatch(approval.spec.classified_under)
        assert status.billing.started is None or CLAUSE.fullmatch(status.billing.started_article or "")


@MANY
@given(policies(), HISTORIES)
def test_clocks_never_run_backwards(policy: CloudPolicy, steps: list[Step]) -> None:
    calendar = WorkCalendar.of(policy.spec)
    known: dict[tuple[str, Any], tuple[Any, bool]] = {}
    before: CloudResourceRequestStatus | None = None
    for history in walked(policy, steps):
        status, now = history.status, history.now
        assert status is not None
        assert status.next_look is None or status.next_look > now
        for deadline in status.deadlines:
            assert deadline.since <= now
            assert deadline.due is None or deadline.since <= deadline.due
            assert deadline.overdue == (deadline.due is not None and now > deadline.due)
            key = (f"{deadline.stage} {deadline.article}", deadline.since)
            due, late = known.get(key, (deadline.due, False))
            assert deadline.due == due, "a clock that runs is not set anew"
            assert deadline.overdue or not late
            known[key] = (deadline.due, deadline.overdue)
            if deadline.due is not None:
                assert calendar.end_of(calendar.local_day(deadline.due)) == deadline.due
        if before is not None:
            assert status.history[: len(before.history)] == before.history, "what was told stands"
            assert before.billing.started in (None, status.billing.started)
            assert before.trial in (None, status.trial)
            assert before.approved is None or (
                status.approved is not None and status.approved.revision >= before.approved.revision
            )
        before = status


@MANY
@given(policies(), HISTORIES)
def test_what_is_counted_in_working_days_is_due_on_one(policy: CloudPolicy, steps: list[Step]) -> None:
    calendar = WorkCalendar.of(policy.spec)
    for history in walked(policy, steps):
        assert history.status is not None
        trial = history.status.trial
        for deadline in history.status.deadlines:
            # A trial, and the probe that is installed during it (JN-15), run by the calendar.
            by_calendar = deadline.stage is Stage.TRIAL or (trial is not None and deadline.due == trial.ends)
            if deadline.due is not None and not by_calendar:
                assert calendar.is_working_day(calendar.local_day(deadline.due)), deadline


@MANY
@given(policies(), HISTORIES)
def test_a_refused_request_changes_nothing(policy: CloudPolicy, steps: list[Step]) -> None:
    history = History(policy)
    for step in steps:
        before = history.effects()
        history.take(step)
        status = history.status
        assert status is not None
        refused = any(one.type == "Admitted" and one.status == "False" for one in status.conditions)
        if step[0] == "edit" and refused:
            assert history.effects() == before
            assert status.pending_approval is None
        if step == ("decide", Verdict.REFUSE):
            assert history.effects() == before
        if status.phase is RequestPhase.REFUSED and status.approved is None:
            assert history.effects() == [{}, {}, None]


@MANY
@given(policies(), HISTORIES)
def test_nothing_is_opened_or_taken_but_by_a_decision(policy: CloudPolicy, steps: list[Step]) -> None:
    for history in walked(policy, steps):
        status = history.status
        assert status is not None
        for server in history.servers.values():
            assert status.approved is not None
            assert server.spec.revision <= status.approved.revision
            assert CLAUSE.fullmatch(server.spec.article)
        if status.approved is None:
            assert (history.servers, history.orders) == ({}, {})
        elif status.approved.content.state is not DesiredState.DEREGISTERED:
            assert not any(order.spec.work in ("Backup", "Wipe") for order in history.orders.values())
        rule = status.approved and stage_rule(policy.spec, status.approved.application, Stage.HANDOVER)
        assert rule is None or rule.stage is Stage.HANDOVER


@settings(MANY, max_examples=15)
@given(policies(), HISTORIES)
def test_walking_twice_gives_the_same(policy: CloudPolicy, steps: list[Step]) -> None:
    first, second = ([history.shown() for history in walked(policy, steps)] for _ in range(2))
    assert first == second
