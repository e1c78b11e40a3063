"""Makes the tables of cases and the server to put them to available."""

import sys
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[2] / "unit/api")]

from door import server  # noqa: E402

__all__ = ["server"]
