"""decide: whether this operator leads, may take the lead, or has to wait.

The record is a ``coordination.k8s.io/v1`` Lease. Times of other machines are never compared with own ones:
how long a lease has stood still is measured by the clock of whoever looks, from when it first saw that
version of it, as client-go does. Seconds are those of a clock that never goes back and goes on while the
machine sleeps.

Why no two act at once, whatever the clocks say: a holder acts until ``renew_deadline`` seconds after it
*sent* its last renewal that was stored. Everybody else first sees that renewal later than that, and then
waits ``duration`` seconds, which are more. Both clocks only have to run at about the same rate.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

LEASE_SECONDS = 15.0
"""Default of a lease's duration: client-go's."""


@dataclass(frozen=True, slots=True)
class Timing:
    """How long what lasts, seconds. Raises ValueError where a holder could outlast its lease."""

    duration: float = LEASE_SECONDS
    """Others wait so long after the last sign of life."""
    renew_deadline: float = LEASE_SECONDS * 2 / 3
    """A holder acts so long after it sent its last renewal."""
    retry: float = LEASE_SECONDS * 2 / 15
    """Between two looks, or two renewals."""

    def __post_init__(self) -> None:
        """Refuse what would let two act at once, or nobody for long."""
        if not 0 < self.retry < self.renew_deadline < self.duration:
            raise ValueError(
                f"retry {self.retry:g} s < renew deadline {self.renew_deadline:g} s"
                f" < lease {self.duration:g} s must hold"
            )

    @classmethod
    def of(cls, seconds: float) -> Timing:
        """The usual proportions for a lease of so many seconds."""
        return cls(seconds, seconds * 2 / 3, seconds * 2 / 15)


@dataclass(frozen=True, slots=True)
class LeaseRecord:
    """What a Lease says."""

    holder: str
    """Empty: it was released."""
    duration: float
    """Seconds that the holder asked for."""
    term: int
    """How often it was taken (``leaseTransitions``); grows with every change of hands."""
    uid: str = ""
    version: str = ""


@dataclass(frozen=True, slots=True)
class Sighting:
    """What was seen, and since when: ``record`` is None where there is no Lease."""

    record: LeaseRecord | None
    since: float
    """When this version of it was first seen here, seconds."""
    holder_gone: bool = False
    """The holder ran on this machine and is known to be dead."""


@dataclass(frozen=True, slots=True)
class Take:
    """Write this record: the lead is free."""

    record: LeaseRecord


@dataclass(frozen=True, slots=True)
class Renew:
    """Write the record once more: the lead is held."""

    record: LeaseRecord


@dataclass(frozen=True, slots=True)
class Wait:
    """Somebody else leads; the lease runs out at this time, if it is not renewed."""

    until: float
    holder: str


Step = Take | Renew | Wait


def decide(me: str, term: int | None, sighting: Sighting, now: float, timing: Timing) -> Step:
    """What to do about the Lease. ``term`` is the own term while one is held, None for a follower.

    A lease in the own name but of another term is not held: its process is another one's memory.
    """
    record = sighting.record
    if record is None:
        return Take(LeaseRecord(me, timing.duration, 1))
    if term is not None and record.holder == me and record.term == term:
        return Renew(replace(record, duration=timing.duration))
    if not record.holder or record.holder == me or sighting.holder_gone:
        return Take(_taken(record, me, timing))
    until = sighting.since + record.duration
    if now >= until:
        return Take(_taken(record, me, timing))
    return Wait(until, record.holder)


def seen(before: Sighting | None, record: LeaseRecord | None, now: float) -> Sighting:
    """The sighting after another look: what did not change has been seen since before."""
    if before is not None and before.record == record:
        return before
    return Sighting(record, now)


def released(record: LeaseRecord) -> LeaseRecord:
    """What a holder leaves behind: free for whoever comes first, under the same term."""
    return replace(record, holder="")


def _taken(record: LeaseRecord, me: str, timing: Timing) -> LeaseRecord:
    return replace(record, holder=me, duration=timing.duration, term=record.term + 1)
