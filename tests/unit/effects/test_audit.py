"""Writing the audit trail: whoever dies at whichever write, nothing is lost and nothing comes twice."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from datetime import timedelta

import pytest
from effects_ground import NAMESPACE, NOW, OWN, UID, HandClock, Plane, nth, request_of

from govpool.api.auditrecord import MAX_ENTRIES, AuditEntry, AuditRecord, Told
from govpool.api.base import FINALIZER, REQUEST_LABEL
from govpool.api.cloudresourcerequest import CloudResourceRequest, CloudResourceRequestStatus, Happening
from govpool.effects import audit
from govpool.effects.apply import Applier, Feedback
from govpool.effects.audit import ANCHOR_EVERY, ANCHORS, Trail, read_anchors
from govpool.effects.dependents import AUDIT
from govpool.effects.kube import KubeError
from govpool.effects.store import Store
from govpool.lifecycle.actions import Record, WriteStatus
from govpool.rules.audit_chain import Anchor, FaultKind, record_hash, verify_trail
from govpool.standalone.faults import Fault, FaultRequest
from govpool.standalone.faults import FaultKind as ApiFault

REQUEST = request_of()


def entry(key: str, minutes: int = 0) -> AuditEntry:
    said = Told(en="It was decided.", zh="已决定。")
    at = NOW + timedelta(minutes=minutes)
    return AuditEntry(
        key=key, at=at, actor="govpool", what="x", article="YY-19(2)", citation=said, outcome=said
    )


def record(*keys: str, request: CloudResourceRequest = REQUEST) -> Record:
    return Record(request, "yiyang-2025", NOW, tuple(entry(key) for key in keys))


def telling(request: CloudResourceRequest, *keys: str) -> CloudResourceRequestStatus:
    """A status whose story tells these."""
    before = request.status.history if request.status else []
    new = [Happening(at=NOW, actor="govpool", what="x", article="YY-19(2)", key=key) for key in keys]
    return CloudResourceRequestStatus(history=[*before, *new])


class Hand:
    """An operator's hands: a store, a trail, an applier; a new one knows nothing of what it did before."""

    def __init__(self, plane: Plane, *requests: CloudResourceRequest) -> None:
        self.clock, self.store, self.woken = HandClock(), Store(), []
        for request in requests:
            self.store.put(request)
        feedback = Feedback(self.woken.append, self.store.put, self.store.drop)
        self.applier = Applier(plane.kube, self.store, self.clock, feedback)

    @property
    def trail(self) -> Trail:
        return self.applier.trail

    async def anchor(self) -> None:
        """As the queue does it, when it is time."""
        if (again := await self.trail.anchor()) is not None:
            self.clock.move(again - self.clock.now())
            await self.trail.anchor()

    async def persistently(self, action: Record) -> None:
        while True:
            try:
                return await self.trail.append(action)
            except KubeError as error:
                assert error.passing or error.conflict, error


async def records(plane: Plane) -> list[AuditRecord]:
    return sorted(await plane.admin.list(AuditRecord), key=lambda one: one.metadata.name)


async def anchors(plane: Plane) -> dict[str, Anchor]:
    return read_anchors(await plane.admin.core_get("configmaps", OWN, ANCHORS))


async def whole(plane: Plane, *keys: str) -> None:
    """The chain holds, with its anchor, and records these keys, each once."""
    found = await records(plane)
    documents = [(r.metadata.name, r.model_dump(mode="json", by_alias=True)) for r in found]
    verdicts = verify_trail(documents, await anchors(plane))
    assert [verdict.faults for verdict in verdicts if not verdict.ok] == []
    assert sorted(e.key for r in found for e in r.spec.entries) == sorted(keys)
    for one in found:
        assert one.metadata.labels[REQUEST_LABEL] == one.spec.request.uid
        assert one.metadata.owner_references == () and one.metadata.finalizers == ()


