"""A cluster with a node: the whole chart on it, Jobs in real Pods, and a fixture pool that both reach.

The operator is the chart's Deployment and has the cluster's clock, which nobody moves: the trial of the
policy is short instead. The fixture pool is a file on the node, which operator and Jobs mount as a share.
"""

from __future__ import annotations

import asyncio
import contextlib
import copy
import json
import os
import time
import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from govpool.effects.jobs.manifests import JobSettings
from govpool.effects.operator import Options
from govpool.handlers.events import run
from govpool.lifecycle.leadership import Timing
from tests.chart.charts import objects, rendered
from tests.cluster.world import LEFT_OUT, RUNS, SYSTEM, ClusterWorld, kubectl

OPERATOR_IMAGE, RUNNER_IMAGE = "GOVPOOL_OPERATOR_IMAGE", "GOVPOOL_RUNNER_IMAGE"
HERE = "GOVPOOL_NODE_HERE"
"""Set where Pods of the node reach the bridges of this machine, which its local pools' machines are on."""
STATE = "/var/lib/govpool"
ON_NODE = "/var/tmp"
TRIAL = "PT20S"
GROUND = "govpool-test-ground"
Obj = dict[str, Any]


@dataclass(frozen=True)
class Ground:
    """A node, and the images that it has or can pull."""

    node: str
    operator: str
    runner: str

    @property
    def values(self) -> Obj:
        """The chart's values."""
        return {
            "image": _image(self.operator),
            "operator": {"executor": "job", "verbosity": 2},
            "persistence": {"existingClaim": "pool"},
            "runner": {
                "image": _image(self.runner),
                "extraVolumes": [{"name": "pool", "persistentVolumeClaim": {"claimName": "pool"}}],
                "extraVolumeMounts": [{"name": "pool", "mountPath": f"{STATE}/pool"}],
            },
        }


def _image(reference: str) -> Obj:
    if "@" in reference:
        repository, _, digest = reference.partition("@")
        return {"repository": repository, "digest": digest}
    repository, _, tag = reference.rpartition(":")
    assert repository and "/" not in tag, f"{reference}: name the image's tag or digest"
    return {"repository": repository, "tag": tag}


def given_kubeconfig() -> Path:
    """The kubeconfig that the tests were given."""
    return Path(os.environ["KUBECONFIG"].split(os.pathsep)[0])


def ground(kubeconfig: Path) -> tuple[Ground | None, str]:
    """The node that Jobs run on; or none, and why."""
    operator, runner = os.environ.get(OPERATOR_IMAGE), os.environ.get(RUNNER_IMAGE)
    if not operator or not runner:
        return (
            None,
            f"no real Jobs: set {OPERATOR_IMAGE} and {RUNNER_IMAGE} to images that the nodes can pull",
        )
    listed = json.loads(kubectl(kubeconfig, "get", "nodes", "-o", "json"))
    for node in listed["items"]:
        ready = {c["type"]: c["status"] for c in node["status"].get("conditions") or ()}.get("Ready")
        if ready == "True" and not node["spec"].get("taints"):
            return Ground(node["metadata"]["name"], operator, runner), ""
    return (
        None,
        f"no real Jobs: of {len(listed['items'])} nodes none is ready for everybody",
    )


class NodeWorld(ClusterWorld):
    """People act as ever; the operator is a Pod."""

    def pool_file(self, here: Path) -> str:
        """See :class:`ClusterWorld`: as operator and Jobs mount it."""
        return f"{STATE}/pool/fixture.sqlite"

    async def apply(self, document: Obj) -> Obj:
        """As ever, but for the trial, which is as long as a test waits."""
        if document["kind"] == "CloudPolicy" and "trial" in document["spec"]:
            document = copy.deepcopy(document)
            document["spec"]["trial"]["duration"] = TRIAL
        return await super().apply(document)

    async def advance(self, span: str) -> None:
        """The clock of a cluster is nobody's to move: what is waited for comes by itself."""

    def exec(self, *command: str) -> str:
        """What a command prints in the operator's container; a door does not upgrade connections."""
        return kubectl(given_kubeconfig(), "-n", SYSTEM, "exec", "deployment/govpool", "--", *command)


class OperatorHere(ClusterWorld):
    """The operator runs beside the tests, as the chart's service account; playbooks run in Jobs."""

    runner = ""

    @contextlib.asynccontextmanager
    async def operator(self) -> AsyncIterator[None]:
        stop = asyncio.Event()
        options = Options(self.operators, self.state, election=Timing(), jobs=JobSettings(self.runner))
        task = asyncio.create_task(run(options, stop=stop))
        try:
            yield
        finally:
            stop.set()
            await asyncio.wait_for(task, 60)


def without_operator(ground: Ground) -> list[Obj]:
    """Both charts but for the operator's Pod and what goes with it; the Jobs' namespace with its roles."""
    return [each for each in (*objects("crds"), *rendered(ground.values)) if each["kind"] not in LEFT_OUT]


