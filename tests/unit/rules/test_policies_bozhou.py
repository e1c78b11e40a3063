"""The clauses of Bozhou (亳数〔2024〕1号), under the policy that ships."""

from typing import Any

import pytest
from rules_support import Obj, at, catalog, content, end_of, group, policy, pool, quota, refusals, request

from govpool.api.approval import Approval, ApprovalState
from govpool.api.cloudpolicy import ApplicationType, MaterialType, ReportType, Role, Stage
from govpool.api.cloudresourcerequest import Confirmations, TerminationConfirmation
from govpool.api.tenantquota import Amounts
from govpool.rules.admission import material_rule
from govpool.rules.approvals import Judgement, judge
from govpool.rules.billing import billing_end, billing_start
from govpool.rules.change import Classification, classify
from govpool.rules.delivery import missing_reports
from govpool.rules.deregistration import earliest
from govpool.rules.emergency import papers_due
from govpool.rules.migration import keep_until
from govpool.rules.procedure import procedure, steps
from govpool.rules.quota import check
from govpool.rules.trial import trial

POLICY = policy("bozhou-2024")
BOZHOU = POLICY.spec
CATALOG = catalog()
NOW = at("2026-11-23 09:00")
EMERGENCY = {"term": {"kind": "Emergency", "emergency": {"cause": "防汛"}}}


def paper(kind: str) -> Obj:
    return {"type": kind, "reference": "亳数函〔2026〕1号", "sha256": "0" * 64, "date": "2026-11-12"}


PAPERS = [paper(kind) for kind in ("ResourceTable", "ProjectApproval", "ConstructionPlan")]


def refused(
    patch: Obj | None = None, application: ApplicationType = ApplicationType.NEW, **given: Any
) -> dict[str, str]:
    found = refusals({"materials": PAPERS} | (patch or {}), application, **({"policy": POLICY} | given))
    return {reason: refusal.clause for reason, refusal in found.items()}


# -- admission -----------------------------------------------------------------------------------
def test_bz_17_the_example_with_the_papers_of_bozhou_is_admitted() -> None:
    assert refused() == {}


@pytest.mark.parametrize(("level", "found"), [(3, {}), (4, {"ProtectionLevelTooHigh": "BZ-3, BZ-4"})])
def test_bz_3_4_level_three_at_most(level: int, found: dict[str, str]) -> None:
    assert refused({"system": {"protectionLevel": level}}) == found


def test_bz_3_5_nothing_classified() -> None:
    assert refused({"system": {"classified": True}}) == {"Classified": "BZ-3, BZ-5"}


def test_bz_5_15_an_outside_unit_applies_through_its_sponsor() -> None:
    assert refused(quota=quota(outside=True)) == {"SponsorMissing": "BZ-5, BZ-15"}
    assert refused(quota=quota(outside=True, sponsor="亳州市教育局")) == {}


def test_bz_16_what_is_not_in_the_catalogue_is_matched_or_bought_by_the_unit() -> None:
    near = refusals({"materials": PAPERS, "servers": [group(item="ecs-2c3g")]}, policy=POLICY)
    assert near["NotInCatalog"].message.key == "rules.admission.nearest"
    far = {"materials": PAPERS, "services": [{"item": "quantum-line"}]}
    found = refusals(far, policy=POLICY)["NotInCatalog"]
    assert (found.message.key, found.clause) == ("rules.admission.self-purchase", "BZ-16")


@pytest.mark.parametrize("lacking", range(3))
def test_bz_17_form_approval_and_plan_are_handed_in(lacking: int) -> None:
    left = [one for index, one in enumerate(PAPERS) if index != lacking]
    found = refusals({"materials": left}, policy=POLICY)["MaterialMissing"]
    assert found.message.key.endswith(PAPERS[lacking]["type"])
    assert found.clause == "BZ-17"


