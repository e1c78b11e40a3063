"""Playbooks written for a test, run on this machine without SSH."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from govpool.effects.playbook_paths import playbooks_dir
from govpool.effects.playbooks import PlaybookRun, Target


@pytest.fixture
def runtime(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A runtime directory of the test's own, so that it can be looked through."""
    directory = tmp_path / "runtime"
    monkeypatch.setenv("GOVPOOL_RUNTIME_DIR", str(directory))
    return directory


@pytest.fixture
def state(tmp_path: Path, runtime: Path) -> Path:
    assert runtime
    return tmp_path / "state"


@pytest.fixture
def library(tmp_path: Path) -> Path:
    """A folder of playbooks with the project's own settings."""
    folder = tmp_path / "playbooks"
    folder.mkdir()
    (folder / "ansible.cfg").write_text((playbooks_dir() / "ansible.cfg").read_text())
    return folder


@pytest.fixture
def play(library: Path) -> Callable[..., PlaybookRun]:
    """Write a play with these tasks and return a run of it on localhost."""

    def make(tasks: str, hosts: str = "all", names: tuple[str, ...] = ("m1",), **more: Any) -> PlaybookRun:
        head = f"- hosts: {hosts}\n  gather_facts: false\n  tasks:\n"
        (library / "play.yml").write_text(
            head + "".join(f"    {line}\n" for line in tasks.strip().splitlines())
        )
        targets = tuple(Target(name, "localhost", "root", "", "", connection="local") for name in names)
        return PlaybookRun("play.yml", more.pop("run_key", "key"), targets, more.pop("variables", {}), **more)

    return make
