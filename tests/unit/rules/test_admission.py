"""Which applications can be put before the authority: one test per rule, named after its article."""

from typing import Any

import pytest
from rules_support import Obj, at, catalog, content, end_of, group, policy, pool, quota, refusals, request

from govpool.api.cloudpolicy import ApplicationType, MaterialType
from govpool.rules.admission import admit

NEW, CHANGE = ApplicationType.NEW, ApplicationType.CHANGE
DEREGISTRATION = ApplicationType.DEREGISTRATION
STOPPED = {"standing": "IssuingStopped", "standingCause": "notice-7"}
LEAVING = {"state": "Deregistered", "deregistration": {"reason": "NoLongerNeeded"}}


def paper(kind: str, **more: Any) -> Obj:
    return {"type": kind, "reference": "r", "sha256": "0" * 64, "date": "2026-11-12"} | more


PAPERS = [paper("RequestLetter"), paper("ResourceTable")]
CHANGE_FORM = [paper("ChangeForm")]
FORM = [paper("DeregistrationForm")]


def test_the_example_is_admitted_as_it_stands() -> None:
    assert refusals() == {}


@pytest.mark.parametrize(("level", "refused"), [(1, False), (3, False), (4, True), (5, True)])
def test_yy_4_only_systems_up_to_level_three(level: int, refused: bool) -> None:
    found = refusals({"system": {"protectionLevel": level}})
    assert ("ProtectionLevelTooHigh" in found) is refused
    if refused:
        assert found["ProtectionLevelTooHigh"].clause == "YY-4"
        assert str(level) in found["ProtectionLevelTooHigh"].message.render("zh")


def test_yy_3_classified_systems_stay_out() -> None:
    assert refusals({"system": {"classified": True}})["Classified"].clause == "YY-3"


@pytest.mark.parametrize(
    ("now", "refused"),
    [
        ("2025-09-24 23:59:59", True),
        ("2025-09-25 00:00:00", False),
        ("2027-09-24 23:59:59", False),
        ("2027-09-25 00:00:00", True),
    ],
)
def test_yy_42_nothing_new_is_decided_outside_the_policys_validity(now: str, refused: bool) -> None:
    found = refusals(now=at(now))
    assert ("PolicyNotInForce" in found) is refused
    assert not refused or found["PolicyNotInForce"].clause == "YY-42"


@pytest.mark.parametrize(("now", "refused"), [("2027-06-26 23:59:59", False), ("2027-06-27 00:00", True)])
def test_wh_36_the_last_day_is_the_one_that_the_text_names(now: str, refused: bool) -> None:
    found = refusals(now=at(now), policy=policy("weihai-2025"))
    assert ("PolicyNotInForce" in found) is refused


def test_yy_42_changes_go_on_under_a_policy_that_ran_out() -> None:
    found = refusals({"materials": CHANGE_FORM}, CHANGE, approved=content(), now=end_of("2027-09-30"))
    assert found == {}


@pytest.mark.parametrize(
    ("now", "refused"),
    [
        ("2025-12-31 23:59:59", True),
        ("2026-01-01", False),
        ("2026-12-31 23:59:59", False),
        ("2027-01-01", True),
    ],
)
def test_yy_11_the_catalogue_is_the_years(now: str, refused: bool) -> None:
    directory = catalog()
    year = directory.spec.model_copy(update={"effective_until": at("2026-12-31").date()})
    found = refusals(now=at(now), catalog=directory.model_copy(update={"spec": year}))
    assert ("CatalogNotInForce" in found) is refused
    assert not refused or found["CatalogNotInForce"].clause == "YY-11, YY-19(1)"


@pytest.mark.parametrize(
    ("item", "proposed"),
    [
        ("ecs-2c3g", "ecs-2c4g"),  # in doublings, 3 GiB are nearer to 4 than to 2
        ("ecs-3c8g", "ecs-4c8g"),
        ("ecs-16c64g", "ecs-4c8g"),
        ("vm-1c-2gib", "ecs-1c2g"),
    ],
)
def test_yy_19_1_the_nearest_item_is_proposed(item: str, proposed: str) -> None:
    found = refusals({"servers": [group(item=item)]})["NotInCatalog"]
    assert dict(found.message.values)["nearest"] == proposed
    assert found.clause == "YY-11, YY-19(1)"


