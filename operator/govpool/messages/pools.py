"""Texts about pools: a provider's exit, parties of contracts, reports, and what only people can do there."""

from __future__ import annotations

from collections.abc import Mapping

TEXTS: Mapping[str, tuple[str, str]] = {
    # Exit (云服务商退出)
    "exit.no-notice": (
        "The provider's written notice is missing: put it into the pool's spec.exit.notice.",
        "缺少云服务商的书面退出申请：请填写资源池的 spec.exit.notice。",
    ),
    "exit.unapproved": (
        "{by} asked to stop and nobody approved it: no service stops without approval (spec.exit.approval).",
        "{by} 申请终止服务，尚未获批：未经批准，不得擅自停止云服务工作（spec.exit.approval）。",
    ),
    "exit.too-early": (
        "The provider wants to stop on {stops}; notice and free transition run until {earliest}.",
        "云服务商拟于 {stops} 停止服务，通知期和免费过渡期至 {earliest} 方满。",
    ),
    "exit.notice-runs": ("The notice runs until {until}.", "通知期至 {until}。"),
    "exit.transition": (
        "The free transition runs until {until}: everything is taken down, migrated, handed over and backed up.",
        "免费过渡期至 {until}：须完成下线、迁移、移交、备份工作。",
    ),
    "exit.transition-over": (
        "The free transition ended on {until} and the pool is not closed yet.",
        "免费过渡期已于 {until} 届满，资源池尚未关闭。",
    ),
    "exit.no-rule": (
        "The regulation says nothing of a provider's exit: no span is computed.",
        "本办法未规定云服务商退出，不计算期限。",
    ),
    "exit.no-policy": ("There is no CloudPolicy {policy}.", "不存在 CloudPolicy {policy}。"),
    "exit.no-plan": (
        "The exit plan has no entry for it (spec.exit.plan).",
        "退出方案中没有该申请的安排（spec.exit.plan）。",
    ),
    "exit.nothing-held": ("It never held anything here.", "从未在此占用资源。"),
    "exit.not-migrated": ("Not migrated: {why}", "不迁移：{why}"),
    "exit.successor": ("Migrates to {request}: {phase}.", "迁移至 {request}：{phase}。"),
    "exit.backed-up": (
        "{saved} of {disks} {disks:disk|disks} backed up; declared for {declared} {declared:server|servers}.",
        "已备份 {saved}/{disks} 块磁盘；另有 {declared} 台云服务器由服务商申报已备份。",
    ),
    "exit.handed-over": (
        "{receipts} {receipts:receipt|receipts} of the unit.",
        "使用单位回执 {receipts} 份。",
    ),
    "exit.taken-down": (
        "{phase}; {servers} {servers:server is|servers are} there.",
        "{phase}；尚有云服务器 {servers} 台。",
    ),
    "exit.servers-left": (
        "{count} {count:server is|servers are} not gone: {servers}",
        "尚有 {count} 台云服务器：{servers}",
    ),
    "exit.disks-unproven": (
        "{count} {count:disk|disks} held data and no certificate covers {count:it|them}: {disks}",
        "{count} 块曾存有数据的磁盘无销毁证书：{disks}",
    ),
    "exit.only-declared": (
        "The end of these servers was declared and not seen; file its proof in spec.exit.destruction: {servers}",
        "以下云服务器仅由服务商申报已回收，未经核验，请在 spec.exit.destruction 提交证明：{servers}",
    ),
    "exit.not-seen": (
        "The pool can't be seen ({reason}): it is not known to be empty.",
        "无法查看资源池（{reason}），不能认定为空。",
    ),
    "exit.machines-left": (
        "The pool still lists {count} {count:machine|machines}: {machines}",
        "资源池中仍有 {count} 台机器：{machines}",
    ),
    "exit.not-honoured": (
        "Not closed, whatever the spec says, and still watched: {lacks}",
        "不予关闭，继续监视：{lacks}",
    ),
    "exit.closed": (
        "Closed: seen empty, and every disk certified, on {at}.",
        "已关闭：{at} 核验为空，磁盘均有销毁证书。",
    ),
    "exit.closed-as-declared": (
        "Closed on {at} as declared by the provider, with filed proof of destruction; nothing of it was seen here.",
        "{at} 按服务商申报及所提交的销毁证明关闭，本系统未能核验。",
    ),
    "exit.of-request": (
        "The provider of pool {pool} leaves; by {due} is left to do: {left}.",
        "资源池 {pool} 的云服务商退出，须于 {due} 前完成：{left}。",
    ),
    "exit.no-new": (
        "The provider of pool {pool} leaves, and nothing new is issued from it: apply in another pool.",
        "资源池 {pool} 的云服务商正在退出，不再发放新资源：请向其他资源池申请。",
    ),
    # Parties (合同主体)
    "pool.parties-fine": ("Nothing stands against the pool's parties.", "资源池合同主体未见异常。"),
    "pool.party-dishonest": (
        "{party} is on the list of seriously dishonest entities: it is neither provider nor integrator.",
        "{party} 被列入严重失信主体名单，不得作为综合服务机构及云服务商。",
    ),
    "pool.party-unchecked": (
        "Nobody says when {party} was looked up on the list of seriously dishonest entities (checkedAt).",
        "未记录 {party} 的严重失信主体名单核查时间（checkedAt）。",
    ),
    "pool.integrator-is-provider": (
        "{party} is provider and integrator: the integrator is another.",
        "{party} 同为云服务商和综合服务机构，不符合规定。",
    ),
    "pool.integrator-affiliated": (
        "The integrator {party} is an affiliate of the provider {provider}.",
        "综合服务机构 {party} 是云服务商 {provider} 的控股关联单位。",
    ),
    "pool.by-hand": (
        "Only people reach this pool: what is shown of it was declared and not seen.",
        "该资源池仅由人工操作：所示情况均为申报，未经系统核验。",
    ),
    # What people declare (申报)
    "declared.waits": (
        "{work} is up to the provider: it reports the outcome of work order {order}.",
        "{work} 由云服务商办理，请在工单 {order} 中填报结果。",
    ),
    "declared.done": (
        "Declared by {by}, not seen: {statement}",
        "由 {by} 申报（未经核验）：{statement}",
    ),
    "declared.none": ("There is no server that this concerns.", "没有涉及的云服务器。"),
    "declared.failed": (
        "{by} reported that {work} failed: {statement} Mend the cause and ask for another attempt (govpool retry {order}).",
        "{by} 报告 {work} 未完成：{statement} 请排除原因后重新下达（govpool retry {order}）。",
    ),
    "declared.lacks": (
        "The outcome lacks what has to be reported: {lacks}. Report it again (govpool retry {order}).",
        "填报结果不全，缺少：{lacks}。请重新填报（govpool retry {order}）。",
    ),
    "declared.no-certificate": (
        "The destruction of data was declared by the provider and not seen: no certificate is issued for it.",
        "数据销毁由云服务商申报，未经核验，不出具销毁证书。",
    ),
    "declared.recorded": ("Issued to the provider, order {order}.", "已向云服务商下达工单 {order}。"),
    "services.waits": (
        "Services that a person sets up wait for the outcome of work order {order}: {services}.",
        "以下人工办理的服务等待工单 {order} 填报结果：{services}。",
    ),
    "rules.admission.manual-server": (
        "{path}: item {item} is set up by a person, and pool {pool} is automated: choose another item or pool.",
        "{path}：目录项 {item} 由人工办理，而资源池 {pool} 为自动发放，请选择其他目录项或资源池。",
    ),
    "rules.admission.insecure-item": (
        "{path}: item {item} fails the cloud's security requirements and is not deployed.",
        "{path}：目录项 {item} 不符合政务云安全管理要求，不得部署使用。",
    ),
    "rules.admission.need-basis": (
        "State what the need rests on in spec.needBasis.",
        "请在 spec.needBasis 中说明资源需求及依据。",
    ),
    "rules.admission.self-purchase-not-provided": (
        "{what}: the regulation lets no unit buy for itself.",
        "{what}：本办法未规定使用单位自行采购。",
    ),
    "rules.admission.self-purchase-unchecked": (
        "{what} is to be deployed on the cloud and nothing shows that it meets the cloud's security requirements:"
        " file the report in selfPurchases.securityCheck.",
        "{what}：自行采购拟部署至政务云的产品，应在 selfPurchases.securityCheck 提交符合政务云安全管理要求的证明。",
    ),
    "rules.admission.self-purchase-insecure": (
        "{what} fails the cloud's security requirements and is not deployed on it.",
        "{what}：不满足政务云安全管理要求，不得部署至政务云。",
    ),
    "rules.admission.self-purchase-in-catalogue": (
        "{what}: the directory has item {item}; what it has is not bought elsewhere.",
        "{what}：服务目录中已有 {item}，不得另行采购。",
    ),
    "rules.admission.expert-opinion": (
        "Complex or large: experts assess it first, and their opinion is attached (material ExpertOpinion).",
        "申请复杂或规模较大，须先经专家评审并附评审意见（材料 ExpertOpinion）。",
    ),
    "cli.order-reported": (
        "{by} reported on {order}: {state}",
        "{by} 已填报工单 {order} 的结果：{state}",
    ),
    "cli.order-not-a-persons": (
        "{order} is not for a person: govpool carries it out itself.",
        "工单 {order} 由系统执行，无需人工填报。",
    ),
    "cli.order-reported-already": (
        "{by} reported on {order} at {at}; it stands.",
        "{by} 已于 {at} 填报工单 {order}，结果不可更改。",
    ),
    "cli.order-failed-why": (
        "Say with --statement why it could not be done.",
        "请用 --statement 说明未能完成的原因。",
    ),
    "cli.fact-malformed": (
        "{fact} is not SERVER:KEY=VALUE or KEY=VALUE.",
        "{fact} 不是 SERVER:KEY=VALUE 或 KEY=VALUE 的形式。",
    ),
}
