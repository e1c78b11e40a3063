"""What was asked of the same frozen models once is not worked out again."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")
REMEMBERED = 4096
"""How many answers of one function are kept; the oldest is forgotten first."""


def once(function: Callable[P, T]) -> Callable[P, T]:
    """Ask the same arguments only once. Texts are told apart by what they say, all else by identity: each is
    looked at many times in its life, and comparing it would cost more than the answer. What raises is asked
    again.
    """
    known: dict[int | tuple[int | str, ...], tuple[tuple[object, ...], T]] = {}

    @wraps(function)
    def answer(*args: P.args, **kwargs: P.kwargs) -> T:
        if kwargs:
            return function(*args, **kwargs)
        asked: int | tuple[int | str, ...]
        if len(args) == 1 and type(args[0]) is not str:
            # Most are asked of one thing alone, and most often: no tuple is made for it.
            asked = id(args[0])
        else:
            asked = tuple([arg if type(arg) is str else id(arg) for arg in args])
        # The arguments are kept beside their answer, so that no other can come to stand at their addresses.
        found = known.get(asked)
        if found is not None:
            return found[1]
        result = function(*args, **kwargs)
        if len(known) >= REMEMBERED:
            del known[next(iter(known))]
        known[asked] = (args, result)
        return result

    return answer
