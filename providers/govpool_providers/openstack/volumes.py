"""Volumes: Cinder's part of a disk."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from govpool_providers.base import GIB, Disk, DiskState, DiskWant, OverwriteProof, Owner
from govpool_providers.errors import ErrorCode, ProviderError
from govpool_providers.openstack import tags
from govpool_providers.openstack.client import Cloud, Document, Service
from govpool_providers.openstack.looks import Shared

VOLUMES = "3.44"
"""Extending an attached volume (3.42), metadata of backups (3.43): Queens."""
SETTLING = 1.5
"""Seconds after which a volume made elsewhere in the same second is listed: Cinder tells whole ones."""
ID = "id"
WORTH = 50
"""So many volumes more in one listing are less work for Cinder than one more request."""
TAKEN = frozenset({"reserved", "attaching", "in-use", "detaching"})
BROKEN = frozenset({"error", "error_deleting", "error_extending", "error_restoring"})
MOVING = frozenset({"creating", "downloading", "attaching", "detaching", "extending", "deleting", "reserved"})


@dataclass(frozen=True, slots=True)
class Volume:
    """A volume as Cinder shows it."""

    id: str
    status: str
    size_gib: int
    kind: str
    encrypted: bool
    created: str
    metadata: Mapping[str, str]
    servers: tuple[str, ...]
    """The ids of the servers that it is attached to."""

    @classmethod
    def of(cls, document: Document) -> Volume:
        """Read Cinder's document."""
        return cls(
            id=document["id"],
            status=document["status"],
            size_gib=int(document["size"]),
            kind=document.get("volume_type") or "",
            encrypted=bool(document.get("encrypted")),
            created=document["created_at"],
            metadata=document.get("metadata") or {},
            servers=tuple(one["server_id"] for one in document.get("attachments") or []),
        )

    @property
    def key(self) -> str:
        """The disk's key."""
        return self.metadata.get(tags.KEY, "")

    @property
    def machine_key(self) -> str:
        """The key of the machine that the disk is made for."""
        return self.metadata.get(tags.MACHINE, "")

    @property
    def fresh(self) -> bool:
        """Whether no server has had it yet, so that it may be made anew."""
        return self.metadata.get(tags.FRESH) == "true"

    @property
    def sanitiser(self) -> str:
        """The id of the sanitiser's server that it is meant for, if any."""
        return self.metadata.get(tags.SANITISER, "")

    @property
    def state(self) -> DiskState:
        """Where the disk is."""
        if not self.servers and self.status not in TAKEN:
            return DiskState.DETACHED
        marked = self.sanitiser and (self.sanitiser in self.servers or not self.servers)
        return DiskState.SANITISING if marked else DiskState.ATTACHED

    def disk(self, overwrite: OverwriteProof) -> Disk:
        """The volume as the contract shows it."""
        return Disk(
            key=self.key,
            name=self.metadata.get(tags.DISK_NAME, ""),
            machine_key=self.machine_key,
            provider_id=self.id,
            size_bytes=self.size_gib * GIB,
            root=self.metadata.get(tags.ROOT) == "true",
            state=self.state,
            medium=("encrypted " if self.encrypted else "")
            + (f"Cinder volume of type {self.kind}" if self.kind else "Cinder volume"),
            overwrite=OverwriteProof.ENCRYPTED if self.encrypted else overwrite,
        )


@dataclass(frozen=True, slots=True)
class Asked:
    """What a look is for: volumes with this metadata, or the one with this id."""

    name: str
    value: str

    def of(self, volume: Volume) -> bool:
        """Whether the volume is one of them."""
        return self.value == (volume.id if self.name == ID else volume.metadata.get(self.name))


