"""Embedded only: the parts that a request never shows whole - CEL library, JSONPath, protobuf, field sets."""

from __future__ import annotations

import struct
from typing import Any

import pytest

from govpool.standalone import jsonpath, protobuf
from govpool.standalone.cel import to_cel
from govpool.standalone.cel_expressions import CelError, compile_expression
from govpool.standalone.cel_library import parse_quantity
from govpool.standalone.errors import ApiError
from govpool.standalone.fieldsets import decode_fields, encode_fields, fields_of

NAMES = frozenset({"self", "oldSelf"})
SELF: dict[str, Any] = {
    "a": 1, "s": "ab,cd", "l": [1, 2, 3], "m": {"k": "v", "j": "w"}, "n": None, "nested": {"x": {"y": 5}},
    "q": "10Gi", "cn": "政务云", "when": "2026-01-31T00:00:00Z", "empty": [], "objs": [{"n": "x"},
    {"n": "y"}],
}  # fmt: skip


@pytest.mark.parametrize(
    "source",
    [
        "size(self.l) == 3 && self.l.size() == 3 && size(self.cn) == 3 && self.cn.size() == 3",
        "has(self.a) && !has(self.zz) && has(self.nested.x.y)",
        "self.l.all(x, x > 0) && self.l.exists(x, x == 2) && self.l.exists_one(x, x == 2)",
        "self.l.filter(x, x > 1) == [2, 3] && self.l.map(x, x * 2) == [2, 4, 6]",
        "self.l.map(x, x > 1, x * 2) == [4, 6]",
        "self.m.all(k, k.matches('^[a-z]$')) && 'k' in self.m && self.m['k'] == 'v'",
        "self.s.startsWith('ab') && self.s.endsWith('cd') && self.s.contains(',')",
        "self.s.split(',') == ['ab', 'cd'] && ['ab', 'cd'].join('-') == 'ab-cd'",
        "self.l.isSorted() && ![2, 1].isSorted() && self.l.sum() == 6 && self.l.min() == 1 && "
        "self.l.max() == 3",
        "self.s.indexOf('cd') == 3 && self.l.indexOf(3) == 2 && [1, 1].lastIndexOf(1) == 1",
        "duration('1h30m') > duration('89m') && duration('36h').getHours() == 36",
        "timestamp(self.when) + duration('24h') == timestamp('2026-02-01T00:00:00Z')",
        "timestamp(self.when).getFullYear() == 2026",
        "quantity(self.q).isGreaterThan(quantity('9Gi')) && isQuantity('5m') && !isQuantity('5x')",
        "quantity('1').add(quantity('500m')).compareTo(quantity('1.5')) == 0",
        "'  x '.trim() == 'x' && 'Ab'.lowerAscii() == 'ab' && 'ab'.upperAscii() == 'AB' && "
        "'abc'.substring(1) == 'bc'",
        "'a1b22'.find('[0-9]+') == '1' && 'a1b22'.findAll('[0-9]+') == ['1', '22']",
        "self.?zz.orValue(7) == 7 && self.?a.orValue(7) == 1 && !self.?zz.hasValue()",
        "self.nested.?x.?y.orValue(0) == 5 && self.nested.?z.y.orValue(9) == 9 && "
        "self[?'zz'].orValue(1) == 1",
        "self.objs.all(o, self.objs.exists_one(p, p.n == o.n))",
        "self.zz == 1 || self.a == 1",
        "!(self.zz == 1 && self.a == 2)",
        "self.n == null && string(1) == '1' && string(true) == 'true' && int('3') == 3",
        "'size(x)' == 'size' + '(x)' // size( in a string or comment stays",
        "self.a == 1 ? true : self.zz",
    ],
)
def test_expressions(source: str) -> None:
    assert compile_expression(source, NAMES).evaluate({"self": SELF}) is True


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("", "rule is not specified"), ("self.a ==", "compilation failed"), ("other == 1",
            "undeclared reference to"),
        ("self.a.nonsense()", "undeclared reference to 'nonsense'"),
    ],
)  # fmt: skip
def test_expressions_that_do_not_compile(source: str, text: str) -> None:
    with pytest.raises(CelError, match=text):
        compile_expression(source, NAMES)


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("self.zz == 1", "no such key: zz"),
        ("self.a / 0 == 1", "division by zero"),
        ("self.s > 1", "overload"),
    ],
)
def test_expressions_that_fail(source: str, text: str) -> None:
    with pytest.raises(CelError, match=f"(?i){text}"):
        compile_expression(source, NAMES).evaluate({"self": SELF})


