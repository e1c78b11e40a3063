"""Issuing certificates: whoever dies at whichever write, no number comes twice and none is left out."""

from __future__ import annotations

import asyncio
import contextlib

import certificate_examples as examples
import pytest
from effects_ground import NAMESPACE, OWN, Plane, nth, request_of

from govpool.api.base import REQUEST_LABEL, ObjectMeta
from govpool.api.wipecertificate import WipeCertificate, WipeCertificateSpec
from govpool.effects import certificates, secrets
from govpool.effects.certificates import CHAIN, KEY_SECRET, PUBLIC_KEY, finish, issue
from govpool.effects.kube import KubeError
from govpool.effects.signing import (
    CertificateRefusedError,
    KeyUnusableError,
    generate_private_key,
    load_public_key,
    sign,
    verifier,
)
from govpool.rules.certificate import verify_chain
from govpool.standalone.faults import FaultKind

AUTHORITY = "yiyang-2025"
REQUEST = request_of()


def draft(**change: object) -> WipeCertificateSpec:
    return WipeCertificateSpec.model_validate(examples.document() | {"authority": AUTHORITY} | change)


async def head(plane: Plane) -> dict[str, str]:
    chain = await plane.admin.core_get("configmaps", OWN, CHAIN)
    assert chain is not None
    return chain["data"]  # type: ignore[return-value]


async def chain_is_whole(plane: Plane, count: int, authority: str = AUTHORITY) -> list[WipeCertificate]:
    """So many certificates, numbered without gap, chained, signed by the published key, and a true head."""
    data = await head(plane)
    assert "pending" not in data
    found = [c for c in await plane.admin.list(WipeCertificate) if c.spec.authority == authority]
    found.sort(key=lambda c: c.spec.sequence)
    assert [c.spec.sequence for c in found] == list(range(1, count + 1))
    assert len({c.spec.number for c in found}) == count
    written = [(c.metadata.name, c.model_dump(mode="json", by_alias=True, exclude_none=True)) for c in found]
    trusted = verifier([load_public_key(data[PUBLIC_KEY].encode())])
    verdicts = verify_chain(written, trusted, whole=True, head=data[f"{authority}.hash"])
    assert all(verdict.ok and verdict.trusted for verdict in verdicts), verdicts
    assert (
        data[f"{authority}.sequence"] == str(count) and data[f"{authority}.number"] == found[-1].spec.number
    )
    return found


async def persistently(plane: Plane, name: str) -> WipeCertificate:
    """As the work queue does it: again, until it is done."""
    while True:
        try:
            return await issue(plane.kube, REQUEST, name, draft())
        except KubeError as error:
            assert error.passing or error.conflict, error


async def test_each_carries_the_hash_of_the_one_before(plane: Plane) -> None:
    for number in range(3):
        made = await issue(plane.kube, REQUEST, f"c-{number}", draft())
        assert made.metadata.labels[REQUEST_LABEL] == REQUEST.metadata.uid
    assert [c.spec.number for c in await chain_is_whole(plane, 3)] == [
        f"YIYANG-2025-2026-{n:06d}" for n in (1, 2, 3)
    ]


async def test_issued_again_it_is_the_same(plane: Plane) -> None:
    first = await issue(plane.kube, REQUEST, "c", draft())
    plane.seen.clear()
    again = await issue(plane.kube, REQUEST, "c", draft(number="another"))
    assert again == first and plane.writes() == []
    await chain_is_whole(plane, 1)


@pytest.mark.parametrize("kind", [FaultKind.DROP_BEFORE, FaultKind.DROP_AFTER])
@pytest.mark.parametrize("write", [1, 2, 3, 4, 5])
async def test_a_death_at_any_write_is_made_good_by_the_next(
    plane: Plane, kind: FaultKind, write: int
) -> None:
    """The writes: signing key, chain, pending, certificate, head."""
    plane.fault = nth(write, kind)
    with contextlib.suppress(KubeError):  # aiohttp itself repeats a PUT that the server did not get
        await issue(plane.kube, REQUEST, "first", draft())
    assert len(plane.writes()) >= write
    plane.fault = lambda _: None
    # Another request's certificate comes next: the first one's must not be left out or overtaken.
    await issue(plane.kube, REQUEST, "second", draft())
    await issue(plane.kube, REQUEST, "first", draft())
    await chain_is_whole(plane, 2)


