"""The repository's own rules: what it may hold, and that its documents tell the truth about it."""

from __future__ import annotations

import ast
import re
import string
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
import yaml

from govpool.messages import CATALOGUE

ROOT = Path(__file__).resolve().parents[2]
NOT_OURS = {
    ".git", ".venv", ".mypy_cache", ".ruff_cache", ".pytest_cache", ".hypothesis", ".import_linter_cache",
    ".govpool", "__pycache__", "build", "dist",
}  # fmt: skip
TEXT = {"", ".cfg", ".j2", ".json", ".lock", ".md", ".py", ".sh", ".svg", ".toml", ".txt", ".yaml", ".yml"}

LONG_FILES = {
    "operator/govpool/cli/demo/tour.py": "one story, told in its order",
    "operator/govpool/api/cloudpolicy.py": "one kind: a regulation has many rules, each field described",
    "operator/govpool/api/cloudresourcerequest.py": "one kind: the whole of annex 1, each field described",
    "operator/govpool/api/wipecertificate.py": "one kind: all that it proves, each field described",
    "operator/govpool/effects/kube.py": "one client: every call passes the same patience, errors and fence",
    "operator/govpool/effects/reconcile.py": "one turn of each kind: what is observed for it, in one place",
    "operator/govpool/effects/restore.py": "one restore: its order is what makes it safe",
    "operator/govpool/lifecycle/server.py": "one kind: what a server needs next, in its order",
    "operator/govpool/simulation/deeds.py": "one table: what each kind of event in a scenario does",
    "operator/govpool/simulation/player.py": "one play: events, habits and clocks in their order",
    "operator/govpool/simulation/recorder.py": "one observer: every line of a result is written down here",
    "operator/govpool/simulation/scenario.py": "one file format: every kind of event, each field described",
    "operator/govpool/standalone/server.py": "one process: what it starts and stops, in order",
    "operator/govpool/standalone/writes.py": "one transaction: every write passes the same checks",
    "playbooks/module_utils/govpool_wipe_engine.py": "one engine, copied to a machine as one file",
    "tests/conformance/conftest.py": "one client for the embedded control plane and for real servers",
    "tests/contract/test_local.py": "what only the local pool can be asked",
    "tests/unit/effects/test_audit.py": "one chain: every way in which its writing is cut short",
    "tests/unit/lifecycle/lifecycle_builders.py": "one builder a kind, for every test of the core",
    "tests/unit/lifecycle/model_world.py": "one world in memory: every kind of action has its effect in it",
    "tests/unit/lifecycle/test_otherwise_flips.py": "each change that is told, made and seen to turn",
    "tests/unit/lifecycle/test_stages_leaving.py": "every stage of the end, one after the other",
    "tests/unit/lifecycle/test_terms_walk.py": "one request walked through every span of use",
    "tests/unit/rules/test_emergency.py": "five regulations' emergencies, to the day",
    "tests/unit/test_baseline_module.py": "a table of cases for each control's check",
    "tests/unit/test_wipe_engine.py": "every way in which a disk can lie",
}
"""Python files of more than 400 lines, each with the reason why it is not split."""

ELSEWHERE = {
    "a registry's address": re.compile(r"https?://[^\s\"')]*(?:pypi|simple/|artifactory|nexus|mirrors?\.)"),
    "a place on a disk": re.compile(r"file:///\w|" + re.escape(str(ROOT)) + r"\b"),
    "somebody's home": re.compile(r"(?<![\w.])/(?:home|Users)/(?!ann\b|user\b|govpool|\w*admin)\w+/\w"),
    "a private key": re.compile(
        r"^-----BEGIN (?:[A-Z]+ )*PRIVATE KEY-----\n[A-Za-z0-9+/=]{40}", re.MULTILINE
    ),
}


CLOCKS = {"now", "today", "utcnow", "time", "monotonic"}


@cache
def files() -> tuple[Path, ...]:
    """Every file of the repository, found without git: an unpacked archive is tested as well."""
    found = []
    for path in sorted(ROOT.rglob("*")):
        parts = path.relative_to(ROOT).parts
        if path.is_file() and not NOT_OURS & set(parts) and not parts[0].startswith(".idea"):
            found.append(path)
    return tuple(found)


def texts() -> list[tuple[str, str]]:
    return [
        (str(path.relative_to(ROOT)), path.read_text(encoding="utf-8"))
        for path in files()
        if path.suffix in TEXT or path.name.startswith(".")
    ]


def makefile_targets() -> set[str]:
    return set(re.findall(r"^([a-z-]+):(?!=)", (ROOT / "Makefile").read_text(), re.MULTILINE))


