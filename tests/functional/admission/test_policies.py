"""Who may write what: attempts of users against the admission policies."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from door import MANAGER, REPOSITORY, RUNS, Server, collection, documents
from rule_cases import Obj, bases, edited
from tenacity import retry, retry_if_result, stop_after_delay, wait_fixed

TABLE = yaml.safe_load((Path(__file__).parent / "policies.yaml").read_text(encoding="utf-8"))
REPORT: Obj = {
    "apiVersion": "v1",
    "kind": "ConfigMap",
    "metadata": {"name": "run-1", "namespace": RUNS},
    "data": {},
}
"""What the Job of a work order fills in."""
POLICIES = sorted((REPOSITORY / "crds/admission").glob("*.yaml"))


@pytest.fixture(scope="module")
def guarded(server: Server) -> Iterator[Server]:
    """The server with the policies in force; afterwards they are taken away again."""
    objects = [each for path in POLICIES for each in documents(path)]
    for each in objects:
        applied = server.apply(each)
        assert applied.code in (200, 201), applied.message
    _until_in_force(server)
    yield server
    for each in objects:
        plural = each["kind"].lower().removesuffix("y") + ("ies" if each["kind"].endswith("y") else "s")
        server.send("DELETE", f"/apis/admissionregistration.k8s.io/v1/{plural}/{each['metadata']['name']}")


@retry(stop=stop_after_delay(60), wait=wait_fixed(0.2), retry=retry_if_result(lambda ready: not ready))
def _until_in_force(server: Server) -> bool:
    """A real server takes a moment to load policies: each is there once it refuses what it must."""
    probes = [case for case in TABLE["cases"] if "refused" in case and "old" not in case]
    return all(
        server.send(
            "POST",
            f"{_collection(case)}?dryRun=All&fieldManager={MANAGER}",
            _object(case, "new"),
            user=case["user"],
        ).code
        >= 400
        for case in probes
    )


def _collection(case: Obj) -> str:
    return collection(_base(case))


def _base(case: Obj) -> Obj:
    return REPORT if case["kind"] == REPORT["kind"] else bases()[case["kind"]]


def _object(case: Obj, which: str) -> Obj:
    edits = json.loads(json.dumps(case[which]).replace("{root}", "root"))
    return edited(_base(case), edits)


@pytest.mark.parametrize("case", TABLE["cases"], ids=lambda case: case["name"])
def test_a_user_may_do_what_the_table_says(guarded: Server, case: Obj) -> None:
    stored = _object(case, "old") if "old" in case else None
    held = stored or _object(case, "new")
    try:
        if stored is not None:
            _store(guarded, stored)
        user = case["user"]
        if case.get("delete"):
            answer = guarded.delete(stored, user=user)
        elif stored is None:
            answer = guarded.create(_object(case, "new"), user=user)
        else:
            answer = guarded.replace(_object(case, "new"), user=user, subresource=case.get("subresource", ""))
        if "refused" in case:
            assert answer.code in (403, 422), answer.body
            assert case["refused"] in answer.message
        else:
            assert answer.code < 300, answer.message
    finally:
        guarded.clear(held)


def _store(server: Server, obj: Obj) -> None:
    """Put the object there in the name of whom it says; confirmations and decisions are signed."""
    if "spec" not in obj:
        made = server.create(obj)
        assert made.code == 201, made.message
        return
    signed = {
        entry["by"]
        for entry in (
            *obj["spec"].get("decisions", []),
            *(c for c in obj["spec"].get("confirmations", {}).values() if isinstance(c, dict)),
            *(e for c in obj["spec"].get("confirmations", {}).values() if isinstance(c, list) for e in c),
        )
    }
    bare = {**obj, "spec": {k: v for k, v in obj["spec"].items() if k not in ("decisions", "confirmations")}}
    made = server.create(bare)
    assert made.code == 201, made.message
    if "status" in obj:
        seen = server.replace(obj, subresource="status")
        assert seen.code == 200, seen.message
    for by in sorted(signed):
        signer = by if by in server.clients or by in server.impersonated else None
        assert signer is not None, f"{by} is no user of the table"
        given = server.replace(obj, user=signer)
        assert given.code == 200, given.message


def test_every_policy_has_a_binding_that_denies() -> None:
    objects = [each for path in POLICIES for each in documents(path)]
    policies = {each["metadata"]["name"] for each in objects if each["kind"] == "ValidatingAdmissionPolicy"}
    bound = {
        each["spec"]["policyName"]
        for each in objects
        if each["kind"] == "ValidatingAdmissionPolicyBinding" and "Deny" in each["spec"]["validationActions"]
    }
    assert policies == bound


def test_every_refusal_of_every_policy_is_tried() -> None:
    refused = [case["refused"] for case in TABLE["cases"] if "refused" in case]
    objects = [each for path in POLICIES for each in documents(path)]
    for policy in (each for each in objects if each["kind"] == "ValidatingAdmissionPolicy"):
        for validation in policy["spec"]["validations"]:
            said = f"{validation['message']} {validation.get('messageExpression', '')}"
            tried = [part for part in refused if part in said or part.rpartition(" ")[0] in said]
            assert tried, said
