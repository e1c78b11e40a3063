"""Whether an application can be put before the authority at all (受理条件), and if not, every reason why."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, datetime

from govpool.api.cloudpolicy import ApplicationType, CloudPolicy, CloudPolicySpec, MaterialType
from govpool.api.cloudpool import CloudPool, PoolState
from govpool.api.cloudresourcerequest import CloudResourceRequest, RequestContent
from govpool.api.servicecatalog import ServiceCatalog
from govpool.api.tenantquota import Amounts, TenantQuota
from govpool.messages import message
from govpool.rules import admission_content, admission_records, admission_term, cycles, expansion
from govpool.rules.amounts import amounts
from govpool.rules.calendar import WorkCalendar
from govpool.rules.citation import clause
from govpool.rules.errors import UnknownItem
from govpool.rules.materials import material_rule
from govpool.rules.quota import stop_message, stopped
from govpool.rules.refusal import Refusal
from govpool.rules.revision import content_of

__all__ = ["Application", "Refusal", "admit", "material_rule", "refusals"]


@dataclass(frozen=True, slots=True)
class Application:
    """Everything that admission may look at."""

    request: CloudResourceRequest
    type: ApplicationType
    policy: CloudPolicy
    catalog: ServiceCatalog
    pool: CloudPool
    quota: TenantQuota | None
    now: datetime

    @property
    def rules(self) -> CloudPolicySpec:
        """The regulation."""
        return self.policy.spec

    @property
    def content(self) -> RequestContent:
        """What is applied for."""
        return content_of(self.request.spec)

    @property
    def approved(self) -> RequestContent | None:
        """What is in force."""
        status = self.request.status
        return None if status is None or status.approved is None else status.approved.content

    @property
    def today(self) -> date:
        """The day, in the policy's zone."""
        return WorkCalendar.of(self.rules).local_day(self.now)


def admit(
    request: CloudResourceRequest,
    application: ApplicationType,
    *,
    policy: CloudPolicy,
    catalog: ServiceCatalog,
    pool: CloudPool,
    quota: TenantQuota | None,
    now: datetime,
) -> tuple[Refusal, ...]:
    """Why the application can't be put before the authority: every reason, none if it can."""
    asked = Application(request, application, policy, catalog, pool, quota, now)
    return tuple(refusals(asked))


def refusals(asked: Application) -> Iterator[Refusal]:
    """The reasons one by one, for whoever asks only whether there is any.

    What is in force is read from the request's status. A deregistration is held against nothing that could
    keep a unit from leaving: neither validity, catalogue, pool nor standing.
    """
    checks = _LEAVING if asked.type is ApplicationType.DEREGISTRATION else _ENTERING
    for check in checks:
        yield from check(asked)


def _policy_validity(asked: Application) -> Iterator[Refusal]:
    """YY-42, BZ-42, WH-36: outside its validity no new request is decided under a policy."""
    if asked.type not in {ApplicationType.NEW, ApplicationType.EMERGENCY}:
        return
    rules = asked.rules
    under = clause(rules, rules.validity_article)
    name = asked.policy.metadata.name
    if asked.today < rules.effective_from:
        text = message("rules.admission.policy-not-yet", policy=name, day=rules.effective_from)
        yield Refusal("PolicyNotInForce", text, under)
    elif rules.effective_until is not None and asked.today > rules.effective_until:
        text = message("rules.admission.policy-over", policy=name, day=rules.effective_until)
        yield Refusal("PolicyNotInForce", text, under)


def _catalogue_validity(asked: Application) -> Iterator[Refusal]:
    """YY-11: the directory is revised every year."""
    spec = asked.catalog.spec
    if spec.effective_from <= asked.today <= (spec.effective_until or date.max):
        return
    text = message(
        "rules.admission.catalogue-not-in-force",
        catalog=asked.catalog.metadata.name,
        since=spec.effective_from,
        until=spec.effective_until or "-",
    )
    yield Refusal("CatalogNotInForce", text, clause(asked.rules, asked.rules.admission.catalogue_article))


def _system(asked: Application) -> Iterator[Refusal]:
    """T-2,7 YY-3,4 BZ-3,4: no classified system, and none above the admitted protection level."""
    system, rule = asked.request.spec.system, asked.rules.admission
    if system.classified:
        text = message("rules.admission.classified", system=system.name)
        yield Refusal("Classified", text, clause(asked.rules, rule.classified_article))
    if system.protection_level > rule.max_protection_level:
        text = message(
            "rules.admission.protection-level",
            system=system.name,
            level=system.protection_level,
            highest=rule.max_protection_level,
        )
        yield Refusal("ProtectionLevelTooHigh", text, clause(asked.rules, rule.protection_level_article))


def _materials(asked: Application) -> Iterator[Refusal]:
    """JN-12, BZ-17, T-16: each paper is there, is dated, and still holds."""
    rule = material_rule(asked.rules, asked.type)
    if rule is None:
        return
    under = clause(asked.rules, rule.article)
    for kind in rule.required:
        refusal = _paper(asked, kind, under)
        if refusal is not None:
            yield refusal


def _paper(asked: Application, kind: MaterialType, under: str) -> Refusal | None:
    """Why a required paper does not count; of several of one type, one that counts is enough."""
    papers = [paper for paper in asked.request.spec.materials if paper.type is kind]
    if not papers:
        return Refusal("MaterialMissing", message(f"rules.admission.material-missing.{kind.value}"), under)
    begun = [paper for paper in papers if paper.date <= asked.today]
    if not begun:
        day = min(paper.date for paper in papers)
        text = message("rules.admission.material-in-the-future", material=kind, day=day, today=asked.today)
        return Refusal("MaterialInTheFuture", text, under)
    if all(paper.valid_until is not None and paper.valid_until < asked.today for paper in begun):
        day = max(paper.valid_until for paper in begun if paper.valid_until is not None)
        text = message("rules.admission.material-expired", material=kind, day=day)
        return Refusal("MaterialExpired", text, under)
    return None


