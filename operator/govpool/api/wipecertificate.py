"""WipeCertificate (销毁证书): proof that every medium and copy that held a system's data was sanitised.

Content after the certificate of sanitization of NIST SP 800-88r2, and what the regulations add: approval,
backup with receipt, the unit's confirmation. It is signed and carries the hash of its predecessor.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, ClassVar

from pydantic import AwareDatetime, ConfigDict, Field, StringConstraints

from govpool.api.approval import RequestReference
from govpool.api.base import (
    Article,
    BilingualText,
    Column,
    Definition,
    Model,
    Name,
    Resource,
    Rule,
    Scope,
    Sha256,
    ShortText,
    Text,
    Title,
)

GENESIS = "0" * 64
"""``previousHash`` of the first certificate of a chain."""
MAX_INTEGER = 2**53 - 1
"""RFC 8785 (I-JSON) knows no larger whole number."""

Instant = AwareDatetime
"""A point in time, RFC 3339. One without an offset would mean something else elsewhere."""
Bytes = Annotated[int, Field(ge=0, le=MAX_INTEGER)]
Count = Annotated[int, Field(ge=0, le=MAX_INTEGER)]
Share = Annotated[float, Field(ge=0, le=1)]
PoolId = Annotated[str, StringConstraints(max_length=128)]


class Signed(Model):
    """A part of what is signed: an unknown field is an error, since nobody could say what it means."""

    model_config = ConfigDict(extra="forbid")


class TechniqueClass(StrEnum):
    """Class of a sanitization technique after NIST SP 800-88r2."""

    CLEAR = "Clear"
    """Withstands recovery through the ordinary interfaces."""
    PURGE = "Purge"
    """Withstands recovery in a laboratory."""
    DESTROY = "Destroy"
    """The medium can't be used any more."""


class Technique(StrEnum):
    """How data was destroyed."""

    OVERWRITE = "OverwriteKeyedStream"
    """Overwritten with AES-256-CTR under a key of its own, and read back."""
    CRYPTOGRAPHIC_ERASE = "CryptographicErase"
    """The key of data that was always encrypted was destroyed."""
    PHYSICAL_DESTRUCTION = "PhysicalDestruction"
    """The medium was destroyed."""


class MediumKind(StrEnum):
    """What held data."""

    DISK = "Disk"
    ROOT_DISK = "RootDisk"


class CopyKind(StrEnum):
    """A copy of what a medium held."""

    SNAPSHOT = "Snapshot"
    BACKUP = "Backup"
    IMAGE = "Image"
    RECYCLE_BIN = "RecycleBin"


class CopyOutcome(StrEnum):
    """What became of a copy."""

    DELETED = "Deleted"
    """And seen absent."""
    KEY_DESTROYED = "KeyDestroyed"
    HANDED_OVER = "HandedOver"
    """A backup that the unit received and answers for from then on."""
    PRESENT = "Present"
    """Still there: no certificate."""


class OverwriteProvability(StrEnum):
    """Whether the storage can prove that an overwrite reached the medium that held the data."""

    IN_PLACE = "InPlace"
    COPY_ON_WRITE = "CopyOnWrite"
    """Thin, snapshotting or log-structured: old blocks may survive elsewhere."""
    ENCRYPTED = "Encrypted"
    """Encrypted from the start: destroying the key destroys the data."""


class VerificationMethod(StrEnum):
    """How much was read back."""

    FULL = "Full"
    SAMPLED = "Sampled"


class VerificationResult(StrEnum):
    """What the read-back showed."""

    PASSED = "Passed"
    FAILED = "Failed"


class DiscardResult(StrEnum):
    """Whether the storage was told to let the blocks go after the verification; proves nothing by itself."""

    DONE = "Done"
    NOT_SUPPORTED = "NotSupported"
    KEPT = "Kept"
    """Not done: the verification did not pass."""


class ByteRange(Signed):
    """A stretch of a medium."""

    offset: Bytes
    """Where it begins, in bytes from the start of the medium."""
    bytes: Bytes
    """Its length in bytes."""


class Defects(Signed):
    """Places of a medium where something went wrong."""

    count: Count = 0
    """How many stretches."""
    bytes: Bytes = 0
    """Bytes in all of them."""
    ranges: list[ByteRange] = Field(default_factory=list, max_length=64)
    """The first of them."""


