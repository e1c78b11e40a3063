"""Read the protobuf bodies that kubectl's typed commands send (`create configmap`, `auth whoami`, deletions).

Answers are always JSON, which the same clients accept. Field numbers are those of the published
`generated.proto` files of k8s.io/api and k8s.io/apimachinery.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from .errors import bad_request
from .objects import Obj

MEDIA_TYPE = "application/vnd.kubernetes.protobuf"
_MAGIC = b"k8s\x00"


@dataclass(frozen=True)
class _Field:
    name: str
    type: str = "string"  # string, bytes, int, bool, time, or the name of a message
    repeated: bool = False
    map: bool = False


def _fields(**numbers: tuple[int, str] | int) -> dict[int, _Field]:
    """Build a message from `name=number` or `name=(number, type)`; a type may end in [] or be map:TYPE."""
    found = {}
    for name, given in numbers.items():
        number, kind = (given, "string") if isinstance(given, int) else given
        repeated, is_map = kind.endswith("[]"), kind.startswith("map:")
        found[number] = _Field(name, kind.removesuffix("[]").removeprefix("map:"), repeated, is_map)
    return found


_SPEC = {"metadata": (1, "ObjectMeta")}
MESSAGES: dict[str, dict[int, _Field]] = {
    "ObjectMeta": _fields(
        name=1, generateName=2, namespace=3, selfLink=4, uid=5, resourceVersion=6, generation=(7, "int"),
        creationTimestamp=(8, "time"), deletionTimestamp=(9, "time"), deletionGracePeriodSeconds=(10, "int"),
        labels=(11, "map:string"), annotations=(12, "map:string"), ownerReferences=(13, "OwnerReference[]"),
        finalizers=(14, "string[]"),
    ),
    "OwnerReference": _fields(
        kind=1, name=3, uid=4, apiVersion=5, controller=(6, "bool"), blockOwnerDeletion=(7, "bool")
    ),
    "Preconditions": _fields(uid=1, resourceVersion=2),
    "DeleteOptions": _fields(
        gracePeriodSeconds=(1, "int"), preconditions=(2, "Preconditions"), orphanDependents=(3, "bool"),
        propagationPolicy=4, dryRun=(5, "string[]"),
    ),
    "ObjectReference": _fields(kind=1, namespace=2, name=3, uid=4, apiVersion=5, resourceVersion=6,
        fieldPath=7),
    "LocalObjectReference": _fields(name=1),
    "Namespace": _fields(**_SPEC, spec=(2, "NamespaceSpec"), status=(3, "NamespaceStatus")),
    "NamespaceSpec": _fields(finalizers=(1, "string[]")),
    "NamespaceStatus": _fields(phase=1),
    "ConfigMap": _fields(
        **_SPEC, data=(2, "map:string"), binaryData=(3, "map:bytes"), immutable=(4, "bool")
    ),
    "Secret": _fields(
        **_SPEC, data=(2, "map:bytes"), type=3, stringData=(4, "map:string"), immutable=(5, "bool")
    ),
    "ServiceAccount": _fields(
        **_SPEC, secrets=(2, "ObjectReference[]"), imagePullSecrets=(3, "LocalObjectReference[]"),
        automountServiceAccountToken=(4, "bool"),
    ),
    "EventSource": _fields(component=1, host=2),
    "EventSeries": _fields(count=(1, "int"), lastObservedTime=(2, "microtime")),
    "Event": _fields(
        **_SPEC, involvedObject=(2, "ObjectReference"), reason=3, message=4, source=(5, "EventSource"),
        firstTimestamp=(6, "time"), lastTimestamp=(7, "time"), count=(8, "int"), type=9,
        eventTime=(10, "microtime"), series=(11, "EventSeries"), action=12, related=(13, "ObjectReference"),
        reportingComponent=14, reportingInstance=15,
    ),
    "Lease": _fields(**_SPEC, spec=(2, "LeaseSpec")),
    "LeaseSpec": _fields(
        holderIdentity=1, leaseDurationSeconds=(2, "int"), acquireTime=(3, "microtime"), renewTime=(4,
            "microtime"),
        leaseTransitions=(5, "int"), strategy=6, preferredHolder=7,
    ),
    "SelfSubjectReview": _fields(**_SPEC),
    "SelfSubjectRulesReview": _fields(**_SPEC, spec=(2, "SelfSubjectRulesReviewSpec")),
    "SelfSubjectRulesReviewSpec": _fields(namespace=1),
    "SelfSubjectAccessReview": _fields(**_SPEC, spec=(2, "SelfSubjectAccessReviewSpec")),
    "SelfSubjectAccessReviewSpec": _fields(
        resourceAttributes=(1, "ResourceAttributes"), nonResourceAttributes=(2, "NonResourceAttributes")
    ),
    "ResourceAttributes": _fields(
        namespace=1, verb=2, group=3, version=4, resource=5, subresource=6, name=7
    ),
    "NonResourceAttributes": _fields(path=1, verb=2),
    "TokenRequest": _fields(**_SPEC, spec=(2, "TokenRequestSpec")),
    "TokenRequestSpec": _fields(
        audiences=(1, "string[]"), boundObjectRef=(3, "BoundObjectReference"), expirationSeconds=(4, "int")
    ),
    "BoundObjectReference": _fields(kind=1, apiVersion=2, name=3, uid=4),
}  # fmt: skip


@dataclass
class _Reader:
    data: bytes
    at: int = field(default=0)

    def varint(self) -> int:
        value, shift = 0, 0
        while True:
            byte = self.data[self.at]
            self.at += 1
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                return value
            shift += 7
            if shift > 63:
                raise ValueError("a number is too long")

    def fields(self) -> Iterator[tuple[int, int | bytes]]:
        while self.at < len(self.data):
            key = self.varint()
            number, wire = key >> 3, key & 7
            if wire == 0:
                yield number, self.varint()
            elif wire in (1, 2, 5):
                size = self.varint() if wire == 2 else 8 if wire == 1 else 4
                if self.at + size > len(self.data):
                    raise ValueError("the message ends early")
                yield number, self.data[self.at : self.at + size]
                self.at += size
            else:
                raise ValueError(f"wire type {wire} is not used by Kubernetes")


def _time(data: bytes, *, micro: bool) -> str | None:
    found = {number: value for number, value in _Reader(data).fields() if isinstance(value, int)}
    if not found:
        return None
    seconds = found.get(1, 0)
    when = datetime.fromtimestamp(seconds, UTC)
    text = when.strftime("%Y-%m-%dT%H:%M:%S")
    return f"{text}.{found.get(2, 0) // 1000:06d}Z" if micro else f"{text}Z"


def _value(kind: str, raw: int | bytes) -> Any:
    if isinstance(raw, int):
        signed = raw - (1 << 64) if raw >= 1 << 63 else raw
        return bool(raw) if kind == "bool" else signed
    if kind == "string":
        return raw.decode()
    if kind == "bytes":
        return base64.b64encode(raw).decode()
    if kind in ("time", "microtime"):
        return _time(raw, micro=kind == "microtime")
    return _message(kind, raw)


def _entry(kind: str, raw: bytes) -> tuple[str, Any]:
    found = dict(_Reader(raw).fields())
    key = found.get(1, b"")
    return str(_value("string", key)), _value(kind, found.get(2, b""))


def _message(name: str, data: bytes) -> Obj:
    known = MESSAGES[name]
    out: Obj = {}
    for number, raw in _Reader(data).fields():
        spec = known.get(number)
        if spec is None:
            continue  # protobuf's own rule for fields that a reader does not know
        if spec.map and isinstance(raw, bytes):
            key, value = _entry(spec.type, raw)
            out.setdefault(spec.name, {})[key] = value
        elif spec.repeated:
            out.setdefault(spec.name, []).append(_value(spec.type, raw))
        else:
            value = _value(spec.type, raw)
            if value not in ("", None):
                out[spec.name] = value
    return out


def decode(data: bytes) -> Obj:
    """Read an object in the Kubernetes protobuf envelope; raises 400 for kinds that are read as JSON only."""
    if not data.startswith(_MAGIC):
        raise bad_request(
            "the object provided is unrecognized (must be of type Object): it lacks the k8s prefix"
        )
    try:
        return _object(data[len(_MAGIC) :])
    except (ValueError, IndexError, OverflowError) as exc:
        raise bad_request(f"the object provided is unrecognized (must be of type Object): {exc}") from exc


def _object(data: bytes) -> Obj:
    envelope = dict(_Reader(data).fields())
    names = dict(_Reader(_bytes(envelope.get(1, b""))).fields())
    version, kind = (_bytes(names.get(n, b"")).decode() for n in (1, 2))
    if kind not in MESSAGES:
        raise bad_request(f"{kind} is read as JSON only: send it as application/json")
    return {"apiVersion": version, "kind": kind, **_message(kind, _bytes(envelope.get(2, b"")))}


def _bytes(value: int | bytes) -> bytes:
    if isinstance(value, int):
        raise ValueError("the envelope is malformed")  # noqa: TRY004 - the data is wrong, not the program
    return value
