"""What a write request is, and the forms in which objects come in and go out."""

from __future__ import annotations

import json
from dataclasses import dataclass, field

from .authn import User
from .errors import bad_request, invalid, invalid_value
from .kinds import event_from_core, event_to_core
from .objects import Key, Obj, encode, meta
from .resources import Resource
from .storage import Stored

FOREGROUND = "foregroundDeletion"
ORPHAN = "orphan"
CRD_FINALIZER = "customresourcecleanup.apiextensions.k8s.io"
DEFINITIONS = "customresourcedefinitions.apiextensions.k8s.io"
SYSTEM = User("system:govpool-control-plane", "", ("system:masters",))


@dataclass
class Call:
    """One write request, apart from its body."""

    user: User
    resource: Resource
    namespace: str = ""
    name: str = ""
    subresource: str = ""
    manager: str = "unknown"
    dry_run: bool = False
    validation: str = "Warn"
    warnings: list[str] = field(default_factory=list)

    @property
    def key(self) -> Key:
        """Return where the object lives."""
        return Key(self.resource.storage_key, self.namespace, self.name)


@dataclass(frozen=True)
class DeleteOptions:
    """metav1.DeleteOptions as far as it is heeded."""

    propagation: str = ""
    uid: str = ""
    resource_version: str = ""


@dataclass(frozen=True)
class Outcome:
    """An answer: the HTTP code and the object as stored bytes or, for a dry run, as it would have been."""

    code: int
    data: bytes
    obj: Obj | None = None


def present(stored: Stored, resource: Resource) -> bytes:
    """Return an object's bytes in the version of `resource`."""
    return encode(present_obj(stored, resource)) if resource.converts else stored.data


def present_obj(stored: Stored, resource: Resource) -> Obj:
    """Return a fresh copy of an object in the version of `resource`."""
    return convert(stored.load(), resource)


def convert(obj: Obj, resource: Resource) -> Obj:
    """Convert a stored object to the version of `resource`."""
    if resource.converts:
        if resource.storage_key == "events":
            return event_from_core(obj)
        obj["apiVersion"] = resource.api_version
    return obj


def to_storage(obj: Obj, resource: Resource) -> Obj:
    """Convert an object to the version in which it is stored."""
    if resource.converts:
        if resource.storage_key == "events":
            return event_to_core(obj)
        return obj | {"apiVersion": f"{resource.group}/{resource.storage_version}"}
    return obj


def name_mismatch(given: object, wanted: str) -> str:
    """Say that a body's name is not the path's."""
    return f"the name of the object ({given or ''}) does not match the name on the URL ({wanted})"


def uid_mismatch(wanted: str, there: str) -> str:
    """Say that a uid precondition does not hold."""
    return f"Precondition failed: UID in precondition: {wanted}, UID in object meta: {there}"


def excerpt(obj: Obj) -> str:
    """Show the beginning of a body in an error."""
    text = encode(obj).decode()
    return text if len(text) <= 256 else text[:256] + "..."


def same(a: Obj, b: Obj) -> bool:
    """Compare as JSON: to Python True equals 1, to JSON it does not."""
    return a == b and json.dumps(a, sort_keys=True) == json.dumps(b, sort_keys=True)


def deleted(call: Call, head: Stored) -> Obj:
    """Return the Status that answers an immediate deletion."""
    resource = call.resource
    details: Obj = {"name": call.name, "kind": resource.plural, "uid": head.uid}
    if resource.group:
        details["group"] = resource.group
    return {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "details": details}


def check_type(call: Call, obj: Obj) -> None:
    """Check that a body is of the kind that the path says; raises 400, and 422 for a kind of ours."""
    resource = call.resource
    if not resource.custom:
        # a built-in kind is known from the path, and clients leave it out
        obj.setdefault("apiVersion", resource.api_version)
        obj.setdefault("kind", resource.kind)
    for name in ("kind", "apiVersion"):
        if not obj.get(name):
            title = "Kind" if name == "kind" else name
            raise bad_request(f"Object '{title}' is missing in '{excerpt(obj)}'")
    if obj["apiVersion"] != resource.api_version:
        raise bad_request(
            f"the API version in the data ({obj['apiVersion']}) does not match the expected API version"
            f" ({resource.api_version})"
        )
    if obj["kind"] != resource.kind:
        if resource.custom:
            error = invalid_value("kind", obj["kind"], f"must be {resource.kind}")
            raise invalid(resource.kind, resource.group, call.name or str(meta(obj).get("name", "")), [error])
        raise bad_request(
            f'{obj["kind"]} in version "{resource.version}" cannot be handled as a '
            f"{resource.kind}: no kind"
            f' "{obj["kind"]}" is registered for version "{resource.api_version}"'
        )


def fit_namespace(call: Call, found: Obj) -> None:
    """Put an object's metadata into the namespace of the path; raises 400 when it names another one."""
    given = found.get("namespace") or ""
    if not call.resource.namespaced:
        found.pop("namespace", None)
    elif given and given != call.namespace:
        raise bad_request(
            "the namespace of the provided object does not match the namespace sent on the request"
        )
    else:
        found["namespace"] = call.namespace
