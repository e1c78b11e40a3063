"""What the checking core finds in a policy: one case for each finding."""

import copy
import re
from typing import Any

import pytest
from rules_support import Obj, document, merged

from govpool.api.cloudpolicy import CloudPolicySpec
from govpool.messages.policy import TEXTS
from govpool.rules.policy_check import check
from govpool.rules.policy_finding import Sort, shown

TEMPLATE = document("policies/template.yaml", "CloudPolicy")["spec"]
NEW, CHANGE, EMERGENCY, DEREGISTRATION = range(4)
ANYBODY = {"role": "reviewer", "article": "1"}
OF_THE_FILE = {
    "duplicate-key",
    "full-width-colon",
    "tab",
    "integer-form",
    "boolean-form",
    "date-form",
    "object-form",
    "list-form",
    "code-form",
    "country-form",
    "at-least",
    "at-most",
    "no-day",
    "unknown-field",
    "field-missing",
    "quote",
    "not-one-of",
    "article-form",
    "duration-form",
    "malformed",
    "rule-broken",
    "not-judged",
}
"""Texts that test_policies_check.py asks for."""


def staged(index: int, change: Any) -> Obj:
    """A patch: the stages of one of the template's procedures, changed."""
    procedures = copy.deepcopy(TEMPLATE["procedures"])
    procedures[index]["stages"] = change(procedures[index]["stages"])
    return {"procedures": procedures}


def without(index: int, *names: str) -> Obj:
    return staged(index, lambda stages: [stage for stage in stages if stage["stage"] not in names])


def inserted(index: int, at: int, stage: str, **more: Any) -> Obj:
    row = {"stage": stage} | ANYBODY | more
    return staged(index, lambda stages: [*stages[:at], row, *stages[at:]])


def altered(index: int, at: int, **more: Any) -> Obj:
    return staged(index, lambda stages: [*stages[:at], stages[at] | more, *stages[at + 1 :]])


def swapped(index: int, at: int) -> Obj:
    return staged(index, lambda s: [*s[:at], s[at + 1], s[at], *s[at + 2 :]])


def procedures(*more: Obj) -> Obj:
    return {"procedures": [*TEMPLATE["procedures"], *more]}


