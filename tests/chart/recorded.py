"""A recorded life: every request that the operator sends, hindrances included that make it ask again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from govpool.standalone.faults import Fault, FaultKind, FaultRequest
from tests.chart.rbac import Wanted

OPERATOR = "operator"


@dataclass
class Recorder:
    """A fault hook that notes what the operator wants, and hinders each kind of write once.

    A write that meets a conflict is followed by a look at the object, a create whose answer was lost by a
    look at what is there: rights that a smooth life never uses.
    """

    seen: set[Wanted] = field(default_factory=set)
    _hindered: set[tuple[str, str]] = field(default_factory=set)

    def __call__(self, request: FaultRequest) -> Fault | None:
        if request.user != OPERATOR or not request.resource:
            return None
        resource = f"{request.resource}/{request.subresource}" if request.subresource else request.resource
        self.seen.add(Wanted(request.verb, request.group, resource, request.namespace, request.name))
        write = (request.verb, resource)
        if request.group != "govpool.dev" or write in self._hindered:
            return None
        self._hindered.add(write)
        match request.verb:
            case "update" | "patch":
                return Fault(FaultKind.STATUS, status=409)
            case "create":
                return Fault(FaultKind.DROP_AFTER)
        return None


def missing(allowed: Callable[[Wanted], bool], seen: set[Wanted]) -> list[Wanted]:
    """What was wanted and is not allowed."""
    return sorted(wanted for wanted in seen if not allowed(wanted))
