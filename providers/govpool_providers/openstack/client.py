"""Requests to the cloud: one session; each request has its microversion, time limit and place in line."""

from __future__ import annotations

import functools
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from enum import StrEnum
from typing import Any, TypeVar, cast

import openstack.config
import requests
from keystoneauth1 import exceptions as keystone
from keystoneauth1 import session as keystone_session
from openstack.connection import Connection
from openstack.proxy import Proxy
from tenacity import (
    RetryCallState,
    Retrying,
    retry_if_exception,
    retry_if_result,
    stop_after_attempt,
    wait_random_exponential,
)

from govpool_providers.base import Fence
from govpool_providers.errors import ErrorCode, ProviderError
from govpool_providers.openstack import faults
from govpool_providers.openstack.faults import RefusedError
from govpool_providers.openstack.pace import Pace
from govpool_providers.openstack.settings import OpenStackSettings
from openstack import exceptions as sdk

T = TypeVar("T")
Document = dict[str, Any]
"""A decoded JSON object; the modules of each service give its parts types."""
Params = Mapping[str, str | Sequence[str]]
"""A query; several values of one name are alternatives where the service takes them so."""

LOOKS_AGAIN = 3
"""How often a look is tried when nothing answers or the cloud asks for patience."""
KNOWN_FOR = 300.0
"""Seconds that the id behind a name is remembered."""


class Service(StrEnum):
    """The services that are called, as openstacksdk names them."""

    COMPUTE = "compute"
    VOLUME = "block_storage"
    NETWORK = "network"
    IMAGE = "image"
    IDENTITY = "identity"


