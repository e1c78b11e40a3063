"""What a ruling rests on: the numbers that its rule looked at, and what would have made it otherwise."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import NamedTuple

from govpool.api.approval import Approval, Decision
from govpool.api.cloudpolicy import ApplicationType, CloudPolicy, CloudPolicySpec, Stage
from govpool.api.cloudresourcerequest import (
    CloudResourceRequestSpec,
    CloudResourceRequestStatus,
    Confirmations,
    RequestContent,
    Trial,
)
from govpool.api.servicecatalog import ServiceCatalog
from govpool.lifecycle.observation import RequestObservation
from govpool.lifecycle.ruling import Ruling, inputs
from govpool.lifecycle.submission import Submission
from govpool.messages import Message, message
from govpool.rules.admission import Application, admit, refusals
from govpool.rules.billing import billing_start
from govpool.rules.calendar import WorkCalendar
from govpool.rules.change import Classification, classify
from govpool.rules.citation import clause
from govpool.rules.otherwise import (
    moved,
    nothing_turns,
    other_admission,
    other_classification,
    other_refusal,
)
from govpool.rules.otherwise_refused import Asked, OtherAsked, lifted_by
from govpool.rules.refusal import Refusal
from govpool.rules.revision import content_of
from govpool.rules.trial import trial, trial_clause

Inputs = tuple[tuple[str, str], ...]
A_DAY = timedelta(days=1)


class Ground(NamedTuple):
    """What can be looked at."""

    observation: RequestObservation
    policy: CloudPolicy
    catalog: ServiceCatalog
    after: CloudResourceRequestStatus

    @property
    def rules(self) -> CloudPolicySpec:
        """The regulation."""
        return self.policy.spec

    @property
    def approved(self) -> RequestContent | None:
        """The content in force when the application was judged."""
        approved = self.after.approved
        return approved.content if approved else None

    @property
    def wanted(self) -> RequestContent:
        """The content that is applied for."""
        return content_of(self.observation.request.spec)


@dataclass(frozen=True, slots=True)
class Rested:
    """A stage's rule, what it looked at, and what would have made it otherwise."""

    rule: str
    inputs: Inputs = ()
    otherwise: tuple[Message, ...] = field(default=())


# -- classification and admission ----------------------------------------------------------------
def classification(ground: Ground, found: Classification) -> Inputs:
    """How far each dimension moves, and the policy's share."""
    rule, approved = ground.rules.change, ground.approved
    pairs: list[tuple[str, object]] = [("application", found.application.value)]
    if approved is not None and found.application in (ApplicationType.CHANGE, ApplicationType.MAJOR_CHANGE):
        pairs.append(("major above", _percent(rule.major_above_percent)))
        pairs += [
            (one.dimension.value, f"{one.before} -> {one.after} ({_percent(one.percent, sign=True)})")
            for one in moved(approved, ground.wanted, ground.catalog)
            if one.before != one.after
        ]
    if approved is None:
        pairs.append(("in force", "nothing"))
    if deregistration := ground.wanted.deregistration:
        pairs.append(("reason", deregistration.reason.value))
    pairs.append(("term", ground.wanted.term.kind.value))
    return inputs(pairs)


def _percent(value: object, *, sign: bool = False) -> str | None:
    if value is None:
        return "nothing was held" if sign else None
    return f"{value:+} %" if sign else f"{value} %"


def otherwise_classified(ground: Ground, found: Classification) -> tuple[Message, ...]:
    """The nearest contents that would be another application."""

    def ask(content: RequestContent) -> Classification:
        return classify(ground.approved, content, policy=ground.rules, catalog=ground.catalog)

    if ask(ground.wanted).application is not found.application:
        # What went before it (an emergency's papers) made it what it is; the content alone would not.
        return (message("audit.otherwise.history"),)
    others = other_classification(ground.approved, ground.wanted, found, ask)
    if not others:
        return (nothing_turns(found.application),)
    return tuple(other.message for other in others)


