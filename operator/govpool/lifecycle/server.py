"""decide: what a CloudServer needs next. One step at a time, each adoptable, none that can be lost."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta

from govpool.api.base import FINALIZER, ConditionStatus
from govpool.api.cloudserver import (
    BaselineSummary,
    CloudServer,
    CloudServerSpec,
    CloudServerStatus,
    Desired,
    HandoverSummary,
    ServerHold,
    ServerPhase,
)
from govpool.api.rectification_words import Enforcement
from govpool.api.workorder import WorkOrder, WorkOrderKind, WorkOrderState
from govpool.lifecycle import declared, restored
from govpool.lifecycle import drift as drift_core
from govpool.lifecycle.actions import (
    Action,
    AddDisks,
    EnsureMachine,
    HoldFinalizer,
    LetGo,
    ReleaseMachine,
    ResizeMachine,
    SetIsolated,
    SetPower,
    WriteStatus,
)
from govpool.lifecycle.conditions import MAX_MESSAGE, Said, condition, merged
from govpool.lifecycle.decision import Decision
from govpool.lifecycle.disks import deletions, seen_disks, with_results
from govpool.lifecycle.drift import Drift
from govpool.lifecycle.enforcement import holds
from govpool.lifecycle.observation import SeenInPool, ServerObservation, Unknown
from govpool.messages import Message, message
from govpool.rules.remembered import once
from govpool_providers.base import DiskState, DiskWant, Machine, MachineState, Size
from govpool_providers.errors import ErrorCode

SOON = timedelta(seconds=1)
"""Between two looks at something that the pool is busy with."""
UNSEEN = timedelta(seconds=10)
"""Until a pool that could not be asked is asked again."""
DRIFTS, MAX_DRIFT = 16, 256
"""What a status holds of a server's drift."""
RESYNC = timedelta(minutes=5)
"""Between two looks at something that stands still, so that drift is seen."""
_UNSEEN = CloudServerStatus()


def decide(observation: ServerObservation) -> Decision:
    """Actions towards the server's spec, and its status as seen."""
    server = observation.server
    if server.paused or (observation.request is not None and observation.request.paused):
        return Decision()
    if FINALIZER not in server.metadata.finalizers and not server.deleting:
        return Decision((HoldFinalizer(server),))
    before = server.status or _UNSEEN
    if before.phase is ServerPhase.GONE:
        held = server.deleting and FINALIZER in server.metadata.finalizers
        return Decision((LetGo(server, "machine and disks were seen absent"),) if held else ())
    if observation.pool is not None and observation.pool.by_hand:
        return declared.decide(observation, before)
    if isinstance(observation.seen, Unknown):
        return _unknown(observation, before, observation.seen)
    seen = observation.seen
    if (first := _look(observation, before, seen) or _cable(observation, before, seen)) is not None:
        return first
    if _refused_just_now(observation, before):
        return Decision(look_again=before.retry_at)
    if server.spec.desired in (Desired.RELEASED, Desired.GONE):
        return _leave(observation, before, observation.seen)
    return _run(observation, before, observation.seen)


def _refused_just_now(observation: ServerObservation, before: CloudServerStatus) -> bool:
    """Whether the pool refused this very spec and it is too early to ask it again."""
    return (
        before.retry_at is not None
        and observation.now < before.retry_at
        and before.observed_generation == observation.server.metadata.generation
    )


def _look(observation: ServerObservation, before: CloudServerStatus, seen: SeenInPool) -> Decision | None:
    """Restored, and not adopted yet: say how the pool's server and the backup's differ, and do nothing.

    None for what was never restored, or is adopted.
    """
    if not restored.awaits(observation.request):
        return None
    told = restored.server_condition(observation, seen)
    others = [item for item in before.conditions if item.type != told.type]
    after = before.model_copy(update={"conditions": merged(before.conditions, [*others, told])})
    writes = () if after == observation.server.status else (WriteStatus(observation.server, after),)
    return Decision(writes, observation.now + RESYNC)


