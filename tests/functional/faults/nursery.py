"""The tests' side of operators in processes of their own: begin, kill, wait for the end."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import random
import signal
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Literal

from tests.functional.lifecycle.world import ROOT, World

When = Literal["before", "after"]


@dataclass(frozen=True, slots=True)
class Death:
    """Where an operator dies: right before or right after its effect number ``at``, from 1; 0: nowhere."""

    at: int = 0
    when: When = "after"


class Process:
    """An operator's process."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self._gone = asyncio.Event()
        try:
            self._fd = os.pidfd_open(pid)
        except ProcessLookupError:
            self._fd = -1
            self._gone.set()
        else:
            asyncio.get_running_loop().add_reader(self._fd, self._ended)

    def _ended(self) -> None:
        asyncio.get_running_loop().remove_reader(self._fd)
        os.close(self._fd)
        self._fd = -1
        self._gone.set()

    @property
    def alive(self) -> bool:
        return not self._gone.is_set()

    def signal(self, number: int) -> None:
        if self._fd >= 0:
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._fd, number)

    async def wait(self, seconds: float = 60) -> None:
        await asyncio.wait_for(self._gone.wait(), seconds)

    async def kill(self) -> None:
        self.signal(signal.SIGKILL)
        await self.wait()


class Nursery:
    """Where operators come from."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self._children: list[Process] = []

    async def begin(self, world: World, death: Death = Death()) -> Process:
        """Begin an operator of the world."""
        order = {
            "kubeconfig": str(world.kubeconfig),
            "state": str(world.state),
            "at": death.at,
            "when": death.when,
        }
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.write(json.dumps(order).encode() + b"\n")
        child = Process(int(await asyncio.wait_for(self._process.stdout.readline(), 60)))
        self._children.append(child)
        return child

    async def end(self) -> None:
        for child in self._children:
            await child.kill()


@contextlib.asynccontextmanager
async def nursery() -> AsyncIterator[Nursery]:
    """A nursery; whatever came from it ends with it."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "tests.functional.faults.operator_process",
        cwd=ROOT,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    made = Nursery(process)
    try:
        yield made
    finally:
        await made.end()
        assert process.stdin is not None
        process.stdin.close()
        await process.wait()


def obituaries(world: World) -> list[dict[str, str]]:
    """Where operators of the world died as ordered, oldest first."""
    path = world.state.parent / "obituary.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


class Reaper:
    """Keeps an operator running and kills it again and again, at random points, seeded.

    Each operator has a random number of effects to live for, and a random time; whichever ends first.
    """

    def __init__(self, world: World, nursery: Nursery, seed: int, *, effects: int, seconds: float) -> None:
        self._world, self._nursery = world, nursery
        self._random = random.Random(seed)
        self._effects, self._seconds = effects, seconds
        self.kills = 0

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            choice = self._random.random()
            when: When = "before" if self._random.random() < 0.5 else "after"
            by_effect = choice < 0.6
            at = self._random.randint(2, self._effects) if by_effect else 0
            seconds = 4.0 if by_effect else self._random.uniform(0.2, self._seconds)
            operator = await self._nursery.begin(self._world, Death(at, when))
            try:
                with contextlib.suppress(TimeoutError):
                    await operator.wait(seconds)
                await operator.kill()
            except asyncio.CancelledError:
                await operator.kill()
                raise
            self.kills += 1
