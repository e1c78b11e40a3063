"""The wipe certificate (销毁证书): its canonical form, and whether a chain of them holds. Pure.

A certificate is refused while :func:`missing` finds anything. Its hash and signature are taken over the
RFC 8785 (JCS) form of the parsed certificate, so that it may be stored as YAML or JSON and served by any
API server without breaking them.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from pydantic import JsonValue, ValidationError

from govpool.api.wipecertificate import GENESIS, Signature, WipeCertificateSpec
from govpool.rules.canonical import canonical
from govpool.rules.certificate_lacks import Lack, missing
from govpool.rules.remembered import once

__all__ = [
    "GENESIS",
    "Fault",
    "FaultKind",
    "Lack",
    "SignatureCheck",
    "Verdict",
    "Verify",
    "canonical_bytes",
    "certificate_hash",
    "missing",
    "parse",
    "signed_bytes",
    "verify_chain",
]

Verify = Callable[[Signature, bytes], "SignatureCheck"]
"""Checks a signature over bytes; see effects.signing."""


@dataclass(frozen=True, slots=True)
class SignatureCheck:
    """What a look at a signature gave."""

    valid: bool
    message: str
    """Why not; or under which key."""
    trusted: bool = False
    """The key was named by the reader, not taken from the file itself."""


class FaultKind(StrEnum):
    """What can be wrong with a certificate in its chain."""

    UNREADABLE = "Unreadable"
    INCOMPLETE = "Incomplete"
    SIGNATURE = "Signature"
    GENESIS = "Genesis"
    GAP = "Gap"
    FORK = "Fork"
    BROKEN_LINK = "BrokenLink"
    ORDER = "Order"
    KEY_CHANGED = "KeyChanged"
    HEAD = "Head"


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong, in words that say what it means."""

    kind: FaultKind
    message: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """What was found about one certificate. It stands when there is no fault."""

    source: str
    """The file it came from."""
    number: str
    hash: str
    fingerprint: str
    """Of the key that signed it."""
    trusted: bool
    """Whether that key is one that the reader named."""
    faults: tuple[Fault, ...] = ()
    notes: tuple[str, ...] = ()
    """What could not be checked, and how it could."""

    @property
    def ok(self) -> bool:
        """Whether signature, chain and completeness hold."""
        return not self.faults


# -- canonical form ------------------------------------------------------------------------------
def canonical_bytes(certificate: WipeCertificateSpec) -> bytes:
    """The certificate in RFC 8785 form, signature included."""
    return _canonical(certificate)


def signed_bytes(certificate: WipeCertificateSpec) -> bytes:
    """What the signature is made over: the RFC 8785 form without ``signature``."""
    return _canonical(certificate.model_copy(update={"signature": None}))


def _canonical(certificate: WipeCertificateSpec) -> bytes:
    document = certificate.model_dump(mode="json", by_alias=True, exclude_none=True)
    return canonical(document)


@once
def certificate_hash(certificate: WipeCertificateSpec) -> str:
    """SHA-256 of :func:`canonical_bytes`: what the next certificate carries as ``previousHash``."""
    return hashlib.sha256(canonical_bytes(certificate)).hexdigest()


def parse(document: Mapping[str, JsonValue]) -> WipeCertificateSpec:
    """Read a certificate from the Kubernetes object or from its bare spec.

    Raises:
        ValueError: it is another kind, or not a certificate; the message names the fields.
    """
    kind = document.get("kind", "WipeCertificate")
    if kind != "WipeCertificate":
        raise ValueError(f"this is a {kind}, not a WipeCertificate")
    spec = document.get("spec", document)
    try:
        return WipeCertificateSpec.model_validate(spec)
    except ValidationError as error:
        lines = (f"{'.'.join(map(str, e['loc'])) or 'certificate'}: {e['msg']}" for e in error.errors()[:8])
        raise ValueError("; ".join(lines)) from None


# -- the chain -----------------------------------------------------------------------------------
@dataclass(frozen=True, slots=True)
class _Link:
    source: str
    certificate: WipeCertificateSpec
    hash: str


def verify_chain(
    documents: Iterable[tuple[str, Mapping[str, JsonValue]]],
    verify: Verify,
    *,
    whole: bool = False,
    head: str | None = None,
) -> list[Verdict]:
    """Judge certificates, given as (source, document) in any order: signature, chain, completeness.

    ``whole`` demands each chain from its first certificate on; otherwise an absent beginning is a note, so
    that a unit can check the one certificate that it holds. ``head`` is the hash that the last certificate
    must have: without it nobody can see that the end of a chain was cut off.
    """
    verdicts: list[Verdict] = []
    chains: dict[str, dict[str, _Link]] = defaultdict(dict)
    for source, document in documents:
        try:
            certificate = parse(document)
        except ValueError as error:
            fault = Fault(FaultKind.UNREADABLE, f"can't be read as a certificate: {error}")
            verdicts.append(Verdict(source, "", "", "", trusted=False, faults=(fault,)))
            continue
        link = _Link(source, certificate, certificate_hash(certificate))
        chains[certificate.authority].setdefault(link.hash, link)
    tails: list[Verdict] = []
    for links in chains.values():
        judged = _judge_chain(tuple(links.values()), verify, whole=whole)
        tails.append(judged[-1])
        verdicts.extend(judged)
    if head is not None and all(tail.hash != head for tail in tails):
        why = f"no chain ends with {head[:12]}...: later certificates are missing, or it is another chain"
        cut = Fault(FaultKind.HEAD, why)
        return [replace(v, faults=(*v.faults, cut)) if v in tails else v for v in verdicts]
    return verdicts


