"""CloudPolicy (管理办法): one regulation as data. Every value carries the article that it comes from."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, ClassVar

from pydantic import Field, StringConstraints

from govpool.api.base import (
    Article,
    BilingualText,
    Column,
    Condition,
    Day,
    Definition,
    Duration,
    Model,
    Resource,
    Rule,
    Scope,
    ShortText,
    Title,
    WorkingDays,
)
from govpool.api.policy_efficiency import EfficiencyRules
from govpool.api.policy_evidence import EvidenceRule, MakeGoodRule
from govpool.api.policy_pool import PartyRule, ReportingRule
from govpool.api.policy_rectification import RectificationRule
from govpool.api.policy_roles import Role as Role  # noqa: PLC0414 - others know it from here
from govpool.api.policy_terms import BusinessCycleRule, EscalationRule
from govpool.api.policy_terms import EmergencyRule as EmergencyRule  # noqa: PLC0414 - others know it from here
from govpool.api.policy_terms import TemporaryRule as TemporaryRule  # noqa: PLC0414 - others know it from here
from govpool.api.policy_words import MaterialType as MaterialType  # noqa: PLC0414 - others know it from here


class ApplicationType(StrEnum):
    """What an application asks for; each has a procedure of its own."""

    NEW = "New"
    """Resources for a system that has none yet (上云申请)."""
    CHANGE = "Change"
    """Other resources for a system that has some (变更)."""
    MAJOR_CHANGE = "MajorChange"
    """A change so large, or of such a kind, that it goes the way of a new application (重大变更)."""
    TEMPORARY = "Temporary"
    """A temporary expansion for a stated period (临时扩容)."""
    EMERGENCY = "Emergency"
    """Resources issued first, with papers to follow (应急)."""
    DEREGISTRATION = "Deregistration"
    """The end of use (注销)."""


class Stage(StrEnum):
    """A stage of a procedure. Those from Completeness to Review are decided by people on an Approval."""

    COMPLETENESS = "Completeness"
    ACCEPTANCE = "Acceptance"
    EXPERT_REVIEW = "ExpertReview"
    EVALUATION = "Evaluation"
    REVIEW = "Review"
    QUOTA = "Quota"
    PROVISION = "Provision"
    BASELINE = "Baseline"
    HANDOVER = "Handover"
    TRIAL = "Trial"
    REPORTS = "Reports"
    RIGHT_SIZING = "RightSizing"
    AGREEMENT = "Agreement"
    CONFIRMATION = "Confirmation"
    BACKUP = "Backup"
    WIPE = "Wipe"
    RECLAIM = "Reclaim"
    TERMINATION = "Termination"
    CERTIFICATE = "Certificate"


DECIDED_BY_PEOPLE = frozenset(
    {Stage.COMPLETENESS, Stage.ACCEPTANCE, Stage.EXPERT_REVIEW, Stage.EVALUATION, Stage.REVIEW}
)


class When(StrEnum):
    """When a stage applies."""

    ALWAYS = "Always"
    COMPLEX = "Complex"
    """Only to complex or large applications; see ``admission.complex``."""


class StageRule(Model):
    """One stage of a procedure: who acts, how long it may take, under which article."""

    stage: Stage
    """The stage."""
    role: Role
    """Who acts."""
    clock: WorkingDays | None = None
    """How long it may take. Without one there is no deadline."""
    when: When = When.ALWAYS
    """When the stage applies."""
    article: Article
    """Where it says so."""


class Procedure(Model):
    """The stages that one type of application goes through, in order."""

    application: ApplicationType
    """The type of application."""
    stages: Annotated[list[StageRule], Field(min_length=1, max_length=24)]
    """The pipeline; the engine only walks it."""


class CalendarRule(Model):
    """Which days are working days."""

    country: Annotated[str, StringConstraints(pattern=r"^[A-Z]{2}$", max_length=2)] = "CN"
    """ISO 3166 code of the public-holiday calendar; make-up workdays come with it."""
    holidays: Annotated[list[Day], Field(max_length=200)] = []
    """Days off that were announced after the calendar was published."""
    workdays: Annotated[list[Day], Field(max_length=200)] = []
    """Make-up workdays that were announced after the calendar was published."""


class MaterialRule(Model):
    """The papers that one type of application needs."""

    application: ApplicationType
    """The type of application."""
    required: Annotated[list[MaterialType], Field(max_length=32)]
    """Each must be there with reference and date."""
    article: Article
    """Where it says so."""


class ComplexRule(Model):
    """What counts as complex or large, so that experts assess it first."""

    vcpu: Annotated[int, Field(ge=1)] | None = None
    """vCPU in all from which it counts."""
    memory_gib: Annotated[int, Field(ge=1)] | None = None
    """Memory in GiB in all from which it counts."""
    storage_gib: Annotated[int, Field(ge=1)] | None = None
    """Storage in GiB in all from which it counts."""
    article: Article
    """Where it says so."""


class AdmissionRule(Model):
    """Which systems may apply at all."""

    max_protection_level: Annotated[int, Field(ge=1, le=5)] = 3
    """The highest protection level (网络安全等级保护) that is admitted."""
    protection_level_article: Article
    """Where it says so."""
    classified_article: Article
    """Where it says that classified systems (涉密) stay out."""
    catalogue_article: Article
    """Where it says that only catalogue items are issued, and the nearest match is proposed."""
    self_purchase_article: Article | None = None
    """Where it lets the unit buy, with consent, what the catalogue can't match."""
    sponsor_article: Article | None = None
    """Where it makes subordinate and outside units apply through their sponsor."""
    materials: Annotated[list[MaterialRule], Field(max_length=8)] = []
    """Papers per type of application."""
    complex: ComplexRule | None = None
    """What counts as complex or large."""
    dedicated_domain_article: Article | None = None
    """Where a dedicated domain (专有域) needs its plan approved first."""
    need_basis_article: Article | None = None
    """Where the need and its basis are stated (资源需求及依据)."""
    product_security_article: Article | None = None
    """Where products that fail the cloud's security requirements are not deployed."""


