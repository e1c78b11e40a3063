"""The demo's acts, in the order of the regulation: from the application to the wipe certificate."""

from __future__ import annotations

import asyncio
import math
import secrets
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import cast

from govpool.api.approval import Approval
from govpool.api.baselinereport import BaselineReport, ControlResult
from govpool.api.cloudpolicy import ReportType
from govpool.api.cloudpolicy import Stage as At
from govpool.api.cloudpool import CloudPool
from govpool.api.cloudserver import CloudServer
from govpool.api.workorder import WorkOrder, WorkOrderKind
from govpool.cli import confirmations
from govpool.cli.api import documents
from govpool.cli.clock import moved
from govpool.cli.data import shipped
from govpool.cli.decisions import Verdicts, decide
from govpool.cli.demo.ending import certified
from govpool.cli.demo.screen import Step, command
from govpool.cli.demo.stage import REQUEST, Stage, manifest, own_pool, own_quota, own_request
from govpool.cli.demo.unit import holds, make_key, set_aside
from govpool.cli.demo.workspace import NAMESPACE
from govpool.cli.errors import CliError
from govpool.cli.story import BEIJING, moment
from govpool.effects.kube import Json

PATCH = f"kubectl patch crr {REQUEST}"
QUICK, MACHINES, PLAYBOOK, WIPE = 60.0, 400.0, 400.0, 900.0
"""Seconds that a wait may take before the demo says where it stands and ends."""


@dataclass(slots=True)
class Seen:
    """What the acts found out, for the summary."""

    certificate: Path | None = None
    images: list[Path] = field(default_factory=list)
    pages: list[str] = field(default_factory=list)


async def tour(stage: Stage, seen: Seen) -> None:
    """The whole story."""
    await supply(stage)
    first = await application(stage)
    await opening(stage, first, seen)
    await delivery(stage, first)
    second = await change(stage, first, seen)
    third = await deregistration(stage, second, seen)
    seen.certificate = await certified(stage, third, seen.images)


async def supply(stage: Stage) -> None:
    """What platform engineers keep through GitOps: regulation, catalogue, pool, the unit and its quota."""
    workspace, screen = stage.workspace, stage.screen
    with screen.step("supply") as step:
        folder = workspace.manifests
        (folder / "policy.yaml").write_text((shipped("policies") / "yiyang-2025.yaml").read_text())
        manifest(workspace, "01-supply.yaml", lambda document: own_pool(workspace, document))
        manifest(workspace, "02-unit.yaml", lambda document: own_quota(workspace, document))
        files = ("policy.yaml", "01-supply.yaml", "02-unit.yaml")
        given = [part for name in files for part in ("-f", str(folder / name))]
        await stage.kubectl("admin", "apply", "--server-side", *given)
        shown = "-f policies/yiyang-2025.yaml -f examples/01-supply.yaml -f examples/02-unit.yaml"
        step.note(command(f"kubectl apply --server-side {shown}", "admin"))
        secret: Json = {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": f"{workspace.pool_name}-backup", "namespace": "govpool-system"},
            "stringData": {"password": secrets.token_urlsafe(32)},
        }
        # Through standard input: an argument list can be read by everybody on the machine.
        await stage.apis["admin"].core_create("secrets", "govpool-system", secret)
        await _not_before_the_papers(stage, step)
        async for _, pool in stage.apis["admin"].watch(CloudPool, name=workspace.pool_name):
            if pool.status is not None and pool.status.reachable:
                break


async def _not_before_the_papers(stage: Stage, step: Step) -> None:
    """The examples' papers bear dates; on a machine whose clock is behind them, time is moved on to them."""
    names = ("03-request.yaml", "04-change.yaml", "05-deregister.yaml")
    found = [d for name in names for d in documents(shipped("examples") / name)]
    specs = [cast(dict[str, list[dict[str, str]]], document["spec"]) for document in found]
    latest = max(material["date"] for spec in specs for material in spec["materials"])
    days = days_behind(latest, await stage.apis["admin"].now())
    if days > 0:
        await moved(stage.apis["admin"], f"P{days}D")
        step.note(stage.screen.text("papers-ahead", latest=latest, days=days))


def days_behind(latest: str, now: datetime) -> int:
    """How many days a clock must be moved on for the day ``latest`` (in Beijing) to be over; 0 for none."""
    over = datetime.fromisoformat(latest).replace(tzinfo=BEIJING) + timedelta(days=1)
    return max(0, math.ceil((over - now) / timedelta(days=1)))


