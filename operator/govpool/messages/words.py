"""Words that programs use (phases, stages, roles, kinds of papers), and what people call them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Literal
from zoneinfo import ZoneInfo

TERMS: Mapping[str, tuple[str, str]] = {
    # -- phases
    "Pending": ("Pending", "待处理"),
    "Refused": ("Refused", "不予通过"),
    "InReview": ("In review", "审批中"),
    "Opening": ("Opening", "开通"),
    "Trial": ("Trial", "测试（试运行）"),
    "Delivery": ("Delivery", "交付"),
    "InService": ("In service", "正式运行"),
    "Changing": ("Changing", "变更实施"),
    "Deregistering": ("Deregistering", "注销实施"),
    "Deregistered": ("Deregistered", "已注销"),
    # -- stages
    "Completeness": ("Completeness", "材料完整性核查"),
    "Acceptance": ("Acceptance", "受理"),
    "ExpertReview": ("Expert review", "专家评审"),
    "Evaluation": ("Evaluation", "评估"),
    "Review": ("Review", "审核"),
    "Quota": ("Quota", "额度"),
    "Provision": ("Provision", "资源开通"),
    "Baseline": ("Baseline", "安全基线检测"),
    "Handover": ("Handover", "资源移交"),
    "Reports": ("Reports", "报告备案"),
    "RightSizing": ("Right-sizing", "资源调整建议"),
    "Agreement": ("Agreement", "三方协议"),
    "Confirmation": ("Confirmation", "交付确认"),
    "Backup": ("Backup", "数据备份"),
    "Wipe": ("Wipe", "数据清除"),
    "Reclaim": ("Reclaim", "资源回收"),
    "Termination": ("Termination", "服务终止确认"),
    "Certificate": ("Certificate", "销毁证书"),
    # -- roles
    "unit": ("unit", "使用单位"),
    "sponsor": ("sponsor", "主管部门"),
    "acceptor": ("acceptor", "受理人员"),
    "reviewer": ("reviewer", "审核人员"),
    "expert": ("expert", "专家"),
    "operator": ("technical organ", "技术保障部门"),
    "provider": ("provider", "云服务商"),
    "supervisor": ("supervisor", "督办部门"),
    "govpool": ("govpool", "govpool"),
    # -- applications
    "New": ("New", "新申请"),
    "Change": ("Change", "变更"),
    "MajorChange": ("Major change", "重大变更"),
    "Temporary": ("Temporary expansion", "临时扩容"),
    "Emergency": ("Emergency", "应急"),
    "Deregistration": ("Deregistration", "注销"),
    # -- verdicts
    "Approve": ("approved", "同意"),
    "Refuse": ("refused", "不同意"),
    "Return": ("returned for supplement", "退回补正"),
    # -- decisions of the engine
    "Classified": ("Classified", "申请类型"),
    "Admitted": ("Admitted", "符合受理条件"),
    "InForce": ("In force", "审批生效"),
    "Superseded": ("Superseded", "被新申请取代"),
    "TrialBegan": ("Trial began", "测试（试运行）开始"),
    "BillingStarted": ("Billing starts", "开始计费"),
    "BillingEnded": ("Billing ends", "停止计费"),
    "LetGo": ("Let go", "申请归档"),
    "Overdue": ("Overdue", "超时"),
    "Escalated": ("Escalated to", "上报督办"),
    "EmergencyOver": ("The emergency is over", "应急使用到期"),
    "EmergencyBegan": ("The emergency begins", "应急使用开始"),
    "BusinessCycleBegins": ("Business cycle begins", "业务周期开始"),
    "BusinessCycleEnds": ("Business cycle ends", "业务周期结束"),
    "TemporaryBegins": ("Temporary expansion begins", "临时扩容开始"),
    "TemporaryEnds": ("Temporary expansion ends", "临时扩容结束"),
    "StopIssuing": ("Issuing stops", "停止发放"),
    "ForcedShutdown": ("Forced shutdown", "强制关机"),
    "Isolation": ("Isolation", "断开网络"),
    "Lifted": ("Lifted", "解除措施"),
    # -- refusals
    "MaterialMissing": ("papers are missing", "材料不全"),
    "EmergencyNotProvided": ("no emergency procedure", "未规定应急程序"),
    "TemporaryNotProvided": ("no temporary expansions", "未规定临时扩容"),
    "ReasonNotAccepted": ("reason not accepted", "事由不符"),
    "PoolNotOpen": ("the pool takes nothing new", "资源池不受理新申请"),
    # -- findings
    "Reduce": ("use is low", "使用率偏低"),
    "Expand": ("use is high", "使用率偏高"),
    "Zombie": ("nobody uses it", "僵尸系统"),
    "OutOfBand": ("use is out of band", "利用率超出区间"),
    "UnusedTrial": ("the trial was not used", "试运行期未使用"),
    "EvidenceLapsed": ("evidence has lapsed", "测评备案材料过期"),
    "OtherUse": ("other use than applied for", "未按申请用途使用"),
    "Vulnerability": ("vulnerabilities", "安全漏洞"),
    "EmergencyPapersOverdue": ("emergency papers are overdue", "应急手续逾期未补"),
    "NotRectified": ("not rectified", "未整改"),
    "Rectified": ("rectified", "已整改"),
    "Withdrawn": ("withdrawn", "已撤回"),
    "Stated": ("stated", "已报告整改"),
    "Enforced": ("enforced", "已采取措施"),
    # -- papers
    "RequestLetter": ("Letter of request", "申请函"),
    "ResourceTable": ("Table of resources", "资源申请表"),
    "ProjectApproval": ("Project approval", "项目批复"),
    "ConstructionPlan": ("Construction plan", "建设方案"),
    "MigrationPlan": ("Migration plan", "迁移方案"),
    "SecurityAssessment": ("Security assessment", "安全测评报告"),
    "PurchaseContract": ("Purchase contract", "采购合同"),
    "ChangeForm": ("Form of change", "变更申请表"),
    "DeregistrationForm": ("Form of deregistration", "注销申请表"),
    "ExpertOpinion": ("Expert opinion", "专家意见"),
    "DomainPlan": ("Plan of the dedicated domain", "专属域方案"),
    "ProtectionFiling": ("Protection filing", "等级保护备案证明"),
    "CryptoAssessment": ("Cryptography assessment", "商用密码应用安全性评估报告"),
    "SoftwareTest": ("Software test", "软件测试报告"),
    "CloudServiceAssessment": ("Cloud service assessment", "云计算服务安全评估"),
    "DomesticTechnology": ("Domestic technology", "自主可控技术说明"),
    "Other": ("Other", "其他"),
    # -- reports
    "SecurityTest": ("Security test", "安全测试"),
    "SourceAudit": ("Source audit", "源代码审计"),
    "ProtectionAssessment": ("Protection assessment", "等级保护测评"),
    "Probe": ("Probe", "资源探测组件"),
    # -- kinds and their states
    "RectificationNotice": ("Rectification notice", "整改通知"),
    "WorkOrder": ("Work order", "工单"),
    "Running": ("Running", "办理中"),
    "Succeeded": ("Done", "已完成"),
    "Failed": ("Failed", "失败"),
    "Approved": ("Approved", "已批准"),
    "Returned": ("Returned", "已退回补正"),
    "Waiting": ("Waiting", "等待"),
    "Permanent": ("Permanent", "长期"),
    "Resize": ("Resize", "规格调整"),
    "Manual": ("Manual", "人工办理"),
    "Present": ("Present", "在用"),
    "Wiped": ("Wiped", "已清除"),
    "Gone": ("Gone", "已删除"),
    "Building": ("Building", "创建中"),
    "Resizing": ("Resizing", "调整中"),
    "HandedOver": ("Handed over", "已移交"),
    "Stopped": ("Stopped", "已关机"),
    "Released": ("Released", "待清除"),
    "Error": ("Error", "异常"),
    # -- standings and states
    "Good": ("Good", "正常"),
    "IssuingStopped": ("Issuing stopped", "停止发放"),
    "Open": ("to be rectified", "待整改"),
    # -- the whole town
    "Cordoned": ("Cordoned", "停止新增"),
    "Exiting": ("Exiting", "退出中"),
    "Closed": ("Closed", "已关闭"),
    "Rectification": ("Rectification", "整改"),
    "Term": ("Term", "使用期限"),
    "OperationReport": ("Operation report", "运行情况报告"),
    "UnitSelfEvaluation": ("Self-evaluation", "绩效自评"),
    "ProviderEvaluation": ("Provider evaluation", "云服务商绩效评估"),
    "UseEvaluation": ("Use evaluation", "使用情况年度评价"),
    "CatalogueRevision": ("Catalogue revision", "服务目录修订"),
}
"""A word that programs use to its (English, Chinese) for people."""

IN_CONTEXT: Mapping[str, tuple[str, str]] = {
    "server.Open": ("Open", "已开通"),
    "server.Running": ("Running", "运行"),
    "disk.Pending": ("Pending", "待创建"),
    "pool.Open": ("Open", "开放"),
}
"""Words that mean something else of one kind of thing than of all others."""

FACTS: Mapping[str, str] = {
    "agreement signed": "协议签订",
    "application": "申请类型",
    "approval": "审批单",
    "approved by": "批准人",
    "at": "时间",
    "began": "开始",
    "by": "办理人",
    "classified": "是否涉密",
    "clock": "时限",
    "clock since": "计时起点",
    "content": "内容摘要值",
    "day": "日期",
    "delivery confirmed": "交付确认",
    "due": "截止",
    "end of service confirmed": "服务终止确认",
    "ends": "截止",
    "fee per year": "年费用",
    "filed": "已备案",
    "handed over": "移交",
    "held by others": "其他申请占用",
    "held by this request": "本申请占用",
    "highest level": "最高等级",
    "in force": "现行内容",
    "in time": "是否按期",
    "lasts": "时长",
    "limit": "额度上限",
    "major above": "重大变更比例",
    "missing": "缺少",
    "needed": "所需",
    "opinion": "意见",
    "papers": "材料",
    "phase": "阶段",
    "policy in force since": "办法施行日期",
    "policy in force until": "办法有效期至",
    "pool": "资源池",
    "protection level": "等级保护级别",
    "reason": "事由",
    "revision": "版本",
    "revision approved": "批准版本",
    "role": "责任方",
    "score wanted": "要求得分",
    "since": "自",
    "standing": "发放状态",
    "starts on": "起算事项",
    "steps": "环节数",
    "term": "使用期限",
    "trial ends": "试运行截止",
    "unit": "使用单位",
    "wanted": "应备",
    "who": "责任方",
}
"""What the facts of a decision are called in Chinese; the names of servers, persons and papers stay."""

_WORD = re.compile(r"[A-Za-z]+")
_INSTANT = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(?:\.\d+)?(?:Z|[+-]\d{2}:\d{2})")
_BESIDE = re.compile("(?<=[\u3000-\u9fff\uff00-\uffef]) \0|\0 (?=[\u3000-\u9fff\uff00-\uffef])")
_BEIJING = ZoneInfo("Asia/Shanghai")


def word(text: str, language: Literal["en", "zh"], *, of: str = "") -> str:
    """A program's word as the reader of a terminal knows it: in English as ``kubectl`` shows it.

    ``of`` names the kind of thing it is said of, where that matters. ``Acceptance: Approve`` is two words.
    """
    if language == "en":
        return text
    return "：".join(_chinese(part, of) for part in text.split(": "))


def words(text: str, language: Literal["en", "zh"]) -> str:
    """A list of program's words: ``Acceptance (acceptor), Review (reviewer)``."""
    return text if language == "en" else _WORD.sub(lambda found: _chinese(found[0]), text)