TEN = {"workingDays": 10}
REVIEW = {"stage": "Review"} | ANYBODY
MEANING: list[tuple[str, Sort, Obj, str]] = [
    ("stage-twice", Sort.CONTRADICTORY, inserted(NEW, 2, "Review"), "procedures[0].stages[2]"),
    ("nobody-decides", Sort.MISSING, without(CHANGE, "Review"), "procedures[1].stages"),
    ("own-judge", Sort.CONTRADICTORY, altered(NEW, 1, role="unit"), "procedures[0].stages[1].role"),
    ("stages-missing", Sort.MISSING, without(NEW, "Baseline"), "procedures[0].stages"),
    ("stages-missing", Sort.MISSING, without(NEW, "Quota"), "procedures[0].stages"),
    ("stages-missing", Sort.MISSING, without(DEREGISTRATION, "Wipe"), "procedures[3].stages"),
    ("stage-order", Sort.CONTRADICTORY, swapped(NEW, 4), "procedures[0].stages[5]"),
    ("stage-order", Sort.CONTRADICTORY, swapped(NEW, 1), "procedures[0].stages[2]"),
    ("stage-order", Sort.CONTRADICTORY, swapped(DEREGISTRATION, 1), "procedures[3].stages[2]"),
    ("stage-misplaced", Sort.CONTRADICTORY, inserted(NEW, 8, "Wipe"), "procedures[0].stages[8]"),
    ("stage-misplaced", Sort.CONTRADICTORY, inserted(DEREGISTRATION, 1, "Trial"), "procedures[3].stages[1]"),
    ("stage-not-reached", Sort.BEYOND, inserted(CHANGE, 5, "RightSizing"), "procedures[1].stages[5]"),
    ("when-on-effect", Sort.BEYOND, altered(NEW, 2, when="Complex"), "procedures[0].stages[2].when"),
    (
        "never-complex",
        Sort.MISSING,
        inserted(NEW, 1, "ExpertReview", when="Complex"),
        "procedures[0].stages[1].when",
    ),
    (
        "complex-unused",
        Sort.CONTRADICTORY,
        {"admission": {"complex": {"vcpu": 8, "article": "16"}}},
        "admission.complex",
    ),
    (
        "complex-empty",
        Sort.MISSING,
        {"admission": {"complex": {"article": "16"}}} | inserted(NEW, 1, "ExpertReview", when="Complex"),
        "admission.complex",
    ),
    ("two-clocks", Sort.CONTRADICTORY, altered(CHANGE, 2, clock=TEN), "procedures[1].stages[2].clock"),
    ("trial-clock", Sort.CONTRADICTORY, altered(NEW, 6, clock=TEN), "procedures[0].stages[6].clock"),
    (
        "procedure-never-used",
        Sort.CONTRADICTORY,
        {
            "temporary": None,
            "change": {
                "allAreMajor": True,
                "allArticle": "19",
                "majorAbovePercent": None,
                "majorArticle": None,
            },
        },
        "procedures[1]",
    ),
    ("procedure-refused", Sort.MISSING, {"emergency": None}, "procedures[2]"),
    (
        "procedure-refused",
        Sort.MISSING,
        {"temporary": None} | procedures({"application": "Temporary", "stages": [REVIEW]}),
        "procedures[4]",
    ),
    ("article-missing", Sort.MISSING, {"change": {"majorArticle": None}}, "change.majorAbovePercent"),
    ("article-missing", Sort.MISSING, {"change": {"newItemsAreMajor": True}}, "change.newItemsAreMajor"),
    (
        "article-missing",
        Sort.MISSING,
        {"delivery": {"reports": ["SecurityTest"]}} | inserted(NEW, 7, "Reports"),
        "delivery.reports",
    ),
    ("article-idle", Sort.CONTRADICTORY, {"change": {"allArticle": "19"}}, "change.allArticle"),
    ("article-idle", Sort.CONTRADICTORY, {"delivery": {"reportsArticle": "18"}}, "delivery.reportsArticle"),
    ("stage-for-article", Sort.MISSING, {"delivery": {"agreementArticle": "18"}}, "procedures[0].stages"),
    ("stage-for-article", Sort.MISSING, {"delivery": {"rightSizingArticle": "18"}}, "procedures[0].stages"),
    ("stage-for-article", Sort.MISSING, without(NEW, "Trial"), "procedures[0].stages"),
    ("stage-for-article", Sort.MISSING, {"trial": {"reportRequired": True}}, "procedures[0].stages"),
    ("stage-for-article", Sort.MISSING, {"trial": {"probeRequired": True}}, "procedures[0].stages"),
    ("article-for-stage", Sort.MISSING, inserted(NEW, 7, "Agreement"), "procedures[0].stages[7]"),
    ("article-for-stage", Sort.MISSING, {"trial": None}, "procedures[0].stages[6]"),
    ("reports-idle", Sort.CONTRADICTORY, inserted(NEW, 7, "Reports"), "procedures[0].stages[7]"),
    ("billing-never", Sort.CONTRADICTORY, {"billing": {"startsOn": "AgreementSigned"}}, "billing.startsOn"),
    (
        "billing-never",
        Sort.CONTRADICTORY,
        {"billing": {"startsOn": "TrialEnded"}, "trial": None} | without(NEW, "Trial"),
        "billing.startsOn",
    ),
    (
        "share-idle",
        Sort.CONTRADICTORY,
        {"change": {"allAreMajor": True, "allArticle": "19"}},
        "change.majorAbovePercent",
    ),
    (
        "materials-twice",
        Sort.CONTRADICTORY,
        {"admission": {"materials": [{"application": "New", "required": [], "article": "16"}] * 2}},
        "admission.materials[1]",
    ),
    (
        "materials-first",
        Sort.CONTRADICTORY,
        {
            "admission": {
                "materials": [{"application": "Emergency", "required": ["ResourceTable"], "article": "16"}]
            },
            "emergency": {"papersWithin": TEN},
        },
        "admission.materials[0].required",
    ),
    ("level-beyond", Sort.BEYOND, {"admission": {"maxProtectionLevel": 4}}, "admission.maxProtectionLevel"),
    ("no-time", Sort.CONTRADICTORY, {"trial": {"duration": "P0D"}}, "trial.duration"),
    (
        "no-time",
        Sort.CONTRADICTORY,
        {"migration": {"keepOldEnvironment": "P0M"}},
        "migration.keepOldEnvironment",
    ),
    ("no-time", Sort.CONTRADICTORY, {"temporary": {"maxDuration": "P0D"}}, "temporary.maxDuration"),
    (
        "sample-idle",
        Sort.CONTRADICTORY,
        {"deregistration": {"wipe": {"samplePercent": 3}}},
        "deregistration.wipe.samplePercent",
    ),
    (
        "reason-twice",
        Sort.CONTRADICTORY,
        {"deregistration": {"reasons": ["NoLongerNeeded"] * 2}},
        "deregistration.reasons[1]",
    ),
    (
        "day-both",
        Sort.CONTRADICTORY,
        {"calendar": {"holidays": ["2027-01-04"], "workdays": ["2027-01-03", "2027-01-04"]}},
        "calendar.workdays[1]",
    ),
    ("no-calendar", Sort.BEYOND, {"calendar": {"country": "QQ"}}, "calendar.country"),
    ("no-zone", Sort.BEYOND, {"timeZone": "Asia/Yunhai"}, "timeZone"),
    ("notice-missing", Sort.MISSING, {"trial": {"unused": "ReclaimAndSuspend"}}, "trial.unused"),
    (
        "notice-idle",
        Sort.CONTRADICTORY,
        {"rectification": {"notices": [{"finding": "UnusedTrial", "article": "30"}], "article": "30"}},
        "rectification.notices[0]",
    ),
    ("no-time", Sort.CONTRADICTORY, {"emergency": {"maxDuration": "P0D"}}, "emergency.maxDuration"),
    ("lead-idle", Sort.CONTRADICTORY, {"emergency": {"maxDuration": None}}, "emergency.extensionLead"),
    (
        "overdue-idle",
        Sort.CONTRADICTORY,
        {"emergency": {"papersOverdue": "Shown", "papersOverdueArticle": "30"}},
        "emergency.papersOverdueArticle",
    ),
]


