"""WorkOrder (工单): one thing that is done, by whom, for which article, with its evidence."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, ClassVar

from pydantic import Field, StringConstraints

from govpool.api.approval import RequestReference
from govpool.api.base import (
    Column,
    Condition,
    Definition,
    Instant,
    Model,
    Name,
    Resource,
    Rule,
    Scope,
    Sha256,
    ShortText,
    Text,
    Title,
)
from govpool.api.cloudpolicy import Role
from govpool.api.wipecertificate import BackupProof, MediumCopy, Sanitisation


class WorkOrderKind(StrEnum):
    """What is done."""

    PROVISION = "Provision"
    BASELINE = "Baseline"
    HANDOVER = "Handover"
    RESIZE = "Resize"
    BACKUP = "Backup"
    WIPE = "Wipe"
    RECLAIM = "Reclaim"
    MANUAL = "Manual"


class Executor(StrEnum):
    """What carries it out."""

    LOCAL = "local"
    """A process beside the operator."""
    JOB = "job"
    """A Kubernetes Job."""
    API = "api"
    """The pool's provider, through its API; the order follows what is seen of its servers."""
    PERSON = "person"
    """Somebody, who says so in ``spec.outcome``."""


class ReportedServer(Model):
    """What a person reports of one server."""

    server: Title
    """Name of the CloudServer."""
    facts: Annotated[dict[str, Annotated[str, StringConstraints(max_length=256)]], Field(max_length=16)] = {}
    """What was reported: address, id, report, score ..."""


class ManualOutcome(Model):
    """What a person reports of an order that a person carries out."""

    by: Title
    """Who reports."""
    at: Instant
    """When."""
    succeeded: bool
    """Whether it was done."""
    statement: Text = ""
    """In that person's words."""
    facts: Annotated[dict[str, Annotated[str, StringConstraints(max_length=1024)]], Field(max_length=16)] = {}
    """What was reported of the whole: reference, sha256, receiptSha256 ..."""
    servers: Annotated[list[ReportedServer], Field(max_length=400)] = []
    """What was reported of each server."""


class WorkOrderSpec(Model):
    """The order. Immutable, but for a person's outcome."""

    work: WorkOrderKind
    """What is done."""
    request: RequestReference
    """For which request."""
    revision: Annotated[int, Field(ge=1)]
    """For which approved revision."""
    approval: Title
    """Under which Approval."""
    pool: Name
    """In which pool."""
    servers: Annotated[list[Title], Field(max_length=400)]
    """Names of the CloudServers that it is about."""
    executor: Executor = Executor.LOCAL
    """What carries it out."""
    role: Role = Role.OPERATOR
    """Who answers for it."""
    run_key: Annotated[str, StringConstraints(max_length=63, pattern=r"^[a-z0-9-]+$")]
    """Deterministic: the same order never has two runs at once."""
    parameters: Annotated[
        dict[str, Annotated[str, StringConstraints(max_length=1024)]], Field(max_length=64)
    ] = {}
    """What the playbook is told; never a secret."""
    started_by: Instant
    """When the clock of this order started."""
    due: Instant | None = None
    """When it must be done."""
    article: ShortText
    """Clause that orders it."""
    outcome: ManualOutcome | None = None
    """For executor person: what was reported."""

    RULES: ClassVar[tuple[Rule, ...]] = (
        Rule(
            "self.work == oldSelf.work && self.request == oldSelf.request"
            " && self.revision == oldSelf.revision && self.approval == oldSelf.approval"
            " && self.pool == oldSelf.pool && self.servers == oldSelf.servers"
            " && self.executor == oldSelf.executor && self.role == oldSelf.role"
            " && self.runKey == oldSelf.runKey && self.parameters == oldSelf.parameters"
            " && self.article == oldSelf.article",
            "a work order is immutable",
        ),
        Rule(
            "!has(oldSelf.outcome) || (has(self.outcome) && self.outcome == oldSelf.outcome)",
            "an outcome that was reported stands",
        ),
        Rule("!has(self.outcome) || self.executor == 'person'", "only a person's order takes an outcome"),
    )


