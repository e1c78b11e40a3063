"""Child: an embedded control plane that counts the requests it gets. ``plane_process STATE_DIR``."""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path

import uvloop

from govpool.standalone.faults import Fault, FaultRequest
from govpool.standalone.server import ControlPlane
from tests.bench.children import Answer, serve_questions, usage


class Requests:
    """A fault hook that makes no fault: it counts requests by user, verb and resource."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()

    def __call__(self, request: FaultRequest) -> Fault | None:
        """Count one request."""
        resource = request.resource + (f"/{request.subresource}" if request.subresource else "")
        self.counts[f"{request.user} {request.verb} {resource}"] += 1
        return None


async def main(state: Path) -> None:
    """Serve until standard input ends."""
    requests = Requests()
    async with ControlPlane(state, faults=requests) as plane:

        def answer(question: str) -> Answer:
            if question == "reset":
                requests.counts.clear()
            return {**usage(), "requests": dict(requests.counts), "revision": plane.store.committed_rv}

        ready = {user: str(plane.kubeconfig(user)) for user in ("admin", "operator")}
        await serve_questions(ready, answer)


if __name__ == "__main__":
    uvloop.run(main(Path(sys.argv[1])))
