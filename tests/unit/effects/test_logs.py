"""What a log line says, in either form."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Iterator

import pytest
from effects_ground import NOW, order_of, pool_of, request_of, server_of

from govpool.api.cloudresourcerequest import CloudResourceRequestStatus, Deadline
from govpool.api.policy_roles import Role
from govpool.effects import logs


@pytest.fixture
def root() -> Iterator[None]:
    """The root logger as it was."""
    logger = logging.getLogger()
    handlers, level = list(logger.handlers), logger.level
    yield
    logger.handlers[:] = handlers
    logger.setLevel(level)


def lines(capsys: pytest.CaptureFixture[str]) -> list[dict[str, object]]:
    return [json.loads(line) for line in capsys.readouterr().err.splitlines()]


def test_a_line_says_what_it_is_about_whoever_writes_it(
    root: None, capsys: pytest.CaptureFixture[str]
) -> None:
    logs.configure(logging.INFO, as_json=True)

    async def later() -> None:
        logging.getLogger("elsewhere").warning("a %s", "run")

    async def work() -> None:
        with logs.about(order_of()):
            run = asyncio.create_task(later())
        logging.getLogger("after").info("nothing in particular")
        await run

    asyncio.run(work())
    after, run = lines(capsys)
    assert after.keys() == {"time", "level", "logger", "message"}
    assert {key: value for key, value in run.items() if key != "time"} == {
        "level": "warning",
        "logger": "elsewhere",
        "message": "a run",
        "kind": "WorkOrder",
        "namespace": "heshan-data-bureau",
        "name": "doc-approval-baseline-r1",
        "request": "doc-approval",
        "revision": 1,
        "article": "10",
        "workOrder": "doc-approval-baseline-r1",
    }


def test_a_request_is_told_with_its_revision_and_the_article_of_what_is_due() -> None:
    due = Deadline(what="Acceptance", who=Role.ACCEPTOR, since=NOW, article="YY-12")
    request = request_of().model_copy(update={"status": CloudResourceRequestStatus(deadlines=[due])})
    request = request.model_copy(update={"metadata": request.metadata.model_copy(update={"generation": 3})})
    assert logs.facts(request) == {
        "kind": "CloudResourceRequest",
        "namespace": "heshan-data-bureau",
        "name": "doc-approval",
        "request": "doc-approval",
        "revision": 3,
        "article": "YY-12",
    }
    assert logs.facts(server_of())["request"] == "doc-approval"
    assert logs.facts(pool_of()) == {"kind": "CloudPool", "name": "fixture-pool"}
    assert logs.facts(None) == {}


def test_a_stack_stays_in_its_line(root: None, capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure(logging.INFO, as_json=True)
    try:
        raise ZeroDivisionError("办理")
    except ZeroDivisionError:
        logging.getLogger("x").exception("it\nbroke")
    (line,) = lines(capsys)
    assert line["message"] == "it\nbroke" and line["error"] == "ZeroDivisionError"
    assert "办理" in str(line["stack"])


def test_text_is_a_line_for_people(root: None, capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure(logging.WARNING, as_json=False)
    logging.getLogger("x").info("no")
    logging.getLogger("x").warning("yes")
    assert capsys.readouterr().err.endswith(" WARNING x yes\n")
