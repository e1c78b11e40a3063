"""Where a demo lives: a folder of its own, two processes, a pool; and nothing of it afterwards."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import hashlib
import json
import os
import shutil
import signal
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from govpool.cli.demo.cloud import DemoCloud
from govpool.cli.doctor import kubectl
from govpool.cli.errors import CliError
from govpool_providers.base import PoolConnection

DEFAULT_PARENT = Path("/var/tmp")  # noqa: S108 - on a disk, unlike /tmp; the folder is made with mkdtemp
PREFIX = "govpool-demo-"
NAMESPACE = "heshan-data-bureau"
POOL_FILE = "pool.json"
STOP_SECONDS = 25.0


@dataclass(slots=True)
class Workspace:
    """The folder of one demo; held by a lock as long as its process lives."""

    path: Path
    pool: str
    """``local``, ``fixture`` or ``openstack``."""
    settings: dict[str, str] = field(default_factory=dict)
    lock: int = -1
    cloud: DemoCloud | None = None
    """Where an OpenStack pool is."""

    @classmethod
    def make(cls, pool: str, parent: Path = DEFAULT_PARENT, cloud: DemoCloud | None = None) -> Workspace:
        """A fresh folder, for its owner only.

        Raises:
            OSError: ``parent`` is not there, or can't be written.
        """
        path = Path(tempfile.mkdtemp(prefix=PREFIX, dir=parent.resolve()))
        made = cls(path, pool, lock=_held(path), cloud=cloud)
        made.settings = made._settings()
        (path / POOL_FILE).write_text(json.dumps({"pool": pool, "settings": made.settings}))
        for folder in (made.manifests, made.evidence):
            folder.mkdir(parents=True)
        return made

    def _settings(self) -> dict[str, str]:
        if self.cloud is not None:
            return {**self.cloud.settings, "cloud": self.cloud.cloud}
        if self.pool == "fixture":
            return {"state": str(self.path / "fixture.sqlite"), "latency": "1"}
        return {
            "state": str(self.path / "pool"),
            "subnet": free_subnet(self.path.parent),
            "bridge": f"gvd{_digest(self.path)}",
        }

    @property
    def pool_name(self) -> str:
        """The CloudPool of ``examples/01-supply.yaml``; on a cloud, a name that no other pool there has."""
        return f"demo-{_digest(self.path)}" if self.pool == "openstack" else f"{self.pool}-pool"

    @property
    def connection(self) -> PoolConnection:
        """What the pool's provider is opened with."""
        return PoolConnection(self.pool_name, self.settings)

    @property
    def manifests(self) -> Path:
        """The manifests as they were applied."""
        return self.path / "manifests"

    @property
    def operator_state(self) -> Path:
        """The operator's state."""
        return self.path / "operator"

    @property
    def evidence(self) -> Path:
        """Where the operator puts evidence."""
        return self.operator_state / "evidence"

    @property
    def aside(self) -> Path:
        """Second names of the disks' images, so that they can be searched after the pool removed them."""
        return self.path / "aside"

    @property
    def unit_key(self) -> Path:
        """The private key of the unit's administrator."""
        return self.path / "unit-admin"

    def kubeconfig(self, user: str) -> Path:
        """A user's kubeconfig."""
        return self.path / "control-plane" / f"{user}.kubeconfig"

    # -- the end ----------------------------------------------------------------------------------
    def purge(self) -> list[str]:
        """Remove the pool and the folder; returns what is left on this machine or in the cloud, if anything.

        Raises:
            ProviderError: the pool could not be removed; the folder stays.
        """
        left: list[str] = []
        if self.pool == "openstack":
            from govpool_providers import openstack

            openstack.purge(self.connection)
            left = openstack.leftovers(self.connection)
        if self.pool == "local":
            from govpool_providers.local import leftovers, purge

            purge(self.connection)
            left = leftovers(self.connection)
        shutil.rmtree(self.path)
        os.close(self.lock)
        return left


def _digest(path: Path) -> str:
    return hashlib.sha256(path.name.encode()).hexdigest()[:8]


