"""Take a part out of requirements.lock: what the image runs, or what builds it, without the rest.

``python tools/lock_part.py requirements.lock`` prints what govpool needs to run; with names behind, what
those packages need. Versions and hashes stay as they are locked. Standard library only: it runs in a bare
image.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

RUN = "govpool (pyproject.toml)"
ENTRY = re.compile(r"^([A-Za-z0-9][A-Za-z0-9._-]*)==")


def entries(text: str) -> Iterator[tuple[str, str, set[str]]]:
    """Each package of a lock: its name, its lines, and what asked for it."""
    block: list[str] = []
    for now in [*text.splitlines(), ""]:
        if block and not now.startswith(" "):
            notes = [line.strip(" #") for line in block if line.lstrip().startswith("#")]
            asked = {note.removeprefix("via").strip() for note in notes}
            found = ENTRY.match(block[0])
            if found:
                yield found[1], "\n".join(line for line in block if "#" not in line), asked - {""}
            block = []
        if now and not now.startswith("#"):
            block.append(now)


def part(text: str, roots: Iterable[str] = ()) -> str:
    """The lock of what runs, or of the named packages, with all that they need."""
    known = {name: (lines, asked) for name, lines, asked in entries(text)}
    wanted = set(roots) or {name for name, (_, asked) in known.items() if RUN in asked}
    unknown = wanted - set(known)
    if unknown:
        raise SystemExit(f"not locked: {', '.join(sorted(unknown))}")
    while more := {name for name, (_, asked) in known.items() if asked & wanted} - wanted:
        wanted |= more
    return "\n".join(known[name][0] for name in sorted(wanted)) + "\n"


if __name__ == "__main__":
    sys.stdout.write(part(Path(sys.argv[1]).read_text(encoding="utf-8"), sys.argv[2:]))
