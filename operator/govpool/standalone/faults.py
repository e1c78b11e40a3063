"""Faults that tests order; nothing in the product switches them on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum


class FaultKind(Enum):
    """What goes wrong."""

    STATUS = "answer with `status` instead of doing anything"
    DROP_BEFORE = "close the connection, nothing is done"
    DROP_AFTER = "do it, on disk, then close the connection instead of answering"
    CUT_WATCHES = "close all open watches, then answer as usual"
    COMPACT = "forget the watch history, so that resuming watches get 410, then answer as usual"


@dataclass(frozen=True)
class Fault:
    """One fault. `status` counts for STATUS; `retry_after` is in seconds and goes with 429."""

    kind: FaultKind
    status: int = 500
    retry_after: int = 1


@dataclass(frozen=True)
class FaultRequest:
    """What a hook may decide by; the names are empty for requests that are not about a resource."""

    method: str
    path: str
    verb: str
    group: str
    resource: str
    namespace: str
    name: str
    subresource: str
    user: str


FaultHook = Callable[[FaultRequest], Fault | None]
