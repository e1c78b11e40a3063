"""Faults that tests order; nothing in the product switches them on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

from aiohttp import web

from .errors import ApiError


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


def ordered(fault: Fault) -> ApiError:
    """Make the error that a test asked for."""
    reasons = {409: "Conflict", 429: "TooManyRequests", 500: "InternalError", 503: "ServiceUnavailable"}
    error = ApiError(fault.status, reasons.get(fault.status, ""), f"fault ordered by a test: {fault.status}")
    if fault.status in (429, 503):
        error.headers["Retry-After"] = str(fault.retry_after)
        error.details = {"retryAfterSeconds": fault.retry_after}
    return error


def drop(request: web.BaseRequest) -> web.Response:
    """Close the connection without an answer."""
    if request.transport is not None:
        request.transport.abort()
    return web.Response()
