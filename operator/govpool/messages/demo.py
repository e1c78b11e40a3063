"""Texts of the demo (演示)."""

from __future__ import annotations

from collections.abc import Mapping

TEXTS: Mapping[str, tuple[str, str]] = {
    # -- chapters
    "demo.chapter-ground": ("Start", "启动"),
    "demo.chapter-application": (
        "Application and approval, under the Interim Measures of Yiyang, article 19",
        "申请与审批（益阳市市级政务云管理暂行办法第十九条）",
    ),
    "demo.chapter-opening": (
        "Opening: what follows from the approval by itself",
        "资源开通（获批后自动办理）",
    ),
    "demo.chapter-trial": ("Trial and delivery", "测试（试运行）与交付"),
    "demo.chapter-change": (
        "Change, article 20: more memory and one server more",
        "资源变更（第二十条）：增加内存并增加一台云服务器",
    ),
    "demo.chapter-end": (
        "Deregistration, article 21: backup, wipe, reclaim",
        "资源注销（第二十一条）：备份、清除、回收",
    ),
    "demo.chapter-certificate": ("Wipe certificate", "数据销毁证书"),
    "demo.chapter-summary": ("Done", "完成"),
    "demo.chapter-stopped": ("Stopped: cleaning up", "已中止，正在清理"),
    # -- steps
    "demo.ground": ("The ground is checked (govpool doctor)", "检查运行环境（govpool doctor）"),
    "demo.ground-found": (
        "{checked} {checked:thing|things} tried, {lacking} lacking",
        "共检查 {checked} 项，缺 {lacking} 项",
    ),
    "demo.cloud": ("The cloud {cloud} is asked", "连接云平台 {cloud}"),
    "demo.cloud-found": ("it answers; {free} vCPU may still be taken", "已连通；尚可使用 {free} 个vCPU"),
    "demo.no-cloud": (
        "a demo on OpenStack needs a cloud: name yours with --cloud-file FILE, whose 'cloud' is an entry of "
        "clouds.yaml (as OS_CLOUD would name it; docs/openstack-pool.md shows the file). In a clone of govpool's "
        "repository, `make demo POOL=openstack` brings up a control plane of its own, with machines.",
        "在OpenStack上演示需要一个云：请用 --cloud-file 文件 指明，其中 cloud 为 clouds.yaml 中的条目"
        "（即OS_CLOUD所指，格式见 docs/openstack-pool.md）。"
        "在govpool源码目录中执行 `make demo POOL=openstack` 会自行启动OpenStack及云服务器。",
    ),
    "demo.not-swept": (
        "not removed: {why}. If that cloud is no more, delete {path}.",
        "未能清理：{why}。如该云已不存在，请删除 {path}。",
    ),
    "demo.sweep": ("What a killed demo left is removed: {path}", "清理此前被终止的演示：{path}"),
    "demo.image": (
        "The machines' base image is built, once on this host: {folder}",
        "构建云服务器基础镜像（本机仅一次）：{folder}",
    ),
    "demo.control-plane": ("The embedded control plane starts", "启动内嵌控制面"),
    "demo.operator": ("The operator starts", "启动运维系统"),
    "demo.supply": (
        "Regulation, service catalogue, pool, the unit and its quota are applied",
        "录入管理办法、服务目录、资源池、云使用单位及其额度",
    ),
    "demo.papers-ahead": (
        "this machine's date is before the papers ({latest}): the control plane's clock is moved on {days} {days:day|days}",
        "本机日期早于申请材料日期（{latest}）：控制面时钟前拨 {days} 天",
    ),
    "demo.apply": ("The unit applies", "云使用单位提交申请"),
    "demo.approval": (
        "{name}: {application}, CNY {fee} a year; {steps}; due {due}",
        "{name}：{application}，每年 {fee} 元；{steps}；时限 {due}",
    ),
    "demo.decide-acceptor": ("The acceptance desk accepts", "受理人员受理"),
    "demo.decide-reviewer": ("The reviewer approves", "审核人员批准"),
    "demo.quota": ("The quota is reserved", "预留额度"),
    "demo.open": ("The servers are opened", "开通云服务器"),
    "demo.baseline": (
        "Security baseline GB/T 22239-2019: audited, mended, audited again",
        "安全基线（GB/T 22239-2019）：检测、整改、复测",
    ),
    "demo.report": (
        "{server}: {controls} {controls:control|controls}, {found} found failing, {mended} mended, {failing} still failing, "
        "score {score} %. Mended, for example: {example}",
        "{server}：共 {controls} 项，初检不符合 {found} 项，整改 {mended} 项，仍不符合 {failing} 项，"
        "得分 {score} %。整改示例：{example}",
    ),
    "demo.gate": ("the gate passed [{article}]", "通过安全基线 [{article}]"),
    "demo.handover": (
        "Handover: the operator's key and account are gone, and a login with them is refused",
        "交付：运维方密钥和账号已清除，登录被拒绝",
    ),
    "demo.marker": (
        "The unit logs in with its own key and writes a marker onto every disk of {servers} server(s)",
        "云使用单位使用自有密钥登录，在 {servers} 台云服务器的每块磁盘写入标记",
    ),
    "demo.clock": ("The clock is moved past the trial", "时钟拨至测试（试运行）期满"),
    "demo.trial": ("trial {started} – {ends}", "测试（试运行）期 {started} – {ends}"),
    "demo.trial-report": ("The unit files its trial report", "云使用单位提交测试报告"),
    "demo.trial-report-text": (
        "Trial report of the document approval system: every function was tested for a month without fault.\n",
        "公文审批系统测试报告：各项功能经一个月测试，运行正常。\n",
    ),
    "demo.delivery": ("The unit confirms delivery; billing starts", "云使用单位确认交付，开始计费"),
    "demo.billing": (
        "billing since {started} [{article}], CNY {fee} a year",
        "自 {started} 起计费 [{article}]，每年 {fee} 元",
    ),
    "demo.change": ("The unit applies for a change", "云使用单位申请变更"),
    "demo.unchanged": (
        "before the approval nothing happens: all {servers} servers are as they were",
        "获批前不执行任何操作：{servers} 台云服务器均无变化",
    ),
    "demo.edit": ("An edit made meanwhile is a new revision", "审批期间再次修改，生成新版本"),
    "demo.superseded": ("{old} is superseded by {new}", "{old} 已被 {new} 取代"),
    "demo.refused": ("deciding the old one is refused: {why}", "办理旧审批单被拒绝：{why}"),
    "demo.exactly": ("Exactly what was approved is there", "资源与批准内容完全一致"),
    "demo.deregister": ("The unit applies for deregistration", "云使用单位申请注销"),
    "demo.backup": ("The servers are taken away, their disks backed up", "云服务器下线，磁盘数据备份"),
    "demo.search-before": ("The raw disk images are searched for the marker", "在磁盘原始镜像中搜索标记"),
    "demo.found": ("found on {found} of {disks} {disks:disk|disks}", "{disks} 块磁盘中 {found} 块含有标记"),
    "demo.receipt": ("The unit confirms the backup's receipt", "云使用单位确认备份回执"),
    "demo.wipe": ("Every disk is overwritten and read back in full", "逐盘覆写并全盘回读核验"),
    "demo.reclaim": ("Everything is reclaimed and seen to be gone", "回收全部资源并核实"),
    "demo.termination": (
        "The unit confirms the end of service; billing ends",
        "云使用单位确认服务终止，停止计费",
    ),
    "demo.billing-ended": ("billing ended {ended} [{article}]", "{ended} 停止计费 [{article}]"),
    "demo.certificate": ("The certificate is signed and chained", "证书已签名并链接"),
    "demo.certificate-line": (
        "{number}, {article}: {media} media; verified by {verified}, validated by {validated}",
        "{number}，{article}：介质 {media} 件；核验 {verified}，确认 {validated}",
    ),
    "demo.verify": ("The certificate is verified without the cluster", "脱离集群验证证书"),
    "demo.forged": ("a copy with one figure changed: {why}", "改动一个数字的副本：{why}"),
    "demo.search-after": (
        "The very same disk images are searched again",
        "再次搜索同一批磁盘原始镜像",
    ),
    "demo.nothing-found": (
        "nothing found on any of {disks}; the pool has {names} of them left",
        "{disks} 块磁盘均未发现标记；资源池中剩余 {names} 块",
    ),
    "demo.leave": ("Everything is stopped and removed", "停止并清理"),
    "demo.nothing-left": (
        "no process, mount, loop device, bridge, route or folder of the demo is left",
        "未遗留进程、挂载、回环设备、网桥、路由和目录",
    ),
    "demo.left": ("{count} {count:thing is|things are} left, see above", "仍有 {count} 项遗留，见上"),
    # -- the rest
    "demo.not-real": (
        "On the fixture pool the same way is gone in memory. Real: the control plane, kubectl, the approvals, "
        "the clock, the certificate's signature and chain. Not real: machines, SSH, the baseline's findings, "
        "backup and wipe; the marker is left out, and the certificate says that its tool is simulated.",
        "演示资源池在内存中走完同一流程。真实的：控制面、kubectl、审批、时钟、证书签名与链。"
        "非真实的：云服务器、SSH、基线检测结果、备份与清除；不写入标记，证书注明工具为模拟。",
    ),
    "demo.go-on": ("Go on with the fixture pool?", "是否使用演示资源池继续？"),
    "demo.mend-or-fixture": (
        "Mend what is lacking, or run: govpool demo --pool fixture",
        "请补齐所缺条件，或执行：govpool demo --pool fixture",
    ),
    "demo.interrupted": ("the demo was stopped", "演示已中止"),
    "demo.cleaning": ("Cleaning up, a moment please.", "正在清理，请稍候。"),
    "demo.kept": (
        "It took {seconds} s. What exists now: {certificate}, its page, the baseline reports, the receipts, the "
        "story in both languages, the manifests and logs, all in {keep}. Machines, disks and backup are gone.",
        "用时 {seconds} 秒。现存：{certificate} 及其打印页、基线报告、回执、双语办理经过、清单和日志，"
        "均在 {keep}。云服务器、磁盘和备份均已清除。",
    ),
    "demo.try-next": (
        "Try next:\n"
        "  govpool certificate verify {certificate} --key {public}\n"
        "  govpool up --policies              # a control plane of your own; it says how to use kubectl with it\n"
        "  kubectl explain cloudresourcerequest.spec\n"
        "  govpool status --help",
        "下一步：\n"
        "  govpool certificate verify {certificate} --key {public}\n"
        "  govpool up --policies              # 启动自己的控制面，并提示如何使用 kubectl\n"
        "  kubectl explain cloudresourcerequest.spec\n"
        "  govpool status --help",
    ),
}