def _judge_chain(links: Sequence[_Link], verify: Verify, *, whole: bool) -> list[Verdict]:
    ordered = sorted(links, key=lambda link: (link.certificate.sequence, link.source))
    at: dict[int, list[_Link]] = defaultdict(list)
    after: dict[str, list[_Link]] = defaultdict(list)
    numbered: dict[str, list[_Link]] = defaultdict(list)
    for link in ordered:
        at[link.certificate.sequence].append(link)
        after[link.certificate.previous_hash].append(link)
        numbered[link.certificate.number].append(link)
    verdicts = []
    first = ordered[0].certificate.sequence
    for link in ordered:
        certificate = link.certificate
        check = _check_signature(certificate, verify)
        faults = [] if check.valid else [Fault(FaultKind.SIGNATURE, check.message)]
        faults += (
            Fault(FaultKind.INCOMPLETE, f"{lack.path}: {lack.why} ({lack.source})")
            for lack in missing(certificate)
        )
        rivals = (*at[certificate.sequence], *after[certificate.previous_hash], *numbered[certificate.number])
        faults += _forks(link, {rival.hash: rival for rival in rivals if rival.hash != link.hash}.values())
        notes: list[str] = []
        if certificate.sequence == first:
            faults += _judge_first(certificate, whole=whole, notes=notes)
        else:
            faults += _judge_link(link, at[certificate.sequence - 1], trusted=check.trusted)
        fingerprint = certificate.signature.fingerprint if certificate.signature else ""
        if check.valid and not check.trusted:
            notes.append(
                f"signed with the key in the file itself: compare {fingerprint} with the authority's own"
            )
        verdicts.append(
            Verdict(
                link.source,
                certificate.number,
                link.hash,
                fingerprint,
                check.trusted,
                tuple(faults),
                tuple(notes),
            )
        )
    return verdicts


def _check_signature(certificate: WipeCertificateSpec, verify: Verify) -> SignatureCheck:
    if certificate.signature is None:
        return SignatureCheck(valid=False, message="it is not signed")
    return verify(certificate.signature, signed_bytes(certificate))


def _forks(link: _Link, rivals: Iterable[_Link]) -> Iterable[Fault]:
    for rival in sorted(rivals, key=lambda other: other.source):
        yield Fault(
            FaultKind.FORK,
            f"{rival.source} takes the same place in the chain (sequence {rival.certificate.sequence}, "
            f"number {rival.certificate.number}) with other content: one of the two is not genuine",
        )


def _judge_first(certificate: WipeCertificateSpec, *, whole: bool, notes: list[str]) -> Iterable[Fault]:
    begins = certificate.previous_hash == GENESIS
    if begins != (certificate.sequence == 1):
        yield Fault(
            FaultKind.GENESIS,
            f"sequence {certificate.sequence} and previousHash {certificate.previous_hash[:12]}... differ: "
            "only a chain's first certificate has sequence 1, and it alone has zeros there",
        )
    elif not begins and whole:
        yield Fault(
            FaultKind.GAP,
            f"certificates 1 to {certificate.sequence - 1} of {certificate.authority} are missing",
        )
    elif not begins:
        notes.append(
            f"the chain is checked from sequence {certificate.sequence} on: "
            f"give the files of 1 to {certificate.sequence - 1} to check it from its beginning"
        )


def _judge_link(link: _Link, before: Sequence[_Link], *, trusted: bool) -> Iterable[Fault]:
    certificate = link.certificate
    if not before:
        yield Fault(
            FaultKind.GAP,
            f"certificate {certificate.sequence - 1} of {certificate.authority} is missing: "
            "add its file, or it was removed",
        )
        return
    previous = next((other for other in before if other.hash == certificate.previous_hash), None)
    if previous is None:
        yield Fault(
            FaultKind.BROKEN_LINK,
            f"previousHash {certificate.previous_hash[:12]}... is not the hash of {before[0].source} "
            f"({before[0].hash[:12]}...): one of the two was changed after it was issued",
        )
        return
    if certificate.issued < previous.certificate.issued:
        yield Fault(
            FaultKind.ORDER,
            f"issued {certificate.issued.isoformat()}, before its predecessor {previous.source}: "
            "certificates were reordered or a clock was wrong",
        )
    one, other = certificate.signature, previous.certificate.signature
    if one and other and one.fingerprint != other.fingerprint and not trusted:
        yield Fault(
            FaultKind.KEY_CHANGED,
            f"signed with {one.fingerprint}, its predecessor with {other.fingerprint}: "
            "name both keys as trusted if the authority changed its key",
        )
