"""The API server of a simulation: the operator's :class:`Kube` over objects in memory.

What the real one promises is kept: optimistic locking, generations, resource versions, the status
subresource, finalizers, owner references, settled labels. Objects are the models themselves: they are frozen.
"""

from __future__ import annotations

import uuid
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any, TypeVar, cast

from govpool.api.base import FINALIZER, REQUEST_LABEL, SETTLED_LABEL, Model, Resource, Scope
from govpool.api.kinds import KINDS
from govpool.effects.kube import Json, Kube
from govpool.effects.kube_errors import KubeError
from govpool.simulation.door import Door, Stored, copied, merged, unruled
from govpool.simulation.loop import WRITE_TAKES, VirtualClock, VirtualLoop
from govpool.standalone.selectors import parse_labels

R = TypeVar("R", bound=Resource)
T = TypeVar("T")
Written = Callable[[Resource | None, Resource | None], None]
"""Told of every write: the object before and after; None: it was not there, it is gone."""
_NOT_SPEC = ("api_version", "kind", "metadata", "status")
_UIDS = uuid.UUID("6f1d9c0a-7a3c-5f43-9d0e-2b1f0c6a4e11")


class MemoryKube(Kube):
    """An API server in this process, for one operator and the people of a scenario."""

    def __init__(self, loop: VirtualLoop, clock: VirtualClock, seed: int, written: Written) -> None:
        self._loop, self._clock, self._seed, self._written = loop, clock, seed, written
        self._objects: dict[str, dict[tuple[str, str], Resource]] = {k.DEFINITION.kind: {} for k in KINDS}
        self._core: dict[tuple[str, str, str], Json] = {}
        self._within: defaultdict[tuple[str, str], set[str]] = defaultdict(set)
        """Names by kind and namespace."""
        self._made_for: defaultdict[tuple[str, str, str], set[str]] = defaultdict(set)
        """Names by kind, namespace and UID of the request that they are labelled with."""
        self._owned: dict[str, set[tuple[str, str, str]]] = {}
        self._door = Door()
        self._version = 0
        self.writes = self.conflicts = 0

    async def close(self) -> None:
        """Nothing is open."""

    def forget(self) -> None:
        """Drop every object."""
        for objects in self._objects.values():
            objects.clear()
        self._core.clear()

    # -- our kinds --------------------------------------------------------------------------------
    async def list(
        self, kind: type[R], *, namespace: str | None = None, labels: str | None = None
    ) -> tuple[R, ...]:
        """Every object of the kind, by namespace and name."""
        wanted = parse_labels(labels) if labels else ()
        found = cast("dict[tuple[str, str], R]", self._objects[kind.DEFINITION.kind])
        named = self._within[(kind.DEFINITION.kind, namespace)] if namespace is not None else ()
        keys = sorted(found if namespace is None else [(namespace, name) for name in named])
        items = tuple(found[key] for key in keys)
        if not wanted:
            return items
        return tuple(item for item in items if all(term.matches(item.metadata.labels) for term in wanted))

    async def list_as(
        self,
        kind: type[Resource],
        read: Callable[[Json], T],
        *,
        namespace: str | None = None,
        labels: str | None = None,
    ) -> tuple[str, tuple[T, ...]]:
        """The newest version and what ``read`` makes of every object."""
        found = await self.list(kind, namespace=namespace, labels=labels)
        return str(self._version), tuple(read(_document(item)) for item in found)

    async def get(self, kind: type[R], name: str, namespace: str | None = None) -> R:
        """One object.

        Raises:
            KubeError: 404 when it is not there.
        """
        found = self.find(kind, name, namespace or "")
        if found is None:
            raise _absent(kind, name)
        return found

    def find(self, kind: type[R], name: str, namespace: str = "") -> R | None:
        """One object, or None."""
        return cast("R | None", self._objects[kind.DEFINITION.kind].get((namespace, name)))

    def made_for(self, kind: type[R], namespace: str, request_uid: str) -> tuple[R, ...]:
        """Objects of a kind in a namespace that are labelled as made for the request, by name."""
        found = cast("dict[tuple[str, str], R]", self._objects[kind.DEFINITION.kind])
        names = self._made_for.get((kind.DEFINITION.kind, namespace, request_uid), ())
        return tuple(found[(namespace, name)] for name in sorted(names))

    async def create(self, resource: R) -> R:
        """Create the object; when it is there already, the one that is there, if it was made for the same.

        Raises:
            KubeError: ``exists`` when the name is taken by something that was made for another request.
        """
        known = self.find(type(resource), resource.metadata.name, resource.metadata.namespace)
        if known is not None:
            return self._adopted(resource, known)
        return self._new(resource)

    async def write_spec(self, resource: R) -> R:
        """Replace the spec if nobody wrote the object since."""
        current = self._followed(resource)
        return self._change(current, spec=cast(Any, resource).spec)

    async def write_status(self, resource: R, status: Model) -> R:
        """Replace the status if nobody wrote the object since."""
        return self._change(self._followed(resource), status=status)

    async def set_finalizer(self, resource: R, *, present: bool) -> R:
        """Put govpool's finalizer on or take it off, if nobody wrote the object since."""
        current = self._followed(resource)
        others = tuple(name for name in current.metadata.finalizers if name != FINALIZER)
        return self._change(current, meta={"finalizers": (*others, FINALIZER) if present else others})

    async def settle(self, resource: R) -> R:
        """Label the object as settled."""
        current = self._followed(resource)
        return self._change(current, meta={"labels": {**current.metadata.labels, SETTLED_LABEL: "true"}})

    async def merge(self, resource: R, body: Json) -> R:
        """A JSON merge patch, checked as an API server checks it."""
        meta = resource.metadata
        return self.patch(type(resource), meta.name, meta.namespace, body)

    async def delete(self, resource: Resource) -> None:
        """Delete the object if it is still the same one; that it is gone is success."""
        current = self.find(type(resource), resource.metadata.name, resource.metadata.namespace)
        if current is None:
            return
        if resource.metadata.uid and current.metadata.uid != resource.metadata.uid:
            self.conflicts += 1
            raise KubeError(409, "Conflict", f"{resource.metadata.name} is another object by now")
        self._delete(current)

    # -- what people write ------------------------------------------------------------------------
    def post(self, kind: type[R], document: Json) -> R:
        """Create an object from its document, as ``kubectl create`` does.

        Raises:
            KubeError: AlreadyExists, or Invalid with every reason.
        """
        resource = self._door.admit(kind, copied(document), None)
        if self.find(kind, resource.metadata.name, resource.metadata.namespace) is not None:
            raise KubeError(409, "AlreadyExists", f"{kind.DEFINITION.kind} {resource.metadata.name} exists")
        return self._new(resource)

    def patch(self, kind: type[R], name: str, namespace: str, body: Json, *, status: bool = False) -> R:
        """A merge patch of an object, or of its status, as ``kubectl patch`` does.

        Raises:
            KubeError: 404, a conflict with the version in the body, or Invalid with every reason.
        """
        current = self.find(kind, name, namespace)
        if current is None:
            raise _absent(kind, name)
        meta = body.get("metadata")
        version = meta.get("resourceVersion") if isinstance(meta, dict) else None
        if version and version != current.metadata.resource_version:
            raise self._conflict(current)
        before = _document(current, whole=status)
        part: Json = (
            {"status": body.get("status")} if status else {k: v for k, v in body.items() if k != "status"}
        )
        # What is taken over from before is sound already; the patch is its writer's, and stays as it is.
        after = self._door.admit(kind, merged(before, copied(part)), Stored(current, before))
        if status:
            return self._change(current, status=cast(Any, after).status)
        meta_fields = ("finalizers", "labels", "annotations", "owner_references")
        fields = [name for name in kind.model_fields if name not in _NOT_SPEC]
        return self._change(
            current,
            meta={name: getattr(after.metadata, name) for name in meta_fields},
            **{name: _kept(getattr(current, name), getattr(after, name)) for name in fields},
        )

    # -- how objects change -----------------------------------------------------------------------
    def _new(self, resource: R) -> R:
        meta = resource.metadata
        if resource.DEFINITION.scope is Scope.NAMESPACED and self._namespace(meta.namespace) is None:
            raise KubeError(404, "NotFound", f'namespaces "{meta.namespace}" not found')
        self._loop.take(WRITE_TAKES)
        now = self._clock.now().replace(microsecond=0)
        name = f"{self._seed}/{resource.DEFINITION.kind}/{meta.namespace}/{meta.name}/{self._version}"
        told: dict[str, object] = {
            "uid": str(uuid.uuid5(_UIDS, name)),
            "generation": 1,
            "creation_timestamp": now,
        }
        fresh: dict[str, object] = {"kind": resource.DEFINITION.kind}
        if resource.DEFINITION.has_status:
            fresh["status"] = None
        stored = self._put(resource, None, fresh, told)
        for owner in stored.metadata.owner_references:
            self._owned.setdefault(owner.uid, set()).add(stored.key)
        return stored

    def _adopted(self, wanted: R, found: R) -> R:
        mine, theirs = (item.metadata.labels.get(REQUEST_LABEL, "") for item in (wanted, found))
        if mine != theirs:
            raise KubeError(409, "AlreadyExists", f"{found.metadata.name} was made for somebody else")
        return found

    def _followed(self, resource: R) -> R:
        """The object as it is, if it is as it was when the writer read it."""
        current = self.find(type(resource), resource.metadata.name, resource.metadata.namespace)
        if current is None:
            raise _absent(type(resource), resource.metadata.name)
        same = current.metadata.uid == resource.metadata.uid
        if not same or current.metadata.resource_version != resource.metadata.resource_version:
            raise self._conflict(current)
        return current

    def _conflict(self, current: Resource) -> KubeError:
        self.conflicts += 1
        return KubeError(409, "Conflict", f"{current.metadata.name} was written meanwhile: look again")

    def _change(self, current: R, *, meta: Mapping[str, object] | None = None, **fields: object) -> R:
        """Write what differs; nothing is written where nothing does. What is deleted and held by nobody any
        more is gone.
        """
        update = {name: value for name, value in fields.items() if getattr(current, name) != value}
        labels = {n: v for n, v in (meta or {}).items() if getattr(current.metadata, n) != v}
        if not update and not labels:
            return current
        if current.deleting and not labels.get("finalizers", current.metadata.finalizers):
            self._drop(current)
            return self._versioned(current, update, labels)
        if update.keys() - {"status"}:
            labels["generation"] = current.metadata.generation + 1
        return self._put(current, current, update, labels)

    def _put(
        self, resource: R, before: R | None, update: Mapping[str, object], meta: Mapping[str, object]
    ) -> R:
        """Store the object with these fields, of it and of its metadata, in place of its own."""
        if before is not None:
            self._loop.take(WRITE_TAKES)
        stored = self._versioned(resource, update, meta)
        named = stored.metadata
        self._objects[stored.DEFINITION.kind][(named.namespace, named.name)] = stored
        if before is None:
            self._within[(stored.DEFINITION.kind, named.namespace)].add(named.name)
        if before is None or before.metadata.labels is not named.labels:
            self._relabel(before, stored)
        self.writes += 1
        self._written(before, stored)
        return stored

    def _relabel(self, before: Resource | None, after: Resource | None) -> None:
        """Note whom the object is made for by its labels now."""
        if before is not None and (uid := before.metadata.labels.get(REQUEST_LABEL)):
            kind, namespace, name = before.key
            self._made_for[(kind, namespace, uid)].discard(name)
        if after is not None and (uid := after.metadata.labels.get(REQUEST_LABEL)):
            kind, namespace, name = after.key
            self._made_for[(kind, namespace, uid)].add(name)

    def _versioned(self, resource: R, update: Mapping[str, object], meta: Mapping[str, object]) -> R:
        self._version += 1
        told = resource.metadata.model_copy(update={**meta, "resource_version": str(self._version)})
        return resource.model_copy(update={**update, "metadata": told})

    def _delete(self, current: Resource) -> None:
        if not current.metadata.finalizers:
            self._drop(current)
        elif not current.deleting:
            now = self._clock.now().replace(microsecond=0)
            generation = current.metadata.generation + 1
            self._put(current, current, {}, {"deletion_timestamp": now, "generation": generation})

    def _drop(self, current: Resource) -> None:
        """The object is gone, and what it owned goes with it."""
        self._loop.take(WRITE_TAKES)
        meta = current.metadata
        del self._objects[current.DEFINITION.kind][(meta.namespace, meta.name)]
        self._within[(current.DEFINITION.kind, meta.namespace)].discard(meta.name)
        self._relabel(current, None)
        self.writes += 1
        self._version += 1
        self._written(current, None)
        for kind, namespace, name in sorted(self._owned.pop(meta.uid, ())):
            owned = self._objects[kind].get((namespace, name))
            if owned is not None and any(o.uid == meta.uid for o in owned.metadata.owner_references):
                self._delete(owned)

    # -- core kinds -------------------------------------------------------------------------------
    async def core_get(self, plural: str, namespace: str, name: str) -> Json | None:
        """A core object, or None when it is not there."""
        return self._core.get((plural, namespace, name))

    async def core_create(self, plural: str, namespace: str, body: Json) -> Json:
        """Create a core object.

        Raises:
            KubeError: ``exists`` when it is there.
        """
        name = str(cast(Json, body["metadata"])["name"])
        if (plural, namespace, name) in self._core:
            raise KubeError(409, "AlreadyExists", f'{plural} "{name}" already exists')
        return self._core_put(plural, namespace, name, body)

    async def core_replace(self, plural: str, namespace: str, name: str, body: Json) -> Json:
        """Replace a core object; ``metadata.resourceVersion`` in the body is the version it follows."""
        known = self._core.get((plural, namespace, name))
        if known is None:
            raise KubeError(404, "NotFound", f'{plural} "{name}" not found')
        version = cast(Json, body["metadata"]).get("resourceVersion")
        if version and version != cast(Json, known["metadata"])["resourceVersion"]:
            self.conflicts += 1
            raise KubeError(409, "Conflict", f'{plural} "{name}" was written meanwhile: look again')
        return self._core_put(plural, namespace, name, body)

    async def core_delete(self, plural: str, namespace: str, name: str) -> None:
        """Delete a core object; that it is gone is success."""
        if self._core.pop((plural, namespace, name), None) is not None:
            self.writes += 1

    async def ensure_namespace(self, name: str) -> None:
        """Create the namespace unless it is there."""
        if self._namespace(name) is None:
            self._core_put("namespaces", "", name, {"metadata": {"name": name}})

    def _namespace(self, name: str) -> Json | None:
        return self._core.get(("namespaces", "", name))

    def _core_put(self, plural: str, namespace: str, name: str, body: Json) -> Json:
        self._version += 1
        self.writes += 1
        meta: Json = {**cast(Json, body["metadata"]), "namespace": namespace, "name": name}
        stored: Json = {**body, "metadata": {**meta, "resourceVersion": str(self._version)}}
        self._core[(plural, namespace, name)] = stored
        return stored

    # -- paths ------------------------------------------------------------------------------------
    async def get_path(self, path: str, query: Mapping[str, str] | None = None) -> Json:
        """A namespace; nothing else is asked for by its path."""
        found = self._namespace(path.rpartition("/")[2]) if path.startswith("/api/v1/namespaces/") else None
        if found is None:
            raise KubeError(404, "NotFound", f"the simulation has no {path}")
        return found

    async def post_path(self, path: str, body: Json) -> Json:
        """An Event is taken and forgotten: the history tells the same. Nothing else is posted to a path."""
        if not path.endswith("/events"):
            raise KubeError(404, "NotFound", f"the simulation has no {path}")
        self.writes += 1
        return body

    def stream(self, path: str, query: Mapping[str, str]) -> AsyncIterator[bytes]:
        """Nothing is watched here: every write is told at once."""
        raise KubeError(404, "NotFound", f"the simulation has no {path} to be watched")


def _document(resource: Resource, *, whole: bool = True) -> Json:
    """The object as it travels; not ``whole``: as much as rules about an edit of its spec can speak of."""
    status: Model | None = getattr(resource, "status", None)
    left_out = None if whole or status is None else {"status": unruled(type(resource), type(status))}
    return cast(Json, resource.model_dump(mode="json", by_alias=True, exclude_none=True, exclude=left_out))


def _kept(before: object, after: object) -> object:
    """What is written, with those of its parts that stay as they were: what is known of them holds on."""
    if not isinstance(before, Model) or not isinstance(after, Model) or type(before) is not type(after):
        return after
    told = after.__dict__
    return after.model_copy(update={n: part for n, part in before.__dict__.items() if part == told[n]})


def _absent(kind: type[Resource], name: str) -> KubeError:
    return KubeError(404, "NotFound", f'{kind.DEFINITION.plural} "{name}" not found')
