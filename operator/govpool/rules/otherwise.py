"""What would have to be different for another outcome: found by asking the very rules again. Pure.

No threshold is worked out here a second time. A candidate is tried on the rule itself, and only what really
turned its answer is told; the nearest of its kind is looked for by bisection.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from govpool.api.cloudpolicy import ApplicationType, CloudPolicySpec, Dimension, MaterialType
from govpool.api.cloudresourcerequest import (
    CloudResourceRequestSpec,
    DesiredState,
    Emergency,
    Material,
    RequestContent,
    Server,
    Term,
    TermKind,
)
from govpool.api.servicecatalog import ServiceCatalog
from govpool.api.tenantquota import Amounts
from govpool.messages import Message, message
from govpool.rules.change import Classification, dimensions
from govpool.rules.errors import UnknownItem
from govpool.rules.refusal import Refusal

MOST = 100
"""Servers that a group may have (the kind's own limit)."""
Classify = Callable[[RequestContent], Classification]
Admit = Callable[[CloudResourceRequestSpec], Iterable[Refusal]]


@dataclass(frozen=True, slots=True)
class OtherContent:
    """A content under which the application would be of another type."""

    message: Message
    content: RequestContent
    application: ApplicationType


@dataclass(frozen=True, slots=True)
class OtherSpec:
    """A spec under which a reason would not stand, or would."""

    message: Message
    spec: CloudResourceRequestSpec
    reason: str
    stands: bool
    """Whether the reason stands then."""


@dataclass(frozen=True, slots=True)
class OtherAmounts:
    """Amounts, or a limit, under which the quota would answer otherwise."""

    message: Message
    needed: Amounts
    hard: Amounts
    fits: bool


@dataclass(frozen=True, slots=True)
class Moved:
    """How much one dimension of a change moves (BZ-22)."""

    dimension: Dimension
    before: Decimal
    after: Decimal
    percent: Decimal | None
    """Of what is held; None where nothing is."""


# -- classification ------------------------------------------------------------------------------
def moved(approved: RequestContent, wanted: RequestContent, catalog: ServiceCatalog) -> tuple[Moved, ...]:
    """Every dimension that a change is measured in; none where an item can't be measured."""
    try:
        before, after = dimensions(approved, catalog), dimensions(wanted, catalog)
    except UnknownItem:
        return ()
    return tuple(
        Moved(
            name,
            held,
            after[name],
            None if held == 0 else ((after[name] - held) * 100 / held).quantize(Decimal("0.1")),
        )
        for name, held in before.items()
    )


def other_classification(
    approved: RequestContent | None, wanted: RequestContent, found: Classification, classify: Classify
) -> tuple[OtherContent, ...]:
    """The nearest contents that would be another type of application, one of each kind of change."""
    return tuple(_other_contents(approved, wanted, found, classify))


def nothing_turns(application: ApplicationType) -> Message:
    """No other count of anything would have made it another type of application."""
    return message(f"audit.otherwise.none.{application.value}")


def _other_contents(
    approved: RequestContent | None, wanted: RequestContent, found: Classification, classify: Classify
) -> Iterator[OtherContent]:
    was = found.application
    if wanted.state is DesiredState.DEREGISTERED:
        update = {"state": DesiredState.ACTIVE, "deregistration": None}
        yield from _if_turned("audit.otherwise.active", wanted.model_copy(update=update), was, classify)
        return
    if wanted.term.kind is TermKind.PERMANENT and approved is None:
        term = Term(kind=TermKind.EMERGENCY, emergency=Emergency(cause="-"))
        urgent = wanted.model_copy(update={"term": term})
        yield from _if_turned("audit.otherwise.emergency", urgent, was, classify)
        return
    if wanted.term.kind is TermKind.EMERGENCY:
        calm = wanted.model_copy(update={"term": Term(temporary=wanted.term.temporary)})
        yield from _if_turned("audit.otherwise.permanent", calm, was, classify)
        return
    if approved is None:
        return
    if wanted.term.temporary != approved.term.temporary:
        lasting = wanted.model_copy(
            update={"term": wanted.term.model_copy(update={"temporary": approved.term.temporary})}
        )
        if lasting != approved:
            yield from _if_turned("audit.otherwise.no-period", lasting, was, classify)
    for index, group in enumerate(wanted.servers):
        yield from _other_counts(wanted, index, group, was, classify)
    yield from _groups_kept(approved, wanted, was, classify)


def _other_counts(
    wanted: RequestContent, index: int, group: Server, was: ApplicationType, classify: Classify
) -> Iterator[OtherContent]:
    """The nearest count below and above that turns it, all else as asked."""

    def with_count(count: int) -> RequestContent:
        servers = list(wanted.servers)
        servers[index] = group.model_copy(update={"count": count})
        return wanted.model_copy(update={"servers": servers})

    for step, limit in ((-1, 0), (1, MOST)):
        count = _nearest(group.count, step, limit, lambda n: classify(with_count(n)).application is not was)
        if count is not None:
            content = with_count(count)
            application = classify(content).application
            text = message(
                f"audit.otherwise.count.{application.value}",
                group=group.name,
                count=count,
                asked=group.count,
            )
            yield OtherContent(text, content, application)


def _nearest(start: int, step: int, limit: int, turned: Callable[[int], bool]) -> int | None:
    """The value nearest to ``start`` in one direction that turns the answer: gallop, then bisect."""
    near, stride = start, 1
    while near != limit:
        far = near + step * min(stride, abs(limit - near))
        if turned(far):
            while abs(far - near) > 1:
                middle = (near + far) // 2
                near, far = (near, middle) if turned(middle) else (middle, far)
            return far
        near, stride = far, stride * 2
    return None


def _groups_kept(
    approved: RequestContent, wanted: RequestContent, was: ApplicationType, classify: Classify
) -> Iterator[OtherContent]:
    """One group left as it is, all else as asked."""
    held = {group.name: group for group in approved.servers}
    for index, group in enumerate(wanted.servers):
        kept = held.get(group.name)
        servers = [*wanted.servers[:index], *([kept] if kept else []), *wanted.servers[index + 1 :]]
        # Where only the count differs, the nearest count says more.
        if kept is not None and kept.model_copy(update={"count": group.count}) == group:
            continue
        if servers:
            other = wanted.model_copy(update={"servers": servers})
            yield from _if_turned("audit.otherwise.group", other, was, classify, group=group.name)
    for name, group in held.items():
        if all(one.name != name for one in wanted.servers):
            other = wanted.model_copy(update={"servers": [*wanted.servers, group]})
            yield from _if_turned("audit.otherwise.group", other, was, classify, group=name)


def _if_turned(
    key: str, content: RequestContent, was: ApplicationType, classify: Classify, **values: object
) -> Iterator[OtherContent]:
    application = classify(content).application
    if application is not was:
        yield OtherContent(message(f"{key}.{application.value}", **values), content, application)


# -- admission -----------------------------------------------------------------------------------
def other_refusal(
    spec: CloudResourceRequestSpec, refusal: Refusal, admit: Admit, policy: CloudPolicySpec, today: date
) -> tuple[OtherSpec, ...]:
    """What in the application would have to differ for the reason not to stand; none if it lies elsewhere."""
    found = []
    for key, other in _mended(spec, refusal, policy, today):
        if all(one.message != refusal.message for one in admit(other)):
            values = {"highest": policy.admission.max_protection_level}
            found.append(OtherSpec(message(key, **values), other, refusal.reason, stands=False))
    return tuple(found)


def _mended(
    spec: CloudResourceRequestSpec, refusal: Refusal, policy: CloudPolicySpec, today: date
) -> Iterator[tuple[str, CloudResourceRequestSpec]]:
    system = spec.system
    if refusal.reason == "Classified":
        open_ = system.model_copy(update={"classified": False})
        yield "audit.otherwise.not-classified", spec.model_copy(update={"system": open_})
    if refusal.reason == "ProtectionLevelTooHigh":
        lower = system.model_copy(update={"protection_level": policy.admission.max_protection_level})
        yield "audit.otherwise.lower-level", spec.model_copy(update={"system": lower})
    named = {refusal.message.key.rpartition(".")[2], dict(refusal.message.values).get("material")}
    if refusal.reason == "DomainPlanMissing":
        named = {MaterialType.DOMAIN_PLAN.value}
    for kind in MaterialType:
        if kind.value in named:
            # One paper that is valid today, whatever was wrong with those there are.
            paper = Material(type=kind, reference="-", sha256="0" * 64, date=today)
            yield "audit.otherwise.paper", spec.model_copy(update={"materials": [*spec.materials, paper]})


def other_admission(
    spec: CloudResourceRequestSpec, admit: Admit, policy: CloudPolicySpec
) -> tuple[OtherSpec, ...]:
    """What in an admitted application would have kept it from the authority."""
    system, found = spec.system, []
    secret = spec.model_copy(update={"system": system.model_copy(update={"classified": True})})
    level = policy.admission.max_protection_level + 1
    higher = spec.model_copy(update={"system": system.model_copy(update={"protection_level": level})})
    candidates = [
        (message("audit.otherwise.if-classified"), secret),
        (message("audit.otherwise.if-level", level=level), higher),
    ]
    for kind in sorted({paper.type for paper in spec.materials}):
        rest = [paper for paper in spec.materials if paper.type is not kind]
        without = spec.model_copy(update={"materials": rest})
        candidates.append((message("audit.otherwise.if-paper", material=kind.value), without))
    for text, other in candidates:
        # The first reason is enough: the others are not looked for.
        refusal = next(iter(admit(other)), None)
        if refusal is not None:
            found.append(OtherSpec(text, other, refusal.reason, stands=True))
    return tuple(found)


# -- quota ---------------------------------------------------------------------------------------
def other_quota(
    needed: Amounts, hard: Amounts, others: Amounts, fits: Callable[[Amounts, Amounts], bool]
) -> tuple[OtherAmounts, ...]:
    """Less that is needed, or a larger limit, with which it fits; or the least growth with which it does not.

    ``fits`` asks the rule with amounts needed and a hard limit.
    """
    names = type(hard).model_fields
    left = Amounts(**{name: max(0, getattr(hard, name) - getattr(others, name)) for name in names})
    if not fits(needed, hard):
        less = Amounts(**{name: min(getattr(needed, name), getattr(left, name)) for name in names})
        more = hard.greatest(others.plus(needed))
        short = needed.beyond(left)
        found = [
            OtherAmounts(message("audit.otherwise.less", free=_shown(left, short)), less, hard, fits=True),
            OtherAmounts(
                message("audit.otherwise.limit", limit=_shown(more, short)), needed, more, fits=True
            ),
        ]
        return tuple(one for one in found if fits(one.needed, one.hard))
    tight = min(names, key=lambda name: (_slack(needed, left, name), name))
    more = needed.model_copy(update={tight: getattr(left, tight) + 1})
    alias = names[tight].alias or tight
    if fits(more, hard):
        return ()
    text = message("audit.otherwise.more", dimension=alias, left=getattr(left, tight))
    return (OtherAmounts(text, more, hard, fits=False),)


def _slack(needed: Amounts, left: Amounts, name: str) -> tuple[bool, int]:
    """Dimensions that are asked for first, the tightest before the others."""
    asked = getattr(needed, name)
    return asked == 0, getattr(left, name) - asked


def _shown(amounts: Amounts, names: tuple[str, ...]) -> str:
    values = amounts.model_dump(by_alias=True)
    return ", ".join(f"{name} {values[name]}" for name in names)
