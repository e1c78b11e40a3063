"""The server to put bad manifests to; see tests/functional/admission."""

import sys
from pathlib import Path

FUNCTIONAL = Path(__file__).parents[1]
sys.path[:0] = [str(FUNCTIONAL / "admission"), str(FUNCTIONAL.parent / "unit/api")]

from door import server  # noqa: E402

__all__ = ["server"]
