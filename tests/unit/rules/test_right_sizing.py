"""YY-19(4): advice on the right size rests on what was measured."""

from __future__ import annotations

from typing import Any

import pytest
from rules_support import Obj, at, rules

from govpool.api.policy_efficiency import EfficiencySort
from govpool.api.usage import Usage
from govpool.rules.right_sizing import ServerAdvice, advice

NOW = at("2026-12-24 09:00")


def usage(**figures: Any) -> Usage:
    window = {"over": "Week", "ends": "2026-12-23", "figures": [{"dimension": "Memory"} | figures]}
    base: Obj = {
        "recordedAt": "2026-12-24T00:00:00Z",
        "recordedBy": "monitor",
        "observedUntil": "2026-12-23T16:00:00Z",
        "windows": [window],
    }
    return Usage.model_validate(base)


LESS = {
    "rules": [
        {
            "name": "less",
            "sort": "Reduce",
            "article": "22(3)",
            "anyOf": [
                {
                    "allOf": [
                        {
                            "statistic": "Mean",
                            "dimensions": ["Memory"],
                            "over": "Week",
                            "comparator": "AtMost",
                            "percent": 30,
                        }
                    ]
                }
            ],
        }
    ]
}


@pytest.mark.parametrize(
    ("mean", "proposals"), [(30, (EfficiencySort.REDUCE,)), (30.1, ()), (12.5, (EfficiencySort.REDUCE,))]
)
def test_yy_19_4_what_is_hardly_used_is_advised_to_shrink(mean: float, proposals: Any) -> None:
    (one,) = advice(rules(efficiency=LESS), [("app-0", usage(mean=mean, peak=40))], NOW)
    assert one.proposals == proposals
    assert one.figures == f"Memory Week: mean {mean:g} %, peak 40 %"
    assert one.clauses == (("YY-22(3)",) if proposals else ())


def test_yy_19_4_what_was_not_measured_stays_as_approved() -> None:
    given = [("app-1", usage(mean=50)), ("app-0", None)]
    found = advice(rules(efficiency=None), given, NOW)
    assert found == (ServerAdvice("app-0", ""), ServerAdvice("app-1", "Memory Week: mean 50 %"))
