"""When a second look at a request can only find what the first one found.

Writing a status wakes the request that was written. Most of these looks find nothing to do, and cost as much
as any other: what a decision goes by is worked out all over again.
"""

from __future__ import annotations

from dataclasses import fields, replace

from govpool.api.cloudresourcerequest import CloudResourceRequest, CloudResourceRequestStatus
from govpool.lifecycle.actions import Announce, Record, WriteStatus
from govpool.lifecycle.decision import Decision
from govpool.lifecycle.observation import RequestObservation

TOLD = frozenset(
    {
        "addresses",
        "citations",
        "conditions",
        "deadlines",
        "due",
        "fee_per_year",
        "history",
        "next_look",
        "observed_generation",
        "stages",
        "who",
    }
)
"""Fields of a request's status that only tell people how things stand. A decision carries them on as they are
where it says the same, and goes by none of them.
"""
_AROUND = tuple(field.name for field in fields(RequestObservation) if field.name not in ("request", "now"))


def only_tells(before: CloudResourceRequestStatus | None, after: CloudResourceRequestStatus) -> bool:
    """Whether a status differs from the one before it in nothing that a decision goes by."""
    if before is None:
        return False
    names = (name for name in CloudResourceRequestStatus.model_fields if name not in TOLD)
    return all(getattr(before, name) == getattr(after, name) for name in names)


def at_rest(
    observation: RequestObservation, decision: Decision, newest: CloudResourceRequest
) -> RequestObservation | None:
    """What the next look would observe if nothing happens but the write of what this decision told.

    None: something else followed from the decision, or ``newest``, the request as it is now known, is not
    what was written: the next look may find something to do.
    """
    request, status = observation.request, observation.request.status
    for action in decision.actions:
        match action:
            case Record() | Announce():
                pass
            case WriteStatus(resource, after) if resource is request and isinstance(
                after, CloudResourceRequestStatus
            ):
                if not only_tells(status, after):
                    return None
                status = after
            case _:
                return None
    version = {"resource_version": newest.metadata.resource_version}
    same = newest.metadata == request.metadata.model_copy(update=version) and newest.spec == request.spec
    return replace(observation, request=newest) if same and newest.status == status else None


def same_around(one: RequestObservation, other: RequestObservation) -> bool:
    """Whether both observed the very same version of the request, with the very same around it."""
    if one.request is not other.request:
        return False
    return all(_same(getattr(one, name), getattr(other, name)) for name in _AROUND)


def _same(one: object, other: object) -> bool:
    if isinstance(one, tuple) and isinstance(other, tuple):
        return len(one) == len(other) and all(a is b for a, b in zip(one, other, strict=True))
    return one is other
