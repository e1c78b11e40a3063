"""What a unit buys for itself, with consent, because the directory has nothing near it (自行采购)."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from govpool.api.base import Day, Model, Sha256, Text, Title


class PurchaseConsent(Model):
    """A consent of the authority that was given before; without one the Approval itself is the consent."""

    reference: Title
    """Document number or place."""
    date: Day
    """Its date."""
    sha256: Sha256 | None = None
    """Hash of the file."""


class SecurityCheck(Model):
    """Whether a product meets the cloud's security requirements (政务云安全管理要求, YY-28)."""

    passed: bool
    """Whether it does."""
    reference: Title
    """Document number or place of the report."""
    date: Day
    """Its date."""
    sha256: Sha256 | None = None
    """Hash of the file."""


class SelfPurchase(Model):
    """One thing that the unit buys and runs itself. It is on record; govpool provisions nothing of it."""

    what: Title
    """What is bought."""
    why: Text
    """Why no item of the directory will do."""
    quantity: Annotated[int, Field(ge=1)] = 1
    """How many."""
    consent: PurchaseConsent | None = None
    """The authority's consent."""
    on_cloud: bool = False
    """Whether it is to be deployed on the cloud; some regulations then want ``securityCheck``."""
    security_check: SecurityCheck | None = None
    """Whether it meets the cloud's security requirements."""
