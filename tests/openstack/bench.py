"""How long servers take, how many calls and how much CPU: govpool beside the plainest ways to do the same.

``python -m tests.openstack.bed run -- python -m tests.openstack.bench [--servers 50] [--tools BIN]``

Each way makes the same servers, with a port and one volume of an image each, until the last is ACTIVE, in a
project of its own, one way after the other. Calls are counted where requests leave the HTTP library, log-ins
among them. ``BIN`` is the folder with the ``openstack`` command and with an ``ansible-playbook`` that has the
collection ``openstack.cloud`` (PyPI: python-openstackclient, ansible, openstacksdk); what is not there is
left out, and said so.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import openstack.config
import requests
from openstack.connection import Connection

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parents[1] / "contract"))

from contract_pools import want_machine
from openstack_cloud import Cable, Ground, Tenant, bed_ground

from govpool_providers.base import MachineState
from govpool_providers.openstack import OpenStackProvider

LIMIT = 100
FLAVOR = "test-1c1g"
PATIENCE = 1800


@dataclass(frozen=True)
class Measured:
    """What one way took."""

    way: str
    servers: int
    wall_seconds: float
    calls: int | None
    cpu_seconds: float


@contextmanager
def measured(way: str, servers: int, calls: Callable[[], int | None], into: list[Measured]) -> Iterator[None]:
    began, before = time.monotonic(), _cpu()
    yield
    one = Measured(way, servers, round(time.monotonic() - began, 1), calls(), round(_cpu() - before, 1))
    into.append(one)
    called = "-" if one.calls is None else one.calls
    took = f"{one.wall_seconds:8.1f} s  {called:>6} calls  {one.cpu_seconds:7.1f} s CPU"
    print(f"{way:14} {servers} servers  {took}", flush=True)


def _cpu() -> float:
    used = [resource.getrusage(whose) for whose in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)


def through_govpool(tenant: Tenant, servers: int, threads: int, into: list[Measured]) -> None:
    """The provider, as the operator calls it: until every machine is Active."""
    cable = Cable()
    provider = OpenStackProvider(tenant.connection, http=cable)

    def make(number: int) -> None:
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            machine = provider.ensure_machine(want_machine(f"b{number}", data=0))
            if machine.state is MachineState.ACTIVE:
                return
            if machine.state is MachineState.ERROR:
                raise RuntimeError(machine.fault)
        raise TimeoutError(f"b{number}")

    with measured("govpool", servers, lambda: len(cable.calls), into), ThreadPoolExecutor(threads) as pool:
        list(pool.map(make, range(servers)))


def through_sdk(tenant: Tenant, servers: int, threads: int, into: list[Measured]) -> None:
    """openstacksdk's own cloud layer, which waits for each server by asking for it."""
    cable = Cable()
    cloud = _connected(tenant, cable)
    settings = tenant.connection.settings
    flavor = next(one.id for one in cloud.compute.flavors() if (one.vcpus, one.ram) == (1, 1024))

    def make(number: int) -> None:
        cloud.create_server(
            name=f"sdk-{number}",
            image=settings["image.debian-12"],
            flavor=flavor,
            network=settings["network.business"],
            boot_from_volume=True,
            volume_size=1,
            auto_ip=False,
            wait=True,
            timeout=PATIENCE,
        )

    with (
        measured("openstacksdk", servers, lambda: len(cable.calls), into),
        ThreadPoolExecutor(threads) as pool,
    ):
        list(pool.map(make, range(servers)))
    cloud.close()


def through_command(tenant: Tenant, servers: int, threads: int, into: list[Measured]) -> None:
    """``openstack server create --wait`` in a loop of ``threads``: an interpreter for each server."""
    command = shutil.which("openstack")
    if command is None:
        print("openstack: the command is not installed; left out", file=sys.stderr)
        return
    settings = tenant.connection.settings
    argv = [command, "server", "create", "--wait", "--flavor", FLAVOR]
    argv += ["--image", settings["image.debian-12"], "--boot-from-volume", "1"]
    argv += ["--network", settings["network.business"]]

    with _counting(tenant) as (environment, calls):

        def make(number: int) -> None:
            _run([*argv, f"cli-{number}"], environment)

        with measured("openstack", servers, calls, into), ThreadPoolExecutor(threads) as pool:
            list(pool.map(make, range(servers)))


def through_ansible(tenant: Tenant, servers: int, threads: int, into: list[Measured]) -> None:
    """Ansible's ``openstack.cloud.server``, ``threads`` at a time; each server is a host of the inventory."""
    command, settings = shutil.which("ansible-playbook"), tenant.connection.settings
    play = {
        "hosts": "all",
        "connection": "local",
        "gather_facts": False,
        "strategy": "free",
        "vars": {"ansible_python_interpreter": "{{ ansible_playbook_python }}"},
        "tasks": [
            {
                "openstack.cloud.server": {
                    "name": "{{ inventory_hostname }}",
                    "image": settings["image.debian-12"],
                    "flavor": FLAVOR,
                    "network": settings["network.business"],
                    "boot_from_volume": True,
                    "volume_size": 1,
                    "auto_ip": False,
                    "timeout": PATIENCE,
                }
            }
        ],
    }
    with _counting(tenant) as (environment, calls), tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "play.yaml").write_text(json.dumps([play]))
        hosts = ",".join(f"ansible-{number}" for number in range(servers))
        argv = [str(command), "-i", f"{hosts},", "-f", str(threads), f"{folder}/play.yaml"]
        listed = [str(Path(str(command)).parent / "ansible-galaxy"), "collection", "list", "openstack.cloud"]
        if command is None or subprocess.run(listed, capture_output=True, check=False).returncode:
            print("ansible: there is no collection openstack.cloud; left out", file=sys.stderr)
            return
        with measured("ansible", servers, calls, into):
            _run(argv, environment)


