"""Kubernetes Events, posted on purpose, one by one."""

from __future__ import annotations

import hashlib
import logging
from datetime import datetime
from typing import cast

from govpool.api.base import Resource
from govpool.effects.kube import Json, Kube, KubeError

log = logging.getLogger(__name__)
COMPONENT = "govpool"
NOTE_BYTES = 1024
"""What the API server takes, in bytes of UTF-8."""


async def post(
    kube: Kube, resource: Resource, reason: str, note: str, *, warning: bool, now: datetime
) -> None:
    """Post an Event; one that can't be is only logged."""
    try:
        await write(kube, resource, reason, note, warning=warning, now=now)
    except KubeError as error:
        meta = resource.metadata
        log.warning("event %s of %s/%s was not posted: %s", reason, meta.namespace, meta.name, error)


async def write(
    kube: Kube, resource: Resource, reason: str, note: str, *, warning: bool, now: datetime
) -> None:
    """Write an ``events.k8s.io/v1`` Event under a deterministic name; that it is there is success.

    Raises:
        KubeError: the API server did not take it.
    """
    meta = resource.metadata
    namespace = meta.namespace or "default"
    digest = hashlib.sha256(f"{meta.uid}/{reason}/{note}".encode()).hexdigest()[:16]
    body = cast(
        Json,
        {
            "apiVersion": "events.k8s.io/v1",
            "kind": "Event",
            "metadata": {"name": f"{meta.name[:200]}.{digest}", "namespace": namespace},
            "eventTime": now.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
            "reportingController": "govpool.dev/operator",
            "reportingInstance": COMPONENT,
            "action": "Reconcile",
            "reason": reason,
            "note": note.encode()[:NOTE_BYTES].decode(errors="ignore"),
            "type": "Warning" if warning else "Normal",
            "regarding": {
                "apiVersion": resource.api_version,
                "kind": resource.DEFINITION.kind,
                "name": meta.name,
                "namespace": meta.namespace,
                "uid": meta.object_uid,
            },
        },
    )
    try:
        await kube.post_path(f"/apis/events.k8s.io/v1/namespaces/{namespace}/events", body)
    except KubeError as error:
        if not error.exists:
            raise
