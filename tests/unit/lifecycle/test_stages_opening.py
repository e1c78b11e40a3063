"""Stages from the reservation to the handover: each answer that they can give."""

from datetime import timedelta

import pytest
from lifecycle_builders import (
    CHANGE_FORM,
    NOW,
    handed_over,
    hardened,
    opened,
    order,
    papers,
    request,
    reserved,
    revision,
    servers,
    stage,
    stored,
    updated,
)
from rules_support import at, catalog, end_of, group, policy, quota

from govpool.api.cloudpolicy import ApplicationType, Role, Stage
from govpool.api.cloudresourcerequest import StageState
from govpool.api.cloudserver import ServerPhase
from govpool.api.tenantquota import Amounts
from govpool.api.workorder import WorkOrderKind, WorkOrderState
from govpool.lifecycle.actions import Create, WriteQuota, WriteSpec
from govpool.lifecycle.stages import baseline, handover, provision
from govpool.lifecycle.stages import quota as quota_stage
from govpool.lifecycle.wanted import held
from govpool.rules.amounts import amounts

NEEDED = amounts(revision().content, catalog())
FILES = {"dataDisks": [{"name": "files", "sizeGiB": 1, "volumeClass": "evs-standard"}]}
BIGGER = request(
    {"servers": [group("app", 2, **FILES), group("db", 1, "ecs-1c2g")], "materials": papers(CHANGE_FORM)}
)


# -- quota ---------------------------------------------------------------------------------------
def test_yy_19_2_what_was_approved_is_reserved_before_anything_is_opened() -> None:
    answer = quota_stage.decide(stage(Stage.QUOTA))
    assert (answer.state, answer.clause) == (StageState.WAITING, "YY-19(2)")
    (write,) = answer.actions
    assert isinstance(write, WriteQuota)
    assert write.resource_version == "7"
    assert [(r.revision, r.amounts) for r in write.status.reservations] == [(1, NEEDED)]


def test_yy_19_2_a_reservation_on_record_is_done_since_the_approval() -> None:
    answer = quota_stage.decide(stage(Stage.QUOTA, quota=reserved(NEEDED)))
    assert (answer.state, answer.at, answer.actions) == (StageState.DONE, NOW, ())


@pytest.mark.parametrize(
    ("envelope", "words"),
    [
        (None, "TenantQuota named unit"),
        (reserved(Amounts(servers=5), uid="another"), "servers 2"),
        (stored(quota(limits=[])), "local-pool"),
        (stored(quota({"standing": "IssuingStopped", "standingCause": "notice 3"})), "notice 3"),
    ],
    ids=["no unit", "taken by another request", "no limit", "issuing stopped"],
)
def test_yy_19_2_what_does_not_fit_waits_and_writes_nothing(envelope, words) -> None:
    answer = quota_stage.decide(stage(Stage.QUOTA, quota=envelope))
    assert (answer.state, answer.actions) == (StageState.WAITING, ())
    assert words in answer.message.render()


def test_yy_20_while_a_server_leaves_its_amounts_stay_reserved() -> None:
    """A reduction gives back only what was seen gone."""
    less = revision(
        request({"servers": [group("app", 1, **FILES)]}), number=2, application=ApplicationType.CHANGE
    )
    there = tuple(opened(server) for server in servers())
    (write,) = quota_stage.decide(
        stage(Stage.QUOTA, in_force=less, servers=there, quota=reserved(NEEDED))
    ).actions
    assert isinstance(write, WriteQuota)
    assert write.status.reservations[0].amounts == held(there)


def test_yy_20_what_is_opened_before_the_old_leaves_is_reserved_beside_it() -> None:
    """One server for another: both are there for a while, and both take from the envelope."""
    swapped = revision(
        request({"servers": [group("app", 2, **FILES)]}), number=2, application=ApplicationType.CHANGE
    )
    there = tuple(handed_over(server) for server in servers())
    (write,) = quota_stage.decide(
        stage(Stage.QUOTA, in_force=swapped, servers=there, quota=reserved(NEEDED))
    ).actions
    assert isinstance(write, WriteQuota)
    assert write.status.reservations[0].amounts.servers == 3