class Verification(Signed):
    """The read-back (核验)."""

    method: VerificationMethod
    share: Share = 1.0
    """Share of the medium that was read."""
    seed: ShortText = ""
    """Seed of a sample: with it the sample can be drawn again."""
    block_bytes: Bytes = 0
    """Bytes read at each place."""
    blocks_read: Count = 0
    """Places read."""
    bytes_verified: Bytes
    """Bytes that were read and were what had been written."""
    detection_odds: Share = 1.0
    """Of a sample: least probability that it would have found one leftover MiB (see rules.wipe_plan)."""
    read_back: ShortText = ""
    """How the page cache was kept out of it."""
    mismatches: Defects = Defects()
    """Places that did not hold what had been written."""
    errors: Defects = Defects()
    """Places that could not be read."""
    result: VerificationResult
    at: Instant
    """When it ended."""


class Sanitisation(Signed):
    """What was done to one medium."""

    technique_class: TechniqueClass
    technique: Technique
    tool: Title
    """Program that did it."""
    tool_version: Title
    """Its version."""
    key_fingerprint: ShortText = ""
    """HMAC-SHA256 fingerprint of the overwriting key; gives nothing of the key away."""
    started: Instant
    """When it began."""
    finished: Instant
    """When the last byte was flushed."""
    bytes_written: Bytes
    """Bytes written."""
    bytes_per_second: Bytes
    """Mean throughput in bytes a second."""
    write_errors: Defects = Defects()
    """Places that could not be written."""
    verification: Verification
    discard: DiscardResult
    discard_message: ShortText = ""
    """What the storage answered to the discard."""
    key_destroyed_at: Instant | None = None
    """For CryptographicErase: when the data's key was destroyed."""


class AbsenceProof(Signed):
    """Proof that no recycle bin, snapshot or deferred deletion keeps a copy."""

    asked: Title
    """Which question was put to which pool."""
    at: Instant
    """When it was asked."""
    disk_absent: bool
    """The pool answered, whole, and did not list the disk."""
    copies_found: Count
    """Copies that the pool listed."""


class Medium(Signed):
    """A medium that held data, and what became of it."""

    key: PoolId
    """Its key in the pool."""
    provider_id: Title
    """Its id in the provider's own words."""
    server: Title
    """Name of the CloudServer."""
    name: Title
    """Its name within the server."""
    kind: MediumKind
    type: Title
    """What it is stored on, in the provider's own words: ``file on ext4``, ``ceph rbd``."""
    size_bytes: Annotated[int, Field(ge=1, le=MAX_INTEGER)]
    """Size in bytes."""
    overwrite: OverwriteProvability
    sanitisation: Sanitisation | None = None
    residual_risk: Text = ""
    """What can't be proven about it, and why that is accepted."""
    absence: AbsenceProof | None = None


class MediumCopy(Signed):
    """A snapshot, backup or image that held data."""

    kind: CopyKind
    provider_id: Title
    """Its id in the provider's own words."""
    medium_key: PoolId
    """The medium it was made of."""
    size_bytes: Bytes
    """Size in bytes."""
    outcome: CopyOutcome
    at: Instant | None = None
    """When that became so."""


class BackupProof(Signed):
    """A backup made before the wipe (备份)."""

    medium_key: PoolId
    """The medium that was backed up."""
    place: Title
    """The repository."""
    snapshot: Title
    """Id of the snapshot."""
    tree: ShortText = ""
    """Hash of the snapshot's tree."""
    sha256: Sha256
    """Hash of the snapshot's manifest."""
    bytes: Bytes
    """Bytes backed up."""
    files: Count
    """Files backed up."""
    taken: Instant
    """When it was taken."""


class UnitReceipt(Signed):
    """The unit's receipt for the backup (备份回执)."""

    by: Title
    """Who gave it."""
    at: Instant
    """When."""
    sha256: Sha256
    """Hash of the receipt that the unit saw."""


class Backup(Signed):
    """The backup and its receipt."""

    required: bool = True
    """False only where the policy does not ask for one."""
    proofs: list[BackupProof] = Field(default_factory=list, max_length=1024)
    """The backups, one for each medium."""
    receipt_sha256: Sha256 | None = None
    """Hash of the receipt that the operator made out."""
    receipt: UnitReceipt | None = None


