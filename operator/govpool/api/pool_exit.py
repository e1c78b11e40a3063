"""When a provider stops (云服务商退出): its notice, the approval, the plan per request, and how far it is."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import Field

from govpool.api.base import Day, Instant, Model, Name, Sha256, ShortText, Text, Title
from govpool.api.policy_roles import Role


class ExitNotice(Model):
    """The provider's written application to stop (书面申请)."""

    at: Instant
    """When the authority received it."""
    by: Title
    """Who signed it for the provider."""
    reference: Title
    """Document number or place."""
    sha256: Sha256 | None = None
    """Hash of the file."""


class ExitApproval(Model):
    """The authority's consent (批准同意); the free transition starts with it."""

    at: Instant
    """When."""
    by: Title
    """Who approved."""
    reference: Title
    """Document number or place."""


class ExitPlanEntry(Model):
    """What the exit plan (退出方案) has for one request."""

    namespace: Name
    """The unit's namespace."""
    request: Name
    """The request in this pool."""
    successor: Name | None = None
    """The request in another pool that takes the system over."""
    not_migrated: Text = ""
    """Why the system is not migrated, where it is not."""
    due: Day | None = None
    """Until when; at the latest the end of the transition."""


class ExitEvidence(Model):
    """A paper that proves what govpool could not see."""

    reference: Title
    """Document number or place."""
    sha256: Sha256
    """Hash of the file."""
    at: Instant
    """When it was filed."""


class PoolExit(Model):
    """A provider's exit."""

    notice: ExitNotice
    """The provider's notice."""
    stops: Day | None = None
    """The last day of service that the provider asks for."""
    approval: ExitApproval | None = None
    """The authority's consent."""
    plan: Annotated[list[ExitPlanEntry], Field(max_length=256)] = []
    """One entry for each request in the pool."""
    destruction: Annotated[list[ExitEvidence], Field(max_length=16)] = []
    """Proof of the destruction of data that a provider only declared to be destroyed."""


class ExitTask(StrEnum):
    """What an exit is made of, for each request (下线、迁移、移交、备份)."""

    MIGRATE = "Migrate"
    """The system runs elsewhere, or it is said why it does not."""
    BACK_UP = "BackUp"
    """Its data is saved."""
    HAND_OVER = "HandOver"
    """The unit gave its receipt for the data."""
    TAKE_DOWN = "TakeDown"
    """It is deregistered and its servers are seen to be gone."""


class ExitTaskState(Model):
    """How far one task is."""

    task: ExitTask
    """Which."""
    done: bool = False
    """Whether it was seen to be done."""
    who: Role
    """Who must act."""
    detail: ShortText = ""
    """What was seen, or what is missing."""


class ExitProgress(Model):
    """How far the exit is for one request."""

    namespace: Name
    """The unit's namespace."""
    request: Name
    """The request."""
    planned: bool = False
    """Whether the plan has an entry for it."""
    due: Instant | None = None
    """Until when."""
    tasks: Annotated[list[ExitTaskState], Field(max_length=4)] = []
    """Its tasks in their order."""
    done: bool = False
    """Whether nothing is left to do."""


class PoolExitStatus(Model):
    """How far the exit is."""

    notice_until: Instant | None = None
    """Not before then may the provider stop: its notice runs."""
    transition_since: Instant | None = None
    """Since when the free transition runs; absent while the exit is not approved."""
    transition_until: Instant | None = None
    """Until when it runs."""
    article: ShortText = ""
    """Clause that it follows, with the policy's code."""
    requests: Annotated[list[ExitProgress], Field(max_length=256)] = []
    """How far it is for each request, those with something left first."""
    open_requests: Annotated[int, Field(ge=0)] = 0
    """How many requests have something left to do, those beyond the list included."""
    lacks: Annotated[list[Text], Field(max_length=32)] = []
    """Why the pool can't be closed yet."""


class PartyKind(StrEnum):
    """What a party of the pool's contracts is."""

    PROVIDER = "Provider"
    """云服务商."""
    INTEGRATOR = "Integrator"
    """集成方: builds the pool."""


class Party(Model):
    """A party of the pool's contracts."""

    kind: PartyKind
    """What it is."""
    name: Title
    """Its name."""
    credit_code: ShortText | None = None
    """Unified social credit code (统一社会信用代码)."""
    seriously_dishonest: bool = False
    """Whether it is on the list of seriously dishonest entities (严重失信主体名单)."""
    checked_at: Instant | None = None
    """When that list was looked up."""
    affiliates: Annotated[list[Title], Field(max_length=32)] = []
    """Names of its affiliates (关联企业)."""
