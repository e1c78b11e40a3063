"""What goes between the operator and a runner: the order there, the report back.

A runner has no right to read anything of the API server and may write one thing: the report of its own name.
So all that a run needs goes with it in one Secret, and all that came of it comes back in one ConfigMap, or a
few where it is large.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

from pydantic import ConfigDict, Field, JsonValue

from govpool.api.base import Model
from govpool.api.cloudpolicy import CloudPolicy
from govpool.api.cloudpool import CloudPool
from govpool.api.cloudresourcerequest import CloudResourceRequest
from govpool.api.cloudserver import CloudServer
from govpool.api.kinds import by_kind
from govpool.api.tenantquota import TenantQuota
from govpool.api.workorder import DiskResult, Evidence, ServerResult, WorkOrder
from govpool.effects.executors.base import OrderContext, OrderResult
from govpool.effects.executors.evidence import keep

PART_BYTES = 700_000
"""Bytes of a report in one ConfigMap, which holds 1 MiB of base64 at most."""
ORDER_KEY = "order.json.gz"
"""Key of the order in its Secret, and so the file's name in the runner."""
REPORT_KEY, SEAL_KEY = "report", "seal"
"""Keys of a piece, binary, and of the seal, text: a ConfigMap has a key in one of the two and not in both."""


class Parcel(Model):
    """Everything that a run may use."""

    # What is wrong with a parcel is told in a log; what is in it is not.
    model_config = ConfigDict(hide_input_in_errors=True)

    order: WorkOrder
    request: CloudResourceRequest
    servers: tuple[CloudServer, ...]
    policy: CloudPolicy
    pool: CloudPool
    quota: TenantQuota | None = None
    ahead_seconds: float = 0.0
    """How far the operator's clock is ahead of the machine's."""
    pool_secret: dict[str, str] | None = Field(default=None, repr=False)
    """The pool's credentials; only for work on disks."""
    secrets: dict[str, dict[str, str]] = Field(default_factory=dict, repr=False)
    """Secrets of the operator's namespace that the run needs, by name."""


class Progress(Model):
    """What a run has put on record before its end."""

    servers: tuple[ServerResult, ...] = ()
    disks: tuple[DiskResult, ...] = ()


class Report(Model):
    """How a run ended."""

    succeeded: bool
    message: str = ""
    again: bool = False
    servers: tuple[ServerResult, ...] = ()
    disks: tuple[DiskResult, ...] = ()
    evidence: tuple[Evidence, ...] = ()
    receipt_sha256: str | None = None
    creates: tuple[dict[str, JsonValue], ...] = ()
    """Objects to create before the result is written."""
    place: str = ""
    """The runner's folder of evidence, which ends with it."""
    files: dict[str, str] = Field(default_factory=dict, repr=False)
    """The files in that folder, base64."""


def pack(parcel: Parcel) -> bytes:
    """The parcel as it lies in the Secret."""
    document = parcel.model_dump(mode="json", by_alias=True, exclude_none=True)
    return gzip.compress(json.dumps(document, ensure_ascii=False).encode(), mtime=0)


def unpack(content: bytes) -> Parcel:
    """The parcel. Raises ValueError when it is none."""
    return Parcel.model_validate_json(gzip.decompress(content))


def reported(result: OrderResult, place: Path) -> Report:
    """A result with its files, ready to be sent."""
    files = {
        one.name: base64.b64encode(Path(one.place).read_bytes()).decode()
        for one in result.evidence
        if Path(one.place).parent == place
    }
    return Report(
        succeeded=result.succeeded,
        message=result.message,
        again=result.again,
        servers=result.servers,
        disks=result.disks,
        evidence=result.evidence,
        receipt_sha256=result.receipt_sha256,
        creates=tuple(
            one.model_dump(mode="json", by_alias=True, exclude_none=True) for one in result.creates
        ),
        place=str(place),
        files=files,
    )


def parts(report: Report) -> list[bytes]:
    """The report as it lies in ConfigMaps, in pieces that each fit into one."""
    document = report.model_dump(mode="json", by_alias=True, exclude_none=True)
    whole = gzip.compress(json.dumps(document, ensure_ascii=False).encode(), mtime=0)
    return [whole[at : at + PART_BYTES] for at in range(0, len(whole), PART_BYTES)]


def seal(pieces: list[bytes]) -> str:
    """What says that all pieces are there, and that they are these: their number and their hash."""
    return f"{len(pieces)} {hashlib.sha256(b''.join(pieces)).hexdigest()}"


def joined(sealed: str, pieces: list[bytes]) -> Report | None:
    """The report; None while a piece is missing or another one. Raises ValueError when it is none."""
    number = int(sealed.split(maxsplit=1)[0])
    if len(pieces) < number or seal(pieces[:number]) != sealed:
        return None
    return Report.model_validate_json(gzip.decompress(b"".join(pieces[:number])))


def result_of(report: Report, context: OrderContext) -> OrderResult:
    """The result, with its evidence in the operator's own folder.

    Raises:
        ValueError: a file is not the one that the report names, or lies outside its folder.
    """
    kept: dict[str, Evidence] = {}
    hashes = {one.name: one.sha256 for one in report.evidence}
    for name, content in report.files.items():
        if Path(name).name != name or name not in hashes:
            raise ValueError(f"the report has a file {name!r} that is no evidence of it")
        data = base64.b64decode(content, validate=True)
        if hashlib.sha256(data).hexdigest() != hashes[name]:
            raise ValueError(f"{name} is not what the report says")
        kept[name] = keep(context.evidence_dir, name, data)
    moved = _moved(report.place, str(context.evidence_dir))
    return OrderResult(
        report.succeeded,
        report.message,
        report.again,
        servers=report.servers,
        disks=report.disks,
        evidence=tuple(kept.get(one.name, one) for one in report.evidence),
        receipt_sha256=report.receipt_sha256,
        creates=tuple(
            by_kind(str(document["kind"])).model_validate(moved(document)) for document in report.creates
        ),
    )


class _moved:  # noqa: N801 - reads as the verb that it is
    """Puts the operator's folder in the place of the runner's, wherever a document names a file there."""

    def __init__(self, before: str, after: str) -> None:
        self._before, self._after = before, after

    def __call__(self, value: JsonValue) -> JsonValue:
        if isinstance(value, str):
            inside = self._before and value.startswith(f"{self._before}/")
            return self._after + value.removeprefix(self._before) if inside else value
        if isinstance(value, list):
            return [self(item) for item in value]
        if isinstance(value, Mapping):
            return {key: self(item) for key, item in value.items()}
        return value
