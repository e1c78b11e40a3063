"""decide: how a RectificationNotice stands, what is enforced for it, and how its unit stands."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from govpool.api.base import ConditionStatus
from govpool.api.cloudpolicy import CloudPolicy
from govpool.api.cloudresourcerequest import CloudResourceRequest
from govpool.api.policy_rectification import NoticeRule
from govpool.api.rectification_words import Enforcement
from govpool.api.rectificationnotice import (
    EnforcementTaken,
    NoticeState,
    RectificationNotice,
    RectificationNoticeStatus,
)
from govpool.api.tenantquota import Standing, TenantQuota, TenantQuotaStatus
from govpool.lifecycle.actions import Action, Announce, WriteQuota, WriteStatus
from govpool.lifecycle.conditions import Said, condition, merged
from govpool.lifecycle.decision import Decision
from govpool.lifecycle.enforcement import taken
from govpool.messages import Language, Message, message
from govpool.rules.citation import clause
from govpool.rules.notice import NoticeJudgement, judge, notice_rule, state_message

MAX_TAKEN = 32


@dataclass(frozen=True, slots=True)
class NoticeObservation:
    """A notice and what it is about. ``notices`` are all of the unit's, this one included or not."""

    notice: RectificationNotice
    now: datetime
    policy: CloudPolicy | None
    quota: TenantQuota | None = None
    request: CloudResourceRequest | None = None
    notices: tuple[RectificationNotice, ...] = ()
    governing: str | None = None
    """Name of the policy that the request's pool is under; None where that is not known."""
    language: Language = "en"


def decide(observation: NoticeObservation) -> Decision:
    """The notice's status, and the unit's standing as all of its notices have it.

    Servers and requests carry out their own part when they see what the status records.
    """
    notice, policy = observation.notice, observation.policy
    if notice.paused:
        return Decision()
    before = notice.status or RectificationNoticeStatus()
    if policy is None:
        text = message("notice.PolicyMissing", policy=notice.spec.policy)
        return _told(observation, before, "Provided", ConditionStatus.UNKNOWN, "PolicyMissing", text)
    if observation.governing is not None and observation.governing != policy.metadata.name:
        text = message("notice.OtherPolicy", policy=notice.spec.policy, governing=observation.governing)
        return _told(observation, before, "Provided", ConditionStatus.FALSE, "OtherPolicy", text)
    rule = notice_rule(policy.spec, notice.spec.finding)
    if rule is None:
        text = message("notice.NotProvided", policy=policy.metadata.name, finding=notice.spec.finding.value)
        return _told(observation, before, "Provided", ConditionStatus.FALSE, "NotProvided", text)
    judgement = judge(notice, rule, policy.spec, observation.now)
    after = _status(observation, before, policy, rule, judgement)
    look = judgement.due + timedelta(seconds=1) if judgement.due and not judgement.overdue else None
    open_ = judgement.state not in (NoticeState.RECTIFIED, NoticeState.WITHDRAWN)
    actions: list[Action] = []
    if after != notice.status:
        actions.append(WriteStatus(notice, after))
    actions += _standing(observation, after)
    if after.state is not before.state or notice.status is None:
        note = state_message(after.state, after.due, after.in_force).render(observation.language)
        actions.append(Announce(notice, after.state.value, note, warning=open_))
    return Decision(tuple(actions), look if open_ else None)


def _status(
    observation: NoticeObservation,
    before: RectificationNoticeStatus,
    policy: CloudPolicy,
    rule: NoticeRule,
    judgement: NoticeJudgement,
) -> RectificationNoticeStatus:
    article = clause(policy.spec, rule.article)
    records = _records(before.enforcement, judgement, article, observation.now)
    in_force = [record.action for record in records if record.lifted is None]
    after = before.model_copy(
        update={
            "observed_generation": observation.notice.metadata.generation,
            "state": judgement.state,
            "who": judgement.who,
            "article": article,
            "told": judgement.told,
            "due": judgement.due,
            "overdue": judgement.overdue,
            "enforcement": records,
            "in_force": in_force,
            "copies": list(rule.copies) if records else [],
        }
    )
    return after.model_copy(
        update={
            "conditions": merged(
                before.conditions, _conditions(observation, policy, judgement, after, article)
            )
        }
    )