# -- what a notice enforces ----------------------------------------------------------------------
def _cable(observation: ServerObservation, before: CloudServerStatus, seen: SeenInPool) -> Decision | None:
    """Cut the machine off, or connect it again, before anything else and whatever else is wrong (JN-25).

    What somebody else cut in the pool is not govpool's to connect. None when the cable is as it has to be.
    """
    machine, held = seen.machine, holds(observation.notices, observation.server.spec.request)
    if machine is None or observation.server.spec.desired in (Desired.RELEASED, Desired.GONE):
        return None
    hold = held.get(Enforcement.ISOLATION)
    ours = any(known.action is Enforcement.ISOLATION for known in before.holds)
    if machine.isolated is (hold is not None) or (hold is None and not ours):
        return None
    status = before.model_copy(update={"isolated": machine.isolated})
    if hold is not None:
        text = message("server.Isolating", notice=hold.notice)
        status = status.model_copy(update={"holds": list(held.values())})
    else:
        text = message("server.Reconnecting")
    cut = SetIsolated(observation.server.spec.key, isolated=hold is not None)
    return _write(observation, status, before.phase, text, SOON, cut)


def _shut_down(observation: ServerObservation) -> bool:
    """Whether the server has to be off: by its request, or by a notice (JN-20)."""
    held = holds(observation.notices, observation.server.spec.request)
    return observation.server.spec.desired is Desired.STOPPED or Enforcement.FORCED_SHUTDOWN in held


# -- running -------------------------------------------------------------------------------------
def _run(observation: ServerObservation, before: CloudServerStatus, seen: SeenInPool) -> Decision:
    server, machine = observation.server, seen.machine
    status = _seen(observation, before, seen)
    if machine is None:
        if before.opened_at is not None:
            return _vanished(observation, before, status, seen)
        return _write(
            observation,
            status,
            ServerPhase.BUILDING,
            message("MachineBuilding"),
            SOON,
            EnsureMachine(server.spec.key),
        )
    if machine.state is MachineState.ERROR:
        retry = () if before.opened_at else (EnsureMachine(server.spec.key),)
        text = message("MachineFault", fault=machine.fault or "-")
        return _write(
            observation, status, ServerPhase.ERROR, text, RESYNC if before.opened_at else SOON * 5, *retry
        )
    if machine.state is MachineState.BUILDING or (
        before.opened_at is None and machine.state is MachineState.STOPPED and not before.switched_off
    ):
        ensure = EnsureMachine(server.spec.key)
        return _write(observation, status, ServerPhase.BUILDING, message("MachineBuilding"), SOON, ensure)
    other_size = machine.state is MachineState.RESIZING or machine.size != _size(server)
    drift = drift_core.found(server, before, seen, drift_core.rule_of(observation.pool))
    status = _drifted(observation, status, drift.told)
    if other_size and not drift.keep_size:
        text = message("MachineResizing", vcpu=server.spec.vcpu, memory=server.spec.memory_gib)
        resize = ResizeMachine(server.spec.key, _size(server))
        return _write(observation, status, ServerPhase.RESIZING, text, SOON, resize)
    if missing := drift_core.missing_disks(server, disk_wants(server), seen, drift.attach):
        text = message("DisksAttaching", disks=", ".join(disk.name for disk in missing))
        add = AddDisks(server.spec.key, missing)
        return _write(observation, status, ServerPhase.RESIZING, text, SOON, add)
    if _shut_down(observation) or machine.state is MachineState.STOPPED:
        return _stopped(observation, before, status, machine, drift)
    status = status.model_copy(
        update={
            "opened_at": status.opened_at or observation.now,
            "revision": server.spec.revision,
            "switched_off": False,
        }
    )
    phase = ServerPhase.HANDED_OVER if status.handover else ServerPhase.OPEN
    return _write(observation, status, phase, _text(status, message("MachineRuns")), RESYNC)


