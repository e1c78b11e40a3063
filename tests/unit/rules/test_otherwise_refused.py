"""What would have kept a refusal from standing: each that is told is made, and lifts it."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest
from rules_support import Obj, at, catalog, content, group, merged, policy, pool, quota, request

from govpool.api.cloudpolicy import ApplicationType
from govpool.api.cloudpool import CloudPool
from govpool.api.cloudresourcerequest import RequestContent
from govpool.api.tenantquota import TenantQuota
from govpool.rules.admission import admit
from govpool.rules.otherwise_refused import Asked, OtherAsked, lifted_by
from govpool.rules.refusal import Refusal

NEW, CHANGE = ApplicationType.NEW, ApplicationType.CHANGE
TEMPORARY, LEAVING = ApplicationType.TEMPORARY, ApplicationType.DEREGISTRATION
NOW = at("2026-11-23 09:00")


def expansion(ends: str, starts: str = "2026-12-01") -> Obj:
    one = {"server": "app", "additionalCount": 1, "starts": starts, "ends": ends}
    return {"term": {"temporary": [one]}}


HELD = content({"servers": [group(count=4, gib=10)], "services": []})
RUNS = content({"servers": [group(count=4, gib=10)], "services": [], **expansion("2026-12-31", "2026-11-20")})
ASKED = {"servers": [group(count=4, gib=10)], "services": []}
STOPPED = {"standing": "IssuingStopped", "standingCause": "notice-1"}


def told(
    under: str,
    patch: Obj,
    application: ApplicationType,
    reason: str,
    *,
    approved: RequestContent | None = None,
    unit: TenantQuota | None = None,
    within: CloudPool | None = None,
    now: datetime = NOW,
) -> set[str]:
    """What is told of the refusal for this reason; each was made, and none of them leaves it standing."""
    regulation = policy(under)
    asked = Asked(request(patch, approved=approved), within or pool(), unit or quota(), now)

    def judge(other: Asked) -> tuple[Refusal, ...]:
        given: dict[str, Any] = {"pool": other.pool, "quota": other.quota, "now": other.now}
        return admit(other.request, application, policy=regulation, catalog=catalog(), **given)

    refused = [one for one in judge(asked) if one.reason == reason]
    assert refused, [one.reason for one in judge(asked)]
    found: list[OtherAsked] = []
    for refusal in refused:
        others = lifted_by(asked, refusal, judge, regulation.spec)
        for other in others:
            assert refusal.message not in [one.message for one in judge(other.asked)]
            assert other.message.render("en") and other.message.render("zh")
        found += others
    return {other.message.key.removeprefix("audit.otherwise.") for other in found}


CASES: dict[str, tuple[str, Obj, ApplicationType, str, dict[str, Any], set[str]]] = {
    "before the policy's first day (JN-26)": (
        "jinan-startup-area-2025",
        {},
        NEW,
        "PolicyNotInForce",
        {"now": at("2025-01-01 23:59")},
        {"on-day"},
    ),
    "after its last (YY-42)": (
        "yiyang-2025",
        {},
        NEW,
        "PolicyNotInForce",
        {"now": at("2027-09-25 00:00")},
        {"on-day"},
    ),
    "an outside unit without a sponsor (BZ-5)": (
        "bozhou-2024",
        {},
        NEW,
        "SponsorMissing",
        {"unit": quota(outside=True)},
        {"sponsor"},
    ),
    "the nearest item (BZ-16)": (
        "bozhou-2024",
        {"servers": [group(item="ecs-3c4g")]},
        NEW,
        "NotInCatalog",
        {},
        {"nearest"},
    ),
    "the basis of the need (WH-19(1))": (
        "weihai-2025",
        {"needBasis": None},
        NEW,
        "NeedBasisMissing",
        {},
        {"basis"},
    ),
    "a reason that is accepted (JN-19)": (
        "jinan-startup-area-2025",
        {"state": "Deregistered", "deregistration": {"reason": "NoLongerNeeded"}},
        LEAVING,
        "DeregistrationReasonNotAccepted",
        {"approved": HELD},
        {"reason"},
    ),
    "an expansion that is too long (BZ-22)": (
        "bozhou-2024",
        {**ASKED, **expansion("2027-03-01")},
        TEMPORARY,
        "TemporaryTooLong",
        {"approved": HELD},
        {"until", "no-expansion"},
    ),
    "one where none is provided (YY)": (
        "yiyang-2025",
        {**ASKED, **expansion("2026-12-31")},
        CHANGE,
        "TemporaryNotProvided",
        {"approved": HELD},
        {"no-expansion"},
    ),
    "an extension asked for too late (BZ-22)": (
        "bozhou-2024",
        {**ASKED, **expansion("2027-01-31", "2026-11-20")},
        TEMPORARY,
        "ExtensionTooLate",
        {"approved": RUNS, "now": at("2026-12-24 09:00")},
        {"asked-by", "no-expansion"},
    ),
    "an emergency that is too long (BZ-24)": (
        "bozhou-2024",
        {"term": {"kind": "Emergency", "emergency": {"cause": "防汛", "until": "2027-12-31"}}},
        ApplicationType.EMERGENCY,
        "EmergencyTooLong",
        {},
        {"until"},
    ),
    "an expansion without the use for it (BZ-26(1))": (
        "bozhou-2024",
        {"servers": [group(count=5, gib=10)], "services": []},
        CHANGE,
        "ExpansionNotDue",
        {"approved": HELD},
        {"servers-as-approved", "found-high"},
    ),
    "a bottleneck that was not found (BZ-26(1))": (
        "bozhou-2024",
        {"term": {"kind": "Emergency", "emergency": {"cause": "内存瓶颈", "finding": "use/a/expansion"}}},
        ApplicationType.EMERGENCY,
        "BottleneckNotFound",
        {},
        {"found-high"},
    ),
    "a disk that would shrink": (
        "yiyang-2025",
        {"servers": [group(count=4, gib=5)], "services": []},
        CHANGE,
        "DiskShrink",
        {"approved": HELD},
        {"servers-as-approved"},
    ),
    "issuing that is stopped (YY-22(4))": (
        "yiyang-2025",
        {},
        NEW,
        "IssuingStopped",
        {"unit": quota(status=STOPPED)},
        {"good-standing"},
    ),
    "a pool that is not open": (
        "yiyang-2025",
        {},
        NEW,
        "PoolNotOpen",
        {"within": pool(state="Cordoned")},
        {"pool-open"},
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_what_is_told_lifts_the_refusal(case: str) -> None:
    under, patch, application, reason, given, keys = CASES[case]
    assert told(under, patch, application, reason, **given) == keys


def test_what_would_not_lift_it_is_not_told() -> None:
    """Servers as approved do not help where the finding is about the network."""
    before = content({"system": {"network": "GovernmentExtranet"}, **ASKED})
    other = merged(ASKED, {"system": {"network": "Internet"}})
    assert told("yiyang-2025", other, CHANGE, "NetworkChange", approved=before) == set()