def _unit(asked: Application) -> Iterator[Refusal]:
    """BZ-5,15 T-7: an outside unit applies through its sponsor; a namespace is one unit."""
    rule = asked.rules.admission
    if asked.quota is None:
        yield Refusal("UnitUnknown", message("rules.quota.no-unit"), "")
    elif asked.quota.spec.outside and rule.sponsor_article is not None and not asked.quota.spec.sponsor:
        text = message("rules.admission.sponsor", unit=asked.quota.spec.unit_name)
        yield Refusal("SponsorMissing", text, clause(asked.rules, rule.sponsor_article))


def _dedicated_domain(asked: Application) -> Iterator[Refusal]:
    """T-11: a dedicated domain (专有域) needs its plan first."""
    article = asked.rules.admission.dedicated_domain_article
    if not asked.pool.spec.dedicated_domain or article is None:
        return
    if any(paper.type is MaterialType.DOMAIN_PLAN for paper in asked.request.spec.materials):
        return
    text = message("rules.admission.domain-plan", pool=asked.pool.metadata.name)
    yield Refusal("DomainPlanMissing", text, clause(asked.rules, article))


def _content(asked: Application) -> Iterator[Refusal]:
    """YY-11, BZ-13, BZ-16: catalogue items only, and nothing that can't be carried out."""
    return admission_content.check(
        asked.content, asked.approved, policy=asked.rules, catalog=asked.catalog, pool=asked.pool
    )


def _records(asked: Application) -> Iterator[Refusal]:
    """YY-19(1), BZ-16, WH-19(1), YY-28: own purchases, the basis of the need, fit products."""
    return admission_records.check(
        asked.request.spec,
        asked.content,
        asked.type,
        policy=asked.rules,
        catalog=asked.catalog,
        pool=asked.pool,
    )


def _term(asked: Application) -> Iterator[Refusal]:
    """BZ-22, BZ-24, BZ-26(1), YY-23, WH-30: temporary, emergency and seasonal use only as the policy lets."""
    status = asked.request.status
    use = None if status is None else status.emergency
    findings = () if status is None else tuple(status.findings)
    yield from admission_term.check(
        asked.content, asked.approved, policy=asked.rules, now=asked.now, use=use, findings=findings
    )
    yield from cycles.check(asked.content, asked.rules)


def _expansion(asked: Application) -> Iterator[Refusal]:
    """BZ-26(1): servers are expanded once use is high enough, where the policy says so."""
    status = asked.request.status
    return expansion.check(
        asked.content,
        asked.approved,
        asked.type,
        policy=asked.rules,
        catalog=asked.catalog,
        findings=() if status is None else status.findings,
    )


def _growth(asked: Application) -> Iterator[Refusal]:
    """Nothing more from a pool that is not Open, nor for a unit to which issuing is stopped (YY-22(4))."""
    quota_stopped = asked.quota is not None and stopped(asked.quota)
    if (asked.pool.spec.state is PoolState.OPEN and not quota_stopped) or not _grows(asked):
        return
    if asked.pool.spec.state is not PoolState.OPEN:
        text = message(
            "rules.admission.pool-state", pool=asked.pool.metadata.name, state=asked.pool.spec.state
        )
        leaves, rule = asked.pool.spec.state is PoolState.EXITING, asked.rules.provider_exit
        if leaves and rule is not None:
            told = message("exit.no-new", pool=asked.pool.metadata.name)
            yield Refusal("ProviderLeaves", told, clause(asked.rules, rule.article))
        else:
            yield Refusal("PoolNotOpen", text, "")
    if asked.quota is not None and quota_stopped:
        article = asked.rules.issuing_stop_article
        under = "" if article is None else clause(asked.rules, article)
        yield Refusal("IssuingStopped", stop_message(asked.quota), under)


def _grows(asked: Application) -> bool:
    try:
        held = Amounts() if asked.approved is None else amounts(asked.approved, asked.catalog)
        return bool(amounts(asked.content, asked.catalog).beyond(held)) or asked.approved is None
    except UnknownItem:
        return True


def _deregistration(asked: Application) -> Iterator[Refusal]:
    """JN-19: only for one of the reasons that the policy accepts, and only of what is there."""
    rule, reason = asked.rules.deregistration, asked.request.spec.deregistration
    under = clause(asked.rules, rule.article)
    if asked.approved is None:
        yield Refusal("NothingToDeregister", message("rules.admission.nothing-to-deregister"), under)
    if reason is None or reason.reason not in rule.reasons:
        accepted = ", ".join(rule.reasons)
        given = "-" if reason is None else reason.reason.value
        text = message("rules.admission.deregistration-reason", reason=given, accepted=accepted)
        yield Refusal("DeregistrationReasonNotAccepted", text, under)


_Check = Callable[[Application], Iterator[Refusal]]
_ENTERING: tuple[_Check, ...] = (
    _policy_validity,
    _system,
    _unit,
    _materials,
    _dedicated_domain,
    _catalogue_validity,
    _content,
    _records,
    _term,
    _expansion,
    _growth,
)
_LEAVING: tuple[_Check, ...] = (_materials, _deregistration)
