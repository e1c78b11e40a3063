"""Clauses that several texts share: each shipped policy is asked, and answers under its own article."""

from typing import Any

import pytest
from rules_support import Obj, at, catalog, content, group, merged, policy, pool, quota, refusals, rules

from govpool.api.cloudpolicy import ApplicationType, MaterialType, Role, Stage, Verification
from govpool.api.cloudpool import OperatingMode
from govpool.api.cloudresourcerequest import Confirmations, TerminationConfirmation
from govpool.api.tenantquota import Amounts
from govpool.rules.amounts import fee_per_year
from govpool.rules.billing import billing_end, billing_start
from govpool.rules.calendar import WorkCalendar
from govpool.rules.procedure import procedure, steps
from govpool.rules.quota import check
from govpool.rules.trial import trial

YY, BZ, JN, WH, T = "yiyang-2025", "bozhou-2024", "jinan-startup-area-2025", "weihai-2025", "template"
NEW, CHANGE, END = ApplicationType.NEW, ApplicationType.CHANGE, ApplicationType.DEREGISTRATION
EVERY = [kind.value for kind in MaterialType]


def paper(kind: str) -> Obj:
    return {"type": kind, "reference": "函〔2026〕1号", "sha256": "0" * 64, "date": "2026-01-02"}


def papers(*lacking: str) -> list[Obj]:
    return [paper(kind) for kind in EVERY if kind not in lacking]


def refused(
    name: str, patch: Obj | None = None, application: ApplicationType = NEW, **given: Any
) -> dict[str, str]:
    """Reason to clause, for the example with every paper."""
    asked = {"materials": papers()} | (patch or {})
    found = refusals(asked, application, policy=policy(name), **given)
    return {reason: refusal.clause for reason, refusal in found.items()}


# -- admission -----------------------------------------------------------------------------------
def test_t_32_a_regulation_without_an_end_goes_on() -> None:
    before = refused(T, now=at("2025-12-31 23:59:59"))
    assert before["PolicyNotInForce"] == "T-32"
    lasting = merged(catalog().model_dump(mode="json", by_alias=True), {"spec": {"effectiveUntil": None}})
    year = type(catalog()).model_validate(lasting)
    assert refused(T, now=at("2099-01-01 00:00"), catalog=year) == {}


@pytest.mark.parametrize(("name", "under"), [(T, "T-2(1), T-7"), (WH, "WH-16")])
def test_t_2_1_7_wh_16_level_three_at_most(name: str, under: str) -> None:
    assert refused(name, {"system": {"protectionLevel": 3}}) == {}
    assert refused(name, {"system": {"protectionLevel": 4}}) == {"ProtectionLevelTooHigh": under}


@pytest.mark.parametrize(("name", "under"), [(T, "T-2(1), T-7"), (WH, "WH-3")])
def test_t_2_1_7_wh_3_nothing_classified(name: str, under: str) -> None:
    assert refused(name, {"system": {"classified": True}}) == {"Classified": under}


@pytest.mark.parametrize(
    ("name", "under"), [(T, "T-2(3), T-14"), (BZ, "BZ-16"), (JN, "JN-12(1)"), (WH, "WH-11, WH-14")]
)
def test_t_2_3_14_bz_13_16_jn_12_1_wh_11_14_only_catalogue_items_are_issued(name: str, under: str) -> None:
    found = refusals({"materials": papers(), "servers": [group(item="ecs-2c3g")]}, policy=policy(name))
    assert {reason: refusal.clause for reason, refusal in found.items()} == {"NotInCatalog": under}
    assert found["NotInCatalog"].message.key == "rules.admission.nearest"


@pytest.mark.parametrize(("name", "under"), [(T, "T-14"), (WH, "WH-4, WH-13")])
def test_t_14_wh_4_13_what_the_catalogue_cannot_match_is_bought_with_consent(name: str, under: str) -> None:
    assert refused(name, {"services": [{"item": "quantum-line"}]}) == {"NotInCatalog": under}


@pytest.mark.parametrize(
    ("name", "lacking", "under"),
    [
        (YY, "RequestLetter", "YY-19(1), YY-19(2)"),
        (YY, "ResourceTable", "YY-19(1), YY-19(2)"),
        (WH, "ProjectApproval", "WH-19(1)"),
        (WH, "ResourceTable", "WH-19(1)"),
    ],
)
def test_yy_19_2_wh_19_1_an_application_comes_with_its_papers(name: str, lacking: str, under: str) -> None:
    assert refused(name, {"materials": papers(lacking)}) == {"MaterialMissing": under}


@pytest.mark.parametrize(
    ("name", "application", "under"), [(T, CHANGE, "T-19"), (WH, ApplicationType.MAJOR_CHANGE, "WH-20")]
)
def test_t_19_wh_20_a_change_carries_its_form(name: str, application: ApplicationType, under: str) -> None:
    in_force = content({"servers": [group()]})
    asked = {"materials": papers("ChangeForm"), "servers": [group(gib=2)]}
    assert refused(name, asked, application, approved=in_force) == {"MaterialMissing": under}
    assert refused(name, asked | {"materials": papers()}, application, approved=in_force) == {}


