"""Where a command finds its control plane, what it says when it can't, and that all of it is documented."""

from __future__ import annotations

import asyncio
import string
import subprocess
import sys
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from govpool.cli.control_planes import named
from govpool.cli.errors import CliError, Exit
from govpool.cli.main import app
from govpool.cli.options import kubeconfig_of
from govpool.cli.run import explained, run
from govpool.effects.kube import KubeError
from govpool.messages import CATALOGUE
from govpool_providers.errors import ErrorCode, ProviderError

ROOT = Path(__file__).parents[3]


@pytest.fixture
def nowhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """An environment that names no control plane."""
    for name in ("KUBECONFIG", "KUBERNETES_SERVICE_HOST"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    return tmp_path


def config(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("{}")
    return path


def test_the_user_of_the_embedded_control_plane_comes_first(nowhere: Path) -> None:
    mine = config(nowhere / "acceptor.kubeconfig")
    assert kubeconfig_of(config(nowhere / "other"), "acceptor", nowhere) == mine


def test_the_order_of_the_others(nowhere: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    viewer = config(nowhere / "viewer.kubeconfig")
    assert kubeconfig_of(None, None, nowhere, otherwise="viewer") == viewer
    home = config(nowhere / "home/.kube/config")
    assert kubeconfig_of(None, None, nowhere, otherwise="viewer") == home
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "10.0.0.1")
    assert kubeconfig_of(None, None, nowhere, otherwise="viewer") is None
    environment = config(nowhere / "env")
    monkeypatch.setenv("KUBECONFIG", f"/nowhere:{environment}")
    assert kubeconfig_of(None, None, nowhere, otherwise="viewer") == environment
    option = config(nowhere / "option")
    assert kubeconfig_of(option, None, nowhere) == option


def test_an_unknown_user_is_told_the_known_ones(nowhere: Path) -> None:
    config(nowhere / "unit.kubeconfig")
    with pytest.raises(CliError, match="use one of unit") as refused:
        kubeconfig_of(None, "nobody", nowhere)
    assert refused.value.code is Exit.USAGE


def test_nobody_decides_as_admin_by_accident(nowhere: Path) -> None:
    config(nowhere / "admin.kubeconfig")
    with pytest.raises(CliError, match="--as"):
        kubeconfig_of(None, None, nowhere)


def test_an_operator_takes_no_control_plane_by_accident(
    nowhere: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config(nowhere / "home/.kube/config")
    assert named(None) is None
    monkeypatch.setenv("KUBECONFIG", str(nowhere / "gone"))
    with pytest.raises(CliError, match="not there"):
        named(None)
    with pytest.raises(CliError, match="no such kubeconfig"):
        named(nowhere / "gone")


@pytest.mark.parametrize(
    ("error", "code", "told"),
    [
        (KubeError(0, "NoAnswer", "refused"), Exit.UNKNOWN, "is the control plane running"),
        (KubeError(503, "ServiceUnavailable", "later"), Exit.UNKNOWN, "later"),
        (KubeError(401, "Unauthorized", "Unauthorized"), Exit.NO, "fresh kubeconfig"),
        (KubeError(403, "Forbidden", "no"), Exit.NO, "--as"),
        (KubeError(404, "NotFound", "no such thing"), Exit.NO, "no such thing"),
        (KubeError(409, "Conflict", "modified"), Exit.NO, "look again"),
        (ProviderError(ErrorCode.UNREACHABLE, "away"), Exit.NO, "Unreachable: away"),
        (FileNotFoundError(2, "No such file", "/x"), Exit.NO, "/x: No such file"),
    ],
)
def test_an_expected_error_is_a_sentence(error: Exception, code: Exit, told: str) -> None:
    found = explained(error)
    assert found is not None
    assert (found.code, told in str(found)) == (code, True), str(found)


def test_a_bug_keeps_its_traceback() -> None:
    assert explained(ValueError("bug")) is None

    async def broken() -> None:
        raise ValueError("bug")

    with pytest.raises(ValueError, match="bug"):
        run(broken())


def test_an_expected_error_ends_with_its_code(capsys: pytest.CaptureFixture[str]) -> None:
    async def refused() -> None:
        await asyncio.sleep(0)
        raise CliError("no", Exit.UNKNOWN)

    with pytest.raises(typer.Exit) as ended:
        run(refused())
    assert ended.value.exit_code == Exit.UNKNOWN
    assert capsys.readouterr().err == "govpool: no\n"


def test_the_clients_errors_are_told_without_a_traceback(nowhere: Path) -> None:
    broken = nowhere / "broken"
    broken.write_text("apiVersion: v1\nkind: Config\nclusters: []\n")
    answer = CliRunner().invoke(app, ["status", "oa", "--kubeconfig", str(broken)])
    assert answer.exit_code == Exit.USAGE, answer.output
    assert "kubeconfig" in answer.output
    assert isinstance(answer.exception, SystemExit)


@pytest.mark.parametrize("command", [[], ["approve"], ["confirm", "report"], ["clock", "advance"], ["demo"]])
def test_help_has_a_short_form(command: list[str]) -> None:
    answer = CliRunner().invoke(app, [*command, "-h"])
    assert answer.exit_code == 0
    assert "Usage" in answer.output


def test_the_reference_is_what_help_says(tmp_path: Path) -> None:
    written = tmp_path / "cli.md"
    given = [
        "govpool.cli.main",
        "utils",
        "docs",
        "--name",
        "govpool",
        "--title",
        "govpool on the command line",
    ]
    subprocess.run([sys.executable, "-m", "typer", *given, "--output", str(written)], check=True, cwd=ROOT)
    assert written.read_text() == (ROOT / "docs/cli.md").read_text(), (
        "write docs/cli.md again: typer " + " ".join(given)
    )


@pytest.mark.parametrize("key", [key for key in CATALOGUE if key.startswith(("cli.", "demo."))])
def test_both_languages_tell_the_same_values(key: str) -> None:
    english, chinese = (
        {name for _, name, _, _ in string.Formatter().parse(text) if name} for text in CATALOGUE[key]
    )
    assert english == chinese
    assert any("一" <= letter <= "鿿" for letter in CATALOGUE[key][1])
