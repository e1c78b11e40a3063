"""When billing starts and ends (计费起止)."""

from __future__ import annotations

from datetime import datetime

from govpool.api.cloudpolicy import BillingStart, CloudPolicySpec
from govpool.api.cloudresourcerequest import Confirmations, TerminationConfirmation, Trial
from govpool.rules.citation import clause


def billing_start(
    policy: CloudPolicySpec,
    *,
    handed_over: datetime | None,
    trial: Trial | None,
    confirmations: Confirmations,
) -> tuple[datetime, str] | None:
    """When billing starts, and under which clause; None while what starts it has not happened.

    A trial's end may lie ahead: the instant is then in the future, and billing has not started yet.
    """
    at = _start(policy, handed_over, trial, confirmations)
    return None if at is None else (at, clause(policy, policy.billing.starts_article))


def billing_end(
    policy: CloudPolicySpec, termination: TerminationConfirmation | None
) -> tuple[datetime, str] | None:
    """When billing ends: with the unit's confirmation that the service has ended (YY-39).

    ``termination`` is the one given for the deregistration; those of reductions end nothing.
    """
    return None if termination is None else (termination.at, clause(policy, policy.billing.ends_article))


def _start(
    policy: CloudPolicySpec,
    handed_over: datetime | None,
    trial: Trial | None,
    confirmations: Confirmations,
) -> datetime | None:
    delivered = None if confirmations.delivery is None else confirmations.delivery.at
    match policy.billing.starts_on:
        case BillingStart.DELIVERY_CONFIRMED:
            # Nobody can confirm what was not delivered yet: an early word counts from the delivery.
            if delivered is None or handed_over is None:
                return None
            return max(delivered, handed_over, *([trial.ends] if trial else []))
        case BillingStart.HANDED_OVER:
            return handed_over
        case BillingStart.TRIAL_ENDED:
            return None if trial is None else trial.ends
        case BillingStart.AGREEMENT_SIGNED:
            if confirmations.agreement is None or handed_over is None:
                return None
            return max(confirmations.agreement.at, handed_over)
        case BillingStart.CONFIRMED_AFTER_TRIAL:
            if delivered is None or handed_over is None or (trial is None and policy.trial is not None):
                return None
            return max(delivered, handed_over, *([trial.ends] if trial else []))
