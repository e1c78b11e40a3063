"""Errors as metav1.Status, in the wording of the Kubernetes API server (apimachinery `api/errors`)."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field

from .objects import Obj, encode

GO_KINDS = {
    "Required value": "FieldValueRequired",
    "Invalid value": "FieldValueInvalid",
    "Unsupported value": "FieldValueNotSupported",
    "Duplicate value": "FieldValueDuplicate",
    "Forbidden": "FieldValueForbidden",
    "Too long": "FieldValueTooLong",
    "Too many": "FieldValueTooMany",
    "Not found": "FieldValueNotFound",
    "Internal error": "InternalError",
}


@dataclass(frozen=True)
class FieldError:
    """One field that is wrong: `path: kind: value: detail`, as `field.Error` prints it."""

    path: str
    kind: str
    detail: str = ""
    value: object = None
    show_value: bool = False
    type_error: bool = False

    @property
    def body(self) -> str:
        """Return the message without the path."""
        text = self.kind
        if self.show_value:
            text += f": {go_value(self.value)}"
        return f"{text}: {self.detail}" if self.detail else text

    @property
    def reason(self) -> str:
        """Return the machine-readable cause type."""
        return "FieldValueTypeInvalid" if self.type_error else GO_KINDS[self.kind]

    def __str__(self) -> str:
        return f"{self.path}: {self.body}"


def go_value(value: object) -> str:
    """Print a value as the API server's error messages do."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return str(value)
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def required(path: str, detail: str = "") -> FieldError:
    """Make a `Required value` error."""
    return FieldError(path, "Required value", detail)


def forbidden_field(path: str, detail: str = "") -> FieldError:
    """Make a `Forbidden` field error."""
    return FieldError(path, "Forbidden", detail)


def invalid_value(path: str, value: object, detail: str) -> FieldError:
    """Make an `Invalid value` error."""
    return FieldError(path, "Invalid value", detail, value, show_value=True)


def unsupported(path: str, value: object, supported: Sequence[str]) -> FieldError:
    """Make an `Unsupported value` error with the list of supported values."""
    detail = "supported values: " + ", ".join(json.dumps(v, ensure_ascii=False) for v in supported)
    return FieldError(path, "Unsupported value", detail, value, show_value=True)


def duplicate(path: str, value: object) -> FieldError:
    """Make a `Duplicate value` error."""
    return FieldError(path, "Duplicate value", "", value, show_value=True)


@dataclass
class ApiError(Exception):
    """A refused request; `status()` is the metav1.Status that the client gets.

    `retry_after` is in whole seconds; `headers` go on the HTTP response.
    """

    code: int
    reason: str
    message: str
    details: Obj | None = None
    headers: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        super().__init__(self.message)

    def status(self) -> Obj:
        """Return the Status object."""
        status: Obj = {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Failure",
            "message": self.message,
            "reason": self.reason,
        }
        if not self.reason:
            del status["reason"]
        if self.details:
            status["details"] = self.details
        return status | {"code": self.code}

    def body(self) -> bytes:
        """Return the Status as JSON bytes."""
        return encode(self.status())


def qualified(plural: str, group: str) -> str:
    """Return `plural.group`, or `plural` in the core group, as messages name a resource."""
    return f"{plural}.{group}" if group else plural


def _details(plural: str, group: str, name: str) -> Obj:
    details: Obj = {"name": name} if name else {}
    if group:
        details["group"] = group
    if plural:
        details["kind"] = plural
    return details


def not_found(plural: str, group: str, name: str) -> ApiError:
    """404: the object does not exist."""
    message = f'{qualified(plural, group)} "{name}" not found'
    return ApiError(404, "NotFound", message, _details(plural, group, name))


def no_such_path() -> ApiError:
    """404: no resource is served under this path."""
    return ApiError(404, "NotFound", "the server could not find the requested resource")


def already_exists(plural: str, group: str, name: str) -> ApiError:
    """409 on create."""
    message = f'{qualified(plural, group)} "{name}" already exists'
    return ApiError(409, "AlreadyExists", message, _details(plural, group, name))


STALE = "the object has been modified; please apply your changes to the latest version and try again"


def conflict(plural: str, group: str, name: str, why: str = STALE) -> ApiError:
    """409 on a stale or otherwise conflicting write."""
    message = f'Operation cannot be fulfilled on {qualified(plural, group)} "{name}": {why}'
    return ApiError(409, "Conflict", message, _details(plural, group, name))


def apply_conflict(message: str, causes: list[Obj]) -> ApiError:
    """409: server-side apply met fields that another manager owns."""
    return ApiError(409, "Conflict", message, {"causes": causes})


def forbidden(plural: str, group: str, name: str, why: str, causes: list[Obj] | None = None) -> ApiError:
    """403 in the form `resource "name" is forbidden: why`."""
    shown = f' "{name}"' if name else ""
    details = _details(plural, group, name)
    if causes:
        details["causes"] = causes
    return ApiError(403, "Forbidden", f"{qualified(plural, group)}{shown} is forbidden: {why}", details)


def unauthorized() -> ApiError:
    """401: no token, or one that nobody holds."""
    return ApiError(401, "Unauthorized", "Unauthorized")


def bad_request(message: str) -> ApiError:
    """400."""
    return ApiError(400, "BadRequest", message)


def method_not_allowed(plural: str, group: str, verb: str) -> ApiError:
    """405: the resource does not know the verb."""
    message = f'{verb} is not supported on resources of kind "{qualified(plural, group)}"'
    return ApiError(405, "MethodNotAllowed", message, _details(plural, group, ""))


def unsupported_media_type(accepted: Sequence[str]) -> ApiError:
    """415."""
    message = "the body of the request was in an unknown format - accepted media types include: " + ", ".join(
        accepted
    )
    return ApiError(415, "UnsupportedMediaType", message)


def not_acceptable(accepted: Sequence[str]) -> ApiError:
    """406."""
    message = "only the following media types are accepted: " + ", ".join(accepted)
    return ApiError(406, "NotAcceptable", message)


def expired(message: str) -> ApiError:
    """410: the resourceVersion or continue token is too old."""
    return ApiError(410, "Expired", message)


def internal(message: str) -> ApiError:
    """500."""
    return ApiError(
        500, "InternalError", f"Internal error occurred: {message}", {"causes": [{"message": message}]}
    )


def invalid(kind: str, group: str, name: str, errors: Sequence[FieldError]) -> ApiError:
    """422 with one cause per field."""
    texts: list[str] = []
    for text in map(str, errors):
        if text not in texts:
            texts.append(text)
    joined = texts[0] if len(texts) == 1 else "[" + ", ".join(texts) + "]"
    details: Obj = {"name": name, "group": group, "kind": kind} if group else {"name": name, "kind": kind}
    details["causes"] = [{"reason": e.reason, "message": e.body, "field": e.path} for e in errors]
    shown = f"{kind}.{group}" if group else kind
    return ApiError(422, "Invalid", f'{shown} "{name}" is invalid: {joined}', details)
