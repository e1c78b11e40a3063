"""What the unit may state, and when."""

from __future__ import annotations

import hashlib
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from tests.unit.cli.people import CONTENT, HASH, NOW, Server, backup_order, request

from govpool.api.cloudpolicy import ReportType
from govpool.api.cloudresourcerequest import CloudResourceRequest
from govpool.cli import confirmations
from govpool.cli.confirmations import Speaker
from govpool.cli.errors import CliError

OTHER = "cd" * 32
STATED = {"by": "liu", "at": NOW.isoformat(), "statement": ""}


def at_stage(stage: str, state: str = "Waiting") -> dict[str, Any]:
    approved = {
        "revision": 3,
        "application": "New",
        "approval": "oa-r3",
        "submissionHash": HASH,
        "content": CONTENT,
        "at": NOW.isoformat(),
    }
    stages = [{"stage": stage, "state": state, "article": "YY-1", "message": "as it stands"}]
    return {"phase": "Delivery", "approved": approved, "stages": stages}


def given(server: Server) -> Any:
    return server.objects[("CloudResourceRequest", "unit-a", "oa")].spec.confirmations


async def test_delivery() -> None:
    server = Server(found := request(at_stage("Confirmation")), user="liu")
    stated = await confirmations.delivery(Speaker(server, found, "资源发放完成"))
    assert (stated.by, stated.at, stated.statement) == ("liu", NOW, "资源发放完成")
    assert given(server).delivery == stated


@pytest.mark.parametrize("stage", ["Provision", "Baseline", "Trial", "Reports"])
async def test_delivery_is_not_confirmed_before_its_time(stage: str) -> None:
    server = Server(found := request(at_stage(stage)))
    with pytest.raises(CliError, match=f"it is at {stage}"):
        await confirmations.delivery(Speaker(server, found))
    assert server.writes == 0


async def test_delivery_is_confirmed_once() -> None:
    server = Server(found := request(at_stage("Confirmation"), delivery=STATED))
    with pytest.raises(CliError, match="was confirmed by liu"):
        await confirmations.delivery(Speaker(server, found))
    assert server.writes == 0


async def test_the_agreement_may_be_signed_at_any_time() -> None:
    server = Server(found := request())
    await confirmations.agreement(Speaker(server, found))
    assert given(server).agreement.by == "zhang"


async def test_the_receipt_is_that_of_the_newest_backup() -> None:
    server = Server(found := request(), backup_order(HASH, 3), backup_order(OTHER, 5))
    stated = await confirmations.backup(Speaker(server, found))
    assert stated.receipt_sha256 == OTHER
    assert given(server).backups == [stated]


async def test_receipts_are_added_to_those_there_are() -> None:
    found = request(backups=[{**STATED, "receiptSha256": HASH}])
    server = Server(found, backup_order(HASH, 3), backup_order(OTHER, 5))
    await confirmations.backup(Speaker(server, found))
    assert [receipt.receipt_sha256 for receipt in given(server).backups] == [HASH, OTHER]


@pytest.mark.parametrize(
    ("orders", "receipts", "told"),
    [
        ([], [], "Nothing of oa was backed up"),
        ([None], [], "not finished"),
        ([HASH], [HASH], "confirmed already"),
    ],
)
async def test_no_receipt_without_a_backup(orders: list[Any], receipts: list[str], told: str) -> None:
    found = request(backups=[{**STATED, "receiptSha256": digest} for digest in receipts])
    server = Server(found, *(backup_order(digest) for digest in orders))
    with pytest.raises(CliError, match=told):
        await confirmations.backup(Speaker(server, found))
    assert server.writes == 0


async def test_the_end_of_service_names_the_approval_in_force() -> None:
    server = Server(found := request(at_stage("Termination")))
    stated = await confirmations.termination(Speaker(server, found))
    assert stated.approval == "oa-r3"
    assert given(server).terminations == [stated]


@pytest.mark.parametrize(("stage", "state"), [("Wipe", "Waiting"), ("Termination", "Done")])
async def test_the_end_of_service_waits_for_everything_to_be_gone(stage: str, state: str) -> None:
    server = Server(found := request(at_stage(stage, state)))
    with pytest.raises(CliError, match="does not wait for this"):
        await confirmations.termination(Speaker(server, found))
    assert server.writes == 0


async def test_the_end_of_service_is_confirmed_once() -> None:
    server = Server(found := request(at_stage("Termination"), terminations=[{**STATED, "approval": "oa-r3"}]))
    with pytest.raises(CliError, match="confirmed already"):
        await confirmations.termination(Speaker(server, found))


async def test_nothing_is_confirmed_where_nothing_was_approved() -> None:
    server = Server(found := request())
    for state in (confirmations.termination, confirmations.delivery):
        with pytest.raises(CliError, match="in force"):
            await state(Speaker(server, found))


async def test_a_report_is_known_by_its_hash(tmp_path: Path) -> None:
    paper = tmp_path / "trial.pdf"
    paper.write_bytes(b"fine")
    server = Server(found := request())
    filed = await confirmations.report(Speaker(server, found), ReportType.TRIAL, paper, "")
    assert (filed.sha256, filed.reference) == (hashlib.sha256(b"fine").hexdigest(), "trial.pdf")
    assert given(server).reports == [filed]
    again = server.objects[("CloudResourceRequest", "unit-a", "oa")]
    with pytest.raises(CliError, match="already"):
        await confirmations.report(Speaker(server, again), ReportType.TRIAL, paper, "r-2")


async def test_what_others_added_meanwhile_is_kept(tmp_path: Path) -> None:
    found = request()
    other = request(reports=[{**STATED, "type": "Trial", "reference": "r-1", "sha256": HASH}])
    server = Server(found, meanwhile=lambda s: s.touch(CloudResourceRequest, "oa", spec=other.spec))
    paper = tmp_path / "audit.pdf"
    paper.write_bytes(b"x")
    await confirmations.report(Speaker(server, found), ReportType.SOURCE_AUDIT, paper, "r-2")
    assert [r.reference for r in given(server).reports] == ["r-1", "r-2"]


# -- emergencies and old environments ------------------------------------------------------------
def emergency(issued: str | None) -> dict[str, Any]:
    use = {"revision": 3, "aheadOf": "New"} | ({"issued": issued} if issued else {})
    return at_stage("Trial") | {"emergency": use}


async def test_yy_23_what_was_issued_in_an_emergency_is_confirmed_before_its_trial_is_over() -> None:
    server = Server(found := request(emergency(NOW.isoformat())), user="liu")
    assert given(server).delivery is None
    stated = await confirmations.delivery(Speaker(server, found))
    assert given(server).delivery == stated


async def test_yy_23_nothing_is_confirmed_before_it_was_issued() -> None:
    server = Server(found := request(emergency(None)))
    with pytest.raises(CliError, match="it is at Trial"):
        await confirmations.delivery(Speaker(server, found))


@pytest.mark.parametrize(("days", "kept"), [(1, True), (0, True), (-1, False)])
async def test_yy_15_bz_21_the_old_environment_is_not_given_up_before_its_day(days: int, kept: bool) -> None:
    until = (NOW + timedelta(days=days)).isoformat()
    server = Server(found := request(at_stage("Reports") | {"keepOldEnvironmentUntil": until}), user="liu")
    if kept:
        with pytest.raises(CliError, match="is kept until"):
            await confirmations.old_environment(Speaker(server, found))
        assert server.writes == 0
        return
    stated = await confirmations.old_environment(Speaker(server, found))
    assert given(server).old_environment_removed == stated
