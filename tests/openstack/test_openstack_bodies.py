"""The bed's servers have bodies: what Nova, Cinder and Neutron say is so on this host, over SSH."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from openstack_cloud import until
from test_contract import refused
from tests.openstack.bed.layout import Layout
from tests.openstack.bodies.ground import CLOUD, Ground, empty, ground

from govpool.effects.access import Keys, _keys, _make
from govpool_providers.base import DiskWant, Machine, MachineState, MachineWant, Owner, Size
from govpool_providers.errors import ErrorCode
from govpool_providers.openstack import OpenStackProvider, leftovers, purge

pytestmark = [
    pytest.mark.root,
    pytest.mark.alone,
    pytest.mark.timeout(600),
    pytest.mark.skipif(os.environ.get("GOVPOOL_TEST_OPENSTACK") != "bed", reason="bodies are the bed's"),
]
PATIENCE, NO_ANSWER = 20.0, 255
OWNER = Owner("uid-1", "doc-approval", "bureau", 1)


@pytest.fixture(scope="module")
def place() -> Iterator[Ground]:
    folder = Path(tempfile.mkdtemp(prefix="bodies-", dir=Layout.of_environment().run))
    with ground(folder) as made:
        yield made
    shutil.rmtree(folder)


@pytest.fixture
def provider(place: Ground, monkeypatch: pytest.MonkeyPatch) -> Iterator[OpenStackProvider]:
    monkeypatch.setenv("OS_CLIENT_CONFIG_FILE", str(place.clouds))
    yield OpenStackProvider(place.connection)
    empty(place.member)


class Login:
    """SSH to a body with the keys that its user data carried."""

    def __init__(self, keys: Keys, folder: Path) -> None:
        self.keys = keys
        self._key, self._known = folder / "key", folder / "known_hosts"
        self._key.touch(mode=0o600)
        self._key.write_text(keys.operator_private)

    def run(self, address: str, command: str) -> subprocess.CompletedProcess[str]:
        self._known.write_text(f"{address} {self.keys.host_public}\n")
        options = [f"UserKnownHostsFile={self._known}", "StrictHostKeyChecking=yes", "BatchMode=yes"]
        options += ["ConnectTimeout=3"]
        given = [part for option in options for part in ("-o", option)]
        argv = ["ssh", "-F", "none", *given, "-i", str(self._key), f"govpool@{address}", command]
        try:
            return subprocess.run(argv, capture_output=True, text=True, check=False, timeout=PATIENCE)
        except subprocess.TimeoutExpired:  # the cable was pulled in the middle: ssh itself waits for ever
            return subprocess.CompletedProcess(argv, NO_ANSWER, "", "no answer")

    def say(self, address: str, command: str) -> str:
        """What the command says, once the machine lets us in."""
        until("the machine lets us in", lambda: self.run(address, "true").returncode == 0, 90)
        done = self.run(address, command)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()


@pytest.fixture
def login(tmp_path: Path) -> Login:
    return Login(_keys(_make()), tmp_path)


def opened(provider: OpenStackProvider, login: Login) -> Machine:
    disks = (
        DiskWant("m1-root", "root", 1, root=True),
        DiskWant("m1-files", "files", 1, volume_class="evs-standard"),
    )
    want = MachineWant(
        "m1", "web-m1", OWNER, Size(1, 1), "debian-12", "GovernmentExtranet", disks, login.keys.access
    )
    machine = provider.ensure_machine(want)
    assert machine.state is MachineState.ACTIVE, machine.fault
    return machine


def test_a_body_has_what_the_cloud_gave_and_follows_it(provider: OpenStackProvider, login: Login) -> None:
    machine = opened(provider, login)
    (address,) = machine.addresses
    assert login.say(address, "hostname") == "web-m1"
    login.say(address, "sudo sh -c 'echo paper > /data/files/a; echo root > /root/b'; sync")
    assert f"{address}/" in login.say(address, "ip -4 -o address show dev host0")

    assert provider.resize_machine("m1", Size(1, 2)).size == Size(1, 2)
    assert provider.set_power("m1", on=False).state is MachineState.STOPPED
    assert login.run(address, "true").returncode != 0
    provider.set_power("m1", on=True)
    assert login.say(address, "cat /data/files/a; sudo cat /root/b") == "paper\nroot"
    limits = "/sys/fs/cgroup/memory/memory.limit_in_bytes /sys/fs/cgroup/memory.max"
    assert login.say(address, f"cat {limits} 2>/dev/null; true") == str(2 * 1024**3)

    provider.add_disks("m1", (DiskWant("m1-files", "files", 2), DiskWant("m1-more", "more", 1)))
    seen = "stat -f -c %b:%S /data/files /data/more"
    until("the new disk is mounted", lambda: len(set(login.say(address, seen).split())) == 2)
    provider.set_isolated("m1", isolated=True)
    until("the cable is pulled", lambda: login.run(address, "true").returncode != 0)
    provider.set_isolated("m1", isolated=False)
    assert login.say(address, "cat /data/files/a") == "paper"


def test_the_sanitiser_is_a_machine_of_the_pools_own(
    provider: OpenStackProvider, login: Login, place: Ground
) -> None:
    opened(provider, login)
    provider.release_machine("m1")
    assert provider.find_machine("m1") is None
    keys = _keys(_make())
    provider.ensure_sanitiser(keys.access)
    provider.ensure_sanitiser(login.keys.access)  # nobody has the first one's key any more
    device = provider.attach_to_sanitiser("m1-root")
    assert provider.attach_to_sanitiser("m1-root") == device
    refused(ErrorCode.CONFLICT, lambda: provider.ensure_sanitiser(keys.access))
    size = login.say(device.host, f"sudo blockdev --getsize64 {device.device}")
    assert int(size) == device.size_bytes
    volume = {disk.key: disk.provider_id for disk in provider.list_disks("m1")}["m1-root"]
    login.say(device.host, f"echo wiped | sudo dd of={device.device} conv=fsync oflag=sync status=none")
    assert (place.volumes / volume).read_bytes()[:5] == b"wiped"
    provider.detach_from_sanitiser("m1-root")
    assert login.run(device.host, f"test -e {device.device}").returncode == 1
    purge(place.connection)
    assert leftovers(place.connection) == []
    assert list(place.member.compute.servers()) == list(place.member.block_storage.volumes()) == []


@pytest.mark.usefixtures("provider")
def test_a_sanitiser_that_nobody_here_has_a_key_to_is_refused(place: Ground, login: Login) -> None:
    given = place.connection
    foreign = OpenStackProvider(replace(given, settings={**given.settings, "sanitiser.server": "somebodys"}))
    refused(ErrorCode.INVALID, lambda: foreign.ensure_sanitiser(login.keys.access))
    here = OpenStackProvider(replace(given, settings={**given.settings, "sanitiser.host": "localhost"}))
    here.ensure_sanitiser(login.keys.access)
    assert not here.has_sanitiser()
    assert given.settings["cloud"] == CLOUD
