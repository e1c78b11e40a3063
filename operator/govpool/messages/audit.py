"""Texts of the audit trail: what is wrong with a chain, and what was ruled."""

from __future__ import annotations

from collections.abc import Mapping

TEXTS: Mapping[str, tuple[str, str]] = {
    "audit.fault.unreadable": ("It can't be read as an audit record: {why}", "无法作为审计记录读取：{why}"),
    "audit.fault.other-unit": (
        "It belongs to the chain of {unit} and was put here: somebody else's record, or a copy.",
        "该记录属于 {unit} 的审计链，被置于此处：系他人记录或复制件。",
    ),
    "audit.fault.other-name": (
        "By its sequence its name is {name}: govpool did not make it under this one.",
        "按其序号名称应为 {name}，并非本系统以此名称生成。",
    ),
    "audit.fault.altered": (
        "Its content does not give its own hash: it was changed after it was recorded.",
        "内容与自身哈希不符：记录后被修改。",
    ),
    "audit.fault.fork": (
        "It takes place {sequence} of the chain, as {other} does: one of the two is not genuine.",
        "与 {other} 同占审计链第 {sequence} 位：两者之一并非真实记录。",
    ),
    "audit.fault.gap": (
        "Records {first} to {last} are missing: they were taken out of the chain.",
        "缺少第 {first} 至 {last} 条记录：已从审计链中移除。",
    ),
    "audit.fault.broken-link": (
        "It follows a record with hash {previous}..., which is not that of {before}: one of the two was"
        " replaced or put in.",
        "其前一条记录的哈希应为 {previous}…，与 {before} 不符：两者之一被替换或插入。",
    ),
    "audit.fault.cut": (
        "The chain ends with record {reached} and was anchored up to {anchored}: its end was cut off.",
        "审计链止于第 {reached} 条，而锚定至第 {anchored} 条：末尾被截断。",
    ),
    "audit.fault.anchor": (
        "The anchor holds hash {anchored}... for this record, which has {found}...: the chain was written anew,"
        " or the anchor was changed.",
        "锚点记录的哈希为 {anchored}…，而该记录为 {found}…：审计链被重写，或锚点被修改。",
    ),
    "audit.fault.twice": (
        "It records {what} once more, which {other} holds already.",
        "重复记录了 {what}，{other} 中已有。",
    ),
    # -- what was ruled
    "audit.admitted": (
        "Admitted and put before the authority as {approval}: {steps}.",
        "符合受理条件，已以审批单 {approval} 提交：{steps}。",
    ),
    "audit.decided.Approve": (
        "{by} decided {step} of {approval}: approved. Opinion: {opinion}",
        "{by} 对 {approval} 的 {step} 作出决定：同意。意见：{opinion}",
    ),
    "audit.decided.Refuse": (
        "{by} decided {step} of {approval}: refused. Opinion: {opinion}",
        "{by} 对 {approval} 的 {step} 作出决定：不同意。意见：{opinion}",
    ),
    "audit.decided.Return": (
        "{by} decided {step} of {approval}: returned for supplement. Opinion: {opinion}",
        "{by} 对 {approval} 的 {step} 作出决定：退回补正。意见：{opinion}",
    ),
    "audit.superseded": (
        "{approval} was overtaken by an edit of the request; its decisions count for nothing.",
        "申请已修改，审批单 {approval} 作废，其上的决定不再有效。",
    ),
    "audit.let-go": (
        "The request goes: nothing is held for it any more ({proof}).",
        "申请对象移除：已不占用任何资源（{proof}）。",
    ),
    "audit.billing-started": ("Billing started at {at}.", "自 {at} 起计费。"),
    "audit.billing-ended": ("Billing ended at {at}.", "计费于 {at} 终止。"),
    # -- the command line
    "audit.cli.whole": ("whole", "完整"),
    "audit.cli.broken": ("NOT WHOLE", "不完整"),
    "audit.cli.nothing": ("Nothing is recorded yet.", "尚无审计记录。"),
    "audit.cli.counted": (
        "{records} {records:record|records}, {entries} {entries:decision|decisions}",
        "{records} 条记录，{entries} 项决定",
    ),
    "audit.cli.no-anchor": (
        "No anchor could be read: if the end of the chain was cut off, it can't be seen here.",
        "未能读取锚点：无法判断审计链末尾是否被截断。",
    ),
    "audit.cli.anchored": (
        "Anchored up to record {sequence}; {behind} after it.",
        "已锚定至第 {sequence} 条，其后另有 {behind} 条。",
    ),
    "cli.explain.nothing": (
        "There is no request {request}, and nothing is recorded about one: look with -n, or in"
        " `govpool audit export`.",
        "没有名为 {request} 的申请，审计记录中亦无：请用 -n 指定命名空间，或用 govpool audit export 查看。",
    ),
    "cli.explain.several": (
        "{request} is recorded in several units ({units}): choose with -n.",
        "{request} 在多个单位中有记录（{units}）：请用 -n 指定。",
    ),
    "cli.explain.empty": ("Nothing is decided yet.", "尚无决定。"),
    "cli.explain.life": (
        "Request {number} of this name (UID {uid})",
        "此名称的第 {number} 份申请（UID {uid}）",
    ),
    "cli.explain.outcome": ("Outcome", "结果"),
    "cli.explain.article": ("Under", "依据"),
    "cli.explain.rule": ("Rule", "规则"),
    "cli.explain.inputs": ("From", "事实"),
    "cli.explain.otherwise": ("Otherwise", "若不然"),
    "cli.explain.record": ("Record", "记录"),
    "cli.explain.next": ("What is next", "下一步"),
    "cli.explain.gone": (
        "Nothing: the request is gone, and its trail stays.",
        "无：申请对象已移除，审计记录保留。",
    ),
    "cli.explain.nobody": ("Nobody has to act: nothing is due.", "无待办事项。"),
    "cli.explain.due": ("by {due}", "截止 {due}"),
    "cli.explain.overdue": ("OVERDUE since {due}", "已超时（{due}）"),
    "cli.explain.no-due": ("no time is set", "未规定时限"),
}
