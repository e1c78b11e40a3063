"""The tests of this folder on the cloud that is up: ``python -m tests.openstack.suite [PYTEST'S ARGUMENTS]``.

On the bed, tests with a project of their own run side by side, then those that are ``alone``. On another
cloud all share one project, and run one after the other.
"""

from __future__ import annotations

import os
import subprocess
import sys

WORKERS = os.environ.get("OPENSTACK_WORKERS", "3")
NOTHING_TO_RUN = 5
"""pytest's exit code when no test was selected."""


def main() -> int:
    """pytest's exit code; the first that tells of a failure."""
    tests = [sys.executable, "-m", "pytest", "tests/openstack", *sys.argv[1:]]
    runs = [[*tests, "-m", "not alone", "-n", WORKERS], [*tests, "-m", "alone"]]
    if os.environ.get("GOVPOOL_TEST_OPENSTACK") != "bed":
        runs = [tests]
    codes = [subprocess.run(run, check=False).returncode for run in runs]
    said = [code for code in codes if code != NOTHING_TO_RUN]
    return next((code for code in said if code), 0 if said else NOTHING_TO_RUN)


if __name__ == "__main__":
    sys.exit(main())
