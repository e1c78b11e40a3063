"""CloudResourceRequest (云资源申请): one information system's resources, the form of annex 1."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, ClassVar

from pydantic import Field, StringConstraints

from govpool.api.base import (
    Column,
    Condition,
    Day,
    Definition,
    Instant,
    Model,
    Money,
    Name,
    Resource,
    Rule,
    Scope,
    Sha256,
    ShortText,
    Text,
    Title,
)
from govpool.api.cloudpolicy import (
    ApplicationType,
    DeregistrationReason,
    MaterialType,
    ReportType,
    Role,
    Stage,
)
from govpool.api.finding import RequestFinding
from govpool.api.origin import RequestOrigin
from govpool.api.request_purchases import SelfPurchase
from govpool.api.request_terms import EmergencyUse


class Network(StrEnum):
    """The network that a system is on (接入网络)."""

    GOVERNMENT_EXTRANET = "GovernmentExtranet"
    """电子政务外网."""
    INTERNET = "Internet"
    """互联网."""
    DEDICATED = "Dedicated"
    """业务专网."""


class MigratedFrom(Model):
    """Where a system comes from."""

    description: Title
    """The old environment."""
    cut_over: Day | None = None
    """When it was cut over (割接上线)."""


class System(Model):
    """The information system (政务信息系统)."""

    name: Title
    """Its name."""
    purpose: Text
    """What it is for (主要用途)."""
    protection_level: Annotated[int, Field(ge=1, le=5)]
    """Level of the multi-level protection scheme (网络安全等级保护)."""
    classified: bool = False
    """Whether it handles state secrets (涉密)."""
    network: Network
    """The network that it is on."""
    migrated_from: MigratedFrom | None = None
    """Where it comes from, for a system that moves onto the cloud."""
    on_cloud_since: Day | None = None
    """Since when it has been on this cloud, for one that was there before its application."""


class Material(Model):
    """A paper of the application (申请材料). The paper itself stays where it is; its hash is kept."""

    type: MaterialType
    """What it is."""
    reference: Title
    """Document number or place."""
    sha256: Sha256
    """Hash of the file."""
    date: Day
    """Its date."""
    valid_until: Day | None = None
    """Last day of its validity, for assessments."""


class DataDisk(Model):
    """A data disk (数据盘)."""

    name: Name
    """Its name within the server."""
    size_gib: Annotated[int, Field(ge=1, le=65536)]
    """Size in GiB. May grow, never shrink."""
    volume_class: Name | None = None
    """Storage item of the catalogue; without one, the catalogue's first Storage item."""


