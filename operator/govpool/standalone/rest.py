"""The verbs on resources, from parsed request to response."""

from __future__ import annotations

import base64
import binascii
import json
import secrets
from collections import OrderedDict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from . import patch as patches
from . import tables
from .apply import Application, Writer
from .authn import User
from .calls import Call, DeleteOptions, Outcome, present, present_obj
from .clock import Clock
from .errors import ApiError, bad_request, expired, method_not_allowed, not_found, unsupported_media_type
from .objects import Key, Obj, decode, encode, lookup
from .requests import (
    OBJECT_TYPES,
    Body,
    ResourcePath,
    accepted,
    flag,
    media_type,
    number,
    read_body,
    resource_version,
)
from .resources import Resource
from .selectors import Selector, parse_fields, parse_labels
from .storage import Store, Stored
from .writes import Writes

_SNAPSHOTS = 64


@dataclass(frozen=True)
class _Snapshot:
    """A list that is handed out in pages: immutable versions, so that all pages show one moment."""

    rv: int
    items: list[Stored]


def json_response(data: bytes, code: int = 200, warnings: Iterable[str] = ()) -> web.Response:
    """Answer with JSON bytes."""
    response = web.Response(body=data, status=code, content_type="application/json")
    response.headers["Cache-Control"] = "no-cache, private"
    for text in warnings:
        quoted = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", " ")
        response.headers.add("Warning", f'299 - "{quoted}"')
    return response


def read_field(resource: Resource, obj: Obj, path: str) -> str:
    """Return a field as a field selector compares it; raises 400 on a field that cannot be selected by."""
    if path in ("metadata.name", "metadata.namespace") or path in resource.selectable:
        parts = path.split(".")
        if resource.storage_key == "events" and resource.group:
            parts = ["involvedObject" if p == "regarding" else p for p in parts]
        if path == "source":
            parts = ["source", "component"]
        value = lookup(obj, *parts)
        if isinstance(value, bool):
            return "true" if value else "false"
        return "" if value is None else str(value)
    raise bad_request(f"field label not supported: {path}")


def read_selector(request: web.BaseRequest, resource: Resource, name: str = "") -> Selector:
    """Read labelSelector and fieldSelector; raises 400 on a field that cannot be selected by."""
    fields = parse_fields(request.query.get("fieldSelector", ""))
    for term in fields:
        read_field(resource, {}, term.path)
    if name:
        fields = (*fields, *parse_fields(f"metadata.name={name}"))
    return Selector(parse_labels(request.query.get("labelSelector", "")), fields)


