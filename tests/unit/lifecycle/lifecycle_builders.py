"""Observations made from the shipped policies, the shipped catalogue and the example application."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import TypeVar

from rules_support import Obj, at, catalog, policy, pool, quota
from rules_support import request as example

from govpool.api.approval import Approval, ApprovalState, Decision, Verdict
from govpool.api.base import FINALIZER, PAUSED_ANNOTATION, Model, Resource
from govpool.api.cloudpolicy import DECIDED_BY_PEOPLE, ApplicationType, CloudPolicy, Stage, StageRule
from govpool.api.cloudresourcerequest import (
    ApprovedRevision,
    CloudResourceRequest,
    CloudResourceRequestStatus,
    RequestContent,
)
from govpool.api.cloudserver import (
    BaselineSummary,
    CloudServer,
    CloudServerStatus,
    Desired,
    DiskPhase,
    DiskStatus,
    HandoverSummary,
    ServerPhase,
)
from govpool.api.tenantquota import Amounts, Reservation, TenantQuota
from govpool.api.wipecertificate import AbsenceProof, BackupProof, Sanitisation
from govpool.api.workorder import (
    DiskResult,
    ServerResult,
    WorkOrder,
    WorkOrderKind,
    WorkOrderSpec,
    WorkOrderState,
    WorkOrderStatus,
)
from govpool.lifecycle import wanted
from govpool.lifecycle.naming import approval_name, made_for, order_name, run_key
from govpool.lifecycle.observation import RequestObservation, SeenInPool, ServerObservation, Unknown
from govpool.lifecycle.stages.context import StageContext
from govpool.rules.procedure import procedure
from govpool.rules.revision import content_of, submission_hash
from govpool_providers.base import (
    GIB,
    Disk,
    DiskState,
    Machine,
    MachineState,
    OverwriteProof,
    Owner,
    Size,
)

R = TypeVar("R", bound=Resource)
UID = "5d0c6f7e-0000-4000-8000-000000000001"
NOW = at("2026-11-23 09:00")
SHA = "a" * 64
CHANGE_FORM = {
    "type": "ChangeForm",
    "reference": "赫数函〔2026〕14号附件2",
    "sha256": SHA,
    "date": "2026-11-16",
}
LEAVE_FORM = CHANGE_FORM | {"type": "DeregistrationForm"}
LEAVES: Obj = {"state": "Deregistered", "deregistration": {"reason": "NoLongerNeeded"}}


def papers(*more: Obj) -> list[Obj]:
    """The example's papers with more."""
    shipped = example().spec.materials
    return [*(paper.model_dump(mode="json", by_alias=True, exclude_none=True) for paper in shipped), *more]


# -- requests ------------------------------------------------------------------------------------
def request(
    patch: Obj | None = None,
    *,
    generation: int = 1,
    status: CloudResourceRequestStatus | None = None,
    finalizers: tuple[str, ...] = (FINALIZER,),
    paused: bool = False,
    deleted: datetime | None = None,
) -> CloudResourceRequest:
    """The example application as an API server stores it."""
    base = example(patch)
    meta = base.metadata.model_copy(
        update={
            "uid": UID,
            "generation": generation,
            "resource_version": str(generation),
            "creation_timestamp": NOW,
            "deletion_timestamp": deleted,
            "finalizers": finalizers,
            "annotations": {PAUSED_ANNOTATION: "true"} if paused else {},
        }
    )
    kind = CloudResourceRequest.DEFINITION.kind
    return base.model_copy(update={"kind": kind, "metadata": meta, "status": status})


def content(patch: Obj | None = None) -> RequestContent:
    return content_of(request(patch).spec)


def revision(
    of: CloudResourceRequest | None = None,
    *,
    number: int = 1,
    application: ApplicationType = ApplicationType.NEW,
    since: datetime = NOW,
) -> ApprovedRevision:
    """The request's content, approved."""
    of = of or request()
    return ApprovedRevision(
        revision=number,
        application=application,
        approval=approval_name(of, number),
        submission_hash=submission_hash(of.spec),
        content=content_of(of.spec),
        at=since,
        decided_by="wang.reviewer",
    )


