"""What the status of a request keeps of an emergency: what was held before, what follows, when it ends."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from govpool.api.base import Instant, Model, Name, Title
from govpool.api.cloudpolicy import ApplicationType, MaterialType


class HeldDisk(Model):
    """A data disk of each server of a group before the emergency."""

    name: Name
    """The disk."""
    size_gib: Annotated[int, Field(ge=1)]
    """Its size in GiB."""


class HeldGroup(Model):
    """Servers of a group that were held before the emergency."""

    name: Name
    """The group."""
    count: Annotated[int, Field(ge=0, le=100)]
    """How many."""
    item: Name
    """Their catalogue item."""
    disks: Annotated[list[HeldDisk], Field(max_length=16)] | None = None
    """Their data disks; none where nobody wrote them down."""


class HeldService(Model):
    """Another item that was held before the emergency."""

    item: Name
    """The item."""
    quantity: Annotated[int, Field(ge=1)]
    """How many units of it."""


class EmergencyUse(Model):
    """What was issued in an emergency (应急资源) and is in force."""

    revision: Annotated[int, Field(ge=1)]
    """The revision that it was first approved with."""
    ahead_of: ApplicationType
    """The application that it went ahead of, whose papers follow."""
    finding: Title | None = None
    """The finding that an emergency expansion meets; none: another emergency."""
    held: Annotated[list[HeldGroup], Field(max_length=32)] = []
    """What was held before, and stays when it ends."""
    services: Annotated[list[HeldService], Field(max_length=32)] = []
    """Other items that were held before."""
    issued: Instant | None = None
    """When it was handed over."""
    papers_missing: Annotated[list[MaterialType], Field(max_length=32)] = []
    """Papers that are still to come."""
    papers_due: Instant | None = None
    """Until when they are; none where the regulation sets no number of days."""
    papers_complete: Instant | None = None
    """When they were complete, and decided where they have to be."""
    ends: Instant | None = None
    """When it ends by itself; none where the regulation sets no longest use and the unit no day."""
    over: bool = False
    """Whether it has ended: what was not held before is released, backed up, wiped and reclaimed."""
