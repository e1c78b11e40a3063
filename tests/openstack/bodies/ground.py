"""A project of the bed whose servers have bodies, ready for a CloudPool; nothing of it afterwards."""

from __future__ import annotations

import hashlib
import ipaddress
import json
import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import yaml
from openstack.connection import Connection
from tests.openstack.bed.layout import Layout
from tests.openstack.bodies.hypervisor import SHARED, SUITE
from tests.openstack.bodies.images import sanitiser_image, server_image

import openstack
from govpool_providers.base import PoolConnection, Size
from govpool_providers.local import image
from govpool_providers.local.network import overlapping_route
from govpool_providers.local.settings import DEFAULT_HOME, LocalSettings

SIZES = (Size(1, 1), Size(1, 2), Size(2, 2), Size(2, 4), Size(4, 8))
"""Of the catalogue in ``examples/``."""
CLASSES = ("evs-standard", "evs-fast")
NETWORK = "GovernmentExtranet"
CLOUD = "govpool-pool"
PATIENCE = 120.0


@dataclass(frozen=True)
class Ground:
    """What a pool is opened with. ``clouds`` is the ``clouds.yaml`` of a member of the project."""

    clouds: Path
    settings: dict[str, str]
    backup: str
    """The repository's place, as the sanitiser sees it."""
    repository: Path
    """The same, as this host sees it."""
    volumes: Path
    member: Connection
    project: str

    @property
    def connection(self) -> PoolConnection:
        """For a provider that is opened in a process with ``OS_CLIENT_CONFIG_FILE`` set to ``clouds``."""
        return PoolConnection("openstack-pool", {"cloud": CLOUD, **self.settings})


@contextmanager
def ground(folder: Path) -> Iterator[Ground]:
    """A project, an account, network, images and flavours, and a hypervisor, as long as the context lasts.

    ``OS_CLOUD`` and ``OS_CLIENT_CONFIG_FILE`` name the bed's administrator. ``folder`` gets clouds.yaml,
    images and the hypervisor's log.
    """
    bed, name = Layout.of_environment(), f"bodies-{secrets.token_hex(4)}"
    with ExitStack() as stack:
        admin = openstack.connect(cloud=os.environ["OS_CLOUD"])
        stack.callback(admin.close)
        member, project = stack.enter_context(_account(admin, name, folder / "clouds.yaml"))
        subnet = _free_subnet()
        settings = _shared(stack, admin, name, subnet, folder)
        repository = folder / "backup"
        repository.mkdir()
        local = {
            "state": str(bed.run / "bodies" / f"{name}.d"),
            "subnet": subnet,
            "bridge": f"gvb{hashlib.sha256(name.encode()).hexdigest()[:8]}",
            "allocation": "sparse",
        }
        job = {"project": project, "run": str(bed.run), "settings": local, "share": str(repository)}
        stack.enter_context(_hypervisor(job, folder / "hypervisor.log"))
        stack.callback(lambda: empty(member))
        backup = f"/data/{SHARED}/repository"
        yield Ground(
            folder / "clouds.yaml", settings, backup, repository, bed.run / "volumes", member, project
        )


@contextmanager
def _account(admin: Connection, name: str, clouds: Path) -> Iterator[tuple[Connection, str]]:
    """A project and a member of it, whose ``clouds.yaml`` is written."""
    project = admin.identity.create_project(name=name, domain_id="default")
    password = secrets.token_urlsafe(24)
    user = admin.identity.create_user(name=name, password=password, domain_id="default")
    admin.identity.assign_project_role_to_user(project, user, admin.identity.find_role("member"))
    auth = {
        "auth_url": admin.config.get_auth_args()["auth_url"],
        "username": name,
        "password": password,
        "project_name": name,
        "user_domain_id": "default",
        "project_domain_id": "default",
    }
    clouds.touch(mode=0o600)
    entry = {"auth": auth, "region_name": admin.config.region_name, "identity_api_version": 3}
    clouds.write_text(yaml.safe_dump({"clouds": {CLOUD: entry}}))
    member = openstack.connect(
        auth=auth, region_name=admin.config.region_name, load_yaml_config=False, load_envvars=False
    )
    try:
        yield member, project.id
    finally:
        member.close()
        for group in admin.network.security_groups(project_id=project.id):
            admin.network.delete_security_group(group.id)
        admin.identity.delete_user(user)
        admin.identity.delete_project(project)


