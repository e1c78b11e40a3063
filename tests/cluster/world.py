"""The life cycle's world on a real API server: people and operator come through doors, each as themselves."""

from __future__ import annotations

import asyncio
import contextlib
import os
import subprocess
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import yaml

from govpool.api.approval import Approval
from govpool.api.cloudresourcerequest import CloudResourceRequest
from govpool.api.kinds import KINDS
from govpool.effects.kube import Kube, KubeError
from govpool.effects.operator import Options
from govpool.handlers.events import run
from govpool.lifecycle.leadership import Timing
from tests.chart.charts import ROOT, objects
from tests.chart.documents import documents
from tests.cluster.proxy import Door, Identity, doors
from tests.functional.lifecycle.world import NAMESPACE, REQUEST, World

KUBECTL = ROOT / ".venv/bin/kubectl"
SYSTEM = "govpool-system"
RUNS = "govpool-runs"
OTHER = "govpool-test-other"
ADMIN = Identity("govpool-test-admin", ("system:masters",))
OPERATOR = Identity(
    f"system:serviceaccount:{SYSTEM}:govpool", ("system:serviceaccounts", f"system:serviceaccounts:{SYSTEM}")
)
PEOPLE = {
    "engineer": Identity("engineer-lin", ("govpool:platform-engineer",)),
    "acceptor": Identity("desk-wang", ("govpool:acceptor",)),
    "reviewer": Identity("reviewer-zhao", ("govpool:reviewer",)),
    "expert": Identity("expert-sun", ("govpool:expert",)),
    "provider": Identity("provider-qian", ("govpool:provider",)),
    "auditor": Identity("auditor-he", ("govpool:auditor",)),
    "unit": Identity("liu", ("govpool:unit",)),
    "both": Identity("two-hats", ("govpool:unit", "govpool:acceptor")),
    "nobody": Identity("passer-by"),
}
UNITS = ("CloudResourceRequest",)
CORE = ("Namespace", "Secret", "CustomResourceDefinition")
LEFT_OUT = ("Deployment", "PersistentVolumeClaim", "NetworkPolicy", "Service", "PodDisruptionBudget")
"""What an API server alone can't run; the rest of the chart is installed."""


class ClusterWorld(World):
    """People write in their own names, the operator is the chart's service account."""

    def __init__(self, kubes: dict[str, Kube], opened: dict[str, tuple[Door, Path]], state: Path) -> None:
        super().__init__(kubes["admin"], opened[ADMIN.user][1], state)
        self.kubes = kubes
        self.patience = 120.0
        self.operators = opened[OPERATOR.user][1]
        self.operator_door = opened[OPERATOR.user][0]

    def pool_file(self, here: Path) -> str:
        """Where the fixture pool keeps its state."""
        return str(here / "pool.sqlite")

    @contextlib.contextmanager
    def acting(self, who: str) -> Iterator[None]:
        """Everything meanwhile is written in this person's name."""
        before, self.kube = self.kube, self.kubes[who]
        try:
            yield
        finally:
            self.kube = before

    async def apply(self, document: dict[str, Any]) -> dict[str, Any]:
        kind = document["kind"]
        with self.acting("admin" if kind in CORE else "unit" if kind in UNITS else "engineer"):
            return await super().apply(document)

    async def edit(self, change: dict[str, Any], name: str = REQUEST) -> CloudResourceRequest:
        with self.acting("unit"):
            return await super().edit(change, name)

    async def confirm(self, what: str, value: dict[str, Any], name: str = REQUEST) -> None:
        with self.acting("unit"):
            await super().confirm(what, value, name)

    async def decide(self, verdict: str = "Approve", by: str = "reviewer", name: str = REQUEST) -> Approval:
        with self.acting(by):
            return await super().decide(verdict, PEOPLE[by].user, name)

    async def until(self, true: Any, what: str, seconds: float | None = None) -> None:
        with self.acting("admin") if self.kube is self.kubes["unit"] else contextlib.nullcontext():
            await super().until(true, what, seconds)

    @contextlib.asynccontextmanager
    async def operator(self) -> AsyncIterator[None]:
        stop = asyncio.Event()
        task = asyncio.create_task(run(Options(self.operators, self.state, election=Timing()), stop=stop))
        try:
            yield
        finally:
            stop.set()
            await asyncio.wait_for(task, 30)


def kubectl(kubeconfig: Path, *args: str, stdin: str = "", check: bool = True) -> str:
    """Run kubectl; both streams of it."""
    done = subprocess.run(
        [str(KUBECTL), *args],
        input=stdin,
        capture_output=True,
        text=True,
        check=False,
        timeout=180,
        env=os.environ | {"KUBECONFIG": str(kubeconfig), "HOME": str(kubeconfig.parent)},
    )
    if check:
        assert done.returncode == 0, f"kubectl {' '.join(args)}: {done.stderr}{done.stdout}"
    return done.stdout + done.stderr


def chart() -> list[dict[str, Any]]:
    """What the two charts install, but for what needs nodes."""
    return [each for each in (*objects("crds"), *objects()) if each["kind"] not in LEFT_OUT]


