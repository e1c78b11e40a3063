"""Each kind of ruling in the audit trail: its rule, its facts, and what would have made it otherwise."""

from functools import cache

import pytest
from lifecycle_builders import observe, request
from model_world import World
from rules_support import Obj, merged, quota

from govpool.api.auditrecord import AuditEntry
from govpool.api.base import PAUSED_ANNOTATION
from govpool.api.cloudresourcerequest import (
    CloudResourceRequest,
    CloudResourceRequestStatus,
    DesiredState,
    RequestPhase,
)
from govpool.lifecycle.actions import Record, WriteStatus
from govpool.lifecycle.request import decide


def in_phase(phase: RequestPhase):
    return lambda world: bool(world.request and world.request.status and world.request.status.phase is phase)


@cache
def whole_life() -> dict[str, AuditEntry]:
    """Every entry of a life from the application to the deregistration, by the key without its names."""
    world = World()
    world.until(in_phase(RequestPhase.IN_SERVICE))
    assert world.request is not None
    deregistration = {"reason": "NoLongerNeeded"}
    spec = type(world.request.spec).model_validate(
        world.request.spec.model_dump(mode="json", by_alias=True)
        | {"state": "Deregistered", "deregistration": deregistration}
    )
    paper = {"type": "DeregistrationForm", "reference": "r", "sha256": "0" * 64, "date": "2026-03-02"}
    materials = (
        type(spec)
        .model_validate(spec.model_dump(mode="json", by_alias=True) | {"materials": [paper]})
        .materials
    )
    world.edit(
        world.request,
        state=DesiredState.DEREGISTERED,
        deregistration=spec.deregistration,
        materials=materials,
    )
    world.until(in_phase(RequestPhase.DEREGISTERED))
    return {entry.key: entry for record in world.trail for entry in record.spec.entries}


def one(prefix: str) -> AuditEntry:
    found = [entry for key, entry in whole_life().items() if key.startswith(prefix)]
    assert found, (prefix, sorted(whole_life()))
    return found[0]


@pytest.mark.parametrize(
    ("prefix", "rule", "fact"),
    [
        ("classified/", "rules.change.classify", "application"),
        ("admitted/", "rules.admission.admit", "protection level"),
        ("decision/", "rules.approvals.judge", "role"),
        ("in-force/", "rules.approvals.judge", "application"),
        ("stage/1/Quota", "rules.quota.check", "needed"),
        ("stage/1/Provision", "lifecycle.wanted.plan", "revision approved"),
        ("stage/1/Baseline", "rules.baseline.evaluate", "score wanted"),
        ("stage/1/Handover", "lifecycle.stages.handover.decide", ""),
        ("trial/began", "rules.trial.trial", "lasts"),
        ("stage/Trial", "rules.trial.trial", "ends"),
        ("stage/Reports", "rules.delivery.missing_reports", "wanted"),
        ("stage/Confirmation", "rules.delivery.confirmation_required", "by"),
        ("billing/started", "rules.billing.billing_start", "starts on"),
        ("billing/ended", "rules.billing.billing_end", "end of service confirmed"),
    ],
)
def test_a_ruling_names_its_rule_and_its_facts(prefix: str, rule: str, fact: str) -> None:
    entry = one(prefix)
    assert entry.rule == rule
    assert entry.inputs, "no fact"
    assert not fact or fact in {item.name for item in entry.inputs}
    assert entry.otherwise, "nothing would have made it otherwise"


@pytest.mark.parametrize("stage", ["Backup", "Wipe", "Reclaim", "Termination", "Certificate"])
def test_the_end_of_use_is_ruled_stage_by_stage(stage: str) -> None:
    (entry,) = [
        e for key, e in whole_life().items() if key.startswith("stage/") and key.endswith(f"/{stage}")
    ]
    assert entry.article.startswith("YY-")
    assert entry.rule


def test_no_decision_is_without_a_citation() -> None:
    for entry in whole_life().values():
        assert entry.article.startswith("YY-")
        assert "article" in entry.citation.en and "第" in entry.citation.zh


def test_no_fact_is_a_secret() -> None:
    keys = request().spec.administrators[0].ssh_public_keys
    for entry in whole_life().values():
        text = entry.model_dump_json()
        assert "PRIVATE" not in text and "password" not in text.lower()
        assert not any(key.split()[1] in text for key in keys)


def recorded(asked: CloudResourceRequest, **more: object) -> list[AuditEntry]:
    actions = decide(observe(asked, **more)).actions
    return [entry for action in actions if isinstance(action, Record) for entry in action.entries]


def test_each_reason_of_a_refusal_is_a_ruling_of_its_own() -> None:
    found = recorded(request({"system": {"classified": True, "protectionLevel": 4}, "materials": []}))
    reasons = [entry for entry in found if entry.key.startswith("refused/")]
    assert len(reasons) >= 4
    assert len({entry.key for entry in reasons}) == len(reasons)
    assert all("other reasons stood beside it" in entry.otherwise[-1].en for entry in reasons)


def test_the_only_reason_says_so() -> None:
    (reason,) = [
        e for e in recorded(request({"system": {"classified": True}})) if e.key.startswith("refused/")
    ]
    assert [text.en for text in reason.otherwise] == [
        "Had the system not handled state secrets, this reason would not stand.",
        "It was the only reason: without it the application would have been put before the authority.",
    ]


def test_a_reason_without_an_article_rests_on_that_of_its_application() -> None:
    reasons = [e for e in recorded(request(), quota=None) if e.key.startswith("refused/")]
    assert reasons
    assert all(entry.article.startswith("YY-") for entry in reasons)


def test_what_is_recorded_comes_before_everything_else() -> None:
    actions = decide(observe(request(), quota=quota())).actions
    assert isinstance(actions[0], Record)
    assert not any(isinstance(action, Record) for action in actions[1:])


def test_a_paused_request_records_nothing() -> None:
    paused = request()
    meta = paused.metadata.model_copy(update={"annotations": {PAUSED_ANNOTATION: "true"}})
    assert recorded(paused.model_copy(update={"metadata": meta})) == []


NOT_YET = {"system": {"classified": True}}


def told_of_an_edit(patch: Obj) -> list[str]:
    """Keys of what is told of an edit of a refused application."""
    first = request(NOT_YET)
    assert "refused/1/Classified" in [entry.key for entry in recorded(first)]
    (status,) = (
        action.status
        for action in decide(observe(first)).actions
        if isinstance(action, WriteStatus) and isinstance(action.status, CloudResourceRequestStatus)
    )
    edited = request(merged(NOT_YET, patch), generation=2, status=status)
    return [entry.key for entry in recorded(edited)]


def test_a_confirmation_refuses_nothing_once_more() -> None:
    given = {"by": "liu", "at": "2026-11-23T09:00:00+08:00"}
    assert told_of_an_edit({"confirmations": {"delivery": given}}) == []


def test_another_submission_is_refused_anew() -> None:
    assert told_of_an_edit({"system": {"purpose": "另一用途"}}) == ["classified/2", "refused/2/Classified"]
    told = told_of_an_edit({"materials": []})
    assert told[:3] == ["classified/2", "refused/2/Classified", "refused/2/MaterialMissing"]
