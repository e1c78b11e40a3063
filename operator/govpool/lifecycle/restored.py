"""After a restore: what the backup says and what the pool has are brought together, and nothing else is done.

A backup is older than the loss. Meanwhile servers may have been made, changed, taken back and wiped, and a
key that held a dead disk then may hold live data now. So a restored request is only looked at until every
server of it was seen as the backup says; where one was not, a person decides.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from govpool.api.base import Condition, ConditionStatus
from govpool.api.cloudresourcerequest import (
    CloudResourceRequest,
    CloudResourceRequestStatus,
    DesiredState,
    RequestPhase,
)
from govpool.api.cloudserver import CloudServer, CloudServerStatus, Desired, ServerPhase
from govpool.api.origin import RequestOrigin
from govpool.api.rectification_words import Enforcement
from govpool.api.wipecertificate import WipeCertificate
from govpool.lifecycle.actions import Action, IssueCertificate, LetGo
from govpool.lifecycle.conditions import Said, condition
from govpool.lifecycle.enforcement import holds
from govpool.lifecycle.observation import RequestObservation, SeenInPool, ServerObservation
from govpool.messages import Message, message
from govpool_providers.base import GIB, Machine, MachineState, Size

ADOPTED = "Adopted"
"""Type of the condition on requests and servers."""
BY_ITSELF = "govpool"
"""Who adopted it when no person had to."""


def awaits(request: CloudResourceRequest | None) -> bool:
    """Whether the request was restored and nothing may be done in the pool for it yet."""
    origin = origin_of(request)
    return origin is not None and origin.adopted is None


def origin_of(request: CloudResourceRequest | None) -> RequestOrigin | None:
    """Where the request comes from; None for one that was never restored."""
    return request.status.origin if request is not None and request.status is not None else None


# -- servers -------------------------------------------------------------------------------------
def server_condition(observation: ServerObservation, seen: SeenInPool) -> Said:
    """Whether the server is in the pool as the backup says; if not, in what it differs."""
    found = difference(observation, seen)
    return condition(
        ADOPTED,
        ConditionStatus.FALSE if found else ConditionStatus.TRUE,
        found[0] if found else "AsInBackup",
        found[1] if found else message("restored.as-in-backup"),
        generation=observation.server.metadata.generation,
        now=observation.now,
        language=observation.language,
    )


def difference(observation: ServerObservation, seen: SeenInPool) -> tuple[str, Message] | None:
    """Reason and text of the first difference; None when going on can't make, change or destroy anything."""
    server, machine = observation.server, seen.machine
    origin = origin_of(observation.request)
    before = server.status or CloudServerStatus()
    known = max(origin.generation if origin else 0, server.spec.revision)
    if machine is not None and origin is not None and machine.owner.revision > known:
        text = message("restored.ahead", machine=machine.owner.revision, backup=known, taken=origin.taken)
        return "AheadOfBackup", text
    if server.spec.desired in (Desired.RELEASED, Desired.GONE):
        return "WasLeaving", message("restored.leaving", desired=server.spec.desired.value)
    if machine is None:
        return None if _new_since(observation) and not seen.disks else _absent(seen)
    return _unlike(observation, before, machine) or _disks_unlike(server, seen)


def _new_since(observation: ServerObservation) -> bool:
    """Whether a decision that was given after the restore wants the server: making it is no re-making."""
    origin, server = origin_of(observation.request), observation.server
    status = observation.request.status if observation.request else None
    approved = status.approved if status else None
    opened = server.status is not None and server.status.opened_at is not None
    return (
        origin is not None
        and approved is not None
        and approved.at > origin.restored
        and server.spec.revision == approved.revision
        and not opened
    )


def _absent(seen: SeenInPool) -> tuple[str, Message]:
    if seen.disks:
        return "MachineAbsent", message("restored.only-disks", disks=len(seen.disks))
    return "MachineAbsent", message("restored.absent")


def _unlike(
    observation: ServerObservation, before: CloudServerStatus, machine: Machine
) -> tuple[str, Message] | None:
    server = observation.server
    found: list[str] = []
    if machine.owner.request_uid != server.spec.request.uid:
        found.append(f"owner {machine.owner.request_uid}")
    if before.provider_id and machine.provider_id != before.provider_id:
        found.append(f"id {machine.provider_id}, not {before.provider_id}")
    wanted = Size(vcpu=server.spec.vcpu, memory_gib=server.spec.memory_gib)
    if machine.size != wanted:
        found.append(
            f"{machine.size.vcpu} vCPU {machine.size.memory_gib} GiB, not {wanted.vcpu}/{wanted.memory_gib}"
        )
    if machine.state is MachineState.ERROR:
        found.append("state Error")
    held = holds(observation.notices, server.spec.request)
    if machine.isolated is not (Enforcement.ISOLATION in held):
        found.append("isolated" if machine.isolated else "not isolated")
    shut = Enforcement.FORCED_SHUTDOWN in held or server.spec.desired is Desired.STOPPED
    if shut is not (machine.state is MachineState.STOPPED) and (shut or before.switched_off):
        found.append(f"power {machine.state.value}")
    return ("Differs", message("restored.differs", what="; ".join(found))) if found else None


