"""One suite of requests, run against the embedded control plane and, with KUBECONFIG set, a real API
server."""

from __future__ import annotations

import asyncio
import base64
import copy
import json
import os
import secrets
import shutil
import ssl
import subprocess
import sys
import tempfile
import threading
from collections.abc import AsyncIterator, Collection, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import yaml

from govpool.standalone.server import ControlPlane

Obj = dict[str, Any]
REAL = os.environ.get("KUBECONFIG", "")
JSON_PATCH = "application/json-patch+json"
MERGE = "application/merge-patch+json"
APPLY = "application/apply-patch+yaml"
STRATEGIC = "application/strategic-merge-patch+json"
KUBECTL = shutil.which("kubectl") or str(Path(sys.executable).with_name("kubectl"))


@dataclass
class Reply:
    code: int
    body: Any
    headers: Any

    @property
    def message(self) -> str:
        return str(self.body.get("message", ""))

    @property
    def reason(self) -> str:
        return str(self.body.get("reason", ""))

    @property
    def causes(self) -> list[Obj]:
        return list((self.body.get("details") or {}).get("causes") or [])

    @property
    def rv(self) -> str:
        return str(self.body["metadata"]["resourceVersion"])

    @property
    def warnings(self) -> list[str]:
        return list(self.headers.getall("Warning", []))


@dataclass
class Credentials:
    url: str
    headers: dict[str, str]
    ssl: ssl.SSLContext | bool


def credentials(kubeconfig: Path) -> Credentials:
    """Read the current context of a kubeconfig: bearer token or client certificate."""
    config = yaml.safe_load(kubeconfig.read_text())
    wanted = next(c for c in config["contexts"] if c["name"] == config["current-context"])["context"]
    cluster = next(c for c in config["clusters"] if c["name"] == wanted["cluster"])["cluster"]
    user = next(u for u in config["users"] if u["name"] == wanted["user"])["user"]
    headers = {"Authorization": f"Bearer {user['token']}"} if "token" in user else {}
    context: ssl.SSLContext | bool = True
    if cluster["server"].startswith("https"):
        ca = cluster.get("certificate-authority-data")
        context = ssl.create_default_context(
            cadata=base64.b64decode(ca).decode() if ca else None, cafile=cluster.get("certificate-authority")
        )
        if "client-certificate-data" in user:
            with tempfile.TemporaryDirectory() as folder:
                pair = [Path(folder) / "crt", Path(folder) / "key"]
                pair[0].write_bytes(base64.b64decode(user["client-certificate-data"]))
                pair[1].write_bytes(base64.b64decode(user["client-key-data"]))
                context.load_cert_chain(*pair)
        elif "client-certificate" in user:
            context.load_cert_chain(user["client-certificate"], user["client-key"])
    return Credentials(cluster["server"], headers, context)


class Watch:
    """An open watch: read events one by one, each within a time limit."""

    def __init__(self, response: aiohttp.ClientResponse) -> None:
        self.response = response

    async def next(self, seconds: float = 5.0) -> Obj:
        line = await asyncio.wait_for(self.response.content.readline(), seconds)
        assert line, "the watch ended"
        return dict(json.loads(line))

    async def names(self, count: int, *, within: Collection[str] = ()) -> list[tuple[str, str]]:
        """The next events; with ``within`` those of these namespaces: others may still be ending."""
        found = []
        while len(found) < count:
            event = await self.next()
            metadata = event["object"]["metadata"]
            if not within or metadata.get("namespace") in within:
                found.append((event["type"], metadata.get("name", "")))
        return found

    async def ended(self, seconds: float = 5.0) -> bool:
        while line := await asyncio.wait_for(self.response.content.readline(), seconds):
            assert json.loads(line)["type"] == "BOOKMARK", line
        return True