def test_values_follow_their_schema() -> None:
    node = {
        "type": "object",
        "properties": {
            "a-b": {"type": "number"}, "namespace": {"type": "string"},
            "at": {"type": "string", "format": "date-time"},
        },
    }  # fmt: skip
    made = to_cel({"a-b": 1, "namespace": "x", "at": "2026-01-01T00:00:00Z"}, node)
    source = "self.a__dash__b == 1.0 && self.__namespace__ == 'x' && self.at.getMonth() == 0"
    assert compile_expression(source, NAMES).evaluate({"self": made}) is True


@pytest.mark.parametrize(
    ("text", "value"),
    [("1", 1), ("1k", 1000), ("1Ki", 1024), ("500m", 0.5), ("1.5Gi", 1.5 * 2**30), ("2e3", 2000)],
)
def test_quantities(text: str, value: float) -> None:
    assert float(parse_quantity(text)) == value
    with pytest.raises(ValueError, match="quantities must match"):
        parse_quantity(text + "x")


@pytest.mark.parametrize(
    ("path", "found"),
    [
        (".a", [1]), (".nested.x.y", [5]), (".l[1]", [2]), (".l[-1]", [3]), (".l[*]", [1, 2, 3]), (".zz.y",
            []),
        ('.objs[?(@.n=="y")].n', ["y"]), (".m['k']", ["v"]), ("{.a}", [1]), (r".dots.a\.b/c", ["d"]),
        (".objs[*].n", ["x", "y"]),
    ],
)  # fmt: skip
def test_jsonpath(path: str, found: list[Any]) -> None:
    assert jsonpath.find(path, SELF | {"dots": {"a.b/c": "d"}}) == found


def test_jsonpath_outside_the_subset() -> None:
    with pytest.raises(ValueError, match="cannot read the JSONPath"):
        jsonpath.find(".a[?(@.b > 1)]", SELF)


def test_field_sets_survive_a_round_trip() -> None:
    node = {
        "type": "object",
        "properties": {
            "set": {"type": "array", "x-kubernetes-list-type": "set", "items": {"type": "string"}},
            "map": {
                "type": "array", "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["k"],
                "items": {"type": "object", "properties": {"k": {"type": "integer"},
                "v": {"type": "string"}}},
            },
        },
    }  # fmt: skip
    value = {"set": ["a", "b"], "map": [{"k": 1, "v": "x"}], "free": {"y": {"z": 1}, "empty": {}}}
    fields = frozenset(fields_of(value, node))
    encoded = encode_fields(fields)
    assert encoded["f:map"] == {'k:{"k":1}': {".": {}, "f:k": {}, "f:v": {}}}
    assert encoded["f:set"] == {'v:"a"': {}, 'v:"b"': {}}
    assert frozenset(decode_fields(encoded)) == fields


def _field(number: int, data: bytes) -> bytes:
    return struct.pack("BB", number << 3 | 2, len(data)) + data


def test_protobuf() -> None:
    metadata = _field(1, b"c") + _field(11, _field(1, b"k") + _field(2, b"v"))
    config_map = _field(1, metadata) + _field(2, _field(1, b"a") + _field(2, b"b")) + b"\x20\x01"
    envelope = _field(1, _field(1, b"v1") + _field(2, b"ConfigMap")) + _field(2, config_map)
    assert protobuf.decode(b"k8s\x00" + envelope) == {
        "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c", "labels": {"k": "v"}},
        "data": {"a": "b"}, "immutable": True,
    }  # fmt: skip
    for broken in (b"", b"k8s\x00" + envelope[:-3], b"k8s\x00" + _field(1, _field(2, b"Pod"))):
        with pytest.raises(ApiError):
            protobuf.decode(broken)
