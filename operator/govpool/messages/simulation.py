"""Texts of the simulator: what was done in a story, what was expected, and its table."""

from __future__ import annotations

from collections.abc import Mapping

TEXTS: Mapping[str, tuple[str, str]] = {
    # -- what somebody did
    "simulate.did.apply": ("{request}: the application is filed", "{request}：提交申请"),
    "simulate.did.edit": ("{request}: the application is edited", "{request}：修改申请"),
    "simulate.did.decide": ("{request}: decided: {detail}", "{request}：作出决定：{detail}"),
    "simulate.did.confirm": ("{request}: confirmed: {detail}", "{request}：确认：{detail}"),
    "simulate.did.report": ("{request}: report filed: {detail}", "{request}：提交报告：{detail}"),
    "simulate.did.complete": ("{request}: a work order is reported", "{request}：报告工单办理结果"),
    "simulate.did.measure": ("{request}: use is measured", "{request}：监测资源使用情况"),
    "simulate.did.fault": ("the pool fails: {detail}", "资源池故障：{detail}"),
    "simulate.did.heal": ("the pool is well again", "资源池恢复正常"),
    "simulate.did.drift": ("{request}: a machine changes by itself", "{request}：云服务器发生非计划变动"),
    "simulate.did.create": ("an object is created", "新建对象"),
    "simulate.did.patch": ("edited: {detail}", "修改：{detail}"),
    "simulate.did.delete": ("deleted: {detail}", "删除：{detail}"),
    "simulate.did.note": ("note", "备注"),
    "simulate.did.habit": ("{request}: {detail}", "{request}：{detail}"),
    "simulate.did.reaction": ("answered: {detail}", "办理：{detail}"),
    # -- the table
    "simulate.title": ("{scenario} under {policy}", "{policy} 下的情景：{scenario}"),
    "simulate.span": ("{since} to {until}", "{since} 至 {until}"),
    "simulate.requests": ("Requests", "申请"),
    "simulate.request": ("request", "申请"),
    "simulate.phase": ("phase", "阶段"),
    "simulate.since": ("since", "起始"),
    "simulate.until": ("until", "截止"),
    "simulate.story": ("What happened", "经过"),
    "simulate.clocks": ("Clocks", "时限"),
    "simulate.who": ("who", "责任方"),
    "simulate.what": ("what", "事项"),
    "simulate.due": ("due", "到期"),
    "simulate.ended": ("done", "办结"),
    "simulate.article": ("clause", "条款"),
    "simulate.overdue": ("{day}, overdue", "{day}，已超期"),
    "simulate.billing": ("billing", "计费"),
    "simulate.fee": ("fee per year", "年费"),
    "simulate.fee-value": ("CNY {fee}", "{fee} 元"),
    "simulate.none": ("none", "无"),
    "simulate.open": ("open", "未办结"),
    "simulate.refused": ("not taken: {why}", "未被受理：{why}"),
    "simulate.never": ("never came: {told} ({why})", "未发生：{told}（{why}）"),
    "simulate.expected": ("Expected", "预期"),
    "simulate.found": ("found", "实际"),
    "simulate.servers": ("{servers} {servers:server|servers}", "云服务器 {servers} 台"),
    "simulate.all-met": ("all {count} expectations hold", "{count} 项预期全部符合"),
    "simulate.not-met": (
        "{failed} of {count} expectations do not hold",
        "{count} 项预期中有 {failed} 项不符",
    ),
    "simulate.counts": (
        "{decisions} {decisions:decision|decisions}, {writes} {writes:write|writes},"
        " {moves} {moves:move|moves} of the clock; {approvals} {approvals:approval|approvals},"
        " {servers} {servers:server|servers}, {orders} work {orders:order|orders},"
        " {certificates} {certificates:certificate|certificates}; {overdue} {overdue:clock|clocks} ran out",
        "{decisions} 次判定，{writes} 次写入，时钟推进 {moves} 次；审批单 {approvals} 件，云服务器 {servers} 台，"
        "工单 {orders} 件，数据清除证书 {certificates} 份；超期 {overdue} 次",
    ),
    "simulate.not-yet": (
        "{policy} is in force from {first} on and the story begins on {starts}: what is asked for before is refused."
        " --as-if-in-force plays it all the same.",
        "{policy} 自 {first} 起施行，而情景始于 {starts}，此前的申请将不予受理；加 --as-if-in-force 可视同已施行进行推演。",
    ),
    "simulate.took": ("{seconds} s", "用时 {seconds} 秒"),
    # -- why an event never came
    "simulate.never-reached": ("what it follows never came", "前置事项未发生"),
    "simulate.too-late": ("its time is after the end", "时间晚于情景结束"),
}
