"""What stands beside the charts: their pages, the image's recipe, the GitOps example."""

from __future__ import annotations

import importlib.metadata
import re
import runpy
import tomllib
from typing import Any

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.chart.charts import CHART, CRDS, ROOT
from tests.chart.documents import documents

RECIPE = (ROOT / "Containerfile").read_text(encoding="utf-8")
GITOPS = ROOT / "examples/gitops"


@pytest.mark.parametrize("chart", [CHART, CRDS], ids=lambda path: path.name)
def test_the_page_of_a_chart_tells_every_value(chart: Any) -> None:
    tool = runpy.run_path(str(ROOT / "tools/chart_docs.py"))
    assert (chart / "README.md").read_text() == tool["page"](chart), "run `make docs`"
    told = {path for path, _ in tool["described"]((chart / "values.yaml").read_text())}
    values = yaml.safe_load((chart / "values.yaml").read_text())
    untold = [path for path in _leaves(values) if not any(path[: len(one)] == one for one in told)]
    assert untold == []


def _leaves(values: Any, *above: str) -> list[tuple[str, ...]]:
    if not isinstance(values, dict) or not values:
        return [above]
    return [leaf for key, value in values.items() for leaf in _leaves(value, *above, key)]


# -- the image -------------------------------------------------------------------------------------
def test_there_is_one_base_and_it_is_pinned_by_its_digest() -> None:
    """It is an argument, so that a site without a registry builds on a base of its own."""
    bases = re.findall(r"^FROM (\S+)(?: AS (\S+))?$", RECIPE, re.MULTILINE)
    stages = {stage for _, stage in bases}
    assert {base for base, _ in bases if base not in stages} == {"${BASE}"}
    (pinned,) = re.findall(r"^ARG BASE=(\S+)$", RECIPE, re.MULTILINE)
    assert re.search(r"@sha256:[0-9a-f]{64}$", pinned)
    assert {"operator", "runner"} <= stages


def test_no_registry_and_no_secret_of_the_build_is_written_down() -> None:
    assert "http" not in RECIPE and "index-url" not in RECIPE
    assert set(re.findall(r"^(?:ARG|ENV) +([A-Z_]+)=", RECIPE, re.MULTILINE)) == {
        "BASE",
        "PIP_DISABLE_PIP_VERSION_CHECK",
        "PATH",
    }, "what an argument or a variable holds stays in the image"
    assert re.findall(r"--mount=type=secret,id=([a-z.-]+)", RECIPE) == ["pip.conf", "mirror-ca"]


def test_the_base_of_ones_own_has_what_the_recipe_needs_of_one() -> None:
    tool = (ROOT / "tools/base_image.sh").read_text(encoding="utf-8")
    packages = re.findall(r"--include=(\S+)", tool)[0].split(",")
    assert {"python3", "python3-venv", "python-is-python3", "ca-certificates"} <= set(packages)


def test_the_image_s_user_is_nobody_else_and_the_chart_s() -> None:
    values = yaml.safe_load((CHART / "values.yaml").read_text())
    security = values["podSecurityContext"]
    (user,) = re.findall(r"^USER (\d+):(\d+)$", RECIPE, re.MULTILINE)
    assert user == (str(security["runAsUser"]), str(security["runAsGroup"]))
    assert 'ENTRYPOINT ["govpool"]' in RECIPE


def test_nothing_gets_into_the_image_past_the_lock() -> None:
    for install in re.findall(r"pip install [^&\n]*", RECIPE):
        assert "--require-hashes" in install or "--no-index" in install, install
    assert "ADD " not in RECIPE
    assert "curl" not in RECIPE


def test_the_image_gets_all_that_the_package_is_made_of() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    wheel = project["tool"]["hatch"]["build"]["targets"]["wheel"]
    needed = {path.split("/")[0] for path in (*wheel["packages"], *wheel["force-include"])}
    copied = {
        name
        for line in re.findall(r"^COPY (?!--from)(.*)$", RECIPE, re.MULTILINE)
        for name in line.split()[:-1]
    }
    assert needed <= copied
    admitted = {
        line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")
    }
    assert copied == admitted
    assert all((ROOT / name).exists() for name in copied)


def test_the_part_of_the_lock_that_runs_is_what_the_package_needs() -> None:
    tool = runpy.run_path(str(ROOT / "tools/lock_part.py"))
    text = (ROOT / "requirements.lock").read_text()
    names = re.findall(r"^([a-z0-9.-]+)==", tool["part"](text), re.MULTILINE)
    assert _closure("govpool") <= set(names)
    assert not {"pytest", "mypy", "ruff", "helm-python-sdk", "hypothesis", "uv"} & set(names)
    assert tool["part"](text).count("--hash=sha256:") >= len(names)
    with pytest.raises(SystemExit, match="not locked: nothing-of-the-kind"):
        tool["part"](text, ["nothing-of-the-kind"])


def _closure(root: str) -> set[str]:
    """What a package that is installed here needs on this platform, without extras."""
    found: set[str] = set()
    waiting = [root]
    while waiting:
        name = waiting.pop()
        for text in importlib.metadata.requires(name) or ():
            need = Requirement(text)
            wanted = canonicalize_name(need.name)
            if (need.marker is None or need.marker.evaluate({"extra": ""})) and wanted not in found:
                found.add(wanted)
                waiting.append(wanted)
    return found


# -- GitOps ----------------------------------------------------------------------------------------
def test_the_gitops_example_names_what_is_there() -> None:
    applications = [each for path in sorted(GITOPS.glob("*.yaml")) for each in documents(path)]
    waves = []
    for each in applications:
        assert each["apiVersion"] == "argoproj.io/v1alpha1"
        if each["kind"] != "Application":
            continue
        source = each["spec"]["source"]
        assert (ROOT / source["path"]).is_dir(), source["path"]
        waves.append((int(each["metadata"]["annotations"]["argocd.argoproj.io/sync-wave"]), source["path"]))
    order = [path for _, path in sorted(waves)]
    assert order.index("charts/govpool-crds") < order.index("charts/govpool") < order.index("policies")


def test_argocd_is_told_of_the_health_of_every_kind_that_has_one() -> None:
    from govpool.api.kinds import KINDS

    config = yaml.safe_load((GITOPS / "argocd/health.yaml").read_text())
    told = {key.removeprefix("resource.customizations.health.govpool.dev_") for key in config["data"]}
    acted_on = {"Approval", "CloudPool", "CloudResourceRequest", "RectificationNotice", "WorkOrder"}
    assert told == acted_on <= {kind.DEFINITION.kind for kind in KINDS}
    for lua in config["data"].values():
        words = re.sub(r'"[^"]*"', "", lua)
        assert len(re.findall(r"\b(if|for)\b", words)) == len(re.findall(r"\bend\b", words))
        assert lua.rstrip().endswith("return hs")