class Api:
    """A raw HTTP client with the credentials of one kubeconfig."""

    def __init__(self, session: aiohttp.ClientSession, login: Credentials) -> None:
        self.session, self.login = session, login

    async def request(
        self, method: str, path: str, body: object = None, *, media: str = "application/json",
        accept: str = "application/json", raw: bytes | None = None, headers: dict[str, str] | None = None,
        **query: str,
    ) -> Reply:  # fmt: skip
        sent = {"Accept": accept, "Content-Type": media} | (headers or {})
        data = raw if raw is not None else json.dumps(body).encode() if body is not None else None
        async with self.session.request(
            method, self.login.url + path, data=data, params=query, headers=sent
        ) as response:
            text = await response.text()
            parsed = json.loads(text) if text[:1] in "{[" else {"text": text}
            return Reply(response.status, parsed, response.headers)

    async def get(self, path: str, **more: Any) -> Reply:
        return await self.request("GET", path, **more)

    async def post(self, path: str, body: object, **more: Any) -> Reply:
        return await self.request("POST", path, body, **more)

    async def put(self, path: str, body: object, **more: Any) -> Reply:
        return await self.request("PUT", path, body, **more)

    async def patch(self, path: str, body: object, media: str = MERGE, **more: Any) -> Reply:
        return await self.request("PATCH", path, body, media=media, **more)

    async def delete(self, path: str, body: object = None, **more: Any) -> Reply:
        return await self.request("DELETE", path, body, **more)

    async def apply(self, path: str, body: object, manager: str, **more: Any) -> Reply:
        return await self.patch(path, body, APPLY, fieldManager=manager, **more)

    @asynccontextmanager
    async def watch(self, path: str, accept: str = "application/json", **query: str) -> AsyncIterator[Watch]:
        timeout = aiohttp.ClientTimeout(total=None)
        async with self.session.get(
            self.login.url + path,
            params={"watch": "true"} | query,
            headers={"Accept": accept},
            timeout=timeout,
        ) as response:
            assert response.status == 200, await response.text()
            yield Watch(response)

    async def gone(self, path: str, seconds: float = 60.0) -> None:
        """Wait until an object no longer exists; a cluster's collector looks for new kinds every 30 s."""
        async with asyncio.timeout(seconds):
            while (await self.get(path)).code != 404:  # noqa: ASYNC110 - the server has no event for it
                await asyncio.sleep(0.02)

    async def until(self, path: str, test: Any, seconds: float = 15.0) -> Reply:
        """Wait until an object meets a condition."""
        async with asyncio.timeout(seconds):
            while not test(reply := await self.get(path)):  # noqa: ASYNC110
                await asyncio.sleep(0.02)
            return reply


@asynccontextmanager
async def connect(kubeconfig: Path) -> AsyncIterator[Api]:
    login = credentials(kubeconfig)
    connector = aiohttp.TCPConnector(ssl=login.ssl, limit=64)
    async with aiohttp.ClientSession(connector=connector, headers=login.headers) as session:
        yield Api(session, login)


# --- targets ---------------------------------------------------------------------------------------


class Server:
    """An embedded control plane on a thread of its own, so that tests may block or have their own loop."""

    def __init__(self, state: Path, **options: Any) -> None:
        self.state, self.options = state, options
        self._ready = threading.Event()
        self._error: BaseException | None = None

    def __enter__(self) -> Server:
        self._thread = threading.Thread(target=asyncio.run, args=(self._main(),), daemon=True)
        self._thread.start()
        assert self._ready.wait(20), "the control plane did not start"
        if self._error:
            raise self._error
        return self

    async def _main(self) -> None:
        self._stop = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        try:
            self.plane = ControlPlane(self.state, **self.options)
            async with self.plane:
                self._ready.set()
                await self._stop.wait()
        except BaseException as exc:
            self._error = exc
            self._ready.set()
            raise

    def __exit__(self, *_: object) -> None:
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(20)
        assert not self._thread.is_alive(), "the control plane did not stop"

    def call(self, function: Any, *args: Any) -> Any:
        """Run a function on the server's loop and return what it returns."""

        async def run() -> Any:
            return function(*args)

        return asyncio.run_coroutine_threadsafe(run(), self._loop).result(10)

    def kubeconfig(self, user: str = "admin") -> Path:
        return self.plane.kubeconfig(user)


