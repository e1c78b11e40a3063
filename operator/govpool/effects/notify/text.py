"""What a telling says, in either language: a title and lines; and bundles of them for chats."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from govpool.api.cloudresourcerequest import CloudResourceRequest
from govpool.api.rectificationnotice import RectificationNotice
from govpool.api.workorder import WorkOrder
from govpool.effects.notify.channel import Item
from govpool.lifecycle.tellings import Telling, Topic
from govpool.messages import Language, message

MAX_WHAT = 600
"""Characters of the free text that a message quotes."""
_SPECIAL = str.maketrans({mark: f"\\{mark}" for mark in "\\`*_[]<>#"})


def title(telling: Telling, system: str, language: Language) -> str:
    """The first line: the subject of a mail."""
    work = telling.about.spec.work.value if isinstance(telling.about, WorkOrder) else ""
    return message(f"notify.{telling.topic.value}", step=telling.step, work=work, system=system).render(
        language
    )


def lines(telling: Telling, unit: str, language: Language) -> tuple[str, ...]:
    """Who must act, by when, under which article, about what."""
    return tuple(found.strip() for found in _lines(telling, unit, language))


def _lines(telling: Telling, unit: str, language: Language) -> Iterator[str]:
    def say(key: str, **values: object) -> str:
        return message(f"notify.{key}", **values).render(language)

    meta = telling.about.metadata
    if telling.recipient:
        yield say("recipient", recipient=telling.recipient)
    if unit:
        yield say("unit", unit=unit)
    if (request := request_of(telling)) is not None:
        yield say("request", request=request)
    if not isinstance(telling.about, CloudResourceRequest):
        yield say("object", object=f"{telling.about.DEFINITION.kind} {meta.name}")
    if telling.who is not None:
        yield say("who", who=telling.who.value)
        if telling.due is not None:
            yield say("due", due=telling.due.isoformat())
        elif telling.topic is not Topic.FAILED:
            yield say("no-due")
    if telling.enforced is not None:
        since = telling.enforced.since.isoformat()
        yield say("enforced", actions=telling.enforced.action.value, since=since)
    if telling.article:
        yield say("article", article=telling.article)
    if what := telling.what_in(language):
        shown = what if len(what) <= MAX_WHAT else f"{what[: MAX_WHAT - 1]}…"
        yield say("what", what=shown)
    if telling.soft:
        yield say("soft")
    yield say("look", command=look(telling))


def request_of(telling: Telling) -> str | None:
    """Name of the request that it is about."""
    match telling.about:
        case CloudResourceRequest(metadata=meta):
            return meta.name
        case WorkOrder(spec=order):
            return order.request.name
        case RectificationNotice(spec=notice):
            return notice.request.name if notice.request else None
        case _:
            return None


def look(telling: Telling) -> str:
    """The command that shows it."""
    meta = telling.about.metadata
    if (request := request_of(telling)) is not None:
        return f"govpool status {request} -n {meta.namespace}"
    place = f" -n {meta.namespace}" if meta.namespace else ""
    return f"kubectl get {telling.about.DEFINITION.singular} {meta.name}{place} -o yaml"


def footer(language: Language) -> str:
    """The last line of a mail."""
    return message("notify.footer").render(language)


def markdown(items: tuple[Item, ...], language: Language, most: int) -> tuple[str, str]:
    """Title and text of one chat message of at most so many bytes of UTF-8. What has no room is counted."""
    heads = [f"**{item.title.translate(_SPECIAL)}**" for item in items]
    if len(items) == 1:
        first = items[0]
        return first.title, cut("\n".join((heads[0], *_quoted(first.lines))), most)
    name = message("notify.several", count=len(items)).render(language)
    parts = [f"# {name}"]
    for number, (head, item) in enumerate(zip(heads, items, strict=True)):
        part = "\n".join((head, *_quoted(item.lines)))
        more = message("notify.more", count=len(items) - number).render(language)
        if _bytes((*parts, part, more)) > most:
            parts.append(more)
            break
        parts.append(part)
    return name, cut("\n\n".join(parts), most)


def _quoted(found: Iterable[str]) -> Iterator[str]:
    for line in found:
        # A free text of several lines stays within its quotation.
        for piece in line.splitlines():
            yield f"> {piece.translate(_SPECIAL)}"


def _bytes(parts: Iterable[str]) -> int:
    return len("\n\n".join(parts).encode())


def cut(text: str, most: int) -> str:
    """The text in at most so many bytes of UTF-8, with no half letter at its end."""
    raw = text.encode()
    return text if len(raw) <= most else raw[: most - 3].decode(errors="ignore") + "…"
