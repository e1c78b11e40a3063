"""What stands between the trial and formal operation (交付)."""

from __future__ import annotations

from govpool.api.cloudpolicy import CloudPolicySpec, ReportType
from govpool.api.cloudresourcerequest import Confirmations, Report, Trial


def missing_reports(
    policy: CloudPolicySpec, confirmations: Confirmations, trial: Trial | None
) -> tuple[ReportType, ...]:
    """The reports that the unit still has to file, in the policy's order.

    A report on the trial is one of them where the policy wants it; one that was filed before the trial
    began reports on something else and does not count.
    """
    filed = {report.type for report in confirmations.reports if _counts(report, trial)}
    return tuple(kind for kind in required_reports(policy) if kind not in filed)


def required_reports(policy: CloudPolicySpec) -> tuple[ReportType, ...]:
    """The reports that the policy wants, the one on the trial first, that on the probe (JN-15) last."""
    wanted = list(policy.delivery.reports)
    if policy.trial is not None and policy.trial.report_required and ReportType.TRIAL not in wanted:
        wanted.insert(0, ReportType.TRIAL)
    if policy.trial is not None and policy.trial.probe_required and ReportType.PROBE not in wanted:
        wanted.append(ReportType.PROBE)
    return tuple(wanted)


def right_sizing_required(policy: CloudPolicySpec) -> bool:
    """Whether advice on the right size is filed with the authority before delivery (YY-19(4))."""
    return policy.delivery.right_sizing_article is not None


def agreement_required(policy: CloudPolicySpec) -> bool:
    """Whether the tripartite agreement (三方协议) is signed before delivery (BZ-21)."""
    return policy.delivery.agreement_article is not None


def confirmation_required(policy: CloudPolicySpec) -> bool:
    """Whether the unit confirms that delivery is complete (YY-39, JN-16)."""
    return policy.delivery.confirmation_article is not None


def _counts(report: Report, trial: Trial | None) -> bool:
    return report.type is not ReportType.TRIAL or trial is None or report.at >= trial.started
