"""Texts about spans of use: emergencies and their papers, extensions, seasons, overdue clocks."""

from __future__ import annotations

from collections.abc import Mapping

TEXTS: Mapping[str, tuple[str, str]] = {
    # Emergency (应急)
    "rules.change.emergency-extended": (
        "The extension of an emergency's use.",
        "应急资源使用期限变更申请。",
    ),
    "rules.change.emergency-papers-of-a-change": (
        "The papers that an emergency expansion went ahead of: they go the way of a change.",
        "应急扩容后补办手续，按变更流程办理。",
    ),
    "rules.change.emergency-expansion": (
        "An emergency expansion on a bottleneck that was found: expanded at once, the change papers follow.",
        "应急扩容：发现资源瓶颈，经同意后及时扩容，再完成变更流程。",
    ),
    "terms.no-emergency-expansion": (
        "The regulation grants no emergency expansion on a finding: leave out spec.term.emergency.finding and"
        " state the emergency's cause, or apply for a change.",
        "办法未规定依据发现的资源瓶颈应急扩容：请删去 spec.term.emergency.finding 并说明应急事由，或申请变更。",
    ),
    "terms.no-bottleneck": (
        "No bottleneck {finding} was found; found now: {found}. Name an Expand finding of status.findings in"
        " spec.term.emergency.finding; it rests on the figures that the provider records.",
        "未发现资源瓶颈 {finding}（现有：{found}）。请在 spec.term.emergency.finding 中填写 status.findings 内的"
        "扩容发现，其依据为云服务商记录的使用情况。",
    ),
    "terms.expanded": (
        "Expanded at once, with the consent of organ and unit, on the bottleneck {finding}; the papers of the"
        " change follow.",
        "发现资源瓶颈 {finding}，经管理机构和使用单位同意已及时扩容，变更手续随后办理。",
    ),
    "terms.emergency-ended-before": (
        "The emergency's last day {until} is over, and today is {today}: correct it, or state a new cause.",
        "应急资源使用截止日期 {until} 已过（今日为 {today}），请更正或按新的事由申请。",
    ),
    "terms.emergency-reclaimed": (
        "What was issued in the emergency has ended and is reclaimed: apply anew, with a request of its own.",
        "应急资源使用期限已满并已收回，请另行提交申请。",
    ),
    "terms.emergency-too-long": (
        "What is issued in an emergency may be used until {last} at the longest; {until} is asked for.",
        "应急资源使用期限最长至 {last}，申请的截止日期为 {until}。",
    ),
    "terms.emergency-extension-late": (
        "The emergency's use ends on {ends}; to prolong it, ask at least {days} working {days:day|days} ahead,"
        " by {latest}.",
        "应急资源使用期限至 {ends}，延期须至少提前 {days} 个工作日（不晚于 {latest}）申请。",
    ),
    "terms.papers-due": (
        "Issued in an emergency; its papers follow: {papers}. Add them to spec.materials.",
        "应急发放资源须补办手续，尚缺：{papers}。请补充到 spec.materials。",
    ),
    "terms.papers-overdue": (
        "Issued in an emergency, and its papers did not come by {due}: {papers}. Add them to spec.materials."
        " Nothing is reclaimed by itself.",
        "应急发放资源的手续未在 {due} 前补齐，尚缺：{papers}。请补充到 spec.materials。系统不会自动收回资源。",
    ),
    "terms.issue-unconfirmed": (
        "the unit's confirmation that it was issued (govpool confirm delivery)",
        "云使用单位确认资源发放（govpool confirm delivery）",
    ),
    "terms.papers-put-forward": (
        "All papers of what was issued in an emergency are there; they are put before the authority.",
        "应急发放资源的手续材料已补齐，已提交云主管部门审核。",
    ),
    "terms.papers-refused": (
        "The papers of what was issued in an emergency were not accepted: see condition Approved, then add what"
        " is missing.",
        "应急发放资源的手续未获通过：原因见 Approved 条件，请补充材料。",
    ),
    "terms.papers-complete": (
        "The papers of what was issued in an emergency are complete.",
        "应急发放资源的手续已补齐。",
    ),
    "terms.emergency-ends": (
        "The emergency's use ends: what came with it is released, backed up and wiped. {extension}",
        "应急资源使用期限届满：届时释放资源并备份、清除数据。{extension}",
    ),
    "terms.emergency-over": (
        "The emergency's use ended {ends}: what came with it is released, backed up, wiped and reclaimed.",
        "应急资源使用期限已于 {ends} 届满：释放资源，备份并清除数据后回收。",
    ),
    "terms.disks-will-stay": (
        "These disks came or grew in the emergency and stay when it ends: {disks}. A volume does not shrink; they"
        " count in the quota and the fee. To give them back, move to a new group of servers and give the old one up.",
        "应急期间新增或扩容的磁盘在期满后保留：{disks}。存储卷不能缩小，仍计入额度和费用。如需退回，请迁移至新的服务器组后退回原组。",
    ),
    "terms.disks-stay": (
        "The emergency ended and these disks stay: {disks}. A volume does not shrink; they count in the quota and"
        " the fee. To give them back, move to a new group of servers and give the old one up.",
        "应急期限已满，下列磁盘保留：{disks}。存储卷不能缩小，仍计入额度和费用。如需退回，请迁移至新的服务器组后退回原组。",
    ),
    "terms.extension-by": (
        "An extension is asked for by {latest}.",
        "需延期的，应于 {latest} 前申请。",
    ),
    "terms.no-extension-any-more": (
        "It is too late to ask for an extension.",
        "已超过延期申请时限。",
    ),
    # Temporary expansions (临时扩容)
    "terms.expansion-ends": (
        "{count} more of {server} {count:ends by itself|end by themselves}. {extension}",
        "{server} 临时扩容的 {count} 台云服务器到期自动收回。{extension}",
    ),
    "terms.expansion-stays": (
        "{count} more of {server} {count:stays|stay} while the extension that was asked for in time is not decided.",
        "{server} 临时扩容的 {count} 台云服务器已按期申请延期，审批期间予以保留。",
    ),
    "terms.expansion-over": (
        "{count} more of {server} {count:stays|stay} past {ends}: the extension was asked for in time and is not decided yet.",
        "{server} 临时扩容的 {count} 台云服务器已按期申请延期，尚未审定，{ends} 之后暂予保留。",
    ),
    # Business cycles (业务周期)
    "terms.cycle-of-no-group": (
        "Business cycle {cycle} names the group {server}, which the request does not have: correct its server.",
        "业务周期 {cycle} 指向的服务器组 {server} 不存在，请更正。",
    ),
    "terms.cycle-on-no-day": (
        "Business cycle {cycle} names {day}, which no year has: correct it.",
        "业务周期 {cycle} 的日期 {day} 不存在，请更正。",
    ),
    "terms.cycles-overlap": (
        "Business cycles {cycle} and {other} overlap: on a day that lies in both, nobody could tell the count.",
        "业务周期 {cycle} 与 {other} 重叠，无法确定数量，请更正。",
    ),
    "terms.cycles-followed": (
        "Resources follow the business cycles; today: {counts}. What a quiet period leaves over is switched off"
        " and kept.",
        "按业务周期调整云资源；今日：{counts}。低谷期多出的云服务器关停保留。",
    ),
    "terms.cycles-recorded": (
        "The policy does not have resources follow business cycles: they are kept as a record.",
        "管理办法未规定按业务周期调整云资源：业务周期仅作记录。",
    ),
    "terms.cycle-begins": (
        "Business cycle {cycle}: {count} of {server} run until {last}.",
        "业务周期 {cycle}：{server} 运行 {count} 台，至 {last}。",
    ),
    "terms.cycle-over": (
        "Business cycle {cycle} is over: {count} of {server} run again.",
        "业务周期 {cycle} 结束：{server} 恢复运行 {count} 台。",
    ),
    # Migration (迁移上云)
    "terms.old-environment": (
        "The environment that the system came from ({old}) is kept until {until}.",
        "原信息系统环境（{old}）须保留至 {until}。",
    ),
    "terms.old-environment-over": (
        "The environment that the system came from ({old}) had to be kept until {until}; it may go.",
        "原信息系统环境（{old}）的保留期已于 {until} 届满，可以下线。",
    ),
    "terms.old-environment-removed": (
        "The environment that the system came from ({old}) was taken down after its time.",
        "原信息系统环境（{old}）已在保留期满后下线。",
    ),
    "terms.old-environment-too-early": (
        "The environment that the system came from ({old}) was taken down on {removed}, and had to be kept until"
        " {until}: bring it back, or tell the authority why.",
        "原信息系统环境（{old}）于 {removed} 下线，未满保留期（至 {until}）：请恢复或向云主管部门说明。",
    ),
    # Trial, delivery, clocks, queue
    "terms.advice-filed": (
        "Right-sizing advice is filed. Measured: {figures}. Proposed: {proposed}. What has no proposal stays as"
        " approved.",
        "资源调整建议已备案。使用率：{figures}。建议调整：{proposed}。其余维持批准配置。",
    ),
    "terms.probe-due": (
        "The unit reports during the trial that the monitoring probe is installed: govpool confirm report"
        " --type Probe.",
        "云使用单位应在试运行期内安装资源探测组件并提交：govpool confirm report --type Probe。",
    ),
    "terms.overdue-escalated": (
        "{what} is overdue; {who} must act, and {role} was told. A clock decides nothing by itself.",
        "{what} 已超时，应由 {who} 办理，已上报 {role}。超时不会自动批准或驳回。",
    ),
    "terms.queued": (
        "Approval {approval} (revision {revision}) is approved. It comes into force when what leaves under"
        " revision {before} is backed up, wiped and certified.",
        "审批单 {approval}（第 {revision} 版）已批准，待第 {before} 版中释放的资源完成备份、清除和出证后生效。",
    ),
}
