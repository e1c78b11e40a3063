"""The process that holds one ansible-runner run; started by :mod:`govpool.effects.playbooks`, by nobody else.

Reads its job as one JSON line from standard input and writes JSON records, one a line, to standard output.
That standard input closes means that the caller is gone: kill everything, remove everything, end.
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import json
import os
import shutil
import signal
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TextIO, TypedDict

from pydantic import JsonValue

from govpool.effects.playbook_paths import MARK, RunPaths, kill, marked, reclaim

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36
_HIDDEN = "********"
_MESSAGE_LINES = 30
_EXIT_ORPHANED = 75
_OUTCOMES = {
    "runner_on_ok": "ok",
    "runner_on_failed": "failed",
    "runner_on_skipped": "skipped",
    "runner_on_unreachable": "unreachable",
    "runner_item_on_ok": "ok",
    "runner_item_on_failed": "failed",
    "runner_item_on_skipped": "skipped",
}
_STATS = {
    "ok": "ok",
    "changed": "changed",
    "failures": "failures",
    "unreachable": "dark",
    "skipped": "skipped",
    "rescued": "rescued",
    "ignored": "ignored",
}

Json = dict[str, JsonValue]


class TargetJob(TypedDict):
    """A target as the job carries it."""

    name: str
    host: str
    user: str
    private_key: str
    host_public_key: str
    connection: str
    port: int


class Job(TypedDict):
    """The job as the caller sends it."""

    playbook: str
    folder: str
    run_key: str
    targets: list[TargetJob]
    variables: Json
    secrets: dict[str, str]
    check: bool
    forks: int
    paths: dict[str, str]


def main() -> None:
    """Run one job."""
    os.umask(0o077)  # Ansible and ansible-runner write files of their own beside our secrets
    signal.signal(signal.SIGTERM, lambda *_: os._exit(_EXIT_ORPHANED))  # nothing was begun yet
    _bind_to_parent()
    records = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # whatever a library prints must not stand between the records
    line = sys.stdin.buffer.readline()
    if not line.endswith(b"\n"):
        return  # the caller died before it had said what to do
    job: Job = json.loads(line)
    ending = _Ending(RunPaths.from_json(job["paths"]))
    signal.signal(signal.SIGTERM, lambda *_: ending.abort())
    threading.Thread(target=ending.watch_lifeline, daemon=True).start()
    with ending.paths.lock.open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        ending.held = True
        reclaim(ending.paths)
        try:
            _Run(job, ending.paths, records).execute()
        finally:
            ending.clear()


def _bind_to_parent() -> None:
    """Die with the caller, and become the parent of every orphan among the descendants (see prctl(2))."""
    libc = ctypes.CDLL(None, use_errno=True)
    for option, value in ((_PR_SET_PDEATHSIG, int(signal.SIGTERM)), (_PR_SET_CHILD_SUBREAPER, 1)):
        if libc.prctl(option, value, 0, 0, 0) != 0:
            raise OSError(ctypes.get_errno(), "prctl")


class _Ending:
    """Ends the run: descendants first, then the secrets if this process owns them, then the process."""

    def __init__(self, paths: RunPaths) -> None:
        self.paths = paths
        self.held = False
        """Whether the lock is held, and with it the secrets directory."""
        self._once = threading.Lock()

    def watch_lifeline(self) -> None:
        """Abort when standard input closes."""
        while os.read(0, 4096):
            pass
        self.abort()

    def abort(self) -> None:
        """End at once. The signal and the lifeline may both ask for it; the first does it."""
        if not self._once.acquire(blocking=False):
            return
        try:
            self.clear()
        finally:
            os._exit(_EXIT_ORPHANED)

    def clear(self) -> None:
        """Leave nothing running and nothing on tmpfs.

        The tree of processes changes while it is read (a process whose parent just died may be missed), so
        the mark in the environment is looked for as well; and until both find nothing.
        """
        while living := {*_descendants(os.getpid()), *(marked(self.paths.digest) if self.held else ())}:
            kill(living)
        with contextlib.suppress(ChildProcessError):  # all reaped
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        if self.held:
            shutil.rmtree(self.paths.secrets, ignore_errors=True)


def _descendants(root: int) -> Iterator[int]:
    """Yield the living descendants of a process."""
    children: dict[int, list[int]] = {}
    dead: set[int] = set()
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                state, parent = (entry / "stat").read_text().rpartition(") ")[2].split(" ")[:2]
                children.setdefault(int(parent), []).append(int(entry.name))
                if state in ("Z", "X"):
                    dead.add(int(entry.name))
    pending = [root]
    while pending:
        found = children.get(pending.pop(), [])
        yield from (pid for pid in found if pid not in dead)
        pending += found


class _Run:
    """One run of ansible-runner, everything of which lies in the secrets directory."""

    def __init__(self, job: Job, paths: RunPaths, records: TextIO) -> None:
        self._job = job
        self._paths = paths
        self._out = records
        self._hidden = sorted((value for value in job["secrets"].values() if value), key=len, reverse=True)
        self._words: list[str] = []
        self._stats: Json = {}

    def execute(self) -> None:
        """Run the playbook and write its records, the last one with the statistics."""
        import ansible_runner  # half the start-up time: only when there is something to run

        place = self._paths.secrets
        self._write_files(place)
        with open(self._paths.next_record(), "x", encoding="utf-8", opener=_owner_only) as self._kept:
            done = ansible_runner.run(
                private_data_dir=str(place),
                project_dir=self._job["folder"],
                playbook=self._job["playbook"],
                inventory=str(place / "inventory.json"),
                cmdline=self._arguments(place),
                envvars=self._environment(place),
                settings={"suppress_output_file": True},
                suppress_env_files=True,
                forks=max(1, min(self._job["forks"], len(self._job["targets"]))),
                quiet=True,
                ident="run",
                event_handler=self._take,
                cancel_callback=lambda: False,
            )
            message = "" if done.rc == 0 else "\n".join(self._words[-_MESSAGE_LINES:])
            status = "successful" if done.rc == 0 else "failed"
            self._emit({"record": "end", "status": status, "stats": self._stats, "message": message})

    def _arguments(self, place: Path) -> str:
        check = "--check " if self._job["check"] else ""
        return f"{check}-e @{place / 'variables.json'} -e @{place / 'secrets.json'}"

    def _environment(self, place: Path) -> dict[str, str]:
        folder = Path(self._job["folder"])
        return {
            MARK: self._paths.digest,
            "ANSIBLE_CONFIG": str(folder / "ansible.cfg"),
            "ANSIBLE_HOME": str(place / "home"),
            "ANSIBLE_LOCAL_TEMP": str(place / "tmp"),
            "ANSIBLE_SSH_CONTROL_PATH_DIR": str(place / "cp"),
            "ANSIBLE_LIBRARY": str(folder / "library"),
            "ANSIBLE_ROLES_PATH": str(folder / "roles"),
            "ANSIBLE_HOST_KEY_CHECKING": "True",
            "ANSIBLE_NOCOLOR": "1",
            "HOME": str(place / "home"),
        }

    def _write_files(self, place: Path) -> None:
        for directory in (place, place / "home", place / "tmp", place / "cp"):
            directory.mkdir(mode=0o700)
        hosts: Json = {}
        known: list[str] = []
        for number, target in enumerate(self._job["targets"]):
            hosts[target["name"]] = self._host(target, place, place / f"key-{number}")
            if target["connection"] == "ssh":
                known.append(known_hosts_line(target["host"], target["port"], target["host_public_key"]))
        _write(place / "known_hosts", "".join(known))
        _write(place / "inventory.json", json.dumps({"all": {"hosts": hosts}}))
        _write(place / "variables.json", json.dumps(self._job["variables"]))
        _write(place / "secrets.json", json.dumps(self._job["secrets"]))

    @staticmethod
    def _host(target: TargetJob, place: Path, key: Path) -> Json:
        if target["connection"] == "local":
            return {
                "ansible_connection": "local",
                "ansible_python_interpreter": sys.executable,
                "ansible_remote_tmp": str(place / "tmp"),
            }
        _write(key, target["private_key"].rstrip("\n") + "\n")  # OpenSSH wants the last newline
        return {
            "ansible_host": target["host"],
            "ansible_port": target["port"],
            "ansible_user": target["user"],
            "ansible_become": target["user"] != "root",
            "ansible_ssh_private_key_file": str(key),
            "ansible_ssh_common_args": " ".join(ssh_options(place / "known_hosts")),
            "ansible_ssh_extra_args": "-o ControlMaster=auto -o ControlPersist=60s",
        }

    def _take(self, event: Mapping[str, JsonValue]) -> bool:
        """Turn an event into a record; False keeps ansible-runner from writing a file for it."""
        name = str(event.get("event"))
        raw = event.get("event_data")
        data: Mapping[str, JsonValue] = raw if isinstance(raw, dict) else {}
        if name in _OUTCOMES:
            self._emit(task_record(name, data))
        elif name == "playbook_on_stats":
            self._stats = stats_record(data)
        if text := str(event.get("stdout") or "").strip():
            self._words.append(text)
            del self._words[:-_MESSAGE_LINES]
        return False

    def _emit(self, record: Json) -> None:
        line = json.dumps(hide(record, self._hidden), ensure_ascii=False)
        for stream in (self._kept, self._out):
            stream.write(line + "\n")
            stream.flush()


def ssh_options(known_hosts: Path) -> tuple[str, ...]:
    """Give the ssh(1) options of every connection: this host key, this identity, nothing from ~/.ssh."""
    options = (
        f"UserKnownHostsFile={known_hosts}",
        "GlobalKnownHostsFile=/dev/null",
        "StrictHostKeyChecking=yes",
        "UpdateHostKeys=no",
        "IdentitiesOnly=yes",
        "IdentityAgent=none",
        "ForwardAgent=no",
        "BatchMode=yes",
        "ServerAliveInterval=15",
        "ServerAliveCountMax=4",
    )
    return ("-F", "/dev/null", *(word for option in options for word in ("-o", option)))


def known_hosts_line(host: str, port: int, public_key: str) -> str:
    """Write a line of a known_hosts file, sshd(8)."""
    kind, key, *_ = public_key.split()
    return f"{host if port == 22 else f'[{host}]:{port}'} {kind} {key}\n"


def task_record(event: str, data: Mapping[str, JsonValue]) -> Json:
    """Turn the data of one of Ansible's runner events into a record."""
    raw = data.get("res")
    result: Json = dict(raw) if isinstance(raw, dict) else {"value": raw}
    looped = event.startswith("runner_item")
    item = result.get(str(result.get("ansible_loop_var", "item"))) if looped else None
    if not looped and _looped(result):
        del result["results"]
    outcome = _OUTCOMES[event]
    if outcome == "ok" and result.get("changed"):
        outcome = "changed"
    return {
        "record": "task",
        "host": data.get("host"),
        "task": data.get("task"),
        "action": data.get("resolved_action") or data.get("task_action"),
        "outcome": outcome,
        "ignored": bool(data.get("ignore_errors")),
        "item": item,
        "result": result,
    }