async def stored(plane: Plane, name: str = "doc-approval") -> CloudResourceRequest:
    """A request that the API server knows."""
    return await plane.admin.create(request_of(name, ""))


# -- appending -----------------------------------------------------------------------------------
async def test_each_record_follows_the_one_before(plane: Plane) -> None:
    hand = Hand(plane)
    for number in range(3):
        await hand.trail.append(record(f"k{number}"))
    await whole(plane, "k0", "k1", "k2")
    names = [one.metadata.name for one in await records(plane)]
    assert names == ["audit-00000001", "audit-00000002", "audit-00000003"]


async def test_a_batch_is_one_write(plane: Plane) -> None:
    hand = Hand(plane)
    await hand.trail.append(record("a"))
    plane.seen.clear()
    await hand.trail.append(record("b", "c", "d"))
    assert [(r.method, r.path.rpartition("/")[2]) for r in plane.seen] == [("POST", "auditrecords")]
    await whole(plane, "a", "b", "c", "d")


async def test_more_than_a_record_holds_becomes_several(plane: Plane) -> None:
    keys = [f"k{number:03d}" for number in range(MAX_ENTRIES + 3)]
    await Hand(plane).trail.append(record(*keys))
    assert [len(one.spec.entries) for one in await records(plane)] == [MAX_ENTRIES, 3]
    await whole(plane, *keys)


async def test_what_is_recorded_is_not_recorded_again(plane: Plane) -> None:
    hand = Hand(plane)
    await hand.trail.append(record("a", "b"))
    plane.seen.clear()
    await hand.trail.append(record("a", "b"))
    assert plane.writes() == []
    await hand.trail.append(record("b", "c"))
    await whole(plane, "a", "b", "c")


async def test_requests_of_a_unit_share_its_chain(plane: Plane) -> None:
    hand, other = Hand(plane), request_of("other", "uid-of-the-other")
    await asyncio.gather(
        *(hand.trail.append(record(f"k{n}", request=(REQUEST, other)[n % 2])) for n in range(8))
    )
    assert len(await records(plane)) == 8
    # The same thing about another request is another thing.
    await hand.trail.append(record("k0", request=other))
    assert len(await records(plane)) == 9


async def test_two_operators_at_once_write_one_chain(plane: Plane) -> None:
    one, two = Hand(plane), Hand(plane)
    for number in range(6):
        await asyncio.gather(
            one.persistently(record(f"k{number}")), two.persistently(record(f"k{number}", f"m{number}"))
        )
    await whole(plane, *(f"{letter}{number}" for number in range(6) for letter in "km"))


@pytest.mark.parametrize("kind", [ApiFault.DROP_BEFORE, ApiFault.DROP_AFTER])
async def test_a_lost_answer_loses_nothing_and_doubles_nothing(plane: Plane, kind: ApiFault) -> None:
    hand = Hand(plane)
    await hand.trail.append(record("a"))
    plane.fault = nth(1, kind)
    await hand.persistently(record("b"))
    plane.fault = lambda _: None
    await hand.persistently(record("c"))
    await whole(plane, "a", "b", "c")


# -- deaths --------------------------------------------------------------------------------------
async def test_killed_between_record_and_status(plane: Plane) -> None:
    request = await stored(plane)
    await Hand(plane, request).trail.append(record("a", "b", request=request))
    after = Hand(plane, request)
    await after.applier.apply(
        (record("a", "b", request=request), WriteStatus(request, telling(request, "a", "b")))
    )
    await after.anchor()
    await whole(plane, "a", "b")
    assert (await anchors(plane))[NAMESPACE].sequence == 1


async def test_killed_between_status_and_anchor(plane: Plane) -> None:
    request = await stored(plane)
    first = Hand(plane, request)
    await first.applier.apply((record("a", request=request), WriteStatus(request, telling(request, "a"))))
    assert first.woken == [AUDIT]
    assert await anchors(plane) == {}
    after = Hand(plane, await plane.admin.get(CloudResourceRequest, "doc-approval", NAMESPACE))
    await after.anchor()
    assert (await anchors(plane))[NAMESPACE].sequence == 1
    await whole(plane, "a")