def test_yy_19_1_what_nothing_comes_near_is_bought_with_consent() -> None:
    found = refusals({"services": [{"item": "quantum-annealer"}]})["NotInCatalog"]
    assert found.message.key == "rules.admission.self-purchase"
    assert found.clause == "YY-19(1)"


def test_bz_16_a_policy_without_self_purchase_names_none() -> None:
    admission = policy().spec.admission.model_dump(by_alias=True) | {"selfPurchaseArticle": None}
    found = refusals({"services": [{"item": "quantum-annealer"}]}, policy=policy(admission=admission))
    assert found["NotInCatalog"].message.key == "rules.admission.no-match"


def test_a_storage_class_that_is_none_is_refused_with_its_place() -> None:
    disk = {"name": "data", "sizeGiB": 1, "volumeClass": "evs-standrad"}
    found = refusals({"servers": [group(dataDisks=[disk])]})["NotInCatalog"]
    assert dict(found.message.values)["nearest"] == "evs-standard"
    assert "servers[app].dataDisks[data].volumeClass" in found.message.render()


@pytest.mark.parametrize(
    "patch",
    [
        {"servers": [group(item="sec-waf")]},
        {"services": [{"item": "ecs-1c1g"}]},
        {"servers": [group(dataDisks=[{"name": "d", "sizeGiB": 1, "volumeClass": "sec-waf"}])]},
    ],
)
def test_an_item_stands_only_where_its_category_belongs(patch: Obj) -> None:
    assert "WrongCategory" in refusals(patch)


@pytest.mark.parametrize("missing", ["RequestLetter", "ResourceTable"])
def test_yy_19_1_each_missing_paper_is_named(missing: str) -> None:
    kept = [one for one in PAPERS if one["type"] != missing]
    found = refusals({"materials": kept})
    assert found["MaterialMissing"].message.key == f"rules.admission.material-missing.{missing}"
    assert found["MaterialMissing"].clause == "YY-19(1), YY-19(2)"


def test_every_missing_paper_is_a_reason_of_its_own() -> None:
    found = admit(
        request({"materials": []}),
        NEW,
        policy=policy("weihai-2025"),
        catalog=catalog(),
        pool=pool(),
        quota=quota(),
        now=at("2026-11-23"),
    )
    assert [one.message.key.rpartition(".")[2] for one in found] == [
        "RequestLetter",
        "ResourceTable",
        "ProjectApproval",
    ]
    assert {one.clause for one in found} == {"WH-19(1)"}


@pytest.mark.parametrize(("date", "refused"), [("2026-11-23", False), ("2026-11-24", True)])
def test_a_paper_is_not_dated_after_today(date: str, refused: bool) -> None:
    found = refusals({"materials": [paper("RequestLetter", date=date), PAPERS[1]]})
    assert ("MaterialInTheFuture" in found) is refused


@pytest.mark.parametrize(("until", "refused"), [("2026-11-23", False), ("2026-11-22", True)])
def test_yy_33_a_paper_that_lapsed_does_not_count(until: str, refused: bool) -> None:
    found = refusals({"materials": [paper("RequestLetter", validUntil=until), PAPERS[1]]})
    assert ("MaterialExpired" in found) is refused


def test_of_two_papers_one_that_holds_is_enough() -> None:
    lapsed = paper("RequestLetter", validUntil="2026-11-01")
    assert refusals({"materials": [lapsed, *PAPERS]}) == {}


@pytest.mark.parametrize(
    ("application", "form"),
    [
        (CHANGE, "ChangeForm"),
        (ApplicationType.TEMPORARY, "ChangeForm"),
        (DEREGISTRATION, "DeregistrationForm"),
    ],
)
def test_yy_20_21_later_applications_carry_their_own_form(application: ApplicationType, form: str) -> None:
    found = refusals(LEAVING if application is DEREGISTRATION else None, application, approved=content())
    assert found["MaterialMissing"].message.key.endswith(form)


def test_bz_22_a_major_change_carries_what_a_new_application_does() -> None:
    found = refusals({"materials": CHANGE_FORM}, ApplicationType.MAJOR_CHANGE, approved=content())
    assert found["MaterialMissing"].clause == "YY-19(1), YY-19(2)"


def test_yy_23_in_an_emergency_the_papers_follow() -> None:
    patch = {"materials": [], "term": {"kind": "Emergency", "emergency": {"cause": "防汛"}}}
    assert refusals(patch, ApplicationType.EMERGENCY) == {}


