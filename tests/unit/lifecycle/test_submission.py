"""From edits to Approvals: what is put before the authority, what is in force, what was overtaken."""

from datetime import timedelta

import pytest
from lifecycle_builders import (
    CHANGE_FORM,
    LEAVE_FORM,
    LEAVES,
    NOW,
    decided,
    gone,
    handed_over,
    leaving,
    observe,
    papers,
    request,
    revision,
    servers,
    stored,
)
from rules_support import Obj, catalog, group, policy, pool

from govpool.api.approval import Approval, ApprovalState, ApprovalStatus, Verdict
from govpool.api.cloudpolicy import ApplicationType
from govpool.api.cloudresourcerequest import ApprovedRevision, CloudResourceRequestStatus
from govpool.lifecycle.actions import Create, Settle, WriteStatus
from govpool.lifecycle.submission import Submission, submission

FILES = {"dataDisks": [{"name": "files", "sizeGiB": 1, "volumeClass": "evs-standard"}]}
GROWS: Obj = {"servers": [group("app", 2, **FILES), group("db", 1)], "materials": papers(CHANGE_FORM)}
SHRINKS: Obj = {"servers": [group("app", 1, **FILES)], "materials": papers(CHANGE_FORM)}
ENDS = LEAVES | {"materials": papers(LEAVE_FORM)}
LATER = NOW + timedelta(days=1)
YES, NO, BACK = Verdict.APPROVE, Verdict.REFUSE, Verdict.RETURN


def submitted(
    patch: Obj | None = None,
    generation: int = 1,
    *,
    approvals: tuple[Approval, ...] = (),
    in_force: ApprovedRevision | None = None,
    **given: object,
) -> Submission:
    status = CloudResourceRequestStatus(approved=in_force)
    of = request(patch, generation=generation, status=status)
    observation = observe(of, now=LATER, approvals=approvals, **given)
    return submission(observation, policy(), catalog(), pool())


def made(found: Submission) -> list[Approval]:
    return [a.resource for a in found.actions if isinstance(a, Create) and isinstance(a.resource, Approval)]


def put_forward(
    patch: Obj | None = None,
    generation: int = 1,
    *verdicts: Verdict,
    in_force: ApprovedRevision | None = None,
) -> Approval:
    """The Approval that a submission makes, with decisions."""
    (approval,) = made(submitted(patch, generation, in_force=in_force))
    return decided(stored(approval, created=NOW), *verdicts)


def told(approval: Approval, state: ApprovalState) -> Approval:
    """The Approval with the status that was written for it."""
    return approval.model_copy(update={"status": ApprovalStatus(state=state)})


def superseded(found: Submission) -> list[str]:
    return [
        action.resource.metadata.name
        for action in found.actions
        if isinstance(action, WriteStatus)
        and isinstance(action.status, ApprovalStatus)
        and action.status.state is ApprovalState.SUPERSEDED
    ]


def settled(found: Submission) -> list[str]:
    return [action.resource.metadata.name for action in found.actions if isinstance(action, Settle)]


# -- the first application -----------------------------------------------------------------------
def test_yy_19_1_an_application_is_put_before_the_authority_as_it_is() -> None:
    (approval,) = made(submitted())
    spec = approval.spec
    assert (spec.application, spec.revision, spec.policy) == (ApplicationType.NEW, 1, "yiyang-2025")
    assert [(s.stage.value, s.role.value) for s in spec.steps] == [
        ("Acceptance", "acceptor"),
        ("Review", "reviewer"),
    ]
    assert spec.content == revision().content
    assert spec.materials == request().spec.materials


def test_the_same_look_twice_makes_the_same_approval() -> None:
    first, second = made(submitted()), made(submitted())
    assert first == second
    assert first[0].metadata.name == "doc-approval-r1-e81128"


def test_what_is_put_forward_is_not_put_forward_again() -> None:
    found = submitted(approvals=(put_forward(),))
    assert found.actions == ()
    assert found.pending is not None
    assert found.approved is None


def test_what_is_not_admitted_is_put_before_nobody() -> None:
    found = submitted({"system": {"classified": True}})
    assert made(found) == []
    assert [refusal.reason for refusal in found.refusals] == ["Classified"]


def test_confirmations_are_no_new_application() -> None:
    said = {"confirmations": {"delivery": {"by": "liu", "at": "2026-12-22T09:00:00Z"}}}
    found = submitted(said, 2, approvals=(put_forward(),))
    assert found.actions == ()
    assert found.pending is not None


# -- edits while it is open ----------------------------------------------------------------------
def test_an_edit_while_it_is_open_makes_a_new_one_and_supersedes_the_old() -> None:
    old = put_forward()
    found = submitted(GROWS, 2, approvals=(old,))
    assert superseded(found) == [old.metadata.name]
    (new,) = made(found)
    assert (new.spec.revision, new.spec.application) == (2, ApplicationType.NEW)
    assert isinstance(found.actions[0], WriteStatus), "the old one is closed before a new one is opened"


def test_a_superseded_approval_is_settled_and_its_decisions_count_for_nothing() -> None:
    old = put_forward(None, 1, YES, YES)
    old = old.model_copy(update={"status": ApprovalStatus(state=ApprovalState.SUPERSEDED)})
    new = put_forward(GROWS, 2)
    found = submitted(GROWS, 2, approvals=(old, new))
    assert settled(found) == [old.metadata.name]
    assert found.approved is None