def test_bz_22_a_major_change_hands_in_the_papers_of_an_application() -> None:
    new, major = (material_rule(BOZHOU, kind) for kind in (ApplicationType.NEW, ApplicationType.MAJOR_CHANGE))
    assert new is not None
    assert major is not None
    assert (major.required, major.article) == (new.required, "22,17")
    for kind in (ApplicationType.CHANGE, ApplicationType.TEMPORARY):
        form = material_rule(BOZHOU, kind)
        assert form is not None
        assert form.required == [MaterialType.CHANGE_FORM]


@pytest.mark.parametrize(
    ("now", "found"),
    [
        ("2024-05-23 23:59:59", {"PolicyNotInForce": "BZ-42"}),  # the thirtieth day after 23 April
        ("2024-05-24 00:00", {}),
        ("2029-05-23 23:59:59", {}),
        ("2029-05-24 00:00", {"PolicyNotInForce": "BZ-42"}),
    ],
)
def test_bz_42_in_force_for_five_years_from_thirty_days_after_its_issue(
    now: str, found: dict[str, str]
) -> None:
    early = [one | {"date": "2024-01-05"} for one in PAPERS]
    told = refused({"materials": early}, now=at(now))
    told.pop("CatalogNotInForce", None)  # the catalogue of 2026
    assert told == found


# -- steps ---------------------------------------------------------------------------------------
def approval(application: ApplicationType, *decisions: Obj) -> Approval:
    manifest = {
        "metadata": {"name": "a", "namespace": "n", "creationTimestamp": NOW},
        "spec": {
            "request": {"name": "doc-approval", "uid": "u"},
            "revision": 1,
            "application": application.value,
            "policy": "bozhou-2024",
            "submissionHash": "0" * 64,
            "content": content().model_dump(by_alias=True),
            "steps": [one.model_dump() for one in steps(BOZHOU, application, content(), CATALOG)],
            "decisions": list(decisions),
        },
    }
    return Approval.model_validate(manifest)


def decided(stage: str, verdict: str = "Approve") -> Obj:
    opinion = "" if verdict == "Approve" else "请补充建设方案"
    return {"stage": stage, "verdict": verdict, "by": "wang", "opinion": opinion, "at": NOW}


def judged(*decisions: Obj, application: ApplicationType = ApplicationType.NEW) -> Judgement:
    return judge(approval(application, *decisions), policy=BOZHOU, now=at("2027-12-01 09:00"))


def test_bz_18_completeness_comes_first_and_an_incomplete_one_is_returned() -> None:
    waiting = judged()
    assert (waiting.state, waiting.step, waiting.role) == (
        ApprovalState.PENDING,
        Stage.COMPLETENESS,
        Role.ACCEPTOR,
    )
    assert judged(decided("Completeness", "Return")).state is ApprovalState.RETURNED


def test_bz_19_the_organ_evaluates_and_the_authority_decides() -> None:
    evaluating = judged(decided("Completeness"))
    assert (evaluating.step, evaluating.role) == (Stage.EVALUATION, Role.EXPERT)
    assert judged(decided("Completeness"), decided("Evaluation", "Return")).state is ApprovalState.RETURNED
    deciding = judged(decided("Completeness"), decided("Evaluation"))
    assert (deciding.step, deciding.role) == (Stage.REVIEW, Role.REVIEWER)
    whole = [decided(stage) for stage in ("Completeness", "Evaluation", "Review")]
    assert judged(*whole).state is ApprovalState.APPROVED
    refused_one = [*whole[:2], decided("Review", "Refuse")]
    assert judged(*refused_one).state is ApprovalState.REFUSED


def test_bz_18_19_no_step_has_a_clock_so_none_is_ever_overdue() -> None:
    assert [step.clock for step in approval(ApplicationType.NEW).spec.steps] == [None] * 3
    assert not judged().overdue


def test_bz_22_a_major_change_goes_the_application_way() -> None:
    decisions = [step.stage for step in steps(BOZHOU, ApplicationType.MAJOR_CHANGE, content(), CATALOG)]
    assert decisions == [Stage.COMPLETENESS, Stage.EVALUATION, Stage.REVIEW]
    ordinary = [step.stage for step in steps(BOZHOU, ApplicationType.CHANGE, content(), CATALOG)]
    assert ordinary == [Stage.REVIEW]


