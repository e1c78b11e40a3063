"""Operators in processes of their own that die by SIGKILL where they are told to. Only tests use this.

``python -m tests.functional.faults.operator_process`` is a nursery: it imports everything once, reads one
order per line from stdin, forks an operator for it and answers with its process number. A forked operator
begins in a moment, so that a test can afford hundreds of them; it is a process like any other, and its death
is a real SIGKILL.
"""

from __future__ import annotations

import asyncio
import ctypes
import hashlib
import json
import logging
import os
import re
import signal
import sys
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from govpool.effects import operator as operator_module
from govpool.effects import pools
from govpool.effects.kube import Kube
from govpool.effects.operator import Options
from govpool.handlers.events import run
from govpool.lifecycle.leadership import Timing
from govpool.lifecycle.sharding import Shard
from govpool_providers.base import PoolConnection
from govpool_providers.fixture import FixtureProvider

T = TypeVar("T")
PR_SET_PDEATHSIG = 1
MUTATING = (
    "ensure_machine",
    "resize_machine",
    "add_disks",
    "set_power",
    "set_isolated",
    "release_machine",
    "delete_copy",
    "attach_to_sanitiser",
    "detach_from_sanitiser",
    "delete_disk",
    "mark_wiped",
)
"""Provider calls that change something."""


class Fate:
    """Counts external effects and ends the process right before or right after the one that was ordered.

    An effect counts when it took place: a write that the server refused changed nothing.
    """

    def __init__(self, at: int, when: str, obituary: Path) -> None:
        self._at, self._when, self._obituary = at, when, obituary
        self._count = 0
        self._lock = threading.Lock()

    def before(self, name: str) -> None:
        """An effect is about to be asked for."""
        with self._lock:
            if self._when == "before" and self._count + 1 >= self._at:
                self._die(name)

    def after(self, name: str) -> None:
        """An effect took place and nobody here knows the answer yet."""
        with self._lock:
            self._count += 1
            if self._when == "after" and self._count >= self._at:
                self._die(name)

    def _die(self, name: str) -> None:
        with self._obituary.open("a") as file:
            file.write(json.dumps({"pid": os.getpid(), "when": self._when, "effect": name}) + "\n")
        os.kill(os.getpid(), signal.SIGKILL)
        threading.Event().wait()  # SIGKILL comes at once; nothing goes on meanwhile


PASSING = re.compile(
    r'"(resourceVersion|holder|attempts|eventTime)": ("[^"]*"|\d+)|\d{4}-\d\d-\d\dT[0-9:.]+(Z|\+00:00)'
)
"""What differs between two tries of the same write."""


def digest(body: object) -> str:
    """Tells one write to an object from the next, and two tries of one write not at all."""
    text = PASSING.sub("", json.dumps(body, sort_keys=True, ensure_ascii=False))
    return hashlib.sha256(text.encode()).hexdigest()[:8]


def mortal_kube(fate: Fate) -> type[Kube]:
    """A connection whose writes are effects."""

    class MortalKube(Kube):
        async def _request(
            self,
            method: str,
            path: str,
            query: Mapping[str, str] | None = None,
            body: object = None,
            content_type: str = "application/json",
        ) -> dict[str, Any]:
            if method == "GET":
                return await super()._request(method, path, query, body, content_type)
            name = f"{method} {path} {digest(body)}"
            fate.before(name)
            answer = await super()._request(method, path, query, body, content_type)
            fate.after(name)
            return answer

    return MortalKube


def mortal_provider(fate: Fate) -> type[FixtureProvider]:
    """A fixture provider whose changing calls are effects."""

    def mortal(method: str) -> Callable[..., Any]:
        original = getattr(FixtureProvider, method)

        def call(self: FixtureProvider, *args: Any, **kwargs: Any) -> Any:
            name = f"{method} {getattr(args[0], 'key', args[0])}"
            fate.before(name)
            answer = original(self, *args, **kwargs)
            fate.after(name)
            return answer

        return call

    return type("MortalProvider", (FixtureProvider,), {method: mortal(method) for method in MUTATING})


def operate(order: dict[str, Any]) -> None:
    """Be an operator until killed, or until SIGTERM."""
    state = Path(order["state"])
    logging.basicConfig(filename=state.parent / "operator.log", level=logging.INFO, force=True)
    if order["at"]:
        fate = Fate(order["at"], order["when"], state.parent / "obituary.jsonl")
        provider = mortal_provider(fate)

        def factory(_: str) -> Callable[[PoolConnection], FixtureProvider]:
            return provider

        operator_module.Kube = mortal_kube(fate)  # type: ignore[misc]
        pools.factory = factory
    election = Timing.of(order["lease"]) if order["lease"] else None
    shard = Shard.parse(order["shard"])
    asyncio.run(run(Options(Path(order["kubeconfig"]), state, election=election, shard=shard)))


def main() -> None:
    """Fork an operator for each line of stdin; end them all with this process."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for them: they are reaped at once
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            os.close(0)
            code = 1
            try:
                operate(json.loads(line))
                code = 0
            except BaseException:
                logging.getLogger(__name__).exception("the operator ended")
            finally:
                os._exit(code)
        sys.stdout.write(f"{child}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
