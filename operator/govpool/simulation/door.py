"""What an API server does with what people write: defaults, pruning, schema, CEL rules."""

from __future__ import annotations

from functools import cache
from typing import Any, Generic, NamedTuple, TypeVar, cast

from pydantic import ValidationError

from govpool.api.base import API_VERSION, Model, Resource, wire_name
from govpool.api.crd import custom_resource_definition
from govpool.effects.kube import Json
from govpool.effects.kube_errors import KubeError
from govpool.standalone.cel import RuleNode, rule_errors
from govpool.standalone.patch import merge_patch
from govpool.standalone.schema import Schema

R = TypeVar("R", bound=Resource)


class Stored(NamedTuple, Generic[R]):
    """A version that was admitted, and its document."""

    resource: R
    document: Json


class Door:
    """Admits what the CustomResourceDefinitions admit. Who may write what is not asked: scenarios name the
    people who may.
    """

    def admit(self, kind: type[R], document: Json, stored: Stored[R] | None) -> R:
        """The object as it would be stored, without a status that stays. The document is made sound in place;
        what it shares with that of the stored version, which was admitted, is so already.

        Raises:
            KubeError: Invalid, with every reason.
        """
        schema, rules = _schema(kind)
        before = stored.document if stored is not None else None
        sound = {**document, "apiVersion": API_VERSION, "kind": kind.DEFINITION.kind}
        unknown = schema.prune(sound, before)
        schema.default(sound, before)
        written = sound if before is None else _without_old_status(sound, before)
        errors = [str(error) for error in schema.errors(written)]
        errors = errors or [str(error) for error in rule_errors(rules, sound, before, old_passed=True)]
        errors += [f"{name}: unknown field" for name in unknown]
        if errors:
            meta = cast(Json, document.get("metadata") or {})
            raise KubeError(422, "Invalid", f"{kind.DEFINITION.kind} {meta.get('name')}: {'; '.join(errors)}")
        try:
            return kind.model_validate(written if stored is None else _with_known_parts(written, *stored))
        except ValidationError as error:
            raise KubeError(422, "Invalid", str(error)) from None


def _without_old_status(document: Json, before: Json) -> Json:
    """The document but for the status that was there before: nobody writes it, and it is sound."""
    if document.get("status") is not before.get("status"):
        return document
    return {name: part for name, part in document.items() if name != "status"}


def _with_known_parts(document: Json, known: Model, before: Json) -> dict[str, object]:
    """The document with the very parts of the object that it came from, wherever they stay as they were:
    what has been read is not read again.
    """
    names = _field_names(type(known))
    found: dict[str, object] = {}
    for name, part in document.items():
        old = before.get(name)
        have = getattr(known, names[name]) if old is not None and name in names else None
        if part is old and have is not None:
            found[name] = have
        elif isinstance(have, Model) and isinstance(part, dict) and isinstance(old, dict):
            found[name] = _with_known_parts(part, have, old)
        else:
            found[name] = part
    return found


@cache
def _field_names(model: type[Model]) -> dict[str, str]:
    """Names of a model's fields by those on the wire."""
    return {wire_name(field): field for field in model.model_fields}


@cache
def unruled(kind: type[Resource], status: type[Model]) -> set[str]:
    """Fields of the status that no rule looks at where it stays: handing them over would cost more than all
    that changes.
    """
    seen = _schema(kind)[1].sees("status")
    return {f for f in status.model_fields if not seen.whole and wire_name(f) not in seen.below}


def copied(document: Json) -> Json:
    """A copy of a document that shares nothing that could be changed."""
    return cast(Json, _copied(document))


def _copied(value: object) -> object:
    if isinstance(value, dict):
        return {name: _copied(item) for name, item in value.items()}
    return [_copied(item) for item in value] if isinstance(value, list) else value


def merged(target: Json, patch: Json) -> Json:
    """A JSON merge patch (RFC 7386) applied; both arguments stay as they are."""
    return cast(Json, merge_patch(target, patch))


@cache
def _schema(kind: type[Resource]) -> tuple[Schema, RuleNode]:
    version = custom_resource_definition(kind)["spec"]["versions"][0]
    node: dict[str, Any] = version["schema"]["openAPIV3Schema"]
    return Schema(node), RuleNode(node, root=True)
