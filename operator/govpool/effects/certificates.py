"""Issue wipe certificates one at a time, so that each can carry the hash of the one before.

The chain's head stands in a ConfigMap. A certificate is written there first, whole and signed, then
created, then made the head: whoever is killed in between is continued by the next, and no number is used
twice or left out.
"""

from __future__ import annotations

from typing import cast

from govpool.api.base import REQUEST_LABEL, ObjectMeta
from govpool.api.cloudresourcerequest import CloudResourceRequest
from govpool.api.wipecertificate import GENESIS, WipeCertificate, WipeCertificateSpec
from govpool.effects import secrets
from govpool.effects.kube import Json, Kube, KubeError
from govpool.effects.signing import KeyUnusableError, generate_private_key, public_pem, sign
from govpool.rules.certificate import certificate_hash

KEY_SECRET = "certificate-signing-key"  # noqa: S105 - the Secret's name
CHAIN = "certificate-chain"
PUBLIC_KEY = "publicKey"


async def signing_key(kube: Kube) -> bytes:
    """The operator's Ed25519 key; made on first use. Its public half is published with the chain's head."""
    values = await secrets.once(kube, KEY_SECRET, lambda: {"privateKey": generate_private_key().decode()})
    return values["privateKey"].encode()


async def issue(
    kube: Kube, request: CloudResourceRequest, name: str, draft: WipeCertificateSpec
) -> WipeCertificate:
    """Store the certificate as the chain's next.

    Raises:
        CertificateRefusedError: something is missing from it.
        KeyUnusableError: the signing key is not the one whose public half is published.
        KubeError: the API server; a conflict means that another was issued meanwhile: look again.
    """
    key = await signing_key(kube)
    chain = await _finish(kube, await _chain(kube, key))
    try:
        return await kube.get(WipeCertificate, name, request.metadata.namespace)
    except KubeError as error:
        if not error.absent:
            raise
    data = cast(dict[str, str], chain.get("data") or {})
    sequence = int(data.get(f"{draft.authority}.sequence", "0")) + 1
    placed = draft.model_copy(
        update={
            "number": f"{draft.authority.upper()}-{draft.issued:%Y}-{sequence:06d}",
            "sequence": sequence,
            "previous_hash": data.get(f"{draft.authority}.hash", GENESIS),
        }
    )
    signed = sign(placed, key)
    certificate = WipeCertificate(
        kind=WipeCertificate.DEFINITION.kind,
        metadata=ObjectMeta(
            name=name,
            namespace=request.metadata.namespace,
            labels={REQUEST_LABEL: request.metadata.uid},
        ),
        spec=signed,
    )
    pending = certificate.model_dump_json(by_alias=True, exclude_none=True)
    await _store(kube, await _write(kube, chain, {"pending": pending}), certificate)
    return await kube.get(WipeCertificate, name, request.metadata.namespace)


async def finish(kube: Kube) -> None:
    """Go on with an issue that was cut short, so that the chain's head is the last certificate's.

    Raises:
        KubeError: the API server; a conflict means that somebody else is at it: look again.
    """
    chain = await kube.core_get("configmaps", secrets.NAMESPACE, CHAIN)
    if chain is not None:
        await _finish(kube, chain)


async def catch_up(kube: Kube) -> None:
    """Make the last certificate there is the chain's head, where the head tells of an earlier one: numbers of
    certificates that were put back (a restore, an import) must not be given again.

    Raises:
        KubeError: the API server; a conflict means that somebody wrote the chain meanwhile: repeat.
    """
    chain = await kube.core_get("configmaps", secrets.NAMESPACE, CHAIN)
    if chain is None:
        return
    data, heads = cast("dict[str, str]", chain.get("data") or {}), await _heads(kube)
    later = {
        name.removesuffix(".sequence")
        for name, value in heads.items()
        if name.endswith(".sequence") and int(value) > int(data.get(name, "0"))
    }
    if later:
        change = {n: v for n, v in heads.items() if n.rpartition(".")[0] in later}
        await _write(kube, chain, cast("dict[str, str | None]", change))


