"""Texts of the command line: what ``govpool approve``, ``confirm`` and ``status`` tell people."""

from __future__ import annotations

from collections.abc import Mapping

TEXTS: Mapping[str, tuple[str, str]] = {
    # -- deciding
    "cli.nothing-to-decide": (
        "{request} has no Approval that waits (phase {phase}): look at `govpool status {request}`.",
        "申请 {request} 没有待办审批单（阶段：{phase}）：请执行 govpool status {request} 查看。",
    ),
    "cli.decided-already": (
        "{step} of {approval} was decided by {by} at {at} ({verdict}). A decision that was given stands.",
        "审批单 {approval} 的 {step} 已由 {by} 于 {at} 办理（{verdict}），已作出的决定不可更改。",
    ),
    "cli.approval-closed": (
        "{approval} is {state}: there is nothing to decide. An edit of the request makes a new Approval.",
        "审批单 {approval} 状态为 {state}，无需办理。修改申请后会生成新的审批单。",
    ),
    "cli.no-such-step": (
        "{approval} has no step {step}: its steps are {known}.",
        "审批单 {approval} 没有 {step} 环节，其环节为：{known}。",
    ),
    "cli.opinion-missing": (
        "{verdict} needs a reason: give it with --opinion.",
        "作出 {verdict} 决定须说明理由：请用 --opinion 填写。",
    ),
    "cli.decided": (
        "{by}: {step} of {approval}: {verdict}.",
        "{by} 已办理审批单 {approval} 的 {step}：{verdict}。",
    ),
    "cli.decided-early": (
        "It counts once {before} was decided.",
        "该决定在 {before} 办理完毕后生效。",
    ),
    "cli.decision-follows": ("Next: {step} by {role}.", "下一环节：{step}，由 {role} 办理。"),
    # -- confirming
    "cli.confirmed": (
        "{by} confirmed {what} of {request} at {at}.",
        "{by} 已于 {at} 就 {request} 确认：{what}。",
    ),
    "cli.kept-still": (
        "The environment that {request} came from is kept until {until}: state its removal after that.",
        "{request} 的原系统须保留至 {until}，期满后方可申报下线。",
    ),
    "cli.confirmed-already": (
        "{what} was confirmed by {by} at {at}, and stands.",
        "{what} 已由 {by} 于 {at} 确认，不可重复或撤回。",
    ),
    "cli.no-backup": (
        "Nothing of {request} was backed up, and nothing is asked for: a receipt follows a deregistration.",
        "{request} 尚无备份，无需确认：备份回执在注销获批之后出具。",
    ),
    "cli.backup-unfinished": (
        "The backup of {request} is not finished: look at `govpool status {request}`.",
        "{request} 的备份尚未完成：请执行 govpool status {request} 查看。",
    ),
    "cli.receipt-given": (
        "The receipt of {request}'s backup was confirmed already.",
        "{request} 的备份回执已确认。",
    ),
    "cli.nothing-in-force": (
        "Nothing of {request} is in force: look at `govpool status {request}`.",
        "{request} 没有已生效的审批：请执行 govpool status {request} 查看。",
    ),
    "cli.termination-given": (
        "The end of service of {request} under {approval} was confirmed already.",
        "{request} 依据审批单 {approval} 的服务终止已确认。",
    ),
    "cli.not-yet": (
        "{request} does not wait for this: it is at {stage}. {message}",
        "{request} 目前无需此项确认，所处环节：{stage}。{message}",
    ),
    "cli.report-filed": (
        "{file} was filed as {type} already.",
        "文件 {file} 已作为 {type} 报告提交。",
    ),
    "cli.report-taken": (
        "{by} filed {reference} as {type} (SHA-256 {sha256}).",
        "{by} 已提交 {type} 报告 {reference}（SHA-256：{sha256}）。",
    ),
    # -- work orders
    "cli.retry-not-failed": (
        "{order} is {state}: only an order that failed is asked for another attempt.",
        "工单 {order} 状态为 {state}，只有失败的工单才能要求重试。",
    ),
    "cli.retry-asked": ("Another attempt of {order} is asked for.", "已要求重试工单 {order}。"),
    # -- the clock
    "cli.clock-fixed": (
        "This control plane has no clock that could be moved on: only the embedded one (govpool up) has. "
        "Elsewhere time passes by itself.",
        "该控制面没有可拨动的时钟：只有内嵌控制面（govpool up）支持。其他控制面的时间自然流逝。",
    ),
    # -- a request's story
    "cli.story.phase": ("Phase", "阶段"),
    "cli.story.revision": ("Revision in force", "生效版本"),
    "cli.story.revision-value": (
        "{revision} under {approval}, {application}, decided by {by} at {at}",
        "第 {revision} 版，审批单 {approval}（{application}），{by} 于 {at} 批准",
    ),
    "cli.story.applied": ("Carried out", "已办结"),
    "cli.story.applied-value": ("revision {revision} at {at}", "第 {revision} 版，{at}"),
    "cli.story.pending": ("Before the authority", "审批中"),
    "cli.story.next": ("Who must act", "待办"),
    "cli.story.nobody": ("nobody: nothing is due", "无待办事项"),
    "cli.story.due": ("by {due}", "截止 {due}"),
    "cli.story.no-due": ("no time is set", "未规定时限"),
    "cli.story.overdue": ("OVERDUE since {due}", "已超时（{due}）"),
    "cli.story.escalated": ("{role} was told", "已报{role}"),
    "cli.story.against": ("Notices and findings", "整改通知与发现问题"),
    "cli.story.trial": ("Trial", "测试（试运行）"),
    "cli.story.billing": ("Billing", "计费"),
    "cli.story.billing-none": ("has not started", "尚未开始"),
    "cli.story.fee": ("Fee a year", "年费用"),
    "cli.story.happened": ("What happened", "办理经过"),
    "cli.story.stages": ("Stages", "办理环节"),
    "cli.story.servers": ("Servers", "云服务器"),
    "cli.story.orders": ("Work orders", "工单"),
    "cli.story.approvals": ("Approvals", "审批单"),
    "cli.story.reports": ("Baseline reports", "安全基线检测报告"),
    "cli.story.certificate": ("Wipe certificate", "数据销毁证书"),
    "cli.story.attention": ("Attention", "注意"),
    "cli.story.never-looked": (
        "No operator has looked at it yet: is `govpool operator` running?",
        "运维系统尚未处理该申请：请确认 govpool operator 正在运行。",
    ),
}
