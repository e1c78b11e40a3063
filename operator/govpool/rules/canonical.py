"""The canonical form of JSON (RFC 8785), over which everything here that is hashed or signed is taken.

The reference library writes every value by itself in Python. Documents here are objects with ASCII names that
hold texts, truth values and integers: for those the standard library's encoder, which is written in C, gives
the same bytes. Whatever else comes is left to the reference.
"""

from __future__ import annotations

import hashlib
import json

import rfc8785

SAFE = 2**53 - 1
"""Largest integer that every reader of JSON keeps exactly (RFC 8785, 3.2.2.3; RFC 7493, 2.2)."""
_ENCODER = json.JSONEncoder(ensure_ascii=False, check_circular=False, sort_keys=True, separators=(",", ":"))


def canonical(document: object) -> bytes:
    """The document's canonical form.

    Raises:
        rfc8785.CanonicalizationError: it has none: a lone surrogate, an integer too large, no JSON at all.
    """
    form = document
    if not _plain(form) and not _plain(form := _whole(document)):
        return rfc8785.dumps(document)  # type: ignore[arg-type]  # what it can't write, it refuses
    try:
        return _ENCODER.encode(form).encode()
    except UnicodeEncodeError as error:
        raise rfc8785.CanonicalizationError("input contains non-UTF-8 codepoints") from error


def sha256_of(document: object) -> str:
    """SHA-256 of the canonical form, in hexadecimal. Raises what :func:`canonical` raises."""
    return hashlib.sha256(canonical(document)).hexdigest()


def _whole(value: object) -> object:
    """The value with integers in place of fractions that are whole, as the form writes them: ``1.0`` as 1."""
    if type(value) is float and value.is_integer():
        return int(value)
    if type(value) is dict:
        return {name: _whole(item) for name, item in value.items()}
    return [_whole(item) for item in value] if type(value) is list else value


def _plain(value: object) -> bool:
    """Whether both write the value alike: numbers with a fraction and names beyond ASCII they need not."""
    kind = type(value)
    if kind is dict:
        for name, item in value.items():  # type: ignore[attr-defined]
            if type(name) is not str or not name.isascii():
                return False
            # Nearly everything is a text: it is not worth a call of its own.
            if type(item) is not str and not _plain(item):
                return False
        return True
    if kind is list:
        return all(map(_plain, value))  # type: ignore[call-overload]
    if kind is int:
        return -SAFE <= value <= SAFE  # type: ignore[operator]
    return kind is str or kind is bool or value is None