@pytest.mark.parametrize(("name", "under"), [(T, "T-19"), (BZ, "BZ-23"), (JN, "JN-19"), (WH, "WH-21")])
def test_t_19_bz_23_jn_19_wh_21_the_end_of_use_is_asked_for_with_its_form(name: str, under: str) -> None:
    leaving = {"state": "Deregistered", "deregistration": {"reason": "OtherRequiredByPolicy"}}
    whole = leaving | {"materials": papers()}
    assert refused(name, whole, END, approved=content()) == {}
    without = leaving | {"materials": papers("DeregistrationForm")}
    assert refused(name, without, END, approved=content()) == {"MaterialMissing": under}


@pytest.mark.parametrize(
    ("reason", "item"),
    [
        ("BusinessCancelledByPolicy", 1),
        ("SupersededBySuperiorPlatform", 2),
        ("MergedIntoDistrictPlatform", 3),
        ("FunctionOutdatedByUpgrade", 4),
        ("OtherRequiredByPolicy", 5),
    ],
)
def test_jn_19_1_to_5_the_reasons_stand_in_the_order_of_the_text(reason: str, item: int) -> None:
    accepted = [one.value for one in rules(JN).deregistration.reasons]
    assert accepted.index(reason) == item - 1
    assert f"19({item})" in rules(JN).deregistration.article.split(",")
    assert "NoLongerNeeded" not in accepted


# -- steps ---------------------------------------------------------------------------------------
@pytest.mark.parametrize(("name", "under"), [(BZ, "7(4),19"), (JN, "13")])
def test_bz_7_4_jn_7_13_the_authority_decides_every_application(name: str, under: str) -> None:
    last = steps(rules(name), NEW, content(), catalog())[-1]
    assert (last.stage, last.role, last.clock, last.article) == (Stage.REVIEW, Role.REVIEWER, None, under)


def test_bz_7_4_the_authority_decides_every_exit() -> None:
    (only,) = steps(rules(BZ), END, content(), catalog())
    assert (only.stage, only.role, only.article) == (Stage.REVIEW, Role.REVIEWER, "7(4),23")


def test_bz_22_a_change_is_reviewed_and_has_no_clock() -> None:
    (only,) = steps(rules(BZ), CHANGE, content(), catalog())
    assert (only.stage, only.clock) == (Stage.REVIEW, None)
    assert rules(BZ).execution.change is None


@pytest.mark.parametrize(("name", "role"), [(YY, Role.OPERATOR), (T, Role.OPERATOR), (BZ, Role.PROVIDER)])
def test_yy_4_t_10_who_carries_out_is_the_policys_and_how_it_is_run_the_pools(name: str, role: Role) -> None:
    opening = {rule.stage: rule.role for rule in procedure(rules(name), NEW).stages}
    assert {opening[stage] for stage in (Stage.PROVISION, Stage.BASELINE, Stage.HANDOVER)} == {role}
    assert pool().spec.operating_mode in set(OperatingMode)


# -- temporary and emergency ---------------------------------------------------------------------
def expanded(starts: str, ends: str) -> Obj:
    more = {"server": "app", "additionalCount": 1, "starts": starts, "ends": ends}
    return {"term": {"kind": "Permanent", "temporary": [more]}}


def asked_now(name: str, patch: Obj, now: str) -> dict[str, str]:
    in_force = content(expanded("2026-12-01", "2027-01-15"))
    return refused(name, patch, ApplicationType.TEMPORARY, approved=in_force, now=at(now))


def test_bz_26_1_an_expected_peak_names_its_period() -> None:
    in_force, peak = content(), expanded("2027-02-01", "2027-02-28")
    assert refused(BZ, peak, ApplicationType.TEMPORARY, approved=in_force) == {}
    long = expanded("2027-02-01", "2027-05-01")
    found = refused(BZ, long, ApplicationType.TEMPORARY, approved=in_force)
    assert found == {"TemporaryTooLong": "BZ-22, BZ-26(1)"}


def test_t_19_an_extension_is_asked_for_seven_working_days_ahead() -> None:
    longer = expanded("2026-12-01", "2027-02-15")
    assert asked_now(T, longer, "2027-01-06 23:59:59") == {}
    assert asked_now(T, longer, "2027-01-07 00:00") == {"ExtensionTooLate": "T-19"}


def test_t_15_an_emergency_is_opened_by_one_decision() -> None:
    given = {"term": {"kind": "Emergency", "emergency": {"cause": "防汛"}}, "materials": []}
    assert refused(T, given, ApplicationType.EMERGENCY) == {}
    (only,) = steps(rules(T), ApplicationType.EMERGENCY, content(given), catalog())
    assert (only.stage, only.article) == (Stage.REVIEW, "15")


# -- delivery and money --------------------------------------------------------------------------
def said(**statements: str) -> Confirmations:
    return Confirmations.model_validate({key: {"by": "liu", "at": at(v)} for key, v in statements.items()})


