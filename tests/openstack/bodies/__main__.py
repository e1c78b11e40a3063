"""The hypervisor as a process: ``python -m tests.openstack.bodies``, its job as JSON on standard input.

Talks to the cloud that ``OS_CLOUD`` names, as its administrator. Says "ready" and follows until SIGTERM.
"""

from __future__ import annotations

import json
import logging
import sys
from pathlib import Path

from tests.openstack.bodies.hypervisor import Hypervisor, serve_until_told

import openstack
from govpool_providers.base import PoolConnection


def main() -> int:
    """See the module's text."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(message)s", stream=sys.stderr)
    job = json.load(sys.stdin)
    connection = PoolConnection("bodies", job["settings"])
    cloud = openstack.connect()
    bodies = Hypervisor(cloud, job["project"], Path(job["run"]), connection, Path(job["share"]))
    return serve_until_told(bodies)


if __name__ == "__main__":
    sys.exit(main())
