"""The charts as Helm renders them."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
CHART, CRDS = ROOT / "charts/govpool", ROOT / "charts/govpool-crds"
NAMESPACE = "govpool-system"
Obj = dict[str, Any]
RWX: Obj = {"persistence": {"accessModes": ["ReadWriteMany"]}}
SHA = "sha256:" + "0" * 64

CASES: dict[str, Obj] = {
    "default": {},
    "several replicas": {"replicaCount": 3, **RWX},
    "several replicas without a budget": {
        "replicaCount": 2,
        **RWX,
        "podDisruptionBudget": {"enabled": False},
        "topologySpreadConstraints": [],
    },
    "a claim of one's own": {"replicaCount": 2, "persistence": {"existingClaim": "evidence"}},
    "no volume": {"persistence": {"enabled": False}},
    "a storage class": {"persistence": {"storageClass": "fast", "size": "100Gi"}},
    "jobs": {"operator": {"executor": "job"}},
    "jobs in a namespace that is there": {
        "operator": {"executor": "job", "shard": "1/3", "leaseSeconds": 30},
        "runner": {"namespace": {"create": False}, "image": {"digest": SHA}},
    },
    "jobs of a site with its own registry": {
        "operator": {"executor": "job"},
        "runner": {
            "image": {"repository": "registry.test/govpool/runner", "tag": "0.1.0"},
            "imagePullSecrets": [{"name": "registry"}],
            "nodeSelector": {"zone": "east"},
            "tolerations": [{"key": "runs", "operator": "Exists"}],
            "priorityClassName": "low",
            "resources": {"requests": {"cpu": "50m"}, "limits": {"memory": "2Gi"}},
            "extraEnv": [{"name": "SSL_CERT_FILE", "value": "/etc/site/ca.crt"}],
            "extraVolumes": [{"name": "site", "configMap": {"name": "site"}}],
            "extraVolumeMounts": [{"name": "site", "mountPath": "/etc/site", "readOnly": True}],
        },
    },
    "jobs without a network policy": {
        "operator": {"executor": "job"},
        "networkPolicy": {"enabled": False},
    },
    "everything watched": {
        "metrics": {
            "serviceMonitor": {"enabled": True, "interval": "15s", "labels": {"release": "prometheus"}},
            "prometheusRule": {"enabled": True, "labels": {"release": "prometheus"}},
            "dashboard": {"enabled": True},
        }
    },
    "network named": {
        "networkPolicy": {
            "metricsFrom": [],
            "apiServer": [{"ipBlock": {"cidr": "192.0.2.1/32"}}],
            "apiServerPorts": [6443],
            "serverNetworks": [],
            "extraEgress": [{"ports": [{"port": 5000}], "to": [{"ipBlock": {"cidr": "192.0.2.0/24"}}]}],
        }
    },
    "roles without bindings": {
        "roles": {
            "bindGroups": False,
            "platformEngineersGroup": "",
            "auditorsGroup": "",
            "aggregateToView": False,
        }
    },
    "no roles, no policies": {"roles": {"create": False}, "admissionPolicies": {"enabled": False}},
    "secrets of pools": {"operator": {"secrets": [{"namespace": "pools", "names": ["city", "county"]}]}},
    "everything of the Pod": {
        "fullnameOverride": "cloud",
        "image": {"digest": SHA},
        "imagePullSecrets": [{"name": "pull"}],
        "operator": {
            "language": "zh",
            "verbosity": 0,
            "extraArgs": ["-v"],
            "extraEnv": [{"name": "OS_CLIENT_CONFIG_FILE", "value": "/var/lib/govpool/clouds.yaml"}],
        },
        "serviceAccount": {"create": False, "name": "there", "annotations": {"a": "b"}},
        "nodeSelector": {"a": "b"},
        "tolerations": [{"key": "a", "operator": "Exists"}],
        "affinity": {"nodeAffinity": {}},
        "priorityClassName": "system-cluster-critical",
        "podAnnotations": {"a": "b"},
        "podLabels": {"a": "b"},
    },
    "people told": {
        "operator": {
            "notifications": [
                {"name": "events", "type": "events"},
                {
                    "name": "duty",
                    "type": "wecom",
                    "urlFrom": {"secretRef": {"name": "notifications", "key": "wecom-url"}},
                },
            ]
        }
    },
    "an account with annotations": {"serviceAccount": {"annotations": {"a": "b"}}},
}
"""Values that Helm takes: every switch both ways, every free value set at least once."""

REFUSED: dict[str, tuple[Obj, str]] = {
    "a value that is no value": ({"replicas": 2}, "replicas"),
    "several replicas on one node's volume": ({"replicaCount": 2}, "ReadWriteMany"),
    "a root user": ({"podSecurityContext": {"runAsUser": 0}}, "runAsUser"),
    "root allowed": ({"podSecurityContext": {"runAsNonRoot": False}}, "runAsNonRoot"),
    "a writable root": ({"securityContext": {"readOnlyRootFilesystem": False}}, "readOnlyRootFilesystem"),
    "more privileges": ({"securityContext": {"allowPrivilegeEscalation": True}}, "allowPrivilegeEscalation"),
    "the tag latest": ({"image": {"tag": "latest"}}, "tag"),
    "half a digest": ({"image": {"digest": "sha256:abc"}}, "digest"),
    "an executor that is none": ({"operator": {"executor": "pods"}}, "executor"),
    "a shard that is none": ({"operator": {"shard": "1"}}, "shard"),
    "a language that is none": ({"operator": {"language": "de"}}, "language"),
    "secrets without names": ({"operator": {"secrets": [{"namespace": "pools"}]}}, "names"),
    "a channel that is none": (
        {"operator": {"notifications": [{"name": "a", "type": "fax"}]}},
        "notifications",
    ),
    "a network that is none": ({"networkPolicy": {"serverNetworks": ["everywhere"]}}, "serverNetworks"),
    "a port that only root opens": ({"httpPort": 80}, "httpPort"),
}
"""Values that Helm refuses, and what its message names."""


@cache
def helm() -> Obj:
    """What Helm says of all cases."""
    cases = {
        name: {"chart": str(CHART), "values": values, "namespace": NAMESPACE}
        for name, values in (CASES | {name: values for name, (values, _) in REFUSED.items()}).items()
    }
    cases["another namespace"] = {"chart": str(CHART), "values": {}, "namespace": "default"}
    for name, values in {"crds": {}, "crds not kept": {"keep": False, "labels": {"a": "b"}}}.items():
        cases[name] = {"chart": str(CRDS), "values": values, "namespace": NAMESPACE}
    return _asked({"lint": [str(CHART), str(CRDS)], "cases": cases})


def _asked(question: Obj) -> Obj:
    done = subprocess.run(
        [sys.executable, "-m", "tests.chart.helm_process"],
        input=json.dumps(question),
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
    )
    assert done.returncode == 0, done.stderr
    answer: Obj = json.loads(done.stdout)
    return answer


def refusal(case: str) -> str:
    """Why Helm refused; empty when it did not."""
    return str(helm()["cases"][case].get("refused", ""))


@cache
def objects(case: str = "default") -> tuple[Obj, ...]:
    """Every object that a case renders."""
    return _documents(helm()["cases"][case])


def rendered(values: Obj) -> tuple[Obj, ...]:
    """Every object that the chart renders with these values."""
    case = {"chart": str(CHART), "values": values, "namespace": NAMESPACE}
    return _documents(_asked({"lint": [], "cases": {"one": case}})["cases"]["one"])


def _documents(answer: Obj) -> tuple[Obj, ...]:
    assert "refused" not in answer, answer["refused"]
    return tuple(
        document
        for path, text in sorted(answer["manifests"].items())
        if path.endswith(".yaml")
        for document in yaml.load_all(text, yaml.CSafeLoader)
        if document
    )


def of_kind(kind: str, case: str = "default") -> list[Obj]:
    """The objects of one kind."""
    return [each for each in objects(case) if each["kind"] == kind]


def everything() -> Iterator[tuple[str, Obj]]:
    """Every object of every case, with the case's name."""
    for case in CASES:
        for each in objects(case):
            yield case, each