class SignedText(Signed, BilingualText):
    """A text in both languages, as part of what is signed."""


class SignedRequest(Signed, RequestReference):
    """The request, as part of what is signed."""


class RegulationReference(Signed):
    """The regulation that orders the destruction."""

    policy: Name
    """Name of the CloudPolicy."""
    title: SignedText
    """Its title."""
    document_number: ShortText
    """The number under which it was issued (发文字号)."""
    article: Article
    """Clause that orders the destruction."""


class Deregistration(Signed):
    """The approved deregistration (注销审批)."""

    request: SignedRequest
    revision: Annotated[int, Field(ge=1)]
    """The request's generation that was approved."""
    approval: Title
    """Name of the Approval."""
    reason: Title
    """Why the system left the cloud (注销原因)."""
    decided_by: Title
    """Who gave the last decision."""
    decided_at: Instant
    """When."""


class SystemReference(Signed):
    """The information system whose data it was."""

    unit: Title
    """The using unit (云使用单位)."""
    namespace: Name
    """The unit's namespace."""
    name: Title
    """The system's name."""
    protection_level: Annotated[int, Field(ge=1, le=5)]
    """网络安全等级保护."""


class Signatory(Signed):
    """Who answers for a statement."""

    name: Title
    """Who: the authenticated user, or govpool."""
    role: Title
    """As what."""
    at: Instant
    """When."""
    statement: Text = ""
    """What is stated."""


class Signature(Signed):
    """Signature over the RFC 8785 form of everything else."""

    algorithm: Annotated[str, StringConstraints(max_length=16, pattern=r"^Ed25519$")] = "Ed25519"
    """Signature algorithm (RFC 8032)."""
    public_key: Annotated[str, StringConstraints(max_length=64)]
    """The raw public key (RFC 8032), base64."""
    fingerprint: Annotated[str, StringConstraints(max_length=80, pattern=r"^SHA256:[0-9a-f]{64}$")]
    """SHA-256 of the raw public key."""
    value: Annotated[str, StringConstraints(max_length=128)]
    """base64."""


class WipeCertificateSpec(Signed):
    """The certificate. Immutable."""

    number: Annotated[str, StringConstraints(max_length=64, pattern=r"^[A-Za-z0-9][A-Za-z0-9._/-]*$")]
    """Certificate number (证书编号)."""
    authority: Title
    """Whose chain it belongs to."""
    sequence: Annotated[int, Field(ge=1, le=MAX_INTEGER)]
    """Place in that chain, from 1."""
    issued: Instant
    """When it was issued."""
    regulation: RegulationReference
    deregistration: Deregistration | None = None
    system: SystemReference
    media: list[Medium] = Field(default_factory=list, max_length=1024)
    """Every medium that held data, and what became of it."""
    copies: list[MediumCopy] = Field(default_factory=list, max_length=1024)
    """Every snapshot, backup and image of them, and what became of it."""
    backup: Backup = Backup()
    confirmation: Signatory | None = None
    """The unit's confirmation that the service has ended (服务终止确认)."""
    verified_by: Signatory | None = None
    """The operator, who read back."""
    validated_by: Signatory | None = None
    """The person who looked at the evidence and says that it is enough."""
    previous_hash: Sha256
    """SHA-256 of the RFC 8785 form of the previous certificate, signature included; zeros for the first."""
    signature: Signature | None = None

    RULES: ClassVar[tuple[Rule, ...]] = (
        Rule("self == oldSelf", "a certificate is immutable"),
        Rule("has(self.signature)", "a certificate is signed before it is stored"),
    )


class WipeCertificate(Resource):
    """Proof of destruction (销毁证书), kept after everything else is gone."""

    DEFINITION: ClassVar[Definition] = Definition(
        kind="WipeCertificate",
        plural="wipecertificates",
        singular="wipecertificate",
        short_names=("wcert",),
        scope=Scope.NAMESPACED,
        columns=(
            Column("Number", ".spec.number"),
            Column("System", ".spec.system.name"),
            Column("Level", ".spec.system.protectionLevel", type="integer"),
            Column("Article", ".spec.regulation.article"),
            Column("Issued", ".spec.issued"),
            Column("Validated by", ".spec.validatedBy.name"),
            Column("Hash before", ".spec.previousHash", priority=1),
        ),
        has_status=False,
    )
    spec: WipeCertificateSpec
