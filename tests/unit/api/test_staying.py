"""Rules that only say what stays are seen to hold by comparing; of what does not stay the evaluator tells."""

from __future__ import annotations

from typing import Any

import pytest

from govpool.standalone.cel_staying import staying

ONCE = "!has(oldSelf.a) || (has(self.a) && self.a == oldSelf.a)"
WHERE_GIVEN = "has(self.a) == has(oldSelf.a) && (!has(self.a) || self.a == oldSelf.a)"
LONGER = "oldSelf.a.all(x, x in self.a)"
KEYED = "size(self.a) >= size(oldSelf.a) && oldSelf.a.all(d, self.a.exists_one(e, e.b == d.b && e == d))"


@pytest.mark.parametrize(
    ("source", "value", "old", "holds"),
    [
        ("self == oldSelf", "x", "x", True),
        (
            "self.a == oldSelf.a && self.b.c == oldSelf.b.c",
            {"a": 1, "b": {"c": 2}},
            {"a": 1, "b": {"c": 2}},
            True,
        ),
        (
            "self.a == oldSelf.a && self.b.c == oldSelf.b.c",
            {"a": 1, "b": {"c": 2}},
            {"a": 1, "b": {"c": 3}},
            False,
        ),
        ("self.a == oldSelf.a", {}, {}, False),
        (WHERE_GIVEN, {}, {}, True),
        (WHERE_GIVEN, {"a": [1]}, {"a": [1]}, True),
        (WHERE_GIVEN, {"a": [1]}, {}, False),
        (WHERE_GIVEN, "a", "a", False),
        (ONCE, {"a": 1}, {}, True),
        (ONCE, {"a": 1}, {"a": 1}, True),
        (ONCE, {"a": 2}, {"a": 1}, False),
        (ONCE, {}, {"a": 1}, False),
        (LONGER, {"a": [{"b": 1}, {"b": 2}]}, {"a": [{"b": 2}]}, True),
        (LONGER, {"a": [{"b": 1}]}, {"a": [{"b": 1}, {"b": 2}]}, False),
        (LONGER, {"a": []}, {}, False),
        (LONGER, {}, {"a": []}, False),
        (KEYED, {"a": [{"b": 1, "c": 1}, {"b": 1}]}, {"a": [{"b": 1}]}, True),
        (KEYED, {"a": [{"b": 1, "c": 1}]}, {"a": [{"b": 1}]}, False),
        (KEYED, {"a": [{"b": 1}, {"b": 1}]}, {"a": [{"b": 1}]}, False),
        (KEYED, {"a": [{"b": 1}]}, {"a": [{"b": 1}, {"b": 1}]}, False),
        (KEYED, {"a": [{"b": 1}, {"c": 1}]}, {"a": [{"b": 1}]}, False),
        (KEYED, {}, {"a": []}, False),
    ],
)
def test_what_stays_is_seen_by_comparing(source: str, value: Any, old: Any, holds: bool) -> None:
    found = staying(source)
    assert found is not None
    assert found.holds(value, old) is holds


@pytest.mark.parametrize(
    "source",
    [
        "self.a == oldSelf.b",
        "self.a == oldSelf.a && self.b > 1",
        "self.a == oldSelf.a || self.b == oldSelf.b",
        "self.__namespace__ == oldSelf.__namespace__",
        "oldSelf.a.all(self, self in self.a)",
        "oldSelf.a.all(x, x in self.b)",
        "oldSelf.a.exists(x, x in self.a)",
        "!has(oldSelf.a) || (has(self.a) && self.a == oldSelf.b)",
        KEYED.replace("e == d)", "e == e)"),
        KEYED.replace("e.b == d.b", "e.b == d.c"),
        KEYED.replace("(e, e.b == d.b && e == d)", "(self, self.b == d.b && self == d)"),
    ],
)
def test_a_rule_that_says_more_is_the_evaluators(source: str) -> None:
    assert staying(source) is None