def observe(
    of: CloudResourceRequest | None = None, *, now: datetime = NOW, **given: object
) -> RequestObservation:
    """The request among everything that it names; any of it may be given otherwise."""
    of = of or request()
    around: dict[str, object] = {
        "policy": policy(),
        "catalog": catalog(),
        "pool": pool(),
        "quota": stored(quota(), version="7"),
    }
    return RequestObservation(request=of, now=now, **(around | given))  # type: ignore[arg-type]


def stored(resource: R, *, version: str = "1", uid: str = "", created: datetime | None = None) -> R:
    """The object with what an API server adds to it."""
    meta = resource.metadata
    update = {
        "resource_version": version,
        "generation": meta.generation or 1,
        "uid": uid or meta.uid or f"uid-{resource.DEFINITION.kind}-{meta.name}",
        "creation_timestamp": created or meta.creation_timestamp or NOW,
    }
    return resource.model_copy(update={"metadata": meta.model_copy(update=update)})


def with_status(resource: R, status: Model | None) -> R:
    return resource.model_copy(update={"status": status})


def decided(
    approval: Approval, *verdicts: Verdict, since: datetime = NOW, state: ApprovalState | None = None
) -> Approval:
    """The Approval with the first steps decided, an hour apart."""
    decisions = [
        Decision(
            stage=step.stage,
            verdict=verdict,
            by=f"{step.role.value}-1",
            opinion="" if verdict is Verdict.APPROVE else "not like this",
            at=since + timedelta(hours=index),
        )
        for index, (step, verdict) in enumerate(zip(approval.spec.steps, verdicts, strict=False))
    ]
    spec = approval.spec.model_copy(update={"decisions": decisions})
    return approval.model_copy(update={"spec": spec})


# -- servers -------------------------------------------------------------------------------------
def planned(
    of: CloudResourceRequest | None = None,
    in_force: ApprovedRevision | None = None,
    existing: Iterable[CloudServer] = (),
) -> wanted.Plan:
    of = of or request()
    return wanted.plan(of, in_force or revision(of), catalog(), existing, "YY-19(3)", NOW.date())


def servers(of: CloudResourceRequest | None = None) -> tuple[CloudServer, ...]:
    """The example's two servers, stored and not looked at yet."""
    return tuple(held(stored(server)) for server in planned(of).wanted)


def held(resource: R) -> R:
    """With govpool's finalizer."""
    meta = resource.metadata.model_copy(update={"finalizers": (FINALIZER,)})
    return resource.model_copy(update={"metadata": meta})


def opened(server: CloudServer, *, since: datetime = NOW, **more: object) -> CloudServer:
    """The server as the pool runs it."""
    status = CloudServerStatus(
        phase=ServerPhase.OPEN,
        vcpu=server.spec.vcpu,
        memory_gib=server.spec.memory_gib,
        revision=server.spec.revision,
        opened_at=since,
        disks=[disk_status(server, disk.key) for disk in server.spec.disks],
    )
    return with_status(server, status.model_copy(update=more))


def hardened(server: CloudServer, *, passed: bool = True, since: datetime = NOW) -> CloudServer:
    """It runs, and its baseline was taken."""
    summary = BaselineSummary(
        report="report", passed=passed, score=100 if passed else 90, at=since, work_order="baseline-1"
    )
    return updated(server if server.status else opened(server), baseline=summary)


def handed_over(server: CloudServer, *, since: datetime = NOW) -> CloudServer:
    summary = HandoverSummary(at=since, proof="login refused", work_order="handover-1")
    return updated(hardened(server), handover=summary, phase=ServerPhase.HANDED_OVER)


def leaving(server: CloudServer, *, number: int = 2, desired: Desired = Desired.RELEASED) -> CloudServer:
    """Its machine is gone and its disks are kept."""
    spec = server.spec.model_copy(update={"desired": desired, "revision": number})
    return updated(handed_over(server), phase=ServerPhase.RELEASED).model_copy(update={"spec": spec})


