"""What a policy lacks or contradicts in what it says of findings and notices."""

from __future__ import annotations

from collections.abc import Iterator

from govpool.api.cloudpolicy import CloudPolicySpec, UnusedAction
from govpool.api.rectification_words import Enforcement, NoticeFinding
from govpool.rules.policy_finding import Finding, Path, Sort, found


def check(policy: CloudPolicySpec) -> Iterator[Finding]:
    """An order without a notice to carry it out, and notices for what is never found."""
    rule = policy.rectification
    notices = {notice.finding: index for index, notice in enumerate(rule.notices)} if rule else {}
    path: Path = ("spec", "rectification", "notices")
    unused = policy.trial is not None and policy.trial.unused is not UnusedAction.NONE
    if unused and NoticeFinding.UNUSED_TRIAL not in notices:
        values = {"field": "trial.unused", "finding": NoticeFinding.UNUSED_TRIAL.value}
        yield found(Sort.MISSING, ("spec", "trial", "unused"), "notice-missing", **values)
    needs = {
        NoticeFinding.UNUSED_TRIAL: ("trial.unused", unused),
        NoticeFinding.MAKE_GOOD_OVERDUE: ("makeGood", bool(policy.make_good)),
        NoticeFinding.EVIDENCE_LAPSED: ("evidence", bool(policy.evidence)),
        NoticeFinding.STILL_LOW: (
            "rectification.lowAfterReduction",
            rule is not None and rule.low_after_reduction is not None,
        ),
    }
    for finding, (field, given) in needs.items():
        if finding in notices and not given:
            values = {"finding": finding.value, "field": field}
            yield found(Sort.CONTRADICTORY, (*path, notices[finding]), "notice-idle", **values)
    yield from _stops(policy, path)


def _stops(policy: CloudPolicySpec, path: Path) -> Iterator[Finding]:
    """Issuing that a notice stops needs the clause under which an application is refused then."""
    for index, notice in enumerate(policy.rectification.notices if policy.rectification else []):
        may = {*notice.enforcement, *notice.automatic, *notice.at_once}
        if Enforcement.STOP_ISSUING in may and policy.issuing_stop_article is None:
            values = {"field": Enforcement.STOP_ISSUING.value, "article": "issuingStopArticle"}
            yield found(Sort.MISSING, (*path, index), "article-missing", **values)
