"""Rules after kube-linter and the Pod Security Standards ("restricted"), for whatever the chart renders."""

from __future__ import annotations

import re

import pytest

from tests.chart.charts import CASES, Obj, everything, objects, of_kind

pytest.importorskip("helm_python", reason="Helm's library has no wheel for this platform")


def pod(case: str) -> Obj:
    (deployment,) = of_kind("Deployment", case)
    spec: Obj = deployment["spec"]["template"]["spec"]
    return spec


@pytest.mark.parametrize("case", CASES)
def test_the_pod_is_restricted(case: str) -> None:
    spec = pod(case)
    assert not {"hostNetwork", "hostPID", "hostIPC"} & set(spec)
    assert spec["securityContext"]["runAsNonRoot"] is True
    assert spec["securityContext"]["runAsUser"] > 0
    assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert spec["enableServiceLinks"] is False
    for volume in spec["volumes"]:
        assert set(volume) - {"name"} <= {"persistentVolumeClaim", "emptyDir", "configMap"}
    for container in spec["containers"]:
        security = container["securityContext"]
        assert security["allowPrivilegeEscalation"] is False
        assert security["readOnlyRootFilesystem"] is True
        assert security["capabilities"] == {"drop": ["ALL"]}
        assert {"livenessProbe", "readinessProbe", "startupProbe"} <= set(container)
        assert {"cpu", "memory"} <= set(container["resources"]["requests"])
        assert "memory" in container["resources"]["limits"]
        assert not any("secret" in str(each).lower() and "value" in each for each in container["env"])
        assert re.search(r"(:[^:/]+|@sha256:[0-9a-f]{64})$", container["image"])
        assert not container["image"].endswith(":latest")


@pytest.mark.parametrize("case", CASES)
def test_secrets_of_runs_stay_in_memory(case: str) -> None:
    spec = pod(case)
    (container,) = spec["containers"]
    (folder,) = [e["value"] for e in container["env"] if e["name"] == "GOVPOOL_RUNTIME_DIR"]
    (volume,) = [m["name"] for m in container["volumeMounts"] if folder.startswith(m["mountPath"] + "/")]
    (source,) = [v for v in spec["volumes"] if v["name"] == volume]
    assert source["emptyDir"]["medium"] == "Memory"


@pytest.mark.parametrize("case", CASES)
def test_selectors_find_the_pod(case: str) -> None:
    (deployment,) = of_kind("Deployment", case)
    labels = deployment["spec"]["template"]["metadata"]["labels"]
    selectors = [deployment["spec"]["selector"]["matchLabels"]]
    selectors += [each["spec"]["selector"]["matchLabels"] for each in of_kind("PodDisruptionBudget", case)]
    selectors += [each["spec"]["selector"] for each in of_kind("Service", case)]
    selectors += [
        each["spec"]["podSelector"]["matchLabels"]
        for each in of_kind("NetworkPolicy", case)
        if each["spec"]["podSelector"]
    ]
    selectors += [
        each["labelSelector"]["matchLabels"] for each in pod(case).get("topologySpreadConstraints", ())
    ]
    assert all(selector.items() <= labels.items() for selector in selectors)


def test_a_budget_and_a_spread_where_there_are_several() -> None:
    assert of_kind("PodDisruptionBudget", "several replicas")[0]["spec"]["maxUnavailable"] == 1
    assert {e["topologyKey"] for e in pod("several replicas")["topologySpreadConstraints"]} == {
        "topology.kubernetes.io/zone",
        "kubernetes.io/hostname",
    }
    assert not of_kind("PodDisruptionBudget"), "with one replica it would hold up every drain"


def test_the_network_is_shut_but_for_what_is_named() -> None:
    (policy,) = of_kind("NetworkPolicy")
    assert policy["spec"]["policyTypes"] == ["Ingress", "Egress"]
    assert [[p["port"] for p in rule["ports"]] for rule in policy["spec"]["ingress"]] == [["http"]]
    assert all(rule["ports"] for rule in policy["spec"]["egress"])
    (shut,) = of_kind("NetworkPolicy", "network named")
    assert shut["spec"]["ingress"] == []
    assert [p["port"] for rule in shut["spec"]["egress"] for p in rule["ports"]] == [53, 53, 6443, 5000]


def test_no_role_has_a_wildcard_or_a_way_up() -> None:
    for case, role in everything():
        if role["kind"] not in ("Role", "ClusterRole"):
            continue
        for rule in role["rules"]:
            said = (case, role["metadata"]["name"], rule)
            assert not any(
                "*" in part for part in (*rule["verbs"], *rule["resources"], *rule["apiGroups"])
            ), said
            assert not {"escalate", "impersonate", "deletecollection"} & set(rule["verbs"]), said
            if "bind" in rule["verbs"]:
                assert rule["resourceNames"] == [
                    role["metadata"]["name"].replace("platform-engineer", "unit-editor")
                ]
            if "secrets" in rule["resources"]:
                assert role["kind"] == "Role", said
                assert not {"list", "watch"} & set(rule["verbs"]), said
            if role["kind"] == "ClusterRole":
                assert not {"pods/exec", "serviceaccounts/token", "nodes"} & set(rule["resources"]), said


def test_every_binding_names_a_role_and_an_account_that_are_there() -> None:
    for case in CASES:
        there = {
            (e["kind"], e["metadata"].get("namespace", ""), e["metadata"]["name"]) for e in objects(case)
        }
        (account,) = {pod(case)["serviceAccountName"]}
        for each in objects(case):
            if each["kind"] not in ("RoleBinding", "ClusterRoleBinding"):
                continue
            role = each["roleRef"]
            home = each["metadata"].get("namespace", "") if role["kind"] == "Role" else ""
            assert (role["kind"], home, role["name"]) in there
            for subject in each["subjects"]:
                if subject["kind"] == "ServiceAccount":
                    assert subject["name"] == account


def test_the_token_is_mounted_where_it_is_needed_only() -> None:
    (account,) = of_kind("ServiceAccount")
    assert account["automountServiceAccountToken"] is False
    assert pod("default")["automountServiceAccountToken"] is True
