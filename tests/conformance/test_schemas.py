"""Objects against their schema: defaults, pruning, validation, CEL rules, strictness."""

from __future__ import annotations

from typing import Any

import pytest

from .conftest import Api, Kind


async def test_defaults_and_pruning(api: Api, widgets: Kind) -> None:
    body = widgets.make(parts=[{"name": "p", "zzz": 1}], free={"any": {"thing": [1]}}, unknown=1)
    reply = await api.post(widgets.path, body, fieldValidation="Ignore")
    assert reply.code == 201
    assert reply.warnings == []
    spec = reply.body["spec"]
    assert spec == {
        "size": 3, "color": "red", "parts": [{"name": "p", "count": 1}], "free": {"any": {"thing": [1]}},
    }  # fmt: skip


async def test_nulls(api: Api, widgets: Kind) -> None:
    reply = await api.post(widgets.path, widgets.make(color=None, maybe=None, code=None))
    assert reply.code == 201, reply.message
    assert reply.body["spec"] == {"size": 3, "color": "red", "maybe": None}


async def test_unknown_fields_warn_or_fail(api: Api, widgets: Kind) -> None:
    body = widgets.make(unknown=1, parts=[{"name": "p", "zzz": 1}])
    body["metadata"]["nonsense"] = "x"
    reply = await api.post(widgets.path, body, dryRun="All")
    assert reply.code == 201
    assert '299 - "unknown field \\"spec.unknown\\""' in reply.warnings
    reply = await api.post(widgets.path, body, fieldValidation="Strict")
    assert (reply.code, reply.reason) == (400, "BadRequest")
    assert reply.message.startswith(
        'Widget in version "v1" cannot be handled as a Widget: strict decoding error: unknown field "'
    )
    for path in ("spec.unknown", "spec.parts[0].zzz", "metadata.nonsense"):
        assert f'unknown field "{path}"' in reply.message
    reply = await api.patch(f"{widgets.path}/a", {}, fieldValidation="Sometimes")
    assert reply.code == 422


async def test_duplicate_fields(api: Api, widgets: Kind) -> None:
    raw = (
        f'{{"apiVersion":"{widgets.api_version}","kind":"Widget","metadata":{{"name":"a"}},'
        '"spec":{"size":1,"size":2}}'
    ).encode()
    reply = await api.request("POST", widgets.path, raw=raw, fieldValidation="Strict")
    assert reply.code == 400
    assert 'duplicate field "spec.size"' in reply.message
    reply = await api.request("POST", widgets.path, raw=raw)
    assert (reply.code, reply.body["spec"]["size"]) == (201, 2)
    assert '299 - "duplicate field \\"spec.size\\""' in reply.warnings


@pytest.mark.parametrize(
    ("spec", "field", "reason", "message"),
    [
        ({"size": "x"}, "spec.size", "FieldValueTypeInvalid",
         'Invalid value: "string": spec.size in body must be of type integer: "string"'),
        ({"size": 0}, "spec.size", "FieldValueInvalid",
         "Invalid value: 0: spec.size in body should be greater than or equal to 1"),
        ({"size": 101}, "spec.size", "FieldValueInvalid",
         "Invalid value: 101: spec.size in body should be less than or equal to 100"),
        ({"size": None}, "spec.size", "FieldValueRequired", "Required value"),
        ({"ratio": 0}, "spec.ratio", "FieldValueInvalid",
         "Invalid value: 0: spec.ratio in body should be greater than 0"),
        ({"color": "blue"}, "spec.color", "FieldValueNotSupported",
         'Unsupported value: "blue": supported values: "red", "green"'),
        ({"code": "ab1"}, "spec.code", "FieldValueInvalid",
         "Invalid value: \"ab1\": spec.code in body should match '^[A-Z]{2}[0-9]+$'"),
        ({"code": "AB"}, "spec.code", "FieldValueInvalid",
         'Invalid value: "AB": spec.code in body should be at least 3 chars long'),
        ({"code": "AB12345"}, "spec.code", "FieldValueTooLong", "Too long: may not be more than 6 bytes"),
        ({"names": list("abcd")}, "spec.names", "FieldValueTooMany",
            "Too many: 4: must have at most 3 items"),
        ({"names": "abc"}, "spec.names", "FieldValueTypeInvalid",
         'Invalid value: "string": spec.names in body must be of type array: "string"'),
        ({"since": "yesterday"}, "spec.since", "FieldValueTypeInvalid",
         'Invalid value: "yesterday": spec.since in body must be of type date-time: "yesterday"'),
        ({"tags": ["x", "x"]}, "spec.tags[1]", "FieldValueDuplicate", 'Duplicate value: "x"'),
        ({"parts": [{"name": "p"}, {"name": "p"}]}, "spec.parts[1]", "FieldValueDuplicate",
         'Duplicate value: {"name":"p"}'),
        ({"parts": [{}]}, "spec.parts[0].name", "FieldValueRequired", "Required value"),
        ({"notes": {"a": 1}}, "spec.notes.a", "FieldValueTypeInvalid",
         'Invalid value: "integer": spec.notes.a in body must be of type string: "integer"'),
        ({"port": True}, "spec.port", "FieldValueTypeInvalid",
         'Invalid value: "boolean": spec.port in body must be of type integer,string: "boolean"'),
    ],
)  # fmt: skip
async def test_validation(
    api: Api, widgets: Kind, spec: dict[str, Any], field: str, reason: str, message: str
) -> None:
    reply = await api.post(widgets.path, widgets.make(**spec))
    assert (reply.code, reply.reason) == (422, "Invalid")
    first = reply.causes[0]
    assert (first["field"], first["reason"], first["message"]) == (field, reason, message)
    assert reply.message.startswith(f'Widget.{widgets.group} "a" is invalid: ')


async def test_int_or_string(api: Api, widgets: Kind) -> None:
    for index, value in enumerate((8080, "http")):
        reply = await api.post(widgets.path, widgets.make(f"p{index}", port=value))
        assert (reply.code, reply.body["spec"]["port"]) == (201, value)


async def test_missing_spec(api: Api, widgets: Kind) -> None:
    body = widgets.make()
    del body["spec"]
    reply = await api.post(widgets.path, body)
    assert [c["message"] for c in reply.causes if c["field"] == "spec"] == ["Required value"]
    unchecked = reply.causes[-1]
    assert unchecked["field"] == "<nil>"
    assert "some validation rules were not checked because the object was invalid" in unchecked["message"]


async def test_rules(api: Api, widgets: Kind) -> None:
    reply = await api.post(widgets.path, widgets.make(names=["short", "toolong"]))
    assert reply.code == 422
    assert "too long: short" in reply.causes[0]["message"]
    assert reply.causes[0]["field"] == "spec"
    reply = await api.post(widgets.path, widgets.make(color="green", size=60))
    assert "failed rule: self.color != 'green' || self.size < 50" in reply.causes[0]["message"]
    assert (await api.post(widgets.path, widgets.make(names=["一二三四"]))).code == 201


async def test_transition_rules(api: Api, widgets: Kind) -> None:
    assert (await api.post(widgets.path, widgets.make(size=5))).code == 201
    assert (await api.patch(f"{widgets.path}/a", {"spec": {"size": 6}})).code == 200
    reply = await api.patch(f"{widgets.path}/a", {"spec": {"size": 4}})
    assert reply.code == 422
    assert reply.causes[0]["field"] == "spec.size"
    assert reply.causes[0]["message"].endswith("size may not shrink")
    assert (await api.patch(f"{widgets.path}/a", {"metadata": {"labels": {"still": "fine"}}})).code == 200
