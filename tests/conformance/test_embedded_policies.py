"""Embedded only: ValidatingAdmissionPolicies over requests of several users."""

from __future__ import annotations

from typing import Any

import pytest

from .conftest import DEFINITIONS, Api, Obj, Reply, definition
from .test_embedded_roles import GROUP, Everybody, users

__all__ = ["users"]

VAP = "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicies"
BIND = "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicybindings"
APPROVALS = f"/apis/{GROUP}/v1/namespaces/bureau/approvals"


def policy(name: str, *validations: Obj, operations: list[str] | None = None, **spec: Any) -> Obj:
    rule = {
        "apiGroups": [GROUP], "apiVersions": ["*"], "operations": operations or ["CREATE", "UPDATE"],
        "resources": ["approvals"],
    }  # fmt: skip
    body = {"matchConstraints": {"resourceRules": [rule]}, "validations": list(validations)}
    return {"metadata": {"name": name}, "spec": body | spec}


async def enforce(api: Api, body: Obj, *actions: str, **spec: Any) -> None:
    reply = await api.post(VAP, body)
    assert reply.code == 201, reply.message
    name = body["metadata"]["name"]
    binding = {"policyName": name, "validationActions": list(actions) or ["Deny"]}
    assert (await api.post(BIND, {"metadata": {"name": f"{name}-bound"}, "spec": binding | spec})).code == 201


NEW = (
    "object.spec.decisions.filter(d, !has(oldObject.spec.decisions) || !(d in oldObject.spec.decisions))"
    ".all(d, d.by == request.userInfo.username)"
)


async def decide(api: Api, *decisions: Obj) -> Reply:
    return await api.patch(f"{APPROVALS}/a", {"spec": {"decisions": list(decisions)}})


async def test_a_decision_carries_its_author(users: Everybody) -> None:
    admin = users["admin"]
    condition = {"name": "decided", "expression": "has(object.spec.decisions)"}
    await enforce(
        admin,
        policy(
            "own-name", {"expression": NEW, "message": "sign with your own name"}, matchConditions=[condition]
        ),
    )
    assert (await decide(users["acceptor"], {"by": "acceptor", "step": "accept"})).code == 200
    reply = await decide(
        users["reviewer"], {"by": "acceptor", "step": "accept"}, {"by": "acceptor", "step": "review"}
    )
    assert (reply.code, reply.reason) == (422, "Invalid")
    assert reply.message == (
        f"approvals.{GROUP} \"a\" is forbidden: ValidatingAdmissionPolicy 'own-name' with binding "
        "'own-name-bound'"
        " denied request: sign with your own name"
    )
    mine = {"by": "reviewer", "step": "review"}
    assert (await decide(users["reviewer"], {"by": "acceptor", "step": "accept"}, mine)).code == 200
    assert (await admin.patch(f"{APPROVALS}/a", {"metadata": {"labels": {"x": "y"}}})).code == 200


async def test_groups_variables_and_reasons(users: Everybody) -> None:
    admin = users["admin"]
    await enforce(
        admin,
        policy(
            "by-role",
            {
                "expression": "variables.reviewing ? 'govpool:reviewer' in request.userInfo.groups : true",
                "messageExpression": "request.userInfo.username + ' may not review'",
                "reason": "Forbidden",
            },
            variables=[{"name": "reviewing", "expression": "has(object.spec.review) && object.spec.review"}],
        ),
    )
    reply = await users["acceptor"].patch(f"{APPROVALS}/a", {"spec": {"review": True}})
    assert (reply.code, reply.reason) == (403, "Forbidden")
    assert reply.message.endswith("denied request: acceptor may not review")
    assert (await users["reviewer"].patch(f"{APPROVALS}/a", {"spec": {"review": True}})).code == 200


async def test_warn_and_audit_do_not_deny(users: Everybody) -> None:
    await enforce(users["admin"], policy("soft", {"expression": "false", "message": "hm"}), "Warn", "Audit")
    reply = await users["reviewer"].patch(f"{APPROVALS}/a", {"spec": {"n": 1}})
    assert reply.code == 200
    warning = "Validation failed for ValidatingAdmissionPolicy 'soft' with binding 'soft-bound': hm"
    assert reply.warnings == [f'299 - "{warning}"']


