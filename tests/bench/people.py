"""The unit and the authority of a benchmark, with a bare client, so that they cost little."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable
from functools import lru_cache
from pathlib import Path
from typing import Any

import aiohttp
import yaml

from govpool.effects import kube
from tests.bench.children import ROOT

Json = dict[str, Any]
API = "/apis/govpool.dev/v1alpha1"
MERGE = {"Content-Type": "application/merge-patch+json"}
PLURALS = {"CloudPolicy": "cloudpolicies"}
BASES = {
    "CustomResourceDefinition": "/apis/apiextensions.k8s.io/v1/customresourcedefinitions",
    "Namespace": "/api/v1/namespaces",
}


def documents(path: Path) -> list[Json]:
    """The YAML documents of a file."""
    return [document for document in yaml.safe_load_all(path.read_text()) if document]


class Client:
    """A bare client of the API."""

    def __init__(self, server: str, session: aiohttp.ClientSession) -> None:
        self.server, self.session = server, session

    async def call(
        self, method: str, path: str, body: Json | None = None, headers: dict[str, str] | None = None
    ) -> tuple[int, Json]:
        """One request; the HTTP status and the document."""
        async with self.session.request(method, self.server + path, json=body, headers=headers) as response:
            return response.status, json.loads(await response.read())

    async def must(self, method: str, path: str, body: Json | None = None, **more: Any) -> Json:
        """One request that has to succeed."""
        status, document = await self.call(method, path, body, **more)
        if status >= 300:
            raise RuntimeError(f"{method} {path}: {status} {document.get('message')}")
        return document

    async def all(self, path: str) -> list[Json]:
        """All objects, in pages of 500."""
        return (await self.pages(path))[0]

    async def pages(self, path: str, selector: str = "") -> tuple[list[Json], str]:
        """All objects, in pages of 500, and the version to watch from."""
        found: list[Json] = []
        more = ""
        while True:
            page = await self.must("GET", f"{path}?limit=500&{selector}{more}")
            found += page["items"]
            if not (mark := page["metadata"].get("continue")):
                return found, page["metadata"]["resourceVersion"]
            more = f"&continue={mark}"

    async def watch(self, path: str) -> AsyncIterator[Json]:
        """Events, for ever; without a resourceVersion from the beginning of what there is."""
        timeout = aiohttp.ClientTimeout(total=None)
        address = f"{self.server}{path}{'&' if '?' in path else '?'}watch=1"
        async with self.session.get(address, timeout=timeout, read_bufsize=2**22) as response:
            async for line in response.content:
                yield json.loads(line)

    async def apply(self, document: Json) -> Json:
        """Create an object."""
        kind, meta = document["kind"], document["metadata"]
        plural = PLURALS.get(kind, kind.lower() + "s")
        space = f"/namespaces/{meta['namespace']}" if "namespace" in meta else ""
        return await self.must("POST", BASES.get(kind, f"{API}{space}/{plural}"), document)


@contextlib.asynccontextmanager
async def client(kubeconfig: Path) -> AsyncIterator[Client]:
    """A client that is logged in."""
    server, session = await kube.session(kubeconfig)
    async with session:
        yield Client(server, session)


async def install(people: Client, pool_state: Path, units: list[str]) -> None:
    """CRDs, policies, catalogue, pools from the files that ship; units whose quota holds any number."""
    for folder in ("crds", "policies"):
        for path in sorted((ROOT / folder).glob("*.yaml")):
            for document in documents(path):
                await people.apply(document)
    for document in documents(ROOT / "examples" / "01-supply.yaml"):
        if document["metadata"]["name"] == "fixture-pool":
            document["spec"]["connection"]["settings"] = {"state": str(pool_state)}
            big = {"servers": 100_000, "vcpu": 100_000, "memoryGiB": 100_000, "storageGiB": 1_000_000}
            document["spec"]["capacity"] = big
        await people.apply(document)
    for unit in units:
        for document in documents(ROOT / "examples" / "02-unit.yaml"):
            meta = document["metadata"]
            if document["kind"] == "Namespace":
                meta["name"] = unit
            else:
                meta["namespace"] = unit
                for limit in document["spec"]["limits"]:
                    limit["hard"] = dict.fromkeys(limit["hard"], 10_000)
            await people.apply(document)


def application(name: str, unit: str) -> Json:
    """The example's application: two servers with a data disk each."""
    return {**_example(), "metadata": {"name": name, "namespace": unit}}


@lru_cache(maxsize=1)
def _example() -> Json:
    (document,) = documents(ROOT / "examples" / "03-request.yaml")
    return {**document, "spec": {**document["spec"], "pool": "fixture-pool"}}


async def authority(people: Client) -> None:
    """Approve every step of every Approval as soon as it waits, for ever."""
    now = (await people.must("GET", "/govpool/clock"))["now"]
    async for event in people.watch(f"{API}/approvals"):
        approval = event["object"]
        status, spec, meta = approval.get("status") or {}, approval["spec"], approval["metadata"]
        given = spec.get("decisions", [])
        if event["type"] == "DELETED" or status.get("state") != "Pending" or len(given) >= len(spec["steps"]):
            continue
        step = status.get("step")
        if step is None or spec["steps"][len(given)]["stage"] != step:
            continue
        decision = {"stage": step, "verdict": "Approve", "by": f"role-{len(given)}", "opinion": "", "at": now}
        body = {
            "metadata": {"resourceVersion": meta["resourceVersion"]},
            "spec": {"decisions": [*given, decision]},
        }
        path = f"{API}/namespaces/{meta['namespace']}/approvals/{meta['name']}"
        code, answer = await people.call("PATCH", path, body, MERGE)
        if code >= 300 and code != 409:  # a conflict brings the next event
            raise RuntimeError(f"{path}: {code} {answer.get('message')}")


async def until_all(people: Client, count: int, arrived: Callable[[Json], bool]) -> None:
    """Wait until so many requests are where they should be."""
    there: set[str] = set()
    async for event in people.watch(f"{API}/cloudresourcerequests"):
        request = event["object"]
        failed = [s for s in (request.get("status") or {}).get("stages", []) if s["state"] == "Failed"]
        if failed:
            raise RuntimeError(f"{request['metadata']['name']}: {failed[0]['message']}")
        if arrived(request):
            there.add(request["metadata"]["uid"])
            if len(there) >= count:
                return


def phase(wanted: str) -> Callable[[Json], bool]:
    """Whether a request is in a phase."""
    return lambda request: bool((request.get("status") or {}).get("phase") == wanted)


@contextlib.asynccontextmanager
async def at_work(*tasks: Any) -> AsyncIterator[None]:
    """Run people beside the block; what goes wrong with them goes wrong with the block."""
    async with asyncio.TaskGroup() as group:
        running = [group.create_task(task) for task in tasks]
        yield
        for task in running:
            task.cancel()
