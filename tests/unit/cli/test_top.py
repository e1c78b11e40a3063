"""What ``govpool top`` shows of a town, in both languages."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import yaml
from rich.console import Console

from govpool.api.base import ObjectMeta
from govpool.api.cloudpolicy import Stage
from govpool.api.cloudpool import CloudPool, CloudPoolStatus
from govpool.api.cloudresourcerequest import CloudResourceRequest, CloudResourceRequestStatus, Deadline
from govpool.api.policy_roles import Role
from govpool.api.tenantquota import Amounts, Reservation, Standing, TenantQuota, TenantQuotaStatus
from govpool.api.workorder import WorkOrder, WorkOrderSpec, WorkOrderState, WorkOrderStatus
from govpool.cli.top_view import Town, measure, show
from govpool.messages import Language

ROOT = Path(__file__).parents[3]
NOW = datetime(2026, 11, 23, 1, 0, tzinfo=UTC)
UNIT = "heshan-data-bureau"


def printed(town: Town, language: Language = "en", rows: int = 15) -> list[str]:
    console = Console(width=130, highlight=False)
    with console.capture() as captured:
        console.print(show(town, language, rows))
    return captured.get().splitlines()


def line(lines: list[str], *parts: str) -> str:
    """The one line that has all of the parts."""
    (found,) = [one for one in lines if all(part in one for part in parts)]
    return found


def document(name: str, kind: str) -> dict[str, Any]:
    found = yaml.safe_load_all((ROOT / name).read_text())
    return next(one for one in found if one and one["kind"] == kind)


def request(name: str, *due: Deadline) -> CloudResourceRequest:
    found = document("examples/03-request.yaml", "CloudResourceRequest")
    found["metadata"] |= {"name": name, "namespace": UNIT, "uid": name}
    made = CloudResourceRequest.model_validate(found)
    return made.model_copy(update={"status": CloudResourceRequestStatus(deadlines=list(due))})


def clock(who: Role, hours: int, **more: Any) -> Deadline:
    at = NOW + timedelta(hours=hours)
    stage = more.pop("stage", Stage.REVIEW)
    return Deadline(
        what="x", stage=stage, who=who, since=NOW, due=at, article="YY-14", overdue=at < NOW, **more
    )


def unit() -> TenantQuota:
    made = TenantQuota.model_validate(document("examples/02-unit.yaml", "TenantQuota"))
    first = made.spec.limits[0]
    held = Reservation(
        request_uid="a", request="a", pool=first.pool, revision=1, amounts=Amounts(vcpu=first.hard.vcpu)
    )
    status = TenantQuotaStatus(reservations=[held], standing=Standing.ISSUING_STOPPED)
    return made.model_copy(update={"status": status})


def order(name: str, state: WorkOrderState, message: str = "", progress: str = "") -> WorkOrder:
    spec = WorkOrderSpec.model_validate(
        {
            "work": "Wipe",
            "request": {"name": "a", "uid": "a"},
            "revision": 1,
            "approval": "a-r1",
            "pool": "p",
            "servers": [],
            "runKey": "k",
            "startedBy": NOW - timedelta(hours=3),
            "article": "YY-21",
        }
    )
    status = WorkOrderStatus(state=state, message=message, progress=progress)
    return WorkOrder(metadata=ObjectMeta(name=name, namespace=UNIT), spec=spec, status=status)


def test_an_empty_town_says_that_nobody_has_to_act() -> None:
    assert "Nobody has to act." in printed(Town(NOW)) and "暂无待办事项。" in printed(Town(NOW), "zh")


def test_the_overdue_stand_first_and_say_who_was_told() -> None:
    town = Town(
        NOW,
        requests=(
            request("soon", clock(Role.UNIT, 3)),
            request("late", clock(Role.REVIEWER, -49)),
            request("worse", clock(Role.ACCEPTOR, -99, escalated_to=Role.SUPERVISOR, escalated_at=NOW)),
            request("itself", clock(Role.UNIT, 1, by_itself=True), clock(Role.OPERATOR, 2)),
        ),
        quotas=(unit(),),
    )
    lines = printed(town)
    assert "4 applications, 2 overdue, 1 due" in lines[0]
    places = [lines.index(line(lines, f" {name} ")) for name in ("worse", "late", "soon")]
    assert places == sorted(places) and not [one for one in lines if " itself " in one]
    assert "4 d over" in line(lines, "worse") and "acceptor → supervisor" in line(lines, "worse")
    assert "in 3 h" in line(lines, "soon", "unit", "Review", "YY-14", "益阳市赫山区数据局")
    chinese = line(printed(town, "zh"), "late")
    assert "超 2 天" in chinese and "审核人员" in chinese and "审核" in chinese


def test_orders_that_failed_stand_before_those_that_run() -> None:
    town = Town(
        NOW,
        orders=(
            order("running", WorkOrderState.RUNNING, progress="disk 1: write 40 %"),
            order("broken", WorkOrderState.FAILED, message="read-back: Failed\nmore"),
            order("done", WorkOrderState.SUCCEEDED),
        ),
    )
    lines = printed(town)
    assert lines.index(line(lines, "broken")) < lines.index(line(lines, "running", "3 h", "write 40 %"))
    assert line(lines, "broken").rstrip().endswith("read-back: Failed") and "1 failed" in lines[0]
    assert not [one for one in lines if " done " in one]


def test_pools_and_quotas_are_shown_with_their_limits() -> None:
    pool = CloudPool.model_validate(document("examples/01-supply.yaml", "CloudPool"))
    pool = pool.model_copy(update={"status": CloudPoolStatus(reachable=False)})
    quota = unit()
    vcpu = quota.spec.limits[0].hard.vcpu
    lines = printed(Town(NOW, pools=(pool,), quotas=(quota,)))
    assert " no " in line(lines, pool.metadata.name, "0/32")
    assert f"{vcpu}/{vcpu}" in line(lines, "IssuingStopped", quota.spec.limits[0].pool)
    assert "停止发放" in line(printed(Town(NOW, quotas=(quota,)), "zh"), f"{vcpu}/{vcpu}")
    assert [measure(used, 10).style for used in (1, 8, 10)] == ["", "yellow", "red"]
    assert (measure(0, 0).style, measure(1, 0).style, measure(3, None).plain) == ("", "red", "3")


def test_a_table_that_is_too_long_says_how_much_is_left() -> None:
    town = Town(NOW, requests=tuple(request(f"r{n}", clock(Role.UNIT, n)) for n in range(9)))
    assert "  and 6 more (--rows)" in printed(town, rows=3)
