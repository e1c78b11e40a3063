"""The runner: structured results, nothing left behind, no secret anywhere it does not belong."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import json
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from govpool.effects import playbook_paths
from govpool.effects.playbook_paths import MARK, RunPaths, in_memory, runtime_root
from govpool.effects.playbooks import Outcome, PlaybookRun, Target, TaskResult, run_playbook, sweep_stale

Play = Callable[..., PlaybookRun]
SECRET = "Tr0ub4dor-and-3"
WAIT = """
- ansible.builtin.shell: "echo $$ > {{ where }}/pid; exec sleep 300"
"""


def told() -> str:
    """Everything that anyone on this machine can read of us and of what we started."""
    texts = []
    for process in (psutil.Process(), *psutil.Process().children(recursive=True)):
        with contextlib.suppress(psutil.NoSuchProcess):  # ended meanwhile
            texts += [*process.cmdline(), json.dumps(process.environ())]
    return "\n".join(texts)


def begun(place: Path) -> bool:
    """Whether the task of WAIT runs."""
    return (place / "pid").exists() and (place / "pid").read_text().strip() != ""


def left(runtime: Path) -> list[Path]:
    return list(runtime.glob("*"))


def files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


def got(place: Path) -> str:
    return (place / "got").read_text()


def pid_of(place: Path) -> int:
    return int((place / "pid").read_text())


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not condition():  # noqa: ASYNC110 - what other processes do raises no event here
            await asyncio.sleep(0.02)


def marked(digest: str) -> list[int]:
    return [
        pid for pid in playbook_paths.marked(digest) if psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    ]


def alive(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


async def test_results_are_structured(play: Play, state: Path, library: Path) -> None:
    run = play(
        """
- name: say
  ansible.builtin.debug: {msg: "hello {{ who }}"}
- name: loop
  ansible.builtin.command: "echo {{ item }}"
  loop: [1, 2]
- name: skip
  ansible.builtin.command: /bin/true
  when: false
- name: may fail
  ansible.builtin.command: /bin/false
  ignore_errors: true
""",
        names=("m1", "m2"),
        variables={"who": "world"},
    )
    seen: list[TaskResult] = []
    result = await run_playbook(run, state_dir=state, library=library, on_task=seen.append)
    assert result.status == "successful"
    assert tuple(seen) == result.tasks
    mine = [(t.task, t.outcome, t.item, t.ignored) for t in result.tasks if t.host == "m1"]
    assert mine == [
        ("say", Outcome.OK, None, False),
        ("loop", Outcome.CHANGED, 1, False),
        ("loop", Outcome.CHANGED, 2, False),
        ("loop", Outcome.CHANGED, None, False),
        ("skip", Outcome.SKIPPED, None, False),
        ("may fail", Outcome.FAILED, None, True),
    ]
    assert result.tasks[0].result["msg"] == "hello world"
    assert {t.result["stdout"] for t in result.of_action("command") if t.item} == {"1", "2"}
    assert result.stats["m2"].changed == 2
    assert result.stats["m2"].ignored == 1
    assert not result.failed_hosts


async def test_failed_and_rescued_hosts_are_told_apart(play: Play, state: Path, library: Path) -> None:
    run = play(
        """
- block:
    - ansible.builtin.command: /bin/false
  rescue:
    - ansible.builtin.debug: {msg: mended}
  when: inventory_hostname == "m1"
- ansible.builtin.fail: {msg: no good}
  when: inventory_hostname == "m2"
""",
        names=("m1", "m2"),
    )
    result = await run_playbook(run, state_dir=state, library=library)
    assert (result.status, result.failed_hosts) == ("failed", {"m2"})
    assert "no good" in result.message


async def test_a_machine_that_does_not_answer_is_unreachable(state: Path, play: Play, library: Path) -> None:
    run = play("- ansible.builtin.ping:\n", names=("here",))
    gone = Target("gone", "127.0.0.1", "nobody", "no key", "ssh-ed25519 AAAA", port=1)
    result = await run_playbook(
        dataclasses.replace(run, targets=(*run.targets, gone)), state_dir=state, library=library
    )
    assert (result.status, result.unreachable_hosts, result.failed_hosts) == ("failed", {"gone"}, frozenset())
    assert result.stats["here"].ok == 1


@pytest.mark.parametrize(
    ("hosts", "tasks", "message"),
    [
        ("elsewhere", "- ansible.builtin.ping:\n", "ran nothing on m1"),
        ("all", "- no.such.module:\n", "no.such.module"),
        ("all", "- ansible.builtin.debug: {msg: '{{ nothing }}'}\n", "nothing"),
    ],
)
async def test_a_playbook_that_can_not_run_fails(
    play: Play, state: Path, library: Path, hosts: str, tasks: str, message: str
) -> None:
    result = await run_playbook(play(tasks, hosts=hosts), state_dir=state, library=library)
    assert result.status == "failed"
    assert message in result.message


async def test_check_mode_is_ansibles(play: Play, state: Path, library: Path, tmp_path: Path) -> None:
    run = play(f"- ansible.builtin.copy: {{content: x, dest: {tmp_path}/made}}\n", check=True)
    result = await run_playbook(run, state_dir=state, library=library)
    assert result.tasks[0].outcome is Outcome.CHANGED
    assert not (tmp_path / "made").exists()


async def test_secrets_reach_the_play_and_nothing_else(
    play: Play, state: Path, library: Path, runtime: Path, tmp_path: Path
) -> None:
    tasks = """