async def test_the_anchor_does_not_pass_what_no_status_tells(plane: Plane) -> None:
    request, other = await stored(plane), await stored(plane, "other")
    hand = Hand(plane, request, other)
    await hand.trail.append(record("a", request=request))
    await hand.applier.apply((record("b", request=other), WriteStatus(other, telling(other, "b"))))
    await hand.anchor()
    assert await anchors(plane) == {}
    # Whoever starts now still knows that "a" is recorded.
    late = Hand(plane, request, await plane.admin.get(CloudResourceRequest, "other", NAMESPACE))
    await late.trail.append(record("a", "c", request=request))
    await whole(plane, "a", "b", "c")


async def test_what_was_recorded_and_is_not_told_after_all_holds_up_no_anchor(plane: Plane) -> None:
    """The status write met a conflict, and by the next look the thing was over."""
    request = await stored(plane)
    hand = Hand(plane, request)
    await hand.trail.append(record("overdue", request=request))
    await hand.applier.apply((WriteStatus(request, telling(request, "decided")),))
    await hand.anchor()
    assert (await anchors(plane))[NAMESPACE].sequence == 1
    await hand.trail.append(record("overdue", request=request))
    await whole(plane, "overdue")


async def test_the_last_ruling_counts_once_the_request_is_gone(plane: Plane) -> None:
    request = await stored(plane)
    hand = Hand(plane, request)
    await hand.trail.append(record("let-go", request=request))
    await hand.anchor()
    assert await anchors(plane) == {}
    await plane.admin.delete(request)
    hand.store.drop(request)
    hand.clock.move(ANCHOR_EVERY)
    await hand.anchor()
    await whole(plane, "let-go")
    assert (await anchors(plane))[NAMESPACE].sequence == 1


async def test_a_request_made_again_under_its_name_has_its_own_entries(plane: Plane) -> None:
    hand = Hand(plane)
    await hand.trail.append(record("classified/1"))
    await hand.trail.append(record("classified/1", request=request_of("doc-approval", "another-uid")))
    assert len(await records(plane)) == 2


@pytest.mark.parametrize("write", [1, 2, 3, 4])
@pytest.mark.parametrize("kind", [ApiFault.DROP_BEFORE, ApiFault.DROP_AFTER])
async def test_a_death_at_any_write_is_made_good_by_the_next(
    plane: Plane, kind: ApiFault, write: int
) -> None:
    """The writes: record, status, anchor of the first; then the record of the second."""
    request = await stored(plane)
    plane.fault = nth(write, kind)
    with contextlib.suppress(KubeError):
        await _twice(Hand(plane, request), request)
    assert len(plane.writes()) >= write
    plane.fault = lambda _: None
    newest = await plane.admin.get(CloudResourceRequest, "doc-approval", NAMESPACE)
    after = Hand(plane, newest)
    await _twice(after, newest)
    await whole(plane, "a", "b")
    assert (await anchors(plane))[NAMESPACE].sequence == 2


async def _twice(hand: Hand, request: CloudResourceRequest) -> None:
    """What an operator does for two rulings: it decides from what the status tells."""
    for key in ("a", "b"):
        known = hand.store.get(CloudResourceRequest, "doc-approval", NAMESPACE)
        assert known is not None
        if key not in {item.key for item in (known.status.history if known.status else [])}:
            actions = (record(key, request=known), WriteStatus(known, telling(known, key)))
            await hand.applier.apply(actions)
        hand.clock.move(ANCHOR_EVERY)
        await hand.anchor()


