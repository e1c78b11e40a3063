"""The shipped policies and examples: whole, consistent, cited to articles that exist."""

import copy
import hashlib
import re
from collections.abc import Iterator
from string import Formatter
from typing import Any

import pytest
import yaml
from rules_support import (
    ROOT,
    at,
    catalog,
    content,
    document,
    documents,
    merged,
    pool,
    quota,
    refusals,
    request,
)

from govpool.api.cloudpolicy import ApplicationType, CloudPolicy, Dimension, MaterialType, Stage
from govpool.api.cloudpool import CloudPool
from govpool.api.cloudresourcerequest import CloudResourceRequest, RequestContent
from govpool.api.crd import custom_resource_definition
from govpool.api.kinds import by_kind
from govpool.messages.rules import TEXTS
from govpool.rules.amounts import amounts
from govpool.rules.change import classify
from govpool.rules.citation import cite, clause
from govpool.rules.quota import check
from govpool.standalone.cel import RuleNode, rule_errors
from govpool.standalone.schema import Schema

POLICIES = ("yiyang-2025", "weihai-2025", "bozhou-2024", "jinan-startup-area-2025", "template")
ARTICLES = {
    "yiyang-2025": (42, {4: 0, 5: 4, 6: 4, 7: 3, 19: 4, 21: 2, 22: 4}),
    "weihai-2025": (37, {5: 7, 6: 3, 8: 3, 9: 3, 10: 2, 19: 4, 35: 3}),
    "bozhou-2024": (42, {7: 6, 8: 3, 9: 3, 10: 2, 26: 2}),
    "jinan-startup-area-2025": (26, {12: 3, 18: 4, 19: 5, 20: 5}),
    "template": (32, {2: 3}),
}
"""Last article, and the number of paragraphs where an article numbers them."""
OWN_KINDS = ("govpool.dev/v1alpha1",)


def policy_manifest(name: str) -> dict[str, Any]:
    return document(f"policies/{name}.yaml", "CloudPolicy")


def cited(value: Any, key: str = "") -> Iterator[str]:
    if isinstance(value, dict):
        for name, member in value.items():
            yield from cited(member, name)
    elif isinstance(value, list):
        for member in value:
            yield from cited(member, key)
    elif key.lower().endswith("article"):
        yield from str(value).split(",")


def refused_by_a_server(manifest: dict[str, Any], old: dict[str, Any] | None = None) -> list[str]:
    """What an API server has against a manifest: unknown fields, its schema, its CEL rules."""
    version = custom_resource_definition(by_kind(manifest["kind"]))["spec"]["versions"][0]
    node = version["schema"]["openAPIV3Schema"]
    schema, new, old = Schema(node), copy.deepcopy(manifest), copy.deepcopy(old)
    found = [f"unknown field {path}" for path in schema.prune(new)]
    for each in (new, old):
        if each is not None:
            schema.default(each)
    found += [str(error) for error in schema.errors(new)]
    return found or [str(error) for error in rule_errors(RuleNode(node, root=True), new, old)]


def shipped() -> Iterator[Any]:
    files = [*(f"policies/{name}.yaml" for name in POLICIES)]
    files += [f"examples/{name}" for name in ("01-supply.yaml", "02-unit.yaml", "03-request.yaml")]
    for file in files:
        for manifest in documents(file):
            if manifest["apiVersion"] in OWN_KINDS:
                yield pytest.param(manifest, id=f"{manifest['kind']}-{manifest['metadata']['name']}")


@pytest.mark.parametrize("manifest", list(shipped()))
def test_a_server_takes_every_manifest_as_it_stands(manifest: dict[str, Any]) -> None:
    assert refused_by_a_server(manifest) == []


def test_a_server_takes_the_patches_one_after_the_other() -> None:
    in_force = document("examples/03-request.yaml", "CloudResourceRequest")
    for name in ("04-change.yaml", "05-deregister.yaml"):
        patched_one = merged(in_force, documents(f"examples/{name}")[0])
        assert refused_by_a_server(patched_one, in_force) == []
        in_force = patched_one


@pytest.mark.parametrize("name", POLICIES)
def test_every_article_that_is_cited_exists(name: str) -> None:
    last, paragraphs = ARTICLES[name]
    found = list(cited(policy_manifest(name)["spec"]))
    assert len(found) > 20
    for article in found:
        parts = re.fullmatch(r"(\d+)(?:\((\d+)\))?", article)
        assert parts is not None, article
        assert 1 <= int(parts[1]) <= last, article
        if parts[2]:
            assert int(parts[2]) <= paragraphs.get(int(parts[1]), 0), article


