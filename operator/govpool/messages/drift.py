"""Texts about what somebody changed in a pool behind govpool's back."""

from __future__ import annotations

from collections.abc import Mapping

TEXTS: Mapping[str, tuple[str, str]] = {
    "drift.size": (
        "size: {vcpu} vCPU {memory} GiB, approved {approved_vcpu} vCPU {approved_memory} GiB",
        "规格：{vcpu} vCPU {memory} GiB，批准 {approved_vcpu} vCPU {approved_memory} GiB",
    ),
    "drift.resizing": (
        "size: being changed by somebody, approved {vcpu} vCPU {memory} GiB",
        "规格：他人正在调整，批准 {vcpu} vCPU {memory} GiB",
    ),
    "drift.power": ("power: {seen}, approved {approved}", "电源：{seen}，批准 {approved}"),
    "drift.gone": ("server: not in the pool, approved Running", "云服务器：资源池中不存在，批准 Running"),
    "drift.disk-gone": (
        "disk {disk}: not in the pool any more, not made anew",
        "磁盘 {disk}：资源池中已不存在，不会自动重建",
    ),
    "drift.disk-loose": ("disk {disk}: {seen}, approved Attached", "磁盘 {disk}：{seen}，批准 Attached"),
    "drift.disk-size": (
        "disk {disk}: {seen} GiB, approved {approved} GiB",
        "磁盘 {disk}：{seen} GiB，批准 {approved} GiB",
    ),
    "drift.cut": ("network: cut off, approved connected", "网络：已断开，批准连接"),
    "drift.server": (
        "Differs from what was approved, and nobody here changed it: {drift}. Undo it in the pool, apply for a "
        "change, or let the pool's spec.drift mend it.",
        "与批准内容不一致，且非本系统操作：{drift}。请在资源池中恢复、申请变更，或由资源池 spec.drift 设置自动恢复。",
    ),
    "drift.request": (
        "Servers differ from what was approved: {servers}",
        "云服务器与批准内容不一致：{servers}",
    ),
    "drift.coming-back": (
        "The server was deleted by somebody. It is made anew on its own disks, as the pool's spec.drift says.",
        "云服务器被他人删除，正按资源池 spec.drift 的设置使用原磁盘重建。",
    ),
    "drift.unknown": (
        "{count} {count:resource|resources} in the pool {count:is|are} nobody's here: listed in"
        " status.unknownResources and never deleted. Find out whose.",
        "资源池中有 {count} 项来源不明的资源，已列入 status.unknownResources，不会自动删除，请查明归属。",
    ),
    "drift.none-unknown": ("Every resource in the pool is known.", "资源池中的资源均有归属。"),
    "drift.units-fit": (
        "{count} {count:unit has|units have} in the pool what {count:its|their} TenantQuota says.",
        "{count} 个使用单位在资源池中的配额与 TenantQuota 一致。",
    ),
    "drift.units-differ": (
        "Not as their TenantQuota says: {units}. Change the quotas there, or let units.quotas set them.",
        "与 TenantQuota 不一致：{units}。请在资源池中调整配额，或启用 units.quotas 自动设置。",
    ),
}
