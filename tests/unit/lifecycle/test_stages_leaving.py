"""Stages from the backup to the certificate: each answer that they can give."""

from datetime import timedelta

import pytest
from lifecycle_builders import (
    CHANGE_FORM,
    LEAVE_FORM,
    LEAVES,
    NOW,
    SHA,
    UID,
    backed_up,
    gone,
    handed_over,
    leaving,
    order,
    papers,
    request,
    reserved,
    revision,
    servers,
    stage,
    updated,
    wiped,
    with_disks,
)
from rules_support import at, end_of, group, policy

from govpool.api.base import REQUEST_LABEL, ObjectMeta
from govpool.api.cloudpolicy import ApplicationType, Role, Stage
from govpool.api.cloudresourcerequest import StageState
from govpool.api.cloudserver import Desired, ServerPhase
from govpool.api.tenantquota import Amounts
from govpool.api.wipecertificate import CopyKind, CopyOutcome, MediumCopy, WipeCertificate
from govpool.api.workorder import WorkOrderKind, WorkOrderState
from govpool.lifecycle.actions import Create, IssueCertificate, WriteQuota, WriteSpec
from govpool.lifecycle.stages import backup, certificate, reclaim, termination, wipe

RECEIPT = {"by": "liu.unit", "at": (NOW + timedelta(hours=1)).isoformat(), "receiptSha256": SHA}
WIPED_AT = NOW + timedelta(hours=2)
ABSENT_AT = NOW + timedelta(hours=3)
ENDED = {"by": "liu.unit", "at": (NOW + timedelta(hours=4)).isoformat()}
LATER = NOW + timedelta(hours=5)


def leaver(*confirmed: str, ended_under: str = ""):
    """The example, asking for the end of use, with what the unit confirmed of it."""
    said: dict = {}
    if "backup" in confirmed:
        said["backups"] = [RECEIPT]
    if "termination" in confirmed:
        name = ended_under or revision(request(), number=2).approval
        said["terminations"] = [ENDED | {"approval": name}]
    return request(LEAVES | {"materials": papers(LEAVE_FORM), "confirmations": said}, generation=2)


def leave(name: Stage, *confirmed: str, **given):
    of = given.pop("of", None) or leaver(*confirmed)
    in_force = revision(of, number=2, application=ApplicationType.DEREGISTRATION)
    return stage(name, of, in_force=in_force, **given)


def saved() -> object:
    """The backup order of the deregistration, done."""
    return order(
        WorkOrderKind.BACKUP, servers(), number=2, state=WorkOrderState.SUCCEEDED, receipt_sha256=SHA
    )


# -- backup --------------------------------------------------------------------------------------
def test_yy_21_2_servers_are_taken_out_of_service_before_anything_else() -> None:
    there = tuple(handed_over(server) for server in servers())
    answer = backup.decide(leave(Stage.BACKUP, servers=there))
    assert (answer.state, answer.clause) == (StageState.WAITING, "YY-21(2)")
    written = [action.resource.spec for action in answer.actions if isinstance(action, WriteSpec)]
    assert [(spec.desired, spec.revision) for spec in written] == [(Desired.RELEASED, 2)] * 2
    assert len(answer.actions) == 2


def test_yy_21_2_no_backup_while_the_pool_still_holds_a_machine() -> None:
    app, db = (leaving(server) for server in servers())
    still = updated(db, phase=ServerPhase.HANDED_OVER)
    answer = backup.decide(leave(Stage.BACKUP, servers=(app, still)))
    assert (answer.state, answer.actions) == (StageState.WAITING, ())
    assert db.metadata.name in answer.message.render()


def test_jn_19_nothing_is_taken_away_before_its_lead_time_is_over() -> None:
    rule = policy().spec.deregistration.model_dump(by_alias=True) | {"lead": {"workingDays": 10}}
    under = policy(deregistration=rule)
    there = tuple(handed_over(server) for server in servers())
    early = backup.decide(leave(Stage.BACKUP, servers=there, under=under, now=at("2026-12-07 12:00")))
    assert (early.state, early.actions) == (StageState.WAITING, ())
    assert early.due == early.look_again == end_of("2026-12-07")
    late = backup.decide(leave(Stage.BACKUP, servers=there, under=under, now=at("2026-12-08")))
    assert len(late.actions) == 2


def test_yy_21_2_one_backup_order_for_all_servers_that_hold_data() -> None:
    there = tuple(leaving(server) for server in servers())
    (made,) = backup.decide(leave(Stage.BACKUP, servers=there)).actions
    assert isinstance(made, Create)
    assert (made.resource.spec.work, made.resource.spec.revision) == (WorkOrderKind.BACKUP, 2)
    assert sorted(made.resource.spec.servers) == sorted(s.metadata.name for s in there)


