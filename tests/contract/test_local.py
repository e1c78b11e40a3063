"""What only a local pool shows: that its servers, disks and limits are real."""

from __future__ import annotations

import dataclasses
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from contract_pools import ACCESS, HOST_KEY, USER_KEY, KeyPair, Pool, free_settings, want_machine

from govpool_providers.base import (
    GIB,
    DiskWant,
    Machine,
    MachineState,
    OverwriteProof,
    PoolConnection,
    Size,
)
from govpool_providers.errors import ErrorCode, ProviderError
from govpool_providers.local import LocalProvider, cgroups, leftovers, nspawn, purge, storage
from govpool_providers.local.network import answers_ssh, remove_bridge
from govpool_providers.local.settings import LocalSettings

pytestmark = pytest.mark.root

Ssh = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def provider(local_pool: Pool) -> LocalProvider:
    return LocalProvider(local_pool.connection)


@pytest.fixture
def served(shared_pool: Pool) -> LocalProvider:
    """A pool with a running m1, to look at and not to change."""
    return LocalProvider(shared_pool.connection)


def m1(provider: LocalProvider) -> Machine:
    (machine,) = provider.list_machines()
    return machine


@pytest.fixture
def machine(local_pool: Pool, provider: LocalProvider) -> Machine:
    return local_pool.build(want_machine(), provider)


def said(done: subprocess.CompletedProcess[str]) -> str:
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def find_in_file(path: Path, needle: bytes) -> bool:
    """Whether the raw file holds the bytes; only blocks that were ever written are read."""
    with path.open("rb") as file:
        end = os.fstat(file.fileno()).st_size
        start, tail = 0, b""
        while start < end:
            try:
                start = os.lseek(file.fileno(), start, os.SEEK_DATA)
            except OSError:
                return False
            hole = os.lseek(file.fileno(), start, os.SEEK_HOLE)
            for offset in range(start, hole, 16 * 1024**2):
                chunk = os.pread(file.fileno(), min(16 * 1024**2, hole - offset), offset)
                if needle in tail + chunk:
                    return True
                tail = chunk[-len(needle) :]
            start = hole
    return False


def test_the_first_connection_is_verified_and_the_machine_is_a_booted_server(
    served: LocalProvider, ssh: Ssh
) -> None:
    script = (
        "systemctl is-system-running --wait; systemctl list-units --failed --no-legend; hostname;"
        "sudo -n id -u; findmnt -no FSTYPE /; findmnt -no FSTYPE /data/data1; cat /etc/resolv.conf;"
        "getent hosts $(hostname)"
    )
    running, name, uid, root, data, hosts = said(ssh(m1(served), script)).splitlines()
    assert (running, name, uid, root, data) == ("running", "web-m1", "0", "overlay", "ext4")
    assert hosts.split() == [m1(served).addresses[0], "web-m1"]


def test_another_host_key_is_not_accepted(served: LocalProvider, ssh: Ssh) -> None:
    refused = ssh(m1(served), "true", host_key=KeyPair.make())
    assert refused.returncode != 0
    assert "Host key verification failed" in refused.stderr


def test_a_login_is_quick_and_needs_no_name_service(served: LocalProvider, ssh: Ssh) -> None:
    said(ssh(m1(served), "true"))
    began = time.monotonic()
    said(ssh(m1(served), "sudo -n true"))
    assert time.monotonic() - began < 3


def test_what_is_written_lies_on_the_raw_disks(
    local_pool: Pool, provider: LocalProvider, machine: Machine, ssh: Ssh
) -> None:
    root, data, bare = (f"marker-{name}-{os.urandom(12).hex()}" for name in ("root", "data", "bare"))
    script = f"echo {root} > ~/file; echo {data} | sudo tee /data/data1/file; echo {bare} | sudo tee /data/x"
    said(ssh(machine, script))
    local_pool.release("m1", provider)
    images = {disk.key: Path(disk.provider_id) for disk in provider.list_disks("m1")}
    for marker in (root, bare):
        assert find_in_file(images["m1-root"], marker.encode())
    assert find_in_file(images["m1-data1"], data.encode())
    assert not find_in_file(images["m1-data1"], root.encode())


