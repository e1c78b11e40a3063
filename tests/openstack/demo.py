"""`make demo POOL=openstack`: the demo on the bed's OpenStack, whose servers have bodies.

``python -m tests.openstack.demo [ARGUMENTS]`` runs ``govpool demo`` in a project of its own. ``OS_CLOUD``
names the bed's administrator, as ``python -m tests.openstack.bed run`` sets it.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import yaml
from tests.openstack.bed.layout import Layout
from tests.openstack.bodies.ground import CLOUD, Ground, ground


def main() -> int:
    """Run the demo; its exit code."""
    run = Layout.of_environment().run
    if not run.is_dir():
        print("demo: the bed is not up: python -m tests.openstack.bed run -- ...", file=sys.stderr)
        return 1
    # Ctrl-C is the demo's to answer: it cleans up, then this process does.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    folder = Path(tempfile.mkdtemp(prefix="demo-", dir=run))
    try:
        with ground(folder) as made:
            return _demo(made, folder, sys.argv[1:])
    finally:
        shutil.rmtree(folder)


def _demo(made: Ground, folder: Path, arguments: list[str]) -> int:
    file = folder / "cloud.yaml"
    file.write_text(cloud_file(made))
    command = [sys.executable, "-m", "govpool.cli.main", "demo", "--pool", "openstack"]
    command += ["--cloud-file", str(file), "--work", str(folder), "--yes", *arguments]
    environment = {**os.environ, "OS_CLIENT_CONFIG_FILE": str(made.clouds)}
    environment.pop("OS_CLOUD", None)  # the demo is to know the project's account, not the administrator
    return subprocess.run(command, env=environment, check=False, preexec_fn=_listen).returncode


def cloud_file(made: Ground) -> str:
    """What ``govpool demo --cloud-file`` is told of the ground."""
    told = {
        "cloud": CLOUD,
        "settings": made.settings,
        "backup": made.backup,
        "volumes": str(made.volumes),
    }
    return yaml.safe_dump(told)


def _listen() -> None:
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)


if __name__ == "__main__":
    sys.exit(main())