class Rest:
    """Reads and writes of resources for an authenticated and authorised user."""

    def __init__(self, store: Store, writes: Writes, clock: Clock) -> None:
        self._store = store
        self._writes = writes
        self._clock = clock
        self._snapshots: OrderedDict[str, _Snapshot] = OrderedDict()

    async def handle(
        self, request: web.BaseRequest, path: ResourcePath, resource: Resource, user: User
    ) -> web.Response:
        """Carry out any verb but watch."""
        if path.verb not in resource.verbs:
            raise method_not_allowed(resource.plural, resource.group, path.verb)
        if path.subresource and not (path.subresource == "status" and resource.status):
            raise ApiError(404, "NotFound", "the server could not find the requested resource")
        if path.verb == "get":
            return self.get(request, path, resource)
        if path.verb == "list":
            return self.list(request, path, resource)
        return await self._write(request, path, resource, user)

    # --- reading -------------------------------------------------------------------------------

    def get(self, request: web.BaseRequest, path: ResourcePath, resource: Resource) -> web.Response:
        """Return one object."""
        form = accepted(request)
        stored = self._store.get(Key(resource.storage_key, path.namespace, path.name))
        if stored is None:
            raise not_found(resource.plural, resource.group, path.name)
        if not form.form:
            return json_response(present(stored, resource))
        obj = present_obj(stored, resource)
        return json_response(encode(self._shape(resource, obj, form.form, form.include)))

    def _shape(self, resource: Resource, obj: Obj, form: str, include: str) -> Obj:
        if form == "Table":
            metadata = {"resourceVersion": obj["metadata"].get("resourceVersion", "")}
            return tables.table(resource, [obj], metadata, self._clock.now(), include)
        return tables.partial(obj) if form == "Partial" else obj

    def list(self, request: web.BaseRequest, path: ResourcePath, resource: Resource) -> web.Response:
        """Return a collection, or one page of it."""
        form = accepted(request)
        selector = read_selector(request, resource)
        limit = number(request, "limit") or 0
        token = request.query.get("continue", "")
        snapshot, start = (
            self._resume(token) if token else (self._snapshot(request, path, resource, selector), 0)
        )
        chosen = snapshot.items[start : start + limit] if limit > 0 else snapshot.items[start:]
        metadata: Obj = {"resourceVersion": str(snapshot.rv)}
        remaining = len(snapshot.items) - start - len(chosen)
        if remaining > 0:
            metadata["continue"] = self._keep(token, snapshot, start + len(chosen))
            if not selector:
                metadata["remainingItemCount"] = remaining
        if form.form == "Table":
            objects = (present_obj(s, resource) for s in chosen)
            table = tables.table(resource, objects, metadata, self._clock.now(), form.include)
            return json_response(encode(table))
        kind, version = resource.collection_kind, resource.api_version
        if form.form == "Partial":
            kind, version = "PartialObjectMetadataList", tables.TABLE_VERSION
            items = [encode(tables.partial(present_obj(s, resource))) for s in chosen]
        else:
            items = [present(s, resource) for s in chosen]
        head = encode({"kind": kind, "apiVersion": version, "metadata": metadata})[:-1]
        return json_response(head + b',"items":[' + b",".join(items) + b"]}")

    def _snapshot(
        self, request: web.BaseRequest, path: ResourcePath, resource: Resource, selector: Selector
    ) -> _Snapshot:
        wanted = resource_version(request)
        now = self._store.committed_rv
        match = request.query.get("resourceVersionMatch", "")
        if match and wanted is None:
            raise bad_request("resourceVersionMatch is forbidden unless resourceVersion is provided")
        if wanted is not None and wanted > now:
            cause = {"reason": "ResourceVersionTooLarge", "message": "Too large resource version"}
            details = {"causes": [cause], "retryAfterSeconds": 1}
            message = f"Too large resource version: {wanted}, current: {now}"
            raise ApiError(504, "Timeout", message, details)
        if match == "Exact" and wanted != now:
            raise expired(f"The provided resource version is no longer available: {wanted}")
        return _Snapshot(now, list(self.select(path.namespace, resource, selector)))

    def select(self, namespace: str, resource: Resource, selector: Selector) -> Iterator[Stored]:
        """Yield the objects of a collection that a selector picks, in key order."""
        items = self._store.items(resource.storage_key, namespace)
        if not selector:
            yield from items
            return
        for stored in items:
            if selector.matches(stored.labels, lambda p, s=stored: read_field(resource, _cheap(s, p), p)):  # type: ignore[misc]
                yield stored

    def forget(self) -> None:
        """Forget all half-read lists: their next page is answered with 410."""
        self._snapshots.clear()

    def _keep(self, token: str, snapshot: _Snapshot, start: int) -> str:
        """Remember a snapshot for its next page; the oldest is forgotten when too many lists are half
        read."""
        name = _read_token(token)[0] if token else secrets.token_urlsafe(9)
        self._snapshots[name] = snapshot
        self._snapshots.move_to_end(name)
        if len(self._snapshots) > _SNAPSHOTS:
            self._snapshots.popitem(last=False)
        return base64.urlsafe_b64encode(encode([name, start])).decode()

    def _resume(self, token: str) -> tuple[_Snapshot, int]:
        name, start = _read_token(token)
        snapshot = self._snapshots.get(name)
        if snapshot is None:
            raise expired(
                "The provided continue parameter is too old to display a consistent list result. You "
                "must start a new"
                " list without the continue parameter."
            )
        return snapshot, start

    # --- writing -------------------------------------------------------------------------------

    async def _write(
        self, request: web.BaseRequest, path: ResourcePath, resource: Resource, user: User
    ) -> web.Response:
        form = accepted(request)
        call = self._call(request, path, resource, user)
        if path.verb == "deletecollection":
            return await self._delete_collection(request, path, call)
        if path.verb == "delete":
            outcome = await self._writes.delete(call, await self._delete_options(request, call))
        elif path.verb == "create":
            outcome = await self._writes.create(call, await self._object(request, call))
        elif path.verb == "update":
            outcome = await self._put(call, await self._object(request, call))
        else:
            outcome = await self._patch(request, call)
        data = outcome.data
        if form.form and outcome.obj is not None:
            data = encode(self._shape(resource, outcome.obj, form.form, form.include))
        return json_response(data, outcome.code, call.warnings)

    def _call(self, request: web.BaseRequest, path: ResourcePath, resource: Resource, user: User) -> Call:
        query = request.query
        validation = query.get("fieldValidation", "") or "Warn"
        if validation not in ("Ignore", "Warn", "Strict"):
            text = (
                f'fieldValidation: Unsupported value: "{validation}": supported values: '
                '"", "Ignore", "Strict", "Warn"'
            )
            raise ApiError(422, "Invalid", f'{path.verb}Options.meta.k8s.io "" is invalid: {text}')
        dry_run = query.getall("dryRun", [])
        if any(d != "All" for d in dry_run):
            text = f'dryRun: Unsupported value: {encode(dry_run).decode()}: supported values: "All"'
            raise ApiError(422, "Invalid", f'{path.verb}Options.meta.k8s.io "" is invalid: {text}')
        agent = request.headers.get("User-Agent", "").partition("/")[0] or "unknown"
        return Call(
            user=user,
            resource=resource,
            namespace=path.namespace,
            name=path.name,
            subresource=path.subresource,
            manager=query.get("fieldManager", "") or agent[:128],
            dry_run=bool(dry_run),
            validation=validation,
        )

    @staticmethod
    def _checked(body: Body, call: Call) -> Obj:
        if not isinstance(body.value, dict) or not body.value:
            raise bad_request("the object provided is unrecognized (must be of type Object)")
        _report_duplicates(body, call)
        found: Obj = body.value
        return found

    async def _object(self, request: web.BaseRequest, call: Call) -> Obj:
        return self._checked(await read_body(request, OBJECT_TYPES), call)

    async def _put(self, call: Call, obj: Obj) -> Outcome:
        missing = self._store.head(call.key) is None
        if missing and call.resource.create_on_update and not call.subresource:
            return await self._writes.create(call, obj)
        return await self._writes.update(call, lambda _: obj, put=True)

    async def _patch(self, request: web.BaseRequest, call: Call) -> Outcome:
        resource, media = call.resource, media_type(request)
        known: tuple[str, ...] = (patches.JSON, patches.MERGE, patches.APPLY)
        if not resource.custom:
            known = (patches.JSON, patches.MERGE, patches.STRATEGIC, patches.APPLY)
        if media not in known:
            raise unsupported_media_type(known)
        body = await read_body(request, known)
        _report_duplicates(body, call)
        if media == patches.APPLY:
            return await self._apply(request, call, body.value)
        if media == patches.JSON:
            return await self._writes.update(call, lambda live: patches.json_patch(live, body.value))
        if not isinstance(body.value, dict):
            raise bad_request("error decoding patch: json: cannot unmarshal into Go value of type map")
        merge = patches.strategic_patch if media == patches.STRATEGIC else patches.merge_patch
        return await self._writes.update(call, lambda live: merge(live, body.value))

    async def _apply(self, request: web.BaseRequest, call: Call, config: Any) -> Outcome:
        manager = request.query.get("fieldManager", "")
        if not manager:
            error = "fieldManager: Required value: is required for apply patch"
            raise ApiError(422, "Invalid", f'PatchOptions.meta.k8s.io "" is invalid: {error}')
        if not isinstance(config, dict):
            raise bad_request("error decoding YAML: the applied configuration must be an object")
        writer = Writer(manager, "Apply", call.resource.api_version, call.subresource)
        return await self._writes.apply(call, Application(config, writer, flag(request, "force"), ""))

    async def _delete_options(self, request: web.BaseRequest, call: Call) -> DeleteOptions:
        body = (await read_body(request, OBJECT_TYPES)).value
        if not isinstance(body, dict):
            raise bad_request("the body of a delete must be DeleteOptions")
        if "All" in (body.get("dryRun") or ()):
            call.dry_run = True
        propagation = body.get("propagationPolicy") or request.query.get("propagationPolicy", "")
        if propagation not in ("", "Foreground", "Background", "Orphan"):
            text = (
                f'propagationPolicy: Unsupported value: "{propagation}": supported values: '
                '"Foreground", "Background", "Orphan"'
            )
            raise ApiError(422, "Invalid", f'DeleteOptions.meta.k8s.io "" is invalid: {text}')
        if body.get("orphanDependents") or flag(request, "orphanDependents"):
            propagation = "Orphan"
        conditions = body.get("preconditions") or {}
        return DeleteOptions(propagation, conditions.get("uid", ""), conditions.get("resourceVersion", ""))

    async def _delete_collection(
        self, request: web.BaseRequest, path: ResourcePath, call: Call
    ) -> web.Response:
        resource = call.resource
        options = await self._delete_options(request, call)
        items = []
        for stored in list(self.select(path.namespace, resource, read_selector(request, resource))):
            one = Call(call.user, resource, stored.key.namespace, stored.key.name, dry_run=call.dry_run)
            try:
                await self._writes.delete(one, options)
            except ApiError as error:
                if error.code != 404:
                    raise
                continue  # somebody else was faster, which is what was wanted
            items.append(present(stored, resource))
        metadata = {"resourceVersion": str(self._store.committed_rv)}
        head = {"kind": resource.collection_kind, "apiVersion": resource.api_version, "metadata": metadata}
        return json_response(
            encode(head)[:-1] + b',"items":[' + b",".join(items) + b"]}", warnings=call.warnings
        )


def _cheap(stored: Stored, path: str) -> Obj:
    """Load an object only when the field is not in its key."""
    if path in ("metadata.name", "metadata.namespace"):
        return {"metadata": {"name": stored.key.name, "namespace": stored.key.namespace}}
    return decode(stored.data)


def _report_duplicates(body: Body, call: Call) -> None:
    if not body.duplicates or call.validation == "Ignore":
        return
    if call.validation == "Strict":
        resource = call.resource
        raise bad_request(
            f'{resource.kind} in version "{resource.version}" cannot be handled as a {resource.kind}: '
            "strict decoding"
            f" error: {', '.join(body.duplicates)}"
        )
    call.warnings.extend(body.duplicates)


def _read_token(token: str) -> tuple[str, int]:
    try:
        name, start = json.loads(base64.urlsafe_b64decode(token.encode()))
        return str(name), int(start)
    except (ValueError, binascii.Error, TypeError) as exc:
        raise bad_request("continue key is not valid: it was not made by this server") from exc