def _looped(result: Json) -> bool:
    """Tell whether ``results`` are a loop's items, which come as records of their own."""
    results = result.get("results")
    return isinstance(results, list) and all(isinstance(r, dict) and "ansible_loop_var" in r for r in results)


def stats_record(data: Mapping[str, JsonValue]) -> Json:
    """Turn Ansible's statistics, kept per number, into one record per host."""
    per_number: dict[str, Mapping[str, JsonValue]] = {}
    for name, theirs in _STATS.items():
        counts = data.get(theirs)
        per_number[name] = counts if isinstance(counts, dict) else {}
    processed = data.get("processed")
    hosts = set(processed if isinstance(processed, dict) else {}).union(*per_number.values())
    return {
        host: {name: counts.get(host, 0) for name, counts in per_number.items()} for host in sorted(hosts)
    }


def hide(value: JsonValue, secrets: Sequence[str]) -> JsonValue:
    """Black out every occurrence of a secret, in keys too."""
    match value:
        case str():
            for secret in secrets:
                value = value.replace(secret, _HIDDEN)
            return value
        case list():
            return [hide(part, secrets) for part in value]
        case dict():
            return {str(hide(key, secrets)): hide(part, secrets) for key, part in value.items()}
        case _:
            return value


def _owner_only(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NOFOLLOW, 0o600)


def _write(path: Path, text: str) -> None:
    with open(path, "x", encoding="utf-8", opener=_owner_only) as file:
        file.write(text)


if __name__ == "__main__":
    main()
