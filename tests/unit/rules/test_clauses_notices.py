"""Clauses on rectification that several texts share, as the shipped policies have them."""

import pytest
from rules_support import rules

from govpool.api.cloudpolicy import CloudPolicySpec
from govpool.api.rectification_words import Enforcement, NoticeFinding
from govpool.rules.notice import notice_rule


def cited(policy: CloudPolicySpec, finding: NoticeFinding) -> tuple[list[Enforcement], str]:
    rule = notice_rule(policy, finding)
    assert rule is not None
    return rule.enforcement, rule.article


@pytest.mark.parametrize(
    ("finding", "article"), [(NoticeFinding.VULNERABILITY, "28,30"), (NoticeFinding.OTHER_USE, "30")]
)
def test_t_28_30_what_is_not_rectified_stops_issuing(finding: NoticeFinding, article: str) -> None:
    assert cited(rules("template"), finding) == ([Enforcement.STOP_ISSUING], article)


@pytest.mark.parametrize(("name", "article"), [("bozhou-2024", "33,34"), ("jinan-startup-area-2025", "25")])
def test_bz_33_34_jn_25_danger_is_the_policys_to_answer_at_once(name: str, article: str) -> None:
    rule = notice_rule(rules(name), NoticeFinding.GRAVE_DANGER)
    assert rule is not None
    assert (rule.at_once, rule.article) == ([Enforcement.ISOLATION], article)
