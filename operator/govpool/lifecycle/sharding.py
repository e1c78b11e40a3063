"""Which of several operators keeps which namespace."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass

MOST = 256
"""Shards at most: more would own less than a unit each in any town."""
_TEXT = re.compile(r"(\d+)/(\d+)")


@dataclass(frozen=True, slots=True)
class Shard:
    """One of ``count`` shards, from 0. Raises ValueError when there is no such shard."""

    index: int = 0
    count: int = 1

    def __post_init__(self) -> None:
        """Refuse a shard that is not one of its count."""
        if not (0 <= self.index < self.count <= MOST):
            raise ValueError(f"shard {self.index}/{self.count}: I/N with 0 <= I < N <= {MOST} is wanted")

    @classmethod
    def parse(cls, text: str) -> Shard:
        """``I/N``, as the command line has it.

        Raises:
            ValueError: it is none.
        """
        found = _TEXT.fullmatch(text)
        if found is None:
            raise ValueError(f"{text!r} is no shard: I/N with 0 <= I < N <= {MOST} is wanted, such as 0/2")
        return cls(int(found[1]), int(found[2]))

    @property
    def whole(self) -> bool:
        """Whether it is all there is."""
        return self.count == 1

    @property
    def first(self) -> bool:
        """Whether it keeps what belongs to no namespace, too: the pools."""
        return self.index == 0

    def owns(self, namespace: str) -> bool:
        """Whether the namespace is this shard's; "" is what belongs to no namespace."""
        if self.count == 1:
            return True
        if not namespace:
            return self.first
        return shard_of(namespace, self.count) == self.index

    @property
    def lease_name(self) -> str:
        """Name of the Lease around this shard."""
        return "govpool-operator" if self.whole else f"govpool-operator-{self.index}-of-{self.count}"

    def __str__(self) -> str:
        return f"{self.index}/{self.count}"


WHOLE = Shard()
"""All there is."""


def shard_of(namespace: str, count: int) -> int:
    """The shard of a namespace: the same in every process and version, and even over many namespaces."""
    digest = hashlib.sha256(namespace.encode()).digest()
    return int.from_bytes(digest[:8]) % count
