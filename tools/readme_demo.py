"""Run the demo as a user would and put what it printed into the READMEs, between their markers.

``make demo-output`` runs it once in each language; ``make demo-output LANGUAGES=en`` only in English. The
demo's output is taken as it is: only colours, this folder's path and trailing blanks are removed.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
READMES = {"en": "README.md", "zh": "README.zh-CN.md"}
PLACE = re.compile(r"(<!-- demo-output -->\n).*?(<!-- /demo-output -->)", re.DOTALL)
ESCAPES = re.compile(r"\x1b(\[[0-9;?]*[ -/]*[@-~]|\][^\x07]*\x07)")
WIDTH = "110"


def run_demo(language: str, more: list[str]) -> str:
    """What ``govpool demo`` prints. Raises SystemExit with its exit code when it fails."""
    govpool = Path(sys.executable).with_name("govpool")
    argv = [str(govpool), "demo", "--language", language, *more]
    environment = {**os.environ, "COLUMNS": WIDTH, "TERM": "dumb", "NO_COLOR": "1"}
    process = subprocess.Popen(argv, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    lines = []
    for line in process.stdout:
        print(line, end="", flush=True)
        lines.append(line)
    if code := process.wait():
        print(f"{READMES[language]} stays as it was: the demo ended with {code}.", file=sys.stderr)
        raise SystemExit(code)
    return "".join(lines)


def plain(printed: str) -> str:
    """The text without colours, without this folder's path, and without trailing blanks."""
    text = ESCAPES.sub("", printed).replace("\r\n", "\n").replace(f"{ROOT}/", "").replace(str(ROOT), ".")
    return "\n".join(line.rstrip() for line in text.splitlines()).strip("\n")


def put(readme: Path, text: str) -> None:
    """Put the text between the markers. Raises ValueError when they are not there once."""
    block = f"```text\n{text}\n```\n"
    whole, count = PLACE.subn(lambda found: found[1] + block + found[2], readme.read_text(encoding="utf-8"))
    if count != 1:
        raise ValueError(f"{readme.name} has {count} places for the demo's output, and needs one")
    readme.write_text(whole, encoding="utf-8")


def main() -> None:
    """Run the demo in each language asked for."""
    parser = argparse.ArgumentParser(description="Put the demo's output into the READMEs.")
    parser.add_argument("languages", nargs="*", default=list(READMES), help="en, zh; else both")
    arguments, more = parser.parse_known_args()
    if unknown := set(arguments.languages) - READMES.keys():
        parser.error(f"no README in {', '.join(sorted(unknown))}")
    for language in arguments.languages:
        put(ROOT / READMES[language], plain(run_demo(language, more)))


if __name__ == "__main__":
    main()
