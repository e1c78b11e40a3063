"""Runs a playbook below ``playbooks/`` with ansible-runner, in a child process of its own.

One run serves all servers of a work order (工单). The child (:mod:`govpool.effects.playbook_child`) is told
the job through its standard input and answers with one JSON record a line: a record for every task and host,
taken from Ansible's own events, and a last one with the statistics.

What holds whatever happens:

* **No secret leaves memory but for tmpfs.** Private keys, ``secrets`` and all that ansible-runner writes lie
  in one directory (mode 0700, files 0600) on tmpfs (see :func:`govpool.effects.playbook_paths.runtime_root`).
  Nothing of them is in an argument list, in an environment or in the kept record of the run, in which every
  value of ``secrets`` is blacked out even if a task prints it. A playbook sees ``secrets`` as ordinary
  variables and marks the tasks that use them ``no_log``.
* **Nothing outlives the caller.** The child's standard input is a lifeline: when it closes, because the
  caller cancelled, timed out or was killed, the child kills all its descendants (it is their sub-reaper, so
  that an SSH master that put itself in the background is one too), removes the directory and ends.
  PR_SET_PDEATHSIG says the same a second time.
* **One run per run key.** The child holds ``flock`` on the run key's file. A second run of the same key
  waits: a holder has a living caller, since it would be dead otherwise, and killing it could break a step
  half-way. The wait counts against the second run's own ``timeout``. Whoever gets the lock first kills what
  a killed holder left behind (found by a mark in its environment) and removes its directory.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Literal

from pydantic import JsonValue

from govpool.effects.playbook_paths import RunPaths, playbooks_dir, reclaim, sweep_scratch, try_lock

_KILL_GRACE_SECONDS = 5.0
_LINE_LIMIT = 64 * 1024 * 1024
_STDERR_KEPT = 4096
_HIDDEN = "********"


class Outcome(StrEnum):
    """What a task did on one host, after Ansible's own words."""

    OK = "ok"
    CHANGED = "changed"
    FAILED = "failed"
    SKIPPED = "skipped"
    UNREACHABLE = "unreachable"


@dataclass(frozen=True, slots=True)
class Target:
    """A machine that a playbook is run on.

    ``private_key`` is OpenSSH text; ``host_public_key`` (``ssh-ed25519 AAAA...``) is known beforehand, so
    that the first connection is already verified. ``connection="local"`` runs the tasks on the operator's
    own machine and uses neither.
    """

    name: str
    host: str
    user: str
    private_key: str = field(repr=False)
    host_public_key: str
    connection: Literal["ssh", "local"] = "ssh"
    port: int = 22

    def __post_init__(self) -> None:
        """Refuse what SSH would only fail on later, or what would break the known_hosts file."""
        if self.connection == "ssh" and len(self.host_public_key.split()) < 2:
            raise ValueError(
                f"target {self.name}: give its SSH host key as 'type base64', known before connecting"
            )
        if any(c.isspace() for c in self.host) or not self.host:
            raise ValueError(f"target {self.name}: {self.host!r} is not an address or host name")


@dataclass(frozen=True, slots=True)
class PlaybookRun:
    """One run of a playbook over all its targets.

    ``playbook`` is a file name below ``playbooks/``; ``timeout`` is in seconds and includes waiting for
    another run of the same ``run_key``. ``check`` is Ansible's check mode. ``secrets`` become variables of
    the play.
    """

    playbook: str
    run_key: str
    targets: tuple[Target, ...]
    variables: Mapping[str, JsonValue]
    secrets: Mapping[str, str] = field(default_factory=dict, repr=False)
    check: bool = False
    timeout: float = 1800.0
    forks: int = 10

    def __post_init__(self) -> None:
        """Refuse runs that could not mean anything."""
        if not self.targets:
            raise ValueError(f"run {self.run_key}: no targets")
        if len({target.name for target in self.targets}) != len(self.targets):
            raise ValueError(f"run {self.run_key}: two targets have the same name")
        if overlap := set(self.variables) & set(self.secrets):
            raise ValueError(f"run {self.run_key}: {sorted(overlap)} given both as variables and as secrets")


@dataclass(frozen=True, slots=True)
class TaskResult:
    """The result of one task on one host, or of one item of its loop (then ``item`` is given)."""

    host: str
    task: str
    action: str
    outcome: Outcome
    result: Mapping[str, JsonValue]
    item: JsonValue = None
    ignored: bool = False
    """Failed, and the playbook says ``ignore_errors``."""


