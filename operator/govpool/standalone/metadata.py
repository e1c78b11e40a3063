"""Checks of object metadata (apimachinery `api/validation`)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from typing import Any

from .errors import FieldError, bad_request, forbidden_field, invalid_value, required
from .kinds import OBJECT_META
from .objects import Obj, meta
from .resources import Resource
from .schema import Schema

_LABEL = "[a-z0-9]([-a-z0-9]*[a-z0-9])?"
_SUBDOMAIN = re.compile(rf"^{_LABEL}(\.{_LABEL})*$")
_SUBDOMAIN_TEXT = (
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', "
    "and must start and"
    " end with an alphanumeric character (e.g. 'example.com', regex used for validation is"
    r" '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"
)
_LABEL_RE = re.compile(f"^{_LABEL}$")
_LABEL_TEXT = (
    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must "
    "start and end with"
    " an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is"
    " '[a-z0-9]([-a-z0-9]*[a-z0-9])?')"
)
_NAME = re.compile(r"^([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]$")
_NAME_TEXT = (
    "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with "
    "an alphanumeric"
    " character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is"
    " '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')"
)
_VALUE_TEXT = (
    "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and "
    "must start and"
    " end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for "
    "validation is"
    " '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')"
)
_ANNOTATIONS_LIMIT = 262144


@cache
def schema() -> Schema:
    """Return the schema of metadata."""
    return Schema({"type": "object", "properties": {"value": OBJECT_META}})


def decode(obj: Obj, kind: str, version: str) -> list[str]:
    """Check the types inside metadata and drop unknown fields; returns their paths. Raises 400 on a wrong
    type."""
    wrapped: dict[str, Any] = {"value": meta(obj)}
    schema().default(wrapped)
    unknown = schema().prune(wrapped)
    errors = schema().errors(wrapped)
    if errors:
        path = "metadata" + errors[0].path.removeprefix("value")
        text = f"{kind} in version {version!r} cannot be handled as a {kind}: {path}: {errors[0].body}"
        raise bad_request(text.replace("'", '"'))
    return ["metadata" + path.removeprefix("value") for path in unknown]


def _name_errors(resource: Resource, name: str, where: str) -> Iterator[FieldError]:
    if resource.plural == "namespaces" and not resource.group:
        if not _LABEL_RE.match(name):
            yield invalid_value(where, name, _LABEL_TEXT)
        if len(name) > 63:
            yield invalid_value(where, name, "must be no more than 63 bytes")
        return
    if not _SUBDOMAIN.match(name):
        yield invalid_value(where, name, _SUBDOMAIN_TEXT)
    if len(name) > 253:
        yield invalid_value(where, name, "must be no more than 253 bytes")


def _key_errors(key: str, where: str) -> Iterator[FieldError]:
    prefix, slash, name = key.rpartition("/")
    if slash and not _SUBDOMAIN.match(prefix):
        yield invalid_value(where, key, f"prefix part {_SUBDOMAIN_TEXT}")
    if not _NAME.match(name):
        yield invalid_value(where, key, _NAME_TEXT)
    if len(name) > 63:
        yield invalid_value(where, key, "name part must be no more than 63 bytes")


def errors(resource: Resource, obj: Obj) -> list[FieldError]:
    """Validate names, labels, annotations, finalizers and owner references."""
    metadata = obj["metadata"]
    found: list[FieldError] = []
    name = metadata.get("name")
    if not name:
        found.append(required("metadata.name", "name or generateName is required"))
    else:
        found += _name_errors(resource, name, "metadata.name")
    for key, value in (metadata.get("labels") or {}).items():
        found += _key_errors(key, "metadata.labels")
        if value and not _NAME.match(value):
            found.append(invalid_value("metadata.labels", value, _VALUE_TEXT))
        elif len(value) > 63:
            found.append(invalid_value("metadata.labels", value, "must be no more than 63 bytes"))
    size = 0
    for key, value in (metadata.get("annotations") or {}).items():
        found += _key_errors(key.lower(), "metadata.annotations")
        size += len(key.encode()) + len(value.encode())
    if size > _ANNOTATIONS_LIMIT:
        found.append(
            FieldError("metadata.annotations", "Too long", f"may not be more than {_ANNOTATIONS_LIMIT} bytes")
        )
    for index, finalizer in enumerate(metadata.get("finalizers") or ()):
        found += _key_errors(finalizer, f"metadata.finalizers[{index}]")
    found += _owner_errors(metadata.get("ownerReferences") or ())
    return found


def _owner_errors(owners: Any) -> Iterator[FieldError]:
    controllers = [o for o in owners if o.get("controller")]
    for index, owner in enumerate(owners):
        for name in ("apiVersion", "kind", "name", "uid"):
            if not owner.get(name):
                yield required(f"metadata.ownerReferences[{index}].{name}", "must not be empty")
    if len(controllers) > 1:
        names = " and ".join(f"{o.get('kind')}/{o.get('name')}" for o in controllers[:2])
        detail = f'Only one reference can have Controller set to true. Found "true" in references for {names}'
        yield invalid_value("metadata.ownerReferences", owners, detail)


def update_errors(old: Obj, new: Obj) -> list[FieldError]:
    """Validate what may not change in metadata."""
    before, after = old["metadata"], new["metadata"]
    found = [
        invalid_value(f"metadata.{name}", after.get(name), "field is immutable")
        for name in ("name", "namespace")
        if after.get(name) != before.get(name)
    ]
    if "deletionTimestamp" in before:
        added = sorted(set(after.get("finalizers") or ()) - set(before.get("finalizers") or ()))
        if added:
            shown = "[]string{" + ", ".join(f'"{a}"' for a in added) + "}"
            detail = (
                f"no new finalizers can be added if the object is being deleted, found new finalizers {shown}"
            )
            found.append(forbidden_field("metadata.finalizers", detail))
    return found
