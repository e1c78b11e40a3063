"""The audit trail (审计链): how a record is hashed, and whether a unit's chain of them is whole. Pure.

A record's hash is taken over the RFC 8785 form of its spec without ``hash``; the next one carries it. So one
record can't be altered, taken out or put in without the next one showing it, and the anchor, which is kept
elsewhere, shows what happens at the end.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from pydantic import JsonValue, ValidationError

from govpool.api.auditrecord import AuditRecord, AuditRecordSpec, record_name
from govpool.api.wipecertificate import GENESIS
from govpool.messages import Message, message
from govpool.rules.canonical import sha256_of

ANCHOR_KIND = "AuditAnchor"
"""Kind of the line of an export that holds a chain's anchor."""


class FaultKind(StrEnum):
    """What can be wrong with a record in its chain."""

    UNREADABLE = "Unreadable"
    FOREIGN = "Foreign"
    """It lies in another unit's namespace, or under a name that is not its sequence's."""
    ALTERED = "Altered"
    BROKEN_LINK = "BrokenLink"
    GAP = "Gap"
    FORK = "Fork"
    TWICE = "Twice"
    """The same thing about the same request is recorded twice."""
    CUT = "Cut"
    """The chain ends before its anchor."""
    ANCHOR = "Anchor"
    """The record that the anchor names is another one."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong, and with which record."""

    kind: FaultKind
    unit: str
    record: str
    """Name of the record, or of the one that is not there."""
    message: Message


@dataclass(frozen=True, slots=True)
class Anchor:
    """How far a unit's chain is known to reach, and the hash there."""

    sequence: int
    hash: str

    @property
    def text(self) -> str:
        """As it is kept: sequence and hash."""
        return f"{self.sequence} {self.hash}"

    @classmethod
    def read(cls, text: str) -> Anchor:
        """The anchor from its text. Raises ValueError for anything else."""
        sequence, _, digest = text.partition(" ")
        if not sequence.isdigit() or len(digest) != len(GENESIS):
            raise ValueError(f"no anchor: {text[:80]!r}")
        return cls(int(sequence), digest)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What was found about one unit's chain. It is whole when there is no fault."""

    unit: str
    records: int
    entries: int
    head: Anchor | None
    """Its last record."""
    anchor: Anchor | None
    """None when none was given: then nobody can see that the end was cut off."""
    faults: tuple[Fault, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether the chain is whole."""
        return not self.faults

    @property
    def unanchored(self) -> int:
        """Records after the anchor: just written, and anchored with the next ones."""
        if self.anchor is None or self.head is None:
            return 0
        return max(0, self.head.sequence - self.anchor.sequence)


def record_hash(spec: AuditRecordSpec) -> str:
    """SHA-256 of the RFC 8785 form of everything in the spec but ``hash``."""
    document = spec.model_dump(mode="json", by_alias=True, exclude_none=True)
    del document["hash"]
    return sha256_of(document)


def linked(draft: AuditRecordSpec, head: Anchor | None) -> AuditRecordSpec:
    """The draft as the record that follows the chain's head; None: as its first."""
    sequence, previous = (head.sequence + 1, head.hash) if head else (1, GENESIS)
    placed = draft.model_copy(update={"sequence": sequence, "previous_hash": previous})
    return placed.model_copy(update={"hash": record_hash(placed)})


def follows(spec: AuditRecordSpec, head: Anchor | None, digest: str) -> bool:
    """Whether the record, whose :func:`record_hash` is ``digest``, is what it says and links to the head."""
    sequence, previous = (head.sequence + 1, head.hash) if head else (1, GENESIS)
    return (spec.sequence, spec.previous_hash) == (sequence, previous) and spec.hash == digest


# -- a whole trail -------------------------------------------------------------------------------
def verify_trail(
    documents: Iterable[tuple[str, Mapping[str, JsonValue]]], anchors: Mapping[str, Anchor] | None
) -> list[Verdict]:
    """Judge every unit's chain; the records come as (source, Kubernetes object) in any order.

    ``anchors`` are those of the units that are judged; a unit that has an anchor and no record was emptied.
    None: there were none to be had, and what was cut off at an end can't be seen.
    """
    chains: dict[str, list[AuditRecord]] = defaultdict(list)
    unreadable: dict[str, list[Fault]] = defaultdict(list)
    for source, document in documents:
        try:
            record = AuditRecord.model_validate(document)
        except ValidationError as error:
            unit, name = _place(document, source)
            why = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors()[:4])
            told = message("audit.fault.unreadable", why=why)
            unreadable[unit].append(Fault(FaultKind.UNREADABLE, unit, name, told))
            continue
        chains[record.metadata.namespace].append(record)
    units = sorted({*chains, *unreadable, *(anchors or {})})
    return [
        _judge(unit, chains.get(unit, ()), (anchors or {}).get(unit), unreadable.get(unit, ()))
        for unit in units
    ]


