"""The audit trail's chain: whatever is done to it is seen, and named with its record."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from govpool.api.auditrecord import AuditEntry, AuditRecord, AuditRecordSpec, Told, record_name
from govpool.api.base import ObjectMeta
from govpool.api.wipecertificate import GENESIS, SignedRequest
from govpool.rules.audit_chain import Anchor, FaultKind, Verdict, follows, linked, record_hash, verify_trail

NOW = datetime(2026, 3, 2, 8, tzinfo=UTC)
UNIT = "bureau"
Obj = dict[str, Any]
SAID = Told(en="It was decided.", zh="已决定。")


def entry(key: str) -> AuditEntry:
    return AuditEntry(
        key=key, at=NOW, actor="govpool", what=key, article="YY-19(2)", citation=SAID, outcome=SAID
    )


def spec(*keys: str, unit: str = UNIT, uid: str = "u1", minutes: int = 0) -> AuditRecordSpec:
    return AuditRecordSpec(
        unit=unit,
        sequence=1,
        request=SignedRequest(name="approvals", uid=uid),
        system="Document approval",
        revision=1,
        policy="lakeside-2025",
        recorded=NOW + timedelta(minutes=minutes),
        entries=[entry(key) for key in keys],
        previous_hash=GENESIS,
        hash=GENESIS,
    )


def chain(count: int, unit: str = UNIT) -> list[Obj]:
    """Records as they are exported."""
    head: Anchor | None = None
    made = []
    for number in range(count):
        placed = linked(spec(f"k{number}", unit=unit, minutes=number), head)
        head = Anchor(placed.sequence, placed.hash)
        made.append(document(placed))
    return made


def document(placed: AuditRecordSpec) -> Obj:
    meta = ObjectMeta(name=record_name(placed.sequence), namespace=placed.unit)
    record = AuditRecord(kind="AuditRecord", metadata=meta, spec=placed)
    return json.loads(record.model_dump_json(by_alias=True, exclude_none=True))


def judged(documents: list[Obj], anchor: Anchor | None = None, unit: str = UNIT) -> Verdict:
    named = [(str(number), one) for number, one in enumerate(documents)]
    (verdict,) = verify_trail(named, {unit: anchor} if anchor else None)
    return verdict


def anchor_of(documents: list[Obj]) -> Anchor:
    last = documents[-1]["spec"]
    return Anchor(last["sequence"], last["hash"])


def faults(verdict: Verdict) -> set[tuple[FaultKind, str]]:
    return {(fault.kind, fault.record) for fault in verdict.faults}


def test_an_untouched_chain_is_whole() -> None:
    made = chain(5)
    verdict = judged(made, anchor_of(made))
    assert verdict.ok
    assert (verdict.records, verdict.entries, verdict.unanchored) == (5, 5, 0)
    assert verdict.head == anchor_of(made)


def test_records_after_the_anchor_are_counted() -> None:
    made = chain(5)
    verdict = judged(made, anchor_of(made[:3]))
    assert verdict.ok
    assert verdict.unanchored == 2


def test_without_an_anchor_nothing_is_said_about_the_end() -> None:
    assert judged(chain(3)).anchor is None


def altered(made: list[Obj]) -> list[Obj]:
    made[1]["spec"]["entries"][0]["actor"] = "somebody"
    return made


def rehashed(made: list[Obj]) -> list[Obj]:
    """Whoever alters a record gives it the hash of what it says now."""
    changed = AuditRecord.model_validate(altered(made)[1]).spec
    made[1]["spec"]["hash"] = record_hash(changed)
    return made


def relinked(made: list[Obj]) -> list[Obj]:
    """... and writes everything after it anew."""
    rehashed(made)
    for before, after in pairwise(made[1:]):
        after["spec"]["previousHash"] = before["spec"]["hash"]
        after["spec"]["hash"] = record_hash(AuditRecord.model_validate(after).spec)
    return made


def without(made: list[Obj]) -> list[Obj]:
    return [*made[:1], *made[2:]]


def cut(made: list[Obj]) -> list[Obj]:
    return made[:3]


def emptied(_: list[Obj]) -> list[Obj]:
    return []


def headless(made: list[Obj]) -> list[Obj]:
    return made[1:]


def inserted(made: list[Obj]) -> list[Obj]:
    foreign = json.loads(json.dumps(made[1]))
    foreign["metadata"]["name"] = "audit-extra"
    foreign["spec"]["system"] = "Another system"
    foreign["spec"]["hash"] = record_hash(AuditRecord.model_validate(foreign).spec)
    return [*made, foreign]


def moved(made: list[Obj]) -> list[Obj]:
    other = chain(5, "another-unit")[4]
    other["metadata"]["namespace"] = UNIT
    return [*made[:4], other]


def swapped(made: list[Obj]) -> list[Obj]:
    made[1]["spec"], made[2]["spec"] = made[2]["spec"], made[1]["spec"]
    return made


def unreadable(made: list[Obj]) -> list[Obj]:
    del made[1]["spec"]["entries"]
    return made


@pytest.mark.parametrize(
    ("done", "found"),
    [
        (altered, {(FaultKind.ALTERED, record_name(2))}),
        (rehashed, {(FaultKind.BROKEN_LINK, record_name(3))}),
        (relinked, {(FaultKind.ANCHOR, record_name(5))}),
        (without, {(FaultKind.GAP, record_name(2))}),
        (cut, {(FaultKind.CUT, record_name(4))}),
        (emptied, {(FaultKind.CUT, record_name(1))}),
        (headless, {(FaultKind.GAP, record_name(1))}),
        (inserted, {(FaultKind.FOREIGN, "audit-extra"), (FaultKind.FORK, "audit-extra")}),
        (moved, {(FaultKind.FOREIGN, record_name(5)), (FaultKind.BROKEN_LINK, record_name(5))}),
        (swapped, {(FaultKind.FOREIGN, record_name(2)), (FaultKind.FOREIGN, record_name(3))}),
        (unreadable, {(FaultKind.UNREADABLE, record_name(2)), (FaultKind.GAP, record_name(2))}),
    ],
)
def test_what_was_done_to_it_is_named_with_the_record(
    done: Callable[[list[Obj]], list[Obj]], found: set[tuple[FaultKind, str]]
) -> None:
    made = chain(5)
    anchor = anchor_of(made)
    verdict = judged(done(made), anchor)
    assert found <= faults(verdict)
    for fault in verdict.faults:
        assert fault.unit == UNIT
        assert fault.message.render("en") and fault.message.render("zh")


def test_a_wrong_anchor_is_named() -> None:
    verdict = judged(chain(3), Anchor(3, "f" * 64))
    assert faults(verdict) == {(FaultKind.ANCHOR, record_name(3))}


def test_the_same_decision_recorded_twice_is_named() -> None:
    first = linked(spec("k0"), None)
    second = linked(spec("k0", minutes=5), Anchor(1, first.hash))
    verdict = judged([document(first), document(second)])
    assert faults(verdict) == {(FaultKind.TWICE, record_name(2))}


def test_the_same_key_of_a_request_made_again_is_another_decision() -> None:
    first = linked(spec("k0"), None)
    second = linked(spec("k0", uid="u2"), Anchor(1, first.hash))
    assert judged([document(first), document(second)]).ok


def test_every_unit_has_its_own_verdict() -> None:
    documents = [("f", one) for one in (*chain(2), *chain(3, "other"))]
    found = verify_trail(documents, {"gone": Anchor(1, "a" * 64)})
    assert [(v.unit, v.ok) for v in found] == [(UNIT, True), ("gone", False), ("other", True)]


@given(st.integers(0, 4), st.data())
def test_any_change_of_any_value_is_seen(number: int, data: st.DataObject) -> None:
    made = chain(5)
    anchor = anchor_of(made)
    places = list(leaves(made[number]["spec"]))
    path = data.draw(st.sampled_from(places))
    target: Any = made[number]["spec"]
    for step in path[:-1]:
        target = target[step]
    value = target[path[-1]]
    target[path[-1]] = value + 1 if isinstance(value, int) else other(str(value))
    assert not judged(made, anchor).ok


def leaves(value: Any, path: tuple[Any, ...] = ()) -> Any:
    if isinstance(value, dict):
        for key, item in value.items():
            yield from leaves(item, (*path, key))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from leaves(item, (*path, index))
    else:
        yield path


def other(text: str) -> str:
    if len(text) == 64:
        return ("0" if text[0] != "0" else "1") + text[1:]
    if text.startswith("2026-"):
        return "2025" + text[4:]
    return f"{text}x" if text != UNIT else "bureaux"


def test_a_link_follows_only_its_own_head() -> None:
    first = linked(spec("a"), None)
    second = linked(spec("b"), Anchor(1, first.hash))
    assert follows(first, None, record_hash(first))
    assert follows(second, Anchor(1, first.hash), record_hash(second))
    assert not follows(second, None, record_hash(second))
    assert not follows(second, Anchor(1, "a" * 64), record_hash(second))
    altered = second.model_copy(update={"revision": 9})
    assert not follows(altered, Anchor(1, first.hash), record_hash(altered))


@pytest.mark.parametrize("text", ["", "3", "x " + "a" * 64, "3 short", "-1 " + "a" * 64])
def test_what_is_no_anchor_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="no anchor"):
        Anchor.read(text)


def test_an_anchor_reads_back_as_it_was_written() -> None:
    assert Anchor.read(Anchor(12, "a" * 64).text) == Anchor(12, "a" * 64)