def _shared(stack: ExitStack, admin: Connection, name: str, subnet: str, folder: Path) -> dict[str, str]:
    """Images, network, flavours and volume types, and the pool's settings that name them."""
    base = image.build(DEFAULT_HOME / "images", SUITE)
    assert base.is_dir()
    settings: dict[str, str] = {}
    for kind, make in (("debian-12", server_image), ("sanitiser", sanitiser_image)):
        with make(folder).open("rb") as data:
            made = admin.image.create_image(
                name=f"{name}-{kind}",
                disk_format="raw",
                container_format="bare",
                visibility="public",
                data=data,
                wait=True,
            )
        stack.callback(admin.image.delete_image, made.id)
        settings[f"image.{kind}"] = made.id
    network = admin.network.create_network(name=name, shared=True)
    stack.callback(admin.network.delete_network, network.id)
    gateway = str(ipaddress.ip_network(subnet)[1])
    admin.network.create_subnet(network_id=network.id, cidr=subnet, ip_version=4, gateway_ip=gateway)
    for size in SIZES:
        flavor = f"bodies-{size.vcpu}c{size.memory_gib}g"
        if admin.compute.find_flavor(flavor) is None:
            admin.compute.create_flavor(name=flavor, vcpus=size.vcpu, ram=size.memory_gib * 1024, disk=0)
    for kind in CLASSES:
        if admin.block_storage.find_type(kind) is None:
            admin.block_storage.create_type(name=kind)
    return settings | {
        f"network.{NETWORK}": network.id,
        "sanitiser.image": "sanitiser",
        "sanitiser.network": NETWORK,
        "sanitiser.root_gib": "1",
        "sanitiser.device": "/data/virtio-{serial}",
    }


@contextmanager
def _hypervisor(job: dict[str, object], log: Path) -> Iterator[None]:
    """The hypervisor's process; AssertionError with its log's end when it leaves something behind.

    It is told to stop when this process dies, and removes the bodies then as well.
    """
    guard = ["setpriv", "--pdeathsig", "TERM"]
    with log.open("wb") as out:
        process = subprocess.Popen(
            [*guard, sys.executable, "-m", "tests.openstack.bodies"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=out,
            start_new_session=True,
        )
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(json.dumps(job).encode())
    process.stdin.close()
    assert process.stdout.readline().strip() == b"ready", log.read_text()
    try:
        yield
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE) == 0, log.read_text()[-2000:]


def empty(cloud: Connection) -> None:
    """Delete everything in the project, whoever made it."""
    compute, storage, network = cloud.compute, cloud.block_storage, cloud.network
    for server in compute.servers():
        compute.delete_server(server.id)
    _until("no server is left", lambda: not list(compute.servers()))
    for snapshot in storage.snapshots():
        storage.delete_snapshot(snapshot.id)
    _until("no snapshot is left", lambda: not list(storage.snapshots()))
    for volume in storage.volumes():
        storage.delete_volume(volume.id)
    _until("no volume is left", lambda: not list(storage.volumes()))
    for group in network.security_groups(project_id=cloud.current_project_id):
        if group.name != "default":
            network.delete_security_group(group.id)
    for server_group in compute.server_groups():
        compute.delete_server_group(server_group.id)


def _free_subnet() -> str:
    """A /26 that no route of this machine overlaps; drawn, since others may be looking for one just now."""
    for _ in range(100):
        subnet = f"10.214.{secrets.randbelow(256)}.0/26"
        if overlapping_route(LocalSettings.of(PoolConnection("x", {"subnet": subnet}))) is None:
            return subnet
    raise AssertionError("every subnet of 10.214.0.0/16 is taken by a route of this machine")


def _until(what: str, condition: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end, f"not within {PATIENCE} s: {what}"
        time.sleep(0.3)
