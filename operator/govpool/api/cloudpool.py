"""CloudPool (云资源池): a provider's pool and how it is reached."""

from __future__ import annotations

from enum import StrEnum
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
from govpool.api.cloudresourcerequest import Material
from govpool.api.origin import Origin
from govpool.api.policy_pool import FiledReport, PeriodicDue
from govpool.api.pool_drift import DriftRule, Units, UnknownResources
from govpool.api.pool_exit import Party, PoolExit, PoolExitStatus

MANUAL_PROVIDER = "manual"
"""Name of the provider of a pool that only people reach."""


class OperatingMode(StrEnum):
    """How a pool is run (YY-4): who carries out what was approved."""

    SELF_BUILT = "SelfBuilt"
    """政府自建: the technical organ executes."""
    PURCHASED_SERVICE = "PurchasedService"
    """购买服务: a work order goes to the provider."""


class PoolState(StrEnum):
    """Whether a pool takes new servers."""

    OPEN = "Open"
    CORDONED = "Cordoned"
    """Nothing new; what is there goes on."""
    EXITING = "Exiting"
    """The provider leaves; everything is migrated away."""
    CLOSED = "Closed"


class SecretReference(Model):
    """A Secret that holds what must not stand in a manifest."""

    name: Name
    """Its name."""
    namespace: Name = "govpool-system"
    """Its namespace."""


class Connection(Model):
    """How the pool is reached."""

    provider: Name
    """Name of the provider's entry point: local, fixture, openstack ..."""
    cloud: Name | None = None
    """Entry of ``clouds.yaml``."""
    secret_ref: SecretReference | None = None
    """Secret with the credentials; its keys are the provider's business."""
    settings: Annotated[
        dict[str, Annotated[str, StringConstraints(max_length=1024)]], Field(max_length=64)
    ] = {}
    """The provider's own settings. Never a secret."""


class PoolCapacity(Model):
    """What may be issued from the pool."""

    servers: Annotated[int, Field(ge=0)] | None = None
    """Servers."""
    vcpu: Annotated[int, Field(ge=0)] | None = None
    """Virtual CPUs, before overcommit."""
    memory_gib: Annotated[int, Field(ge=0)] | None = None
    """Memory in GiB, before overcommit."""
    storage_gib: Annotated[int, Field(ge=0)] | None = None
    """Storage in GiB."""
    vcpu_overcommit_percent: Annotated[int, Field(ge=100, le=1600)] = 100
    """vCPUs issued per hundred that exist."""
    memory_overcommit_percent: Annotated[int, Field(ge=100, le=200)] = 100
    """GiB issued per hundred that exist."""


class Mapping(Model):
    """What a catalogue item, image or network is called in the pool."""

    name: Title
    """Name in requests and the catalogue."""
    provider_name: Title
    """Name in the pool."""


class Mappings(Model):
    """Names in the pool; a name without a mapping is used as it is."""

    flavours: Annotated[list[Mapping], Field(max_length=256)] = []
    """Catalogue items of servers."""
    images: Annotated[list[Mapping], Field(max_length=64)] = []
    """Operating system images."""
    networks: Annotated[list[Mapping], Field(max_length=64)] = []
    """Networks of systems."""
    volume_types: Annotated[list[Mapping], Field(max_length=64)] = []
    """Storage items of the catalogue."""


class BackupRepository(Model):
    """Where units' data is backed up before it is destroyed."""

    location: Title
    """The restic repository's location, without credentials."""
    password_ref: SecretReference
    """Secret whose key ``password`` opens the repository."""


