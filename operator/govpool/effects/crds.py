"""``crds/``: the CustomResourceDefinitions as files, one per kind; and whether they have drifted."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import yaml

from govpool.api.base import Resource
from govpool.api.crd import custom_resource_definition
from govpool.api.kinds import KINDS

HEADER = "# Generated from the models in govpool.api by `make crds`; edits are lost.\n"


class _Dumper(yaml.SafeDumper):
    """Writes every value out: a reader of a CRD should not have to follow YAML anchors."""

    def ignore_aliases(self, data: object) -> bool:
        return True


def render(kind: type[Resource]) -> str:
    """The kind's CRD as YAML. The same models always give the same bytes."""
    body = yaml.dump(
        custom_resource_definition(kind), Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=110
    )
    return HEADER + body


def file_name(kind: type[Resource]) -> str:
    """The name of the kind's file: ``govpool.dev_cloudpools.yaml``."""
    group_last = kind.DEFINITION.crd_name.split(".", 1)
    return f"{group_last[1]}_{group_last[0]}.yaml"


def write(directory: Path) -> list[Path]:
    """Write every CRD below ``directory`` and remove those of kinds that no longer exist.

    Returns the files. Raises OSError when they can't be written.
    """
    directory.mkdir(parents=True, exist_ok=True)
    written = []
    for kind in KINDS:
        path = directory / file_name(kind)
        path.write_text(render(kind), encoding="utf-8")
        written.append(path)
    for stale in _stale(directory):
        stale.unlink()
    return written


def drift(directory: Path) -> list[str]:
    """What in ``directory`` differs from the models, one line per file; empty when nothing does."""
    found = []
    for kind in KINDS:
        path = directory / file_name(kind)
        if not path.exists():
            found.append(f"{path.name}: missing; run `govpool crds`")
        elif path.read_text(encoding="utf-8") != render(kind):
            found.append(f"{path.name}: differs from the model; run `govpool crds`")
    found += [f"{path.name}: no such kind any more; run `govpool crds`" for path in _stale(directory)]
    return found


def main(arguments: list[str] | None = None) -> int:
    """Write the CRDs, or with ``--check`` say what has drifted. Returns the exit code."""
    parser = argparse.ArgumentParser(prog="crds", description=main.__doc__)
    parser.add_argument("directory", type=Path)
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 on drift")
    chosen = parser.parse_args(arguments)
    if not chosen.check:
        for path in write(chosen.directory):
            print(path)
        return 0
    found = drift(chosen.directory)
    for line in found:
        print(line, file=sys.stderr)
    return 1 if found else 0


def _stale(directory: Path) -> list[Path]:
    known = {file_name(kind) for kind in KINDS}
    return sorted(path for path in directory.glob("govpool.dev_*.yaml") if path.name not in known)


if __name__ == "__main__":
    raise SystemExit(main())