@contextlib.asynccontextmanager
async def cluster(
    kubeconfig: Path,
    tmp_path: Path,
    made_of: type[ClusterWorld] = ClusterWorld,
    installed: Callable[[], list[dict[str, Any]]] = chart,
) -> AsyncIterator[ClusterWorld]:
    """The charts installed, the unit taken on; afterwards nothing of it is left."""
    identities = [ADMIN, OPERATOR, *PEOPLE.values()]
    async with doors(kubeconfig, identities, tmp_path) as opened, contextlib.AsyncExitStack() as stack:
        names = {"admin": ADMIN, "operator": OPERATOR, **PEOPLE}
        kubes = {}
        for name, identity in names.items():
            kubes[name] = await Kube.connect(opened[identity.user][1])
            stack.push_async_callback(kubes[name].close)
        world = made_of(kubes, opened, tmp_path / "operator")
        await clear(world)
        try:
            await asyncio.to_thread(install, world.kubeconfig, installed())
            await world.install(settings={"state": world.pool_file(tmp_path)})
            await world.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": OTHER}})
            await _take_on(world)
            yield world
        finally:
            await clear(world)


def install(kubeconfig: Path, charts: list[dict[str, Any]]) -> None:
    """Apply the charts as Helm and GitOps do; a warning of the API server is a failure."""
    kubectl(kubeconfig, "create", "namespace", SYSTEM)
    kubectl(kubeconfig, "label", "namespace", SYSTEM, "pod-security.kubernetes.io/enforce=restricted")

    for kinds in (("CustomResourceDefinition",), ("Namespace",), None):
        first = ("CustomResourceDefinition", "Namespace")
        some = [e for e in charts if (e["kind"] in kinds if kinds else e["kind"] not in first)]
        if not some:
            continue
        told = kubectl(
            kubeconfig,
            "apply",
            "--server-side",
            "-f",
            "-",
            stdin=yaml.safe_dump_all(some, allow_unicode=True),
        )
        assert "Warning" not in told, told
        if kinds and "CustomResourceDefinition" in kinds:
            kubectl(kubeconfig, "wait", "--for=condition=Established", "--timeout=60s", "crd", "--all")


async def _take_on(world: ClusterWorld) -> None:
    """The platform engineer binds the unit's people in their namespace."""
    binding = {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "RoleBinding",
        "metadata": {"name": "editors", "namespace": NAMESPACE},
        "roleRef": {
            "apiGroup": "rbac.authorization.k8s.io",
            "kind": "ClusterRole",
            "name": "govpool-unit-editor",
        },
        "subjects": [
            {"kind": "User", "apiGroup": "rbac.authorization.k8s.io", "name": PEOPLE[who].user}
            for who in ("unit", "both")
        ],
    }
    path = f"/apis/rbac.authorization.k8s.io/v1/namespaces/{NAMESPACE}/rolebindings"
    # The server reads new roles from its own watch: a moment may pass until they count.
    for again in range(50):
        try:
            await world.kubes["engineer"].post_path(path, binding)
            return
        except KubeError as error:
            if error.status != 403 or again == 49:
                raise
            await asyncio.sleep(0.2)


async def clear(world: ClusterWorld) -> None:
    """Take away whatever this made, now or in a run that was ended."""
    admin = world.kubeconfig

    def away() -> None:
        # Before its objects lose their finalizers: it would put them back.
        waits = ("--cascade=foreground", "--timeout=120s")
        kubectl(admin, "-n", SYSTEM, "delete", "deployment", "--all", *waits)
        guards = [each for path in (ROOT / "crds/admission").glob("*.yaml") for each in documents(path)]
        for kind in ("ValidatingAdmissionPolicyBinding", "ValidatingAdmissionPolicy"):
            names = sorted(each["metadata"]["name"] for each in guards if each["kind"] == kind)
            kubectl(admin, "delete", kind, "--ignore-not-found", *names)
        there = kubectl(admin, "get", "crd", "-o", "name")
        for each in KINDS:
            name = each.DEFINITION.crd_name
            if f"/{name}\n" in there:
                _let_go(admin, name)
                kubectl(admin, "delete", "crd", name, "--timeout=120s")
        for kind in ("clusterrolebinding", "clusterrole"):
            kubectl(admin, "delete", kind, "-l", "app.kubernetes.io/part-of=govpool", "--ignore-not-found")
        kubectl(admin, "delete", "clusterrolebinding", "govpool-rule-tests", "--ignore-not-found")
        spaces = (SYSTEM, RUNS, NAMESPACE, OTHER)
        kubectl(admin, "delete", "namespace", *spaces, "--ignore-not-found", "--timeout=150s")

    await asyncio.to_thread(away)


def _let_go(admin: Path, plural: str) -> None:
    """Take every finalizer off the objects of a kind: nothing real is behind them."""
    columns = "custom-columns=A:.metadata.namespace,B:.metadata.name,C:.metadata.finalizers"
    listed = kubectl(admin, "get", plural, "-A", "--no-headers", "-o", columns, "--ignore-not-found")
    for namespace, name, held in (
        line.split(maxsplit=2) for line in listed.splitlines() if len(line.split()) > 2
    ):
        if held.strip() != "<none>":
            where = [] if namespace == "<none>" else ["-n", namespace]
            bare = '{"metadata":{"finalizers":null}}'
            kubectl(admin, *where, "patch", plural, name, "--type=merge", "-p", bare)
