"""Background clean-up: owner references, namespaces and definitions that are going away."""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict

from .calls import CRD_FINALIZER, DEFINITIONS, FOREGROUND, ORPHAN, SYSTEM, Call, DeleteOptions
from .errors import ApiError
from .objects import Key, Obj
from .resources import Registry
from .storage import Change, Store, Stored
from .writes import Writes

_log = logging.getLogger(__name__)


_RETRY_SECONDS = 5.0
_EVENTS_KEPT, _EVENTS_SLACK = 5000, 500


class Collector:
    """Follows every change and finishes what a deletion began; starts over from the store after a restart."""

    def __init__(self, store: Store, registry: Registry, writes: Writes) -> None:
        self._store = store
        self._registry = registry
        self._writes = writes
        self._by_uid: dict[str, Key] = {}
        self._dependents: dict[str, set[Key]] = defaultdict(set)
        self._queue: dict[Key, None] = {}
        self._wake = asyncio.Event()
        self._surplus: set[Key] = set()
        for storage in store.storages():
            for stored in store.items(storage):
                self._index(stored)
                if stored.owners or stored.deleting:
                    self._add(stored.key)
        store.subscribe(self._on_change)

    # --- following -----------------------------------------------------------------------------

    def _index(self, stored: Stored) -> None:
        self._by_uid[stored.uid] = stored.key
        for owner in stored.owners:
            self._dependents[owner].add(stored.key)

    def _add(self, key: Key) -> None:
        self._queue[key] = None
        self._wake.set()

    def _on_change(self, change: Change) -> None:
        new, old = change.new, change.old
        if old and old.owners != new.owners:
            for owner in set(old.owners) - set(new.owners):
                self._dependents[owner].discard(new.key)
        if not change.deleted:
            self._index(new)
            if new.key.storage == "events" and old is None:
                self._trim_events()
            if new.deleting or (new.owners and (old is None or old.owners != new.owners)):
                self._add(new.key)
            return
        self._by_uid.pop(new.uid, None)
        for owner in new.owners:
            self._dependents[owner].discard(new.key)
            waiting = self._by_uid.get(owner)
            if waiting:
                self._add(waiting)
        for dependent in self._dependents.pop(new.uid, set()):
            self._add(dependent)
        self._after_removal(new)

    def _trim_events(self) -> None:
        """Keep the newest events only. Upstream drops them by age, but this server's clock may leap."""
        if self._store.count("events") < _EVENTS_KEPT + _EVENTS_SLACK:
            return
        oldest = sorted(self._store.items("events"), key=lambda s: s.rv)[:-_EVENTS_KEPT]
        for stored in oldest:
            self._add(stored.key)
        self._surplus.update(s.key for s in oldest)

    def _after_removal(self, stored: Stored) -> None:
        """Look again at the namespace or definition that may have waited for this object."""
        namespace = Key("namespaces", "", stored.key.namespace)
        definition = Key(DEFINITIONS, "", stored.key.storage)
        for holder in (namespace, definition):
            found = self._store.get(holder)
            if found and found.deleting:
                self._add(holder)

    # --- working -------------------------------------------------------------------------------

    async def run(self) -> None:
        """Work until cancelled."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            while self._queue:
                key = next(iter(self._queue))
                del self._queue[key]
                await self._guarded(key)

    async def _guarded(self, key: Key) -> None:
        try:
            await self._look(key)
        except ApiError as error:
            _log.error("clean-up of %s %s/%s failed: %s", key.storage, key.namespace, key.name, error.message)
            asyncio.get_running_loop().call_later(_RETRY_SECONDS, self._add, key)

    async def _look(self, key: Key) -> None:
        stored = self._store.get(key)
        if key in self._surplus:
            self._surplus.discard(key)
            await self._writes.system_remove(key)
            return
        if stored is None:
            return
        if stored.deleting:
            if key.storage == "namespaces":
                await self._empty_namespace(stored)
                return
            if key.storage == DEFINITIONS and CRD_FINALIZER in stored.finalizers:
                await self._empty_definition(stored)
            if ORPHAN in stored.finalizers:
                await self._orphan(stored)
            if FOREGROUND in stored.finalizers:
                await self._foreground(stored)
        if stored.owners:
            await self._check_owners(stored)

    def _lives(self, owner: Obj, dependent: Key) -> bool:
        """Tell whether an owner exists: the same uid, at the cluster scope or in the dependent's
        namespace."""
        key = self._by_uid.get(str(owner.get("uid")))
        return key is not None and key.namespace in ("", dependent.namespace)

    async def _check_owners(self, stored: Stored) -> None:
        owners: list[Obj] = stored.load()["metadata"].get("ownerReferences") or []
        alive = [o for o in owners if self._lives(o, stored.key)]
        if not alive:
            await self._delete(stored.key)
        elif len(alive) < len(owners):
            await self._writes.system_write(stored.key, lambda obj: _set_owners(obj, alive))

    async def _delete(self, key: Key, propagation: str = "") -> None:
        resource = self._registry.by_storage(key.storage)
        stored = self._store.head(key)
        if stored is None or stored.deleting:
            return
        if resource is None:
            # its definition is gone: nobody can finalize it any more
            await self._writes.system_remove(key)
            return
        call = Call(SYSTEM, resource, key.namespace, key.name)
        await self._writes.delete(call, DeleteOptions(propagation=propagation))

    async def _orphan(self, stored: Stored) -> None:
        for key in tuple(self._dependents.get(stored.uid, ())):
            await self._writes.system_write(key, lambda obj: _drop_owner(obj, stored.uid))
        await self._writes.system_write(stored.key, lambda obj: _drop_finalizer(obj, ORPHAN))

    async def _foreground(self, stored: Stored) -> None:
        waiting = False
        for key in tuple(self._dependents.get(stored.uid, ())):
            dependent = self._store.get(key)
            if dependent is None:
                continue
            owners: list[Obj] = dependent.load()["metadata"].get("ownerReferences") or []
            reference: Obj = next((o for o in owners if o["uid"] == stored.uid), {})
            waiting = waiting or bool(reference.get("blockOwnerDeletion"))
            await self._delete(key, "Foreground")
        remaining = [k for k in self._dependents.get(stored.uid, ()) if self._store.get(k)]
        if not (waiting and remaining):
            await self._writes.system_write(stored.key, lambda obj: _drop_finalizer(obj, FOREGROUND))

    async def _empty_namespace(self, namespace: Stored) -> None:
        name = namespace.key.name
        left = 0
        for storage in self._store.storages():
            for stored in self._store.items(storage, name):
                left += 1
                await self._delete(stored.key)
        if left and any(self._store.items(s, name) for s in self._store.storages()):
            return
        finalizers = (self._store.get(namespace.key) or namespace).finalizers
        if not finalizers:
            await self._writes.system_remove(namespace.key)

    async def _empty_definition(self, definition: Stored) -> None:
        storage = definition.key.name
        for stored in self._store.items(storage):
            await self._delete(stored.key)
        if not self._store.items(storage):
            await self._writes.system_write(definition.key, lambda obj: _drop_finalizer(obj, CRD_FINALIZER))


def _drop_finalizer(obj: Obj, name: str) -> bool:
    found = obj["metadata"].get("finalizers") or []
    left = [f for f in found if f != name]
    obj["metadata"]["finalizers"] = left
    if not left:
        del obj["metadata"]["finalizers"]
    return len(left) < len(found)


def _set_owners(obj: Obj, owners: list[Obj]) -> bool:
    obj["metadata"]["ownerReferences"] = owners
    return True


def _drop_owner(obj: Obj, uid: str) -> bool:
    found = obj["metadata"].get("ownerReferences") or []
    left = [o for o in found if o.get("uid") != uid]
    obj["metadata"]["ownerReferences"] = left
    if not left:
        obj["metadata"].pop("ownerReferences", None)
    return len(left) < len(found)
