"""Kubernetes' role-based access control, as far as the chart uses it (no wildcards, no aggregation)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from tests.chart.charts import Obj


@dataclass(frozen=True, order=True)
class Wanted:
    """One request, as the API server authorizes it."""

    verb: str
    group: str
    resource: str
    """With its subresource: ``approvals/status``."""
    namespace: str = ""
    name: str = ""


@dataclass(frozen=True, order=True)
class Grant:
    """One verb on one resource; empty ``namespace``: in all, no ``names``: whatever it is called."""

    verb: str
    group: str
    resource: str
    namespace: str
    names: tuple[str, ...]

    def covers(self, wanted: Wanted) -> bool:
        """Whether this grant allows the request."""
        return (
            (self.verb, self.group, self.resource) == (wanted.verb, wanted.group, wanted.resource)
            and self.namespace in ("", wanted.namespace)
            and (not self.names or wanted.name in self.names)
        )


def grants(objects: Iterable[Obj], subject: Obj) -> list[Grant]:
    """What the bindings among the objects grant to a subject."""
    known = list(objects)
    roles = {
        (each["kind"], each["metadata"].get("namespace", ""), each["metadata"]["name"]): each
        for each in known
    }
    found = []
    for binding in known:
        if binding["kind"] not in ("RoleBinding", "ClusterRoleBinding"):
            continue
        if not any(subject.items() <= each.items() for each in binding["subjects"]):
            continue
        namespace = binding["metadata"].get("namespace", "")
        reference = binding["roleRef"]
        home = namespace if reference["kind"] == "Role" else ""
        found += list(_atoms(roles[reference["kind"], home, reference["name"]], namespace))
    return sorted(set(found))


def role_grants(role: Obj, namespace: str = "") -> list[Grant]:
    """What a role grants when it is bound in a namespace, or everywhere."""
    return sorted(set(_atoms(role, namespace)))


def _atoms(role: Obj, namespace: str) -> Iterator[Grant]:
    for rule in role["rules"]:
        for group in rule["apiGroups"]:
            for resource in rule["resources"]:
                for verb in rule["verbs"]:
                    yield Grant(verb, group, resource, namespace, tuple(rule.get("resourceNames", ())))