async def _finish(kube: Kube, chain: Json) -> Json:
    """Create the certificate that is pending, if any, and make it the head."""
    data = cast(dict[str, str], chain.get("data") or {})
    if "pending" not in data:
        return chain
    return await _store(kube, chain, WipeCertificate.model_validate_json(data["pending"]))


async def _store(kube: Kube, chain: Json, certificate: WipeCertificate) -> Json:
    """Create the certificate, which is the one that is pending, and make it the head."""
    try:
        stored = await kube.create(certificate)
    except KubeError as error:
        if error.status in (403, 404) and await _leaves(kube, certificate.metadata.namespace):
            # It can never be stored, so it was never issued: the others must not wait for it.
            await _write(kube, chain, {"pending": None})
        raise
    spec = certificate.spec
    if certificate_hash(stored.spec) != certificate_hash(spec):
        raise KubeError(
            409,
            "AlreadyExists",
            f"WipeCertificate {stored.metadata.namespace}/{stored.metadata.name} is there and is not the one"
            f" that {secrets.NAMESPACE}/{CHAIN} has as pending: find out who made it",
        )
    return await _write(kube, chain, {"pending": None, **_head(spec)})


async def _chain(kube: Kube, key: bytes) -> Json:
    published = public_pem(key).decode()
    found = await kube.core_get("configmaps", secrets.NAMESPACE, CHAIN)
    if found is not None:
        if cast("dict[str, str]", found.get("data") or {}).get(PUBLIC_KEY) != published:
            raise KeyUnusableError(
                f"Secret {secrets.NAMESPACE}/{KEY_SECRET} is not the key whose public half stands in"
                f" ConfigMap {CHAIN}: restore it, or publish the new one there"
            )
        return found
    body = cast(
        Json,
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": CHAIN},
            "data": {PUBLIC_KEY: published, **await _heads(kube)},
        },
    )
    try:
        return await kube.core_create("configmaps", secrets.NAMESPACE, body)
    except KubeError as error:
        if not error.exists:
            raise
    found = await kube.core_get("configmaps", secrets.NAMESPACE, CHAIN)
    if found is None:
        raise KubeError(409, "Conflict", f"ConfigMap {secrets.NAMESPACE}/{CHAIN} was there and is not")
    return found


async def _heads(kube: Kube) -> dict[str, str]:
    """The chains' heads after the certificates there are: a head that got lost gives no number twice."""
    heads: dict[str, WipeCertificateSpec] = {}
    for certificate in await kube.list(WipeCertificate):
        spec = certificate.spec
        if spec.authority not in heads or heads[spec.authority].sequence < spec.sequence:
            heads[spec.authority] = spec
    return {name: value for spec in heads.values() for name, value in _head(spec).items()}


def _head(spec: WipeCertificateSpec) -> dict[str, str]:
    return {
        f"{spec.authority}.sequence": str(spec.sequence),
        f"{spec.authority}.hash": certificate_hash(spec),
        f"{spec.authority}.number": spec.number,
    }


async def _leaves(kube: Kube, namespace: str) -> bool:
    """Whether the namespace is gone or going, so that nothing can be created in it any more."""
    try:
        found = await kube.get_path(f"/api/v1/namespaces/{namespace}")
    except KubeError as error:
        if not error.absent:
            raise
        return True
    return bool(cast(Json, found["metadata"]).get("deletionTimestamp"))


async def _write(kube: Kube, chain: Json, change: dict[str, str | None]) -> Json:
    """Replace the chain's data if nobody wrote it since."""
    data = {**cast(dict[str, str | None], chain.get("data") or {}), **change}
    kept = {key: value for key, value in data.items() if value is not None}
    body = cast(Json, {**chain, "data": kept})
    return await kube.core_replace("configmaps", secrets.NAMESPACE, CHAIN, body)
