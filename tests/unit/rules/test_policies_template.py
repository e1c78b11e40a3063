"""The template, whose blanks take the defaults of the register: a sixth city begins with it."""

from typing import Any

import pytest
from rules_support import Obj, at, catalog, content, end_of, group, policy, pool, quota, refusals

from govpool.api.cloudpolicy import ApplicationType, Role, Stage
from govpool.api.cloudresourcerequest import Confirmations
from govpool.rules.billing import billing_start
from govpool.rules.change import classify
from govpool.rules.migration import keep_until
from govpool.rules.procedure import procedure, steps
from govpool.rules.trial import trial

POLICY = policy("template")
TEMPLATE = POLICY.spec
CATALOG = catalog()
NOW = at("2026-11-23 09:00")


def paper(kind: str) -> Obj:
    return {"type": kind, "reference": "〔2026〕1号", "sha256": "0" * 64, "date": "2026-11-12"}


WHOLE = [paper("ProjectApproval"), paper("MigrationPlan")]


def refused(
    patch: Obj | None = None, application: ApplicationType = ApplicationType.NEW, **given: Any
) -> dict[str, str]:
    found = refusals({"materials": WHOLE} | (patch or {}), application, **({"policy": POLICY} | given))
    return {reason: refusal.clause for reason, refusal in found.items()}


def test_t_16_project_approval_and_migration_plan_are_handed_in() -> None:
    assert refused() == {}
    assert refused({"materials": WHOLE[:1]}) == {"MaterialMissing": "T-16"}
    assert refused({"materials": WHOLE[1:]}) == {"MaterialMissing": "T-16"}


def test_t_2_7_level_three_at_most_and_nothing_classified() -> None:
    assert refused({"system": {"protectionLevel": 4}}) == {"ProtectionLevelTooHigh": "T-2(1), T-7"}
    assert refused({"system": {"classified": True}}) == {"Classified": "T-2(1), T-7"}


def test_t_7_an_outside_unit_applies_through_its_competent_department() -> None:
    assert refused(quota=quota(outside=True)) == {"SponsorMissing": "T-7"}


def test_t_11_a_dedicated_domain_has_its_plan_first() -> None:
    domain = pool(dedicatedDomain=True)
    assert refused(pool=domain) == {"DomainPlanMissing": "T-11"}
    assert refused({"materials": [*WHOLE, paper("DomainPlan")]}, pool=domain) == {}


def test_t_17_acceptance_and_review_take_ten_working_days_each() -> None:
    found = steps(TEMPLATE, ApplicationType.NEW, content(), CATALOG)
    assert [(step.stage, step.role, step.clock and step.clock.working_days) for step in found] == [
        (Stage.ACCEPTANCE, Role.ACCEPTOR, 10),
        (Stage.REVIEW, Role.REVIEWER, 10),
    ]


def test_t_18_a_self_built_pool_is_carried_out_by_the_technical_organ() -> None:
    rules = {rule.stage: rule.role for rule in procedure(TEMPLATE, ApplicationType.NEW).stages}
    assert {rules[stage] for stage in (Stage.PROVISION, Stage.BASELINE, Stage.HANDOVER)} == {Role.OPERATOR}


def test_t_18_the_trial_lasts_thirty_days_and_billing_starts_with_the_confirmation() -> None:
    days = trial(TEMPLATE, NOW)
    assert days is not None
    assert days.ends == end_of("2026-12-23")
    said = Confirmations.model_validate({"delivery": {"by": "liu", "at": at("2026-12-28 10:00")}})
    started = billing_start(TEMPLATE, handed_over=NOW, trial=days, confirmations=said)
    assert started == (at("2026-12-28 10:00"), "T-5")


@pytest.mark.parametrize(("count", "major"), [(6, False), (7, True)])
def test_t_19_a_change_of_more_than_half_is_major(count: int, major: bool) -> None:
    held, wanted = (content({"servers": [group(count=each)]}) for each in (4, count))
    found = classify(held, wanted, policy=TEMPLATE, catalog=CATALOG)
    assert (found.application is ApplicationType.MAJOR_CHANGE) is major
    assert found.clause == "T-19"


def test_t_19_a_change_takes_ten_working_days_to_review_and_ten_to_carry_out() -> None:
    (step,) = steps(TEMPLATE, ApplicationType.CHANGE, content(), CATALOG)
    assert step.clock is not None
    assert step.clock.working_days == 10
    assert TEMPLATE.execution.change is not None
    assert TEMPLATE.execution.change.working_days == 10


def expanded(ends: str) -> Obj:
    one = {"server": "app", "additionalCount": 1, "starts": "2026-12-01", "ends": ends}
    return {"materials": [paper("ChangeForm")], "term": {"temporary": [one]}}


@pytest.mark.parametrize(
    ("ends", "found"), [("2027-02-28", {}), ("2027-03-01", {"TemporaryTooLong": "T-19"})]
)
def test_t_19_a_temporary_expansion_lasts_three_months_at_most(ends: str, found: dict[str, str]) -> None:
    assert refused(expanded(ends), ApplicationType.TEMPORARY, approved=content()) == found


def test_t_10_the_old_environment_is_kept_for_three_months() -> None:
    moved = content({"system": {"migratedFrom": {"description": "机房", "cutOver": "2026-11-23"}}})
    assert keep_until(TEMPLATE, moved, None) == (end_of("2027-02-23"), "T-10")
