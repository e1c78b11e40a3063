"""What an application states beside what is issued: own purchases, the basis of its need, fit products."""

from __future__ import annotations

from collections.abc import Iterator

from govpool.api.cloudpolicy import ApplicationType, CloudPolicySpec
from govpool.api.cloudpool import CloudPool
from govpool.api.cloudresourcerequest import CloudResourceRequestSpec, RequestContent
from govpool.api.servicecatalog import Fulfilment, ServiceCatalog
from govpool.messages import message
from govpool.rules.catalogue import SERVERS, uses
from govpool.rules.citation import clause
from govpool.rules.refusal import Refusal

WITH_BASIS = frozenset({ApplicationType.NEW, ApplicationType.MAJOR_CHANGE})


def check(
    spec: CloudResourceRequestSpec,
    content: RequestContent,
    application: ApplicationType,
    *,
    policy: CloudPolicySpec,
    catalog: ServiceCatalog,
    pool: CloudPool,
) -> Iterator[Refusal]:
    """Every reason why what is stated can't be put before the authority."""
    yield from _purchases(content, policy, catalog)
    yield from _basis(spec, application, policy)
    yield from _products(content, policy, catalog, pool)


def _purchases(
    content: RequestContent, policy: CloudPolicySpec, catalog: ServiceCatalog
) -> Iterator[Refusal]:
    """YY-19(1), BZ-16, JN-14: only what the directory does not have, and only where the text lets it."""
    article = policy.admission.self_purchase_article
    for bought in content.self_purchases:
        if article is None:
            text = message("rules.admission.self-purchase-not-provided", what=bought.what)
            yield Refusal("SelfPurchaseNotProvided", text, clause(policy, policy.admission.catalogue_article))
            continue
        names = {item.name: {item.name, item.title.en, item.title.zh} for item in catalog.spec.items}
        own = next((name for name, known in names.items() if bought.what in known), None)
        if own is not None:
            text = message("rules.admission.self-purchase-in-catalogue", what=bought.what, item=own)
            yield Refusal("SelfPurchaseInCatalog", text, clause(policy, article))


def _basis(
    spec: CloudResourceRequestSpec, application: ApplicationType, policy: CloudPolicySpec
) -> Iterator[Refusal]:
    """WH-19(1): the need and what it rests on are stated when the project is set up."""
    article = policy.admission.need_basis_article
    if article is not None and application in WITH_BASIS and not spec.need_basis.strip():
        yield Refusal("NeedBasisMissing", message("rules.admission.need-basis"), clause(policy, article))


def _products(
    content: RequestContent, policy: CloudPolicySpec, catalog: ServiceCatalog, pool: CloudPool
) -> Iterator[Refusal]:
    """YY-28: what fails the cloud's security requirements is not deployed, whether the unit bought it
    (自行采购拟部署) or it is issued; and a server item that a person sets up is not issued by a machine.
    """
    article = policy.admission.product_security_article
    for bought in content.self_purchases:
        seen = bought.security_check
        if article is None or not bought.on_cloud or (seen is not None and seen.passed):
            continue
        key, reason = ("unchecked", "ProductUnchecked") if seen is None else ("insecure", "ProductInsecure")
        text = message(f"rules.admission.self-purchase-{key}", what=bought.what)
        yield Refusal(reason, text, clause(policy, article))
    for use in uses(content):
        item = catalog.item(use.item)
        if item is None:
            continue
        if article is not None and not item.meets_security_requirements:
            text = message("rules.admission.insecure-item", path=use.path, item=use.item)
            yield Refusal("ProductInsecure", text, clause(policy, article))
        if use.categories == SERVERS and item.fulfilment is Fulfilment.MANUAL and not pool.by_hand:
            name = pool.metadata.name
            text = message("rules.admission.manual-server", path=use.path, item=use.item, pool=name)
            yield Refusal("SetUpByAPerson", text, clause(policy, policy.admission.catalogue_article))
