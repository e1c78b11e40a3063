"""The end of use (注销): how far ahead it is asked for."""

from __future__ import annotations

from datetime import datetime

from govpool.api.cloudpolicy import CloudPolicySpec
from govpool.rules.calendar import WorkCalendar


def earliest(policy: CloudPolicySpec, asked_at: datetime) -> datetime | None:
    """The instant before which nothing may be taken away (JN-19: 10 working days after it was asked for).

    ``asked_at`` is when the application was put before the authority, not when it was approved. None where
    the policy sets no lead time.
    """
    lead = policy.deregistration.lead
    return None if lead is None else WorkCalendar.of(policy).after_working_days(asked_at, lead)
