"""wipe.yml and backup.yml on real loop devices."""
# A test may block its own event loop: nothing else runs in it.
# ruff: noqa: ASYNC221, ASYNC230, ASYNC240

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from .conftest import MIB, Sanitiser, call

MARKER = b"MARKER-8f3a: minutes of the district bureau\n" * 4000
Loop = Callable[[int], tuple[str, Path]]


def holds(image: Path, needle: bytes) -> bool:
    return subprocess.run(["grep", "-qaF", needle.decode(), str(image)], check=False).returncode == 0


def filled(device: str, mounted: Callable) -> None:
    call("mkfs.ext4", "-q", device)
    with mounted(device) as place:
        (place / "minutes.txt").write_bytes(MARKER)
        (place / "公文").mkdir()
        (place / "公文" / "审批.bin").write_bytes(os.urandom(3 * MIB))
        (place / "link").symlink_to("/etc/passwd")
        (place / "empty").touch()


def wipe_variables(*disks: tuple[str, str, int], state: Path, **more: object) -> dict:
    return {
        "wipe_run_key": "wo-wipe-1",
        "wipe_state_dir": str(state),
        "wipe_disks": [
            {"key": key, "device": device, "size_bytes": size, "key_variable": f"wipe_key_{n}", **more}
            for n, (key, device, size) in enumerate(disks)
        ],
    }


async def test_two_disks_are_wiped_and_the_marker_is_gone(
    loop: Loop, mounted: Callable, sanitiser: Sanitiser, tmp_path: Path
) -> None:
    (one, image_one), (two, image_two) = loop(24), loop(9)
    filled(one, mounted)
    filled(two, mounted)
    call("sync")
    assert holds(image_one, MARKER[:40]) and holds(image_two, MARKER[:40])
    secrets = {"wipe_key_0": os.urandom(32).hex(), "wipe_key_1": os.urandom(32).hex()}
    variables = wipe_variables(("d-0", one, 24 * MIB), ("d-1", two, 9 * MIB), state=tmp_path / "wipe")
    result = await sanitiser.run("wipe.yml", variables, secrets)
    assert result.status == "successful", result
    items = [task for task in result.of_action("govpool_wipe") if task.item is not None]
    assert [task.item["key"] for task in items] == ["d-0", "d-1"]
    for task, size in zip(items, (24 * MIB, 9 * MIB), strict=True):
        report = task.result["wipe"]
        assert report["result"] == "Verified"
        assert report["bytes_written"] == report["bytes_verified"] == size
        assert "O_DIRECT" in report["read_back"] and "BLKFLSBUF" in report["read_back"]
        # Loop devices of some kernels offer no discard; that is recorded and is no failure.
        assert report["discard"]["result"] in {"Done", "NotSupported"}
    assert not holds(image_one, MARKER[:40]) and not holds(image_two, MARKER[:40])
    everything = b"".join(
        path.read_bytes()
        for path in [*sanitiser.state_dir.rglob("*"), *(tmp_path / "wipe").rglob("*")]
        if path.is_file()
    )
    assert not any(key.encode() in everything for key in secrets.values())
    again = await sanitiser.run("wipe.yml", variables, secrets)
    assert [t.result["wipe"]["adopted"] for t in again.of_action("govpool_wipe") if t.item is not None] == [
        True,
        True,
    ]
    assert not any(t.result["changed"] for t in again.of_action("govpool_wipe"))


async def test_a_mounted_disk_is_refused_and_the_other_is_wiped_all_the_same(
    loop: Loop, mounted: Callable, sanitiser: Sanitiser, tmp_path: Path
) -> None:
    (busy, image), (free, _) = loop(9), loop(9)
    filled(busy, mounted)
    secrets = {"wipe_key_0": os.urandom(32).hex(), "wipe_key_1": os.urandom(32).hex()}
    variables = wipe_variables(("d-0", busy, 9 * MIB), ("d-1", free, 9 * MIB), state=tmp_path / "wipe")
    with mounted(busy):
        result = await sanitiser.run("wipe.yml", variables, secrets)
    assert result.status == "failed"
    first, second = (task for task in result.of_action("govpool_wipe") if task.item is not None)
    assert (first.result["outcome"], first.result["reason"]) == ("Refused", "Mounted")
    assert second.result["wipe"]["result"] == "Verified"
    assert holds(image, MARKER[:40])


def backup_variables(device: str, tmp_path: Path, **more: object) -> dict:
    return {
        "backup_run_key": "wo-backup-1",
        "backup_request_uid": "uid-1",
        "backup_repository": str(tmp_path / "repository"),
        "backup_state_dir": str(tmp_path / "backup"),
        "backup_disks": [{"key": "d-0", "device": device}],
        **more,
    }


def restic(tmp_path: Path, *arguments: str) -> str:
    environment = {**os.environ, "RESTIC_PASSWORD": "open sesame"}
    return call("restic", "-r", str(tmp_path / "repository"), "--no-cache", "-q", *arguments, env=environment)


