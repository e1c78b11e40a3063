"""Objects read from the API server share what is the same in many of them, and are what they were."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from effects_ground import UID, order_of, request_of, server_of
from pydantic import BaseModel

from govpool.api.base import Resource
from govpool.api.cloudresourcerequest import CloudResourceRequest
from govpool.effects import lean as lean_module
from govpool.effects.kube import Json, read_as
from govpool.effects.lean import lean


def parts(value: object) -> Iterator[BaseModel]:
    """The model and every model in it."""
    if isinstance(value, BaseModel):
        yield value
        for part in value.__dict__.values():
            yield from parts(part)
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from parts(item)


def served(resource: Resource) -> Json:
    document: Json = resource.model_dump(mode="json", by_alias=True, exclude_none=True)
    return document


@pytest.mark.parametrize("resource", [request_of(), server_of(), order_of()], ids=lambda r: str(r.kind))
def test_an_object_is_what_it_was(resource: Resource) -> None:
    document = served(resource)
    plain, shared = type(resource).model_validate(document), read_as(type(resource), document)
    assert shared == plain
    assert [p.model_fields_set for p in parts(shared)] == [p.model_fields_set for p in parts(plain)]
    assert shared.model_dump_json(exclude_unset=True) == plain.model_dump_json(exclude_unset=True)


def test_field_sets_and_texts_are_there_once() -> None:
    documents = [served(request_of(name, uid)) for name, uid in (("one", UID), ("two", UID[:-1] + "2"))]
    one, two = (read_as(CloudResourceRequest, document) for document in documents)
    pairs = list(zip(parts(one), parts(two), strict=True))
    assert len(pairs) > 5
    assert all(a.__pydantic_fields_set__ is b.__pydantic_fields_set__ for a, b in pairs)
    assert one.metadata.namespace is two.metadata.namespace and one.spec.pool is two.spec.pool
    assert one.metadata.name == "one" and two.metadata.name == "two"


def test_a_copy_with_another_field_leaves_the_others_as_they_are() -> None:
    one, two = (read_as(CloudResourceRequest, served(request_of(name))) for name in ("one", "two"))
    before = set(two.metadata.model_fields_set)
    changed = one.metadata.model_copy(update={"generation": 7})
    assert "generation" in changed.model_fields_set
    assert two.metadata.model_fields_set == before == one.metadata.model_fields_set


def test_what_is_kept_to_be_shared_has_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lean_module, "TEXTS", 10)
    for number in range(50):
        lean(request_of(f"request-{number}"))
    known = len(lean_module._texts)
    lean(request_of())
    assert known < 10 + 200 and len(lean_module._texts) < 10 + 200
