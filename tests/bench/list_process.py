"""Child: the plainest client that knows what the operator knows. ``list_process KUBECONFIG``.

It lists the operator's kinds in pages of 500, keeps the documents, and follows each kind with a watch.
"""

from __future__ import annotations

import asyncio
import sys
import time
from pathlib import Path

from govpool.effects import kube
from govpool.effects.operator import NOT_SETTLED, SETTLING, WATCHED
from tests.bench.children import Answer, serve_questions, usage
from tests.bench.people import API, Client, Json


async def main(kubeconfig: Path) -> None:
    """List, then watch until standard input ends."""
    times = {"imported": time.monotonic(), "empty": usage()["rss"]}
    known: dict[str, Json] = {}
    server, session = await kube.session(kubeconfig)
    bare = Client(server, session)

    async def follow(path: str) -> None:
        async for event in bare.watch(path):
            known[event["object"]["metadata"]["uid"]] = event["object"]

    watches = []
    for kind in WATCHED:
        path = f"{API}/{kind.DEFINITION.plural}"
        selector = f"labelSelector={NOT_SETTLED}".replace("!", "%21") if kind in SETTLING else ""
        items, version = await bare.pages(path, selector)
        known |= {item["metadata"]["uid"]: item for item in items}
        watches.append(asyncio.create_task(follow(f"{path}?resourceVersion={version}&{selector}")))
    times["listed"] = time.monotonic()

    def answer(_: str) -> Answer:
        return {**usage(), **times, "objects": len(known)}

    await serve_questions({}, answer)
    for watch in watches:
        watch.cancel()
    await session.close()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
