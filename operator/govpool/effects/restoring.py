"""The mark of a restore that is under way: no operator starts beside it, and an interrupted one goes on."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import cast

from govpool.effects import secrets
from govpool.effects.kube import Json, Kube, KubeError

MARK = "restore-under-way"
"""ConfigMap; there from before the first object is made until the last one is."""
LEASES = f"/apis/coordination.k8s.io/v1/namespaces/{secrets.NAMESPACE}/leases"


async def refuse_while_restoring(kube: Kube) -> None:
    """Raise when a restore is under way or was cut short.

    Raises:
        KubeError: 503 ``RestoreUnderWay``, to be tried again later; or the API server did not answer.
    """
    found = await kube.core_get("configmaps", secrets.NAMESPACE, MARK)
    if found is not None:
        raise KubeError(
            503,
            "RestoreUnderWay",
            f"ConfigMap {secrets.NAMESPACE}/{MARK} is there: finish the restore with govpool restore",
        )


async def read_mark(kube: Kube) -> dict[str, str] | None:
    """What the mark says; None when no restore is under way."""
    found = await kube.core_get("configmaps", secrets.NAMESPACE, MARK)
    return None if found is None else cast("dict[str, str]", found.get("data") or {})


async def set_mark(kube: Kube, data: dict[str, str]) -> None:
    """Say that a restore is under way."""
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": MARK}, "data": data}
    await kube.core_create("configmaps", secrets.NAMESPACE, cast(Json, body))


async def clear_mark(kube: Kube) -> None:
    """Say that it is done."""
    await kube.core_delete("configmaps", secrets.NAMESPACE, MARK)


async def running_operator(kube: Kube) -> str | None:
    """Who holds a Lease in govpool's namespace that has not run out; None: nobody does.

    An operator that takes no Lease is not seen this way; it meets the mark when it starts.
    """
    try:
        listed = await kube.get_path(LEASES)
    except KubeError as error:
        if not error.absent:
            raise
        return None
    for lease in cast("list[dict[str, Json]]", listed.get("items") or []):
        spec = lease.get("spec") or {}
        holder, renewed = spec.get("holderIdentity"), spec.get("renewTime")
        if not holder or not renewed:
            continue
        lasts = timedelta(seconds=float(str(spec.get("leaseDurationSeconds") or 0)))
        if datetime.fromisoformat(str(renewed)) + lasts > datetime.now(UTC):
            return str(holder)
    return None
