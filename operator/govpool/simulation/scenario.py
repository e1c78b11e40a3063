"""Scenario (情景): a story as data. Who does what when, what people do by themselves, and what is expected.

Times without an offset are local ones of the policy's time zone.
"""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import ConfigDict, Field, JsonValue, StringConstraints, model_validator

from govpool.api.approval import Verdict
from govpool.api.base import BilingualText, Duration, Model, Name, ShortText, Text, Title, WorkingDays
from govpool.api.cloudpolicy import ReportType, Role, Stage
from govpool.api.cloudresourcerequest import RequestPhase, StageState
from govpool.api.tenantquota import Standing
from govpool.api.workorder import WorkOrderKind

Json = dict[str, JsonValue]
Span = WorkingDays | Duration
"""``P30D``, ``PT2H`` or ``{workingDays: 3}``: the policy's working days; the day itself does not count."""
LocalTime = Annotated[
    str,
    StringConstraints(
        pattern=r"^\d{4}-\d{2}-\d{2}(T\d{2}:\d{2}(:\d{2})?(Z|[+-]\d{2}:\d{2})?)?$", max_length=25
    ),
]
"""``2026-02-14`` (nine o'clock in the morning) or ``2026-02-14T16:30``; local unless it names an offset."""
TimeOfDay = Annotated[str, StringConstraints(pattern=r"^([01]\d|2[0-3]):[0-5]\d$", max_length=5)]
"""``10:00``, local."""
Path = Annotated[str, StringConstraints(min_length=1, max_length=256)]
"""Field names on the wire with dots between them, list positions as numbers: ``status.conditions.0.type``.

``status.conditions.type=Ready.reason``: of the element that has this value.
"""
UID = re.compile(r"\$\{uid:([a-z0-9.-]+)\}")
"""Stands for the uid of a request of the story, or of an object that an event created."""


class Part(Model):
    """A piece of a scenario: what it does not know is an error, not ignored."""

    model_config = ConfigDict(extra="forbid")


# -- when ----------------------------------------------------------------------------------------
class Mark(Part):
    """A moment that the story itself brings. Without anything but ``delay``: counted from the start.

    The first time that it is reached counts. What never comes never triggers anything; the result says so.
    """

    event: Name | None = None
    """``id`` of another event of the scenario."""
    request: Name | None = None
    """A request of the scenario, by its key in ``requests``; with ``phase``, ``stage`` or ``happened``."""
    phase: RequestPhase | None = None
    """The request is in this phase."""
    stage: Stage | None = None
    """The request is at this stage."""
    state: StageState = StageState.WAITING
    """How far that stage is."""
    happened: ShortText | None = None
    """The request's history tells this (``what``): ``Review: Approve``, ``Handover`` ..."""
    delay: Span | None = None
    """How long after it; without one at once."""
    time: TimeOfDay | None = None
    """Time of day on the day that is reached; ten o'clock after a delay in days."""

    @model_validator(mode="after")
    def _one_thing(self) -> Mark:
        named = [self.phase, self.stage, self.happened]
        if (self.request is not None) != any(item is not None for item in named):
            raise ValueError("request goes with one of phase, stage, happened")
        if sum(item is not None for item in [self.event, *named]) > 1:
            raise ValueError("name one of event, phase, stage, happened")
        return self


class Event(Part):
    """Something that somebody does, once: at a time, or after a mark; without either at the start."""

    id: Name | None = None
    """To be named by marks of other events."""
    at: LocalTime | None = None
    """When."""
    after: Mark | None = None
    """After what."""
    by: Title | None = None
    """Who; else the one who usually does such things."""
    told: BilingualText | None = None
    """One line for the time line; without it the engine tells what was done."""
    policies: list[Name] = []
    """Happens only under these policies; empty: under all."""

    @property
    def whose(self) -> str | None:
        """The request that it belongs to, if any."""
        found: str | None = getattr(self, "request", None)
        return found

    @property
    def detail(self) -> str:
        """A word about it, for the time line."""
        return ""

    @model_validator(mode="after")
    def _one_time(self) -> Event:
        if self.at is not None and self.after is not None:
            raise ValueError("give at or after, not both")
        return self


