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
BRIEF, LONG = 5.0, 40.0
"""How many seconds an operator gets to come to the effect at which it dies: at first, and at most."""


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

    async def ended(self) -> None:
        """Return once it has ended, whenever that is."""
        await self._gone.wait()

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
        self._ordering = asyncio.Lock()

    async def begin(
        self, world: World, death: Death = Death(), *, lease: float = 0.0, shard: str = "0/1", name: str = ""
    ) -> Process:
        """Begin an operator of the world; with a ``lease`` of so many seconds it waits for the lead, with a
        ``name`` it is a user of its own.
        """
        order = {
            "kubeconfig": str(world.operator_named(name) if name else world.operators),
            "state": str(world.state),
            "at": death.at,
            "when": death.when,
            "lease": lease,
            "shard": shard,
        }
        assert self._process.stdin is not None and self._process.stdout is not None
        async with self._ordering:
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
    """Keeps an operator running, and kills it while it has kills left.

    How each operator dies is :meth:`fate`'s affair. Out of kills, the last operator lives until there are
    more.
    """

    def __init__(self, world: World, nursery: Nursery, seed: int) -> None:
        self._world, self._nursery = world, nursery
        self._random = random.Random(seed)
        self._more = asyncio.Event()
        self._left = 0
        self.kills = 0

    def allow(self, kills: int) -> None:
        """So many kills more."""
        self._left += kills
        self._more.set()

    def rest(self) -> None:
        """No kills more, used or not."""
        self._left = 0

    def fate(self) -> tuple[Death, float]:
        """Where the next operator dies, and after how many seconds at the latest."""
        when: When = "before" if self._random.random() < 0.5 else "after"
        # Mostly after a few effects: how many kills a life cycle sees must not depend on the machine's speed.
        if self._random.random() < 0.8:
            return Death(self._random.randint(1, 4), when), 5.0
        return Death(), self._random.uniform(0.05, 0.4)

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            death, seconds = self.fate() if self._left else (Death(), None)
            self._more.clear()
            operator = await self._nursery.begin(self._world, death)
            try:
                if seconds is None:
                    await self._more.wait()
                else:
                    with contextlib.suppress(TimeoutError):
                        await operator.wait(seconds)
            finally:
                await operator.kill()
            self.kills += 1
            self._left -= 1 if seconds is not None else 0

    @contextlib.asynccontextmanager
    async def at_work(self) -> AsyncIterator[Reaper]:
        """Run meanwhile; what goes wrong with it goes wrong here."""
        task = asyncio.create_task(self.run())
        try:
            yield self
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task


class Walker(Reaper):
    """Kills each operator right after its ``stride``-th effect, so that every gap of a life cycle is walked.

    An operator that dies where an earlier one died has come no further: the next one lives one effect
    longer. A run's lease is taken anew by each, and a run begins from its beginning.
    """

    def __init__(self, world: World, nursery: Nursery, *, stride: int, first: int) -> None:
        super().__init__(world, nursery, seed=first)
        self._stride, self._at = stride, first
        self._known: set[str] = set()
        self._read = 0
        self._seconds = BRIEF

    def fate(self) -> tuple[Death, float]:
        """After the stride's next effect, or one later when the last operator came no further.

        One that did not come to its effect in time is followed by one that gets twice as long: on a busy
        machine none would ever come far enough else.
        """
        before = self._read
        for death in obituaries(self._world)[self._read :]:
            self._read += 1
            self._at = self._at + 1 if death["effect"] in self._known else self._stride
            self._known.add(death["effect"])
        self._seconds = BRIEF if self._read > before else min(2 * self._seconds, LONG)
        return Death(self._at, "after"), self._seconds
