"""From edits to Approvals: what is put before the authority, what is in force, what was overtaken.

Only an approved content is ever carried out. An edit while an Approval is open makes a new one and the old
one is superseded; an edit while nothing is open is a change against the revision in force.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from govpool.api.approval import Approval, ApprovalSpec, ApprovalState, ApprovalStatus
from govpool.api.cloudpolicy import ApplicationType, CloudPolicy
from govpool.api.cloudpool import CloudPool
from govpool.api.cloudresourcerequest import (
    ApprovedRevision,
    CloudResourceRequestStatus,
    DesiredState,
    JudgedSubmission,
)
from govpool.api.cloudserver import CloudServer, ServerPhase
from govpool.api.servicecatalog import ServiceCatalog
from govpool.api.wipecertificate import WipeCertificate
from govpool.lifecycle import emergency
from govpool.lifecycle.actions import Action, Create, Settle, WriteStatus
from govpool.lifecycle.enforcement import forced_out
from govpool.lifecycle.naming import approval_name, made_for, reference
from govpool.lifecycle.observation import RequestObservation
from govpool.lifecycle.wanted import LEAVING, server_phase
from govpool.rules.admission import Refusal, admit
from govpool.rules.amounts import yearly_fee
from govpool.rules.approvals import Judgement, judge
from govpool.rules.change import Classification, classify
from govpool.rules.procedure import steps
from govpool.rules.revision import changes, content_hash, content_of, submission_hash


@dataclass(frozen=True, slots=True)
class Judged:
    """An Approval and how it stands."""

    approval: Approval
    judgement: Judgement


@dataclass(frozen=True, slots=True)
class Submission:
    """Where the request's newest content stands."""

    approved: ApprovedRevision | None
    """The revision in force."""
    newly_approved: bool
    """Whether it came into force with this look."""
    pending: Judged | None = None
    """The Approval that is open."""
    rejected: Judged | None = None
    """The Approval of this very submission, when it was refused or returned."""
    queued: Judged | None = None
    """The Approval that comes into force as soon as nothing is leaving under the one before it."""
    refusals: tuple[Refusal, ...] = ()
    """Why this submission is not put before anybody."""
    classified: str = ""
    """The clause that says what kind of application it is."""
    classification: Classification | None = None
    """What it was judged to be with this look."""
    judged: JudgedSubmission | None = None
    """The same submission as it was judged first; None for what is in force already."""
    actions: tuple[Action, ...] = ()


def submission(
    observation: RequestObservation, policy: CloudPolicy, catalog: ServiceCatalog, pool: CloudPool
) -> Submission:
    """Judge the request's Approvals, and put its content before the authority if nobody has it yet."""
    request = observation.request
    status = request.status or CloudResourceRequestStatus()
    judged = sorted(
        (_judged(approval, policy, observation) for approval in observation.approvals),
        key=lambda item: item.approval.spec.revision,
    )
    follow = _may_follow(status.approved, judged)
    held_up = status.approved is not None and leaves(
        observation.servers, status.approved.revision, observation.certificates
    )
    approved, newly = _in_force(status.approved, [] if held_up else follow, observation.now)
    queued = follow[-1] if held_up and follow else None
    forced = forced_out(observation.notices, reference(request), approved, request.metadata.generation)
    if forced is not None and not held_up:
        approved, newly = forced, True
    own_hash, content = submission_hash(request.spec), content_of(request.spec)
    decided = [approved.content] if approved else []
    decided += [queued.approval.spec.content] if queued else []
    papers = not queued and emergency.to_put_forward(request, policy.spec, approved, content, observation.now)
    as_decided = any(content_hash(one) == content_hash(content) for one in decided)
    settled_as_approved = (as_decided and not papers) or ended(approved)
    open_ = [j for j in judged if j.judgement.state is ApprovalState.PENDING]
    actions: list[Action] = []
    pending = None
    for item in open_:
        if item.approval.spec.submission_hash == own_hash and not settled_as_approved:
            pending = item
        else:
            actions.append(_supersede(item.approval))
    actions += _settle(judged, status.approved)
    if settled_as_approved or pending is not None:
        judged_before = None if settled_as_approved else status.judged
        return Submission(
            approved, newly, pending, queued=queued, judged=judged_before, actions=tuple(actions)
        )
    same = [
        j
        for j in judged
        if j.approval.spec.submission_hash == own_hash
        and j.judgement.state in (ApprovalState.REFUSED, ApprovalState.RETURNED)
    ]
    if same:
        return Submission(
            approved, newly, rejected=same[-1], queued=queued, judged=status.judged, actions=tuple(actions)
        )
    classification = classify(
        approved.content if approved else None,
        content,
        policy=policy.spec,
        catalog=catalog,
        ahead_of=status.emergency.ahead_of if status.emergency else ApplicationType.NEW,
    )
    first_judged = _first_judged(
        status.judged,
        JudgedSubmission(
            revision=request.metadata.generation,
            submission_hash=own_hash,
            application=classification.application,
        ),
    )
    refusals = admit(
        request,
        classification.application,
        policy=policy,
        catalog=catalog,
        pool=pool,
        quota=observation.quota,
        now=observation.now,
    )
    if refusals:
        return Submission(
            approved,
            newly,
            queued=queued,
            refusals=refusals,
            classified=classification.clause,
            classification=classification,
            judged=first_judged,
            actions=tuple(actions),
        )
    revision = request.metadata.generation
    approval = Approval(
        kind=Approval.DEFINITION.kind,
        metadata=made_for(request, approval_name(request, revision)),
        spec=ApprovalSpec(
            request=reference(request),
            revision=revision,
            supersedes=approved.approval if approved else None,
            application=classification.application,
            classified_under=classification.clause,
            policy=policy.metadata.name,
            submission_hash=own_hash,
            content=content,
            materials=request.spec.materials,
            changes=changes(approved.content if approved else None, content)[:128],
            fee_per_year=f"{yearly_fee(content, policy.spec, catalog):.2f}",
            steps=steps(policy.spec, classification.application, content, catalog),
        ),
    )
    actions.append(Create(approval))
    pending = Judged(approval, judge(approval, policy=policy.spec, now=observation.now))
    return Submission(
        approved,
        newly,
        pending,
        queued=queued,
        classified=classification.clause,
        classification=classification,
        judged=first_judged,
        actions=tuple(actions),
    )


