"""Files of evidence: what is written, under which hash, and nothing left half written."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest
from pydantic import JsonValue

from govpool.effects.executors.evidence import as_json, described, keep

DOCUMENT: JsonValue = {
    "z": [{"b": 1, "a": 2}, [], {}, [1, [True, None]]],
    "中": '数据清除 \u2028 \x01 \x7f \t \n " \\ / é 🗑',
    "a": {"share": 1.0, "odds": 0.123456, "size": 2**53 - 1, "none": None},
}


def test_a_document_is_written_as_the_standard_library_writes_it() -> None:
    wanted = json.dumps(DOCUMENT, ensure_ascii=False, indent=1, sort_keys=True).encode() + b"\n"
    assert as_json(DOCUMENT) == wanted


def test_names_in_another_order_say_the_same() -> None:
    assert as_json({"a": 1, "b": {"c": 2, "d": 3}}) == as_json({"b": {"d": 3, "c": 2}, "a": 1})


@pytest.mark.parametrize("document", [{}, [], "text", None, {"a": []}])
def test_whatever_json_can_be(document: JsonValue) -> None:
    assert json.loads(as_json(document)) == document


def test_what_is_kept_lies_where_it_is_said_to(tmp_path: Path) -> None:
    kept = keep(tmp_path / "unit" / "order", "page.html", b"content")
    assert Path(kept.place).read_bytes() == b"content"
    assert kept.sha256 == hashlib.sha256(b"content").hexdigest()


def test_what_is_kept_again_stands_alone(tmp_path: Path) -> None:
    keep(tmp_path, "page.html", b"first")
    kept = keep(tmp_path, "page.html", b"second")
    assert [path.name for path in tmp_path.iterdir()] == ["page.html"]
    assert Path(kept.place).read_bytes() == b"second"


def test_what_is_only_described_is_said_to_be_the_same(tmp_path: Path) -> None:
    told = described(tmp_path, "page.html", b"content")
    assert not any(tmp_path.iterdir())
    assert told == keep(tmp_path, "page.html", b"content")