async def application(stage: Stage) -> Approval:
    """The unit applies; the acceptance desk and the reviewer decide."""
    screen, view = stage.screen, stage.view
    screen.chapter("chapter-application")
    with screen.step("apply") as step:
        public_key = make_key(stage.workspace.unit_key)
        path = manifest(
            stage.workspace, "03-request.yaml", lambda d: own_request(stage.workspace, public_key, d)
        )
        await stage.kubectl("unit", "apply", "-f", str(path))
        step.note(command("kubectl apply -f examples/03-request.yaml", "unit"))
        approval = await view.until(lambda: view.pending(0), seconds=QUICK, says=step.says)
        for line in _approval_lines(stage, approval):
            step.note(line)
    for user in ("acceptor", "reviewer"):
        with screen.step(f"decide-{user}") as step:
            await stage.approve(step, user, approval)
            if user == "acceptor":
                await view.until(
                    lambda: next((s for s in [view.pending(0)] if s and s.spec.decisions), None),
                    seconds=QUICK,
                    says=step.says,
                )
    return approval


def _approval_lines(stage: Stage, approval: Approval) -> list[str]:
    spec, text = approval.spec, stage.screen.text
    due = approval.status.due if approval.status else None
    lines = [
        text(
            "approval",
            name=approval.metadata.name,
            application=spec.application.value,
            fee=spec.fee_per_year,
            steps=" → ".join(f"{s.stage.value} ({s.role.value})" for s in spec.steps),
            due=moment(due),
        )
    ]
    return lines + [f"{c.field}: {c.before or '-'} → {c.after or '-'}" for c in spec.changes if c.before]


async def opening(stage: Stage, approval: Approval, seen: Seen) -> None:
    """Quota, servers, baseline, handover: what follows from the approval without anybody's doing."""
    screen, view, revision = stage.screen, stage.view, approval.spec.revision
    screen.chapter("chapter-opening")
    with screen.step("quota") as step:
        done = await view.until(lambda: view.done(At.QUOTA, revision), seconds=QUICK, says=step.says)
        step.note(f"{done.message} [{done.article}]")
    await _opened(stage, revision, seen)


async def _opened(stage: Stage, revision: int, seen: Seen) -> None:
    screen, view = stage.screen, stage.view
    with screen.step("open") as step:
        await view.until(lambda: view.done(At.PROVISION, revision), seconds=MACHINES, says=step.says)
        for server in stage.servers:
            step.note(_server_line(server))
    with screen.step("baseline") as step:
        done = await view.until(lambda: view.done(At.BASELINE, revision), seconds=PLAYBOOK, says=step.says)
        reports = [r for r in view.all(BaselineReport) if r.spec.revision == revision]
        for report in reports:
            step.note(_report_line(stage, report))
        seen.pages += [report.spec.page for report in reports]
        step.note(screen.text("gate", article=done.article))
    with screen.step("handover") as step:
        await view.until(lambda: view.done(At.HANDOVER, revision), seconds=PLAYBOOK, says=step.says)
        order = view.order(WorkOrderKind.HANDOVER, revision)
        for server in stage.servers:
            handover = server.status.handover if server.status else None
            if handover is not None and order is not None and handover.work_order == order.metadata.name:
                step.note(f"{server.metadata.name}: {handover.proof}")


def _server_line(server: CloudServer) -> str:
    status = server.status
    if status is None:
        return server.metadata.name
    disks = ", ".join(f"{disk.name} {disk.size_bytes / 2**30:g} GiB" for disk in status.disks)
    size = f"{status.vcpu} vCPU, {status.memory_gib} GiB"
    return f"{server.metadata.name}  {', '.join(status.addresses)}  {size}  ({disks})"


def _report_line(stage: Stage, report: BaselineReport) -> str:
    spec = report.spec
    mended = [control for control in spec.controls if control.mended]
    failing = sum(c.result in (ControlResult.FAIL, ControlResult.ERROR) for c in spec.controls)
    example = next((f"{c.id} {c.title} ({c.clause})" for c in mended), "-")
    return stage.screen.text(
        "report",
        server=spec.server,
        controls=len(spec.controls),
        found=len(mended) + failing,
        mended=len(mended),
        failing=failing,
        score=spec.score,
        example=example,
    )


