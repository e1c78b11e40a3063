"""What a request asks for: its path, its media types and its body."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import yaml
from aiohttp import web

from . import protobuf
from .errors import ApiError, bad_request, no_such_path, not_acceptable, unsupported_media_type
from .objects import Obj

OBJECT_TYPES = ("application/json", "application/yaml", protobuf.MEDIA_TYPE)
"""Media types in which whole objects are read."""
BODY_LIMIT = 3 * 1024 * 1024
"""Bytes that a request body may have, as upstream."""
_VERBS = {
    "GET": "get",
    "HEAD": "get",
    "POST": "create",
    "PUT": "update",
    "PATCH": "patch",
    "DELETE": "delete",
}
_NAMESPACE_SUBRESOURCES = frozenset({"status", "finalize"})


@dataclass(frozen=True)
class ResourcePath:
    """A request for a resource, taken apart."""

    verb: str
    group: str
    version: str
    plural: str
    namespace: str = ""
    name: str = ""
    subresource: str = ""


def parse_path(method: str, path: str, *, watch: bool) -> ResourcePath | None:
    """Read a resource path; None when it is a discovery or another non-resource path."""
    parts = [p for p in path.split("/") if p]
    if len(parts) >= 3 and parts[0] == "api":
        group, version, rest = "", parts[1], parts[2:]
    elif len(parts) >= 4 and parts[0] == "apis":
        group, version, rest = parts[1], parts[2], parts[3:]
    else:
        return None
    namespace = ""
    if (
        rest[0] == "namespaces"
        and len(rest) > 2
        and not (len(rest) == 3 and rest[2] in _NAMESPACE_SUBRESOURCES)
    ):
        namespace, rest = rest[1], rest[2:]
    if len(rest) > 3 or method not in _VERBS:
        raise no_such_path()
    plural, name, subresource = (*rest, "", "")[:3]
    verb = _VERBS[method]
    if not name:
        verb = {"get": "watch" if watch else "list", "delete": "deletecollection"}.get(verb, verb)
    elif watch and verb == "get":
        verb = "watch"
    return ResourcePath(verb, group, version, plural, namespace, name, subresource)


@dataclass(frozen=True)
class Accepted:
    """The form in which the client wants its answer: plain, Table or PartialObjectMetadata."""

    form: str = ""
    include: str = "Metadata"


def accepted(request: web.BaseRequest) -> Accepted:
    """Choose the answer's form from the Accept header; raises 406 when JSON will not do."""
    header = request.headers.get("Accept", "")
    choices = [c.strip() for c in header.split(",") if c.strip()] or ["*/*"]
    for choice in choices:
        media, *rest = [p.strip() for p in choice.split(";")]
        options = dict(p.partition("=")[::2] for p in rest)
        if media not in ("application/json", "application/*", "*/*"):
            continue
        form = options.get("as", "")
        if not form:
            return Accepted()
        if options.get("g") != "meta.k8s.io" or options.get("v") not in ("v1", "v1beta1"):
            continue
        if form == "Table":
            return Accepted("Table", request.query.get("includeObject", "Metadata"))
        if form in ("PartialObjectMetadata", "PartialObjectMetadataList"):
            return Accepted("Partial")
    raise not_acceptable(["application/json"])


def aggregated_version(request: web.BaseRequest) -> str:
    """Return the version of aggregated discovery that the client prefers, "" for the old form."""
    for choice in request.headers.get("Accept", "").split(","):
        options = dict(p.strip().partition("=")[::2] for p in choice.split(";")[1:])
        if options.get("g") == "apidiscovery.k8s.io" and options.get("v") in ("v2", "v2beta1"):
            return options["v"]
        if choice.strip() == "application/json":
            return ""
    return ""


# --- bodies ------------------------------------------------------------------------------------


class _DuplicateError(Exception):
    """Raised inside the parser when an object names a field twice."""


def _refuse_duplicates(pairs: list[tuple[str, Any]]) -> Obj:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise _DuplicateError
    return found


def _named_duplicates(text: str) -> list[str]:
    """Parse again, this time keeping pairs, to name every field that is given twice by its path."""
    tree = json.loads(text, object_pairs_hook=lambda pairs: ("object", pairs))
    found: list[str] = []

    def visit(value: Any, path: str) -> None:
        if isinstance(value, tuple):
            seen: set[str] = set()
            for name, item in value[1]:
                where = f"{path}.{name}" if path else name
                if name in seen:
                    found.append(f'duplicate field "{where}"')
                seen.add(name)
                visit(item, where)
        elif isinstance(value, list):
            for index, item in enumerate(value):
                visit(item, f"{path}[{index}]")

    visit(tree, "")
    return found


