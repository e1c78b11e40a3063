"""TenantQuota (使用单位额度): a using unit and its envelope; reservations live in its status."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from operator import attrgetter
from typing import Annotated, ClassVar

from pydantic import Field, StringConstraints

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
    ShortText,
    Title,
)


class Amounts(Model):
    """Capacity in every dimension that a quota limits."""

    servers: Annotated[int, Field(ge=0)] = 0
    """Servers."""
    vcpu: Annotated[int, Field(ge=0)] = 0
    """Virtual CPUs."""
    memory_gib: Annotated[int, Field(ge=0)] = 0
    """Memory in GiB."""
    storage_gib: Annotated[int, Field(ge=0)] = 0
    """Root and data disks in GiB."""
    bandwidth_mbps: Annotated[int, Field(ge=0)] = 0
    """Bandwidth in Mbit/s."""
    public_addresses: Annotated[int, Field(ge=0)] = 0
    """Public addresses."""

    def plus(self, other: Amounts) -> Amounts:
        """The sum in every dimension."""
        return Amounts.total((self, other))

    @classmethod
    def total(cls, amounts: Iterable[Amounts]) -> Amounts:
        """The sum of all of them in every dimension."""
        every = [_in_order(one) for one in amounts]
        if not every:
            return _NOTHING
        return cls(**dict(zip(_DIMENSIONS, map(sum, zip(*every, strict=True)), strict=True)))

    def greatest(self, other: Amounts) -> Amounts:
        """The larger of both in every dimension."""
        return Amounts(**dict(zip(_DIMENSIONS, map(max, _in_order(self), _in_order(other)), strict=True)))

    def beyond(self, limit: Amounts) -> tuple[str, ...]:
        """The dimensions (wire names) in which this is more than ``limit``."""
        fields = type(self).model_fields
        return tuple(
            field.alias or name
            for name, field in fields.items()
            if getattr(self, name) > getattr(limit, name)
        )


_DIMENSIONS = tuple(Amounts.model_fields)
_in_order = attrgetter(*_DIMENSIONS)
_NOTHING = Amounts()


class PoolLimit(Model):
    """The hard limits in one pool."""

    pool: Name
    """The CloudPool."""
    hard: Amounts
    """Never exceeded by what is reserved."""


class Contact(Model):
    """A person of the unit (联系人)."""

    name: Title
    """Name."""
    role: ShortText = ""
    """What for: informatization lead, system lead ..."""
    phone: Annotated[str, StringConstraints(max_length=32)] | None = None
    """Telephone number."""
    email: Annotated[str, StringConstraints(max_length=254, pattern=r"^[^@\s]+@[^@\s]+$")] | None = None
    """E-mail address."""


class TenantQuotaSpec(Model):
    """A using unit and what it may have."""

    unit_name: Title
    """Full name of the using unit (云使用单位)."""
    competent_department: Title | None = None
    """Its competent department (主管部门)."""
    sponsor: Title | None = None
    """The unit that applies for it, for subordinate and outside units."""
    outside: bool = False
    """Whether it is outside the regulation's own scope and applies through a sponsor."""
    budget_unit: bool = True
    """Whether it is a budget unit of the city; others settle separately."""
    contacts: Annotated[list[Contact], Field(max_length=16)] = []
    """Whom to tell."""
    limits: Annotated[list[PoolLimit], Field(max_length=32)]
    """Hard limits per pool; a pool that is not named gives nothing."""

    RULES: ClassVar[tuple[Rule, ...]] = (
        Rule(
            "self.limits.all(l, self.limits.exists_one(m, m.pool == l.pool))",
            "each pool has one entry in limits",
        ),
        Rule("!self.outside || has(self.sponsor)", "an outside unit names its sponsor"),
    )


class Reservation(Model):
    """What one request holds in one pool."""

    request_uid: Annotated[str, StringConstraints(max_length=64)]
    """UID of the CloudResourceRequest."""
    request: Name
    """Its name."""
    pool: Name
    """The CloudPool."""
    revision: Annotated[int, Field(ge=1)]
    """The approved revision that it was reserved for."""
    amounts: Amounts
    """What it holds."""


class Standing(StrEnum):
    """Whether the unit is issued anything more."""

    GOOD = "Good"
    ISSUING_STOPPED = "IssuingStopped"
    """停止发放云资源."""


class TenantQuotaStatus(Model):
    """What is reserved and used. All reservations of a unit stand in this one object, so that two requests
    can never both take the last unit: the second write meets a conflict.
    """

    observed_generation: int = 0
    """Generation of the spec that this status is about."""
    conditions: Annotated[list[Condition], Field(max_length=16)] = []
    """Aspects of its state, one of each type."""
    reservations: Annotated[list[Reservation], Field(max_length=1024)] = []
    """One per request and pool."""
    standing: Standing = Standing.GOOD
    """Whether anything more is issued."""
    standing_cause: ShortText | None = None
    """The notice that caused it."""
    standing_since: Instant | None = None
    """Since when."""


class TenantQuota(Resource):
    """A using unit (云使用单位) and its envelope (额度) in each pool."""

    DEFINITION: ClassVar[Definition] = Definition(
        kind="TenantQuota",
        plural="tenantquotas",
        singular="tenantquota",
        short_names=("tq",),
        scope=Scope.NAMESPACED,
        columns=(
            Column("Unit", ".spec.unitName"),
            Column("Standing", ".status.standing"),
            Column("Age", ".metadata.creationTimestamp", type="date"),
        ),
        rules=(
            Rule("self.metadata.name == 'unit'", "a namespace is one unit: its TenantQuota is named unit"),
        ),
    )
    spec: TenantQuotaSpec
    status: TenantQuotaStatus | None = None
