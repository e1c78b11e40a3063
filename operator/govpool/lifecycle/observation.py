"""Everything that a decision may use. What is not here does not count."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from govpool.api.approval import Approval
from govpool.api.cloudpolicy import CloudPolicy
from govpool.api.cloudpool import CloudPool
from govpool.api.cloudresourcerequest import CloudResourceRequest
from govpool.api.cloudserver import CloudServer
from govpool.api.rectificationnotice import RectificationNotice
from govpool.api.servicecatalog import ServiceCatalog
from govpool.api.tenantquota import TenantQuota
from govpool.api.wipecertificate import WipeCertificate
from govpool.api.workorder import Executor, WorkOrder
from govpool.messages import Language
from govpool_providers.base import Disk, Machine, Stranger, UnitSeen


@dataclass(frozen=True, slots=True)
class RequestObservation:
    """A request and what surrounds it. ``approvals`` and ``orders`` are those that are not settled."""

    request: CloudResourceRequest
    now: datetime
    policy: CloudPolicy | None = None
    catalog: ServiceCatalog | None = None
    pool: CloudPool | None = None
    quota: TenantQuota | None = None
    approvals: tuple[Approval, ...] = ()
    servers: tuple[CloudServer, ...] = ()
    orders: tuple[WorkOrder, ...] = ()
    certificates: tuple[WipeCertificate, ...] = ()
    notices: tuple[RectificationNotice, ...] = ()
    """Every notice of the unit."""
    language: Language = "en"
    """Language of condition messages."""
    executor: Executor = Executor.LOCAL
    """What carries out orders that run playbooks."""


@dataclass(frozen=True, slots=True)
class Unknown:
    """It could not be found out. Nothing may be concluded from it."""

    reason: str
    """The provider's error code."""
    message: str


@dataclass(frozen=True, slots=True)
class SeenInPool:
    """What the pool said of one server: ``machine`` is None when it was seen to be absent."""

    machine: Machine | None
    disks: tuple[Disk, ...]
    copies: Mapping[str, int] = field(default_factory=dict)
    """Disk key to the number of copies; asked only when disks are about to be deleted."""


@dataclass(frozen=True, slots=True)
class ServerObservation:
    """A server, its orders, and what the pool says of it."""

    server: CloudServer
    now: datetime
    pool: CloudPool | None
    seen: SeenInPool | Unknown
    orders: tuple[WorkOrder, ...] = ()
    request: CloudResourceRequest | None = None
    notices: tuple[RectificationNotice, ...] = ()
    """Every notice of the unit."""
    language: Language = "en"


@dataclass(frozen=True, slots=True)
class OrderObservation:
    """A work order and whether anybody runs it."""

    order: WorkOrder
    now: datetime
    me: str
    """This operator's identity."""
    running_here: bool
    """Whether this operator has a run of it under way."""
    holder_gone: bool
    """Whether the holder of its lease is known to be dead."""
    request: CloudResourceRequest | None = None
    policy: CloudPolicy | None = None


@dataclass(frozen=True, slots=True)
class ApprovalObservation:
    """An Approval and the policy that it was made under."""

    approval: Approval
    now: datetime
    policy: CloudPolicy | None


@dataclass(frozen=True, slots=True)
class Survey:
    """What a look through a pool found: things without govpool's mark, and disks with it."""

    strangers: tuple[Stranger, ...]
    disks: tuple[Disk, ...]


@dataclass(frozen=True, slots=True)
class Surveyed:
    """What was looked at this time. ``survey`` is None when it was not due."""

    survey: Survey | Unknown | None = None
    units: Mapping[str, UnitSeen | Unknown] = field(default_factory=dict)
    """By unit, what became of bringing it to the pool; those that were due."""


@dataclass(frozen=True, slots=True)
class PoolObservation:
    """A pool, the keys of the machines that it lists, and the servers that should be there."""

    pool: CloudPool
    now: datetime
    machines: tuple[str, ...] | Unknown
    servers: tuple[CloudServer, ...]
    language: Language = "en"
    policy: CloudPolicy | None = None
    requests: tuple[CloudResourceRequest, ...] = ()
    """Requests in this pool."""
    elsewhere: tuple[CloudResourceRequest, ...] = ()
    """Requests in other pools: asked for only while the provider leaves."""
    certificates: tuple[WipeCertificate, ...] = ()
    """Those of this pool's requests: asked for only while the provider leaves."""
    quotas: tuple[TenantQuota, ...] = ()
    """Those of units that have a limit in the pool."""
    surveyed: Surveyed = Surveyed()
