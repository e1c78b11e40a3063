"""Who must act and what people are told: read from statuses, under keys that stay."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from lifecycle_builders import order as make_order
from lifecycle_builders import request as make_request
from lifecycle_builders import stored

from govpool.api.approval import RequestReference
from govpool.api.base import ObjectMeta
from govpool.api.cloudpolicy import Stage
from govpool.api.cloudpool import CloudPool, CloudPoolSpec, CloudPoolStatus
from govpool.api.cloudresourcerequest import (
    CloudResourceRequest,
    CloudResourceRequestStatus,
    Deadline,
    RequestPhase,
    StageState,
    StageStatus,
)
from govpool.api.finding import RequestFinding, TextInBoth
from govpool.api.policy_pool import Duty as FiledDuty
from govpool.api.policy_pool import Frequency, PeriodicDue
from govpool.api.policy_roles import Role
from govpool.api.rectification_words import Enforcement, NoticeFinding
from govpool.api.rectificationnotice import (
    EnforcementGround,
    EnforcementTaken,
    NoticeState,
    RectificationNotice,
    RectificationNoticeSpec,
    RectificationNoticeStatus,
)
from govpool.api.workorder import Executor, WorkOrder, WorkOrderKind, WorkOrderState, WorkOrderStatus
from govpool.lifecycle.duties import Urgency, duties
from govpool.lifecycle.tellings import Telling, Topic, tellings

NOW = datetime(2026, 3, 9, 8, 0, tzinfo=UTC)


def of(*due: Deadline, **status: object) -> CloudResourceRequest:
    made = stored(make_request(), uid="uid-1")
    return made.model_copy(update={"status": CloudResourceRequestStatus(deadlines=list(due), **status)})  # type: ignore[arg-type]


def clock(who: Role = Role.REVIEWER, days: float | None = 2, **more: object) -> Deadline:
    due = None if days is None else NOW + timedelta(days=days)
    given: dict[str, object] = {"what": "Review", "stage": Stage.REVIEW, "since": NOW, "article": "YY-14"}
    late = due is not None and due < NOW
    return Deadline(**{**given, "who": who, "due": due, "overdue": late, **more})  # type: ignore[arg-type]


def told(resource: CloudResourceRequest | RectificationNotice | WorkOrder | CloudPool) -> list[Telling]:
    return list(tellings(resource, NOW))


def topics(found: list[Telling]) -> list[tuple[str, str]]:
    return [(one.topic.value, one.to.value if one.to else one.recipient) for one in found]


def test_who_must_act_is_told_with_time_and_article() -> None:
    (one,) = told(of(clock()))
    assert (one.topic, one.to, one.who, one.article) == (Topic.DUE, Role.REVIEWER, Role.REVIEWER, "YY-14")
    assert one.due == NOW + timedelta(days=2) and one.step == "Review"


def test_what_passes_by_itself_and_what_govpool_does_is_nobodys_news() -> None:
    assert told(of(clock(by_itself=True), clock(Role.OPERATOR))) == []
    assert [duty.who for duty in duties(of(clock(by_itself=True), clock(Role.OPERATOR)), NOW)] == [
        Role.OPERATOR
    ]


def test_an_overdue_clock_is_told_under_another_key_and_so_is_its_escalation() -> None:
    running, late = told(of(clock())), told(of(clock(days=-1)))
    assert topics(late) == [("Overdue", "reviewer")]
    assert {one.key for one in running}.isdisjoint(one.key for one in late)
    escalated = told(of(clock(days=-1, escalated_to=Role.SUPERVISOR, escalated_at=NOW)))
    assert topics(escalated) == [("Overdue", "reviewer"), ("Escalated", "supervisor")]
    assert escalated[0].key == late[0].key, "it was told before, and is not told again"
    assert escalated[1].who is Role.REVIEWER, "who supervises is told who must act"


def test_a_clock_whose_text_moves_on_keeps_its_key() -> None:
    (before,) = told(of(clock(Role.UNIT, None, what="1 of 2 reports", since=NOW)))
    (after,) = told(of(clock(Role.UNIT, None, what="2 of 2 reports", since=NOW + timedelta(hours=1))))
    assert before.key == after.key


def test_another_approval_is_another_clock() -> None:
    (first,) = told(of(clock(), pending_approval="a-r1"))
    (second,) = told(of(clock(), pending_approval="a-r2"))
    assert first.key != second.key


def test_a_request_that_left_owes_nothing() -> None:
    assert told(of(clock(), phase=RequestPhase.DEREGISTERED)) == []


def test_a_stage_that_failed_is_told_to_who_mends_it_unless_its_order_is() -> None:
    failed = StageStatus(stage=Stage.BASELINE, state=StageState.FAILED, article="YY-17")
    request = of(clock(Role.OPERATOR, stage=Stage.BASELINE), stages=[failed])
    assert topics(told(request)) == [("Failed", "operator")]
    broken = order(WorkOrderState.FAILED)
    assert list(tellings(request, NOW, [broken])) == []
    (one,) = told(broken)
    assert (one.topic, one.to, one.due) == (Topic.FAILED, Role.OPERATOR, None)
    retried = broken.model_copy(update={"status": WorkOrderStatus(state=WorkOrderState.FAILED, attempts=2)})
    assert told(retried)[0].key != one.key, "a second failure is news"


def order(state: WorkOrderState, **spec: object) -> WorkOrder:
    made = stored(make_order(WorkOrderKind.BASELINE), uid="uid-o")
    update = {"role": Role.OPERATOR, **spec}
    return made.model_copy(
        update={
            "spec": made.spec.model_copy(update=update),
            "status": WorkOrderStatus(state=state, attempts=1),
        }
    )


def test_a_persons_order_is_told_once_and_not_its_clock_beside_it() -> None:
    by_hand = order(
        WorkOrderState.PENDING, executor=Executor.PERSON, role=Role.PROVIDER, due=NOW + timedelta(days=1)
    )
    (one,) = told(by_hand)
    assert (one.topic, one.to, one.due) == (Topic.ORDER, Role.PROVIDER, NOW + timedelta(days=1))
    request = of(clock(Role.PROVIDER, stage=Stage.BASELINE), clock(Role.UNIT))
    assert topics(list(tellings(request, NOW, [by_hand]))) == [("Due", "unit")]
    late = of(clock(Role.PROVIDER, -1, stage=Stage.BASELINE))
    assert topics(list(tellings(late, NOW, [by_hand]))) == [("Overdue", "provider")]
    (overdue,) = duties(by_hand, NOW + timedelta(days=2))
    assert overdue.urgency is Urgency.OVERDUE
    assert told(order(WorkOrderState.RUNNING)) == [] and told(order(WorkOrderState.SUCCEEDED)) == []


def test_yy_22_a_notice_is_told_at_each_turn_and_its_enforcement_to_finance_and_audit() -> None:
    notice = RectificationNotice(
        metadata=ObjectMeta(name="n", namespace="ns", uid="uid-n"),
        spec=RectificationNoticeSpec(
            request=RequestReference(name="doc", uid="uid-1"),
            policy="yiyang-2025",
            finding=NoticeFinding.ZOMBIE,
            detail="Nobody uses it.",
            demand="Reduce.",
            issued=NOW,
            issued_by="reviewer",
        ),
        status=RectificationNoticeStatus(
            state=NoticeState.OPEN, who=Role.UNIT, due=NOW + timedelta(days=30), article="YY-22"
        ),
    )
    (first,) = told(notice)
    assert (first.topic, first.to, first.what) == (Topic.NOTICE, Role.UNIT, "Reduce.")
    taken = EnforcementTaken(
        action=Enforcement.STOP_ISSUING,
        ground=EnforcementGround.DECISION,
        by="reviewer",
        since=NOW,
        article="YY-22",
    )
    status = notice.status.model_copy(  # type: ignore[union-attr]
        update={
            "state": NoticeState.ENFORCED,
            "enforcement": [taken],
            "copies": ["市财政局", "市审计局"],
        }
    )
    enforced = told(notice.model_copy(update={"status": status}))
    assert topics(enforced) == [("Notice", "unit"), ("Copy", "市财政局"), ("Copy", "市审计局")]
    assert enforced[1].enforced == taken and enforced[0].key != first.key
    lifted = status.model_copy(update={"enforcement": [taken.model_copy(update={"lifted": NOW})]})
    assert topics(told(notice.model_copy(update={"status": lifted}))) == [("Notice", "unit")]


def test_what_govpool_wrote_is_told_in_the_readers_language() -> None:
    words = TextInBoth(en="3 % used", zh="使用率3%")
    found = RequestFinding(
        key="use/a/cpu", finding=NoticeFinding.REDUCE, text=words.en, words=words, article="YY-22", since=NOW
    )
    (one,) = told(of(findings=[found]))
    assert (one.what_in("en"), one.what_in("zh")) == ("3 % used", "使用率3%")
    (one,) = told(of(findings=[found.model_copy(update={"words": None})]))
    assert one.what_in("zh") == "3 % used", "what a person wrote is told as it was written"


def test_a_finding_is_told_to_the_unit_once_for_as_long_as_it_lasts() -> None:
    found = RequestFinding(
        key="use/a/cpu", finding=NoticeFinding.REDUCE, text="3 %", article="YY-22", since=NOW, soft=True
    )
    (one,) = told(of(findings=[found]))
    assert (one.topic, one.to, one.soft) == (Topic.FINDING, Role.UNIT, True)
    (later,) = told(of(findings=[found.model_copy(update={"text": "2 %"})]))
    assert later.key == one.key


def test_a_periodic_report_is_told_when_it_is_overdue() -> None:
    due = PeriodicDue(
        duty=FiledDuty.OPERATION,
        every=Frequency.MONTHLY,
        who=Role.PROVIDER,
        period_ends=NOW.date(),
        due=NOW,
        article="WH-30",
    )
    spec = CloudPoolSpec.model_validate(
        {
            "title": "p",
            "connection": {"provider": "fixture"},
            "operatingMode": "SelfBuilt",
            "policy": "p",
            "catalog": "c",
        }
    )
    pool = CloudPool(metadata=ObjectMeta(name="p", uid="uid-p"), spec=spec)

    def with_due(one: PeriodicDue) -> CloudPool:
        return pool.model_copy(update={"status": CloudPoolStatus(reports_due=[one])})

    assert told(with_due(due)) == []
    assert topics(told(with_due(due.model_copy(update={"overdue": True})))) == [("Report", "provider")]
