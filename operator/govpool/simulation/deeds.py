"""What the people of a scenario do: each deed is one write, as the unit or the authority would make it."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import cast

from pydantic import JsonValue, ValidationError

from govpool.api.approval import Approval, ApprovalState, Verdict
from govpool.api.base import BilingualText, Resource, Scope
from govpool.api.cloudpolicy import ApplicationType, CloudPolicy, MaterialType, ReportType, Role
from govpool.api.cloudpool import CloudPool
from govpool.api.cloudresourcerequest import CloudResourceRequest, CloudResourceRequestSpec, DesiredState
from govpool.api.cloudserver import CloudServer
from govpool.api.kinds import by_kind
from govpool.api.servicecatalog import ServiceCatalog
from govpool.api.workorder import Executor, WorkOrder, WorkOrderKind, WorkOrderState
from govpool.effects.kube import Json
from govpool.effects.kube_errors import KubeError
from govpool.messages import message
from govpool.rules.change import classify
from govpool.rules.delivery import missing_reports
from govpool.rules.errors import UnknownItem
from govpool.rules.materials import material_rule
from govpool.rules.revision import content_of
from govpool.simulation import scenario as plan
from govpool.simulation.door import merged
from govpool.simulation.ground import Calendar, Ground
from govpool.simulation.paths import plain
from govpool.simulation.reporting import reported
from govpool.simulation.scenario import UID
from govpool.simulation.town import Drifted, Town
from govpool_providers.errors import ErrorCode, ProviderError
from govpool_providers.fixture import FaultPlan, FaultRule

SECRETARY = "liu"
ONCE = {"delivery": "delivery", "agreement": "agreement", "old-environment": "oldEnvironmentRemoved"}
"""Confirmations that a unit gives once, and the field of each."""
"""Who writes for a unit, where the scenario names nobody."""


class NothingToDoError(Exception):
    """What somebody wanted to do has no object: no open Approval, no such server. The text says so."""


@dataclass(frozen=True, slots=True)
class Who:
    """A request of the scenario."""

    name: str
    namespace: str


class Deeds:
    """Hands of everybody in the scenario."""

    def __init__(self, town: Town, ground: Ground, scenario: plan.Scenario, calendar: Calendar) -> None:
        self._town, self._ground, self._scenario, self._calendar = town, ground, scenario, calendar
        units = list(ground.units(scenario))
        self.requests = {
            name: Who(name, request.unit or units[0]) for name, request in scenario.requests.items()
        }
        self._first_unit = units[0]
        self._uids: dict[str, str] = {}

    async def do(self, event: plan.AnyEvent) -> str:
        """Do what the event says; who did it.

        Raises:
            KubeError: the API server does not take it.
            NothingToDoError: there is nothing to do it to.
            ProviderError: a pool has no such machine.
        """
        match event:
            case plan.Apply():
                by = await self._apply(event)
            case plan.Edit():
                by = await self._edit(event)
            case plan.Decide():
                stage = event.stage.value if event.stage else None
                by = await self.decide(event.request, event.verdict, event.opinion, event.by, stage)
            case plan.Confirm():
                by = await self.confirm(event.request, event.what, event.by, event.statement)
            case plan.FileReport():
                by = await self.report(event.request, (event.type,), event.by)
            case plan.Complete():
                by = await self._complete(event)
            case plan.Measure():
                by = await self._measure(event)
            case plan.Fault() | plan.Heal() | plan.Drift():
                by = await self._disturb(event)
            case plan.Create():
                by = await self._create(event)
            case plan.Patch():
                by = await self._patch(event)
            case plan.Delete():
                by = await self._delete(event)
            case plan.Note():
                by = event.by or "-"
        return by

    # -- the unit ---------------------------------------------------------------------------------
    async def _apply(self, event: plan.Apply) -> str:
        document = self._ground.request(self._scenario, event.request)
        spec = merged(cast(Json, document["spec"]), cast(Json, self._filled(event.patch)))
        for paper in cast("list[Json]", spec.get("materials") or []):
            # The example's papers were written when the example was; these when they are filed.
            paper["date"] = min(str(paper["date"]), self._today())
        if self._scenario.requests[event.request].papers == "complete":
            spec["materials"] = await self._papers(spec, None)
        by = event.by or SECRETARY
        await self._town.create({**document, "spec": spec}, by=by)
        self._uids[event.request] = (await self.request(event.request)).metadata.uid
        return by

    async def _edit(self, event: plan.Edit) -> str:
        request = await self.request(event.request)
        before = cast(Json, request.spec.model_dump(mode="json", by_alias=True, exclude_none=True))
        patch = cast(Json, self._filled(event.patch))
        if event.papers == "complete":
            patch = {**patch, "materials": await self._papers(merged(before, patch), request)}
        by = event.by or SECRETARY
        await self._write(request, {"spec": patch}, by)
        return by

    async def _papers(self, spec: Json, request: CloudResourceRequest | None) -> JsonValue:
        """The application's papers with those that the policy wants besides."""
        given = cast("list[Json]", spec.get("materials") or [])
        have = {paper.get("type") for paper in given}
        wanted = [kind for kind in await self._required(spec, request) if kind.value not in have]
        return [*given, *(self._paper(kind) for kind in wanted)]

    async def _required(self, spec: Json, request: CloudResourceRequest | None) -> Iterable[MaterialType]:
        pool = await self._town.find(CloudPool, str(spec.get("pool")))
        policy = await self._town.find(CloudPolicy, pool.spec.policy) if pool else None
        catalog = await self._town.find(ServiceCatalog, pool.spec.catalog) if pool else None
        if policy is None or catalog is None:
            return ()
        try:
            content = content_of(CloudResourceRequestSpec.model_validate(spec))
        except ValidationError:
            return ()  # the API server will say what is wrong
        approved = request.status.approved if request is not None and request.status else None
        if content.state is DesiredState.DEREGISTERED:
            application = ApplicationType.DEREGISTRATION
        else:
            try:
                held = approved.content if approved else None
                application = classify(held, content, policy=policy.spec, catalog=catalog).application
            except UnknownItem:
                application = ApplicationType.NEW
        rule = material_rule(policy.spec, application)
        return rule.required if rule is not None else ()

    def _paper(self, kind: MaterialType) -> Json:
        return {
            "type": kind.value,
            "reference": f"{kind.value} {self._today()}",
            "sha256": hashlib.sha256(kind.value.encode()).hexdigest(),
            "date": self._today(),
        }

    async def confirm(self, name: str, what: str, by: str | None, statement: str = "") -> str:
        """Delivery, agreement, receipt of a backup, the end of service, or of the old environment."""
        request, by = await self.request(name), by or SECRETARY
        stated: Json = {"by": by, "at": self._now(), "statement": statement}
        given = request.spec.confirmations
        if (field := ONCE.get(what)) is not None:
            await self._write(request, {"spec": {"confirmations": {field: stated}}}, by)
            return by
        if what == "backup":
            stated["receiptSha256"] = await self._receipt(request)
            earlier = [_json(item) for item in given.backups]
        else:
            approved = request.status.approved if request.status else None
            if approved is None:
                raise NothingToDoError(f"nothing of {name} is in force: no service can end")
            stated["approval"] = approved.approval
            earlier = [_json(item) for item in given.terminations]
        field = "backups" if what == "backup" else "terminations"
        await self._write(request, {"spec": {"confirmations": {field: [*earlier, stated]}}}, by)
        return by

    async def _receipt(self, request: CloudResourceRequest) -> str:
        given = {receipt.receipt_sha256 for receipt in request.spec.confirmations.backups}
        orders = await self._town.made_for(WorkOrder, request)
        waiting = [
            (order.spec.revision, order.status.receipt_sha256)
            for order in orders
            if order.spec.work is WorkOrderKind.BACKUP
            and order.status is not None
            and order.status.receipt_sha256 is not None
            and order.status.receipt_sha256 not in given
        ]
        if not waiting:
            raise NothingToDoError(f"no backup of {request.metadata.name} waits for its receipt")
        return max(waiting)[1]

    async def report(self, name: str, types: Iterable[ReportType], by: str | None) -> str:
        """File reports."""
        request, by = await self.request(name), by or SECRETARY
        earlier = [_json(item) for item in request.spec.confirmations.reports]
        new: list[JsonValue] = [
            {
                "type": kind.value,
                "reference": f"{kind.value} {self._today()}",
                "sha256": hashlib.sha256(f"{kind}/{self._today()}".encode()).hexdigest(),
                "at": self._now(),
                "by": by,
            }
            for kind in types
        ]
        await self._write(request, {"spec": {"confirmations": {"reports": [*earlier, *new]}}}, by)
        return by

    async def missing_reports(self, name: str, policy: CloudPolicy) -> tuple[ReportType, ...]:
        """The reports that the unit still owes."""
        request = await self.request(name)
        trial = request.status.trial if request.status else None
        return missing_reports(policy.spec, request.spec.confirmations, trial)

    # -- the authority ----------------------------------------------------------------------------
    async def decide(
        self, name: str, verdict: Verdict, opinion: str, by: str | None, stage: str | None = None
    ) -> str:
        """Decide the step that waits, or the named one, on the request's open Approval."""
        request = await self.request(name)
        pending = request.status.pending_approval if request.status else None
        approval = await self._town.find(Approval, pending, request.metadata.namespace) if pending else None
        if approval is None or (approval.status and approval.status.state is not ApprovalState.PENDING):
            raise NothingToDoError(f"no Approval of {name} waits for a decision")
        given = {decision.stage for decision in approval.spec.decisions}
        steps = [s for s in approval.spec.steps if s.stage not in given and stage in (None, s.stage.value)]
        if not steps:
            raise NothingToDoError(f"{approval.metadata.name} has no step {stage or ''} that waits")
        by = by or steps[0].role.value
        decision: Json = {
            "stage": steps[0].stage.value,
            "verdict": verdict.value,
            "by": by,
            "opinion": opinion,
            "at": self._now(),
        }
        earlier = [_json(item) for item in approval.spec.decisions]
        await self._write(approval, {"spec": {"decisions": [*earlier, decision]}}, by)
        return by

    async def _complete(self, event: plan.Complete) -> str:
        request = await self.request(event.request)
        orders = [
            order
            for order in await self._town.made_for(WorkOrder, request)
            if order.spec.executor is Executor.PERSON
            and order.spec.outcome is None
            and event.work in (None, order.spec.work)
            and (order.status is None or order.status.state is WorkOrderState.PENDING)
        ]
        if not orders:
            raise NothingToDoError(f"no work order of {event.request} waits for a person")
        by = event.by or orders[-1].spec.role.value
        outcome: Json = {
            "by": by,
            "at": self._now(),
            "succeeded": event.succeeded,
            "statement": event.statement,
            **(reported(orders[-1], self._today()) if event.succeeded else {}),
        }
        await self._write(orders[-1], {"spec": {"outcome": outcome}}, by)
        return by

    async def _measure(self, event: plan.Measure) -> str:
        request, by = await self.request(event.request), event.by or Role.PROVIDER.value
        servers = [
            server
            for server in await self._town.made_for(CloudServer, request)
            if event.server in (None, server.metadata.name, server.spec.group)
        ]
        if not servers:
            raise NothingToDoError(f"{event.request} has no server {event.server or ''} to be measured")
        usage = self._filled(event.usage)
        for server in servers:
            await self._write(server, {"status": {"usage": usage}}, by, status=True)
        return by

    # -- anything ---------------------------------------------------------------------------------
    async def _create(self, event: plan.Create) -> str:
        document, by = cast(Json, self._filled(event.manifest)), event.by or "admin"
        await self._town.create(document, by=by)
        meta = cast(Json, document["metadata"])
        kind = by_kind(str(document["kind"]))
        made = await self._town.find(kind, str(meta["name"]), str(meta.get("namespace") or ""))
        if made is not None:
            self._uids[made.metadata.name] = made.metadata.uid
        return by

    async def _patch(self, event: plan.Patch) -> str:
        found = await self._named(event.kind, event.name, event.namespace, event.request)
        by = event.by or "admin"
        body = cast(Json, self._filled(event.body))
        await self._write(found, body, by, status=event.subresource == "status")
        return by

    async def react(self, reaction: plan.Reaction, resource: Resource) -> str:
        """Patch the object as the reaction says."""
        by = reaction.by or SECRETARY
        body = cast(Json, self._filled(reaction.body))
        spec = body.get("spec")
        outcome = spec.get("outcome") if isinstance(spec, dict) else None
        if isinstance(resource, WorkOrder) and isinstance(outcome, dict) and outcome.get("succeeded"):
            # What the scenario says of the outcome stands; the facts that nothing follows without are added.
            facts: Json = {"spec": {"outcome": reported(resource, self._today())}}
            body = merged(facts, body)
        await self._write(resource, body, by, status=reaction.subresource == "status")
        return by

    async def _delete(self, event: plan.Delete) -> str:
        found = await self._named(event.kind, event.name, event.namespace, event.request)
        by = event.by or "admin"
        await self._town.delete(type(found), found.metadata.name, found.metadata.namespace, by=by)
        return by

    async def _named(
        self, kind_name: str, name: str | None, namespace: str | None, request: str | None
    ) -> Resource:
        try:
            kind = by_kind(kind_name)
        except KeyError:
            raise KubeError(404, "NotFound", f'no kind "{kind_name}" in govpool.dev/v1alpha1') from None
        if name is None:
            if request is None:
                raise NothingToDoError(f"which {kind_name}? give name or request")
            asked = await self.request(request)
            if kind is CloudResourceRequest:
                return asked
            made = sorted(await self._town.made_for(kind, asked), key=_age)
            if not made:
                raise NothingToDoError(f"there is no {kind_name} of {request}")
            return made[-1]
        space = ""
        if kind.DEFINITION.scope is Scope.NAMESPACED:
            space = namespace or (self.requests[request].namespace if request else self._first_unit)
        wanted = str(self._filled(name))
        found = await self._town.find(kind, wanted, space)
        if found is None:
            raise NothingToDoError(f"there is no {kind_name} {wanted}")
        return found

    async def _disturb(self, event: plan.Fault | plan.Heal | plan.Drift) -> str:
        if isinstance(event, plan.Heal):
            await self._town.set_faults(event.pool, FaultPlan())
            return event.by or Role.PROVIDER.value
        if isinstance(event, plan.Fault):
            rule = FaultRule(_code(event.code), event.method, nth=event.first, times=event.times)
            await self._town.set_faults(event.pool, FaultPlan((rule,)))
            return event.by or Role.PROVIDER.value
        request = await self.request(event.request)
        servers = sorted(await self._town.made_for(CloudServer, request), key=lambda s: s.metadata.name)
        wanted = (s for s in servers if event.server in (s.metadata.name, s.spec.group))
        server = next(wanted, None)
        if server is None:
            raise NothingToDoError(f"{event.request} has no server {event.server}")
        drift = Drifted(event.vcpu, event.memory_gib, event.power, event.fault)
        await self._town.drift(server.spec.pool, server.spec.key, drift)
        return event.by or "-"

    # -- helpers ----------------------------------------------------------------------------------
    async def request(self, name: str) -> CloudResourceRequest:
        """A request of the scenario as it is now."""
        who = self.requests[name]
        found = await self._town.find(CloudResourceRequest, who.name, who.namespace)
        if found is None:
            raise NothingToDoError(f"there is no request {name} (any more)")
        return found

    async def _write(self, resource: Resource, body: Json, by: str, *, status: bool = False) -> None:
        meta = resource.metadata
        await self._town.patch(type(resource), meta.name, meta.namespace, body, by=by, status=status)

    def _now(self) -> str:
        """To the second, as people write it."""
        return self._town.now().replace(microsecond=0).isoformat().replace("+00:00", "Z")

    def _today(self) -> str:
        return self._calendar.day(self._town.now())

    def _filled(self, value: JsonValue) -> JsonValue:
        """The value with what stands for times and names filled in."""
        if isinstance(value, dict):
            return {key: self._filled(item) for key, item in value.items()}
        if isinstance(value, list):
            return [self._filled(item) for item in value]
        if not isinstance(value, str) or "${" not in value:
            return value
        known = {"now": self._now(), "today": self._today(), "policy": self._ground.policy_name}
        for name, text in known.items():
            value = value.replace(f"${{{name}}}", text)
        return UID.sub(self._uid, value)

    def _uid(self, found: re.Match[str]) -> str:
        name = found.group(1)
        if name not in self._uids:
            raise NothingToDoError(f"${{uid:{name}}}: nothing of that name was made yet")
        return self._uids[name]


def told(event: plan.AnyEvent) -> BilingualText:
    """One line about the event."""
    if event.told is not None:
        return event.told
    return bilingual(f"simulate.did.{event.do}", request=event.whose or "-", detail=event.detail)


def bilingual(key: str, **values: object) -> BilingualText:
    """A text of the catalogue in both languages."""
    text = message(key, **values)
    return BilingualText(en=text.render("en")[:256], zh=text.render("zh")[:256])


def _code(name: str) -> ErrorCode:
    try:
        return ErrorCode(name)
    except ValueError:
        known = ", ".join(code.value for code in ErrorCode)
        raise ProviderError(ErrorCode.INVALID, f"{name} is no error code: use one of {known}") from None


def _json(item: object) -> JsonValue:
    return plain(item)


def _age(resource: Resource) -> tuple[datetime, str]:
    made = resource.metadata.creation_timestamp
    if made is None:
        raise ValueError(f"{resource.metadata.name} was never stored")
    return made, resource.metadata.name