def test_the_lock_names_versions_and_hashes_and_no_place() -> None:
    lock = (ROOT / "requirements.lock").read_text()
    assert "://" not in lock
    assert not re.search(
        r"^\s*(-i|-f|--(extra-)?index-url|--find-links|--trusted-host|-e)\b", lock, re.MULTILINE
    )
    blocks = re.split(r"\n(?=\S)", re.sub(r"^#.*\n", "", lock, flags=re.MULTILINE))
    packages = [block for block in blocks if block.strip()]
    assert len(packages) > 50
    for block in packages:
        assert re.match(r"[a-z0-9.-]+==\S+ (;[^\\]*)?\\\n", block), block
        assert re.search(r"--hash=sha256:[0-9a-f]{64}", block), block


def test_the_lock_holds_what_pyproject_asks_for() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    asked = [
        *project["build-system"]["requires"],
        *project["project"]["dependencies"],
        *(line for extra in project["project"]["optional-dependencies"].values() for line in extra),
        *project["dependency-groups"]["dev"],
    ]
    names = {re.match(r"[\w.-]+", line)[0].lower().replace("_", "-") for line in asked}  # type: ignore[index]
    locked = set(re.findall(r"^([a-z0-9.-]+)==", (ROOT / "requirements.lock").read_text(), re.MULTILINE))
    assert names - locked == set(), "run `make lock`"


@pytest.mark.parametrize("what", ELSEWHERE)
def test_nothing_tells_where_it_was_made(what: str) -> None:
    pattern, itself = ELSEWHERE[what], str(Path(__file__).relative_to(ROOT))
    found = [
        f"{name}: {hit[0]!r}" for name, text in texts() if name != itself for hit in pattern.finditer(text)
    ]
    assert found == []


def test_the_patterns_would_find_it() -> None:
    assert ELSEWHERE["a registry's address"].search("index-url = https://pypi.example.org/root")
    assert ELSEWHERE["a place on a disk"].search(f"cd {ROOT}/docs")
    assert ELSEWHERE["somebody's home"].search("cd /home/li/tree")
    assert ELSEWHERE["a private key"].search(
        "-----BEGIN OPENSSH PRIVATE KEY-----\n" + "b3BlbnNzaC1rZXktdjEA" * 3
    )


def test_a_file_of_more_than_400_lines_has_a_reason() -> None:
    lengths = {
        str(path.relative_to(ROOT)): path.read_text(encoding="utf-8").count("\n")
        for path in files()
        if path.suffix in {".py", ".sh"}
    }
    long = {name for name, lines in lengths.items() if lines > 400}
    assert long - LONG_FILES.keys() == set(), "split it, or say in LONG_FILES why not"
    assert LONG_FILES.keys() - lengths.keys() == set(), "gone: take it off LONG_FILES"


def test_every_message_is_there_in_both_languages_with_the_same_values() -> None:
    assert CATALOGUE
    for key, (english, chinese) in CATALOGUE.items():
        assert english.strip() and chinese.strip(), key
        assert _fields(english) == _fields(chinese), key
        assert not re.search(r"[\u4e00-\u9fff]", re.sub(r"[（(][^）)]*[）)]", "", english)), (
            f"{key}: {english}"
        )


def test_every_message_that_the_code_names_is_in_the_catalogue() -> None:
    named = {}
    for path in files():
        if path.suffix == ".py" and path.is_relative_to(ROOT / "operator"):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if (
                    isinstance(node, ast.Call)
                    and isinstance(node.func, ast.Name)
                    and node.func.id in {"message", "Message"}
                    and node.args
                    and isinstance(node.args[0], ast.Constant)
                ):
                    named[node.args[0].value] = f"{path.relative_to(ROOT)}:{node.lineno}"
    assert len(named) > 20
    assert {key: place for key, place in named.items() if key not in CATALOGUE} == {}


def test_the_core_reads_no_clock() -> None:
    """What import contracts can't see: ``datetime.now`` comes with a type that the core needs."""
    core = [ROOT / "operator/govpool" / package for package in ("messages", "api", "rules", "lifecycle")]
    modules = [path for folder in core for path in sorted(folder.rglob("*.py"))]
    assert len(modules) > 40
    assert [f"{path.relative_to(ROOT)}:{line}" for path in modules for line in _clock_reads(path)] == []