async def test_a_backup_restores_to_what_was_there_and_is_adopted_by_a_second_run(
    loop: Loop, mounted: Callable, sanitiser: Sanitiser, tmp_path: Path
) -> None:
    device, image = loop(16)
    filled(device, mounted)
    before = hashlib.sha256(image.read_bytes()).hexdigest()
    variables, secrets = backup_variables(device, tmp_path), {"backup_password": "open sesame"}
    result = await sanitiser.run("backup.yml", variables, secrets)
    assert result.status == "successful", result
    (task,) = (one for one in result.of_action("govpool_backup") if one.item is not None)
    receipt = task.result["receipt"]
    assert receipt["mode"] == "Files" and receipt["filesystem"] == "ext4" and receipt["files"] == 3
    assert receipt["verification"]["files_compared"] == 3
    assert hashlib.sha256(task.result["receipt_text"].encode()).hexdigest() == task.result["receipt_sha256"]
    assert hashlib.sha256(image.read_bytes()).hexdigest() == before, "the disk was written to"
    assert device not in Path("/proc/mounts").read_text()

    restic(tmp_path, "restore", receipt["snapshot"], "--target", str(tmp_path / "restored"))
    with mounted(device) as place:
        call("diff", "-r", "--no-dereference", "-x", "lost+found", str(place), str(tmp_path / "restored"))
    manifest = subprocess.run(
        [
            "restic",
            "-r",
            str(tmp_path / "repository"),
            "--no-cache",
            "-q",
            "cat",
            "snapshot",
            receipt["snapshot"],
        ],
        env={**os.environ, "RESTIC_PASSWORD": "open sesame"},
        capture_output=True,
        check=True,
    ).stdout
    assert hashlib.sha256(manifest).hexdigest() == receipt["manifest_sha256"]

    again = await sanitiser.run("backup.yml", variables, secrets)
    (task,) = (one for one in again.of_action("govpool_backup") if one.item is not None)
    assert task.result["receipt"] == receipt and not task.result["changed"]
    snapshots = json.loads(restic(tmp_path, "snapshots", "--json", "--tag", "kind=data"))
    assert len(snapshots) == 1


async def test_a_disk_without_a_file_system_is_backed_up_as_it_is(
    loop: Loop, sanitiser: Sanitiser, tmp_path: Path
) -> None:
    device, image = loop(6)
    with open(device, "r+b") as disk:
        disk.write(os.urandom(5 * MIB))
    call("sync")
    result = await sanitiser.run(
        "backup.yml", backup_variables(device, tmp_path), {"backup_password": "open sesame"}
    )
    assert result.status == "successful", result
    (task,) = (one for one in result.of_action("govpool_backup") if one.item is not None)
    receipt = task.result["receipt"]
    assert receipt["mode"] == "Disk" and receipt["bytes"] == 6 * MIB
    assert receipt["disk_sha256"] == hashlib.sha256(image.read_bytes()).hexdigest()


@pytest.mark.parametrize("missing", ["device", "password"])
async def test_a_backup_that_can_not_be_made_says_why_and_shows_no_secret(
    missing: str, loop: Loop, sanitiser: Sanitiser, tmp_path: Path
) -> None:
    device, _ = loop(6)
    if missing == "device":
        device = str(tmp_path / "no-such-disk")
    else:
        call(
            "restic",
            "init",
            "-q",
            "-r",
            str(tmp_path / "repository"),
            env={**os.environ, "RESTIC_PASSWORD": "another"},
        )
    result = await sanitiser.run(
        "backup.yml", backup_variables(device, tmp_path), {"backup_password": "open sesame"}
    )
    assert result.status == "failed"
    (task,) = (one for one in result.of_action("govpool_backup") if one.item is not None)
    assert task.result["reason"] == {"device": "NotADisk", "password": "Repository"}[missing]
    assert "open sesame" not in json.dumps(dict(task.result))


async def test_a_backup_killed_in_mid_flight_leaves_no_mount_and_is_made_by_the_next_run(
    loop: Loop, mounted: Callable, sanitiser: Sanitiser, tmp_path: Path
) -> None:
    device, _ = loop(16)
    filled(device, mounted)
    gate = tmp_path / "bin" / "restic"
    gate.parent.mkdir()
    ready = tmp_path / "ready"
    os.mkfifo(ready)
    # Stops for good where restic would begin to copy, and says so.
    gate.write_text(
        f'#!/bin/sh\ncase " $* " in *" backup "*) echo here >{ready}; exec sleep 600;; esac\n'
        'exec /usr/bin/restic "$@"\n'
    )
    gate.chmod(0o755)
    variables, secrets = backup_variables(device, tmp_path), {"backup_password": "open sesame"}
    before = os.environ["PATH"]
    os.environ["PATH"] = f"{gate.parent}:{before}"
    try:
        run = asyncio.create_task(sanitiser.run("backup.yml", variables, secrets))
        await asyncio.to_thread(ready.read_text)
        run.cancel()  # kills the whole run with SIGKILL, as the death of the operator would
        await asyncio.gather(run, return_exceptions=True)
    finally:
        os.environ["PATH"] = before
    # Nobody holds the disk any more: no mount in any namespace.
    os.close(os.open(device, os.O_RDWR | os.O_EXCL))
    result = await sanitiser.run("backup.yml", variables, secrets)
    assert result.status == "successful", result
