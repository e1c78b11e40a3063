"""Secrets in the operator's own namespace: made once, never shown, removed when they have served."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from typing import cast

from govpool.effects.kube import Json, Kube, KubeError

NAMESPACE = "govpool-system"
"""Units have no access to it."""


async def once(kube: Kube, name: str, make: Callable[[], Mapping[str, str]]) -> dict[str, str]:
    """The Secret's values; made on first use. Whoever comes second reads what the first one made.

    Raises:
        KubeError: the API server; a conflict means that somebody else is making it: look again.
    """
    found = await read(kube, name)
    if found is not None:
        return found
    values = dict(make())
    data = {key: base64.b64encode(value.encode()).decode() for key, value in values.items()}
    body = cast(
        Json,
        {
            "apiVersion": "v1",
            "kind": "Secret",
            "type": "Opaque",
            "metadata": {"name": name, "labels": {"app.kubernetes.io/managed-by": "govpool"}},
            "data": data,
        },
    )
    try:
        await kube.core_create("secrets", NAMESPACE, body)
    except KubeError as error:
        if not error.exists:
            raise
    else:
        return values
    made = await read(kube, name)
    if made is None:
        raise KubeError(409, "Conflict", f"Secret {NAMESPACE}/{name} was there and is not")
    return made


async def read(kube: Kube, name: str) -> dict[str, str] | None:
    """The Secret's values, or None when it is not there."""
    document = await kube.core_get("secrets", NAMESPACE, name)
    if document is None:
        return None
    data = cast(dict[str, str], document.get("data") or {})
    return {key: base64.b64decode(value).decode() for key, value in data.items()}


async def destroy(kube: Kube, name: str) -> None:
    """Delete the Secret; that it is gone is success."""
    await kube.core_delete("secrets", NAMESPACE, name)
