"""What an object was before its control plane was lost: the API server gives every object a new UID."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from govpool.api.base import Instant, Model, ShortText, Title


class Origin(Model):
    """Where a restored object comes from. It stands in the status, which only govpool may write."""

    uid: Title
    """UID under which servers, tags in the pool, certificates and audit records know it."""
    created: Instant
    """When it was first made: clocks of decisions run from then on."""
    generation: Annotated[int, Field(ge=0)] = 0
    """Its generation in the backup."""
    taken: Instant
    """When the backup was taken."""
    restored: Instant
    """When it was restored."""


class RequestOrigin(Origin):
    """Where a restored request comes from, and whether the pool was seen to be as the backup says."""

    adopted: Instant | None = None
    """Since when govpool acts on it again; until then nothing is made, changed or removed in the pool."""
    adopted_by: ShortText = ""
    """Who found that it may: govpool itself, when all was seen as the backup says, or a person."""
