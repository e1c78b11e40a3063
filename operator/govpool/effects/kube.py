"""The Kubernetes API, typed by our kinds. Every write says which version it follows; 409: look again."""

from __future__ import annotations

import json
import ssl
from collections.abc import AsyncIterator, Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, TypeVar, cast
from urllib.request import getproxies_environment

import aiohttp
from kubernetes.aio import client, config
from pydantic import JsonValue
from tenacity import RetryCallState, retry, retry_if_exception, stop_after_attempt, wait_random_exponential

from govpool.api.base import FINALIZER, GROUP, REQUEST_LABEL, SETTLED_LABEL, VERSION, Model, Resource, Scope
from govpool.effects.fence import Fence, fenced
from govpool.effects.kube_errors import KubeError, gone_again, kube_error, may_repeat
from govpool.effects.lean import lean
from govpool.effects.metrics import counting

__all__ = ["Json", "Kube", "KubeError", "configuration", "read_as", "session"]

R = TypeVar("R", bound=Resource)
T = TypeVar("T")
Json = dict[str, JsonValue]
MERGE_PATCH = "application/merge-patch+json"
REQUEST_TIMEOUT = 60.0
CONNECTIONS = 32
PAGE = 500


async def configuration(kubeconfig: Path | None) -> client.Configuration:
    """Where the API server is and how to get in: a kubeconfig file, from inside a cluster, ``KUBECONFIG``."""
    found = client.Configuration()
    found.connection_pool_maxsize = CONNECTIONS
    found.retries = None
    found.trace_configs = [counting()]
    # aiohttp reads ~/.netrc for every request, in a thread of its own, when it trusts the environment.
    found.client_session_kwargs = {"trust_env": bool(getproxies_environment())}
    if kubeconfig is not None:
        await config.load_kube_config(str(kubeconfig), client_configuration=found)
        return found
    try:
        config.load_incluster_config(client_configuration=found)
    except config.ConfigException:
        await config.load_kube_config(client_configuration=found)
    return found


async def session(
    kubeconfig: Path | None,
    trace: aiohttp.TraceConfig | None = None,
    middleware: aiohttp.ClientMiddlewareType | None = None,
) -> tuple[str, aiohttp.ClientSession]:
    """The server's URL and a session that is logged in there, with a bounded number of connections."""
    found = await configuration(kubeconfig)
    context = ssl.create_default_context(cafile=found.ssl_ca_cert, cadata=found.ca_cert_data)
    if found.cert_file:
        context.load_cert_chain(found.cert_file, keyfile=found.key_file)
    if not found.verify_ssl:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    headers: dict[str, str] = {}
    token = (await found.auth_settings()).get("BearerToken")
    if token is not None and token["key"] and token["value"]:
        headers[token["key"]] = token["value"]
    connector = aiohttp.TCPConnector(limit=CONNECTIONS, ssl=context)
    traces = [trace] if trace is not None else []
    between = (middleware,) if middleware is not None else ()
    made = aiohttp.ClientSession(
        connector=connector, headers=headers, trace_configs=traces, middlewares=between
    )
    return found.host, made


_BACKOFF = wait_random_exponential(multiplier=0.2, max=5)


def _patience(state: RetryCallState) -> float:
    """As long as the server asks for, but no longer than a request may take."""
    error = state.outcome.exception() if state.outcome else None
    asked = error.retry_after if isinstance(error, KubeError) else 0.0
    return max(_BACKOFF(state), min(asked, REQUEST_TIMEOUT))


def read_as(kind: type[R], document: Json) -> R:
    """The object in the document.

    Raises:
        ValidationError: it is of another version of the kind.
    """
    return lean(kind.model_validate(document))


