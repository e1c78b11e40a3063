"""From the reports of the wipe and backup playbooks to the parts of a certificate that they prove. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError

from govpool.api.wipecertificate import (
    BackupProof,
    ByteRange,
    Defects,
    DiscardResult,
    Instant,
    Sanitisation,
    Technique,
    TechniqueClass,
    Verification,
    VerificationMethod,
    VerificationResult,
)
from govpool.rules.wipe_plan import detection_odds


class _Report(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class _Stretches(_Report):
    count: int
    bytes: int
    ranges: list[tuple[int, int]]

    def defects(self) -> Defects:
        ranges = [ByteRange(offset=offset, bytes=length) for offset, length in self.ranges]
        return Defects(count=self.count, bytes=self.bytes, ranges=ranges)


class _Method(_Report):
    method: VerificationMethod
    share: float
    seed: str
    block_bytes: int
    blocks_read: int


class _Discard(_Report):
    result: DiscardResult
    message: str


class _WipeReport(_Report):
    disk_key: str
    run_key: str
    result: Literal["Verified", "Mismatch", "Incomplete"]
    technique_class: TechniqueClass
    tool: str
    tool_version: str
    key_fingerprint: str
    size_bytes: Annotated[int, Field(ge=1)]
    bytes_written: int
    bytes_verified: int
    bytes_per_second: int
    write_errors: _Stretches
    verify_errors: _Stretches
    mismatches: _Stretches
    started_at: Instant
    verified_at: Instant
    finished_at: Instant
    verification: _Method
    read_back: list[str]
    discard: _Discard


class _BackupReceipt(_Report):
    disk_key: str
    place: str
    snapshot: str
    tree: str
    manifest_sha256: str
    bytes: int
    files: int
    taken: datetime


class EvidenceError(ValueError):
    """A report is not what its playbook returns, or is about another disk; the message says what is wrong."""


def sanitisation(report: Mapping[str, JsonValue], disk_key: str, size_bytes: int) -> Sanitisation:
    """What a report of the module ``govpool_wipe`` proves about one medium.

    Raises:
        EvidenceError: the report can't be read, or is about another disk or another size.
    """
    try:
        told = _WipeReport.model_validate(report)
    except ValidationError as error:
        raise EvidenceError(f"the wipe report of {disk_key} can't be read: {_first(error)}") from None
    if (told.disk_key, told.size_bytes) != (disk_key, size_bytes):
        raise EvidenceError(
            f"the wipe report is about {told.disk_key} of {told.size_bytes} bytes,"
            f" not {disk_key} of {size_bytes}"
        )
    method = told.verification
    sampled = method.method is VerificationMethod.SAMPLED
    odds = detection_odds(size_bytes, method.share, block_bytes=method.block_bytes) if sampled else 1.0
    return Sanitisation(
        technique_class=told.technique_class,
        technique=Technique.OVERWRITE,
        tool=told.tool,
        tool_version=told.tool_version,
        key_fingerprint=told.key_fingerprint,
        started=told.started_at,
        finished=told.finished_at,
        bytes_written=told.bytes_written,
        bytes_per_second=told.bytes_per_second,
        write_errors=told.write_errors.defects(),
        verification=Verification(
            method=method.method,
            share=method.share,
            seed=method.seed,
            block_bytes=method.block_bytes,
            blocks_read=method.blocks_read,
            bytes_verified=told.bytes_verified,
            detection_odds=round(odds, 6),
            read_back=", ".join(told.read_back),
            mismatches=told.mismatches.defects(),
            errors=told.verify_errors.defects(),
            # Incomplete fails too: places that could not be written or read may hold the old data.
            result=VerificationResult.PASSED if told.result == "Verified" else VerificationResult.FAILED,
            at=told.verified_at,
        ),
        discard=told.discard.result,
        discard_message=told.discard.message[:256],
    )


def backup_proof(receipt: Mapping[str, JsonValue], disk_key: str) -> BackupProof:
    """What a receipt of the module ``govpool_backup`` proves.

    Raises:
        EvidenceError: the receipt can't be read, or is about another disk.
    """
    try:
        told = _BackupReceipt.model_validate(receipt)
    except ValidationError as error:
        raise EvidenceError(f"the backup receipt of {disk_key} can't be read: {_first(error)}") from None
    if told.disk_key != disk_key:
        raise EvidenceError(f"the backup receipt is about {told.disk_key}, not {disk_key}")
    return BackupProof(
        medium_key=told.disk_key,
        place=told.place,
        snapshot=told.snapshot,
        tree=told.tree,
        sha256=told.manifest_sha256,
        bytes=told.bytes,
        files=told.files,
        taken=told.taken,
    )


def _first(error: ValidationError) -> str:
    one = error.errors()[0]
    return f"{'.'.join(map(str, one['loc']))}: {one['msg']}"