# -- who does what -------------------------------------------------------------------------------
class Apply(Event):
    """A unit files its application."""

    do: Literal["apply"]
    request: Name
    patch: Json = {}
    """Merge patch (RFC 7386) over the spec that ``requests`` gives it."""


class Edit(Event):
    """A unit edits its application: a change, an extension, a supplement, the end of use."""

    do: Literal["edit"]
    request: Name
    patch: Json
    """Merge patch (RFC 7386) over the spec as it is then."""
    papers: Literal["complete", "as-given"] = "complete"
    """Whether the papers that the policy wants for such an application are added."""


class Decide(Event):
    """Somebody decides the step that is open."""

    do: Literal["decide"]
    request: Name
    stage: Stage | None = None
    """The step; without one whichever waits."""
    verdict: Verdict = Verdict.APPROVE
    opinion: Text = ""

    @property
    def detail(self) -> str:
        """A word about it, for the time line."""
        return self.verdict.value


class Confirm(Event):
    """The unit confirms: delivery, the tripartite agreement, the receipt of a backup, the end of service, or
    that the environment that the system came from was taken down.
    """

    do: Literal["confirm"]
    request: Name
    what: Literal["delivery", "agreement", "backup", "termination", "old-environment"]
    statement: Text = ""

    @property
    def detail(self) -> str:
        """A word about it, for the time line."""
        return self.what


class FileReport(Event):
    """The unit files a report."""

    do: Literal["report"]
    request: Name
    type: ReportType

    @property
    def detail(self) -> str:
        """A word about it, for the time line."""
        return self.type.value


class Complete(Event):
    """A person reports the outcome of a work order that a person carries out."""

    do: Literal["complete"]
    request: Name
    work: WorkOrderKind | None = None
    """Which; without one the newest that is open."""
    succeeded: bool = True
    statement: Text = ""


class Measure(Event):
    """Usage of servers is measured: it becomes ``status.usage`` of each."""

    do: Literal["measure"]
    request: Name
    server: ShortText | None = None
    """A group of servers, or one server by its whole name; without one all of the request."""
    usage: Json
    """``${now}``, ``${today}`` stand for the time."""


class Fault(Event):
    """From now on the pool fails, until it is healed."""

    do: Literal["fault"]
    pool: Name = "fixture-pool"
    code: ShortText = "Unreachable"
    """An error code of the provider contract."""
    method: ShortText = "*"
    """The call that fails; ``*``: all."""
    first: Annotated[int, Field(ge=1)] | None = None
    """The call that is the first to fail, counted from now; without one every call fails."""
    times: Annotated[int, Field(ge=1)] = 1
    """How many calls fail, with ``first``."""

    @property
    def detail(self) -> str:
        """A word about it, for the time line."""
        return f"{self.pool} {self.code}"


class Heal(Event):
    """The pool is well again."""

    do: Literal["heal"]
    pool: Name = "fixture-pool"


class Drift(Event):
    """A machine changes behind govpool's back."""

    do: Literal["drift"]
    request: Name
    server: ShortText
    """The server's name, or its group for the first of it."""
    vcpu: Annotated[int, Field(ge=1)] | None = None
    memory_gib: Annotated[int, Field(ge=1)] | None = None
    power: bool | None = None
    fault: ShortText | None = None
    """The machine breaks, with these words of the pool."""


class Create(Event):
    """An object is created as it stands: a pool, a catalogue, a notice."""

    do: Literal["create"]
    manifest: Json
    """``${now}`` and ``${today}`` stand for the time, ``${uid:NAME}`` for the uid of a request of the story
    or of what an event created before.
    """


