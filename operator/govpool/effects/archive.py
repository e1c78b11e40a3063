"""The file of a backup: a gzipped tar of JSON lines with a manifest that says what must be in it.

Members, in this order: ``manifest.json``, ``manifest.sha256``, ``objects.jsonl``, ``core.jsonl`` and, when
asked for, ``secrets.json`` (encrypted). Every member is read and compared with its SHA-256 before anything
of the archive is used, so that a file that is cut short or damaged restores nothing at all.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import io
import json
import os
import tarfile
import tempfile
import zlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import cast

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt
from pydantic import BaseModel, ValidationError

from govpool.effects.kube import Json

FORMAT = 1
MANIFEST, DIGEST, OBJECTS, CORE, SECRETS = (
    "manifest.json",
    "manifest.sha256",
    "objects.jsonl",
    "core.jsonl",
    "secrets.json",
)
MAX_BYTES = 8 * 1024**3
"""Largest member that is read."""
CHUNK = 2**20
LEAST_PASSPHRASE = 12
_SCRYPT = {"n": 2**16, "r": 8, "p": 1}


class ArchiveError(Exception):
    """The archive is damaged, incomplete or not of this format; its text says in what."""


class Member(BaseModel):
    """What a member of the archive must be."""

    sha256: str
    bytes: int
    lines: int


class Manifest(BaseModel):
    """What is in a backup."""

    format: int
    archive: str
    """Name of this backup: the SHA-256 over its members."""
    taken: datetime
    version: str
    """Version of govpool that took it."""
    api_version: str
    """Version of the kinds."""
    counts: dict[str, int]
    """Objects by kind."""
    left_out: int = 0
    """Objects that came into being while it was read."""
    secrets: list[str] = []
    """Secrets that there were, ``namespace/name``; whether they are in it, ``secrets_included`` says."""
    secrets_included: bool = False
    members: dict[str, Member]


@dataclass(frozen=True, slots=True)
class Archive:
    """A backup in memory. ``objects`` and ``core`` are documents as the API server served them."""

    manifest: Manifest
    objects: Sequence[Json]
    core: Sequence[Json]
    sealed: bytes | None = field(default=None, repr=False)
    """The encrypted Secrets."""

    def open_secrets(self, passphrase: str) -> list[Json]:
        """The Secrets' documents.

        Raises:
            ArchiveError: the passphrase is wrong.
        """
        if self.sealed is None:
            return []
        sealed = cast(dict[str, str], json.loads(self.sealed))
        key = _key(passphrase, base64.b64decode(sealed["salt"]))
        try:
            plain = AESGCM(key).decrypt(
                base64.b64decode(sealed["nonce"]), base64.b64decode(sealed["data"]), SECRETS.encode()
            )
        except InvalidTag:
            raise ArchiveError("the passphrase does not open its Secrets") from None
        return cast(list[Json], json.loads(plain))


def seal(documents: Sequence[Json], passphrase: str) -> bytes:
    """Secrets encrypted with AES-256-GCM under a key that scrypt makes of the passphrase."""
    salt, nonce = os.urandom(16), os.urandom(12)
    plain = json.dumps(list(documents)).encode()
    data = AESGCM(_key(passphrase, salt)).encrypt(nonce, plain, SECRETS.encode())
    parts = {"salt": salt, "nonce": nonce, "data": data}
    told = {name: base64.b64encode(value).decode() for name, value in parts.items()}
    return json.dumps({"kdf": "scrypt", **_SCRYPT, "cipher": "AES-256-GCM", **told}).encode()


def _key(passphrase: str, salt: bytes) -> bytes:
    return Scrypt(salt=salt, length=32, **_SCRYPT).derive(passphrase.encode())


# -- writing -------------------------------------------------------------------------------------
def pack(
    objects: Sequence[Json],
    core: Sequence[Json],
    *,
    taken: datetime,
    version: str,
    api_version: str,
    secrets: Sequence[str] = (),
    sealed: bytes | None = None,
    left_out: int = 0,
) -> tuple[Manifest, dict[str, bytes]]:
    """The manifest of a backup and its members' bytes."""
    members = {OBJECTS: _lines(objects), CORE: _lines(core)} | ({SECRETS: sealed} if sealed else {})
    told = {
        name: Member(sha256=_sha256(data), bytes=len(data), lines=data.count(b"\n"))
        for name, data in members.items()
    }
    manifest = Manifest(
        format=FORMAT,
        archive=_sha256("".join(member.sha256 for member in told.values()).encode())[:16],
        taken=taken,
        version=version,
        api_version=api_version,
        counts=_counts(objects),
        left_out=left_out,
        secrets=sorted(secrets),
        secrets_included=sealed is not None,
        members=told,
    )
    document = manifest.model_dump_json(indent=1).encode()
    return manifest, {MANIFEST: document, DIGEST: _sha256(document).encode(), **members}


