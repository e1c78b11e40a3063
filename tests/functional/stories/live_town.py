"""A town that is no simulation: an embedded control plane, the operator as it runs, a real pool.

The same player plays the same scenarios in it; time is moved on with the control plane's own clock.
"""

from __future__ import annotations

import asyncio
import contextlib
import copy
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TypeVar, cast

import kopf
import yaml

from govpool.api.base import REQUEST_LABEL, SETTLED_LABEL, Resource
from govpool.api.cloudpool import CloudPool
from govpool.api.cloudresourcerequest import CloudResourceRequest
from govpool.api.cloudserver import CloudServer, Desired, ServerPhase
from govpool.api.kinds import by_kind
from govpool.api.workorder import Executor, WorkOrder, WorkOrderState
from govpool.effects.kube import Json, Kube, KubeError
from govpool.effects.operator import WATCHED, Operator, Options
from govpool.effects.store import Key
from govpool.handlers.events import registry
from govpool.lifecycle.decision import Decision
from govpool.simulation.result import Counts
from govpool.simulation.town import Change, Drifted
from govpool.standalone.server import ControlPlane
from govpool_providers.base import PoolConnection
from govpool_providers.fixture import FaultPlan

R = TypeVar("R", bound=Resource)
ROOT = Path(__file__).parents[3]
POLLED = (CloudServer.DEFINITION.kind, CloudPool.DEFINITION.kind)
QUIET = 0.7
"""Seconds without anything to do after which a town is at rest: longer than any first back-off."""
PATIENCE = 150.0
"""Seconds that a town may take to come to rest: machines boot, playbooks run."""
UNDER_WAY = (ServerPhase.PENDING, ServerPhase.BUILDING, ServerPhase.RESIZING)


class WatchedOperator(Operator):
    """The operator as it is, with somebody who sees what it sees."""

    def __init__(self, options: Options) -> None:
        super().__init__(options)
        self.known: dict[Key, Resource] = {}
        self.changes: list[Change] = []
        self.looks: dict[Key, datetime] = {}

    def saw(self, resource: Resource) -> None:
        """A version of an object came along."""
        self._note(resource.key, resource)
        super().saw(resource)

    def lost(self, resource: Resource) -> None:
        """An object is gone, or was settled and left the watch."""
        settled = resource.metadata.labels.get(SETTLED_LABEL) == "true"
        self._note(resource.key, resource if settled else None)
        super().lost(resource)

    def look_again(self, key: Key, decision: Decision) -> None:
        """When something is looked at again, other than to poll a pool."""
        self.looks.pop(key, None)
        if key[0] not in POLLED and decision.look_again is not None:
            self.looks[key] = decision.look_again
        super().look_again(key, decision)

    def _note(self, key: Key, resource: Resource | None) -> None:
        before = self.known.get(key)
        if resource is None:
            if self.known.pop(key, None) is None:
                return
            self.looks.pop(key, None)
        elif before is not None and version(before) >= version(resource):
            return
        else:
            self.known[key] = resource
        self.changes.append(Change(self.clock.now(), before, resource))


async def until(true: Callable[[], bool], seconds: float) -> None:
    """Wait until it is so. Raises TimeoutError."""
    async with asyncio.timeout(seconds):
        while True:
            if true():
                return
            await asyncio.sleep(0.05)


def _on_its_way(server: CloudServer) -> bool:
    """Whether its pool is looked at again and again until it is as wanted."""
    phase = server.status.phase if server.status else ServerPhase.PENDING
    if server.spec.desired is Desired.GONE:
        return phase is not ServerPhase.GONE
    if server.spec.desired is Desired.RELEASED:
        return phase not in (ServerPhase.RELEASED, ServerPhase.GONE)
    return phase in UNDER_WAY


def version(resource: Resource) -> int:
    """The object's resourceVersion; the embedded control plane's are numbers."""
    return int(resource.metadata.resource_version or "0")


