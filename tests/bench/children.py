"""Processes under measurement: started by a benchmark, asked over a pipe, ended with it.

A child is a module of this package that calls :func:`serve_questions`. It prints one JSON line when it is
ready, answers each line on its standard input with one JSON line, and ends when its input ends.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import resource
import sys
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
Answer = dict[str, Any]


def usage() -> Answer:
    """CPU seconds, resident and greatest resident memory in MiB of this process."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return {
        "cpu": time.process_time(),
        "rss": pages * os.sysconf("SC_PAGE_SIZE") / 2**20,
        "peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "clock": time.monotonic(),
    }


async def serve_questions(ready: Answer, answer: Callable[[str], Answer]) -> None:
    """Child's side: say what is ready, answer each question, return when nobody asks any more."""
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), sys.stdin
    )
    _say(ready)
    while line := await reader.readline():
        _say(answer(line.decode().strip()))


def _say(what: Answer) -> None:
    sys.stdout.write(json.dumps(what) + "\n")
    sys.stdout.flush()


class Child:
    """Benchmark's side of one process."""

    def __init__(self, process: asyncio.subprocess.Process, ready: Answer, spawned: float) -> None:
        self._process, self.ready, self.spawned = process, ready, spawned
        self.pid = process.pid

    async def ask(self, question: str) -> Answer:
        """Put a question and wait for the answer."""
        assert self._process.stdin is not None
        self._process.stdin.write(question.encode() + b"\n")
        return await _line(self._process)


async def _line(process: asyncio.subprocess.Process) -> Answer:
    assert process.stdout is not None
    line = await process.stdout.readline()
    if not line:
        raise RuntimeError(f"the measured process ended with {await process.wait()}")
    answer: Answer = json.loads(line)
    return answer


@contextlib.asynccontextmanager
async def child(module: str, *arguments: str | Path, log: Path) -> AsyncIterator[Child]:
    """Run ``python -m tests.bench.MODULE`` until the block ends."""
    spawned = time.monotonic()
    with log.open("ab") as errors:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            *("-m", f"tests.bench.{module}", *map(str, arguments)),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=errors,
            limit=2**24,
            cwd=ROOT,
        )
    try:
        yield Child(process, await _line(process), spawned)
    finally:
        assert process.stdin is not None
        process.stdin.close()
        try:
            await asyncio.wait_for(process.wait(), 30)
        except TimeoutError:
            process.kill()
            await process.wait()