- ansible.builtin.copy: {content: "{{ password }}", dest: "{{ where }}/got"}
- ansible.builtin.debug: {msg: "it is {{ password }}"}
- ansible.builtin.command: "echo {{ password }}"
- ansible.builtin.wait_for: {path: "{{ where }}/looked", timeout: 60}
"""
    run = play(tasks, variables={"where": str(tmp_path)}, secrets={"password": SECRET})
    digest = RunPaths.of(state, run.run_key).digest
    waiting = asyncio.create_task(run_playbook(run, state_dir=state, library=library))
    try:
        await until(lambda: (tmp_path / "got").exists() and len(marked(digest)) > 1)
        assert "playbook_child" in told()
        assert SECRET not in told()
        secrets = files(runtime / digest)
        assert secrets
        assert not [path for path in secrets if path.stat().st_mode & 0o077], "readable by its owner only"
        assert (runtime / digest).stat().st_mode & 0o777 == 0o700
    finally:
        (tmp_path / "looked").touch()
        result = await waiting
    assert got(tmp_path) == SECRET
    assert result.status == "successful"
    assert SECRET not in str(result)
    assert result.tasks[1].result["msg"] == "it is ********"
    records = files(state)
    assert any(path.suffix == ".jsonl" and path.stat().st_size for path in records)
    assert not [path for path in records if SECRET in path.read_text() or path.stat().st_mode & 0o077]
    assert not left(runtime), "nothing of the run is left on tmpfs"


async def test_a_secret_in_a_failure_is_hidden(play: Play, state: Path, library: Path) -> None:
    run = play('- ansible.builtin.fail: {msg: "{{ password }}"}\n', secrets={"password": SECRET})
    result = await run_playbook(run, state_dir=state, library=library)
    assert result.status == "failed"
    assert SECRET not in str(result)
    assert "********" in result.message


async def test_timeout_kills_everything(
    play: Play, state: Path, library: Path, tmp_path: Path, runtime: Path
) -> None:
    run = play(WAIT, variables={"where": str(tmp_path)}, timeout=4.0)
    result = await run_playbook(run, state_dir=state, library=library)
    assert result.status == "timeout"
    assert not alive(pid_of(tmp_path))
    assert not left(runtime)


async def test_cancelling_kills_everything(
    play: Play, state: Path, library: Path, tmp_path: Path, runtime: Path
) -> None:
    run = play(WAIT, variables={"where": str(tmp_path)})
    running = asyncio.create_task(run_playbook(run, state_dir=state, library=library))
    await until(lambda: begun(tmp_path))
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert not alive(pid_of(tmp_path))
    assert not left(runtime)


CALLER = """
import asyncio, sys
from pathlib import Path
from govpool.effects.playbooks import PlaybookRun, Target, run_playbook
library, state, where = map(Path, sys.argv[1:])
target = Target("m1", "localhost", "root", "", "", connection="local")
run = PlaybookRun("play.yml", "key", (target,), {"where": str(where)}, {"password": "x"})
asyncio.run(run_playbook(run, state_dir=state, library=library))
"""


@pytest.mark.parametrize("moment", ["at once", "starting", "in the task"])
async def test_kill_9_of_the_caller_leaves_nothing(
    play: Play, state: Path, library: Path, tmp_path: Path, runtime: Path, moment: str
) -> None:
    play(WAIT)
    digest = RunPaths.of(state, "key").digest
    caller = await asyncio.create_subprocess_exec(sys.executable, "-c", CALLER, library, state, tmp_path)
    child: list[int] = []

    def started() -> bool:
        child[:] = [p.pid for p in psutil.Process(caller.pid).children()]
        return bool(child)

    await until(started)
    if moment == "starting":
        await until(lambda: len(marked(digest)) > 0)
    elif moment == "in the task":
        await until(lambda: begun(tmp_path))
    caller.send_signal(signal.SIGKILL)
    await caller.wait()
    await until(lambda: not alive(child[0]) and not marked(digest))
    assert not (tmp_path / "pid").exists() or not alive(pid_of(tmp_path))
    assert not left(runtime)


async def test_kill_9_of_the_child_is_lost_and_cleaned(
    play: Play, state: Path, library: Path, tmp_path: Path, runtime: Path
) -> None:
    run = play(WAIT, variables={"where": str(tmp_path)})
    running = asyncio.create_task(run_playbook(run, state_dir=state, library=library))
    await until(lambda: begun(tmp_path))
    child = next(p for p in psutil.Process().children() if "playbook_child" in " ".join(p.cmdline()))
    child.kill()
    result = await running
    assert result.status == "lost"
    assert not alive(pid_of(tmp_path))
    assert not left(runtime)


async def test_the_same_key_never_runs_twice_at_once(
    play: Play, state: Path, library: Path, tmp_path: Path
) -> None:
    run = play(
        """