@pytest.mark.parametrize(("key", "sort", "patch", "where"), MEANING)
def test_what_the_engine_makes_of_it(key: str, sort: Sort, patch: Obj, where: str) -> None:
    found = check(CloudPolicySpec.model_validate(merged(TEMPLATE, patch)))
    told = [one for one in found if one.message.key == f"policy.{key}"]
    assert [(one.sort, one.where) for one in told] == [(sort, f"spec.{where}")]
    text = told[0].message.render("zh")
    assert not re.search(r"[{}]", text)


def test_every_text_is_told_by_a_test() -> None:
    told = {f"policy.{key}" for key in OF_THE_FILE | {key for key, *_ in MEANING}}
    assert {key.removesuffix("-near") for key in TEXTS} == told


def test_a_change_procedure_that_a_temporary_expansion_takes_is_used() -> None:
    patch = {"change": {"allAreMajor": True, "allArticle": "19"}}
    found = check(CloudPolicySpec.model_validate(merged(TEMPLATE, patch)))
    assert [one.message.key for one in found] == ["policy.share-idle"]


def test_a_path_is_written_as_a_server_writes_it() -> None:
    assert shown(("spec", "procedures", 0, "stages", 2)) == "spec.procedures[0].stages[2]"
    assert shown(()) == "<root>"