# -- API faults ----------------------------------------------------------------------------------
@pytest.mark.parametrize("status", [409, 500, 503])
async def test_an_error_of_the_api_server_is_met_again(plane: Plane, status: int) -> None:
    hand = Hand(plane)
    await hand.trail.append(record("a"))
    plane.fault = refusing(status, "auditrecords")
    if status == 503:
        await hand.trail.append(record("b"))
    else:
        with pytest.raises(KubeError):
            await hand.trail.append(record("b"))
        await hand.trail.append(record("b"))
    await whole(plane, "a", "b")


async def test_a_conflict_on_the_anchors_is_met_again(plane: Plane) -> None:
    request = await stored(plane)
    one, two = Hand(plane, request), Hand(plane, request)
    await one.applier.apply((record("a", request=request), WriteStatus(request, telling(request, "a"))))
    newest = await plane.admin.get(CloudResourceRequest, "doc-approval", NAMESPACE)
    two.store.put(newest)
    await one.anchor()
    await two.applier.apply((record("b", request=newest), WriteStatus(newest, telling(newest, "b"))))
    await two.anchor()
    assert (await anchors(plane))[NAMESPACE].sequence == 2
    # The first knows less and takes nothing back.
    one.clock.move(ANCHOR_EVERY)
    await one.trail.append(record("b", request=newest))
    await one.anchor()
    assert (await anchors(plane))[NAMESPACE].sequence == 2
    await whole(plane, "a", "b")


def refusing(status: int, what: str) -> Callable[[FaultRequest], Fault | None]:
    """The first write of it gets this answer."""
    told: list[int] = []

    def judge(request: FaultRequest) -> Fault | None:
        if request.method == "GET" or what not in request.path or told:
            return None
        told.append(status)
        return Fault(ApiFault.STATUS, status)

    return judge


# -- what others do to it ------------------------------------------------------------------------
async def test_a_chain_goes_on_behind_what_does_not_belong_there_and_the_break_stays_seen(
    plane: Plane,
) -> None:
    hand = Hand(plane)
    await hand.trail.append(record("a"))
    foreign = (await records(plane))[0]
    spec = foreign.spec.model_copy(update={"sequence": 2, "system": "Somebody else's"})
    meta = foreign.metadata.model_copy(update={"name": "audit-00000002", "uid": "", "resource_version": ""})
    await plane.admin.create(foreign.model_copy(update={"spec": spec, "metadata": meta}))
    await hand.trail.append(record("b"))
    found = await records(plane)
    assert [one.metadata.name for one in found][-1] == "audit-00000003"
    documents = [(r.metadata.name, r.model_dump(mode="json", by_alias=True)) for r in found]
    (verdict,) = verify_trail(documents, None)
    assert {(fault.kind, fault.record) for fault in verdict.faults} >= {(FaultKind.ALTERED, "audit-00000002")}


async def test_without_its_anchors_the_whole_trail_is_read_again(plane: Plane) -> None:
    request = await stored(plane)
    hand = Hand(plane, request)
    await hand.applier.apply((record("a", request=request), WriteStatus(request, telling(request, "a"))))
    await hand.anchor()
    await plane.admin.core_delete("configmaps", OWN, ANCHORS)
    newest = await plane.admin.get(CloudResourceRequest, "doc-approval", NAMESPACE)
    after = Hand(plane, newest)
    await after.trail.append(record("b", request=newest))
    await after.applier.apply((WriteStatus(newest, telling(newest, "b")),))
    await after.anchor()
    await whole(plane, "a", "b")
    assert (await anchors(plane))[NAMESPACE].sequence == 2


async def test_a_start_reads_no_more_than_lies_behind_the_anchor(plane: Plane) -> None:
    request = await stored(plane)
    hand = Hand(plane, request)
    keys = [f"k{number}" for number in range(12)]
    for key in keys:
        known = hand.store.get(CloudResourceRequest, "doc-approval", NAMESPACE)
        assert known is not None
        await hand.applier.apply((record(key, request=known), WriteStatus(known, telling(known, key))))
    await hand.anchor()
    newest = await plane.admin.get(CloudResourceRequest, "doc-approval", NAMESPACE)
    after = Hand(plane, newest)
    plane.seen.clear()
    await after.trail.append(record("new", request=newest))
    read = [r.path.rpartition("/")[2] for r in plane.seen if r.method == "GET"]
    assert read == [ANCHORS, "audit-00000013"]
    await whole(plane, *keys, "new")


