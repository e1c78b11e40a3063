"""The cloud as the tests see it from its own side, through openstacksdk: made ready, looked at, tidied up."""

from __future__ import annotations

import os
import secrets
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any

import requests
from contract_pools import Pool, want_machine
from openstack.connection import Connection

import openstack
from govpool_providers.base import PoolConnection, Size
from govpool_providers.openstack import OpenStackProvider
from openstack import exceptions

SIZES = (Size(1, 1), Size(2, 1), Size(1, 2), Size(2, 2), Size(1, 3))
QUOTA = 50
MIB = 1024**2


class Cable(requests.Session):
    """The way to the cloud, which a test can cut."""

    def __init__(self) -> None:
        super().__init__()
        self.whole = True
        self.calls: list[str] = []
        self.changes_left: int | None = None
        """How many requests that change something get through before the caller is killed."""
        self.lose_answer = False
        """Whether the killed caller's last request gets through, but not its answer."""
        self.after: Callable[[str, str], None] | None = None
        """What happens in the cloud after a request was answered."""

    def cut(self) -> None:
        self.whole = False

    def request(self, method: str | bytes, url: str | bytes, *args: Any, **kwargs: Any) -> requests.Response:
        if not self.whole:
            raise requests.ConnectionError("the cable is cut")
        self.calls.append(f"{method!s} {url!s}")
        changes = method != "GET" and "/auth/tokens" not in str(url)
        if changes and self.changes_left is not None:
            self.changes_left -= 1
            if self.changes_left < 0:
                if self.lose_answer:
                    super().request(method, url, *args, **kwargs)
                raise Killed
        answer = super().request(method, url, *args, **kwargs)
        if self.after is not None:
            self.after(str(method), str(url))
        return answer


class Killed(BaseException):
    """The operator's process ends here: nothing below is allowed to catch it."""


def until(what: str, condition: Callable[[], bool], seconds: float = 60) -> None:
    """Wait for a condition of the cloud."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"not within {seconds} s: {what}"
        time.sleep(0.2)


@dataclass
class Tenant:
    """One project with a pool in it."""

    connection: PoolConnection
    cloud: Connection
    """The cloud as a member of the project."""
    admin: Connection | None = None
    """The cloud as its administrator, in the bed."""
    forget: Callable[[], None] = lambda: None

    def plant_copy(self, disk_key: str) -> None:
        """A snapshot that somebody made of a disk's volume."""
        (volume,) = self.volumes(disk_key)
        snapshot = self.cloud.block_storage.create_snapshot(volume_id=volume.id, name="before-upgrade")
        until(
            "the snapshot is available",
            lambda: self.cloud.block_storage.get_snapshot(snapshot.id).status == "available",
        )

    def volumes(self, name: str) -> list[Any]:
        return list(self.cloud.block_storage.volumes(name=name))

    def left(self) -> dict[str, list[str]]:
        """Everything in the project that costs something or gets in the way, by kind."""
        project = self.cloud.current_project_id
        groups = self.cloud.network.security_groups(project_id=project)
        found = {
            "servers": self.cloud.compute.servers(),
            "volumes": self.cloud.block_storage.volumes(),
            "snapshots": self.cloud.block_storage.snapshots(),
            "ports": self.cloud.network.ports(project_id=project),
            "floating addresses": self.cloud.network.ips(project_id=project),
            "security groups": (group for group in groups if group.name != "default"),
            "server groups": self.cloud.compute.server_groups(),
            "keypairs": self.cloud.compute.keypairs(),
        }
        return {
            kind: names for kind, things in found.items() if (names := [str(thing.name) for thing in things])
        }

    def empty(self) -> None:
        """Delete everything in the project."""
        compute, storage, network = self.cloud.compute, self.cloud.block_storage, self.cloud.network
        for server in compute.servers():
            compute.delete_server(server.id, force=server.status == "SOFT_DELETED")
        until("no server is left", lambda: not list(compute.servers()))
        for snapshot in storage.snapshots():
            storage.delete_snapshot(snapshot.id)
        until("no snapshot is left", lambda: not list(storage.snapshots()))
        for volume in storage.volumes():
            storage.delete_volume(volume.id)
        until("no volume is left", lambda: not list(storage.volumes()))
        for group in network.security_groups(project_id=self.cloud.current_project_id):
            if group.name != "default":
                network.delete_security_group(group.id)
        for server_group in compute.server_groups():
            compute.delete_server_group(server_group.id)

    def remove(self) -> None:
        """Empty the project, and end it if it is the test's own."""
        self.empty()
        self.cloud.close()
        self.forget()


