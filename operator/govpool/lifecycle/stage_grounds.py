"""What a stage's answer rests on: its rule, the numbers that it looked at, and what would turn it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from govpool.api.cloudpolicy import Stage
from govpool.api.cloudresourcerequest import ApprovedRevision, DesiredState
from govpool.api.cloudserver import CloudServer
from govpool.api.tenantquota import Amounts, PoolLimit, TenantQuota
from govpool.lifecycle.decision import StageResult
from govpool.lifecycle.grounds import A_DAY, Ground, Rested, later_trial
from govpool.lifecycle.ruling import inputs
from govpool.messages import message
from govpool.rules.amounts import amounts
from govpool.rules.delivery import missing_reports, required_reports
from govpool.rules.deregistration import earliest
from govpool.rules.errors import UnknownItem
from govpool.rules.otherwise import other_quota
from govpool.rules.quota import check, limit_of, others_hold, reserved
from govpool.rules.right_sizing import advice


def stage(ground: Ground, approved: ApprovedRevision, result: StageResult) -> Rested:
    """What a stage's answer rests on."""
    rest = _STAGES.get(result.stage)
    if rest is None:
        return Rested(f"lifecycle.stages.{_module(result.stage)}.decide")
    return rest(ground, approved)


def _module(named: Stage) -> str:
    return "".join(f"_{c.lower()}" if c.isupper() else c for c in named.value).lstrip("_")


def _quota(ground: Ground, approved: ApprovedRevision) -> Rested:
    rule, quota = "rules.quota.check", ground.observation.quota
    uid, pool = ground.observation.request.metadata.uid, approved.content.pool
    limit = limit_of(quota, pool) if quota else None
    if quota is None or limit is None:
        return Rested(rule, inputs({"pool": pool}), (message("audit.otherwise.no-limit"),))
    held = reserved(quota.status, request_uid=uid, pool=pool)
    try:
        needed = amounts(approved.content, ground.catalog).greatest(held)
    except UnknownItem as unknown:
        return Rested(rule, inputs({"pool": pool, "item not in the catalogue": unknown.item}))
    others = others_hold(quota.status, request_uid=uid, pool=pool)

    def fits(need: Amounts, hard: Amounts) -> bool:
        return check(
            with_limit(quota, pool, hard), pool=pool, request_uid=uid, needed=need, policy=ground.rules
        ).fits

    told = tuple(one.message for one in other_quota(needed, limit.hard, others, fits))
    seen = inputs(
        {
            "pool": pool,
            "needed": _amounts(needed),
            "held by this request": _amounts(held),
            "held by others": _amounts(others),
            "limit": _amounts(limit.hard),
        }
    )
    return Rested(rule, seen, told)


def with_limit(quota: TenantQuota, pool: str, hard: Amounts) -> TenantQuota:
    """The quota with another hard limit in one pool."""
    limits = [limit for limit in quota.spec.limits if limit.pool != pool]
    limits.append(PoolLimit(pool=pool, hard=hard))
    return quota.model_copy(update={"spec": quota.spec.model_copy(update={"limits": limits})})


def _amounts(held: Amounts) -> str:
    values = held.model_dump(by_alias=True)
    return ", ".join(f"{name} {value}" for name, value in values.items() if value) or "nothing"


def _servers(ground: Ground) -> list[CloudServer]:
    return sorted(ground.observation.servers, key=lambda server: server.metadata.name)


def _provision(ground: Ground, approved: ApprovedRevision) -> Rested:
    seen: list[tuple[str, object]] = [("revision approved", approved.revision)]
    for server in _servers(ground)[:24]:
        spec = server.spec
        disks = sum(disk.size_gib for disk in spec.disks)
        size = f"{spec.vcpu} vCPU, {spec.memory_gib} GiB, disks {disks} GiB, {spec.desired.value}"
        seen.append((server.metadata.name, size))
    return Rested("lifecycle.wanted.plan", inputs(seen), (message("audit.otherwise.as-approved"),))


def _baseline(ground: Ground, _: ApprovedRevision) -> Rested:
    rule = ground.rules.baseline
    seen: list[tuple[str, object]] = [("score wanted", f"{rule.min_score} %")]
    if rule.waivable:
        seen.append(("may fail", ", ".join(rule.waivable)))
    scores = [
        (server.metadata.name, server.status.baseline)
        for server in _servers(ground)
        if server.status and server.status.baseline
    ]
    seen += [(name, f"{b.score} % ({'met' if b.passed else 'not met'}, {b.report})") for name, b in scores]
    failing = [name for name, b in scores if not b.passed]
    if failing:
        told = message("audit.otherwise.baseline-met", servers=", ".join(failing), score=rule.min_score)
    else:
        told = message("audit.otherwise.baseline-not-met", score=rule.min_score)
    return Rested("rules.baseline.evaluate", inputs(seen), (told,))


def _handover(ground: Ground, _: ApprovedRevision) -> Rested:
    seen = [
        (server.metadata.name, server.status.handover.at)
        for server in _servers(ground)
        if server.status and server.status.handover
    ]
    return Rested("lifecycle.stages.handover.decide", inputs(seen), (message("audit.otherwise.locked-out"),))


