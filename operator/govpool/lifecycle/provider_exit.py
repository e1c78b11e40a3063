"""How far a provider's exit is: per pool, and what a request in that pool shows of it (YY-17, WH-18)."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from govpool.api.base import ConditionStatus
from govpool.api.cloudpolicy import CloudPolicySpec, Role
from govpool.api.cloudpool import CloudPool, PoolState
from govpool.api.cloudresourcerequest import CloudResourceRequest, Deadline, RequestPhase
from govpool.api.cloudserver import CloudServer, ServerPhase
from govpool.api.pool_exit import ExitPlanEntry, ExitProgress, ExitTask, ExitTaskState, PoolExitStatus
from govpool.lifecycle.conditions import MAX_MESSAGE, Said, condition
from govpool.lifecycle.observation import PoolObservation, RequestObservation, Unknown
from govpool.lifecycle.wanted import server_phase
from govpool.messages import Message, message
from govpool.rules import provider_exit as rules
from govpool.rules.calendar import WorkCalendar
from govpool.rules.citation import clause

SHOWN = 256
FAR = timedelta(days=36500)
ENDING = (PoolState.EXITING, PoolState.CLOSED)


# -- the pool ------------------------------------------------------------------------------------
def progress(observation: PoolObservation) -> PoolExitStatus | None:
    """The spans of the exit and how far each request is; None for a pool that nobody leaves."""
    pool, policy = observation.pool, observation.policy
    if pool.spec.state not in ENDING or policy is None:
        return None
    exit_ = pool.spec.exit
    spans = rules.terms(policy.spec, exit_) if exit_ else None
    last = spans.transition_until if spans else None
    found = [_of_request(observation, policy.spec, one, last) for one in observation.requests]
    found.sort(key=lambda one: (one.done, one.namespace, one.request))
    return PoolExitStatus(
        notice_until=spans.notice_until if spans else None,
        transition_since=spans.transition_since if spans else None,
        transition_until=last,
        article=spans.clause if spans else "",
        requests=found[:SHOWN],
        open_requests=sum(1 for one in found if not one.done),
        lacks=[text.render(observation.language)[:MAX_MESSAGE] for text in lacks(observation)][:32],
    )


def _of_request(
    observation: PoolObservation,
    policy: CloudPolicySpec,
    request: CloudResourceRequest,
    last: datetime | None,
) -> ExitProgress:
    exit_ = observation.pool.spec.exit
    entry = _entry(exit_.plan if exit_ else (), request)
    servers = tuple(s for s in observation.servers if s.spec.request.uid == request.metadata.uid)
    tasks = [
        _migrate(observation, request, entry, servers),
        _back_up(observation, servers),
        _hand_over(observation, request, servers),
        _take_down(observation, request, servers),
    ]
    own = WorkCalendar.of(policy).end_of(entry.due) if entry and entry.due else last
    return ExitProgress(
        namespace=request.metadata.namespace,
        request=request.metadata.name,
        planned=entry is not None,
        due=min(own, last) if own and last else own,
        tasks=tasks,
        done=all(task.done for task in tasks),
    )


def _entry(plan: Iterable[ExitPlanEntry], request: CloudResourceRequest) -> ExitPlanEntry | None:
    name = request.metadata.namespace, request.metadata.name
    return next((one for one in plan if (one.namespace, one.request) == name), None)


def _task(
    observation: PoolObservation, task: ExitTask, who: Role, text: Message, *, done: bool
) -> ExitTaskState:
    return ExitTaskState(task=task, done=done, who=who, detail=text.render(observation.language)[:256])


def _migrate(
    observation: PoolObservation,
    request: CloudResourceRequest,
    entry: ExitPlanEntry | None,
    servers: tuple[CloudServer, ...],
) -> ExitTaskState:
    """Migrated is what runs elsewhere, as seen; or what the plan says is not migrated, with its reason."""
    task, who = ExitTask.MIGRATE, Role.UNIT
    if entry is None and not servers and not _held(request):
        return _task(observation, task, who, message("exit.nothing-held"), done=True)
    if entry is None:
        return _task(observation, task, Role.OPERATOR, message("exit.no-plan"), done=False)
    if entry.successor is None:
        text = message("exit.not-migrated", why=entry.not_migrated or "-")
        return _task(observation, task, who, text, done=bool(entry.not_migrated))
    found = next(
        (
            one
            for one in observation.elsewhere
            if (one.metadata.namespace, one.metadata.name) == (request.metadata.namespace, entry.successor)
        ),
        None,
    )
    phase = found.status.phase if found and found.status else None
    text = message("exit.successor", request=entry.successor, phase=phase.value if phase else "-")
    return _task(observation, task, who, text, done=phase is RequestPhase.IN_SERVICE)


def _back_up(observation: PoolObservation, servers: tuple[CloudServer, ...]) -> ExitTaskState:
    disks = [disk for server in servers if server.status for disk in server.status.disks if disk.held_data]
    saved = sum(1 for disk in disks if disk.backup is not None)
    declared = [s for s in servers if s.status and any(d.work == "Backup" for d in s.status.declared)]
    reached_by_people = observation.pool.by_hand
    done = len(declared) == len(servers) if reached_by_people else saved == len(disks) and _left(servers)
    text = message("exit.backed-up", saved=saved, disks=len(disks), declared=len(declared))
    return _task(observation, ExitTask.BACK_UP, Role.OPERATOR, text, done=done)


def _left(servers: tuple[CloudServer, ...]) -> bool:
    """Whether nothing writes any more: a backup of what still runs is not the last one."""
    return all(server_phase(s) in (ServerPhase.RELEASED, ServerPhase.GONE) for s in servers)


def _hand_over(
    observation: PoolObservation, request: CloudResourceRequest, servers: tuple[CloudServer, ...]
) -> ExitTaskState:
    receipts = request.spec.confirmations.backups
    phase = request.status.phase if request.status else RequestPhase.PENDING
    # A receipt of an earlier reduction is not one for the end; nothing was held where there was no server.
    ended = phase in (RequestPhase.DEREGISTERING, RequestPhase.DEREGISTERED)
    done = not servers or (bool(receipts) and ended)
    text = message("exit.handed-over", receipts=len(receipts))
    return _task(observation, ExitTask.HAND_OVER, Role.UNIT, text, done=done)


def _take_down(
    observation: PoolObservation, request: CloudResourceRequest, servers: tuple[CloudServer, ...]
) -> ExitTaskState:
    phase = request.status.phase if request.status else RequestPhase.PENDING
    here = sum(1 for server in servers if server_phase(server) is not ServerPhase.GONE)
    done = here == 0 and (phase is RequestPhase.DEREGISTERED or not _held(request))
    text = message("exit.taken-down", phase=phase.value, servers=here)
    return _task(observation, ExitTask.TAKE_DOWN, Role.UNIT, text, done=done)


def _held(request: CloudResourceRequest) -> bool:
    """What was never approved holds nothing, and has nothing to migrate or to take down."""
    return request.status is not None and request.status.approved is not None


def lacks(observation: PoolObservation) -> tuple[Message, ...]:
    """Why the pool can't be closed. A pool that does not answer is not known to be empty."""
    pool, policy = observation.pool, observation.policy
    if policy is None:
        return (message("exit.no-policy", policy=pool.spec.policy),)
    gone = [s.metadata.name for s in observation.servers if server_phase(s) is ServerPhase.GONE]
    found = list(
        rules.closing_lacks(
            pool.spec, policy.spec, observation.servers, observation.certificates, observation.now, gone=gone
        )
    )
    if isinstance(observation.machines, Unknown):
        found.append(message("exit.not-seen", reason=observation.machines.reason))
    elif observation.machines:
        listed = ", ".join(sorted(observation.machines)[:4])
        found.append(message("exit.machines-left", count=len(observation.machines), machines=listed))
    return tuple(found)


