"""What was asked once is answered from memory, for these very arguments and no others."""

from __future__ import annotations

import pytest

from govpool.rules import remembered
from govpool.rules.remembered import once


class Thing:
    """Equal to every other, and yet another."""

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Thing)

    def __hash__(self) -> int:
        return 0


def test_the_same_arguments_are_asked_once_and_equal_ones_again() -> None:
    asked: list[tuple[Thing, Thing]] = []

    @once
    def pair(first: Thing, second: Thing) -> int:
        asked.append((first, second))
        return len(asked)

    one, other = Thing(), Thing()
    assert [pair(one, other), pair(one, other), pair(other, one), pair(one, one), pair(one, other)] == [
        1,
        1,
        2,
        3,
        1,
    ]


def test_an_argument_lives_as_long_as_its_answer_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remembered, "REMEMBERED", 3)

    @once
    def itself(thing: Thing) -> Thing:
        return thing

    # Each thing would take the address of the one before it, if nobody held that.
    for _ in range(100):
        thing = Thing()
        assert itself(thing) is thing
        del thing


def test_what_raises_is_asked_again() -> None:
    tries: list[object] = []

    @once
    def fails(thing: Thing) -> None:
        tries.append(thing)
        raise LookupError

    thing = Thing()
    for _ in range(2):
        with pytest.raises(LookupError):
            fails(thing)
    assert len(tries) == 2
