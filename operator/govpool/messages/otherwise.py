"""Texts of the audit trail that say what would have made a ruling otherwise."""

from __future__ import annotations

from collections.abc import Mapping

_APPLICATIONS: Mapping[str, tuple[str, str]] = {
    "New": ("a new application", "上云申请"),
    "Change": ("an ordinary change", "一般变更"),
    "MajorChange": (
        "a major change, which goes the way of a new application",
        "重大变更，按上云申请流程办理",
    ),
    "Temporary": ("a temporary expansion", "临时扩容"),
    "Emergency": ("an emergency, issued before its papers", "应急申请，先行发放、后补手续"),
    "Deregistration": ("an application for the end of use", "注销申请"),
}
"""How applications are called, by their type."""


TEXTS: Mapping[str, tuple[str, str]] = {
    **{
        f"audit.otherwise.count.{kind}": (
            f"With {{count}} {{count:server|servers}} {{group}} instead of {{asked}} it would have been {english}.",
            f"若 {{group}} 为 {{count}} 台（而非 {{asked}} 台），则为{chinese}。",
        )
        for kind, (english, chinese) in _APPLICATIONS.items()
    },
    **{
        f"audit.otherwise.group.{kind}": (
            f"With servers {{group}} left as they are it would have been {english}.",
            f"若 {{group}} 保持不变，则为{chinese}。",
        )
        for kind, (english, chinese) in _APPLICATIONS.items()
    },
    **{
        f"audit.otherwise.no-period.{kind}": (
            f"Without its temporary expansion it would have been {english}.",
            f"若不含临时扩容，则为{chinese}。",
        )
        for kind, (english, chinese) in _APPLICATIONS.items()
    },
    **{
        f"audit.otherwise.active.{kind}": (
            f"With state Active it would have been {english}.",
            f"若 state 为 Active，则为{chinese}。",
        )
        for kind, (english, chinese) in _APPLICATIONS.items()
    },
    **{
        f"audit.otherwise.emergency.{kind}": (
            f"With term.kind Emergency and its cause it would have been {english}.",
            f"若 term.kind 为 Emergency 并写明事由，则为{chinese}。",
        )
        for kind, (english, chinese) in _APPLICATIONS.items()
    },
    **{
        f"audit.otherwise.permanent.{kind}": (
            f"With term.kind Permanent it would have been {english}.",
            f"若 term.kind 为 Permanent，则为{chinese}。",
        )
        for kind, (english, chinese) in _APPLICATIONS.items()
    },
    **{
        f"audit.otherwise.none.{kind}": (
            f"No other number of servers would have made it anything but {english}.",
            f"无论台数如何调整，均为{chinese}。",
        )
        for kind, (english, chinese) in _APPLICATIONS.items()
    },
    "audit.otherwise.history": (
        "What was decided before made it so: the same content alone would have been another application.",
        "系由此前的决定所致：仅就内容而言本属其他申请类型。",
    ),
    "audit.otherwise.not-classified": (
        "Had the system not handled state secrets, this reason would not stand.",
        "若系统不涉密，则无此项理由。",
    ),
    "audit.otherwise.lower-level": (
        "At protection level {highest} or lower this reason would not stand.",
        "若网络安全等级保护为第 {highest} 级及以下，则无此项理由。",
    ),
    "audit.otherwise.paper": (
        "With this paper, valid on the day of the application, this reason would not stand.",
        "若提交申请当日有效的该材料，则无此项理由。",
    ),
    "audit.otherwise.reason": (
        "With one of the accepted reasons it would not stand: {accepted}.",
        "若以下列原因之一申请注销，则无此项理由：{accepted}。",
    ),
    "audit.otherwise.basis": (
        "With the basis of the need in needBasis this reason would not stand.",
        "若在 needBasis 中写明资源需求依据，则无此项理由。",
    ),
    "audit.otherwise.nearest": (
        "With {nearest} in the place of {item} this reason would not stand.",
        "若以 {nearest} 代替 {item}，则无此项理由。",
    ),
    "audit.otherwise.until": (
        "With {last} as the last day, or an earlier one, this reason would not stand.",
        "若截止日期不晚于 {last}，则无此项理由。",
    ),
    "audit.otherwise.asked-by": (
        "Asked for by {latest} this reason would not stand.",
        "若在 {latest} 及以前提出，则无此项理由。",
    ),
    "audit.otherwise.no-expansion": (
        "Without the new temporary expansion this reason would not stand.",
        "若不含新增的临时扩容，则无此项理由。",
    ),
    "audit.otherwise.servers-as-approved": (
        "With the servers as they were approved this reason would not stand.",
        "若云服务器保持已批准的配置，则无此项理由。",
    ),
    "audit.otherwise.on-day": (
        "Applied for on {day} this reason would not stand.",
        "若在 {day} 申请，则无此项理由。",
    ),
    "audit.otherwise.sponsor": (
        "With the unit's sponsor entered in TenantQuota unit this reason would not stand.",
        "若 TenantQuota unit 中已填写主管部门，则无此项理由。",
    ),
    "audit.otherwise.good-standing": (
        "Had issuing to the unit not been stopped, this reason would not stand.",
        "若未对该单位停止发放云资源，则无此项理由。",
    ),
    "audit.otherwise.pool-open": (
        "Had pool {pool} been Open, this reason would not stand.",
        "若资源池 {pool} 为 Open 状态，则无此项理由。",
    ),
    "audit.otherwise.found-high": (
        "Had use been found high enough (an Expand finding), this reason would not stand.",
        "若已认定使用率达到扩容条件（Expand），则无此项理由。",
    ),
    "audit.otherwise.lead": (
        "Applied for one day later, nothing would have been taken away before {opens}.",
        "若晚一日申请，则 {opens} 前不收回资源。",
    ),
    "audit.otherwise.disks-stay": (
        "Only disks of servers that leave go: on a new group of servers they would have gone with it.",
        "仅随云服务器收回的磁盘方可回收：若配置在新的服务器组上，则随之收回。",
    ),
    "audit.otherwise.only": (
        "It was the only reason: without it the application would have been put before the authority.",
        "此为唯一理由：若无此项，申请即可提交云主管部门。",
    ),
    "audit.otherwise.beside": (
        "{beside} other {beside:reason|reasons} stood beside it: without this one alone it would still have been refused.",
        "另有 {beside} 项理由并存：仅消除此项仍不予受理。",
    ),
    "audit.otherwise.if-classified": (
        "Had the system handled state secrets, it would have been refused.",
        "若系统涉密，则不予受理。",
    ),
    "audit.otherwise.if-level": (
        "At protection level {level} or higher it would have been refused.",
        "若网络安全等级保护达到第 {level} 级，则不予受理。",
    ),
    "audit.otherwise.if-paper": (
        "Without the paper {material} it would have been refused.",
        "若缺少材料 {material}，则不予受理。",
    ),
    "audit.otherwise.approved": (
        "Refused or returned, the application would have gone back to the unit; only this step's role could"
        " decide otherwise, and a decision that was given stands.",
        "若不同意或退回，申请将退回使用单位；仅本环节的责任方可作其他决定，已作出的决定不可更改。",
    ),
    "audit.otherwise.not-approved": (
        "Approved, the application would have gone on to its next step; an edit applies again.",
        "若同意，申请将进入下一环节；修改申请后可重新提交。",
    ),
    "audit.otherwise.late": (
        "Given after {due} it would have been overdue: that is shown and counted, and decides nothing.",
        "若晚于 {due}，则为超时：超时予以标明和统计，但不影响决定。",
    ),
    "audit.otherwise.overdue": (
        "Had somebody acted by {due}, it would not be overdue. Nothing is approved or refused by that.",
        "若在 {due} 前办理，则不超时。超时不会自动批准或驳回。",
    ),
    "audit.otherwise.in-force": (
        "With one step undecided it would still wait; with one refused it would never have come into force.",
        "若有一个环节未办理则继续等待；若有一个环节不同意则不生效。",
    ),
    "audit.otherwise.superseded": (
        "Without the edit it would still be before the authority.",
        "若未修改申请，该审批单仍有效。",
    ),
    "audit.otherwise.less": (
        "With no more than what was free it would have fitted: {free}.",
        "若不超过剩余额度，则可满足：{free}。",
    ),
    "audit.otherwise.limit": (
        "With a limit of at least this it would have fitted: {limit}.",
        "若额度不低于以下数值，则可满足：{limit}。",
    ),
    "audit.otherwise.more": (
        "With more than {left} {dimension} needed it would not have fitted.",
        "若所需 {dimension} 超过 {left}，则额度不足。",
    ),
    "audit.otherwise.no-limit": (
        "With a limit for this pool in TenantQuota unit it could be measured.",
        "若 TenantQuota unit 中核定了该资源池的额度，方可核算。",
    ),
    "audit.otherwise.as-approved": (
        "Other servers than these only come from another approved revision.",
        "仅在其他版本获批后，云服务器方会不同。",
    ),
    "audit.otherwise.baseline-met": (
        "With at least {score} % of the controls met on {servers} the gate would open.",
        "若 {servers} 的控制项达标率不低于 {score}%，即可通过。",
    ),
    "audit.otherwise.baseline-not-met": (
        "Below {score} % of the controls, or with nothing checked, nothing would have been handed over.",
        "若达标率低于 {score}%，或未作任何检测，则不予交付。",
    ),
    "audit.otherwise.locked-out": (
        "Had the operator still got in, nothing would have been handed over.",
        "若运维方仍可登录，则不予交付。",
    ),
    "audit.otherwise.report": (
        "Without one of these reports it would still wait: {reports}.",
        "若缺少下列任一报告，则继续等待：{reports}。",
    ),
    "audit.otherwise.trial": (
        "Handed over one day later, it would end {ends}.",
        "若晚一日交付，则于 {ends} 结束。",
    ),
    "audit.otherwise.confirmation": (
        "Without the unit's confirmation it would still wait: nobody confirms for it.",
        "若使用单位未确认，则继续等待：他人不得代为确认。",
    ),
    "audit.otherwise.agreement": (
        "Without the signed agreement it would still wait.",
        "若协议未签订，则继续等待。",
    ),
    "audit.otherwise.unwiped": (
        "With one disk not overwritten and read back, nothing would be deleted.",
        "若有一块磁盘未覆写并回读核验，则不予删除。",
    ),
    "audit.otherwise.receipt": (
        "Without the unit's receipt for the backup nothing would be wiped.",
        "若使用单位未确认收到备份，则不予清除。",
    ),
    "audit.otherwise.termination": (
        "Without the unit's confirmation of the end, service and billing would go on.",
        "若使用单位未确认服务终止，则服务和计费继续。",
    ),
    "audit.otherwise.certificate": (
        "With one proof missing the certificate would be refused.",
        "若缺少任何一项证明，则不予出具证书。",
    ),
    "audit.otherwise.let-go": (
        "With a server left or a reservation standing, it would stay.",
        "若仍有云服务器或额度占用，则对象保留。",
    ),
    "audit.otherwise.billing.delivery": (
        "Confirmed one day later, billing would have started {day}.",
        "若晚一日确认交付，则自 {day} 起计费。",
    ),
    "audit.otherwise.billing.agreement": (
        "Signed one day later, billing would have started {day}.",
        "若晚一日签订协议，则自 {day} 起计费。",
    ),
    "audit.otherwise.billing.handover": (
        "Handed over one day later, billing would have started {day}.",
        "若晚一日交付，则自 {day} 起计费。",
    ),
    "audit.otherwise.billing-ends": (
        "Confirmed one day later, billing would have ended {day}.",
        "若晚一日确认，则计费于 {day} 终止。",
    ),
    "audit.otherwise.cut-over": (
        "It is counted from the cut-over: with another day it would end as many days earlier or later.",
        "自割接上线之日起算：日期不同，则相应提前或顺延。",
    ),
    "audit.otherwise.cycle": (
        "With other approved days of the period it would have turned on those, not around {day}.",
        "业务周期的核准日期不同，则不在 {day} 前后调整，而在相应日期调整。",
    ),
    "audit.otherwise.expansion": (
        "Had the extension been decided by {day}, the servers would stay under it, or would have gone.",
        "若在 {day} 前就延期作出决定，则云服务器按该决定保留或收回。",
    ),
    "audit.otherwise.emergency-finding": (
        "Without the finding it would have needed the ordinary procedure first.",
        "如无该监测结果，则须先办理一般手续。",
    ),
    "audit.otherwise.emergency-papers": (
        "With a paper missing on its last day, the emergency's papers would be overdue.",
        "若至期限届满仍缺材料，则应急材料逾期。",
    ),
    "audit.otherwise.emergency-over": (
        "An extension approved before the end would have moved it.",
        "若到期前批准延期，则终止时间相应顺延。",
    ),
    "audit.otherwise.notice": (
        "Without the finding there would be no notice; the issuer can withdraw it.",
        "如无该问题，则不发出整改通知；通知可由发出方撤回。",
    ),
    "audit.otherwise.notice-decision": (
        "The other verdict would have closed the notice, or would have let its enforcement stand.",
        "若作出相反认定，则通知相应办结，或措施继续执行。",
    ),
    "audit.otherwise.notice-enforced": (
        "Stated or rectified by {due}, it would not have followed by itself; once rectified, it is lifted.",
        "若在 {due} 前说明或完成整改，则不会自动采取该措施；整改到位后即予解除。",
    ),
    "audit.otherwise.notice-at-once": (
        "The regulation has it done at once: only without the notice would it not have been. Once the notice is"
        " closed, it is lifted.",
        "办法规定立即采取：仅在未发出该通知时方不采取；通知办结后即予解除。",
    ),
    "audit.otherwise.notice-decided": (
        "Without the decision of {by} it would not be enforced: a clock alone enforces nothing here. Once the notice"
        " is closed, it is lifted.",
        "若 {by} 未作此决定，则不采取该措施：期限届满本身不产生处置；通知办结后即予解除。",
    ),
    "audit.otherwise.notice-forced-out": (
        "Without the decision of {by} the system would stay; that one is never undone.",
        "若 {by} 未作此决定，则系统保留；该决定不可撤销。",
    ),
    "audit.otherwise.advice": (
        "It follows the figures that are on record by then: with others, their rules would advise otherwise.",
        "建议以届时已记录的监测数据为准：数据不同，则按相应条款另行建议。",
    ),
    "audit.otherwise.reclaimed": (
        "One server or disk that was still seen in the pool would have held it up, and the quota with it.",
        "只要资源池中仍能看到一台云服务器或一块磁盘，即不算回收完毕，额度亦不归还。",
    ),
}