def _first_judged(before: JudgedSubmission | None, now: JudgedSubmission) -> JudgedSubmission:
    """The submission as it was judged first: an edit that asks for the same begins nothing new."""
    if before is None or before.model_copy(update={"revision": now.revision}) != now:
        return now
    return before


def _judged(approval: Approval, policy: CloudPolicy, observation: RequestObservation) -> Judged:
    return Judged(approval, judge(approval, policy=policy.spec, now=observation.now))


def ended(approved: ApprovedRevision | None) -> bool:
    """Whether the revision in force is the end of use: nothing follows it, whatever is edited (YY-21)."""
    return approved is not None and approved.content.state is DesiredState.DEREGISTERED


def leaves(servers: Iterable[CloudServer], revision: int, certificates: Iterable[WipeCertificate]) -> bool:
    """Whether a server that leaves under the revision is still there, or its disks are not certified.

    Backup, receipt, wipe and certificate belong to one Approval: another one waits until they are done.
    """
    leaving = [s for s in servers if s.spec.revision == revision and s.spec.desired in LEAVING]
    if not leaving:
        return False
    certified = {medium.key for found in certificates for medium in found.spec.media}
    return any(
        server_phase(server) is not ServerPhase.GONE
        or any(d.held_data and d.key not in certified for d in (server.status.disks if server.status else ()))
        for server in leaving
    )


def _may_follow(before: ApprovedRevision | None, judged: list[Judged]) -> list[Judged]:
    """Approved, and later than the revision in force; nothing is later than the end of use."""
    if ended(before):
        return []
    return [
        j
        for j in judged
        if j.judgement.state is ApprovalState.APPROVED
        and (before is None or j.approval.spec.revision > before.revision)
    ]


def _in_force(
    before: ApprovedRevision | None, approved: list[Judged], now: datetime
) -> tuple[ApprovedRevision | None, bool]:
    """The newest approved revision; a revision in force is followed only by a later one."""
    if not approved:
        return before, False
    newest = approved[-1]
    spec = newest.approval.spec
    last = spec.decisions[-1]
    return (
        ApprovedRevision(
            revision=spec.revision,
            application=spec.application,
            approval=newest.approval.metadata.name,
            approval_uid=newest.approval.metadata.uid,
            submission_hash=spec.submission_hash,
            content=spec.content,
            asked_at=newest.approval.metadata.creation_timestamp,
            # By a fast clock: what is carried out at once must not look as if it came before its approval.
            at=min(newest.judgement.decided_at or last.at, now),
            decided_by=last.by,
        ),
        True,
    )


def _supersede(approval: Approval) -> WriteStatus:
    """Overtaken by an edit. A decision that arrives meanwhile makes this write a conflict, and is judged."""
    status = approval.status or ApprovalStatus()
    update = {"state": ApprovalState.SUPERSEDED, "step": None, "role": None, "due": None, "overdue": False}
    return WriteStatus(approval, status.model_copy(update=update))


def _settle(judged: list[Judged], recorded: ApprovedRevision | None) -> list[Action]:
    """Approvals that can never matter again: superseded, overtaken, or behind the recorded revision.

    Only once its own status tells how it ended: nobody looks at it after this.
    """
    newest = max((j.approval.spec.revision for j in judged), default=0)
    actions: list[Action] = []
    for item in judged:
        revision, state = item.approval.spec.revision, item.judgement.state
        behind = recorded is not None and revision <= recorded.revision
        overtaken = state in (ApprovalState.REFUSED, ApprovalState.RETURNED) and revision < newest
        status = item.approval.status
        told = status is not None and status.state is state
        done = state is ApprovalState.SUPERSEDED or overtaken or (state is ApprovalState.APPROVED and behind)
        if told and done:
            actions.append(Settle(item.approval))
    return actions
