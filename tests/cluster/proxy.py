"""Doors to a real API server: one for each identity, with the clock that tests move on.

A real API server's clock can't be moved. The doors serve the path at which the embedded control plane serves
its own (``/govpool/clock``), so that a trial of a month passes in a moment. They note what went through.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import aiohttp
import yaml
from aiohttp import web

from govpool.effects.kube import session
from govpool.standalone.clock import Clock

HOP = {"host", "connection", "transfer-encoding", "content-length", "content-encoding", "authorization"}


@dataclass(frozen=True)
class Identity:
    """Who comes through a door."""

    user: str
    groups: tuple[str, ...] = ()

    @property
    def headers(self) -> list[tuple[str, str]]:
        """The API server's impersonation headers."""
        groups = [("Impersonate-Group", group) for group in (*self.groups, "system:authenticated")]
        return [("Impersonate-User", self.user), *groups]


@dataclass
class SharedClock:
    """The machine's time and an offset that only grows."""

    base: Clock = field(default_factory=Clock)
    moved: asyncio.Condition = field(default_factory=asyncio.Condition)

    def line(self) -> bytes:
        """What the embedded control plane would answer."""
        now = datetime.now(UTC) + timedelta(seconds=self.base.offset)
        return json.dumps({"now": now.isoformat(), "offsetSeconds": self.base.offset}).encode() + b"\n"

    async def advance(self, span: str) -> None:
        """Move on by an ISO-8601 duration."""
        self.base.offset = self.base.offset_after(span)
        async with self.moved:
            self.moved.notify_all()


@dataclass
class Door:
    """Forwards every request to the API server in one identity's name."""

    identity: Identity
    clock: SharedClock
    server: str
    upstream: aiohttp.ClientSession
    answers: list[tuple[str, str, int]] = field(default_factory=list)
    """Method, path and status of what went through."""

    async def serve(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer the clock's path, forward anything else."""
        if request.path == "/govpool/clock":
            return await self._clock(request)
        headers = [(k, v) for k, v in request.headers.items() if k.lower() not in HOP] + self.identity.headers
        async with self.upstream.request(
            request.method,
            self.server + request.raw_path,
            data=await request.read() or None,
            headers=headers,
            timeout=aiohttp.ClientTimeout(total=None),
            allow_redirects=False,
            skip_auto_headers=("Content-Type", "Accept-Encoding", "User-Agent"),
        ) as answer:
            self.answers.append((request.method, request.path, answer.status))
            response = web.StreamResponse(status=answer.status)
            for name, value in answer.headers.items():
                if name.lower() not in HOP:
                    response.headers.add(name, value)
            await response.prepare(request)
            with contextlib.suppress(ConnectionError):
                async for chunk in answer.content.iter_any():
                    await response.write(chunk)
                await response.write_eof()
            return response

    async def _clock(self, request: web.BaseRequest) -> web.StreamResponse:
        if request.method == "POST":
            await self.clock.advance(json.loads(await request.read())["advance"])
        if "watch" not in request.query:
            return web.Response(body=self.clock.line(), content_type="application/json")
        response = web.StreamResponse()
        await response.prepare(request)
        with contextlib.suppress(ConnectionError):
            while True:
                seen = self.clock.base.offset
                await response.write(self.clock.line())
                async with self.clock.moved:
                    await self.clock.moved.wait_for(lambda: self.clock.base.offset != seen)  # noqa: B023
        return response


@contextlib.asynccontextmanager
async def doors(
    kubeconfig: Path, identities: Sequence[Identity], folder: Path
) -> AsyncIterator[dict[str, tuple[Door, Path]]]:
    """Open a door for each identity; its kubeconfig lies beside it."""
    clock = SharedClock()
    made: dict[str, tuple[Door, Path]] = {}
    async with contextlib.AsyncExitStack() as stack:
        for identity in identities:
            server, upstream = await session(kubeconfig)
            stack.push_async_callback(upstream.close)
            door = Door(identity, clock, server.rstrip("/"), upstream)
            runner = web.ServerRunner(web.Server(door.serve, access_log=None), shutdown_timeout=0.5)
            await runner.setup()
            stack.push_async_callback(runner.cleanup)
            site = web.TCPSite(runner, "127.0.0.1", 0)
            await site.start()
            host, port = runner.addresses[0][:2]
            path = folder / f"{identity.user.replace(':', '_')}.kubeconfig"
            path.write_text(yaml.safe_dump(_kubeconfig(f"http://{host}:{port}")))
            made[identity.user] = door, path
        yield made


def _kubeconfig(server: str) -> dict[str, object]:
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "door", "cluster": {"server": server}}],
        "users": [{"name": "whoever", "user": {}}],
        "contexts": [{"name": "door", "context": {"cluster": "door", "user": "whoever"}}],
        "current-context": "door",
    }