def test_an_edit_taken_back_while_it_is_open_leaves_only_what_is_in_force() -> None:
    in_force = revision()
    open_ = put_forward(GROWS, 2, in_force=in_force)
    found = submitted(None, 3, approvals=(open_,), in_force=in_force)
    assert superseded(found) == [open_.metadata.name]
    assert made(found) == []
    assert (found.pending, found.approved) == (None, in_force)


def test_half_decided_then_edited_begins_again() -> None:
    half = put_forward(None, 1, YES)
    found = submitted(GROWS, 2, approvals=(half,))
    (new,) = made(found)
    assert superseded(found) == [half.metadata.name]
    assert new.spec.decisions == []


# -- decisions -----------------------------------------------------------------------------------
def test_yy_19_2_what_both_approved_is_in_force_exactly_as_it_was_put_forward() -> None:
    found = submitted(approvals=(put_forward(None, 1, YES, YES),))
    assert found.approved is not None
    assert found.newly_approved
    assert (found.approved.revision, found.approved.decided_by) == (1, "reviewer-1")
    assert found.approved.at == NOW + timedelta(hours=1)
    assert made(found) == []


@pytest.mark.parametrize("verdicts", [(NO,), (BACK,), (YES, NO), (YES, BACK)])
def test_a_refused_submission_is_not_put_forward_again(verdicts: tuple[Verdict, ...]) -> None:
    refused = put_forward(None, 1, *verdicts)
    found = submitted(approvals=(refused,))
    assert found.rejected is not None
    assert (found.actions, found.approved, found.pending) == ((), None, None)


def test_an_edit_after_a_refusal_applies_again() -> None:
    refused = put_forward(None, 1, NO)
    found = submitted(GROWS, 2, approvals=(refused,))
    assert [a.spec.revision for a in made(found)] == [2]
    stands = submitted(GROWS, 2, approvals=(refused, put_forward(GROWS, 2)))
    assert settled(stands) == [], "nobody was told yet that it was refused"
    refused = told(refused, ApprovalState.REFUSED)
    stands = submitted(GROWS, 2, approvals=(refused, put_forward(GROWS, 2)))
    assert settled(stands) == [refused.metadata.name]


def test_better_papers_alone_apply_again() -> None:
    refused = put_forward(None, 1, BACK)
    found = submitted({"materials": papers(CHANGE_FORM)}, 2, approvals=(refused,))
    assert len(made(found)) == 1


def test_yy_20_a_refused_change_leaves_in_force_what_was() -> None:
    in_force = revision()
    refused = put_forward(GROWS, 2, NO, in_force=in_force)
    found = submitted(GROWS, 2, approvals=(refused,), in_force=in_force)
    assert found.approved == in_force
    assert found.rejected is not None
    assert found.actions == ()


def test_approved_and_edited_in_the_same_look_carries_out_what_was_approved() -> None:
    approved = put_forward(None, 1, YES, YES)
    found = submitted(GROWS, 2, approvals=(approved,))
    assert found.approved is not None
    assert found.approved.content == revision().content
    (change,) = made(found)
    assert (change.spec.application, change.spec.supersedes) == (
        ApplicationType.CHANGE,
        approved.metadata.name,
    )
    assert ("servers[app].count", "1", "2") in [(c.field, c.before, c.after) for c in change.spec.changes]
    assert superseded(found) == []


def test_an_approval_behind_the_recorded_revision_is_settled_and_never_comes_back() -> None:
    old = put_forward(None, 1, YES, YES)
    in_force = revision(request(GROWS), number=2, application=ApplicationType.CHANGE)
    assert settled(submitted(GROWS, 2, approvals=(old,), in_force=in_force)) == []
    old = told(old, ApprovalState.APPROVED)
    found = submitted(GROWS, 2, approvals=(old,), in_force=in_force)
    assert settled(found) == [old.metadata.name]
    assert found.approved == in_force


def test_of_two_approved_revisions_the_later_is_in_force() -> None:
    both = (put_forward(None, 1, YES, YES), put_forward(GROWS, 2, YES, YES))
    found = submitted(GROWS, 2, approvals=both)
    assert found.approved is not None
    assert found.approved.revision == 2


# -- while something leaves ----------------------------------------------------------------------
def test_yy_21_2_nothing_follows_an_approved_end_of_use() -> None:
    ends = revision(request(ENDS), number=2, application=ApplicationType.DEREGISTRATION)
    late = put_forward(GROWS, 3, YES, YES, in_force=revision())
    open_ = put_forward(SHRINKS, 4, in_force=revision())
    found = submitted(SHRINKS, 4, approvals=(late, open_), in_force=ends)
    assert (found.approved, found.pending) == (ends, None)
    assert made(found) == []
    assert superseded(found) == [open_.metadata.name]


def test_yy_21_2_another_approval_waits_until_what_leaves_is_certified() -> None:
    shrinks = revision(request(SHRINKS), number=2, application=ApplicationType.CHANGE)
    grows = put_forward(GROWS, 3, YES, in_force=shrinks)
    app, db = servers()
    for left in (leaving(db), gone(leaving(db))):
        found = submitted(GROWS, 3, approvals=(grows,), in_force=shrinks, servers=(handed_over(app), left))
        assert found.approved == shrinks
        assert found.queued is not None
        assert made(found) == []
        assert settled(found) == []
    free = submitted(GROWS, 3, approvals=(grows,), in_force=shrinks, servers=(handed_over(app),))
    assert free.approved is not None
    assert (free.approved.revision, free.queued) == (3, None)
