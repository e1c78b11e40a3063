"""`govpool demo --pool openstack`: what it says without a cloud, and what it makes of a file."""

from __future__ import annotations

from pathlib import Path
from typing import cast

import pytest
import yaml
from typer.testing import CliRunner

from govpool.cli.api import documents
from govpool.cli.data import shipped
from govpool.cli.demo.cloud import DemoCloud, load
from govpool.cli.demo.stage import own_pool, own_quota
from govpool.cli.demo.workspace import Workspace, abandoned
from govpool.cli.main import app

FILE = {
    "cloud": "mycloud",
    "settings": {"image.debian-12": "debian"},
    "backup": "rest:http://backup.example/",
    "adminNetworks": ["192.0.2.0/24"],
}


def told(tmp_path: Path, *arguments: str) -> tuple[int, str]:
    given = ["demo", "--pool", "openstack", "--keep", str(tmp_path / "e"), "--language", "en", *arguments]
    answer = CliRunner().invoke(app, given)
    return answer.exit_code, " ".join(answer.output.split())


def test_without_a_cloud_it_says_how_to_name_one(tmp_path: Path) -> None:
    code, said = told(tmp_path)
    assert code == 2
    for word in ("--cloud-file", "OS_CLOUD", "docs/openstack-pool.md", "make demo POOL=openstack"):
        assert word in said


def test_a_cloud_that_is_not_known_is_said_before_anything_is_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OS_CLIENT_CONFIG_FILE", str(tmp_path / "none.yaml"))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "cloud.yaml").write_text(yaml.safe_dump(FILE))
    code, said = told(tmp_path, "--cloud-file", "cloud.yaml", "--work", str(tmp_path))
    assert code == 1
    assert "the cloud 'mycloud' can't be used" in said
    assert list(abandoned(tmp_path)) == []


@pytest.mark.parametrize(
    ("text", "said"),
    [("cloud: x", "backup"), ("cloud: x\nbackup: y\nregion: z", "region"), ("[", "cloud.yaml")],
)
def test_a_file_that_says_something_else_is_refused(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "cloud.yaml").write_text(text)
    code, words = told(tmp_path, "--cloud-file", str(tmp_path / "cloud.yaml"))
    assert code == 2
    assert said in words


def test_the_pool_is_the_clouds_under_a_name_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "cloud.yaml").write_text(yaml.safe_dump(FILE))
    cloud = load(tmp_path / "cloud.yaml")
    assert isinstance(cloud, DemoCloud)
    one, other = (Workspace.make("openstack", tmp_path, cloud) for _ in range(2))
    assert one.pool_name != other.pool_name
    supply = [own_pool(one, document) for document in documents(shipped("examples") / "01-supply.yaml")]
    (pool,) = [document for document in supply if document and document["kind"] == "CloudPool"]
    spec = cast(dict[str, object], pool["spec"])
    assert pool["metadata"] == {"name": one.pool_name}
    assert spec["connection"] == {
        "provider": "openstack",
        "cloud": "mycloud",
        "settings": {"image.debian-12": "debian"},
    }
    assert spec["adminNetworks"] == ["192.0.2.0/24"]
    assert one.pool_name in str(spec["backup"])
    unit = [own_quota(one, document) for document in documents(shipped("examples") / "02-unit.yaml")]
    assert one.pool_name in str(unit)
    assert "local-pool" not in str(unit)
