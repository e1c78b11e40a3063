"""Chains of certificates: whatever was changed, removed, added or reordered is found."""

from __future__ import annotations

import base64
import json
import subprocess
from pathlib import Path

import pytest
import yaml
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from pydantic import JsonValue

from govpool.api.wipecertificate import WipeCertificateSpec
from govpool.effects.signing import (
    CertificateRefusedError,
    KeyUnusableError,
    generate_private_key,
    load_private_key,
    load_public_key,
    public_pem,
    read_documents,
    sign,
    verifier,
)
from govpool.rules.certificate import (
    FaultKind,
    Verdict,
    canonical_bytes,
    certificate_hash,
    parse,
    signed_bytes,
    verify_chain,
)

from .certificate_examples import at, chain, document

KEY, OTHER_KEY = generate_private_key(), generate_private_key()
PUBLIC = load_public_key(public_pem(KEY))
CHAIN = chain(4, KEY)
DOCUMENTS: list[dict[str, JsonValue]] = [json.loads(canonical_bytes(one)) for one in CHAIN]


def judge(documents: list[dict], *keys: object, **more: object) -> list[Verdict]:
    named = [(f"{index}.yaml", one) for index, one in enumerate(documents)]
    return verify_chain(named, verifier(keys or (PUBLIC,)), **more)


def faults(verdicts: list[Verdict]) -> set[FaultKind]:
    return {fault.kind for verdict in verdicts for fault in verdict.faults}


def test_an_honest_chain_stands_in_any_order() -> None:
    for documents in (DOCUMENTS, DOCUMENTS[::-1], [*DOCUMENTS, DOCUMENTS[0]]):
        verdicts = judge(documents, whole=True, head=certificate_hash(CHAIN[-1]))
        assert len(verdicts) == 4 and all(verdict.ok and verdict.trusted for verdict in verdicts), verdicts


def test_one_certificate_alone_stands_and_says_what_was_not_checked() -> None:
    (verdict,) = judge([DOCUMENTS[2]])
    assert verdict.ok and "1 to 2" in verdict.notes[0]
    (verdict,) = judge([DOCUMENTS[2]], whole=True)
    assert {fault.kind for fault in verdict.faults} == {FaultKind.GAP}


def test_without_a_trusted_key_the_verdict_says_what_it_is_worth() -> None:
    verdicts = verify_chain([("a", DOCUMENTS[0])], verifier())
    assert verdicts[0].ok and not verdicts[0].trusted
    assert verdicts[0].fingerprint in verdicts[0].notes[-1]


def paths(value: JsonValue, way: tuple = ()) -> list[tuple]:
    """Every leaf of a document."""
    if isinstance(value, dict):
        return [found for key, one in value.items() for found in paths(one, (*way, key))]
    if isinstance(value, list):
        return [found for index, one in enumerate(value) for found in paths(one, (*way, index))]
    return [way]


LEAVES = paths(DOCUMENTS[1])


@pytest.mark.parametrize("leaf", LEAVES, ids=[".".join(map(str, leaf)) for leaf in LEAVES])
def test_a_change_of_any_field_is_found(leaf: tuple) -> None:
    changed = json.loads(json.dumps(DOCUMENTS))
    place = changed[1]
    for part in leaf[:-1]:
        place = place[part]
    old = place[leaf[-1]]
    match old:
        case bool():
            place[leaf[-1]] = not old
        case int() | float():
            place[leaf[-1]] = old + 1 if old != 1 else 2
        case _ if str(old).endswith("Z") and "T" in old:
            place[leaf[-1]] = old.replace("2026", "2027")
        case _:
            place[leaf[-1]] = old[:-1] + ("x" if old[-1:] != "x" else "y") if old else "x"
    assert not all(verdict.ok for verdict in judge(changed))


@pytest.mark.parametrize("leaf", LEAVES, ids=[".".join(map(str, leaf)) for leaf in LEAVES])
def test_the_removal_of_any_field_is_found(leaf: tuple) -> None:
    changed = json.loads(json.dumps(DOCUMENTS))
    place = changed[1]
    for part in leaf[:-1]:
        place = place[part]
    del place[leaf[-1]]
    if place is not changed[1]["media"] and parses_alike(changed[1]):
        return  # a default that was left out means what it meant
    assert not all(verdict.ok for verdict in judge(changed))


