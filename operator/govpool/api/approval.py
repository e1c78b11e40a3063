"""Approval (审批单): one revision of a request put before the authority; decisions are append-only."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, ClassVar

from pydantic import Field, StringConstraints

from govpool.api.base import (
    Article,
    Column,
    Condition,
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
    WorkingDays,
)
from govpool.api.cloudpolicy import ApplicationType, Role, Stage
from govpool.api.cloudresourcerequest import Material, RequestContent
from govpool.api.origin import Origin


class Step(Model):
    """A decision that somebody has to give."""

    stage: Stage
    """Which."""
    role: Role
    """Who gives it."""
    clock: WorkingDays | None = None
    """How long it may take, from the end of the step before."""
    article: Article
    """Where it says so."""


class Verdict(StrEnum):
    """What was decided."""

    APPROVE = "Approve"
    """Go on to the next step: accepted, in favour, approved."""
    REFUSE = "Refuse"
    """Not accepted or not approved, with the reason in ``opinion``; an edit applies again."""
    RETURN = "Return"
    """Given back for supplement (补正)."""


class Decision(Model):
    """A decision of a person or the approval system. Once given it stands."""

    stage: Stage
    """The step that it decides."""
    verdict: Verdict
    """What was decided."""
    by: Title
    """Who decided: the authenticated user."""
    opinion: Text = ""
    """Why; required unless it approves."""
    at: Instant
    """When."""

    RULES: ClassVar[tuple[Rule, ...]] = (
        Rule(
            "self.verdict == 'Approve' || size(self.opinion) > 0",
            "a refusal or return gives its reason in opinion",
        ),
    )


class ChangedValue(Model):
    """A line of what changes against the revision in force."""

    field: ShortText
    """What."""
    before: ShortText = ""
    """Its value in the revision in force; empty when it is new."""
    after: ShortText = ""
    """Its value in this revision; empty when it goes."""


class RequestReference(Model):
    """The request that is put before the authority."""

    name: Name
    """Name of the CloudResourceRequest."""
    uid: Annotated[str, StringConstraints(max_length=64)]
    """Its UID."""


class ApprovalSpec(Model):
    """What is to be decided, and what was."""

    request: RequestReference
    """The request."""
    revision: Annotated[int, Field(ge=1)]
    """The request's generation."""
    supersedes: Title | None = None
    """The Approval of the revision in force, if any."""
    application: ApplicationType
    """As the policy classifies it."""
    classified_under: ShortText = ""
    """The clause that made it so."""
    policy: Name
    """The CloudPolicy."""
    submission_hash: Sha256
    """Hash of content and papers."""
    content: RequestContent
    """What is applied for."""
    materials: Annotated[list[Material], Field(max_length=64)] = []
    """Its papers."""
    changes: Annotated[list[ChangedValue], Field(max_length=128)] = []
    """What changes against the revision in force."""
    fee_per_year: Money | None = None
    """Fee of the whole after this revision, in CNY a year."""
    steps: Annotated[list[Step], Field(min_length=1, max_length=8)]
    """The decisions needed, in order."""
    decisions: Annotated[list[Decision], Field(max_length=16)] = []
    """The decisions given, in order; only added to."""

    RULES: ClassVar[tuple[Rule, ...]] = (
        Rule(
            "self.request == oldSelf.request && self.revision == oldSelf.revision"
            " && self.application == oldSelf.application && self.policy == oldSelf.policy"
            " && self.submissionHash == oldSelf.submissionHash && self.content == oldSelf.content"
            " && self.materials == oldSelf.materials && self.steps == oldSelf.steps"
            " && self.changes == oldSelf.changes && self.classifiedUnder == oldSelf.classifiedUnder"
            " && has(self.supersedes) == has(oldSelf.supersedes)"
            " && (!has(self.supersedes) || self.supersedes == oldSelf.supersedes)"
            " && has(self.feePerYear) == has(oldSelf.feePerYear)"
            " && (!has(self.feePerYear) || self.feePerYear == oldSelf.feePerYear)",
            "what is put before the authority is immutable: edit the request, it makes a new Approval",
        ),
        Rule(
            "size(self.decisions) >= size(oldSelf.decisions)"
            " && oldSelf.decisions.all(d, self.decisions.exists_one(e, e.stage == d.stage && e == d))",
            "decisions are append-only: one that was given stands",
        ),
        Rule(
            "self.decisions.all(d, self.decisions.exists_one(e, e.stage == d.stage))",
            "a step is decided once",
        ),
        Rule(
            "self.decisions.all(d, d.stage != 'ExpertReview' || d.verdict != 'Approve' || size(d.opinion) > 0"
            " || (has(self.materials) && self.materials.exists(m, m.type == 'ExpertOpinion')))",
            "experts attach their opinion: write it in opinion, or file it as material ExpertOpinion",
        ),
        Rule(
            "self.decisions.all(d, self.steps.exists(s, s.stage == d.stage))",
            "a decision names one of the steps",
        ),
        Rule(
            "size(self.decisions) <= size(self.steps)",
            "there are no more decisions than steps",
        ),
    )


class ApprovalState(StrEnum):
    """How an Approval stands."""

    PENDING = "Pending"
    APPROVED = "Approved"
    REFUSED = "Refused"
    RETURNED = "Returned"
    SUPERSEDED = "Superseded"
    """The request was edited meanwhile; its decisions count for nothing."""


class ApprovalStatus(Model):
    """How an Approval stands."""

    observed_generation: int = 0
    """Generation of the spec that this status is about."""
    conditions: Annotated[list[Condition], Field(max_length=16)] = []
    """Aspects of its state, one of each type."""
    state: ApprovalState = ApprovalState.PENDING
    step: Stage | None = None
    """The step that waits."""
    role: Role | None = None
    """Who must act."""
    since: Instant | None = None
    """When the step's clock started."""
    due: Instant | None = None
    """When it ends."""
    overdue: bool = False
    """Whether it has passed."""
    origin: Origin | None = None
    """What it was before it was restored from a backup."""


class Approval(Resource):
    """One revision of a request before the authority (审批单)."""

    DEFINITION: ClassVar[Definition] = Definition(
        kind="Approval",
        plural="approvals",
        singular="approval",
        short_names=("apv",),
        scope=Scope.NAMESPACED,
        columns=(
            Column("Request", ".spec.request.name"),
            Column("Application", ".spec.application"),
            Column("State", ".status.state"),
            Column("Step", ".status.step"),
            Column("Who", ".status.role"),
            Column("Due", ".status.due"),
            Column("Age", ".metadata.creationTimestamp", type="date"),
        ),
    )
    spec: ApprovalSpec
    status: ApprovalStatus | None = None
