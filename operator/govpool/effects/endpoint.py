"""Serves health and metrics, from a thread of its own, over plain HTTP."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Self

from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

from govpool.effects.health import Check, page

log = logging.getLogger(__name__)
TEXT = "text/plain; charset=utf-8"
IDLE = 10.0
"""Seconds that a client may be silent."""
Checks = Callable[[], tuple[Check, ...]]


@dataclass(frozen=True, slots=True)
class Address:
    """Where health and metrics are served."""

    host: str = "127.0.0.1"
    port: int = 8081


class Endpoint:
    """``/metrics``, ``/healthz`` (``/livez``) and ``/readyz`` for as long as it is open."""

    def __init__(self, host: str, port: int, *, live: Checks, ready: Checks, metrics: Collector) -> None:
        """Take the port; 0 takes a free one.

        Raises:
            OSError: it is taken, or may not be.
        """
        pages = {"/healthz": live, "/livez": live, "/readyz": ready}

        class Handler(BaseHTTPRequestHandler):
            timeout = IDLE

            def do_GET(self) -> None:
                path = self.path.partition("?")[0]
                if path == "/metrics":
                    encode, content_type = choose_encoder(self.headers.get("Accept", ""))
                    self._answer(HTTPStatus.OK, content_type, encode(metrics))
                elif path in pages:
                    ok, text = page(pages[path]())
                    status = HTTPStatus.OK if ok else HTTPStatus.SERVICE_UNAVAILABLE
                    self._answer(status, TEXT, text.encode())
                else:
                    self._answer(HTTPStatus.NOT_FOUND, TEXT, b"/metrics, /healthz, /readyz\n")

            def _answer(self, status: HTTPStatus, content_type: str, body: bytes) -> None:
                self.send_response(status)
                self.send_header("Content-Type", content_type)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def version_string(self) -> str:
                return "govpool"

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002
                log.debug(format, *args)

        self._server = ThreadingHTTPServer((host, port), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, name="endpoint", daemon=True)

    @property
    def port(self) -> int:
        """The port that it has."""
        return int(self._server.server_address[1])

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
