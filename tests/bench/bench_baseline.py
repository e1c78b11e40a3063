"""The security baseline on 1 and 10 local machines against plain ``ansible-playbook`` with the same playbook.

Every run is on machines that were just made, so that both mend as much; then once more on machines that meet
the baseline already. Both use the playbooks' own ``ansible.cfg``, ten forks and the same variables.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pydantic import JsonValue

from govpool.effects.baseline import definitions, outcome
from govpool.effects.playbook_paths import playbooks_dir
from govpool.effects.playbooks import PlaybookRun, Target, run_playbook
from govpool_providers.base import Access, DiskWant, MachineWant, Owner, PoolConnection, Size
from govpool_providers.local import LocalProvider, leftovers, purge
from govpool_providers.local.ground import check
from tests.bench.report import Report

LEVEL = 2
SUBNET = "10.213.97.0/24"
VARIABLES: dict[str, JsonValue] = {
    "protection_level": LEVEL,
    "baseline_parameters": {"admin_sources": SUBNET},
}
TIMEOUT = 900.0
PLAYBOOK = "baseline.yml"


@dataclass(frozen=True)
class Taken:
    """Seconds of a run that mends and of one that finds nothing to mend."""

    mending: float
    standing: float


async def measure(counts: tuple[int, ...] = (1, 10)) -> Report:
    """Run the baseline both ways on so many machines."""
    report = Report("baseline", f"{len(definitions())} controls, local machines", "plain ansible-playbook")
    lacks = [f"{finding.name}: {finding.found}" for finding in check() if finding.needed and not finding.ok]
    if lacks:
        report.skipped = "local machines can't run here: " + "; ".join(lacks)
        return report
    for count in counts:
        with tempfile.TemporaryDirectory(prefix="govpool-bench-", dir="/var/tmp") as folder:
            home = Path(folder)
            with machines(home / "plain", count) as targets:
                plain = Taken(_plain(home, targets), _plain(home, targets))
            with machines(home / "ours", count) as targets:
                ours = Taken(await _ours(home, targets), await _ours(home, targets))
        title = f"{count} machine{'s' if count > 1 else ''}"
        report.add(f"{title}, newly made", "s", ours.mending, plain.mending)
        report.add(f"{title}, meeting the baseline already", "s", ours.standing, plain.standing)
    return report


async def _ours(home: Path, targets: tuple[Target, ...]) -> float:
    run = PlaybookRun(PLAYBOOK, "bench", targets, VARIABLES, timeout=TIMEOUT)
    began = time.perf_counter()
    result = await run_playbook(run, state_dir=home / "runs")
    took = time.perf_counter() - began
    if result.status != "successful":
        raise RuntimeError(f"the baseline ended {result.status}: {result.message}")
    for target in targets:
        found = outcome(result, target.name, definitions(), LEVEL)
        if not found.passed:
            raise RuntimeError(f"{target.name} does not meet the baseline: {found.message}")
    return took


def _plain(home: Path, targets: tuple[Target, ...]) -> float:
    """``ansible-playbook`` as somebody would call it in the folder of the playbooks."""
    key, known, inventory = home / "key", home / "known_hosts", home / "inventory.yaml"
    key.touch(mode=0o600)
    key.write_text(targets[0].private_key)
    known.write_text("".join(f"{t.host} {' '.join(t.host_public_key.split()[:2])}\n" for t in targets))
    every = {
        "ansible_become": True,
        "ansible_ssh_private_key_file": str(key),
        "ansible_ssh_common_args": f"-F /dev/null -o UserKnownHostsFile={known} -o IdentitiesOnly=yes",
    }
    hosts = {t.name: {"ansible_host": t.host, "ansible_user": t.user} for t in targets}
    inventory.write_text(json.dumps({"all": {"hosts": hosts, "vars": every}}))
    variables = home / "variables.json"
    variables.write_text(json.dumps(VARIABLES))
    command = ["ansible-playbook", "-i", str(inventory), "-f", "10", "-e", f"@{variables}", PLAYBOOK]
    began = time.perf_counter()
    done = subprocess.run(
        command, cwd=playbooks_dir(), capture_output=True, text=True, timeout=TIMEOUT, check=False
    )
    took = time.perf_counter() - began
    carried_out = [line for line in done.stdout.splitlines() if re.search(r": ok=[1-9].* failed=0", line)]
    if done.returncode != 0 or len(carried_out) != len(targets):
        told = (done.stdout + done.stderr)[-2000:]
        raise RuntimeError(f"ansible-playbook ended with {done.returncode}: {told}")
    return took


# -- machines ------------------------------------------------------------------------------------
@contextlib.contextmanager
def machines(home: Path, count: int) -> Iterator[tuple[Target, ...]]:
    """New machines of a pool of their own, of which nothing is left in the end."""
    home.mkdir()
    connection = PoolConnection(
        "bench", {"state": str(home / "pool"), "bridge": f"gpb{os.getpid() % 100000}", "subnet": SUBNET}
    )
    provider = LocalProvider(connection)
    private, public = _key(home / "operator")
    targets = []
    try:
        for number in range(count):
            name = f"m{number}"
            host_private, host_public = _key(home / f"host-{name}")
            want = MachineWant(
                name,
                name,
                Owner("uid-bench", "bench", "bench", 1),
                Size(1, 1),
                "debian-12",
                "lan",
                (DiskWant(f"{name}-root", "root", 2, root=True),),
                Access("govpool", public, host_public, host_private),
            )
            machine = provider.ensure_machine(want)
            targets.append(Target(name, machine.addresses[0], "govpool", private, host_public))
        yield tuple(targets)
    finally:
        purge(connection)
        left = leftovers(connection)
    if left:
        raise RuntimeError(f"left behind: {left}")


def _key(path: Path) -> tuple[str, str]:
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", path.name, "-f", path], check=True)
    return path.read_text(), path.with_suffix(".pub").read_text().strip()
