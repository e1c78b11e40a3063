"""Texts of the life cycle: where a request stands, who must act, what happened."""

from __future__ import annotations

from collections.abc import Mapping

TEXTS: Mapping[str, tuple[str, str]] = {
    "Verbatim": ("{text}", "{text}"),
    "Phase": ("The request is in phase {phase}.", "申请所处阶段：{phase}。"),
    "Paused": (
        "Paused by annotation govpool.dev/paused: nothing is done. Remove it to go on.",
        "已通过注解 govpool.dev/paused 暂停：不执行任何操作。删除该注解即可继续。",
    ),
    "Admitted": ("The application may be put before the authority.", "申请符合受理条件，可提交云主管部门。"),
    "ReferenceMissing": (
        "Not found: {missing}. Create what is missing; govpool looks again by itself.",
        "未找到：{missing}。请先创建缺少的对象，系统会自动重新检查。",
    ),
    "CatalogueLostItem": (
        "What was approved can't be compared with the catalogue ({what}). Put the item back; nothing is changed.",
        "已批准内容无法与服务目录比对（{what}）。请恢复目录项；系统不做任何变更。",
    ),
    "AwaitingDecision": (
        "Approval {approval} waits for {step} by {role}.",
        "审批单 {approval} 等待 {role} 办理 {step}。",
    ),
    "Rejected": (
        "{verdict} by {by}: {opinion}. Edit the request to apply again.",
        "{by} 的决定为 {verdict}：{opinion}。修改申请后可重新提交。",
    ),
    "NotPutForward": (
        "Not put before the authority: see condition Admitted.",
        "尚未提交云主管部门，原因见 Admitted 条件。",
    ),
    "InForce": (
        "Approval {approval} (revision {revision}) is in force.",
        "审批单 {approval}（第 {revision} 版）已生效。",
    ),
    "Overdue": (
        "{what} is overdue; {who} must act. A clock decides nothing by itself.",
        "{what} 已超时，应由 {who} 办理。超时不会自动批准或驳回。",
    ),
    "DeletionWaits": (
        "Deleting is not deregistering: nothing is destroyed and the object stays. Set spec.state to Deregistered "
        "with a reason; when the deregistration was approved and proven, the object goes.",
        "删除对象不等于注销：不会销毁任何数据，对象保留。请将 spec.state 设为 Deregistered 并写明原因，"
        "注销获批并完成数据销毁证明后，对象才会删除。",
    ),
    "HolidaysUnannounced": (
        "Holidays and make-up workdays of {year} are not in the calendar: add them to the policy when announced.",
        "{year} 年节假日及调休安排尚未收录：公布后请补充到管理办法的日历中。",
    ),
    "OrderUnderWay": ("Work order {order} ({work}) is under way.", "工单 {order}（{work}）正在办理。"),
    "OrderAgain": (
        "Work order {order} ({work}) is tried again: {cause}",
        "工单 {order}（{work}）将再次执行：{cause}",
    ),
    "OrderFailed": (
        "Work order {order} ({work}) failed: {cause} Mend the cause, then: govpool retry {order}",
        "工单 {order}（{work}）失败：{cause} 排除原因后执行：govpool retry {order}",
    ),
    "QuotaMissing": (
        "Namespace {namespace} has no TenantQuota named unit: create it.",
        "命名空间 {namespace} 中没有名为 unit 的 TenantQuota，请先创建。",
    ),
    "QuotaReserving": (
        "Reserving {servers} {servers:server|servers}, {vcpu} vCPU, {memory} GiB memory, {storage} GiB storage.",
        "正在预留额度：云服务器 {servers} 台，{vcpu} 核，内存 {memory} GiB，存储 {storage} GiB。",
    ),
    "QuotaReserved": (
        "Reserved: {servers} {servers:server|servers}, {vcpu} vCPU, {memory} GiB memory, {storage} GiB storage.",
        "已预留额度：云服务器 {servers} 台，{vcpu} 核，内存 {memory} GiB，存储 {storage} GiB。",
    ),
    "QuotaGivingBack": ("Giving the quota back.", "正在释放额度。"),
    "ServersOpening": (
        "{ready} of {wanted} {wanted:server is|servers are} open; under way: {lagging}. {faults}",
        "已开通 {ready}/{wanted} 台云服务器；办理中：{lagging}。{faults}",
    ),
    "ServersOpen": (
        "{wanted} {wanted:server runs|servers run} as approved.",
        "{wanted} 台云服务器均已按批准内容开通。",
    ),
    "BaselineMet": ("The security baseline is met: {scores}.", "安全基线检测通过：{scores}。"),
    "HandedOver": (
        "{servers} {servers:server is|servers are} handed over; the operator is locked out.",
        "已交付 {servers} 台云服务器，运维方账号已清除且无法登录。",
    ),
    "NoTrial": ("The policy has no trial.", "管理办法未规定测试（试运行）期。"),
    "TrialRuns": ("The trial runs until {ends}.", "测试（试运行）至 {ends}。"),
    "TrialOver": ("The trial ended {ends}.", "测试（试运行）已于 {ends} 结束。"),
    "ReportsMissing": ("The unit must file: {reports}.", "云使用单位须提交报告：{reports}。"),
    "ReportsFiled": ("All reports are filed.", "报告均已提交。"),
    "AdviceFiled": (
        "Right-sizing advice is filed: no usage was measured, so keep what was approved.",
        "资源调整建议已备案：暂无使用率数据，建议维持批准配置。",
    ),
    "AgreementMissing": ("The tripartite agreement is not signed.", "三方协议尚未签订。"),
    "AgreementSigned": ("The tripartite agreement was signed ({by}).", "三方协议已签订（{by}）。"),
    "DeliveryUnconfirmed": (
        "The unit must confirm delivery: govpool confirm delivery.",
        "请云使用单位确认资源发放完成：govpool confirm delivery。",
    ),
    "DeliveryConfirmed": ("{by} confirmed delivery.", "{by} 已确认资源发放完成。"),
    "LeadTimeRuns": (
        "Carried out from {until} on: the application's lead time runs.",
        "提前申请期未满，自 {until} 起办理。",
    ),
    "ServersLeaving": ("Being taken out of service: {servers}.", "正在停止服务：{servers}。"),
    "ServersReleasing": ("Waiting until the pool has let go of: {servers}.", "等待资源池释放：{servers}。"),
    "NothingToBackUp": ("There is nothing to back up.", "无需备份。"),
    "ReceiptMissing": (
        "The backup is made. The unit must confirm its receipt {sha256}: govpool confirm backup. "
        "Nothing is wiped before.",
        "备份已完成。请云使用单位确认备份回执 {sha256}：govpool confirm backup。确认前不会清除数据。",
    ),
    "BackupConfirmed": ("{by} confirmed the backup.", "{by} 已确认收到备份。"),
    "DisksWiped": (
        "{disks} {disks:disk was|disks were} overwritten and read back.",
        "{disks} 块磁盘已覆写清除并回读核验。",
    ),
    "ServersGoing": ("Being reclaimed: {servers}.", "正在回收：{servers}。"),
    "Reclaimed": ("Everything was seen to be gone and the quota is free.", "资源已全部回收，额度已释放。"),
    "TerminationUnconfirmed": (
        "The unit must confirm the end of service under {approval}: govpool confirm termination.",
        "请云使用单位确认服务终止（{approval}）：govpool confirm termination。",
    ),
    "TerminationConfirmed": ("{by} confirmed the end of service.", "{by} 已确认服务终止。"),
    "CertificateIssuing": ("The wipe certificate is being issued.", "正在出具数据销毁证书。"),
    "CertificateRefused": (
        "The certificate is refused while anything is missing: {lacks}",
        "证书材料不完整，暂不出具：{lacks}",
    ),
    "CertificateIssued": ("Wipe certificate {number} is issued.", "已出具数据销毁证书 {number}。"),
    "NothingWasHeld": (
        "No disk ever held data; there is nothing to certify.",
        "未曾存储数据，无需出具销毁证书。",
    ),
    "PoolAnswered": ("The pool answered.", "资源池应答正常。"),
    "PoolUnknown": (
        "The pool could not be asked ({reason}): {cause} Nothing is concluded and nothing is done until it answers.",
        "无法查询资源池（{reason}）：{cause} 恢复应答前不作判断、不执行操作。",
    ),
    "PoolRefused": (
        "The pool did not do it ({code}): {cause} It is tried again.",
        "资源池未能执行（{code}）：{cause} 将自动重试。",
    ),
    "MachineBuilding": ("The server is being built.", "云服务器创建中。"),
    "MachineRuns": ("The server runs as approved.", "云服务器按批准配置运行。"),
    "MachineResizing": (
        "Resizing to {vcpu} vCPU and {memory} GiB.",
        "正在调整为 {vcpu} vCPU、{memory} GiB。",
    ),
    "MachineStopped": (
        "The server is stopped and nobody here stopped it: start it or apply for a change.",
        "云服务器已停机且非本系统操作：请启动或申请变更。",
    ),
    "MachineStopping": ("The server is being switched off and kept.", "正在关停云服务器，资源和数据保留。"),
    "MachineRests": (
        "The server is switched off and kept with its data, as its request says.",
        "云服务器已按申请关停，资源和数据均保留。",
    ),
    "MachineStarting": ("The server is being switched on again.", "正在重新启动云服务器。"),
    "MachineFault": ("The pool reports a fault: {fault}", "资源池报告故障：{fault}"),
    "MachineVanished": (
        "The server was there and the pool does not have it any more. It is not made anew: find out who removed it.",
        "云服务器原本存在，现资源池中已不存在。不会自动重建，请查明删除原因。",
    ),
    "MachineReleasing": (
        "Waiting until the pool has removed the server and kept its disks.",
        "等待资源池移除云服务器并保留磁盘。",
    ),
    "DisksAttaching": ("Adding or growing disks: {disks}.", "正在新增或扩容磁盘：{disks}。"),
    "DisksKept": (
        "The server is removed; its disks are kept for backup and wiping.",
        "云服务器已移除，磁盘保留待备份和清除。",
    ),
    "DisksUnwiped": (
        "Not deleted, since no wipe is proven or a copy is left: {disks}.",
        "尚无清除证明或仍有副本，不予删除：{disks}。",
    ),
    "DisksGoing": ("Wiped disks are being deleted.", "正在删除已清除的磁盘。"),
    "DisksVanished": (
        "Disks that nobody wiped are not in the pool any more. This can't be certified: find out who removed them.",
        "未经清除的磁盘已不在资源池中，无法出具证明，请查明原因。",
    ),
    "ServerGone": ("Server and disks were seen to be gone.", "云服务器及磁盘均已确认不存在。"),
    "ServerDeletionWaits": (
        "A server goes only when its request was deregistered or changed and its disks are proven wiped.",
        "云服务器须经注销或变更审批并完成数据清除证明后方可删除。",
    ),
}
