"""What the operator knows of the API server: the newest version of every object that is not settled."""

from __future__ import annotations

from collections import defaultdict
from typing import TypeVar

from govpool.api.base import REQUEST_LABEL, SETTLED_LABEL, Resource

R = TypeVar("R", bound=Resource)
Key = tuple[str, str, str]
"""Kind, namespace, name."""


class Store:
    """Objects by key, and by the request that they were made for.

    Filled by the watch streams and by the answers to our own writes, so that a reconcile always sees what
    an earlier one wrote; an older version never overwrites a newer one.
    """

    def __init__(self) -> None:
        self._objects: dict[Key, Resource] = {}
        self._by_request: defaultdict[tuple[str, str], set[Key]] = defaultdict(set)
        self._gone: dict[str, int] = {}

    def put(self, resource: Resource) -> bool:
        """Take the object in; False when this version, or a newer one, was known."""
        key = resource.key
        known = self._objects.get(key)
        version = _version(resource)
        if self._gone.get(resource.metadata.uid, -1) >= version:
            return False
        if known is not None and known.metadata.uid == resource.metadata.uid and _version(known) >= version:
            return False
        if known is not None:
            self._unlink(known)
        self._objects[key] = resource
        if uid := resource.metadata.labels.get(REQUEST_LABEL):
            self._by_request[(uid, resource.DEFINITION.kind)].add(key)
        return True

    def drop(self, resource: Resource) -> None:
        """The object is gone, or settled."""
        known = self._objects.get(resource.key)
        if known is None or known.metadata.uid != resource.metadata.uid:
            return
        self._unlink(known)
        del self._objects[resource.key]
        if resource.metadata.labels.get(SETTLED_LABEL) == "true":
            # A watch event that was on its way must not bring a settled object back.
            self._gone[resource.metadata.uid] = _version(resource)
            if len(self._gone) > 10_000:
                self._gone.pop(next(iter(self._gone)))

    def get(self, kind: type[R], name: str, namespace: str = "") -> R | None:
        """The object, or None."""
        found = self._objects.get((kind.DEFINITION.kind, namespace, name))
        return found if isinstance(found, kind) else None

    def find(self, key: Key) -> Resource | None:
        """The object under the key, or None."""
        return self._objects.get(key)

    def made_for(self, kind: type[R], request_uid: str) -> tuple[R, ...]:
        """Objects of a kind that were made for a request, by name."""
        keys = sorted(self._by_request.get((request_uid, kind.DEFINITION.kind), ()))
        found = (self._objects[key] for key in keys)
        return tuple(item for item in found if isinstance(item, kind))

    def all(self, kind: type[R]) -> tuple[R, ...]:
        """Every object of a kind."""
        return tuple(item for item in self._objects.values() if isinstance(item, kind))

    def __len__(self) -> int:
        return len(self._objects)

    def _unlink(self, resource: Resource) -> None:
        if uid := resource.metadata.labels.get(REQUEST_LABEL):
            self._by_request[(uid, resource.DEFINITION.kind)].discard(resource.key)


def _version(resource: Resource) -> int:
    """Resource versions of one resource type are ordered numbers (KEP-5504)."""
    version = resource.metadata.resource_version
    return int(version) if version.isdigit() else 0