class Server(Model):
    """Servers of one kind."""

    name: Annotated[
        str, StringConstraints(min_length=1, max_length=20, pattern=r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$")
    ]
    """Name of the group within the request."""
    count: Annotated[int, Field(ge=0, le=100)] = 1
    """How many."""
    item: Name
    """Catalogue item: it says how many vCPU and how much memory."""
    image: Title
    """Operating system image."""
    data_disks: Annotated[list[DataDisk], Field(max_length=16)] = []
    """Data disks of each server."""

    RULES: ClassVar[tuple[Rule, ...]] = (
        Rule(
            "self.dataDisks.all(d, self.dataDisks.exists_one(e, e.name == d.name))",
            "names of data disks must be unique within a server",
        ),
    )


class Service(Model):
    """Another item of the catalogue."""

    item: Name
    """The item."""
    quantity: Annotated[int, Field(ge=1, le=100000)] = 1
    """How many units of it."""


class TermKind(StrEnum):
    """For how long resources are asked for."""

    PERMANENT = "Permanent"
    EMERGENCY = "Emergency"


class TemporaryExpansion(Model):
    """More servers of a group for a stated period (临时扩容)."""

    server: Name
    """The group."""
    additional_count: Annotated[int, Field(ge=1, le=100)]
    """How many more."""
    starts: Day
    """First day."""
    ends: Day
    """Last day."""
    RULES: ClassVar[tuple[Rule, ...]] = (Rule("self.ends >= self.starts", "ends must not be before starts"),)


class Emergency(Model):
    """Why resources are needed before the papers (应急)."""

    cause: Text
    """The cause, as the regulation lists them."""
    until: Day | None = None
    """Last day of use. A later one asks for an extension; without it the longest that the policy lets."""
    finding: Title | None = None
    """The bottleneck that an emergency expansion (应急扩容) meets: key of an Expand finding in the status."""


class Term(Model):
    """For how long."""

    kind: TermKind = TermKind.PERMANENT
    """Permanent or an emergency."""
    temporary: Annotated[list[TemporaryExpansion], Field(max_length=16)] = []
    """Temporary expansions."""
    emergency: Emergency | None = None
    """The emergency."""
    RULES: ClassVar[tuple[Rule, ...]] = (
        Rule(
            "self.kind != 'Emergency' || has(self.emergency)",
            "an emergency states its cause in term.emergency",
        ),
    )


class BusinessCycle(Model):
    """A yearly busy or quiet period (业务高峰、低谷)."""

    name: Name
    """Its name."""
    starts: Annotated[
        str, StringConstraints(pattern=r"^(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])$", max_length=5)
    ]
    """First day, MM-DD."""
    ends: Annotated[
        str, StringConstraints(pattern=r"^(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])$", max_length=5)
    ]
    """Last day, MM-DD."""
    server: Name
    """The group of servers."""
    count: Annotated[int, Field(ge=0, le=100)]
    """How many of them in that period."""


class Administrator(Model):
    """An administrator of the unit, who gets in after the handover."""

    name: Annotated[str, StringConstraints(max_length=32, pattern=r"^[a-z_][a-z0-9_-]{0,31}$")]
    """Account name."""
    ssh_public_keys: Annotated[
        list[
            Annotated[
                str,
                StringConstraints(
                    max_length=1024,
                    pattern=r"^(ssh-(ed25519|rsa)|ecdsa-sha2-nistp(256|384|521)) [A-Za-z0-9+/=]+( [^\n]*)?$",
                ),
            ]
        ],
        Field(min_length=1, max_length=8),
    ]
    """OpenSSH public keys."""


class Confirmation(Model):
    """A statement of the unit (使用单位确认). Once given it stands."""

    by: Title
    """Who gave it."""
    at: Instant
    """When."""
    statement: Text = ""
    """In the unit's words."""


class BackupConfirmation(Confirmation):
    """The unit's receipt for the backup: from here on its data may be destroyed."""

    receipt_sha256: Sha256
    """Hash of the backup receipt that the unit saw."""


class TerminationConfirmation(Confirmation):
    """The unit's confirmation that the service has ended (服务终止), for what one Approval took away."""

    approval: Title
    """Name of the Approval of the deregistration or reduction."""


class Report(Model):
    """A report of the unit (报告)."""

    type: ReportType
    """What it reports on."""
    reference: Title
    """Document number or place."""
    sha256: Sha256
    """Hash of the file."""
    at: Instant
    """When it was filed."""
    by: Title
    """Who filed it."""


class Confirmations(Model):
    """What the unit states along the way. None of it is a change of what was applied for."""

    reports: Annotated[list[Report], Field(max_length=32)] = []
    """Test report, security test ...; only added to."""
    agreement: Confirmation | None = None
    """The tripartite agreement (三方协议) was signed."""
    delivery: Confirmation | None = None
    """Delivery is complete (资源发放完成)."""
    backups: Annotated[list[BackupConfirmation], Field(max_length=32)] = []
    """Receipts for backups; only added to. Nothing is wiped before the receipt of its backup."""
    terminations: Annotated[list[TerminationConfirmation], Field(max_length=32)] = []
    """The service has ended (服务终止); only added to."""
    old_environment_removed: Confirmation | None = None
    """The environment that the system came from was taken down."""

    unused: Confirmation | None = None
    """The unit says that it did not use the trial (试运行期未使用)."""

    RULES: ClassVar[tuple[Rule, ...]] = (
        Rule(
            "!has(oldSelf.unused) || (has(self.unused) && self.unused == oldSelf.unused)",
            "that the trial was not used was stated and stands",
        ),
        Rule(
            "!has(oldSelf.agreement) || (has(self.agreement) && self.agreement == oldSelf.agreement)",
            "agreement was given and stands",
        ),
        Rule(
            "!has(oldSelf.delivery) || (has(self.delivery) && self.delivery == oldSelf.delivery)",
            "delivery was confirmed and stands",
        ),
        Rule(
            "!has(oldSelf.oldEnvironmentRemoved) || (has(self.oldEnvironmentRemoved)"
            " && self.oldEnvironmentRemoved == oldSelf.oldEnvironmentRemoved)",
            "the removal of the old environment was stated and stands",
        ),
        Rule(
            "oldSelf.backups.all(b, b in self.backups)",
            "a receipt of a backup stands: receipts are only added",
        ),
        Rule(
            "oldSelf.terminations.all(t, t in self.terminations)",
            "a confirmed end stands: confirmations of an end are only added",
        ),
        Rule(
            "oldSelf.reports.all(r, r in self.reports)",
            "a report that was filed stands: reports are only added",
        ),
    )


class DesiredState(StrEnum):
    """What the unit wants of its resources."""

    ACTIVE = "Active"
    DEREGISTERED = "Deregistered"


class Deregistration(Model):
    """The application for the end of use (注销申请)."""

    reason: DeregistrationReason
    """Why."""
    detail: Text = ""
    """In words."""


class CloudResourceRequestSpec(Model):
    """What a unit applies for. Editing it is applying for a change (annexes 2 and 3)."""

    system: System
    """The information system."""
    materials: Annotated[list[Material], Field(max_length=64)] = []
    """Papers."""
    pool: Name
    """The CloudPool that the resources come from."""
    servers: Annotated[list[Server], Field(max_length=32)]
    """Servers."""
    services: Annotated[list[Service], Field(max_length=32)] = []
    """Other items of the catalogue."""
    term: Term = Term()
    """For how long."""
    business_cycles: Annotated[list[BusinessCycle], Field(max_length=8)] = []
    """Busy and quiet periods."""
    administrators: Annotated[list[Administrator], Field(min_length=1, max_length=16)]
    """Who gets in after the handover."""
    confirmations: Confirmations = Confirmations()
    """What the unit states along the way."""
    state: DesiredState = DesiredState.ACTIVE
    """Active, or Deregistered to apply for the end of use."""
    deregistration: Deregistration | None = None
    """Why, when Deregistered."""
    self_purchases: Annotated[list[SelfPurchase], Field(max_length=16)] = []
    """What the unit buys for itself with consent; on record, never provisioned."""
    need_basis: Text = ""
    """What the need rests on (资源需求及依据)."""

    RULES: ClassVar[tuple[Rule, ...]] = (
        Rule("self.pool == oldSelf.pool", "pool is immutable: apply anew in the other pool and migrate"),
        Rule(
            "self.servers.all(s, self.servers.exists_one(t, t.name == s.name))",
            "names of servers must be unique",
        ),
        Rule(
            "self.state != 'Deregistered' || has(self.deregistration)",
            "a deregistration states its reason in deregistration.reason",
        ),
        Rule(
            "self.term.temporary.all(e, self.servers.exists(s, s.name == e.server))",
            "term.temporary names a group of servers",
        ),
        Rule(
            "size(self.servers) > 0 || size(self.services) > 0",
            "a request asks for at least one server or service",
        ),
        Rule(
            "self.administrators.all(a, self.administrators.exists_one(b, b.name == a.name))",
            "names of administrators must be unique",
        ),
        Rule(
            "!self.administrators.exists(a, a.name in ['root', 'govpool'])",
            "root and govpool are no names for an administrator",
        ),
    )


class RequestPhase(StrEnum):
    """Where a request stands, in one word for the list."""

    PENDING = "Pending"
    """Nobody looked at it yet, or something that it names is missing."""
    REFUSED = "Refused"
    """By a rule or by a person; an edit applies again."""
    IN_REVIEW = "InReview"
    OPENING = "Opening"
    """Quota, servers, baseline, handover."""
    TRIAL = "Trial"
    DELIVERY = "Delivery"
    """Reports, advice, agreement, confirmation."""
    IN_SERVICE = "InService"
    CHANGING = "Changing"
    """In service, and an approved change is being carried out."""
    DEREGISTERING = "Deregistering"
    DEREGISTERED = "Deregistered"


class RequestContent(Model):
    """The part of a spec that is approved: what was applied for, without papers and confirmations."""

    system: System
    pool: Name
    """The CloudPool."""
    servers: Annotated[list[Server], Field(max_length=32)]
    """Servers."""
    services: Annotated[list[Service], Field(max_length=32)] = []
    """Other items of the catalogue."""
    term: Term = Term()
    business_cycles: Annotated[list[BusinessCycle], Field(max_length=8)] = []
    """Busy and quiet periods."""
    administrators: Annotated[list[Administrator], Field(max_length=16)]
    """Who gets in after the handover."""
    state: DesiredState = DesiredState.ACTIVE
    deregistration: Deregistration | None = None
    self_purchases: Annotated[list[SelfPurchase], Field(max_length=16)] = []
    """What the unit buys for itself: the Approval is the consent."""


class ApprovedRevision(Model):
    """The revision in force."""

    revision: Annotated[int, Field(ge=1)]
    """The request's generation that was put before the authority."""
    application: ApplicationType
    """What it was classified as."""
    approval: Title
    """Name of the Approval."""
    approval_uid: ShortText = ""
    """UID of that Approval."""
    submission_hash: Sha256
    """Hash of content and papers."""
    content: RequestContent
    """Exactly what was approved; nothing else is ever carried out."""
    asked_at: Instant | None = None
    """When it was applied for: its Approval was made."""
    at: Instant
    """When the last decision was given."""
    decided_by: Title = "-"
    """Who gave it."""
    notice: Title | None = None
    """The RectificationNotice that forced it, in the place of an Approval."""


class JudgedSubmission(Model):
    """What was last judged of what is applied for, and with which generation it began.

    A confirmation is an edit too, and asks for nothing: what was refused is not refused once more with it.
    """

    revision: Annotated[int, Field(ge=1)]
    """The request's generation with which it was judged first."""
    submission_hash: Sha256
    """Hash of content and papers."""
    application: ApplicationType
    """What it was classified as."""


class AppliedRevision(Model):
    """The revision that was carried out to its end."""

    revision: Annotated[int, Field(ge=1)]
    """The request's generation that was carried out."""
    at: Instant
    """When the last of it was done."""


class Deadline(Model):
    """Something that is due (办理时限)."""

    what: Title
    """What is due."""
    stage: Stage | None = None
    who: Role
    """Who must act."""
    since: Instant
    """When the clock started."""
    due: Instant | None = None
    """When it ends; none where the regulation sets no time."""
    article: ShortText
    """Clause, with the policy's code: ``YY-19(2)``."""
    overdue: bool = False
    """Whether it has passed. An overdue clock never approves or refuses anything."""
    by_itself: bool = False
    """Whether it passes by itself: something ends then, and nobody has to act."""
    escalated_to: Role | None = None
    """Who was told that it ran out and nobody acted."""
    escalated_at: Instant | None = None
    """Since when."""


class StageState(StrEnum):
    """How far a stage is."""

    DONE = "Done"
    WAITING = "Waiting"
    REFUSED = "Refused"
    FAILED = "Failed"
    UNKNOWN = "Unknown"


class StageStatus(Model):
    """How far a stage is, and under which article."""

    stage: Stage
    state: StageState
    article: ShortText
    """Clause that the stage follows, with the policy's code."""
    message: Text = ""
    """What happened or what to do next, for people."""
    who: Role | None = None
    at: Instant | None = None
    """When it was done."""


class Trial(Model):
    """The trial's days."""

    started: Instant
    """When it started: the handover."""
    ends: Instant
    """When it ends."""


class Billing(Model):
    """When billing started and ended."""

    started: Instant | None = None
    """When billing started."""
    started_article: ShortText | None = None
    """Clause that started it."""
    ended: Instant | None = None
    """When billing ended."""
    ended_article: ShortText | None = None
    """Clause that ended it."""


class ServerAddress(Model):
    """Where a server is reached."""

    server: Title
    """Name of the CloudServer."""
    address: ShortText
    """IP address."""


class DeclaredService(Model):
    """A service that a person set up (人工办理), as declared; nobody here saw it."""

    item: Name
    """The catalogue item."""
    quantity: Annotated[int, Field(ge=1)]
    """How many units of it."""
    order: Title
    """Name of the WorkOrder."""
    by: Title
    """Who reported it."""
    at: Instant
    """When."""


class Happening(Model):
    """Something that happened, for the request's story."""

    at: Instant
    """When."""
    actor: Title
    """Who: a person, or govpool."""
    what: Title
    """A key of the message catalogue."""
    detail: Text = ""
    """More, for people."""
    article: ShortText = ""
    """Clause that it follows, with the policy's code."""
    key: Title
    """Deterministic, so that the same thing is never told twice."""


class CloudResourceRequestStatus(Model):
    """Where a request stands."""

    observed_generation: int = 0
    """Generation of the spec that this status is about."""
    phase: RequestPhase = RequestPhase.PENDING
    conditions: Annotated[list[Condition], Field(max_length=32)] = []
    """Aspects of its state, one of each type."""
    approved: ApprovedRevision | None = None
    applied: AppliedRevision | None = None
    judged: JudgedSubmission | None = None
    """What is applied for, since when; none once it is in force."""
    pending_approval: Title | None = None
    """Name of the Approval that is open."""
    stages: Annotated[list[StageStatus], Field(max_length=24)] = []
    """Stages of the procedure that is under way."""
    deadlines: Annotated[list[Deadline], Field(max_length=32)] = []
    """What is due, from whom, under which article."""
    who: Role | None = None
    """Who must act next."""
    due: Instant | None = None
    """When at the latest."""
    next_look: Instant | None = None
    """When govpool looks again without being asked."""
    trial: Trial | None = None
    billing: Billing = Billing()
    keep_old_environment_until: Instant | None = None
    """Until then the environment that the system came from must be kept."""
    emergency: EmergencyUse | None = None
    """What was issued in an emergency and is in force."""
    services: Annotated[list[DeclaredService], Field(max_length=32)] = []
    """Services that a person set up, as declared."""
    overdue_clocks: Annotated[int, Field(ge=0)] = 0
    """How many clocks ran out so far, whoever they were for."""
    fee_per_year: Money | None = None
    """Of the revision in force, in CNY."""
    addresses: Annotated[list[ServerAddress], Field(max_length=400)] = []
    """Where its servers are reached."""
    certificate: Title | None = None
    """The WipeCertificate of the deregistration."""
    history: Annotated[list[Happening], Field(max_length=256)] = []
    """The story, oldest first."""
    citations: Annotated[list[ShortText], Field(max_length=32)] = []
    """Clauses that the last decision rests on."""
    findings: Annotated[list[RequestFinding], Field(max_length=32)] = []
    """What stands against it: use, evidence, papers. None of it acts by itself."""
    reduced_at: Instant | None = None
    """When its last reduction was approved."""
    origin: RequestOrigin | None = None
    """What it was before it was restored from a backup."""


class CloudResourceRequest(Resource):
    """An application for cloud resources (云资源申请表) and everything that follows from it."""

    DEFINITION: ClassVar[Definition] = Definition(
        kind="CloudResourceRequest",
        plural="cloudresourcerequests",
        singular="cloudresourcerequest",
        short_names=("crr",),
        scope=Scope.NAMESPACED,
        columns=(
            Column("Phase", ".status.phase"),
            Column("Who", ".status.who", description="Who must act next"),
            Column("Due", ".status.due", description="When at the latest"),
            Column("System", ".spec.system.name"),
            Column("Fee/Year", ".status.feePerYear", priority=1),
            Column("Approved", ".status.approved.revision", type="integer", priority=1),
            Column("Applied", ".status.applied.revision", type="integer", priority=1),
            Column("Age", ".metadata.creationTimestamp", type="date"),
        ),
        rules=(
            Rule(
                "self.spec.state != 'Active' || oldSelf.spec.state != 'Deregistered' || !has(self.status)"
                " || !has(self.status.phase) || !(self.status.phase in ['Deregistering', 'Deregistered'])",
                "the deregistration was approved: it can no longer be taken back",
            ),
            Rule("size(self.metadata.name) <= 40", "the name of a request has at most 40 characters"),
        ),
    )
    spec: CloudResourceRequestSpec
    status: CloudResourceRequestStatus | None = None
