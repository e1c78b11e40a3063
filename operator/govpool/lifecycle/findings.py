"""What stands against a request, as its status shows it, and the notices that the policy wants given."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from govpool.api.cloudpolicy import CloudPolicy
from govpool.api.cloudresourcerequest import (
    ApprovedRevision,
    CloudResourceRequest,
    CloudResourceRequestStatus,
    Deadline,
    DesiredState,
    Happening,
    Trial,
)
from govpool.api.cloudserver import ServerPhase
from govpool.api.finding import Figure, RequestFinding, TextInBoth
from govpool.api.rectificationnotice import NoticeWords, RectificationNotice, RectificationNoticeSpec
from govpool.api.servicecatalog import ServiceCatalog
from govpool.lifecycle.actions import Create
from govpool.lifecycle.conditions import MAX_MESSAGE
from govpool.lifecycle.emergency import overdue_papers
from govpool.lifecycle.enforcement import about
from govpool.lifecycle.naming import made_for, reference, short
from govpool.lifecycle.observation import RequestObservation
from govpool.lifecycle.wanted import server_phase
from govpool.messages import Language, Message, message
from govpool.rules.amounts import amounts
from govpool.rules.findings import (
    Finding,
    evidence_findings,
    overdue_findings,
    papers_finding,
    unused_trial,
    usage_findings,
)
from govpool.rules.notice import demand, notice_rule

MAX_FINDINGS = 32


def findings(
    observation: RequestObservation,
    policy: CloudPolicy,
    approved: ApprovedRevision | None,
    *,
    trial: Trial | None,
    live: bool,
    reduced_at: datetime | None,
    due: Iterable[Deadline],
    more: Iterable[Finding] = (),
) -> tuple[Finding, ...]:
    """Everything that stands against a request in service or on its way there; nothing once it is leaving.

    ``live``: formal operation began. ``more`` are findings that other rules made out.
    """
    if approved is None or approved.content.state is DesiredState.DEREGISTERED:
        return ()
    request, now = observation.request, observation.now
    usage = {
        server.metadata.name: server.status.usage
        for server in sorted(observation.servers, key=lambda s: s.metadata.name)
        if server.status and server_phase(server) not in (ServerPhase.GONE, ServerPhase.RELEASED)
    }
    unused = unused_trial(policy.spec, trial, usage, request.spec.confirmations, now)
    return (
        *([unused] if unused else ()),
        *usage_findings(policy.spec, usage, reduced_at=reduced_at, now=now),
        *evidence_findings(policy.spec, request.spec.system, request.spec.materials, live=live, now=now),
        *more,
        *overdue_findings(due),
    )


def with_findings(
    observation: RequestObservation,
    policy: CloudPolicy,
    catalog: ServiceCatalog,
    before: CloudResourceRequestStatus,
    after: CloudResourceRequestStatus,
    more: Iterable[Finding] = (),
) -> CloudResourceRequestStatus:
    """The status with what stands against the request under it. ``more``: what other rules made out."""
    reduced_at = reduced(before, after.approved, catalog)
    papers = overdue_papers(
        policy.spec,
        observation.request,
        put_forward=after.pending_approval is not None,
        now=observation.now,
    )
    if papers is not None:
        more = (*more, papers_finding(papers.message, papers.clause, papers.since, papers.missing))
    found = findings(
        observation,
        policy,
        after.approved,
        trial=after.trial,
        live=after.applied is not None,
        reduced_at=reduced_at,
        due=after.deadlines,
        more=more,
    )
    kept = recorded(before.findings, found, observation.now, observation.language)
    if kept == after.findings and reduced_at == after.reduced_at:
        return after
    return after.model_copy(update={"findings": kept, "reduced_at": reduced_at})


def recorded(
    before: Iterable[RequestFinding], found: Iterable[Finding], now: datetime, language: Language
) -> list[RequestFinding]:
    """The findings as the status keeps them: each since it was first found without a break."""
    since = {finding.key: finding.since for finding in before}
    return [_kept(finding, since.get(finding.key, now), language) for finding in found][:MAX_FINDINGS]


def _kept(finding: Finding, since: datetime, language: Language) -> RequestFinding:
    words = in_both(finding.message)
    return RequestFinding(
        key=finding.key,
        finding=finding.finding,
        server=finding.server,
        text=words.of(language),
        words=words,
        article=finding.clause,
        since=since,
        soft=finding.soft,
        expert_review=finding.expert_review,
        figures=[Figure(what=name, value=value[:256]) for name, value in finding.figures][:16],
    )


def in_both(text: Message) -> TextInBoth:
    """The text in both languages."""
    return TextInBoth(en=text.render("en")[:MAX_MESSAGE], zh=text.render("zh")[:MAX_MESSAGE])


def reduced(
    before: CloudResourceRequestStatus, approved: ApprovedRevision | None, catalog: ServiceCatalog
) -> datetime | None:
    """When the last approved change took something away; None when none did."""
    held = before.approved
    if held is None or approved is None or approved.revision == held.revision:
        return before.reduced_at
    had, has = amounts(held.content, catalog), amounts(approved.content, catalog)
    return approved.at if had.beyond(has) else before.reduced_at


def notices(
    observation: RequestObservation, policy: CloudPolicy, found: Iterable[RequestFinding]
) -> list[Create]:
    """The notices that the policy has govpool give. One finding has one open notice at a time."""
    made: list[Create] = []
    request = observation.request
    given = [n for n in observation.notices if about(n, reference(request))]
    taken = {n.spec.finding for n in given if not n.closed}
    for finding in found:
        rule = notice_rule(policy.spec, finding.finding)
        if rule is None or not rule.by_operator or finding.soft or finding.finding in taken:
            continue
        name = _name(request.metadata.name, request.metadata.uid, finding)
        if any(n.metadata.name == name for n in given):
            continue
        taken.add(finding.finding)
        made.append(Create(_notice(observation, policy, finding, name)))
    return made


def _name(request: str, uid: str, finding: RequestFinding) -> str:
    """Deterministic, and another one when the same is found anew after it had ended."""
    episode = short(f"{uid}/{finding.key}/{finding.since.isoformat()}")
    return f"{request}-{finding.finding.value.lower()}-{episode}"[:63]


def _notice(
    observation: RequestObservation, policy: CloudPolicy, finding: RequestFinding, name: str
) -> RectificationNotice:
    request, demanded = observation.request, demand(finding.finding)
    words = NoticeWords(detail=finding.words, demand=in_both(demanded)) if finding.words else None
    return RectificationNotice(
        kind=RectificationNotice.DEFINITION.kind,
        # Not owned: a notice is a record and outlives the request that it was given for.
        metadata=made_for(request, name, owned=False),
        spec=RectificationNoticeSpec(
            request=reference(request),
            policy=policy.metadata.name,
            finding=finding.finding,
            detail=finding.text,
            demand=demanded.render(observation.language),
            words=words,
            evidence=finding.figures,
            article=finding.article,
            issued=observation.now,
            issued_by="govpool",
        ),
    )


def told(
    notices_: Iterable[RectificationNotice], request: CloudResourceRequest, language: Language = "en"
) -> list[Happening]:
    """The notices of a request, for its story."""
    happenings: list[Happening] = []
    for notice in notices_:
        # What no clause provides for has no effect, as its own condition says: it is no part of the story.
        if not about(notice, reference(request)) or notice.status is None or not notice.status.article:
            continue
        name, status = notice.metadata.name, notice.status
        happenings.append(
            Happening(
                at=notice.spec.issued,
                actor=notice.spec.issued_by,
                what=f"RectificationNotice: {notice.spec.finding.value}",
                detail=notice.detail_in(language),
                article=status.article,
                key=f"notice/{name}",
            )
        )
        happenings += [
            Happening(
                at=decision.at,
                actor=decision.by,
                what=f"RectificationNotice: {decision.verdict.value}",
                detail=decision.opinion,
                article=status.article,
                key=f"notice/{name}/decision/{number}",
            )
            for number, decision in enumerate(notice.spec.decisions)
        ]
        for record in status.enforcement:
            key = f"notice/{name}/{record.action.value}/{record.since.isoformat()}"
            told_to = _copied(status.copies, language)
            happenings.append(
                _enforced(record.since, record.by, record.action.value, record.article, key, told_to)
            )
            if record.lifted is not None:
                what = f"{record.action.value}: lifted"
                happenings.append(_enforced(record.lifted, "govpool", what, record.article, f"{key}/lifted"))
    return happenings


def _copied(names: Iterable[str], language: Language) -> str:
    """Who gets a copy of what was enforced (抄送); empty where the regulation names nobody."""
    named = ", ".join(names)
    return message("notice.copied", recipients=named).render(language) if named else ""


def _enforced(at: datetime, actor: str, what: str, article: str, key: str, detail: str = "") -> Happening:
    return Happening(at=at, actor=actor, what=what, detail=detail, article=article, key=key)
