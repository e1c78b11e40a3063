"""Makes the builders importable beside the tests that use them, and those of the rules with them."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parents[1] / "rules"))
