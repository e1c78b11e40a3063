"""What the operator counts while it works, for Prometheus. What it holds is read in :mod:`.state_metrics`.

Names follow Prometheus' conventions: base units, ``_total`` on counters. See docs/observability.md.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from time import perf_counter
from types import SimpleNamespace
from typing import TypeVar

import aiohttp
from prometheus_client import (
    CollectorRegistry,
    Counter,
    GCCollector,
    Histogram,
    ProcessCollector,
    disable_created_metrics,
)
from prometheus_client.platform_collector import PlatformCollector

from govpool_providers.errors import ProviderError

T = TypeVar("T")
# When a series began is told by its first sample; a gauge beside each would double them all.
disable_created_metrics()  # type: ignore[no-untyped-call]
REGISTRY = CollectorRegistry(auto_describe=True)
ProcessCollector(registry=REGISTRY)
PlatformCollector(registry=REGISTRY)
GCCollector(registry=REGISTRY)

QUICK = (0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
"""Buckets of what takes milliseconds to a minute."""
LONG = (10, 30, 60, 120, 300, 600, 1800, 3600, 3 * 3600, 12 * 3600, 48 * 3600)
"""Buckets of runs: seconds to days."""

RECONCILES = Counter(
    "govpool_reconciles", "Reconciles that ended, by result.", ["kind", "result"], registry=REGISTRY
)
RECONCILE_SECONDS = Histogram(
    "govpool_reconcile_duration_seconds",
    "How long a reconcile took.",
    ["kind"],
    buckets=QUICK,
    registry=REGISTRY,
)
QUEUE_WAIT = Histogram(
    "govpool_queue_wait_seconds",
    "How long a key waited until a worker took it.",
    buckets=QUICK,
    registry=REGISTRY,
)
API_REQUESTS = Counter(
    "govpool_api_requests",
    "Requests to the API server; code 0: no answer.",
    ["method", "resource", "code"],
    registry=REGISTRY,
)
API_SECONDS = Histogram(
    "govpool_api_request_duration_seconds",
    "How long a request to the API server took.",
    ["method"],
    buckets=QUICK,
    registry=REGISTRY,
)
PROVIDER_CALLS = Counter(
    "govpool_provider_calls",
    "Calls to a pool; code is OK or the provider contract's error code.",
    ["pool", "call", "code"],
    registry=REGISTRY,
)
PROVIDER_SECONDS = Histogram(
    "govpool_provider_call_duration_seconds",
    "How long a call to a pool took.",
    ["pool", "call"],
    buckets=(0.01, 0.05, 0.1, 0.5, 1, 5, 15, 60, 300),
    registry=REGISTRY,
)
ORDER_RUNS = Counter(
    "govpool_work_order_runs", "Runs of work orders that ended.", ["work", "result"], registry=REGISTRY
)
ORDER_RUN_SECONDS = Histogram(
    "govpool_work_order_run_duration_seconds",
    "How long a run of a work order took.",
    ["work"],
    buckets=LONG,
    registry=REGISTRY,
)
WIPED_BYTES = Counter("govpool_wiped_bytes", "Bytes that were overwritten and read back.", registry=REGISTRY)
NOTIFICATIONS = Counter(
    "govpool_notifications",
    "Messages to people by what became of them.",
    ["channel", "result"],
    registry=REGISTRY,
)


def run_ended(work: str, result: str, seconds: float, wiped: int) -> None:
    """A run of a work order ended; ``wiped`` are the bytes that were overwritten and read back in it."""
    ORDER_RUNS.labels(work, result).inc()
    ORDER_RUN_SECONDS.labels(work).observe(seconds)
    WIPED_BYTES.inc(wiped)


_PLURAL = re.compile(r"^/(?:api|apis/[^/]+)/v[^/]+/(?:namespaces/[^/]+/)?([a-z]+)")


def resource_of(path: str) -> str:
    """The plural that a path of the API is about; never a name. ``other`` where it is about none."""
    found = _PLURAL.match(path)
    return found[1] if found else "other"


def counting() -> aiohttp.TraceConfig:
    """Counts the requests of an HTTP client to the API server."""
    trace = aiohttp.TraceConfig()

    async def begins(
        _: aiohttp.ClientSession, call: SimpleNamespace, __: aiohttp.TraceRequestStartParams
    ) -> None:
        call.began = perf_counter()

    async def ended(
        _: aiohttp.ClientSession, call: SimpleNamespace, end: aiohttp.TraceRequestEndParams
    ) -> None:
        _count(end.method, end.url.path, end.response.status, perf_counter() - call.began)

    async def broke(
        _: aiohttp.ClientSession, call: SimpleNamespace, end: aiohttp.TraceRequestExceptionParams
    ) -> None:
        _count(end.method, end.url.path, 0, perf_counter() - call.began)

    trace.on_request_start.append(begins)
    trace.on_request_end.append(ended)
    trace.on_request_exception.append(broke)
    return trace


def _count(method: str, path: str, status: int, seconds: float) -> None:
    """A request to the API server ended; status 0: there was no answer."""
    API_REQUESTS.labels(method, resource_of(path), str(status)).inc()
    API_SECONDS.labels(method).observe(seconds)


def timed_call(pool: str, call: str, function: Callable[[], T]) -> T:
    """Make a call to a pool and count it.

    Raises:
        ProviderError: as the call.
    """
    code, began = "OK", perf_counter()
    try:
        return function()
    except ProviderError as error:
        code = error.code.value
        raise
    except Exception:
        # What no provider should raise; the caller makes it Retryable or lets it end as a bug.
        code = "Bug"
        raise
    finally:
        PROVIDER_CALLS.labels(pool, call, code).inc()
        PROVIDER_SECONDS.labels(pool, call).observe(perf_counter() - began)
