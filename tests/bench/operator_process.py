"""Child: the operator as ``govpool operator`` runs it. ``operator_process KUBECONFIG STATE_DIR``.

It notes when it had listed everything and when it first had nothing left to do.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections import Counter
from pathlib import Path

import kopf

from govpool.effects.operator import Operator, Options
from govpool.effects.store import Key
from govpool.handlers.events import registry
from govpool.lifecycle.decision import Decision
from tests.bench.children import Answer, serve_questions, usage

LOOK_EVERY = 0.01


class Watched:
    """An operator and what is noted about it."""

    def __init__(self, options: Options) -> None:
        self.operator = Operator(options)
        self.times: dict[str, float] = {"imported": time.monotonic()}
        self.empty = usage()["rss"]
        self.seen_cpu = 0.0
        self.waits: list[float] = []
        self.reconciles: Counter[str] = Counter()

    def count(self) -> None:
        """Count reconciles by kind."""
        reconcile = self.operator.reconciler.reconcile

        async def counted(key: Key) -> Decision:
            self.reconciles[key[0]] += 1
            return await reconcile(key)

        self.operator.reconciler.reconcile = counted  # type: ignore[method-assign]
        self.operator.queue.waited = self.waits.append

    async def note(self) -> None:
        """Note when all was listed, and when all of it had been reconciled once."""
        # Looked at from outside: the operator itself has no events for what only a benchmark wants to know.
        while not hasattr(self.operator, "reconciler"):  # noqa: ASYNC110
            await asyncio.sleep(LOOK_EVERY)
        self.count()
        while not len(self.operator.store) or self.operator.queue.idle:  # noqa: ASYNC110
            await asyncio.sleep(LOOK_EVERY)
        self.times["listed"], self.seen_cpu = time.monotonic(), usage()["cpu"]
        while not self.operator.queue.idle:  # noqa: ASYNC110
            await asyncio.sleep(LOOK_EVERY)
        self.times["settled"] = time.monotonic()

    def answer(self, _: str) -> Answer:
        """How it stands."""
        operator = self.operator
        return {
            **usage(),
            "objects": len(operator.store),
            "idle": hasattr(operator, "queue") and operator.queue.idle,
            "times": self.times,
            "empty": self.empty,
            "seenCpu": self.seen_cpu,
            "waits": [_share(self.waits, share) for share in (0.5, 0.99)],
            "reconciles": dict(self.reconciles),
        }


def _share(waits: list[float], share: float) -> float:
    """The time that this share of the keys waited at most, in milliseconds."""
    ordered = sorted(waits)
    return 1000 * ordered[int(share * (len(ordered) - 1))] if ordered else 0.0


async def main(kubeconfig: Path, state: Path) -> None:
    """Operate until standard input ends."""
    watched = Watched(Options(kubeconfig, state))
    stop = asyncio.Event()
    noting = asyncio.create_task(watched.note())
    running = asyncio.create_task(
        kopf.operator(
            registry=registry(watched.operator, kubeconfig), clusterwide=True, standalone=True, stop_flag=stop
        )
    )
    await serve_questions({}, watched.answer)
    stop.set()
    await running
    noting.cancel()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), Path(sys.argv[2])))
