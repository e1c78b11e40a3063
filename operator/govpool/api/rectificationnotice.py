"""RectificationNotice (整改通知): what was found, what the unit mends until when, and what followed."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, ClassVar, Literal

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
from govpool.api.finding import Figure, TextInBoth
from govpool.api.rectification_words import Enforcement, NoticeFinding


class ExpertOpinion(Model):
    """What the experts say (评审意见). Once given it stands."""

    by: Title
    """Who filed it: the authenticated user."""
    at: Instant
    """When it was filed; the unit's clock starts here."""
    opinion: Text
    """What they say."""
    reference: ShortText = ""
    """Document number or place."""
    sha256: Sha256 | None = None
    """Hash of the file."""


class RectificationStatement(Model):
    """What the unit says it has done (整改情况). Once given it stands."""

    by: Title
    """Who gave it: the authenticated user."""
    at: Instant
    """When."""
    statement: Text
    """What was done."""
    reference: ShortText = ""
    """Document number or place of its proof."""
    sha256: Sha256 | None = None
    """Hash of the proof."""


class NoticeVerdict(StrEnum):
    """How a notice ends, or what is done about it."""

    RECTIFIED = "Rectified"
    """The unit has mended it; the notice is closed and what was enforced is lifted."""
    NOT_RECTIFIED = "NotRectified"
    """It has not; ``enforcement`` says what is done. A later decision may close the notice."""
    WITHDRAWN = "Withdrawn"
    """The notice should not have been given; it is closed and what was enforced is lifted."""


class NoticeDecision(Model):
    """A reviewer's decision on a notice. Once given it stands."""

    verdict: NoticeVerdict
    """What was decided."""
    enforcement: Annotated[list[Enforcement], Field(max_length=4)] = []
    """What is done, with NotRectified: the whole of it, in the place of what was decided before."""
    by: Title
    """Who decided: the authenticated user."""
    at: Instant
    """When."""
    opinion: Annotated[str, StringConstraints(min_length=1, max_length=4096)]
    """Why."""

    RULES: ClassVar[tuple[Rule, ...]] = (
        Rule(
            "self.verdict == 'NotRectified' || size(self.enforcement) == 0",
            "only NotRectified has an enforcement",
        ),
    )


class NoticeWords(Model):
    """A notice in both languages: one that govpool gave."""

    detail: TextInBoth
    """What was found."""
    demand: TextInBoth
    """What the unit has to do."""


class RectificationNoticeSpec(Model):
    """The notice. Only statements, the experts' opinion and decisions are ever added."""

    request: RequestReference | None = None
    """The request that it is about; none: the unit as a whole."""
    policy: Name
    """The CloudPolicy under which it is given."""
    finding: NoticeFinding
    """What was found."""
    detail: Text
    """What was found, in words."""
    demand: Text
    """What the unit has to do."""
    words: NoticeWords | None = None
    """Both in both languages, where govpool gave the notice; what a person wrote stands as written."""
    evidence: Annotated[list[Figure], Field(max_length=32)] = []
    """The figures that it rests on."""
    article: ShortText = ""
    """Clause of the finding, with the policy's code; the notice's own clause stands in its status."""
    issued: Instant
    """When it was given."""
    issued_by: Title
    """Who gave it: govpool, or the authenticated user."""
    expert_opinion: ExpertOpinion | None = None
    """What the experts say, where the policy asks them first."""
    statements: Annotated[list[RectificationStatement], Field(max_length=16)] = []
    """What the unit did; only added to."""
    decisions: Annotated[list[NoticeDecision], Field(max_length=16)] = []
    """What was decided on it, in order; only added to, and nothing after it was closed."""

    RULES: ClassVar[tuple[Rule, ...]] = (
        Rule(
            "has(self.request) == has(oldSelf.request)"
            " && (!has(self.request) || self.request == oldSelf.request)"
            " && self.policy == oldSelf.policy && self.finding == oldSelf.finding"
            " && self.detail == oldSelf.detail && self.demand == oldSelf.demand"
            " && has(self.words) == has(oldSelf.words)"
            " && (!has(self.words) || self.words == oldSelf.words)"
            " && self.evidence == oldSelf.evidence && self.article == oldSelf.article"
            " && self.issued == oldSelf.issued && self.issuedBy == oldSelf.issuedBy",
            "a notice that was given is immutable: decide Withdrawn and give another",
        ),
        Rule(
            "!has(oldSelf.expertOpinion)"
            " || (has(self.expertOpinion) && self.expertOpinion == oldSelf.expertOpinion)",
            "the experts' opinion was given and stands",
        ),
        Rule(
            "oldSelf.statements.all(s, s in self.statements)",
            "a statement of the unit stands: statements are only added",
        ),
        Rule(
            "size(self.decisions) >= size(oldSelf.decisions)"
            " && oldSelf.decisions.all(d, d in self.decisions)"
            " && (size(oldSelf.decisions) == 0"
            " || self.decisions[size(oldSelf.decisions) - 1]"
            " == oldSelf.decisions[size(oldSelf.decisions) - 1])",
            "decisions are append-only: one that was given stands",
        ),
        Rule(
            "size(self.decisions) == size(oldSelf.decisions)"
            " || !oldSelf.decisions.exists(d, d.verdict in ['Rectified', 'Withdrawn'])",
            "the notice is closed: nothing is decided on it any more",
        ),
        Rule(
            "size(self.decisions) == size(oldSelf.decisions)"
            " || !oldSelf.decisions.exists(d, 'Deregistration' in d.enforcement)"
            " || !self.decisions.exists(d, d.verdict == 'Withdrawn')",
            "a forced deregistration was decided: it can no longer be taken back",
        ),
    )


