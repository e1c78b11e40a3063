"""A reconcile seen from outside: its count, its span, and calls to pools by their code."""

from __future__ import annotations

from typing import Any

import pytest
from effects_ground import order_of, server_of
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from govpool.api.workorder import DiskResult, WorkOrderKind
from govpool.effects import metrics, tracing
from govpool.effects.counted import counted
from govpool.effects.executors.base import OrderResult
from govpool.effects.metrics import REGISTRY
from govpool.effects.observed import count_run, reconciling
from govpool_providers.errors import ErrorCode, ProviderError


def value(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(name, labels) or 0.0


def test_a_reconcile_is_counted_by_what_became_of_it() -> None:
    labels = {"kind": "Observed", "result": "conflict"}
    with reconciling(("Observed", "ns", "a"), None) as outcome:
        outcome.result = "conflict"
    with pytest.raises(ZeroDivisionError), reconciling(("Observed", "ns", "a"), None):
        raise ZeroDivisionError
    assert value("govpool_reconciles_total", **labels) == 1
    assert value("govpool_reconciles_total", kind="Observed", result="bug") == 1
    assert value("govpool_reconcile_duration_seconds_count", kind="Observed") == 2


def test_a_reconcile_is_a_span_where_opentelemetry_is_set_up(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(seen))
    monkeypatch.setattr(trace, "get_tracer", provider.get_tracer)
    with pytest.raises(ZeroDivisionError), reconciling(order_of().key, order_of()):
        raise ZeroDivisionError
    (span,) = seen.get_finished_spans()
    assert span.name == "reconcile WorkOrder" and not span.status.is_ok
    assert span.attributes is not None
    assert span.attributes["govpool.request"] == "doc-approval" and span.attributes["govpool.revision"] == 1
    assert span.attributes["govpool.article"] == "10"


def test_nothing_is_missing_without_opentelemetry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tracing, "trace", None)
    with reconciling(server_of().key, server_of()) as outcome:
        outcome.result = "ok"


class Pool:
    """The part of a provider that these tests call."""

    region = "south"

    def find_machine(self, key: str) -> str:
        if key == "gone":
            raise ProviderError(ErrorCode.UNREACHABLE, "no answer")
        return key


def test_calls_to_a_pool_are_counted_by_name_and_code() -> None:
    provider: Any = counted("seen", Pool())  # type: ignore[arg-type]
    assert provider.find_machine("a") == "a" and provider.region == "south"
    with pytest.raises(ProviderError):
        provider.find_machine("gone")
    call = {"pool": "seen", "call": "find_machine"}
    assert value("govpool_provider_calls_total", **call, code="OK") == 1
    assert value("govpool_provider_calls_total", **call, code="Unreachable") == 1
    assert value("govpool_provider_call_duration_seconds_count", **call) == 2


def test_a_run_is_counted_by_its_end() -> None:
    before = value("govpool_work_order_runs_total", work="Reclaim", result="again")
    count_run(WorkOrderKind.RECLAIM, OrderResult(False, again=True), 2.0)
    assert value("govpool_work_order_runs_total", work="Reclaim", result="again") == before + 1
    wiped = value("govpool_wiped_bytes_total")
    lost = DiskResult(server="a", disk="b", ok=False)
    count_run(WorkOrderKind.WIPE, OrderResult(False, disks=(lost,)), 2.0)
    assert value("govpool_wiped_bytes_total") == wiped, "what was not verified was not wiped"


@pytest.mark.parametrize(
    ("path", "resource"),
    [
        ("/apis/govpool.dev/v1alpha1/namespaces/a-unit/workorders/an-order/status", "workorders"),
        ("/apis/govpool.dev/v1alpha1/cloudpools", "cloudpools"),
        ("/api/v1/namespaces/govpool-system/secrets/a-secret", "secrets"),
        ("/api/v1/namespaces", "namespaces"),
        ("/govpool/clock", "other"),
    ],
)
def test_a_request_is_counted_by_its_plural_and_never_by_a_name(path: str, resource: str) -> None:
    assert metrics.resource_of(path) == resource
