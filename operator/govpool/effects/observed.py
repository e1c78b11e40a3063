"""A reconcile as it is seen from outside: counted, timed, traced, and named in every log line of it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from time import perf_counter

from govpool.api.base import Resource
from govpool.api.workorder import WorkOrderKind
from govpool.effects import logs, metrics, tracing
from govpool.effects.executors.base import OrderResult
from govpool.effects.store import Key


@dataclass(slots=True)
class Outcome:
    """What became of it; whoever reconciles says so. What says nothing ended by a bug."""

    result: str = "bug"


@contextmanager
def reconciling(key: Key, resource: Resource | None) -> Iterator[Outcome]:
    """A reconcile of the key; the object may be gone."""
    outcome, began = Outcome(), perf_counter()
    try:
        with logs.about(resource), tracing.span(f"reconcile {key[0]}", logs.facts(resource)):
            yield outcome
    finally:
        metrics.RECONCILES.labels(key[0], outcome.result).inc()
        metrics.RECONCILE_SECONDS.labels(key[0]).observe(perf_counter() - began)


def count_run(work: WorkOrderKind, result: OrderResult, seconds: float) -> None:
    """A run of a work order came to its end here."""
    outcome = "succeeded" if result.succeeded else "again" if result.again else "failed"
    wiped = sum(
        disk.sanitisation.verification.bytes_verified
        for disk in result.disks
        if work is WorkOrderKind.WIPE and disk.ok and disk.sanitisation is not None
    )
    metrics.run_ended(work.value, outcome, seconds, wiped)