def closed_at(observation: PoolObservation) -> datetime | None:
    """When the closing was honoured: once, while the pool could still be seen; it is not asked again."""
    before = observation.pool.status
    if before is not None and before.closed_at is not None:
        return before.closed_at
    if observation.pool.spec.state is not PoolState.CLOSED or lacks(observation):
        return None
    return observation.now


def conditions(observation: PoolObservation) -> list[Said]:
    """``Exit`` while the provider leaves, ``Closed`` when the pool's closing was asked for."""
    pool, policy = observation.pool, observation.policy
    found = []
    if pool.spec.state in ENDING and pool.spec.exit is not None and policy is not None:
        found.append(_exit(observation, policy.spec))
    elif pool.spec.state is PoolState.EXITING:
        found.append(_told(observation, "Exit", ConditionStatus.FALSE, "NoNotice", message("exit.no-notice")))
    if pool.spec.state is PoolState.CLOSED:
        found.append(_closed(observation))
    return found


def _exit(observation: PoolObservation, policy: CloudPolicySpec) -> Said:
    exit_ = observation.pool.spec.exit
    spans = rules.terms(policy, exit_) if exit_ else None
    if exit_ is None or spans is None:
        return _told(observation, "Exit", ConditionStatus.TRUE, "NoRule", message("exit.no-rule"))
    against = rules.objections(policy, exit_)
    if against:
        reason = "NotApproved" if against[0].key == "exit.unapproved" else "TooEarly"
        text = message("Verbatim", text=" ".join(t.render(observation.language) for t in against))
        return _told(observation, "Exit", ConditionStatus.FALSE, reason, text, spans.clause)
    until = spans.transition_until
    day = until.isoformat() if until else "-"
    if until is not None and observation.now > until:
        text = message("exit.transition-over", until=day)
        return _told(observation, "Exit", ConditionStatus.TRUE, "TransitionOver", text, spans.clause)
    text = message("exit.transition", until=day)
    return _told(observation, "Exit", ConditionStatus.TRUE, "Transition", text, spans.clause)


