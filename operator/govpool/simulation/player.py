"""Play a scenario in a town: events at their times, people by their habits, expectations at theirs."""

from __future__ import annotations

import heapq
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple, TypeVar

from govpool.api.approval import Approval, ApprovalState
from govpool.api.base import REQUEST_LABEL, BilingualText, Resource
from govpool.api.cloudpolicy import CloudPolicy, Role, Stage
from govpool.api.cloudresourcerequest import CloudResourceRequest, StageState
from govpool.api.tenantquota import TenantQuota
from govpool.effects.kube_errors import KubeError
from govpool.messages import Language
from govpool.simulation import scenario as plan
from govpool.simulation.deeds import Deeds, NothingToDoError, bilingual, told
from govpool.simulation.expectations import Sight, judge, kind_of, made_for
from govpool.simulation.ground import LAST_DAY, MORNING, Calendar, Ground
from govpool.simulation.habits import REACTIONS, habit_for, reaction_for
from govpool.simulation.paths import looks_so
from govpool.simulation.recorder import Recorder
from govpool.simulation.result import Met, NeverPlayed, Played, PolicyTold, SimulationResult
from govpool.simulation.town import Change, Town
from govpool_providers.errors import ProviderError

R = TypeVar("R", bound=Resource)
Act = Callable[[], Awaitable[None]]
EVENT, HABIT, EXPECTATION = range(3)
"""At one and the same time: first what is told to happen, then habits, then what is looked at."""
WHO_ACTS = frozenset({Role.UNIT, Role.SPONSOR, Role.PROVIDER})


class _Todo(NamedTuple):
    at: datetime
    rank: int
    number: int
    """No two have the same: what comes after it is never compared."""
    act: Act


@dataclass(slots=True)
class _Marked:
    """An event or expectation whose moment the story has to bring."""

    mark: plan.Mark
    rank: int
    act: Act
    reached: bool = False


