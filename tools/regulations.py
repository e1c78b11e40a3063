"""Write docs/regulations.md from the register, and say what in the register is not true.

``make docs`` writes it; ``make lint`` runs it with ``--check``, which writes nothing and fails when a clause
has no rule or no test, when a function, test or field that it names does not exist, when a value is not the
policy's, when an article of a text is not accounted for, or when the page is stale.
"""

from __future__ import annotations

import argparse
import ast
import importlib
import importlib.util
import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import yaml

from govpool.api.cloudpolicy import CloudPolicy, CloudPolicySpec
from govpool.cli.register_file import load, shown
from govpool.rules.register import Clause, Register, Source, State, exists, parsed, unaccounted, value_at

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs/regulations.md"
HEAD = """# The clauses, and what carries them out

<!-- Written by `make docs` from policies/register. Edit that, not this. -->

Each clause of the regulations (条款) with the policy field that holds its value, the function that answers
it, the tests that bear its name, and what becomes of it: **enforced** (the engine carries it out, or refuses
what breaks it), **recorded** (kept, shown and cited; people act on it), **organisational** (it binds people
and bodies, outside what a system can see). A clause is cited by the code of its text and its article:
`YY-19(2)` is 第十九条第（二）项. `govpool policy where 'YY-19(2)'` prints the same for one clause.

"""

Tests = Mapping[str, str]
"""Test function to the file that it stands in."""


def collected(folder: Path) -> dict[str, str]:
    """Every test function below a folder, by parsing; of two with one name the first file counts."""
    found: dict[str, str] = {}
    for file in sorted(folder.rglob("test_*.py")):
        tree = ast.parse(file.read_text(encoding="utf-8"))
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_"):
                found.setdefault(node.name, file.relative_to(folder.parent).as_posix())
    return found


def policies(folder: Path) -> dict[str, CloudPolicySpec]:
    """The shipped policies by their codes."""
    found = {}
    for file in sorted(folder.glob("*.yaml")):
        policy = CloudPolicy.model_validate(yaml.safe_load(file.read_text(encoding="utf-8")))
        found[policy.spec.code] = policy.spec
    return found


def faults(register: Register, tests: Tests, rules: Mapping[str, CloudPolicySpec]) -> Iterator[str]:
    """Everything that the register says and is not so, one line each."""
    seen: set[str] = set()
    for clause in register.clauses:
        if clause.id in seen:
            yield f"{clause.id}: stands twice"
        seen.add(clause.id)
        for fault in (
            *_cited(clause, register),
            *_named(clause, tests),
            *_whole(clause),
            *_valued(clause, rules),
        ):
            yield f"{clause.id}: {fault}"
    for source in register.sources:
        yield from unaccounted(source, register)
        yield from _uncited(source, register, rules[source.code])


def _cited(clause: Clause, register: Register) -> Iterator[str]:
    for citation in clause.clauses():
        try:
            register.where(citation)
        except LookupError as error:
            yield f"cites {citation}: {error.args[0]}"


def _named(clause: Clause, tests: Tests) -> Iterator[str]:
    """What it names and is not there."""
    yield from filter(None, map(_importable, clause.functions))
    for module in clause.place:
        if importlib.util.find_spec(module) is None:
            yield f"there is no module {module}"
    yield from (f"there is no test {test}" for test in clause.tests if test not in tests)
    for path in clause.every_field:
        try:
            exists(path)
        except LookupError as error:
            yield str(error.args[0])


def _whole(clause: Clause) -> Iterator[str]:
    """What it would have to name. What is left to people needs none of it, but says why."""
    if clause.state is State.ORGANISATIONAL:
        return
    needed = {"rule function": clause.functions, "field": clause.every_field, "test": clause.tests}
    yield from (f"no {what}" for what, named in needed.items() if not named)
    if clause.state is State.ENFORCED:
        for citation in clause.clauses():
            if not any(bears(test, citation) for test in clause.tests):
                yield f"no test bears the name of {citation}"


def _importable(dotted: str) -> str:
    module, _, name = dotted.rpartition(".")
    if name.startswith("_"):
        return f"{dotted} is private"
    try:
        found = getattr(importlib.import_module(module), name, None)
    except ImportError:
        found = None
    return "" if callable(found) else f"there is no function {dotted}"


def bears(test: str, citation: str) -> bool:
    """Whether a test is named after a clause: ``test_yy_19_2_...``, ``test_bz_3_4_...`` (articles 3 and 4),
    ``test_jn_19_1_to_5_...`` (items 1 to 5). One that names the article alone stands for its items.
    """
    code, article, item = parsed(citation)
    given = _numbers(test).get(code, [])
    if article not in given:
        return False
    after = given[given.index(article) + 1 :]
    return item is None or not after or item in after


def _numbers(test: str) -> dict[str, list[int]]:
    """The numbers at the head of a test's name, by the code before them."""
    numbers: dict[str, list[int]] = {}
    code, until = "", False
    for word in test.removeprefix("test_").split("_"):
        if word.isdigit() and code:
            given = numbers.setdefault(code, [])
            given += range(given[-1] + 1, int(word)) if until else ()
            given.append(int(word))
        elif word.upper() in CODES:
            code = word.upper()
        elif word != "to" or code not in numbers:
            break
        until = word == "to"
    return numbers


CODES = frozenset({"T", "YY", "BZ", "JN", "WH"})