def _records(
    before: Iterable[EnforcementTaken], judgement: NoticeJudgement, article: str, now: datetime
) -> list[EnforcementTaken]:
    """What was enforced, with what is new and what is lifted. A record is never taken out but for the oldest
    that were lifted, when there are too many.
    """
    wanted = {item.action: item for item in judgement.wanted}
    records = [
        record
        if record.lifted is not None or record.action in wanted
        else record.model_copy(update={"lifted": now})
        for record in before
    ]
    standing = {record.action for record in records if record.lifted is None}
    for action, item in wanted.items():
        if action not in standing:
            records.append(
                EnforcementTaken(
                    action=action,
                    ground=item.ground,
                    by=item.by,
                    since=min(item.since, now),
                    article=article,
                )
            )
    if len(records) <= MAX_TAKEN:
        return records
    return [r for r in records if r.lifted is not None][len(records) - MAX_TAKEN :] + [
        r for r in records if r.lifted is None
    ]


def _conditions(
    observation: NoticeObservation,
    policy: CloudPolicy,
    judgement: NoticeJudgement,
    after: RectificationNoticeStatus,
    article: str,
) -> list[Said]:
    true, false = ConditionStatus.TRUE, ConditionStatus.FALSE
    closed = after.state in (NoticeState.RECTIFIED, NoticeState.WITHDRAWN)
    found = [
        _condition(
            observation,
            "Closed",
            true if closed else false,
            after.state.value,
            state_message(after.state, after.due, after.in_force),
            article,
        )
    ]
    if judgement.not_permitted:
        text = message(
            "notice.NotPermitted",
            actions=", ".join(action.value for action in judgement.not_permitted),
            policy=policy.metadata.name,
            finding=observation.notice.spec.finding.value,
        )
        found.append(_condition(observation, "Permitted", false, "NotProvided", text, article))
    named = observation.notice.spec.request
    request = observation.request
    if named is not None and (request is None or request.metadata.uid != named.uid):
        text = message("notice.RequestMissing", request=named.name)
        found.append(_condition(observation, "RequestFound", false, "RequestMissing", text))
    if Enforcement.STOP_ISSUING in after.in_force and observation.quota is None:
        text = message("notice.QuotaMissing")
        found.append(_condition(observation, "IssuingStopped", false, "UnitUnknown", text))
    return found


def _standing(observation: NoticeObservation, after: RectificationNoticeStatus) -> list[Action]:
    """The unit's standing after all of its notices. One that people set by hand is left as it is."""
    quota, notice = observation.quota, observation.notice
    if quota is None:
        return []
    known = {n.metadata.name: n for n in observation.notices}
    known[notice.metadata.name] = notice.model_copy(update={"status": after})
    stops = sorted(
        (record.since, name)
        for name, each in known.items()
        if (record := taken(each, Enforcement.STOP_ISSUING)) is not None
    )
    status = quota.status or TenantQuotaStatus()
    stopped = status.standing is Standing.ISSUING_STOPPED
    by_hand = stopped and status.standing_cause not in known
    if by_hand or (stops and stopped and status.standing_cause in {name for _, name in stops}):
        return []
    if not stops and not stopped:
        return []
    update: dict[str, object] = {"standing": Standing.GOOD, "standing_cause": None, "standing_since": None}
    if stops:
        since, cause = stops[0]
        update = {"standing": Standing.ISSUING_STOPPED, "standing_cause": cause, "standing_since": since}
    changed = status.model_copy(update=update)
    return [WriteQuota(notice.metadata.namespace, quota.metadata.resource_version, changed)]


def _told(
    observation: NoticeObservation,
    before: RectificationNoticeStatus,
    type_: str,
    status: ConditionStatus,
    reason: str,
    text: Message,
) -> Decision:
    """Say why nothing is judged; what is in force stays so until it can be."""
    notice = observation.notice
    told = _condition(observation, type_, status, reason, text)
    after = before.model_copy(
        update={
            "observed_generation": notice.metadata.generation,
            "conditions": merged(before.conditions, [told]),
        }
    )
    return Decision((WriteStatus(notice, after),) if after != notice.status else ())


def _condition(
    observation: NoticeObservation,
    type_: str,
    status: ConditionStatus,
    reason: str,
    text: Message,
    article: str = "",
) -> Said:
    return condition(
        type_,
        status,
        reason,
        text,
        clause=article,
        generation=observation.notice.metadata.generation,
        now=observation.now,
        language=observation.language,
    )