def parses_alike(changed: dict) -> bool:
    try:
        return parse(changed) == CHAIN[1]
    except ValueError:
        return False


@given(which=st.integers(0, 3), place=st.floats(0, 1, exclude_max=True), byte=st.integers(0, 255))
@settings(max_examples=250, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_change_of_any_byte_of_a_file_is_found(tmp_path: Path, which: int, place: float, byte: int) -> None:
    files = []
    for index, one in enumerate(DOCUMENTS):
        text = bytearray(json.dumps(one, ensure_ascii=False).encode())
        if index == which:
            spot = int(place * len(text))
            assume(text[spot] != byte)
            text[spot] = byte
        files.append(tmp_path / f"{index}.json")
        files[-1].write_bytes(text)
    verdicts = verify_chain(read_documents(files), verifier((PUBLIC,)), whole=True)
    if all(verdict.ok for verdict in verdicts):
        # Only a byte that means nothing may be changed: white space, or a way of writing the same value.
        (_, back), *_ = read_documents([files[which]])
        assert canonical_bytes(parse(back)) == canonical_bytes(CHAIN[which])


@given(gone=st.integers(0, 2))
def test_a_gap_is_found(gone: int) -> None:
    left = [one for index, one in enumerate(DOCUMENTS) if index != gone]
    assert FaultKind.GAP in faults(judge(left, whole=True))


def test_a_cut_off_end_is_found_by_who_knows_the_head() -> None:
    head = certificate_hash(CHAIN[-1])
    assert all(verdict.ok for verdict in judge(DOCUMENTS[:-1]))
    assert faults(judge(DOCUMENTS[:-1], head=head)) == {FaultKind.HEAD}


def resigned(index: int, key: bytes = KEY, **changes: object) -> dict[str, JsonValue]:
    """The certificate as somebody who holds a key could make it anew."""
    draft = WipeCertificateSpec.model_validate({**DOCUMENTS[index], **changes})
    return json.loads(canonical_bytes(sign(draft, key)))


def test_a_fork_is_found() -> None:
    assert FaultKind.FORK in faults(judge([*DOCUMENTS, resigned(2, issued=at(40))]))
    assert FaultKind.FORK in faults(judge([*DOCUMENTS, resigned(3, sequence=9)]))
    assert FaultKind.FORK in faults(judge([*DOCUMENTS, resigned(3, number=DOCUMENTS[0]["number"])]))


def test_a_certificate_made_anew_by_the_key_holder_breaks_the_link_after_it() -> None:
    changed = [DOCUMENTS[0], resigned(1, number="WC-2026-9999"), *DOCUMENTS[2:]]
    assert faults(judge(changed)) == {FaultKind.BROKEN_LINK}


def test_a_swap_is_found() -> None:
    swapped = [resigned(0), resigned(2, sequence=2), resigned(1, sequence=3), DOCUMENTS[3]]
    assert FaultKind.BROKEN_LINK in faults(judge(swapped))


def test_a_certificate_dated_before_its_predecessor_is_found() -> None:
    late = resigned(0, issued=at(90))
    second = resigned(1, previousHash=certificate_hash(parse(late)))
    assert faults(judge([late, second])) == {FaultKind.ORDER}


def test_two_beginnings_are_found() -> None:
    other = resigned(0, number="WC-2026-0001b")
    assert FaultKind.FORK in faults(judge([DOCUMENTS[0], other]))


def test_another_key_is_found_with_and_without_a_trusted_one() -> None:
    forged = [DOCUMENTS[0], resigned(1, OTHER_KEY)]
    assert FaultKind.SIGNATURE in faults(judge(forged))
    assert faults(verify_chain([(str(i), d) for i, d in enumerate(forged)], verifier())) == {
        FaultKind.KEY_CHANGED
    }
    both = load_public_key(public_pem(OTHER_KEY))
    assert all(verdict.ok for verdict in judge(forged, PUBLIC, both))


def test_an_unsigned_certificate_does_not_stand() -> None:
    assert faults(judge([document()])) == {FaultKind.SIGNATURE}


def test_chains_of_two_authorities_are_judged_apart() -> None:
    other = resigned(0, authority="威海市大数据局", number="WH-1")
    assert all(verdict.ok for verdict in judge([*DOCUMENTS, other], whole=True))


def test_one_unreadable_file_does_not_hide_the_others() -> None:
    verdicts = judge([{"kind": "Approval"}, DOCUMENTS[0]])
    assert [verdict.ok for verdict in verdicts] == [False, True]
    assert {fault.kind for fault in verdicts[0].faults} == {FaultKind.UNREADABLE}


# -- signing -------------------------------------------------------------------------------------
def test_an_incomplete_certificate_is_not_signed_and_every_lack_is_told() -> None:
    draft = document()
    del draft["confirmation"], draft["validatedBy"]
    with pytest.raises(CertificateRefusedError) as caught:
        sign(WipeCertificateSpec.model_validate(draft), KEY)
    assert {lack.path for lack in caught.value.lacks} == {"confirmation", "validatedBy"}
    assert "confirmation" in str(caught.value) and "article 21(2)" in str(caught.value)


def test_a_key_that_is_no_ed25519_key_is_refused_without_showing_it(tmp_path: Path) -> None:
    subprocess.run(
        ["openssl", "genpkey", "-algorithm", "X25519", "-out", tmp_path / "k"],
        check=True,
        capture_output=True,
    )
    for pem in (b"junk", (tmp_path / "k").read_bytes()):
        with pytest.raises(KeyUnusableError) as caught:
            load_private_key(pem)
        assert pem.decode() not in str(caught.value)
    with pytest.raises(KeyUnusableError):
        load_public_key(b"junk")


def test_openssl_verifies_the_signature_too(tmp_path: Path) -> None:
    one = CHAIN[0]
    assert one.signature is not None
    (tmp_path / "signed").write_bytes(signed_bytes(one))
    (tmp_path / "value").write_bytes(base64.b64decode(one.signature.value))
    (tmp_path / "public.pem").write_bytes(public_pem(KEY))
    command = "openssl pkeyutl -verify -pubin -inkey public.pem -rawin -in signed -sigfile value"
    done = subprocess.run(command.split(), cwd=tmp_path, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    (tmp_path / "signed").write_bytes(signed_bytes(CHAIN[1]))
    assert subprocess.run(command.split(), cwd=tmp_path, capture_output=True, check=False).returncode != 0


def test_a_fingerprint_of_another_key_is_found() -> None:
    other = Ed25519PrivateKey.generate().public_key()
    changed = json.loads(json.dumps(DOCUMENTS[0]))
    changed["signature"]["publicKey"] = base64.b64encode(other.public_bytes_raw()).decode()
    assert faults(verify_chain([("a", changed)], verifier())) == {FaultKind.SIGNATURE}


# -- files ---------------------------------------------------------------------------------------
def as_object(index: int) -> dict[str, JsonValue]:
    return {
        "apiVersion": "govpool.dev/v1alpha1",
        "kind": "WipeCertificate",
        "metadata": {"name": f"c{index}", "namespace": "n", "managedFields": []},
        "spec": DOCUMENTS[index],
    }


def test_yaml_json_lists_and_several_documents_are_read(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(yaml.safe_dump_all([as_object(0), DOCUMENTS[1]], allow_unicode=True))
    listed = {"apiVersion": "v1", "kind": "List", "items": [as_object(2), as_object(3)]}
    (tmp_path / "b.json").write_text(json.dumps(listed, indent=2))
    documents = list(read_documents([tmp_path / "a.yaml", tmp_path / "b.json"]))
    assert [source.rpartition("/")[2] for source, _ in documents] == [
        "a.yaml[0]",
        "a.yaml[1]",
        "b.json[0]",
        "b.json[1]",
    ]
    assert all(verdict.ok for verdict in verify_chain(documents, verifier((PUBLIC,)), whole=True))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "just words",
        "- 1\n- 2",
        "a: b\na: c\n",
        '{"number": 1, "number": 2}',
        "\x00",
        "a: !!python/object:os.system x",
    ],
)
def test_a_file_that_is_none_or_ambiguous_is_told_and_not_accepted(tmp_path: Path, text: str) -> None:
    (tmp_path / "f").write_text(text)
    (verdict,) = verify_chain(read_documents([tmp_path / "f"]), verifier())
    assert {fault.kind for fault in verdict.faults} == {FaultKind.UNREADABLE}
