"""Faults on demand in the bed's drivers: a file ``<kind>`` in the faults folder holds what it applies to."""

import os
import time
from pathlib import Path


def told(kind):
    """The words of the fault file ``kind``, or None when nothing is to go wrong."""
    try:
        return (Path(os.environ["GOVPOOL_BED_RUN"]) / "faults" / kind).read_text().strip()
    except FileNotFoundError:
        return None


def strikes(kind, name):
    """Whether the fault ``kind`` applies to ``name``: its file holds a part of it."""
    part = told(kind)
    return part is not None and part in name


def hold(kind, name):
    """Do not go on while the fault ``kind`` applies to ``name``."""
    while strikes(kind, name):
        time.sleep(0.2)
