"""Texts of what people are told by mail and in chat: who must act, by when, under which article."""

from __future__ import annotations

from collections.abc import Mapping

TEXTS: Mapping[str, tuple[str, str]] = {
    # -- the first line: what it is
    "notify.Due": ("To be done: {step}, {system}", "待办：{step}（{system}）"),
    "notify.Overdue": ("Overdue: {step}, {system}", "已超时：{step}（{system}）"),
    "notify.Escalated": ("Supervision: {step}, {system} is overdue", "督办：{step}（{system}）已超时"),
    "notify.Failed": ("Failed, to be mended: {step}, {system}", "办理失败待处置：{step}（{system}）"),
    "notify.Order": ("Work order: {work}, {system}", "工单：{work}（{system}）"),
    "notify.Notice": ("Rectification notice: {system}", "整改通知：{system}"),
    "notify.Copy": ("Copy of an enforcement: {system}", "处置情况抄送：{system}"),
    "notify.Finding": ("Finding: {system}", "发现问题：{system}"),
    "notify.Report": ("Periodic report due: {step}, {system}", "定期报告：{step}（{system}）"),
    # -- its lines
    "notify.unit": ("Unit: {unit}", "使用单位：{unit}"),
    "notify.request": ("Application: {request}", "申请：{request}"),
    "notify.object": ("Object: {object}", "对象：{object}"),
    "notify.who": ("Who must act: {who}", "办理人：{who}"),
    "notify.due": ("Until: {due} (Beijing time)", "办理时限：{due}（北京时间）"),
    "notify.no-due": ("Until: the regulation sets no time", "办理时限：管理办法未规定"),
    "notify.article": ("Under: {article}", "依据：{article}"),
    "notify.what": ("What: {what}", "事项：{what}"),
    "notify.enforced": ("Enforced: {actions}, since {since}", "已采取措施：{actions}，自 {since} 起"),
    "notify.recipient": ("Copy to: {recipient}", "抄送：{recipient}"),
    "notify.soft": ("It only proposes; nothing follows by itself.", "仅为建议，不会自动产生任何后果。"),
    # -- around them
    "notify.several": ("{count} {count:thing|things} to know", "{count} 项待知悉"),
    "notify.more": ("and {count} more: govpool top", "另有 {count} 项，请执行 govpool top 查看"),
    "notify.look": ("See: {command}", "查看：{command}"),
    "notify.footer": (
        "Sent once by govpool. Answering changes nothing: decide with govpool or kubectl.",
        "本消息由 govpool 发送一次，回复无效：请通过 govpool 或 kubectl 办理。",
    ),
}