def updated(server: CloudServer, **update: object) -> CloudServer:
    return with_status(server, (server.status or CloudServerStatus()).model_copy(update=update))


def with_disks(server: CloudServer, **update: object) -> CloudServer:
    """Every disk of the status changed alike."""
    assert server.status is not None
    return updated(server, disks=[disk.model_copy(update=update) for disk in server.status.disks])


def backed_up(server: CloudServer) -> CloudServer:
    assert server.status is not None
    disks = [d.model_copy(update={"backup": backup(d.key)}) for d in server.status.disks]
    return updated(server, disks=disks)


def wiped(server: CloudServer, *, finished: datetime = NOW) -> CloudServer:
    return with_disks(
        backed_up(server),
        phase=DiskPhase.WIPED,
        sanitisation=sanitised(finished=finished),
        wiped_by="doc-approval-wipe-r2",
    )


def gone(server: CloudServer, *, at: datetime = NOW) -> CloudServer:
    proof = AbsenceProof(asked="the pool", at=at, disk_absent=True, copies_found=0)
    left = with_disks(wiped(server), phase=DiskPhase.GONE, absence=proof)
    spec = left.spec.model_copy(update={"desired": Desired.GONE})
    return updated(left, phase=ServerPhase.GONE).model_copy(update={"spec": spec})


# -- disks ---------------------------------------------------------------------------------------
def disk_status(server: CloudServer, key: str) -> DiskStatus:
    want = next(disk for disk in server.spec.disks if disk.key == key)
    return DiskStatus(
        key=key,
        name=want.name,
        root=want.root,
        provider_id=f"vol-{key}",
        size_bytes=want.size_gib * GIB,
        medium="memory",
        overwrite="InPlace",
        phase=DiskPhase.PRESENT,
        held_data=True,
    )


def backup(key: str, *, taken: datetime = NOW) -> BackupProof:
    return BackupProof(
        medium_key=key, place="repo", snapshot=f"s-{key}", sha256=SHA, bytes=GIB, files=3, taken=taken
    )


def sanitised(
    *,
    size: int = GIB,
    started: datetime | None = None,
    finished: datetime = NOW,
    result: str = "Passed",
) -> Sanitisation:
    """A wipe of a disk, read back in full."""
    return Sanitisation.model_validate(
        {
            "techniqueClass": "Clear",
            "technique": "OverwriteKeyedStream",
            "tool": "govpool_wipe",
            "toolVersion": "1",
            "keyFingerprint": "9f" * 16,
            "started": (started or finished).isoformat(),
            "finished": finished.isoformat(),
            "bytesWritten": size,
            "bytesPerSecond": size,
            "verification": {
                "method": "Full",
                "blockBytes": 65536,
                "blocksRead": size // 65536,
                "bytesVerified": size,
                "readBack": "O_DIRECT",
                "result": result,
                "at": finished.isoformat(),
            },
            "discard": "Done" if result == "Passed" else "Kept",
        }
    )


# -- work orders ---------------------------------------------------------------------------------
def order(
    work: WorkOrderKind,
    over: Iterable[CloudServer] = (),
    *,
    number: int = 1,
    state: WorkOrderState | None = None,
    **status: object,
) -> WorkOrder:
    """The work order of one revision; without a state, nobody looked at it yet."""
    of = request()
    spec = WorkOrderSpec(
        work=work,
        request={"name": of.metadata.name, "uid": UID},
        revision=number,
        approval=approval_name(of, number),
        pool=of.spec.pool,
        servers=[server.metadata.name for server in over],
        run_key=run_key(UID, work, number),
        started_by=NOW,
        article="YY-21(2)",
    )
    made = WorkOrder(
        kind=WorkOrder.DEFINITION.kind, metadata=made_for(of, order_name(of, work, number)), spec=spec
    )
    if state is None:
        return stored(made)
    ended = NOW if state in (WorkOrderState.SUCCEEDED, WorkOrderState.FAILED) else None
    return with_status(stored(made), WorkOrderStatus(state=state, finished=ended).model_copy(update=status))


