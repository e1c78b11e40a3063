"""Helm in a process of its own: its Go runtime shall not live in pytest's.

``python -m tests.chart.helm_process`` reads ``{"lint": [...], "cases": {name: {chart, values, namespace}}}``
from stdin and writes what Helm says of each.
"""

from __future__ import annotations

import json
import sys
from typing import Any

import helm_python

RELEASE = "govpool"


def rendered(case: dict[str, Any]) -> dict[str, Any]:
    """Manifests by template, or why Helm refuses the values."""
    with helm_python.Chart.load(case["chart"]) as chart:
        try:
            chart.validate_schema(case["values"])
            return {
                "manifests": chart.render(case["values"], name=RELEASE, namespace=case["namespace"]),
            }
        except helm_python.HelmError as error:
            return {"refused": str(error)}


def main() -> None:
    """Answer one question."""
    asked = json.load(sys.stdin)
    json.dump(
        {
            "lint": {chart: helm_python.lint(chart) for chart in asked["lint"]},
            "cases": {name: rendered(case) for name, case in asked["cases"].items()},
        },
        sys.stdout,
    )


if __name__ == "__main__":
    main()
