"""What every test shares: what this machine can't run is skipped once, by name, and told at the end."""

from __future__ import annotations

import fcntl
import importlib
import os
import pkgutil
import tempfile
import warnings
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

# The default draws the same examples every time: a red build is red for whoever looks into it.
settings.register_profile(
    "ci",
    derandomize=True,
    max_examples=100,
    deadline=None,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.register_profile("dev", max_examples=30, deadline=None)
settings.register_profile("search", max_examples=5_000, deadline=None, print_blob=True)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci"))


def load_all(*packages: str) -> None:
    """Import every module of the packages.

    Hypothesis draws from the constants of what is imported: without this a test would draw other examples
    after other tests than alone, and a red build could not be looked into.
    """
    for package in packages:
        found = importlib.import_module(package)
        for module in pkgutil.walk_packages(found.__path__, f"{package}."):
            if not module.name.endswith("__main__"):
                importlib.import_module(module.name)


load_all("govpool", "govpool_providers")
NO_CLUSTER = "needs a real API server: set KUBECONFIG to the kubeconfig of one that may be filled and emptied"
THE_TESTS_CHOOSE_THEIR_OWN = {"subnet", "addresses"}


@contextmanager
def _alone() -> Iterator[None]:
    """Hold a lock over all test runs on this host; on a folder, so that it needs no file of its own."""
    folder = os.open(tempfile.gettempdir(), os.O_RDONLY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        yield
    finally:
        os.close(folder)


@cache
def ground_lacks() -> str:
    """Why local machines can't run here; empty when they can. Tried for real: it takes half a second."""
    from govpool_providers.local.ground import check

    with _alone():
        try:
            found = check()
        except Exception as error:
            # Not known is not lacking: the tests run, and those that need the ground fail with this.
            warnings.warn(
                f"whether local machines can run here could not be found out: {error!r}", stacklevel=1
            )
            return ""
    lacks = [f for f in found if f.needed and not f.ok and f.name not in THE_TESTS_CHOOSE_THEIR_OWN]
    if not lacks:
        return ""
    told = "; ".join(f"{lack.name}: {lack.found} ({lack.remedy})" for lack in lacks)
    return f"local machines can't run here: {told}"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.get_closest_marker("cluster") and not os.environ.get("KUBECONFIG"):
            item.add_marker(pytest.mark.skip(reason=NO_CLUSTER))
        if not item.get_closest_marker("root"):
            continue
        if lacks := ground_lacks():
            item.add_marker(pytest.mark.skip(reason=lacks))


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Say once for each reason what did not run. pytest's closing line stays the last."""
    stats = terminalreporter.stats
    reasons = Counter(_reason(report) for report in stats.get("skipped", []))
    lines = [f"skipped: {count} tests: {reason}" for reason, count in reasons.most_common()]
    if not os.environ.get("KUBECONFIG") and any("conformance" in r.nodeid for r in stats.get("passed", [])):
        lines.append(f"not run: the conformance suite against a second server: {NO_CLUSTER}")
    if lines:
        terminalreporter.section("what did not run", sep="-")
    for line in lines:
        terminalreporter.write_line(line)


def _reason(report: Any) -> str:
    told = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
    return str(told).removeprefix("Skipped: ")
