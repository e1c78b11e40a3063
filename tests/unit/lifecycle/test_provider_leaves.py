"""A pool whose provider leaves: what it shows, what its requests show, and when its closing is honoured."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from lifecycle_builders import (
    NOW,
    UID,
    backed_up,
    content,
    gone,
    leaving,
    observe,
    opened,
    request,
    revision,
    servers,
    stored,
)
from rules_support import policy, pool

from govpool.api.base import ConditionStatus
from govpool.api.cloudpool import CloudPool, CloudPoolStatus
from govpool.api.cloudresourcerequest import CloudResourceRequestStatus, RequestPhase
from govpool.lifecycle import pool as pool_core
from govpool.lifecycle import request as request_core
from govpool.lifecycle.actions import WriteStatus
from govpool.lifecycle.observation import PoolObservation, Unknown

WH = "weihai-2025"
EXIT = {
    "notice": {"at": "2026-04-01T09:00:00+08:00", "by": "Provider Ltd", "reference": "Letter 3"},
    "approval": {"at": "2026-04-20T09:00:00+08:00", "by": "wang", "reference": "Reply 3"},
    "plan": [{"namespace": "heshan-data-bureau", "request": "doc-approval", "successor": "doc-approval-2"}],
}


def leaving_pool(state: str = "Exiting", **more: Any) -> CloudPool:
    given = {"operatingMode": "PurchasedService", "policy": WH, "exit": EXIT} | more
    return stored(pool(state=state, **given))


def in_service(phase: RequestPhase = RequestPhase.IN_SERVICE):  # type: ignore[no-untyped-def]
    found = request()
    entry = EXIT["plan"][0]  # type: ignore[index]
    assert (found.metadata.namespace, found.metadata.name) == (entry["namespace"], entry["request"])
    status = CloudResourceRequestStatus(phase=phase, approved=revision(found))
    return found.model_copy(update={"status": status})


def look(of: CloudPool, **given: Any) -> CloudPoolStatus:
    around: dict[str, Any] = {"machines": (), "servers": (), "policy": policy(WH), "now": NOW}
    (write,) = pool_core.decide(PoolObservation(of, **(around | given))).actions
    assert isinstance(write, WriteStatus)
    assert isinstance(write.status, CloudPoolStatus)
    return write.status


def closed(status: CloudPoolStatus) -> tuple[ConditionStatus, str]:
    return next((one.status, one.reason) for one in status.conditions if one.type == "Closed")


def tasks(status: CloudPoolStatus) -> dict[str, bool]:
    assert status.exit is not None
    (one,) = status.exit.requests
    return {task.task.value: task.done for task in one.tasks}


# -- the plan ------------------------------------------------------------------------------------
def test_wh_18_each_request_shows_what_is_left_of_the_exit() -> None:
    there = tuple(opened(server) for server in servers())
    status = look(leaving_pool(), servers=there, requests=(in_service(),))
    assert tasks(status) == {"Migrate": False, "BackUp": False, "HandOver": False, "TakeDown": False}
    assert status.exit is not None
    assert status.exit.open_requests == 1
    assert status.exit.requests[0].due == status.exit.transition_until


def test_wh_18_migrated_is_what_is_seen_to_run_elsewhere() -> None:
    name = request().metadata.model_copy(update={"name": "doc-approval-2", "uid": "other"})
    successor = in_service().model_copy(update={"metadata": name})
    status = look(leaving_pool(), requests=(in_service(),), elsewhere=(successor,))
    assert tasks(status)["Migrate"] is True
    starting = successor.model_copy(update={"status": CloudResourceRequestStatus(phase=RequestPhase.OPENING)})
    assert tasks(look(leaving_pool(), requests=(in_service(),), elsewhere=(starting,)))["Migrate"] is False


def test_wh_18_what_was_never_approved_has_nothing_to_migrate() -> None:
    refused = request().model_copy(update={"status": CloudResourceRequestStatus(phase=RequestPhase.REFUSED)})
    status = look(leaving_pool(exit=EXIT | {"plan": []}), requests=(refused,))
    assert status.exit is not None and status.exit.open_requests == 0
    held = look(leaving_pool(exit=EXIT | {"plan": []}), requests=(in_service(),))
    assert held.exit is not None and held.exit.open_requests == 1


def test_wh_18_backed_up_is_what_is_saved_after_nothing_writes_any_more() -> None:
    saved = tuple(backed_up(opened(server)) for server in servers())
    assert tasks(look(leaving_pool(), servers=saved, requests=(in_service(),)))["BackUp"] is False
    still = tuple(backed_up(leaving(server)) for server in servers())
    assert tasks(look(leaving_pool(), servers=still, requests=(in_service(),)))["BackUp"] is True


def test_wh_18_an_unapproved_exit_is_no_exit() -> None:
    status = look(leaving_pool(exit={"notice": EXIT["notice"]}))
    found = next(one for one in status.conditions if one.type == "Exit")
    assert (found.status, found.reason) == (ConditionStatus.FALSE, "NotApproved")
    assert "WH-18" in found.message


# -- closing -------------------------------------------------------------------------------------
def test_wh_18_an_empty_proven_pool_is_closed_once_for_all() -> None:
    status = look(leaving_pool("Closed"))
    assert closed(status) == (ConditionStatus.TRUE, "Proven")
    assert status.closed_at == NOW
    after = leaving_pool("Closed").model_copy(update={"status": status})
    later = look(after, machines=Unknown("Unreachable", "gone"), now=NOW + timedelta(days=9))
    assert (later.closed_at, closed(later)[0]) == (NOW, ConditionStatus.TRUE)


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"servers": tuple(opened(server) for server in servers())}, (ConditionStatus.FALSE, "NotHonoured")),
        ({"machines": ("gp-stranger",)}, (ConditionStatus.FALSE, "NotHonoured")),
        ({"machines": Unknown("Unreachable", "no")}, (ConditionStatus.UNKNOWN, "NotSeen")),
        # Gone and wiped, and no certificate says so.
        (
            {"servers": tuple(gone(opened(server)) for server in servers())},
            (ConditionStatus.FALSE, "NotHonoured"),
        ),
    ],
)
def test_a_pool_that_is_not_seen_empty_and_proven_is_not_closed(given: Any, told: Any) -> None:
    status = look(leaving_pool("Closed"), **given)
    assert closed(status) == told
    assert status.closed_at is None
    assert status.exit is not None
    assert status.exit.lacks


# -- a request in it -----------------------------------------------------------------------------
def test_wh_18_a_request_in_the_pool_shows_the_deadline_of_the_exit() -> None:
    there = tuple(opened(server) for server in servers())
    asked = in_service()
    known = leaving_pool().model_copy(
        update={"status": look(leaving_pool(), servers=there, requests=(asked,))}
    )
    decision = request_core.decide(observe(asked, pool=known, policy=policy(WH), servers=there))
    (status,) = [
        a.status
        for a in decision.actions
        if isinstance(a, WriteStatus) and isinstance(a.status, CloudResourceRequestStatus)
    ]
    (shown,) = [one for one in status.conditions if one.type == "ProviderExit"]
    assert (shown.status, shown.reason) == (ConditionStatus.TRUE, "Planned")
    assert known.status is not None
    assert known.status.exit is not None
    until = known.status.exit.transition_until
    assert [one.due for one in status.deadlines if one.article == "WH-18"] == [until]
    assert UID
    assert content().pool == known.metadata.name