@dataclass(frozen=True, slots=True)
class HostStats:
    """Ansible's statistics for one host."""

    ok: int = 0
    changed: int = 0
    failures: int = 0
    unreachable: int = 0
    skipped: int = 0
    rescued: int = 0
    ignored: int = 0


@dataclass(frozen=True, slots=True)
class PlaybookResult:
    """What came of a run.

    * ``successful``: every target was processed, none failed, none was unreachable.
    * ``failed``: Ansible ended and said so; ``failed_hosts`` and ``unreachable_hosts`` tell where. With
      neither, the playbook itself did not start (``message``).
    * ``timeout``: ended by us after ``run.timeout``; the tasks seen until then are given.
    * ``lost``: the child died without a last word: what the tasks did is not known. Run it again.
    """

    status: Literal["successful", "failed", "timeout", "lost"]
    tasks: tuple[TaskResult, ...]
    stats: Mapping[str, HostStats]
    unreachable_hosts: frozenset[str]
    failed_hosts: frozenset[str]
    duration: float
    """Seconds, the wait for the run key included."""
    message: str = ""

    def of_action(self, action: str) -> Iterator[TaskResult]:
        """Yield the results of the module of that name, in the order of the run."""
        return (task for task in self.tasks if task.action.rpartition(".")[2] == action)


async def run_playbook(
    run: PlaybookRun,
    *,
    state_dir: Path,
    on_task: Callable[[TaskResult], None] | None = None,
    library: Path | None = None,
) -> PlaybookResult:
    """Run a playbook and return its structured results.

    ``state_dir`` keeps the locks and the records (JSON lines, rotated) of runs. ``on_task`` is called in the
    event loop for every result as it arrives; an exception from it ends the run. ``library`` is the folder
    of playbooks (by default the project's own). Cancelling kills the run before the cancellation goes on.

    Raises:
        FileNotFoundError: there is no such playbook.
        OSError: the child could not be started, or the state directory can't be written.
    """
    folder = library or playbooks_dir()
    if not (folder / run.playbook).is_file():
        raise FileNotFoundError(f"no playbook {run.playbook} in {folder}")
    paths = RunPaths.of(state_dir, run.run_key)
    paths.prepare()
    collector = _Collector(run, on_task)
    loop = asyncio.get_running_loop()
    started = loop.time()
    child = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "govpool.effects.playbook_child"),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        limit=_LINE_LIMIT,
        start_new_session=True,
        env=_child_environment(),
    )
    timed_out = False
    try:
        async with asyncio.timeout(run.timeout):
            await _converse(child, _job(run, folder, paths), collector)
    except TimeoutError:
        timed_out = True
    finally:
        await asyncio.shield(_end(child, paths))
    return collector.result(loop.time() - started, timed_out=timed_out)


def sweep_stale(state_dir: Path) -> tuple[str, ...]:
    """Kill and remove what killed runs of this state directory left; runs that are alive are left alone.

    Call it when the operator starts. Returns the names of what was removed.
    """
    swept = list(sweep_scratch())
    for paths in RunPaths.known(state_dir):
        with try_lock(paths) as held:
            if held and reclaim(paths):
                swept.append(paths.digest)
    return tuple(swept)


def _child_environment() -> dict[str, str]:
    """Name what the child needs. The rest of the operator's environment may hold credentials of pools."""
    keep = ("LANG", "LC_ALL", "TZ", "PYTHONPATH", "XDG_RUNTIME_DIR", "TMPDIR", "GOVPOOL_RUNTIME_DIR")
    environment = {name: os.environ[name] for name in keep if name in os.environ}
    environment.setdefault("LC_ALL", "C.UTF-8")  # Ansible refuses to start in a locale without UTF-8
    search = [str(Path(sys.executable).parent), *os.environ.get("PATH", os.defpath).split(os.pathsep)]
    return environment | {"PATH": os.pathsep.join(dict.fromkeys(search))}


def _job(run: PlaybookRun, folder: Path, paths: RunPaths) -> bytes:
    document = {
        "playbook": str(folder / run.playbook),
        "folder": str(folder),
        "run_key": run.run_key,
        "targets": [asdict(target) for target in run.targets],
        "variables": dict(run.variables),
        "secrets": dict(run.secrets),
        "check": run.check,
        "forks": run.forks,
        "paths": paths.to_json(),
    }
    return json.dumps(document).encode() + b"\n"


