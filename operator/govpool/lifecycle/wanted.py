"""From an approved content to the servers that it wants, and how those differ from the servers there are."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

from govpool.api.approval import RequestReference
from govpool.api.cloudresourcerequest import (
    ApprovedRevision,
    CloudResourceRequest,
    DesiredState,
    RequestContent,
    Server,
)
from govpool.api.cloudserver import CloudServer, CloudServerSpec, Desired, ServerDisk, ServerPhase
from govpool.api.servicecatalog import CatalogItem, ServiceCatalog
from govpool.api.tenantquota import Amounts
from govpool.lifecycle.naming import disk_key, machine_key, made_for, reference, server_name
from govpool.rules.cycles import kept_at_most, running_on
from govpool.rules.remembered import once
from govpool.rules.temporary import count_on, extra_on

LEAVING = (Desired.RELEASED, Desired.GONE)


@dataclass(frozen=True, slots=True)
class Plan:
    """What has to become of the servers: those wanted, by name, and those that must leave."""

    wanted: tuple[CloudServer, ...]
    surplus: tuple[CloudServer, ...]


def plan(
    request: CloudResourceRequest,
    approved: ApprovedRevision,
    catalog: ServiceCatalog,
    servers: Iterable[CloudServer],
    clause: str,
    day: date,
    *,
    seasons: str = "",
) -> Plan:
    """The servers of the approved revision on a day. A server that once began to leave is never wanted again:
    its ordinal stays taken until its certificate is issued.

    ``seasons`` is the clause under which resources follow the business cycles; empty where they don't. What
    a quiet period leaves over is wanted stopped: it keeps its data, and nothing of it is destroyed.
    """
    existing = {
        (s.spec.group, s.spec.ordinal): s for s in servers if s.spec.request.uid == request.metadata.uid
    }
    groups = () if approved.content.state is DesiredState.DEREGISTERED else approved.content.servers
    wanted: dict[tuple[str, int], CloudServer] = {}
    for group in groups:
        running, kept = _counts(approved.content, group, day, seasons=bool(seasons))
        for place, ordinal in enumerate(_ordinals(group.name, running, kept, existing)):
            current = existing.get((group.name, ordinal))
            desired = _power(current, runs=place < running)
            under = seasons if current and current.spec.desired is not desired else clause
            made = _server(request, approved, catalog, group, ordinal, under, current, desired)
            wanted[(group.name, ordinal)] = made
    surplus = tuple(
        server
        for key, server in sorted(existing.items())
        if key not in wanted and server_phase(server) is not ServerPhase.GONE
    )
    return Plan(tuple(wanted.values()), surplus)


def server_phase(server: CloudServer) -> ServerPhase:
    """The phase that was last written."""
    return server.status.phase if server.status else ServerPhase.PENDING


def _counts(content: RequestContent, group: Server, day: date, *, seasons: bool) -> tuple[int, int]:
    """How many servers of the group run on a day, and how many of those there are may be kept."""
    if not seasons:
        count = count_on(content, group, day)
        return count, count
    extra = extra_on(content, group, day)
    return running_on(content, group, day) + extra, kept_at_most(content, group) + extra


def _power(current: CloudServer | None, *, runs: bool) -> Desired:
    """A server that is not handed over yet runs until it is: nobody could be let in otherwise."""
    handed_over = current is not None and current.status is not None and current.status.handover is not None
    return Desired.STOPPED if handed_over and not runs else Desired.RUNNING


def _ordinals(
    group: str, count: int, at_most: int, existing: dict[tuple[str, int], CloudServer]
) -> list[int]:
    """Keep the servers there are, lowest first, then take ordinals that were never used."""
    kept = sorted(n for (name, n), s in existing.items() if name == group and s.spec.desired not in LEAVING)
    taken = {n for (name, n) in existing if name == group}
    chosen = kept[:at_most]
    ordinal = 0
    while len(chosen) < count:
        if ordinal not in taken:
            chosen.append(ordinal)
            taken.add(ordinal)
        ordinal += 1
    return chosen


def _server(
    request: CloudResourceRequest,
    approved: ApprovedRevision,
    catalog: ServiceCatalog,
    group: Server,
    ordinal: int,
    clause: str,
    current: CloudServer | None,
    desired: Desired,
) -> CloudServer:
    before = current.spec if current else None
    spec = _spec(reference(request), approved, catalog, group, ordinal, clause, before, desired)
    if current is None:
        metadata = made_for(request, server_name(request, group.name, ordinal))
        return CloudServer(kind=CloudServer.DEFINITION.kind, metadata=metadata, spec=spec)
    return current if spec is current.spec else current.model_copy(update={"spec": spec})


@once
def _spec(
    request: RequestReference,
    approved: ApprovedRevision,
    catalog: ServiceCatalog,
    group: Server,
    ordinal: int,
    clause: str,
    before: CloudServerSpec | None,
    desired: Desired,
) -> CloudServerSpec:
    """What is wanted of a server of the request; a change elsewhere in it is no change of this server."""
    item = catalog.item(group.item)
    key = machine_key(request.uid, group.name, ordinal)
    size = _size(item)
    spec = CloudServerSpec(
        request=request,
        revision=approved.revision,
        article=clause,
        pool=approved.content.pool,
        key=key,
        group=group.name,
        ordinal=ordinal,
        item=group.item,
        vcpu=size[0],
        memory_gib=size[1],
        image=group.image,
        network=approved.content.system.network.value,
        disks=_disks(group, key, size[2], before),
        desired=desired,
    )
    return before if before is not None and _same_but_revision(before, spec) else spec


def _same_but_revision(before: CloudServerSpec, after: CloudServerSpec) -> bool:
    aside: dict[str, object] = {"revision": None, "article": None}
    return {**before.__dict__, **aside} == {**after.__dict__, **aside}


def _size(item: CatalogItem | None) -> tuple[int, int, int]:
    if item is None or not (item.provides.vcpu and item.provides.memory_gib and item.provides.root_disk_gib):
        # Admission looked at it; a catalogue that lost an item since must not shrink a server to nothing.
        raise LookupError("the catalogue in force has no such server item any more")
    return item.provides.vcpu, item.provides.memory_gib, item.provides.root_disk_gib


def _disks(group: Server, key: str, root_gib: int, current: CloudServerSpec | None) -> list[ServerDisk]:
    """Root first. Neither the root disk nor a data disk shrinks or leaves before it was wiped."""
    before = {disk.key: disk for disk in current.disks} if current else {}
    disks = [ServerDisk(key=disk_key(key, "root"), name="root", size_gib=root_gib, root=True)]
    disks += [
        ServerDisk(key=disk_key(key, d.name), name=d.name, size_gib=d.size_gib, volume_class=d.volume_class)
        for d in group.data_disks
    ]
    named = {disk.key for disk in disks}
    grown = [
        disk.model_copy(update={"size_gib": before[disk.key].size_gib})
        if disk.key in before and before[disk.key].size_gib > disk.size_gib
        else disk
        for disk in disks
    ]
    return grown + [disk for disk in before.values() if disk.key not in named]


def held(servers: Iterable[CloudServer]) -> Amounts:
    """What the servers take from the unit's quota until they were seen to be gone."""
    return _sum(*[_taken(s) for s in servers if server_phase(s) is not ServerPhase.GONE])


@once
def _sum(*taken: Amounts) -> Amounts:
    return Amounts.total(taken)


@once
def _taken(server: CloudServer) -> Amounts:
    seen = server.status
    return Amounts(
        servers=1,
        vcpu=max(server.spec.vcpu, seen.vcpu if seen else 0),
        memory_gib=max(server.spec.memory_gib, seen.memory_gib if seen else 0),
        storage_gib=sum(disk.size_gib for disk in server.spec.disks),
    )
