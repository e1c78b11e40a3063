"""The main job on a real control plane, on servers with bodies: from application to wipe certificate."""

from __future__ import annotations

import os
import re
import shutil
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from openstack_cloud import until
from tests.functional.test_demo import REAL_STEPS, Demo, assert_no_secrets, steps, verified
from tests.openstack.bed.layout import Layout
from tests.openstack.bodies.ground import Ground, ground
from tests.openstack.demo import cloud_file

pytestmark = [
    pytest.mark.root,
    pytest.mark.alone,
    pytest.mark.skipif(os.environ.get("GOVPOOL_TEST_OPENSTACK") != "bed", reason="bodies are the bed's"),
]


@pytest.fixture
def place(monkeypatch: pytest.MonkeyPatch) -> Iterator[Ground]:
    folder = Path(tempfile.mkdtemp(prefix="job-", dir=Layout.of_environment().run))
    with ground(folder) as made:
        (folder / "cloud.yaml").write_text(cloud_file(made))
        monkeypatch.setenv("OS_CLIENT_CONFIG_FILE", str(made.clouds))
        yield made
    shutil.rmtree(folder)


def started(place: Ground) -> Demo:
    folder = place.clouds.parent
    return Demo(folder / "evidence", "--pool", "openstack", "--cloud-file", str(folder / "cloud.yaml"))


def in_the_project(place: Ground) -> list[str]:
    cloud = place.member
    groups = cloud.network.security_groups(project_id=place.project)
    return [
        *(server.name for server in cloud.compute.servers()),
        *(volume.name for volume in cloud.block_storage.volumes()),
        *(port.id for port in cloud.network.ports(project_id=place.project)),
        *(group.name for group in cloud.compute.server_groups()),
        *(group.name for group in groups if group.name != "default"),
    ]


@pytest.mark.timeout(2400)
def test_the_main_job_on_openstack(place: Ground) -> None:
    demo = started(place)
    said = demo.end(0)
    assert len(steps(said)) == REAL_STEPS, steps(said)
    assert "found on 6 of 6 disks" in said
    assert "nothing found on any of 6; the pool has 0 of them left" in said
    assert said.count("publickey: Refused") >= 3
    mended = [int(count) for count in re.findall(r"(\d+) mended, 0 still failing", said)]
    assert len(mended) == 3
    assert min(mended) >= 1
    verified(demo.keep)
    certificate = yaml.safe_load((demo.keep / "wipe-certificate.yaml").read_text())["spec"]
    assert {medium["overwrite"] for medium in certificate["media"]} == {"CopyOnWrite"}
    assert all("blocks that held" in medium["residualRisk"] for medium in certificate["media"])
    assert_no_secrets(demo.keep)
    assert place.clouds.read_text().split("password: ")[1].split()[0] not in everything(demo.keep)
    assert in_the_project(place) == []


@pytest.mark.timeout(900)
def test_ctrl_c_leaves_nothing_in_the_cloud(place: Ground) -> None:
    demo = started(place)
    demo.until("The quota is reserved")
    until("servers are being made", lambda: bool(list(place.member.compute.servers())), 120)
    demo.process.send_signal(signal.SIGINT)
    demo.end(130)
    assert in_the_project(place) == []


def everything(folder: Path) -> str:
    return "".join(path.read_text(errors="replace") for path in folder.rglob("*") if path.is_file())
