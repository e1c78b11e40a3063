"""What is enforced on a request and its servers, read from the notices that say so.

A notice's status records an enforcement before it is carried out; whoever carries it out looks here, and
undoes it when the record is lifted.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from govpool.api.approval import RequestReference
from govpool.api.cloudpolicy import ApplicationType, DeregistrationReason
from govpool.api.cloudresourcerequest import (
    ApprovedRevision,
    Deregistration,
    DesiredState,
)
from govpool.api.cloudserver import ServerHold
from govpool.api.rectification_words import Enforcement
from govpool.api.rectificationnotice import EnforcementTaken, RectificationNotice
from govpool.rules.revision import content_hash

ON_SERVERS = (Enforcement.ISOLATION, Enforcement.FORCED_SHUTDOWN)
MAX_DETAIL = 4096


def about(notice: RectificationNotice, request: RequestReference) -> bool:
    """Whether the notice is about this very request, or about its unit as a whole."""
    named = notice.spec.request
    return named is None or named.uid == request.uid


def taken(notice: RectificationNotice, action: Enforcement) -> EnforcementTaken | None:
    """The record of what is in force, or None."""
    records = notice.status.enforcement if notice.status else []
    return next((r for r in reversed(records) if r.action is action and r.lifted is None), None)


def holds(
    notices: Iterable[RectificationNotice], request: RequestReference
) -> Mapping[Enforcement, ServerHold]:
    """What is enforced on the request's servers, each by the notice that was first."""
    found: dict[Enforcement, ServerHold] = {}
    for notice in notices:
        if not about(notice, request):
            continue
        for action in ON_SERVERS:
            record = taken(notice, action)
            earlier = found.get(action)
            if record is not None and (earlier is None or record.since < earlier.since):
                found[action] = ServerHold(action=action, notice=notice.metadata.name, since=record.since)
    return found


def forced_out(
    notices: Iterable[RectificationNotice],
    request: RequestReference,
    approved: ApprovedRevision | None,
    generation: int,
) -> ApprovedRevision | None:
    """The end of use that a decision on a notice has forced, in the place of an Approval; None without one.

    Its decision stands in the notice, with name, time and opinion. What is carried out is what was approved
    last, and nothing else: all of it leaves, by backup, wipe and certificate.
    """
    if approved is None or approved.content.state is DesiredState.DEREGISTERED:
        return None
    for notice in notices:
        record = taken(notice, Enforcement.DEREGISTRATION)
        if record is None or notice.spec.request is None or not about(notice, request):
            continue
        why = Deregistration(
            reason=DeregistrationReason.FORCED_BY_NOTICE,
            detail=f"{notice.metadata.name}: {notice.spec.detail}"[:MAX_DETAIL],
        )
        content = approved.content.model_copy(
            update={"state": DesiredState.DEREGISTERED, "deregistration": why}
        )
        return ApprovedRevision(
            revision=max(generation, approved.revision) + 1,
            application=ApplicationType.DEREGISTRATION,
            approval=notice.metadata.name,
            approval_uid=notice.metadata.uid,
            submission_hash=content_hash(content),
            content=content,
            at=max(record.since, approved.at),
            decided_by=record.by,
            notice=notice.metadata.name,
        )
    return None
