"""What a wipe certificate lacks, or where it contradicts itself. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from govpool.api.wipecertificate import (
    GENESIS,
    Backup,
    BackupProof,
    CopyKind,
    CopyOutcome,
    DiscardResult,
    Instant,
    Medium,
    MediumCopy,
    OverwriteProvability,
    Sanitisation,
    Technique,
    TechniqueClass,
    Verification,
    VerificationMethod,
    VerificationResult,
    WipeCertificateSpec,
)
from govpool.rules.wipe_plan import detection_odds, sample_blocks

NIST = "NIST SP 800-88r2"
RESIDUAL = "GB/T 22239-2019 8.1.4.10"
"""剩余信息保护: storage is completely cleared before it is released."""
RESIDUAL_CLOUD = "GB/T 22239-2019 8.2.4.7"
"""剩余信息保护, cloud extension: every copy in the cloud is deleted."""
_ODDS_TOLERANCE = 1e-6

_CLASS_OF = {
    Technique.OVERWRITE: TechniqueClass.CLEAR,
    Technique.CRYPTOGRAPHIC_ERASE: TechniqueClass.PURGE,
    Technique.PHYSICAL_DESTRUCTION: TechniqueClass.DESTROY,
}


@dataclass(frozen=True, slots=True)
class Lack:
    """Something that a certificate lacks: where, why it matters, and who demands it."""

    path: str
    """The field, in the spelling of the manifest: ``media[0].sanitisation.bytesWritten``."""
    why: str
    source: str
    """Article of the regulation, or clause of a standard."""


def missing(certificate: WipeCertificateSpec) -> tuple[Lack, ...]:
    """Everything that is missing or inconsistent, but for the signature, which comes last of all."""
    return tuple(
        lack
        for part in (_approval, _media, _copies, _backup, _signatories, _dates, _place)
        for lack in part(certificate)
    )


def _article(certificate: WipeCertificateSpec) -> str:
    reference = certificate.regulation
    return f"{reference.policy}, article {reference.article}"


def _starts(certificate: WipeCertificateSpec) -> tuple[Instant, ...]:
    return tuple(medium.sanitisation.started for medium in certificate.media if medium.sanitisation)


# -- approval ------------------------------------------------------------------------------------
def _approval(certificate: WipeCertificateSpec) -> Iterator[Lack]:
    article = _article(certificate)
    if certificate.deregistration is None:
        yield Lack(
            "deregistration", "the approved deregistration is missing: nothing is wiped without one", article
        )
        return
    early = [start for start in _starts(certificate) if start < certificate.deregistration.decided_at]
    if early:
        yield Lack("deregistration.decidedAt", "a wipe began before the deregistration was approved", article)


# -- media ---------------------------------------------------------------------------------------
def _media(certificate: WipeCertificateSpec) -> Iterator[Lack]:
    if not certificate.media:
        yield Lack("media", "no medium is listed: list every disk that held data, root disks too", RESIDUAL)
    for key, times in Counter(medium.key for medium in certificate.media).items():
        if times > 1:
            yield Lack("media", f"medium {key} is listed {times} times: list each once", RESIDUAL)
    for index, medium in enumerate(certificate.media):
        path = f"media[{index}]"
        yield from _absence(medium, path)
        if medium.sanitisation is None:
            yield Lack(f"{path}.sanitisation", f"nothing says how {medium.key} was sanitised", RESIDUAL)
            continue
        yield from _technique(medium, medium.sanitisation, f"{path}.sanitisation")
        if medium.sanitisation.technique is not Technique.PHYSICAL_DESTRUCTION:
            yield from _written(medium, medium.sanitisation, f"{path}.sanitisation")
        yield from _verified(medium, medium.sanitisation, f"{path}.sanitisation.verification")


def _absence(medium: Medium, path: str) -> Iterator[Lack]:
    proof = medium.absence
    if proof is None:
        yield Lack(
            f"{path}.absence",
            "nothing proves that no recycle bin or deferred deletion keeps a copy",
            RESIDUAL_CLOUD,
        )
        return
    if not proof.disk_absent:
        yield Lack(
            f"{path}.absence.diskAbsent",
            "the pool still lists the disk: delete it and ask again",
            RESIDUAL_CLOUD,
        )
    if proof.copies_found:
        yield Lack(
            f"{path}.absence.copiesFound",
            f"the pool lists {proof.copies_found} copies: delete them and ask again",
            RESIDUAL_CLOUD,
        )
    if medium.sanitisation and proof.at < medium.sanitisation.finished:
        yield Lack(
            f"{path}.absence.at", "the pool was asked before the wipe had ended: ask again", RESIDUAL_CLOUD
        )


def _technique(medium: Medium, done: Sanitisation, path: str) -> Iterator[Lack]:
    if done.technique_class is not _CLASS_OF[done.technique]:
        right = _CLASS_OF[done.technique]
        yield Lack(f"{path}.techniqueClass", f"{done.technique} is {right}, not {done.technique_class}", NIST)
    if done.finished < done.started:
        yield Lack(f"{path}.finished", "it ended before it began", NIST)
    if done.technique is Technique.OVERWRITE and not done.key_fingerprint:
        yield Lack(f"{path}.keyFingerprint", "an overwrite names the fingerprint of its stream's key", NIST)
    if done.technique is Technique.CRYPTOGRAPHIC_ERASE:
        if medium.overwrite is not OverwriteProvability.ENCRYPTED:
            yield Lack(
                f"{path}.technique",
                "only a medium that was encrypted from the start can be erased by its key",
                NIST,
            )
        if done.key_destroyed_at is None:
            yield Lack(f"{path}.keyDestroyedAt", "nothing says when the data's key was destroyed", NIST)
    unproven = done.technique is Technique.OVERWRITE and medium.overwrite is not OverwriteProvability.IN_PLACE
    if unproven and not medium.residual_risk:
        yield Lack(
            f"{path.removesuffix('.sanitisation')}.residualRisk",
            f"an overwrite of {medium.overwrite} storage does not prove that old blocks are gone:"
            " state the residual risk",
            NIST,
        )


def _written(medium: Medium, done: Sanitisation, path: str) -> Iterator[Lack]:
    if done.bytes_written + done.write_errors.bytes < medium.size_bytes:
        yield Lack(
            f"{path}.bytesWritten",
            f"{done.bytes_written} of {medium.size_bytes} bytes were written, nothing accounts for the rest:"
            " wipe again",
            RESIDUAL,
        )
    if done.bytes_written > medium.size_bytes:
        yield Lack(
            f"{path}.bytesWritten", f"more than the medium's {medium.size_bytes} bytes can't be written", NIST
        )
    if (done.write_errors.count or done.write_errors.bytes) and not medium.residual_risk:
        yield Lack(
            f"{path}.writeErrors",
            f"{done.write_errors.count} stretches could not be written: destroy the medium,"
            " or state the residual risk",
            NIST,
        )
    if done.discard is DiscardResult.KEPT:
        yield Lack(
            f"{path}.discard", "the tool kept the medium as evidence: its verification did not pass", NIST
        )


def _verified(medium: Medium, done: Sanitisation, path: str) -> Iterator[Lack]:
    proof = done.verification
    if proof.result is not VerificationResult.PASSED:
        yield Lack(f"{path}.result", "the verification failed: wipe again or destroy the medium", NIST)
    if not done.started <= proof.at <= done.finished:
        yield Lack(
            f"{path}.at", "the verification does not lie between start and end of the sanitisation", NIST
        )
    if proof.mismatches.count or proof.mismatches.bytes:
        yield Lack(f"{path}.mismatches", "places did not hold what had been written: wipe again", NIST)
    if done.technique is Technique.PHYSICAL_DESTRUCTION:
        return
    if (proof.errors.count or proof.errors.bytes) and not medium.residual_risk:
        yield Lack(
            f"{path}.errors",
            f"{proof.errors.count} stretches could not be read back: destroy the medium,"
            " or state the residual risk",
            NIST,
        )
    if proof.method is VerificationMethod.FULL:
        yield from _verified_fully(medium, proof, path)
    else:
        yield from _verified_by_sample(medium, proof, path)


def _verified_fully(medium: Medium, proof: Verification, path: str) -> Iterator[Lack]:
    if proof.bytes_verified + proof.errors.bytes < medium.size_bytes:
        yield Lack(
            f"{path}.bytesVerified",
            f"a full read-back covers {medium.size_bytes} bytes, this one {proof.bytes_verified}:"
            " verify again",
            NIST,
        )
    if proof.share != 1 or proof.detection_odds != 1:
        yield Lack(f"{path}.share", "a full read-back has share 1 and detection odds 1", NIST)


def _verified_by_sample(medium: Medium, proof: Verification, path: str) -> Iterator[Lack]:
    if not proof.seed:
        yield Lack(f"{path}.seed", "a sample without its seed can't be drawn again", NIST)
    if not (0 < proof.share <= 1 and proof.block_bytes):
        yield Lack(
            f"{path}.share", "a sample states its share, above 0 and at most 1, and its block size", NIST
        )
        return
    due = sample_blocks(medium.size_bytes, proof.share, proof.block_bytes)
    if proof.blocks_read < due:
        yield Lack(
            f"{path}.blocksRead",
            f"a share of {proof.share:g} is {due} blocks, read were {proof.blocks_read}",
            NIST,
        )
    # The medium's last block may be a part of one.
    if proof.bytes_verified + proof.errors.bytes <= (due - 1) * proof.block_bytes:
        yield Lack(
            f"{path}.bytesVerified", "fewer bytes were verified than the blocks of the sample hold", NIST
        )
    odds = detection_odds(medium.size_bytes, proof.share, block_bytes=proof.block_bytes)
    if abs(proof.detection_odds - odds) > _ODDS_TOLERANCE:
        yield Lack(
            f"{path}.detectionOdds",
            f"this sample finds one leftover MiB with probability {odds:.6f}, not {proof.detection_odds:.6f}",
            NIST,
        )


# -- copies and backup ---------------------------------------------------------------------------
def _copies(certificate: WipeCertificateSpec) -> Iterator[Lack]:
    media = {medium.key for medium in certificate.media}
    for index, copy in enumerate(certificate.copies):
        path = f"copies[{index}]"
        if copy.medium_key not in media:
            yield Lack(f"{path}.mediumKey", f"{copy.medium_key} is none of the media listed", RESIDUAL_CLOUD)
        if copy.outcome is CopyOutcome.PRESENT:
            yield Lack(
                f"{path}.outcome", f"{copy.kind} {copy.provider_id} is still there: delete it", RESIDUAL_CLOUD
            )
        elif copy.at is None:
            yield Lack(
                f"{path}.at", f"nothing says when {copy.provider_id} was {copy.outcome}", RESIDUAL_CLOUD
            )
        if copy.outcome is CopyOutcome.HANDED_OVER:
            yield from _handed_over(copy, certificate.backup, path)


def _handed_over(copy: MediumCopy, backup: Backup, path: str) -> Iterator[Lack]:
    if copy.kind is not CopyKind.BACKUP:
        yield Lack(
            f"{path}.outcome",
            f"only a backup is handed over to the unit, a {copy.kind} is deleted",
            RESIDUAL_CLOUD,
        )
    elif backup.receipt is None:
        yield Lack(f"{path}.outcome", "the unit gave no receipt for what was handed over", RESIDUAL_CLOUD)


def _backup(certificate: WipeCertificateSpec) -> Iterator[Lack]:
    backup, article = certificate.backup, _article(certificate)
    wiped = {medium.key: medium.sanitisation for medium in certificate.media}
    covered: set[str] = set()
    for index, proof in enumerate(backup.proofs):
        path = f"backup.proofs[{index}]"
        if proof.medium_key not in wiped:
            yield Lack(f"{path}.mediumKey", f"{proof.medium_key} is none of the media listed", article)
            continue
        covered.add(proof.medium_key)
        done = wiped[proof.medium_key]
        if done and proof.taken > done.started:
            yield Lack(f"{path}.taken", "the backup was taken after the wipe had begun", article)
    if not backup.required and not backup.proofs:
        return
    if backup.required:
        for key in sorted(set(wiped) - covered):
            yield Lack("backup.proofs", f"no backup of {key}", article)
    yield from _receipt(backup, backup.proofs, _starts(certificate), article)


def _receipt(
    backup: Backup, proofs: list[BackupProof], starts: tuple[Instant, ...], article: str
) -> Iterator[Lack]:
    if backup.receipt_sha256 is None:
        yield Lack("backup.receiptSha256", "the hash of the receipt that was made out is missing", article)
    if backup.receipt is None:
        yield Lack("backup.receipt", "the unit's receipt for the backup is missing", article)
        return
    if backup.receipt_sha256 is not None and backup.receipt.sha256 != backup.receipt_sha256:
        yield Lack(
            "backup.receipt.sha256", "the unit acknowledged another receipt than the one made out", article
        )
    if any(proof.taken > backup.receipt.at for proof in proofs):
        yield Lack("backup.receipt.at", "the receipt is older than a backup it is for", article)
    if any(start < backup.receipt.at for start in starts):
        yield Lack("backup.receipt.at", "a wipe began before the unit had given its receipt", article)


# -- people, dates, place in the chain -----------------------------------------------------------
def _signatories(certificate: WipeCertificateSpec) -> Iterator[Lack]:
    article = _article(certificate)
    confirmation, verified, validated = (
        certificate.confirmation,
        certificate.verified_by,
        certificate.validated_by,
    )
    if confirmation is None:
        yield Lack("confirmation", "the unit has not confirmed the end of the service", article)
    elif certificate.deregistration and confirmation.at < certificate.deregistration.decided_at:
        yield Lack(
            "confirmation.at", "the unit confirmed the end before the deregistration was approved", article
        )
    if verified is None:
        yield Lack("verifiedBy", "nobody answers for the verification", NIST)
    elif any(m.sanitisation and verified.at < m.sanitisation.verification.at for m in certificate.media):
        yield Lack("verifiedBy.at", "it was signed before the last verification", NIST)
    if validated is None:
        yield Lack("validatedBy", "no person has validated the evidence", NIST)
        return
    if verified and validated.name.strip().casefold() == verified.name.strip().casefold():
        yield Lack("validatedBy.name", "who verified can't validate: another person must", NIST)
    if verified and validated.at < verified.at:
        yield Lack("validatedBy.at", "it was validated before it was verified", NIST)


def _dates(certificate: WipeCertificateSpec) -> Iterator[Lack]:
    moments: dict[str, Instant | None] = {
        "confirmation.at": certificate.confirmation.at if certificate.confirmation else None,
        "verifiedBy.at": certificate.verified_by.at if certificate.verified_by else None,
        "validatedBy.at": certificate.validated_by.at if certificate.validated_by else None,
    }
    for index, medium in enumerate(certificate.media):
        done, proof = medium.sanitisation, medium.absence
        moments[f"media[{index}].sanitisation.finished"] = done.finished if done else None
        moments[f"media[{index}].absence.at"] = proof.at if proof else None
    for index, copy in enumerate(certificate.copies):
        moments[f"copies[{index}].at"] = copy.at
    for path, moment in moments.items():
        if moment is not None and moment > certificate.issued:
            yield Lack("issued", f"the certificate is dated before {path}", NIST)


def _place(certificate: WipeCertificateSpec) -> Iterator[Lack]:
    if (certificate.sequence == 1) != (certificate.previous_hash == GENESIS):
        yield Lack(
            "previousHash",
            "zeros stand for the first certificate of a chain and for no other",
            "govpool, chain of certificates",
        )