@pytest.mark.parametrize("write", [3, 4, 5])
async def test_a_death_is_made_good_without_another_certificate(plane: Plane, write: int) -> None:
    plane.fault = nth(write, FaultKind.DROP_AFTER)
    with pytest.raises(KubeError):
        await issue(plane.kube, REQUEST, "only", draft())
    plane.fault = lambda _: None
    await finish(plane.kube)
    await finish(plane.kube)
    await chain_is_whole(plane, 1)


async def test_many_at_once_stand_in_one_chain(plane: Plane) -> None:
    await asyncio.gather(*(persistently(plane, f"c-{number}") for number in range(5)))
    await chain_is_whole(plane, 5)


async def test_authorities_have_chains_of_their_own(plane: Plane) -> None:
    await issue(plane.kube, REQUEST, "a", draft())
    await issue(plane.kube, REQUEST, "b", draft(authority="weihai-2025"))
    await issue(plane.kube, REQUEST, "c", draft())
    await chain_is_whole(plane, 2)
    await chain_is_whole(plane, 1, "weihai-2025")


async def test_what_is_not_complete_takes_no_number(plane: Plane) -> None:
    await issue(plane.kube, REQUEST, "a", draft())
    before = await head(plane)
    with pytest.raises(CertificateRefusedError):
        await issue(plane.kube, REQUEST, "b", draft(confirmation=None))
    assert await head(plane) == before
    await chain_is_whole(plane, 1)


async def test_a_lost_head_is_made_anew_from_the_certificates(plane: Plane) -> None:
    for name in ("a", "b"):
        await issue(plane.kube, REQUEST, name, draft())
    await plane.admin.core_delete("configmaps", OWN, CHAIN)
    await issue(plane.kube, REQUEST, "c", draft())
    await chain_is_whole(plane, 3)


async def test_another_signing_key_is_refused(plane: Plane) -> None:
    await issue(plane.kube, REQUEST, "a", draft())
    await secrets.destroy(plane.admin, KEY_SECRET)
    with pytest.raises(KeyUnusableError, match="restore it"):
        await issue(plane.kube, REQUEST, "b", draft())
    await chain_is_whole(plane, 1)


async def test_a_stranger_under_the_pending_name_is_not_taken_for_it(plane: Plane) -> None:
    await issue(plane.kube, REQUEST, "a", draft())
    plane.fault = nth(2, FaultKind.DROP_BEFORE)  # pending is on record, the certificate is not
    with pytest.raises(KubeError):
        await issue(plane.kube, REQUEST, "b", draft())
    plane.fault = lambda _: None
    forged = sign(draft(), generate_private_key())
    meta = ObjectMeta(name="b", namespace=NAMESPACE, labels={REQUEST_LABEL: REQUEST.metadata.uid})
    await plane.admin.create(WipeCertificate(kind="WipeCertificate", metadata=meta, spec=forged))
    with pytest.raises(KubeError, match="find out who made it"):
        await finish(plane.kube)
    assert (await head(plane))[f"{AUTHORITY}.sequence"] == "1"


async def test_a_unit_that_is_gone_does_not_block_the_others(plane: Plane) -> None:
    await issue(plane.kube, REQUEST, "a", draft())
    await plane.admin.ensure_namespace("leaving")
    meta = REQUEST.metadata.model_copy(update={"namespace": "leaving"})
    plane.fault = nth(2, FaultKind.DROP_BEFORE)
    with pytest.raises(KubeError):
        await issue(plane.kube, REQUEST.model_copy(update={"metadata": meta}), "b", draft())
    plane.fault = lambda _: None
    await plane.admin._request("DELETE", "/api/v1/namespaces/leaving")
    with pytest.raises(KubeError):
        await issue(plane.kube, REQUEST, "c", draft())
    await issue(plane.kube, REQUEST, "c", draft())
    await chain_is_whole(plane, 2)


async def test_without_a_chain_there_is_nothing_to_finish(plane: Plane) -> None:
    await finish(plane.kube)
    assert plane.writes() == []
    assert await plane.admin.core_get("configmaps", OWN, certificates.CHAIN) is None
