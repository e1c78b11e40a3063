"""`govpool demo`, as somebody runs it: the whole story, and nothing left however it ends."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from typer.testing import CliRunner

from govpool.cli.demo.workspace import PREFIX
from govpool.cli.main import app

GOVPOOL = [sys.executable, "-m", "govpool.cli.main"]
MEMORY_STEPS = 30
REAL_STEPS = MEMORY_STEPS + 5


class Demo:
    """A demo that runs."""

    def __init__(self, keep: Path, *arguments: str) -> None:
        environment = {**os.environ, "LC_ALL": "C.UTF-8", "COLUMNS": "160"}
        self.keep = keep
        self.said = ""
        self.work = keep.parent
        self.process = subprocess.Popen(
            [*GOVPOOL, "demo", "--yes", "--keep", str(keep), "--work", str(self.work), *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env=environment,
            cwd=keep.parent,
        )

    def until(self, text: str) -> None:
        """Read on until it says so."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.said += line
            if text in line:
                return
        raise AssertionError(f"it never said {text!r}:\n{self.said}")

    def end(self, code: int) -> str:
        """Read to its end; nothing of it may be left then."""
        assert self.process.stdout is not None
        self.said += self.process.stdout.read()
        assert self.process.wait(60) == code, self.said
        assert "Traceback" not in self.said, self.said
        assert self.folders() == set(), self.said
        assert "no process, mount, loop device, bridge, route or folder of the demo is left" in self.said
        return self.said

    def folders(self) -> set[Path]:
        return set(self.work.glob(f"{PREFIX}*"))

    def processes(self) -> list[psutil.Process]:
        return psutil.Process(self.process.pid).children(recursive=True)


@pytest.fixture
def keep(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path / "evidence"


def steps(said: str) -> list[str]:
    return re.findall(r"^✓ (.*)  \d+\.\d s$", said, re.MULTILINE)


def verified(keep: Path) -> None:
    given = [
        "certificate",
        "verify",
        str(keep / "wipe-certificate.yaml"),
        "--key",
        str(keep / "authority-key.pem"),
    ]
    answer = CliRunner().invoke(app, given)
    assert answer.exit_code == 0, answer.output


@pytest.mark.timeout(240)
def test_the_tour_in_memory(keep: Path) -> None:
    demo = Demo(keep, "--pool", "fixture")
    said = demo.end(0)
    assert "Not real: machines, SSH" in said
    assert len(steps(said)) == MEMORY_STEPS, steps(said)
    verified(keep)
    for language, phase in (("en", "Deregistered"), ("zh", "已注销")):
        story = (keep / f"story.{language}.txt").read_text()
        assert phase in story and "YY-21(2)" in story, story
    assert "marker" not in said.partition("Start")[2]


@pytest.mark.timeout(120)
def test_ctrl_c_and_once_more(keep: Path) -> None:
    demo = Demo(keep, "--pool", "fixture")
    demo.until("The servers are opened")
    children = demo.processes()
    assert len(children) >= 2
    demo.process.send_signal(signal.SIGINT)
    demo.process.send_signal(signal.SIGINT)
    said = demo.end(130)
    assert "the demo was stopped" in said
    assert [child for child in children if child.is_running()] == []


@pytest.mark.timeout(120)
def test_an_operator_that_dies_ends_the_demo_with_its_words(keep: Path) -> None:
    demo = Demo(keep, "--pool", "fixture")
    demo.until("The unit applies")
    operator = next(
        p for p in demo.processes() if "operator" in p.cmdline() and "--kubeconfig" in p.cmdline()
    )
    operator.kill()
    assert "the operator ended (-9)" in demo.end(1)


@pytest.mark.timeout(120)
def test_what_a_killed_demo_left_is_swept_up_by_the_next(keep: Path) -> None:
    killed = Demo(keep, "--pool", "fixture")
    killed.until("The operator starts")
    children = killed.processes()
    killed.process.kill()
    killed.process.wait()
    psutil.wait_procs(children, timeout=60)
    assert [child for child in children if child.is_running()] == [], "they are told when the demo dies"
    (left,) = killed.folders()
    following = Demo(keep, "--pool", "fixture")
    following.until(f"What a killed demo left is removed: {left}")
    following.process.send_signal(signal.SIGTERM)
    following.end(130)


def test_a_folder_that_is_not_a_demos_is_never_replaced(tmp_path: Path) -> None:
    precious = tmp_path / "thesis.txt"
    precious.write_text("years of work")
    answer = CliRunner().invoke(app, ["demo", "--pool", "fixture", "--keep", str(tmp_path)])
    assert answer.exit_code == 2
    assert "not empty and not of a demo" in answer.output
    assert precious.read_text() == "years of work"


@pytest.mark.root
@pytest.mark.slow
@pytest.mark.timeout(900)
def test_the_main_job_for_real(keep: Path) -> None:
    demo = Demo(keep)
    said = demo.end(0)
    assert len(steps(said)) == REAL_STEPS, steps(said)
    assert "found on 6 of 6 disks" in said
    assert "nothing found on any of 6; the pool has 0 of them left" in said
    assert said.count("publickey: Refused") >= 3
    mended = [int(count) for count in re.findall(r"(\d+) mended, 0 still failing", said)]
    assert len(mended) == 3 and min(mended) >= 1
    verified(keep)
    assert len(list(keep.rglob("*.html"))) >= 4, "three baseline reports and the certificate"
    assert_no_secrets(keep)


@pytest.mark.root
@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("after", ["The quota is reserved", "The servers are opened"])
def test_ctrl_c_with_real_machines(keep: Path, after: str) -> None:
    demo = Demo(keep)
    demo.until(after)
    demo.process.send_signal(signal.SIGINT)
    demo.end(130)
    loops = subprocess.run(["losetup", "-a"], capture_output=True, text=True, check=True).stdout
    assert str(demo.work) not in loops
    assert str(demo.work) not in Path("/proc/self/mounts").read_text()


def assert_no_secrets(keep: Path) -> None:
    """Neither private keys nor tokens are among the evidence."""
    text = "".join(path.read_text(errors="replace") for path in keep.rglob("*") if path.is_file())
    assert "PRIVATE KEY" not in text
    assert not re.search(r"token: \S{20}", text)


def test_kubectl_is_asked_for_first(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("govpool.cli.doctor.kubectl", lambda: None)
    answer = CliRunner().invoke(app, ["demo", "--keep", str(tmp_path / "e")])
    assert answer.exit_code == 1
    assert "kubectl is not installed" in answer.output


def test_the_tour_is_offered_without_root(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    answer = CliRunner().invoke(app, ["demo", "--keep", str(tmp_path / "e"), "--language", "en"])
    assert answer.exit_code == 1
    assert "run as root" in answer.output
    assert "On the fixture pool" in answer.output
    assert "govpool demo --pool fixture" in answer.output
