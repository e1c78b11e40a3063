"""What the operator knows of the API server: the newest version of every object that is not settled."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection
from typing import TypeVar, cast

from govpool.api.base import REQUEST_LABEL, Resource

R = TypeVar("R", bound=Resource)
Key = tuple[str, str, str]
"""Kind, namespace, name."""
REMEMBERED = 10_000
"""How many objects that are gone are remembered, longest gone forgotten first."""


class Store:
    """Objects by key, and by the request that they were made for.

    Filled by the watch streams and by the answers to our own writes, so that a reconcile always sees what
    an earlier one wrote; an older version never overwrites a newer one.
    """

    def __init__(self) -> None:
        self._objects: dict[Key, Resource] = {}
        self._by_kind: defaultdict[str, dict[Key, Resource]] = defaultdict(dict)
        self._by_request: defaultdict[tuple[str, str], set[Key]] = defaultdict(set)
        self._made: dict[tuple[str, str], tuple[Resource, ...]] = {}
        """The same as objects, by name; dropped whenever one of them comes, changes or goes."""
        self._by_namespace: defaultdict[tuple[str, str], dict[Key, Resource]] = defaultdict(dict)
        self._gone: dict[str, int] = {}

    def put(self, resource: Resource) -> bool:
        """Take the object in; False when this version, or a newer one, was known or is known to be gone."""
        key = resource.key
        known = self._objects.get(key)
        version = _version(resource)
        if self._gone.get(resource.metadata.object_uid, -1) >= version:
            return False
        # Versions are ordered across the objects of a kind: an old namesake never overwrites a new one.
        if known is not None and _version(known) >= version:
            return False
        if known is not None:
            self._unlink(known)
        self._objects[key] = self._by_kind[key[0]][key] = self._by_namespace[key[:2]][key] = resource
        if uid := resource.metadata.labels.get(REQUEST_LABEL):
            made = (uid, resource.DEFINITION.kind)
            self._by_request[made].add(key)
            self._made.pop(made, None)
        return True

    def knows(self, key: Key, uid: str, resource_version: str) -> bool:
        """Whether this version of the object, or a newer one, has been here."""
        version = _number(resource_version)
        if self._gone.get(uid, -1) >= version:
            return True
        known = self._objects.get(key)
        return known is not None and known.metadata.object_uid == uid and _version(known) >= version

    def drop(self, resource: Resource) -> None:
        """The object is gone, or settled, as of this version."""
        # An event or an answer of ours that was on its way must not bring it back.
        uid = resource.metadata.object_uid
        self._gone[uid] = max(_version(resource), self._gone.pop(uid, -1))
        if len(self._gone) > REMEMBERED:
            self._gone.pop(next(iter(self._gone)))
        known = self._objects.get(resource.key)
        if known is not None and known.metadata.object_uid == uid:
            self._unlink(known)
            key = resource.key
            del self._objects[key], self._by_kind[key[0]][key], self._by_namespace[key[:2]][key]

    def forget(self) -> None:
        """Drop every object: nobody asks any more."""
        for known in (self._objects, self._by_kind, self._by_request, self._made, self._by_namespace):
            known.clear()

    def unlisted(self, kind: type[R], uids: Collection[str], version: str) -> tuple[R, ...]:
        """Objects of the kind that a list of that resourceVersion does not hold: deleted unseen."""
        newest = int(version) if version.isdigit() else -1
        return tuple(o for o in self.all(kind) if o.metadata.object_uid not in uids and _version(o) <= newest)

    def get(self, kind: type[R], name: str, namespace: str = "") -> R | None:
        """The object, or None."""
        found = self._objects.get((kind.DEFINITION.kind, namespace, name))
        return found if isinstance(found, kind) else None

    def find(self, key: Key) -> Resource | None:
        """The object under the key, or None."""
        return self._objects.get(key)

    def made_for(self, kind: type[R], request_uid: str) -> tuple[R, ...]:
        """Objects of a kind that were made for a request, by name."""
        made = (request_uid, kind.DEFINITION.kind)
        found = self._made.get(made)
        if found is None:
            found = tuple([self._objects[key] for key in sorted(self._by_request.get(made, ()))])
            if found:
                self._made[made] = found
        return cast("tuple[R, ...]", found)

    def all(self, kind: type[R]) -> tuple[R, ...]:
        """Every object of a kind."""
        found = self._by_kind.get(kind.DEFINITION.kind, {})
        return tuple(item for item in found.values() if isinstance(item, kind))

    def within(self, kind: type[R], namespace: str) -> tuple[R, ...]:
        """Every object of a kind in a namespace."""
        found = self._by_namespace.get((kind.DEFINITION.kind, namespace), {})
        return tuple(item for item in found.values() if isinstance(item, kind))

    def count(self, kind: type[Resource]) -> int:
        """How many objects of a kind there are."""
        return len(self._by_kind.get(kind.DEFINITION.kind, ()))

    def snapshot(self, kind: type[R]) -> tuple[R, ...]:
        """Every object of a kind, for another thread: taken in one step that no change can come between."""
        found = tuple(self._by_kind.get(kind.DEFINITION.kind, {}).values())
        return tuple(item for item in found if isinstance(item, kind))

    def __len__(self) -> int:
        return len(self._objects)

    def _unlink(self, resource: Resource) -> None:
        if uid := resource.metadata.labels.get(REQUEST_LABEL):
            made = (uid, resource.DEFINITION.kind)
            self._made.pop(made, None)
            keys = self._by_request[made]
            keys.discard(resource.key)
            if not keys:
                del self._by_request[made]


def _version(resource: Resource) -> int:
    """Resource versions of one resource type are ordered numbers (KEP-5504)."""
    return _number(resource.metadata.resource_version)


def _number(version: str) -> int:
    return int(version) if version.isdigit() else 0
