"""Which stages an application goes through."""

from typing import Any

import pytest
from rules_support import catalog, content, group, policy, rules

from govpool.api.cloudpolicy import DECIDED_BY_PEOPLE, ApplicationType, Role, Stage
from govpool.rules.errors import UnknownItem
from govpool.rules.procedure import procedure, stage_rule, steps

S = Stage
CATALOG = catalog()


def stages(policy_name: str, application: ApplicationType, **changed: Any) -> list[Stage]:
    return [rule.stage for rule in procedure(rules(policy_name, **changed), application).stages]


def only(*applications: str, **changed: Any) -> dict[str, Any]:
    procedures = policy().spec.model_dump(by_alias=True)["procedures"]
    return {"procedures": [one for one in procedures if one["application"] in applications]} | changed


YY_NEW = [
    *(S.ACCEPTANCE, S.REVIEW, S.QUOTA, S.PROVISION, S.BASELINE, S.HANDOVER),
    *(S.TRIAL, S.REPORTS, S.RIGHT_SIZING, S.CONFIRMATION),
]
YY_CHANGE = [S.REVIEW, S.QUOTA, S.PROVISION, S.BASELINE, S.HANDOVER]
END = [S.REVIEW, S.BACKUP, S.WIPE, S.RECLAIM, S.TERMINATION, S.CERTIFICATE]


def test_yy_19_a_new_application_goes_from_acceptance_to_confirmation() -> None:
    assert stages("yiyang-2025", ApplicationType.NEW) == YY_NEW


def test_yy_20_a_change_is_reviewed_and_carried_out() -> None:
    assert stages("yiyang-2025", ApplicationType.CHANGE) == YY_CHANGE


@pytest.mark.parametrize("name", ["yiyang-2025", "weihai-2025"])
def test_yy_21_wh_21_data_is_saved_wiped_and_reclaimed_and_the_end_confirmed(name: str) -> None:
    assert stages(name, ApplicationType.DEREGISTRATION) == END


def test_wh_19_accepted_means_allocated() -> None:
    assert stages("weihai-2025", ApplicationType.NEW) == [
        *(S.ACCEPTANCE, S.QUOTA, S.PROVISION, S.BASELINE, S.HANDOVER, S.REPORTS, S.CONFIRMATION)
    ]


@pytest.mark.parametrize("application", [ApplicationType.CHANGE, ApplicationType.MAJOR_CHANGE])
def test_wh_20_a_change_is_accepted_within_two_working_days(application: ApplicationType) -> None:
    (step,) = steps(rules("weihai-2025"), application, content(), CATALOG)
    assert step.clock is not None
    assert (step.stage, step.clock.working_days, step.article) == (S.ACCEPTANCE, 2, "20,19(2)")


def test_bz_22_a_major_change_takes_the_decisions_of_a_new_application() -> None:
    assert stages("yiyang-2025", ApplicationType.MAJOR_CHANGE) == [S.ACCEPTANCE, *YY_CHANGE]


def test_bz_22_a_temporary_expansion_goes_as_a_change() -> None:
    assert stages("yiyang-2025", ApplicationType.TEMPORARY) == YY_CHANGE


def test_what_a_policy_does_not_name_goes_the_way_of_a_new_application() -> None:
    bare = only("New", "Deregistration")
    assert stages("yiyang-2025", ApplicationType.EMERGENCY, **bare) == YY_NEW
    for application in (ApplicationType.CHANGE, ApplicationType.MAJOR_CHANGE, ApplicationType.TEMPORARY):
        assert stages("yiyang-2025", application, **bare) == YY_NEW


def test_a_policy_without_its_two_procedures_is_no_policy() -> None:
    with pytest.raises(ValueError, match="Deregistration"):
        procedure(rules(**only("New")), ApplicationType.DEREGISTRATION)


def test_yy_19_2_acceptance_and_review_are_two_roles_with_ten_working_days_each() -> None:
    found = steps(rules(), ApplicationType.NEW, content(), CATALOG)
    assert [(one.stage, one.role, one.article) for one in found] == [
        (S.ACCEPTANCE, Role.ACCEPTOR, "19(2)"),
        (S.REVIEW, Role.REVIEWER, "19(2)"),
    ]
    assert [one.clock.working_days for one in found if one.clock] == [10, 10]


@pytest.mark.parametrize("name", ["yiyang-2025", "weihai-2025"])
@pytest.mark.parametrize("application", list(ApplicationType))
def test_nothing_is_carried_out_without_a_persons_decision(name: str, application: ApplicationType) -> None:
    found = steps(rules(name), application, content(), CATALOG)
    assert found
    assert all(one.stage in DECIDED_BY_PEOPLE for one in found)


def test_the_rule_of_one_stage() -> None:
    found = stage_rule(rules(), ApplicationType.CHANGE, S.REVIEW)
    assert found is not None
    assert found.clock is not None
    assert (found.article, found.clock.working_days) == ("20", 10)
    assert stage_rule(rules(), ApplicationType.CHANGE, S.TRIAL) is None


def test_yy_20_ten_working_days_carry_out_a_change_and_are_counted_once() -> None:
    execution = rules().execution
    assert execution.change is not None
    assert (execution.change.working_days, execution.article, execution.new) == (10, "20", None)
    stages = procedure(rules(), ApplicationType.CHANGE).stages
    assert [rule.stage for rule in stages if rule.clock] == [S.REVIEW]


def jinan(**thresholds: int) -> Any:
    expert = {"stage": "ExpertReview", "role": "expert", "when": "Complex", "article": "13"}
    procedures = policy().spec.model_dump(by_alias=True)["procedures"]
    new = next(one for one in procedures if one["application"] == "New")
    new["stages"].insert(1, expert)
    admission = policy().spec.admission.model_dump(by_alias=True)
    if thresholds:
        admission["complex"] = {"article": "13"} | thresholds
    return rules(code="JN", procedures=procedures, admission=admission)


@pytest.mark.parametrize(
    ("thresholds", "asked"),
    [
        ({}, False),
        ({"vcpu": 4}, True),
        ({"vcpu": 5}, False),
        ({"memoryGiB": 4}, True),
        ({"memoryGiB": 5}, False),
        ({"storageGiB": 12}, True),
        ({"storageGiB": 13}, False),
        ({"vcpu": 99, "storageGiB": 12}, True),
    ],
)
def test_jn_13_experts_assess_what_is_large(thresholds: dict[str, int], asked: bool) -> None:
    wanted = content({"servers": [group(count=4, gib=2)]})  # 4 vCPU, 4 GiB, 4 x (1 + 2) GiB
    found = [one.stage for one in steps(jinan(**thresholds), ApplicationType.NEW, wanted, CATALOG)]
    assert found == [S.ACCEPTANCE, *([S.EXPERT_REVIEW] if asked else []), S.REVIEW]


def test_an_unknown_item_is_never_taken_for_small() -> None:
    with pytest.raises(UnknownItem, match="gone"):
        steps(jinan(vcpu=4), ApplicationType.NEW, content({"servers": [group(item="gone")]}), CATALOG)
