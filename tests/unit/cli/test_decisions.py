"""What ``govpool approve`` writes, and what it refuses to write."""

from __future__ import annotations

import pytest
from tests.unit.cli.people import NOW, Server, approval, request

from govpool.api.approval import Approval, ApprovalState, Verdict
from govpool.api.cloudpolicy import Stage
from govpool.api.cloudresourcerequest import CloudResourceRequest
from govpool.cli.decisions import Verdicts, decide, find_approval
from govpool.cli.errors import CliError, Exit
from govpool.effects.kube import KubeError

GIVEN = {"stage": "Acceptance", "verdict": "Approve", "by": "li", "at": NOW.isoformat()}


async def test_appends_the_waiting_step_in_the_name_of_who_is_logged_in() -> None:
    server = Server(approval(decisions=[GIVEN]), user="wang")
    done = await decide(server, approval(decisions=[GIVEN]), Verdicts(opinion="同意"))
    assert [(d.stage, d.by) for d in done.approval.spec.decisions] == [
        (Stage.ACCEPTANCE, "li"),
        (Stage.REVIEW, "wang"),
    ]
    assert (done.decision.at, done.decision.opinion, done.decision.verdict) == (NOW, "同意", Verdict.APPROVE)
    assert (done.early, done.following) == (None, None)


async def test_says_which_step_follows() -> None:
    done = await decide(Server(approval()), approval(), Verdicts())
    assert done.following is not None
    assert done.following.role.value == "reviewer"


async def test_a_step_decided_before_its_turn_waits_for_the_one_before() -> None:
    done = await decide(Server(approval()), approval(), Verdicts(step=Stage.REVIEW))
    assert (done.decision.stage, done.early) == (Stage.REVIEW, Stage.ACCEPTANCE)


async def test_nothing_follows_a_refusal() -> None:
    done = await decide(Server(approval()), approval(), Verdicts(Verdict.REFUSE, "材料不全"))
    assert done.following is None


async def test_a_status_written_meanwhile_is_no_obstacle() -> None:
    server = Server(approval(), meanwhile=lambda s: s.touch(Approval, "oa-r1"))
    done = await decide(server, approval(), Verdicts())
    assert [d.stage for d in done.approval.spec.decisions] == [Stage.ACCEPTANCE]
    assert server.writes == 1


async def test_a_decision_given_meanwhile_stands() -> None:
    other = approval(decisions=[GIVEN])
    server = Server(approval(), meanwhile=lambda s: s.touch(Approval, "oa-r1", spec=other.spec))
    with pytest.raises(CliError, match="was decided by li") as refused:
        await decide(server, approval(), Verdicts(step=Stage.ACCEPTANCE))
    assert refused.value.code is Exit.NO
    assert server.writes == 0


async def test_superseded_meanwhile_is_not_decided() -> None:
    gone = approval(state="Superseded")
    server = Server(approval(), meanwhile=lambda s: s.touch(Approval, "oa-r1", status=gone.status))
    with pytest.raises(CliError, match="Superseded"):
        await decide(server, approval(), Verdicts())
    assert server.writes == 0


@pytest.mark.parametrize("state", [s.value for s in ApprovalState if s is not ApprovalState.PENDING])
async def test_what_is_settled_is_not_decided(state: str) -> None:
    server = Server(approval(state=state))
    with pytest.raises(CliError, match=state):
        await decide(server, approval(state=state), Verdicts())
    assert server.writes == 0


async def test_a_step_that_the_policy_does_not_have() -> None:
    with pytest.raises(CliError, match="no step ExpertReview: its steps are Acceptance, Review"):
        await decide(Server(approval()), approval(), Verdicts(step=Stage.EXPERT_REVIEW))


@pytest.mark.parametrize("verdict", [Verdict.REFUSE, Verdict.RETURN])
async def test_a_refusal_needs_its_reason(verdict: Verdict) -> None:
    server = Server(approval())
    with pytest.raises(CliError, match="--opinion"):
        await decide(server, approval(), Verdicts(verdict, "  "))
    assert server.writes == 0


async def test_refusals_are_told_in_chinese_too() -> None:
    with pytest.raises(CliError, match="无需办理"):
        await decide(Server(approval(state="Superseded")), approval(state="Superseded"), Verdicts(), "zh")


async def test_a_request_stands_for_its_open_approval() -> None:
    server = Server(approval(), request({"phase": "InReview", "pendingApproval": "oa-r1"}))
    assert (await find_approval(server, "oa", "unit-a")).metadata.name == "oa-r1"
    assert (await find_approval(server, "oa-r1", None)).metadata.name == "oa-r1"


async def test_a_request_without_an_open_approval_says_where_it_stands() -> None:
    with pytest.raises(CliError, match="phase Trial"):
        await find_approval(Server(request({"phase": "Trial"})), "oa", "unit-a")


async def test_an_unknown_name_is_not_found() -> None:
    with pytest.raises(KubeError, match="no CloudResourceRequest nix"):
        await find_approval(Server(), "nix", None)


async def test_a_name_in_two_namespaces_must_be_chosen() -> None:
    one = request()
    other = one.model_copy(update={"metadata": one.metadata.model_copy(update={"namespace": "unit-b"})})
    with pytest.raises(CliError, match="unit-a, unit-b"):
        await Server(one, other).find(CloudResourceRequest, "oa", None)
