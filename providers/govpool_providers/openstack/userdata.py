"""What cloud-init is told at a machine's first boot."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping

from govpool_providers.base import Access, MachineWant

SERIAL_LENGTH = 20
"""How much of a volume's id virtio shows as its serial number."""


def serial(volume_id: str) -> str:
    """The serial number under which a volume appears inside a server."""
    return volume_id[:SERIAL_LENGTH]


def user_data(want: MachineWant, volumes: Mapping[str, str]) -> str:
    """The machine's user data, as Nova takes it; ``volumes`` maps disk keys to volume ids.

    Host name, the machine's own host key, the operator's account, and a file system under
    ``/data/<name>`` for each data disk that has none yet.
    """
    devices = {
        disk.name: f"/dev/disk/by-id/virtio-{serial(volumes[disk.key])}"
        for disk in want.disks
        if not disk.root
    }
    config = {
        **_identity(want.hostname, want.access),
        "fs_setup": [
            {"device": device, "filesystem": "ext4", "label": name[:16], "overwrite": False}
            for name, device in devices.items()
        ],
        "mounts": [
            [device, f"/data/{name}", "ext4", "defaults,nofail", "0", "2"] for name, device in devices.items()
        ],
    }
    return _encoded(config)


def sanitiser_data(hostname: str, access: Access) -> str:
    """The sanitiser's user data: its host key and the operator's account. It mounts no volume, ever."""
    return _encoded(_identity(hostname, access))


def _identity(hostname: str, access: Access) -> dict[str, object]:
    return {
        "hostname": hostname,
        "ssh_deletekeys": True,
        "ssh_genkeytypes": [],
        "ssh_keys": {
            "ed25519_private": access.host_private_key,
            "ed25519_public": access.host_public_key,
        },
        "ssh_pwauth": False,
        "disable_root": True,
        "users": [
            {
                "name": access.user,
                "shell": "/bin/bash",
                "lock_passwd": True,
                "sudo": "ALL=(ALL) NOPASSWD:ALL",
                "ssh_authorized_keys": [access.authorized_key],
            }
        ],
    }


def _encoded(config: dict[str, object]) -> str:
    return base64.b64encode(f"#cloud-config\n{json.dumps(config)}\n".encode()).decode()