class Dimension(StrEnum):
    """What a change is measured in."""

    SERVERS = "Servers"
    VCPU = "VCPU"
    MEMORY = "Memory"
    STORAGE = "Storage"
    BANDWIDTH = "Bandwidth"
    FEE = "Fee"


class ChangeRule(Model):
    """When a change is a major one."""

    major_above_percent: Annotated[int, Field(ge=1, le=1000)] | None = None
    """A change of more than this share of what is held, in any one dimension, is major."""
    major_article: Article | None = None
    """Where it says so."""
    new_items_are_major: bool = False
    """Whether a new category or a larger quantity goes the application way."""
    new_items_article: Article | None = None
    """Where it says so."""
    all_are_major: bool = False
    """Whether every change goes the application way."""
    all_article: Article | None = None
    """Where it says so."""
    article: Article
    """Where changes are regulated."""


class BaselineRule(Model):
    """The security baseline (安全基线) before handover."""

    min_score: Annotated[int, Field(ge=1, le=100)] = 100
    """Percentage of applicable controls that must pass."""
    waivable: Annotated[list[ShortText], Field(max_length=64)] = []
    """Controls that may fail without closing the gate."""
    parameters: Annotated[
        dict[str, Annotated[str, StringConstraints(max_length=256)]], Field(max_length=64)
    ] = {}
    """Numbers that differ from the playbook's defaults, by the control's variable."""
    article: Article
    """Where it says so."""


class UnusedAction(StrEnum):
    """What happens to a trial that nobody used."""

    NONE = "None"
    RECLAIM_AND_SUSPEND = "ReclaimAndSuspend"
    """Resources are reclaimed and the unit's further applications suspended."""


class TrialRule(Model):
    """The test environment or trial run (测试、试运行)."""

    duration: Duration
    """How long it lasts from the handover; P1M is a calendar month."""
    report_required: bool = True
    """Whether the unit files a test report at the end."""
    probe_required: bool = False
    """Whether the unit files that a monitoring probe (资源探测组件) is installed."""
    unused: UnusedAction = UnusedAction.NONE
    """What happens when it was not used."""
    article: Article
    """Where it says so."""


class ReportType(StrEnum):
    """A report that the unit files."""

    TRIAL = "Trial"
    SECURITY_TEST = "SecurityTest"
    SOURCE_AUDIT = "SourceAudit"
    PROTECTION_ASSESSMENT = "ProtectionAssessment"
    PROBE = "Probe"
    """The monitoring probe (资源探测组件) is installed."""


