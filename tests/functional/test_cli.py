"""Every command against `govpool up` and `govpool operator` as processes of their own, on a fixture pool."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from govpool.api.cloudpolicy import Stage
from govpool.cli.api import connected
from govpool.cli.demo.view import View
from govpool.cli.main import app

ROOT = Path(__file__).parents[2]
NAMESPACE, REQUEST = "heshan-data-bureau", "doc-approval"
GOVPOOL = [sys.executable, "-m", "govpool.cli.main"]
KUBECTL = shutil.which("kubectl") or str(Path(sys.executable).with_name("kubectl"))


@dataclass
class Site:
    """A control plane and an operator, and the people around them."""

    state: Path

    def govpool(self, *arguments: str, code: int = 0, **environment: str) -> str:
        """A command in this process: what it says, and that it ends as it should."""
        unset = dict.fromkeys(("KUBECONFIG", "KUBERNETES_SERVICE_HOST"))
        given = {**unset, "GOVPOOL_STATE_DIR": str(self.state), "LANG": "C.UTF-8", "LC_ALL": None}
        done = CliRunner().invoke(app, list(arguments), env={**given, **environment})
        bug = None if isinstance(done.exception, SystemExit) else done.exception
        assert (done.exit_code, bug) == (code, None), f"{arguments}:\n{done.output}"
        return done.output

    def kubectl(self, user: str, *arguments: str, stdin: str = "") -> str:
        config = str(self.state / f"{user}.kubeconfig")
        given = [KUBECTL, "--kubeconfig", config, *arguments]
        done = subprocess.run(given, check=False, input=stdin, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def until(self, *reached: Any) -> None:
        """Wait, by watching, until a method of View answers."""
        asyncio.run(self._until(*reached))

    async def _until(self, *reached: Any) -> None:
        method, *arguments = reached
        async with connected(self.state / "viewer.kubeconfig") as api:
            view = View(NAMESPACE, REQUEST)
            following = asyncio.create_task(view.follow(api))
            try:
                await view.until(lambda: method(view, *arguments), seconds=60)
            finally:
                following.cancel()
                await asyncio.gather(following, return_exceptions=True)


def clean() -> dict[str, str]:
    return {k: v for k, v in os.environ.items() if k not in ("KUBECONFIG", "KUBERNETES_SERVICE_HOST")}


def stop(process: subprocess.Popen[str]) -> int:
    process.send_signal(signal.SIGINT)
    try:
        return process.wait(30)
    finally:
        process.kill()


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("site")
    state = folder / "plane"
    given = ["up", "--state-dir", str(state), "--unit-namespace", NAMESPACE, "--policies"]
    plane = subprocess.Popen([*GOVPOOL, *given], stdout=subprocess.PIPE, text=True, env=clean())
    assert plane.stdout is not None
    try:
        assert "answers at https://127.0.0.1:" in plane.stdout.readline()
        given = [
            "operator",
            "--kubeconfig",
            str(state / "operator.kubeconfig"),
            "--state-dir",
            str(folder / "op"),
        ]
        with (folder / "operator.log").open("w") as log:
            operator = subprocess.Popen([*GOVPOOL, *given], stderr=log, text=True, env=clean())
        try:
            yield supplied(Site(state))
        finally:
            assert stop(operator) == 0, (folder / "operator.log").read_text()
    finally:
        assert stop(plane) == 0


def supplied(site: Site) -> Site:
    documents = list(yaml.safe_load_all((ROOT / "examples/01-supply.yaml").read_text()))
    documents = [d for d in documents if d["metadata"]["name"] != "local-pool"]
    next(d for d in documents if d["kind"] == "CloudPool")["spec"]["connection"]["settings"] = {
        "state": str(site.state.parent / "pool.sqlite")
    }
    site.kubectl("admin", "apply", "--server-side", "-f", "-", stdin=yaml.safe_dump_all(documents))
    site.kubectl("admin", "apply", "--server-side", "-f", str(ROOT / "examples/02-unit.yaml"))
    text = (ROOT / "examples/03-request.yaml").read_text().replace("local-pool", "fixture-pool")
    site.kubectl("unit", "apply", "-f", "-", stdin=text)
    return site


def test_a_life_told_in_commands(site: Site) -> None:
    site.until(View.pending, 0)
    assert "acceptor  by 2" in site.govpool("status", REQUEST)
    assert "is forbidden" in site.govpool(
        "approve", REQUEST, "--as", "reviewer", "--step", "Acceptance", code=1
    )
    assert "Next: Review by reviewer" in site.govpool("approve", REQUEST, "--as", "acceptor")
    assert "was decided by acceptor" in site.govpool(
        "approve", REQUEST, "--as", "acceptor", "--step", "Acceptance", code=1
    )
    assert "--opinion" in site.govpool("approve", REQUEST, "--as", "reviewer", "--verdict", "Refuse", code=1)
    assert "已办理" in site.govpool("approve", REQUEST, "--as", "reviewer", "--language", "zh")

    site.until(View.waits_for_unit, Stage.TRIAL, 1)
    assert "no Approval that waits" in site.govpool("approve", REQUEST, "--as", "reviewer", code=1)
    assert "it is at Trial" in site.govpool("confirm", "delivery", REQUEST, "--as", "unit", code=1)
    assert "cannot move the clock" in site.govpool("clock", "advance", "P32D", "--as", "unit", code=1)
    assert "no ISO-8601 duration" in site.govpool("clock", "advance", "P1X", code=1)
    assert "(+32d" in site.govpool("clock", "advance", "P32D")
    assert "(+32d" in site.govpool("clock", "show", "--as", "unit")

    site.until(View.waits_for_unit, Stage.REPORTS, 1)
    paper = site.state.parent / "trial.md"
    paper.write_text("fine")
    assert "SHA-256" in site.govpool("confirm", "report", REQUEST, str(paper), "--as", "unit")
    site.until(View.waits_for_unit, Stage.CONFIRMATION, 1)
    assert "unit confirmed delivery" in site.govpool("confirm", "delivery", REQUEST, "--as", "unit")
    site.until(View.applied, 1)
    assert "was confirmed by unit" in site.govpool("confirm", "delivery", REQUEST, "--as", "unit", code=1)

    assert "Nothing of doc-approval was backed up" in site.govpool(
        "confirm", "backup", REQUEST, "--as", "unit", code=1
    )
    patch = [
        "patch",
        "crr",
        REQUEST,
        "--type",
        "merge",
        "--patch-file",
        str(ROOT / "examples/05-deregister.yaml"),
    ]
    site.kubectl("unit", *patch)
    site.until(View.pending, 1)
    site.govpool("approve", REQUEST, "--as", "reviewer")
    revision = int(site.kubectl("unit", "get", "crr", REQUEST, "-o", "jsonpath={.metadata.generation}"))
    site.until(View.waits_for_unit, Stage.BACKUP, revision)
    assert "is Succeeded: only an order that failed" in site.govpool(
        "retry", backup_order(site), "--as", "admin", code=1
    )
    assert "it is at Backup" in site.govpool("confirm", "termination", REQUEST, "--as", "unit", code=1)
    site.govpool("confirm", "backup", REQUEST, "--as", "unit")
    site.until(View.waits_for_unit, Stage.TERMINATION, revision)
    site.govpool("confirm", "termination", REQUEST, "--as", "unit")
    site.until(View.applied, revision)
    certified(site)


def backup_order(site: Site) -> str:
    orders = site.kubectl("unit", "get", "workorders", "-o", "name").split()
    return next(name for name in orders if "backup" in name).partition("/")[2]


def certified(site: Site) -> None:
    name = site.kubectl("unit", "get", "crr", REQUEST, "-o", "jsonpath={.status.certificate}")
    file = site.state.parent / "certificate.yaml"
    site.govpool("certificate", "show", name, "--output", str(file))
    assert "signature, chain and completeness hold" in site.govpool("certificate", "verify", str(file))
    assert "销毁证书" in site.govpool("certificate", "show", name, "--form", "html")
    story = site.govpool("status", REQUEST, "--language", "zh", COLUMNS="200")
    assert all(word in story for word in ("已注销", "办理经过", "YY-21(2)", name)), story


def test_what_is_not_there(site: Site) -> None:
    assert "no CloudResourceRequest nix" in site.govpool("status", "nix", code=1)
    assert "not found" in site.govpool("certificate", "show", "nix", "-n", NAMESPACE, code=1)
    assert "use one of" in site.govpool("status", REQUEST, "--as", "nobody", code=2)


def test_without_a_control_plane(tmp_path: Path) -> None:
    alone = Site(tmp_path / "state")
    home = {"HOME": str(tmp_path)}
    assert "govpool up" in alone.govpool("status", REQUEST, code=2, **home)
    gone = tmp_path / "gone.kubeconfig"
    gone.write_text(
        yaml.safe_dump(
            {
                "apiVersion": "v1",
                "kind": "Config",
                "clusters": [{"name": "c", "cluster": {"server": "http://127.0.0.1:9"}}],
                "users": [{"name": "u", "user": {"token": "t"}}],
                "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u", "namespace": "n"}}],
                "current-context": "x",
            }
        )
    )
    assert "is the control plane running" in alone.govpool(
        "status", REQUEST, "--kubeconfig", str(gone), code=3
    )


def test_a_command_as_a_process_of_its_own(tmp_path: Path) -> None:
    given = [*GOVPOOL, "status", REQUEST, "--as", "nobody", "--state-dir", str(tmp_path)]
    done = subprocess.run(given, check=False, capture_output=True, text=True, timeout=60, env=clean())
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("govpool: there is no user 'nobody'")


def test_a_second_control_plane_on_the_same_state_is_refused(site: Site) -> None:
    assert "another control plane runs" in site.govpool("up", "--state-dir", str(site.state), code=1)
    assert "not a loopback address" in site.govpool("up", "--host", "192.0.2.1", code=2)


def test_crds(site: Site, tmp_path: Path) -> None:
    site.govpool("crds", "write", str(tmp_path / "crds"))
    site.govpool("crds", "check", str(tmp_path / "crds"))
    next((tmp_path / "crds").glob("*.yaml")).unlink()
    assert "missing" in site.govpool("crds", "check", str(tmp_path / "crds"), code=1)
    assert "CustomResourceDefinition/cloudpools.govpool.dev" in site.govpool("crds", "apply")


def test_tokens_are_never_shown(site: Site) -> None:
    tokens = [
        yaml.safe_load(path.read_text())["users"][0]["user"]["token"]
        for path in site.state.glob("*.kubeconfig")
    ]
    said = (site.state.parent / "operator.log").read_text() + site.govpool("status", REQUEST)
    assert [token for token in tokens if token in said] == []
    assert {oct(path.stat().st_mode & 0o777) for path in site.state.glob("*.kubeconfig")} == {"0o600"}