def _parse_json(data: bytes) -> tuple[Any, list[str]]:
    text = data.decode()
    try:
        return json.loads(text, object_pairs_hook=_refuse_duplicates), []
    except _DuplicateError:
        return json.loads(text), _named_duplicates(text)


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """Safe YAML as Kubernetes reads it: timestamps stay strings, duplicate keys are refused."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in _Loader.yaml_implicit_resolvers.items()
}


def _mapping(loader: Any, node: yaml.MappingNode) -> Obj:
    loader.flatten_mapping(node)
    found: Obj = {}
    for key_node, value_node in node.value:
        key = loader.construct_object(key_node, deep=True)
        key = {True: "true", False: "false"}.get(key, key) if isinstance(key, bool) else str(key)
        if key in found:
            line = key_node.start_mark.line + 1
            raise bad_request(f'error decoding YAML: line {line}: key "{key}" already set in map')
        found[key] = loader.construct_object(value_node, deep=True)
    return found


_Loader.add_constructor("tag:yaml.org,2002:map", _mapping)


def _parse_yaml(data: bytes) -> tuple[Any, list[str]]:
    # a JSON body is YAML too, and JSON is what kubectl sends under this media type
    if data[:1] == b"{":
        try:
            return _parse_json(data)
        except ValueError:
            pass
    return yaml.load(data, Loader=_Loader), []  # noqa: S506 - derived from the safe loader


@dataclass(frozen=True)
class Body:
    """A parsed request body, with the fields that it names twice."""

    value: Any
    duplicates: list[str]


_PARSERS: dict[str, Callable[[bytes], tuple[Any, list[str]]]] = {
    "application/json": _parse_json,
    "application/yaml": _parse_yaml,
    "application/x-yaml": _parse_yaml,
    "text/yaml": _parse_yaml,
    protobuf.MEDIA_TYPE: lambda data: (protobuf.decode(data), []),
    "application/apply-patch+yaml": _parse_yaml,
    "application/merge-patch+json": _parse_json,
    "application/json-patch+json": _parse_json,
    "application/strategic-merge-patch+json": _parse_json,
}


def media_type(request: web.BaseRequest) -> str:
    """Return the body's media type; JSON when the client names none."""
    return request.headers.get("Content-Type", "application/json").partition(";")[0].strip().lower()


async def read_body(request: web.BaseRequest, allowed: tuple[str, ...]) -> Body:
    """Read and parse a body; raises 400, 413 or 415."""
    media = media_type(request)
    if media not in allowed:
        raise unsupported_media_type(allowed)
    data = await request.content.read(BODY_LIMIT + 1) if request.can_read_body else b""
    while request.can_read_body and not request.content.at_eof() and len(data) <= BODY_LIMIT:
        data += await request.content.read(BODY_LIMIT + 1 - len(data))
    if len(data) > BODY_LIMIT:
        message = f"Request entity too large: limit is {BODY_LIMIT}"
        raise ApiError(413, "RequestEntityTooLarge", message)
    if not data:
        return Body({}, [])
    try:
        value, duplicates = _PARSERS[media](data)
    except (ValueError, yaml.YAMLError, RecursionError) as exc:
        what = "error decoding YAML" if "yaml" in media else "invalid character in JSON"
        raise bad_request(
            f"the object provided is unrecognized (must be of type Object): {what}: {exc}"
        ) from exc
    return Body(value, duplicates)


def flag(request: web.BaseRequest, name: str) -> bool:
    """Read a boolean query parameter."""
    return request.query.get(name, "").lower() in ("true", "1")


def number(request: web.BaseRequest, name: str) -> int | None:
    """Read a whole number from the query; raises 400."""
    text = request.query.get(name, "")
    if not text:
        return None
    try:
        return int(text)
    except ValueError as exc:
        raise bad_request(
            f'invalid value for {name}: strconv.ParseInt: parsing "{text}": invalid syntax'
        ) from exc


def resource_version(request: web.BaseRequest) -> int | None:
    """Read resourceVersion from the query; raises 400."""
    text = request.query.get("resourceVersion", "")
    if text and not text.isdigit():
        raise bad_request(f'Invalid value: "{text}": strconv.ParseUint: parsing "{text}": invalid syntax')
    return int(text) if text else None
