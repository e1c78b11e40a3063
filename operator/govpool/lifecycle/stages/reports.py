"""Reports (测试报告、安全检测报告): filed by the unit before delivery (YY-19(3), BZ-20, WH-19(4))."""

from __future__ import annotations

from govpool.api.cloudpolicy import Role
from govpool.lifecycle.decision import StageResult
from govpool.lifecycle.stages.context import StageContext
from govpool.messages import message
from govpool.rules.delivery import missing_reports


def decide(context: StageContext) -> StageResult:
    """Done when every report that the policy wants was filed."""
    confirmations = context.request.spec.confirmations
    missing = missing_reports(context.regulation, confirmations, context.status.trial)
    if missing:
        names = ", ".join(report.value for report in missing)
        return context.waiting(message("ReportsMissing", reports=names), who=Role.UNIT)
    times = [report.at for report in confirmations.reports if report.at <= context.now]
    return context.done(message("ReportsFiled"), at=max([context.before, *times]))
