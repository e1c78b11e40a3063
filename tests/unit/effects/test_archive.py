"""A backup's file: read back as written, and refused when a single byte of it is not as it was."""

from __future__ import annotations

import gzip
import io
import json
import tarfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from govpool.effects import archive
from govpool.effects.kube import Json

TAKEN = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
OBJECTS: list[Json] = [
    {"kind": "CloudPool", "metadata": {"name": "pool", "uid": "u-1"}, "spec": {"policy": "益阳"}},
    {"kind": "Approval", "metadata": {"name": "a-r1", "namespace": "unit", "uid": "u-2"}},
]
CORE: list[Json] = [{"kind": "Namespace", "metadata": {"name": "unit"}}]
SECRET: Json = {"kind": "Secret", "metadata": {"name": "key", "namespace": "n"}, "data": {"k": "c2VjcmV0"}}
PASSPHRASE = "correct horse battery staple"


def packed(**options: Any) -> dict[str, bytes]:
    given_: dict[str, Any] = {"taken": TAKEN, "version": "0", "api_version": "govpool.dev/v1alpha1"} | options
    return archive.pack(OBJECTS, CORE, **given_)[1]


def written(path: Path, members: dict[str, bytes]) -> Path:
    archive.write(path, members, TAKEN)
    return path


def test_what_was_written_is_read_back(tmp_path: Path) -> None:
    found = archive.read(written(tmp_path / "b", packed(left_out=3)))
    assert (found.objects, found.core) == (OBJECTS, CORE)
    assert found.manifest.counts == {"Approval": 1, "CloudPool": 1}
    assert (found.manifest.taken, found.manifest.left_out) == (TAKEN, 3)
    assert not found.manifest.secrets_included


def test_only_its_owner_may_read_it_and_nothing_is_left_beside_it(tmp_path: Path) -> None:
    path = written(tmp_path / "b", packed())
    assert path.stat().st_mode & 0o077 == 0
    assert list(tmp_path.iterdir()) == [path]


def test_a_write_that_fails_leaves_the_older_backup(tmp_path: Path) -> None:
    path = written(tmp_path / "b", packed())
    before = path.read_bytes()
    with pytest.raises(TypeError):
        archive.write(path, {"manifest.json": b"x", "broken": None}, TAKEN)  # type: ignore[dict-item]
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


@given(st.data())
@settings(max_examples=60, deadline=None)
def test_any_changed_byte_of_a_member_is_refused(tmp_path_factory: pytest.TempPathFactory, data: Any) -> None:
    members = packed()
    name = data.draw(st.sampled_from(sorted(members)))
    place = data.draw(st.integers(0, len(members[name]) - 1))
    other = data.draw(st.integers(1, 255))
    changed = bytearray(members[name])
    changed[place] ^= other
    path = written(tmp_path_factory.mktemp("archive") / "b", {**members, name: bytes(changed)})
    with pytest.raises(archive.ArchiveError):
        archive.read(path)


@pytest.mark.parametrize("left", [0, 1, 40, 0.5, 0.9, 0.99])
def test_a_file_that_is_cut_short_is_refused(tmp_path: Path, left: float) -> None:
    path = written(tmp_path / "b", packed())
    whole = path.read_bytes()
    path.write_bytes(whole[: int(left * len(whole)) if isinstance(left, float) else left])
    with pytest.raises(archive.ArchiveError):
        archive.read(path)


@pytest.mark.parametrize("lost", ["manifest.json", "manifest.sha256", "objects.jsonl", "core.jsonl"])
def test_a_member_that_is_missing_is_refused(tmp_path: Path, lost: str) -> None:
    members = packed()
    del members[lost]
    with pytest.raises(archive.ArchiveError, match=r"missing|manifest"):
        archive.read(written(tmp_path / "b", members))


def test_a_member_that_no_manifest_names_is_refused(tmp_path: Path) -> None:
    with pytest.raises(archive.ArchiveError, match="does not name"):
        archive.read(written(tmp_path / "b", {**packed(), "more.jsonl": b"{}\n"}))


def test_another_format_is_told_by_its_number(tmp_path: Path) -> None:
    members = packed()
    document = json.loads(members[archive.MANIFEST]) | {"format": 2}
    members[archive.MANIFEST] = json.dumps(document).encode()
    members[archive.DIGEST] = archive._sha256(members[archive.MANIFEST]).encode()
    with pytest.raises(archive.ArchiveError, match="format 2"):
        archive.read(written(tmp_path / "b", members))


def test_a_link_in_the_tar_is_refused(tmp_path: Path) -> None:
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w") as tar:
        info = tarfile.TarInfo("objects.jsonl")
        info.type, info.linkname = tarfile.SYMTYPE, "/etc/passwd"
        tar.addfile(info)
    path = tmp_path / "b"
    path.write_bytes(gzip.compress(raw.getvalue()))
    with pytest.raises(archive.ArchiveError, match="which no backup has"):
        archive.read(path)


def test_secrets_open_with_their_passphrase_alone(tmp_path: Path) -> None:
    members = packed(secrets=["n/key"], sealed=archive.seal([SECRET], PASSPHRASE))
    path = written(tmp_path / "b", members)
    plain = gzip.decompress(path.read_bytes())
    assert b"c2VjcmV0" not in plain and PASSPHRASE.encode() not in plain
    found = archive.read(path)
    assert found.manifest.secrets_included
    assert "c2VjcmV0" not in repr(found)
    assert found.open_secrets(PASSPHRASE) == [SECRET]
    with pytest.raises(archive.ArchiveError, match="passphrase"):
        found.open_secrets(PASSPHRASE + "!")
