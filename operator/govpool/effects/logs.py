"""The operator's log: a line of text for people at a terminal, or one JSON object a line for a collector.

A line that is written while an object is reconciled, or while its work order runs, says which request,
revision, article and work order it is about, whoever writes it.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime

from govpool.api.approval import Approval
from govpool.api.base import Resource
from govpool.api.cloudresourcerequest import CloudResourceRequest
from govpool.api.cloudserver import CloudServer
from govpool.api.rectificationnotice import RectificationNotice
from govpool.api.workorder import WorkOrder

TEXT = "%(asctime)s %(levelname)s %(name)s %(message)s"
_about: ContextVar[Resource | None] = ContextVar("about", default=None)


@contextmanager
def about(resource: Resource | None) -> Iterator[None]:
    """Lines that are written meanwhile, by tasks that begin meanwhile too, are about the object."""
    token = _about.set(resource)
    try:
        yield
    finally:
        _about.reset(token)


def facts(resource: Resource | None) -> dict[str, str | int]:
    """What a line says of the object that it is about."""
    if resource is None:
        return {}
    meta = resource.metadata
    found: dict[str, str | int | None] = {
        "kind": resource.DEFINITION.kind,
        "namespace": meta.namespace,
        "name": meta.name,
    }
    match resource:
        case CloudResourceRequest(status=status):
            approved = status.approved if status else None
            found["request"] = meta.name
            found["revision"] = approved.revision if approved else meta.generation
            found["article"] = status.deadlines[0].article if status and status.deadlines else None
        case WorkOrder(spec=order):
            found |= {"request": order.request.name, "revision": order.revision, "article": order.article}
            found["workOrder"] = meta.name
        case CloudServer(spec=server):
            found |= {"request": server.request.name, "revision": server.revision, "article": server.article}
        case Approval(spec=approval):
            found |= {"request": approval.request.name, "revision": approval.revision}
            found["article"] = approval.classified_under
        case RectificationNotice(spec=notice, status=standing):
            found["request"] = notice.request.name if notice.request else None
            found["article"] = (standing.article if standing else "") or notice.article
    return {key: value for key, value in found.items() if value}


class JsonFormatter(logging.Formatter):
    """One JSON object a line, in the order in which people read it."""

    def format(self, record: logging.LogRecord) -> str:
        """The record with what it is about; a stack stands in ``stack``, never in a line of its own."""
        line: dict[str, str | int] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **facts(_about.get()),
        }
        if record.exc_info and record.exc_info[0] is not None:
            line["error"] = record.exc_info[0].__name__
            line["stack"] = self.formatException(record.exc_info)
        if record.stack_info:
            line["stack"] = self.formatStack(record.stack_info)
        return json.dumps(line, ensure_ascii=False)


def configure(level: int, *, as_json: bool) -> None:
    """Log to standard error, in the place of whatever was configured before."""
    handler = logging.StreamHandler()
    handler.setFormatter(JsonFormatter() if as_json else logging.Formatter(TEXT))
    logging.basicConfig(level=level, handlers=[handler], force=True)
