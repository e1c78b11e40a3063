"""The embedded control plane: one process that speaks the Kubernetes API, durable in SQLite."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import logging
import re
import signal
import socket
import ssl
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from aiohttp import web

from . import authz, documents, reviews
from .admission import Policies
from .authn import User, Users
from .calls import DEFINITIONS, SYSTEM, Call
from .clock import Clock, utc_now
from .errors import ApiError, bad_request, internal, no_such_path, not_found
from .faults import Fault, FaultHook, FaultKind, FaultRequest, drop, ordered
from .gc import Collector
from .kinds import BUILTIN
from .objects import Key, encode
from .requests import OBJECT_TYPES, ResourcePath, flag, parse_path, read_body
from .resources import Registry, from_definition
from .rest import Rest, json_response
from .storage import Change, Store
from .streams import Streams
from .tls import server_context
from .watch import Hub
from .writes import Writes

_log = logging.getLogger(__name__)
_NAMESPACES = ("default", "kube-system")
_OPEN = frozenset({"/healthz", "/livez", "/readyz"})
_SHUTDOWN_SECONDS = 1.0
_USER_NAME = re.compile(r"^[A-Za-z0-9][A-Za-z0-9._:@-]{0,127}$")


class ControlPlane:
    """An embedded control plane over one state directory.

    Use it as an async context manager, or run it with `serve`. `port` 0 takes the port of the last start,
    or a
    free one. `faults` is for tests. `clock` is the base of server time; it can be moved on, never back.
    """

    def __init__(
        self,
        state_dir: Path,
        *,
        port: int = 0,
        tls: bool = True,
        faults: FaultHook | None = None,
        clock: Callable[[], datetime] = utc_now,
        host: str = "127.0.0.1",
        allow_remote: bool = False,
        unit_namespace: str = "default",
    ) -> None:
        if not ipaddress.ip_address(host).is_loopback and not allow_remote:
            raise ValueError(
                f"{host} is not a loopback address: pass allow_remote=True to serve other machines"
            )
        self._state = state_dir
        self._host, self._port, self._tls = host, port, tls
        self._faults = faults
        self._unit_namespace = unit_namespace
        self.clock = Clock(clock)
        self.store = Store(state_dir / "state.db")
        self.registry = Registry(BUILTIN)
        self.ca: bytes | None = None
        self.url = ""
        self._closing = asyncio.Event()
        self._clock_moved = asyncio.Condition()

    # --- starting and stopping -----------------------------------------------------------------

    async def __aenter__(self) -> Self:
        async with contextlib.AsyncExitStack() as stack:
            self._open(stack)
            self.store.open(asyncio.get_running_loop())
            stack.push_async_callback(self.store.close)
            self.clock.offset = float(self.store.facts.get("clockOffset", "0"))
            self._assemble(stack)
            await self._make_namespaces()
            await self._listen(stack)
            self._make_users()
            self._stack = stack.pop_all()
        return self

    def _open(self, stack: contextlib.AsyncExitStack) -> None:
        """Take the state directory for this process alone."""
        self._state.mkdir(parents=True, exist_ok=True)
        self._state.chmod(0o700)
        stack.callback(_lock(self._state / "lock").close)
        (self._state / "state.db").touch(mode=0o600)

    def _assemble(self, stack: contextlib.AsyncExitStack) -> None:
        """Put the parts together on the opened store."""
        self.hub = Hub(self.store)
        policies = Policies(self.store)
        self._writes = Writes(self.store, self.registry, self.clock, policies)
        self._rest = Rest(self.store, self._writes, self.clock)
        self._streams = Streams(self.store, self.hub, self._rest, self.clock)
        users = self.store.connect()
        stack.callback(users.close)
        self.users = Users(users, self._state, self._account_uid)
        self.store.subscribe(self._on_change)
        for stored in self.store.items(DEFINITIONS):
            self.registry.set_custom(stored.key.name, from_definition(stored.load()))
        collector = Collector(self.store, self.registry, self._writes)
        collecting = asyncio.create_task(collector.run())
        stack.push_async_callback(_stop, collecting)

    async def _listen(self, stack: contextlib.AsyncExitStack) -> None:
        context: ssl.SSLContext | None = None
        if self._tls:
            context, self.ca = server_context(self._state, self._host)
        server = web.Server(self._handle, access_log=None, keepalive_timeout=3600.0)
        runner = web.ServerRunner(server, shutdown_timeout=_SHUTDOWN_SECONDS, access_log=None)
        await runner.setup()
        stack.push_async_callback(runner.cleanup)
        listener = self._bind()
        site = web.SockSite(runner, listener, ssl_context=context, backlog=1024)
        await site.start()
        port = listener.getsockname()[1]
        await self.store.remember("port", str(port))
        self.url = f"{'https' if self._tls else 'http'}://{self._host}:{port}"

    def _bind(self) -> socket.socket:
        """Bind to the given port, or to the one of the last start, so that kubeconfigs stay valid."""
        last = int(self.store.facts.get("port", "0"))
        for port in [self._port] if self._port else [last, 0]:
            listener = socket.socket(socket.AF_INET6 if ":" in self._host else socket.AF_INET)
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                listener.bind((self._host, port))
            except OSError:
                listener.close()
                if port in (self._port, 0):
                    raise
            else:
                return listener
        raise OSError("no port to bind to")

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closing.set()
        self.hub.close_all()
        async with self._clock_moved:
            self._clock_moved.notify_all()
        await self._stack.aclose()

    async def _make_namespaces(self) -> None:
        resource = self.registry.find("", "v1", "namespaces")
        for name in _NAMESPACES:
            if self.store.get(Key("namespaces", "", name)) is None:
                call = Call(SYSTEM, resource, name=name, manager="govpool-control-plane")
                await self._writes.create(
                    call, {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
                )

    def _make_users(self) -> None:
        for name, groups in authz.DEFAULT_USERS.items():
            if name not in self.users:
                namespace = self._unit_namespace if name == "unit" else ""
                self.add_user(name, groups, namespace)
        for name in self.users.names():
            self.users.write_kubeconfig(name, self.url, self.ca, None)

    def _account_uid(self, namespace: str, name: str) -> str:
        account = self.store.get(Key("serviceaccounts", namespace, name))
        return account.uid if account else ""

    def add_user(self, name: str, groups: Sequence[str], namespace: str = "") -> Path:
        """Make a user with a fresh token, or give an existing one other groups; returns its kubeconfig.

        `groups` are names of `authz.ROLES`, `namespace` binds a unit's user to its namespace.
        """
        if not _USER_NAME.match(name):
            raise ValueError(f"{name!r} is no user name: use letters, digits and . _ : @ -")
        token = self.users.add(name, groups, namespace)
        return self.users.write_kubeconfig(name, self.url, self.ca, token)

    def kubeconfig(self, user: str) -> Path:
        """Return the kubeconfig of a user; raises KeyError for an unknown one."""
        self.users.user(user)
        return self.users.kubeconfig(user)

    def _on_change(self, change: Change) -> None:
        """Serve, change or stop serving what a definition defines."""
        key = change.new.key
        if key.storage != DEFINITIONS:
            return
        self.registry.set_custom(key.name, [] if change.deleted else from_definition(change.new.load()))
        if (
            change.old is not None and change.old.load().get("spec") != change.new.load().get("spec")
        ) or change.deleted:
            self.hub.close_all(key.name)

    # --- requests ------------------------------------------------------------------------------

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        try:
            return await self._dispatch(request)
        except ApiError as error:
            response = json_response(error.body(), error.code)
            response.headers.update(error.headers)
            return response
        except ConnectionError:
            raise
        except Exception as exc:  # a bug must not take the connection down without a Status
            _log.exception("%s %s failed", request.method, request.path)
            return json_response(internal(type(exc).__name__).body(), 500)

    async def _dispatch(self, request: web.BaseRequest) -> web.StreamResponse:
        path = request.path
        if path in _OPEN:
            return web.Response(text="ok")
        user = self._impersonated(request, self.users.authenticate(request.headers.get("Authorization")))
        parsed = parse_path(request.method, path, watch=flag(request, "watch"))
        fault = self._fault(request, parsed, user)
        if fault and fault.kind is FaultKind.STATUS:
            raise ordered(fault)
        if fault and fault.kind is FaultKind.DROP_BEFORE:
            return drop(request)
        if fault and fault.kind is FaultKind.CUT_WATCHES:
            self.hub.close_all()
        if fault and fault.kind is FaultKind.COMPACT:
            self.hub.compact()
            self._rest.forget()
        if parsed is None:
            response: web.StreamResponse = await self._other(request, user)
        else:
            response = await self._resource(request, parsed, user)
        return drop(request) if fault and fault.kind is FaultKind.DROP_AFTER else response

    def _impersonated(self, request: web.BaseRequest, user: User) -> User:
        """Return the user that the request is to be made as (`kubectl --as`); raises 403."""
        name = request.headers.get("Impersonate-User", "")
        groups = request.headers.getall("Impersonate-Group", [])
        if not name:
            if groups:
                raise bad_request("requested groups without impersonating a user")
            return user
        want = authz.Attributes("impersonate", "", "users", "", name)
        if not authz.allowed(user, want):
            raise authz.refusal(user, want)
        namespace = self.users.user(name).namespace if name in self.users else ""
        return User(name, "", (*dict.fromkeys([*groups, "system:authenticated"]),), namespace)

    def _fault(self, request: web.BaseRequest, parsed: ResourcePath | None, user: User) -> Fault | None:
        if self._faults is None:
            return None
        p = parsed or ResourcePath("", "", "", "")
        return self._faults(
            FaultRequest(request.method, request.path, p.verb, p.group, p.plural, p.namespace, p.name,
                p.subresource,
                         user.name)
        )  # fmt: skip

    async def _resource(self, request: web.BaseRequest, path: ResourcePath, user: User) -> web.StreamResponse:
        resource = self.registry.get(path.group, path.version, path.plural)
        want = authz.Attributes(
            path.verb, path.group, path.plural, path.namespace, path.name, path.subresource
        )
        if not path.namespace and path.plural == "namespaces" and not path.group:
            want = authz.Attributes(path.verb, "", "namespaces", path.name, path.name, path.subresource)
        if not authz.allowed(user, want):
            raise authz.refusal(user, want)
        if resource is None:
            raise no_such_path()
        if (path.plural, path.subresource, path.verb) == ("serviceaccounts", "token", "create"):
            return await self._token(request, path)
        if path.plural in reviews.REVIEWS:
            body = await read_body(request, OBJECT_TYPES)
            return json_response(encode(reviews.answer(path.plural, body.value, user)), 201)
        if (path.namespace and not resource.namespaced) or (not path.namespace and resource.namespaced and (
            path.name or path.verb in ("create", "deletecollection")
        )):  # fmt: skip
            raise no_such_path()
        if path.verb == "watch":
            return await self._streams.watch(request, path, resource)
        return await self._rest.handle(request, path, resource, user)

    async def _token(self, request: web.BaseRequest, path: ResourcePath) -> web.Response:
        """Issue a token for a service account."""
        body = await read_body(request, OBJECT_TYPES)
        account = self.store.get(Key("serviceaccounts", path.namespace, path.name))
        if account is None:
            raise not_found("serviceaccounts", "", path.name)
        return json_response(encode(reviews.token(body.value, account, self.users)), 201)

    async def _other(self, request: web.BaseRequest, user: User) -> web.StreamResponse:
        """Everything that is no resource: discovery, OpenAPI, version, clock."""
        path = request.path.rstrip("/") or "/"
        if path == "/govpool/clock":
            return await self._clock(request, user)
        if request.method not in ("GET", "HEAD"):
            raise ApiError(
                405, "MethodNotAllowed", "the server does not allow this method on the requested resource"
            )
        if path == "/openapi/v2" and "protobuf" in request.headers.get("Accept", "") and (
            "json" not in request.headers["Accept"]
        ):  # fmt: skip
            raise ApiError(406, "NotAcceptable", "only application/json is served")
        found = documents.find(self.registry, request, path)
        if isinstance(found, web.Response):
            return found
        if found is None:
            raise no_such_path()
        return json_response(encode(found))

    # --- the clock -----------------------------------------------------------------------------

    async def _clock(self, request: web.BaseRequest, user: User) -> web.StreamResponse:
        if request.method == "GET":
            return (
                await self._watch_clock(request)
                if flag(request, "watch")
                else json_response(self._clock_state())
            )
        if request.method != "POST":
            raise ApiError(405, "MethodNotAllowed", "the clock is read with GET and moved on with POST")
        if "govpool:admin" not in user.groups:
            raise ApiError(403, "Forbidden", f'clock is forbidden: User "{user.name}" cannot move the clock')
        body = (await read_body(request, OBJECT_TYPES)).value
        if not isinstance(body, dict) or set(body) != {"advance"} or not isinstance(body["advance"], str):
            raise bad_request('send {"advance": "P31D"} with an ISO-8601 duration')
        offset = self.clock.offset_after(body["advance"])
        await self.store.remember("clockOffset", repr(offset))
        self.clock.offset = max(offset, self.clock.offset)
        async with self._clock_moved:
            self._clock_moved.notify_all()
        return json_response(self._clock_state())

    def _clock_state(self) -> bytes:
        return encode(self.clock.state())

    async def _next_move(self, seen: float) -> None:
        """Wait until the clock was moved on from offset `seen`, or the server closes."""
        async with self._clock_moved:
            await self._clock_moved.wait_for(lambda: self.clock.offset != seen or self._closing.is_set())

    async def _watch_clock(self, request: web.BaseRequest) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        response.enable_chunked_encoding()
        await response.prepare(request)
        try:
            while not self._closing.is_set():
                await response.write(self._clock_state() + b"\n")
                await self._next_move(self.clock.offset)
            await response.write_eof()
        except ConnectionError:
            return response
        return response


async def _stop(task: asyncio.Task[None]) -> None:
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task


def _lock(path: Path) -> Any:
    """Hold the state directory for this process alone; raises RuntimeError when another one has it."""
    import fcntl

    handle = path.open("w")
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as exc:
        handle.close()
        raise RuntimeError(
            f"another control plane runs on {path.parent}: stop it, or give another directory"
        ) from exc
    return handle


async def _serve(plane: ControlPlane, ready: Callable[[ControlPlane], None]) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    async with plane:
        ready(plane)
        await stop.wait()


def serve(
    state_dir: Path,
    port: int = 0,
    *,
    tls: bool = True,
    host: str = "127.0.0.1",
    allow_remote: bool = False,
    unit_namespace: str = "default",
    ready: Callable[[ControlPlane], None] = lambda plane: None,
) -> None:
    """Run a control plane until SIGTERM or SIGINT. `ready` is called once it answers."""
    import uvloop

    plane = ControlPlane(
        state_dir, port=port, tls=tls, host=host, allow_remote=allow_remote, unit_namespace=unit_namespace
    )
    uvloop.run(_serve(plane, ready))
