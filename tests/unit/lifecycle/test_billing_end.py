"""YY-39, BZ-23, JN-19: billing ends with the unit's confirmation of the end, and with no other word."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from lifecycle_builders import (
    LEAVE_FORM,
    LEAVES,
    NOW,
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
from rules_support import Obj, quota

from govpool.api.cloudpolicy import ApplicationType
from govpool.api.cloudresourcerequest import Billing, CloudResourceRequestStatus
from govpool.api.cloudserver import CloudServer
from govpool.lifecycle.actions import WriteStatus
from govpool.lifecycle.request import decide

STARTED = NOW - timedelta(days=90)
LATER = NOW + timedelta(hours=2)
GONE = tuple(gone(leaving(one)) for one in servers())


def said(approval: str, *moments: datetime) -> Obj:
    rows = [{"approval": approval, "by": "liu", "at": moment.isoformat()} for moment in moments]
    return {"confirmations": {"terminations": rows}}


def billed(patch: Obj, left: tuple[CloudServer, ...] = GONE) -> Billing:
    """Billing after a look at a request whose end of use was approved as revision 2."""
    leaves = LEAVES | {"materials": papers(LEAVE_FORM)}
    of = request(leaves, generation=2)
    approved = revision(of, number=2, application=ApplicationType.DEREGISTRATION, since=NOW)
    status = CloudResourceRequestStatus(approved=approved, billing=Billing(started=STARTED))
    found = request(leaves | patch, generation=2, status=status)
    decision = decide(observe(found, now=LATER, servers=left, quota=stored(quota(), version="7")))
    writes = [one.status for one in decision.actions if isinstance(one, WriteStatus)]
    after = next((one for one in writes if isinstance(one, CloudResourceRequestStatus)), status)
    return after.billing


def approval() -> str:
    return revision(request(), number=2).approval


def test_yy_39_billing_ends_at_the_instant_that_the_unit_confirmed() -> None:
    confirmed = NOW + timedelta(hours=1)
    found = billed(said(approval(), confirmed))
    assert (found.ended, found.ended_article) == (confirmed, "YY-39")


def test_yy_39_nobody_ends_billing_but_the_unit() -> None:
    assert billed({}).ended is None


def test_yy_39_a_word_before_the_last_wipe_ends_nothing() -> None:
    early, later = NOW - timedelta(hours=1), NOW + timedelta(hours=1)
    assert billed(said(approval(), early)).ended is None
    assert billed(said(approval(), early, later)).ended == later


def test_yy_39_a_word_about_an_earlier_reduction_ends_nothing() -> None:
    assert billed(said("doc-approval-r1", NOW + timedelta(hours=1))).ended is None


@pytest.mark.parametrize("still", ["runs", "released"])
def test_yy_21_2_billing_goes_on_while_anything_is_there(still: str) -> None:
    first, *rest = servers()
    there = handed_over(first) if still == "runs" else leaving(first)
    left = (there, *(gone(leaving(one)) for one in rest))
    assert billed(said(approval(), NOW + timedelta(hours=1)), left).ended is None


def test_yy_39_a_reduction_by_parts_ends_no_billing() -> None:
    of = request(generation=2)
    approved = revision(of, number=2, application=ApplicationType.CHANGE, since=NOW)
    status = CloudResourceRequestStatus(approved=approved, billing=Billing(started=STARTED))
    word = said(approval(), NOW + timedelta(hours=1))
    found = request(word, generation=2, status=status)
    decision = decide(observe(found, now=LATER, servers=GONE))
    writes = [one.status for one in decision.actions if isinstance(one, WriteStatus)]
    after = [one for one in writes if isinstance(one, CloudResourceRequestStatus)]
    assert after
    assert after[0].billing == Billing(started=STARTED)