def _disks_unlike(server: CloudServer, seen: SeenInPool) -> tuple[str, Message] | None:
    if server.status is None or server.status.opened_at is None:
        # Still being built: what is missing was never there.
        return None
    sizes = {disk.key: disk.size_bytes for disk in seen.disks}
    wrong = [d.name for d in server.spec.disks if sizes.get(d.key, 0) < d.size_gib * GIB]
    return ("Differs", message("restored.disks", disks=", ".join(wrong))) if wrong else None


# -- requests ------------------------------------------------------------------------------------
def considered(
    observation: RequestObservation, status: CloudResourceRequestStatus
) -> CloudResourceRequestStatus:
    """The status, with the request adopted once nothing stands against it."""
    origin = status.origin
    if origin is None or origin.adopted is not None or obstacle(observation, status) is not None:
        return status
    adopted = origin.model_copy(update={"adopted": observation.now, "adopted_by": BY_ITSELF})
    return status.model_copy(update={"origin": adopted})


def obstacle(
    observation: RequestObservation, status: CloudResourceRequestStatus
) -> tuple[str, Message] | None:
    """Why the request can't be adopted without a person, or not yet; None: it can."""
    approved, servers = status.approved, observation.servers
    if approved is None:
        return "NothingInForce", message("restored.nothing-in-force")
    if approved.content.state is DesiredState.DEREGISTERED and status.phase is not RequestPhase.DEREGISTERED:
        return "WasLeaving", message("restored.deregistering")
    if uncertified := _uncertified(servers, observation.certificates):
        return "WasLeaving", message("restored.uncertified", disks=len(uncertified))
    unlike = [s for s in servers if not _gone(s) and not _as_in_backup(s)]
    if unlike:
        named = ", ".join(f"{s.metadata.name} ({_reason(s)})" for s in unlike[:8])
        return "ServersDiffer", message("restored.servers-differ", count=len(unlike), servers=named)
    there = Counter(s.spec.group for s in servers if not _gone(s))
    active = approved.content.state is DesiredState.ACTIVE
    missing = [g.name for g in approved.content.servers if active and there[g.name] < g.count]
    if missing:
        return "ServersMissing", message("restored.servers-missing", groups=", ".join(missing))
    return None


def _gone(server: CloudServer) -> bool:
    return server.status is not None and server.status.phase is ServerPhase.GONE


def _as_in_backup(server: CloudServer) -> bool:
    return any(c.type == ADOPTED and c.status is ConditionStatus.TRUE for c in _conditions(server))


def _reason(server: CloudServer) -> str:
    return next((c.reason for c in _conditions(server) if c.type == ADOPTED), "not looked at yet")


def _conditions(server: CloudServer) -> Iterable[Condition]:
    return server.status.conditions if server.status else ()


def _uncertified(servers: Iterable[CloudServer], certificates: Iterable[WipeCertificate]) -> list[str]:
    """Disks that are gone and that no certificate covers: one may have been issued after the backup."""
    certified = {medium.key for found in certificates for medium in found.spec.media}
    return [
        disk.key
        for server in servers
        if _gone(server) and server.status
        for disk in server.status.disks
        if disk.held_data and disk.key not in certified
    ]


def conditions(observation: RequestObservation, status: CloudResourceRequestStatus) -> list[Said]:
    """For a restored request: whether govpool acts on it again, and who must do what if not."""
    origin = status.origin
    if origin is None:
        return []
    against = obstacle(observation, status) if origin.adopted is None else None
    done = message("restored.adopted", by=origin.adopted_by, taken=origin.taken)
    return [
        condition(
            ADOPTED,
            ConditionStatus.FALSE if against else ConditionStatus.TRUE,
            against[0] if against else ADOPTED,
            against[1] if against else done,
            generation=observation.request.metadata.generation,
            now=observation.now,
            language=observation.language,
        )
    ]


def allowed(status: CloudResourceRequestStatus, actions: Iterable[Action]) -> list[Action]:
    """Without those that can't be undone, as long as the request is not adopted.

    A certificate may have been issued after the backup: another one would bear the same number.
    """
    waits = status.origin is not None and status.origin.adopted is None
    return [a for a in actions if not (waits and isinstance(a, IssueCertificate | LetGo))]
