"""The demo's stage: who acts through which connection, and what all acts share."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import yaml

from govpool.api.approval import Approval
from govpool.api.cloudresourcerequest import CloudResourceRequest
from govpool.api.cloudserver import CloudServer
from govpool.cli.api import Api, connected, documents
from govpool.cli.confirmations import Speaker
from govpool.cli.data import shipped
from govpool.cli.decisions import Decided, Verdicts, decide
from govpool.cli.demo.screen import Screen, Step, command
from govpool.cli.demo.unit import Unit
from govpool.cli.demo.view import View
from govpool.cli.demo.workspace import NAMESPACE, Child, Workspace, run_kubectl
from govpool.effects.kube import Json

REQUEST = "doc-approval"
USERS = ("admin", "acceptor", "reviewer", "unit")


@dataclass(slots=True)
class Stage:
    """Everything that an act of the demo uses."""

    screen: Screen
    workspace: Workspace
    view: View
    apis: dict[str, Api]
    unit: Unit

    @property
    def real(self) -> bool:
        """Whether there are machines and disks."""
        return self.workspace.pool != "fixture"

    @property
    def searchable(self) -> bool:
        """Whether the disks' raw images can be read from here."""
        cloud = self.workspace.cloud
        return self.real and (cloud is None or cloud.volumes is not None)

    async def kubectl(self, user: str, *arguments: str, stdin: str = "") -> str:
        """Stock kubectl as that user."""
        return await run_kubectl(self.workspace, user, *arguments, stdin=stdin)

    async def approve(self, step: Step, user: str, approval: Approval) -> Decided:
        """What ``govpool approve`` does, as that user."""
        done = await decide(self.apis[user], approval, Verdicts())
        step.note(command(f"govpool approve {REQUEST} --as {user}", done.decision.stage.value))
        return done

    async def speaker(self, statement: str) -> Speaker:
        """The unit, about to state something, as ``govpool confirm`` has it."""
        api = self.apis["unit"]
        request = await api.get(CloudResourceRequest, REQUEST, NAMESPACE)
        return Speaker(api, request, statement, self.screen.language)

    @property
    def servers(self) -> list[CloudServer]:
        """The servers there are."""
        return self.view.all(CloudServer)


def manifest(workspace: Workspace, name: str, alter: Callable[[Json], Json | None]) -> Path:
    """A file of ``examples/`` with what the demo needs of its own; one altered to None is left out."""
    altered = [alter(document) for document in documents(shipped("examples") / name)]
    path = workspace.manifests / name
    path.write_text(
        yaml.safe_dump_all([d for d in altered if d is not None], sort_keys=False, allow_unicode=True)
    )
    return path


def own_pool(workspace: Workspace, document: Json) -> Json | None:
    """Only the pool that is used, in the demo's own folder and subnet."""
    if document["kind"] != "CloudPool":
        return document
    metadata, cloud = cast(dict[str, str], document["metadata"]), workspace.cloud
    if metadata["name"] != (workspace.pool_name if cloud is None else "local-pool"):
        return None
    spec = cast(dict[str, Json], document["spec"])
    if cloud is not None:
        metadata["name"] = workspace.pool_name
        spec["title"] = cast(Json, "市级政务云资源池（OpenStack）")
        spec["connection"] = {"provider": "openstack", "cloud": cloud.cloud, "settings": dict(cloud.settings)}
        spec["adminNetworks"] = cast(Json, cloud.admin_networks)
        secret: Json = {"name": f"{workspace.pool_name}-backup", "namespace": "govpool-system"}
        spec["backup"] = {"location": cloud.backup, "passwordRef": secret}
        del spec["mappings"]
        return document
    spec["connection"]["settings"] = cast(Json, workspace.settings)
    spec["backup"]["location"] = str(workspace.path / "backup")
    return document


def own_quota(workspace: Workspace, document: Json) -> Json:
    """On a cloud, the unit's limits for the local pool are those for the demo's."""
    if document["kind"] == "TenantQuota" and workspace.cloud is not None:
        spec = cast(dict[str, list[dict[str, str]]], document["spec"])
        for limits in spec["limits"]:
            if limits["pool"] == "local-pool":
                limits["pool"] = workspace.pool_name
    return document


def own_request(workspace: Workspace, public_key: str, document: Json) -> Json:
    """The application in the demo's pool, with a key whose private half the demo has."""
    spec = cast(dict[str, object], document["spec"])
    administrators = cast(list[dict[str, object]], spec["administrators"])
    administrators[0]["sshPublicKeys"] = [public_key]
    spec["pool"] = workspace.pool_name
    return document


@asynccontextmanager
async def processes(screen: Screen, workspace: Workspace, language: str) -> AsyncIterator[list[Child]]:
    """The control plane and the operator, as long as the demo lasts; the operator is stopped first."""
    state = workspace.path / "control-plane"
    async with AsyncExitStack() as stack:
        with screen.step("control-plane") as step:
            arguments = ["up", "--state-dir", str(state), "--unit-namespace", NAMESPACE]
            plane = await Child.start("control plane", arguments, workspace)
            stack.push_async_callback(plane.stop)
            said = await plane.first_line()
            step.note(command("govpool up"))
            step.note(said)
        with screen.step("operator") as step:
            config = str(workspace.kubeconfig("operator"))
            arguments = ["operator", "--kubeconfig", config, "--state-dir", str(workspace.operator_state)]
            arguments += ["--language", language, "-v"]
            operator = await Child.start("operator", arguments, workspace)
            stack.push_async_callback(operator.stop)
            step.note(command("govpool operator --kubeconfig operator.kubeconfig"))
        yield [plane, operator]


@asynccontextmanager
async def staged(screen: Screen, workspace: Workspace, children: list[Child]) -> AsyncIterator[Stage]:
    """Connections of everybody who acts and a view that follows; a process that ends ends the demo."""
    async with AsyncExitStack() as stack:
        apis = {
            user: await stack.enter_async_context(connected(workspace.kubeconfig(user))) for user in USERS
        }
        view = View(NAMESPACE, REQUEST)
        tasks = [asyncio.create_task(child.watch()) for child in children]
        tasks.append(asyncio.create_task(view.follow(apis["admin"])))
        main = asyncio.current_task()
        broken: list[BaseException] = []

        def fell(task: asyncio.Task[None]) -> None:
            if not task.cancelled() and (error := task.exception()) is not None and main is not None:
                broken.append(error)
                main.cancel()

        for task in tasks:
            task.add_done_callback(fell)
        try:
            yield Stage(screen, workspace, view, apis, Unit(workspace))
        except asyncio.CancelledError:
            if broken:
                raise _root(broken[0]) from None
            raise
        finally:
            for task in tasks:
                task.remove_done_callback(fell)
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


def _root(error: BaseException) -> BaseException:
    """What a task group wraps."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