class CloudPoolSpec(Model):
    """A pool as its platform engineers describe it."""

    title: Title
    """What people call it."""
    connection: Connection
    """How it is reached."""
    operating_mode: OperatingMode
    """Who carries out what was approved."""
    district: ShortText | None = None
    """District or dedicated domain (专有域) that it belongs to."""
    dedicated_domain: bool = False
    """Whether it is a dedicated domain."""
    policy: Name
    """The CloudPolicy in force."""
    catalog: Name
    """The ServiceCatalog in force."""
    capacity: PoolCapacity = PoolCapacity()
    """What may be issued from it."""
    mappings: Mappings = Mappings()
    """Names in the pool."""
    backup: BackupRepository | None = None
    """Where data is backed up before it is destroyed."""
    admin_networks: Annotated[
        list[Annotated[str, StringConstraints(max_length=43, pattern=r"^[0-9a-fA-F.:]+/[0-9]{1,3}$")]],
        Field(max_length=16),
    ] = []
    """Networks (CIDR) that administrators come from; the baseline lets them in from nowhere else."""
    state: PoolState = PoolState.OPEN
    """Whether it takes new servers."""
    evidence: Annotated[list[Material], Field(max_length=16)] = []
    """Assessments and filings of the platform itself."""
    exit: PoolExit | None = None
    """The provider's exit."""
    parties: Annotated[list[Party], Field(max_length=16)] = []
    """Parties of its contracts: providers and integrators."""
    opened_data: Title | None = None
    """Where a dedicated domain opens its data to the platform (BZ-14); a record."""
    reports: Annotated[list[FiledReport], Field(max_length=256)] = []
    """Periodic reports that were filed."""
    drift: DriftRule = DriftRule()
    """What govpool may undo of what somebody changed in the pool."""

    RULES: ClassVar[tuple[Rule, ...]] = (
        Rule(
            "self.connection.provider == oldSelf.connection.provider",
            "connection.provider is immutable: open another pool and migrate",
        ),
        Rule("oldSelf.state != 'Closed' || self.state == 'Closed'", "a Closed pool stays closed"),
        Rule(
            "!has(oldSelf.exit) || (has(self.exit) && self.exit.notice == oldSelf.exit.notice"
            " && (!has(oldSelf.exit.approval) || (has(self.exit.approval)"
            " && self.exit.approval == oldSelf.exit.approval)))",
            "a provider's notice and the approval of its exit stand once they were given",
        ),
    )


class Allocated(Model):
    """What the pool's servers take."""

    servers: int = 0
    """Servers."""
    vcpu: int = 0
    """Virtual CPUs."""
    memory_gib: int = 0
    """Memory in GiB."""
    storage_gib: int = 0
    """Root and data disks in GiB."""


class CloudPoolStatus(Model):
    """What was last seen of the pool."""

    observed_generation: int = 0
    """Generation of the spec that this status is about."""
    conditions: Annotated[list[Condition], Field(max_length=16)] = []
    """Aspects of its state, one of each type."""
    reachable: bool | None = None
    """Whether it answered; absent while nobody knows."""
    seen_at: Instant | None = None
    """When it last answered."""
    allocated: Allocated = Allocated()
    """What its servers take."""
    unknown_machines: Annotated[list[ShortText], Field(max_length=64)] = []
    """Machines that carry govpool's tags and belong to no CloudServer; listed, never deleted."""
    unknown_resources: UnknownResources = []
    """What nobody here made, or tells of any more; listed, never deleted."""
    units: Units = []
    """Units that the pool keeps apart, with the limits that it has for them."""
    exit: PoolExitStatus | None = None
    """How far the provider's exit is."""
    closed_at: Instant | None = None
    """When it was seen to be empty and proven, and its closing was honoured."""
    reports_due: Annotated[list[PeriodicDue], Field(max_length=16)] = []
    """Periodic reports that are due next; they decide nothing."""
    origin: Origin | None = None
    """What it was before it was restored from a backup."""


class CloudPool(Resource):
    """A cloud resource pool (云资源池) of one provider."""

    DEFINITION: ClassVar[Definition] = Definition(
        kind="CloudPool",
        plural="cloudpools",
        singular="cloudpool",
        short_names=("pool",),
        scope=Scope.CLUSTER,
        columns=(
            Column("Provider", ".spec.connection.provider"),
            Column("State", ".spec.state"),
            Column("Reachable", ".status.reachable", type="boolean"),
            Column("Servers", ".status.allocated.servers", type="integer"),
            Column("Policy", ".spec.policy"),
            Column("Mode", ".spec.operatingMode", priority=1),
            Column("Age", ".metadata.creationTimestamp", type="date"),
        ),
        rules=(
            Rule(
                "self.spec.state != 'Closed' || oldSelf.spec.state == 'Closed' || !has(self.status)"
                " || !has(self.status.allocated) || !has(self.status.allocated.servers)"
                " || self.status.allocated.servers == 0",
                "a pool with servers can't be closed: deregister what is in it first",
            ),
        ),
    )
    spec: CloudPoolSpec
    status: CloudPoolStatus | None = None

    @property
    def by_hand(self) -> bool:
        """Whether only people reach it: what they report of their work orders is all that is known."""
        return self.spec.connection.provider == MANUAL_PROVIDER
