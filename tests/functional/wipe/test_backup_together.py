"""Several backups into one repository that none of them finds made."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

PASSWORD = "open sesame"
DISKS = 4


async def test_disks_that_are_backed_up_together_make_one_repository(
    sanitiser: Any, loop: Callable[[int], tuple[str, Path]], tmp_path: Path
) -> None:
    devices = [loop(4)[0] for _ in range(DISKS)]
    place = tmp_path / "repository"

    def variables(index: int) -> dict[str, Any]:
        return {
            "backup_run_key": f"wo-backup-{index}",
            "backup_request_uid": "uid-1",
            "backup_repository": str(place),
            "backup_state_dir": str(tmp_path / "backup"),
            "backup_disks": [{"key": f"d-{index}", "device": devices[index]}],
        }

    secret = {"backup_password": PASSWORD}
    runs = (sanitiser.run("backup.yml", variables(i), secret, run_key=f"run-{i}") for i in range(DISKS))
    results = await asyncio.gather(*runs)
    failed = [task.result.get("msg") for r in results for task in r.tasks if task.outcome == "failed"]
    assert failed == []
    tags = [
        tag for snapshot in await asyncio.to_thread(snapshots, place, tmp_path) for tag in snapshot["tags"]
    ]
    assert {tag for tag in tags if tag.startswith("disk=")} == {f"disk=d-{index}" for index in range(DISKS)}
    assert len(list((place / "keys").iterdir())) == 1


def snapshots(place: Path, home: Path) -> list[dict[str, Any]]:
    done = subprocess.run(
        ["restic", "--quiet", "--no-cache", "--repo", str(place), "snapshots", "--json"],
        env={**os.environ, "RESTIC_PASSWORD": PASSWORD, "HOME": str(home)},
        capture_output=True,
        text=True,
        check=True,
    )
    return list(json.loads(done.stdout))
