"""A server of a few objects, for tests of what people write; it refuses a write after an old version."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from govpool.api.approval import Approval
from govpool.api.cloudresourcerequest import CloudResourceRequest
from govpool.api.workorder import WorkOrder
from govpool.cli.api import Api
from govpool.effects.kube import KubeError

NOW = datetime(2026, 11, 23, 8, 30, tzinfo=UTC)
HASH = "ab" * 32
CONTENT = {
    "system": {"name": "oa", "purpose": "documents", "protectionLevel": 2, "network": "GovernmentExtranet"},
    "pool": "p",
    "servers": [{"name": "app", "count": 1, "item": "i", "image": "debian-12"}],
    "administrators": [{"name": "a", "sshPublicKeys": ["ssh-ed25519 AAAA"]}],
}


def meta(name: str, **more: Any) -> dict[str, Any]:
    return {
        "name": name,
        "namespace": "unit-a",
        "uid": f"uid-{name}",
        "resourceVersion": "1",
        "generation": 1,
        **more,
    }


def approval(name: str = "oa-r1", state: str = "Pending", decisions: list[Any] | None = None) -> Approval:
    steps = [
        {"stage": "Acceptance", "role": "acceptor", "article": "19(2)"},
        {"stage": "Review", "role": "reviewer", "article": "19(2)"},
    ]
    spec = {
        "request": {"name": "oa", "uid": "uid-oa"},
        "revision": 1,
        "application": "New",
        "policy": "y",
        "submissionHash": HASH,
        "content": CONTENT,
        "steps": steps,
        "decisions": decisions or [],
    }
    return Approval.model_validate({"metadata": meta(name), "spec": spec, "status": {"state": state}})


def request(status: dict[str, Any] | None = None, **confirmations: Any) -> CloudResourceRequest:
    body = {"metadata": meta("oa"), "spec": {**CONTENT, "confirmations": confirmations}, "status": status}
    return CloudResourceRequest.model_validate(body)


def backup_order(receipt: str | None, revision: int = 3) -> WorkOrder:
    spec = {
        "work": "Backup",
        "request": {"name": "oa", "uid": "uid-oa"},
        "revision": revision,
        "approval": "oa-r3",
        "pool": "p",
        "servers": ["oa-app-0"],
        "runKey": "backup-r3",
        "startedBy": NOW,
        "article": "YY-21(2)",
    }
    status = {"state": "Succeeded" if receipt else "Running", "receiptSha256": receipt}
    return WorkOrder.model_validate(
        {"metadata": meta(f"oa-backup-r{revision}"), "spec": spec, "status": status}
    )


class Server(Api):
    """Holds objects; ``meanwhile`` is done to it just before the first write."""

    def __init__(
        self, *objects: Any, user: str = "zhang", meanwhile: Callable[[Server], None] | None = None
    ) -> None:
        self.objects = {item.key: item for item in objects}
        self.user, self.meanwhile, self.writes = user, meanwhile, 0

    async def whoami(self) -> str:
        return self.user

    async def now(self) -> datetime:
        return NOW

    async def get(self, kind: Any, name: str, namespace: str | None = None) -> Any:
        found = self.objects.get((kind.DEFINITION.kind, namespace or "", name))
        if found is None:
            raise KubeError(404, "NotFound", f"{name} not found")
        return found

    async def list(
        self, kind: Any, *, namespace: str | None = None, labels: str | None = None
    ) -> tuple[Any, ...]:
        return tuple(
            o
            for o in self.objects.values()
            if isinstance(o, kind) and namespace in (None, o.metadata.namespace)
        )

    async def merge(self, resource: Any, body: Any) -> Any:
        if self.meanwhile is not None:
            act, self.meanwhile = self.meanwhile, None
            act(self)
        stored = self.objects[resource.key]
        if body["metadata"]["resourceVersion"] != stored.metadata.resource_version:
            raise KubeError(409, "Conflict", "the object has been modified")
        self.writes += 1
        document = merged(stored.model_dump(mode="json", by_alias=True, exclude_none=True), body)
        document["metadata"]["resourceVersion"] = str(int(stored.metadata.resource_version) + 1)
        return self.put(type(stored).model_validate(document))

    def put(self, item: Any) -> Any:
        self.objects[item.key] = item
        return item

    def touch(self, kind: Any, name: str, **update: Any) -> None:
        """Somebody else writes the object."""
        item = self.objects[(kind.DEFINITION.kind, "unit-a", name)]
        version = str(int(item.metadata.resource_version) + 1)
        metadata = item.metadata.model_copy(update={"resource_version": version})
        self.put(item.model_copy(update={"metadata": metadata, **update}))


def merged(target: Any, patch: Any) -> Any:
    """RFC 7396."""
    if not isinstance(patch, dict):
        return patch
    target = dict(target) if isinstance(target, dict) else {}
    for key, value in patch.items():
        if value is None:
            target.pop(key, None)
        else:
            target[key] = merged(target.get(key), value)
    return target
