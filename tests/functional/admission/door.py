"""A server to knock at: the embedded control plane, and with KUBECONFIG set that cluster as well."""

from __future__ import annotations

import asyncio
import json
import os
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml
from kubernetes import config
from kubernetes.client import ApiClient
from rule_cases import Obj
from tenacity import retry, retry_if_result, stop_after_delay, wait_fixed

from govpool.api.base import GROUP, VERSION
from govpool.api.kinds import by_kind
from govpool.standalone.server import ControlPlane

REPOSITORY = Path(__file__).parents[3]
NAMESPACE = "bureau"
RUNS = "govpool-runs"
"""Where the Jobs of work orders run."""
MANAGER = "rule-tests"
RBAC = "rbac.authorization.k8s.io"
JSON = "application/json"
CAN_WRITE = "govpool:admin"
"""The embedded control plane's group that may write everything; the policies do not know it."""


@dataclass
class Answer:
    """A server's answer."""

    code: int
    body: Obj

    @property
    def message(self) -> str:
        return str(self.body.get("message", ""))


@dataclass
class Server:
    """One API server and the users that it knows."""

    clients: dict[str, ApiClient]
    impersonated: dict[str, list[str]] = field(default_factory=dict)
    """Users of a real server: the groups with which its administrator speaks in their name."""
    kubeconfigs: dict[str, Path] = field(default_factory=dict)

    def send(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        user: str = "root",
        content: str = "application/json",
    ) -> Answer:
        client = self.clients.get(user) or self.clients["root"]
        headers = {"Content-Type": content, "Accept": "application/json"}
        for proof in client.configuration.auth_settings().values():
            headers[proof["key"]] = proof["value"]
        if user in self.impersonated:
            headers |= {"Impersonate-User": user, "Impersonate-Group": self.impersonated[user][0]}
        response = client.call_api(method, client.configuration.host + path, header_params=headers, body=body)
        raw = response.read()
        return Answer(response.status, json.loads(raw) if raw else {})

    def apply(self, obj: Obj) -> Answer:
        """Server-side apply of any object, as `kubectl apply --server-side` does."""
        group, _, version = obj["apiVersion"].rpartition("/")
        plural = {
            "CustomResourceDefinition": "customresourcedefinitions",
            "ClusterRoleBinding": "clusterrolebindings",
            "Namespace": "namespaces",
            "ValidatingAdmissionPolicy": "validatingadmissionpolicies",
            "ValidatingAdmissionPolicyBinding": "validatingadmissionpolicybindings",
        }[obj["kind"]]
        root = f"/apis/{group}/{version}" if group else f"/api/{version}"
        return self.send(
            "PATCH",
            f"{root}/{plural}/{obj['metadata']['name']}?fieldManager={MANAGER}&force=true",
            obj,
            content="application/apply-patch+yaml",
        )

    def create(self, obj: Obj, *, user: str = "root") -> Answer:
        return self.send("POST", f"{collection(obj)}?fieldValidation=Strict", obj, user=user)

    def replace(self, obj: Obj, *, user: str = "root", subresource: str = "") -> Answer:
        """Replace what is stored under the object's name, from the state that it is in now."""
        path = f"{collection(obj)}/{obj['metadata']['name']}"
        stored = self.send("GET", path).body["metadata"]
        merged = obj | {"metadata": obj["metadata"] | {"resourceVersion": stored["resourceVersion"]}}
        tail = f"/{subresource}" if subresource else ""
        return self.send("PUT", f"{path}{tail}?fieldValidation=Strict", merged, user=user)

    def delete(self, obj: Obj, *, user: str = "root") -> Answer:
        return self.send("DELETE", f"{collection(obj)}/{obj['metadata']['name']}", user=user)

    def clear(self, obj: Obj) -> None:
        """Take the object away whatever holds it."""
        path = f"{collection(obj)}/{obj['metadata']['name']}"
        if self.delete(obj).code == 404:
            return
        _until_let_go(self, path)