async def _converse(child: asyncio.subprocess.Process, job: bytes, collector: _Collector) -> None:
    """Hand over the job and read until the child ends. Its stdin stays open: it is the lifeline."""
    assert child.stdin and child.stdout and child.stderr  # noqa: S101 - made with pipes
    stderr = asyncio.create_task(_tail(child.stderr))
    try:
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # the reason is read below
            child.stdin.write(job)
            await child.stdin.drain()
        async for line in child.stdout:
            collector.take(json.loads(line))
        await child.wait()
        collector.last_words = await stderr
    finally:
        stderr.cancel()


async def _tail(stream: asyncio.StreamReader) -> str:
    kept = b""
    while block := await stream.read(_STDERR_KEPT):
        kept = (kept + block)[-_STDERR_KEPT:]
    return kept.decode(errors="replace")


async def _end(child: asyncio.subprocess.Process, paths: RunPaths) -> None:
    """See to it that nothing of the run is left, politely first."""
    if child.stdin is not None:
        child.stdin.close()
    if child.returncode is None:
        try:
            async with asyncio.timeout(_KILL_GRACE_SECONDS):
                await child.wait()
        except TimeoutError:
            child.kill()
            await child.wait()
    with try_lock(paths) as held:
        if held:  # else another run of this key has taken over, and cleans up itself
            reclaim(paths)


class _Collector:
    """Turns the child's records into results."""

    def __init__(self, run: PlaybookRun, on_task: Callable[[TaskResult], None] | None) -> None:
        self._run = run
        self._on_task = on_task
        self._tasks: list[TaskResult] = []
        self._stats: dict[str, HostStats] = {}
        self._status: str | None = None
        self._message = ""
        self.last_words = ""

    def take(self, record: Mapping[str, JsonValue]) -> None:
        """Take one record of the child: a task, the end, or a word about the run."""
        match record["record"]:
            case "task":
                self._take_task(record)
            case "end":
                self._status = str(record["status"])
                self._message = str(record["message"])
                stats = record["stats"]
                assert isinstance(stats, dict)  # noqa: S101 - our own child's record
                self._stats = {host: HostStats(**counts) for host, counts in stats.items()}  # type: ignore[arg-type]
            case other:
                raise ValueError(f"the playbook child sent a record of unknown kind {other!r}")

    def _take_task(self, record: Mapping[str, JsonValue]) -> None:
        result = record["result"]
        task = TaskResult(
            host=str(record["host"]),
            task=str(record["task"]),
            action=str(record["action"]),
            outcome=Outcome(str(record["outcome"])),
            result=result if isinstance(result, dict) else {"value": result},
            item=record["item"],
            ignored=bool(record["ignored"]),
        )
        self._tasks.append(task)
        if self._on_task is not None:
            self._on_task(task)

    def result(self, duration: float, *, timed_out: bool) -> PlaybookResult:
        """Judge the run from what was seen of it."""
        unreachable = {host for host, counts in self._stats.items() if counts.unreachable}
        unreachable |= {task.host for task in self._tasks if task.outcome is Outcome.UNREACHABLE}
        failed = {host for host, counts in self._stats.items() if counts.failures}
        failed |= {
            t.host for t in self._tasks if t.outcome is Outcome.FAILED and not t.ignored and t.item is None
        }
        failed -= {
            host for host, counts in self._stats.items() if not counts.failures
        }  # rescued by the playbook
        status, message = self._judge(timed_out=timed_out, clean=not unreachable and not failed)
        return PlaybookResult(
            status=status,
            tasks=tuple(self._tasks),
            stats=dict(self._stats),
            unreachable_hosts=frozenset(unreachable),
            failed_hosts=frozenset(failed),
            duration=duration,
            message=message,
        )

    def _judge(
        self, *, timed_out: bool, clean: bool
    ) -> tuple[Literal["successful", "failed", "timeout", "lost"], str]:
        if self._status is None and timed_out:
            return "timeout", f"ended after {self._run.timeout:.0f} s; what was under way may be done by half"
        if self._status is None:
            return "lost", self._hide(
                self.last_words
            ) or "the playbook's process died without a word; run it again"
        missing = sorted({target.name for target in self._run.targets} - set(self._stats))
        if self._status == "successful" and missing:
            return (
                "failed",
                f"the playbook ran nothing on {', '.join(missing)}: its hosts: line does not match",
            )
        if self._status == "successful" and clean:
            return "successful", self._message
        return "failed", self._message

    def _hide(self, text: str) -> str:
        for secret in self._run.secrets.values():
            text = text.replace(secret, _HIDDEN) if secret else text
        return text