async def test_the_first_record_of_another_unit_may_come_while_anchors_are_written(plane: Plane) -> None:
    request, fresh = await stored(plane), request_of("doc-approval", "")
    await plane.admin.ensure_namespace("another-unit")
    elsewhere = fresh.metadata.model_copy(update={"namespace": "another-unit"})
    other = await plane.admin.create(fresh.model_copy(update={"metadata": elsewhere}))
    hand = Hand(plane, request)
    await hand.applier.apply((record("one", request=request), WriteStatus(request, telling(request, "one"))))
    await hand.anchor()
    await hand.applier.apply((record("more", request=request),))
    hand.clock.move(ANCHOR_EVERY)
    hand.woken.clear()
    async with hand.trail._writing[NAMESPACE]:
        anchoring = asyncio.create_task(hand.trail.anchor())
        await hand.applier.apply((record("two", request=other),))
        assert not anchoring.done()
    await asyncio.wait_for(anchoring, 20)
    assert hand.woken == [AUDIT]


async def test_a_start_reads_the_anchors_once_for_all_units(plane: Plane) -> None:
    requests = []
    for number in range(4):
        await plane.admin.ensure_namespace(f"unit-{number}")
        there = request_of("doc-approval", "").metadata.model_copy(update={"namespace": f"unit-{number}"})
        requests.append(
            await plane.admin.create(request_of("doc-approval", "").model_copy(update={"metadata": there}))
        )
    hand = Hand(plane, *requests)
    for request in requests:
        told_of = telling(request, "one")
        await hand.applier.apply((record("one", request=request), WriteStatus(request, told_of)))
    await hand.anchor()
    asked = len(plane.seen)
    await Hand(plane, *requests).anchor()
    assert [r.verb for r in plane.seen[asked:] if r.resource == "configmaps"] == ["get"]
    assert {unit: anchor.sequence for unit, anchor in (await anchors(plane)).items()} == {
        f"unit-{number}": 1 for number in range(4)
    }


async def test_many_records_share_one_write_of_the_anchors(plane: Plane) -> None:
    request = await stored(plane)
    hand = Hand(plane, request)
    for number in range(10):
        known = hand.store.get(CloudResourceRequest, "doc-approval", NAMESPACE)
        assert known is not None
        actions = (record(f"k{number}", request=known), WriteStatus(known, telling(known, f"k{number}")))
        await hand.applier.apply(actions)
        again = await hand.trail.anchor()
        assert again == (None if number == 0 else NOW + ANCHOR_EVERY)
    assert len([r for r in plane.writes() if "configmaps" in r.path]) == 1
    hand.clock.move(ANCHOR_EVERY)
    assert await hand.trail.anchor() is None
    assert (await anchors(plane))[NAMESPACE].sequence == 10


def test_an_anchor_that_is_none_counts_as_none() -> None:
    good = Anchor(3, "a" * 64)
    assert read_anchors({"data": {"a": good.text, "b": "3 short", "c": "x " + "a" * 64}}) == {"a": good}


async def test_the_hash_is_that_of_what_the_api_server_gives_back(plane: Plane) -> None:
    """Whatever an API server does to a number, a time or an empty list: the hash still holds."""
    await Hand(plane).trail.append(record("a", "b"))
    (found,) = await records(plane)
    assert found.spec.hash == record_hash(found.spec)
    assert found.spec.request.uid == UID
    assert audit.ANCHORS == "audit-anchors"
    assert FINALIZER not in found.metadata.finalizers