class Patch(Event):
    """Any object is edited: a policy is amended, a quota raised, a notice answered, a pool put to exit."""

    do: Literal["patch"]
    kind: ShortText
    name: Title | None = None
    """The object's name; ``${policy}``, ``${pool}`` stand for those in force."""
    namespace: Name | None = None
    """Else the unit of ``request``, else the first unit."""
    request: Name | None = None
    """Instead of a name: the newest object of the kind that was made for this request."""
    body: Json
    """Merge patch over the whole object; ``${now}``, ``${today}`` and ``${uid:NAME}`` as for ``create``."""
    subresource: Literal["status"] | None = None

    @property
    def detail(self) -> str:
        """A word about it, for the time line."""
        return f"{self.kind} {self.name or ''}".strip()


class Delete(Event):
    """An object is deleted."""

    do: Literal["delete"]
    kind: ShortText
    name: Title | None = None
    namespace: Name | None = None
    request: Name | None = None
    """Instead of a name, as for ``patch``; of kind CloudResourceRequest the request itself."""

    @property
    def detail(self) -> str:
        """A word about it, for the time line."""
        return f"{self.kind} {self.name or ''}".strip()


class Note(Event):
    """Nothing is done; the time line tells it."""

    do: Literal["note"]
    request: Name | None = None


AnyEvent = Annotated[
    Apply
    | Edit
    | Decide
    | Confirm
    | FileReport
    | Complete
    | Measure
    | Fault
    | Heal
    | Drift
    | Create
    | Patch
    | Delete
    | Note,
    Field(discriminator="do"),
]


# -- what people do by themselves ----------------------------------------------------------------
class Habit(Part):
    """What whoever must act at a stage does by himself, and how soon. The first that fits counts; what no
    habit of the scenario is about follows the built-in ones.
    """

    stage: Stage
    """The stage that waits for somebody."""
    requests: list[Name] = []
    """Only for these requests; empty: for all."""
    policies: list[Name] = []
    """Only under these policies; empty: under all."""
    does: Literal["act", "nothing"] = "act"
    """``nothing``: nobody ever acts here by himself."""
    verdict: Verdict = Verdict.APPROVE
    """What is decided, at a stage that is decided by people."""
    opinion: Text = ""
    """Why; needed unless it approves."""
    by: Title | None = None
    """Who."""
    after: Span = WorkingDays(working_days=1)
    """How long it takes from when it is his turn."""
    time: TimeOfDay = "10:00"
    """Time of day, after a span in days."""


class Reaction(Part):
    """What somebody does by himself, once, to every object that looks so: a notice is answered."""

    kind: ShortText
    where: dict[Path, JsonValue]
    """Values that the object has; null: has not."""
    requests: list[Name] = []
    """Only to what was made for these requests; empty: to all."""
    policies: list[Name] = []
    """Only under these policies; empty: under all."""
    does: Literal["act", "nothing"] = "act"
    """``nothing``: nobody ever answers such an object by himself."""
    by: Title | None = None
    after: Span = WorkingDays(working_days=1)
    time: TimeOfDay = "10:00"
    body: Json = {}
    """Merge patch over the whole object. ``${now}`` and ``${today}`` stand for the time."""
    subresource: Literal["status"] | None = None
    told: BilingualText | None = None
    """One line for the time line."""


# -- what is expected ----------------------------------------------------------------------------
class ExpectedCondition(Part):
    """A condition of the request. What is not named is not looked at."""

    type: ShortText
    status: Literal["True", "False", "Unknown"] | None = None
    reason: ShortText | None = None
    says: ShortText | None = None
    """A piece of its message."""
    present: bool = True
    """False: the request has no such condition (with that status, reason and text)."""


class ExpectedDeadline(Part):
    """A deadline that is open. What is not named is not looked at."""

    stage: Stage | None = None
    who: Role | None = None
    overdue: bool | None = None
    due: ShortText | None = None
    """The local day it ends, YYYY-MM-DD."""
    article: ShortText | None = None
    """The clause, with the policy's code."""
    present: bool = True
    """False: there is no such deadline."""


