"""What is served: resources by group, version and plural name, built in or defined by a CRD."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property

from .cel import RuleNode
from .errors import no_such_path, qualified
from .objects import Obj
from .schema import Schema

ALL_VERBS = ("create", "delete", "deletecollection", "get", "list", "patch", "update", "watch")


@dataclass(frozen=True)
class Column:
    """A printer column; `path` is a JSONPath of the kind that CRDs use."""

    name: str
    path: str
    type: str = "string"
    description: str = ""
    priority: int = 0
    format: str = ""


@dataclass(frozen=True, eq=False)
class Resource:
    """One resource in one version."""

    group: str
    version: str
    plural: str
    singular: str
    kind: str
    namespaced: bool
    schema_node: Obj
    list_kind: str = ""
    short_names: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    verbs: tuple[str, ...] = ALL_VERBS
    status: bool = False
    columns: tuple[Column, ...] = ()
    selectable: tuple[str, ...] = ()
    custom: bool = False
    storage: str = ""
    storage_version: str = ""
    create_on_update: bool = False
    converts: bool = False
    serial: int = field(default_factory=itertools.count().__next__)

    @property
    def api_version(self) -> str:
        """Return `group/version`, or the version alone in the core group."""
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def collection_kind(self) -> str:
        """Return the kind of lists of this resource."""
        return self.list_kind or f"{self.kind}List"

    @cached_property
    def storage_key(self) -> str:
        """Return the name under which its objects are stored, whatever the version."""
        return self.storage or qualified(self.plural, self.group)

    @cached_property
    def schema(self) -> Schema:
        """Return the compiled schema."""
        return Schema(self.schema_node)

    @cached_property
    def rules(self) -> RuleNode | None:
        """Return the compiled validation rules, if there are any."""
        return RuleNode(self.schema_node, root=True) or None

    @cached_property
    def has_generation(self) -> bool:
        """Tell whether metadata.generation is kept: for custom resources and definitions, as upstream."""
        return self.custom or self.plural in ("customresourcedefinitions", "validatingadmissionpolicies",
                                              "validatingadmissionpolicybindings")  # fmt: skip


class Registry:
    """All resources being served."""

    def __init__(self, builtin: Iterable[Resource]) -> None:
        self._builtin = list(builtin)
        self._custom: dict[str, list[Resource]] = {}
        self._index: dict[tuple[str, str, str], Resource] = {}
        self._reindex()

    def _reindex(self) -> None:
        self._index = {(r.group, r.version, r.plural): r for r in self.all()}

    def all(self) -> list[Resource]:
        """Return every resource in every served version."""
        return [*self._builtin, *(r for versions in self._custom.values() for r in versions)]

    def set_custom(self, crd_name: str, resources: list[Resource]) -> None:
        """Serve a CRD's resources, or none when the list is empty."""
        if resources:
            self._custom[crd_name] = resources
        else:
            self._custom.pop(crd_name, None)
        self._reindex()

    def custom(self, crd_name: str) -> list[Resource]:
        """Return the versions served for a CRD."""
        return self._custom.get(crd_name, [])

    def find(self, group: str, version: str, plural: str) -> Resource:
        """Return a resource; raises 404."""
        found = self._index.get((group, version, plural))
        if found is None:
            raise no_such_path()
        return found

    def get(self, group: str, version: str, plural: str) -> Resource | None:
        """Return a resource, or None."""
        return self._index.get((group, version, plural))

    def by_storage(self, storage: str) -> Resource | None:
        """Return a version of the resource stored under this name, the storage version if it is served."""
        found = [r for r in self._index.values() if r.storage_key == storage]
        return next((r for r in found if r.version == r.storage_version), found[0] if found else None)

    def groups(self) -> dict[str, list[str]]:
        """Return group -> versions, preferred version first."""
        found: dict[str, list[str]] = {}
        for resource in self.all():
            versions = found.setdefault(resource.group, [])
            if resource.version not in versions:
                versions.append(resource.version)
        return {g: sorted(v, key=version_priority, reverse=True) for g, v in found.items()}

    def of(self, group: str, version: str) -> list[Resource]:
        """Return the resources of one group version."""
        return [r for r in self.all() if (r.group, r.version) == (group, version)]


def version_priority(version: str) -> tuple[int, int, int, str]:
    """Order versions as Kubernetes does: v2, v1, v1beta2, v1beta1, v1alpha1, then the rest."""
    found = re.match(r"^v(\d+)(?:(alpha|beta)(\d+))?$", version)
    if not found:
        return (0, 0, 0, version)
    stage = {None: 3, "beta": 2, "alpha": 1}[found[2]]
    return (stage, int(found[1]), int(found[3] or 0), "")


def from_definition(crd: Obj) -> list[Resource]:
    """Make the resources that an established CRD serves."""
    conditions = {c["type"]: c["status"] for c in (crd.get("status") or {}).get("conditions") or ()}
    if conditions.get("Established") != "True":
        return []
    spec = crd["spec"]
    names = spec["names"]
    storage_version = next(v["name"] for v in spec["versions"] if v.get("storage"))
    default_columns = (Column("Age", ".metadata.creationTimestamp", "date"),)
    served = [v for v in spec["versions"] if v.get("served")]
    return [
        Resource(
            group=spec["group"],
            version=version["name"],
            plural=names["plural"],
            singular=names["singular"],
            kind=names["kind"],
            list_kind=names["listKind"],
            namespaced=spec["scope"] == "Namespaced",
            schema_node=version["schema"]["openAPIV3Schema"],
            short_names=tuple(names.get("shortNames") or ()),
            categories=tuple(names.get("categories") or ()),
            status="status" in (version.get("subresources") or {}),
            columns=tuple(
                Column(c["name"], c["jsonPath"], c["type"], c.get("description", ""), c.get("priority", 0),
                       c.get("format", ""))
                for c in version.get("additionalPrinterColumns") or ()
            ) or default_columns,
            selectable=tuple(f["jsonPath"].lstrip(".") for f in version.get("selectableFields") or ()),
            custom=True,
            storage_version=storage_version,
            converts=len(spec["versions"]) > 1,
        )
        for version in served
    ]  # fmt: skip