def _held(path: Path) -> int:
    handle = os.open(path / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    return handle


def free_subnet(parent: Path = DEFAULT_PARENT) -> str:
    """A /26 that no route of this machine overlaps, and no other demo below ``parent`` has chosen.

    Raises:
        CliError: there is none left.
    """
    from govpool_providers.local.network import overlapping_route
    from govpool_providers.local.settings import LocalSettings

    chosen = {settings.get("subnet") for _, _, settings in _recorded(parent)}
    for third in range(200, 256):
        subnet = f"10.213.{third}.0/26"
        settings = LocalSettings.of(PoolConnection("demo", {"subnet": subnet, "bridge": "gvdemo"}))
        if subnet not in chosen and overlapping_route(settings) is None:
            return subnet
    raise CliError("every subnet from 10.213.200.0 to 10.213.255.0 is taken by a route of this machine")


def abandoned(parent: Path = DEFAULT_PARENT) -> Iterator[Workspace]:
    """The folders of demos that were killed: nobody holds their lock."""
    for path, pool, settings in _recorded(parent):
        try:
            handle = _held(path)
        except OSError:
            continue  # a demo that is running
        yield Workspace(path, pool, settings, handle)


def _recorded(parent: Path) -> Iterator[tuple[Path, str, dict[str, str]]]:
    for path in sorted(parent.resolve().glob(f"{PREFIX}*")):
        try:
            found = json.loads((path / POOL_FILE).read_text())
        except (OSError, ValueError):
            continue  # somebody else's
        yield path, found["pool"], found["settings"]


# -- processes -----------------------------------------------------------------------------------
@dataclass(slots=True)
class Child:
    """A process of the demo, in a session of its own, so that Ctrl-C reaches the demo alone."""

    name: str
    process: asyncio.subprocess.Process
    log: Path

    @classmethod
    async def start(cls, name: str, arguments: list[str], workspace: Workspace) -> Child:
        """Start ``govpool ARGUMENTS``; it is told to stop when this process dies.

        It holds the workspace's lock as well: nobody sweeps up while one of the processes lives.
        """
        log = workspace.path / f"{name.replace(' ', '-')}.log"
        guard = ["setpriv", "--pdeathsig", "TERM"] if shutil.which("setpriv") else []
        with log.open("ab") as out:
            process = await asyncio.create_subprocess_exec(
                *guard,
                sys.executable,
                "-m",
                "govpool.cli.main",
                *arguments,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=out,
                start_new_session=True,
                pass_fds=(workspace.lock,),
            )
        return cls(name, process, log)

    async def first_line(self) -> str:
        """What it says first.

        Raises:
            CliError: it ended instead.
        """
        stream = self.process.stdout
        line = await stream.readline() if stream else b""
        if not line:
            raise self.ended()
        return line.decode().strip()

    async def watch(self) -> None:
        """Wait for its end, which is never right while the demo runs; its output goes to the log.

        Raises:
            CliError: always, once it ended.
        """
        if self.process.stdout is not None:
            with self.log.open("ab") as log:
                while line := await self.process.stdout.readline():
                    log.write(line)
        await self.process.wait()
        raise self.ended()

    def ended(self) -> CliError:
        """Its end as an error, with its last words."""
        words = self.log.read_text(errors="replace").strip().splitlines()[-5:]
        return CliError("\n  ".join([f"the {self.name} ended ({self.process.returncode}):", *words]))

    async def stop(self) -> None:
        """Ask it to stop; kill it when it does not."""
        if self.process.returncode is not None:
            return
        with contextlib.suppress(ProcessLookupError):
            self.process.send_signal(signal.SIGTERM)
        try:
            await asyncio.wait_for(self.process.wait(), STOP_SECONDS)
        except TimeoutError:
            with contextlib.suppress(ProcessLookupError):
                self.process.kill()
            await self.process.wait()


async def output_of(*command: str, stdin: str = "", env: dict[str, str] | None = None) -> str:
    """Run a command to its end; returns what it says.

    Raises:
        CliError: it fails; the error carries its words.
    """
    process = await asyncio.create_subprocess_exec(
        *command,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        env={**os.environ, **(env or {})},
    )
    try:
        out, _ = await process.communicate(stdin.encode())
    except asyncio.CancelledError:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()
        raise
    text = out.decode(errors="replace").strip()
    if process.returncode:
        raise CliError(f"{Path(command[0]).name} failed ({process.returncode}): {text}")
    return text


async def run_kubectl(workspace: Workspace, user: str, *arguments: str, stdin: str = "") -> str:
    """Run stock kubectl as one of the control plane's users.

    Raises:
        CliError: there is no kubectl, or it fails.
    """
    binary = kubectl()
    if binary is None:
        raise CliError("kubectl is not installed: pip install 'govpool[demo]'")
    config = str(workspace.kubeconfig(user))
    env = {"KUBECACHEDIR": str(workspace.path / "kube-cache")}
    return await output_of(binary, "--kubeconfig", config, *arguments, stdin=stdin, env=env)