@dataclass
class LiveTown:
    """See :class:`govpool.simulation.town.Town`."""

    kube: Kube
    operator: WatchedOperator
    pool: PoolConnection
    home: Path

    def now(self) -> datetime:
        """The control plane's time."""
        return self.operator.clock.now()

    async def settle(self) -> None:
        """Return when nothing is to be done, no machine boots and no playbook runs."""
        quiet_since: float | None = None
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(PATIENCE):
            while quiet_since is None or loop.time() - quiet_since < QUIET:
                if self._busy():
                    quiet_since = None
                elif quiet_since is None:
                    quiet_since = loop.time()
                await asyncio.sleep(0.05)

    def _busy(self) -> bool:
        if not self.operator.queue.idle or self._overdue():
            return True
        for resource in self.operator.known.values():
            status = getattr(resource, "status", None)
            if isinstance(resource, WorkOrder) and resource.spec.executor is not Executor.PERSON:
                if status is None or status.state in (WorkOrderState.PENDING, WorkOrderState.RUNNING):
                    return True
            elif isinstance(resource, CloudServer) and _on_its_way(resource):
                return True
        return False

    def _overdue(self) -> bool:
        """Whether a look is due that the operator has not yet taken."""
        now = self.now()
        return any(at <= now for at in self.operator.looks.values())

    def next_look(self) -> datetime | None:
        """When the operator looks at something again, polls of the pool left out."""
        return min(self.operator.looks.values(), default=None)

    async def move_to(self, at: datetime) -> None:
        """Move the control plane's clock on."""
        seconds = (at - self.now()).total_seconds()
        if seconds > 0:
            await self.kube.post_path("/govpool/clock", {"advance": f"PT{int(seconds) + 1}S"})
        await until(lambda: self.now() >= at, 10)

    async def changes(self) -> tuple[Change, ...]:
        """What the operator saw since this was last asked."""
        told, self.operator.changes = tuple(self.operator.changes), []
        return told

    # -- what people do ---------------------------------------------------------------------------
    async def find(self, kind: type[R], name: str, namespace: str = "") -> R | None:
        """An object, or None."""
        try:
            return await self.kube.get(kind, name, namespace or None)
        except KubeError as error:
            if error.absent:
                return None
            raise

    async def list(self, kind: type[R], namespace: str | None = None) -> tuple[R, ...]:
        """Every object of a kind."""
        return tuple(await self.kube.list(kind, namespace=namespace))

    async def made_for(self, kind: type[R], request: CloudResourceRequest) -> tuple[R, ...]:
        """Every object of a kind that was made for the request."""
        meta = request.metadata
        return await self.kube.list(kind, namespace=meta.namespace, labels=f"{REQUEST_LABEL}={meta.uid}")

    async def namespace(self, name: str) -> None:
        """Create the namespace unless it is there."""
        await self.kube.ensure_namespace(name)

    async def create(self, document: Json, *, by: str) -> None:
        """Create an object; the pool is the real one, whatever the scenario calls it."""
        kind = by_kind(str(document["kind"]))
        if kind is CloudPool:
            document = self._real(document)
        meta = cast(Json, document["metadata"])
        space = f"/namespaces/{meta['namespace']}" if meta.get("namespace") else ""
        path = f"/apis/govpool.dev/v1alpha1{space}/{kind.DEFINITION.plural}"
        created = await self.kube.post_path(path, document)
        self._expect(kind, created)

    async def patch(
        self, kind: type[Resource], name: str, namespace: str, body: Json, *, by: str, status: bool = False
    ) -> None:
        """A merge patch of an object or of its status."""
        space = f"/namespaces/{namespace}" if namespace else ""
        path = f"/apis/govpool.dev/v1alpha1{space}/{kind.DEFINITION.plural}/{name}"
        patched = await self.kube._request(
            "PATCH",
            path + ("/status" if status else ""),
            body=body,
            content_type="application/merge-patch+json",
        )
        self._expect(kind, patched)

    async def delete(self, kind: type[Resource], name: str, namespace: str, *, by: str) -> None:
        """Delete an object."""
        await self.kube.delete(await self.kube.get(kind, name, namespace or None))

    def _expect(self, kind: type[Resource], document: Json) -> None:
        """What was written is seen at once, as if the watch had told it."""
        resource = kind.model_validate(document)
        if kind in WATCHED:
            self.operator.saw(resource)

    def _real(self, document: Json) -> Json:
        made = copy.deepcopy(document)
        spec = cast(Json, made["spec"])
        spec["connection"] = {"provider": "local", "settings": dict(self.pool.settings)}
        spec["mappings"] = {
            "images": [{"name": "debian-12", "providerName": "debian-12"}],
            "networks": [
                {"name": name, "providerName": self.pool.settings["bridge"]}
                for name in ("GovernmentExtranet", "Internet")
            ],
        }
        spec["capacity"] = {"servers": 8, "vcpu": 8, "memoryGiB": 16, "storageGiB": 32}
        spec["adminNetworks"] = ["10.0.0.0/8"]
        spec["backup"] = {
            "location": str(self.home / "restic"),
            "passwordRef": {"name": "stories-backup", "namespace": "govpool-system"},
        }
        return made

    # -- what a real pool can't be told -----------------------------------------------------------
    async def set_faults(self, pool: str, plan: FaultPlan) -> None:
        """A real pool fails when it wants to."""
        raise NotImplementedError("faults are for simulated pools")

    async def drift(self, pool: str, key: str, drift: Drifted) -> None:
        """A real machine drifts when somebody changes it."""
        raise NotImplementedError("drift is for simulated pools")

    def counts(self) -> Counts:
        """Nobody counts here."""
        return Counts()


@contextlib.asynccontextmanager
async def live_town(home: Path, pool: PoolConnection, starts: datetime) -> AsyncIterator[LiveTown]:
    """A control plane whose clock stands at ``starts``, and an operator that works."""
    async with ControlPlane(home / "plane") as plane:
        plane.clock.offset = (starts - datetime.now(UTC)) / timedelta(seconds=1)
        kube = await Kube.connect(plane.kubeconfig("admin"))
        stop = asyncio.Event()
        operator = WatchedOperator(Options(plane.kubeconfig("operator"), home / "operator"))
        running: asyncio.Task[None] | None = None
        try:
            await _install(kube)
            handlers = registry(operator, plane.kubeconfig("operator"), stop)
            running = asyncio.create_task(
                kopf.operator(registry=handlers, clusterwide=True, standalone=True, stop_flag=stop)
            )
            await until(lambda: hasattr(operator, "queue"), 30)
            yield LiveTown(kube, operator, pool, home)
        finally:
            stop.set()
            if running is not None:
                await asyncio.wait_for(running, 30)
            await operator.stop()
            await kube.close()
        if operator.fault is not None:
            raise operator.fault


async def _install(kube: Kube) -> None:
    """The kinds, and the password of the backups."""
    crds = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
    for path in sorted((ROOT / "crds").glob("*.yaml")):
        for document in yaml.safe_load_all(path.read_text()):
            await kube.post_path(crds, document)
    await kube.ensure_namespace("govpool-system")
    secret: Json = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "stories-backup", "namespace": "govpool-system"},
        "stringData": {"password": "only for this test"},
    }
    await kube.post_path("/api/v1/namespaces/govpool-system/secrets", secret)