def _vanished(
    observation: ServerObservation, before: CloudServerStatus, status: CloudServerStatus, seen: SeenInPool
) -> Decision:
    """It was there and somebody else took it away: making a new one would hide a loss.

    Where the pool says so it comes back, on its own disks only.
    """
    status = _drifted(observation, status, (message("drift.gone"),))
    if not drift_core.may_come_back(before, seen, drift_core.rule_of(observation.pool)):
        return _write(observation, status, ServerPhase.ERROR, message("MachineVanished"), RESYNC)
    again = EnsureMachine(observation.server.spec.key)
    return _write(observation, status, ServerPhase.BUILDING, message("drift.coming-back"), SOON, again)


def _drifted(
    observation: ServerObservation, status: CloudServerStatus, told: tuple[Message, ...]
) -> CloudServerStatus:
    if not told and not status.drift:
        return status
    drift = [text.render(observation.language)[:MAX_DRIFT] for text in told]
    return status.model_copy(update={"drift": drift[:DRIFTS]})


def _text(status: CloudServerStatus, text: Message) -> Message:
    """What is said of a server: that it drifted, where it did."""
    return message("drift.server", drift="; ".join(status.drift)) if status.drift else text


def _stopped(
    observation: ServerObservation,
    before: CloudServerStatus,
    status: CloudServerStatus,
    machine: Machine,
    drift: Drift,
) -> Decision:
    """Switched off and kept, data and all; or found so, and switched on if it was govpool that did it."""
    server, runs = observation.server, machine.state is not MachineState.STOPPED
    rests = _shut_down(observation)
    held = any(hold.action is Enforcement.FORCED_SHUTDOWN for hold in status.holds)
    started = before.phase is ServerPhase.STOPPED and drift_core.settled(server, before) and not held
    power = (*drift.told, drift_core.power(machine, rests=rests))
    if rests and runs and started and drift.keep_power:
        status = _drifted(observation, status, power)
        return _write(observation, status, ServerPhase.STOPPED, _text(status, power[-1]), RESYNC)
    if rests and runs:
        status = status.model_copy(update={"switched_off": True})
        off = SetPower(server.spec.key, on=False)
        return _write(observation, status, before.phase, message("MachineStopping"), SOON, off)
    if rests:
        update = {"switched_off": True, "revision": server.spec.revision}
        status = status.model_copy(update=update)
        hold = next((h for h in status.holds if h.action is Enforcement.FORCED_SHUTDOWN), None)
        text = message("server.ShutDown", notice=hold.notice) if hold else message("MachineRests")
        return _write(observation, status, ServerPhase.STOPPED, text, RESYNC)
    if before.switched_off or not drift.keep_power:
        on = SetPower(server.spec.key, on=True)
        return _write(observation, status, ServerPhase.STOPPED, message("MachineStarting"), SOON, on)
    status = _drifted(observation, status, power)
    return _write(observation, status, ServerPhase.STOPPED, message("MachineStopped"), RESYNC)


def _size(server: CloudServer) -> Size:
    return Size(vcpu=server.spec.vcpu, memory_gib=server.spec.memory_gib)


def disk_wants(server: CloudServer) -> tuple[DiskWant, ...]:
    """The disks of the spec in the provider's terms."""
    return _wants(server.spec)


@once
def _wants(spec: CloudServerSpec) -> tuple[DiskWant, ...]:
    return tuple(
        DiskWant(disk.key, disk.name, disk.size_gib, disk.root, disk.volume_class) for disk in spec.disks
    )