def test_a_reservation_of_the_same_pool_is_replaced_and_others_are_kept() -> None:
    envelope = reserved(Amounts(servers=1), uid="another")
    (write,) = quota_stage.decide(stage(Stage.QUOTA, quota=envelope)).actions
    assert isinstance(write, WriteQuota)
    assert [r.request_uid for r in write.status.reservations] == ["another", request().metadata.uid]


# -- provision -----------------------------------------------------------------------------------
def test_yy_19_3_exactly_the_approved_servers_are_asked_for() -> None:
    answer = provision.decide(stage(Stage.PROVISION))
    assert (answer.state, answer.clause) == (StageState.WAITING, "YY-19(3)")
    made = [action.resource for action in answer.actions if isinstance(action, Create)]
    assert len(made) == len(answer.actions) == 2
    assert {s.metadata.name for s in made} == {"doc-approval-app-0", "doc-approval-db-0"}
    assert all(server.spec.article == "YY-19(3)" and server.spec.revision == 1 for server in made)


def test_yy_19_3_servers_that_are_building_are_waited_for() -> None:
    app, db = servers()
    answer = provision.decide(stage(Stage.PROVISION, servers=(opened(app), db)))
    assert (answer.state, answer.actions) == (StageState.WAITING, ())
    text = answer.message.render()
    assert "1 of 2" in text
    assert db.metadata.name in text


def test_yy_19_3_done_when_the_last_server_was_opened() -> None:
    app, db = servers()
    later = NOW + timedelta(hours=2)
    there = (opened(app), opened(db, since=later))
    answer = provision.decide(stage(Stage.PROVISION, servers=there, now=later + timedelta(days=1)))
    assert (answer.state, answer.at) == (StageState.DONE, later)


def test_a_fault_of_the_pool_is_told_and_keeps_the_stage_waiting() -> None:
    app, db = servers()
    broken = updated(db, phase=ServerPhase.ERROR, message="no valid host was found")
    answer = provision.decide(stage(Stage.PROVISION, servers=(opened(app), broken)))
    assert answer.state is StageState.WAITING
    assert "no valid host was found" in answer.message.render()


def test_yy_20_a_change_writes_what_differs_and_makes_what_is_new() -> None:
    in_force = revision(BIGGER, number=2, application=ApplicationType.CHANGE)
    there = tuple(handed_over(server) for server in servers())
    answer = provision.decide(stage(Stage.PROVISION, BIGGER, in_force=in_force, servers=there))
    assert answer.clause == "YY-20"
    made = [a.resource.metadata.name for a in answer.actions if isinstance(a, Create)]
    written = [a.resource for a in answer.actions if isinstance(a, WriteSpec)]
    assert made == ["doc-approval-app-1"]
    assert [(s.metadata.name, s.spec.memory_gib, s.spec.revision) for s in written] == [
        ("doc-approval-db-0", 2, 2)
    ]


def test_yy_20_ten_working_days_to_carry_a_change_out_run_once_from_its_approval() -> None:
    in_force = revision(BIGGER, number=2, application=ApplicationType.CHANGE)
    context = stage(
        Stage.PROVISION, BIGGER, in_force=in_force, servers=servers(), before=NOW + timedelta(days=3)
    )
    # Ten working days after Monday 23 November are over on Monday 7 December.
    assert provision.decide(context).due == end_of("2026-12-07")


def test_for_a_new_opening_the_measures_set_no_number() -> None:
    assert provision.decide(stage(Stage.PROVISION)).due is None


# -- baseline and handover -----------------------------------------------------------------------
BOTH = [
    pytest.param(Stage.BASELINE, baseline, WorkOrderKind.BASELINE, "YY-28, YY-30", id="baseline"),
    pytest.param(Stage.HANDOVER, handover, WorkOrderKind.HANDOVER, "YY-19(3)", id="handover"),
]