class WorkOrderState(StrEnum):
    """How far an order is."""

    PENDING = "Pending"
    RUNNING = "Running"
    SUCCEEDED = "Succeeded"
    FAILED = "Failed"
    """Its result is a failure: the baseline was not met, a disk could not be wiped. Nothing follows until a
    person mends the cause and asks for another attempt."""


class RunLease(Model):
    """Who runs it now; a run whose lease ran out is lost and is run again."""

    holder: Title
    """The process that runs it."""
    renewed: Instant
    """When it last said that it is alive."""


class Evidence(Model):
    """A piece of evidence (佐证)."""

    name: Title
    """What it is called."""
    sha256: Sha256
    """Hash of the file."""
    place: Title
    """Where it lies: a path below the evidence folder, or a URL."""


class ServerResult(Model):
    """What came of it for one server."""

    server: Title
    """Name of the CloudServer."""
    ok: bool
    """Whether it succeeded."""
    message: Text = ""
    """What happened, for people."""
    facts: Annotated[dict[str, Annotated[str, StringConstraints(max_length=1024)]], Field(max_length=64)] = {}
    """What later steps need: the report's name, the snapshot's id ..."""


class DiskResult(Model):
    """What came of it for one disk."""

    server: Title
    """Name of the CloudServer."""
    disk: Title
    """The disk's key in the pool."""
    ok: bool
    """Whether it succeeded."""
    message: Text = ""
    """What happened, for people."""
    backup: BackupProof | None = None
    """Of a backup: what was saved and where."""
    sanitisation: Sanitisation | None = None
    """Of a wipe: how it was done and verified."""
    copies: Annotated[list[MediumCopy], Field(max_length=64)] = []
    """Of a wipe: copies that were found, and what became of them."""


class WorkOrderStatus(Model):
    """How far an order is."""

    observed_generation: int = 0
    """Generation of the spec that this status is about."""
    conditions: Annotated[list[Condition], Field(max_length=16)] = []
    """Aspects of its state, one of each type."""
    state: WorkOrderState = WorkOrderState.PENDING
    attempts: Annotated[int, Field(ge=0)] = 0
    """Runs begun."""
    retry_seen: ShortText = ""
    """Value of the retry annotation that was last acted on."""
    lease: RunLease | None = None
    job: ShortText | None = None
    """Name of the Job that carries it out, from before it is made until its result is on record here."""
    started: Instant | None = None
    """When the first run began."""
    finished: Instant | None = None
    """When the last run ended for good."""
    message: Text = ""
    """What happened and what to do next, for people."""
    progress: ShortText = ""
    """How far, for people."""
    next_attempt: Instant | None = None
    """When it is tried again."""
    servers: Annotated[list[ServerResult], Field(max_length=400)] = []
    """What came of it for each server."""
    disks: Annotated[list[DiskResult], Field(max_length=2000)] = []
    """What came of it for each disk."""
    evidence: Annotated[list[Evidence], Field(max_length=64)] = []
    """What proves it (佐证)."""
    receipt_sha256: Sha256 | None = None
    """Of a backup: hash of the receipt that the unit confirms."""


class WorkOrder(Resource):
    """One thing that is done (工单), with who, until when, under which article, and its evidence."""

    DEFINITION: ClassVar[Definition] = Definition(
        kind="WorkOrder",
        plural="workorders",
        singular="workorder",
        short_names=("wo",),
        scope=Scope.NAMESPACED,
        columns=(
            Column("Work", ".spec.work"),
            Column("Request", ".spec.request.name"),
            Column("State", ".status.state"),
            Column("Progress", ".status.progress"),
            Column("Attempts", ".status.attempts", type="integer"),
            Column("Due", ".spec.due"),
            Column("Article", ".spec.article"),
            Column("Age", ".metadata.creationTimestamp", type="date"),
        ),
    )
    spec: WorkOrderSpec
    status: WorkOrderStatus | None = None