@pytest.mark.parametrize("name", POLICIES)
def test_every_stage_can_be_cited_in_both_languages(name: str) -> None:
    spec = CloudPolicy.model_validate(policy_manifest(name)).spec
    for procedure in spec.procedures:
        for rule in procedure.stages:
            assert clause(spec, rule.article).startswith(spec.code)
            assert cite(spec, rule.article, "zh").startswith(f"《{spec.title.zh}》第")


@pytest.mark.parametrize("name", POLICIES)
def test_wh_19_3_no_policy_hands_over_without_a_baseline(name: str) -> None:
    for procedure in CloudPolicy.model_validate(policy_manifest(name)).spec.procedures:
        stages = [rule.stage for rule in procedure.stages]
        if Stage.HANDOVER in stages:
            assert stages.index(Stage.BASELINE) < stages.index(Stage.HANDOVER)


@pytest.mark.parametrize("name", POLICIES)
def test_yy_21_2_no_policy_wipes_without_a_backup_or_certifies_without_the_units_word(name: str) -> None:
    spec = CloudPolicy.model_validate(policy_manifest(name)).spec
    stages = [
        rule.stage
        for procedure in spec.procedures
        if procedure.application is ApplicationType.DEREGISTRATION
        for rule in procedure.stages
    ]
    order = [Stage.REVIEW, Stage.BACKUP, Stage.WIPE, Stage.RECLAIM, Stage.TERMINATION, Stage.CERTIFICATE]
    assert stages == order
    assert spec.deregistration.backup_required


def patched(*patches: str) -> CloudResourceRequest:
    every: dict[str, Any] = {}
    for patch in patches:
        every |= documents(f"examples/{patch}")[0]["spec"]
    return request(every)


LIFE: list[tuple[tuple[str, ...], ApplicationType]] = [
    ((), ApplicationType.NEW),
    (("04-change.yaml",), ApplicationType.CHANGE),
    (("04-change.yaml", "05-deregister.yaml"), ApplicationType.DEREGISTRATION),
]


@pytest.mark.parametrize("pool_name", ["local-pool", "fixture-pool"])
def test_the_examples_whole_life_is_admitted_and_fits(pool_name: str) -> None:
    in_force: RequestContent | None = None
    spec = CloudPolicy.model_validate(policy_manifest("yiyang-2025")).spec
    for patches, expected in LIFE:
        patch: dict[str, Any] = {}
        for name in patches:
            patch |= documents(f"examples/{name}")[0]["spec"]
        wanted = content(patch)
        found = classify(in_force, wanted, policy=spec, catalog=catalog())
        assert found.application is expected
        for now in (at("2026-11-21 15:00"), at("2027-03-01 09:00")):
            assert refusals(patch, expected, approved=in_force, pool=pool(pool_name), now=now) == {}
        needed = amounts(wanted, catalog())
        assert check(quota(), pool=pool_name, request_uid="u", needed=needed, policy=spec).fits
        in_force = wanted


def test_the_papers_are_those_that_the_hashes_say() -> None:
    hashes = {
        hashlib.sha256(file.read_bytes()).hexdigest() for file in (ROOT / "examples/papers").glob("*.md")
    }
    last = patched("04-change.yaml", "05-deregister.yaml").spec.materials
    assert {paper.sha256 for paper in last} == hashes


def test_the_example_pools_name_what_is_shipped() -> None:
    for manifest in documents("examples/01-supply.yaml"):
        if manifest["kind"] == "CloudPool":
            spec = CloudPool.model_validate(manifest).spec
            assert spec.policy in POLICIES
            assert spec.catalog == catalog().metadata.name
            assert spec.backup is not None


def test_yy_11_prices_stay_within_their_ceilings_and_names_are_unique() -> None:
    items = catalog().spec.items
    assert len({item.name for item in items}) == len(items)
    for item in items:
        assert item.price_ceiling is None or float(item.price_per_year) <= float(item.price_ceiling)


def placeholders(text: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(text) if name is not None}


@pytest.mark.parametrize("key", sorted(TEXTS))
def test_both_languages_say_the_same_values(key: str) -> None:
    english, chinese = TEXTS[key]
    assert placeholders(english) == placeholders(chinese)
    assert english.isascii()
    assert not chinese.isascii()


def test_every_paper_and_dimension_has_its_text() -> None:
    assert all(f"rules.admission.material-missing.{kind.value}" in TEXTS for kind in MaterialType)
    assert all(f"rules.change.above.{dimension.value}" in TEXTS for dimension in Dimension)


def test_patches_are_patches_of_a_spec_only() -> None:
    for name in ("04-change.yaml", "05-deregister.yaml"):
        (patch,) = yaml.safe_load_all((ROOT / "examples" / name).read_text(encoding="utf-8"))
        assert list(patch) == ["spec"]
