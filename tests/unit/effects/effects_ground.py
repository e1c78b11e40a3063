"""What the tests of the effects stand on: a clock held in the hand, a control plane with faults, objects."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from govpool.api.base import REQUEST_LABEL, ObjectMeta, Resource
from govpool.api.cloudpolicy import CloudPolicy
from govpool.api.cloudpool import CloudPool
from govpool.api.cloudresourcerequest import CloudResourceRequest
from govpool.api.cloudserver import CloudServer
from govpool.api.crd import custom_resource_definition
from govpool.api.kinds import KINDS
from govpool.api.tenantquota import TenantQuota
from govpool.api.workorder import RunLease, WorkOrder, WorkOrderState, WorkOrderStatus
from govpool.effects.kube import Kube, KubeError
from govpool.effects.operator import Operator
from govpool.effects.secrets import NAMESPACE as OWN
from govpool.handlers import events
from govpool.standalone.faults import Fault, FaultKind, FaultRequest
from govpool.standalone.server import ControlPlane

ROOT = Path(__file__).parents[3]
NAMESPACE = "heshan-data-bureau"
UID = "5d0c6f7e-0000-4000-8000-000000000001"
NOW = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)


class HandClock:
    """A clock that only moves when it is moved."""

    def __init__(self, now: datetime = NOW) -> None:
        self._now = now
        self._listeners: list[Callable[[], None]] = []

    ahead = timedelta(0)

    def now(self) -> datetime:
        return self._now

    def on_move(self, listener: Callable[[], None]) -> None:
        self._listeners.append(listener)

    def move(self, span: timedelta) -> None:
        self._now += span
        for listener in self._listeners:
            listener()


class Plane:
    """A control plane whose faults a test orders: ``fault`` judges every request of the operator."""

    def __init__(self, server: ControlPlane, admin: Kube, kube: Kube) -> None:
        self.server, self.admin, self.kube = server, admin, kube
        self.fault: Callable[[FaultRequest], Fault | None] = lambda _: None
        self.seen: list[FaultRequest] = []
        self.operator_kubeconfig = server.kubeconfig("operator")

    def judge(self, request: FaultRequest) -> Fault | None:
        if request.user != "operator":
            return None
        self.seen.append(request)
        return self.fault(request)

    def writes(self) -> list[FaultRequest]:
        return [r for r in self.seen if r.method != "GET"]

    async def install(self) -> None:
        """The kinds, the operator's namespace and a unit's."""
        await self.install_kinds()
        for name in (OWN, NAMESPACE):
            await self.admin.ensure_namespace(name)

    async def install_kinds(self) -> None:
        path = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
        for kind in KINDS:
            await self.admin.post_path(path, custom_resource_definition(kind))


@contextlib.asynccontextmanager
async def plane_with(state: Path, **settings: Any) -> AsyncIterator[Plane]:
    made: list[Plane] = []
    faults = lambda request: made[0].judge(request) if made else None  # noqa: E731
    async with ControlPlane(state, faults=faults, tls=False, **settings) as server:
        admin = await Kube.connect(server.kubeconfig("admin"))
        kube = await Kube.connect(server.kubeconfig("operator"))
        made.append(Plane(server, admin, kube))
        try:
            yield made[0]
        finally:
            await kube.close()
            await admin.close()


def nth(number: int, kind: FaultKind, *, verbs: bool = True) -> Callable[[FaultRequest], Fault | None]:
    """The fault befalls the n-th write (from 1), and no other."""
    count = 0

    def judge(request: FaultRequest) -> Fault | None:
        nonlocal count
        if request.method == "GET" and verbs:
            return None
        count += 1
        return Fault(kind) if count == number else None

    return judge


def documents(name: str) -> Iterator[dict[str, Any]]:
    text = (ROOT / name).read_text()
    return (document for document in yaml.safe_load_all(text) if document)


def request_of(name: str = "doc-approval", uid: str = UID) -> CloudResourceRequest:
    (document,) = documents("examples/03-request.yaml")
    document["metadata"] |= {"name": name, "namespace": NAMESPACE, "uid": uid}
    return CloudResourceRequest.model_validate(document)


def quota() -> TenantQuota:
    (document,) = (d for d in documents("examples/02-unit.yaml") if d["kind"] == "TenantQuota")
    return TenantQuota.model_validate(document)


def server_of(name: str = "doc-approval-app-0", uid: str = UID, **spec: Any) -> CloudServer:
    """A CloudServer as decided; not created yet."""
    return CloudServer.model_validate(
        {
            "kind": "CloudServer",
            "metadata": {"name": name, "namespace": NAMESPACE, "labels": {REQUEST_LABEL: uid}},
            "spec": {
                "request": {"name": "doc-approval", "uid": uid},
                "revision": 1,
                "article": "10",
                "pool": "fixture-pool",
                "key": f"gp-{name}",
                "group": "app",
                "ordinal": 0,
                "item": "ecs-2c4g",
                "vcpu": 2,
                "memoryGiB": 4,
                "image": "debian-12",
                "network": "GovExtranet",
                "disks": [{"key": f"gpd-{name}", "name": "root", "sizeGiB": 20, "root": True}],
                "desired": "Running",
                **spec,
            },
        }
    )


def order_of(name: str = "doc-approval-baseline-r1", work: str = "Baseline", uid: str = UID) -> WorkOrder:
    """A WorkOrder as decided; not created yet."""
    return WorkOrder.model_validate(
        {
            "kind": "WorkOrder",
            "metadata": {"name": name, "namespace": NAMESPACE, "labels": {REQUEST_LABEL: uid}},
            "spec": {
                "work": work,
                "request": {"name": "doc-approval", "uid": uid},
                "revision": 1,
                "approval": "doc-approval-r1",
                "pool": "fixture-pool",
                "servers": ["doc-approval-app-0"],
                "runKey": f"{work.lower()}-r1",
                "startedBy": "2026-03-02T08:00:00Z",
                "article": "10",
            },
        }
    )


def running(holder: str, *, attempts: int = 1, renewed: datetime = NOW) -> WorkOrderStatus:
    return WorkOrderStatus(
        state=WorkOrderState.RUNNING,
        attempts=attempts,
        lease=RunLease(holder=holder, renewed=renewed),
        started=NOW,
    )


def versioned(resource: Resource, version: int, uid: str = "u1", **meta: Any) -> Any:
    """The object as the API server would serve it at a version."""
    update = {"resource_version": str(version), "uid": uid, **meta}
    metadata: ObjectMeta = resource.metadata.model_copy(update=update)
    return resource.model_copy(update={"metadata": metadata})


async def everything(kube: Kube, *, but: tuple[str, ...] = ()) -> str:
    """The text of every object in the API server but those of some plurals."""
    core = ["namespaces", "secrets", "configmaps"]
    paths = [f"/api/v1/{plural}" for plural in core if plural not in but]
    paths += [f"/apis/govpool.dev/v1alpha1/{kind.DEFINITION.plural}" for kind in KINDS]
    paths += ["/apis/events.k8s.io/v1/events"]
    text = ""
    for path in paths:
        with contextlib.suppress(KubeError):
            text += str(await kube.get_path(path))
    return text


def pool_of(name: str = "fixture-pool", **spec: Any) -> CloudPool:
    (document,) = (
        d
        for d in documents("examples/01-supply.yaml")
        if d["kind"] == "CloudPool" and d["metadata"]["name"] == "fixture-pool"
    )
    document["metadata"]["name"] = name
    document["spec"] |= spec
    return CloudPool.model_validate(document)


def policy_of() -> CloudPolicy:
    (document,) = documents("policies/yiyang-2025.yaml")
    return CloudPolicy.model_validate(document)


async def until(true: Callable[[], object], what: str) -> None:
    """Wait until it is so; there is no event for what only a test looks at."""
    try:
        async with asyncio.timeout(10):
            while not true():  # noqa: ASYNC110
                await asyncio.sleep(0.005)
    except TimeoutError:
        raise AssertionError(f"never {what}") from None


def operators(monkeypatch: pytest.MonkeyPatch) -> list[Operator]:
    """The operators that the handlers make from now on."""
    made: list[Operator] = []

    class Seen(Operator):
        def __init__(self, *arguments: Any, **named: Any) -> None:
            super().__init__(*arguments, **named)
            made.append(self)

    monkeypatch.setattr(events, "Operator", Seen)
    return made
