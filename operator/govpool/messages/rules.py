"""Texts of the rules: why something is refused, what is missing, how something was classified."""

from __future__ import annotations

from collections.abc import Mapping

_MATERIALS: Mapping[str, tuple[str, str]] = {
    "RequestLetter": ("the request letter", "云资源申请函"),
    "ResourceTable": ("the resource table", "云资源需求表"),
    "ProjectApproval": ("the project approval", "项目批复文件"),
    "ConstructionPlan": ("the construction plan", "建设方案"),
    "MigrationPlan": ("the migration plan", "上云技术方案"),
    "SecurityAssessment": ("the security assessment", "系统安全评估"),
    "PurchaseContract": ("the purchase contract", "采购合同"),
    "ChangeForm": ("the change form", "云资源变更申请表"),
    "DeregistrationForm": ("the deregistration form", "云资源注销申请表"),
    "ExpertOpinion": ("the experts' opinion", "专家评审意见"),
    "DomainPlan": ("the plan of the dedicated domain", "专有域建设管理方案"),
    "ProtectionFiling": ("the filing of the protection level", "网络安全等级保护备案证明"),
    "ProtectionAssessment": ("the assessment of the protection level", "网络安全等级保护测评报告"),
    "CryptoAssessment": ("the assessment of cryptography", "商用密码应用安全性评估报告"),
    "SoftwareTest": ("the software test report", "软件测评报告"),
    "SourceAudit": ("the source-code audit", "源代码审计报告"),
    "CloudServiceAssessment": ("the cloud service security assessment", "云计算服务安全评估报告"),
    "DomesticTechnology": ("the proof of domestic technology", "信息技术应用创新改造材料"),
    "Other": ("another paper that the policy asks for", "政策要求的其他材料"),
}
"""How papers are called, by their type in ``materials``."""

_DIMENSIONS: Mapping[str, tuple[str, str, str, str]] = {
    "Servers": ("the number of servers", "云服务器数量", "", "台"),
    "VCPU": ("vCPU", "CPU", "", "核"),
    "Memory": ("memory", "内存", " GiB", " GiB"),
    "Storage": ("storage", "存储", " GiB", " GiB"),
    "Bandwidth": ("bandwidth", "带宽", " Mbit/s", " Mbit/s"),
    "Fee": ("the yearly fee", "年度云服务费", " CNY", "元"),
}
"""Dimension, Chinese name, unit, Chinese unit."""

