"""Files of evidence: what is written, under which hash, and nothing left half written."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest
from pydantic import JsonValue

from govpool.effects.executors.evidence import keep, keep_json

DOCUMENT: JsonValue = {
    "z": [{"b": 1, "a": 2}, [], {}, [1, [True, None]]],
    "中": '数据清除 \u2028 \x01 \x7f \t \n " \\ / é 🗑',
    "a": {"share": 1.0, "odds": 0.123456, "size": 2**53 - 1, "none": None},
}


def test_a_document_is_written_as_the_standard_library_writes_it(tmp_path: Path) -> None:
    kept = keep_json(tmp_path, "report.json", DOCUMENT)
    wanted = json.dumps(DOCUMENT, ensure_ascii=False, indent=1, sort_keys=True).encode() + b"\n"
    assert Path(kept.place).read_bytes() == wanted
    assert kept.sha256 == hashlib.sha256(wanted).hexdigest()


def test_names_in_another_order_say_the_same(tmp_path: Path) -> None:
    one = keep_json(tmp_path, "one.json", {"a": 1, "b": {"c": 2, "d": 3}})
    other = keep_json(tmp_path, "other.json", {"b": {"d": 3, "c": 2}, "a": 1})
    assert one.sha256 == other.sha256


def test_what_is_written_again_stands_alone(tmp_path: Path) -> None:
    keep(tmp_path, "page.html", b"first")
    kept = keep(tmp_path, "page.html", b"second")
    assert [path.name for path in tmp_path.iterdir()] == ["page.html"]
    assert Path(kept.place).read_bytes() == b"second"


@pytest.mark.parametrize("document", [{}, [], "text", None, {"a": []}])
def test_whatever_json_can_be(tmp_path: Path, document: JsonValue) -> None:
    kept = keep_json(tmp_path, "x.json", document)
    assert json.loads(Path(kept.place).read_bytes()) == document