def admission(ground: Ground) -> Inputs:
    """What admission looks at first."""
    spec, rule = ground.observation.request.spec, ground.rules.admission
    pool, quota = ground.observation.pool, ground.observation.quota
    calendar = WorkCalendar.of(ground.rules)
    return inputs(
        {
            "day": calendar.local_day(ground.observation.now),
            "protection level": spec.system.protection_level,
            "highest level": rule.max_protection_level,
            "classified": "yes" if spec.system.classified else "no",
            "papers": ", ".join(sorted({paper.type.value for paper in spec.materials})),
            "policy in force since": ground.rules.effective_from,
            "policy in force until": ground.rules.effective_until,
            "pool": f"{pool.metadata.name} ({pool.spec.state.value})" if pool else None,
            "unit": quota.spec.unit_name if quota else None,
            "standing": quota.status.standing.value if quota and quota.status else None,
        }
    )


def _admit(
    ground: Ground, application: ApplicationType
) -> Callable[[CloudResourceRequestSpec], Iterable[Refusal]]:
    seen = ground.observation
    pool = seen.pool

    def ask(spec: CloudResourceRequestSpec) -> Iterable[Refusal]:
        if pool is None:
            return ()
        request = seen.request.model_copy(update={"spec": spec})
        asked = Application(request, application, ground.policy, ground.catalog, pool, seen.quota, seen.now)
        return refusals(asked)

    return ask


def otherwise_refused(ground: Ground, found: Submission, refusal: Refusal) -> tuple[Message, ...]:
    """What would have mended this reason, and whether others stood beside it."""
    told: list[Message] = []
    if found.classification is not None:
        day = WorkCalendar.of(ground.rules).local_day(ground.observation.now)
        ask = _admit(ground, found.classification.application)
        spec = ground.observation.request.spec
        told += [other.message for other in other_refusal(spec, refusal, ask, ground.rules, day)]
        told += [other.message for other in _lifted(ground, found.classification.application, refusal)]
    beside = len(found.refusals) - 1
    told.append(
        message("audit.otherwise.beside", beside=beside) if beside else message("audit.otherwise.only")
    )
    return tuple(told)


def _lifted(ground: Ground, application: ApplicationType, refusal: Refusal) -> tuple[OtherAsked, ...]:
    """What else would have kept the reason from standing: a term, a day, a unit's standing, figures."""
    seen = ground.observation
    if seen.pool is None:
        return ()

    def judge(asked: Asked) -> tuple[Refusal, ...]:
        return admit(
            asked.request,
            application,
            policy=ground.policy,
            catalog=ground.catalog,
            pool=asked.pool,
            quota=asked.quota,
            now=asked.now,
        )

    return lifted_by(Asked(seen.request, seen.pool, seen.quota, seen.now), refusal, judge, ground.rules)


def otherwise_admitted(ground: Ground, found: Classification) -> tuple[Message, ...]:
    """What would have kept it from the authority."""
    ask = _admit(ground, found.application)
    return tuple(one.message for one in other_admission(ground.observation.request.spec, ask, ground.rules))


# -- decisions of people -------------------------------------------------------------------------
@dataclass(frozen=True, slots=True)
class Clock:
    """A step's clock."""

    since: datetime | None
    due: datetime | None


def clock_of(approval: Approval, decision: Decision, policy: CloudPolicySpec) -> Clock:
    """From when to when the step of a decision ran: from the decision before it, or the Approval's making."""
    order = [step.stage for step in approval.spec.steps]
    place = order.index(decision.stage)
    before = [d.at for d in approval.spec.decisions if order.index(d.stage) < place]
    created = approval.metadata.creation_timestamp
    since = max([*([created] if created else []), *before], default=None)
    step = approval.spec.steps[place]
    if since is None or step.clock is None:
        return Clock(since, None)
    return Clock(since, WorkCalendar.of(policy).after_working_days(since, step.clock))


def otherwise_decided(approves: bool, clock: Clock) -> tuple[Message, ...]:
    """The other verdict, and the clock."""
    told = [message("audit.otherwise.approved") if approves else message("audit.otherwise.not-approved")]
    if clock.due is not None:
        told.append(message("audit.otherwise.late", due=clock.due.isoformat()))
    return tuple(told)


