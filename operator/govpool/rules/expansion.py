"""When an expansion may be applied for at all (达标扩容, BZ-26(1))."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from govpool.api.cloudpolicy import ApplicationType, CloudPolicySpec, Dimension
from govpool.api.cloudresourcerequest import RequestContent
from govpool.api.finding import RequestFinding
from govpool.api.policy_efficiency import EfficiencySort
from govpool.api.rectification_words import NoticeFinding
from govpool.api.servicecatalog import ServiceCatalog
from govpool.messages import message
from govpool.rules.change import dimensions
from govpool.rules.citation import clause
from govpool.rules.errors import UnknownItem
from govpool.rules.refusal import Refusal

OF_SERVERS = (Dimension.SERVERS, Dimension.VCPU, Dimension.MEMORY, Dimension.STORAGE)


def check(
    content: RequestContent,
    approved: RequestContent | None,
    application: ApplicationType,
    *,
    policy: CloudPolicySpec,
    catalog: ServiceCatalog,
    findings: Iterable[RequestFinding],
) -> Iterator[Refusal]:
    """The reason why servers can't be expanded: no finding says that use is high enough.

    It is asked of an ordinary change alone. A major one is judged like a new application (BZ-22); a temporary
    expansion and an emergency have ways of their own (临时扩容, 应急扩容). No article: nothing is asked.
    """
    rules = policy.efficiency
    if rules is None or rules.expansion_article is None or approved is None:
        return
    if application is not ApplicationType.CHANGE or not _expands(approved, content, catalog):
        return
    if any(one.finding is NoticeFinding.EXPAND for one in findings):
        return
    wanted = ", ".join(rule.name for rule in rules.rules if rule.sort is EfficiencySort.EXPAND)
    text = message("rules.admission.expansion-not-due", rules=wanted or "-")
    yield Refusal("ExpansionNotDue", text, clause(policy, rules.expansion_article))


def _expands(approved: RequestContent, content: RequestContent, catalog: ServiceCatalog) -> bool:
    try:
        before, after = dimensions(approved, catalog), dimensions(content, catalog)
    except UnknownItem:
        return False  # named by admission itself
    return any(after[one] > before[one] for one in OF_SERVERS)
