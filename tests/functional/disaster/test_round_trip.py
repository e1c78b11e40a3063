"""A backup brings everything back: objects, status, certificates and audit trails, and no effect with it."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

from govpool.api.base import REQUEST_LABEL, Resource
from govpool.api.cloudresourcerequest import CloudResourceRequest
from govpool.api.cloudserver import CloudServer
from govpool.api.kinds import KINDS
from govpool.effects import restoring
from govpool.effects.kube import Json, Kube
from tests.functional.disaster.second_plane import (
    bindings,
    bring_back,
    empty_plane,
    fixture_pool,
    not_before,
    one_account,
    take,
)
from tests.functional.lifecycle import story
from tests.functional.lifecycle.world import NAMESPACE, REQUEST, world

CHANGES = {"resourceVersion", "uid", "creationTimestamp", "generation", "managedFields", "ownerReferences"}


async def everything(kube: Kube) -> dict[tuple[str, str, str], dict[str, Any]]:
    """Every object, without what an API server gives it."""

    def bare(kind: type[Resource]) -> Any:
        def read(document: Json) -> dict[str, Any]:
            meta = cast(dict[str, Any], document["metadata"])
            status = dict(cast(dict[str, Any], document.get("status") or {}))
            status.pop("origin", None)
            status.pop("observedGeneration", None)
            kept = {key: value for key, value in meta.items() if key not in CHANGES}
            return {
                "kind": kind.DEFINITION.kind,
                "metadata": kept,
                "spec": document["spec"],
                "status": status,
            }

        return read

    found: dict[tuple[str, str, str], dict[str, Any]] = {}
    for kind in KINDS:
        for one in (await kube.list_as(kind, bare(kind)))[1]:
            found[one["kind"], one["metadata"].get("namespace", ""), one["metadata"]["name"]] = one
    return found


async def test_everything_comes_back_and_goes_on(tmp_path: Path, backup_file: Path) -> None:
    async with world(tmp_path) as town:
        async with town.operator():
            await story.apply_and_approve(town)
            await story.into_service(town)
            await story.change(town)
            await town.apply(town.application("archive"))
            await town.decide(by="acceptor", name="archive")
        before = await town.request()
        all_before = await everything(town.kube)
        manifest = await take(town, backup_file)
        assert sum(manifest.counts.values()) == len(all_before)
        passed = await town.now()
    pool = fixture_pool(tmp_path)
    effects = len(pool.ledger())
    async with empty_plane(tmp_path) as second:
        await not_before(second, passed)
        bound = await bindings(second)
        result = await bring_back(second, backup_file)
        assert result.missing_secrets == []
        assert await everything(second.kube) == all_before
        assert await restoring.read_mark(second.kube) is None
        assert bound and await bindings(second) == bound
        await one_account(second)

        after = await second.request()
        assert after.metadata.uid == before.metadata.uid
        assert after.metadata.object_uid != before.metadata.uid
        assert after.metadata.generation == before.metadata.generation
        assert after.metadata.creation_timestamp == before.metadata.creation_timestamp
        servers = await second.kube.list(CloudServer, namespace=NAMESPACE)
        assert {s.metadata.labels[REQUEST_LABEL] for s in servers} == {before.metadata.uid}
        assert {s.metadata.owner_references[0].uid for s in servers} == {after.metadata.object_uid}

        async with second.operator():

            async def adopted() -> bool:
                status = (await second.request()).status
                return bool(status and status.origin and status.origin.adopted)

            await second.until(adopted, "the request is adopted")
            assert len(pool.ledger()) == effects
            # A decision that was given counts, and the clocks run from when they ran.
            await second.decide(by="reviewer", name="archive")
            await story.deregister(second, REQUEST)
        assert pool.violations() == []
        request = await second.kube.get(CloudResourceRequest, REQUEST, NAMESPACE)
        assert request.status and request.status.phase.value == "Deregistered"