@retry(stop=stop_after_delay(30), wait=wait_fixed(0.2), retry=retry_if_result(lambda gone: not gone))
def _until_let_go(server: Server, path: str) -> bool:
    """After the deletion: an operator at work would hold what is not deleted yet once more."""
    body: Obj = {"metadata": {"finalizers": None}}
    let_go = server.send("PATCH", path, body, content="application/merge-patch+json")
    assert let_go.code in (200, 404, 409), let_go.message
    return server.send("GET", path).code == 404


def collection(obj: Obj) -> str:
    """The path of the object's collection."""
    namespace = obj["metadata"].get("namespace")
    where = f"/namespaces/{namespace}" if namespace else ""
    if obj["kind"] == "ConfigMap":
        return f"/api/v1{where}/configmaps"
    definition = by_kind(obj["kind"]).DEFINITION
    return f"/apis/{GROUP}/{VERSION}{where}/{definition.plural}"


def _users() -> dict[str, list[str]]:
    table = yaml.safe_load((Path(__file__).parent / "policies.yaml").read_text(encoding="utf-8"))
    users: dict[str, list[str]] = table["users"]
    return users


def _embedded(state: Path) -> Iterator[Server]:
    """The embedded control plane in a thread of its own, so that tests are plain functions."""
    ready, stop = threading.Event(), threading.Event()
    clients: dict[str, ApiClient] = {}
    kubeconfigs: dict[str, Path] = {}
    failure: list[BaseException] = []

    async def serve() -> None:
        async with ControlPlane(state) as plane:
            for name, groups in _users().items():
                kubeconfigs[name] = plane.add_user(name, [*groups, CAN_WRITE])
                clients[name] = config.new_client_from_config(str(kubeconfigs[name]))
            ready.set()
            await asyncio.to_thread(stop.wait)

    def run() -> None:
        try:
            asyncio.run(serve())
        except BaseException as exc:
            failure.append(exc)
            ready.set()

    thread = threading.Thread(target=run)
    thread.start()
    ready.wait()
    try:
        if failure:
            raise failure[0]
        yield Server(clients, kubeconfigs=kubeconfigs)
    finally:
        stop.set()
        thread.join()
    if failure:
        raise failure[0]


def _cluster(kubeconfig: str) -> Server:
    admin = config.new_client_from_config(kubeconfig)
    server = Server({"root": admin}, _users(), {"operator": Path(kubeconfig)})
    bound = server.apply(
        {
            "apiVersion": f"{RBAC}/v1",
            "kind": "ClusterRoleBinding",
            "metadata": {"name": "govpool-rule-tests"},
            "roleRef": {
                "apiGroup": "rbac.authorization.k8s.io",
                "kind": "ClusterRole",
                "name": "cluster-admin",
            },
            "subjects": [
                {"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": name} for name in _users()
            ],
        }
    )
    assert bound.code in (200, 201), bound.message
    return server


def documents(path: Path) -> list[Obj]:
    return [each for each in yaml.safe_load_all(path.read_text(encoding="utf-8")) if each]


def _servers() -> list[Any]:
    """The embedded control plane, and the cluster that KUBECONFIG names, if it names one."""
    kubeconfig = os.environ.get("KUBECONFIG")
    real = [pytest.param(kubeconfig, marks=pytest.mark.cluster, id="cluster")] if kubeconfig else []
    return [pytest.param("", id="embedded"), *real]


@pytest.fixture(scope="session", params=_servers())
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with the files of crds/ applied and the unit's namespace made."""
    servers: Iterator[Server] = (
        iter([_cluster(request.param)]) if request.param else _embedded(tmp_path_factory.mktemp("state"))
    )
    for each in servers:
        for name in (NAMESPACE, RUNS):
            made = each.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
            assert made.code in (200, 201), made.message
        for path in sorted((REPOSITORY / "crds").glob("*.yaml")):
            for definition in documents(path):
                applied = each.apply(definition)
                assert applied.code in (200, 201), applied.message
        for path in sorted((REPOSITORY / "crds").glob("*.yaml")):
            _until_served(each, documents(path)[0])
        yield each


@retry(stop=stop_after_delay(30), wait=wait_fixed(0.2), retry=retry_if_result(lambda served: not served))
def _until_served(server: Server, definition: Obj) -> bool:
    plural = definition["spec"]["names"]["plural"]
    return server.send("GET", f"/apis/{GROUP}/{VERSION}/{plural}").code == 200