async def delivery(stage: Stage, approval: Approval) -> None:
    """The trial with the unit's own work on the machines; its report; delivery, and with it billing."""
    screen, view, revision = stage.screen, stage.view, approval.spec.revision
    screen.chapter("chapter-trial")
    await view.until(lambda: view.waits_for_unit(At.TRIAL, revision), seconds=QUICK)
    await _mark(stage, stage.servers)
    with screen.step("clock") as step:
        trial = view.status.trial
        if trial is None:
            raise CliError("the trial has no days")
        admin = stage.apis["admin"]
        days = math.ceil((trial.ends - await admin.now()) / timedelta(days=1))
        await moved(admin, f"P{days}D")
        step.note(command(f"govpool clock advance P{days}D", "admin"))
        await view.until(lambda: view.waits_for_unit(At.REPORTS, revision), seconds=QUICK, says=step.says)
        step.note(screen.text("trial", started=moment(trial.started), ends=moment(trial.ends)))
    with screen.step("trial-report") as step:
        paper = shipped("examples") / "papers" / "trial-report.md"
        if not paper.exists():
            paper = stage.workspace.manifests / "trial-report.md"
            paper.write_text(screen.text("trial-report-text"))
        filed = await confirmations.report(
            await stage.speaker(""), ReportType.TRIAL, paper, "赫数函〔2026〕14号附件4"
        )
        step.note(command(f"govpool confirm report {REQUEST} {paper.name} --as unit"))
        step.note(f"{filed.type.value}: SHA-256 {filed.sha256}")
        await view.until(
            lambda: view.waits_for_unit(At.CONFIRMATION, revision), seconds=QUICK, says=step.says
        )
    with screen.step("delivery") as step:
        await confirmations.delivery(await stage.speaker("资源发放完成"))
        step.note(command(f"govpool confirm delivery {REQUEST} --as unit"))
        status = await view.until(lambda: view.applied(revision), seconds=QUICK, says=step.says)
        billing = status.billing
        step.note(
            screen.text(
                "billing",
                started=moment(billing.started),
                article=billing.started_article,
                fee=status.fee_per_year,
            )
        )


async def _mark(stage: Stage, servers: list[CloudServer]) -> None:
    """The unit logs in with its own key and writes the marker onto every disk."""
    if not stage.real:
        return
    with stage.screen.step("marker", servers=len(servers)) as step:
        for server in servers:
            step.says(server.metadata.name)
            await stage.unit.leave_marker(server)
        step.note(command("ssh heshan-admin@… 'sudo tee /data/*/govpool-demo.txt'", "unit"))
        step.note(stage.unit.marker)


async def change(stage: Stage, first: Approval, seen: Seen) -> Approval:
    """More memory and one server more: nothing before the approval, exactly the approved after it."""
    screen, view = stage.screen, stage.view
    screen.chapter("chapter-change")
    before = _shape(stage.servers)
    patch = shipped("examples") / "04-change.yaml"
    with screen.step("change") as step:
        await _patch(stage, patch)
        step.note(
            command(f"kubectl patch crr {REQUEST} --type merge --patch-file examples/04-change.yaml", "unit")
        )
        asked = await view.until(lambda: view.pending(first.spec.revision), seconds=QUICK, says=step.says)
        for line in _approval_lines(stage, asked):
            step.note(line)
        _unchanged(stage, before, step)
    with screen.step("edit") as step:
        edit = '[{"op": "replace", "path": "/spec/servers/1/item", "value": "ecs-2c2g"}]'
        await stage.kubectl("unit", "patch", "crr", REQUEST, "-n", NAMESPACE, "--type", "json", "-p", edit)
        step.note(command(f"{PATCH} --type json -p '{edit}'", "unit"))
        newest = await view.until(lambda: view.pending(asked.spec.revision), seconds=QUICK, says=step.says)
        overtaken = await view.until(lambda: view.superseded(asked.metadata.name), seconds=QUICK)
        step.note(screen.text("superseded", old=overtaken.metadata.name, new=newest.metadata.name))
        try:
            await decide(stage.apis["reviewer"], overtaken, Verdicts(), screen.language)
        except CliError as error:
            step.note(screen.text("refused", why=error))
        else:
            raise CliError(f"{overtaken.metadata.name} was superseded, and could be decided all the same")
        _unchanged(stage, before, step)
    with screen.step("decide-reviewer") as step:
        await stage.approve(step, "reviewer", newest)
    await _opened(stage, newest.spec.revision, seen)
    with screen.step("exactly") as step:
        revision = newest.spec.revision
        await view.until(lambda: view.applied(revision), seconds=QUICK, says=step.says)
        _exactly(stage, newest, step)
    await _mark(stage, [s for s in stage.servers if s.metadata.name not in before])
    return newest


async def _patch(stage: Stage, file: Path) -> None:
    await stage.kubectl(
        "unit", "patch", "crr", REQUEST, "-n", NAMESPACE, "--type", "merge", "--patch-file", str(file)
    )