class Kube:
    """A connection to one API server."""

    def __init__(self, api: client.ApiClient) -> None:
        self._api = api

    @classmethod
    async def connect(cls, kubeconfig: Path | None = None, fence: Fence | None = None) -> Kube:
        """Connect; see :func:`configuration` for where to. With a fence, nothing is written while another
        may lead: it is :class:`govpool.effects.fence.NotLeaderError` then.
        """
        found = await configuration(kubeconfig)
        if fence is not None:
            found.trace_configs = [*(found.trace_configs or ()), fenced(fence)]
        return cls(client.ApiClient(found))

    async def close(self) -> None:
        """Close every connection."""
        await self._api.close()

    # -- raw --------------------------------------------------------------------------------------
    @retry(
        retry=retry_if_exception(may_repeat),
        stop=stop_after_attempt(5),
        wait=_patience,
        reraise=True,
    )
    async def _request(
        self,
        method: str,
        path: str,
        query: Mapping[str, str] | None = None,
        body: object = None,
        content_type: str = "application/json",
    ) -> Json:
        headers = {"Accept": "application/json", "Content-Type": content_type}
        try:
            # The client would walk through the whole body to make JSON of it; ours is JSON already.
            call = await self._api.param_serialize(
                method=method,
                resource_path=path,
                query_params=list((query or {}).items()),
                header_params=headers,
                auth_settings=["BearerToken"],
            )
            method, url, headers = call[:3]
            response = await self._api.call_api(method, url, headers, body, _request_timeout=REQUEST_TIMEOUT)
            payload = await response.read()
        except client.ApiException as error:
            raise kube_error(error.status or 0, str(error.body or error.reason)) from None
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise KubeError(0, "NoAnswer", f"{type(error).__name__}: {error}") from None
        if response.status >= 300:
            asked = response.response.headers.get("Retry-After", "")
            raise kube_error(response.status, payload.decode(errors="replace"), asked)
        return cast(Json, json.loads(payload)) if payload else {}

    async def get_path(self, path: str, query: Mapping[str, str] | None = None) -> Json:
        """GET any path."""
        return await self._request("GET", path, query)

    async def post_path(self, path: str, body: Json) -> Json:
        """POST to any path."""
        return await self._request("POST", path, body=body)

    async def merge_path(self, path: str, body: Json) -> Json:
        """A JSON merge patch of any path."""
        return await self._request("PATCH", path, body=body, content_type=MERGE_PATCH)

    async def delete_path(self, path: str) -> Json:
        """DELETE any path."""
        return await self._request("DELETE", path)

    async def put_path(self, path: str, body: Json) -> Json:
        """PUT to any path; ``metadata.resourceVersion`` in the body is the version it follows."""
        return await self._request("PUT", path, body=body)

    async def remove_path(self, path: str, uid: str) -> None:
        """Delete the object at the path if it has this UID, with what belongs to it; gone is success."""
        body: Json = {
            "kind": "DeleteOptions",
            "apiVersion": "v1",
            "propagationPolicy": "Background",
            "preconditions": {"uid": uid},
        }
        try:
            await self._request("DELETE", path, body=body)
        except KubeError as error:
            # Another one of that name is not ours to delete.
            if not (error.absent or error.conflict):
                raise

    async def stream(self, path: str, query: Mapping[str, str]) -> AsyncIterator[bytes]:
        """Lines of a streaming GET until the server ends it."""
        call = await self._api.param_serialize(
            method="GET",
            resource_path=path,
            query_params=list(query.items()),
            header_params={"Accept": "application/json"},
            auth_settings=["BearerToken"],
        )
        try:
            response = await self._api.call_api(
                *call, _request_timeout=aiohttp.ClientTimeout(total=None, sock_connect=10)
            )
            try:
                async for line in response.response.content:
                    if line.strip():
                        yield line
            finally:
                # Whoever stops reading would leave the connection open for ever.
                response.response.close()
        except client.ApiException as error:
            raise kube_error(error.status or 0, str(error.body or error.reason)) from None
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise KubeError(0, "NoAnswer", f"{type(error).__name__}: {error}") from None

    # -- our kinds --------------------------------------------------------------------------------
    async def list(
        self, kind: type[R], *, namespace: str | None = None, labels: str | None = None
    ) -> tuple[R, ...]:
        """Every object of the kind, in pages, whole or not at all."""
        return (await self.list_as(kind, partial(read_as, kind), namespace=namespace, labels=labels))[1]

    async def list_as(
        self,
        kind: type[Resource],
        read: Callable[[Json], T],
        *,
        namespace: str | None = None,
        labels: str | None = None,
    ) -> tuple[str, tuple[T, ...]]:
        """The list's resourceVersion and what ``read`` makes of every object, whole or not at all."""
        query = {"limit": str(PAGE)} | ({"labelSelector": labels} if labels else {})
        found: list[T] = []
        while True:
            try:
                page = await self._request("GET", _path(kind, namespace), query)
            except KubeError as error:
                if error.status != 410 or "continue" not in query:
                    raise
                # The snapshot that the pages are of was compacted meanwhile: from the beginning.
                del query["continue"]
                found.clear()
                continue
            found += [read(item) for item in cast("list[Json]", page.get("items") or [])]
            metadata = cast(Json, page.get("metadata") or {})
            if not metadata.get("continue"):
                return str(metadata.get("resourceVersion", "")), tuple(found)
            query["continue"] = str(metadata["continue"])

    async def get(self, kind: type[R], name: str, namespace: str | None = None) -> R:
        """One object.

        Raises:
            KubeError: 404 when it is not there.
        """
        return read_as(kind, await self._request("GET", _path(kind, namespace, name)))

    async def create(self, resource: R) -> R:
        """Create the object; when it is there already, the one that is there, if it was made for the same.

        Raises:
            KubeError: ``exists`` when the name is taken by something that was made for another request.
        """
        path = _path(type(resource), resource.metadata.namespace)
        try:
            return read_as(type(resource), await self._request("POST", path, body=_manifest(resource)))
        except KubeError as error:
            if not error.exists:
                raise
        try:
            found = await self.get(type(resource), resource.metadata.name, resource.metadata.namespace)
        except KubeError as error:
            # Deleted since, or not on disk yet: neither says that what should be created can't be.
            raise gone_again(error, f"{resource.DEFINITION.kind} {resource.metadata.name}") from None
        wanted, owner = (item.metadata.labels.get(REQUEST_LABEL, "") for item in (resource, found))
        if wanted != owner:
            whose = f"made for the request with UID {owner}" if owner else "made by somebody else"
            raise KubeError(
                409,
                "AlreadyExists",
                f"{found.DEFINITION.kind} {found.metadata.name} in {found.metadata.namespace} is there,"
                f" {whose}, not for UID {wanted}: delete it, or make the request under another name",
            )
        return found

    async def write_spec(self, resource: R) -> R:
        """Replace the spec if nobody wrote the object since; fields that are None are removed."""
        spec = cast(Any, resource).spec
        body = {
            "metadata": {"resourceVersion": resource.metadata.resource_version},
            "spec": _merging(spec.model_dump(mode="json", by_alias=True)),
        }
        return await self._patch(resource, body)

    async def write_status(self, resource: R, status: Model) -> R:
        """Replace the status if nobody wrote the object since."""
        body = {
            "apiVersion": resource.api_version,
            "kind": resource.DEFINITION.kind,
            "metadata": _identity(resource),
            "status": status.model_dump(mode="json", by_alias=True, exclude_none=True),
        }
        path = _path(type(resource), resource.metadata.namespace, resource.metadata.name) + "/status"
        return read_as(type(resource), await self._request("PUT", path, body=body))

    async def set_finalizer(self, resource: R, *, present: bool) -> R:
        """Put govpool's finalizer on or take it off, if nobody wrote the object since."""
        others = [name for name in resource.metadata.finalizers if name != FINALIZER]
        body = {
            "metadata": {
                "resourceVersion": resource.metadata.resource_version,
                "finalizers": [*others, FINALIZER] if present else others,
            }
        }
        return await self._patch(resource, body)

    async def settle(self, resource: R) -> R:
        """Label the object as settled."""
        body = {
            "metadata": {
                "resourceVersion": resource.metadata.resource_version,
                "labels": {SETTLED_LABEL: "true"},
            }
        }
        return await self._patch(resource, body)

    async def merge(self, resource: R, body: Json) -> R:
        """A JSON merge patch."""
        return await self._patch(resource, body)

    async def delete(self, resource: Resource) -> None:
        """Delete the object if it is still the same one; that it is gone is success."""
        path = _path(type(resource), resource.metadata.namespace, resource.metadata.name)
        body = {
            "kind": "DeleteOptions",
            "apiVersion": "v1",
            "preconditions": {"uid": resource.metadata.object_uid},
        }
        try:
            await self._request("DELETE", path, body=body)
        except KubeError as error:
            if not error.absent:
                raise

    async def _patch(self, resource: R, body: object) -> R:
        path = _path(type(resource), resource.metadata.namespace, resource.metadata.name)
        answer = await self._request("PATCH", path, body=body, content_type=MERGE_PATCH)
        return read_as(type(resource), answer)

    # -- core kinds -------------------------------------------------------------------------------
    async def core_get(self, plural: str, namespace: str, name: str) -> Json | None:
        """A core object (Secret, ConfigMap), or None when it is not there."""
        try:
            return await self._request("GET", f"/api/v1/namespaces/{namespace}/{plural}/{name}")
        except KubeError as error:
            if error.absent:
                return None
            raise

    async def core_create(self, plural: str, namespace: str, body: Json) -> Json:
        """Create a core object.

        Raises:
            KubeError: ``exists`` when it is there.
        """
        return await self._request("POST", f"/api/v1/namespaces/{namespace}/{plural}", body=body)

    async def core_replace(self, plural: str, namespace: str, name: str, body: Json) -> Json:
        """Replace a core object; ``metadata.resourceVersion`` in the body is the version it follows."""
        return await self._request("PUT", f"/api/v1/namespaces/{namespace}/{plural}/{name}", body=body)

    async def core_delete(self, plural: str, namespace: str, name: str) -> None:
        """Delete a core object; that it is gone is success."""
        try:
            await self._request("DELETE", f"/api/v1/namespaces/{namespace}/{plural}/{name}")
        except KubeError as error:
            if not error.absent:
                raise

    async def ensure_namespace(self, name: str) -> None:
        """Create the namespace unless it is there; an operator needs no right to make it where it is."""
        try:
            await self._request("GET", f"/api/v1/namespaces/{name}")
        except KubeError as error:
            if not error.absent:
                raise
        else:
            return
        body: Json = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
        try:
            await self._request("POST", "/api/v1/namespaces", body=body)
        except KubeError as error:
            if not error.exists:
                raise


