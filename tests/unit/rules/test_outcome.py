"""What a person who reports on a work order has to say (YY-4, YY-19: 购买服务)."""

from __future__ import annotations

import pytest
from rules_support import Obj, at

from govpool.api.workorder import ManualOutcome, WorkOrderSpec
from govpool.rules.outcome import lacks

SHA = "c" * 64


def order(work: str, *servers: str) -> WorkOrderSpec:
    return WorkOrderSpec.model_validate(
        {
            "work": work,
            "request": {"name": "r", "uid": "u"},
            "revision": 1,
            "approval": "a",
            "pool": "p",
            "servers": list(servers),
            "executor": "person",
            "role": "provider",
            "runKey": "k",
            "startedBy": at("2026-11-23"),
            "article": "YY-19(3)",
        }
    )


def outcome(*, succeeded: bool = True, facts: Obj | None = None, **servers: Obj) -> ManualOutcome:
    told = [{"server": name, "facts": found} for name, found in servers.items()]
    base = {"by": "chen", "at": at("2026-11-24"), "succeeded": succeeded}
    return ManualOutcome.model_validate({**base, "facts": facts or {}, "servers": told})


@pytest.mark.parametrize(
    ("work", "said", "missing"),
    [
        ("Provision", outcome(a={"address": "10.0.0.1"}, b={"address": "10.0.0.2"}), ()),
        ("Provision", outcome(a={"address": "10.0.0.1"}), ("b:address",)),
        ("Provision", outcome(a={"address": " "}, b={"address": "10.0.0.2"}), ("a:address",)),
        ("Baseline", outcome(a={"report": "R", "score": "100"}, b={"report": "R", "score": "0"}), ()),
        (
            "Baseline",
            outcome(a={"report": "R", "score": "101"}, b={"report": "R", "score": "-1"}),
            ("a:score", "b:score"),
        ),
        ("Handover", outcome(), ()),
        ("Backup", outcome(), ("receiptSha256",)),
        ("Backup", outcome(facts={"receiptSha256": SHA.upper()}), ("receiptSha256",)),
        ("Backup", outcome(facts={"receiptSha256": SHA}), ()),
        ("Wipe", outcome(facts={"reference": "D-1", "sha256": SHA}), ()),
        ("Wipe", outcome(facts={"reference": "D-1"}), ("sha256",)),
        ("Manual", outcome(), ()),
        ("Provision", outcome(succeeded=False), ()),
    ],
)
def test_yy_19_what_the_provider_reports(work: str, said: ManualOutcome, missing: tuple[str, ...]) -> None:
    assert lacks(order(work, "a", "b"), said) == missing
