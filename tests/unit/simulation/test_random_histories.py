"""Whatever a valid policy says and whatever people do, on virtual time: what must hold of every write."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from datetime import datetime
from itertools import pairwise
from typing import Any

from hypothesis import HealthCheck, Phase, given, settings
from policy_strategies import policies
from simulation_ground import ROOT
from story_strategies import NAMES, stories
from test_random_policies import CLAUSE, TECHNICAL

from govpool.api.approval import Approval, ApprovalState
from govpool.api.auditrecord import AuditRecord
from govpool.api.base import Resource
from govpool.api.cloudpolicy import CloudPolicy
from govpool.api.cloudresourcerequest import CloudResourceRequest, CloudResourceRequestStatus
from govpool.api.cloudserver import CloudServer
from govpool.api.rectificationnotice import RectificationNotice
from govpool.api.tenantquota import TenantQuota
from govpool.api.workorder import WorkOrder
from govpool.rules.audit_chain import verify_trail
from govpool.simulation.ground import LAST_DAY, Calendar, Ground
from govpool.simulation.player import Player
from govpool.simulation.result import RequestLine, SimulationResult
from govpool.simulation.scenario import Scenario
from govpool.simulation.simulate import OPENS
from govpool.simulation.town import Change
from govpool.simulation.virtual import VirtualTown, in_town

FEW = settings(
    # Eight stories in a build; as many as the profile says for who looks further.
    max_examples=8 if settings().derandomize else settings().max_examples,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
)


class Watched:
    """A town of which every write is kept."""

    def __init__(self, town: VirtualTown) -> None:
        self._town = town
        self.seen: list[Change] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._town, name)

    async def changes(self) -> tuple[Change, ...]:
        found = await self._town.changes()
        self.seen += found
        return found


def ground(policy: CloudPolicy) -> Ground:
    manifest = policy.model_dump(mode="json", by_alias=True, exclude_none=True)
    return Ground.read(ROOT / "examples", json.loads(json.dumps(manifest)))


def watched(policy: CloudPolicy, scenario: Scenario) -> tuple[SimulationResult, list[Change]]:
    """The story and every write of it."""
    on = ground(policy)
    in_force = on.in_force(scenario)
    calendar = Calendar.of(in_force)
    towns: list[Watched] = []

    async def play(town: VirtualTown) -> SimulationResult:
        towns.append(Watched(town))
        player = Player(towns[0], scenario, on, in_force, "en")  # type: ignore[arg-type]  # it is one, by delegation
        return await player.play(calendar.moment(scenario.until, LAST_DAY))

    return in_town(calendar.moment(scenario.starts, OPENS), play), towns[0].seen


def versions(seen: list[Change], kind: type[Resource]) -> dict[str, list[tuple[datetime, Any]]]:
    """Every version of the objects of a kind, by name."""
    found: dict[str, list[tuple[datetime, Any]]] = defaultdict(list)
    for change in seen:
        if isinstance(change.after, kind):
            found[change.after.metadata.name].append((change.at, change.after))
    return found


@FEW
@given(policies(), stories())
def test_clocks_never_run_backwards(policy: CloudPolicy, scenario: Scenario) -> None:
    _, seen = watched(policy, scenario)
    assert all(one.at <= two.at for one, two in pairwise(seen))
    for told in versions(seen, CloudResourceRequest).values():
        clocks: dict[tuple[Any, ...], tuple[Any, bool]] = {}
        for at, request in told:
            status: CloudResourceRequestStatus | None = request.status
            for deadline in status.deadlines if status else ():
                assert deadline.since <= at
                assert deadline.due is None or deadline.since <= deadline.due
                if deadline.by_itself:
                    # Its end moves with an extension that is approved.
                    continue
                key = (deadline.stage, deadline.article, deadline.since, deadline.who)
                due, late = clocks.get(key, (deadline.due, False))
                assert deadline.due == due, "a clock that runs is not set anew"
                assert deadline.overdue or not late, "what is overdue stays so until somebody acts"
                clocks[key] = (deadline.due, deadline.overdue)
        for (_, one), (_, two) in pairwise(told):
            if one.status is None or two.status is None:
                continue
            assert two.status.history[: len(one.status.history)] == one.status.history
            assert one.status.trial in (None, two.status.trial)
            assert one.status.billing.started in (None, two.status.billing.started)
            assert one.status.billing.ended in (None, two.status.billing.ended)
            assert one.status.overdue_clocks <= two.status.overdue_clocks
            for known in two.status.conditions:
                before = next((c for c in one.status.conditions if c.type == known.type), None)
                assert before is None or before.last_transition_time <= known.last_transition_time
    for told in versions(seen, RectificationNotice).values():
        dues = [one.status.due for _, one in told if one.status and one.status.due]
        assert len(set(dues)) <= 1, "a notice's clock is set once"


@FEW
@given(policies(), stories())
def test_no_decision_is_without_a_citation(policy: CloudPolicy, scenario: Scenario) -> None:
    result, seen = watched(policy, scenario)
    for line in result.requests:
        for happening in line.history:
            if happening.what.removeprefix("Refused: ") not in TECHNICAL:
                assert CLAUSE.fullmatch(happening.article), happening
        assert all(CLAUSE.fullmatch(clock.article) for clock in line.clocks)
        assert all(CLAUSE.fullmatch(decision.article) for decision in line.decisions)
        if line.billing:
            assert CLAUSE.fullmatch(line.billing.started_article)
    for _, request in (one for told in versions(seen, CloudResourceRequest).values() for one in told):
        for finding in request.status.findings if request.status else ():
            assert CLAUSE.fullmatch(finding.article), finding
    for told in versions(seen, CloudServer).values():
        assert all(CLAUSE.fullmatch(server.spec.article) for _, server in told)
    records = [record for told in versions(seen, AuditRecord).values() for _, record in told]
    for entry in (entry for record in records for entry in record.spec.entries):
        assert entry.rule, entry
        assert entry.outcome.en, entry
        assert entry.outcome.zh, entry
    documents = [("", record.model_dump(mode="json", by_alias=True, exclude_none=True)) for record in records]
    assert all(verdict.ok for verdict in verify_trail(documents, None))


@FEW
@given(policies(), stories())
def test_nothing_comes_of_what_was_not_approved(policy: CloudPolicy, scenario: Scenario) -> None:
    _, seen = watched(policy, scenario)
    approved: defaultdict[str, set[int]] = defaultdict(set)
    admitted: dict[str, bool] = {}
    for change in seen:
        match change.after:
            case Approval(status=status, spec=spec) if status and status.state is ApprovalState.APPROVED:
                approved[spec.request.uid].add(spec.revision)
            case Approval(spec=spec) if change.before is None:
                assert admitted.get(spec.request.uid, True), "what is not admitted is put before nobody"
            case CloudResourceRequest(metadata=meta, status=status) if status is not None:
                admitted[meta.uid] = not any(
                    c.type == "Admitted" and c.status == "False" and c.observed_generation == meta.generation
                    for c in status.conditions
                )
                forced = status.approved is not None and status.approved.approval not in _approvals(seen)
                if status.approved is not None and not forced:
                    assert status.approved.revision in approved[meta.uid]
                elif forced:
                    approved[meta.uid].add(status.approved.revision)
            case CloudServer(spec=spec) | WorkOrder(spec=spec) if change.before is None:
                assert spec.revision in approved[spec.request.uid]
            case TenantQuota(status=status) if status is not None:
                for reservation in status.reservations:
                    assert reservation.revision in approved[reservation.request_uid]
            case _:
                pass


def _approvals(seen: list[Change]) -> set[str]:
    return {change.after.metadata.name for change in seen if isinstance(change.after, Approval)}


REFUSED = {"system": {"protectionLevel": 4, "name": "不可上云"}}
"""Above what any drawn policy admits."""
AGAIN = {"system": {"purpose": "另一用途"}}


@settings(FEW, max_examples=5)
@given(policies(), stories())
def test_a_refused_application_changes_nothing(policy: CloudPolicy, scenario: Scenario) -> None:
    given_ = scenario.model_dump(mode="json", by_alias=True, exclude_none=True)
    given_["requests"]["third"] = {"patch": REFUSED}
    given_["events"] = [
        {"do": "apply", "request": "third", "after": {"delay": "P3D"}},
        *given_["events"],
        {
            "do": "edit",
            "request": "third",
            "after": {"delay": "P40D"},
            "patch": {"system": {"purpose": "又"}},
        },
    ]
    alone, _ = watched(policy, scenario)
    beside, seen = watched(policy, Scenario.model_validate(given_))
    third = next(line for line in beside.requests if line.name == "third")
    assert [span.phase for span in third.phases] == ["Refused"]
    assert (third.servers, third.decisions, third.billing, third.certificate) == ([], [], None, None)
    made = [c.after for c in seen if isinstance(c.after, CloudServer | WorkOrder | Approval)]
    assert not [one for one in made if one.spec.request.name == "third"]
    zone = Calendar.of(policy)
    for name in NAMES:
        assert _told(alone, name, zone) == _told(beside, name, zone)


def _told(result: SimulationResult, name: str, calendar: Calendar) -> list[tuple[str, ...]]:
    """A request's history by its days; names without what tells UIDs apart."""
    line: RequestLine = next(line for line in result.requests if line.name == name)

    def known(key: str) -> str:
        key = re.sub(r"-[0-9a-f]{6}(?=/|$)", "", key)
        return re.sub(r"\d{4}-\d\d-\d\dT[^/]+", lambda at: calendar.day(datetime.fromisoformat(at[0])), key)

    return [(h.actor, h.what, h.article, known(h.key), calendar.day(h.at)) for h in line.history]
