"""Which operator keeps which namespace."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from govpool.lifecycle.sharding import WHOLE, Shard, shard_of


@given(st.text("abcdefghijklmnopqrstuvwxyz0123456789-", min_size=1, max_size=63), st.integers(1, 16))
def test_every_namespace_has_exactly_one_keeper(namespace: str, count: int) -> None:
    assert sum(Shard(index, count).owns(namespace) for index in range(count)) == 1


def test_the_first_keeps_what_belongs_to_no_namespace() -> None:
    assert [Shard(index, 3).owns("") for index in range(3)] == [True, False, False]
    assert WHOLE.owns("") and WHOLE.owns("any")


def test_a_namespace_stays_where_it_is_in_every_version() -> None:
    """Changing these would let two versions of the operator keep the same unit during an upgrade."""
    names = ("heshan-data-bureau", "health", "water-affairs", "education")
    assert [shard_of(name, 4) for name in names] == [3, 1, 2, 3]


def test_units_are_spread_evenly() -> None:
    counts = Counter(shard_of(f"unit-{number}", 4) for number in range(2000))
    assert all(400 < count < 600 for count in counts.values()), counts


@pytest.mark.parametrize("text", ["", "1", "2/2", "-1/2", "0/0", "0/257", "a/b", "0/2/3", " 0/2"])
def test_what_is_no_shard(text: str) -> None:
    with pytest.raises(ValueError, match=r"0 <= I < N"):
        Shard.parse(text)


def test_each_shard_has_a_lease_of_its_own() -> None:
    assert WHOLE.lease_name == "govpool-operator"
    assert Shard.parse("1/4").lease_name == "govpool-operator-1-of-4"
    assert str(Shard.parse("1/4")) == "1/4"
