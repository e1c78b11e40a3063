"""What a scenario is played on: the simulation here, or a control plane with an operator.

A :class:`Town` is everything that the people of a scenario see and do. The player knows nothing else.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple, Protocol, TypeVar

from govpool.api.base import Resource
from govpool.api.cloudresourcerequest import CloudResourceRequest
from govpool.effects.kube import Json
from govpool.simulation.result import Counts
from govpool_providers.fixture import FaultPlan

R = TypeVar("R", bound=Resource)


class Change(NamedTuple):
    """A version of an object came, or the object went."""

    at: datetime
    before: Resource | None
    """None: it was not known."""
    after: Resource | None
    """None: it is gone."""

    @property
    def resource(self) -> Resource:
        """The object, as it is or was."""
        found = self.after or self.before
        if found is None:
            raise ValueError("a change of nothing")
        return found


@dataclass(frozen=True, slots=True)
class Drifted:
    """How a machine changes by itself; None: it does not."""

    vcpu: int | None = None
    memory_gib: int | None = None
    power: bool | None = None
    fault: str | None = None


class Town(Protocol):
    """Where a scenario is played. Times are aware."""

    def now(self) -> datetime:
        """The present time."""
        ...

    async def settle(self) -> None:
        """Return when govpool has done all that it can do at the present time."""
        ...

    def next_look(self) -> datetime | None:
        """When govpool looks at something again by itself; None: never."""
        ...

    async def move_to(self, at: datetime) -> None:
        """Let time pass until then. Nothing that govpool looks at before may be passed over."""
        ...

    async def changes(self) -> tuple[Change, ...]:
        """What changed since this was last asked, in order."""
        ...

    # -- what people do ---------------------------------------------------------------------------
    async def find(self, kind: type[R], name: str, namespace: str = "") -> R | None:
        """An object, or None."""
        ...

    async def list(self, kind: type[R], namespace: str | None = None) -> tuple[R, ...]:
        """Every object of a kind."""
        ...

    async def made_for(self, kind: type[R], request: CloudResourceRequest) -> tuple[R, ...]:
        """Every object of a kind that was made for the request, by its label."""
        ...

    async def namespace(self, name: str) -> None:
        """Create the namespace unless it is there."""
        ...

    async def create(self, document: Json, *, by: str) -> None:
        """Create an object. Raises KubeError when it is not admitted."""
        ...

    async def patch(
        self, kind: type[Resource], name: str, namespace: str, body: Json, *, by: str, status: bool = False
    ) -> None:
        """A merge patch of an object or of its status. Raises KubeError when it is not admitted."""
        ...

    async def delete(self, kind: type[Resource], name: str, namespace: str, *, by: str) -> None:
        """Delete an object. Raises KubeError when it is not there."""
        ...

    # -- what happens to pools --------------------------------------------------------------------
    async def set_faults(self, pool: str, plan: FaultPlan) -> None:
        """Let calls to the pool fail; an empty plan heals it."""
        ...

    async def drift(self, pool: str, key: str, drift: Drifted) -> None:
        """Change a machine behind govpool's back. Raises ProviderError when there is none."""
        ...

    def counts(self) -> Counts:
        """How much was done so far; what is not known stays 0."""
        ...
