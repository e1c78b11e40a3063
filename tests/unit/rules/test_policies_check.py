"""``govpool policy check``: every sort of finding, each where it is, and none where nothing is wrong."""

import copy
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from rules_support import ROOT, Obj, document, merged
from test_policies_meaning import OF_THE_FILE
from typer.testing import CliRunner

from govpool.cli.main import app
from govpool.cli.policy_file import CheckedPolicy, check_text
from govpool.cli.yaml_places import NotYamlError, Place, documents
from govpool.rules.policy_finding import Sort

DATA = Path(__file__).parent / "data"
SHIPPED = sorted((ROOT / "policies").glob("*.yaml"))
TEMPLATE = document("policies/template.yaml", "CloudPolicy")["spec"]
NEW = 0


def kept(file: Path) -> set[str]:
    """What each shipped policy states and the engine keeps as a record only."""
    del file
    return set()


def checked(manifest: Obj) -> CheckedPolicy:
    (policy,) = check_text(yaml.safe_dump(manifest, allow_unicode=True))
    return policy


def manifest(spec: Obj, **more: Any) -> Obj:
    head = {"apiVersion": "govpool.dev/v1alpha1", "kind": "CloudPolicy", "metadata": {"name": "yunhai-2026"}}
    return head | more | {"spec": spec}


# -- what ships ----------------------------------------------------------------------------------
@pytest.mark.parametrize("file", SHIPPED, ids=lambda file: file.stem)
def test_what_ships_has_nothing_to_mend(file: Path) -> None:
    (policy,) = check_text(file.read_text(encoding="utf-8"))
    assert policy.name == file.stem
    assert policy.mistakes == 0
    assert {located.finding.where for located in policy.findings} == kept(file)


def test_there_are_five_policies() -> None:
    assert len(SHIPPED) == 5


# -- ten mistakes --------------------------------------------------------------------------------
def marked(text: str) -> list[tuple[int, str]]:
    lines = ((number, line.partition("# mistake: ")[2]) for number, line in enumerate(text.splitlines(), 1))
    return [(number, words) for number, words in lines if words]


def test_ten_mistakes_get_ten_messages_each_on_its_line() -> None:
    text = (DATA / "ten-mistakes.yaml").read_text(encoding="utf-8")
    expected = marked(text)
    assert len(expected) == 10
    (policy,) = check_text(text)
    told = [(found.place.line, found.finding.message.render()) for found in policy.findings]
    assert [line for line, _ in told] == [line for line, _ in expected]
    for (_, message), (_, words) in zip(told, expected, strict=True):
        assert words in message


def test_the_command_tells_file_line_and_column() -> None:
    file = DATA / "ten-mistakes.yaml"
    result = CliRunner().invoke(app, ["policy", "check", str(file), "--language", "en"])
    assert result.exit_code == 1
    lines = result.output.splitlines()
    assert len(lines) == 11
    assert lines[0].startswith(f"{file}:16:3: wrong: spec.effectiveUntil: ")
    assert lines[-1] == f"{file}: yunhai-2026: 10 to mend"


def test_the_command_is_content_with_what_ships_and_speaks_chinese() -> None:
    files = [str(file) for file in SHIPPED]
    result = CliRunner().invoke(app, ["policy", "check", *files, "--language", "zh"])
    assert result.exit_code == 0
    assert result.output.count("nothing to mend") == len(files)
    mistaken = CliRunner().invoke(
        app, ["policy", "check", str(DATA / "ten-mistakes.yaml"), "--language", "zh"]
    )
    assert any("一" <= letter <= "鿿" for letter in mistaken.output)


@pytest.mark.parametrize(
    ("text", "code", "words"),
    [
        ("kind: [", 1, ":1:8: not YAML"),
        ("spec:\n  code：YY\n  timeZone: UTC\n", 1, ":2:7: not YAML: a full-width colon"),
        ("spec:\n\tcode: YY\n", 1, ":2:1: not YAML: a tab"),
        ("a: &x [*x]", 1, "not YAML: an alias names what it stands in"),
        ("kind: Namespace\n", 2, "holds no CloudPolicy"),
        ("", 2, "holds no CloudPolicy"),
        (None, 2, "No such file"),
    ],
)
def test_the_command_tells_a_file_that_it_cannot_check(
    tmp_path: Path, text: str | None, code: int, words: str
) -> None:
    file = tmp_path / "policy.yaml"
    if text is not None:
        file.write_text(text, encoding="utf-8")
    result = CliRunner().invoke(app, ["policy", "check", str(file)])
    assert result.exit_code == code
    assert words in result.output