def _closed(observation: PoolObservation) -> Said:
    at = closed_at(observation)
    under = _clause(observation)
    if at is not None:
        day = at.isoformat()
        if any(s.status and s.status.declared for s in observation.servers):
            text = message("exit.closed-as-declared", at=day)
            return _told(observation, "Closed", ConditionStatus.TRUE, "Declared", text, under)
        return _told(
            observation, "Closed", ConditionStatus.TRUE, "Proven", message("exit.closed", at=day), under
        )
    found = lacks(observation)
    told = "; ".join(text.render(observation.language) for text in found)
    unseen = all(text.key == "exit.not-seen" for text in found)
    status = ConditionStatus.UNKNOWN if unseen else ConditionStatus.FALSE
    text = message("exit.not-honoured", lacks=told)
    return _told(observation, "Closed", status, "NotSeen" if unseen else "NotHonoured", text, under)


def _clause(observation: PoolObservation) -> str:
    policy = observation.policy
    rule = policy.spec.provider_exit if policy else None
    return clause(policy.spec, rule.article) if policy and rule else ""


def _told(
    observation: PoolObservation,
    type_: str,
    status: ConditionStatus,
    reason: str,
    text: Message,
    under: str = "",
) -> Said:
    return condition(
        type_,
        status,
        reason,
        text,
        clause=under,
        generation=observation.pool.metadata.generation,
        now=observation.now,
        language=observation.language,
    )


# -- a request in the pool -----------------------------------------------------------------------
def told(observation: RequestObservation) -> list[Said]:
    """The request's condition ``ProviderExit``, while its pool's provider leaves."""
    found, _ = of_request(observation)
    return [found] if found else []


def deadlines(observation: RequestObservation) -> list[Deadline]:
    """Until when the request is out of a pool whose provider leaves."""
    _, due = of_request(observation)
    return [due] if due else []


def of_request(observation: RequestObservation) -> tuple[Said | None, Deadline | None]:
    """What a request shows while its pool's provider leaves: condition ``ProviderExit`` and a deadline."""
    pool, request = observation.pool, observation.request
    if pool is None or pool.spec.state not in ENDING or _ended(request):
        return None, None
    found = _progress_of(pool, request)
    exit_ = pool.status.exit if pool.status else None
    due = found.due if found else (exit_.transition_until if exit_ else None)
    under = exit_.article if exit_ else ""
    left = [task.task.value for task in found.tasks if not task.done] if found else []
    text = message(
        "exit.of-request",
        pool=pool.metadata.name,
        due=due.isoformat() if due else "-",
        left=", ".join(left) or "-",
    )
    shown = condition(
        "ProviderExit",
        ConditionStatus.TRUE,
        "Planned" if found and found.planned else "NoPlan",
        text,
        clause=under,
        generation=request.metadata.generation,
        now=observation.now,
        language=observation.language,
    )
    if found is not None and found.done:
        return shown, None
    since = exit_.transition_since if exit_ else None
    return shown, Deadline(
        what=text.render(observation.language)[:256],
        who=Role.UNIT,
        since=since or (pool.spec.exit.notice.at if pool.spec.exit else observation.now),
        due=due,
        article=under,
        overdue=due is not None and observation.now > due,
    )


def _progress_of(pool: CloudPool, request: CloudResourceRequest) -> ExitProgress | None:
    name = request.metadata.namespace, request.metadata.name
    known = pool.status.exit.requests if pool.status and pool.status.exit else []
    return next((one for one in known if (one.namespace, one.request) == name), None)


def _ended(request: CloudResourceRequest) -> bool:
    status = request.status
    return status is None or status.approved is None or status.phase is RequestPhase.DEREGISTERED
