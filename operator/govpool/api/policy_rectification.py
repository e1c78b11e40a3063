"""CloudPolicy's part on rectification (整改): for what a notice is given, its clock, what may follow."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import Field

from govpool.api.base import Article, Duration, Model, Rule, Title
from govpool.api.rectification_words import Enforcement, NoticeFinding


class NoticeRule(Model):
    """What follows from one sort of finding."""

    finding: NoticeFinding
    """The finding."""
    clock: Duration | None = None
    """How long the unit has to rectify; none where the regulation sets no number."""
    by_operator: bool = False
    """Whether govpool gives the notice as soon as it makes the finding; else people do."""
    expert_review: bool = False
    """Whether experts state their opinion before the unit is told and its clock starts."""
    enforcement: Annotated[list[Enforcement], Field(max_length=4)] = []
    """What the authority may decide when the unit does not rectify."""
    automatic: Annotated[list[Enforcement], Field(max_length=4)] = []
    """What follows by itself once the clock has run out, without another decision."""
    at_once: Annotated[list[Enforcement], Field(max_length=4)] = []
    """What is done at once, before the unit is told; taken back when the notice is withdrawn or rectified."""
    copies: Annotated[list[Title], Field(max_length=8)] = []
    """Who gets a copy when it is enforced (抄送)."""
    article: Article
    """Where it says so."""

    RULES: ClassVar[tuple[Rule, ...]] = (
        Rule(
            "!('Deregistration' in self.automatic) && !('Deregistration' in self.atOnce)",
            "a forced deregistration destroys data: it needs a decision, it is never automatic or at once",
        ),
        Rule(
            "size(self.automatic) == 0 || has(self.clock)",
            "what follows automatically follows a clock: state clock, or use atOnce",
        ),
    )


class RectificationRule(Model):
    """Notices and what follows from them (整改)."""

    notices: Annotated[list[NoticeRule], Field(min_length=1, max_length=16)]
    """One entry per finding."""
    low_after_reduction: Duration | None = None
    """For how long after a reduction low use counts as StillLowAfterReduction."""
    article: Article
    """Where it says so."""

    RULES: ClassVar[tuple[Rule, ...]] = (
        Rule(
            "self.notices.all(n, self.notices.exists_one(m, m.finding == n.finding))",
            "each finding has one entry in notices",
        ),
    )