def _clock_reads(module: Path) -> Iterator[int]:
    for node in ast.walk(ast.parse(module.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            asked, of = node.func.attr, node.func.value
            named = of.attr if isinstance(of, ast.Attribute) else getattr(of, "id", "")
            if named in {"datetime", "date", "time"} and asked in {
                "now",
                "today",
                "utcnow",
                "time",
                "monotonic",
            }:
                yield node.lineno


def test_a_clock_that_is_read_is_found(tmp_path: Path) -> None:
    module = tmp_path / "late.py"
    module.write_text(
        "import datetime as d\nfrom datetime import date\nx = d.datetime.now()\ny = date.today()\n"
    )
    assert list(_clock_reads(module)) == [3, 4]


def _fields(template: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(template) if name}


@pytest.mark.parametrize("document", ["README.md", "README.zh-CN.md", "CONTRIBUTING.md"])
def test_the_commands_of_the_documents_exist(document: str) -> None:
    text = (ROOT / document).read_text(encoding="utf-8")
    named = set(re.findall(r"(?:^|`|\s)make ([a-z][a-z-]+)", text, re.MULTILINE))
    assert {"demo", "test"} <= named or document == "CONTRIBUTING.md"
    assert named - makefile_targets() == set()


@pytest.mark.parametrize("document", ["README.md", "README.zh-CN.md", "docs/README.md"])
def test_the_govpool_commands_of_the_documents_exist(document: str) -> None:
    from typer.main import get_command

    from govpool.cli.main import app

    command = get_command(app)
    known = set(command.commands)  # type: ignore[attr-defined]
    text = (ROOT / document).read_text(encoding="utf-8")
    text = re.sub(r"<!-- demo-output -->.*?<!-- /demo-output -->", "", text, flags=re.DOTALL)
    named = set(re.findall(r"(?:^|`|^\$ )govpool ([a-z-]+)", text, re.MULTILINE))
    assert named - known == set()
    if document.startswith("README"):
        assert known - named == set(), "add the command to the table"


def _documents() -> list[str]:
    return [str(path.relative_to(ROOT)) for path in files() if path.suffix == ".md"]


@pytest.mark.parametrize("document", _documents())
def test_links_between_documents_lead_somewhere(document: str) -> None:
    text = (ROOT / document).read_text(encoding="utf-8")
    links = re.findall(r"\]\(([^)\s]+)\)|(?:src|href|srcset)=\"([^\"]+)\"", text)
    for link in (one or other for one, other in links):
        if re.match(r"[a-z]+:|#", link):
            continue
        target = ((ROOT / document).parent / link.split("#")[0]).resolve()
        assert target.exists(), link


def test_both_readmes_have_the_same_parts() -> None:
    def shape(name: str) -> list[int]:
        return [
            len(h) for h in re.findall(r"^(#+) ", (ROOT / name).read_text(encoding="utf-8"), re.MULTILINE)
        ]

    assert shape("README.md") == shape("README.zh-CN.md")


def test_the_debian_packages_are_named_once_each_with_a_reason() -> None:
    lines = (ROOT / "debian-packages.txt").read_text().splitlines()
    rows = [line for line in lines if line.strip() and not line.startswith("#")]
    names = []
    for row in rows:
        match = re.fullmatch(r"([a-z0-9][a-z0-9+.-]+)\s+# \S.*", row)
        assert match, row
        names.append(match[1])
    assert len(names) == len(set(names))
    assert {"make", "python3-venv"} <= set(names)


def test_continuous_integration_runs_what_the_readme_says() -> None:
    lines = (ROOT / ".ci/run").read_text().splitlines()
    assert lines[-1] == "exec make test SKIP_OPENSTACK=1"
    assert (ROOT / ".ci/run").stat().st_mode & 0o111


def test_the_hooks_run_what_is_installed_and_fetch_nothing() -> None:
    config = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())
    assert {repo["repo"] for repo in config["repos"]} == {"local"}
    hooks = [hook for repo in config["repos"] for hook in repo["hooks"]]
    assert {hook["language"] for hook in hooks} == {"system"}
    assert all(hook["entry"].startswith(".venv/bin/") for hook in hooks)


def test_make_lists_its_targets() -> None:
    done = subprocess.run(
        ["make", "-C", str(ROOT), "--no-print-directory"], capture_output=True, text=True, check=True
    )
    told = set(re.findall(r"^  make ([a-z-]+)", done.stdout, re.MULTILINE))
    assert told == makefile_targets()


def test_the_set_up_is_a_valid_script() -> None:
    for script in ("tools/bootstrap.sh", ".ci/run"):
        subprocess.run(["bash", "-n", str(ROOT / script)], check=True)


def test_the_licence_is_apache_2() -> None:
    text = (ROOT / "LICENSE").read_text()
    assert "Apache License" in text and "Version 2.0, January 2004" in text
    assert "END OF TERMS AND CONDITIONS" in text


def test_python_is_what_pyproject_asks_for() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    least = re.fullmatch(r">=(\d+)\.(\d+)", project["project"]["requires-python"])
    assert least and sys.version_info >= (int(least[1]), int(least[2]))