# -- delivery ------------------------------------------------------------------------------------
def filed(*kinds: str) -> Confirmations:
    rows = [{"type": k, "reference": "r", "sha256": "0" * 64, "by": "liu", "at": NOW} for k in kinds]
    return Confirmations.model_validate({"reports": rows})


@pytest.mark.parametrize(
    ("kinds", "missing"),
    [
        ((), (ReportType.TRIAL, ReportType.SECURITY_TEST)),
        (("SecurityTest",), (ReportType.TRIAL,)),
        (("Trial",), (ReportType.SECURITY_TEST,)),
        (("Trial", "SecurityTest"), ()),
    ],
)
def test_bz_20_trial_and_security_test_are_reported(
    kinds: tuple[str, ...], missing: tuple[ReportType, ...]
) -> None:
    assert trial(BOZHOU, NOW) is None
    assert missing_reports(BOZHOU, filed(*kinds), None) == missing


def test_bz_20_21_reports_come_before_the_agreement_and_that_is_the_end() -> None:
    stages = [rule.stage for rule in procedure(BOZHOU, ApplicationType.NEW).stages]
    assert stages[-3:] == [Stage.HANDOVER, Stage.REPORTS, Stage.AGREEMENT]


def started(**statements: str) -> Any:
    said = Confirmations.model_validate({key: {"by": "liu", "at": at(v)} for key, v in statements.items()})
    return billing_start(BOZHOU, handed_over=NOW, trial=None, confirmations=said)


def test_bz_21_billing_starts_with_the_tripartite_agreement() -> None:
    assert started() is None
    assert started(delivery="2026-12-01 10:00") is None
    assert started(agreement="2026-12-08 10:00") == (at("2026-12-08 10:00"), "BZ-21")


@pytest.mark.parametrize(("cut_over", "until"), [("2026-11-23", "2027-02-23"), ("2026-11-30", "2027-02-28")])
def test_bz_21_the_old_environment_is_kept_for_three_months(cut_over: str, until: str) -> None:
    moved = content({"system": {"migratedFrom": {"description": "机房", "cutOver": cut_over}}})
    assert keep_until(BOZHOU, moved, None) == (end_of(until), "BZ-21")


# -- change, temporary ---------------------------------------------------------------------------
def change(before: Obj, after: Obj) -> Classification:
    return classify(content(before), content(after), policy=BOZHOU, catalog=CATALOG)


@pytest.mark.parametrize(
    ("before", "after", "dimension"),
    [
        (group(count=4), group(count=6), None),  # half exactly
        (group(count=4), group(count=7), "Servers"),
        (group(count=4), group(count=1), "Servers"),
        (group(count=4), group(count=4, item="ecs-2c2g"), "VCPU"),
        (group(count=4), group(count=4, item="ecs-1c2g"), "Memory"),
        (group(count=4), group(count=4, gib=2), None),
        (group(count=4), group(count=4, gib=3), "Storage"),
    ],
)
def test_bz_22_more_than_half_in_any_dimension_is_a_major_change(
    before: Obj, after: Obj, dimension: str | None
) -> None:
    found = change({"servers": [before]}, {"servers": [after]})
    major = ApplicationType.CHANGE if dimension is None else ApplicationType.MAJOR_CHANGE
    assert (found.application, found.clause) == (major, "BZ-22")
    assert dimension is None or found.message.key == f"rules.change.above.{dimension}"


def test_bz_22_more_than_half_of_the_fee_is_a_major_change() -> None:
    servers = {"servers": [group(count=4)]}
    found = change(servers, servers | {"services": [{"item": "sec-waf"}]})
    assert found.message.key == "rules.change.above.Fee"


def expanded(starts: str, ends: str) -> Obj:
    one = {"server": "app", "additionalCount": 1, "starts": starts, "ends": ends}
    return {"materials": [paper("ChangeForm")], "term": {"temporary": [one]}}


