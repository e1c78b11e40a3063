"""What a scenario stands on: the example's catalogue, pool, unit and application, and one policy."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, time
from pathlib import Path
from typing import cast
from zoneinfo import ZoneInfo

import yaml

from govpool.api.base import WorkingDays
from govpool.api.cloudpolicy import CloudPolicy
from govpool.api.cloudpool import MANUAL_PROVIDER
from govpool.effects.kube import Json
from govpool.rules.calendar import WorkCalendar
from govpool.simulation.door import copied, merged
from govpool.simulation.scenario import Scenario, Span

POOL = "fixture-pool"
CAPACITY: Json = {"servers": 100_000, "vcpu": 100_000, "memoryGiB": 100_000, "storageGiB": 1_000_000}
MORNING, FORENOON = time(9), time(10)
LAST_DAY = time(23, 59, 59)


@dataclass(frozen=True, slots=True)
class Ground:
    """The built-in documents and the policy that is played under."""

    policy: Json
    catalog: Json
    pool: Json
    quota: Json
    application: Json

    @classmethod
    def read(cls, examples: Path, policy: Json) -> Ground:
        """From the examples that ship and a CloudPolicy's manifest.

        Raises:
            OSError: the examples can't be read.
        """
        found: list[Json] = []
        for name in ("01-supply.yaml", "02-unit.yaml", "03-request.yaml"):
            text = (examples / name).read_text(encoding="utf-8")
            found += [document for document in yaml.safe_load_all(text) if document]
        by_kind = {str(document["kind"]): document for document in found}
        pools = (d for d in found if d["kind"] == "CloudPool" and _meta(d)["name"] == POOL)
        return cls(
            policy=policy,
            catalog=by_kind["ServiceCatalog"],
            pool=next(pools),
            quota=by_kind["TenantQuota"],
            application=by_kind["CloudResourceRequest"],
        )

    @property
    def policy_name(self) -> str:
        """The policy's name."""
        return str(_meta(self.policy)["name"])

    def in_force(self, scenario: Scenario) -> CloudPolicy:
        """The policy with what the scenario changes in it from the start.

        Raises:
            ValidationError: it is none.
        """
        return CloudPolicy.model_validate(_patched(self.policy, scenario.supply.policy))

    def units(self, scenario: Scenario) -> dict[str, Json]:
        """The units' TenantQuotas by namespace."""
        own = str(_meta(self.quota)["namespace"])
        patches = {unit.namespace: unit.patch for unit in scenario.units} or {own: {}}
        for plan in scenario.requests.values():
            patches.setdefault(plan.unit or next(iter(patches)), {})
        return {namespace: _patched(self.quota, patch, namespace) for namespace, patch in patches.items()}

    def supply(self, scenario: Scenario, calendar: Calendar) -> Iterator[Json]:
        """Policy, catalogue, pools and whatever else the scenario brings, in the order to create them."""
        supply = scenario.supply
        yield _patched(self.policy, supply.policy)
        validity: Json = {
            # The catalogue of the year is in force, whichever year the story plays in.
            "effectiveFrom": calendar.moment(scenario.starts).date().replace(month=1, day=1).isoformat(),
            "effectiveUntil": calendar.moment(scenario.until).date().replace(month=12, day=31).isoformat(),
        }
        yield _patched(_patched(self.catalog, validity), supply.catalog)
        here: Json = {"policy": self.policy_name, "capacity": CAPACITY}
        yield _fixture(_patched(_patched(self.pool, here), supply.pool))
        for further in supply.more:
            document = cast(Json, json.loads(json.dumps(further).replace("${policy}", self.policy_name)))
            yield _fixture(document) if document.get("kind") == "CloudPool" else document

    def request(self, scenario: Scenario, name: str) -> Json:
        """The application of a request of the scenario, without its papers made complete."""
        plan = scenario.requests[name]
        unit = plan.unit or next(iter(self.units(scenario)))
        document = _patched(self.application, {"pool": POOL}, unit)
        document = _patched(document, plan.patch)
        _meta(document)["name"] = name
        return document


@dataclass(frozen=True, slots=True)
class Calendar:
    """Times of a scenario in the policy's zone, by its working days."""

    days: WorkCalendar
    zone: ZoneInfo

    @classmethod
    def of(cls, policy: CloudPolicy) -> Calendar:
        """The policy's."""
        return cls(WorkCalendar.of(policy.spec), ZoneInfo(policy.spec.time_zone))

    def moment(self, text: str, otherwise: time = MORNING) -> datetime:
        """A scenario's time; a mere day means that time of it."""
        if "T" not in text:
            return datetime.combine(date.fromisoformat(text), otherwise, self.zone)
        at = datetime.fromisoformat(text)
        return at if at.tzinfo is not None else at.replace(tzinfo=self.zone)

    def after(self, since: datetime, span: Span | None, time_of_day: str | None) -> datetime:
        """A span after a moment; a span in days ends at a time of day, ten o'clock unless it is told."""
        if span is None:
            at, to_the_day = since, False
        elif isinstance(span, WorkingDays):
            at, to_the_day = self.days.after_working_days(since, span), True
        else:
            at, to_the_day = self.days.after(since, span), "T" not in span
        if time_of_day is None and not to_the_day:
            return at
        wanted = time.fromisoformat(time_of_day) if time_of_day else FORENOON
        there = datetime.combine(at.astimezone(self.zone).date(), wanted, self.zone)
        return max(there, since)

    def day(self, at: datetime) -> str:
        """The local day, YYYY-MM-DD."""
        return self.days.local_day(at).isoformat()


def _patched(document: Json, spec: Json, namespace: str | None = None) -> Json:
    """The document with a merge patch of its spec, maybe in another namespace."""
    result = copied(document)
    result["spec"] = merged(cast(Json, result["spec"]), spec)
    if namespace is not None:
        _meta(result)["namespace"] = namespace
    return result


def _fixture(document: Json) -> Json:
    """The pool as one of the fixture provider, unless only people reach it: nothing real is touched."""
    result = copied(document)
    spec = cast(Json, result["spec"])
    given = spec.get("connection")
    if isinstance(given, dict) and given.get("provider") == MANUAL_PROVIDER:
        return result
    settings = given.get("settings") if isinstance(given, dict) and given.get("provider") == "fixture" else {}
    spec["connection"] = {"provider": "fixture", "settings": settings or {}}
    return result


def _meta(document: Json) -> Json:
    return cast(Json, document["metadata"])