def test_the_sanitiser_overwrites_the_very_blocks(
    local_pool: Pool, provider: LocalProvider, machine: Machine, ssh: Ssh
) -> None:
    marker = f"marker-{os.urandom(12).hex()}"
    said(ssh(machine, f"echo {marker} | sudo tee /data/data1/file"))
    local_pool.release("m1", provider)
    (disk,) = (disk for disk in provider.list_disks("m1") if not disk.root)
    assert disk.overwrite is OverwriteProof.IN_PLACE
    assert disk.medium == "file on ext4"
    image = Path(disk.provider_id)
    before = physical_extents(image)
    device = provider.attach_to_sanitiser(disk.key)
    assert device.host == "localhost"
    assert Path(f"/sys/block/{Path(device.device).name}/loop/dio").read_text().strip() == "1"
    with open(device.device, "r+b", buffering=0) as raw:
        raw.writelines(b"\xa5" * 16 * 1024**2 for _ in range(device.size_bytes // (16 * 1024**2)))
        os.fsync(raw.fileno())
        assert physical_extents(image) == before
    subprocess.run(["blkdiscard", "--length", "1MiB", device.device], check=True)
    provider.detach_from_sanitiser(disk.key)
    assert not find_in_file(image, marker.encode())


def physical_extents(path: Path) -> list[tuple[int, int]]:
    """The file's physical blocks on the host, adjoining extents joined; its flags are left out."""
    listing = subprocess.run(
        ["filefrag", "-v", "-b4096", path], capture_output=True, text=True, check=True
    ).stdout
    joined: list[tuple[int, int]] = []
    for start, end in re.findall(r"^ *\d+: +\d+\.\. *\d+: +(\d+)\.\. *(\d+):", listing, re.MULTILINE):
        if joined and joined[-1][1] + 1 == int(start):
            joined[-1] = (joined[-1][0], int(end))
        else:
            joined.append((int(start), int(end)))
    assert joined
    return joined


def test_the_machine_cannot_discard_its_blocks(served: LocalProvider, ssh: Ssh) -> None:
    trimmed = ssh(m1(served), "sudo -n fstrim -v /data/data1")
    assert trimmed.returncode != 0
    assert "not supported" in trimmed.stderr


def test_the_memory_limit_is_enforced_and_follows_a_resize(
    provider: LocalProvider, machine: Machine, ssh: Ssh
) -> None:
    unit = provider.settings.unit_name("m1")
    assert cgroups.memory_limit(unit) == GIB
    taking = "python3 -c 'b = bytearray(1200 << 20); print(len(b) >> 20)'"
    assert ssh(machine, taking).returncode != 0
    provider.resize_machine("m1", Size(1, 2))
    assert cgroups.memory_limit(unit) == 2 * GIB
    assert said(ssh(machine, taking)) == "1200"
    provider.set_power("m1", on=False)
    machine = provider.set_power("m1", on=True)
    assert machine.state is MachineState.ACTIVE
    assert cgroups.memory_limit(unit) == 2 * GIB
    if not cgroups.unified_only():
        assert said(ssh(machine, "cat /sys/fs/cgroup/memory/memory.limit_in_bytes")) == str(2 * GIB)


def test_data_survives_a_power_cycle(provider: LocalProvider, machine: Machine, ssh: Ssh) -> None:
    said(ssh(machine, "echo here | sudo tee /data/data1/file; echo there > ~/file"))
    provider.set_power("m1", on=False)
    assert not answers_ssh(machine.addresses[0], 0.3)
    provider.set_power("m1", on=True)
    assert said(ssh(machine, "cat /data/data1/file ~/file")).split() == ["here", "there"]


def test_isolation_cuts_the_network_and_holds_over_a_power_cycle(
    provider: LocalProvider, machine: Machine, ssh: Ssh
) -> None:
    address = machine.addresses[0]
    assert answers_ssh(address)
    provider.set_isolated("m1", isolated=True)
    assert not answers_ssh(address, 0.3)
    provider.set_power("m1", on=False)
    assert provider.set_power("m1", on=True).isolated
    assert provider.host.booted(provider.built("m1"))
    assert not answers_ssh(address, 0.3)
    provider.set_isolated("m1", isolated=False)
    assert poll(lambda: answers_ssh(address))


def test_new_and_grown_disks_reach_the_running_machine(
    provider: LocalProvider, machine: Machine, ssh: Ssh
) -> None:
    wants = (DiskWant("m1-data1", "data1", 2), DiskWant("m1-data2", "data2", 1))
    said(ssh(machine, "echo kept | sudo tee /data/data1/file"))
    provider.add_disks("m1", wants)
    sizes = said(ssh(machine, "cat /data/data1/file; df --output=size -m /data/data1 /data/data2")).split()
    assert sizes[0] == "kept"
    assert int(sizes[2]) > 1900
    assert 900 < int(sizes[3]) < 1100


def test_a_disk_in_use_grows_at_the_next_start_at_the_latest(
    provider: LocalProvider, machine: Machine, ssh: Ssh
) -> None:
    said(ssh(machine, "sudo systemd-run --quiet --working-directory=/data/data1 sleep infinity"))
    root, data = DiskWant("m1-root", "root", 2, root=True), DiskWant("m1-data1", "data1", 2)
    provider.add_disks("m1", (root, data))
    assert {disk.size_bytes for disk in provider.list_disks("m1")} == {2 * GIB}
    provider.set_power("m1", on=False)
    provider.set_power("m1", on=True)
    sizes = said(ssh(machine, "df --output=size -m / /data/data1")).split()
    assert [int(size) > 1900 for size in sizes[1:]] == [True, True]


def test_the_machine_outlives_the_operator_that_made_it(
    local_pool: Pool, provider: LocalProvider, ssh: Ssh
) -> None:
    child = os.fork()
    if child == 0:
        try:
            local_pool.build(want_machine())
            os.kill(os.getpid(), signal.SIGKILL)
        finally:
            os._exit(1)  # a child that raised must not go on as a second test runner
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL
    (machine,) = provider.list_machines()
    assert machine.state is MachineState.ACTIVE
    assert said(ssh(machine, "echo alive")) == "alive"


def test_a_machine_that_went_down_by_itself_is_stopped_and_started_again(
    local_pool: Pool, provider: LocalProvider, machine: Machine, ssh: Ssh
) -> None:
    unit = provider.settings.unit_name("m1")
    os.kill(nspawn.supervisors()[unit], signal.SIGKILL)
    assert poll(lambda: nspawn.supervisor(unit) is None)
    assert provider.ensure_machine(want_machine()).state is MachineState.STOPPED
    assert provider.set_power("m1", on=True).state is MachineState.ACTIVE
    assert said(ssh(machine, "echo back")) == "back"


def test_servers_are_started_again_after_the_host_was_rebooted(
    provider: LocalProvider, machine: Machine, ssh: Ssh
) -> None:
    said(ssh(machine, "echo kept | sudo tee /data/data1/file; sync"))
    record = provider.built("m1")
    unit = provider.settings.unit_name("m1")
    cgroups.kill(unit, sleep=time.sleep)
    provider.host.unmount(record)
    remove_bridge(provider.settings)
    (found,) = provider.list_machines()
    assert found.state is MachineState.STOPPED
    assert provider.set_power("m1", on=True).state is MachineState.ACTIVE
    # The host knows no neighbour on a bridge that was made anew: the first packets may be lost.
    assert poll(lambda: ssh(machine, "true").returncode == 0, limit=30), "it can't be reached"
    assert said(ssh(machine, "cat /data/data1/file")) == "kept"


def poll(reached: Callable[[], bool], limit: float = 5.0) -> bool:
    until = time.monotonic() + limit
    while not reached():
        if time.monotonic() > until:
            return False
        os.sched_yield()
    return True


def test_a_failed_boot_is_an_error_with_the_consoles_words_and_is_replaced(
    local_pool: Pool, provider: LocalProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    command = nspawn.command
    monkeypatch.setattr(nspawn, "command", lambda launch: [*command(launch), "--no-such-option"])
    broken = provider.ensure_machine(want_machine())
    assert broken.state is MachineState.ERROR
    assert "no-such-option" in broken.fault
    assert provider.list_machines() == (broken,)
    monkeypatch.undo()
    assert local_pool.build(want_machine(), provider).fault == ""


def test_pools_live_side_by_side_and_a_taken_bridge_is_refused(
    local_pool: Pool, provider: LocalProvider, machine: Machine, pool_home: Path
) -> None:
    other = PoolConnection("contract-2", free_settings(pool_home / "other", 1))
    try:
        assert (
            local_pool.build(want_machine("m1", uid="uid-9"), LocalProvider(other)).addresses
            != machine.addresses
        )
        assert len(provider.list_machines()) == len(LocalProvider(other).list_machines()) == 1
        taken = {**other.settings, "state": str(pool_home / "third"), "bridge": provider.settings.bridge}
        third = PoolConnection("contract-3", taken)
        with pytest.raises(ProviderError, match="set another 'bridge'") as caught:
            LocalProvider(third).ensure_machine(want_machine())
        assert caught.value.code is ErrorCode.CONFLICT
    finally:
        purge(PoolConnection("contract-3", {**other.settings, "state": str(pool_home / "third")}))
        purge(other)
    assert leftovers(other) == []
    assert provider.find_machine("m1") == machine


def test_an_address_is_given_again_and_reachable_at_once(
    local_pool: Pool, provider: LocalProvider, machine: Machine, ssh: Ssh
) -> None:
    said(ssh(machine, "true"))
    local_pool.release("m1", provider)
    again = local_pool.build(want_machine("m2"), provider)
    assert again.addresses == machine.addresses
    assert said(ssh(again, "hostname")) == "web-m2"


def test_the_private_host_key_is_only_on_the_own_disk(served: LocalProvider) -> None:
    secret = HOST_KEY.private.splitlines()[2]
    for path in served.settings.state.rglob("*"):
        on_a_disk = path.is_relative_to(served.store.run_dir) or path.suffix == ".img"
        if path.is_file() and not on_a_disk:
            assert secret not in path.read_text(), path
    assert secret not in repr(want_machine())
    console = served.host.folder("m1").log.read_text()
    assert secret not in console
    assert USER_KEY.private not in console


def test_records_are_for_root_alone(served: LocalProvider) -> None:
    for path in (served.store.machines_dir, served.store.disks_dir, served.store.run_dir):
        assert path.stat().st_mode & 0o077 == 0


def test_lost_records_are_not_an_empty_pool(provider: LocalProvider, machine: Machine) -> None:
    state = provider.settings.state
    hidden = state.with_name("elsewhere")
    state.rename(hidden)
    try:
        for look in (lambda: provider.find_machine("m1"), provider.list_machines, provider.list_all_disks):
            with pytest.raises(ProviderError) as caught:
                look()
            assert caught.value.code is ErrorCode.UNREACHABLE
        with pytest.raises(ProviderError):
            provider.release_machine("m1")
    finally:
        hidden.rename(state)
    assert provider.find_machine("m1") is not None


def test_another_pools_state_folder_is_refused(local_pool: Pool, machine: Machine) -> None:
    other = dataclasses.replace(local_pool.connection, pool="somebody-elses")
    with pytest.raises(ProviderError, match="state folder of its own") as caught:
        LocalProvider(other).ensure_machine(want_machine("m2"))
    assert caught.value.code is ErrorCode.CONFLICT


def test_a_used_root_disk_cant_lead_the_operator_onto_its_own_files(
    local_pool: Pool, provider: LocalProvider, machine: Machine, ssh: Ssh, pool_home: Path
) -> None:
    said(ssh(machine, f"sudo mv /etc/ssh /etc/ssh-old; sudo ln -s {pool_home} /etc/ssh"))
    local_pool.release("m1", provider)
    with pytest.raises(ProviderError, match="leads out of the machine's root disk"):
        provider.ensure_machine(want_machine())
    assert [path.name for path in pool_home.iterdir()] == ["pool"]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"image": "windows-95"}, "not one of debian-12"),
        ({"hostname": "Not A Name"}, "DNS label"),
        ({"access": dataclasses.replace(ACCESS, user="root")}, "not allowed"),
        ({"access": dataclasses.replace(ACCESS, host_private_key="x")}, "OpenSSH"),
    ],
)
def test_what_can_never_boot_is_invalid(
    provider: LocalProvider, change: dict[str, object], words: str
) -> None:
    want = dataclasses.replace(want_machine(), **change)  # type: ignore[arg-type]
    with pytest.raises(ProviderError, match=words) as caught:
        provider.ensure_machine(want)
    assert caught.value.code is ErrorCode.INVALID
    assert not provider.settings.state.exists()


