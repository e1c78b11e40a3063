"""ServiceCatalog (政务云服务目录): what may be applied for in a year, and at what price."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, ClassVar

from pydantic import Field

from govpool.api.base import (
    BilingualText,
    Column,
    Day,
    Definition,
    Model,
    Money,
    Name,
    Resource,
    Rule,
    Scope,
    ShortText,
)


class Category(StrEnum):
    """What kind of service an item is."""

    SERVER = "Server"
    STORAGE = "Storage"
    NETWORK = "Network"
    SECURITY = "Security"
    DATABASE = "Database"
    MIDDLEWARE = "Middleware"
    OTHER = "Other"


class Fulfilment(StrEnum):
    """How an item is issued."""

    AUTOMATED = "Automated"
    """By govpool, through the pool's provider."""
    MANUAL = "Manual"
    """By a person, who gets a work order."""


class Provides(Model):
    """What one unit of an item gives."""

    vcpu: Annotated[int, Field(ge=1, le=1024)] | None = None
    """Virtual CPUs."""
    memory_gib: Annotated[int, Field(ge=1, le=16384)] | None = None
    """Memory in GiB."""
    root_disk_gib: Annotated[int, Field(ge=1, le=16384)] | None = None
    """Root disk in GiB."""
    storage_gib: Annotated[int, Field(ge=1, le=1048576)] | None = None
    """Storage in GiB."""
    bandwidth_mbps: Annotated[int, Field(ge=1, le=1000000)] | None = None
    """Bandwidth in Mbit/s."""
    public_addresses: Annotated[int, Field(ge=1, le=65536)] | None = None
    """Public addresses."""
    service: ShortText | None = None
    """Anything else, in words."""


class CatalogItem(Model):
    """One item of the directory."""

    name: Name
    """How a request names it."""
    title: BilingualText
    """How people name it."""
    category: Category
    """What kind of service it is."""
    unit: ShortText
    """Unit of measure (计量单位): server, GiB, Mbit/s ..."""
    provides: Provides
    """What one unit gives."""
    price_per_year: Money
    """Price of one unit for a year, in CNY."""
    price_ceiling: Money | None = None
    """The ceiling (最高限价) of that price, in CNY."""
    fulfilment: Fulfilment = Fulfilment.AUTOMATED
    """How it is issued."""
    meets_security_requirements: bool = True
    """Whether it meets the cloud's security requirements (政务云安全管理要求)."""

    RULES: ClassVar[tuple[Rule, ...]] = (
        Rule(
            "self.category != 'Server' || (has(self.provides.vcpu) && has(self.provides.memoryGiB)"
            " && has(self.provides.rootDiskGiB))",
            "a Server item states provides.vcpu, provides.memoryGiB and provides.rootDiskGiB",
        ),
        Rule(
            "!has(self.priceCeiling) || double(self.pricePerYear) <= double(self.priceCeiling)",
            "pricePerYear must not exceed priceCeiling",
        ),
    )


class ServiceCatalogSpec(Model):
    """The directory of one year."""

    year: Annotated[int, Field(ge=2000, le=2200)]
    """The year that it is for."""
    effective_from: Day
    """First day on which it is in force."""
    effective_until: Day | None = None
    """Last day on which it is in force."""
    items: Annotated[list[CatalogItem], Field(min_length=1, max_length=200)]
    """The items; names are unique."""

    RULES: ClassVar[tuple[Rule, ...]] = (
        Rule(
            "self.items.all(i, self.items.exists_one(j, j.name == i.name))",
            "names of items must be unique",
        ),
        Rule(
            "!has(self.effectiveUntil) || self.effectiveUntil > self.effectiveFrom",
            "effectiveUntil must be later than effectiveFrom",
        ),
    )


class ServiceCatalog(Resource):
    """The service directory (服务目录) of a year, with prices and ceilings."""

    DEFINITION: ClassVar[Definition] = Definition(
        kind="ServiceCatalog",
        plural="servicecatalogs",
        singular="servicecatalog",
        short_names=("scat",),
        scope=Scope.CLUSTER,
        columns=(
            Column("Year", ".spec.year", type="integer"),
            Column("From", ".spec.effectiveFrom"),
            Column("Until", ".spec.effectiveUntil"),
            Column("Age", ".metadata.creationTimestamp", type="date"),
        ),
        has_status=False,
    )
    spec: ServiceCatalogSpec

    def item(self, name: str) -> CatalogItem | None:
        """The item of that name, or None."""
        return next((item for item in self.spec.items if item.name == name), None)