TEXTS: Mapping[str, tuple[str, str]] = {
    # Admission (受理)
    "rules.admission.policy-not-yet": (
        "Policy {policy} is in force from {day} on: apply then, or under the policy in force.",
        "管理办法 {policy} 自 {day} 起施行，请届时申请，或按现行办法申请。",
    ),
    "rules.admission.policy-over": (
        "Policy {policy} was in force until {day}: no new application is decided under it. Apply in a pool"
        " whose policy is in force.",
        "管理办法 {policy} 有效期至 {day}，不再据此受理新的申请，请向适用现行办法的资源池申请。",
    ),
    "rules.admission.catalogue-not-in-force": (
        "Service catalogue {catalog} is in force from {since} to {until}: the pool needs the catalogue of"
        " today before anything more is issued from it.",
        "服务目录 {catalog} 有效期为 {since} 至 {until}，资源池须先启用现行服务目录方可发放云资源。",
    ),
    "rules.admission.classified": (
        "{system} handles state secrets: classified systems stay off the government cloud.",
        "“{system}”为涉密信息系统，不得部署到政务云。",
    ),
    "rules.admission.protection-level": (
        "{system} has protection level {level}; the cloud takes systems up to level {highest}.",
        "“{system}”网络安全等级保护为第 {level} 级，政务云仅承载第 {highest} 级及以下的系统。",
    ),
    "rules.admission.sponsor": (
        "{unit} is an outside unit: it applies through its sponsor. Enter the sponsor in TenantQuota unit.",
        "{unit}不在本办法服务范围内，须由其业务主管部门提出申请，请在 TenantQuota unit 中填写主管部门。",
    ),
    "rules.admission.domain-plan": (
        "Pool {pool} is a dedicated domain: add its approved plan to materials (DomainPlan).",
        "资源池 {pool} 为专有域，须先提交经审核通过的建设管理方案（DomainPlan）。",
    ),
    "rules.admission.material-in-the-future": (
        "{material} is dated {day}, and today is {today}: correct its date.",
        "材料 {material} 的日期 {day} 晚于今日（{today}），请更正。",
    ),
    "rules.admission.material-expired": (
        "{material} was valid until {day}: file a valid one.",
        "材料 {material} 有效期至 {day}，已过期，请提交有效材料。",
    ),
    "rules.admission.nearest": (
        "{path}: {item} is not in the catalogue. The nearest item is {nearest} at {price} CNY a year.",
        "{path}：服务目录中无 {item}，功能和配置最相近的为 {nearest}（每年 {price} 元），请据此调整。",
    ),
    "rules.admission.expansion-not-due": (
        "Servers are expanded once use is high enough, and nothing that was measured says so ({rules}). What"
        " is needed for a time or in an emergency is asked for as such.",
        "云主机资源使用未达到扩容条件（{rules}），不得申请扩容；临时、应急所需请按临时扩容、应急程序申请。",
    ),
    "rules.admission.self-purchase": (
        "{path}: {item} is not in the catalogue and nothing in it comes near. With the authority's consent"
        " the unit buys it itself; take it out of this application.",
        "{path}：服务目录中无 {item}，亦无相近服务。经云主管部门同意后可由使用单位自行采购，"
        "请从本申请中删除。",
    ),
    "rules.admission.no-match": (
        "{path}: {item} is not in the catalogue and nothing in it comes near: ask for an item of the"
        " catalogue.",
        "{path}：服务目录中无 {item}，亦无相近服务，请在目录内选择。",
    ),
    "rules.admission.wrong-category": (
        "{path}: {item} is an item of the category {category} and can't be asked for here.",
        "{path}：{item} 属于 {category} 类服务，不能在此处申请。",
    ),
    "rules.admission.image": (
        "Servers {server}: pool {pool} has no image {image}. It has: {known}.",
        "服务器组 {server}：资源池 {pool} 无镜像 {image}，可选：{known}。",
    ),
    "rules.admission.network": (
        "Pool {pool} has no network {network}. It has: {known}.",
        "资源池 {pool} 无网络 {network}，可选：{known}。",
    ),
    "rules.admission.image-change": (
        "Servers {server} run {image}: another image would destroy them. Ask for a new group of servers,"
        " migrate, and give the old one back.",
        "服务器组 {server} 使用镜像 {image}，更换镜像将破坏现有系统。请申请新的服务器组，迁移后退回原组。",
    ),
    "rules.admission.network-change": (
        "The system's servers are on {network}: they can't be moved to another network. Apply for the system"
        " anew there, migrate, and deregister this one.",
        "该系统服务器接入 {network}，不能直接变更接入网络。请另行申请，迁移后注销本申请。",
    ),
    "rules.admission.disk-shrink": (
        "Servers {server}: disk {disk} can't shrink from {before} to {after} GiB. Ask for a new group of"
        " servers, migrate, and give the old one back.",
        "服务器组 {server}：磁盘 {disk} 不能由 {before} GiB 缩小至 {after} GiB。"
        "请申请新的服务器组，迁移后退回原组。",
    ),
    "rules.admission.disk-removal": (
        "Servers {server}: disk {disk} holds data and stays as long as its server. Ask for a new group of"
        " servers without it, migrate, and give the old one back.",
        "服务器组 {server}：磁盘 {disk} 存有数据，不能单独退回。请申请新的服务器组，迁移后退回原组。",
    ),
    "rules.admission.volume-class-change": (
        "Servers {server}: disk {disk} can't change its volume class. Ask for a new group of servers,"
        " migrate, and give the old one back.",
        "服务器组 {server}：磁盘 {disk} 不能变更存储类型。请申请新的服务器组，迁移后退回原组。",
    ),
    "rules.admission.no-emergency": (
        "The policy knows no emergency issuing: apply the ordinary way.",
        "本办法未规定应急发放，请按正常流程申请。",
    ),
    "rules.admission.no-temporary": (
        "The policy knows no temporary expansions: apply for a change.",
        "本办法未规定临时扩容，请提交变更申请。",
    ),
    "rules.admission.temporary-over": (
        "The temporary expansion of {server} ended on {ends}, and today is {today}: correct its period.",
        "{server} 的临时扩容时段已于 {ends} 结束（今日 {today}），请更正时段。",
    ),
    "rules.admission.temporary-too-long": (
        "The temporary expansion of {server} from {starts} may last until {last} at the longest.",
        "{server} 自 {starts} 起的临时扩容最长至 {last}。",
    ),
    "rules.admission.extension-late": (
        "The temporary expansion of {server} ends on {ends}; to prolong it, ask at least {days} working {days:day|days}"
        " ahead, by {latest}.",
        "{server} 的临时扩容于 {ends} 结束，延期须提前 {days} 个工作日（不晚于 {latest}）提出。",
    ),
    "rules.admission.pool-state": (
        "Pool {pool} is {state} and issues nothing more: wait until it is Open, or apply in another pool.",
        "资源池 {pool} 状态为 {state}，暂停发放，请待其恢复（Open）或向其他资源池申请。",
    ),
    "rules.admission.nothing-to-deregister": (
        "Nothing is in force for this request: there is nothing to deregister. Set state to Active, or delete"
        " the request.",
        "本申请尚无生效的云资源，无需注销。请将 state 改回 Active，或删除本申请。",
    ),
    "rules.admission.deregistration-reason": (
        "{reason} is no reason for a deregistration under this policy. It accepts: {accepted}.",
        "本办法不接受以 {reason} 为由注销，可选：{accepted}。",
    ),
    **{
        f"rules.admission.material-missing.{kind}": (
            f"The application lacks {english}: add it to materials ({kind}) with reference, date and sha256.",
            f"申请材料不全，缺少{chinese}，请在 materials 中补充（{kind}），注明文号、日期和 sha256。",
        )
        for kind, (english, chinese) in _MATERIALS.items()
    },
    # Classification (变更分类)
    "rules.change.new": ("A new application.", "上云申请。"),
    "rules.change.deregistration": ("An application for the end of use.", "注销申请。"),
    "rules.change.emergency": (
        "An emergency: issued first, the papers follow.",
        "应急申请：先行发放，后补手续。",
    ),
    "rules.change.emergency-papers": (
        "The papers that an emergency was issued ahead of: they go the way of a new application.",
        "应急发放后补办手续，按上云申请流程办理。",
    ),
    "rules.change.temporary": ("A temporary expansion.", "临时扩容申请。"),
    "rules.change.ordinary": ("A change.", "变更申请。"),
    "rules.change.all-major": (
        "A change; under this policy every change goes the way of a new application.",
        "调整申请，按本办法须按申请流程办理。",
    ),
    "rules.change.new-item": (
        "A change that adds a category or a quantity ({item}): it goes the way of a new application.",
        "新增服务品类或数量（{item}），按申请流程办理。",
    ),
    "rules.change.not-comparable": (
        "A change that can't be measured, because {item} is not in the catalogue: it goes the way of a new"
        " application.",
        "服务目录中无 {item}，无法核算变更幅度，按申请流程办理。",
    ),
    **{
        f"rules.change.above.{dimension}": (
            f"A major change: {english} goes from {{before}} to {{after}}{unit}, more than {{percent}} % of"
            " what is held.",
            f"重大变更：{chinese}由 {{before}} 变为 {{after}}{measure}，超过已有的 {{percent}}%。",
        )
        for dimension, (english, chinese, unit, measure) in _DIMENSIONS.items()
    },
    # Quota (额度)
    "rules.quota.no-unit": (
        "The namespace has no TenantQuota named unit: the platform engineers enter the unit first.",
        "命名空间中没有名为 unit 的 TenantQuota，请先由平台管理人员登记使用单位。",
    ),
    "rules.quota.no-growth": (
        "Nothing more is asked of pool {pool} than is held.",
        "未要求资源池 {pool} 增加发放。",
    ),
    "rules.quota.no-limit": (
        "{unit} has no quota in pool {pool}: the authority sets one in TenantQuota unit.",
        "{unit}在资源池 {pool} 中没有额度，请由云主管部门在 TenantQuota unit 中核定。",
    ),
    "rules.quota.issuing-stopped": (
        "Issuing to {unit} is stopped (notice: {cause}): rectify what the notice names; giving back is"
        " possible at any time.",
        "已停止向{unit}发放云资源（通知：{cause}），请先按通知整改；退回资源不受限制。",
    ),
    "rules.quota.exceeded": (
        "The quota in pool {pool} does not suffice: needed {needed}; free {free}. Ask for less, give"
        " something back, or ask the authority for a larger quota.",
        "资源池 {pool} 额度不足：需要 {needed}；剩余 {free}。请减少申请、退回资源，或申请增加额度。",
    ),
    "rules.admission.too-many-servers": (
        "The request asks for {wanted} {wanted:server|servers}; one request carries at most {most}. Apply in several requests.",
        "本申请共 {wanted} 台云服务器，单份申请最多 {most} 台，请拆分为多份申请。",
    ),
    "rules.quota.fits": ("Within the quota in pool {pool}.", "在资源池 {pool} 的额度之内。"),
    # Approvals (审批)
    "rules.approval.before-creation": (
        "The decision on {stage} by {by} is dated {at}, before the Approval was made, and does not count.",
        "{by} 对 {stage} 的决定日期为 {at}，早于审批单生成时间，不予采信。",
    ),
    "rules.approval.in-the-future": (
        "The decision on {stage} by {by} is dated {at}, which has not come yet, and does not count.",
        "{by} 对 {stage} 的决定日期为 {at}，尚未到来，不予采信。",
    ),
    "rules.approval.not-its-turn": (
        "The decision on {stage} by {by} does not count, or not yet: steps are decided once and in their"
        " order.",
        "{by} 对 {stage} 的决定未按顺序或重复，暂不采信。",
    ),
}