def ready_for(name: Stage) -> tuple:
    make = opened if name is Stage.BASELINE else hardened
    return tuple(make(server) for server in servers())


@pytest.mark.parametrize(("name", "module", "work", "clause"), BOTH)
def test_yy_28_30_one_order_for_all_servers_is_issued(name, module, work, clause) -> None:
    answer = module.decide(stage(name, servers=ready_for(name)))
    assert (answer.state, answer.clause) == (StageState.WAITING, clause)
    (made,) = answer.actions
    assert isinstance(made, Create)
    spec = made.resource.spec
    assert (spec.work, spec.revision, spec.article) == (work, 1, clause)
    assert sorted(spec.servers) == ["doc-approval-app-0", "doc-approval-db-0"]


@pytest.mark.parametrize(("name", "module", "work", "clause"), BOTH)
@pytest.mark.parametrize("state", [None, WorkOrderState.PENDING, WorkOrderState.RUNNING])
def test_an_order_under_way_is_waited_for_and_not_made_twice(name, module, work, clause, state) -> None:
    there = ready_for(name)
    under_way = order(work, there, state=state, **({"progress": "12 of 40"} if state else {}))
    answer = module.decide(stage(name, servers=there, orders=(under_way,)))
    assert (answer.state, answer.actions) == (StageState.WAITING, ())
    # The same words from its issue to its end: the request is not written for each step of the order.
    (issued,) = module.decide(stage(name, servers=there)).actions
    assert answer.message == module.decide(stage(name, servers=there)).message
    assert issued.resource.metadata.name in answer.message.render()


@pytest.mark.parametrize(("name", "module", "work", "clause"), BOTH)
def test_an_order_that_is_tried_again_says_why(name, module, work, clause) -> None:
    there = ready_for(name)
    again = order(work, there, state=WorkOrderState.PENDING, message="no route to host")
    answer = module.decide(stage(name, servers=there, orders=(again,)))
    assert "no route to host" in answer.message.render()


@pytest.mark.parametrize(("name", "module", "work", "clause"), BOTH)
def test_yy_28_30_a_failed_order_fails_the_stage_until_a_person_mends_it(name, module, work, clause) -> None:
    there = ready_for(name)
    broken = order(work, there, state=WorkOrderState.FAILED, message="SSH-01 failed.")
    answer = module.decide(stage(name, servers=there, orders=(broken,)))
    assert (answer.state, answer.who, answer.actions) == (StageState.FAILED, Role.OPERATOR, ())
    assert "SSH-01 failed." in answer.message.render()
    assert f"govpool retry {broken.metadata.name}" in answer.message.render()


def test_yy_28_30_done_only_when_every_server_met_the_baseline() -> None:
    app, db = servers()
    later = NOW + timedelta(hours=1)
    half = baseline.decide(stage(Stage.BASELINE, servers=(hardened(app), hardened(db, passed=False))))
    assert half.state is StageState.WAITING
    (made,) = half.actions
    assert isinstance(made, Create)
    assert made.resource.spec.servers == [db.metadata.name]
    whole = baseline.decide(stage(Stage.BASELINE, servers=(hardened(app), hardened(db, since=later))))
    assert (whole.state, whole.at) == (StageState.DONE, later)


def test_wh_19_3_the_baseline_of_weihai_cites_its_own_article() -> None:
    answer = baseline.decide(
        stage(Stage.BASELINE, under=policy("weihai-2025"), servers=ready_for(Stage.BASELINE))
    )
    assert (answer.clause, answer.who) == ("WH-19(3)", Role.PROVIDER)


def test_yy_19_3_done_when_every_server_was_handed_over() -> None:
    app, db = servers()
    later = NOW + timedelta(hours=3)
    half = handover.decide(stage(Stage.HANDOVER, servers=(handed_over(app), hardened(db))))
    assert half.state is StageState.WAITING
    whole = handover.decide(
        stage(Stage.HANDOVER, servers=(handed_over(app), handed_over(db, since=later)), now=at("2027-01-05"))
    )
    assert (whole.state, whole.at) == (StageState.DONE, later)
