"""The register of clauses: true as it stands, and each mistake that could be in it is told."""

from __future__ import annotations

import importlib.util
import shutil
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml
from pydantic import ValidationError
from rules_support import ROOT, rules
from typer.testing import CliRunner

from govpool.api.cloudpolicy import CloudPolicySpec
from govpool.cli.main import app
from govpool.cli.register_file import load
from govpool.rules.register import Clause, Register, State, exists, parsed, value_at

FOLDER = ROOT / "policies/register"


@cache
def tool() -> ModuleType:
    spec = importlib.util.spec_from_file_location("regulations", ROOT / "tools/regulations.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["regulations"] = module
    spec.loader.exec_module(module)
    return module


@cache
def shipped() -> tuple[Register, dict[str, str], dict[str, CloudPolicySpec]]:
    return load(FOLDER), tool().collected(ROOT / "tests"), tool().policies(ROOT / "policies")


def faults(register: Register) -> list[str]:
    _, tests, policies = shipped()
    return list(tool().faults(register, tests, policies))


# -- as it stands ----------------------------------------------------------------------------------
def test_everything_that_the_register_says_is_so() -> None:
    assert faults(shipped()[0]) == []


def test_the_page_is_what_the_register_says() -> None:
    register, tests, _ = shipped()
    page = (ROOT / "docs/regulations.md").read_text(encoding="utf-8")
    assert page == tool().page(register, tests), "stale: run `make docs`"


def test_no_row_of_the_matrix_is_empty() -> None:
    page = (ROOT / "docs/regulations.md").read_text(encoding="utf-8")
    rows = [line.split(" | ") for line in page.splitlines() if line.startswith('| <a id="')]
    assert len(rows) == len(shipped()[0].clauses)
    for clause, row in zip(shipped()[0].clauses, rows, strict=True):
        if clause.state is not State.ORGANISATIONAL:
            assert all(cell.strip() not in {"", "-"} for cell in row), clause.id
        assert clause.state is State.ENFORCED or clause.because is not None


@pytest.mark.parametrize(("code", "last"), [("YY", 42), ("BZ", 42), ("JN", 26), ("WH", 37), ("T", 32)])
def test_every_article_of_every_text_has_its_entry(code: str, last: int) -> None:
    (source,) = [one for one in shipped()[0].sources if one.code == code]
    assert list(source.articles) == list(range(1, last + 1))


def test_the_numbered_items_are_those_of_the_texts() -> None:
    found = {
        (source.code, number): entry.items
        for source in shipped()[0].sources
        for number, entry in source.articles.items()
        if entry.items
    }
    expected = {"YY": {5: 4, 6: 4, 7: 3, 19: 4, 21: 2, 22: 4}, "BZ": {7: 6, 8: 3, 9: 3, 10: 2, 26: 2}}
    expected |= {"JN": {12: 3, 18: 4, 19: 5, 20: 5}, "WH": {5: 7, 6: 3, 8: 3, 9: 3, 10: 2, 19: 4, 35: 3}}
    expected |= {"T": {2: 3}}
    assert found == {(code, n): items for code, rows in expected.items() for n, items in rows.items()}


def test_every_part_of_a_policy_stands_in_the_register() -> None:
    paths = [path for clause in shipped()[0].clauses for path in clause.every_field if ":" not in path]
    named = {path.split(".")[0].split("[")[0] for path in paths}
    of_itself = {"title", "code", "documentNumber", "issuer", "validityArticle"}
    assert {field.alias for field in CloudPolicySpec.model_fields.values()} - named == of_itself


# -- planted mistakes ------------------------------------------------------------------------------
def planted(section: int, clause: str, **changed: Any) -> Register:
    """The register with fields of one clause replaced."""
    register = shipped()[0]
    sections = []
    for one in register.sections:
        clauses = tuple(
            Clause.model_validate(row.model_dump(by_alias=True) | changed) if row.id == clause else row
            for row in one.clauses
        )
        assert one.number != section or clauses != one.clauses
        sections.append(one.model_copy(update={"clauses": clauses}))
    return register.model_copy(update={"sections": tuple(sections)})


def without_entry(code: str, article: int) -> Register:
    register = shipped()[0]
    sources = [
        source.model_copy(update={"articles": {n: e for n, e in source.articles.items() if n != article}})
        if source.code == code
        else source
        for source in register.sources
    ]
    return register.model_copy(update={"sources": tuple(sources)})


def without_clause(clause: str) -> Register:
    register = shipped()[0]
    sections = [
        one.model_copy(update={"clauses": tuple(row for row in one.clauses if row.id != clause)})
        for one in register.sections
    ]
    return register.model_copy(update={"sections": tuple(sections)})


def without_item(register: Register, code: str, item: str) -> Register:
    """The register in which no clause cites an item."""
    sections = []
    for one in register.sections:
        rows = []
        for row in one.clauses:
            kept = ",".join(part for part in row.articles.get(code, "").split(",") if part not in {"", item})
            others = {name: text for name, text in row.articles.items() if name != code}
            rows.append(row.model_copy(update={"articles": others | ({code: kept} if kept else {})}))
        sections.append(one.model_copy(update={"clauses": tuple(rows)}))
    return register.model_copy(update={"sections": tuple(sections)})


def twice() -> Register:
    register = shipped()[0]
    return register.model_copy(update={"sections": (*register.sections, register.sections[0])})


MISTAKES: list[tuple[str, Callable[[], Register], str]] = [
    ("no rule", lambda: planted(3, "trial", functions=()), "trial: no rule function"),
    ("no test", lambda: planted(3, "trial", tests=()), "trial: no test"),
    ("no field", lambda: planted(3, "trial", fields=(), values={}), "trial: no field"),
    (
        "an unknown function",
        lambda: planted(3, "trial", functions=("govpool.rules.trial.tryal",)),
        "trial: there is no function govpool.rules.trial.tryal",
    ),
    (
        "a module that is not there",
        lambda: planted(3, "trial", functions=("govpool.rules.tryal.trial",)),
        "trial: there is no function govpool.rules.tryal.trial",
    ),
    (
        "a private function",
        lambda: planted(3, "trial", functions=("govpool.rules.change._change",)),
        "trial: govpool.rules.change._change is private",
    ),
    (
        "an unknown place",
        lambda: planted(3, "trial", place=("govpool.lifecycle.stages.tryal",)),
        "trial: there is no module govpool.lifecycle.stages.tryal",
    ),
    (
        "an unknown test",
        lambda: planted(3, "probe", tests=("test_jn_15_nobody_wrote_this",)),
        "probe: there is no test test_jn_15_nobody_wrote_this",
    ),
    (
        "a test of another clause",
        lambda: planted(3, "probe", tests=("test_yy_19_3_a_test_report_is_filed",)),
        "probe: no test bears the name of JN-15",
    ),
    (
        "an unknown field",
        lambda: planted(3, "trial", fields=("trial.length",)),
        "trial: trial.length: TrialRule has no field length",
    ),
    (
        "an unknown stage",
        lambda: planted(3, "trial", fields=("procedures[New].stages[Tryal]",)),
        "trial: procedures[New].stages[Tryal]: no Stage is called Tryal",
    ),
    (
        "another value",
        lambda: planted(3, "trial", values={"trial.duration": {"YY": "P30D"}}),
        "trial: trial.duration: YY has P1M, and the register says P30D",
    ),
    (
        "an article that no text has",
        lambda: planted(3, "probe", articles={"JN": "27"}),
        "probe: cites JN-27: JN has articles 1 to 26, and no 27",
    ),
    (
        "an item that no article has",
        lambda: planted(6, "deregistration-reasons", articles={"JN": "19(6)"}),
        "deregistration-reasons: cites JN-19(6): JN-19 has 5 numbered items",
    ),
    ("an article left out", lambda: without_entry("YY", 18), "YY-18: no entry"),
    (
        "an article without a clause",
        lambda: without_clause("exit-transition"),
        "YY-17: no clause cites it, and nothing says why",
    ),
    (
        "an item without a clause",
        lambda: without_item(without_clause("right-sizing"), "YY", "19(4)"),
        "yiyang-2025 cites YY-19(4), and no clause of the register does",
    ),
    ("a clause twice", twice, "validity: stands twice"),
]


@pytest.mark.parametrize(("make", "told"), [row[1:] for row in MISTAKES], ids=[row[0] for row in MISTAKES])
def test_each_planted_mistake_is_told(make: Callable[[], Register], told: str) -> None:
    assert told in faults(make())


def test_the_command_fails_on_a_stale_page_and_writes_a_fresh_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page = tmp_path / "regulations.md"
    assert tool().main([str(page), "--check"]) == 1
    assert "stale" in capsys.readouterr().err
    assert tool().main([str(page)]) == 0
    assert tool().main([str(page), "--check"]) == 0
    page.write_text(page.read_text(encoding="utf-8") + "more\n", encoding="utf-8")
    assert tool().main([str(page), "--check"]) == 1


def test_a_clause_that_is_left_to_people_says_why() -> None:
    row = shipped()[0].clauses[0].model_dump(by_alias=True) | {"state": "organisational", "because": None}
    with pytest.raises(ValidationError, match="says why"):
        Clause.model_validate(row)


def test_a_misspelt_field_of_the_register_is_refused(tmp_path: Path) -> None:
    shutil.copytree(FOLDER, tmp_path / "register")
    file = tmp_path / "register/3-opening.yaml"
    section = yaml.safe_load(file.read_text(encoding="utf-8"))
    section["clauses"][0]["test"] = section["clauses"][0].pop("tests")
    file.write_text(yaml.safe_dump(section, allow_unicode=True), encoding="utf-8")
    with pytest.raises(ValidationError, match="Extra inputs"):
        load(tmp_path / "register")


# -- names and paths -------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("test", "citation", "bears"),
    [
        ("test_yy_19_2_acceptance", "YY-19(2)", True),
        ("test_yy_19_2_acceptance", "YY-19(3)", False),
        ("test_yy_19_2_acceptance", "YY-19", True),
        ("test_yy_19_2_acceptance", "WH-19(2)", False),
        ("test_wh_19_accepted", "WH-19(2)", True),
        ("test_bz_3_4_level", "BZ-4", True),
        ("test_t_2_1_7_wh_16_level", "T-7", True),
        ("test_t_2_1_7_wh_16_level", "WH-16", True),
        ("test_jn_19_1_to_5_reasons", "JN-19(3)", True),
        ("test_the_bz_22_later", "BZ-22", False),
    ],
)
def test_when_a_test_bears_the_name_of_a_clause(test: str, citation: str, bears: bool) -> None:
    assert tool().bears(test, citation) is bears


