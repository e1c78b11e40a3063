"""The whole way, in a world that interrupts, refuses and forgets.

After every step the world checks what must hold always (see :meth:`model_world.World.check`), and with
every action what must hold before it is carried out; the steps themselves come from hypothesis.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from functools import cache

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from lifecycle_builders import CHANGE_FORM, LEAVE_FORM, LEAVES, papers, request
from model_world import World
from rules_support import BOZHOU_TEMPORARY, Obj, group, policy

from govpool.api.approval import Approval, Verdict
from govpool.api.base import PAUSED_ANNOTATION
from govpool.api.cloudpolicy import Stage
from govpool.api.cloudresourcerequest import CloudResourceRequest, DesiredState, RequestPhase
from govpool.api.cloudserver import CloudServer
from govpool.api.tenantquota import Amounts, PoolLimit
from govpool.api.wipecertificate import WipeCertificate
from govpool.api.workorder import WorkOrder, WorkOrderState
from govpool.lifecycle.actions import Announce

FILES = [{"name": "files", "sizeGiB": 1, "volumeClass": "evs-standard"}]
LATER = [
    timedelta(seconds=1),
    timedelta(minutes=7),
    timedelta(days=1),
    timedelta(days=15),
    timedelta(days=40),
]


SKEW = [timedelta(0), timedelta(0), timedelta(minutes=-3), timedelta(minutes=3)]


def applied_for(
    apps: int, item: str, gib: int, disk: str = "data", *, dbs: int = 1, leaves: bool = False
) -> Obj:
    """What the unit may write down."""
    db = [{"name": disk, "sizeGiB": gib, "volumeClass": "evs-standard"}]
    servers = [group("app", apps, dataDisks=FILES), group("db", dbs, item, dataDisks=db)]
    patch = {"servers": servers, "materials": papers(CHANGE_FORM, LEAVE_FORM)}
    return patch | (LEAVES if leaves else {})


def in_phase(*phases: RequestPhase) -> Callable[[World], bool]:
    def reached(world: World) -> bool:
        found = world.request
        return found is not None and found.status is not None and found.status.phase in phases

    return reached


def at_rest(world: World) -> bool:
    """Everything that was applied for is decided and carried out to its end, or refused."""
    found = world.request
    if found is None:
        return True
    status = found.status
    if status is None or status.pending_approval or status.observed_generation != found.metadata.generation:
        return False
    if status.approved is None:
        return status.phase is RequestPhase.REFUSED
    applied = status.applied is not None and status.applied.revision == status.approved.revision
    return applied and status.phase in (RequestPhase.IN_SERVICE, RequestPhase.DEREGISTERED)


def edit(world: World, patch: Obj) -> bool:
    """What the API server lets the unit write; whether it did."""
    found = world.request
    if found is None or found.deleting:
        return False
    asked = request(patch).spec
    phase = found.status.phase if found.status else RequestPhase.PENDING
    left = phase in (RequestPhase.DEREGISTERING, RequestPhase.DEREGISTERED)
    if left and found.spec.state is DesiredState.DEREGISTERED and asked.state is DesiredState.ACTIVE:
        return False
    fields: dict[str, object] = {
        name: getattr(asked, name) for name in type(asked).model_fields if name != "confirmations"
    }
    world.edit(found, **fields)
    return True


def leave(world: World) -> None:
    assert edit(world, applied_for(1, "ecs-1c1g", 1, leaves=True))
    world.until(in_phase(RequestPhase.DEREGISTERED))


# -- the way without accidents -------------------------------------------------------------------
def test_from_application_to_certificate() -> None:
    world = World()
    world.until(in_phase(RequestPhase.IN_SERVICE))
    assert world.pool.takes() == (2, 2, 2, 4)
    edit(world, applied_for(2, "ecs-1c2g", 2))
    world.settle()
    world.until(at_rest)
    assert world.pool.takes() == (3, 3, 4, 7)
    leave(world)
    assert world.certified == world.pool.ever == world.pool.destroyed


def test_a_deleted_request_goes_only_after_its_deregistration() -> None:
    world = World()
    world.until(in_phase(RequestPhase.IN_SERVICE))
    assert edit(world, applied_for(1, "ecs-1c1g", 1, leaves=True))
    found = world.request
    assert found is not None
    world.delete(found)
    world.until(lambda w: w.request is None)
    assert world.certified == world.pool.ever


def test_deleting_alone_destroys_nothing() -> None:
    world = World()
    world.until(in_phase(RequestPhase.IN_SERVICE))
    found = world.request
    assert found is not None
    world.delete(found)
    for _ in range(5):
        world.everybody_acts()
        world.now += timedelta(days=30)
    assert world.request is not None
    assert world.pool.takes() == (2, 2, 2, 4)
    assert world.pool.dirty == world.pool.ever


STARTS = ["applied", "opening", "in trial", "in service", "growing", "shrinking", "released", "wiped"]


def waits_in(stage: Stage) -> Callable[[World], bool]:
    def reached(world: World) -> bool:
        found = world.request
        stages = found.status.stages if found and found.status else []
        return bool(stages) and stages[-1].stage is stage

    return reached


@cache
def started(start: str) -> World:
    """A world that came so far without accidents."""
    if start == "applied":
        return World()
    if start in ("opening", "in trial", "in service"):
        until = {"opening": waits_in(Stage.BASELINE), "in trial": in_phase(RequestPhase.TRIAL)}
        world = started("applied").copy()
        world.until(until.get(start, at_rest))
        return world
    if start == "wiped":
        world = started("released").copy()
        world.until(waits_in(Stage.TERMINATION))
        return world
    world = started("growing" if start == "shrinking" else "in service").copy()
    if start == "shrinking":
        world.until(at_rest)
    sizes = {"growing": (3, "ecs-1c2g", 2), "shrinking": (1, "ecs-1c1g", 2), "released": (1, "ecs-1c1g", 1)}
    assert edit(world, applied_for(*sizes[start], leaves=start == "released"))
    stage = {"growing": Stage.BASELINE, "shrinking": Stage.BACKUP, "released": Stage.BACKUP}[start]
    world.until(waits_in(stage))
    return world


def test_bz_22_two_expansions_of_one_revision_are_opened_and_certified_each() -> None:
    """One approval wants the same work twice, for other servers: neither round takes the other's place."""
    world = started("in service").copy()
    world.policy = policy(temporary=BOZHOU_TEMPORARY)

    def day(after: int) -> str:
        return (started("in service").now + timedelta(days=after)).date().isoformat()

    more = {"server": "app", "additionalCount": 1}
    turns = [more | {"starts": day(20), "ends": day(30)}, more | {"starts": day(60), "ends": day(70)}]
    term = {"kind": "Permanent", "temporary": turns}
    assert edit(world, applied_for(1, "ecs-1c1g", 1) | {"term": term})
    world.settle()
    world.until(at_rest)
    there = []
    for after in (10, 25, 45, 65, 85):
        world.now = started("in service").now + timedelta(days=after)
        world.settle()
        world.until(at_rest)
        there.append(world.pool.takes()[0])
        assert world.pool.destroyed == world.certified
    assert there == [2, 3, 2, 3, 2]
    assert len(world.all(WipeCertificate)) == 2