@dataclass
class Ground:
    """What the tests stand on."""

    admin: Connection
    tenant: Callable[[str], Tenant]
    things: list[Callable[[], object]] = field(default_factory=list)

    def remove(self) -> None:
        """Delete what was made, last first."""
        for undo in reversed(self.things):
            undo()
        self.admin.close()


def _base(admin: Connection, name: str, *, shared: bool) -> tuple[dict[str, str], list[Callable[[], object]]]:
    """An image, a network and settings that name them; and how to undo them."""
    image = admin.image.create_image(
        name=f"{name}-image",
        disk_format="raw",
        container_format="bare",
        visibility="public" if shared else "private",
        data=secrets.token_bytes(MIB),
        wait=True,
    )
    network = admin.network.create_network(name=f"{name}-business", shared=shared)
    admin.network.create_subnet(network_id=network.id, cidr="10.77.0.0/16", ip_version=4, name=name)
    settings = {
        "image.debian-12": image.id,
        "network.business": network.id,
        "sanitiser.image": "debian-12",
        "sanitiser.network": "business",
        "sanitiser.root_gib": "1",
    }
    undo: list[Callable[[], object]] = [
        lambda: admin.image.delete_image(image.id),
        lambda: admin.network.delete_network(network.id),
    ]
    return settings, undo


def cloud_ground() -> Ground:
    """The project that ``OS_CLOUD`` logs in to, which must be empty."""
    cloud = openstack.connect(cloud=os.environ["OS_CLOUD"])
    settings, undo = _base(cloud, f"govpool-test-{secrets.token_hex(3)}", shared=False)
    settings |= {"cloud": os.environ["OS_CLOUD"], "create_flavors": "true"}

    def tenant(name: str) -> Tenant:
        member = openstack.connect(cloud=os.environ["OS_CLOUD"])
        return Tenant(PoolConnection(name, settings), member)

    return Ground(cloud, tenant, undo)


def bed_ground() -> Ground:
    """The bed: its administrator makes a project and an account for each test."""
    admin = openstack.connect(cloud=os.environ["OS_CLOUD"])
    settings, undo = _base(admin, f"govpool-test-{secrets.token_hex(3)}", shared=True)
    for size in SIZES:
        _ensure_flavor(admin, size)
    access = admin.config.get_auth_args()
    settings |= {"auth_url": access["auth_url"], "region": admin.config.region_name}
    role = admin.identity.find_role("member")

    def tenant(name: str) -> Tenant:
        password = secrets.token_urlsafe(16)
        project = admin.identity.create_project(name=name, domain_id="default")
        user = admin.identity.create_user(name=name, password=password, domain_id="default")
        admin.identity.assign_project_role_to_user(project, user, role)
        admin.compute.update_quota_set(project, instances=QUOTA, cores=QUOTA, ram=QUOTA * 1024)
        secret = {
            "username": name,
            "password": password,
            "project_name": name,
            "user_domain_id": "default",
            "project_domain_id": "default",
        }
        member = openstack.connect(
            auth=secret | {"auth_url": access["auth_url"]},
            region_name=admin.config.region_name,
            load_yaml_config=False,
            load_envvars=False,
        )

        def forget() -> None:
            for group in admin.network.security_groups(project_id=project.id):
                admin.network.delete_security_group(group.id)
            admin.identity.delete_user(user)
            admin.identity.delete_project(project)

        return Tenant(PoolConnection(name, settings, secret), member, admin, forget)

    return Ground(admin, tenant, undo)


def _ensure_flavor(admin: Connection, size: Size) -> None:
    """A flavour; it stays, since test runs side by side share it and the bed is thrown away."""
    name = f"test-{size.vcpu}c{size.memory_gib}g"
    if admin.compute.find_flavor(name) is None:
        with suppress(exceptions.ConflictException):  # made by a run beside this one
            admin.compute.create_flavor(name=name, ram=size.memory_gib * 1024, vcpus=size.vcpu, disk=0)


def opened(tenant: Tenant, cable: Cable | None = None, **settings: str) -> OpenStackProvider:
    """The tenant's pool with other settings, or over a cable."""
    given = tenant.connection
    return OpenStackProvider(replace(given, settings={**given.settings, **settings}), http=cable)


def finish(pool: Pool, tenant: Tenant) -> None:
    """Go on as an operator that was started anew, and see that there is one of each."""
    pool.build(want_machine(), opened(tenant))
    assert len(list(tenant.cloud.compute.servers())) == 1
    assert sorted(volume.name for volume in tenant.cloud.block_storage.volumes()) == ["m1-data1", "m1-root"]
