"""A small world for tests of the whole life cycle: an embedded control plane, an operator, people who act.

The operator runs in this process or in one of its own; the people write what the approval system and the
unit would write, through the same API.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import yaml

from govpool.api.approval import Approval, ApprovalState
from govpool.api.base import SETTLED_LABEL
from govpool.api.cloudresourcerequest import CloudResourceRequest
from govpool.api.cloudserver import CloudServer
from govpool.api.workorder import WorkOrder
from govpool.effects.kube import Kube, KubeError
from govpool.effects.operator import Options
from govpool.handlers.events import run
from govpool.standalone.server import ControlPlane

ROOT = Path(__file__).parents[3]
NAMESPACE = "heshan-data-bureau"
REQUEST = "doc-approval"
CORE = {"Namespace": "/api/v1/namespaces", "Secret": "/api/v1/namespaces/{namespace}/secrets"}


def documents(path: Path) -> list[dict[str, Any]]:
    return [document for document in yaml.safe_load_all(path.read_text()) if document]


class World:
    """Who is there, and what they do."""

    def __init__(self, kube: Kube, kubeconfig: Path, state: Path) -> None:
        self.kube, self.kubeconfig, self.state = kube, kubeconfig, state
        self.patience = 60.0
        """How long people wait for anything, in seconds."""
        self.hurry = ""
        """By how much people move the clock on whenever they look in vain; empty: not at all."""
        self.operators = kubeconfig
        """What operators log in with."""
        self.operator_named: Callable[[str], Path] = lambda _: self.operators
        """What an operator logs in with that has a name of its own."""

    # -- GitOps -----------------------------------------------------------------------------------
    async def apply(self, document: dict[str, Any]) -> dict[str, Any]:
        """Create the object, or replace it when it is there."""
        kind, meta = document["kind"], document["metadata"]
        if kind == "CustomResourceDefinition":
            base = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
        elif kind in CORE:
            base = CORE[kind].format(namespace=meta.get("namespace"))
        else:
            plural = {"CloudPolicy": "cloudpolicies"}.get(kind, kind.lower() + "s")
            space = f"/namespaces/{meta['namespace']}" if "namespace" in meta else ""
            base = f"/apis/govpool.dev/v1alpha1{space}/{plural}"
        try:
            return await self.kube.post_path(base, document)
        except KubeError as error:
            if not error.exists:
                raise
        current = await self.kube.get_path(f"{base}/{meta['name']}")
        document = {**document, "metadata": {**current["metadata"], **meta}}
        return await self.kube._request("PUT", f"{base}/{meta['name']}", body=document)

    async def install(self, *, settings: dict[str, str] | None = None) -> None:
        """CRDs, policies, catalogue, pools and the unit, from the files that ship."""
        for path in sorted((ROOT / "crds").glob("*.yaml")):
            for document in documents(path):
                await self.apply(document)
        for path in sorted((ROOT / "policies").glob("*.yaml")):
            for document in documents(path):
                await self.apply(document)
        for name in ("01-supply.yaml", "02-unit.yaml"):
            for document in documents(ROOT / "examples" / name):
                if document["kind"] == "CloudPool" and document["metadata"]["name"] == "fixture-pool":
                    document["spec"]["connection"]["settings"] = settings or {}
                await self.apply(document)

    # -- the unit ---------------------------------------------------------------------------------
    def application(self, name: str = REQUEST, pool: str = "fixture-pool") -> dict[str, Any]:
        (document,) = documents(ROOT / "examples" / "03-request.yaml")
        document["metadata"]["name"] = name
        document["spec"]["pool"] = pool
        return document

    async def request(self, name: str = REQUEST) -> CloudResourceRequest:
        return await self.kube.get(CloudResourceRequest, name, NAMESPACE)

    async def edit(self, change: dict[str, Any], name: str = REQUEST) -> CloudResourceRequest:
        return await self.kube.merge(await self.request(name), {"spec": change})

    async def confirm(self, what: str, value: dict[str, Any], name: str = REQUEST) -> None:
        """Add to the unit's confirmations; repeated on a conflict, as a person would."""
        while True:
            request = await self.request(name)
            given = request.spec.confirmations.model_dump(mode="json", by_alias=True, exclude_none=True)
            given[what] = [*given.get(what, []), value] if isinstance(given.get(what), list) else value
            body = {
                "metadata": {"resourceVersion": request.metadata.resource_version},
                "spec": {"confirmations": given},
            }
            try:
                await self.kube.merge(request, body)
                return
            except KubeError as error:
                if not error.conflict:
                    raise

    async def now(self) -> datetime:
        """The control plane's time, to the second."""
        clock = await self.kube.get_path("/govpool/clock")
        return datetime.fromisoformat(str(clock["now"])).astimezone(UTC).replace(microsecond=0)

    async def advance(self, span: str) -> None:
        await self.kube.post_path("/govpool/clock", {"advance": span})

    # -- the authority ----------------------------------------------------------------------------
    async def approvals(self, name: str = REQUEST) -> list[Approval]:
        found = await self.kube.list(Approval, namespace=NAMESPACE)
        return sorted((a for a in found if a.spec.request.name == name), key=lambda a: a.spec.revision)

    async def decide(self, verdict: str = "Approve", by: str = "zhang", name: str = REQUEST) -> Approval:
        """Decide the step that waits on the newest open Approval; waits until there is one."""
        approval: Approval | None = None

        async def waits() -> bool:
            nonlocal approval
            request = await self.request(name)
            open_ = [
                a
                for a in await self.approvals(name)
                if a.status
                and a.status.state is ApprovalState.PENDING
                and a.status.step
                and len(a.spec.decisions) < len(a.spec.steps)
                and request.status is not None
                and request.status.pending_approval == a.metadata.name
                and a.spec.steps[len(a.spec.decisions)].stage is a.status.step
            ]
            approval = open_[-1] if open_ else None
            return approval is not None

        while True:
            await self.until(waits, f"an open Approval of {name}")
            assert approval is not None and approval.status is not None and approval.status.step is not None
            decision = {
                "stage": approval.status.step.value,
                "verdict": verdict,
                "by": by,
                "opinion": "" if verdict == "Approve" else "材料不全",
                "at": (await self.now()).isoformat().replace("+00:00", "Z"),
            }
            given = [d.model_dump(mode="json", by_alias=True) for d in approval.spec.decisions]
            body = {
                "metadata": {"resourceVersion": approval.metadata.resource_version},
                "spec": {"decisions": [*given, decision]},
            }
            try:
                return await self.kube.merge(approval, body)
            except KubeError as error:
                if not error.conflict:
                    raise

    # -- waiting ----------------------------------------------------------------------------------
    async def until(self, true: Callable[[], Any], what: str, seconds: float | None = None) -> None:
        """Wait until it is so."""
        try:
            async with asyncio.timeout(max(seconds or 0, self.patience)):
                while True:
                    with contextlib.suppress(KubeError):
                        if await true():
                            return
                        if self.hurry:
                            await self.advance(self.hurry)
                    await asyncio.sleep(0.05)
        except TimeoutError:
            raise AssertionError(f"never: {what}\n{await self.tell()}") from None

    async def phase(
        self, wanted: str, name: str = REQUEST, seconds: float | None = None
    ) -> CloudResourceRequest:
        async def reached() -> bool:
            request = await self.request(name)
            status = request.status
            failed = [s for s in status.stages if s.state.value == "Failed"] if status else []
            assert not failed, f"{failed[0].message}\n{await self.tell(name)}"
            return status is not None and status.phase.value == wanted

        try:
            await self.until(reached, wanted, seconds)
        except TimeoutError:
            raise AssertionError(f"never {wanted}:\n{await self.tell(name)}") from None
        return await self.request(name)

    async def stage(
        self, stage: str, name: str = REQUEST, seconds: float | None = None
    ) -> CloudResourceRequest:
        """Wait until the request waits at a stage for the unit."""

        async def reached() -> bool:
            status = (await self.request(name)).status
            last = status.stages[-1] if status and status.stages else None
            return (
                last is not None
                and last.stage.value == stage
                and last.state.value == "Waiting"
                and (last.who is not None and last.who.value == "unit")
            )

        try:
            await self.until(reached, stage, seconds)
        except TimeoutError:
            raise AssertionError(f"never waiting at {stage}:\n{await self.tell(name)}") from None
        return await self.request(name)

    async def tell(self, name: str = REQUEST) -> str:
        """Where everything stands, for a failed test."""
        lines = []
        request = await self.request(name)
        if request.status:
            lines.append(f"phase {request.status.phase}")
            lines += [f"  {c.type}={c.status} {c.reason}: {c.message}" for c in request.status.conditions]
        for kind in (Approval, CloudServer, WorkOrder):
            for item in await self.kube.list(kind, namespace=NAMESPACE):
                status = item.status.model_dump(mode="json", exclude_none=True) if item.status else {}
                told = {
                    k: status[k]
                    for k in ("state", "phase", "message", "step", "attempts", "lease")
                    if k in status
                }
                settled = item.metadata.labels.get(SETTLED_LABEL)
                lines.append(
                    f"{kind.__name__} {item.metadata.name} settled={settled} "
                    + json.dumps(told, ensure_ascii=False)
                )
        return "\n".join(lines)

    # -- the operator -----------------------------------------------------------------------------
    @contextlib.asynccontextmanager
    async def operator(self) -> AsyncIterator[None]:
        """An operator in this process."""
        stop = asyncio.Event()
        task = asyncio.create_task(run(Options(self.operators, self.state), stop=stop))
        try:
            yield
        finally:
            stop.set()
            await asyncio.wait_for(task, 30)

    async def spawn(self) -> asyncio.subprocess.Process:
        """An operator in a process of its own."""
        log = (self.state.parent / "operator.log").open("ab")
        with log:
            return await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "govpool.cli.main",
                "operator",
                "--kubeconfig",
                str(self.operators),
                "--state-dir",
                str(self.state),
                stdout=log,
                stderr=log,
            )


@contextlib.asynccontextmanager
async def world(tmp_path: Path, **settings: Any) -> AsyncIterator[World]:
    """A fresh control plane with everything installed but a request."""
    async with ControlPlane(tmp_path / "plane", **settings) as plane:
        kubeconfig = plane.kubeconfig("admin")
        kube = await Kube.connect(kubeconfig)
        try:
            made = World(kube, kubeconfig, tmp_path / "operator")
            made.operators = plane.kubeconfig("operator")
            made.operator_named = lambda name: plane.add_user(name, ("govpool:operator",))
            await made.install(settings={"state": str(tmp_path / "pool.sqlite")})
            yield made
        finally:
            await kube.close()