class DeliveryRule(Model):
    """Between trial and formal operation (交付)."""

    reports: Annotated[list[ReportType], Field(max_length=8)] = []
    """Reports that must be filed."""
    reports_article: Article | None = None
    """Where it says so."""
    right_sizing_article: Article | None = None
    """Where advice on the right size is filed with the authority."""
    agreement_article: Article | None = None
    """Where the tripartite agreement is signed."""
    confirmation_article: Article | None = None
    """Where the unit confirms that delivery is complete."""


class BillingStart(StrEnum):
    """What starts billing (计费起始)."""

    DELIVERY_CONFIRMED = "DeliveryConfirmed"
    TRIAL_ENDED = "TrialEnded"
    CONFIRMED_AFTER_TRIAL = "ConfirmedAfterTrial"
    """The later of the unit's confirmation and the trial's end."""
    AGREEMENT_SIGNED = "AgreementSigned"
    HANDED_OVER = "HandedOver"


class BillingRule(Model):
    """When billing starts and ends, and the settlement year (结算周期)."""

    starts_on: BillingStart
    """What starts it."""
    starts_article: Article
    """Where it says so."""
    ends_article: Article
    """Where it says that the unit's confirmation of the end stops it."""
    year_starts: Annotated[
        str, StringConstraints(pattern=r"^(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])$", max_length=5)
    ]
    """First day of the settlement year, MM-DD."""
    year_article: Article
    """Where it says so."""


class MigrationRule(Model):
    """Systems that move onto the cloud (迁移上云)."""

    keep_old_environment: Duration
    """How long the old environment is kept after cut-over."""
    article: Article
    """Where it says so."""


class Verification(StrEnum):
    """How a wipe is verified."""

    FULL = "Full"
    """The whole medium is read back and compared."""
    SAMPLED = "Sampled"
    """A seeded sample is; the certificate states its odds of finding a leftover."""


class WipeRule(Model):
    """How data is destroyed (数据清除)."""

    verification: Verification = Verification.FULL
    """How it is verified."""
    sample_percent: Annotated[float, Field(gt=0, le=100)] | None = None
    """The sample's share of the medium, for Sampled."""
    article: Article
    """Where it says so."""
    RULES: ClassVar[tuple[Rule, ...]] = (
        Rule(
            "self.verification != 'Sampled' || has(self.samplePercent)",
            "a sampled verification states its samplePercent",
            field_path=".samplePercent",
        ),
    )


class DeregistrationReason(StrEnum):
    """Why a system leaves the cloud (注销原因)."""

    BUSINESS_CANCELLED = "BusinessCancelledByPolicy"
    SUPERSEDED = "SupersededBySuperiorPlatform"
    MERGED = "MergedIntoDistrictPlatform"
    OUTDATED = "FunctionOutdatedByUpgrade"
    OTHER_POLICY = "OtherRequiredByPolicy"
    NO_LONGER_NEEDED = "NoLongerNeeded"
    FORCED_BY_NOTICE = "ForcedByNotice"
    """Decided on a rectification notice; no reason that a unit can apply with."""


class DeregistrationRule(Model):
    """The end of use (注销)."""

    lead: WorkingDays | None = None
    """How long ahead it is asked for."""
    reasons: Annotated[list[DeregistrationReason], Field(min_length=1, max_length=8)]
    """The reasons that are accepted."""
    backup_required: bool = True
    """Whether data is backed up before it is destroyed."""
    wipe: WipeRule
    """How data is destroyed."""
    article: Article
    """Where it says so."""


class ProviderExitRule(Model):
    """When a provider stops (云服务商退出)."""

    notice: Duration | None = None
    """How long ahead it gives written notice."""
    transition: Duration
    """Free transition after the exit was approved."""
    approval_article: Article | None = None
    """Where it says that the provider does not stop without approval."""
    article: Article
    """Where it says so."""


class ExecutionRule(Model):
    """How long carrying out may take."""

    new: WorkingDays | None = None
    """Opening approved resources; none where the regulation sets no number."""
    change: WorkingDays | None = None
    """Carrying out an approved change."""
    article: Article
    """Where it says so."""


