"""AuditRecord (审计记录): what was decided about one request, as a link in its unit's chain."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import Field, StringConstraints

from govpool.api.base import (
    Column,
    Definition,
    Instant,
    Name,
    Resource,
    Rule,
    Scope,
    Sha256,
    ShortText,
    Title,
)
from govpool.api.wipecertificate import MAX_INTEGER, Signed, SignedRequest

MAX_ENTRIES = 32
"""Entries of one record; more become several records."""
MAX_INPUTS = 32
MAX_OTHERWISE = 8
RECORD_PREFIX = "audit-"


class Told(Signed):
    """A text in both languages, as it was told then: a later version of govpool may word it otherwise."""

    en: Annotated[str, StringConstraints(max_length=2048)]
    """English."""
    zh: Annotated[str, StringConstraints(max_length=2048)]
    """Chinese."""


class AuditInput(Signed):
    """Something that the rule looked at."""

    name: ShortText
    """What."""
    value: Annotated[str, StringConstraints(max_length=1024)]
    """Its value at that moment, with its unit."""


class AuditEntry(Signed):
    """One ruling: a decision by a rule or by a person, or something that a clock did."""

    key: Title
    """Deterministic within its request, so that the same thing is never recorded twice."""
    at: Instant
    """When it happened; when it was recorded stands in the record."""
    actor: Title
    """Who: a person, or govpool."""
    what: Title
    """What was decided or happened, in a word."""
    rule: ShortText = ""
    """The function that ruled: ``rules.change.classify``."""
    article: ShortText
    """Clause that it follows, with the policy's code: ``YY-19(2)``."""
    citation: Told
    """The clause in words, with the regulation's title."""
    inputs: Annotated[list[AuditInput], Field(max_length=MAX_INPUTS)] = []
    """What the rule looked at."""
    outcome: Told
    """What came of it."""
    otherwise: Annotated[list[Told], Field(max_length=MAX_OTHERWISE)] = []
    """What would have to be different for another outcome."""


class AuditRecordSpec(Signed):
    """A link of the chain. Immutable; sequence and hashes are given when it is written."""

    unit: Name
    """The unit's namespace: whose chain it belongs to."""
    sequence: Annotated[int, Field(ge=1, le=MAX_INTEGER)]
    """Place in that chain, from 1."""
    request: SignedRequest
    """The request that it is about. It may be gone by now."""
    system: Title
    """The information system's name."""
    revision: Annotated[int, Field(ge=0)]
    """The request's generation at that moment."""
    policy: Name
    """Name of the CloudPolicy that was in force for it."""
    recorded: Instant
    """When it was recorded."""
    entries: Annotated[list[AuditEntry], Field(min_length=1, max_length=MAX_ENTRIES)]
    """What was decided, oldest first."""
    previous_hash: Sha256
    """``hash`` of the previous record; zeros for the first."""
    hash: Sha256
    """SHA-256 of the RFC 8785 form of everything else in the spec."""

    RULES: ClassVar[tuple[Rule, ...]] = (Rule("self == oldSelf", "an audit record is immutable"),)


class AuditRecord(Resource):
    """What was decided about a request (审计记录); has no owner, and stays when the request is gone."""

    DEFINITION: ClassVar[Definition] = Definition(
        kind="AuditRecord",
        plural="auditrecords",
        singular="auditrecord",
        short_names=("audit",),
        scope=Scope.NAMESPACED,
        columns=(
            Column("Request", ".spec.request.name"),
            Column("Revision", ".spec.revision", type="integer"),
            Column("System", ".spec.system"),
            Column("Recorded", ".spec.recorded"),
            Column("Hash", ".spec.hash", priority=1),
        ),
        has_status=False,
    )
    spec: AuditRecordSpec


def record_name(sequence: int) -> str:
    """Name of the record at a place of its unit's chain: two writers can't both take it."""
    return f"{RECORD_PREFIX}{sequence:08d}"