@pytest.mark.parametrize(
    "settings",
    [
        {"subnet": "8.8.8.0/24"},
        {"subnet": "10.0.0.0/8"},
        {"bridge": "a-name-that-is-far-too-long"},
        {"allocation": "thin"},
        {"capacity.vcpu": "-1"},
        {"boot_wait": "soon"},
    ],
)
def test_settings_that_make_no_sense_are_invalid(settings: dict[str, str]) -> None:
    with pytest.raises(ProviderError, match="Correct the pool's connection settings") as caught:
        LocalProvider(PoolConnection("p", settings))
    assert caught.value.code is ErrorCode.INVALID


def test_purge_can_keep_the_records_and_disks(
    local_pool: Pool, provider: LocalProvider, machine: Machine
) -> None:
    purge(local_pool.connection, state=False)
    assert leftovers(local_pool.connection) == []
    assert provider.list_machines() == ()
    assert len(provider.list_disks("m1")) == 2
    assert local_pool.build(want_machine(), provider).state is MachineState.ACTIVE


def test_leftovers_names_what_is_there(shared_pool: Pool) -> None:
    found = "\n".join(leftovers(shared_pool.connection))
    for word in ("mount", "loop device", "process", "control group", "/sys/class/net", "bridge", "blackhole"):
        assert word in found