def test_wh_knows_no_emergency() -> None:
    patch = {"term": {"kind": "Emergency", "emergency": {"cause": "防汛"}}}
    found = refusals(patch, ApplicationType.EMERGENCY, policy=policy("weihai-2025"))
    assert found["EmergencyNotProvided"].clause == "WH-19(2)"


def test_bz_5_an_outside_unit_applies_through_its_sponsor() -> None:
    admission = policy().spec.admission.model_dump(by_alias=True) | {"sponsorArticle": "5,15"}
    bozhou = policy(code="BZ", admission=admission)
    assert refusals(policy=bozhou, quota=quota(outside=True))["SponsorMissing"].clause == "BZ-5, BZ-15"
    assert refusals(policy=bozhou, quota=quota(outside=True, sponsor="益阳市数据局")) == {}
    assert refusals(policy=bozhou) == {}


def test_a_namespace_without_a_unit_is_refused() -> None:
    assert refusals(quota=None).keys() == {"UnitUnknown"}


def test_t_11_a_dedicated_domain_needs_its_plan() -> None:
    admission = policy().spec.admission.model_dump(by_alias=True) | {"dedicatedDomainArticle": "11"}
    template = policy(code="T", admission=admission)
    domain = pool(dedicatedDomain=True)
    assert refusals(policy=template, pool=domain)["DomainPlanMissing"].clause == "T-11"
    assert refusals({"materials": [*PAPERS, paper("DomainPlan")]}, policy=template, pool=domain) == {}
    assert refusals(policy=template) == {}


@pytest.mark.parametrize("state", ["Cordoned", "Exiting", "Closed"])
def test_a_pool_that_is_not_open_issues_nothing_more(state: str) -> None:
    reason = "ProviderLeaves" if state == "Exiting" else "PoolNotOpen"
    assert refusals(pool=pool(state=state)).keys() == {reason}


@pytest.mark.parametrize("state", ["Cordoned", "Exiting", "Closed"])
@pytest.mark.parametrize(("count", "refused"), [(1, False), (2, False), (3, True)])
def test_a_pool_that_is_not_open_takes_back(state: str, count: int, refused: bool) -> None:
    patch = {"materials": CHANGE_FORM, "servers": [group(count=count)]}
    found = refusals(patch, CHANGE, approved=content({"servers": [group(count=2)]}), pool=pool(state=state))
    assert bool({"PoolNotOpen", "ProviderLeaves"} & found.keys()) is refused


def test_yy_22_4_issuing_is_stopped_for_what_grows_only() -> None:
    assert refusals(quota=quota(STOPPED))["IssuingStopped"].clause == "YY-22(4)"
    smaller = {"materials": CHANGE_FORM, "servers": [group(count=1)]}
    held = content({"servers": [group(count=2)]})
    assert refusals(smaller, CHANGE, approved=held, quota=quota(STOPPED)) == {}


def test_images_and_networks_are_those_of_the_pool() -> None:
    found = refusals({"servers": [group(image="windows-nt")], "system": {"network": "Internet"}})
    assert found.keys() == {"UnknownImage", "UnknownNetwork"}
    assert "debian-12" in found["UnknownImage"].message.render()
    assert refusals({"servers": [group(image="windows-nt")]}, pool=pool(mappings={})) == {}


@pytest.mark.parametrize(("gib", "refused"), [(2, True), (3, False), (4, False)])
def test_yy_20_a_disk_may_grow_and_never_shrinks(gib: int, refused: bool) -> None:
    patch = {"materials": CHANGE_FORM, "servers": [group(gib=gib)]}
    found = refusals(patch, CHANGE, approved=content({"servers": [group(gib=3)]}))
    assert ("DiskShrink" in found) is refused
    assert not refused or found["DiskShrink"].clause == "YY-20"


def test_yy_20_an_item_with_a_smaller_root_disk_is_refused() -> None:
    directory = catalog()
    items = [
        item.model_copy(update={"provides": item.provides.model_copy(update={"root_disk_gib": 2})})
        if item.name == "ecs-1c1g"
        else item
        for item in directory.spec.items
    ]
    larger = directory.model_copy(update={"spec": directory.spec.model_copy(update={"items": items})})
    patch = {"materials": CHANGE_FORM, "servers": [group(item="ecs-1c2g")]}
    found = refusals(patch, CHANGE, approved=content({"servers": [group()]}), catalog=larger)
    assert dict(found["DiskShrink"].message.values)["disk"] == "root"


