"""Ed25519 keys and signatures (RFC 8032) of wipe certificates, and reading certificates from files."""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import yaml
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from pydantic import JsonValue

from govpool.api.wipecertificate import Signature, WipeCertificateSpec
from govpool.rules.certificate import Lack, SignatureCheck, Verify, missing, signed_bytes


class CertificateRefusedError(Exception):
    """The certificate is not complete, so it is not signed; ``lacks`` says what it lacks."""

    def __init__(self, lacks: tuple[Lack, ...]) -> None:
        self.lacks = lacks
        told = "; ".join(f"{lack.path}: {lack.why} ({lack.source})" for lack in lacks)
        super().__init__(f"the certificate is refused: {told}")


class KeyUnusableError(Exception):
    """A key can't be read, or is no Ed25519 key."""


# -- keys ----------------------------------------------------------------------------------------
def generate_private_key() -> bytes:
    """A new Ed25519 key as PKCS #8 PEM. The caller stores it where only the operator can read it."""
    return Ed25519PrivateKey.generate().private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def public_pem(private_pem: bytes) -> bytes:
    """The public half as PEM, to be published. Raises KeyUnusableError."""
    return (
        load_private_key(private_pem)
        .public_key()
        .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    )


def load_private_key(pem: bytes) -> Ed25519PrivateKey:
    """Read a private key from PEM. Raises KeyUnusableError; its message never shows the key."""
    try:
        key = serialization.load_pem_private_key(pem, password=None)
    except (ValueError, TypeError):
        raise KeyUnusableError(
            "the signing key can't be read: give an unencrypted PKCS #8 PEM file"
        ) from None
    if not isinstance(key, Ed25519PrivateKey):
        raise KeyUnusableError(
            "the signing key is no Ed25519 key: make one with `openssl genpkey -algorithm ed25519`"
        )
    return key


def load_public_key(pem: bytes) -> Ed25519PublicKey:
    """Read a public key from PEM. Raises KeyUnusableError."""
    try:
        key = serialization.load_pem_public_key(pem)
    except ValueError:
        raise KeyUnusableError("the public key can't be read: give a PEM file (BEGIN PUBLIC KEY)") from None
    if not isinstance(key, Ed25519PublicKey):
        raise KeyUnusableError("the public key is no Ed25519 key")
    return key


def fingerprint(key: Ed25519PublicKey) -> str:
    """``SHA256:`` and the SHA-256 of the raw public key in hex."""
    return f"SHA256:{hashlib.sha256(key.public_bytes_raw()).hexdigest()}"


# -- signatures ----------------------------------------------------------------------------------
def sign(certificate: WipeCertificateSpec, private_pem: bytes) -> WipeCertificateSpec:
    """Sign a complete certificate; an earlier signature is replaced.

    Raises:
        CertificateRefusedError: something is missing; nothing is signed.
        KeyUnusableError: the key can't be used.
    """
    lacks = missing(certificate)
    if lacks:
        raise CertificateRefusedError(lacks)
    key = load_private_key(private_pem)
    signature = Signature(
        public_key=base64.b64encode(key.public_key().public_bytes_raw()).decode(),
        fingerprint=fingerprint(key.public_key()),
        value=base64.b64encode(key.sign(signed_bytes(certificate))).decode(),
    )
    return certificate.model_copy(update={"signature": signature})


def verifier(trusted: Iterable[Ed25519PublicKey] = ()) -> Verify:
    """A check for :func:`govpool.rules.certificate.verify_chain`.

    With trusted keys a signature by any other key fails. Without, the key in the file itself is used, and
    the check says that this shows only that the file is in one piece.
    """
    known = {fingerprint(key) for key in trusted}

    def check(signature: Signature, signed: bytes) -> SignatureCheck:
        try:
            key = Ed25519PublicKey.from_public_bytes(base64.b64decode(signature.public_key, validate=True))
            value = base64.b64decode(signature.value, validate=True)
        except (ValueError, binascii.Error):
            return SignatureCheck(
                valid=False, message="the signature's key or value is no base64 of an Ed25519 one"
            )
        found = fingerprint(key)
        if found != signature.fingerprint:
            return SignatureCheck(valid=False, message="the fingerprint is not that of the key beside it")
        if known and found not in known:
            return SignatureCheck(
                valid=False, message=f"signed with {found}, which is none of the trusted keys"
            )
        try:
            key.verify(value, signed)
        except InvalidSignature:
            why = "the signature does not match: the certificate was changed after it was signed"
            return SignatureCheck(valid=False, message=why)
        return SignatureCheck(valid=True, message=f"signed with {found}", trusted=bool(known))

    return check


# -- files ---------------------------------------------------------------------------------------
def read_documents(paths: Iterable[Path]) -> Iterator[tuple[str, dict[str, JsonValue]]]:
    """Every certificate in YAML or JSON files, as (source, document). Lists (``kind: List``) are unfolded.

    What can't be read comes as a document that no certificate can be parsed from, so that the verdict is
    about that file and the others are judged all the same.

    Raises:
        OSError: a file can't be opened.
    """
    for path in paths:
        try:
            text = path.read_bytes().decode("utf-8")
            found = list(_documents(text))
        except (ValueError, yaml.YAMLError) as error:
            reason = " ".join(str(error).split())
            yield str(path), {"kind": f"file that is no YAML or JSON: {reason}"}
            continue
        if not found:
            yield str(path), {"kind": "file without any document"}
        for index, document in enumerate(found):
            yield (str(path) if len(found) == 1 else f"{path}[{index}]"), document


def _documents(text: str) -> Iterator[dict[str, JsonValue]]:
    loaded: list[JsonValue]
    if text.lstrip().startswith("{"):
        loaded = [json.loads(text, object_pairs_hook=_unique)]
    else:
        loaded = [one for one in yaml.load_all(text, Loader=_UniqueKeys) if one is not None]
    for document in loaded:
        if not isinstance(document, dict):
            raise ValueError(f"holds a {type(document).__name__} where an object is expected")  # noqa: TRY004
        items = document.get("items")
        if str(document.get("kind", "")).endswith("List") and isinstance(items, list):
            yield from (item for item in items if isinstance(item, dict))
        else:
            yield document


def _unique(pairs: list[tuple[str, JsonValue]]) -> dict[str, JsonValue]:
    document = dict(pairs)
    if len(document) != len(pairs):
        # Which of two values counts differs between readers: one could be shown and the other verified.
        raise ValueError("an object has the same key twice")
    return document


class _UniqueKeys(yaml.SafeLoader):
    """SafeLoader that refuses a key that comes twice and leaves timestamps as text."""


def _mapping(loader: _UniqueKeys, node: yaml.MappingNode) -> dict[str, JsonValue]:
    pairs = loader.construct_pairs(node, deep=True)
    return _unique([(str(key), value) for key, value in pairs])


_UniqueKeys.add_constructor("tag:yaml.org,2002:map", _mapping)
_text: Callable[[yaml.SafeLoader, yaml.ScalarNode], str] = lambda _, node: str(node.value)  # noqa: E731
_UniqueKeys.add_constructor("tag:yaml.org,2002:timestamp", _text)