# -- leaving -------------------------------------------------------------------------------------
def _leave(observation: ServerObservation, before: CloudServerStatus, seen: SeenInPool) -> Decision:
    server = observation.server
    status = _seen(observation, before, seen)
    attached = any(disk.state is DiskState.ATTACHED for disk in seen.disks)
    if seen.machine is not None or attached:
        release = ReleaseMachine(server.spec.key)
        return _write(observation, status, before.phase, message("MachineReleasing"), SOON, release)
    status = status.model_copy(update={"addresses": []})
    if not seen.disks:
        if any(disk.held_data and disk.sanitisation is None for disk in status.disks):
            # Disks that nobody wiped are not there: somebody took them. It is shown, never certified.
            return _write(observation, status, ServerPhase.ERROR, message("DisksVanished"), RESYNC)
        return _write(observation, status, ServerPhase.GONE, message("ServerGone"), None)
    if server.spec.desired is Desired.RELEASED:
        return _write(observation, status, ServerPhase.RELEASED, message("DisksKept"), RESYNC)
    wiped = deletions(server, status.disks, seen)
    unwiped = sorted({disk.key for disk in seen.disks} - {action.disk_key for action in wiped})
    text = message("DisksUnwiped", disks=", ".join(unwiped)) if unwiped else message("DisksGoing")
    return _write(observation, status, ServerPhase.RELEASED, text, RESYNC if unwiped else SOON, *wiped)


# -- status --------------------------------------------------------------------------------------
def _seen(observation: ServerObservation, before: CloudServerStatus, seen: SeenInPool) -> CloudServerStatus:
    machine: Machine | None = seen.machine
    name = observation.server.metadata.name
    disks = with_results(seen_disks(observation.server, seen, observation.now), name, observation.orders)
    update: dict[str, object] = {"disks": disks, "retry_at": None, "drift": []}
    update |= _found_out(name, observation.orders)
    if machine is not None:
        update |= {
            "provider_id": machine.provider_id,
            "addresses": list(machine.addresses),
            "vcpu": machine.size.vcpu,
            "memory_gib": machine.size.memory_gib,
            "isolated": machine.isolated,
            "holds": list(holds(observation.notices, observation.server.spec.request).values()),
        }
    return before.model_copy(update=update)


def _found_out(server: str, orders: Iterable[WorkOrder]) -> dict[str, object]:
    """What finished orders found out about this server; of the same, what the latest did."""
    update: dict[str, object] = {}
    finished = [order for order in orders if order.status and order.status.finished]
    for order in sorted(finished, key=lambda order: order.spec.revision):
        update |= _result(order, server)
    return update


@once
def _result(order: WorkOrder, server: str) -> Mapping[str, object]:
    """What a finished order found out about the server."""
    result = order.status
    found = next((one for one in result.servers if one.server == server), None) if result else None
    if result is None or result.finished is None or found is None:
        return {}
    if order.spec.work is WorkOrderKind.BASELINE and "report" in found.facts:
        baseline = BaselineSummary(
            report=found.facts["report"],
            passed=found.ok,
            score=int(found.facts["score"]),
            at=result.finished,
            work_order=order.metadata.name,
        )
        return {"baseline": baseline}
    handed_over = order.spec.work is WorkOrderKind.HANDOVER and result.state is WorkOrderState.SUCCEEDED
    if handed_over and found.ok:
        handover = HandoverSummary(
            at=result.finished,
            proof=found.facts.get("proof", found.message),
            work_order=order.metadata.name,
        )
        return {"host_key_fingerprint": found.facts.get("hostKey", ""), "handover": handover}
    return {}


def _unknown(observation: ServerObservation, before: CloudServerStatus, unknown: Unknown) -> Decision:
    """The pool could not be asked: nothing is concluded, nothing is done, and it is said."""
    text = message("PoolUnknown", reason=unknown.reason, cause=unknown.message)
    conditions = merged(
        before.conditions,
        [
            *(c for c in before.conditions if c.type != "PoolReachable"),
            _condition(observation, "PoolReachable", ConditionStatus.UNKNOWN, unknown.reason, text),
        ],
    )
    after = before.model_copy(
        update={"conditions": conditions, "message": text.render(observation.language)[:MAX_MESSAGE]}
    )
    writes = () if after == observation.server.status else (WriteStatus(observation.server, after),)
    return Decision(writes, observation.now + UNSEEN)