- ansible.builtin.shell: "set -e; mkdir {{ where }}/alone; sleep 1; rmdir {{ where }}/alone"
""",
        variables={"where": str(tmp_path)},
    )
    results = await asyncio.gather(*(run_playbook(run, state_dir=state, library=library) for _ in range(3)))
    assert [result.status for result in results] == ["successful"] * 3


async def test_waiting_for_the_key_counts_against_the_timeout(
    play: Play, state: Path, library: Path, tmp_path: Path
) -> None:
    run = play(WAIT, variables={"where": str(tmp_path)})
    first = asyncio.create_task(run_playbook(run, state_dir=state, library=library))
    await until(lambda: begun(tmp_path))
    second = await run_playbook(dataclasses.replace(run, timeout=1.0), state_dir=state, library=library)
    assert (second.status, second.tasks) == ("timeout", ())
    assert alive(pid_of(tmp_path)), "the holder was left alone"
    first.cancel()
    await asyncio.wait([first])


async def test_the_next_run_and_the_sweep_clean_up_after_a_killed_one(
    play: Play, state: Path, library: Path, runtime: Path
) -> None:
    run = play("- ansible.builtin.ping:\n")
    for clean in ("run", "sweep"):
        paths = RunPaths.of(state, run.run_key)
        paths.prepare()
        paths.lock.touch()
        paths.secrets.mkdir()
        (paths.secrets / "key-0").write_text("a key that a killed run left")
        survivor = await asyncio.create_subprocess_exec("sleep", "300", env={MARK: paths.digest})
        if clean == "run":
            assert (await run_playbook(run, state_dir=state, library=library)).status == "successful"
        else:
            assert sweep_stale(state) == (paths.digest,)
        assert await survivor.wait() == -signal.SIGKILL
        assert not left(runtime)
    assert sweep_stale(state) == ()


async def test_the_sweep_leaves_living_runs_alone(
    play: Play, state: Path, library: Path, tmp_path: Path
) -> None:
    run = play(WAIT, variables={"where": str(tmp_path)})
    running = asyncio.create_task(run_playbook(run, state_dir=state, library=library))
    await until(lambda: begun(tmp_path))
    assert sweep_stale(state) == ()
    assert alive(pid_of(tmp_path))
    running.cancel()
    await asyncio.wait([running])


def test_records_are_rotated(state: Path, runtime: Path) -> None:
    assert runtime
    paths = RunPaths.of(state, "key")
    paths.prepare()
    for _ in range(12):
        paths.next_record().touch()
    kept = sorted(path.name for path in paths.records.iterdir())
    assert kept == [f"{n:06d}.jsonl" for n in range(8, 13)]


async def test_a_missing_playbook_is_told(state: Path, library: Path, play: Play) -> None:
    run = dataclasses.replace(play("- ansible.builtin.ping:\n"), playbook="nowhere.yml")
    with pytest.raises(FileNotFoundError, match=r"nowhere\.yml"):
        await run_playbook(run, state_dir=state, library=library)


@pytest.mark.parametrize(
    "change",
    [
        {"targets": ()},
        {"targets": (Target("a", "h", "u", "k", "ssh-ed25519 A"),) * 2},
        {"secrets": {"n": "1"}, "variables": {"n": 1}},
    ],
)
def test_a_run_that_means_nothing_is_refused(play: Play, change: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="run key"):
        dataclasses.replace(play("- ansible.builtin.ping:\n"), **change)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("host", "key"), [("10.0.0.1", ""), ("10.0.0.1 x", "ssh-ed25519 A"), ("", "ssh-ed25519 A")]
)
def test_a_target_without_a_known_host_key_is_refused(host: str, key: str) -> None:
    with pytest.raises(ValueError, match="target a"):
        Target("a", host, "u", "k", key)


def test_a_target_never_shows_its_key() -> None:
    assert SECRET not in repr(Target("a", "h", "u", SECRET, "ssh-ed25519 A"))
    assert SECRET not in repr(PlaybookRun("p", "k", (Target("a", "h", "u", "", "k A"),), {}, {"s": SECRET}))


def test_the_runtime_directory_is_private(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GOVPOOL_RUNTIME_DIR", raising=False)
    monkeypatch.delenv("XDG_RUNTIME_DIR", raising=False)
    assert in_memory(runtime_root()) or not (in_memory(Path("/run")) or in_memory(Path("/dev/shm")))
    (tmp_path / "open").mkdir(mode=0o755)
    monkeypatch.setenv("GOVPOOL_RUNTIME_DIR", str(tmp_path / "open"))
    with pytest.raises(PermissionError, match="0700"):
        runtime_root()
