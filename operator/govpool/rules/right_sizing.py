"""Advice on the right size (资源调整建议) from what was measured: filed before delivery (YY-19(4))."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime

from govpool.api.cloudpolicy import CloudPolicySpec
from govpool.api.policy_efficiency import EfficiencySort
from govpool.api.usage import Usage, UsageFigures
from govpool.rules.efficiency import Answer, judge


@dataclass(frozen=True, slots=True)
class ServerAdvice:
    """What is advised for one server, and on which figures."""

    server: str
    figures: str
    """What was measured; empty when nothing was."""
    proposals: tuple[EfficiencySort, ...] = ()
    """What the policy's rules propose; none: keep what was approved."""
    clauses: tuple[str, ...] = ()
    """The clauses of those rules."""


def advice(
    policy: CloudPolicySpec, servers: Iterable[tuple[str, Usage | None]], now: datetime
) -> tuple[ServerAdvice, ...]:
    """The advice for each server by name. A figure that is missing proposes nothing."""
    return tuple(_advice(policy, name, usage, now) for name, usage in sorted(servers, key=lambda one: one[0]))


def _advice(policy: CloudPolicySpec, name: str, usage: Usage | None, now: datetime) -> ServerAdvice:
    if usage is None:
        return ServerAdvice(name, "")
    found = [one for one in judge(policy, usage, now) if one.answer is Answer.YES]
    sorts = dict.fromkeys(one.rule.sort for one in found)
    clauses = dict.fromkeys(one.clause for one in found)
    return ServerAdvice(name, "; ".join(_figures(usage)), tuple(sorts), tuple(clauses))


def _figures(usage: Usage) -> Iterator[str]:
    for window in usage.windows:
        for figures in window.figures:
            told = ", ".join(_told(figures))
            if told:
                yield f"{figures.dimension.value} {window.over.value}: {told}"


def _told(figures: UsageFigures) -> Iterator[str]:
    if figures.mean is not None:
        yield f"mean {figures.mean:g} %"
    if figures.peak is not None:
        yield f"peak {figures.peak:g} %"
