"""What the API server does on its own to a few built-in kinds when they are written."""

from __future__ import annotations

import base64
from collections.abc import Callable
from dataclasses import dataclass

from . import admission, crd
from .errors import FieldError, forbidden_field, invalid_value
from .objects import Obj, lookup
from .resources import Registry

Prepare = Callable[[Obj, Obj | None, str, Registry], list[str]]
Check = Callable[[Obj, Obj | None], list[FieldError]]


@dataclass(frozen=True)
class Strategy:
    """`prepare` changes an object before validation and returns unknown fields; `check` validates it."""

    prepare: Prepare
    check: Check


def _nothing(obj: Obj, old: Obj | None, now: str, registry: Registry) -> list[str]:
    return []


def _accept(obj: Obj, old: Obj | None) -> list[FieldError]:
    return []


def _namespace(obj: Obj, old: Obj | None, now: str, registry: Registry) -> list[str]:
    if old is None:
        obj["spec"] = {"finalizers": ["kubernetes"]}
        obj["status"] = {"phase": "Active"}
    else:
        obj["spec"] = old.get("spec", {})
    obj["metadata"].setdefault("labels", {})["kubernetes.io/metadata.name"] = obj["metadata"].get("name", "")
    return []


def _secret(obj: Obj, old: Obj | None, now: str, registry: Registry) -> list[str]:
    plain = obj.pop("stringData", None)
    for key, value in (plain or {}).items():
        obj.setdefault("data", {})[key] = base64.b64encode(value.encode()).decode()
    return []


def _immutable(obj: Obj, old: Obj | None) -> list[FieldError]:
    found: list[FieldError] = []
    if old is None or not old.get("immutable"):
        return found
    if not obj.get("immutable"):
        found.append(forbidden_field("immutable", "field is immutable when `immutable` is set"))
    found += [
        forbidden_field(name, "field is immutable when `immutable` is set")
        for name in ("data", "binaryData")
        if obj.get(name) != old.get(name)
    ]
    return found


def _config_map_errors(obj: Obj, old: Obj | None) -> list[FieldError]:
    twice = sorted({*(obj.get("data") or {})} & {*(obj.get("binaryData") or {})})
    told = "duplicate of key present in binaryData"
    return [*(invalid_value(f"data[{key}]", key, told) for key in twice), *_immutable(obj, old)]


def _secret_errors(obj: Obj, old: Obj | None) -> list[FieldError]:
    found = _immutable(obj, old)
    if old is not None and obj.get("type") != old.get("type"):
        found.append(invalid_value("type", obj.get("type"), "field is immutable"))
    return found


def _definition(obj: Obj, old: Obj | None, now: str, registry: Registry) -> list[str]:
    if not crd.definition_errors(obj):
        crd.accept(obj, now, _clash(obj, registry))
    return []


def _clash(obj: Obj, registry: Registry) -> str:
    """Find another resource of the group that already has one of the names."""
    spec = obj["spec"]
    for other in registry.all():
        if other.group != spec["group"] or f"{other.plural}.{other.group}" == obj["metadata"].get("name"):
            continue
        taken = {other.plural, other.singular, *other.short_names}
        for name in (spec["names"]["singular"], *(spec["names"].get("shortNames") or ())):
            if name in taken:
                return f'"{name}" is already in use'
        if spec["names"]["kind"] == other.kind:
            return f'"{other.kind}" is already in use'
    return ""


def _definition_errors(obj: Obj, old: Obj | None) -> list[FieldError]:
    found = crd.definition_errors(obj)
    if old is None:
        return found
    for path in (("group",), ("scope",), ("names", "plural"), ("names", "kind")):
        before, after = lookup(old, "spec", *path), lookup(obj, "spec", *path)
        if before != after and path[-1] != "plural":
            found.append(invalid_value("spec." + ".".join(path), after, "field is immutable"))
    return found


STRATEGIES: dict[str, Strategy] = {
    "namespaces": Strategy(_namespace, _accept),
    "secrets": Strategy(_secret, _secret_errors),
    "configmaps": Strategy(_nothing, _config_map_errors),
    "customresourcedefinitions.apiextensions.k8s.io": Strategy(_definition, _definition_errors),
    admission.POLICIES: Strategy(_nothing, lambda obj, old: admission.policy_errors(obj)),
    admission.BINDINGS: Strategy(_nothing, lambda obj, old: admission.binding_errors(obj)),
}
DEFAULT = Strategy(_nothing, _accept)
