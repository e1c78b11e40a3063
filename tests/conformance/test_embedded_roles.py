"""Embedded only: tokens and the role table."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from govpool.standalone.server import ControlPlane

from .conftest import DEFINITIONS, Api, connect, definition

GROUP = "govpool.dev"
SCHEMA = {
    "type": "object",
    "properties": {
        "spec": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
        "status": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
    },
}
KINDS = {"cloudresourcerequests": "CloudResourceRequest", "approvals": "Approval", "workorders": "WorkOrder"}
USERS = ("admin", "operator", "acceptor", "reviewer", "expert", "provider", "viewer", "unit")


class Everybody:
    def __init__(self, users: dict[str, Api], plane: ControlPlane) -> None:
        self.users, self.plane = users, plane

    def __getitem__(self, name: str) -> Api:
        return self.users[name]


@pytest.fixture
async def users(tmp_path: Path) -> AsyncIterator[Everybody]:
    async with AsyncExitStack() as stack:
        plane = await stack.enter_async_context(ControlPlane(tmp_path / "state", unit_namespace="bureau"))
        found = {u: await stack.enter_async_context(connect(plane.kubeconfig(u))) for u in USERS}
        admin = found["admin"]
        for name in ("bureau", "other"):
            await admin.post("/api/v1/namespaces", {"metadata": {"name": name}})
        for plural, kind in KINDS.items():
            crd = definition(GROUP, plural, kind, SCHEMA, subresources={"status": {}})
            assert (await admin.post(DEFINITIONS, crd)).code == 201
        crd = definition(GROUP, "cloudpools", "CloudPool", SCHEMA, scope="Cluster")
        assert (await admin.post(DEFINITIONS, crd)).code == 201
        for space in ("bureau", "other"):
            for plural in KINDS:
                assert (await admin.post(_path(plural, space), _body(plural))).code == 201
        await admin.post("/api/v1/namespaces/bureau/secrets", {"metadata": {"name": "s"}})
        yield Everybody(found, plane)


def _path(plural: str, space: str = "bureau", name: str = "") -> str:
    return f"/apis/{GROUP}/v1/namespaces/{space}/{plural}" + (f"/{name}" if name else "")


def _body(plural: str, name: str = "a") -> dict[str, object]:
    return {"apiVersion": f"{GROUP}/v1", "kind": KINDS[plural], "metadata": {"name": name}, "spec": {"x": 1}}


REQUESTS = "cloudresourcerequests"
# user, method, path, allowed
TABLE = [
    ("admin", "GET", "/api/v1/secrets", True),
    ("admin", "GET", DEFINITIONS, True),
    ("operator", "GET", "/api/v1/secrets", True),
    ("operator", "GET", _path("workorders"), True),
    ("operator", "PATCH", _path(REQUESTS, name="a/status"), True),
    ("operator", "DELETE", _path("workorders", name="a"), True),
    ("operator", "GET", "/api/v1/namespaces", True),
    ("operator", "GET", DEFINITIONS, True),
    ("operator", "DELETE", "/api/v1/namespaces/bureau", False),
    ("operator", "DELETE", f"{DEFINITIONS}/approvals.{GROUP}", False),
    ("operator", "GET", "/api/v1/serviceaccounts", False),
    ("acceptor", "GET", f"/apis/{GROUP}/v1/{REQUESTS}", True),
    ("acceptor", "PATCH", _path("approvals", name="a"), True),
    ("acceptor", "PATCH", _path("approvals", name="a/status"), False),
    ("acceptor", "DELETE", _path("approvals", name="a"), False),
    ("acceptor", "PATCH", _path(REQUESTS, name="a"), False),
    ("acceptor", "GET", "/api/v1/namespaces/bureau/secrets", False),
    ("reviewer", "PATCH", _path("approvals", name="a"), True),
    ("reviewer", "PATCH", _path(REQUESTS, name="a"), False),
    ("reviewer", "GET", "/api/v1/secrets", False),
    ("expert", "PATCH", _path("approvals", name="a"), True),
    ("expert", "PATCH", _path("workorders", name="a"), False),
    ("provider", "PATCH", _path("workorders", name="a"), True),
    ("provider", "PATCH", _path("workorders", name="a/status"), False),
    ("provider", "PATCH", _path("approvals", name="a"), False),
    ("provider", "GET", "/api/v1/secrets", False),
    ("viewer", "GET", _path(REQUESTS), True),
    ("viewer", "PATCH", _path(REQUESTS, name="a"), False),
    ("viewer", "GET", "/api/v1/secrets", False),
    ("unit", "GET", _path(REQUESTS), True),
    ("unit", "GET", _path("workorders"), True),
    ("unit", "GET", f"/apis/{GROUP}/v1/cloudpools", True),
    ("unit", "PATCH", _path(REQUESTS, name="a"), True),
    ("unit", "DELETE", _path(REQUESTS, name="a"), True),
    ("unit", "PATCH", _path(REQUESTS, name="a/status"), False),
    ("unit", "GET", _path(REQUESTS, "other"), False),
    ("unit", "PATCH", _path(REQUESTS, "other", "a"), False),
    ("unit", "GET", f"/apis/{GROUP}/v1/{REQUESTS}", False),
    ("unit", "PATCH", _path("approvals", name="a"), False),
    ("unit", "DELETE", f"/apis/{GROUP}/v1/cloudpools/x", False),
    ("unit", "GET", "/api/v1/namespaces/bureau/secrets", False),
    ("unit", "GET", "/api/v1/namespaces/bureau", True),
    ("unit", "GET", "/api/v1/namespaces", False),
    ("unit", "GET", "/api/v1/namespaces/other", False),
]


async def test_role_table(users: Everybody) -> None:
    wrong = []
    for user, method, path, allowed in TABLE:
        body = {"spec": {"y": 1}} if method == "PATCH" else None
        media = "application/merge-patch+json" if method == "PATCH" else "application/json"
        reply = await users[user].request(method, path, body, media=media, dryRun="All")
        if (
            (reply.code != 403) is not allowed
            or reply.code >= 500
            or (allowed and reply.code not in (200, 404))
        ):
            wrong.append((user, method, path, reply.code, reply.message))
    assert wrong == []


async def test_refusal_in_upstream_words(users: Everybody) -> None:
    reply = await users["acceptor"].post(_path(REQUESTS), _body(REQUESTS, "b"))
    assert (reply.code, reply.reason) == (403, "Forbidden")
    assert reply.message == (
        f'{REQUESTS}.{GROUP} is forbidden: User "acceptor" cannot create resource "{REQUESTS}" in API group'
        f' "{GROUP}" in the namespace "bureau"'
    )
    reply = await users["unit"].get("/api/v1/namespaces")
    assert reply.message == (
        'namespaces is forbidden: User "unit" cannot list resource "namespaces" in API group "" at the '
        "cluster scope"
    )
    assert reply.body["details"] == {"kind": "namespaces"}


async def test_decision_writes_spec_only(users: Everybody) -> None:
    reply = await users["reviewer"].patch(
        _path("approvals", name="a"), {"spec": {"decisions": [1]}, "status": {"state": "Approved"}}
    )
    assert reply.code == 200
    assert "status" not in reply.body


async def test_tokens(users: Everybody) -> None:
    api = users["admin"]
    for header in ("Bearer nonsense", "Bearer ", "Basic YTpi"):
        reply = await api.get("/api/v1/namespaces", headers={"Authorization": header})
        assert (reply.code, reply.reason, reply.message) == (401, "Unauthorized", "Unauthorized")


async def test_more_users(users: Everybody) -> None:
    path = users.plane.add_user("li", ["govpool:unit"], "other")
    async with connect(path) as api:
        assert (await api.get(_path(REQUESTS, "other"))).code == 200
        assert (await api.get(_path(REQUESTS, "bureau"))).code == 403
        users.plane.add_user("li", ["govpool:viewer"])
        assert (await api.get(_path(REQUESTS, "bureau"))).code == 200


async def test_can_i(users: Everybody) -> None:
    attributes = {"verb": "update", "group": GROUP, "resource": REQUESTS, "namespace": "bureau"}
    body = {"spec": {"resourceAttributes": attributes}}
    path = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
    assert (await users["unit"].post(path, body)).body["status"]["allowed"] is True
    attributes["subresource"] = "status"
    assert (await users["unit"].post(path, body)).body["status"]["allowed"] is False


async def test_service_account_tokens(users: Everybody) -> None:
    admin = users["admin"]
    accounts = "/api/v1/namespaces/bureau/serviceaccounts"
    await admin.post(accounts, {"metadata": {"name": "robot"}})
    ask = {
        "apiVersion": "authentication.k8s.io/v1",
        "kind": "TokenRequest",
        "spec": {"expirationSeconds": 3600},
    }
    reply = await admin.post(f"{accounts}/robot/token", ask)
    assert reply.code == 201, reply.message
    token = reply.body["status"]["token"]
    headers = {"Authorization": f"Bearer {token}"}
    me = await admin.post("/apis/authentication.k8s.io/v1/selfsubjectreviews", {}, headers=headers)
    info = me.body["status"]["userInfo"]
    assert info["username"] == "system:serviceaccount:bureau:robot"
    assert "system:serviceaccounts:bureau" in info["groups"]
    assert (await admin.get(_path(REQUESTS), headers=headers)).code == 403
    await admin.delete(f"{accounts}/robot")
    assert (await admin.get("/version", headers=headers)).code == 401
    assert (await users["viewer"].post(f"{accounts}/robot/token", ask)).code == 403


async def test_impersonation_is_for_admins(users: Everybody) -> None:
    headers = {"Impersonate-User": "unit", "Impersonate-Group": "govpool:unit"}
    admin = users["admin"]
    assert (await admin.get(_path(REQUESTS), headers=headers)).code == 200
    assert (await admin.get(_path(REQUESTS, "other"), headers=headers)).code == 403
    reply = await users["operator"].get(_path(REQUESTS), headers=headers)
    assert reply.code == 403
    assert 'User "operator" cannot impersonate resource "users"' in reply.message
    nobody = {"Impersonate-User": "unit"}
    assert (await admin.get(_path(REQUESTS), headers=nobody)).code == 403
