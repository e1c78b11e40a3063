"""Texts of findings, notices and what is enforced."""

from __future__ import annotations

from collections.abc import Mapping

TEXTS: Mapping[str, tuple[str, str]] = {
    "finding.Expand": (
        "{server}: use is high ({figures}). More is admissible: apply for a change; nothing changes by itself.",
        "{server}：资源使用率偏高（{figures}）。可申请扩容；系统不会自行调整。",
    ),
    "finding.Reduce": (
        "{server}: use is low ({figures}). Less is advised: apply for a change; nothing changes by itself.",
        "{server}：资源使用率偏低（{figures}）。建议核减：请提出变更申请；系统不会自行调整。",
    ),
    "finding.Zombie": (
        "{server}: nobody uses it ({figures}). Merge it, deregister it, or show that it is used.",
        "{server}：无人使用（{figures}），疑似僵尸系统。请整合、注销或说明使用情况。",
    ),
    "finding.OutOfBand": (
        "{server}: use lies outside the band ({figures}). An adjustment is proposed to the authority.",
        "{server}：资源利用率超出合理区间（{figures}）。建议报云主管部门调整。",
    ),
    "finding.StillLowAfterReduction": (
        "{server}: use is still low ({figures}) after the reduction of {reduced}.",
        "{server}：{reduced} 调减后使用率仍较低（{figures}）。",
    ),
    "finding.UnusedTrial.stated": (
        "The trial ended at {ends} and nobody had used it (stated by {by}).",
        "试运行于 {ends} 结束，期间未使用（{by} 说明）。",
    ),
    "finding.UnusedTrial.measured": (
        "The trial ended at {ends} and nobody had used it (figures of {servers}).",
        "试运行于 {ends} 结束，期间未使用（{servers} 的监测数据）。",
    ),
    "finding.EvidenceMissing": (
        "{material} is missing. File it in materials with its date.",
        "缺少 {material}。请在 materials 中补充并注明日期。",
    ),
    "finding.EvidenceLapsed": (
        "{material} of {date} was valid until {until}. Have it renewed and file it in materials.",
        "{material}（{date}）有效期至 {until}，已失效。请重新办理并在 materials 中补充。",
    ),
    "finding.PlatformEvidenceMissing": (
        "The platform's {material} is missing. Enter it in the CloudPool's evidence.",
        "缺少云平台的 {material}。请在 CloudPool 的 evidence 中补充。",
    ),
    "finding.PlatformEvidenceLapsed": (
        "The platform's {material} of {date} was valid until {until}. Have it renewed and enter it in evidence.",
        "云平台的 {material}（{date}）有效期至 {until}，已失效。请重新办理并在 evidence 中补充。",
    ),
    "platform.evidence": (
        "The platform's assessments are there and valid.",
        "云平台的各项测评齐全且有效。",
    ),
    "finding.MakeGoodOverdue": (
        "{material} had to be made good by {until} for a system that was on the cloud before {from_}.",
        "{from_} 前已上云的系统应在 {until} 前补充 {material}，现已逾期。",
    ),
    "finding.ClockOverdue": ("{what} was due at {due}.", "{what} 应于 {due} 前完成，现已逾期。"),
    "finding.count": (
        "{count} {count:finding stands|findings stand}: {texts} Nothing of it acts by itself.",
        "共有 {count} 项问题：{texts} 均不会自行触发处置。",
    ),
    "notice.demand.Reduce": (
        "Merge, clean up or reduce what is hardly used, or show why it is needed.",
        "请整合、清理或核减使用率较低的资源，或说明保留理由。",
    ),
    "notice.demand.UnusedTrial": (
        "Nothing was used in the trial: the resources are reclaimed once that is decided.",
        "试运行期未使用：经决定后收回资源。",
    ),
    "notice.demand.Evidence": (
        "File what is missing, with its date and validity.",
        "请补充缺少的材料，并注明日期和有效期。",
    ),
    "notice.demand.Other": ("Mend what was found and state it here.", "请完成整改，并在此说明整改情况。"),
    "notice.ExpertReview": (
        "Experts state their opinion first; the unit's clock starts with it.",
        "先由专业机构出具评审意见，整改期限自意见出具时起算。",
    ),
    "notice.Open": ("The unit has to rectify until {due}.", "使用单位应于 {due} 前完成整改。"),
    "notice.Stated": (
        "The unit says that it has rectified; a reviewer decides.",
        "使用单位已说明整改情况，待审核人决定。",
    ),
    "notice.Overdue": (
        "Not rectified until {due}. Nothing is enforced before a reviewer decides it.",
        "截至 {due} 未完成整改。审核人作出决定前不采取处置措施。",
    ),
    "notice.Enforced": ("Enforced: {actions}.", "已采取措施：{actions}。"),
    "notice.Rectified": ("Rectified; nothing is enforced any more.", "已整改；处置措施已解除。"),
    "notice.Withdrawn": ("Withdrawn; nothing is enforced any more.", "已撤回；处置措施已解除。"),
    "notice.copied": ("A copy goes to {recipients}.", "抄送：{recipients}。"),
    "notice.PolicyMissing": (
        "CloudPolicy {policy} is not there: nothing is enforced or lifted. Create it.",
        "未找到 CloudPolicy {policy}：不采取也不解除任何措施。请先创建。",
    ),
    "notice.NotProvided": (
        "{policy} provides no notice for {finding}: nothing follows from it. Withdraw it.",
        "{policy} 未规定对 {finding} 下发整改通知：不会产生任何后果。请撤回。",
    ),
    "notice.OtherPolicy": (
        "The notice names {policy}, and the system is under {governing}: nothing follows. Withdraw it.",
        "通知依据 {policy}，而该系统适用 {governing}：不会产生任何后果。请撤回。",
    ),
    "notice.NotPermitted": (
        "{actions} was decided, and {policy} does not provide it for {finding}: it is not carried out.",
        "已决定 {actions}，但 {policy} 未对 {finding} 规定该措施：不予执行。",
    ),
    "notice.RequestMissing": (
        "Request {request} of this notice is not there, or is another one of that name.",
        "未找到该通知所针对的申请 {request}，或已为同名的其他申请。",
    ),
    "notice.QuotaMissing": (
        "Issuing can't be stopped: the namespace has no TenantQuota named unit.",
        "无法停止发放：该命名空间没有名为 unit 的 TenantQuota。",
    ),
    "notice.permitted": ("What was decided is provided by the policy.", "所决定的措施符合办法规定。"),
    "server.Isolating": (
        "Being cut from the network at once, for notice {notice}.",
        "正在按整改通知 {notice} 断开网络。",
    ),
    "server.Isolated": (
        "Cut from the network for notice {notice}; it runs and keeps its data.",
        "已按整改通知 {notice} 断开网络；云服务器仍在运行，数据保留。",
    ),
    "server.Connected": ("Connected to its network.", "网络已连接。"),
    "server.Reconnecting": (
        "The notice was lifted: being connected again.",
        "整改通知已解除：正在恢复网络。",
    ),
    "server.ShutDown": (
        "Switched off for notice {notice} and kept with its data.",
        "已按整改通知 {notice} 强制关机，数据保留。",
    ),
    "server.NotHeld": ("Nothing is enforced on it.", "未被采取任何处置措施。"),
    "usage.recorded": ("{server}: use recorded until {until}.", "{server}：已记录截至 {until} 的使用情况。"),
    "usage.refused": ("{place}: {what}. Nothing was recorded.", "{place}：{what}。未记录任何数据。"),
}
