"""A restored request is only looked at: what counts as seen as in the backup, and what needs a person."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from lifecycle_builders import (
    NOW,
    gone,
    handed_over,
    leaving,
    look,
    machine,
    opened,
    pool_disks,
    request,
    revision,
    servers,
    updated,
    with_status,
)
from lifecycle_builders import observe as observed_request

from govpool.api.cloudresourcerequest import (
    CloudResourceRequest,
    CloudResourceRequestStatus,
    DesiredState,
    RequestPhase,
)
from govpool.api.cloudserver import CloudServer, Desired
from govpool.api.origin import RequestOrigin
from govpool.lifecycle import restored, server
from govpool.lifecycle.actions import WriteStatus
from govpool.lifecycle.observation import SeenInPool
from govpool_providers.base import DiskState, Machine, MachineState, Size

APP = handed_over(servers()[0])
NEW = servers()[0]
DISKS = pool_disks(APP)
BEFORE = NOW - timedelta(days=1)
OTHER = replace(machine(APP).owner, request_uid="another")


def origin(**more: Any) -> RequestOrigin:
    facts = {"uid": "u", "created": BEFORE, "generation": 2, "taken": BEFORE, "restored": NOW}
    return RequestOrigin(**(facts | more))


def back(**more: Any) -> CloudResourceRequest:
    """The example, restored and in service."""
    base = request()
    facts: dict[str, Any] = {"phase": RequestPhase.IN_SERVICE, "approved": revision(base), "origin": origin()}
    return with_status(base, CloudResourceRequestStatus(**(facts | more)))


def reason(of: CloudServer, seen: Machine | None, disks: Any = DISKS, **more: Any) -> str:
    observation = look(of, seen, disks, of=back(**more))
    assert isinstance(observation.seen, SeenInPool)
    found = restored.difference(observation, observation.seen)
    return found[0] if found else "AsInBackup"


@pytest.mark.parametrize(
    "of, seen, disks, wanted",
    [
        (APP, machine(APP), DISKS, "AsInBackup"),
        (APP, machine(APP, MachineState.STOPPED), DISKS, "AsInBackup"),
        (NEW, machine(NEW, MachineState.BUILDING), (), "AsInBackup"),
        (APP, None, (), "MachineAbsent"),
        (APP, None, pool_disks(APP, DiskState.DETACHED), "MachineAbsent"),
        (NEW, None, (), "MachineAbsent"),
        (APP, machine(APP, size=Size(64, 64)), DISKS, "Differs"),
        (APP, machine(APP, MachineState.ERROR), DISKS, "Differs"),
        (APP, machine(APP, isolated=True), DISKS, "Differs"),
        (APP, machine(APP, owner=OTHER), DISKS, "Differs"),
        (updated(APP, provider_id="m-0"), machine(APP), DISKS, "Differs"),
        (APP, machine(APP), DISKS[:1], "Differs"),
        (updated(APP, switched_off=True), machine(APP, MachineState.STOPPED), DISKS, "Differs"),
        (APP, machine(APP, owner=replace(OTHER, request_uid="x", revision=3)), DISKS, "AheadOfBackup"),
        (leaving(APP), machine(APP), DISKS, "WasLeaving"),
        (leaving(APP), None, pool_disks(APP, DiskState.DETACHED), "WasLeaving"),
        (leaving(APP, desired=Desired.GONE), None, (), "WasLeaving"),
    ],
)
def test_what_the_pool_has_is_compared_with_the_backup(
    of: CloudServer, seen: Machine | None, disks: Any, wanted: str
) -> None:
    assert reason(of, seen, disks) == wanted


def test_a_disk_key_with_a_later_owner_is_never_wiped_for_the_older_backup() -> None:
    """The key of a disk that was being wiped may hold another server's data by now."""
    later = machine(APP, owner=replace(machine(APP).owner, revision=9))
    decision = server.decide(look(leaving(APP, desired=Desired.GONE), later, DISKS, of=back()))
    assert all(isinstance(action, WriteStatus) for action in decision.actions)


def test_what_was_approved_after_the_restore_may_be_made() -> None:
    approved = back().status.approved  # type: ignore[union-attr]
    assert approved is not None
    after = approved.model_copy(update={"at": NOW + timedelta(hours=1)})
    assert reason(NEW, None, (), approved=after) == "AsInBackup"
    assert reason(opened(NEW), None, (), approved=after) == "MachineAbsent", "it was there: it is lost"


@pytest.mark.parametrize("of", [APP, NEW, leaving(APP), leaving(APP, desired=Desired.GONE)])
@pytest.mark.parametrize("seen", [None, machine(APP), machine(APP, size=Size(9, 9))])
def test_nothing_is_asked_of_the_pool_before_adoption(of: CloudServer, seen: Machine | None) -> None:
    decision = server.decide(look(of, seen, DISKS, of=back()))
    assert all(isinstance(action, WriteStatus) for action in decision.actions)
    assert decision.look_again == NOW + server.RESYNC


def told(*of: CloudServer, **more: Any) -> str:
    found = observed_request(back(**more), servers=of)
    status = found.request.status
    assert status is not None
    against = restored.obstacle(found, status)
    after = restored.considered(found, status).origin
    assert after is not None
    assert (after.adopted is not None) is (against is None)
    return against[0] if against else restored.ADOPTED


def judged(of: CloudServer, seen: Machine | None) -> CloudServer:
    observation = look(of, seen, pool_disks(of), of=back())
    assert isinstance(observation.seen, SeenInPool)
    return updated(of, conditions=[restored.server_condition(observation, observation.seen)])


def test_a_request_is_adopted_once_every_server_was_seen() -> None:
    app, db = (handed_over(one) for one in servers())
    good, other = judged(app, machine(app)), judged(db, machine(db))
    assert told(good, other) == "Adopted"
    assert told(good, db) == "ServersDiffer", "one was not looked at yet"
    assert told(good, judged(db, None)) == "ServersDiffer"
    assert told(good) == "ServersMissing"
    assert told(approved=None) == "NothingInForce"


def test_what_was_leaving_needs_a_person() -> None:
    app, db = (handed_over(one) for one in servers())
    seen = (judged(app, machine(app)), judged(db, machine(db)))
    ends = back().status.approved  # type: ignore[union-attr]
    assert ends is not None
    content = ends.content.model_copy(update={"state": DesiredState.DEREGISTERED})
    ending = ends.model_copy(update={"content": content})
    assert told(*seen, approved=ending, phase=RequestPhase.DEREGISTERING) == "WasLeaving"
    assert told(*seen, gone(app)) == "WasLeaving", "its certificate may be lost"