class NoticeState(StrEnum):
    """How a notice stands."""

    EXPERT_REVIEW = "ExpertReview"
    """Experts state their opinion first; the unit's clock has not started."""
    OPEN = "Open"
    """The unit has to rectify."""
    STATED = "Stated"
    """The unit says that it has; the authority looks."""
    OVERDUE = "Overdue"
    """The clock ran out. That enforces nothing unless the policy says so; the authority decides."""
    ENFORCED = "Enforced"
    """Not rectified: something is enforced."""
    RECTIFIED = "Rectified"
    WITHDRAWN = "Withdrawn"


class EnforcementGround(StrEnum):
    """Why something is enforced."""

    DECISION = "Decision"
    """A reviewer decided it."""
    AUTOMATIC = "Automatic"
    """The clock ran out and the policy says that it follows by itself."""
    AT_ONCE = "AtOnce"
    """The policy says that it is done before anything else."""


class EnforcementTaken(Model):
    """Something that was enforced, and whether it still is. Recorded before it is carried out."""

    action: Enforcement
    """What."""
    ground: EnforcementGround
    """Why."""
    by: Title
    """Who decided it; govpool where nobody had to."""
    since: Instant
    """Since when."""
    article: ShortText
    """Clause that it follows, with the policy's code."""
    lifted: Instant | None = None
    """When it was lifted; none while it is in force."""


class RectificationNoticeStatus(Model):
    """How a notice stands."""

    observed_generation: int = 0
    """Generation of the spec that this status is about."""
    conditions: Annotated[list[Condition], Field(max_length=16)] = []
    """Aspects of its state, one of each type."""
    state: NoticeState = NoticeState.OPEN
    who: Role | None = None
    """Who must act next."""
    article: ShortText = ""
    """Clause under which it was given and is enforced, with the policy's code."""
    told: Instant | None = None
    """When the unit's clock started."""
    due: Instant | None = None
    """Until when the unit has to rectify; none where the regulation sets no number."""
    overdue: bool = False
    """Whether that has passed."""
    enforcement: Annotated[list[EnforcementTaken], Field(max_length=32)] = []
    """What was enforced, oldest first."""
    in_force: Annotated[list[Enforcement], Field(max_length=4)] = []
    """What is enforced now."""
    copies: Annotated[list[Title], Field(max_length=8)] = []
    """Who has to get a copy of what is enforced (抄送)."""


class RectificationNotice(Resource):
    """A notice with its clock (整改通知)."""

    DEFINITION: ClassVar[Definition] = Definition(
        kind="RectificationNotice",
        plural="rectificationnotices",
        singular="rectificationnotice",
        short_names=("rn",),
        scope=Scope.NAMESPACED,
        columns=(
            Column("Request", ".spec.request.name"),
            Column("Finding", ".spec.finding"),
            Column("State", ".status.state"),
            Column("Who", ".status.who", description="Who must act next"),
            Column("Due", ".status.due", description="Until when the unit has to rectify"),
            Column("InForce", ".status.inForce", description="What is enforced now"),
            Column("Article", ".status.article", priority=1),
            Column("Age", ".metadata.creationTimestamp", type="date"),
        ),
    )
    spec: RectificationNoticeSpec
    status: RectificationNoticeStatus | None = None

    def detail_in(self, language: Literal["en", "zh"]) -> str:
        """What was found; in the language where govpool gave the notice, else as it was written."""
        return self.spec.words.detail.of(language) if self.spec.words else self.spec.detail

    def demand_in(self, language: Literal["en", "zh"]) -> str:
        """What the unit has to do; the same."""
        return self.spec.words.demand.of(language) if self.spec.words else self.spec.demand

    @property
    def enforced(self) -> tuple[Enforcement, ...]:
        """What is in force, as recorded."""
        return tuple(self.status.in_force) if self.status else ()

    @property
    def closed(self) -> bool:
        """Whether it was decided that it is rectified, or withdrawn."""
        closing = (NoticeVerdict.RECTIFIED, NoticeVerdict.WITHDRAWN)
        return any(decision.verdict in closing for decision in self.spec.decisions)