def write(path: Path, members: dict[str, bytes], taken: datetime) -> None:
    """Write the archive whole or not at all, readable by its owner only.

    Raises:
        OSError: it can't be written; what lay under the name is still there.
    """
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as raw:
            with tarfile.open(fileobj=raw, mode="w:gz") as tar:
                for member, data in members.items():
                    info = tarfile.TarInfo(member)
                    info.size, info.mode, info.mtime = len(data), 0o600, int(taken.timestamp())
                    tar.addfile(info, io.BytesIO(data))
            raw.flush()
            os.fsync(raw.fileno())
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _lines(documents: Sequence[Json]) -> bytes:
    return b"".join(json.dumps(one, ensure_ascii=False).encode() + b"\n" for one in documents)


def _counts(objects: Sequence[Json]) -> dict[str, int]:
    return dict(sorted(Counter(str(one.get("kind")) for one in objects).items()))


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


# -- reading -------------------------------------------------------------------------------------
def read(path: Path) -> Archive:
    """The backup, every byte of it checked.

    Raises:
        ArchiveError: it is damaged, cut short, or of another format.
        OSError: the file can't be read.
    """
    found = _members(path)
    manifest = _manifest(found)
    for name, wanted in manifest.members.items():
        data = found.get(name)
        if data is None:
            raise ArchiveError(f"{name} is missing")
        if len(data) != wanted.bytes or _sha256(data) != wanted.sha256:
            raise ArchiveError(f"{name} is not what the manifest says: its SHA-256 is {_sha256(data)}")
    extra = set(found) - set(manifest.members) - {MANIFEST, DIGEST}
    if extra:
        raise ArchiveError(f"it holds what its manifest does not name: {', '.join(sorted(extra))}")
    objects, core = _documents(found[OBJECTS]), _documents(found[CORE])
    if _counts(objects) != manifest.counts:
        raise ArchiveError("its objects are not those that the manifest counts")
    return Archive(manifest, objects, core, found.get(SECRETS))


def _members(path: Path) -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    try:
        with gzip.open(path) as zipped:
            with tarfile.open(fileobj=zipped, mode="r|") as tar:
                for info in tar:
                    stream = tar.extractfile(info) if info.isfile() and info.size <= MAX_BYTES else None
                    if stream is None or info.name in found:
                        raise ArchiveError(f"it holds {info.name!r}, which no backup has")
                    found[info.name] = stream.read()
            # To the very end: only there stands the checksum of the whole.
            while zipped.read(CHUNK):
                pass
    except (tarfile.TarError, EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise ArchiveError(f"it is damaged or cut short ({error})") from None
    return found


def _manifest(found: dict[str, bytes]) -> Manifest:
    document, digest = found.get(MANIFEST), found.get(DIGEST)
    if document is None or digest is None:
        raise ArchiveError("it has no manifest: this is no backup of govpool, or it is cut short")
    if _sha256(document).encode() != digest.strip():
        raise ArchiveError("its manifest is not what its digest says")
    try:
        manifest = Manifest.model_validate_json(document)
    except ValidationError as error:
        raise ArchiveError(f"its manifest can't be read: {error.error_count()} faults") from None
    if manifest.format != FORMAT:
        raise ArchiveError(f"it is of format {manifest.format}, and this govpool reads {FORMAT}")
    if not {OBJECTS, CORE} <= set(manifest.members):
        raise ArchiveError("its manifest names no objects")
    return manifest


def _documents(data: bytes) -> list[Json]:
    try:
        return [cast(Json, json.loads(line)) for line in data.splitlines()]
    except ValueError as error:
        raise ArchiveError(f"an object in it is no JSON ({error})") from None
