"""The baseline and the handover on real machines of the local provider."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from tests.local_pools import local_pool

from govpool.effects.baseline import definitions, outcome
from govpool.effects.handover import Login, Step, next_step, prove_locked_out, unit_accounts
from govpool.effects.playbooks import PlaybookResult, PlaybookRun, Target, run_playbook
from govpool.rules.baseline import Gate
from govpool_providers.base import Access, DiskWant, MachineWant, Owner, Size
from govpool_providers.local import LocalProvider

pytestmark = [pytest.mark.root, pytest.mark.slow]

BASELINE = {
    "protection_level": 3,
    "baseline_parameters": {
        "admin_sources": "10.0.0.0/8",
        "password_max_days": "60",
    },
}
# everything but what changes by itself while a machine runs
HASH = (
    "find / -xdev ( -path /proc -o -path /sys -o -path /run -o -path /dev -o -path /tmp -o -path /var/tmp "
    "-o -path /var/log -o -path /var/lib/systemd ) -prune -o -printf '%p:%m:%u:%g:%l:%s:%C@\\n'"
)

INSIDE = (
    "sudo -n id -u; getent passwd; ls /home; sudo grep -rl govpool /etc/sudoers.d /root; "
    "ps -eo user= | sort -u"
)


@dataclass(frozen=True)
class Key:
    private: str
    public: str
    path: Path


def make_key(folder: Path, name: str) -> Key:
    path = folder / name
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", path], check=True)
    return Key(path.read_text(), path.with_suffix(".pub").read_text().strip(), path)


@dataclass(frozen=True)
class Place:
    """Two machines of one pool."""

    targets: tuple[Target, ...]
    operator: Key
    unit: Key
    state: Path
    folder: Path

    def ssh(self, user: str, key: Key, target: Target, command: str) -> subprocess.CompletedProcess[str]:
        known = self.folder / "known_hosts"
        known.write_text(f"{target.host} {' '.join(target.host_public_key.split()[:2])}\n")
        options = [
            "-F",
            "/dev/null",
            "-oBatchMode=yes",
            "-oIdentitiesOnly=yes",
            f"-oUserKnownHostsFile={known}",
        ]
        words = ["ssh", *options, "-i", str(key.path), f"{user}@{target.host}", command]
        return subprocess.run(words, capture_output=True, text=True, timeout=30, check=False)

    def tree(self, target: Target) -> str:
        quoted = HASH.replace("(", "\\(").replace(")", "\\)")
        found = self.ssh(target.user, self.operator, target, f"sudo {quoted} | LC_ALL=C sort")
        assert found.returncode == 0, found.stderr
        assert "\n/etc/shadow:" in found.stdout
        return found.stdout

    def settled(self) -> list[str]:
        """The trees once nothing changes by itself any more: what was restarted may still be writing."""
        before: list[str] = []
        for _ in range(10):
            now = [self.tree(target) for target in self.targets]
            if now == before:
                return now
            before = now
        raise AssertionError("the machines never come to rest")

    def changed(self, before: list[str]) -> list[str]:
        """What is there, or is as it is, now only or then only."""
        now = [self.tree(target) for target in self.targets]
        pairs = zip(before, now, strict=True)
        return sorted(line for one, two in pairs for line in {*one.splitlines()} ^ {*two.splitlines()})

    async def run(self, playbook: str, variables: dict[str, Any], **more: Any) -> PlaybookResult:
        targets = more.pop("targets", self.targets)
        run = PlaybookRun(playbook, "test", targets, variables, **{"timeout": 100.0} | more)
        return await run_playbook(run, state_dir=self.state)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    folder = tmp_path_factory.mktemp("machines")
    operator, unit = make_key(folder, "operator"), make_key(folder, "unit")
    targets = []
    with local_pool("playbooks", 5) as connection:
        provider = LocalProvider(connection)
        for name in ("m1", "m2"):
            host = make_key(folder, f"host-{name}")
            access = Access("govpool", operator.public, host.public, host.private)
            disks = (DiskWant(f"{name}-root", "root", 2, root=True),)
            owner = Owner("uid-playbooks", "request", "unit", 1)
            want = MachineWant(name, name, owner, Size(1, 1), "debian-12", "lan", disks, access)
            machine = provider.ensure_machine(want)
            targets.append(Target(name, machine.addresses[0], "govpool", operator.private, host.public))
        yield Place(tuple(targets), operator, unit, folder / "state", folder)


async def test_1_check_mode_finds_and_changes_nothing(place: Place) -> None:
    before = place.settled()
    result = await place.run("baseline.yml", BASELINE, check=True)
    assert result.status == "successful", result.message
    assert place.changed(before) == []
    for target in place.targets:
        found = outcome(result, target.name, definitions(), 3)
        assert found.gate is Gate.NOT_MET
        assert found.score < 70
        assert found.mended == 0


async def test_2_the_baseline_mends_and_is_met(place: Place) -> None:
    result = await place.run("baseline.yml", BASELINE)
    assert result.status == "successful", result.message
    for target in place.targets:
        found = outcome(result, target.name, definitions(), 3)
        assert found.gate is Gate.MET, found.message
        assert found.mended > 30
        for control in found.controls:
            assert control.effective or control.detail, "what is only configured says why"
    ageing = place.ssh("govpool", place.operator, place.targets[0], "grep ^PASS_MAX_DAYS /etc/login.defs")
    assert ageing.stdout.split() == ["PASS_MAX_DAYS", "60"], "the policy's number, not ours"


async def test_3_a_second_run_changes_nothing(place: Place) -> None:
    before = place.settled()
    result = await place.run("baseline.yml", BASELINE)
    assert place.changed(before) == []
    assert {stats.changed for stats in result.stats.values()} == {0}
    assert all(outcome(result, target.name, definitions(), 3).passed for target in place.targets)


async def test_4_one_broken_control_is_found_and_mended(place: Place) -> None:
    target = place.targets[0]
    spoiled = place.ssh("govpool", place.operator, target, "sudo chmod 666 /etc/shadow")
    assert spoiled.returncode == 0
    result = await place.run("baseline.yml", BASELINE)
    found = outcome(result, target.name, definitions(), 3)
    assert found.passed
    assert {c.definition.id for c in found.controls if c.mended} == {"AC-10", "AC-15"}


async def test_5_the_operator_does_not_lock_itself_out(place: Place) -> None:
    parameters = {"admin_sources": "192.0.2.0/24"}
    result = await place.run(
        "baseline.yml", {"protection_level": 2, "baseline_parameters": parameters}, targets=place.targets[:1]
    )
    found = outcome(result, place.targets[0].name, definitions(), 2)
    assert found.gate is Gate.NOT_MET
    failing = {c.definition.id: c.detail for c in found.controls if c.result == "Fail"}
    assert list(failing) == ["IP-05"]
    assert "add it to admin_sources" in failing["IP-05"] or "is set already" in failing["IP-05"]


async def test_6_handover_locks_the_operator_out_and_lets_the_unit_in(place: Place) -> None:
    first, second = place.targets
    accounts = [{"name": "oaadmin", "keys": [place.unit.public], "sudo": "nopasswd"}]
    variables = {"handover_accounts": accounts, "operator_public_key": place.operator.public}

    early = await place.run("handover.yml", variables | {"handover_phase": "leave"})
    assert early.status == "failed", "nobody leaves before the unit's accounts are there"
    assert "run the phase 'accounts' first" in str(early.tasks[0].result["msg"])
    assert (await prove_locked_out(first)).login is Login.OPEN

    made = await place.run("handover.yml", variables | {"handover_phase": "accounts"})
    assert made.status == "successful", made.message
    recorded = {target.name: unit_accounts(made, target.name) for target in place.targets}
    for seen in recorded.values():
        assert seen is not None
        assert [account.name for account in seen] == ["oaadmin"]
    again = await place.run("handover.yml", variables | {"handover_phase": "accounts"})
    assert {stats.changed for stats in again.stats.values()} == {0}

    # killed on the way, wherever that is, and gone on with from what is on record
    await place.run("handover.yml", variables | {"handover_phase": "leave"}, timeout=1.5)
    for target in (first, second):
        proof = await prove_locked_out(target)
        if next_step(recorded[target.name], proof.login) is Step.LEAVE:
            # what the killed run began on the machine may end there meanwhile, and then shuts this run out
            left = await place.run("handover.yml", variables | {"handover_phase": "leave"}, targets=(target,))
            proof = await prove_locked_out(target)
            assert left.status == "successful" or left.unreachable_hosts == {target.name}, left.message
        assert proof.locked_out, proof.summary()
        assert [attempt.method for attempt in proof.attempts] == ["publickey", "password"]
        assert next_step(recorded[target.name], proof.login) is Step.DONE
        assert next_step(None, proof.login) is Step.ASK
        inside = place.ssh("oaadmin", place.unit, target, INSIDE)
        assert inside.stdout.splitlines()[0] == "0", inside.stderr
        assert "govpool" not in inside.stdout.replace("00-govpool-baseline", ""), inside.stdout
    elsewhere = replace(first, host_public_key=second.host_public_key)
    assert (await prove_locked_out(elsewhere)).login is Login.UNKNOWN, "another machine proves nothing"

    retried = await place.run("handover.yml", variables | {"handover_phase": "leave"})
    assert retried.status == "failed"
    assert retried.unreachable_hosts == {"m1", "m2"}
