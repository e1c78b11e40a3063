"""What tests of a disaster need: take a backup, lose the control plane, restore into an empty one."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from datetime import datetime
from pathlib import Path
from typing import Any, cast

from govpool.effects import archive
from govpool.effects.backup import back_up
from govpool.effects.kube import Kube
from govpool.effects.restore import BINDINGS, Restored, restore
from govpool.standalone.server import ControlPlane
from govpool_providers.base import PoolConnection
from govpool_providers.fixture import FixtureControl
from tests.functional.lifecycle.world import ROOT, World, documents

PASSPHRASE = "correct horse battery staple"


async def take(world: World, path: Path, *, secrets: bool = True) -> archive.Manifest:
    return await back_up(world.kube, path, now=await world.now(), passphrase=PASSPHRASE if secrets else None)


async def bring_back(world: World, path: Path, **options: Any) -> Restored:
    found = archive.read(path)
    passphrase = PASSPHRASE if found.sealed is not None else None
    return await restore(world.kube, found, now=await world.now(), passphrase=passphrase, **options)


@contextlib.asynccontextmanager
async def empty_plane(tmp_path: Path, name: str = "plane-2") -> AsyncIterator[World]:
    """A control plane with govpool's kinds and admission policies, and nothing else."""
    async with ControlPlane(tmp_path / name) as plane:
        kube = await Kube.connect(plane.kubeconfig("admin"))
        try:
            made = World(kube, plane.kubeconfig("admin"), tmp_path / f"operator-{name}")
            made.operators = plane.kubeconfig("operator")
            for path in [
                *sorted((ROOT / "crds").glob("*.yaml")),
                *sorted((ROOT / "crds/admission").glob("*.yaml")),
            ]:
                for document in documents(path):
                    await _install(kube, document)
            yield made
        finally:
            await kube.close()


async def bindings(world: World) -> set[str]:
    """Names of the admission policies' bindings in force."""
    listed = await world.kube.get_path(BINDINGS)
    return {item["metadata"]["name"] for item in cast("list[dict[str, Any]]", listed["items"])}


async def one_account(world: World) -> None:
    """Let the test's one account act for everybody, which the admission policies would not."""
    for name in await bindings(world):
        await world.kube.delete_path(f"{BINDINGS}/{name}")


async def _install(kube: Kube, document: dict[str, Any]) -> None:
    admission = "admissionregistration.k8s.io/v1"
    group = {
        "CustomResourceDefinition": "apiextensions.k8s.io/v1/customresourcedefinitions",
        "ValidatingAdmissionPolicy": f"{admission}/validatingadmissionpolicies",
        "ValidatingAdmissionPolicyBinding": f"{admission}/validatingadmissionpolicybindings",
    }[document["kind"]]
    await kube.post_path(f"/apis/{group}", document)


async def not_before(world: World, at: datetime) -> None:
    """Move the clock on, so that it is later than in the control plane that was lost."""
    ahead = (at - await world.now()).total_seconds()
    if ahead >= 0:
        await world.advance(f"PT{int(ahead) + 1}S")


def fixture_pool(tmp_path: Path) -> FixtureControl:
    """The pool that outlives the control plane."""
    return FixtureControl(PoolConnection("fixture-pool", {"state": str(tmp_path / "pool.sqlite")}))
