"""What an executor gets and what it answers."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Protocol

from pydantic import JsonValue

from govpool.api.base import Resource
from govpool.api.cloudpolicy import CloudPolicy
from govpool.api.cloudpool import CloudPool
from govpool.api.cloudresourcerequest import CloudResourceRequest
from govpool.api.cloudserver import CloudServer
from govpool.api.tenantquota import TenantQuota
from govpool.api.workorder import DiskResult, Evidence, ServerResult, WorkOrder
from govpool.effects.clock import Clock
from govpool.effects.executors.evidence import Keep, as_json, keep
from govpool.effects.kube import Kube
from govpool.effects.pools import Pool


class Recorder(Protocol):
    """Puts intermediate results on record; what is left out stays as it is."""

    async def __call__(
        self, servers: tuple[ServerResult, ...] = (), disks: tuple[DiskResult, ...] = ()
    ) -> None:
        """Return once they are on record.

        Raises:
            KubeError: they are not.
        """
        ...


@dataclass(frozen=True, slots=True)
class OrderContext:
    """Everything that an executor may use for one order."""

    order: WorkOrder
    request: CloudResourceRequest
    servers: tuple[CloudServer, ...]
    policy: CloudPolicy
    pool: CloudPool
    quota: TenantQuota | None
    provider: Pool
    kube: Kube
    clock: Clock
    state_dir: Path
    progress: Callable[[str], None]
    """Tell people how far it is."""
    record: Recorder
    """Put intermediate results on record, before a step that must not be taken without them."""
    keep: Keep = keep

    @property
    def evidence_dir(self) -> Path:
        """Where this order's evidence lies."""
        return self.state_dir / "evidence" / self.order.metadata.namespace / self.order.metadata.name

    def keep_json(self, name: str, document: JsonValue) -> Evidence:
        """Keep a JSON document as evidence."""
        return self.keep(self.evidence_dir, name, as_json(document))

    def shifted(self, real: datetime) -> datetime:
        """A time that a machine noted, on the operator's clock, to the second as people write theirs."""
        return (real + self.clock.ahead).replace(microsecond=0)


@dataclass(frozen=True, slots=True)
class OrderResult:
    """How an order ended.

    ``succeeded``: done. Not succeeded and ``again``: it could not be done now, the same order is tried again.
    Neither: its result is a failure, and a person must mend the cause.
    """

    succeeded: bool
    message: str = ""
    again: bool = False
    servers: tuple[ServerResult, ...] = ()
    disks: tuple[DiskResult, ...] = ()
    evidence: tuple[Evidence, ...] = ()
    receipt_sha256: str | None = None
    creates: tuple[Resource, ...] = ()
    """Objects to create before the result is written: reports."""
    afterwards: tuple[Callable[[], Awaitable[None]], ...] = ()
    """What is done once the result is on record: keys are destroyed."""


Executor = Callable[[OrderContext], Awaitable[OrderResult]]
