"""The objects that a work order's Job is made of. Pure: what is needed in, documents out."""

from __future__ import annotations

import base64
from dataclasses import dataclass, field
from typing import cast

from govpool.api.workorder import WorkOrder, WorkOrderKind
from govpool.effects.jobs.parcels import ORDER_KEY
from govpool.effects.jobs.pod import RunnerPod
from govpool.effects.kube import Json

NAMESPACE = "govpool-runs"
ORDER_DIR = "/run/govpool/order"
PRIVATE_DIR = "/run/govpool/private"
"""A volume in memory. It is root's and open to all, as a kubelet makes it: keys lie in a folder within."""
USER = 10001
"""The image's user and its group (Containerfile). What a kubelet mounts for a Pod is for the group."""
STATE_DIR = "/var/lib/govpool/runner"
TTL_SECONDS = 24 * 3600
"""An ended Job stays so long for people to look at, when no operator removed it."""
MANAGED = {"app.kubernetes.io/managed-by": "govpool", "app.kubernetes.io/component": "runner"}
DEADLINES = {
    WorkOrderKind.BASELINE: 3600,
    WorkOrderKind.HANDOVER: 3600,
    WorkOrderKind.BACKUP: 25 * 3600,
    WorkOrderKind.WIPE: 15 * 24 * 3600,
}
"""Seconds after which the cluster ends a Job: more than its playbooks may take by themselves."""
SERVERS_A_PART = 40


@dataclass(frozen=True, slots=True)
class JobSettings:
    """How Jobs are made."""

    image: str
    namespace: str = NAMESPACE
    pod: RunnerPod = field(default_factory=RunnerPod)


def report_names(name: str, servers: int) -> list[str]:
    """The ConfigMaps that a run may report in: its own, and more where the report may be large."""
    return [name, *(f"{name}.{number}" for number in range(1, 1 + servers // SERVERS_A_PART))]


def job(settings: JobSettings, name: str, order: WorkOrder) -> Json:
    """The Job, suspended: what belongs to it is made first, and goes with it."""
    deadline = DEADLINES.get(order.spec.work, max(DEADLINES.values()))
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {
            "name": name,
            "namespace": settings.namespace,
            "labels": {**MANAGED, "govpool.dev/work": order.spec.work.value},
            "annotations": {"govpool.dev/work-order": f"{order.metadata.namespace}/{order.metadata.name}"},
        },
        "spec": {
            "suspend": True,
            "backoffLimit": 0,
            "completions": 1,
            "parallelism": 1,
            "activeDeadlineSeconds": deadline,
            "ttlSecondsAfterFinished": TTL_SECONDS,
            "template": {
                "metadata": {"labels": {**MANAGED, "govpool.dev/work": order.spec.work.value}},
                "spec": settings.pod.added(_pod(settings, name)),
            },
        },
    }


def _pod(settings: JobSettings, name: str) -> Json:
    return {
        "restartPolicy": "Never",
        "serviceAccountName": name,
        "enableServiceLinks": False,
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": USER,
            "runAsGroup": USER,
            "fsGroup": USER,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "containers": [
            {
                "name": "runner",
                "image": settings.image,
                "args": [
                    "run-order",
                    f"--order={ORDER_DIR}/{ORDER_KEY}",
                    f"--report={settings.namespace}/{name}",
                    f"--state-dir={STATE_DIR}",
                ],
                "env": [
                    {"name": "GOVPOOL_RUNTIME_DIR", "value": f"{PRIVATE_DIR}/own"},
                    {"name": "HOME", "value": STATE_DIR},
                ],
                # What it said last is kept with its end: the log goes with the Pod.
                "terminationMessagePolicy": "FallbackToLogsOnError",
                "securityContext": {
                    "allowPrivilegeEscalation": False,
                    "readOnlyRootFilesystem": True,
                    "capabilities": {"drop": ["ALL"]},
                },
                "resources": {
                    "requests": {"cpu": "100m", "memory": "192Mi"},
                    "limits": {"memory": "1Gi"},
                },
                "volumeMounts": [
                    {"name": "order", "mountPath": ORDER_DIR, "readOnly": True},
                    {"name": "private", "mountPath": PRIVATE_DIR},
                    {"name": "state", "mountPath": STATE_DIR},
                    {"name": "tmp", "mountPath": "/tmp"},  # noqa: S108 - the container's own
                ],
            }
        ],
        "volumes": [
            {"name": "order", "secret": {"secretName": name, "defaultMode": 0o440}},
            # Keys are written here, and nowhere that outlives the Pod.
            {"name": "private", "emptyDir": {"medium": "Memory", "sizeLimit": "64Mi"}},
            {"name": "state", "emptyDir": {}},
            {"name": "tmp", "emptyDir": {}},
        ],
    }


def belongings(settings: JobSettings, made: Json, content: bytes, servers: int) -> list[tuple[str, Json]]:
    """What belongs to a Job that was made, by plural: its account, its order, its report. They go with it."""
    metadata = cast(Json, made["metadata"])
    name = str(metadata["name"])
    owner: Json = {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "name": name,
        "uid": metadata["uid"],
        "controller": True,
        "blockOwnerDeletion": False,
    }

    def named(kind: str, other: str, **more: object) -> Json:
        return cast(
            Json,
            {
                "apiVersion": "v1",
                "kind": kind,
                "metadata": {
                    "name": other,
                    "namespace": settings.namespace,
                    "labels": MANAGED,
                    "ownerReferences": [owner],
                },
                **more,
            },
        )

    data = {ORDER_KEY: base64.b64encode(content).decode()}
    return [
        ("serviceaccounts", named("ServiceAccount", name)),
        ("secrets", named("Secret", name, type="Opaque", immutable=True, data=data)),
        *(("configmaps", named("ConfigMap", other)) for other in report_names(name, servers)),
    ]