def fact(name: str, language: Literal["en", "zh"]) -> str:
    """What a fact of a decision is called."""
    return FACTS.get(name, word(name, language)) if language == "zh" else name


def minutes(text: str, zone: ZoneInfo | None = None) -> str:
    """Instants within a text, to the minute.

    They are told in the zone given; without one in that which they are written in, or in Beijing's for UTC.
    """
    if ":" not in text:
        # Most values are names and numbers: they are seen to hold no time without a search.
        return text

    def told(found: re.Match[str]) -> str:
        at = datetime.fromisoformat(found[0])
        local = zone or (_BEIJING if at.utcoffset() == timedelta() else None)
        return f"{at.astimezone(local) if local else at:%Y-%m-%d %H:%M}"

    return _INSTANT.sub(told, text)


class _Counted(str):
    """A value whose format may be the word for one and the word for more: ``{count:server|servers}``."""

    __slots__ = ()

    def __format__(self, spec: str) -> str:
        one, divided, more = spec.partition("|")
        return super().__format__(spec) if not divided else (one if self == "1" else more)


def counted(values: Mapping[str, str]) -> Mapping[str, str]:
    """The values, for an English template that has words in singular and plural."""
    return {name: _Counted(text) for name, text in values.items()}


def set_in_chinese(template: str, values: Mapping[str, str], of_words: frozenset[str]) -> str:
    """A Chinese sentence whose values under the names ``of_words`` are program's words.

    A space that set off a word in Latin letters goes with it.
    """
    told = {name: _set_off(text) if name in of_words else text for name, text in values.items()}
    text = template.format(**told)
    return _BESIDE.sub("", text).replace("\0", "") if "\0" in text else text


def _set_off(text: str) -> str:
    """A program's word in Chinese between marks at which a space may go; what has none stays as it is."""
    chinese = words(text, "zh")
    return f"\0{chinese}\0" if chinese != text else text


def _chinese(text: str, of: str = "") -> str:
    pair = IN_CONTEXT.get(f"{of}.{text}") or TERMS.get(text)
    return pair[1] if pair else text