def faulted(
    server: CloudServer,
    observation: ServerObservation,
    code: str,
    cause: str,
    retry_after: float | None = None,
) -> Decision:
    """The pool did not do what was asked: it is put on record, and tried again when ``retry_at`` has come."""
    if code in (ErrorCode.UNREACHABLE, ErrorCode.UNAUTHORISED):
        text = message("PoolUnknown", reason=code, cause=cause)
        told = _condition(observation, "PoolReachable", ConditionStatus.UNKNOWN, code, text)
        wait = UNSEEN
    else:
        text = message("PoolRefused", code=code, cause=cause)
        told = _condition(observation, "Ready", ConditionStatus.FALSE, code, text)
        wait = RESYNC if code == ErrorCode.INVALID else SOON * 5
    retry_at = observation.now + max(wait, timedelta(seconds=retry_after or 0))
    before = server.status or _UNSEEN
    after = before.model_copy(
        update={
            "conditions": merged(
                before.conditions, [*(c for c in before.conditions if c.type != told.type), told]
            ),
            "message": text.render(observation.language)[:MAX_MESSAGE],
            "retry_at": retry_at,
        }
    )
    return Decision((WriteStatus(server, after),), retry_at)


def _condition(
    observation: ServerObservation, type_: str, status: ConditionStatus, reason: str, text: Message
) -> Said:
    return condition(
        type_,
        status,
        reason,
        text,
        clause=observation.server.spec.article,
        generation=observation.server.metadata.generation,
        now=observation.now,
        language=observation.language,
    )


def _write(
    observation: ServerObservation,
    status: CloudServerStatus,
    phase: ServerPhase,
    text: Message,
    look: timedelta | None,
    *actions: Action,
) -> Decision:
    server = observation.server
    rests = phase is ServerPhase.STOPPED and server.spec.desired is Desired.STOPPED
    ready = (phase in (ServerPhase.OPEN, ServerPhase.HANDED_OVER) or rests) and not status.holds
    conditions = [
        _condition(
            observation, "Ready", ConditionStatus.TRUE if ready else ConditionStatus.FALSE, phase.value, text
        ),
        _condition(observation, "PoolReachable", ConditionStatus.TRUE, "Answered", message("PoolAnswered")),
    ]
    conditions += [_held(observation, hold) for hold in status.holds]
    if status.drift:
        told = message("drift.server", drift="; ".join(status.drift))
        conditions.append(_condition(observation, "Drifted", ConditionStatus.TRUE, "Drifted", told))
    if server.deleting:
        blocked = message("ServerDeletionWaits")
        conditions.append(
            _condition(observation, "DeletionBlocked", ConditionStatus.TRUE, "NotProvenWiped", blocked)
        )
    after = status.model_copy(
        update={
            "observed_generation": server.metadata.generation,
            "phase": phase,
            "message": text.render(observation.language)[:MAX_MESSAGE],
            "conditions": merged(status.conditions, conditions),
            "seen_at": observation.now,
        }
    )
    writes = () if same(after, server.status) else (WriteStatus(server, after),)
    look_at: datetime | None = observation.now + look if look else None
    return Decision((*writes, *actions), look_at)


def _held(observation: ServerObservation, hold: ServerHold) -> Said:
    """What a notice enforces on the server, for people to see."""
    text = message("server.ShutDown", notice=hold.notice)
    if hold.action is Enforcement.ISOLATION:
        text = message("server.Isolated", notice=hold.notice)
    return _condition(observation, hold.action.value, ConditionStatus.TRUE, "RectificationNotice", text)


def same(after: CloudServerStatus, before: CloudServerStatus | None) -> bool:
    """Whether two statuses tell the same; when it was last seen is no news."""
    if before is None:
        return False
    return {**after.__dict__, "seen_at": None} == {**before.__dict__, "seen_at": None}
