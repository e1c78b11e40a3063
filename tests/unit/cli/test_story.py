"""A request's story says who must act, until when, under which article, in both languages."""

from __future__ import annotations

import io
from datetime import timedelta
from typing import Any

import pytest
from rich.console import Console
from tests.unit.cli.people import CONTENT, HASH, NOW, approval, backup_order, request

from govpool.api.rectificationnotice import RectificationNotice
from govpool.cli.story import Story, show
from govpool.messages import Language

DUE = (NOW + timedelta(days=3)).isoformat()


def told(status: dict[str, Any] | None, language: Language = "en", **made: Any) -> str:
    out = io.StringIO()
    story = Story(request=request(status), now=NOW, **made)
    Console(file=out, width=160, highlight=False).print(show(story, language))
    return out.getvalue()


def deadline(**changed: Any) -> dict[str, Any]:
    return {
        "what": "Review oa-r1",
        "who": "reviewer",
        "since": NOW.isoformat(),
        "due": DUE,
        "article": "YY-19(2)",
        **changed,
    }


@pytest.mark.parametrize(
    ("language", "words"),
    [
        ("en", ("Who must act", "reviewer", "by 2026-11-26 16:30")),
        ("zh", ("待办", "审核人员", "截止 2026-11-26 16:30")),
    ],
)
def test_who_must_act_until_when_under_which_article(language: Language, words: tuple[str, str]) -> None:
    text = told({"phase": "InReview", "deadlines": [deadline()]}, language)
    assert all(word in text for word in (*words, "YY-19(2)", "Review oa-r1"))


def test_what_is_overdue_stands_out() -> None:
    assert "OVERDUE since 2026-11-26" in told({"deadlines": [deadline(overdue=True)]})


def test_where_the_regulation_sets_no_time_it_says_so() -> None:
    assert "no time is set" in told({"deadlines": [deadline(due=None)]})


def test_nothing_due() -> None:
    assert "nobody: nothing is due" in told({"phase": "InService"})


def test_nobody_looked_yet() -> None:
    assert "govpool operator" in told(None)


def test_a_failure_tells_its_remedy() -> None:
    stage = {
        "stage": "Wipe",
        "state": "Failed",
        "article": "YY-21(2)",
        "message": "then: govpool retry oa-wipe-r3",
    }
    text = told({"stages": [stage]})
    assert text.count("govpool retry oa-wipe-r3") == 2, "once on top, once among the stages"


@pytest.mark.parametrize(
    ("type_", "status", "shown"),
    [
        ("Admitted", "False", True),
        ("Admitted", "True", False),
        ("Overdue", "True", True),
        ("Drifted", "True", True),
        ("Paused", "False", False),
    ],
)
def test_only_what_is_unusual_wants_attention(type_: str, status: str, shown: bool) -> None:
    condition = {
        "type": type_,
        "status": status,
        "reason": "R",
        "message": "look here",
        "lastTransitionTime": NOW.isoformat(),
    }
    assert ("Attention: look here" in told({"conditions": [condition]})) is shown


def test_the_whole_of_it() -> None:
    approved = {
        "revision": 3,
        "application": "Change",
        "approval": "oa-r3",
        "submissionHash": HASH,
        "content": CONTENT,
        "at": NOW.isoformat(),
        "decidedBy": "wang",
    }
    status = {
        "phase": "Deregistered",
        "approved": approved,
        "applied": {"revision": 3, "at": NOW.isoformat()},
        "billing": {
            "started": NOW.isoformat(),
            "startedArticle": "YY-39",
            "ended": DUE,
            "endedArticle": "YY-39",
        },
        "feePerYear": "2134.80",
        "certificate": "oa-r3-c",
        "history": [
            {
                "at": NOW.isoformat(),
                "actor": "wang",
                "what": "Review: Approve",
                "detail": "[同意]",
                "key": "k",
            }
        ],
    }
    text = told(status, approvals=(approval(),), orders=(backup_order(HASH),))
    wanted = (
        "3 under oa-r3, Change, decided by wang",
        "revision 3 at 2026-11-23 16:30",
        "2026-11-23 16:30 (YY-39) – 2026-11-26 16:30 (YY-39)",
        "CNY 2134.80",
        "oa-r3-c",
        "Review: Approve",
        "[同意]",
        "oa-backup-r3",
    )
    assert [word for word in wanted if word not in text] == []


def test_a_clock_that_was_escalated_says_to_whom() -> None:
    late = deadline(overdue=True, escalatedTo="supervisor", escalatedAt=NOW.isoformat())
    assert "supervisor was told" in told({"deadlines": [late]})
    assert "已报督办部门" in told({"deadlines": [late]}, "zh")


def test_open_notices_and_findings_say_whose_turn_it_is() -> None:
    spec = {
        "policy": "yiyang-2025",
        "finding": "Zombie",
        "detail": "Nobody uses it.",
        "demand": "Reduce.",
        "issued": NOW.isoformat(),
        "issuedBy": "reviewer",
    }
    status = {"state": "Open", "who": "unit", "due": DUE, "article": "YY-22"}
    notice = RectificationNotice.model_validate(
        {"metadata": {"name": "n-1", "namespace": "ns"}, "spec": spec, "status": status}
    )
    closing = {"verdict": "Rectified", "by": "reviewer", "at": NOW.isoformat(), "opinion": "done"}
    closed = RectificationNotice.model_validate(
        {
            "metadata": {"name": "n-2", "namespace": "ns"},
            "spec": spec | {"decisions": [closing]},
            "status": status | {"state": "Rectified", "who": None},
        }
    )
    found = {
        "key": "use",
        "finding": "Reduce",
        "text": "3 % of 4 vCPU",
        "article": "YY-21",
        "since": NOW.isoformat(),
    }
    text = told({"findings": [found]}, notices=(notice, closed))
    (line,) = [one for one in text.splitlines() if "n-1" in one]
    assert all(part in line for part in ("Zombie", "unit", "2026-11-26 16:30", "YY-22", "Nobody uses it."))
    assert "3 % of 4 vCPU" in text and "YY-21" in text and "n-2" not in text
    assert "整改通知与发现问题" in told({"findings": [found]}, "zh")