def whole_chart(ground: Ground, folder: str) -> list[Obj]:
    """Everything, with the volumes and claims of the shared folder."""
    shared = [
        *_volume(ground.node, f"{folder}", SYSTEM, "operator"),
        *_volume(ground.node, f"{folder}/pool", RUNS, "runs"),
    ]
    return [*objects("crds"), *rendered(ground.values), *shared]


def _volume(node: str, path: str, namespace: str, role: str) -> list[Obj]:
    name = f"govpool-test-{role}"
    size, modes = "1Gi", ["ReadWriteMany"]
    affinity = {"key": "metadata.name", "operator": "In", "values": [node]}
    return [
        {
            "apiVersion": "v1",
            "kind": "PersistentVolume",
            "metadata": {"name": name, "labels": {"app.kubernetes.io/part-of": "govpool"}},
            "spec": {
                "capacity": {"storage": size},
                "accessModes": modes,
                "persistentVolumeReclaimPolicy": "Retain",
                "storageClassName": "",
                "hostPath": {"path": path},
                "claimRef": {"namespace": namespace, "name": "pool"},
                "nodeAffinity": {"required": {"nodeSelectorTerms": [{"matchFields": [affinity]}]}},
            },
        },
        {
            "apiVersion": "v1",
            "kind": "PersistentVolumeClaim",
            "metadata": {"name": "pool", "namespace": namespace},
            "spec": {
                "accessModes": modes,
                "storageClassName": "",
                "volumeName": name,
                "resources": {"requests": {"storage": size}},
            },
        },
    ]


@contextlib.contextmanager
def shared_folder(kubeconfig: Path, ground: Ground) -> Any:
    """A folder on the node that everybody may write to; gone afterwards."""
    name = f"govpool-test-{uuid.uuid4().hex[:8]}"
    kubectl(kubeconfig, "delete", "namespace", GROUND, "--ignore-not-found", "--timeout=90s")
    kubectl(kubeconfig, "create", "namespace", GROUND)
    try:
        open_to_all = f"mkdir -p /node/{name}/pool && chmod -R 0777 /node/{name}"
        _on_node(kubeconfig, ground, "make", open_to_all)
        yield f"{ON_NODE}/{name}"
    finally:
        # The claims are gone by now; a volume that was bound is kept.
        kubectl(kubeconfig, "delete", "pv", "-l", "app.kubernetes.io/part-of=govpool", "--timeout=60s")
        _on_node(kubeconfig, ground, "clear", f"rm -rf /node/{name}")
        kubectl(kubeconfig, "delete", "namespace", GROUND, "--timeout=90s")


def _on_node(kubeconfig: Path, ground: Ground, name: str, script: str) -> None:
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": GROUND},
        "spec": {
            "restartPolicy": "Never",
            "nodeName": ground.node,
            "automountServiceAccountToken": False,
            "securityContext": {"runAsUser": 0, "runAsGroup": 0},
            "containers": [
                {
                    "name": "sh",
                    "image": ground.operator,
                    "command": ["sh", "-c", script],
                    "volumeMounts": [{"name": "node", "mountPath": "/node"}],
                }
            ],
            "volumes": [{"name": "node", "hostPath": {"path": ON_NODE}}],
        },
    }
    # The namespace's account is made a moment after it.
    deadline = time.monotonic() + 60
    while (said := kubectl(kubeconfig, "create", "-f", "-", stdin=yaml.safe_dump(pod), check=False)) and (
        "serviceaccount" in said and time.monotonic() < deadline
    ):
        pass
    wait = ("wait", "pod", name, "--for=jsonpath={.status.phase}=Succeeded", "--timeout=120s")
    kubectl(kubeconfig, "-n", GROUND, *wait)


@dataclass
class Runs:
    """Every Pod of a Job that was seen, by name, as it was last seen."""

    pods: dict[str, Obj] = field(default_factory=dict)

    async def watch(self, world: ClusterWorld) -> None:
        """Until cancelled."""
        while True:
            listed: Any = await world.kubes["admin"].get_path(f"/api/v1/namespaces/{RUNS}/pods")
            self.pods |= {pod["metadata"]["name"]: pod for pod in listed["items"]}
            await asyncio.sleep(0.2)

    def works(self) -> dict[str, list[Obj]]:
        """The Pods by what they were for."""
        found: dict[str, list[Obj]] = {}
        for pod in self.pods.values():
            found.setdefault(pod["metadata"]["labels"]["govpool.dev/work"], []).append(pod)
        return found


@contextlib.asynccontextmanager
async def watched(world: ClusterWorld) -> AsyncIterator[Runs]:
    """What runs meanwhile."""
    runs = Runs()
    task = asyncio.create_task(runs.watch(world))
    try:
        yield runs
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
