"""BZ-26(1): servers are expanded once use is high enough (达标扩容)."""

from __future__ import annotations

import pytest
from rules_support import Obj, catalog, content, group, policy

from govpool.api.cloudpolicy import ApplicationType
from govpool.api.finding import RequestFinding
from govpool.api.rectification_words import NoticeFinding
from govpool.rules.expansion import check

CHANGE = ApplicationType.CHANGE
BUSY = RequestFinding.model_construct(finding=NoticeFinding.EXPAND)
IDLE = RequestFinding.model_construct(finding=NoticeFinding.REDUCE)


def reasons(
    servers: list[Obj],
    *findings: RequestFinding,
    under: str = "bozhou-2024",
    application: ApplicationType = CHANGE,
    services: list[Obj] | None = None,
) -> list[tuple[str, str]]:
    held = content({"servers": [group(count=4, gib=10)], "services": []})
    wanted = content({"servers": servers, "services": services or []})
    found = check(wanted, held, application, policy=policy(under).spec, catalog=catalog(), findings=findings)
    return [(one.reason, one.clause) for one in found]


REFUSED = [("ExpansionNotDue", "BZ-26(1)")]


@pytest.mark.parametrize(
    "servers",
    [[group(count=5, gib=10)], [group(count=4, gib=11)], [group(count=4, gib=10), group("db", gib=1)]],
)
def test_bz_26_1_an_expansion_is_applied_for_once_use_is_high_enough(servers: list[Obj]) -> None:
    assert reasons(servers) == REFUSED
    assert reasons(servers, IDLE) == REFUSED
    assert reasons(servers, IDLE, BUSY) == []


def test_bz_22_26_what_goes_another_way_or_expands_no_server_is_not_asked_for_use() -> None:
    more = [group(count=5, gib=10)]
    for application in (ApplicationType.MAJOR_CHANGE, ApplicationType.TEMPORARY, ApplicationType.EMERGENCY):
        assert reasons(more, application=application) == []
    assert reasons([group(count=3, gib=10)]) == []
    assert reasons([group(count=4, gib=10)], services=[{"item": "net-public-address"}]) == []


@pytest.mark.parametrize("under", ["yiyang-2025", "jinan-startup-area-2025", "weihai-2025", "template"])
def test_elsewhere_any_change_may_be_asked_for(under: str) -> None:
    assert reasons([group(count=5, gib=10)], under=under) == []
