"""CustomResourceDefinitions: what the API server fills in, checks and answers with conditions."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from .errors import FieldError, duplicate, invalid_value, required
from .objects import Obj, lookup
from .structural import schema_errors, strip_unknown

_LABEL = re.compile(r"^[a-z]([-a-z0-9]*[a-z0-9])?$")
_LABEL_TEXT = (
    "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an "
    "alphabetic character,"
    " and end with an alphanumeric character (e.g. 'my-name',  or 'abc-123', regex used for validation is"
    " '[a-z]([-a-z0-9]*[a-z0-9])?')"
)
# JSONSchemaProps: field -> Go type, as decoding errors name it


def prepare(crd: Obj) -> list[str]:
    """Fill in what the API server defaults, drop unknown schema fields; returns their paths. Raises 400."""
    spec = crd.setdefault("spec", {})
    names = spec.setdefault("names", {})
    kind = names.get("kind", "")
    if not names.get("singular"):
        names["singular"] = kind.lower()
    if not names.get("listKind") and kind:
        names["listKind"] = kind + "List"
    spec.setdefault("conversion", {"strategy": "None"})
    unknown: list[str] = []
    for index, version in enumerate(spec.get("versions") or ()):
        node = lookup(version, "schema", "openAPIV3Schema")
        if isinstance(node, dict):
            unknown += strip_unknown(node, f"spec.versions[{index}].schema.openAPIV3Schema")
    return unknown


def _name_errors(spec: Obj) -> Iterator[FieldError]:
    names = spec["names"]
    for name in ("plural", "singular", "kind", "listKind"):
        value = names.get(name, "")
        where = f"spec.names.{name}"
        if not value:
            yield required(where)
        elif not _LABEL.match(value.lower() if name in ("kind", "listKind") else value):
            prefix = (
                "may have mixed case, but should otherwise match: " if name in ("kind", "listKind") else ""
            )
            yield invalid_value(where, value, prefix + _LABEL_TEXT)
    for field in ("shortNames", "categories"):
        for index, value in enumerate(names.get(field) or ()):
            if not _LABEL.match(value):
                yield invalid_value(f"spec.names.{field}[{index}]", value, _LABEL_TEXT)
    if names.get("kind") and names.get("kind") == names.get("listKind"):
        yield invalid_value("spec.names.listKind", names["listKind"], "kind and listKind may not be the same")


def definition_errors(crd: Obj) -> list[FieldError]:
    """Validate a prepared CustomResourceDefinition."""
    spec = crd["spec"]
    found: list[FieldError] = []
    name, plural, group = (
        crd["metadata"].get("name", ""),
        spec["names"].get("plural", ""),
        spec.get("group", ""),
    )
    if not group:
        found.append(required("spec.group"))
    elif "." not in group:
        found.append(invalid_value("spec.group", group, "should be a domain with at least one dot"))
    if name != f"{plural}.{group}":
        found.append(invalid_value("metadata.name", name, 'must be spec.names.plural+"."+spec.group'))
    if spec.get("scope") not in ("Namespaced", "Cluster"):
        found.append(
            FieldError("spec.scope", "Unsupported value", 'supported values: "Cluster", "Namespaced"',
                       spec.get("scope", ""), show_value=True)
        )  # fmt: skip
    found += _name_errors(spec)
    found += _version_errors(spec.get("versions") or [])
    if lookup(spec, "conversion", "strategy") != "None":
        found.append(
            FieldError("spec.conversion.strategy", "Unsupported value", 'supported values: "None"',
                       lookup(spec, "conversion", "strategy"), show_value=True)
        )  # fmt: skip
    return found


def _version_errors(versions: list[Any]) -> Iterator[FieldError]:
    storing = [v for v in versions if v.get("storage")]
    if len(storing) != 1:
        yield invalid_value(
            "spec.versions", versions, "must have exactly one version marked as storage version"
        )
    seen: set[str] = set()
    # The API server's internal version holds what all versions share once, above them, and tells of it there.
    one_schema, one_table = _shared(versions, "schema"), _shared(versions, "additionalPrinterColumns")
    for index, version in enumerate(versions):
        where = f"spec.versions[{index}]"
        name = version.get("name", "")
        if not _LABEL.match(name):
            yield invalid_value(f"{where}.name", name, _LABEL_TEXT)
        if name in seen:
            yield duplicate(f"{where}.name", name)
        seen.add(name)
        if not one_schema or index == 0:
            yield from _schema_errors(version, "spec.validation" if one_schema else f"{where}.schema")
        if not one_table or index == 0:
            yield from _column_errors(version, "spec" if one_table else where)


def _shared(versions: list[Any], field: str) -> bool:
    """Whether all versions have the same."""
    return all(version.get(field) == versions[0].get(field) for version in versions)


def _schema_errors(version: Obj, where: str) -> Iterator[FieldError]:
    node = lookup(version, "schema", "openAPIV3Schema")
    if isinstance(node, dict):
        yield from schema_errors(node, f"{where}.openAPIV3Schema")
    else:
        yield required(f"{where}.openAPIV3Schema", "schemas are required")


def _column_errors(version: Obj, where: str) -> Iterator[FieldError]:
    for number, column in enumerate(version.get("additionalPrinterColumns") or ()):
        at = f"{where}.additionalPrinterColumns[{number}]"
        for field in ("name", "type", "jsonPath"):
            if not column.get(field):
                yield required(f"{at}.{field}")


def accept(crd: Obj, now: str, clash: str = "") -> None:
    """Set the conditions that say the names were accepted and the resource is served, or why not."""
    spec, old = crd["spec"], crd.get("status") or {}
    accepted = (
        ("NamesAccepted", "True", "NoConflicts", "no conflicts found")
        if not clash
        else ("NamesAccepted", "False", "PluralConflict", clash)
    )
    established = (
        ("Established", "True", "InitialNamesAccepted", "the initial names have been accepted")
        if not clash
        else ("Established", "False", "NotAccepted", "not all names are accepted")
    )
    before = {c["type"]: c for c in old.get("conditions") or ()}
    conditions = []
    for kind, status, reason, message in (accepted, established):
        last = before.pop(kind, {})
        since = last["lastTransitionTime"] if last.get("status") == status else now
        conditions.append(
            {
                "lastTransitionTime": since,
                "message": message,
                "reason": reason,
                "status": status,
                "type": kind,
            }
        )
    stored = list(old.get("storedVersions") or ())
    storage = next(v["name"] for v in spec["versions"] if v.get("storage"))
    if storage not in stored:
        stored.append(storage)
    crd["status"] = {
        "conditions": [*conditions, *before.values()],
        "acceptedNames": {} if clash else dict(spec["names"]),
        "storedVersions": stored,
    }
