"""Whether what a scenario expects is so."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from govpool.api.base import REQUEST_LABEL, Resource
from govpool.api.cloudresourcerequest import CloudResourceRequest, CloudResourceRequestStatus
from govpool.api.kinds import by_kind
from govpool.api.tenantquota import Standing, TenantQuota
from govpool.messages import message
from govpool.simulation import scenario as plan
from govpool.simulation.ground import Calendar
from govpool.simulation.paths import looks_so

NONE = "none"


@dataclass(frozen=True, slots=True)
class Sight:
    """What an expectation may look at."""

    request: CloudResourceRequest | None
    """As it was last seen, also when it is gone."""
    servers: int
    quota: TenantQuota | None
    objects: tuple[Resource, ...]
    """Of the kind that the expectation names."""


@dataclass(slots=True)
class Verdict:
    """In words, what was expected and what was found."""

    expected: list[str] = field(default_factory=list)
    found: list[str] = field(default_factory=list)
    met: bool = True

    def part(self, expected: str, found: str, *, met: bool) -> None:
        """One part of the expectation."""
        self.expected.append(expected)
        self.found.append(found)
        self.met = self.met and met


def judge(expectation: plan.Expectation, sight: Sight, calendar: Calendar) -> Verdict:
    """Every part of the expectation."""
    verdict = Verdict()
    status = sight.request.status if sight.request else None
    status = status or CloudResourceRequestStatus()
    if expectation.phase is not None:
        phase = status.phase.value if sight.request else "not applied for"
        verdict.part(f"phase {expectation.phase.value}", f"phase {phase}", met=phase == expectation.phase)
    if expectation.condition is not None:
        _condition(verdict, expectation.condition, status)
    if expectation.deadline is not None:
        _deadline(verdict, expectation.deadline, status, calendar)
    if expectation.happened is not None:
        _happened(verdict, expectation.happened, status, calendar)
    if expectation.servers is not None:
        wanted = expectation.servers
        verdict.part(_servers(wanted), _servers(sight.servers), met=sight.servers == wanted)
    if expectation.billing is not None:
        _billing(verdict, expectation.billing, status, calendar)
    if expectation.quota is not None:
        _quota(verdict, expectation.quota, sight.quota)
    if expectation.object is not None:
        _object(verdict, expectation.object, sight.objects)
    return verdict


def _servers(count: int) -> str:
    return message("simulate.servers", servers=count).render("en")


def _condition(verdict: Verdict, wanted: plan.ExpectedCondition, status: CloudResourceRequestStatus) -> None:
    of_type = [c for c in status.conditions if c.type == wanted.type]
    fits = any(
        wanted.status in (None, c.status.value)
        and wanted.reason in (None, c.reason)
        and (wanted.says is None or wanted.says in c.message)
        for c in of_type
    )
    told = "; ".join(f"{c.status.value} {c.reason}: {c.message}" for c in of_type) or NONE
    verdict.part(_words("condition", wanted, wanted.present), f"condition {told}", met=fits == wanted.present)


def _deadline(
    verdict: Verdict,
    wanted: plan.ExpectedDeadline,
    status: CloudResourceRequestStatus,
    calendar: Calendar,
) -> None:
    fits = any(
        wanted.stage in (None, d.stage)
        and wanted.who in (None, d.who)
        and wanted.overdue in (None, d.overdue)
        and wanted.article in (None, d.article)
        and (wanted.due is None or (d.due is not None and calendar.day(d.due) == wanted.due))
        for d in status.deadlines
    )
    told = "; ".join(
        f"{d.stage.value if d.stage else d.what} {d.who.value}"
        f" {calendar.day(d.due) if d.due else '-'}{' overdue' if d.overdue else ''} {d.article}"
        for d in status.deadlines
    )
    met = fits == wanted.present
    verdict.part(_words("deadline", wanted, wanted.present), f"deadlines {told or NONE}", met=met)


def _happened(
    verdict: Verdict,
    wanted: plan.ExpectedHappening,
    status: CloudResourceRequestStatus,
    calendar: Calendar,
) -> None:
    fitting = [
        h
        for h in status.history
        if wanted.what in (None, h.what)
        and wanted.actor in (None, h.actor)
        and wanted.article in (None, h.article)
        and (wanted.says is None or wanted.says in h.detail)
        and wanted.on in (None, calendar.day(h.at))
    ]
    alike = [h for h in status.history if wanted.what in (None, h.what)] or status.history
    told = "; ".join(f"{calendar.day(h.at)} {h.what} {h.article} by {h.actor}" for h in alike[-4:])
    met = len(fitting) == wanted.times if wanted.times is not None else bool(fitting)
    verdict.part(_words("happened", wanted), f"{len(fitting)} times; {told or NONE}", met=met)


def _billing(
    verdict: Verdict, wanted: plan.ExpectedBilling, status: CloudResourceRequestStatus, calendar: Calendar
) -> None:
    billing = status.billing
    started = calendar.day(billing.started) if billing.started else NONE
    ended = calendar.day(billing.ended) if billing.ended else NONE
    met = (
        wanted.started in (None, started)
        and wanted.ended in (None, ended)
        and wanted.started_article in (None, billing.started_article)
    )
    found = f"billing started {started} ({billing.started_article or '-'}), ended {ended}"
    verdict.part(_words("billing", wanted), found, met=met)


def _quota(verdict: Verdict, wanted: plan.ExpectedQuota, quota: TenantQuota | None) -> None:
    status = quota.status if quota else None
    standing = status.standing if status else Standing.GOOD
    servers = sum(r.amounts.servers for r in status.reservations) if status else 0
    met = wanted.standing in (None, standing) and wanted.servers in (None, servers)
    found = f"standing {standing.value}, {_servers(servers)} reserved" if quota else "no such unit"
    verdict.part(_words("quota", wanted), found, met=met and quota is not None)


def _object(verdict: Verdict, wanted: plan.ExpectedObject, objects: tuple[Resource, ...]) -> None:
    fitting = [item for item in objects if looks_so(item, wanted.where)]
    met = len(fitting) == wanted.count if wanted.count is not None else bool(fitting)
    names = ", ".join(item.metadata.name for item in objects) or NONE
    verdict.part(_words("object", wanted), f"{len(fitting)} of {names}", met=met)


def made_for(
    resources: tuple[Resource, ...], wanted: plan.ExpectedObject, request: CloudResourceRequest | None
) -> tuple[Resource, ...]:
    """Those that the expectation is about: by name, else made for the request, else all."""
    if wanted.name is not None:
        return tuple(item for item in resources if item.metadata.name == wanted.name)
    if request is None:
        return resources
    return tuple(r for r in resources if r.metadata.labels.get(REQUEST_LABEL) == request.metadata.uid)


def kind_of(wanted: plan.ExpectedObject) -> type[Resource] | None:
    """The kind that is named, or None when there is none."""
    known: Callable[[str], type[Resource]] = by_kind
    try:
        return known(wanted.kind)
    except KeyError:
        return None


def _words(what: str, wanted: plan.Part, present: bool = True) -> str:
    return f"{'' if present else 'no '}{what} " + ", ".join(_named(wanted))


def _named(wanted: plan.Part) -> Iterator[str]:
    document = wanted.model_dump(mode="json", by_alias=True, exclude_none=True, exclude_defaults=True)
    for name, value in document.items():
        if name != "present":
            yield f"{name} {value}"