def _shape(servers: list[CloudServer]) -> dict[str, tuple[int, int, int]]:
    """What could have changed of a server: vCPU, memory, revision of its spec."""
    return {
        s.metadata.name: (s.status.vcpu, s.status.memory_gib, s.metadata.generation)
        for s in servers
        if s.status is not None
    }


def _unchanged(stage: Stage, before: dict[str, tuple[int, int, int]], step: Step) -> None:
    now = _shape(stage.servers)
    if now != before:
        raise CliError(f"servers changed before the approval: {before} became {now}")
    step.note(stage.screen.text("unchanged", servers=len(now)))


def _exactly(stage: Stage, approval: Approval, step: Step) -> None:
    content = approval.spec.content
    wanted = sorted((group.name, group.item) for group in content.servers for _ in range(group.count))
    found = sorted((server.spec.group, server.spec.item) for server in stage.servers)
    if found != wanted:
        raise CliError(f"approved were {wanted}, there are {found}")
    for server in stage.servers:
        step.note(_server_line(server))


async def deregistration(stage: Stage, before: Approval, seen: Seen) -> int:
    """The end of use: approved, backed up with a receipt, wiped, verified, reclaimed, confirmed."""
    screen, view = stage.screen, stage.view
    screen.chapter("chapter-end")
    with screen.step("deregister") as step:
        await _patch(stage, shipped("examples") / "05-deregister.yaml")
        step.note(
            command(
                f"kubectl patch crr {REQUEST} --type merge --patch-file examples/05-deregister.yaml", "unit"
            )
        )
        asked = await view.until(lambda: view.pending(before.spec.revision), seconds=QUICK, says=step.says)
    with screen.step("decide-reviewer") as step:
        await stage.approve(step, "reviewer", asked)
    revision = asked.spec.revision
    with screen.step("backup") as step:
        await view.until(lambda: view.waits_for_unit(At.BACKUP, revision), seconds=WIPE, says=step.says)
        for line in _backup_lines(view.order(WorkOrderKind.BACKUP, revision)):
            step.note(line)
    if stage.searchable:
        with screen.step("search-before") as step:
            seen.images = set_aside(stage.workspace, stage.servers)
            found = await _search(stage, seen.images, step)
            step.note(screen.text("found", found=found, disks=len(seen.images)))
            if found != len(seen.images):
                raise CliError(
                    f"the marker is on {found} of {len(seen.images)} disks: it was not written out"
                )
    with screen.step("receipt") as step:
        given = await confirmations.backup(await stage.speaker("已收到备份"))
        step.note(command(f"govpool confirm backup {REQUEST} --as unit"))
        step.note(f"SHA-256 {given.receipt_sha256}")
    with screen.step("wipe") as step:
        await view.until(lambda: view.done(At.WIPE, revision), seconds=WIPE, says=step.says)
        for line in _wipe_lines(view.order(WorkOrderKind.WIPE, revision)):
            step.note(line)
    with screen.step("reclaim") as step:
        done = await view.until(lambda: view.done(At.RECLAIM, revision), seconds=MACHINES, says=step.says)
        step.note(done.message)
    with screen.step("termination") as step:
        await view.until(lambda: view.waits_for_unit(At.TERMINATION, revision), seconds=QUICK)
        await confirmations.termination(await stage.speaker("服务终止"))
        step.note(command(f"govpool confirm termination {REQUEST} --as unit"))
        status = await view.until(lambda: view.applied(revision), seconds=QUICK, says=step.says)
        ended = status.billing
        step.note(screen.text("billing-ended", ended=moment(ended.ended), article=ended.ended_article))
    return revision


async def _search(stage: Stage, images: list[Path], step: Step) -> int:
    found = 0
    for image in images:
        step.says(image.name)
        found += await asyncio.to_thread(holds, image, stage.unit.marker)
    return found


def _backup_lines(order: WorkOrder | None) -> list[str]:
    status = order.status if order else None
    if status is None:
        return []
    proofs = [disk.backup for disk in status.disks if disk.backup]
    size = sum(proof.bytes for proof in proofs) / 2**20
    return [f"{len(proofs)} restic snapshots, {size:.0f} MiB", f"receipt SHA-256 {status.receipt_sha256}"]


def _wipe_lines(order: WorkOrder | None) -> list[str]:
    status = order.status if order else None
    lines = []
    for disk in status.disks if status else []:
        done = disk.sanitisation
        if done is not None:
            lines.append(
                f"{disk.disk}  {done.tool}: {done.bytes_written / 2**20:.0f} MiB overwritten, "
                f"{done.verification.method.value} read-back {done.verification.result.value}"
            )
    return lines