class Player:
    """Plays one scenario under one policy; :meth:`play` once."""

    def __init__(
        self, town: Town, scenario: plan.Scenario, ground: Ground, policy: CloudPolicy, language: Language
    ) -> None:
        self._town, self._scenario, self._ground, self._language = town, scenario, ground, language
        self._policy = policy
        self._calendar = Calendar.of(policy)
        self._deeds = Deeds(town, ground, scenario, self._calendar)
        self._recorder = Recorder(policy.spec)
        self._todo: list[_Todo] = []
        self._numbers = 0
        self._marked: list[_Marked] = []
        self._marks_of: defaultdict[str | None, list[_Marked]] = defaultdict(list)
        self._names: dict[str, str] = {}
        self._events: list[tuple[plan.AnyEvent, _Marked | None]] = []
        self._done: set[int] = set()
        self._seen: set[tuple[str | datetime, ...]] = set()
        self._played: list[Played] = []
        self._met: list[Met] = []
        self._reactions = [r for r in (*scenario.reactions, *REACTIONS) if self._applies(r.policies)]
        self._reacts_to = {reaction.kind for reaction in self._reactions}

    async def play(self, until: datetime | None = None) -> SimulationResult:
        """From the scenario's start to its end, or to ``until``.

        Raises:
            KubeError: the ground itself (policy, catalogue, pool, units) is not admitted.
        """
        starts = self._calendar.moment(self._scenario.starts, MORNING)
        ends = until or self._calendar.moment(self._scenario.until, LAST_DAY)
        await self._prepare()
        self._schedule(starts, ends)
        while True:
            await self._town.settle()
            await self._look()
            if self._todo and self._todo[0].at <= self._town.now():
                await heapq.heappop(self._todo).act()
                continue
            due = [self._todo[0].at] if self._todo else []
            look = self._town.next_look()
            following = min([*due, look] if look is not None else due, default=None)
            if following is None or following > ends:
                break
            await self._town.move_to(following)
        if self._town.now() < ends:
            await self._town.move_to(ends)
            await self._town.settle()
            await self._look()
        return await self._result(starts, ends)

    # -- before it begins -------------------------------------------------------------------------
    async def _prepare(self) -> None:
        for document in self._ground.supply(self._scenario, self._calendar):
            await self._town.create(document, by="admin")
        for namespace, quota in self._ground.units(self._scenario).items():
            await self._town.namespace(namespace)
            await self._town.create(quota, by="admin")
            spec = quota["spec"]
            name = str(spec.get("unitName")) if isinstance(spec, dict) else namespace
            self._recorder.unit(namespace, name)
        for who in self._deeds.requests.values():
            self._recorder.request(who.namespace, who.name)

    def _schedule(self, starts: datetime, ends: datetime) -> None:
        for number, event in enumerate(self._scenario.events):
            if not self._applies(event.policies):
                continue
            marked = self._when(event.at, event.after, EVENT, self._event(number, event), starts, MORNING)
            self._events.append((event, marked))
        for expectation in self._scenario.expect:
            if not self._applies(expectation.policies):
                continue
            act = self._expectation(expectation)
            if expectation.at is None and expectation.after is None:
                self._add(ends, EXPECTATION, act)
            else:
                self._when(expectation.at, expectation.after, EXPECTATION, act, starts, LAST_DAY)

    def _when(
        self,
        at: str | None,
        after: plan.Mark | None,
        rank: int,
        act: Act,
        starts: datetime,
        otherwise: object,
    ) -> _Marked | None:
        if at is not None:
            self._add(self._calendar.moment(at, LAST_DAY if otherwise is LAST_DAY else MORNING), rank, act)
            return None
        if after is None or (after.event is None and after.request is None):
            due = self._calendar.after(starts, after.delay, after.time) if after else starts
            self._add(due, rank, act)
            return None
        marked = _Marked(after, rank, act)
        self._marked.append(marked)
        self._marks_of[after.request].append(marked)
        return marked

    def _applies(self, policies: Iterable[str]) -> bool:
        named = tuple(policies)
        return not named or self._ground.policy_name in named

    def _add(self, at: datetime, rank: int, act: Act) -> None:
        self._numbers += 1
        heapq.heappush(self._todo, _Todo(at, rank, self._numbers, act))

    # -- what was seen ----------------------------------------------------------------------------
    async def _look(self) -> None:
        """Take in what changed: record it, and let people see what is their turn."""
        for change in await self._town.changes():
            self._recorder.take(change)
            resource = change.after
            if isinstance(resource, CloudResourceRequest):
                self._names.setdefault(resource.metadata.uid, resource.metadata.name)
                self._reach(change.at, resource)
                self._turn(change.at, resource)
            elif isinstance(resource, Approval):
                self._step(change.at, resource)
            if resource is not None and resource.DEFINITION.kind in self._reacts_to:
                self._react(change, resource)

    def _reach(self, at: datetime, request: CloudResourceRequest) -> None:
        """Marks that the request has come to."""
        status, name = request.status, request.metadata.name
        if status is None:
            return
        for marked in self._marks_of[name]:
            mark = marked.mark
            if marked.reached:
                continue
            since: datetime | None = None
            if mark.phase is not None:
                since = at if status.phase is mark.phase else None
            elif mark.stage is not None:
                wanted = (mark.stage, mark.state)
                since = at if any((s.stage, s.state) == wanted for s in status.stages) else None
            else:
                since = next((h.at for h in status.history if h.what == mark.happened), None)
            if since is not None:
                self._reached(marked, since)

    def _reached(self, marked: _Marked, since: datetime) -> None:
        marked.reached = True
        at = self._calendar.after(since, marked.mark.delay, marked.mark.time)
        self._add(at, marked.rank, marked.act)

    def _step(self, at: datetime, approval: Approval) -> None:
        """Somebody has to decide a step."""
        status = approval.status
        if status is None or status.state is not ApprovalState.PENDING or status.step is None:
            return
        name, stage = approval.spec.request.name, status.step
        key = (approval.metadata.uid, stage)
        if name not in self._deeds.requests or key in self._seen:
            return
        if any(decision.stage is stage for decision in approval.spec.decisions):
            return
        self._seen.add(key)
        habit = habit_for(self._scenario.habits, stage, name, self._ground.policy_name)
        if habit is None or habit.does == "nothing":
            return
        due = self._calendar.after(status.since or at, habit.after, habit.time)

        async def act() -> None:
            newest = await self._town.find(Approval, approval.metadata.name, approval.metadata.namespace)
            waits = newest.status if newest else None
            if waits is None or waits.state is not ApprovalState.PENDING or waits.step is not stage:
                return
            decide = self._deeds.decide(name, habit.verdict, habit.opinion, habit.by, stage.value)
            detail = f"{stage.value}: {habit.verdict.value}"
            await self._try(
                "habit", name, bilingual("simulate.did.habit", request=name, detail=detail), decide
            )

        self._add(max(due, at), HABIT, act)

    def _turn(self, at: datetime, request: CloudResourceRequest) -> None:
        """The unit has to do something at a stage."""
        status, name = request.status, request.metadata.name
        last = status.stages[-1] if status and status.stages else None
        if status is None or last is None or last.state is not StageState.WAITING:
            return
        if last.who not in WHO_ACTS or name not in self._deeds.requests:
            return
        since = next((d.since for d in status.deadlines if d.stage is last.stage), self._town.now())
        key = (request.metadata.uid, last.stage, since)
        if key in self._seen:
            return
        self._seen.add(key)
        habit = habit_for(self._scenario.habits, last.stage, name, self._ground.policy_name)
        if habit is None or habit.does == "nothing":
            return
        stage = last.stage
        due = self._calendar.after(at, habit.after, habit.time)

        async def act() -> None:
            newest = (await self._deeds.request(name)).status
            current = newest.stages[-1] if newest and newest.stages else None
            if current is None or current.stage is not stage or current.state is not StageState.WAITING:
                return
            does = self._by_habit(stage, name, habit)
            if does is not None:
                text = bilingual("simulate.did.habit", request=name, detail=stage.value)
                if not await self._try("habit", name, text, does, quiet=True):
                    # What is to be confirmed is not there yet: looked at again when something changes.
                    self._seen.discard(key)

        self._add(due, HABIT, act)

    def _by_habit(self, stage: Stage, name: str, habit: plan.Habit) -> Awaitable[str] | None:
        match stage:
            case Stage.REPORTS:
                return self._report_all(name, habit.by)
            case Stage.AGREEMENT:
                return self._deeds.confirm(name, "agreement", habit.by)
            case Stage.CONFIRMATION:
                return self._deeds.confirm(name, "delivery", habit.by)
            case Stage.BACKUP:
                return self._deeds.confirm(name, "backup", habit.by)
            case Stage.TERMINATION:
                return self._deeds.confirm(name, "termination", habit.by)
            case _:
                return None

    async def _report_all(self, name: str, by: str | None) -> str:
        return await self._deeds.report(name, await self._deeds.missing_reports(name, self._policy), by)

    def _react(self, change: Change, resource: Resource) -> None:
        """Somebody answers an object that looks so."""
        kind = resource.DEFINITION.kind
        key = (kind, resource.metadata.uid)
        if key in self._seen:
            return
        reaction = reaction_for(self._reactions, resource, self._name_of(resource))
        if reaction is None:
            return
        self._seen.add(key)
        if reaction.does == "nothing":
            return

        async def act() -> None:
            meta = resource.metadata
            newest = await self._town.find(type(resource), meta.name, meta.namespace)
            if newest is not None and looks_so(newest, reaction.where):
                text = reaction.told or bilingual("simulate.did.reaction", detail=f"{kind} {meta.name}")
                await self._try("reaction", self._name_of(newest), text, self._deeds.react(reaction, newest))

        self._add(self._calendar.after(change.at, reaction.after, reaction.time), HABIT, act)

    def _name_of(self, resource: Resource) -> str | None:
        """The request of the scenario that the object was made for."""
        return self._names.get(resource.metadata.labels.get(REQUEST_LABEL, ""))

    # -- what is done -----------------------------------------------------------------------------
    def _event(self, number: int, event: plan.AnyEvent) -> Act:
        async def act() -> None:
            self._done.add(number)
            await self._try(event.do, event.whose, told(event), self._deeds.do(event))
            for marked in self._marks_of[None]:
                if event.id is not None and not marked.reached and marked.mark.event == event.id:
                    self._reached(marked, self._town.now())

        return act

    async def _try(
        self, do: str, request: str | None, text: BilingualText, deed: Awaitable[str], *, quiet: bool = False
    ) -> bool:
        """Do it and keep that it was done; ``quiet``: what has no object is not kept. Whether it had one."""
        at, refused, by = self._town.now(), "", "-"
        try:
            by = await deed
        except NothingToDoError as error:
            if quiet:
                return False
            refused = str(error)
        except (KubeError, ProviderError) as error:
            refused = str(error)
        self._played.append(Played(at=at, do=do, by=by, request=request, told=text, refused=refused))
        return True

    def _expectation(self, expectation: plan.Expectation) -> Act:
        async def act() -> None:
            name = expectation.request
            if name is None and len(self._deeds.requests) == 1:
                name = next(iter(self._deeds.requests))
            verdict = judge(expectation, await self._sight(expectation, name), self._calendar)
            self._met.append(
                Met(
                    at=self._town.now(),
                    request=name,
                    expected="; ".join(verdict.expected),
                    found="; ".join(verdict.found),
                    met=verdict.met,
                    because=expectation.because,
                )
            )

        return act

    async def _sight(self, expectation: plan.Expectation, name: str | None) -> Sight:
        who = self._deeds.requests[name] if name is not None else None
        request = self._recorder.last(who.namespace, who.name) if who else None
        servers = self._recorder.there(who.namespace, who.name) if who else 0
        quota: TenantQuota | None = None
        objects: tuple[Resource, ...] = ()
        if expectation.quota is not None:
            first = next(iter(self._deeds.requests.values())).namespace
            unit = expectation.quota.unit or (who.namespace if who else first)
            quota = await self._town.find(TenantQuota, "unit", unit)
        if expectation.object is not None and (kind := kind_of(expectation.object)) is not None:
            asked = request if expectation.request is not None else None
            objects = made_for(await self._town.list(kind), expectation.object, asked)
        return Sight(request, servers, quota, objects)

    # -- what came of it --------------------------------------------------------------------------
    async def _result(self, starts: datetime, ends: datetime) -> SimulationResult:
        spec, scenario = self._policy.spec, self._scenario
        return SimulationResult(
            scenario=scenario.name,
            title=scenario.title,
            about=scenario.about,
            policy=PolicyTold(
                name=self._ground.policy_name,
                code=spec.code,
                title=spec.title,
                document_number=spec.document_number,
                time_zone=spec.time_zone,
                calendar=spec.calendar,
            ),
            language=self._language,
            started=starts,
            until=ends,
            requests=self._recorder.requests(),
            units=self._recorder.units(),
            played=self._played,
            never_played=self._never(ends),
            expectations=self._met + self._unreached(),
            counts=self._recorder.counts(self._town.counts()),
        )

    def _never(self, ends: datetime) -> list[NeverPlayed]:
        never = []
        for number, event in enumerate(self._scenario.events):
            if number in self._done or not self._applies(event.policies):
                continue
            marked = next((m for e, m in self._events if e is event), None)
            key = "never-reached" if marked is not None and not marked.reached else "too-late"
            why = bilingual(f"simulate.{key}")
            text = why.en if self._language == "en" else why.zh
            request = event.whose
            never.append(NeverPlayed(do=event.do, request=request, told=told(event), why=text))
        return never

    def _unreached(self) -> list[Met]:
        """Expectations at moments that never came."""
        return [
            Met(
                at=self._town.now(),
                request=marked.mark.request,
                expected=f"after {marked.mark.model_dump_json(exclude_none=True, exclude_defaults=True)}",
                found="never reached",
                met=False,
            )
            for marked in self._marked
            if marked.rank == EXPECTATION and not marked.reached
        ]
