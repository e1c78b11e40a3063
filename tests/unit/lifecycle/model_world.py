"""A world in memory that carries decisions out: an API server, a pool, executors, and people.

It refuses what the real ones refuse (stale versions, what the CRDs forbid) and knows by itself what was
approved, so that its checks do not rest on what they check.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from lifecycle_builders import NOW, UID, backup, sanitised
from lifecycle_builders import request as example
from model_pool import ModelPool, PoolFault
from rules_support import catalog, policy, pool, quota

from govpool.api.approval import Approval, ApprovalState, Decision, Verdict
from govpool.api.auditrecord import AuditRecord, record_name
from govpool.api.base import (
    FINALIZER,
    PAUSED_ANNOTATION,
    REQUEST_LABEL,
    RETRY_ANNOTATION,
    SETTLED_LABEL,
    Model,
    ObjectMeta,
    Resource,
)
from govpool.api.cloudpolicy import Role
from govpool.api.cloudpool import CloudPool
from govpool.api.cloudresourcerequest import CloudResourceRequest, RequestContent, RequestPhase
from govpool.api.cloudserver import CloudServer, CloudServerStatus, Desired
from govpool.api.tenantquota import Amounts, TenantQuota
from govpool.api.wipecertificate import GENESIS, WipeCertificate
from govpool.api.workorder import (
    DiskResult,
    ServerResult,
    WorkOrder,
    WorkOrderKind,
    WorkOrderState,
    WorkOrderStatus,
)
from govpool.effects.audit import draft
from govpool.lifecycle import approval as approval_core
from govpool.lifecycle import decision as core
from govpool.lifecycle import pool as pool_core
from govpool.lifecycle import request as request_core
from govpool.lifecycle import server as server_core
from govpool.lifecycle import work_order as order_core
from govpool.lifecycle.actions import (
    Action,
    AddDisks,
    Announce,
    Create,
    DeleteDisk,
    EnsureMachine,
    HoldFinalizer,
    IssueCertificate,
    LetGo,
    Record,
    ReleaseMachine,
    ResizeMachine,
    Settle,
    StartRun,
    WriteQuota,
    WriteSpec,
    WriteStatus,
)
from govpool.lifecycle.observation import (
    ApprovalObservation,
    OrderObservation,
    PoolObservation,
    RequestObservation,
    ServerObservation,
    Unknown,
)
from govpool.lifecycle.wanted import LEAVING
from govpool.rules.audit_chain import Anchor, linked, verify_trail
from govpool.rules.certificate import certificate_hash, missing

POOL_ACTIONS = (EnsureMachine, ResizeMachine, AddDisks, ReleaseMachine, DeleteDisk)
ENDED = (WorkOrderState.SUCCEEDED, WorkOrderState.FAILED)
Key = tuple[str, str, str]


class Conflict(Exception):
    """409: somebody wrote the object meanwhile, or it is not there any more."""


@dataclass
class World:
    """Everything there is, and what the checks remember of it."""

    now: datetime = NOW
    objects: dict[Key, Resource] = field(default_factory=dict)
    pool: ModelPool = field(default_factory=ModelPool)
    version: int = 100
    operator: int = 1
    running: set[Key] = field(default_factory=set)
    approved: list[RequestContent] = field(default_factory=list)
    """Contents that people approved in full, as the world saw it."""
    approved_names: set[str] = field(default_factory=set)
    chain: tuple[int, str] = (0, GENESIS)
    deregistered: bool = False
    announced: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.catalog, self.policy = catalog(), policy()
        if not self.objects:
            for manifest in (pool(), quota(), example(finalizers=())):
                self.store(manifest)

    def copy(self) -> World:
        """Another world that begins as this one stands; what is stored is never changed in place."""
        other = replace(self, objects=dict(self.objects), pool=self.pool.copy(), running=set(self.running))
        other.objects = dict(self.objects)
        other.approved, other.approved_names = list(self.approved), set(self.approved_names)
        other.announced = list(self.announced)
        return other

    # -- the API server -----------------------------------------------------------------------------
    def store(self, resource: Resource) -> Resource:
        """Put the object down with a new version, if its CRD would take it."""
        self.version += 1
        meta = resource.metadata
        update = {
            "resource_version": str(self.version),
            "uid": meta.uid or f"uid-{self.version}",
            "generation": meta.generation or 1,
            "creation_timestamp": meta.creation_timestamp or self.now,
        }
        stored = resource.model_copy(update={"metadata": meta.model_copy(update=update)})
        # What a model would not read back, an API server's schema would not take.
        type(stored).model_validate(stored.model_dump(mode="json", by_alias=True, exclude_none=True))
        self.objects[stored.key] = stored
        return stored

    def current(self, resource: Resource) -> Resource:
        """The stored object, if nobody wrote it since."""
        found = self.objects.get(resource.key)
        if found is None or found.metadata.resource_version != resource.metadata.resource_version:
            raise Conflict(resource.key)
        return found

    def all(self, kind: type[Resource], *, settled: bool = False) -> list:
        return [
            found
            for found in self.objects.values()
            if isinstance(found, kind) and (settled or SETTLED_LABEL not in found.metadata.labels)
        ]

    @property
    def request(self) -> CloudResourceRequest | None:
        return next(iter(self.all(CloudResourceRequest)), None)

    @property
    def quota(self) -> TenantQuota:
        return self.all(TenantQuota)[0]

    def edit(self, resource: Resource, **spec: object) -> Resource:
        """Replace fields of the spec; a new generation if anything differs."""
        after = resource.spec.model_copy(update=spec)  # type: ignore[attr-defined]
        if after == resource.spec:  # type: ignore[attr-defined]
            return resource
        meta = resource.metadata.model_copy(update={"generation": resource.metadata.generation + 1})
        return self.store(resource.model_copy(update={"spec": after, "metadata": meta}))

    def mark(self, resource: Resource, **meta: object) -> Resource:
        """Change metadata."""
        return self.store(resource.model_copy(update={"metadata": resource.metadata.model_copy(update=meta)}))

    def delete(self, resource: Resource) -> None:
        """Delete: at once without finalizers, and with it what it owns."""
        if resource.metadata.finalizers:
            if not resource.deleting:
                self.mark(resource, deletion_timestamp=self.now)
            return
        del self.objects[resource.key]
        for owned in list(self.objects.values()):
            if any(owner.uid == resource.metadata.uid for owner in owned.metadata.owner_references):
                self.delete(owned)

    # -- the operator -------------------------------------------------------------------------------
    def looked_at(self) -> list[Key]:
        kinds = (CloudResourceRequest, Approval, CloudServer, WorkOrder, CloudPool)
        return sorted(found.key for kind in kinds for found in self.all(kind))

    def decide(self, key: Key) -> core.Decision:
        """What the operator decides about the object, from all that is known."""
        found = self.objects[key]
        request = self.request
        match found:
            case CloudResourceRequest():
                return request_core.decide(self.observe(found))
            case Approval():
                return approval_core.decide(ApprovalObservation(found, self.now, self.policy))
            case CloudServer():
                return server_core.decide(self.look(found))
            case WorkOrder():
                lease = found.status.lease if found.status else None
                me = f"operator-{self.operator}"
                dead = lease is not None and lease.holder != me
                return order_core.decide(
                    OrderObservation(found, self.now, me, key in self.running, dead, request, self.policy)
                )
            case CloudPool():
                machines = tuple(self.pool.machines)
                seen = machines if self.pool.reachable else Unknown("Unreachable", "connection refused")
                servers = tuple(self.all(CloudServer))
                return pool_core.decide(PoolObservation(found, self.now, seen, servers))
        raise TypeError(found.kind)

    def observe(self, request: CloudResourceRequest) -> RequestObservation:
        own = [
            tuple(sorted(self._made_for(kind, request), key=lambda o: o.metadata.name))
            for kind in (Approval, CloudServer, WorkOrder, WipeCertificate)
        ]
        return RequestObservation(
            request, self.now, self.policy, self.catalog, self.all(CloudPool)[0], self.quota, *own
        )

    def look(self, server: CloudServer) -> ServerObservation:
        orders = tuple(self.all(WorkOrder))
        return ServerObservation(
            server, self.now, self.all(CloudPool)[0], self.pool.look(server), orders, self.request
        )

    def _made_for(self, kind: type[Resource], request: Resource) -> Iterator[Resource]:
        return (o for o in self.all(kind) if o.metadata.labels.get(REQUEST_LABEL) == request.metadata.uid)

    def reconcile(self, key: Key, *, keep: int | None = None) -> core.Decision:
        """Decide and carry out; with ``keep``, the operator is killed after so many actions."""
        decision = self.decide(key)
        self._check(key, decision)
        server = self.objects[key]
        for action in decision.actions[:keep]:
            try:
                self.apply(action, server)
            except Conflict:
                break
            except PoolFault as fault:
                assert isinstance(server, CloudServer)
                newest = self.objects[key]
                told = server_core.faulted(newest, self.look(server), fault.code, fault.message)
                for write in told.actions:
                    self.apply(write, newest)
                break
        if keep is not None and keep < len(decision.actions):
            self.crash()
        return decision

    def replay(self, actions: tuple[Action, ...], about: Resource) -> None:
        """Carry the same actions out once more; what was written meanwhile is not written again."""
        for action in actions:
            if not isinstance(action, (*POOL_ACTIONS, StartRun, Announce)):
                with suppress(Conflict):
                    self.apply(action, about)

    def crash(self) -> None:
        """The operator dies and another one starts: its runs are lost."""
        self.operator += 1
        self.running.clear()

    def apply(self, action: Action, about: Resource) -> None:
        match action:
            case Create(resource):
                # What is made for an owner that is gone goes too: the garbage collector sees to it.
                owners = {owner.uid for owner in resource.metadata.owner_references}
                known = {found.metadata.uid for found in self.objects.values()}
                if resource.key not in self.objects and owners <= known:
                    self.store(resource.model_copy(update={"status": None}))
            case WriteSpec(resource):
                before = self.current(resource)
                assert isinstance(resource, CloudServer)
                assert isinstance(before, CloudServer)
                _allowed(before, resource)
                self.edit(
                    before,
                    **{name: getattr(resource.spec, name) for name in type(resource.spec).model_fields},
                )
            case WriteStatus(resource, status):
                self._write_status(self.current(resource), status)
            case WriteQuota(_, version, status):
                if self.quota.metadata.resource_version != version:
                    raise Conflict("quota")
                self._within(status.reservations)
                self._write_status(self.quota, status)
            case HoldFinalizer(resource):
                self.mark(self.current(resource), finalizers=(FINALIZER,))
            case LetGo(resource):
                found = self.current(resource)
                self._may_go(found)
                self.delete(self.mark(found, finalizers=()))
            case Settle(resource):
                found = self.current(resource)
                self.mark(found, labels=found.metadata.labels | {SETTLED_LABEL: "true"})
            case Record():
                self._record(action)
            case IssueCertificate():
                self._issue(action)
            case Announce():
                self.announced.append(action.key)
            case StartRun():
                self._may_run(about)
                self.running.add(about.key)
            case _:
                self._ask_pool(action, about)

    def _write_status(self, found: Resource, status: Model) -> None:
        if found.status != status:  # type: ignore[attr-defined]
            self.store(found.model_copy(update={"status": status}))

    def _ask_pool(self, action: Action, server: Resource) -> None:
        assert isinstance(server, CloudServer)
        match action:
            case EnsureMachine():
                self.pool.ensure(server)
            case ResizeMachine(key, size):
                self.pool.resize(key, size)
            case AddDisks(key, disks):
                self.pool.add_disks(key, disks)
            case ReleaseMachine(key):
                self.pool.release(key)
            case DeleteDisk(_, disk):
                self.pool.delete_disk(disk)
            case _:
                raise TypeError(action.key)

    def _issue(self, action: IssueCertificate) -> None:
        key = (WipeCertificate.DEFINITION.kind, action.request.metadata.namespace, action.name)
        if key in self.objects:
            return
        sequence, previous = self.chain[0] + 1, self.chain[1]
        placed = action.draft.model_copy(
            update={"number": f"WC-{sequence}", "sequence": sequence, "previous_hash": previous}
        )
        assert not missing(placed), "the signer would refuse this"
        for medium in placed.media:
            assert medium.key in self.pool.destroyed, f"{medium.key} is certified and not destroyed"
        assert not self.certified & {m.key for m in placed.media}, "a medium was certified twice"
        meta = ObjectMeta(
            name=action.name,
            namespace=action.request.metadata.namespace,
            labels={REQUEST_LABEL: action.request.metadata.uid},
        )
        self.chain = (sequence, certificate_hash(placed))
        self.store(WipeCertificate(kind=key[0], metadata=meta, spec=placed))

    def _record(self, action: Record) -> None:
        """At the end of the unit's chain, what is not recorded of the request yet."""
        uid = action.request.metadata.uid
        known = {entry.key for r in self.trail if r.spec.request.uid == uid for entry in r.spec.entries}
        entries = [entry for entry in action.entries if entry.key not in known]
        if not entries:
            return
        last = self.trail[-1].spec if self.trail else None
        head = Anchor(last.sequence, last.hash) if last else None
        spec = linked(draft(action, entries), head)
        meta = ObjectMeta(name=record_name(spec.sequence), namespace=spec.unit, labels={REQUEST_LABEL: uid})
        self.store(AuditRecord(kind=AuditRecord.DEFINITION.kind, metadata=meta, spec=spec))

    @property
    def trail(self) -> list[AuditRecord]:
        return sorted(self.all(AuditRecord), key=lambda record: record.metadata.name)

    @property
    def certified(self) -> set[str]:
        return {m.key for found in self.all(WipeCertificate) for m in found.spec.media}

    # -- executors ----------------------------------------------------------------------------------
    def finish(self, key: Key, how: str) -> None:
        """A run that is under way ends: well, in failure, or to be tried again."""
        order = self.objects[key]
        assert isinstance(order, WorkOrder)
        self.running.discard(key)
        status = order.status or WorkOrderStatus()
        if not self.pool.reachable:
            how = "again"
        if how == "well":
            update = self._result(order)
        elif how == "fails":
            update = {"state": WorkOrderState.FAILED, "finished": self.now, "message": "it did not work."}
        else:
            again = self.now + order_core.retry_after(status.attempts)
            update = {"state": WorkOrderState.PENDING, "next_attempt": again}
        self._write_status(order, status.model_copy(update={"lease": None, **update}))

    def _result(self, order: WorkOrder) -> dict[str, object]:
        servers = [s for s in self.all(CloudServer) if s.metadata.name in order.spec.servers]
        done: dict[str, object] = {"state": WorkOrderState.SUCCEEDED, "finished": self.now, "message": ""}
        work = order.spec.work
        if work in (WorkOrderKind.BASELINE, WorkOrderKind.HANDOVER):
            facts = {"report": "report", "score": "100", "proof": "login refused"}
            results = [ServerResult(server=s.metadata.name, ok=True, facts=facts) for s in servers]
            return done | {"servers": results}
        disks = [(s.metadata.name, d) for s in servers for d in self.pool.disks_of(s.spec.key)]
        if not disks:
            return {"state": WorkOrderState.FAILED, "finished": self.now, "message": "no disk is there"}
        if work is WorkOrderKind.BACKUP:
            for _, disk in disks:
                assert disk.key in self.pool.dirty, "a disk was backed up after it was wiped"
            saved = [
                DiskResult(server=name, disk=d.key, ok=True, backup=backup(d.key, taken=self.now))
                for name, d in disks
            ]
            digest = hashlib.sha256(f"{order.metadata.name} {sorted(d.key for _, d in disks)}".encode())
            return done | {"disks": saved, "receipt_sha256": digest.hexdigest()}
        results = []
        for name, disk in disks:
            self.pool.overwrite(disk.key)
            proof = sanitised(size=disk.size_bytes, finished=self.now)
            results.append(DiskResult(server=name, disk=disk.key, ok=True, sanitisation=proof))
        return done | {"disks": results}

    # -- people -------------------------------------------------------------------------------------
    def give(self, approval: Approval, step: int, verdict: Verdict, at: datetime | None = None) -> None:
        """A decision on one of the steps, whether it is its turn or not."""
        wanted = approval.spec.steps[step]
        if any(decision.stage is wanted.stage for decision in approval.spec.decisions):
            return
        opinion = "" if verdict is Verdict.APPROVE else "not like this"
        decision = Decision(
            stage=wanted.stage, verdict=verdict, by=wanted.role.value, opinion=opinion, at=at or self.now
        )
        spec = self.edit(approval, decisions=[*approval.spec.decisions, decision]).spec  # type: ignore[attr-defined]
        if len(spec.decisions) == len(spec.steps) and all(
            d.verdict is Verdict.APPROVE for d in spec.decisions
        ):
            self.approved.append(spec.content)
            self.approved_names.add(approval.metadata.name)

    def retry(self, order: WorkOrder) -> None:
        self.mark(order, annotations={RETRY_ANNOTATION: str(self.version)})

    # -- what must hold when something is done ------------------------------------------------------
    def _check(self, key: Key, decision: core.Decision) -> None:
        found, request = self.objects[key], self.request
        actions = decision.actions
        keys = [action.key for action in actions]
        assert len(keys) == len(set(keys)), f"an action was decided twice: {keys}"
        if _paused(found) or (request and _paused(request) and not isinstance(found, CloudPool)):
            allowed = (WriteStatus,) if found is request or isinstance(found, Approval) else ()
            assert all(isinstance(action, allowed) for action in actions), f"paused, yet {keys}"
        if isinstance(found, CloudServer) and not self.pool.reachable:
            assert not any(isinstance(action, POOL_ACTIONS) for action in actions), f"unknown, yet {keys}"
            before = found.status or CloudServerStatus()
            for write in (action for action in actions if isinstance(action, WriteStatus)):
                after = write.status
                assert isinstance(after, CloudServerStatus)
                assert (after.phase, after.disks) == (before.phase, before.disks), "concluded from nothing"
        if not self.approved:
            made = [a for a in actions if isinstance(a, Create) and not isinstance(a.resource, Approval)]
            assert not made, "something was made before anything was approved"
            assert not any(isinstance(a, WriteQuota | WriteSpec) for a in actions)

    def _within(self, reservations: list) -> None:
        """A reservation may only grow within the limit; it may always shrink."""
        hard = next((x.hard for x in self.quota.spec.limits if x.pool == "local-pool"), Amounts())
        before = self.quota.status.reservations if self.quota.status else []
        was, now = _total(before), _total(reservations)
        for name in type(hard).model_fields:
            value = getattr(now, name)
            assert value <= max(getattr(hard, name), getattr(was, name)), f"{name} beyond the quota"

    def _may_run(self, order: Resource) -> None:
        assert isinstance(order, WorkOrder)
        spec, request = order.spec, self.request
        assert request is not None
        assert spec.approval in self.approved_names, f"{order.metadata.name} rests on no approval"
        servers = [s for s in self.all(CloudServer) if s.metadata.name in spec.servers]
        if spec.work is WorkOrderKind.HANDOVER:
            for server in servers:
                assert server.status.baseline and server.status.baseline.passed, "not hardened"
        if spec.work in (WorkOrderKind.BACKUP, WorkOrderKind.WIPE):
            for server in servers:
                assert server.spec.desired in LEAVING, "a server that stays was to be wiped"
        if spec.work is WorkOrderKind.WIPE:
            receipts = {b.receipt_sha256 for b in request.spec.confirmations.backups}
            saved = [o for o in self.all(WorkOrder, settled=True) if o.spec.work is WorkOrderKind.BACKUP]
            known = {n for o in saved if o.status.receipt_sha256 in receipts for n in o.spec.servers}
            assert set(spec.servers) <= known, "wiped before the unit gave its receipt"
            for server in servers:
                for disk in server.status.disks:
                    assert disk.backup is not None, "wiped without a backup"

    def _may_go(self, resource: Resource) -> None:
        if isinstance(resource, CloudResourceRequest):
            assert not self.pool.machines, "the request went and its machines stay"
            assert not self.pool.disks, "the request went and its disks stay"
            assert not (self.quota.status and self.quota.status.reservations), "its reservation stays"
        if isinstance(resource, CloudServer):
            assert resource.spec.key not in self.pool.machines
            assert not self.pool.disks_of(resource.spec.key)

    # -- what must hold always ----------------------------------------------------------------------
    def check(self) -> None:
        self._within_reservation()
        self._servers_as_approved()
        for server in self.all(CloudServer):
            status = server.status
            if status and status.handover:
                assert status.baseline and status.baseline.passed, "handed over and not hardened"
        self._trail_whole()
        request = self.request
        if request is None or request.status is None:
            return
        status = request.status
        if self.deregistered:
            assert status.phase is RequestPhase.DEREGISTERED, "it came back from Deregistered"
        self.deregistered = status.phase is RequestPhase.DEREGISTERED
        if self.deregistered:
            assert not self.pool.machines
            assert not self.pool.disks
            assert self.pool.ever <= self.certified, "a disk held data and no certificate lists it"
        if status.approved is not None:
            assert status.approved.approval in self.approved_names, "in force and not approved by people"
        keys = [item.key for item in status.history]
        assert len(keys) == len(set(keys)), "the story tells something twice"
        self._cited(status)

    def _trail_whole(self) -> None:
        """The chain holds, nothing in it is without a citation, and all that the story tells is in it."""
        trail, request = self.trail, self.request
        documents = [(r.metadata.name, r.model_dump(mode="json", by_alias=True)) for r in trail]
        assert [v.faults for v in verify_trail(documents, None) if not v.ok] == []
        entries = [entry for record in trail for entry in record.spec.entries]
        keys = [entry.key for entry in entries]
        assert len(keys) == len(set(keys)), "recorded twice"
        for entry in entries:
            assert entry.article.startswith(self.policy.spec.code), f"{entry.key} cites nothing"
            assert self.policy.spec.title.en in entry.citation.en
            assert self.policy.spec.title.zh in entry.citation.zh
            assert entry.outcome.en
            assert entry.outcome.zh
        told = request.status.history if request and request.status else []
        assert {item.key for item in told} <= set(keys), "told before it was recorded"

    def _cited(self, status: Model) -> None:
        code = self.policy.spec.code
        stages = {stage.stage.value: stage.article for stage in status.stages}  # type: ignore[attr-defined]
        for article in stages.values():
            assert article.startswith(code), "a stage cites nothing"
        types = [c.type for c in status.conditions]  # type: ignore[attr-defined]
        assert len(types) == len(set(types))
        for found in status.conditions:  # type: ignore[attr-defined]
            if found.type in stages:
                assert found.message.endswith(f"[{stages[found.type]}]"), found.message
            if found.type == "Overdue":
                assert f"[{code}-" in found.message
            assert "[]" not in found.message

    def _within_reservation(self) -> None:
        """Neither what is there nor what is asked for is more than what is reserved."""
        reservations = self.quota.status.reservations if self.quota.status else []
        own = _total([r for r in reservations if r.request_uid == UID])
        there = (own.servers, own.vcpu, own.memory_gib, own.storage_gib)
        asked = [s.spec for s in self.all(CloudServer) if not (s.status and s.status.phase.value == "Gone")]
        wanted = (
            len(asked),
            sum(spec.vcpu for spec in asked),
            sum(spec.memory_gib for spec in asked),
            sum(disk.size_gib for spec in asked for disk in spec.disks),
        )
        for taken in (self.pool.takes(), wanted):
            assert all(a <= b for a, b in zip(taken, there, strict=True)), f"{taken} taken, {there} reserved"

    def _servers_as_approved(self) -> None:
        sizes = {
            (group.name, item.provides.vcpu, item.provides.memory_gib)
            for content in self.approved
            for group in content.servers
            if (item := self.catalog.item(group.item)) is not None
        }
        most: dict[str, int] = {}
        for content in self.approved:
            for group in content.servers:
                extra = sum(t.additional_count for t in content.term.temporary if t.server == group.name)
                most[group.name] = max(most.get(group.name, 0), group.count + extra)
        running = [s for s in self.all(CloudServer) if s.spec.desired is Desired.RUNNING]
        for server in running:
            spec = server.spec
            assert (spec.group, spec.vcpu, spec.memory_gib) in sizes, "of a size that nobody approved"
        for group, count in most.items():
            assert sum(s.spec.group == group for s in running) <= count, "more than was ever approved"

    # -- until nothing is left to do ----------------------------------------------------------------
    def settle(self, rounds: int = 60) -> None:
        """Reconcile everything until nothing follows any more from what there is."""
        for _ in range(rounds):
            if not self.round():
                return
        left = {key: [a.key for a in self.decide(key).actions] for key in self.looked_at()}
        raise AssertionError(f"no end: {[(k, a) for k, a in left.items() if a]}")

    def round(self) -> bool:
        """One reconcile of each object; whether anything was done."""
        acted = False
        for key in self.looked_at():
            if key in self.objects and SETTLED_LABEL not in self.objects[key].metadata.labels:
                acted |= bool(self.reconcile(key).actions)
                self.check()
        return acted

    def until(self, done: Callable[[World], bool], rounds: int = 80) -> None:
        """Everybody does what is asked of them, until ``done``."""
        for _ in range(rounds):
            if done(self):
                return
            self.everybody_acts()
        request = self.request
        status = request.status if request else None
        shown = [(c.type, c.status.value, c.message) for c in status.conditions] if status else []
        raise AssertionError(f"never done: {status and status.phase} {shown}")

    def everybody_acts(self) -> None:
        """Whoever is asked acts, and time passes to the next instant that matters."""
        self.settle()
        for key in sorted(self.running):
            self.finish(key, "well")
        for order in self.all(WorkOrder):
            if order.status and order.status.state is WorkOrderState.FAILED:
                self.retry(order)
        for approval in self.all(Approval):
            pending = approval.status is None or approval.status.state is ApprovalState.PENDING
            for step in range(len(approval.spec.steps)) if pending else ():
                found = self.objects.get(approval.key)
                assert isinstance(found, Approval)
                self.give(found, step, Verdict.APPROVE)
        self.confirm_all()
        self.now += timedelta(minutes=10)
        self.settle()
        request = self.request
        trial = request.status.trial if request and request.status else None
        if trial is not None and self.now < trial.ends:
            self.now = trial.ends

    # -- the unit -----------------------------------------------------------------------------------
    def confirm_all(self) -> None:
        for what in ("report", "delivery", "backup", "termination"):
            self.confirm(what)

    def confirm(self, what: str, skew: timedelta = timedelta(0), *, early: bool = False) -> None:
        """The unit states what it is asked for, by its own clock; what it stated stands.

        ``early``: it says that the service has ended before anybody asked.
        """
        request = self.request
        if request is None or request.status is None:
            return
        said = request.spec.confirmations
        now = (self.now + skew).isoformat()
        plain = said.model_dump(mode="json", by_alias=True, exclude_none=True)
        word = {"by": "liu.unit", "at": now}
        if what == "report" and request.status.trial and not said.reports:
            report = word | {"type": "Trial", "reference": "20", "sha256": "b" * 64}
            plain["reports"] = [report]
        if what == "delivery" and said.delivery is None and request.status.trial:
            plain["delivery"] = word
        if what == "backup":
            known = {b.receipt_sha256 for b in said.backups}
            asked = self._asked("Backup")
            for order in self.all(WorkOrder):
                digest = order.status.receipt_sha256 if order.status else None
                if digest and (digest not in known or (asked and digest in asked)):
                    plain.setdefault("backups", []).append(word | {"receiptSha256": digest})
        if what == "termination" and request.status.approved:
            name = request.status.approved.approval
            if self._asked("Termination") or (early and not said.terminations):
                plain.setdefault("terminations", []).append(word | {"approval": name})
        self.edit(request, confirmations=type(said).model_validate(plain))

    def _asked(self, stage: str) -> str:
        """What the unit is asked by a stage that waits for it."""
        request = self.request
        stages = request.status.stages if request and request.status else []
        waits = (s for s in stages if s.stage.value == stage and s.state.value == "Waiting" and s.who)
        return next((s.message for s in waits if s.who is Role.UNIT), "")


def _paused(resource: Resource) -> bool:
    return resource.metadata.annotations.get(PAUSED_ANNOTATION) == "true"


def _total(reservations: list) -> Amounts:
    total = Amounts()
    for reservation in reservations:
        total = total.plus(reservation.amounts)
    return total


def _allowed(before: CloudServer, after: CloudServer) -> None:
    """The CloudServer CRD's rules for an edit."""
    old, new = before.spec, after.spec
    assert (new.key, new.pool) == (old.key, old.pool)
    assert old.desired not in LEAVING or new.desired in LEAVING, "a released server came back"
    assert sum(disk.root for disk in new.disks) == 1
    sizes = {disk.key: disk.size_gib for disk in new.disks}
    assert all(sizes.get(disk.key, 0) >= disk.size_gib for disk in old.disks), "a disk shrank or left"
