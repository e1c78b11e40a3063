#!/usr/bin/python
"""Ansible module: back one detached disk up into a restic repository and make out the receipt (备份回执)."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import io
import json
import os
import tarfile
from datetime import datetime, timezone
from pathlib import Path
from typing import BinaryIO

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.govpool_backup_restic import BackupFailed, Restic
from ansible.module_utils.govpool_backup_source import Source, close_source, enter_private_mounts, open_source

DOCUMENTATION = r"""
module: govpool_backup
short_description: Back up a detached disk with restic, verify it, make out a receipt
description:
  - Mounts the disk's file system read-only in a mount namespace of its own and backs its files up; a disk
    without one that can be mounted is backed up as a stream.
  - The receipt is kept in the repository too, under the run key. A run that finds it adopts that backup.
options:
  disk_key: {type: str, required: true, description: The disk's key in the pool.}
  run_key: {type: str, required: true, description: The work order's run key.}
  request_uid: {type: str, required: true, description: UID of the request.}
  device: {type: path, required: true, description: Block device or image file.}
  repository: {type: str, required: true, description: restic repository, a path or URL.}
  password: {type: str, required: true, description: The repository's password.}
  environment: {type: dict, default: {}, description: Credentials of the repository's backend.}
  verification:
    type: str
    choices: [Structure, Subset, Restore]
    default: Restore
    description: Check the repository; also read a part of its data; or read this backup back and compare it all.
  subset_percent: {type: int, default: 10, description: Share of the data that Subset reads.}
  state_dir: {type: path, default: /var/lib/govpool/backup, description: Mount point and lock.}
requirements: [restic >= 0.14, util-linux]
"""

RETURN = r"""
receipt: {description: The receipt, type: dict}
receipt_text: {description: The receipt as it is hashed and kept in the repository, type: str}
receipt_sha256: {description: SHA-256 of receipt_text, type: str}
reason: {description: Why it failed, type: str}
"""


class Backup:
    """One backup of one disk."""

    def __init__(self, params: dict) -> None:
        self._p = params
        self._restic = Restic(params["repository"], params["password"], params["environment"])
        self._tags = f"request={params['request_uid']},disk={params['disk_key']},run={params['run_key']}"

    def run(self) -> tuple[str, bool]:
        """Make the backup, or adopt the one that was made; return the receipt's text and whether it is new."""
        repository_id = self._open_repository()
        adopted = self._adopt()
        if adopted is not None:
            return adopted, False
        enter_private_mounts(Path(self._p["repository"]), Path(self._p["state_dir"]), Path.cwd(), Path(__file__))
        source = open_source(self._p["device"], Path(self._p["state_dir"]) / self._p["disk_key"])
        try:
            taken = _stamp()
            summary = self._copy_files(source) if source.root else self._copy_disk(source)
            verification = self._verify(source, summary)
        finally:
            close_source(source)
        text = json.dumps(
            self._receipt(source, summary, verification, repository_id, taken),
            sort_keys=True,
            separators=(",", ":"),
            ensure_ascii=False,
        )
        name = f"{self._p['disk_key']}.receipt.json"
        self._restic.feed(io.BytesIO(text.encode()), *self._backup_arguments("receipt"), "--stdin", "--stdin-filename", name)
        return text, True

    # -- repository ------------------------------------------------------------------------------
    def _open_repository(self) -> str:
        try:
            self._restic.run("version", reason="NoRestic")
        except FileNotFoundError as error:
            raise BackupFailed("NoRestic", "restic is not installed on the sanitiser: apt-get install restic") from error
        # Two that make one repository at once write two keys for two configurations: neither opens it again.
        with one_at_a_time(self._p["state_dir"], self._p["repository"]):
            try:
                config = self._restic.run("cat", "config", reason="Repository")
            except BackupFailed as unopened:
                try:
                    self._restic.run("init", reason="Repository")
                    config = self._restic.run("cat", "config", reason="Repository")
                except BackupFailed as unmade:
                    config = self._made_by_another(unopened, unmade)
        return str(json.loads(config)["id"])

    def _made_by_another(self, unopened: BackupFailed, unmade: BackupFailed) -> bytes:
        """Another machine made the repository while this one was about to."""
        try:
            return self._restic.run("cat", "config", reason="Repository")
        except BackupFailed as still:
            raise BackupFailed(
                "Repository", f"can't be opened ({unopened.message}) nor made ({unmade.message})"
            ) from still

    def _backup_arguments(self, kind: str) -> tuple[str, ...]:
        return ("backup", "--json", "--host", "govpool", "--tag", f"{self._tags},kind={kind}")

    def _adopt(self) -> str | None:
        """The receipt of a finished run of this key. Only a complete and verified backup has one."""
        found = self._restic.records("snapshots", "--tag", f"{self._tags},kind=receipt", reason="Repository")
        if not found:
            return None
        latest = max(found, key=lambda snapshot: snapshot["time"])
        text = self._restic.run("dump", latest["id"], latest["paths"][0], reason="Repository").decode()
        snapshot = json.loads(text)["snapshot"]
        if not any(one["id"] == snapshot for one in self._restic.records("snapshots", snapshot, reason="Repository")):
            raise BackupFailed("Repository", f"has the receipt of snapshot {snapshot}, but the snapshot was removed")
        return text

    # -- copying ---------------------------------------------------------------------------------
    def _copy_files(self, source: Source) -> dict:
        # From "." the tree's hash depends on the files alone, not on where they were mounted.
        out = self._restic.run(
            *self._backup_arguments("data"), "--one-file-system", ".", cwd=source.root, reason="PartlyRead"
        )
        summary = _summary(out)
        if summary is None:
            raise BackupFailed("PartlyRead", f"{source.device}: restic gave no summary")
        return summary

    def _copy_disk(self, source: Source) -> dict:
        name = f"{self._p['disk_key']}.raw"
        with open(source.device, "rb", buffering=0) as disk:
            out, digest, length = self._restic.feed(
                disk, *self._backup_arguments("data"), "--stdin", "--stdin-filename", name
            )
        summary = _summary(out)
        if summary is None or length != source.size_bytes:
            raise BackupFailed("PartlyRead", f"{source.device}: {length} of {source.size_bytes} bytes were read")
        return {**summary, "sha256": digest, "name": f"/{name}"}

    # -- verification ----------------------------------------------------------------------------
    def _verify(self, source: Source, summary: dict) -> dict:
        method = self._p["verification"]
        arguments = ["check", "--no-lock"]
        if method == "Subset":
            arguments.append(f"--read-data-subset={self._p['subset_percent']}%")
        self._restic.run(*arguments, reason="Verification")
        told = {"method": method, "result": "Passed"}
        if method == "Subset":
            told["subset_percent"] = self._p["subset_percent"]
        if method == "Restore":
            told.update(self._compare_files(source, summary) if source.root else self._compare_disk(summary))
        return told

    def _compare_files(self, source: Source, summary: dict) -> dict:
        """Read the whole backup back as a tar stream, and compare every file's content with the disk's."""
        compared = {"files_compared": 0, "bytes_compared": 0}

        def take(stream: BinaryIO) -> None:
            with tarfile.open(fileobj=stream, mode="r|", errorlevel=2) as archive:
                for member in archive:
                    if member.isreg():
                        compared["bytes_compared"] += _compare(archive.extractfile(member), source.root, member.name)
                        compared["files_compared"] += 1
            stream.read()  # the padding behind the last block

        self._restic.drain(take, "dump", "--archive", "tar", summary["snapshot_id"], "/")
        if compared["files_compared"] != summary["total_files_processed"]:
            raise BackupFailed(
                "Verification",
                f"{compared['files_compared']} files came back of {summary['total_files_processed']} backed up",
            )
        return compared

    def _compare_disk(self, summary: dict) -> dict:
        digest, length = hashlib.sha256(), 0

        def take(stream: BinaryIO) -> None:
            nonlocal length
            while block := stream.read(1 << 20):
                digest.update(block)
                length += len(block)

        self._restic.drain(take, "dump", summary["snapshot_id"], summary["name"])
        if digest.hexdigest() != summary["sha256"]:
            raise BackupFailed("Verification", "the disk's stream came back with another SHA-256 than it went in")
        return {"files_compared": 1, "bytes_compared": length}

    # -- receipt ---------------------------------------------------------------------------------
    def _receipt(self, source: Source, summary: dict, verification: dict, repository_id: str, taken: str) -> dict:
        short = summary["snapshot_id"]
        manifest = self._restic.run("cat", "snapshot", short, reason="Repository")
        (snapshot,) = self._restic.records("snapshots", short, reason="Repository")
        return {
            "format": 1,
            "request_uid": self._p["request_uid"],
            "disk_key": self._p["disk_key"],
            "run_key": self._p["run_key"],
            "place": self._restic.place,
            "repository_id": repository_id,
            "snapshot": snapshot["id"],
            "tree": snapshot["tree"],
            # As `restic cat snapshot ID | sha256sum` gives it.
            "manifest_sha256": hashlib.sha256(manifest).hexdigest(),
            "mode": "Files" if source.root else "Disk",
            "filesystem": source.filesystem,
            "note": source.note,
            "disk_bytes": source.size_bytes,
            "disk_sha256": summary.get("sha256", ""),
            "bytes": summary["total_bytes_processed"],
            "files": summary["total_files_processed"],
            "taken": taken,
            "tool": self._restic.run("version", reason="NoRestic").decode().split(" compiled")[0].strip(),
            "verification": verification,
        }


def _compare(back: BinaryIO, root: str, name: str) -> int:
    """Compare one file as it came back with the one on the disk; return its length."""
    length = 0
    # The names are the unit's own: nothing may lead out of the mounted file system.
    path = os.path.join(root, name.lstrip("/"))
    if os.path.realpath(os.path.dirname(path)) != os.path.normpath(os.path.dirname(path)):
        raise BackupFailed("Verification", f"{name} leads through a link")
    fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    with os.fdopen(fd, "rb") as original:
        while True:
            one, other = back.read(1 << 20), original.read(1 << 20)
            if one != other:
                raise BackupFailed("Verification", f"{name} came back changed, at byte {length} or after")
            if not one:
                return length
            length += len(one)


def _summary(out: bytes) -> dict | None:
    messages = (json.loads(line) for line in out.splitlines() if line.startswith(b"{"))
    return next((one for one in messages if one.get("message_type") == "summary"), None)


def _stamp() -> str:
    return datetime.now(timezone.utc).isoformat(timespec="seconds").replace("+00:00", "Z")


@contextlib.contextmanager
def only_one(state_dir: str, disk_key: str):
    """Hold the disk's lock. Raises BackupFailed while another backup of the disk runs."""
    Path(state_dir).mkdir(parents=True, exist_ok=True, mode=0o700)
    with open(Path(state_dir) / f"{disk_key}.lock", "w", encoding="ascii") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise BackupFailed("AlreadyRunning", f"a backup of {disk_key} is running; wait for its end") from error
        yield


@contextlib.contextmanager
def one_at_a_time(state_dir: str, repository: str):
    """Hold the repository's lock on this machine; wait for whoever has it."""
    name = hashlib.sha256(repository.encode()).hexdigest()[:16]
    with open(Path(state_dir) / f"repository-{name}.lock", "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def main() -> None:
    """Entry point of the module."""
    module = AnsibleModule(
        argument_spec={
            "disk_key": {"type": "str", "required": True, "no_log": False},
            "run_key": {"type": "str", "required": True, "no_log": False},
            "request_uid": {"type": "str", "required": True},
            "device": {"type": "path", "required": True},
            "repository": {"type": "str", "required": True},
            "password": {"type": "str", "required": True, "no_log": True},
            "environment": {"type": "dict", "default": {}, "no_log": True},
            "verification": {"type": "str", "choices": ["Structure", "Subset", "Restore"], "default": "Restore"},
            "subset_percent": {"type": "int", "default": 10},
            "state_dir": {"type": "path", "default": "/var/lib/govpool/backup"},
        }
    )
    try:
        with only_one(module.params["state_dir"], module.params["disk_key"]):
            text, new = Backup(module.params).run()
    except BackupFailed as failure:
        module.fail_json(msg=failure.message, reason=failure.reason)
    digest = hashlib.sha256(text.encode()).hexdigest()
    module.exit_json(changed=new, receipt=json.loads(text), receipt_text=text, receipt_sha256=digest)


if __name__ == "__main__":
    main()