@pytest.mark.parametrize(("name", "under"), [(T, "T-5"), (WH, "WH-9(2), WH-34")])
def test_t_5_wh_9_2_34_billing_starts_with_the_units_confirmation(name: str, under: str) -> None:
    handed_over, spec = at("2026-11-23 15:00"), rules(name)
    days = trial(spec, handed_over)
    given = {"handed_over": handed_over, "trial": days}
    assert billing_start(spec, confirmations=said(), **given) is None
    late = said(delivery="2027-01-05 10:00")
    assert billing_start(spec, confirmations=late, **given) == (at("2027-01-05 10:00"), under)


def test_yy_19_4_39_the_delivery_alone_starts_no_billing() -> None:
    handed_over = at("2026-11-23 15:00")
    days = trial(rules(YY), handed_over)
    given = {"handed_over": handed_over, "trial": days}
    assert billing_start(rules(YY), confirmations=said(), **given) is None
    late = said(delivery="2027-01-05 10:00")
    assert billing_start(rules(YY), confirmations=late, **given) == (at("2027-01-05 10:00"), "YY-39")


@pytest.mark.parametrize(("name", "under"), [(T, "T-19"), (WH, "WH-21")])
def test_t_19_wh_9_2_21_billing_ends_with_the_confirmed_end(name: str, under: str) -> None:
    ended = TerminationConfirmation.model_validate({"approval": "a", "by": "liu", "at": at("2027-03-01")})
    assert billing_end(rules(name), None) is None
    assert billing_end(rules(name), ended) == (at("2027-03-01"), under)


def test_yy_39_the_fee_of_a_year_follows_what_is_held() -> None:
    one, two = content({"servers": [group()]}), content({"servers": [group(count=2)]})
    assert fee_per_year(two, catalog()) == 2 * fee_per_year(one, catalog()) > 0


def test_wh_12_the_fee_follows_the_prices_of_the_catalogue() -> None:
    dearer = catalog().model_dump(mode="json", by_alias=True)
    for item in dearer["spec"]["items"]:
        item["pricePerYear"] = f"{2 * float(item['pricePerYear']):.2f}"
    doubled = type(catalog()).model_validate(dearer)
    assert fee_per_year(content(), doubled) == 2 * fee_per_year(content(), catalog())


@pytest.mark.parametrize(
    ("name", "begins", "article"),
    [
        (YY, "09-01", "40"),
        (BZ, "01-01", "40"),
        (JN, "01-01", "6"),
        (WH, "01-01", "35(1)"),
        (T, "01-01", "5"),
    ],
)
def test_yy_40_bz_40_jn_6_wh_35_1_t_5_the_settlement_year(name: str, begins: str, article: str) -> None:
    billing = rules(name).billing
    assert (billing.year_starts, billing.year_article) == (begins, article)


@pytest.mark.parametrize(("name", "under"), [(T, "T-17"), (JN, ""), (WH, "WH-14")])
def test_t_17_jn_13_wh_14_allocation_stays_within_the_quota(name: str, under: str) -> None:
    given = {"pool": "local-pool", "request_uid": "u", "policy": rules(name)}
    assert check(quota(), needed=Amounts(servers=1), **given).fits
    verdict = check(quota(), needed=Amounts(servers=10**6), **given)
    assert (verdict.fits, verdict.clause) == (False, under)


def test_t_30_nothing_more_is_issued_to_a_unit_that_does_not_rectify() -> None:
    stopped = quota({"standing": "IssuingStopped", "standingCause": "逾期未整改"})
    assert refused(T, quota=stopped) == {"IssuingStopped": "T-30"}


# -- the end -------------------------------------------------------------------------------------
@pytest.mark.parametrize("name", [T, JN])
def test_t_19_jn_19_reviewed_saved_wiped_and_reclaimed_in_this_order(name: str) -> None:
    spec = rules(name)
    stages = [rule.stage for rule in procedure(spec, END).stages]
    assert stages[:4] == [Stage.REVIEW, Stage.BACKUP, Stage.WIPE, Stage.RECLAIM]
    assert {rule.article for rule in procedure(spec, END).stages} == {"19"}
    assert spec.deregistration.wipe.verification is Verification.FULL


def test_wh_18_three_months_notice_are_on_record() -> None:
    exiting = rules(WH).provider_exit
    assert exiting is not None
    end = WorkCalendar.of(rules(WH)).after(at("2026-11-30"), exiting.notice or "")
    assert end.date().isoformat() == "2027-02-28"
    assert exiting.article == "18"


@pytest.mark.parametrize("name", [YY, WH])
def test_yy_17_wh_18_an_exiting_pool_issues_nothing_more_and_takes_back(name: str) -> None:
    exiting = pool(state="Exiting")
    assert refused(name, pool=exiting)["ProviderLeaves"] in {"YY-17", "WH-18"}
    leaving = {"state": "Deregistered", "deregistration": {"reason": "NoLongerNeeded"}}
    assert refused(name, leaving, END, approved=content(), pool=exiting) == {}