class Volumes:
    """Cinder, as far as disks need it."""

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud
        self._pool = cloud.settings.pool
        self._shared = Shared(self._asked, cloud.sleep)
        self._seen = 0
        """How many volumes the last listing of the whole pool had."""

    # -- looking ------------------------------------------------------------------------------------
    def those(self, **wanted: str) -> list[Volume]:
        """The pool's volumes with this metadata (names as in :mod:`tags`), one for each disk key."""
        return _one_each(self.every(wanted))

    def every(self, wanted: Mapping[str, str]) -> list[Volume]:
        """Like :meth:`those`, with those that two operators made for the same disk."""
        metadata = {tags.POOL: self._pool, **wanted}
        found = self._cloud.listing(
            Service.VOLUME,
            "/volumes/detail",
            "volumes",
            params={"metadata": repr(metadata)},
            microversion=VOLUMES,
        )
        return [Volume.of(document) for document in found]

    def of_machine(self, key: str) -> list[Volume]:
        """The machine's volumes."""
        asked = Asked(tags.MACHINE, key)
        return _one_each(self._shared.ask(asked)[asked])

    def every_of_key(self, key: str) -> list[Volume]:
        """The disk's volumes, the one that counts first: a second one is left of an operator's death."""
        asked = Asked(tags.KEY, key)
        return sorted(self._shared.ask(asked)[asked], key=_first)

    def around(self, machine_key: str, disk_keys: Iterable[str]) -> dict[str, Volume]:
        """By disk key: the machine's volumes, and these disks' wherever they are."""
        wanted = [Asked(tags.KEY, key) for key in disk_keys]
        of_machine = Asked(tags.MACHINE, machine_key)
        found = self._shared.ask(of_machine, *wanted)
        return {volume.key: volume for asked in (*wanted, of_machine) for volume in _one_each(found[asked])}

    def _asked(self, those: frozenset[Asked]) -> dict[Asked, list[Volume]]:
        """One listing of the whole pool, or a look for each: Cinder knows no "or"."""
        if len(those) > 1 and self._seen <= WORTH * len(those):
            every = self.every({})
            self._seen = len(every)
            found = {asked: [volume for volume in every if asked.of(volume)] for asked in those}
            gone = [asked for asked in those if asked.name == ID and not found[asked]]
            return found | {asked: self._looked_up(asked) for asked in gone}
        return {asked: self._looked_up(asked) for asked in those}

    def _looked_up(self, asked: Asked) -> list[Volume]:
        if asked.name == ID:
            found = self._cloud.find(Service.VOLUME, f"/volumes/{asked.value}", microversion=VOLUMES)
            return [] if found is None else [Volume.of(found["volume"])]
        return self.every({asked.name: asked.value})

    def of_key(self, key: str) -> Volume | None:
        """The disk's volume."""
        return next(iter(self.every_of_key(key)), None)

    def required(self, key: str) -> Volume:
        """The disk's volume, or NotFound."""
        volume = self.of_key(key)
        if volume is None:
            raise ProviderError(ErrorCode.NOT_FOUND, f"The pool has no disk {key}.")
        return volume

    def again(self, volume: Volume) -> Volume | None:
        """The volume as it is now; None when it is gone. For polls: those at one time share a look."""
        asked = Asked(ID, volume.id)
        return next(iter(self._shared.ask(asked, gather=True)[asked]), None)

    def settled(self, volume: Volume, *, begun: str = "") -> Volume:
        """The volume when nothing is under way, or as it is after ``wait`` seconds; NotFound when gone.

        ``begun``: see :meth:`Cloud.until`.
        """
        seen = self._cloud.until(
            lambda: self.again(volume), lambda now: now is None or now.status not in MOVING, begun=begun
        )
        if seen is None:
            raise ProviderError(ErrorCode.NOT_FOUND, f"Volume {volume.id} was deleted by somebody.")
        return seen

    def fault(self, volume: Volume) -> str:
        """What Cinder says of a volume in error, in its own words as far as it has any."""
        found = self._cloud.listing(
            Service.VOLUME,
            "/messages",
            "messages",
            params={"resource_uuid": volume.id},
            microversion=VOLUMES,
        )
        words = "; ".join(str(message["user_message"]) for message in reversed(found))
        return f"Volume {volume.metadata.get(tags.DISK_NAME, volume.id)} is {volume.status}: " + (
            words or "Cinder gives no reason"
        )

    # -- acting -------------------------------------------------------------------------------------
    def create(self, machine_key: str, owner: Owner, want: DiskWant, image: str = "") -> Volume:
        """Begin to create a disk's volume, of an image if it is a root disk."""
        settings = self._cloud.settings
        body: Document = {
            "name": want.key,
            "description": f"{owner.unit}/{owner.request_name} {want.name}"[: tags.VALUE_LIMIT],
            "size": want.size_gib,
            "metadata": tags.of_disk(self._pool, machine_key, owner, want),
        }
        if image:
            body["imageRef"] = image
        if want.volume_class:
            body["volume_type"] = settings.called("volume_type", want.volume_class)
        if settings.availability_zone:
            body["availability_zone"] = settings.availability_zone
        made = self._cloud.post(Service.VOLUME, "/volumes", {"volume": body}, microversion=VOLUMES)
        return Volume.of(made["volume"])

    def chosen(self, machine_key: str, made: list[Volume], since: float) -> list[Volume]:
        """The volumes that count under the keys of those made until ``since``, settled: the oldest of each.

        Cinder has no unique names. Every operator waits until whatever was made in the same second can be
        seen, then all choose the same; who lost deletes its own, which nothing has used.
        """
        patience = SETTLING - (self._cloud.clock() - since)
        if patience > 0:
            self._cloud.sleep(patience)
        asked, ids = Asked(tags.MACHINE, machine_key), {volume.id for volume in made}
        listed = self._cloud.until(
            lambda: self._shared.ask(asked, gather=True)[asked],
            lambda now: not any(volume.id in ids and volume.status in MOVING for volume in now),
            begun="volume",
        )
        ours = {volume.id: volume for volume in listed if volume.id in ids}
        if gone := ids - set(ours):
            raise ProviderError(
                ErrorCode.NOT_FOUND, f"Volume {', '.join(sorted(gone))} was deleted by somebody."
            )
        first: dict[str, Volume] = {}
        for volume in sorted(listed, key=_first):
            first.setdefault(volume.key, volume)
        for volume in made:
            if first[volume.key].id != volume.id:
                self._cloud.delete(Service.VOLUME, f"/volumes/{volume.id}", microversion=VOLUMES)
        chosen = [first[volume.key] for volume in made]
        return [ours.get(volume.id) or self.settled(volume) for volume in chosen]

    def extend(self, volume: Volume, size_gib: int) -> Volume:
        """Grow a volume, attached or not, and wait."""
        body: Document = {"os-extend": {"new_size": size_gib}}
        path = f"/volumes/{volume.id}/action"
        self._cloud.post(Service.VOLUME, path, body, microversion=VOLUMES)
        seen = self.settled(volume, begun="extension")
        if seen.size_gib != size_gib:
            raise ProviderError(ErrorCode.RETRYABLE, f"{self.fault(seen)}; it could not be grown.")
        return seen

    def mark(self, volume: Volume, name: str, value: str) -> None:
        """Write one piece of metadata."""
        path, body = f"/volumes/{volume.id}/metadata/{name}", {"meta": {name: value}}
        self._cloud.put(Service.VOLUME, path, body, microversion=VOLUMES)

    def unmark(self, volume: Volume, name: str) -> None:
        """Remove one piece of metadata."""
        self._cloud.delete(Service.VOLUME, f"/volumes/{volume.id}/metadata/{name}", microversion=VOLUMES)

    def give(self, volume: Volume) -> None:
        """Take note that a server gets the volume: from now on there may be data in it."""
        if volume.fresh:
            self.unmark(volume, tags.FRESH)

    def delete(self, volume: Volume) -> None:
        """Delete a volume and wait until it is seen to be gone; Retryable with Cinder's words if it fails."""
        if volume.status != "deleting":
            self._cloud.delete(Service.VOLUME, f"/volumes/{volume.id}", microversion=VOLUMES)
        seen = self._cloud.until(
            lambda: self.again(volume),
            lambda now: now is None or now.status in BROKEN,
            begun="volume's end",
        )
        if seen is not None and seen.status in BROKEN:
            raise ProviderError(ErrorCode.RETRYABLE, f"{self.fault(seen)}. The deletion is tried again.")


def _one_each(volumes: Iterable[Volume]) -> list[Volume]:
    """One volume for each disk key, the one that counts; root disks first."""
    found: dict[str, Volume] = {}
    for volume in sorted(volumes, key=_first):
        found.setdefault(volume.key, volume)
    return sorted(
        found.values(), key=lambda one: (one.machine_key, one.metadata.get(tags.ROOT) != "true", one.key)
    )


def _first(volume: Volume) -> tuple[bool, str, str]:
    """Sorts the volume that counts before others of the same key."""
    return (volume.state is DiskState.DETACHED, volume.created, volume.id)
