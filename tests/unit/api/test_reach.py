"""What a rule looks at: no more is handed to the evaluator, and the verdict is that on the whole object."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from govpool.standalone.cel import RuleNode
from govpool.standalone.cel_expressions import CelError, compile_expression
from govpool.standalone.cel_reach import Reach, reach

SELVES = frozenset({"self", "oldSelf"})
VALUE = {"spec": {"state": "Open", "size": 2}, "list": [1, 2], "rows": [{"a": 1, "b": 2}], "namespace": "a"}


def seen(source: str, value: Any) -> Any:
    return reach([compile_expression(source, SELVES)], "self").of(value)


@pytest.mark.parametrize(
    ("source", "part"),
    [
        ("self.spec.state == 'Open'", {"spec": {"state": "Open"}}),
        ("has(self.spec.state) && !has(self.gone)", {"spec": {"state": "Open"}}),
        ("has(self.spec) && has(self.list)", {"spec": {}, "list": [None, None]}),
        ("has(self.spec) && self.spec.state == 'Open'", {"spec": {"state": "Open"}}),
        ("has(self.spec.state) || size(self.spec) > 0", {"spec": {"state": "Open", "size": 2}}),
        ("self.list.all(x, x > 0)", {"list": [1, 2]}),
        ("self.spec.state.startsWith('self.namespace')", {"spec": {"state": "Open"}}),
        ("self.spec.state == 'Open' || self.spec == oldSelf.spec", {"spec": {"state": "Open", "size": 2}}),
        ("self.?spec.?size.orValue(0) > 1 // self.list", {"spec": {"size": 2}}),
        ("self.list[0] == self.spec['size']", {"list": [1, 2], "spec": {"state": "Open", "size": 2}}),
        ("'spec' in self", VALUE),
        ("self == oldSelf", VALUE),
        ("self[?'spec'].hasValue()", VALUE),
        ("self.list.exists(x, x == self.spec.size)", {"list": [1, 2], "spec": {"size": 2}}),
        ("oldSelf.spec.state == 'Open'", {}),
        ("self.rows.all(r, r.a > 0)", {"rows": [{"a": 1}]}),
        (
            "self.rows.all(r, has(r.a) && self.list.exists(r, r == 1))",
            {"rows": [{"a": 1, "b": 2}], "list": [1, 2]},
        ),
        ("self.rows.all(r, self.rows.exists_one(s, s.a == r.b))", {"rows": [{"a": 1, "b": 2}]}),
        ("has(self.rows) && self.rows.exists(r, has(r.a))", {"rows": [{"a": 1}]}),
        ("self.rows.all(r, r.a > 0) && size(self.rows) < 3", {"rows": [{"a": 1}]}),
        ("size(self.list) <= size(self.rows)", {"list": [None, None], "rows": [None]}),
        ("size(self.namespace) < 3 && size(self.spec) < 3", {"namespace": "a", "spec": VALUE["spec"]}),
        ("size(self.rows[0]) == 2", {"rows": [{"a": 1, "b": 2}]}),
        (
            "self.rows.all(r, r == self.spec)",
            {"rows": [{"a": 1, "b": 2}], "spec": {"state": "Open", "size": 2}},
        ),
        ("self.rows.exists(r, 'a' in r)", {"rows": [{"a": 1, "b": 2}]}),
        ("self.rows.filter(r, r.a > 0) == []", {"rows": [{"a": 1, "b": 2}]}),
        ("self.spec.all(k, k != '')", {"spec": {"state": "Open", "size": 2}}),
        ("self.all(k, k != 'more')", VALUE),
    ],
)
def test_a_rule_sees_what_it_selects(source: str, part: object) -> None:
    assert seen(source, VALUE) == part


def test_a_property_is_found_under_the_name_that_objects_have() -> None:
    node = {
        "properties": {
            "namespace": {"type": "string"},
            "a-b": {"type": "object", "additionalProperties": {"properties": {"if": {}, "b": {}}}},
        }
    }
    found = reach([compile_expression("self.__namespace__ == self.a__dash__b.k.__if__", SELVES)], "self")
    value = {"namespace": "n", "a-b": {"k": {"if": 1, "b": 2}, "l": 3}, "more": 1}
    assert found.named(node).of(value) == {"namespace": "n", "a-b": {"k": {"if": 1}}}


def test_what_two_rules_see_of_items_is_what_both_see() -> None:
    sources = ["self.rows.all(r, r.a > 0)", "has(self.rows) && self.rows.exists(r, r.b > 1)"]
    one, other = (reach([compile_expression(source, SELVES)], "self") for source in sources)
    one.join(other)
    assert one.of({"rows": [{"a": 1, "b": 2, "c": 3}]}) == {"rows": [{"a": 1, "b": 2}]}


def test_what_two_rules_see_is_what_both_see() -> None:
    one, other = Reach(), Reach()
    one.add(["spec", "state"])
    other.add(["spec"])
    one.join(other)
    assert one.of(VALUE) == {"spec": VALUE["spec"]}


SOURCES = (
    "self.a.b == oldSelf.a.b",
    "!has(self.a.b) || self.a.b > 1",
    "has(self.a) == has(oldSelf.a) || size(self.d) > 1",
    "self.a.?c.orValue(0) < 2",
    "has(self.d) && self.d.all(x, x > 0 && x < self.a.b)",
    "self.a == oldSelf.a",
    "'b' in self.a",
    "self.f == 'x' || oldSelf.a.c in self.d",
    "self.a == oldSelf.a && has(self.f) == has(oldSelf.f) && (!has(self.f) || self.f == oldSelf.f)",
    "!has(oldSelf.f) || (has(self.f) && self.f == oldSelf.f)",
    "oldSelf.d.all(x, x in self.d)",
    "size(self.e) >= size(oldSelf.e) && oldSelf.e.all(x, self.e.exists_one(y, y.b == x.b && y == x))",
    "self.e.all(x, x.b > 0) && (!has(self.a) || self.e.exists_one(x, x.b == self.a.b && has(x.c)))",
    "self.a.all(x, x != 'b')",
    "size(self.e) >= size(oldSelf.d) && size(self.f) > 0",
    "size(self.a) == 1 && self.a.b > 0 || size(self.e) > 1 && self.e.exists(x, x.c == size(self.d))",
)
NUMBERS = st.integers(0, 3)
PARTS = st.dictionaries(st.sampled_from("bc"), NUMBERS)
OBJECTS = st.fixed_dictionaries(
    {},
    optional={
        "a": PARTS,
        "d": st.lists(NUMBERS, max_size=3),
        "e": st.lists(PARTS, max_size=2),
        "f": st.sampled_from("xy"),
        "g": NUMBERS,
    },
)
NODE: dict[str, Any] = {
    "type": "object",
    "properties": {
        "a": {"type": "object", "additionalProperties": {"type": "integer"}},
        "d": {"type": "array", "items": {"type": "integer"}},
        "e": {
            "type": "array",
            "items": {"type": "object", "additionalProperties": {"type": "integer"}},
        },
        "f": {"type": "string"},
        "g": {"type": "integer"},
    },
}


@given(st.sampled_from(SOURCES), OBJECTS, OBJECTS)
def test_the_verdict_is_that_on_the_whole_object(source: str, value: Any, old: Any) -> None:
    try:
        whole: object = compile_expression(source, SELVES).evaluate({"self": value, "oldSelf": old})
    except CelError as error:
        whole = str(error)
    node = json.loads(json.dumps({**NODE, "x-kubernetes-validations": [{"rule": source, "message": "no"}]}))
    errors = list(RuleNode(node).errors({**value, "g": 9}, old, update=True))
    assert (errors == []) is (whole is True)
    if isinstance(whole, str):
        assert whole in str(errors[0])
