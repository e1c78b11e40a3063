"""Clauses on rectification that several texts share, as the shipped policies have them."""

import pytest
from rules_support import at, rules

from govpool.api.cloudpolicy import CloudPolicySpec
from govpool.api.rectification_words import Enforcement, NoticeFinding
from govpool.api.rectificationnotice import RectificationNotice
from govpool.rules.notice import judge, notice_rule


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


@pytest.mark.parametrize(("name", "article"), [("yiyang-2025", "29,30"), ("bozhou-2024", "30")])
def test_yy_29_30_bz_30_a_security_risk_is_put_to_the_unit_and_nothing_is_enforced_for_it(
    name: str, article: str
) -> None:
    policy = rules(name)
    rule = notice_rule(policy, NoticeFinding.VULNERABILITY)
    assert rule is not None
    assert (rule.clock, rule.enforcement, rule.automatic, rule.at_once) == (None, [], [], [])
    assert (rule.article, rule.by_operator) == (article, False)
    notice = RectificationNotice.model_validate(
        {
            "kind": "RectificationNotice",
            "metadata": {"name": "risk", "namespace": "bureau"},
            "spec": {
                "policy": name,
                "finding": "Vulnerability",
                "detail": "远程命令执行漏洞",
                "demand": "修复漏洞",
                "issued": "2026-11-23T01:00:00Z",
                "issuedBy": "zhou",
                "decisions": [
                    {
                        "verdict": "NotRectified",
                        "enforcement": ["StopIssuing"],
                        "by": "zhou",
                        "at": "2027-01-23T01:00:00Z",
                        "opinion": "未修复",
                    }
                ],
            },
        }
    )
    judged = judge(notice, rule, policy, at("2027-02-01"))
    assert judged.wanted == () and judged.not_permitted == (Enforcement.STOP_ISSUING,)