class Cloud:
    """One cloud, opened at the first request; used by many threads at once.

    ``http`` is the requests session underneath, for whoever wants to see or break the traffic. ``scope`` is
    what the log-in is for ("project_id" or "domain_id") in the place of what the settings say.
    """

    def __init__(
        self,
        settings: OpenStackSettings,
        *,
        http: requests.Session | None = None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
        scope: Mapping[str, str] | None = None,
        fence: Fence | None = None,
    ) -> None:
        self.settings = settings
        self._scope = dict(scope or {})
        self._fence = fence
        self.clock = clock
        self.sleep = sleep
        self._http = http
        self._connection: Connection | None = None
        self._opening = threading.Lock()
        self._places = threading.BoundedSemaphore(settings.in_flight)
        self._naming = threading.RLock()
        self._known: dict[tuple[str, str], tuple[float, str]] = {}
        self._pace = Pace()

    # -- requests -----------------------------------------------------------------------------------
    def get(
        self,
        service: Service,
        path: str,
        *,
        params: Params | None = None,
        microversion: str | None = None,
    ) -> Document:
        """One look. Raises Unreachable when there was no answer, NotFound when there is no such thing."""
        again = Retrying(
            retry=retry_if_exception(_may_pass),
            stop=stop_after_attempt(LOOKS_AGAIN),
            wait=wait_random_exponential(multiplier=0.2, max=2),
            sleep=self.sleep,
            reraise=True,
        )
        return again(self._request, service, "GET", path, params=params, microversion=microversion)

    def find(self, service: Service, path: str, *, microversion: str | None = None) -> Document | None:
        """One look at what may not be there."""
        try:
            return self.get(service, path, microversion=microversion)
        except RefusedError as said:
            if said.code is ErrorCode.NOT_FOUND:
                return None
            raise

    def listing(
        self,
        service: Service,
        path: str,
        key: str,
        *,
        params: Params | None = None,
        microversion: str | None = None,
    ) -> list[Document]:
        """A whole listing, page by page; nothing at all when a page is missing."""
        return [
            item
            for page in self._pages(service, path, key, dict(params or {}), microversion)
            for item in page
        ]

    def _pages(
        self,
        service: Service,
        path: str,
        key: str,
        params: dict[str, str | Sequence[str]],
        microversion: str | None,
    ) -> Iterator[list[Document]]:
        params.setdefault("limit", str(self.settings.page_size))
        while True:
            page = self.get(service, path, params=params, microversion=microversion)
            items: list[Document] = page[key]
            yield items
            if not items or not _has_next(page, key):
                return
            params["marker"] = items[-1]["id"]

    def post(
        self, service: Service, path: str, body: Document, *, microversion: str | None = None
    ) -> Document:
        """Make or do something. Never repeated here: whether it was done is found out by looking."""
        return self._request(service, "POST", path, body=body, microversion=microversion)

    def put(
        self, service: Service, path: str, body: Document, *, microversion: str | None = None
    ) -> Document:
        """Change something."""
        return self._request(service, "PUT", path, body=body, microversion=microversion)

    def delete(self, service: Service, path: str, *, microversion: str | None = None) -> None:
        """Delete something; that it is gone already is success."""
        try:
            self._request(service, "DELETE", path, microversion=microversion)
        except RefusedError as said:
            if said.code is not ErrorCode.NOT_FOUND:
                raise

    def _request(
        self,
        service: Service,
        method: str,
        path: str,
        *,
        params: Params | None = None,
        body: Document | None = None,
        microversion: str | None = None,
    ) -> Document:
        what = f"{method} {service}{path}"
        # Not logged, at no level: a new server's body holds its host key.
        more: dict[str, Any] = {"json": body} if body is not None else {}
        try:
            with self._places:
                if method != "GET" and self._fence is not None:
                    self._fence.check()
                response = self._adapter(service).request(
                    path, method, params=params, microversion=microversion, log=False, **more
                )
        except (keystone.ClientException, sdk.SDKException, requests.RequestException, OSError) as error:
            raise faults.of_exception(error, what) from error
        if response.status_code >= 400:
            raise faults.of_response(response, what, looking=method == "GET")
        if not response.content:
            return {}
        try:
            decoded: Document = response.json()
        except requests.JSONDecodeError as error:
            raise ProviderError(ErrorCode.UNREACHABLE, f"{what}: the answer is not JSON.") from error
        return decoded

    # -- the connection -----------------------------------------------------------------------------
    def _adapter(self, service: Service) -> Proxy:
        with self._opening:
            if self._connection is None:
                self._connection = self._connect()
            adapter: Proxy = getattr(self._connection, service)
        return adapter

    def _connect(self) -> Connection:
        settings = self.settings

        session = cast(
            type[keystone_session.Session], functools.partial(keystone_session.Session, session=self._http)
        )
        options: dict[str, Any] = {"api_timeout": settings.timeout}
        if settings.region:
            options["region_name"] = settings.region
        if settings.cloud:
            config = openstack.config.OpenStackConfig(session_constructor=session)
            options["cloud"] = settings.cloud
        else:
            config = openstack.config.OpenStackConfig(
                session_constructor=session, load_yaml_config=False, load_envvars=False
            )
            by_application = any(name.startswith("application_credential") for name in settings.auth)
            options["auth_type"] = "v3applicationcredential" if by_application else "v3password"
            options["auth"] = dict(settings.auth)
        connection = Connection(config=config.get_one(**options))
        return connection.connect_as(**self._scope) if self._scope else connection

    def scoped(self, **scope: str) -> Cloud:
        """The same cloud, logged in to with the same account for another project or domain."""
        return Cloud(
            self.settings,
            http=self._http,
            clock=self.clock,
            sleep=self.sleep,
            scope=scope,
            fence=self._fence,
        )

    @property
    def project_id(self) -> str:
        """The id of the project that the log-in is for. Raises as any request does."""
        return self._session(lambda connection: str(connection.session.get_project_id() or ""))

    @property
    def user_id(self) -> str:
        """The id of the account that is logged in. Raises as any request does."""
        return self._session(lambda connection: str(connection.session.get_user_id() or ""))

    def _session(self, ask: Callable[[Connection], str]) -> str:
        self._adapter(Service.IDENTITY)
        try:
            return ask(cast(Connection, self._connection))
        except (keystone.ClientException, sdk.SDKException, requests.RequestException, OSError) as error:
            raise faults.of_exception(error, "log-in") from error

    # -- waiting and remembering --------------------------------------------------------------------
    def until(self, look: Callable[[], T], done: Callable[[T], bool], *, begun: str = "") -> T:
        """Look until ``done``, at most ``settings.wait`` seconds; what was seen last, done or not.

        ``begun`` names what has just begun: its first look comes when the last ones of that name were done.
        """
        start = self.clock()
        if begun:
            self.sleep(min(self._pace.begun(begun, start), self.settings.wait))

        def last(state: RetryCallState) -> T:
            outcome = cast("Future[T]", state.outcome)  # there is one after an attempt
            return outcome.result()

        looking = Retrying(
            retry=retry_if_result(lambda seen: not done(seen)),
            stop=lambda _: self.clock() - start >= self.settings.wait,
            wait=lambda _: self._pace.again(self.clock() - start, self.clock()),
            sleep=self.sleep,
            retry_error_callback=last,
        )
        seen = looking(look)
        if begun and done(seen):
            self._pace.done(begun, self.clock() - start)
        return seen

    def known(self, kind: str, name: str, look: Callable[[], str]) -> str:
        """The id behind a name, remembered for a while."""
        if found := self._remembered(kind, name):
            return found
        with self._naming:  # of many that begin at once, one looks
            found = self._remembered(kind, name) or look()
            self._known.setdefault((kind, name), (self.clock(), found))
        return found

    def _remembered(self, kind: str, name: str) -> str:
        then, found = self._known.get((kind, name), (0.0, ""))
        if found and self.clock() - then > KNOWN_FOR:
            self._known.pop((kind, name), None)
            return ""
        return found

    def forget(self, before: float) -> bool:
        """Forget every id looked up before this time; whether there was one."""
        old = [key for key, (then, _) in list(self._known.items()) if then < before]
        for key in old:
            self._known.pop(key, None)
        return bool(old)

    def drop(self, kind: str, name: str) -> None:
        """Forget what is remembered of this kind under a name that begins so: it was just deleted."""
        for known in list(self._known):
            if known[0] == kind and known[1].startswith(name):
                self._known.pop(known, None)


def _may_pass(error: BaseException) -> bool:
    return isinstance(error, ProviderError) and error.code in {ErrorCode.UNREACHABLE, ErrorCode.RETRYABLE}


def _has_next(page: Document, key: str) -> bool:
    links = page.get(f"{key}_links")
    further = [link for link in links if link.get("rel") == "next"] if isinstance(links, list) else []
    return bool(page.get("next") or further)