def server_result(server: CloudServer, *, ok: bool = True, **facts: str) -> ServerResult:
    return ServerResult(server=server.metadata.name, ok=ok, facts=facts)


def wipe_results(server: CloudServer, *, ok: bool = True, finished: datetime = NOW) -> list[DiskResult]:
    done = sanitised(finished=finished, result="Passed" if ok else "Failed")
    return [
        DiskResult(server=server.metadata.name, disk=disk.key, ok=ok, sanitisation=done)
        for disk in server.spec.disks
    ]


# -- quota ---------------------------------------------------------------------------------------
def reserved(amounts: Amounts, *, number: int = 1, uid: str = UID) -> TenantQuota:
    """The unit's envelope with one reservation."""
    reservation = Reservation(
        request_uid=uid, request="doc-approval", pool="local-pool", revision=number, amounts=amounts
    )
    one = quota({"reservations": [reservation.model_dump(by_alias=True)]})
    return stored(one, version="7")


# -- stages --------------------------------------------------------------------------------------
def stage(
    name: Stage,
    of: CloudResourceRequest | None = None,
    *,
    now: datetime = NOW,
    before: datetime = NOW,
    in_force: ApprovedRevision | None = None,
    under: CloudPolicy | None = None,
    rule: StageRule | None = None,
    **given: object,
) -> StageContext:
    """What a stage of the policy looks at."""
    of = of or request()
    in_force = in_force or revision(of)
    under = under or policy()
    observation = observe(of, now=now, policy=under, **given)
    return StageContext(
        rule=rule or stage_rule(under, in_force.application, name),
        observation=observation,
        policy=under,
        catalog=catalog(),
        approved=in_force,
        status=of.status or CloudResourceRequestStatus(),
        plan=planned(of, in_force, observation.servers),
        before=before,
    )


def stage_rule(under: CloudPolicy, application: ApplicationType, name: Stage) -> StageRule:
    """The policy's own rule; a change takes those of a new application that it has none for."""
    for kind in (application, ApplicationType.NEW, ApplicationType.DEREGISTRATION):
        found = next((r for r in procedure(under.spec, kind).stages if r.stage is name), None)
        if found is not None and name not in DECIDED_BY_PEOPLE:
            return found
    raise LookupError(f"{under.metadata.name} has no stage {name}")


# -- pools ---------------------------------------------------------------------------------------
def machine(server: CloudServer, state: MachineState = MachineState.ACTIVE, **more: object) -> Machine:
    facts: dict[str, object] = {
        "key": server.spec.key,
        "provider_id": "m-1",
        "state": state,
        "size": Size(server.spec.vcpu, server.spec.memory_gib),
        "image": server.spec.image,
        "addresses": ("10.0.0.2",),
        "owner": Owner(UID, "doc-approval", "heshan-data-bureau", server.spec.revision),
    }
    return Machine(**(facts | more))  # type: ignore[arg-type]


def pool_disks(server: CloudServer, state: DiskState = DiskState.ATTACHED) -> tuple[Disk, ...]:
    return tuple(
        Disk(
            disk.key,
            disk.name,
            server.spec.key,
            f"vol-{disk.key}",
            disk.size_gib * GIB,
            disk.root,
            state,
            "memory",
            OverwriteProof.IN_PLACE,
        )
        for disk in server.spec.disks
    )


def look(
    server: CloudServer,
    seen: Machine | Unknown | None,
    disks: tuple[Disk, ...] = (),
    *,
    copies: dict[str, int] | None = None,
    now: datetime = NOW,
    orders: tuple[WorkOrder, ...] = (),
    of: CloudResourceRequest | None = None,
) -> ServerObservation:
    """A server and what the pool said of it."""
    what = seen if isinstance(seen, Unknown) else SeenInPool(seen, disks, copies or {})
    return ServerObservation(
        server=server, now=now, pool=pool(), seen=what, orders=orders, request=of or request()
    )
