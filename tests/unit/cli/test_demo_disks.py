"""The demo's search of raw images, and how it knows a machine by its host key."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from govpool.api.cloudserver import CloudServer
from govpool.cli.demo.unit import CHUNK, PAGE, fingerprint, holds, make_key, recorded_host_key
from govpool.cli.demo.workspace import Workspace, abandoned
from govpool.cli.errors import CliError

MARKER = "govpool-demo-marker-0123456789abcdef"
SIZE = 2 * CHUNK + PAGE
ENDS = [0, 1, PAGE - 1, CHUNK - len(MARKER), CHUNK - 1, CHUNK, 2 * CHUNK - 7, SIZE - len(MARKER)]


@pytest.mark.parametrize("place", ENDS)
def test_a_marker_is_found_wherever_it_stands(tmp_path: Path, place: int) -> None:
    image = tmp_path / "disk.img"
    with image.open("wb") as file:
        file.truncate(SIZE)
        file.seek(place)
        file.write(MARKER.encode())
        file.flush()
    assert holds(image, MARKER)


def test_half_a_marker_is_none(tmp_path: Path) -> None:
    image = tmp_path / "disk.img"
    image.write_bytes(bytes(CHUNK - 10) + MARKER[:-1].encode() + bytes(CHUNK))
    assert not holds(image, MARKER)


def test_an_empty_image_holds_nothing(tmp_path: Path) -> None:
    (tmp_path / "disk.img").touch()
    assert not holds(tmp_path / "disk.img", MARKER)


def test_the_units_key_is_a_key(tmp_path: Path) -> None:
    public = make_key(tmp_path / "key")
    assert (tmp_path / "key").stat().st_mode & 0o777 == 0o600
    derived = subprocess.run(
        ["ssh-keygen", "-y", "-f", tmp_path / "key"], capture_output=True, text=True, check=True
    )
    assert derived.stdout.split()[:2] == public.split()[:2]
    (tmp_path / "key.pub").write_text(public)
    shown = subprocess.run(
        ["ssh-keygen", "-l", "-f", tmp_path / "key.pub"], capture_output=True, text=True, check=True
    )
    assert shown.stdout.split()[1] == fingerprint(public.split()[1])


def server(status: dict[str, object]) -> CloudServer:
    spec = {
        "request": {"name": "oa", "uid": "u"},
        "revision": 1,
        "article": "YY-19",
        "pool": "p",
        "key": "gp-1",
        "group": "app",
        "ordinal": 0,
        "item": "i",
        "vcpu": 1,
        "memoryGiB": 1,
        "image": "debian-12",
        "network": "n",
        "disks": [{"key": "gpd-1", "name": "root", "sizeGiB": 1, "root": True}],
    }
    return CloudServer.model_validate({"metadata": {"name": "oa-app-0"}, "spec": spec, "status": status})


def test_the_host_key_is_the_one_on_record() -> None:
    digest = "SHA256:" + "a" * 43
    proof = {
        "at": "2026-11-21T00:00:00Z",
        "workOrder": "w",
        "proof": f"govpool@10.0.0.2 (host key {digest}): Refused",
    }
    assert recorded_host_key(server({"handover": proof})) == digest
    assert recorded_host_key(server({"hostKeyFingerprint": digest})) == digest


def test_without_a_host_key_on_record_nobody_connects() -> None:
    with pytest.raises(CliError, match="no host key"):
        recorded_host_key(server({}))


def test_only_what_nobody_holds_is_swept_up(tmp_path: Path) -> None:
    running, killed = Workspace.make("fixture", tmp_path), Workspace.make("fixture", tmp_path)
    (tmp_path / "govpool-demo-somebody-elses").mkdir()
    os.close(killed.lock)
    found = list(abandoned(tmp_path))
    assert [workspace.path for workspace in found] == [killed.path]
    assert found[0].purge() == []
    assert running.path.exists()
    assert not killed.path.exists()
    assert running.purge() == []


@pytest.mark.skipif(shutil.which("ip") is None, reason="needs iproute2 to see this machine's routes")
def test_two_demos_take_two_subnets(tmp_path: Path) -> None:
    made = [Workspace.make("local", tmp_path) for _ in range(2)]
    assert len({workspace.settings["subnet"] for workspace in made}) == 2
    assert len({workspace.settings["bridge"] for workspace in made}) == 2
    for workspace in made:
        os.close(workspace.lock)