COUNTER = """
import os, requests
send = requests.Session.send
def counted(self, request, **more):
    with open(os.environ["BENCH_CALLS"], "ab") as file:
        file.write(b".")
    return send(self, request, **more)
requests.Session.send = counted
"""
"""What a child's interpreter runs at its start; a request that is redirected counts once."""


@contextmanager
def _counting(tenant: Tenant) -> Iterator[tuple[dict[str, str], Callable[[], int]]]:
    """The environment of a command that logs in to the project, and how many requests its processes sent."""
    secret, settings = tenant.connection.secret, tenant.connection.settings
    with tempfile.TemporaryDirectory() as folder:
        tally = Path(folder) / "calls"
        tally.touch()
        (Path(folder) / "sitecustomize.py").write_text(COUNTER)
        yield (
            {name: value for name, value in os.environ.items() if not name.startswith("OS_")}
            | {
                "PYTHONPATH": folder,
                "PYTHONWARNINGS": "ignore",
                "BENCH_CALLS": str(tally),
                "OS_AUTH_URL": settings["auth_url"],
                "OS_REGION_NAME": settings["region"],
                "OS_IDENTITY_API_VERSION": "3",
                "OS_USERNAME": secret["username"],
                "OS_PASSWORD": secret["password"],
                "OS_PROJECT_NAME": secret["project_name"],
                "OS_USER_DOMAIN_ID": secret["user_domain_id"],
                "OS_PROJECT_DOMAIN_ID": secret["project_domain_id"],
            },
            lambda: tally.stat().st_size,
        )


def _run(argv: list[str], environment: dict[str, str]) -> None:
    done = subprocess.run(argv, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{argv[0]} failed: {(done.stdout + done.stderr)[-2000:]}")


def _connected(tenant: Tenant, session: requests.Session) -> Connection:
    import functools

    from keystoneauth1 import session as keystone

    constructor: Any = functools.partial(keystone.Session, session=session)
    config = openstack.config.OpenStackConfig(
        session_constructor=constructor, load_yaml_config=False, load_envvars=False
    )
    settings = tenant.connection.settings
    auth = {**tenant.connection.secret, "auth_url": settings["auth_url"]}
    return Connection(
        config=config.get_one(auth_type="v3password", auth=auth, region_name=settings["region"])
    )


Way = Callable[[Tenant, int, int, list[Measured]], None]
WAYS: dict[str, Way] = {
    "govpool": through_govpool,
    "openstacksdk": through_sdk,
    "openstack": through_command,
    "ansible": through_ansible,
}


def main() -> int:
    """Measure, print as it goes, and keep what was measured."""
    parser = argparse.ArgumentParser(prog="python -m tests.openstack.bench")
    parser.add_argument("--servers", type=int, default=50)
    parser.add_argument("--threads", type=int, default=4)
    parser.add_argument("--tools", type=Path, help="folder of the commands that are measured beside it")
    parser.add_argument("--only", nargs="+", choices=list(WAYS), default=list(WAYS))
    parser.add_argument("--output", type=Path)
    given = parser.parse_args()
    if given.tools:
        os.environ["PATH"] = f"{given.tools.absolute()}:{os.environ['PATH']}"
    ground, results = bed_ground(), list[Measured]()
    _measure(through_sdk, ground, 1, 1, [])  # the services' own first time is nobody's
    for name in given.only:
        _measure(WAYS[name], ground, given.servers, given.threads, results)
    ground.remove()
    if given.output:
        given.output.write_text(json.dumps([asdict(one) for one in results], indent=2) + "\n")
    return 0


def _measure(way: Way, ground: Ground, servers: int, threads: int, into: list[Measured]) -> None:
    """One way in a project of its own."""
    tenant = ground.tenant(f"b{uuid.uuid4().hex[:8]}")
    admin, project = tenant.admin, tenant.cloud.current_project_id
    assert admin is not None
    admin.compute.update_quota_set(
        project, instances=LIMIT, cores=LIMIT, ram=LIMIT * 1024, server_group_members=LIMIT
    )
    admin.block_storage.update_quota_set(project, volumes=LIMIT, gigabytes=LIMIT)
    admin.network.update_quota(project, ports=LIMIT)
    try:
        way(tenant, servers, threads, into)
    finally:
        tenant.remove()


if __name__ == "__main__":
    sys.exit(main())