@dataclass
class Target:
    """Where the shared suite runs."""

    kubeconfig: Path
    embedded: bool
    made: set[str] = field(default_factory=set)


@pytest.fixture(scope="session")
def embedded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with Server(tmp_path_factory.mktemp("plane") / "state") as server:
        yield server


def _targets() -> list[Any]:
    real = pytest.param("cluster", marks=pytest.mark.cluster)
    return ["embedded", real] if REAL else ["embedded"]


@pytest.fixture(scope="session", params=_targets())
def target(request: pytest.FixtureRequest) -> Iterator[Target]:
    if request.param == "embedded":
        made = Target(request.getfixturevalue("embedded").kubeconfig(), embedded=True)
    else:
        made = Target(Path(REAL.split(os.pathsep)[0]), embedded=False)
    yield made
    for name in made.made:
        kubectl(made.kubeconfig, "delete", "crd", name, "--wait=false")


@pytest.fixture
async def api(target: Target) -> AsyncIterator[Api]:
    async with connect(target.kubeconfig) as client:
        yield client


@pytest.fixture
async def ns(api: Api) -> AsyncIterator[str]:
    """A namespace of its own, deleted afterwards."""
    name = f"conf-{secrets.token_hex(4)}"
    reply = await api.post("/api/v1/namespaces", {"metadata": {"name": name}})
    assert reply.code == 201, reply.message
    yield name
    await api.delete(f"/api/v1/namespaces/{name}")


# --- fixtures: one kind that uses what our kinds use ------------------------------------------------

WIDGET_SCHEMA: Obj = {
    "type": "object",
    "description": "A widget.",
    "required": ["spec"],
    "properties": {
        "spec": {
            "type": "object",
            "description": "What is wanted.",
            "required": ["size"],
            "x-kubernetes-validations": [
                {"rule": "self.size >= oldSelf.size", "message": "size may not shrink", "fieldPath": ".size"},
                {"rule": "!has(self.names) || self.names.all(n, n.size() < 5)",
                 "messageExpression": "'too long: ' + self.names[0]"},
                {"rule": "self.color != 'green' || self.size < 50"},
            ],
            "properties": {
                "size": {"type": "integer", "format": "int32", "minimum": 1, "maximum": 100,
                         "description": "Size in centimetres."},
                "ratio": {"type": "number", "exclusiveMinimum": True, "minimum": 0},
                "color": {"type": "string", "enum": ["red", "green"], "default": "red"},
                "code": {"type": "string", "pattern": "^[A-Z]{2}[0-9]+$", "maxLength": 6, "minLength": 3},
                "since": {"type": "string", "format": "date-time"},
                "names": {"type": "array", "maxItems": 3, "items": {"type": "string", "maxLength": 20}},
                "tags": {"type": "array", "x-kubernetes-list-type": "set", "items": {"type": "string"}},
                "port": {"x-kubernetes-int-or-string": True},
                "maybe": {"type": "string", "nullable": True},
                "notes": {"type": "object", "additionalProperties": {"type": "string"}},
                "free": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
                "whole": {"type": "object", "x-kubernetes-map-type": "atomic",
                          "properties": {"a": {"type": "integer"}, "b": {"type": "integer"}}},
                "parts": {
                    "type": "array",
                    "x-kubernetes-list-type": "map",
                    "x-kubernetes-list-map-keys": ["name"],
                    "items": {
                        "type": "object",
                        "required": ["name"],
                        "properties": {"name": {"type": "string"}, "count": {"type": "integer", "default": 1},
                                       "note": {"type": "string"}},
                    },
                },
            },
        },
        "status": {
            "type": "object",
            "properties": {
                "phase": {"type": "string"},
                "conditions": {
                    "type": "array",
                    "x-kubernetes-list-type": "map",
                    "x-kubernetes-list-map-keys": ["type"],
                    "items": {"type": "object", "required": ["type", "status"],
                              "properties": {"type": {"type": "string"}, "status": {"type": "string"}}},
                },
            },
        },
    },
}  # fmt: skip