def test_a_value_is_found_where_its_path_says() -> None:
    yiyang = rules("yiyang-2025")
    assert value_at(yiyang, "procedures[New].stages[Acceptance].clock.workingDays") == 10
    assert value_at(yiyang, "procedures[New].stages[Evaluation].role") is None
    assert value_at(yiyang, "temporary.maxDuration") is None
    assert value_at(yiyang, "effectiveFrom") == "2025-09-25"


@pytest.mark.parametrize("path", ["TenantQuota:spec.outside", "CloudResourceRequest:spec.term.temporary"])
def test_a_path_may_lead_into_another_kind(path: str) -> None:
    exists(path)


@pytest.mark.parametrize("path", ["trial.", "Trial:x", "trial[New].duration", "procedures[Old]", "1"])
def test_a_path_that_leads_nowhere_is_refused(path: str) -> None:
    with pytest.raises(LookupError):
        exists(path)


@pytest.mark.parametrize("citation", ["", "19", "YY", "YY-", "yy-19", "YY-19(2", "YY-19(2),39"])
def test_what_is_no_citation_is_refused(citation: str) -> None:
    with pytest.raises(ValueError, match="is no clause"):
        parsed(citation)


# -- the command -----------------------------------------------------------------------------------
def where(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["policy", "where", *arguments])
    return result.exit_code, result.output


def test_yy_19_2_is_told_with_field_function_and_tests() -> None:
    code, told = where("YY-19(2)", "--language", "en")
    assert code == 0
    assert "procedures[New].stages[Acceptance].clock.workingDays = 10" in told
    assert "govpool.rules.approvals.judge" in told
    assert "test_yy_19_2_acceptance_within_ten_working_days" in told
    assert "acceptance): enforced" in told


def test_what_is_left_of_an_article_is_told_in_chinese() -> None:
    code, told = where("YY-41", "--language", "zh")
    assert (code, "参照适用" in told) == (0, True)


@pytest.mark.parametrize(("clause", "code", "words"), [("YY19", 2, "is no clause"), ("YY-43", 1, "no 43")])
def test_what_is_no_clause_is_told(clause: str, code: int, words: str) -> None:
    found, told = where(clause)
    assert (found, words in told) == (code, True)
