"""BZ-22, BZ-26(1): a temporary expansion lasts for its days and reverts by itself."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
import yaml

from govpool.api.cloudpolicy import CloudPolicy
from govpool.api.cloudresourcerequest import RequestContent, TemporaryExpansion
from govpool.rules.calendar import WorkCalendar
from govpool.rules.temporary import count_on, next_turn, while_asked

ROOT = Path(__file__).parents[3]
POLICY = CloudPolicy.model_validate(yaml.safe_load((ROOT / "policies/yiyang-2025.yaml").read_text()))
CONTENT = RequestContent.model_validate(
    {
        "system": {"name": "s", "purpose": "p", "protectionLevel": 2, "network": "Internet"},
        "pool": "p",
        "servers": [
            {"name": "web", "count": 2, "item": "a", "image": "b"},
            {"name": "db", "count": 1, "item": "a", "image": "b"},
        ],
        "term": {
            "temporary": [
                {"server": "web", "additionalCount": 3, "starts": "2027-02-01", "ends": "2027-02-20"},
                {"server": "web", "additionalCount": 1, "starts": "2027-02-20", "ends": "2027-03-01"},
            ]
        },
        "administrators": [],
    }
)


@pytest.mark.parametrize(
    ("day", "web"),
    [
        ("2027-01-31", 2),
        ("2027-02-01", 5),
        ("2027-02-19", 5),
        ("2027-02-20", 6),
        ("2027-02-21", 3),
        ("2027-03-02", 2),
    ],
)
def test_bz_22_an_expansion_counts_on_its_first_and_last_day(day: str, web: int) -> None:
    group, other = CONTENT.servers
    assert count_on(CONTENT, group, date.fromisoformat(day)) == web
    assert count_on(CONTENT, other, date.fromisoformat(day)) == 1


@pytest.mark.parametrize(
    ("now", "turn"),
    [
        ("2027-01-01T00:00:00", "2027-02-01"),
        ("2027-01-31T15:59:59", "2027-02-01"),
        ("2027-01-31T16:00:00", "2027-02-20"),
        ("2027-02-25T00:00:00", "2027-03-02"),
        ("2027-03-02T00:00:00", None),
    ],
)
def test_bz_22_the_next_turn_is_a_midnight_in_the_policys_zone(now: str, turn: str | None) -> None:
    found = next_turn(CONTENT, WorkCalendar.of(POLICY.spec), datetime.fromisoformat(now).replace(tzinfo=UTC))
    assert (found.date().isoformat() if found else None) == turn
    assert found is None or (found.hour, found.minute, str(found.tzinfo)) == (0, 0, "Asia/Shanghai")


def with_expansions(*spans: tuple[int, str, str]) -> RequestContent:
    temporary = [
        TemporaryExpansion.model_validate(
            {"server": "web", "additionalCount": more, "starts": starts, "ends": ends}
        )
        for more, starts, ends in spans
    ]
    return CONTENT.model_copy(update={"term": CONTENT.term.model_copy(update={"temporary": temporary})})


@pytest.mark.parametrize(
    ("asked", "last"),
    [
        # The same one with a later end, and one that follows without a day between.
        (((3, "2027-02-01", "2027-03-31"),), "2027-03-31"),
        (((3, "2027-02-01", "2027-02-20"), (3, "2027-02-21", "2027-03-31")), "2027-03-31"),
        # A day between: another expansion. An earlier end: none. Nothing asked.
        (((3, "2027-02-01", "2027-02-20"), (3, "2027-02-22", "2027-03-31")), "2027-02-20"),
        (((3, "2027-02-01", "2027-02-10"),), "2027-02-20"),
        ((), "2027-02-20"),
    ],
)
def test_bz_22_what_an_undecided_extension_prolongs_stays(
    asked: tuple[tuple[int, str, str], ...], last: str
) -> None:
    held = with_expansions((3, "2027-02-01", "2027-02-20"))
    stays = while_asked(held, with_expansions(*asked))
    (web, _) = stays.servers
    day = date.fromisoformat(last)
    assert [count_on(stays, web, one) for one in (day, day + timedelta(days=1))] == [5, 2]


def test_bz_22_an_undecided_extension_adds_nothing_to_what_there_is() -> None:
    held = with_expansions((1, "2027-02-01", "2027-02-20"))
    stays = while_asked(held, with_expansions((4, "2027-02-01", "2027-03-31")))
    assert count_on(stays, stays.servers[0], date(2027, 3, 1)) == 3
    assert while_asked(held, None) is held
