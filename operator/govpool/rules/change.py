"""What an edit of a request asks for: the type of application, and the clause that makes it so."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from govpool.api.base import Article
from govpool.api.cloudpolicy import ApplicationType, ChangeRule, CloudPolicySpec, Dimension
from govpool.api.cloudresourcerequest import DesiredState, RequestContent, Term, TermKind
from govpool.api.servicecatalog import Category, ServiceCatalog
from govpool.messages import Message, message
from govpool.rules.amounts import amounts, fee_per_year
from govpool.rules.catalogue import uses
from govpool.rules.citation import clause
from govpool.rules.emergency import (
    application_of_papers,
    article_of,
    bottleneck,
    is_emergency,
    same_cause,
)
from govpool.rules.errors import UnknownItem
from govpool.rules.procedure import procedure


@dataclass(frozen=True, slots=True)
class Classification:
    """What an application is, and why."""

    application: ApplicationType
    clause: str
    message: Message


def classify(
    approved: RequestContent | None,
    wanted: RequestContent,
    *,
    policy: CloudPolicySpec,
    catalog: ServiceCatalog,
    ahead_of: ApplicationType = ApplicationType.NEW,
) -> Classification:
    """What ``wanted`` asks for against the revision in force.

    ``ahead_of`` is the application that an emergency in force went ahead of: as that its papers are decided.

    Never raises for an unknown item: what can't be compared goes the application way, and admission then
    names the item.
    """
    if wanted.state is DesiredState.DEREGISTERED:
        return _as(policy, ApplicationType.DEREGISTRATION, policy.deregistration.article, "deregistration")
    if wanted.term.kind is TermKind.EMERGENCY and _is_new_emergency(approved, wanted):
        key = "emergency" if bottleneck(wanted) is None else "emergency-expansion"
        key = "emergency-extended" if approved and same_cause(approved, wanted) else key
        return _as(policy, ApplicationType.EMERGENCY, _emergency_article(policy, wanted), key)
    if approved is None:
        article = procedure(policy, ApplicationType.NEW).stages[0].article
        return _as(policy, ApplicationType.NEW, article, "new")
    regular = wanted.term.kind is TermKind.PERMANENT or wanted == approved
    if is_emergency(approved) and regular:
        application = application_of_papers(ahead_of)
        change = application is ApplicationType.CHANGE
        key = "emergency-papers-of-a-change" if change else "emergency-papers"
        return _as(policy, application, _emergency_article(policy, approved), key)
    if _only_expands_for_a_time(approved, wanted):
        article = policy.change.article if policy.temporary is None else policy.temporary.article
        return _as(policy, ApplicationType.TEMPORARY, article, "temporary")
    return _change(approved, wanted, policy, catalog)


def _change(
    approved: RequestContent, wanted: RequestContent, policy: CloudPolicySpec, catalog: ServiceCatalog
) -> Classification:
    rule = policy.change
    if rule.all_are_major:
        return _as(policy, ApplicationType.MAJOR_CHANGE, rule.all_article or rule.article, "all-major")
    try:
        new_item = _new_item(approved, wanted, catalog) if rule.new_items_are_major else None
        grown = _above(approved, wanted, rule, catalog)
    except UnknownItem as unknown:
        article = rule.major_article or rule.new_items_article or rule.article
        return _as(policy, ApplicationType.MAJOR_CHANGE, article, "not-comparable", item=unknown.item)
    if new_item is not None:
        article = rule.new_items_article or rule.article
        return _as(policy, ApplicationType.MAJOR_CHANGE, article, "new-item", item=new_item)
    if grown is not None:
        article = rule.major_article or rule.article
        return _as(
            policy,
            ApplicationType.MAJOR_CHANGE,
            article,
            f"above.{grown[0].value}",
            percent=rule.major_above_percent,
            before=grown[1],
            after=grown[2],
        )
    return _as(policy, ApplicationType.CHANGE, rule.article, "ordinary")


def _above(
    approved: RequestContent, wanted: RequestContent, rule: ChangeRule, catalog: ServiceCatalog
) -> tuple[Dimension, Decimal, Decimal] | None:
    """The first dimension in which more than the rule's share of what is held changes (BZ-22).

    More and less count alike, exactly the share does not; of the fee only growth counts. Anything, where
    nothing was held, is more than any share of nothing.
    """
    if rule.major_above_percent is None:
        return None
    before, after = dimensions(approved, catalog), dimensions(wanted, catalog)
    for dimension, held in before.items():
        moved = after[dimension] - held
        size = moved if dimension is Dimension.FEE else abs(moved)
        if size * 100 > held * rule.major_above_percent:
            return dimension, held, after[dimension]
    return None


def dimensions(content: RequestContent, catalog: ServiceCatalog) -> dict[Dimension, Decimal]:
    """What a change is measured in (BZ-22), without what is there for a time. Raises UnknownItem."""
    held = amounts(_for_good(content), catalog)
    return {
        Dimension.SERVERS: Decimal(held.servers),
        Dimension.VCPU: Decimal(held.vcpu),
        Dimension.MEMORY: Decimal(held.memory_gib),
        Dimension.STORAGE: Decimal(held.storage_gib),
        Dimension.BANDWIDTH: Decimal(held.bandwidth_mbps),
        Dimension.FEE: fee_per_year(content, catalog),
    }


def _for_good(content: RequestContent) -> RequestContent:
    """The content without what is there for a time: itself, where nothing is."""
    if not content.term.temporary:
        return content
    return content.model_copy(update={"term": Term(kind=content.term.kind)})


def _new_item(approved: RequestContent, wanted: RequestContent, catalog: ServiceCatalog) -> str | None:
    """The item that adds a category or a quantity (JN-17); a larger size of the same is neither."""
    held = {category for use in uses(approved) if (category := _category(catalog, use.item))}
    for use in uses(wanted):
        category = _category(catalog, use.item)
        if category is None:
            raise UnknownItem(use.item)
        if category not in held:
            return use.item
    if sum(server.count for server in wanted.servers) > sum(server.count for server in approved.servers):
        return next(iter(_larger_groups(approved, wanted)))
    quantity = _quantities(approved)
    return next((item for item, count in _quantities(wanted).items() if count > quantity.get(item, 0)), None)


def _larger_groups(approved: RequestContent, wanted: RequestContent) -> list[str]:
    held = {server.name: server.count for server in approved.servers}
    return [server.item for server in wanted.servers if server.count > held.get(server.name, 0)]


def _quantities(content: RequestContent) -> dict[str, int]:
    quantities: dict[str, int] = {}
    for service in content.services:
        quantities[service.item] = quantities.get(service.item, 0) + service.quantity
    return quantities


def _category(catalog: ServiceCatalog, name: str) -> Category | None:
    item = catalog.item(name)
    return None if item is None else item.category


def _is_new_emergency(approved: RequestContent | None, wanted: RequestContent) -> bool:
    """Whether the emergency is another one than that under which something is held already."""
    return approved is None or not is_emergency(approved) or approved.term.emergency != wanted.term.emergency


def _only_expands_for_a_time(approved: RequestContent, wanted: RequestContent) -> bool:
    added = [one for one in wanted.term.temporary if one not in approved.term.temporary]
    rest = wanted.model_copy(
        update={"term": wanted.term.model_copy(update={"temporary": approved.term.temporary})}
    )
    return bool(added) and rest == approved


def _emergency_article(policy: CloudPolicySpec, held: RequestContent) -> Article:
    if policy.emergency is not None:
        return article_of(policy, policy.emergency, bottleneck(held))
    return procedure(policy, ApplicationType.NEW).stages[0].article


def _as(
    policy: CloudPolicySpec, application: ApplicationType, article: Article, key: str, **values: object
) -> Classification:
    return Classification(application, clause(policy, article), message(f"rules.change.{key}", **values))
