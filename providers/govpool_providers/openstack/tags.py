"""Under which names and tags things are found again in the cloud."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

from govpool_providers.base import DiskWant, MachineWant, Owner

POOL = "govpool-pool"
KEY = "govpool-key"
MACHINE = "govpool-machine"
DISK_NAME = "govpool-disk-name"
ROOT = "govpool-root"
IMAGE = "govpool-image"
NETWORK = "govpool-network"
FRESH = "govpool-fresh"
"""On a volume that no server has had yet: it holds nobody's data."""
SANITISER = "govpool-sanitiser"
"""On a volume: the sanitiser's server id, from before it is attached there until it is detached."""
SANITISER_KEY = "govpool-sanitiser-key"
"""On the sanitiser's server: the SHA-256 of the host key that it was made with."""
COPY_OF = "govpool-copy-of"
"""On a snapshot, backup or image: the key of the disk that it was made of."""
REQUEST_UID = "govpool-request-uid"
REQUEST = "govpool-request"
UNIT = "govpool-unit"
REVISION = "govpool-revision"

SANITISER_TAG = "govpool-sanitiser"
TAG_LIMIT = 60
"""Nova's limit; a tag holds neither a slash nor a comma."""
VALUE_LIMIT = 255


def pool_tag(pool: str) -> str:
    """The tag that every server of a pool has."""
    return _tag("govpool-pool", pool)


def key_tag(key: str) -> str:
    """The tag that the server of one machine has."""
    return _tag("govpool-key", key)


def request_tag(uid: str) -> str:
    """The tag that every server of one request has."""
    return _tag("govpool-req", uid)


def group_name(pool: str, uid: str) -> str:
    """What the security group and the server group of a request are called."""
    return f"govpool-{pool}-{uid}"[:VALUE_LIMIT]


def isolation_name(pool: str) -> str:
    """What the security group without a rule is called, into which isolated machines are put."""
    return f"govpool-{pool}-isolated"[:VALUE_LIMIT]


def network_name(pool: str, network: str) -> str:
    """What a network that govpool made is called; its subnet and router too."""
    return f"govpool-{pool}-{network}"[:VALUE_LIMIT]


def port_name(pool: str, key: str) -> str:
    """What the port of a machine with a floating address is called; and how that address is described."""
    return f"govpool-{pool}-machine-{key}"[:VALUE_LIMIT]


def ours(pool: str, name: str) -> bool:
    """Whether a name without tags is one that govpool gives."""
    return name.startswith(f"govpool-{pool}-")


def of_owner(owner: Owner) -> dict[str, str]:
    """An owner as metadata."""
    return {
        REQUEST_UID: owner.request_uid,
        REQUEST: owner.request_name[:VALUE_LIMIT],
        UNIT: owner.unit,
        REVISION: str(owner.revision),
    }


def owner_of(metadata: Mapping[str, str]) -> Owner:
    """The owner that metadata tells of."""
    revision = metadata.get(REVISION, "")
    return Owner(
        metadata.get(REQUEST_UID, ""),
        metadata.get(REQUEST, ""),
        metadata.get(UNIT, ""),
        int(revision) if revision.isdigit() else 0,
    )


def of_server(pool: str, want: MachineWant) -> dict[str, str]:
    """A server's metadata."""
    return {POOL: pool, KEY: want.key, IMAGE: want.image, NETWORK: want.network, **of_owner(want.owner)}


def server_tags(pool: str, want: MachineWant) -> list[str]:
    """A server's tags: what listings are asked by."""
    return [pool_tag(pool), key_tag(want.key), request_tag(want.owner.request_uid)]


def of_disk(pool: str, machine_key: str, owner: Owner, disk: DiskWant) -> dict[str, str]:
    """A new volume's metadata."""
    return {
        POOL: pool,
        KEY: disk.key,
        MACHINE: machine_key,
        DISK_NAME: disk.name,
        ROOT: str(disk.root).lower(),
        FRESH: "true",
        **of_owner(owner),
    }


def _tag(prefix: str, text: str) -> str:
    tag = f"{prefix}-{text}".replace("/", "-").replace(",", "-")
    if len(tag) <= TAG_LIMIT:
        return tag
    return f"{prefix}-{hashlib.sha256(text.encode()).hexdigest()[:32]}"