def _valued(clause: Clause, rules: Mapping[str, CloudPolicySpec]) -> Iterator[str]:
    for path, values in clause.values.items():
        for code, said in values.items():
            if code not in rules:
                yield f"{path}: no policy has the code {code}"
                continue
            try:
                held = value_at(rules[code], path)
            except LookupError:
                continue  # told with the names
            if held != said:
                yield f"{path}: {code} has {shown(held)}, and the register says {shown(said)}"


def _uncited(source: Source, register: Register, policy: CloudPolicySpec) -> Iterator[str]:
    """Articles that the policy cites and no clause does."""
    for article in sorted(set(_articles(policy.model_dump(mode="json", by_alias=True, exclude_none=True)))):
        code, number, item = parsed(f"{source.code}-{article}")
        if not register.citing(code, number, item):
            yield f"{source.policy} cites {code}-{article}, and no clause of the register does"


def _articles(value: object, key: str = "") -> Iterator[str]:
    if isinstance(value, dict):
        for name, member in value.items():
            yield from _articles(member, name)
    elif isinstance(value, list):
        for member in value:
            yield from _articles(member, key)
    elif key.lower().endswith("article"):
        yield from str(value).split(",")


# -- the page ------------------------------------------------------------------------------------
def page(register: Register, tests: Tests) -> str:
    """docs/regulations.md."""
    return HEAD + "\n".join([*_summary(register), *_sections(register, tests), *_texts(register)]) + "\n"


def _summary(register: Register) -> Iterator[str]:
    yield "| | clauses | enforced | recorded | organisational |"
    yield "|---|---|---|---|---|"
    for section in register.sections:
        counts = [sum(one.state is state for one in section.clauses) for state in State]
        title = f"[{section.number}. {section.title.en}](#{_anchor(f'{section.number}. {section.title.en}')})"
        yield f"| {title} | {len(section.clauses)} | {' | '.join(map(str, counts))} |"
    counts = [sum(one.state is state for one in register.clauses) for state in State]
    yield f"| in all | {len(register.clauses)} | {' | '.join(map(str, counts))} |"


def _sections(register: Register, tests: Tests) -> Iterator[str]:
    for section in register.sections:
        yield f"\n## {section.number}. {section.title.en}\n\n{section.title.zh}\n"
        yield "| clause | rule | policy field | rule function | tests | state |"
        yield "|---|---|---|---|---|---|"
        for clause in section.clauses:
            yield f"| {' | '.join(_row(clause, tests))} |"


def _row(clause: Clause, tests: Tests) -> Iterator[str]:
    cites = ", ".join(f"{code}-{article}" for code, article in clause.articles.items())
    yield f'<a id="{clause.id}"></a>**{clause.term}** {cites}'
    numbers = "".join(f"<br>{code}: {text}" for code, text in clause.numbers.items())
    yield _cell(clause.rule.en + numbers)
    yield _cell("<br>".join(_field(clause, path) for path in clause.every_field)) or "-"
    called = [f"`{name.removeprefix('govpool.')}`" for name in clause.functions]
    asked = [f"asked by `{name.removeprefix('govpool.')}`" for name in clause.place]
    yield "<br>".join([*called, *asked]) or "-"
    yield "<br>".join(f"[`{name}`](../{tests.get(name, '')})" for name in clause.tests) or "-"
    yield _cell(clause.state.value + (f": {clause.because.en}" if clause.because else ""))


def _field(clause: Clause, path: str) -> str:
    values = clause.values.get(path, {})
    told = "; ".join(f"{code} {shown(value)}" for code, value in values.items())
    return f"`{path}`" + (f": {told}" if told else "")


def _texts(register: Register) -> Iterator[str]:
    yield "\n## Article by article\n"
    yield "Every article of every text: the clauses above that cite it, or why nothing is carried out."
    for source in sorted(register.sources, key=lambda one: one.code):
        yield f"\n### {source.code}: {source.title}\n"
        yield "| article | about | clauses | what is left |"
        yield "|---|---|---|---|"
        for number, entry in source.articles.items():
            clauses = ", ".join(f"[{one.id}](#{one.id})" for one in register.citing(source.code, number))
            rest = f"{entry.rest.value}: {entry.because.en}" if entry.rest and entry.because else "-"
            about = f"{entry.title.en} ({entry.title.zh})"
            yield f"| {number} | {_cell(about)} | {clauses or '-'} | {_cell(rest)} |"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ").strip()


def _anchor(title: str) -> str:
    return re.sub(r"[^a-z0-9 -]", "", title.lower()).replace(" ", "-")


def main(arguments: list[str] | None = None) -> int:
    """Write the page, or with ``--check`` only look. Returns the exit code."""
    parser = argparse.ArgumentParser(prog="regulations", description=main.__doc__)
    parser.add_argument("page", type=Path, nargs="?", default=PAGE)
    parser.add_argument(
        "--check", action="store_true", help="write nothing; exit 1 when something is not true"
    )
    chosen = parser.parse_args(arguments)
    register, tests = load(ROOT / "policies/register"), collected(ROOT / "tests")
    found = [f"register: {fault}" for fault in faults(register, tests, policies(ROOT / "policies"))]
    wanted = page(register, tests)
    if not chosen.check:
        chosen.page.write_text(wanted, encoding="utf-8")
    elif not chosen.page.exists() or chosen.page.read_text(encoding="utf-8") != wanted:
        found.append(f"{chosen.page.name}: stale; run `make docs`")
    for line in found:
        print(line, file=sys.stderr)
    return 1 if found else 0


if __name__ == "__main__":
    raise SystemExit(main())
