"""A real OpenStack control plane on this machine: ``python -m tests.openstack.bed ACTION``.

``up``, ``down`` and ``status`` are what they say. ``run -- COMMAND`` brings it up, runs the command with
``OS_CLOUD`` set, and takes it down whatever comes of it; with ``OS_CLOUD`` set from outside it starts nothing
and uses that cloud. ``installed`` exits with 0 when the bed would come up in a minute, with 1 when it would
have to be installed first. ``lock`` resolves its requirements anew.
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import time

from tests.openstack.bed import config, seed, services
from tests.openstack.bed.install import install, installed, lock
from tests.openstack.bed.layout import CLOUD, Layout
from tests.openstack.bed.processes import BedError, names, running, until


class Laps:
    """Says what is done, and when."""

    def __init__(self) -> None:
        self._start = time.monotonic()

    def say(self, text: str) -> None:
        print(f"bed: {time.monotonic() - self._start:6.1f} s  {text}", file=sys.stderr, flush=True)


def up(bed: Layout, laps: Laps) -> None:
    """From whatever there is to a control plane that takes requests."""
    if bed.run.exists():
        down(bed, laps)
    install(bed)
    laps.say("installed")
    if not bed.seed.exists():
        _new_run(bed)
        seed.make_seed(bed)
        services.wipe(bed.run)
        laps.say("databases migrated")
    _new_run(bed)
    seed.plant_seed(bed)
    services.start_base(bed)
    laps.say("database and message queue listen")
    services.start_services(bed)
    for service in services.APIS:
        services.await_api(bed, service)
    laps.say("every API answers")
    _await_daemons(bed)
    laps.say(f"ready: OS_CLIENT_CONFIG_FILE={bed.clouds_yaml} OS_CLOUD={CLOUD}")


def _new_run(bed: Layout) -> None:
    services.make_folders(bed)
    config.write_all(bed)


def _await_daemons(bed: Layout) -> None:
    """Until Nova and Cinder see their daemons up and the compute host is mapped."""
    import openstack

    os.environ["OS_CLIENT_CONFIG_FILE"] = str(bed.clouds_yaml)
    cloud = openstack.connect(cloud=CLOUD)
    wanted = set(services.DAEMONS)

    def all_up() -> bool:
        seen = {service.binary for service in cloud.compute.services() if service.state == "up"}
        seen |= {service.binary for service in cloud.block_storage.services() if service.state == "up"}
        return wanted <= seen

    until(f"every daemon is up (see {bed.log})", 120, all_up, pause=0.5)
    seed.manage(bed, "nova-manage", "nova/nova.conf", "cell_v2", "discover_hosts")
    until("the hypervisor is seen", 60, lambda: any(cloud.compute.hypervisors()), pause=0.3)
    cloud.close()


def down(bed: Layout, laps: Laps, *, keep_logs: bool = False) -> None:
    """End every process of the bed and remove the run; the home stays for the next time."""
    services.stop_all(bed)
    if not keep_logs:
        services.wipe(bed.run)
    laps.say(f"down; logs kept in {bed.log}" if keep_logs else "down")


def run(bed: Layout, laps: Laps, command: list[str]) -> int:
    """See the module's text."""
    if os.environ.get("OS_CLOUD"):
        return subprocess.run(
            command, env={**os.environ, "GOVPOOL_TEST_OPENSTACK": "cloud"}, check=False
        ).returncode
    code = 1
    try:
        up(bed, laps)
        environment = {
            **os.environ,
            "OS_CLOUD": CLOUD,
            "OS_CLIENT_CONFIG_FILE": str(bed.clouds_yaml),
            "GOVPOOL_TEST_OPENSTACK": "bed",
        }
        code = _heard(command, environment)
    finally:
        down(bed, laps, keep_logs=code != 0)
    return code


def _heard(command: list[str], environment: dict[str, str]) -> int:
    """Run the command; Ctrl-C is its own to answer, and the bed goes down when it has ended."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)

    def listening() -> None:
        signal.signal(signal.SIGINT, signal.SIG_DFL)

    try:
        return subprocess.run(command, env=environment, check=False, preexec_fn=listening).returncode
    finally:
        signal.signal(signal.SIGINT, before)


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.openstack.bed")
    parser.add_argument("action", choices=["up", "down", "status", "run", "lock", "installed"])
    parser.add_argument("command", nargs=argparse.REMAINDER)
    given = parser.parse_args()
    bed, laps = Layout.of_environment(), Laps()
    try:
        match given.action:
            case "up":
                up(bed, laps)
            case "down":
                down(bed, laps)
            case "installed":
                return 0 if installed(bed) else 1
            case "lock":
                lock()
            case "run":
                return run(bed, laps, [word for word in given.command if word != "--"])
            case _:
                for name in names(bed) if bed.pids.is_dir() else []:
                    print(f"{name:20} {running(bed, name) or 'not running'}")
    except BedError as error:
        print(f"bed: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