def test_whether_an_overwrite_reaches_the_medium_follows_the_file_system() -> None:
    def proof(kind: str, *options: str) -> OverwriteProof:
        return storage.FileSystem(kind, frozenset(options)).overwrite

    assert proof("ext4", "rw") is OverwriteProof.IN_PLACE
    for kind in ("btrfs", "zfs", "xfs", "overlay", "tmpfs", "nfs4"):
        assert proof(kind) is OverwriteProof.COPY_ON_WRITE
    assert proof("ext4", "data=journal") is OverwriteProof.COPY_ON_WRITE


def test_a_sparse_pool_takes_no_room_until_written(local_pool: Pool) -> None:
    provider = local_pool.reopened(allocation="sparse")
    local_pool.build(want_machine(), provider)
    for disk in provider.list_disks("m1"):
        status = Path(disk.provider_id).stat()
        assert status.st_size == GIB
        assert status.st_blocks * 512 < GIB // 4


CREATOR = """
import sys
sys.path.insert(0, sys.argv[1])
from contract_pools import want_machine
from govpool_providers.base import PoolConnection
from govpool_providers.local import LocalProvider
settings = dict(zip(("state", "bridge", "subnet"), sys.argv[2:]))
LocalProvider(PoolConnection("contract", settings)).ensure_machine(want_machine())
"""


