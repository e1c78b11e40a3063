"""SimulationResult: what a scenario came to. Written by the player, read by tables, pages and comparisons.

All times are aware; people read them in the policy's time zone. The same scenario under the same policy gives
the same result, byte for byte.
"""

from __future__ import annotations

from datetime import datetime

from govpool.api.base import BilingualText, Model
from govpool.api.cloudpolicy import ApplicationType, CalendarRule, Role, Stage
from govpool.api.cloudresourcerequest import Happening, RequestPhase, StageState
from govpool.api.tenantquota import Amounts, Standing
from govpool.messages import Language
from govpool.simulation.scenario import Telling


class PolicyTold(Model):
    """The policy that was played under."""

    name: str
    code: str
    """What its clauses are cited by: ``YY``."""
    title: BilingualText
    document_number: str
    time_zone: str
    calendar: CalendarRule = CalendarRule()
    """Which days are working days."""


class PhaseSpan(Model):
    """A request in one phase."""

    phase: RequestPhase
    since: datetime
    until: datetime | None = None
    """None: still, at the end."""


class StageSpan(Model):
    """A request at one stage in one state."""

    stage: Stage
    state: StageState
    since: datetime
    until: datetime | None = None
    """None: still, at the end."""
    who: Role | None = None
    article: str = ""
    message: str = ""


class Clock(Model):
    """A deadline from when it was first told to when it was no longer open."""

    what: str
    stage: Stage | None = None
    who: Role
    article: str
    since: datetime
    """When the clock started."""
    due: datetime | None = None
    """None where the regulation sets no time."""
    overdue_since: datetime | None = None
    """When it was found to have run out; None: it never was."""
    ended: datetime | None = None
    """When whoever had to act had acted, or it no longer mattered; None: still open at the end."""


class DecisionTold(Model):
    """A decision of a person on an Approval."""

    at: datetime
    actor: str
    stage: Stage
    verdict: str
    opinion: str = ""
    article: str = ""
    approval: str
    application: ApplicationType
    revision: int


class ServerSpan(Model):
    """A server with one size."""

    server: str
    """Name of the CloudServer."""
    group: str
    since: datetime
    until: datetime | None = None
    """None: still, at the end."""
    phase: str
    vcpu: int
    memory_gib: int
    storage_gib: int


class BillingSpan(Model):
    """From the start of billing to its end."""

    since: datetime
    started_article: str
    until: datetime | None = None
    ended_article: str = ""


class FeeStep(Model):
    """The fee a year from a time on."""

    since: datetime
    fee_per_year: str
    """CNY."""


class NoticeSpan(Model):
    """An object that tells somebody something with a clock: a rectification notice, a manual work order."""

    kind: str
    name: str
    since: datetime
    until: datetime | None = None
    """When it was settled or gone; None: still open at the end."""
    about: str = ""
    """What was found, or the work to do: the word that programs use."""
    detail: dict[Language, str] = {}
    """What was found, in the language of the reader."""
    article: str = ""
    due: datetime | None = None
    state: str = ""
    """Its last one."""


class ConditionTold(Model):
    """A condition as it stood at the end."""

    type: str
    status: str
    reason: str
    message: str
    since: datetime


class RequestLine(Model):
    """A request's time line."""

    name: str
    unit: str
    """Its namespace."""
    unit_name: str
    system: str
    applied: datetime | None = None
    """When it was filed; None: it never was."""
    phases: list[PhaseSpan] = []
    stages: list[StageSpan] = []
    clocks: list[Clock] = []
    decisions: list[DecisionTold] = []
    history: list[Happening] = []
    """As status.history has it, oldest first."""
    servers: list[ServerSpan] = []
    billing: BillingSpan | None = None
    fees: list[FeeStep] = []
    notices: list[NoticeSpan] = []
    conditions: list[ConditionTold] = []
    """At the end."""
    citations: list[str] = []
    """Every clause that was ever cited, in the order of the first time."""
    certificate: str | None = None
    trial_started: datetime | None = None
    trial_ends: datetime | None = None
    keep_old_environment_until: datetime | None = None
    gone: datetime | None = None
    """When the object itself was gone; None: it is still there."""

    @property
    def phase(self) -> RequestPhase | None:
        """The phase at the end."""
        return self.phases[-1].phase if self.phases else None


class StandingSpan(Model):
    """A unit in one standing."""

    standing: Standing
    since: datetime
    until: datetime | None = None
    cause: str = ""


class ReservedStep(Model):
    """What a unit holds from a time on."""

    since: datetime
    reserved: Amounts


class UnitLine(Model):
    """A unit's time line."""

    unit: str
    """Its namespace."""
    unit_name: str
    standings: list[StandingSpan] = []
    reserved: list[ReservedStep] = []


class Played(Model):
    """Something that somebody did, by an event or by habit."""

    at: datetime
    do: str
    """The event's ``do``; ``habit`` or ``reaction`` for what people did by themselves."""
    by: str
    request: str | None = None
    told: BilingualText
    refused: str = ""
    """Why the API server did not take it; empty: it did."""


class NeverPlayed(Model):
    """An event whose moment never came."""

    do: str
    request: str | None = None
    told: BilingualText
    why: str


class Met(Model):
    """An expectation and whether it held."""

    at: datetime
    request: str | None = None
    expected: str
    """In words: ``phase InService``."""
    found: str
    """What was there instead, or the same."""
    met: bool
    because: BilingualText | None = None


class Counts(Model):
    """How much was done."""

    decisions: int = 0
    """Reconciles: calls of a decide function."""
    writes: int = 0
    """Writes that the API took."""
    conflicts: int = 0
    """Writes that it refused, because the object was written meanwhile."""
    provider_calls: int = 0
    moves: int = 0
    """How often the clock moved on."""
    requests: int = 0
    approvals: int = 0
    servers: int = 0
    orders: int = 0
    certificates: int = 0
    overdue: int = 0
    """Clocks that ran out."""


class SimulationResult(Model):
    """What a scenario came to under a policy."""

    scenario: str
    title: BilingualText
    about: Telling | None = None
    policy: PolicyTold
    language: str = "en"
    """Language of messages that the core told: of histories, clocks, conditions."""
    started: datetime
    until: datetime
    requests: list[RequestLine] = []
    units: list[UnitLine] = []
    played: list[Played] = []
    never_played: list[NeverPlayed] = []
    expectations: list[Met] = []
    counts: Counts = Counts()

    @property
    def met(self) -> bool:
        """Whether every expectation held."""
        return all(item.met for item in self.expectations)