# -- places --------------------------------------------------------------------------------------
def test_every_value_has_its_line_and_dates_stay_text() -> None:
    (read,) = documents("---\na:\n  b: 2026-01-01\n  c: [x, {d: 1}]\n---\n")
    assert read.value == {"a": {"b": "2026-01-01", "c": ["x", {"d": 1}]}}
    assert read.place(("a", "b")) == Place(3, 3)
    assert read.place(("a", "c", 1, "d")) == Place(4, 11)
    assert read.place(("a", "missing", "too")) == Place(2, 1)


def test_of_a_field_given_twice_the_last_counts_and_has_the_place() -> None:
    (read,) = documents("a: {x: 1}\nb: 1\na: 2\n")
    assert read.value == {"a": 2, "b": 1}
    assert (read.twice, read.place(("a",))) == ([("a",)], Place(3, 1))


def test_an_alias_and_a_merge_are_followed() -> None:
    (read,) = documents("base: &b {x: 1, y: 2}\nother:\n  <<: *b\n  z: 3\n")
    assert read.value == {"base": {"x": 1, "y": 2}, "other": {"x": 1, "y": 2, "z": 3}}


def test_a_text_that_is_no_yaml_has_a_place() -> None:
    with pytest.raises(NotYamlError) as caught:
        list(documents("a:\n\tb: 1\n"))
    assert caught.value.place == Place(2, 1)


# -- the form, as an API server checks it --------------------------------------------------------
FORM: list[tuple[str, Obj, str, str]] = [
    ("unknown-field", {"quotaArticel": "3"}, "spec.quotaArticel", "quotaArticel: is quotaArticle"),
    ("unknown-field", {"xyz": 3}, "spec.xyz", "no field xyz. `kubectl"),
    ("field-missing", {"billing": {"startsOn": None}}, "spec.billing.startsOn", "startsOn must be given"),
    ("field-missing", {"change": {"article": None}}, "spec.change.article", "article must be given"),
    ("not-one-of", {"billing": {"startsOn": "Never"}}, "spec.billing.startsOn", "none of the values"),
    ("duration-form", {"trial": {"duration": "30 days"}}, "spec.trial.duration", "thirty days as P30D"),
    ("article-form", {"change": {"article": "art. 19"}}, "spec.change.article", "write 19 for an article"),
    (
        "duration-form",
        {"providerExit": {"transition": 6, "article": "1"}},
        "spec.providerExit.transition",
        "P3M",
    ),
    ("at-most", {"baseline": {"minScore": 101}}, "spec.baseline.minScore", "can't be 101: 100 at most"),
    (
        "at-least",
        {"execution": {"new": {"workingDays": 0}}},
        "spec.execution.new.workingDays",
        "can't be 0: 1 at least",
    ),
    (
        "integer-form",
        {"baseline": {"minScore": "90"}},
        "spec.baseline.minScore",
        '"90": write a whole number',
    ),
    ("boolean-form", {"change": {"allAreMajor": "是"}}, "spec.change.allAreMajor", "true or false"),
    ("date-form", {"effectiveFrom": "2026/1/1"}, "spec.effectiveFrom", "write a day as 2026-01-31"),
    ("object-form", {"execution": {"new": "P10D"}}, "spec.execution.new", "fields of its own (workingDays)"),
    ("list-form", {"calendar": {"workdays": "no"}}, "spec.calendar.workdays", "it is a list"),
    ("code-form", {"code": "益阳"}, "spec.code", "one to four capital letters"),
    ("country-form", {"calendar": {"country": "CHINA"}}, "spec.calendar.country", "two letters of ISO 3166"),
    ("no-day", {"billing": {"yearStarts": "02-30"}}, "spec.billing.yearStarts", "no year has the day 02-30"),
    ("malformed", {"documentNumber": ""}, "spec.documentNumber", "documentNumber is not written"),
    ("rule-broken", {"effectiveUntil": "2025-12-31"}, "spec.effectiveUntil", "later than effectiveFrom"),
    (
        "rule-broken",
        {"deregistration": {"wipe": {"verification": "Sampled"}}},
        "spec.deregistration.wipe.samplePercent",
        "states its samplePercent",
    ),
]


