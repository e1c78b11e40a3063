"""An emergency's use (应急资源): what was held before, which papers are still to come, when it ends."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from govpool.api.cloudpolicy import ApplicationType, CloudPolicySpec, MaterialType, Stage
from govpool.api.cloudresourcerequest import (
    ApprovedRevision,
    CloudResourceRequest,
    CloudResourceRequestStatus,
    DesiredState,
    RequestContent,
    Term,
)
from govpool.api.request_terms import EmergencyUse
from govpool.api.servicecatalog import ServiceCatalog
from govpool.lifecycle.decision import StageResult
from govpool.rules.calendar import WorkCalendar
from govpool.rules.change import classify
from govpool.rules.emergency import (
    OverduePapers,
    after_the_end,
    application_of_papers,
    bottleneck,
    ends,
    held_before,
    holds_nothing,
    is_emergency,
    papers_decided,
    papers_due,
    papers_missing,
    papers_overdue,
    same_cause,
)
from govpool.rules.temporary import while_asked


def use_after(
    request: CloudResourceRequest,
    policy: CloudPolicySpec,
    catalog: ServiceCatalog,
    approved: ApprovedRevision | None,
    results: Iterable[StageResult],
    now: datetime,
    asked: RequestContent | None = None,
) -> EmergencyUse | None:
    """How an emergency in force stands now; None when none is. ``asked`` lies before the authority."""
    status = request.status or CloudResourceRequestStatus()
    if approved is None or not in_force(approved):
        return None
    use = standing(status, approved) or _begun(status, approved, policy, catalog)
    handed_over = next((r.at for r in results if r.stage is Stage.HANDOVER and r.done), None)
    issued = use.issued or handed_over
    due = papers_due(policy, issued) if issued else None
    last = ends(policy, approved.content, issued) if issued else None
    missing = [] if use.papers_complete else list(missing_now(policy, use, request, now))
    use = use.model_copy(
        update={
            "issued": issued,
            "papers_missing": missing,
            "papers_due": due[0] if due else None,
            "ends": last,
            "over": last is not None and now > last and not _extends(approved, asked),
        }
    )
    return use.model_copy(update={"papers_complete": _complete(use, policy, request, approved, now)})


def in_force(approved: ApprovedRevision) -> bool:
    """Whether the revision is held under an emergency."""
    return is_emergency(approved.content) and approved.content.state is DesiredState.ACTIVE


def standing(status: CloudResourceRequestStatus, approved: ApprovedRevision) -> EmergencyUse | None:
    """What is on record of the emergency that the revision is held under; nothing of another one."""
    before = status.approved
    if status.emergency is None or before is None or not same_cause(before.content, approved.content):
        return None
    return status.emergency


def missing_now(
    policy: CloudPolicySpec, use: EmergencyUse, request: CloudResourceRequest, now: datetime
) -> tuple[MaterialType, ...]:
    """The papers that are still to come."""
    today = WorkCalendar.of(policy).local_day(now)
    expansion = use.finding is not None
    return papers_missing(policy, use.ahead_of, request.spec.materials, today, expansion=expansion)


def decided(use: EmergencyUse, approved: ApprovedRevision) -> bool:
    """Whether the papers were decided: a later revision was approved as what the emergency went ahead of."""
    return approved.revision > use.revision and approved.application in (
        application_of_papers(use.ahead_of),
        ApplicationType.MAJOR_CHANGE,
    )


def to_put_forward(
    request: CloudResourceRequest,
    policy: CloudPolicySpec,
    approved: ApprovedRevision | None,
    content: RequestContent,
    now: datetime,
) -> bool:
    """Whether the papers of what was issued are all there and go before the authority (YY-23, JN-13).

    The content is the one in force: it is the papers that are decided.
    """
    status = request.status or CloudResourceRequestStatus()
    if approved is None or not in_force(approved) or content != approved.content:
        return False
    use = standing(status, approved)
    if use is None or use.issued is None or use.papers_complete is not None or decided(use, approved):
        return False
    if same_edit(request, approved):
        return False
    to_decide = papers_decided(policy, expansion=use.finding is not None)
    return to_decide and not missing_now(policy, use, request, now)


def same_edit(request: CloudResourceRequest, approved: ApprovedRevision) -> bool:
    """Whether nothing was edited since the emergency was asked for.

    One edit has one Approval: papers that came with it are put forward with the next, the confirmation of
    what was issued.
    """
    return request.metadata.generation <= approved.revision


def overdue_papers(
    policy: CloudPolicySpec, request: CloudResourceRequest, *, put_forward: bool, now: datetime
) -> OverduePapers | None:
    """The finding that the papers of a request's emergency did not come in time, for a notice to take up.

    ``put_forward`` says whether they lie before the authority.
    """
    use = request.status.emergency if request.status else None
    if use is None or use.issued is None or use.papers_complete is not None:
        return None
    return papers_overdue(
        policy,
        issued=use.issued,
        missing=use.papers_missing,
        issue_confirmed=issue_confirmed(request, use.issued),
        decided=put_forward,
        now=now,
        expansion=use.finding is not None,
    )


def issue_confirmed(request: CloudResourceRequest, issued: datetime) -> bool:
    """Whether the unit confirmed what was issued; not before it was."""
    delivery = request.spec.confirmations.delivery
    return delivery is not None and delivery.at >= issued


def in_effect(
    approved: ApprovedRevision,
    status: CloudResourceRequestStatus,
    policy: CloudPolicySpec,
    now: datetime,
    asked: RequestContent | None = None,
) -> ApprovedRevision:
    """The revision as it is carried out: after an emergency's end without what came with it (BZ-24).

    While an extension that was asked for in time (``asked``) lies before the authority nothing is taken away,
    of an emergency as of a temporary expansion (BZ-22).
    Where nothing was held before, its end is an end of use: backup, wipe and certificate as for any other.
    """
    stays = while_asked(approved.content, asked)
    if stays is not approved.content:
        approved = approved.model_copy(update={"content": stays})
    if not in_force(approved):
        return approved
    use = standing(status, approved)
    last = ends(policy, approved.content, use.issued) if use is not None and use.issued else None
    if use is None or last is None or now <= last or _extends(approved, asked):
        return approved
    update: dict[str, object] = {"content": after_the_end(approved.content, use)}
    if holds_nothing(use):
        gone = after_the_end(approved.content, use).model_copy(update={"state": DesiredState.DEREGISTERED})
        # It walks the stages of an end of use: those of an emergency neither back up nor wipe.
        update = {"content": gone, "application": ApplicationType.DEREGISTRATION}
    return approved.model_copy(update=update)


def _extends(approved: ApprovedRevision, asked: RequestContent | None) -> bool:
    """Whether what lies before the authority prolongs this emergency; admission saw that it was in time."""
    if asked is None or not same_cause(approved.content, asked) or asked.term.emergency is None:
        return False
    return asked.term.emergency != approved.content.term.emergency


def _begun(
    status: CloudResourceRequestStatus,
    approved: ApprovedRevision,
    policy: CloudPolicySpec,
    catalog: ServiceCatalog,
) -> EmergencyUse:
    """A new emergency. It neither holds for good what an earlier one brought, nor forgets its papers."""
    before, earlier = status.approved, status.emergency
    if earlier is not None and before is not None and in_force(before):
        ahead_of = _ahead_of(approved.content, before.content, policy, catalog)
        if earlier.papers_complete is None:
            ahead_of = earlier.ahead_of
        return EmergencyUse(
            revision=approved.revision,
            ahead_of=ahead_of,
            finding=bottleneck(approved.content),
            held=earlier.held,
            services=earlier.services,
        )
    content = before.content if before else None
    held, services = held_before(content)
    return EmergencyUse(
        revision=approved.revision,
        ahead_of=_ahead_of(approved.content, content, policy, catalog),
        finding=bottleneck(approved.content),
        held=held,
        services=services,
    )


def _ahead_of(
    wanted: RequestContent, before: RequestContent | None, policy: CloudPolicySpec, catalog: ServiceCatalog
) -> ApplicationType:
    """What it would have been without the emergency."""
    plain = Term(temporary=wanted.term.temporary)
    usual = classify(
        before and before.model_copy(update={"term": plain}),
        wanted.model_copy(update={"term": plain}),
        policy=policy,
        catalog=catalog,
    )
    return usual.application


def _complete(
    use: EmergencyUse,
    policy: CloudPolicySpec,
    request: CloudResourceRequest,
    approved: ApprovedRevision,
    now: datetime,
) -> datetime | None:
    """When the papers were complete: filed where they are filed, decided where they are decided."""
    if use.papers_complete is not None or use.issued is None or policy.emergency is None:
        return use.papers_complete
    if policy.emergency.issue_confirmed and not issue_confirmed(request, use.issued):
        return None
    if papers_decided(policy, expansion=use.finding is not None):
        return max(approved.at, use.issued) if decided(use, approved) else None
    return None if use.papers_missing else now