def test_a_failed_backup_fails_the_stage() -> None:
    there = tuple(leaving(server) for server in servers())
    broken = order(WorkOrderKind.BACKUP, there, number=2, state=WorkOrderState.FAILED, message="disk full.")
    answer = backup.decide(leave(Stage.BACKUP, servers=there, orders=(broken,)))
    assert (answer.state, answer.who) == (StageState.FAILED, Role.OPERATOR)


def test_yy_21_2_nothing_is_wiped_before_the_unit_has_its_receipt() -> None:
    there = tuple(backed_up(leaving(server)) for server in servers())
    answer = backup.decide(leave(Stage.BACKUP, servers=there, orders=(saved(),)))
    assert (answer.state, answer.who) == (StageState.WAITING, Role.UNIT)
    assert SHA in answer.message.render()


def test_a_receipt_of_another_backup_does_not_count() -> None:
    other = leaver("backup").spec.confirmations.backups[0].model_copy(update={"receipt_sha256": "b" * 64})
    of = leaver()
    said = of.spec.confirmations.model_copy(update={"backups": [other]})
    of = of.model_copy(update={"spec": of.spec.model_copy(update={"confirmations": said})})
    there = tuple(backed_up(leaving(server)) for server in servers())
    answer = backup.decide(leave(Stage.BACKUP, of=of, servers=there, orders=(saved(),)))
    assert (answer.state, answer.who) == (StageState.WAITING, Role.UNIT)


def test_yy_21_2_done_with_the_units_receipt() -> None:
    there = tuple(backed_up(leaving(server)) for server in servers())
    answer = backup.decide(leave(Stage.BACKUP, "backup", servers=there, orders=(saved(),), now=LATER))
    assert (answer.state, answer.at) == (StageState.DONE, NOW + timedelta(hours=1))


def test_a_receipt_by_a_fast_clock_is_waited_for() -> None:
    """Else the wipe would begin before the unit's receipt, and could never be certified."""
    there = tuple(backed_up(leaving(server)) for server in servers())
    answer = backup.decide(leave(Stage.BACKUP, "backup", servers=there, orders=(saved(),), now=NOW))
    assert (answer.state, answer.look_again) == (StageState.WAITING, NOW + timedelta(hours=1))


def test_a_receipt_from_before_the_backup_is_given_again() -> None:
    there = tuple(backed_up(leaving(server)) for server in servers())
    taken = backup_proofs_at(there, NOW + timedelta(hours=2))
    answer = backup.decide(leave(Stage.BACKUP, "backup", servers=taken, orders=(saved(),), now=LATER))
    assert (answer.state, answer.who) == (StageState.WAITING, Role.UNIT)


def backup_proofs_at(there: tuple, taken) -> tuple:
    def later(server):
        disks = [
            disk.model_copy(update={"backup": disk.backup.model_copy(update={"taken": taken})})
            for disk in server.status.disks
        ]
        return updated(server, disks=disks)

    return tuple(later(server) for server in there)


def test_one_disk_without_a_backup_is_one_too_many() -> None:
    app, db = (backed_up(leaving(server)) for server in servers())
    root, data = db.status.disks
    partly = updated(db, disks=[root, data.model_copy(update={"backup": None})])
    answer = backup.decide(leave(Stage.BACKUP, "backup", servers=(app, partly), orders=(saved(),)))
    assert answer.state is StageState.WAITING


def test_what_never_held_data_needs_no_backup() -> None:
    there = tuple(updated(leaving(server), disks=[]) for server in servers())
    assert backup.decide(leave(Stage.BACKUP, servers=there)).state is StageState.DONE


def test_where_the_policy_asks_for_no_backup_none_is_made() -> None:
    rule = policy().spec.deregistration.model_dump(by_alias=True) | {"backupRequired": False}
    there = tuple(leaving(server) for server in servers())
    answer = backup.decide(leave(Stage.BACKUP, servers=there, under=policy(deregistration=rule)))
    assert (answer.state, answer.actions) == (StageState.DONE, ())


# -- wipe ----------------------------------------------------------------------------------------
def test_yy_21_2_one_wipe_order_for_all_servers_that_hold_data() -> None:
    there = tuple(backed_up(leaving(server)) for server in servers())
    (made,) = wipe.decide(leave(Stage.WIPE, "backup", servers=there)).actions
    assert isinstance(made, Create)
    assert made.resource.spec.work is WorkOrderKind.WIPE


def test_a_failed_wipe_fails_the_stage_and_deletes_nothing() -> None:
    there = tuple(backed_up(leaving(server)) for server in servers())
    broken = order(WorkOrderKind.WIPE, there, number=2, state=WorkOrderState.FAILED, message="EIO.")
    answer = wipe.decide(leave(Stage.WIPE, servers=there, orders=(broken,)))
    assert (answer.state, answer.actions) == (StageState.FAILED, ())


