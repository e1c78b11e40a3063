"""Texts of ``govpool policy check``: what a policy lacks, where it contradicts itself, what can't be done."""

from __future__ import annotations

from collections.abc import Mapping

TEXTS: Mapping[str, tuple[str, str]] = {
    # -- the file ----------------------------------------------------------------------------------
    "policy.full-width-colon": (
        "a full-width colon (：) stands here: write an ordinary one and a space after it.",
        "此处是全角冒号（：）：请改为半角冒号并在其后加一个空格。",
    ),
    "policy.tab": (
        "a tab stands here: YAML is indented with spaces.",
        "此处是制表符：YAML 请用空格缩进。",
    ),
    "policy.duplicate-key": (
        "{name} is given a second time: only the last one would count. Remove one.",
        "{name} 重复出现：只有最后一个会生效，请删去其一。",
    ),
    "policy.unknown-field": (
        "there is no field {name}. `kubectl explain cloudpolicy.spec --recursive` lists the fields.",
        "没有字段 {name}。可用 `kubectl explain cloudpolicy.spec --recursive` 查看全部字段。",
    ),
    "policy.unknown-field-near": (
        "there is no field {name}: is {near} meant?",
        "没有字段 {name}：是否应为 {near}？",
    ),
    "policy.field-missing": ("{name} must be given.", "必须填写 {name}。"),
    "policy.quote": (
        "{name} is text, and {value} is read as a number: put it in quotes.",
        "{name} 应为文本，而 {value} 被读作数字：请加引号。",
    ),
    "policy.not-one-of": (
        "{value} is none of the values that {name} may have: {known}.",
        "{name} 不能取 {value}，可取的值：{known}。",
    ),
    "policy.not-one-of-near": (
        "{value} is none of the values that {name} may have: is {near} meant?",
        "{name} 不能取 {value}：是否应为 {near}？",
    ),
    "policy.malformed": ("{name} is not written as it must be: {why}", "{name} 书写有误：{why}"),
    "policy.article-form": (
        "{name} can't be {value}: write 19 for an article, 19(2) for its second paragraph, or several: 19(2),39.",
        "{name} 不能写作 {value}：第十九条写作 19，其第（二）项写作 19(2)，多条写作 19(2),39。",
    ),
    "policy.duration-form": (
        "{name} can't be {value}: write thirty days as P30D, three calendar months as P3M.",
        "{name} 不能写作 {value}：三十天写作 P30D，三个日历月写作 P3M。",
    ),
    "policy.integer-form": (
        "{name} can't be {value}: write a whole number, without quotes or a unit.",
        "{name} 不能写作 {value}：请填写整数，不加引号和单位。",
    ),
    "policy.boolean-form": (
        "{name} can't be {value}: write true or false, without quotes.",
        "{name} 不能写作 {value}：请填写 true 或 false，不加引号。",
    ),
    "policy.date-form": (
        "{name} can't be {value}: write a day as 2026-01-31.",
        "{name} 不能写作 {value}：日期写作 2026-01-31。",
    ),
    "policy.object-form": (
        "{name} can't be {value}: it has fields of its own ({fields}).",
        "{name} 不能写作 {value}：其下应填写字段（{fields}）。",
    ),
    "policy.list-form": (
        "{name} can't be {value}: it is a list, in square brackets or with one line for each.",
        "{name} 不能写作 {value}：应为列表，用方括号书写或逐行列出。",
    ),
    "policy.at-least": (
        "{name} can't be {value}: {bound} at least.",
        "{name} 不能为 {value}：最小为 {bound}。",
    ),
    "policy.at-most": (
        "{name} can't be {value}: {bound} at most.",
        "{name} 不能为 {value}：最大为 {bound}。",
    ),
    "policy.code-form": (
        "{name} can't be {value}: write one to four capital letters, such as YY.",
        "{name} 不能写作 {value}：请用一至四个大写字母，例如 YY。",
    ),
    "policy.country-form": (
        "{name} can't be {value}: write the two letters of ISO 3166, such as CN.",
        "{name} 不能写作 {value}：请用 ISO 3166 的两个字母，例如 CN。",
    ),
    "policy.no-day": (
        "no year has the day {day}: write MM-DD, and not 02-29, which most years lack.",
        "不存在 {day} 这一天：请写作 MM-DD，且不得为 02-29（平年没有）。",
    ),
    "policy.rule-broken": ("{why}.", "违反规则：{why}。"),
    "policy.not-judged": (
        "so much is missing that the rest can't be judged: mend this, then check again.",
        "缺失内容过多，其余部分无法检查：请先改正以上问题再检查。",
    ),
    # -- procedures --------------------------------------------------------------------------------
    "policy.stage-twice": (
        "{stage} stands in the procedure of {application} already: a stage is gone through once.",
        "{application} 的流程中已有 {stage}：每个环节只走一次。",
    ),
    "policy.nobody-decides": (
        "nobody decides on every application of type {application}: name a stage such as Review without `when`.",
        "{application} 类申请没有人作出决定：请增加一个不带 when 的决定环节，例如 Review。",
    ),
    "policy.own-judge": (
        "{role} would decide on its own application: {stage} needs a role of the authority.",
        "{role} 不能审批自己的申请：{stage} 应由云主管部门的角色承担。",
    ),
    "policy.stages-missing": (
        "the procedure of {application} lacks {stages}.",
        "{application} 的流程缺少 {stages}。",
    ),
    "policy.stage-order": (
        "{stage} stands after {before}, and can only be done before it.",
        "{stage} 排在 {before} 之后，而它只能在其之前完成。",
    ),
    "policy.stage-misplaced": (
        "{stage} has no place in the procedure of {application}.",
        "{stage} 不属于 {application} 的流程。",
    ),
    "policy.stage-not-reached": (
        "{stage} is never reached: after the decisions every application walks the stages of New, and New has "
        "none. Add it to New, or remove it here.",
        "{stage} 永远不会执行：决定之后，各类申请都走 New 的环节，而 New 没有该环节。请在 New 中增加，或在此删除。",
    ),
    "policy.when-on-effect": (
        "{stage} is carried out always: `when` counts only for stages that people decide.",
        "{stage} 总会执行：when 只对由人决定的环节有效。",
    ),
    "policy.never-complex": (
        "{stage} waits for complex applications, and nothing says which are: give admission.complex a threshold.",
        "{stage} 只适用于复杂项目，但没有规定何为复杂：请在 admission.complex 中给出阈值。",
    ),
    "policy.complex-unused": (
        "no stage says `when: Complex`: that an application is complex changes nothing.",
        "没有任何环节写明 when: Complex：项目是否复杂不产生任何效果。",
    ),
    "policy.complex-empty": (
        "no threshold is given, so nothing counts as complex: give vcpu, memoryGiB or storageGiB.",
        "没有给出阈值，任何项目都不算复杂：请填写 vcpu、memoryGiB 或 storageGiB。",
    ),
    "policy.two-clocks": (
        "{stage} has a clock and {field} has another: the stage's would count alone. Keep one.",
        "{stage} 有自己的时限，{field} 又规定了一个：只有环节的时限生效，请保留其一。",
    ),
    "policy.trial-clock": (
        "the trial ends after trial.duration ({duration}), whatever clock its stage has: remove the clock.",
        "试运行按 trial.duration（{duration}）结束，环节上的时限不起作用：请删除。",
    ),
    "policy.procedure-never-used": (
        "the procedure of {application} is never used: {field} says otherwise.",
        "{application} 的流程不会被使用：{field} 另有规定。",
    ),
    "policy.procedure-refused": (
        "every application of type {application} would be refused: there is no {field}.",
        "所有 {application} 类申请都会被拒绝：没有 {field}。",
    ),
    # -- values ------------------------------------------------------------------------------------
    "policy.article-missing": (
        "{field} is given without {article}: no decision could cite it.",
        "填写了 {field} 而没有 {article}：决定将无法引用条款。",
    ),
    "policy.article-idle": (
        "{article} cites an article for nothing: {field} is not given.",
        "{article} 引用了条款，却没有填写 {field}。",
    ),
    "policy.stage-for-article": (
        "{article} asks for it, and the procedure of New has no stage {stage}.",
        "{article} 有此要求，但 New 的流程没有 {stage} 环节。",
    ),
    "policy.article-for-stage": (
        "the procedure of New has the stage {stage}, and {article} is not given.",
        "New 的流程有 {stage} 环节，但没有填写 {article}。",
    ),
    "policy.reports-idle": (
        "no report is asked for: the stage Reports would be done at once. Name them in delivery.reports.",
        "没有要求任何报告，Reports 环节会立即完成：请在 delivery.reports 中列明。",
    ),
    "policy.billing-never": (
        "billing would never start: {starts_on} needs {needs}.",
        "计费永远不会开始：{starts_on} 需要 {needs}。",
    ),
    "policy.share-idle": (
        "{field} is never looked at: allAreMajor makes every change a major one.",
        "{field} 不起作用：allAreMajor 已将所有变更视为重大变更。",
    ),
    "policy.materials-twice": (
        "the papers of {application} are listed already: only the first list counts.",
        "{application} 的申请材料已列出：只有第一份清单有效。",
    ),
    "policy.materials-first": (
        "an emergency would be refused until these papers are there, while emergency.papersWithin lets them follow.",
        "emergency.papersWithin 允许事后补齐材料，而此处要求先行提交，应急申请将被拒绝。",
    ),
    "policy.level-beyond": (
        "the security baseline knows no controls above level {highest}: a system of level {level} can't be proven "
        "safe.",
        "安全基线没有高于 {highest} 级的控制项：无法证明 {level} 级系统的安全。",
    ),
    "policy.no-time": ("{value} is no time at all.", "{value} 没有时间长度。"),
    "policy.lead-idle": (
        "nothing ends that could be prolonged: extensionLead counts only beside maxDuration.",
        "没有期限就无需延期：extensionLead 只在设有 maxDuration 时有效。",
    ),
    "policy.overdue-idle": (
        "papersOverdue: Shown makes no finding, so nothing cites this article.",
        "papersOverdue: Shown 不产生问题，该条款不会被引用。",
    ),
    "policy.sample-idle": (
        "samplePercent counts only for verification: Sampled.",
        "samplePercent 只在 verification: Sampled 时有效。",
    ),
    "policy.reason-twice": ("{reason} is listed twice.", "{reason} 重复列出。"),
    "policy.day-both": (
        "{day} is both a day off and a make-up workday; the day off would win.",
        "{day} 既是休息日又是调休工作日；系统按休息日处理。",
    ),
    "policy.no-calendar": (
        "there is no public-holiday calendar for country {country}: working days can't be counted.",
        "没有国家 {country} 的节假日历：无法计算工作日。",
    ),
    "policy.no-zone": ("there is no time zone {zone}.", "没有时区 {zone}。"),
    # -- notices -----------------------------------------------------------------------------------
    "policy.notice-missing": (
        "{field} is given and rectification.notices has no entry for {finding}: nothing would carry it out.",
        "填写了 {field}，但 rectification.notices 没有 {finding}：将无从执行。",
    ),
    "policy.notice-idle": (
        "a notice for {finding} is never given: {field} is not given.",
        "没有填写 {field}：永远不会因 {finding} 下发整改通知。",
    ),
}
