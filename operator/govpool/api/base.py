"""What every kind is made of: models with Kubernetes spelling, metadata, CEL rules, printer columns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator
from pydantic.alias_generators import to_camel

GROUP = "govpool.dev"
VERSION = "v1alpha1"
API_VERSION = f"{GROUP}/{VERSION}"
FINALIZER = f"{GROUP}/reclaim"
"""Held by whatever must not vanish before its resources were seen absent and its data proven destroyed."""
PAUSED_ANNOTATION = f"{GROUP}/paused"
"""``"true"``: govpool looks at the object, says so, and does nothing at all."""
RETRY_ANNOTATION = f"{GROUP}/retry"
"""Any new value asks for one more attempt of a work order that failed for good."""
SETTLED_LABEL = f"{GROUP}/settled"
"""``"true"`` on what will never change again; left out of the operator's watch."""
REQUEST_LABEL = f"{GROUP}/request-uid"
"""On everything made for a CloudResourceRequest: its UID."""


def wire_name(field: str) -> str:
    """The field's name on the wire: camelCase, with the unit GiB spelt as the unit is."""
    return to_camel(field).replace("Gib", "GiB")


_new, _set = object.__new__, object.__setattr__


class Model(BaseModel):  # noqa: PLW1641 - pydantic makes the hash of what is frozen
    """A piece of a kind: camelCase on the wire, frozen in memory, unknown fields ignored.

    Unknown fields are refused or pruned by the API server's schema; an operator that is older than the
    CRDs must still be able to read.
    """

    model_config = ConfigDict(
        alias_generator=wire_name,
        populate_by_name=True,
        frozen=True,
        extra="ignore",
        use_attribute_docstrings=True,
    )
    RULES: ClassVar[tuple[Rule, ...]] = ()

    def __eq__(self, other: object) -> bool:
        """Whether the other is of the same kind and says the same; there is nothing else in a kind."""
        if self.__class__ is not other.__class__:
            return NotImplemented
        return self.__dict__ == other.__dict__

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:
        """A copy with some fields in place of its own; they are not validated, as pydantic has it.

        Kinds have no private attributes and no further fields, so there is less to copy than pydantic's own
        looks for; status after status is made this way.
        """
        if deep:
            return super().model_copy(update=update, deep=True)
        copied = _new(self.__class__)
        given, fields = update or {}, self.__pydantic_fields_set__
        _set(copied, "__dict__", {**self.__dict__, **given})
        # Nobody changes such a set: it is another one only where there is more in it.
        _set(copied, "__pydantic_fields_set__", fields if fields.issuperset(given) else {*fields, *given})
        _set(copied, "__pydantic_extra__", None)
        _set(copied, "__pydantic_private__", None)
        return copied


@dataclass(frozen=True, slots=True)
class Rule:
    """A CEL rule (``x-kubernetes-validations``) of the model or kind that carries it."""

    rule: str
    message: str
    field_path: str | None = None
    optional_old_self: bool = False


@dataclass(frozen=True, slots=True)
class Column:
    """A printer column of ``kubectl get``. ``priority`` above 0 shows only with ``-o wide``."""

    name: str
    json_path: str
    type: Literal["string", "integer", "boolean", "date"] = "string"
    description: str = ""
    priority: int = 0


class Scope(StrEnum):
    """Whether a kind lives in a namespace."""

    CLUSTER = "Cluster"
    NAMESPACED = "Namespaced"


@dataclass(frozen=True, slots=True)
class Definition:
    """How a kind is called and shown; becomes its CustomResourceDefinition."""

    kind: str
    plural: str
    singular: str
    short_names: tuple[str, ...]
    scope: Scope
    columns: tuple[Column, ...]
    rules: tuple[Rule, ...] = ()
    """Rules about the whole object; the only place that sees spec and status together."""
    has_status: bool = True

    @property
    def crd_name(self) -> str:
        """The CRD's name, ``<plural>.<group>``."""
        return f"{self.plural}.{GROUP}"


