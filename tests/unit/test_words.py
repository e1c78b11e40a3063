"""What people read instead of the words and instants of programs."""

from __future__ import annotations

import re
from string import Formatter
from typing import Literal
from zoneinfo import ZoneInfo

import pytest

from govpool.api.approval import ApprovalState, Verdict
from govpool.api.cloudpolicy import ApplicationType, MaterialType, ReportType, Role, Stage
from govpool.api.cloudresourcerequest import RequestPhase
from govpool.api.cloudserver import DiskPhase, ServerPhase
from govpool.api.workorder import WorkOrderKind, WorkOrderState
from govpool.messages import CATALOGUE, message
from govpool.messages.words import fact, minutes, word, words

TOLD = (
    ApplicationType,
    ApprovalState,
    DiskPhase,
    MaterialType,
    RequestPhase,
    ReportType,
    Role,
    ServerPhase,
    Stage,
    Verdict,
    WorkOrderKind,
    WorkOrderState,
)


@pytest.mark.parametrize("said", [value for told in TOLD for value in told], ids=str)
def test_every_word_that_officials_meet_has_a_chinese_one(said: str) -> None:
    chinese = word(str(said), "zh")
    assert chinese != said
    assert not chinese.isascii()
    assert word(str(said), "en") == said, "on a terminal the English word is kubectl's"


def test_a_word_can_mean_something_else_of_a_server_than_of_a_notice() -> None:
    assert (word("Open", "zh"), word("Open", "zh", of="server")) == ("待整改", "已开通")


def test_what_is_no_known_word_stays() -> None:
    assert word("doc-approval-app-0", "zh") == "doc-approval-app-0"
    assert fact("doc-approval-app-0", "zh") == "doc-approval-app-0"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("until 2026-12-21T23:59:59+08:00.", "until 2026-12-21 23:59."),
        ("at 2026-12-21T15:59:59.025000+00:00", "at 2026-12-21 23:59"),
        ("at 2026-12-31T16:00:00Z", "at 2027-01-01 00:00"),
        ("a day: 2026-12-31", "a day: 2026-12-31"),
        ("from 2026-12-21T23:59:59+06:00", "from 2026-12-21 23:59"),
    ],
)
def test_instants_are_told_to_the_minute_in_their_own_zone_or_beijings(text: str, told: str) -> None:
    assert minutes(text) == told


def test_instants_are_told_in_the_policys_zone_where_it_is_known() -> None:
    assert minutes("2026-12-21T15:59:59+00:00", ZoneInfo("Asia/Urumqi")) == "2026-12-21 21:59"


@pytest.mark.parametrize(
    ("language", "told"),
    [
        ("en", "Approval oa-r1 waits for Review by reviewer."),
        ("zh", "审批单 oa-r1 等待审核人员办理审核。"),
    ],
)
def test_a_message_tells_its_words_in_its_language(language: Literal["en", "zh"], told: str) -> None:
    waits = message("AwaitingDecision", approval="oa-r1", step="Review", role="reviewer")
    assert waits.render(language) == told


def test_a_list_of_words_is_told_word_by_word() -> None:
    assert words("Acceptance (acceptor), Review (reviewer)", "zh") == "受理 (受理人员), 审核 (审核人员)"


def test_what_somebody_wrote_is_left_alone() -> None:
    said = message("Rejected", verdict="Refuse", by="reviewer", opinion="材料 不全 Trial").render("zh")
    assert said.startswith("reviewer 的决定为不同意")
    assert "材料 不全 Trial" in said


@pytest.mark.parametrize(
    ("count", "told"),
    [
        (0, "0 servers run as approved."),
        (1, "1 server runs as approved."),
        (11, "11 servers run as approved."),
    ],
)
def test_one_is_told_as_one(count: int, told: str) -> None:
    assert message("ServersOpen", wanted=count).render("en") == told
    assert message("ServersOpen", wanted=count).render("zh") == f"{count} 台云服务器均已按批准内容开通。"


def test_every_english_text_has_both_words_where_it_has_one() -> None:
    """``{count:server|servers}``: two words, and never within a value's own format."""
    for key, (english, chinese) in CATALOGUE.items():
        for _, name, spec, _ in Formatter().parse(english):
            if name and spec:
                one, divided, more = spec.partition("|")
                assert divided and one.strip() and more.strip(), key
        assert all(not spec for _, name, spec, _ in Formatter().parse(chinese) if name), key


def test_no_english_text_tells_a_number_of_things_without_the_word_for_one() -> None:
    """``{n} servers`` would read "1 servers"."""
    plural = re.compile(
        r"\{[a-z]+\} (?:more )?(?:[a-z]+ )?(servers|disks|decisions|records|reasons|findings|objects)\b"
    )
    assert [key for key, (english, _) in CATALOGUE.items() if plural.search(english)] == ["demo.unchanged"]
