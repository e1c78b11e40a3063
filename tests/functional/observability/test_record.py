"""The record of who was told what: remembered for as long as it is true, and not for ever."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from govpool.effects.kube import Kube
from govpool.effects.notify import ledger as ledger_module
from govpool.effects.notify.ledger import KEPT, Ledger, digest
from govpool.effects.secrets import NAMESPACE


class Hand:
    def __init__(self) -> None:
        self.now = datetime(2026, 11, 23, 1, 0, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def hand() -> Hand:
    return Hand()


async def entries(kube: Kube) -> dict[str, str]:
    found = await kube.core_get("configmaps", NAMESPACE, "notifications-mail")
    return dict(found["data"]) if found else {}  # type: ignore[arg-type]


async def test_what_is_still_true_is_remembered_and_the_rest_for_thirty_days(kube: Kube, hand: Hand) -> None:
    record = Ledger(kube, "mail", hand)
    assert await record.load() == frozenset()
    await record.write(told=["true", "past"], current={"true"})
    hand.now += KEPT - timedelta(seconds=1)
    await record.write(told=["other"], current={"true"})
    assert (await entries(kube)).keys() == {"true", "past", "other"}
    hand.now += timedelta(seconds=2)
    await record.write(told=["new"], current={"true"})
    assert (await entries(kube)).keys() == {"true", "other", "new"} and not record.knows("past")


async def test_two_shards_keep_one_record_and_forget_nothing_of_each_other(kube: Kube, hand: Hand) -> None:
    first, second = (Ledger(kube, "mail", hand, forgets=False) for _ in range(2))
    await first.load()
    await second.load()
    await first.write(told=["a"], current={"a"})
    await second.write(told=["b"], current={"b"})
    hand.now += 2 * KEPT
    await first.write(sending=["c"], current={"a", "c"})
    assert {key: entry[0] for key, entry in (await entries(kube)).items()} == {"a": "t", "b": "t", "c": "s"}
    third = Ledger(kube, "mail", hand)
    assert await third.load() == {"c"}
    await third.write(dropped=["c"], current={"a", "b"})
    assert (await entries(kube)).keys() == {"a", "b"}


async def test_a_record_that_somebody_removed_is_begun_anew(kube: Kube, hand: Hand) -> None:
    record = Ledger(kube, "mail", hand)
    await record.load()
    await record.write(told=["a"], current={"a"})
    await kube.core_delete("configmaps", NAMESPACE, "notifications-mail")
    await record.write(told=["b"], current={"a", "b"})
    assert (await entries(kube)).keys() == {"b"}


async def test_a_record_has_its_bounds_and_gives_up_what_is_past_first(
    kube: Kube, hand: Hand, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(ledger_module, "MOST", 3)
    record = Ledger(kube, "mail", hand)
    await record.load()
    await record.write(told=["true"], current={"true"})
    hand.now += timedelta(hours=1)
    await record.write(told=["b", "c", "d"], current={"true"})
    assert (await entries(kube)).keys() >= {"true"} and len(await entries(kube)) == 3
    assert "the oldest are forgotten" in caplog.text


def test_an_id_tells_nothing_of_what_it_stands_for() -> None:
    assert digest("uid-1/Due/Review/reviewer") == digest("uid-1/Due/Review/reviewer")
    assert len(digest("x")) == 24 and digest("x") != digest("y")