# maxLength on every string and maxItems on every list keep CEL within the API server's cost limit.
Name = Annotated[
    str, StringConstraints(min_length=1, max_length=63, pattern=r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$")
]
"""A DNS-1123 label."""
ShortText = Annotated[str, StringConstraints(max_length=256)]
Title = Annotated[str, StringConstraints(min_length=1, max_length=256)]
Text = Annotated[str, StringConstraints(max_length=4096)]
Sha256 = Annotated[str, StringConstraints(max_length=64, pattern=r"^[0-9a-f]{64}$")]
_DAYS = r"(\d+Y(\d+M)?(\d+W)?(\d+D)?|\d+M(\d+W)?(\d+D)?|\d+W(\d+D)?|\d+D)"
_HOURS = r"T(\d+H(\d+M)?(\d+S)?|\d+M(\d+S)?|\d+S)"
Duration = Annotated[str, StringConstraints(max_length=32, pattern=rf"^P({_DAYS}({_HOURS})?|{_HOURS})$")]
"""An ISO-8601 duration; months and years are calendar months and years."""
Article = Annotated[
    str, StringConstraints(min_length=1, max_length=64, pattern=r"^\d+(\(\d+\))?(,\d+(\(\d+\))?)*$")
]
"""Article and paragraph of the policy's own regulation: ``19(2)``, or several: ``19(2),39``."""
Money = Annotated[str, StringConstraints(max_length=24, pattern=r"^\d+(\.\d{1,2})?$")]
"""A decimal string in CNY."""
Instant = datetime
"""A point in time, RFC 3339."""
Day = date
"""A calendar day in the policy's time zone, YYYY-MM-DD."""


class OwnerReference(Model):
    """``metav1.OwnerReference``."""

    api_version: str
    kind: str
    name: str
    uid: str
    controller: bool = False
    block_owner_deletion: bool = False


class ObjectMeta(Model):
    """The part of ``metav1.ObjectMeta`` that govpool reads."""

    name: str
    namespace: str = ""
    uid: str = ""
    generation: int = 0
    resource_version: str = ""
    creation_timestamp: datetime | None = None
    deletion_timestamp: datetime | None = None
    finalizers: tuple[str, ...] = ()
    # Made by a factory, since pydantic copies what may be changed, and does so in Python.
    labels: dict[str, str] = Field(default_factory=dict)
    annotations: dict[str, str] = Field(default_factory=dict)
    owner_references: tuple[OwnerReference, ...] = ()
    stored_uid: Annotated[str, Field(exclude=True)] = ""
    """UID in this API server of an object that was restored; ``uid`` is then the one that it had before."""

    @property
    def object_uid(self) -> str:
        """UID in this API server: for owner references, preconditions and events."""
        return self.stored_uid or self.uid


class Resource(Model):
    """One object of a kind as the API server serves it."""

    DEFINITION: ClassVar[Definition]

    api_version: str = API_VERSION
    kind: str = ""
    metadata: ObjectMeta

    @model_validator(mode="before")
    @classmethod
    def _known_as_before(cls, document: object) -> object:
        """A restored object keeps the UID and the date under which everything else knows it."""
        if not isinstance(document, dict):
            return document
        status, metadata = document.get("status"), document.get("metadata")
        if not isinstance(status, dict) or not isinstance(metadata, dict) or not status.get("origin"):
            return document
        origin = status["origin"]
        known = {"uid": origin.get("uid"), "creationTimestamp": origin.get("created")}
        return {**document, "metadata": {**metadata, **known, "storedUid": metadata.get("uid", "")}}

    @property
    def key(self) -> tuple[str, str, str]:
        """Kind, namespace and name."""
        return (self.DEFINITION.kind, self.metadata.namespace, self.metadata.name)

    @property
    def paused(self) -> bool:
        """Whether somebody asked govpool to keep its hands off this object."""
        return self.metadata.annotations.get(PAUSED_ANNOTATION) == "true"

    @property
    def deleting(self) -> bool:
        """Whether the object was deleted and waits for its finalizers."""
        return self.metadata.deletion_timestamp is not None


class ConditionStatus(StrEnum):
    """``metav1.ConditionStatus``."""

    TRUE = "True"
    FALSE = "False"
    UNKNOWN = "Unknown"


class Condition(Model):
    """``metav1.Condition``: one aspect of an object's state, and the article that it follows."""

    type: Annotated[str, StringConstraints(max_length=316)]
    """The aspect: Ready, Approved, QuotaReserved ..."""
    status: ConditionStatus
    """True, False or Unknown; Unknown means that it could not be found out, not that it is pending."""
    reason: Annotated[
        str,
        StringConstraints(min_length=1, max_length=1024, pattern=r"^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$"),
    ]
    """A word for programs."""
    message: Annotated[str, StringConstraints(max_length=32768)] = ""
    """What happened and what to do next, for people; cites the article."""
    last_transition_time: Instant
    """When the status last changed."""
    observed_generation: int = 0
    """The generation of the spec that this condition judges."""


class BilingualText(Model):
    """A text in both languages."""

    en: Title
    """English."""
    zh: Title
    """Chinese, as the source has it where it is a name."""


class WorkingDays(Model):
    """A span in working days (工作日): Chinese public holidays and make-up workdays count."""

    working_days: Annotated[int, Field(ge=1, le=250)]
    """Working days. The day of the event does not count; the span ends with the last day's end."""