def _path(kind: type[Resource], namespace: str | None = None, name: str | None = None) -> str:
    definition = kind.DEFINITION
    parts = ["", "apis", GROUP, VERSION]
    if definition.scope is Scope.NAMESPACED and namespace:
        parts += ["namespaces", namespace]
    parts.append(definition.plural)
    if name is not None:
        parts.append(name)
    return "/".join(parts)


def _identity(resource: Resource) -> Json:
    meta = resource.metadata
    identity: Json = {"name": meta.name, "uid": meta.object_uid, "resourceVersion": meta.resource_version}
    return identity | ({"namespace": meta.namespace} if meta.namespace else {})


def _manifest(resource: Resource) -> Json:
    document = cast(Json, resource.model_dump(mode="json", by_alias=True, exclude_none=True))
    document["kind"] = resource.DEFINITION.kind
    metadata = cast(Json, document["metadata"])
    document["metadata"] = {key: value for key, value in metadata.items() if value not in ("", 0, [], {})}
    document.pop("status", None)
    return document


def _merging(value: JsonValue, *, listed: bool = False) -> JsonValue:
    """The value for a merge patch: null removes a field of an object, but is kept as null inside a list."""
    if isinstance(value, dict):
        kept = {key: item for key, item in value.items() if item is not None or not listed}
        return {key: _merging(item, listed=listed) for key, item in kept.items()}
    if isinstance(value, list):
        return [_merging(item, listed=True) for item in value]
    return value
