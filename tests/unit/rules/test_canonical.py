"""The canonical form: byte for byte what the reference library of RFC 8785 writes."""

from __future__ import annotations

import hashlib

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from govpool.rules.canonical import SAFE, canonical, sha256_of

TEXTS = st.text(st.characters(exclude_categories=("Cs",)))
LEAVES = (
    st.none()
    | st.booleans()
    | st.integers(-SAFE, SAFE)
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXTS
)
DOCUMENTS = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4)
)
NAMES = st.text('abcXYZ_.-/\x7f"\\\n0', max_size=4)
PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers(-SAFE, SAFE) | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(NAMES, inner, max_size=4),
)


@given(DOCUMENTS | PLAIN)
def test_it_writes_what_the_reference_writes(document: object) -> None:
    assert canonical(document) == rfc8785.dumps(document)  # type: ignore[arg-type]
    assert sha256_of(document) == hashlib.sha256(canonical(document)).hexdigest()


def test_every_control_character_is_escaped_as_the_reference_does() -> None:
    document = {"text": "".join(map(chr, range(0x100))) + "政务云\U0001f3db\u2028"}
    assert canonical(document) == rfc8785.dumps(document)  # type: ignore[arg-type]


def test_names_beyond_ascii_are_ordered_by_utf_16() -> None:
    # U+1F600 comes before U+FB33 in UTF-16, after it by code point (RFC 8785, 3.2.3).
    assert canonical({"\ufb33": 1, "\U0001f600": 2}) == '{"\U0001f600":2,"\ufb33":1}'.encode()


@pytest.mark.parametrize(
    "document",
    ["\ud800", {"name": ["\udfff"]}, SAFE + 1, {"n": -SAFE - 1}, float("nan"), {1: "one"}, b"bytes"],
)
def test_what_has_no_canonical_form_is_refused(document: object) -> None:
    with pytest.raises(rfc8785.CanonicalizationError):
        canonical(document)
