"""The request's story (status.history): what happened, when, by whom, under which article; told once each."""

from __future__ import annotations

from collections.abc import Iterable

from govpool.api.cloudresourcerequest import CloudResourceRequestStatus, Happening
from govpool.lifecycle.ruling import Ruling
from govpool.messages import Language

MAX_HISTORY = 256


def told(status: CloudResourceRequestStatus) -> frozenset[str]:
    """Keys of what the story tells."""
    return frozenset([item.key for item in status.history])


def untold(
    status: CloudResourceRequestStatus, rulings: Iterable[Ruling], known: frozenset[str]
) -> list[Ruling]:
    """The rulings that the story does not tell yet, oldest first, each key once. ``known`` is what it tells.

    What is older than the whole of a full story was told once and has made room.
    """
    begins = status.history[0].at if len(status.history) >= MAX_HISTORY else None
    new: dict[str, Ruling] = {}
    for ruling in rulings:
        if ruling.key not in known and (begins is None or ruling.at >= begins):
            new.setdefault(ruling.key, ruling)
    return sorted(new.values(), key=lambda ruling: ruling.at)


def retell(
    status: CloudResourceRequestStatus, new: Iterable[Ruling], language: Language = "en"
) -> list[Happening]:
    """The story with what is new. The oldest makes room."""
    return [*status.history, *(ruling.happening(language) for ruling in new)][-MAX_HISTORY:]