# -- the way with accidents ----------------------------------------------------------------------
class Lifecycle(RuleBasedStateMachine):
    """One request of a unit, from its application to whatever becomes of it."""

    @initialize(start=st.sampled_from(STARTS))
    def begin(self, start: str) -> None:
        self.world = started(start).copy()

    # -- the operator ----------------------------------------------------------------------------
    @rule(data=st.data(), keep=st.one_of(st.none(), st.integers(0, 3)))
    def reconcile(self, data: st.DataObject, keep: int | None) -> None:
        """In any order; ``keep``: killed after so many actions."""
        key = data.draw(st.sampled_from(self.world.looked_at()))
        self.world.reconcile(key, keep=keep)

    @rule()
    def twice_is_once(self) -> None:
        """Carrying a decision out again, as a replay would, changes nothing that the API server holds."""
        for key in self.world.looked_at():
            if key not in self.world.objects:
                continue
            about, decision = self.world.objects[key], self.world.reconcile(key)
            before = dict(self.world.objects)
            self.world.replay(decision.actions, about)
            assert self.world.objects == before

    @rule()
    def everything_settles(self) -> None:
        """Until nothing follows any more; and nothing does a moment later either."""
        self.world.settle()
        self.world.now += timedelta(milliseconds=10)
        for key in self.world.looked_at():
            actions = [a.key for a in self.world.decide(key).actions if not isinstance(a, Announce)]
            assert not actions, f"{key} is never done: {actions}"

    @rule()
    def crash(self) -> None:
        self.world.crash()

    # -- executors -------------------------------------------------------------------------------
    @precondition(lambda self: self.world.running)
    @rule(data=st.data(), how=st.sampled_from(["well", "well", "fails", "again"]))
    def run_ends(self, data: st.DataObject, how: str) -> None:
        self.world.finish(data.draw(st.sampled_from(sorted(self.world.running))), how)

    @rule(data=st.data())
    def retry(self, data: st.DataObject) -> None:
        failed = [
            order.key
            for order in self.world.all(WorkOrder)
            if order.status and order.status.state is WorkOrderState.FAILED
        ]
        if failed:
            self.world.retry(self.world.objects[data.draw(st.sampled_from(failed))])

    # -- people ----------------------------------------------------------------------------------
    @rule(
        apps=st.integers(0, 3),
        dbs=st.integers(0, 2),
        item=st.sampled_from(["ecs-1c1g", "ecs-1c2g"]),
        gib=st.integers(1, 2),
        disk=st.sampled_from(["data", "data", "more"]),
        leaves=st.sampled_from([False, False, True]),
    )
    def edit(self, apps: int, dbs: int, item: str, gib: int, disk: str, leaves: bool) -> None:
        edit(self.world, applied_for(apps, item, gib, disk, dbs=dbs, leaves=leaves))

    @rule()
    def take_the_edit_back(self) -> None:
        found = self.world.request
        if found and found.status and found.status.approved:
            content = found.status.approved.content
            plain = content.model_dump(mode="json", by_alias=True, exclude_none=True)
            edit(self.world, plain | {"materials": papers(CHANGE_FORM, LEAVE_FORM)})

    @rule(
        data=st.data(),
        verdict=st.sampled_from([Verdict.APPROVE] * 4 + [Verdict.REFUSE, Verdict.RETURN]),
        early=st.booleans(),
        skew=st.sampled_from(SKEW),
    )
    def decide(self, data: st.DataObject, verdict: Verdict, early: bool, skew: timedelta) -> None:
        """A person decides a step, also before its turn."""
        approvals = self.world.all(Approval)
        if approvals:
            key = data.draw(st.sampled_from([approval.key for approval in approvals]))
            approval = self.world.objects[key]
            assert isinstance(approval, Approval)
            given = len(approval.spec.decisions)
            last = len(approval.spec.steps) - 1
            at = self.world.now + skew
            self.world.give(approval, last if early else min(given, last), verdict, at)

    @rule(
        what=st.sampled_from(["report", "delivery", "backup", "termination"]),
        skew=st.sampled_from(SKEW),
        early=st.booleans(),
    )
    def confirm(self, what: str, skew: timedelta, early: bool) -> None:
        """The unit's clock is not the operator's, and it may speak before it is asked."""
        self.world.confirm(what, skew, early=early)

    @precondition(lambda self: self.world.request is not None)
    @rule(paused=st.booleans(), data=st.data())
    def pause(self, paused: bool, data: st.DataObject) -> None:
        there = [*self.world.all(CloudResourceRequest), *self.world.all(CloudServer)]
        found = self.world.objects[data.draw(st.sampled_from([one.key for one in there]))]
        self.world.mark(found, annotations={PAUSED_ANNOTATION: "true"} if paused else {})

    @precondition(lambda self: self.world.request is not None)
    @rule()
    def delete(self) -> None:
        found = self.world.request
        if found is not None and found.metadata.finalizers:
            self.world.delete(found)

    @rule(servers=st.integers(0, 6))
    def change_the_quota(self, servers: int) -> None:
        limit = self.world.quota.spec.limits[0]
        hard = limit.hard.model_copy(update={"servers": servers})
        self.world.edit(self.world.quota, limits=[PoolLimit(pool=limit.pool, hard=hard)])

    # -- time and the pool -----------------------------------------------------------------------
    @rule(by=st.sampled_from(LATER))
    def time_passes(self, by: timedelta) -> None:
        """A clock decides nothing by itself."""
        found = self.world.request
        before = found.status.approved if found and found.status else None
        waiting = {a.key: a.spec for a in self.world.all(Approval)}
        self.world.settle()
        self.world.now += by
        self.world.settle()
        for approval in self.world.all(Approval, settled=True):
            assert waiting.get(approval.key, approval.spec) == approval.spec
        after = self.world.request
        if before is not None and after is not None:
            assert after.status is not None
            assert after.status.approved is not None
            assert after.status.approved.revision >= before.revision

    @rule(reachable=st.booleans())
    def reach(self, reachable: bool) -> None:
        self.world.pool.reachable = reachable

    @rule(code=st.sampled_from(["Retryable", "QuotaExceeded", "Invalid", "Conflict", "Unreachable"]))
    def refuse(self, code: str) -> None:
        """The next change gets an error of the contract."""
        self.world.pool.refuses = code

    @rule()
    def everybody_acts(self) -> None:
        """What deep states are made of."""
        self.world.everybody_acts()

    # -- what holds always -----------------------------------------------------------------------
    @invariant()
    def holds(self) -> None:
        self.world.check()

    def teardown(self) -> None:
        """Whatever happened: when the accidents end, it comes to a good end."""
        world = self.world
        world.pool.reachable, world.pool.refuses = True, ""
        for found in [*world.all(CloudResourceRequest), *world.all(CloudServer)]:
            world.mark(found, annotations={})
        limit = world.quota.spec.limits[0]
        enough = Amounts(servers=20, vcpu=20, memory_gib=40, storage_gib=80)
        world.edit(world.quota, limits=[PoolLimit(pool=limit.pool, hard=enough)])
        world.until(at_rest)


Lifecycle.TestCase.settings = settings(max_examples=max(150, settings().max_examples), stateful_step_count=30)
TestLifecycle = pytest.mark.filterwarnings("ignore")(Lifecycle.TestCase)
