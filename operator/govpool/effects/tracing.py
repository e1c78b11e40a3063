"""Spans for OpenTelemetry, where its API is installed (extra ``tracing``); else nothing at all.

Whoever starts the operator brings SDK and exporter: ``opentelemetry-instrument govpool operator``. Without
an SDK the API's own spans do nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

try:
    from opentelemetry import trace
except ImportError:
    trace = None  # type: ignore[assignment]


@contextmanager
def span(name: str, attributes: Mapping[str, str | int]) -> Iterator[None]:
    """What happens meanwhile is a span; an exception that leaves it is recorded there."""
    if trace is None:
        yield
        return
    named = {f"govpool.{key}": value for key, value in attributes.items()}
    with trace.get_tracer("govpool").start_as_current_span(name, attributes=named):
        yield
