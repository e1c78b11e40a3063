"""What the bed's Nova driver asks of bodies: to let go before Nova goes on, and to have what Nova gave them.

A hypervisor of tests.openstack.bodies keeps a file ``bodies/<id>`` with its pid for each server that runs
and each volume that a body holds. Where none runs, there is nothing to wait for.
"""

import os
import time
from pathlib import Path

PAUSE = 0.1
PATIENCE = 60.0
"""Seconds; after them Nova goes on, as it does with a guest that does not react."""


def _held(thing):
    path = Path(os.environ["GOVPOOL_BED_RUN"]) / "bodies" / thing
    try:
        return Path("/proc", path.read_text().strip()).is_dir()
    except FileNotFoundError:
        return False


def _until(condition):
    end = time.monotonic() + PATIENCE
    while not condition() and time.monotonic() < end:
        time.sleep(PAUSE)


def released(thing):
    """Wait until no body has the server or volume any more."""
    _until(lambda: not _held(thing))


def taken(server, volume):
    """Wait until the server's body, if it runs, has the volume."""
    _until(lambda: _held(volume) or not _held(server))
