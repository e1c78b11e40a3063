"""docs/write-a-policy.md: its sixth city is a policy that stands, and what it shows is what is told."""

import re
from typing import Any

import yaml
from rules_support import ROOT, documents, merged

from govpool.api.cloudpolicy import CloudPolicySpec
from govpool.cli.policy_file import check_text
from govpool.rules.policy_finding import Sort

GUIDE = (ROOT / "docs/write-a-policy.md").read_text(encoding="utf-8")
FRAGMENTS = [yaml.safe_load(text) for text in re.findall(r"```yaml\n(.*?)```", GUIDE, re.DOTALL)]


def sixth_city() -> dict[str, Any]:
    manifest = documents("policies/template.yaml")[0]
    for fragment in FRAGMENTS:
        manifest = merged(manifest, {"spec": fragment})
    return merged(manifest, {"metadata": {"name": "yunhai-2026"}})


def test_the_last_step_leaves_a_policy_that_stands() -> None:
    assert len(FRAGMENTS) == 6
    (policy,) = check_text(yaml.safe_dump(sixth_city(), allow_unicode=True))
    assert (policy.name, policy.findings) == ("yunhai-2026", ())


def test_the_sixth_city_replaces_every_part_of_the_template() -> None:
    template = documents("policies/template.yaml")[0]["spec"]
    given = {name for fragment in FRAGMENTS for name in fragment}
    assert template.keys() - given == {"timeZone", "calendar"}


def test_the_sorts_that_are_explained_are_those_there_are() -> None:
    explained = re.findall(r"^\| `([a-z ]+)` \|", GUIDE, re.MULTILINE)
    assert explained == [sort.value for sort in Sort]


def test_what_the_draft_shows_is_what_is_told() -> None:
    text = (ROOT / "tests/unit/rules/data/ten-mistakes.yaml").read_text(encoding="utf-8")
    (policy,) = check_text(text)
    told = {
        f"policies/yunhai-2026.yaml:{one.place.line}:{one.place.column}: {one.finding.sort.value}: "
        f"{one.finding.where}: {one.finding.message.render()}"
        for one in policy.findings
    }
    shown = re.findall(r"^    (policies/yunhai-2026\.yaml:\d.*)$", GUIDE, re.MULTILINE)
    assert len(shown) == 10
    assert set(shown) == told


def test_the_records_that_are_listed_are_fields() -> None:
    table = GUIDE.partition("## What the engine does not carry out yet")[2]
    schema = CloudPolicySpec.model_json_schema(by_alias=True)
    for name in re.findall(r"`(?!govpool|TenantQuota|ServiceCatalog)([a-zA-Z.]+)`", table):
        first, _, second = name.partition(".")
        assert first in schema["properties"], name
        assert not second or f'"{second}"' in str(schema["$defs"]).replace("'", '"'), name