class ExpectedHappening(Part):
    """An entry of the request's history. What is not named is not looked at."""

    what: ShortText | None = None
    actor: ShortText | None = None
    article: ShortText | None = None
    on: ShortText | None = None
    """The local day, YYYY-MM-DD."""
    says: ShortText | None = None
    """A piece of its detail."""
    times: Annotated[int, Field(ge=0)] | None = None
    """How often; without it at least once."""


class ExpectedQuota(Part):
    """Where a unit stands."""

    unit: Name | None = None
    """Its namespace; else the request's, else the first."""
    standing: Standing | None = None
    servers: Annotated[int, Field(ge=0)] | None = None
    """Servers that are reserved, over all its requests."""


class ExpectedBilling(Part):
    """When billing of the request started and ended."""

    started: ShortText | None = None
    """The local day, YYYY-MM-DD; ``none``: not yet."""
    started_article: ShortText | None = None
    ended: ShortText | None = None
    """The local day, YYYY-MM-DD; ``none``: not yet."""


class ExpectedObject(Part):
    """Objects of any kind."""

    kind: ShortText
    name: Title | None = None
    """Else those made for the request, else all."""
    where: dict[Path, JsonValue] = {}
    """Values that they have; null: have not."""
    count: Annotated[int, Field(ge=0)] | None = None
    """How many there are; without it at least one."""


class Expectation(Part):
    """What must be so at a time; at the end, without one. Every part that is given must hold."""

    at: LocalTime | None = None
    after: Mark | None = None
    policies: list[Name] = []
    """Only under these policies; empty: under all."""
    request: Name | None = None
    """Which request; without one the only one."""
    phase: RequestPhase | None = None
    condition: ExpectedCondition | None = None
    deadline: ExpectedDeadline | None = None
    happened: ExpectedHappening | None = None
    servers: Annotated[int, Field(ge=0)] | None = None
    """Servers of the request that are there."""
    billing: ExpectedBilling | None = None
    quota: ExpectedQuota | None = None
    object: ExpectedObject | None = None
    because: BilingualText | None = None
    """What it shows, for people."""

    @model_validator(mode="after")
    def _one_time(self) -> Expectation:
        if self.at is not None and self.after is not None:
            raise ValueError("give at or after, not both")
        return self


class Telling(BilingualText):
    """A longer text in both languages."""

    en: Text
    zh: Text


# -- the scenario --------------------------------------------------------------------------------
class Unit(Part):
    """A using unit; the first one that is not described is the example's."""

    namespace: Name
    patch: Json = {}
    """Merge patch over the spec of the example's TenantQuota."""


class RequestPlan(Part):
    """What a request asks for."""

    unit: Name | None = None
    """Its unit's namespace; without one the first."""
    patch: Json = {}
    """Merge patch over the spec of the example's application."""
    papers: Literal["complete", "as-given"] = "complete"
    """Whether the papers that the policy wants are added."""


class Supply(Part):
    """What differs from the built-in policy, catalogue and pool (the example's, on the fixture provider)."""

    policy: Json = {}
    """Merge patch over the policy's spec."""
    catalog: Json = {}
    """Merge patch over the catalogue's spec."""
    pool: Json = {}
    """Merge patch over the pool's spec."""
    more: Annotated[list[Json], Field(max_length=32)] = []
    """Further objects, whole: a second pool, a second policy. ``${policy}`` stands for the one in force."""


class Scenario(Part):
    """A story (情景). Everything in it may be played on the simulator and on a control plane alike."""

    name: Name
    title: BilingualText
    about: Telling | None = None
    starts: LocalTime
    until: LocalTime
    supply: Supply = Supply()
    units: Annotated[list[Unit], Field(max_length=256)] = []
    requests: Annotated[dict[Name, RequestPlan], Field(min_length=1)]
    """By name."""
    events: list[AnyEvent] = []
    habits: list[Habit] = []
    reactions: list[Reaction] = []
    expect: list[Expectation] = []
