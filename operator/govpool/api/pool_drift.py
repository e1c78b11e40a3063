"""What becomes of what somebody changed in a pool behind govpool's back, and what is known of it there."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import Field

from govpool.api.base import Model, Name, ShortText, Text


class DriftHandling(StrEnum):
    """What is done about a difference from what was approved that nobody applied for."""

    SHOW = "Show"
    """It is told, and left to people."""
    MEND = "Mend"
    """It is told and undone."""


class DriftRule(Model):
    """What govpool may undo of its own accord. What it may not is shown. A lost disk is never made anew."""

    resized: DriftHandling = DriftHandling.SHOW
    """A server with another size than approved."""
    power: DriftHandling = DriftHandling.SHOW
    """A server that somebody stopped, or started while it should rest."""
    vanished: DriftHandling = DriftHandling.SHOW
    """A server that somebody deleted: it is made anew on its own disks, when none of them is missing."""
    detached: DriftHandling = DriftHandling.SHOW
    """A disk that somebody detached from its server."""


class UnknownResource(Model):
    """Something in the pool that govpool did not make, or made and no CloudServer tells of any more."""

    kind: ShortText
    """The pool's own word for what it is."""
    provider_id: ShortText
    """Its id there."""
    name: ShortText = ""
    """Its name there."""
    unit: ShortText = ""
    """The unit in whose part of the pool it is."""


class UnitCeiling(Model):
    """The limits that the pool itself enforces for a unit."""

    servers: int = 0
    """Servers."""
    vcpu: int = 0
    """Virtual CPUs."""
    memory_gib: int = 0
    """Memory in GiB."""
    storage_gib: int = 0
    """Storage in GiB."""
    public_addresses: int = 0
    """Public addresses."""


class PoolUnit(Model):
    """A unit in the pool, as it was last brought there and read back."""

    unit: Name
    """Its namespace."""
    project: ShortText = ""
    """What keeps it apart there."""
    limits: UnitCeiling | None = None
    """The limits as the pool has them."""
    fits: bool = False
    """Whether these are the limits of the TenantQuota."""
    message: Text = ""
    """What went wrong."""


Units = Annotated[list[PoolUnit], Field(max_length=512)]
UnknownResources = Annotated[list[UnknownResource], Field(max_length=128)]
