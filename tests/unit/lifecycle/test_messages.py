"""Every text that the core asks for exists in both languages and takes exactly what it is given."""

import ast
from collections.abc import Iterator
from pathlib import Path
from string import Formatter

import pytest
from rules_support import ROOT

from govpool.messages import CATALOGUE, message
from govpool.messages import lifecycle as texts

LIFECYCLE = ROOT / "operator/govpool/lifecycle"


def asked_for() -> Iterator[tuple[str, str, frozenset[str]]]:
    """Place, key and values of every ``message("Key", ...)`` in the core."""
    for path in sorted(LIFECYCLE.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Name)):
                continue
            if node.func.id == "message":
                (key,) = node.args
                assert isinstance(key, ast.Constant), f"{path.name}:{node.lineno}: the key is no literal"
                names = {keyword.arg for keyword in node.keywords}
                assert None not in names
                place = f"{path.relative_to(LIFECYCLE)}:{node.lineno}"
                yield place, str(key.value), frozenset(str(name) for name in names)


CALLS = list(asked_for())


def fields(template: str) -> frozenset[str]:
    return frozenset(name for _, name, _, _ in Formatter().parse(template) if name)


def test_the_scan_finds_the_texts() -> None:
    assert len(CALLS) > 60


@pytest.mark.parametrize(("place", "key", "given"), CALLS, ids=[f"{p} {k}" for p, k, _ in CALLS])
def test_every_text_exists_in_both_languages_and_takes_what_it_is_given(place, key, given) -> None:
    english, chinese = CATALOGUE[key]
    assert fields(english) == fields(chinese) == given, place
    values = dict.fromkeys(given, "-")
    assert message(key, **values).render("en")
    assert message(key, **values).render("zh")


def test_no_text_is_left_that_nobody_asks_for() -> None:
    told = {path: path.read_text(encoding="utf-8") for path in Path(ROOT / "operator/govpool").rglob("*.py")}
    elsewhere = "".join(text for path, text in told.items() if path.parent.name != "messages")
    assert [key for key in texts.TEXTS if f'"{key}"' not in elsewhere] == []


@pytest.mark.parametrize("key", sorted(texts.TEXTS))
def test_chinese_is_chinese_and_english_is_not(key: str) -> None:
    english, chinese = texts.TEXTS[key]
    if english != chinese:
        assert any("\u4e00" <= letter <= "\u9fff" for letter in chinese)
        assert not any("\u4e00" <= letter <= "\u9fff" for letter in english)


def test_a_key_that_nobody_could_render_is_refused() -> None:
    with pytest.raises(KeyError, match="no text for message"):
        message("NoSuchKey")