@pytest.mark.parametrize(("key", "patch", "where", "words"), FORM)
def test_what_a_server_would_refuse(key: str, patch: Obj, where: str, words: str) -> None:
    policy = checked(manifest(merged(TEMPLATE, patch)))
    told = {found.finding.where: found.finding for found in policy.findings}
    assert told[where].message.key.startswith(f"policy.{key}")
    assert told[where].sort is Sort.WRONG
    assert words in told[where].message.render()
    assert policy.mistakes == 1


def test_a_field_in_another_spelling_is_one_mistake() -> None:
    patch = {"change": {"article": None, "artcle": "20"}}
    (told,) = checked(manifest(merged(TEMPLATE, patch))).findings
    assert told.finding.message.key == "policy.unknown-field-near"


def test_a_number_where_text_is_meant_wants_quotes_and_hides_nothing_else() -> None:
    patch = {"execution": {"article": 18}, "documentNumber": 7, "admission": {"maxProtectionLevel": 5}}
    policy = checked(manifest(merged(TEMPLATE, patch)))
    assert {found.finding.where: found.finding.message.key for found in policy.findings} == {
        "spec.execution.article": "policy.quote",
        "spec.documentNumber": "policy.quote",
        "spec.admission.maxProtectionLevel": "policy.level-beyond",
    }


def test_a_stage_that_cannot_be_read_is_not_called_missing() -> None:
    spec = copy.deepcopy(TEMPLATE)
    spec["procedures"][NEW]["stages"][3]["stage"] = "Provison"
    (told,) = checked(manifest(spec)).findings
    assert told.finding.where == "spec.procedures[0].stages[3].stage"
    assert "is Provision meant?" in told.finding.message.render()


def test_what_follows_from_a_stage_that_cannot_be_read_is_not_told() -> None:
    spec = copy.deepcopy(TEMPLATE)
    spec["procedures"][NEW]["stages"][-1]["stage"] = "Handshake"
    (told,) = checked(manifest(spec)).findings
    assert told.finding.message.key == "policy.not-one-of"


def test_after_an_item_that_cannot_be_read_the_others_keep_their_places() -> None:
    spec = copy.deepcopy(TEMPLATE)
    spec["deregistration"]["reasons"] = ["Boredom", "NoLongerNeeded", "NoLongerNeeded"]
    told = [found.finding.where for found in checked(manifest(spec)).findings]
    assert told == ["spec.deregistration.reasons[0]", "spec.deregistration.reasons[2]"]


def test_a_policy_of_which_little_is_left_is_judged_as_far_as_it_goes() -> None:
    spec = {name: value for name, value in TEMPLATE.items() if name != "billing"}
    keys = [found.finding.message.key for found in checked(manifest(spec)).findings]
    assert sorted(keys) == ["policy.field-missing", "policy.not-judged"]


def test_a_name_that_is_no_text_is_told() -> None:
    policy = checked(manifest(TEMPLATE, metadata={"name": 5}))
    assert {found.finding.where for found in policy.findings} == {"metadata", "spec"}
    assert policy.mistakes == 2


def test_the_head_of_a_manifest_is_looked_at() -> None:
    policy = checked(manifest(TEMPLATE, apiVersion="govpool.dev/v1", metadata={}))
    assert {found.finding.where for found in policy.findings} >= {"apiVersion", "metadata"}


def test_every_text_about_a_file_is_told_by_a_test() -> None:
    told = {key for key, *_ in FORM} | {"duplicate-key", "quote", "not-judged", "tab", "full-width-colon"}
    assert told == OF_THE_FILE


# -- whatever is done to a policy, it is answered ------------------------------------------------
def paths(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(found for name, member in inner for found in paths(member, (*path, name)))]


PATHS = [path for path in paths(manifest(TEMPLATE)) if path and path[0] == "spec"]
VALUES = st.sampled_from([None, 0, 7, "", "x", "P1M", True, [], {}, ["x"], {"stage": "Wipe"}])


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(PATHS), VALUES), min_size=1, max_size=3))
def test_a_mutilated_policy_is_answered_with_findings(edits: list[tuple[tuple[Any, ...], Any]]) -> None:
    broken = manifest(copy.deepcopy(TEMPLATE))
    for path, value in edits:
        target: Any = broken
        for step in path[:-1]:
            target = target[step] if _holds(target, step) else None
        if _holds(target, path[-1]):
            target[path[-1]] = value
    for located in checked(broken).findings:
        assert located.place.line >= 1
        assert located.finding.message.render()


def _holds(target: Any, step: Any) -> bool:
    if isinstance(target, list):
        return isinstance(step, int) and step < len(target)
    return isinstance(target, dict) and step in target
