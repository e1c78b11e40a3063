"""What a revision of a request is: its content, its hash, and what it changes."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from operator import attrgetter

from govpool.api.approval import ChangedValue
from govpool.api.base import Model
from govpool.api.cloudresourcerequest import CloudResourceRequestSpec, Material, RequestContent
from govpool.rules.canonical import sha256_of
from govpool.rules.remembered import once

MAX_CHANGES = 128
"""Lines that an Approval holds."""
_TEXT = 256
_KEYS = ("name", "item")
_MISSING = object()


@once
def content_of(spec: CloudResourceRequestSpec) -> RequestContent:
    """The part of a spec that is approved, without papers and confirmations."""
    return _content(*_parts(spec))


@once
def _content(*parts: object) -> RequestContent:
    """The content of these parts: an edit that leaves all of them alone leaves it alone, too."""
    return RequestContent(**dict(zip(RequestContent.model_fields, parts, strict=True)))


_parts = attrgetter(*RequestContent.model_fields)


@once
def content_hash(content: RequestContent) -> str:
    """SHA-256 of the content's RFC 8785 form, in hexadecimal."""
    return sha256_of(_plain(content))


@once
def submission_hash(spec: CloudResourceRequestSpec) -> str:
    """SHA-256 of content and papers: what is put before the authority.

    Confirmations are no part of it: what the unit states along the way changes nothing that was applied for.
    """
    return _submission_hash(content_of(spec), spec.materials)


@once
def _submission_hash(content: RequestContent, materials: Sequence[Material]) -> str:
    return sha256_of({"content": _plain(content), "materials": [_plain(paper) for paper in materials]})


def changes(before: RequestContent | None, after: RequestContent) -> list[ChangedValue]:
    """What ``after`` changes, one line per value, by field path: ``servers[app].count``.

    Things that have a name are compared by name, so that an order is no change. Nothing in force before,
    nothing changed: the list is empty. More than an Approval holds is counted in the last line.
    """
    if before is None:
        return []
    lines = list(_compare("", _plain(before), _plain(after)))
    if len(lines) <= MAX_CHANGES:
        return lines
    rest = len(lines) - MAX_CHANGES + 1
    return [*lines[: MAX_CHANGES - 1], ChangedValue(field="...", after=f"+{rest}")]


def _plain(model: Model) -> object:
    return model.model_dump(mode="json", by_alias=True, exclude_none=True)


def _compare(path: str, before: object, after: object) -> Iterator[ChangedValue]:
    if before == after:
        return
    old, new = _members(before), _members(after)
    if old is None or new is None:
        yield ChangedValue(field=_short(path), before=_shown(before), after=_shown(after))
        return
    for name in [*old, *(name for name in new if name not in old)]:
        yield from _compare(_join(path, name, before), old.get(name, _MISSING), new.get(name, _MISSING))


def _members(value: object) -> Mapping[str, object] | None:
    """The members of an object, or of a list by their names; None for a plain value."""
    if isinstance(value, Mapping):
        return value
    if isinstance(value, Sequence) and not isinstance(value, str):
        members: dict[str, object] = {}
        for index, member in enumerate(value):
            name = _name_of(member, index)
            members[name if name not in members else f"{name}#{index}"] = member
        return members
    return None


def _name_of(member: object, index: int) -> str:
    if not isinstance(member, Mapping):
        return str(member)
    if "server" in member and "starts" in member and "name" not in member:
        return f"{member['server']}@{member['starts']}"
    return str(next((member[key] for key in _KEYS if key in member), index))


def _join(path: str, name: str, container: object) -> str:
    if not isinstance(container, Mapping):
        return f"{path}[{name}]"
    return f"{path}.{name}" if path else name


def _shown(value: object) -> str:
    if value is _MISSING:
        return ""
    return _short(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, sort_keys=True))


def _short(text: str) -> str:
    return text if len(text) <= _TEXT else f"{text[: _TEXT - 1]}…"