@pytest.mark.parametrize(
    ("server", "reason"),
    [
        (group(image="debian-13"), "ImageChange"),
        (group(dataDisks=[]), "DiskRemoval"),
        (group(dataDisks=[{"name": "data", "sizeGiB": 1, "volumeClass": "evs-fast"}]), "VolumeClassChange"),
    ],
)
def test_what_would_destroy_data_asks_for_a_new_group(server: Obj, reason: str) -> None:
    patch = {"materials": CHANGE_FORM, "servers": [server]}
    found = refusals(patch, CHANGE, approved=content({"servers": [group()]}), pool=pool(mappings={}))
    assert found.keys() == {reason}
    renamed = {"materials": CHANGE_FORM, "servers": [server | {"name": "new"}]}
    other = content({"servers": [group()]})
    assert refusals(renamed, CHANGE, approved=other, pool=pool(mappings={})) == {}


def test_the_default_storage_class_is_no_other_class() -> None:
    patch = {"materials": CHANGE_FORM, "servers": [group(dataDisks=[{"name": "data", "sizeGiB": 1}])]}
    assert refusals(patch, CHANGE, approved=content({"servers": [group()]})) == {}


def test_a_system_in_service_does_not_change_its_network() -> None:
    patch = {"materials": CHANGE_FORM, "system": {"network": "Internet"}}
    found = refusals(patch, CHANGE, approved=content(), pool=pool("fixture-pool"))
    assert found.keys() == {"NetworkChange"}


def test_jn_19_only_accepted_reasons() -> None:
    jinan = policy().spec.deregistration.model_dump(by_alias=True)
    jinan |= {"reasons": ["FunctionOutdatedByUpgrade"], "article": "19"}
    asked = LEAVING | {"materials": FORM}
    under = policy(code="JN", deregistration=jinan)
    found = refusals(asked, DEREGISTRATION, approved=content(), policy=under)
    assert found["DeregistrationReasonNotAccepted"].clause == "JN-19"
    accepted = asked | {"deregistration": {"reason": "FunctionOutdatedByUpgrade"}}
    assert refusals(accepted, DEREGISTRATION, approved=content(), policy=under) == {}


def test_yy_21_nothing_keeps_a_unit_from_leaving() -> None:
    asked = LEAVING | {"materials": FORM, "servers": [group(item="gone-from-the-catalogue")]}
    found = refusals(
        asked,
        DEREGISTRATION,
        approved=content(),
        pool=pool(state="Exiting"),
        quota=quota(STOPPED),
        now=at("2029-01-01"),
    )
    assert found == {}


def test_yy_21_only_what_is_in_force_is_deregistered() -> None:
    found = refusals(LEAVING | {"materials": FORM}, DEREGISTRATION)
    assert found.keys() == {"NothingToDeregister"}


def test_every_reason_is_told_at_once() -> None:
    found = refusals(
        {
            "system": {"protectionLevel": 4, "classified": True, "network": "Internet"},
            "materials": [],
            "servers": [group(item="ecs-9c9g", image="plan9")],
        },
        pool=pool(state="Closed"),
        quota=quota(STOPPED),
        now=at("2028-01-01"),
    )
    assert found.keys() == {
        "PolicyNotInForce",
        "Classified",
        "ProtectionLevelTooHigh",
        "MaterialMissing",
        "CatalogNotInForce",
        "NotInCatalog",
        "UnknownImage",
        "UnknownNetwork",
        "PoolNotOpen",
        "IssuingStopped",
    }
    for refusal in found.values():
        assert refusal.reason.isalpha()
        assert refusal.message.render("zh") != refusal.message.render("en")


def test_every_kind_of_paper_can_be_asked_for() -> None:
    every = [kind.value for kind in MaterialType]
    admission = policy().spec.admission.model_dump(by_alias=True)
    admission |= {"materials": [{"application": "New", "required": every, "article": "12"}]}
    found = admit(
        request({"materials": []}),
        NEW,
        policy=policy(admission=admission),
        catalog=catalog(),
        pool=pool(),
        quota=quota(),
        now=at("2026-11-23"),
    )
    assert [one.message.key.rpartition(".")[2] for one in found] == every
    assert len({one.message.render("zh") for one in found}) == len(every)