def test_yy_21_2_done_when_the_last_disk_was_proven_wiped() -> None:
    app, db = (leaving(server) for server in servers())
    half = wipe.decide(leave(Stage.WIPE, servers=(wiped(app), backed_up(db))))
    assert half.state is StageState.WAITING
    whole = wipe.decide(leave(Stage.WIPE, servers=(wiped(app), wiped(db, finished=WIPED_AT))))
    assert (whole.state, whole.at) == (StageState.DONE, WIPED_AT)


def test_with_nothing_to_wipe_the_stage_is_done() -> None:
    there = tuple(updated(leaving(server), disks=[]) for server in servers())
    assert wipe.decide(leave(Stage.WIPE, servers=there)).state is StageState.DONE


# -- reclaim -------------------------------------------------------------------------------------
def test_yy_21_2_wiped_servers_are_told_to_go() -> None:
    there = tuple(wiped(leaving(server)) for server in servers())
    answer = reclaim.decide(leave(Stage.RECLAIM, servers=there))
    assert answer.state is StageState.WAITING
    assert [a.resource.spec.desired for a in answer.actions if isinstance(a, WriteSpec)] == [Desired.GONE] * 2


def test_servers_that_are_going_are_waited_for() -> None:
    there = tuple(wiped(leaving(server, desired=Desired.GONE)) for server in servers())
    answer = reclaim.decide(leave(Stage.RECLAIM, servers=there))
    assert (answer.state, answer.actions) == (StageState.WAITING, ())


def test_yy_21_2_the_quota_is_given_back_only_after_everything_was_seen_gone() -> None:
    there = tuple(gone(leaving(server)) for server in servers())
    held = reserved(Amounts(servers=2))
    (write,) = reclaim.decide(leave(Stage.RECLAIM, servers=there, quota=held)).actions
    assert isinstance(write, WriteQuota)
    assert write.status.reservations == []
    done = reclaim.decide(leave(Stage.RECLAIM, servers=there))
    assert done.state is StageState.DONE


def test_what_other_requests_hold_is_not_given_back() -> None:
    there = tuple(gone(leaving(server)) for server in servers())
    other = reserved(Amounts(servers=2), uid="another")
    assert reclaim.decide(leave(Stage.RECLAIM, servers=there, quota=other)).state is StageState.DONE


def test_yy_20_a_reduction_keeps_the_rest_of_the_reservation_for_the_quota_stage() -> None:
    of = request({"servers": [group("app", 1)], "materials": papers(CHANGE_FORM)}, generation=2)
    in_force = revision(of, number=2, application=ApplicationType.CHANGE)
    app, db = servers()
    answer = reclaim.decide(
        stage(
            Stage.RECLAIM,
            of,
            in_force=in_force,
            servers=(handed_over(app), gone(leaving(db))),
            quota=reserved(Amounts(servers=2)),
        )
    )
    assert (answer.state, answer.actions) == (StageState.DONE, ())


# -- termination ---------------------------------------------------------------------------------
def test_yy_21_2_the_unit_confirms_the_end_of_service() -> None:
    answer = termination.decide(leave(Stage.TERMINATION))
    assert (answer.state, answer.who, answer.clause) == (StageState.WAITING, Role.UNIT, "YY-21(2)")


def test_a_confirmation_of_another_approval_ends_nothing() -> None:
    of = leaver("termination", ended_under="doc-approval-r1-000000")
    assert termination.decide(leave(Stage.TERMINATION, of=of)).state is StageState.WAITING


def test_yy_39_done_with_the_units_confirmation() -> None:
    answer = termination.decide(leave(Stage.TERMINATION, "termination", now=LATER))
    assert (answer.state, answer.at) == (StageState.DONE, NOW + timedelta(hours=4))


def test_yy_39_an_end_that_was_confirmed_before_the_wipe_is_confirmed_again() -> None:
    """A certificate that was validated before it was verified would be refused for ever."""
    there = tuple(gone(leaving(server)) for server in servers())
    late = tuple(
        with_disks(
            one, sanitisation=wiped(one, finished=NOW + timedelta(hours=9)).status.disks[0].sanitisation
        )
        for one in there
    )
    early = termination.decide(
        leave(Stage.TERMINATION, "termination", servers=late, now=NOW + timedelta(days=1))
    )
    assert (early.state, early.who) == (StageState.WAITING, Role.UNIT)
    in_time = termination.decide(leave(Stage.TERMINATION, "termination", servers=there, now=LATER))
    assert in_time.state is StageState.DONE


