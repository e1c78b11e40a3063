"""Texts of ``govpool top``: what is due, overdue and running in the whole town."""

from __future__ import annotations

from collections.abc import Mapping

TEXTS: Mapping[str, tuple[str, str]] = {
    "top.counts": (
        "{requests} {requests:application|applications}, {overdue} overdue, {due} due, {running} {running:order|orders} running, {failed} failed",
        "申请 {requests} 件，超时 {overdue} 项，待办 {due} 项，执行中工单 {running} 个，失败 {failed} 个",
    ),
    "top.duties": ("Who must act", "待办事项"),
    "top.orders": ("Work orders", "工单"),
    "top.pools": ("Pools", "云资源池"),
    "top.quotas": ("Quotas", "额度"),
    "top.due": ("Due", "时限"),
    "top.who": ("Who", "办理人"),
    "top.step": ("Step", "环节"),
    "top.unit": ("Unit", "使用单位"),
    "top.about": ("About", "对象"),
    "top.article": ("Article", "依据"),
    "top.work": ("Work", "工单类型"),
    "top.state": ("State", "状态"),
    "top.age": ("Age", "历时"),
    "top.progress": ("Progress", "进展"),
    "top.pool": ("Pool", "资源池"),
    "top.reachable": ("Reachable", "可达"),
    "top.servers": ("Servers", "云服务器"),
    "top.memory": ("Memory GiB", "内存 GiB"),
    "top.storage": ("Storage GiB", "存储 GiB"),
    "top.standing": ("Standing", "发放状态"),
    "top.in": ("in {span}", "剩 {span}"),
    "top.late": ("{span} over", "超 {span}"),
    "top.no-due": ("no time set", "未规定时限"),
    "top.nothing-due": ("Nobody has to act.", "暂无待办事项。"),
    "top.no-orders": ("No work order is open.", "暂无未完成工单。"),
    "top.more": ("and {count} more (--rows)", "另有 {count} 项（--rows）"),
    "top.yes": ("yes", "是"),
    "top.no": ("no", "否"),
    "top.unknown": ("unknown", "未知"),
    "top.days": ("{count} d", "{count} 天"),
    "top.hours": ("{count} h", "{count} 小时"),
    "top.minutes": ("{count} min", "{count} 分钟"),
}
