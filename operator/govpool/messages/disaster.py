"""Texts about backup and restore of the control plane, and about what is found afterwards."""

from __future__ import annotations

from collections.abc import Mapping

TEXTS: Mapping[str, tuple[str, str]] = {
    # -- what a restored request or server waits for
    "restored.as-in-backup": (
        "It was seen in the pool as the backup says.",
        "已在资源池中核实，与备份一致。",
    ),
    "restored.adopted": (
        "Restored from the backup of {taken}; adopted by {by}.",
        "自 {taken} 的备份恢复，已由 {by} 接管。",
    ),
    "restored.ahead": (
        "The machine was made under revision {machine}; the backup of {taken} knows revision {backup}. "
        "It may hold data that the backup knows nothing of: it is left alone.",
        "该云服务器属于第 {machine} 版，{taken} 的备份只到第 {backup} 版，其中可能有备份之后的数据，暂不处理。",
    ),
    "restored.leaving": (
        "It was leaving ({desired}) when the backup was taken. Find out whether it was wiped since: "
        "govpool recover list.",
        "备份时正在回收（{desired}），请先核实其后是否已销毁：govpool recover list。",
    ),
    "restored.absent": (
        "The pool has neither machine nor disks of it: it was never made, or was taken back after the backup. "
        "It is not made again.",
        "资源池中既无该云服务器也无其磁盘：尚未创建，或备份之后已回收，不会重新创建。",
    ),
    "restored.only-disks": (
        "The pool has {disks} {disks:disk|disks} of it and no machine: it was released after the backup, or lost.",
        "资源池中仅有其 {disks} 块磁盘而无云服务器：备份之后已释放，或已丢失。",
    ),
    "restored.differs": (
        "The pool has it otherwise than the backup: {what}. Nothing is changed.",
        "资源池中的情况与备份不一致：{what}，暂不变更。",
    ),
    "restored.disks": (
        "The pool lacks disks of it, or has them smaller: {disks}. Nothing is made.",
        "资源池中缺少其磁盘或容量不足：{disks}，暂不创建。",
    ),
    "restored.nothing-in-force": (
        "Nothing was in force when the backup was taken; decide on it again if that was done since.",
        "备份时尚无生效的审批；如其后已审批，请重新办理。",
    ),
    "restored.deregistering": (
        "Its deregistration was under way when the backup was taken: it goes on once a person says so "
        "(govpool recover accept).",
        "备份时正在办理注销，须经人工确认后继续（govpool recover accept）。",
    ),
    "restored.uncertified": (
        "{disks} {disks:disk is|disks are} gone and no certificate is there: import the one that was issued after the backup "
        "(govpool recover certificates), or accept that another one is issued.",
        "{disks} 块磁盘已删除但无证书：请导入备份之后签发的证书（govpool recover certificates），或确认另行签发。",
    ),
    "restored.servers-differ": (
        "{count} {count:server is|servers are} not as in the backup: {servers}. Nothing is done for this request until a person "
        "says so (govpool recover accept).",
        "{count} 台云服务器与备份不一致：{servers}。须经人工确认后方可继续（govpool recover accept）。",
    ),
    "restored.servers-missing": (
        "Servers of {groups} were not made when the backup was taken, or not recorded: none is made until a "
        "person says so (govpool recover accept).",
        "{groups} 的云服务器在备份时尚未创建或未记录，须经人工确认后方可创建（govpool recover accept）。",
    ),
    # -- backup
    "cli.backup.done": (
        "{path}: {objects} {objects:object|objects} of {kinds} {kinds:kind|kinds}, taken at {taken}.",
        "{path}：{kinds} 类共 {objects} 个对象，备份时间 {taken}。",
    ),
    "cli.backup.secrets": (
        "{count} Secrets are in it, encrypted: without the passphrase they can't be read.",
        "内含 {count} 个 Secret，已加密：没有口令无法读取。",
    ),
    "cli.backup.no-secrets": (
        "Secrets are not in it ({names}). Without them: servers that are not handed over can't be entered, a "
        "wipe that is under way begins anew, certificates can't be signed before the key is put back. "
        "--secrets takes them along, encrypted.",
        "不含 Secret（{names}）。缺少它们时：尚未交付的云服务器无法登录，进行中的数据销毁须重新开始，"
        "签名密钥放回之前不能签发证书。可用 --secrets 加密带上。",
    ),
    "cli.backup.left-out": (
        "{count} {count:object|objects} came into being while it was read and {count:is|are} left out.",
        "读取期间新产生的 {count} 个对象未包含在内。",
    ),
    "cli.backup.short-passphrase": (
        "The passphrase in {path} has fewer than {least} characters: choose a longer one.",
        "{path} 中的口令少于 {least} 个字符，请使用更长的口令。",
    ),
    # -- restore
    "cli.restore.damaged": (
        "{path} is refused, nothing was restored: {why}.",
        "{path} 被拒绝，未恢复任何内容：{why}。",
    ),
    "cli.restore.checked": (
        "{path} is whole: {objects} {objects:object|objects}, taken at {taken} by govpool {version}.",
        "{path} 完整：共 {objects} 个对象，由 govpool {version} 于 {taken} 备份。",
    ),
    "cli.restore.not-empty": (
        "The control plane has {count} CloudResourceRequests already ({names}): restore into an empty one.",
        "控制面中已有 {count} 个 CloudResourceRequest（{names}），只能恢复到空的控制面。",
    ),
    "cli.restore.other-archive": (
        "Another restore was begun here, of backup {archive}: finish that one first.",
        "此处已开始恢复另一份备份（{archive}），请先完成。",
    ),
    "cli.restore.other-version": (
        "The backup holds objects of {found}, and this govpool knows {known}: docs/upgrades.md.",
        "备份中的对象版本为 {found}，而此 govpool 的版本为 {known}：参见 docs/upgrades.md。",
    ),
    "cli.restore.operator-runs": (
        "An operator runs ({holder}): stop it first, and start it when the restore is done.",
        "仍有运维进程在运行（{holder}）：请先停止，恢复完成后再启动。",
    ),
    "cli.restore.no-kinds": (
        "The control plane does not know {kind}: run `govpool crds apply` first.",
        "控制面尚无 {kind}：请先执行 govpool crds apply。",
    ),
    "cli.restore.passphrase-needed": (
        "The backup holds Secrets: give --passphrase-file (/dev/null leaves them out).",
        "备份中含有 Secret：请提供 --passphrase-file（/dev/null 表示略过）。",
    ),
    "cli.restore.done": (
        "Restored: {made} {made:object|objects} made, {there} were there already.",
        "恢复完成：新建 {made} 个对象，{there} 个已存在。",
    ),
    "cli.restore.next": (
        "Start the operator now. It makes, changes and removes nothing for a restored request before all its "
        "servers were seen as the backup says: govpool recover list shows which those are.",
        "现在可以启动运维进程。在核实某申请的全部云服务器与备份一致之前，不会为其创建、变更或删除任何资源："
        "请用 govpool recover list 查看。",
    ),
    "cli.restore.secrets-missing": (
        "Missing Secrets, to be put back by a person: {names}.",
        "缺少以下 Secret，须人工放回：{names}。",
    ),
    # -- recover
    "cli.recover.column.request": ("Request", "申请"),
    "cli.recover.column.adopted": ("Adopted", "已接管"),
    "cli.recover.column.why": ("Why not, and what to do", "未接管的原因及处理"),
    "cli.recover.column.machine": ("Machine", "云服务器"),
    "cli.recover.column.pool": ("Pool", "资源池"),
    "cli.recover.column.owner": ("Tagged for", "标签所属"),
    "cli.recover.column.revision": ("Revision", "版本"),
    "cli.recover.column.size": ("Size", "规格"),
    "cli.recover.not-looked": (
        "No operator has looked at it yet.",
        "运维进程尚未核实。",
    ),
    "cli.recover.none": (
        "Nothing waits: every restored request is adopted, and every machine belongs to one.",
        "无待处理事项：恢复的申请均已接管，资源池中的云服务器均有归属。",
    ),
    "cli.recover.unknown": (
        "Machines in the pools that no CloudServer knows, to be judged by a person. Nobody deletes them:",
        "资源池中没有对应 CloudServer 的云服务器，须人工判断，系统不会删除：",
    ),
    "cli.recover.pool-unknown": (
        "{pool} could not be asked: {why}",
        "无法查询资源池 {pool}：{why}",
    ),
    "cli.recover.not-restored": (
        "{request} was not restored from a backup, or is adopted already.",
        "{request} 不是从备份恢复的，或已接管。",
    ),
    "cli.recover.accepted": (
        "{by} accepts {request} as the backup has it. govpool acts on it again.",
        "{by} 已确认按备份接管 {request}，系统恢复对其处理。",
    ),
    "cli.recover.ahead": (
        "{servers} were made under a later revision than the backup knows and may hold live data: accepting "
        "could wipe it. Bring the request to that revision first, or repeat with --even-if-ahead.",
        "{servers} 属于备份之后的版本，可能存有在用数据，接管可能导致数据被销毁。"
        "请先将申请更新到该版本，或加 --even-if-ahead 再次执行。",
    ),
    "cli.recover.claimed": (
        "{request} is the request with UID {uid} again, at revision {revision}; its servers are adopted once "
        "it is approved.",
        "{request} 已恢复为 UID {uid} 的申请（第 {revision} 版），审批后将接管其云服务器。",
    ),
    "cli.recover.claim-taken": (
        "UID {uid} belongs to {request} already.",
        "UID {uid} 已属于申请 {request}。",
    ),
    "cli.recover.claim-unknown": (
        "No machine in any pool is tagged for UID {uid} and request {request}: look at govpool recover list.",
        "没有任何资源池的云服务器标记为 UID {uid}、申请 {request}：请查看 govpool recover list。",
    ),
    "cli.recover.claim-there": (
        "{request} is there already: a request is claimed before it is applied for.",
        "{request} 已存在：认领须在提交申请之前进行。",
    ),
    "cli.recover.certificate-bad": (
        "{certificate} does not verify and is not imported: {why}",
        "证书 {certificate} 未通过校验，未导入：{why}",
    ),
    "cli.recover.certificate-imported": ("{certificate} is imported.", "已导入证书 {certificate}。"),
    "cli.recover.certificate-there": ("{certificate} is there already.", "证书 {certificate} 已存在。"),
}
