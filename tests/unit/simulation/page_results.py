"""Results as a player would write them, made by hand: what pages and comparisons are tested on."""

from __future__ import annotations

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from govpool.api.base import BilingualText
from govpool.api.cloudpolicy import ApplicationType, Role, Stage
from govpool.api.cloudresourcerequest import Happening, RequestPhase
from govpool.simulation.result import (
    BillingSpan,
    Clock,
    DecisionTold,
    FeeStep,
    Met,
    NoticeSpan,
    PhaseSpan,
    Played,
    PolicyTold,
    RequestLine,
    ServerSpan,
    SimulationResult,
)

ZONE = ZoneInfo("Asia/Shanghai")


def local(text: str) -> datetime:
    """A time in the policy's zone."""
    return datetime.fromisoformat(text).replace(tzinfo=ZONE)


POLICY = PolicyTold(
    name="yiyang-2025",
    code="YY",
    title=BilingualText(en="Measures of Yiyang", zh="益阳市市级政务云管理暂行办法"),
    document_number="益政办发〔2025〕11号",
    time_zone="Asia/Shanghai",
)
OTHER = POLICY.model_copy(
    update={
        "name": "bozhou-2024",
        "code": "BZ",
        "title": BilingualText(en="Measures of Bozhou", zh="亳州市政务云管理办法（试行）"),
    }
)


def line(name: str = "doc-approval", *, later: timedelta = timedelta(0), code: str = "YY") -> RequestLine:
    """A request from its application to its service, with a review that ran out over the Spring Festival."""

    def at(text: str) -> datetime:
        return local(text) + later

    told = [
        ("Acceptance: Approve", "2026-02-04T10:00", "wang", "19(2)", ""),
        ("Review: Refuse", "2026-02-10T10:00", "zhang", "19(2)", "规模依据不足"),
        ("Review: Approve", "2026-03-05T10:00", "zhang", "19(2)", ""),
        ("Handover", "2026-03-05T10:20", "govpool", "19(3)", "two servers <handed over>"),
        ("Confirmation", "2026-04-07T10:00", "govpool", "39", ""),
    ]
    return RequestLine(
        name=name,
        unit="heshan-data-bureau",
        unit_name="益阳市赫山区数据局",
        system="公文审批系统",
        applied=at("2026-02-02T09:00"),
        phases=[
            PhaseSpan(
                phase=RequestPhase.IN_REVIEW, since=at("2026-02-02T09:00"), until=at("2026-03-05T10:00")
            ),
            PhaseSpan(phase=RequestPhase.TRIAL, since=at("2026-03-05T10:00"), until=at("2026-04-06T00:00")),
            PhaseSpan(phase=RequestPhase.IN_SERVICE, since=at("2026-04-06T00:00")),
        ],
        clocks=[
            Clock(
                what="Review a-1",
                stage=Stage.REVIEW,
                who=Role.REVIEWER,
                article=f"{code}-19(2)",
                since=at("2026-02-10T10:00"),
                due=at("2026-02-28T23:59:59"),
                overdue_since=at("2026-03-01T00:00:00"),
                ended=at("2026-03-05T10:00"),
            ),
            Clock(
                what="Trial",
                stage=Stage.TRIAL,
                who=Role.UNIT,
                article=f"{code}-19(3)",
                since=at("2026-03-05T10:20"),
                due=at("2026-04-05T23:59:59"),
                ended=at("2026-04-06T00:00"),
            ),
        ],
        decisions=[
            DecisionTold(
                at=at(when),
                actor=who,
                stage=Stage(what.split(":")[0]),
                verdict=what.split(": ")[1],
                approval="a-1",
                application=ApplicationType.NEW,
                revision=1,
            )
            for what, when, who, _, _ in told[:3]
        ],
        history=[
            Happening(
                at=at(when), actor=who, what=what, article=f"{code}-{article}", detail=detail, key=what + when
            )
            for what, when, who, article, detail in told
        ],
        servers=[
            ServerSpan(
                server=f"app-{n}",
                group="app",
                since=at("2026-03-05T10:05"),
                until=at(until) if until else None,
                phase="HandedOver",
                vcpu=1,
                memory_gib=2,
                storage_gib=4,
            )
            for n, until in enumerate((None, "2026-04-20T00:00"))
        ],
        billing=BillingSpan(since=at("2026-04-07T10:00"), started_article=f"{code}-39"),
        fees=[FeeStep(since=at("2026-03-05T10:00"), fee_per_year="1255.20")],
        notices=[
            NoticeSpan(
                kind="RectificationNotice",
                name="n-1",
                since=at("2026-04-10T10:00"),
                text="僵尸系统",
                article=f"{code}-22(4)",
                due=at("2026-04-24T23:59"),
                state="Open",
            )
        ],
    )


def result(*lines: RequestLine, policy: PolicyTold = POLICY, language: str = "en") -> SimulationResult:
    """A story over the Spring Festival of 2026 with one expectation that held and one that did not."""
    return SimulationResult(
        scenario="spring",
        title=BilingualText(en="Before the Spring Festival", zh="春节前的上云申请"),
        policy=policy,
        language=language,
        started=local("2026-02-01T00:00"),
        until=local("2026-05-15T00:00"),
        requests=list(lines) or [line()],
        played=[
            Played(
                at=local("2026-02-02T09:00"),
                do="apply",
                by="liu",
                request="doc-approval",
                told=BilingualText(en="Applies for 2 servers", zh="申请云服务器两台"),
            )
        ],
        expectations=[
            Met(at=local("2026-03-20T00:00"), expected="phase Trial", found="phase Trial", met=True),
            Met(
                at=local("2026-04-01T00:00"),
                expected="phase InService",
                found="phase Trial",
                met=False,
                because=BilingualText(en="The trial is over", zh="测试期满"),
            ),
        ],
    )