class CloudPolicySpec(Model):
    """A regulation as data. The engine knows no city: what is not here is not done."""

    title: BilingualText
    """The regulation's title."""
    code: Annotated[str, StringConstraints(pattern=r"^[A-Z]{1,4}$", max_length=4)]
    """Prefix of its clauses: ``YY`` makes ``YY-19(2)``."""
    document_number: Title
    """The number under which it was issued (发文字号)."""
    issuer: BilingualText
    """Who issued it."""
    effective_from: Day
    """First day on which it is in force."""
    effective_until: Day | None = None
    """Last day on which it is in force; none where it sets no end."""
    validity_article: Article
    """Where it says so."""
    time_zone: Annotated[str, StringConstraints(max_length=64)] = "Asia/Shanghai"
    """IANA name of the zone in which its days begin and end."""
    calendar: CalendarRule = CalendarRule()
    """Which days are working days."""
    admission: AdmissionRule
    """Which systems may apply."""
    procedures: Annotated[list[Procedure], Field(min_length=1, max_length=6)]
    """The stages of each type of application."""
    execution: ExecutionRule
    """How long carrying out may take."""
    change: ChangeRule
    """When a change is major."""
    baseline: BaselineRule
    """The gate before handover."""
    trial: TrialRule | None = None
    """The trial, where there is one."""
    delivery: DeliveryRule = DeliveryRule()
    """What delivery takes."""
    billing: BillingRule
    """When billing starts and ends."""
    migration: MigrationRule | None = None
    """Systems that move onto the cloud."""
    temporary: TemporaryRule | None = None
    """Temporary expansions."""
    emergency: EmergencyRule | None = None
    """Emergency issuing."""
    business_cycles: BusinessCycleRule | None = None
    """Resources follow the unit's busy and quiet periods."""
    escalation: EscalationRule | None = None
    """Who is told of an overdue clock."""
    deregistration: DeregistrationRule
    """The end of use."""
    provider_exit: ProviderExitRule | None = None
    """When a provider stops."""
    quota_article: Article | None = None
    """Where allocation is bound to the unit's quota."""
    issuing_stop_article: Article | None = None
    """Where a unit that does not rectify is issued nothing more (停止发放云资源)."""
    efficiency: EfficiencyRules | None = None
    """How the use of resources is judged."""
    evidence: Annotated[list[EvidenceRule], Field(max_length=16)] = []
    """Assessments and filings that must be valid."""
    make_good: Annotated[list[MakeGoodRule], Field(max_length=8)] = []
    """What systems that were on the cloud before the regulation make good."""
    rectification: RectificationRule | None = None
    """Notices and what follows from them."""
    parties: PartyRule | None = None
    """Who may be a party of a pool's contracts."""
    reporting: Annotated[list[ReportingRule], Field(max_length=8)] = []
    """What is filed how often; recorded and shown, never enforced."""

    RULES: ClassVar[tuple[Rule, ...]] = (
        Rule(
            "!has(self.effectiveUntil) || self.effectiveUntil > self.effectiveFrom",
            "effectiveUntil must be later than effectiveFrom",
            field_path=".effectiveUntil",
        ),
        Rule(
            "self.procedures.exists(p, p.application == 'New')",
            "a policy needs the procedure of a New application",
            field_path=".procedures",
        ),
        Rule(
            "self.procedures.exists(p, p.application == 'Deregistration')",
            "a policy needs the procedure of a Deregistration: without it nothing could ever be wiped",
            field_path=".procedures",
        ),
        Rule(
            "self.procedures.all(p, self.procedures.exists_one(q, q.application == p.application))",
            "each type of application has one procedure",
            field_path=".procedures",
        ),
    )


class CloudPolicyStatus(Model):
    """What govpool found about a policy."""

    observed_generation: int = 0
    """Generation of the spec that this status is about."""
    conditions: Annotated[list[Condition], Field(max_length=16)] = []
    """Aspects of its state, one of each type."""


class CloudPolicy(Resource):
    """A city's government cloud management measures (政务云管理办法), carried out by govpool."""

    DEFINITION: ClassVar[Definition] = Definition(
        kind="CloudPolicy",
        plural="cloudpolicies",
        singular="cloudpolicy",
        short_names=("cpol",),
        scope=Scope.CLUSTER,
        columns=(
            Column("Document", ".spec.documentNumber"),
            Column("From", ".spec.effectiveFrom"),
            Column("Until", ".spec.effectiveUntil"),
            Column("Title", ".spec.title.zh", priority=1),
            Column("Age", ".metadata.creationTimestamp", type="date"),
        ),
    )
    spec: CloudPolicySpec
    status: CloudPolicyStatus | None = None