def test_a_creator_killed_at_any_moment_leaves_what_the_next_one_finishes(
    local_pool: Pool, provider: LocalProvider, ssh: Ssh
) -> None:
    """SIGKILL from outside after a delay, so also in the middle of a step and of the tools it runs."""
    settings = LocalSettings.of(local_pool.connection)
    argv = [sys.executable, "-c", CREATOR, str(Path(__file__).parent)]
    argv += [str(settings.state), settings.bridge, str(settings.subnet)]
    for hundredths in (1, 5, 12, 25):
        creator = subprocess.Popen(argv)
        record = settings.state / "machines/m1.json"
        assert poll(lambda: record.exists() or creator.poll() is not None, 30)  # noqa: B023
        with pytest.raises(subprocess.TimeoutExpired):
            creator.wait(hundredths / 100)
        creator.kill()
        creator.wait()
        assert len(provider.list_machines()) == 1
        local_pool.release("m1", provider)
        assert leftovers(local_pool.connection) == []
        for disk in provider.list_disks("m1"):
            provider.delete_disk(disk.key)


def test_limits_are_also_written_where_the_host_has_version_2_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On files in the shape of that hierarchy: that the kernel then obeys is not shown here."""
    group = tmp_path / "govpool/gp1"
    group.mkdir(parents=True)
    for name in ("cgroup.procs", "memory.max", "cpu.max", "pids.max"):
        (group / name).touch()
    (group / "memory.stat").write_text(f"anon {2 * GIB}\nfile 4096\n")
    (tmp_path / "cgroup.controllers").write_text("cpu memory pids")
    monkeypatch.setattr(cgroups, "ROOT", tmp_path)
    assert cgroups.ensure("gp1", Size(2, 3)) == [group]
    assert (group / "cpu.max").read_text() == "200000 100000"
    assert cgroups.memory_limit("gp1") == 3 * GIB
    with pytest.raises(ProviderError, match="stop it, then resize it"):
        cgroups.limit("gp1", Size(2, 1))
    assert cgroups.memory_limit("gp1") == 3 * GIB
    for folder in (tmp_path, tmp_path / "govpool"):
        assert (folder / "cgroup.subtree_control").read_text() == "+cpu +memory +pids"


def test_a_size_below_what_is_in_use_is_a_conflict(
    provider: LocalProvider, machine: Machine, ssh: Ssh
) -> None:
    provider.resize_machine("m1", Size(1, 2))
    holding = "python3 -c 'import time; b = bytearray(b\"x\") * (1200 << 20); time.sleep(600)'"
    said(ssh(machine, f"sudo systemd-run --quiet {holding}"))
    usage = (
        Path("/sys/fs/cgroup/memory/govpool") / provider.settings.unit_name("m1") / "memory.usage_in_bytes"
    )
    if cgroups.unified_only():
        pytest.skip("version 2 reclaims or kills instead of refusing")
    assert poll(lambda: int(usage.read_text()) > 1200 << 20, 30)
    with pytest.raises(ProviderError, match="stop it, then resize it") as caught:
        provider.resize_machine("m1", Size(1, 1))
    assert caught.value.code is ErrorCode.CONFLICT
    found = provider.find_machine("m1")
    assert found is not None
    assert found.size == Size(1, 2)
    provider.set_power("m1", on=False)
    assert provider.resize_machine("m1", Size(1, 1)).size == Size(1, 1)