@pytest.mark.parametrize(
    ("ends", "found"), [("2027-02-28", {}), ("2027-03-01", {"TemporaryTooLong": "BZ-22, BZ-26(1)"})]
)
def test_bz_22_a_temporary_expansion_lasts_three_months_at_most(ends: str, found: dict[str, str]) -> None:
    wanted = expanded("2026-12-01", ends)
    classified = classify(content(), content(wanted), policy=BOZHOU, catalog=CATALOG)
    assert classified.application is ApplicationType.TEMPORARY
    assert refused(wanted, ApplicationType.TEMPORARY, approved=content()) == found


@pytest.mark.parametrize(
    ("now", "found"),
    [
        ("2026-12-22 23:59:59", {}),  # seven working days ahead of 31 December
        ("2026-12-23 00:00", {"ExtensionTooLate": "BZ-22, BZ-26(1)"}),
    ],
)
def test_bz_22_an_extension_is_asked_for_seven_working_days_ahead(now: str, found: dict[str, str]) -> None:
    held = content(expanded("2026-12-01", "2026-12-31"))
    wanted = expanded("2026-12-01", "2027-03-31")
    assert refused(wanted, ApplicationType.TEMPORARY, approved=held, now=at(now)) == found


# -- emergency -----------------------------------------------------------------------------------
def test_bz_24_an_emergency_is_opened_without_papers_and_by_one_decision() -> None:
    found = classify(None, content(EMERGENCY), policy=BOZHOU, catalog=CATALOG)
    assert (found.application, found.clause) == (ApplicationType.EMERGENCY, "BZ-24")
    assert refused(EMERGENCY | {"materials": []}, ApplicationType.EMERGENCY) == {}
    (step,) = steps(BOZHOU, ApplicationType.EMERGENCY, content(EMERGENCY), CATALOG)
    assert (step.stage, step.role, step.article) == (Stage.REVIEW, Role.REVIEWER, "24")


def test_bz_24_the_approval_follows_at_once_and_no_day_is_set() -> None:
    assert papers_due(BOZHOU, NOW) is None
    found = classify(content(EMERGENCY), content(), policy=BOZHOU, catalog=CATALOG)
    assert (found.application, found.clause) == (ApplicationType.MAJOR_CHANGE, "BZ-24")


# -- quota, stop, end ----------------------------------------------------------------------------
def test_bz_25_allocation_stays_within_the_quota() -> None:
    needed = {"servers": 7, "vcpu": 7, "memoryGiB": 7, "storageGiB": 14}
    verdict = check(
        quota(), pool="local-pool", request_uid="u", needed=Amounts.model_validate(needed), policy=BOZHOU
    )
    assert (verdict.fits, verdict.clause) == (False, "BZ-25")


def test_bz_38_nothing_more_is_issued_to_a_unit_that_does_not_rectify() -> None:
    stopped = quota({"standing": "IssuingStopped", "standingCause": "整改通知3号"})
    assert refused(quota=stopped) == {"IssuingStopped": "BZ-38"}


def test_bz_23_backed_up_wiped_and_reclaimed_and_the_service_ends_when_the_unit_says_so() -> None:
    stages = [rule.stage for rule in procedure(BOZHOU, ApplicationType.DEREGISTRATION).stages]
    assert stages == [
        *(Stage.REVIEW, Stage.BACKUP, Stage.WIPE, Stage.RECLAIM, Stage.TERMINATION, Stage.CERTIFICATE)
    ]
    assert earliest(BOZHOU, NOW) is None
    said = TerminationConfirmation.model_validate({"approval": "a", "by": "liu", "at": NOW})
    assert billing_end(BOZHOU, said) == (NOW, "BZ-23")


@pytest.mark.parametrize("reason", ["NoLongerNeeded", "MergedIntoDistrictPlatform"])
def test_bz_23_no_particular_reason_is_asked_for(reason: str) -> None:
    leaving = {
        "materials": [paper("DeregistrationForm")],
        "state": "Deregistered",
        "deregistration": {"reason": reason},
    }
    assert refused(leaving, ApplicationType.DEREGISTRATION, approved=content()) == {}
    assert request(leaving).spec.deregistration is not None


def test_bz_14_a_dedicated_domain_needs_no_plan_beforehand() -> None:
    assert refused(pool=pool(dedicatedDomain=True)) == {}
