"""A backup's mounts are its own, and it keeps no other machine's disk busy."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from govpool.effects.playbook_paths import playbooks_dir

CHILD = """
import sys
from pathlib import Path
import ansible.module_utils
ansible.module_utils.__path__.append(sys.argv[1])
from ansible.module_utils.govpool_backup_source import enter_private_mounts
enter_private_mounts(*map(Path, sys.argv[2:]))
print("inside", flush=True)
sys.stdin.readline()
print("kept" if all(Path(used, "file").exists() for used in sys.argv[2:]) else "lost", flush=True)
"""


def backup_process(*used: Path) -> subprocess.Popen[str]:
    """A process with a backup's mounts; it ends when it is told something."""
    utils = playbooks_dir() / "roles/backup/module_utils"
    command = [sys.executable, "-c", CHILD, str(utils), *map(str, used)]
    child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None and child.stdout.readline() == "inside\n"
    return child


def file_system(device: str, place: Path) -> None:
    subprocess.run(["mkfs.ext4", "-q", device], check=True)
    place.mkdir()
    subprocess.run(["mount", device, str(place)], check=True)
    (place / "file").write_text("here")


def test_another_machines_disk_can_be_let_go_while_a_backup_runs(
    loop: Callable[[int], tuple[str, Path]], tmp_path: Path
) -> None:
    device, _ = loop(8)
    place = tmp_path / "machine"
    file_system(device, place)
    with backup_process() as child:
        subprocess.run(["umount", str(place)], check=True)
        # Only a disk that nobody has mounted can be opened for exclusive use.
        subprocess.run(["e2fsck", "-f", "-n", device], check=True, capture_output=True)
        subprocess.run(["mkfs.ext4", "-q", "-F", device], check=True)
        child.communicate("end\n")


def test_what_the_backup_uses_stays_mounted(loop: Callable[[int], tuple[str, Path]], tmp_path: Path) -> None:
    device, _ = loop(8)
    place = tmp_path / "repository"
    file_system(device, place)
    try:
        with backup_process(place) as child:
            assert child.communicate("end\n")[0] == "kept\n"
    finally:
        subprocess.run(["umount", str(place)], check=True)
