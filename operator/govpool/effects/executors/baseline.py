"""Baseline (安全基线): audit, mend, audit again; a report and a page for each server."""

from __future__ import annotations

from pydantic import JsonValue

from govpool.api.base import REQUEST_LABEL, SETTLED_LABEL, ObjectMeta, OwnerReference
from govpool.api.baselinereport import BaselineReport, BaselineReportSpec
from govpool.api.cloudserver import CloudServer
from govpool.api.workorder import Evidence, ServerResult
from govpool.effects import baseline as playbook
from govpool.effects.baseline_page import BaselinePage, render
from govpool.effects.executors.base import OrderContext, OrderResult
from govpool.effects.executors.runs import broken, first_address, play, targets
from govpool.effects.playbooks import PlaybookRun
from govpool.rules.baseline import BaselineOutcome, Tolerance, report_controls

TIMEOUT = 1800.0


async def run(context: OrderContext) -> OrderResult:
    """Run the baseline on all servers of the order at once."""
    found = await targets(context)
    if missing := [s.metadata.name for s in context.servers if s.metadata.name not in found]:
        return OrderResult(False, f"no address yet: {', '.join(missing)}", again=True)
    level, rule = context.request.spec.system.protection_level, context.policy.spec.baseline
    result = await play(
        context,
        PlaybookRun(
            playbook.PLAYBOOK,
            context.order.spec.run_key,
            tuple(found.values()),
            {
                "protection_level": playbook.playbook_level(level),
                "baseline_parameters": _parameters(context),
            },
            timeout=TIMEOUT,
        ),
    )
    if (answer := broken(result)) is not None:
        return answer
    tolerance = Tolerance(rule.min_score, frozenset(rule.waivable))
    controls = playbook.definitions()
    outcomes = {name: playbook.outcome(result, name, controls, level, tolerance) for name in found}
    return conclude(context, outcomes)


def _parameters(context: OrderContext) -> dict[str, JsonValue]:
    """The pool's administrative networks, and whatever numbers the policy sets."""
    networks = ", ".join(context.pool.spec.admin_networks)
    parameters: dict[str, JsonValue] = {"admin_sources": networks} if networks else {}
    return parameters | dict(context.policy.spec.baseline.parameters)


def conclude(context: OrderContext, outcomes: dict[str, BaselineOutcome]) -> OrderResult:
    """Reports, pages and the order's result, from what was found on each server."""
    reports: list[BaselineReport] = []
    results: list[ServerResult] = []
    pages: list[Evidence] = []
    for server in context.servers:
        outcome = outcomes[server.metadata.name]
        report, page = _report(context, server, outcome)
        reports.append(report)
        pages.append(page)
        facts = {"report": report.metadata.name, "score": str(outcome.score), "mended": str(outcome.mended)}
        results.append(
            ServerResult(server=server.metadata.name, ok=outcome.passed, message=outcome.message, facts=facts)
        )
    failed = [f"{r.server}: {r.message}" for r in results if not r.ok]
    return OrderResult(
        not failed,
        "; ".join(failed)[:4000],
        servers=tuple(results),
        evidence=tuple(pages),
        creates=tuple(reports),
    )


def _report(
    context: OrderContext, server: CloudServer, outcome: BaselineOutcome
) -> tuple[BaselineReport, Evidence]:
    order, request, name = context.order, context.request, server.metadata.name
    attempt = order.status.attempts if order.status else 1
    report_name = f"{name}-r{order.spec.revision}-{attempt}"
    at = context.clock.now()
    page = render(
        BaselinePage(
            unit=context.quota.spec.unit_name if context.quota else request.metadata.namespace,
            system=request.spec.system.name,
            server=name,
            address=first_address(server) or "-",
            level=request.spec.system.protection_level,
            at=at,
            article=order.spec.article,
            report=report_name,
            outcome=outcome,
        )
    )
    kept = context.keep(context.evidence_dir, f"{report_name}.html", page.encode())
    spec = BaselineReportSpec(
        request=order.spec.request,
        server=name,
        work_order=order.metadata.name,
        revision=order.spec.revision,
        protection_level=request.spec.system.protection_level,
        at=at,
        article=order.spec.article,
        controls=report_controls(outcome),
        score=outcome.score,
        passed=outcome.passed,
        reason=outcome.message[:4096],
        page=kept.place,
        page_sha256=kept.sha256,
    )
    owner = OwnerReference(
        api_version=request.api_version,
        kind=request.DEFINITION.kind,
        name=request.metadata.name,
        uid=request.metadata.uid,
    )
    metadata = ObjectMeta(
        name=report_name,
        namespace=order.metadata.namespace,
        labels={REQUEST_LABEL: request.metadata.uid, SETTLED_LABEL: "true"},
        owner_references=(owner,),
    )
    return BaselineReport(kind=BaselineReport.DEFINITION.kind, metadata=metadata, spec=spec), kept