def _judge(
    unit: str, records: Sequence[AuditRecord], anchor: Anchor | None, before: Sequence[Fault]
) -> Verdict:
    faults = [*before, *_misplaced(unit, records)]
    at: dict[int, list[AuditRecord]] = defaultdict(list)
    for record in records:
        at[record.spec.sequence].append(record)
    for record in records:
        if record.spec.hash != record_hash(record.spec):
            told = message("audit.fault.altered")
            faults.append(Fault(FaultKind.ALTERED, unit, record.metadata.name, told))
    last: AuditRecord | None = None
    for sequence in sorted(at):
        first, *rivals = sorted(at[sequence], key=lambda record: record.metadata.name)
        for rival in rivals:
            told = message("audit.fault.fork", sequence=sequence, other=first.metadata.name)
            faults.append(Fault(FaultKind.FORK, unit, rival.metadata.name, told))
        faults += _link(unit, first, last)
        last = first
    faults += _anchored(unit, at, last, anchor)
    faults += _twice(unit, records)
    head = Anchor(last.spec.sequence, last.spec.hash) if last else None
    entries = sum(len(record.spec.entries) for record in records)
    return Verdict(unit, len(records), entries, head, anchor, tuple(faults))


def _misplaced(unit: str, records: Iterable[AuditRecord]) -> Iterable[Fault]:
    for record in records:
        name, spec = record.metadata.name, record.spec
        if spec.unit != unit:
            told = message("audit.fault.other-unit", unit=spec.unit)
            yield Fault(FaultKind.FOREIGN, unit, name, told)
        if name != record_name(spec.sequence):
            told = message("audit.fault.other-name", name=record_name(spec.sequence))
            yield Fault(FaultKind.FOREIGN, unit, name, told)


def _link(unit: str, record: AuditRecord, last: AuditRecord | None) -> Iterable[Fault]:
    spec, name = record.spec, record.metadata.name
    missing_from = last.spec.sequence + 1 if last else 1
    if spec.sequence > missing_from:
        told = message("audit.fault.gap", first=missing_from, last=spec.sequence - 1)
        yield Fault(FaultKind.GAP, unit, record_name(missing_from), told)
        return
    previous = last.spec.hash if last else GENESIS
    if spec.previous_hash != previous:
        before = last.metadata.name if last else "-"
        told = message("audit.fault.broken-link", previous=spec.previous_hash[:12], before=before)
        yield Fault(FaultKind.BROKEN_LINK, unit, name, told)


def _anchored(
    unit: str, at: Mapping[int, Sequence[AuditRecord]], last: AuditRecord | None, anchor: Anchor | None
) -> Iterable[Fault]:
    if anchor is None:
        return
    reached = last.spec.sequence if last else 0
    if reached < anchor.sequence:
        told = message("audit.fault.cut", reached=reached, anchored=anchor.sequence)
        yield Fault(FaultKind.CUT, unit, record_name(reached + 1), told)
        return
    there = at.get(anchor.sequence, ())
    if there and all(record.spec.hash != anchor.hash for record in there):
        told = message("audit.fault.anchor", anchored=anchor.hash[:12], found=there[0].spec.hash[:12])
        yield Fault(FaultKind.ANCHOR, unit, record_name(anchor.sequence), told)


def _twice(unit: str, records: Iterable[AuditRecord]) -> Iterable[Fault]:
    seen: dict[tuple[str, str], tuple[str, datetime]] = {}
    for record in sorted(records, key=lambda r: (r.spec.sequence, r.metadata.name)):
        for entry in record.spec.entries:
            key, here = (record.spec.request.uid, entry.key), (record.metadata.name, entry.at)
            first = seen.setdefault(key, here)
            # At another time it happened again.
            if first[0] != here[0] and first[1] == here[1]:
                told = message("audit.fault.twice", what=entry.what, other=first[0])
                yield Fault(FaultKind.TWICE, unit, here[0], told)


def _place(document: Mapping[str, JsonValue], source: str) -> tuple[str, str]:
    metadata = document.get("metadata")
    if not isinstance(metadata, Mapping):
        return "-", source
    return str(metadata.get("namespace") or "-"), str(metadata.get("name") or source)