@pytest.mark.parametrize(("failure", "code"), [("Fail", 422), ("Ignore", 200)])
async def test_failure_policy(users: Everybody, failure: str, code: int) -> None:
    body = policy("broken", {"expression": "object.spec.nothing.here == 1"}, failurePolicy=failure)
    await enforce(users["admin"], body)
    reply = await users["reviewer"].patch(f"{APPROVALS}/a", {"spec": {"n": 1}})
    assert reply.code == code
    if code == 422:
        assert (
            "expression 'object.spec.nothing.here == 1' resulted in error: no such key: nothing"
            in reply.message
        )


async def test_delete_and_status_are_operations_of_their_own(users: Everybody) -> None:
    admin = users["admin"]
    await enforce(admin, policy("keep", {"expression": "oldObject.spec.x != 1"}, operations=["DELETE"]))
    assert (await admin.patch(f"{APPROVALS}/a", {"spec": {"n": 1}})).code == 200
    assert (await admin.patch(f"{APPROVALS}/a/status", {"status": {"n": 1}})).code == 200
    reply = await admin.delete(f"{APPROVALS}/a")
    assert reply.code == 422
    assert "failed expression: oldObject.spec.x != 1" in reply.message
    await admin.patch(f"{APPROVALS}/a", {"spec": {"x": 2}})
    assert (await admin.delete(f"{APPROVALS}/a")).code == 200


async def test_selectors_and_unbinding(users: Everybody) -> None:
    admin = users["admin"]
    await admin.patch("/api/v1/namespaces/other", {"metadata": {"labels": {"strict": "yes"}}})
    limits = {"namespaceSelector": {"matchLabels": {"strict": "yes"}}}
    await enforce(admin, policy("strict", {"expression": "false"}), matchResources=limits)
    there = APPROVALS.replace("bureau", "other")
    assert (await admin.patch(f"{APPROVALS}/a", {"spec": {"n": 1}})).code == 200
    assert (await admin.patch(f"{there}/a", {"spec": {"n": 1}})).code == 422
    await admin.delete(f"{BIND}/strict-bound")
    assert (await admin.patch(f"{there}/a", {"spec": {"n": 1}})).code == 200


async def test_policy_that_does_not_compile(users: Everybody) -> None:
    reply = await users["admin"].post(VAP, policy("bad", {"expression": "object.spec ==="}))
    assert reply.code == 422
    assert reply.causes[0]["field"] == "spec.validations[0].expression"
    assert "compilation failed" in reply.message
    reply = await users["admin"].post(VAP, policy("bad", {"expression": "who.knows == 1"}))
    assert "undeclared reference to 'who'" in reply.message


async def test_params(users: Everybody) -> None:
    admin = users["admin"]
    await admin.post(
        "/api/v1/namespaces/bureau/configmaps", {"metadata": {"name": "limit"}, "data": {"max": "5"}}
    )
    body = policy(
        "limited", {"expression": "!has(object.spec.n) || object.spec.n <= int(params.data.max)"},
        paramKind={"apiVersion": "v1", "kind": "ConfigMap"},
    )  # fmt: skip
    await enforce(admin, body, paramRef={"name": "limit", "parameterNotFoundAction": "Deny"})
    assert (await admin.patch(f"{APPROVALS}/a", {"spec": {"n": 5}})).code == 200
    assert (await admin.patch(f"{APPROVALS}/a", {"spec": {"n": 6}})).code == 422


async def test_policies_do_not_bind_themselves(users: Everybody) -> None:
    admin = users["admin"]
    everything = {"apiGroups": ["*"], "apiVersions": ["*"], "operations": ["*"], "resources": ["*"]}
    body = policy("all", {"expression": "false"})
    body["spec"]["matchConstraints"]["resourceRules"] = [everything]
    await enforce(admin, body)
    crd = definition("z.conformance.dev", "zs", "Z", {"type": "object"})
    assert (await admin.post(DEFINITIONS, crd)).code == 422
    assert (await admin.delete(f"{BIND}/all-bound")).code == 200