def test_an_end_by_a_fast_clock_is_waited_for() -> None:
    answer = termination.decide(leave(Stage.TERMINATION, "termination", now=NOW))
    assert (answer.state, answer.look_again) == (StageState.WAITING, NOW + timedelta(hours=4))


# -- certificate ---------------------------------------------------------------------------------
def left() -> tuple:
    return tuple(gone(with_finished(leaving(server)), at=ABSENT_AT) for server in servers())


def with_finished(server):
    return wiped(server, finished=WIPED_AT)


def certify(*confirmed: str, there: tuple = (), **given):
    there = there or tuple(
        with_disks(one, sanitisation=wiped(one, finished=WIPED_AT).status.disks[0].sanitisation)
        for one in left()
    )
    return certificate.decide(
        leave(Stage.CERTIFICATE, *confirmed, servers=there, orders=(saved(),), now=LATER, **given)
    )


def test_yy_21_2_the_certificate_lists_every_medium_and_what_became_of_it() -> None:
    answer = certify("backup", "termination")
    assert answer.state is StageState.WAITING, answer.message.render()
    (issue,) = answer.actions
    assert isinstance(issue, IssueCertificate)
    assert {m.key for m in issue.draft.media} == {d.key for s in servers() for d in s.spec.disks}
    assert all(m.sanitisation and m.absence for m in issue.draft.media)
    assert {(c.kind, c.outcome) for c in issue.draft.copies} == {(CopyKind.BACKUP, CopyOutcome.HANDED_OVER)}
    assert issue.draft.regulation.article == "21(1),21(2)"
    assert issue.draft.deregistration.reason == "NoLongerNeeded"


@pytest.mark.parametrize(
    ("storage", "said"),
    [("InPlace", ""), ("CopyOnWrite", "Thin or copy-on-write"), ("Encrypted", "Encrypted storage")],
)
def test_a_certificate_is_issued_for_every_storage_and_says_what_it_can_not_prove(storage, said) -> None:
    there = tuple(
        with_disks(
            one, sanitisation=wiped(one, finished=WIPED_AT).status.disks[0].sanitisation, overwrite=storage
        )
        for one in left()
    )
    answer = certify("backup", "termination", there=there)
    assert answer.state is StageState.WAITING, answer.message.render()
    (issue,) = answer.actions
    assert isinstance(issue, IssueCertificate)
    for medium in issue.draft.media:
        assert medium.sanitisation is not None
        assert medium.residual_risk.startswith(said)
        assert bool(medium.residual_risk) == bool(said)


@pytest.mark.parametrize(
    ("confirmed", "lacks"), [(("backup",), "confirmation"), (("termination",), "backup.receipt")]
)
def test_nothing_is_certified_without_the_units_word(confirmed, lacks) -> None:
    answer = certify(*confirmed)
    assert (answer.state, answer.actions) == (StageState.FAILED, ())
    assert lacks in answer.message.render()


@pytest.mark.parametrize(
    ("broken", "lacks"),
    [
        ({"sanitisation": None}, "sanitisation"),
        ({"absence": None}, "absence"),
        ({"backup": None}, "no backup"),
        (
            {
                "copies": [
                    MediumCopy(
                        kind=CopyKind.SNAPSHOT,
                        provider_id="snap-1",
                        medium_key="k",
                        size_bytes=1,
                        outcome=CopyOutcome.PRESENT,
                    )
                ]
            },
            "still there",
        ),
    ],
    ids=["unwiped", "not seen absent", "not backed up", "a copy is left"],
)
def test_nothing_is_certified_while_one_disk_is_not_proven(broken, lacks) -> None:
    app, db = left()
    root, data = db.status.disks
    there = (app, updated(db, disks=[root, data.model_copy(update=broken)]))
    answer = certify("backup", "termination", there=there)
    assert (answer.state, answer.actions) == (StageState.FAILED, ())
    assert lacks in answer.message.render()


def test_done_when_the_certificate_is_stored() -> None:
    issue = certify("backup", "termination").actions[0]
    assert isinstance(issue, IssueCertificate)
    spec = issue.draft.model_copy(update={"number": "YIYANG-2026-000001"})
    meta = ObjectMeta(name=issue.name, labels={REQUEST_LABEL: UID})
    stored = WipeCertificate(kind="WipeCertificate", metadata=meta, spec=spec)
    answer = certify("backup", "termination", certificates=(stored,))
    assert (answer.state, answer.at) == (StageState.DONE, LATER)
    assert "YIYANG-2026-000001" in answer.message.render()


def test_where_no_disk_ever_held_data_there_is_nothing_to_certify() -> None:
    there = tuple(updated(one, disks=[]) for one in left())
    answer = certify("termination", there=there)
    assert (answer.state, answer.actions) == (StageState.DONE, ())
