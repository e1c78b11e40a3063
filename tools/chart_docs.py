"""Write each chart's README.md from its Chart.yaml and the comments of its values.yaml, as helm-docs does.

``python tools/chart_docs.py`` writes, ``--check`` says what has drifted. A value's text is the comment above
it that begins with ``# --``.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import cast

import yaml

CHARTS = Path(__file__).parents[1] / "charts"
Json = dict[str, object]
HEAD = """# {name}

{description}

Version {version}, for Kubernetes {kube}. Installation and use: [docs/cluster.md](../../docs/cluster.md).

## Values

`values.schema.json` refuses any other key and what would weaken the Pod.

| value | type | default | meaning |
|---|---|---|---|
"""


def described(text: str) -> Iterator[tuple[tuple[str, ...], str]]:
    """Each value that has a ``# --`` comment: its path and the comment's text."""
    path: list[str] = []
    said: list[str] = []
    for line in text.splitlines():
        bare = line.strip()
        if bare.startswith("#"):
            words = bare.lstrip("#").strip()
            said = [words.removeprefix("-- ")] if words.startswith("-- ") else [*said, words] if said else []
            continue
        if ":" in bare and not bare.startswith("-"):
            depth = (len(line) - len(line.lstrip())) // 2
            path = [*path[:depth], bare.split(":", 1)[0]]
            if said:
                yield tuple(path), " ".join(said)
        said = []


def page(chart: Path) -> str:
    """The README of a chart."""
    about = cast(Json, yaml.safe_load((chart / "Chart.yaml").read_text(encoding="utf-8")))
    text = (chart / "values.yaml").read_text(encoding="utf-8")
    values = cast(Json, yaml.safe_load(text))
    rows = []
    for path, meaning in described(text):
        default: object = values
        for key in path:
            default = cast(Json, default)[key]
        shown = json.dumps(default, ensure_ascii=False).replace("|", "\\\\|")
        rows.append(f"| `{'.'.join(path)}` | {_type(default)} | `{shown}` | {meaning} |\n")
    head = HEAD.format(
        name=about["name"],
        description=about["description"],
        version=about["version"],
        kube=str(about["kubeVersion"]).replace(">=", "").removesuffix(".0-0") + " or newer",
    )
    return head + "".join(rows)


def _type(value: object) -> str:
    if isinstance(value, bool):
        return "boolean"
    kinds = {int: "integer", str: "string", list: "list", dict: "object"}
    return next(name for kind, name in kinds.items() if isinstance(value, kind))


def main(arguments: list[str]) -> int:
    """Write the pages, or with ``--check`` name those that differ."""
    drifted = 0
    for chart in sorted(path.parent for path in CHARTS.glob("*/Chart.yaml")):
        readme, text = chart / "README.md", page(chart)
        if "--check" not in arguments:
            readme.write_text(text, encoding="utf-8")
        elif not readme.exists() or readme.read_text(encoding="utf-8") != text:
            drifted += 1
            print(
                f"{readme.relative_to(CHARTS.parent)}: differs from values.yaml; run `make docs`",
                file=sys.stderr,
            )
    return 1 if drifted else 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