def definition(
    group: str, plural: str, kind: str, schema: Obj, *, scope: str = "Namespaced", **version: Any
) -> Obj:
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.{group}"},
        "spec": {
            "group": group,
            "scope": scope,
            "names": {"plural": plural, "kind": kind},
            "versions": [
                {
                    "name": "v1",
                    "served": True,
                    "storage": True,
                    "schema": {"openAPIV3Schema": copy.deepcopy(schema)},
                }
                | version
            ],
        },
    }


DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"


async def established(api: Api, name: str) -> None:
    def ready(reply: Reply) -> bool:
        conditions = (reply.body.get("status") or {}).get("conditions") or []
        return any(c["type"] == "Established" and c["status"] == "True" for c in conditions)

    await api.until(f"{DEFINITIONS}/{name}", ready)


@dataclass
class Kind:
    """The widget kind of one target: its group and its paths in one namespace."""

    group: str
    namespace: str

    @property
    def path(self) -> str:
        return f"/apis/{self.group}/v1/namespaces/{self.namespace}/widgets"

    @property
    def api_version(self) -> str:
        return f"{self.group}/v1"

    def make(self, name: str = "a", /, labels: dict[str, str] | None = None, **spec: Any) -> Obj:
        metadata: Obj = {"name": name}
        if labels:
            metadata["labels"] = labels
        return {
            "apiVersion": self.api_version,
            "kind": "Widget",
            "metadata": metadata,
            "spec": {"size": 3} | spec,
        }


@pytest.fixture(scope="session")
def group(target: Target) -> str:
    """Install the widget definition once per target."""
    name = f"g{secrets.token_hex(3)}.conformance.dev"
    crd = definition(
        name, "widgets", "Widget", WIDGET_SCHEMA,
        subresources={"status": {}},
        additionalPrinterColumns=[
            {"name": "Size", "type": "integer", "jsonPath": ".spec.size", "description": "How big."},
            {"name": "Ready", "type": "string", "jsonPath": '.status.conditions[?(@.type=="Ready")].status'},
            {"name": "Phase", "type": "string", "jsonPath": ".status.phase"},
            {"name": "Color", "type": "string", "jsonPath": ".spec.color", "priority": 1},
            {"name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp"},
        ],
        selectableFields=[{"jsonPath": ".spec.color"}],
    )  # fmt: skip
    crd["spec"]["names"] |= {
        "singular": "widget",
        "shortNames": [f"w{name[1:4]}"],
        "categories": ["conformance"],
    }

    async def install() -> None:
        async with connect(target.kubeconfig) as client:
            reply = await client.post(DEFINITIONS, crd)
            assert reply.code == 201, reply.message
            await established(client, crd["metadata"]["name"])
            path = f"/apis/{name}/v1/namespaces/default/widgets"
            await client.until(path, lambda r: r.code == 200)

    asyncio.run(install())
    target.made.add(crd["metadata"]["name"])
    return name


@pytest.fixture
def widgets(group: str, ns: str) -> Kind:
    return Kind(group, ns)


# --- kubectl ---------------------------------------------------------------------------------------


def environment(kubeconfig: Path) -> dict[str, str]:
    """Of a kubectl: a home of its own, else it goes by what it remembers of another server's kinds."""
    home = str(kubeconfig.parent) if os.access(kubeconfig.parent, os.W_OK) else tempfile.gettempdir()
    return os.environ | {"KUBECONFIG": str(kubeconfig), "HOME": home}


def kubectl(kubeconfig: Path, *args: str, stdin: str | None = None, check: bool = True, **env: str) -> str:
    """Run kubectl and return what it printed; both streams when it may fail."""
    done = subprocess.run(
        [KUBECTL, *args],
        input=stdin,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env=environment(kubeconfig) | env,
    )
    if check:
        assert done.returncode == 0, f"kubectl {' '.join(args)}: {done.stderr}{done.stdout}"
        return done.stdout
    return done.stdout + done.stderr