# -- clocks --------------------------------------------------------------------------------------
def later_trial(policy: CloudPolicySpec, days: Trial) -> tuple[Message, ...]:
    """When the trial would end had it begun a day later."""
    later = trial(policy, days.started + A_DAY)
    if later is None:
        return ()
    return (message("audit.otherwise.trial", ends=later.ends.isoformat()),)


def trial_rulings(ground: Ground, before: CloudResourceRequestStatus) -> Iterator[Ruling]:
    """The trial began."""
    days, rule = ground.after.trial, ground.rules.trial
    if days is None or rule is None or before.trial is not None:
        return
    yield Ruling(
        key="trial/began",
        at=days.started,
        what="TrialBegan",
        clause=trial_clause(ground.rules),
        outcome=message("TrialRuns", ends=days.ends.isoformat()),
        rule="rules.trial.trial",
        inputs=inputs({"handed over": days.started, "lasts": rule.duration}),
        otherwise=later_trial(ground.rules, days),
    )


def billing_rulings(ground: Ground, before: CloudResourceRequestStatus) -> Iterator[Ruling]:
    """Billing started or ended."""
    rule, now = ground.rules.billing, ground.after.billing
    confirmations = ground.observation.request.spec.confirmations
    if now.started is not None and before.billing.started is None:
        delivery, agreement = confirmations.delivery, confirmations.agreement
        opened, days = handed_over(ground), ground.after.trial
        yield Ruling(
            key="billing/started",
            at=now.started,
            what="BillingStarted",
            clause=now.started_article or clause(ground.rules, rule.starts_article),
            outcome=message("audit.billing-started", at=now.started.isoformat()),
            rule="rules.billing.billing_start",
            inputs=inputs(
                {
                    "starts on": rule.starts_on.value,
                    "delivery confirmed": delivery.at if delivery else None,
                    "agreement signed": agreement.at if agreement else None,
                    "trial ends": days.ends if days else None,
                    "fee per year": ground.after.fee_per_year,
                }
            ),
            otherwise=other_billing_starts(ground.rules, opened, days, confirmations),
        )
    if now.ended is not None and before.billing.ended is None:
        later = now.ended + A_DAY
        yield Ruling(
            key="billing/ended",
            at=now.ended,
            what="BillingEnded",
            clause=now.ended_article or clause(ground.rules, rule.ends_article),
            outcome=message("audit.billing-ended", at=now.ended.isoformat()),
            rule="rules.billing.billing_end",
            inputs=inputs({"end of service confirmed": now.ended}),
            otherwise=(message("audit.otherwise.billing-ends", day=later.isoformat()),),
        )


def handed_over(ground: Ground) -> datetime | None:
    """When the request's first handover was done, as its stages tell."""
    done = next((one.at for one in ground.after.stages if one.stage is Stage.HANDOVER), None)
    return ground.after.trial.started if ground.after.trial else done


def other_billing_starts(
    policy: CloudPolicySpec, opened: datetime | None, days: Trial | None, confirmations: Confirmations
) -> tuple[Message, ...]:
    """Which of the days that count, had it come a day later, would have moved the start, and to when."""

    def start(opened: datetime | None, days: Trial | None, given: Confirmations) -> datetime | None:
        found = billing_start(policy, handed_over=opened, trial=days, confirmations=given)
        return found[0] if found else None

    told = []
    now = start(opened, days, confirmations)
    later = start(opened, days, _a_day_later(confirmations, "delivery"))
    if now is not None and later is not None and later != now:
        told.append(message("audit.otherwise.billing.delivery", day=later.isoformat()))
    later = start(opened, days, _a_day_later(confirmations, "agreement"))
    if now is not None and later is not None and later != now:
        told.append(message("audit.otherwise.billing.agreement", day=later.isoformat()))
    if now is not None and opened is not None:
        later = start(opened + A_DAY, trial(policy, opened + A_DAY) if days else None, confirmations)
        if later is not None and later != now:
            told.append(message("audit.otherwise.billing.handover", day=later.isoformat()))
    return tuple(told)


def _a_day_later(confirmations: Confirmations, what: str) -> Confirmations:
    given = getattr(confirmations, what)
    if given is None:
        return confirmations
    return confirmations.model_copy(update={what: given.model_copy(update={"at": given.at + A_DAY})})
