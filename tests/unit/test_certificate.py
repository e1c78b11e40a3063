"""Each lack of a certificate, its canonical form, and the evidence it is made from."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from govpool.api.wipecertificate import VerificationResult, WipeCertificateSpec
from govpool.rules.certificate import canonical_bytes, missing, parse, signed_bytes
from govpool.rules.certificate_evidence import EvidenceError, backup_proof, sanitisation

from .certificate_examples import GIB, at, document, sampled

Break = Callable[[dict], object]


def spec(broken: Break | None = None) -> WipeCertificateSpec:
    draft = document()
    if broken is not None:
        broken(draft)
    return WipeCertificateSpec.model_validate(draft)


def put(path: str, value: object) -> Break:
    """Set (or with None remove) the field at a dotted path."""

    def change(draft: dict) -> None:
        *way, last = [int(part) if part.isdigit() else part for part in path.split(".")]
        for part in way:
            draft = draft[part]
        if value is None:
            del draft[last]
        else:
            draft[last] = copy.deepcopy(value)

    return change


def both(*breaks: Break) -> Break:
    return lambda draft: [one(draft) for one in breaks]


S = "media.1.sanitisation"
V = f"{S}.verification"
SIZE = 5 * GIB + 4096
ONE_BAD = {"count": 1, "bytes": 4096, "ranges": [{"offset": 8192, "bytes": 4096}]}
SAMPLE = put(V, sampled(SIZE))

LACKS: list[tuple[str, Break, str]] = [
    ("no approval", put("deregistration", None), "deregistration"),
    ("wiped before approval", put("deregistration.decidedAt", at(20.5)), "deregistration.decidedAt"),
    ("no medium", put("media", []), "media"),
    ("a medium twice", lambda d: d["media"].append(d["media"][0]), "media"),
    ("not sanitised", put(S, None), "media[1].sanitisation"),
    ("no proof of absence", put("media.0.absence", None), "media[0].absence"),
    ("still listed", put("media.0.absence.diskAbsent", False), "media[0].absence.diskAbsent"),
    ("a copy is left", put("media.0.absence.copiesFound", 1), "media[0].absence.copiesFound"),
    ("asked too early", put("media.0.absence.at", at(20.9)), "media[0].absence.at"),
    ("class too high", put(f"{S}.techniqueClass", "Purge"), "media[1].sanitisation.techniqueClass"),
    ("ends before it begins", put(f"{S}.finished", at(19)), "media[1].sanitisation.finished"),
    ("no key fingerprint", put(f"{S}.keyFingerprint", ""), "media[1].sanitisation.keyFingerprint"),
    ("copy-on-write", put("media.1.overwrite", "CopyOnWrite"), "media[1].residualRisk"),
    ("encrypted, key kept", put("media.1.overwrite", "Encrypted"), "media[1].residualRisk"),
    (
        "erased by key, in clear",
        both(put(f"{S}.technique", "CryptographicErase"), put(f"{S}.techniqueClass", "Purge")),
        "media[1].sanitisation.technique",
    ),
    (
        "erased by key, no time",
        both(
            put(f"{S}.technique", "CryptographicErase"),
            put(f"{S}.techniqueClass", "Purge"),
            put("media.1.overwrite", "Encrypted"),
        ),
        "media[1].sanitisation.keyDestroyedAt",
    ),
    ("one byte short", put(f"{S}.bytesWritten", SIZE - 1), "media[1].sanitisation.bytesWritten"),
    ("one byte more", put(f"{S}.bytesWritten", SIZE + 1), "media[1].sanitisation.bytesWritten"),
    (
        "write errors",
        both(put(f"{S}.writeErrors", ONE_BAD), put(f"{S}.bytesWritten", SIZE - 4096)),
        "media[1].sanitisation.writeErrors",
    ),
    ("kept as evidence", put(f"{S}.discard", "Kept"), "media[1].sanitisation.discard"),
    ("verification failed", put(f"{V}.result", "Failed"), "media[1].sanitisation.verification.result"),
    ("verified before the wipe", put(f"{V}.at", at(19)), "media[1].sanitisation.verification.at"),
    ("verified after the end", put(f"{V}.at", at(23)), "media[1].sanitisation.verification.at"),
    ("mismatches", put(f"{V}.mismatches", ONE_BAD), "media[1].sanitisation.verification.mismatches"),
    (
        "read errors",
        both(put(f"{V}.errors", ONE_BAD), put(f"{V}.bytesVerified", SIZE - 4096)),
        "media[1].sanitisation.verification.errors",
    ),
    (
        "not all read back",
        put(f"{V}.bytesVerified", SIZE - 1),
        "media[1].sanitisation.verification.bytesVerified",
    ),
    ("full but a share", put(f"{V}.share", 0.5), "media[1].sanitisation.verification.share"),
    ("sample, no seed", both(SAMPLE, put(f"{V}.seed", "")), "media[1].sanitisation.verification.seed"),
    ("sample of nothing", both(SAMPLE, put(f"{V}.share", 0.0)), "media[1].sanitisation.verification.share"),
    ("sample, no block", both(SAMPLE, put(f"{V}.blockBytes", 0)), "media[1].sanitisation.verification.share"),
    (
        "sample too small",
        both(SAMPLE, put(f"{V}.blocksRead", 9)),
        "media[1].sanitisation.verification.blocksRead",
    ),
    (
        "sample not all good",
        both(SAMPLE, put(f"{V}.bytesVerified", 9)),
        "media[1].sanitisation.verification.bytesVerified",
    ),
    (
        "odds overstated",
        both(SAMPLE, put(f"{V}.detectionOdds", 1.0)),
        "media[1].sanitisation.verification.detectionOdds",
    ),
    ("copy of what", put("copies.0.mediumKey", "m-9"), "copies[0].mediumKey"),
    ("copy still there", put("copies.0.outcome", "Present"), "copies[0].outcome"),
    ("copy gone, but when", put("copies.0.at", None), "copies[0].at"),
    ("snapshot handed over", put("copies.0.outcome", "HandedOver"), "copies[0].outcome"),
    ("handed over without receipt", put("backup.receipt", None), "copies[1].outcome"),
    ("no receipt", put("backup.receipt", None), "backup.receipt"),
    ("no backup of one", lambda d: d["backup"]["proofs"].pop(), "backup.proofs"),
    ("backup of what", put("backup.proofs.0.mediumKey", "m-9"), "backup.proofs[0].mediumKey"),
    ("backup after the wipe", put("backup.proofs.0.taken", at(20.5)), "backup.proofs[0].taken"),
    ("receipt made out, no hash", put("backup.receiptSha256", None), "backup.receiptSha256"),
    ("another receipt", put("backup.receipt.sha256", "ee" * 32), "backup.receipt.sha256"),
    ("receipt before the backup", put("backup.receipt.at", at(9)), "backup.receipt.at"),
    ("wiped before the receipt", put("backup.receipt.at", at(20.5)), "backup.receipt.at"),
    ("no confirmation", put("confirmation", None), "confirmation"),
    ("confirmed before approval", put("confirmation.at", at(-1)), "confirmation.at"),
    ("nobody verified", put("verifiedBy", None), "verifiedBy"),
    ("verified before it happened", put("verifiedBy.at", at(20.5)), "verifiedBy.at"),
    ("nobody validated", put("validatedBy", None), "validatedBy"),
    ("one person for both", put("validatedBy.name", " GovPool"), "validatedBy.name"),
    ("validated first", put("validatedBy.at", at(26.5)), "validatedBy.at"),
    ("dated too early", put("issued", at(27.5)), "issued"),
    ("first, with a predecessor", put("previousHash", "ab" * 32), "previousHash"),
    ("second, without one", put("sequence", 2), "previousHash"),
]


def test_a_complete_certificate_lacks_nothing() -> None:
    assert missing(spec()) == ()
    assert missing(spec(SAMPLE)) == ()


@pytest.mark.parametrize(("broken", "path"), [lack[1:] for lack in LACKS], ids=[lack[0] for lack in LACKS])
def test_each_lack_is_told_where_it_is_and_why(broken: Break, path: str) -> None:
    lacks = missing(spec(broken))
    assert path in {lack.path for lack in lacks}, lacks
    assert all(lack.why and lack.source for lack in lacks)


ACCEPTED: list[tuple[str, Break]] = [
    (
        "residual risk stated for errors",
        both(
            put(f"{S}.writeErrors", ONE_BAD),
            put(f"{S}.bytesWritten", SIZE - 4096),
            put("media.1.residualRisk", "4 KiB could not be written; the medium is destroyed."),
        ),
    ),
    (
        "residual risk stated for copy-on-write",
        both(put("media.1.overwrite", "CopyOnWrite"), put("media.1.residualRisk", "Old blocks may survive.")),
    ),
    (
        "erased by key",
        both(
            put(f"{S}.technique", "CryptographicErase"),
            put(f"{S}.techniqueClass", "Purge"),
            put(f"{S}.keyDestroyedAt", at(20)),
            put("media.1.overwrite", "Encrypted"),
        ),
    ),
    (
        "destroyed",
        both(
            put(f"{S}.technique", "PhysicalDestruction"),
            put(f"{S}.techniqueClass", "Destroy"),
            put(f"{S}.bytesWritten", 0),
            put(f"{V}.bytesVerified", 0),
        ),
    ),
    (
        "a policy without backup",
        both(put("backup", {"required": False}), lambda d: d["copies"].pop()),
    ),
    ("no copies", put("copies", [])),
]


@pytest.mark.parametrize("change", [case[1] for case in ACCEPTED], ids=[case[0] for case in ACCEPTED])
def test_what_is_accepted(change: Break) -> None:
    assert missing(spec(change)) == ()


# -- canonical form ------------------------------------------------------------------------------
def test_the_canonical_form_is_rfc_8785_and_survives_a_round_trip() -> None:
    one = spec()
    text = canonical_bytes(one)
    assert text == rfc8785.dumps(json.loads(text))
    assert canonical_bytes(parse(json.loads(text))) == text
    assert (
        canonical_bytes(
            parse({"apiVersion": "govpool.dev/v1alpha1", "kind": "WipeCertificate", "spec": json.loads(text)})
        )
        == text
    )
    assert signed_bytes(one) == text


def test_the_canonical_form_is_what_the_fields_say_and_no_default_is_left_out() -> None:
    told = json.loads(canonical_bytes(spec()))
    assert told["media"][1]["sanitisation"]["writeErrors"] == {"bytes": 0, "count": 0, "ranges": []}
    assert told["media"][0]["sanitisation"]["verification"]["share"] == 1


@pytest.mark.parametrize(
    ("broken", "said"),
    [
        ({"kind": "Approval", "spec": {}}, "this is a Approval"),
        ({"spec": 3}, "certificate"),
        ({**document(), "surprise": 1}, "surprise"),
        ({**document(), "issued": "2026-03-02T08:00:00"}, "issued"),
        ({**document(), "sequence": 2**53}, "sequence"),
        ({**document(), "regulation": {**document()["regulation"], "note": "x"}}, "regulation.note"),
    ],
)
def test_what_is_no_certificate_is_refused_with_the_field(broken: dict, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        parse(broken)


# -- evidence ------------------------------------------------------------------------------------
REPORT = {
    "disk_key": "d-0",
    "run_key": "wo-1",
    "result": "Verified",
    "technique_class": "Clear",
    "technique": "Overwrite with AES-256-CTR keyed stream, one pass",
    "tool": "govpool_wipe",
    "tool_version": "1.0.0",
    "key_fingerprint": "ab" * 16,
    "size_bytes": SIZE,
    "bytes_written": SIZE,
    "bytes_verified": SIZE,
    "write_errors": {"count": 0, "bytes": 0, "ranges": []},
    "verify_errors": {"count": 0, "bytes": 0, "ranges": []},
    "mismatches": {"count": 0, "bytes": 0, "ranges": []},
    "mismatched_zero_bytes": 0,
    "started_at": at(20),
    "verified_at": at(20.9),
    "finished_at": at(21),
    "overwrite_seconds": 6.5,
    "verify_seconds": 8.1,
    "bytes_per_second": 10**9,
    "verification": {"method": "Full", "share": 1.0, "seed": "", "block_bytes": 4 << 20, "blocks_read": 1281},
    "read_back": ["O_DIRECT"],
    "resumed": 0,
    "discard": {"result": "Done", "message": ""},
    "adopted": False,
}


def with_report(report: dict) -> WipeCertificateSpec:
    one = spec()
    changed = one.media[1].model_copy(update={"sanitisation": sanitisation(report, "d-0", SIZE)})
    return one.model_copy(update={"media": [one.media[0], changed]})


def test_a_wipe_report_becomes_a_sanitisation_that_lacks_nothing() -> None:
    assert missing(with_report(REPORT)) == ()


@given(share=st.floats(0.001, 0.5))
def test_a_sampled_report_tells_its_odds(share: float) -> None:
    blocks = -(-SIZE // 65536)
    read = -(-int(share * blocks * 10**6) // 10**6) + 1
    method = {"method": "Sampled", "share": share, "seed": "s", "block_bytes": 65536, "blocks_read": read}
    report = {**REPORT, "verification": method, "bytes_verified": read * 65536}
    assert missing(with_report(report)) == ()


@pytest.mark.parametrize(("result", "where"), [("Mismatch", "mismatches"), ("Incomplete", "verify_errors")])
def test_a_report_of_a_failed_wipe_never_makes_a_certificate(result: str, where: str) -> None:
    bad = {"count": 1, "bytes": 4096, "ranges": [[0, 4096]]}
    report = {**REPORT, "result": result, where: bad, "bytes_verified": SIZE - 4096}
    one = with_report(report)
    assert one.media[1].sanitisation is not None
    assert one.media[1].sanitisation.verification.result is VerificationResult.FAILED
    assert missing(one)


@pytest.mark.parametrize(
    "change", [{"disk_key": "d-1"}, {"size_bytes": 1}, {"result": "Fine"}, {"started_at": "x"}]
)
def test_a_report_about_something_else_is_refused(change: dict) -> None:
    with pytest.raises(EvidenceError):
        sanitisation({**REPORT, **change}, "d-0", SIZE)


def test_a_receipt_becomes_a_proof() -> None:
    receipt = {
        "disk_key": "d-0",
        "place": "/srv/backup",
        "snapshot": "12" * 32,
        "tree": "34" * 32,
        "manifest_sha256": "56" * 32,
        "bytes": 9,
        "files": 1,
        "taken": at(10),
        "verification": {"method": "Restore"},
    }
    assert backup_proof(receipt, "d-0").sha256 == "56" * 32
    with pytest.raises(EvidenceError, match="not d-1"):
        backup_proof(receipt, "d-1")
    with pytest.raises(EvidenceError, match="snapshot"):
        backup_proof({k: v for k, v in receipt.items() if k != "snapshot"}, "d-0")
