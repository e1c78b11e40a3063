"""Images: what root disks are made of."""

from __future__ import annotations

from govpool_providers.openstack.client import Cloud, Service
from govpool_providers.openstack.networks import only


def image_id(cloud: Cloud, name: str) -> str:
    """The id of the active image that govpool calls ``name``; Invalid when there is not exactly one."""
    called = cloud.settings.called("image", name)

    def look() -> str:
        for by in ("name", "id"):
            params = {by: called, "status": "active"}
            if found := cloud.listing(Service.IMAGE, "/images", "images", params=params):
                return only("image", name, called, found)
        return only("image", name, called, [])

    return cloud.known("image", called, look)
