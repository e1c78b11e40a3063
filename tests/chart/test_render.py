"""The charts as Helm renders them, with every combination of values that matters."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from govpool.api.base import Scope
from govpool.api.kinds import KINDS
from govpool.cli.main import app
from govpool.effects.jobs.pod import RunnerPod
from govpool.effects.notify.config import load
from tests.chart.charts import (
    CASES,
    CHART,
    CRDS,
    NAMESPACE,
    REFUSED,
    ROOT,
    Obj,
    everything,
    helm,
    objects,
    of_kind,
    refusal,
)
from tests.chart.documents import documents
from tests.chart.rbac import Wanted, grants

pytest.importorskip("helm_python", reason="Helm's library has no wheel for this platform")
kubernetes_validate = pytest.importorskip("kubernetes_validate")
OLDEST, NEWEST = "1.30", kubernetes_validate.latest_version()
FOREIGN = ("ServiceMonitor", "PrometheusRule")
VALID: set[str] = set()
"""Objects that were found valid: most are the same in every case."""
METRIC = re.compile(r"\bgovpool_[a-z_]+")


@pytest.mark.parametrize("chart", [CHART, CRDS], ids=lambda path: path.name)
def test_helm_lint_finds_nothing(chart: Any) -> None:
    found = helm()["lint"][str(chart)]
    told = [each["error"] for each in found["messages"] if each["error"] != "icon is recommended"]
    assert (told, found["errors"]) == ([], [])


@pytest.mark.parametrize("case", CASES)
def test_kubernetes_own_schemas_accept_what_is_rendered(case: str) -> None:
    for each in objects(case):
        if each["kind"] not in FOREIGN and (text := json.dumps(each, sort_keys=True)) not in VALID:
            for version in (OLDEST, NEWEST):
                kubernetes_validate.validate(each, version, strict=True)
            VALID.add(text)


@pytest.mark.parametrize("case", REFUSED)
def test_values_that_would_weaken_it_are_refused(case: str) -> None:
    assert REFUSED[case][1] in refusal(case)


def test_no_other_namespace_is_taken() -> None:
    assert "govpool-system" in refusal("another namespace")


def test_every_value_is_in_the_schema_and_set_by_a_case() -> None:
    import yaml

    values = yaml.safe_load((CHART / "values.yaml").read_text())
    schema = json.loads((CHART / "values.schema.json").read_text())["properties"]
    assert set(values) == set(schema) - {"global"}
    untried = [
        path
        for path, default in _switches(values)
        if not any(_get(case, path) is (not default) for case in CASES.values())
    ]
    assert untried == []


def _switches(values: Obj, *above: str) -> list[tuple[tuple[str, ...], bool]]:
    found: list[tuple[tuple[str, ...], bool]] = []
    for key, value in values.items():
        if key in ("podSecurityContext", "securityContext"):
            continue
        if isinstance(value, bool):
            found.append(((*above, key), value))
        elif isinstance(value, dict):
            found += _switches(value, *above, key)
    return found


def _get(values: Obj, path: tuple[str, ...]) -> Any:
    found: Any = values
    for key in path:
        if not isinstance(found, dict) or key not in found:
            return None
        found = found[key]
    return found


# -- the one place of kinds and policies -----------------------------------------------------------
def test_the_chart_of_kinds_is_what_crds_holds() -> None:
    shipped = {
        d["metadata"]["name"]: d for path in sorted((ROOT / "crds").glob("*.yaml")) for d in documents(path)
    }
    rendered = {each["metadata"]["name"]: each for each in objects("crds")}
    assert {name: each["spec"] for name, each in rendered.items()} == {
        n: d["spec"] for n, d in shipped.items()
    }
    assert {each["metadata"]["annotations"].get("helm.sh/resource-policy") for each in rendered.values()} == {
        "keep"
    }
    assert not any(each["metadata"]["annotations"] for each in objects("crds not kept"))
    assert all(each["metadata"]["labels"]["a"] == "b" for each in objects("crds not kept"))


def test_the_chart_ships_every_admission_policy_as_it_is() -> None:
    shipped = {
        (d["kind"], d["metadata"]["name"]): d["spec"]
        for path in sorted((ROOT / "crds/admission").glob("*.yaml"))
        for d in documents(path)
    }
    kinds = ("ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding")
    rendered = {(e["kind"], e["metadata"]["name"]): e["spec"] for e in objects() if e["kind"] in kinds}
    assert rendered == shipped


def test_a_policy_guards_every_status_that_there_is() -> None:
    (policy,) = [
        p for p in of_kind("ValidatingAdmissionPolicy") if p["metadata"]["name"] == "status.govpool.dev"
    ]
    (rule,) = policy["spec"]["matchConstraints"]["resourceRules"]
    with_status = {f"{kind.DEFINITION.plural}/status" for kind in KINDS if "status" in kind.model_fields}
    assert set(rule["resources"]) == with_status


def test_whoever_reads_everything_reads_every_kind() -> None:
    kinds = {kind.DEFINITION.plural for kind in KINDS}
    namespaced = {kind.DEFINITION.plural for kind in KINDS if kind.DEFINITION.scope is Scope.NAMESPACED}
    for role in of_kind("ClusterRole"):
        name = role["metadata"]["name"].removeprefix("govpool-")
        readable = {
            resource
            for rule in role["rules"]
            if rule["apiGroups"] == ["govpool.dev"] and {"get", "list", "watch"} <= set(rule["verbs"])
            for resource in rule["resources"]
        }
        if name == "unit-editor":
            assert readable == namespaced
        elif name not in ("operator", "supply-viewer"):
            assert readable == kinds, name


# -- the operator's own parts ----------------------------------------------------------------------
def test_the_operator_knows_every_flag_that_it_is_given() -> None:
    from typer.main import get_command

    command = get_command(app).commands["operator"]  # type: ignore[attr-defined]
    known = {option for parameter in command.params for option in parameter.opts}
    for case in CASES:
        (container,) = of_kind("Deployment", case)[0]["spec"]["template"]["spec"]["containers"]
        given = {argument.split("=")[0] for argument in container["args"][1:]}
        assert {flag.replace("-vv", "-v") for flag in given} <= known, case


def test_every_alert_and_graph_is_about_a_metric_that_is_documented() -> None:
    page = (ROOT / "docs/observability.md").read_text()
    known = set(re.findall(r"`(govpool_[a-z_]+)`", page))
    (rule,) = of_kind("PrometheusRule", "everything watched")
    alerts = [each for group in rule["spec"]["groups"] for each in group["rules"]]
    assert {each["alert"] for each in alerts} == set(re.findall(r"`(Govpool[A-Za-z]+)`", page))
    for each in alerts:
        used = set(METRIC.findall(each["expr"]))
        assert used and used <= known, each["alert"]
        assert each["labels"]["severity"] in ("critical", "warning", "info")
        assert each["annotations"]["summary"] and each["annotations"]["description"].endswith(".")
    (board,) = of_kind("ConfigMap", "everything watched")
    dashboard = json.loads(board["data"]["govpool.json"])
    drawn = {
        name.removesuffix("_bucket")
        for panel in dashboard["panels"]
        for target in panel.get("targets", ())
        for name in METRIC.findall(target["expr"])
    }
    assert drawn and drawn <= known


def test_the_operator_reads_the_channels_that_it_is_given(tmp_path: Path) -> None:
    (config,) = of_kind("ConfigMap", "people told")
    file = tmp_path / "notifications.yaml"
    file.write_text(config["data"]["notifications.yaml"])
    assert [channel.name for channel in load(file).channels] == ["events", "duty"]
    allowed = grants(objects("people told"), {"kind": "ServiceAccount", "name": "govpool"})

    def may(verb: str, resource: str, name: str, namespace: str = NAMESPACE) -> bool:
        return any(grant.covers(Wanted(verb, "", resource, namespace, name)) for grant in allowed)

    for name in ("notifications-events", "notifications-duty"):
        assert may("get", "configmaps", name) and may("update", "configmaps", name)
    assert not may("update", "configmaps", "notifications-another")
    named = {name for channel in load(file).channels for name in secret_names(channel.model_dump())}
    assert named == {"notifications"} and all(may("get", "secrets", name) for name in named)
    assert not may("list", "secrets", "notifications")
    assert not may("get", "secrets", "notifications", "heshan-data-bureau")


def secret_names(value: Any) -> set[str]:
    """The Secrets that a channel is given, wherever in it they stand."""
    if isinstance(value, dict):
        reference = value.get("secret_ref")
        inside = set().union(*(secret_names(each) for each in value.values()))
        return inside | ({reference["name"]} if reference else set())
    return set()


def test_everything_of_a_namespace_is_in_a_namespace_that_was_named() -> None:
    for case, each in everything():
        meta = each["metadata"]
        if "namespace" in meta:
            assert meta["namespace"] in (NAMESPACE, "govpool-runs", "pools"), (case, meta)


def test_what_a_site_adds_to_its_jobs_reaches_them() -> None:
    """Through Helm's JSON and the operator's option into the Pod; nothing is said where nothing is added."""

    def additions(case: str) -> list[str]:
        (deployment,) = of_kind("Deployment", case)
        (container,) = deployment["spec"]["template"]["spec"]["containers"]
        return [arg for arg in container["args"] if arg.startswith("--runner-pod=")]

    assert additions("default") == additions("jobs") == []
    (given,) = additions("jobs of a site with its own registry")
    added = RunnerPod.parse(given.removeprefix("--runner-pod=")).model_dump(mode="json", by_alias=True)
    runner = CASES["jobs of a site with its own registry"]["runner"]
    for key, value in added.items():
        extra = f"extra{key[0].upper()}{key[1:]}"
        assert value == runner[extra if extra in runner else key]