def _reports(ground: Ground, _: ApprovedRevision) -> Rested:
    confirmations = ground.observation.request.spec.confirmations
    wanted = [kind.value for kind in required_reports(ground.rules)]
    missing = [k.value for k in missing_reports(ground.rules, confirmations, ground.after.trial)]
    filed = [f"{report.type.value} {report.reference}" for report in confirmations.reports]
    told = message("audit.otherwise.report", reports=", ".join(missing or wanted) or "-")
    seen = inputs(
        {
            "wanted": ", ".join(wanted) or "none",
            "filed": "; ".join(filed) or "none",
            "missing": ", ".join(missing) or "none",
        }
    )
    return Rested("rules.delivery.missing_reports", seen, (told,) if wanted else ())


def _trial(ground: Ground, _: ApprovedRevision) -> Rested:
    days = ground.after.trial
    if days is None:
        return Rested("rules.trial.trial")
    seen = inputs({"began": days.started, "ends": days.ends})
    return Rested("rules.trial.trial", seen, later_trial(ground.rules, days))


def _advised(ground: Ground, _: ApprovedRevision) -> Rested:
    usage = [(s.metadata.name, s.status.usage if s.status else None) for s in _servers(ground)]
    told = advice(ground.rules, usage, ground.observation.now)
    seen = [(one.server, one.figures or "nothing was measured") for one in told]
    return Rested("rules.right_sizing.advice", inputs(seen), (message("audit.otherwise.advice"),))


def _confirmed(ground: Ground, _: ApprovedRevision) -> Rested:
    given = ground.observation.request.spec.confirmations.delivery
    seen = inputs({"by": given.by, "at": given.at} if given else {})
    return Rested("rules.delivery.confirmation_required", seen, (message("audit.otherwise.confirmation"),))


def _agreed(ground: Ground, _: ApprovedRevision) -> Rested:
    given = ground.observation.request.spec.confirmations.agreement
    seen = inputs({"by": given.by, "at": given.at} if given else {})
    return Rested("rules.delivery.agreement_required", seen, (message("audit.otherwise.agreement"),))


def _wiped(ground: Ground, _: ApprovedRevision) -> Rested:
    seen = [
        (
            f"{server.metadata.name}/{disk.name}",
            f"{disk.sanitisation.bytes_written} bytes, {disk.sanitisation.technique.value},"
            f" {disk.sanitisation.verification.result.value}",
        )
        for server in _servers(ground)
        if server.status
        for disk in server.status.disks
        if disk.sanitisation
    ]
    return Rested("lifecycle.stages.wipe.wiped", inputs(seen), (message("audit.otherwise.unwiped"),))


def _backed_up(ground: Ground, approved: ApprovedRevision) -> Rested:
    told = [message("audit.otherwise.receipt")]
    lead = _lead(ground, approved)
    if lead is not None:
        later = earliest(ground.rules, lead[0] + A_DAY)
        told += [message("audit.otherwise.lead", opens=later.isoformat())] if later else []
    receipts = ground.observation.request.spec.confirmations.backups
    seen = [(f"receipt of {r.by} at {r.at.isoformat()}", r.receipt_sha256) for r in receipts]
    if lead is not None:
        seen = [
            ("applied for", lead[0].isoformat()),
            ("nothing taken away before", lead[1].isoformat()),
            *seen,
        ]
    return Rested("lifecycle.stages.backup.decide", inputs(seen), tuple(told))


def _lead(ground: Ground, approved: ApprovedRevision) -> tuple[datetime, datetime] | None:
    """When the end of use was applied for, and from when on it may be carried out (JN-19)."""
    if approved.notice is not None or approved.content.state is not DesiredState.DEREGISTERED:
        return None
    asked = approved.asked_at
    opens = earliest(ground.rules, asked) if asked else None
    return (asked, opens) if asked and opens else None


def _reclaimed(ground: Ground, _: ApprovedRevision) -> Rested:
    seen = [
        (f"{server.metadata.name}/{disk.name}", f"seen absent {disk.absence.at.isoformat()}")
        for server in _servers(ground)
        if server.status
        for disk in server.status.disks
        if disk.absence
    ]
    seen = seen or [("disks that left", "none")]
    return Rested("lifecycle.stages.reclaim.decide", inputs(seen), (message("audit.otherwise.reclaimed"),))


def _terminated(ground: Ground, approved: ApprovedRevision) -> Rested:
    ends = ground.observation.request.spec.confirmations.terminations
    seen = [(t.by, t.at) for t in ends if t.approval == approved.approval]
    rule = "lifecycle.stages.termination.decide"
    return Rested(rule, inputs(seen), (message("audit.otherwise.termination"),))


def _certified(ground: Ground, _: ApprovedRevision) -> Rested:
    seen = [
        (found.spec.number, f"{len(found.spec.media)} media") for found in ground.observation.certificates
    ]
    return Rested("rules.certificate.missing", inputs(seen), (message("audit.otherwise.certificate"),))


_STAGES: dict[Stage, Callable[[Ground, ApprovedRevision], Rested]] = {
    Stage.QUOTA: _quota,
    Stage.PROVISION: _provision,
    Stage.BASELINE: _baseline,
    Stage.HANDOVER: _handover,
    Stage.TRIAL: _trial,
    Stage.REPORTS: _reports,
    Stage.RIGHT_SIZING: _advised,
    Stage.AGREEMENT: _agreed,
    Stage.CONFIRMATION: _confirmed,
    Stage.BACKUP: _backed_up,
    Stage.WIPE: _wiped,
    Stage.RECLAIM: _reclaimed,
    Stage.TERMINATION: _terminated,
    Stage.CERTIFICATE: _certified,
}
