"""Loop devices over small image files, and the playbooks run on this machine as the sanitiser."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from pydantic import JsonValue

from govpool.effects.playbooks import PlaybookResult, PlaybookRun, Target, run_playbook

MIB = 1 << 20


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.root)
            if os.geteuid() != 0:
                item.add_marker(pytest.mark.skip(reason="loop devices and mounts need root"))


def call(*command: str, **more: object) -> str:
    done = subprocess.run(command, check=False, capture_output=True, text=True, **more)
    assert done.returncode == 0, f"{command}: {done.stderr}"
    return done.stdout.strip()


@pytest.fixture
def loop(tmp_path: Path) -> Iterator[Callable[[int], tuple[str, Path]]]:
    """Make a loop device of so many MiB: (device, its image file). Taken down at the end."""
    with ExitStack() as stack:
        made = 0

        def make(mib: int) -> tuple[str, Path]:
            nonlocal made
            made += 1
            image = tmp_path / f"disk{made}.img"
            image.touch()
            os.truncate(image, mib * MIB)
            device = call("losetup", "--find", "--show", str(image))
            stack.callback(call, "losetup", "--detach", device)
            return device, image

        yield make


@pytest.fixture
def mounted(tmp_path: Path) -> Callable[[str], object]:
    """A context manager: the device's file system, mounted for writing."""
    from contextlib import contextmanager

    @contextmanager
    def mount(device: str) -> Iterator[Path]:
        place = tmp_path / "mnt"
        place.mkdir(exist_ok=True)
        call("mount", device, str(place))
        try:
            yield place
        finally:
            call("umount", str(place))

    return mount


class Sanitiser:
    """Runs playbooks on this machine."""

    def __init__(self, state_dir: Path) -> None:
        self.state_dir = state_dir

    async def run(
        self, playbook: str, variables: dict[str, JsonValue], secrets: dict[str, str], run_key: str = "run-1"
    ) -> PlaybookResult:
        target = Target("sanitiser", "localhost", "root", "", "", connection="local")
        # The interpreter of the tests has cryptography whether or not the machine's own has.
        variables = {"ansible_python_interpreter": sys.executable, **variables}
        run = PlaybookRun(playbook, run_key, (target,), variables, secrets, timeout=120)
        return await run_playbook(run, state_dir=self.state_dir)


@pytest.fixture
async def sanitiser(tmp_path: Path) -> AsyncIterator[Sanitiser]:
    yield Sanitiser(tmp_path / "state")
