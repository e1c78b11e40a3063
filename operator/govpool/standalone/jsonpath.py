"""The JSONPath subset that printer columns use: fields, quoted fields, indexes, `[*]` and equality
filters."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Any

_STEP = re.compile(
    r"""\.(?P<field>(?:\\.|[^.\[\]\\])+)
    |\['(?P<quoted>(?:\\.|[^'])*)'\]|\["(?P<double>[^"]*)"\]
    |\[(?P<index>-?\d+)\]|(?P<all>\[\*\])
    |\[\?\(\s*@(?P<path>[^=!<>)]*?)\s*(?P<op>==|!=)\s*(?P<value>"[^"]*"|'[^']*'|[^)\s]+)\s*\)\]""",
    re.VERBOSE,
)
Step = Callable[[Any], Iterator[Any]]


def _field(name: str) -> Step:
    def step(value: Any) -> Iterator[Any]:
        if name == "*":
            yield from value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
        elif isinstance(value, dict) and name in value:
            yield value[name]

    return step


def _index(position: int) -> Step:
    def step(value: Any) -> Iterator[Any]:
        if isinstance(value, list) and -len(value) <= position < len(value):
            yield value[position]

    return step


def _all(value: Any) -> Iterator[Any]:
    yield from value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()


def _filter(path: str, op: str, literal: str) -> Step:
    wanted = literal.strip("\"'")

    def step(value: Any) -> Iterator[Any]:
        for item in value if isinstance(value, list) else ():
            found = find(path, item)
            text = found[0] if found else None
            shown = {True: "true", False: "false"}.get(text, text) if isinstance(text, bool) else text
            if (str(shown) == wanted and text is not None) is (op == "=="):
                yield item

    return step


@lru_cache(maxsize=2048)
def _compile(path: str) -> tuple[Step, ...]:
    text = path.strip().removeprefix("{").removesuffix("}").removeprefix("$")
    if text and text[0] not in ".[":
        text = "." + text
    steps: list[Step] = []
    at = 0
    while at < len(text):
        found = _STEP.match(text, at)
        if not found:
            raise ValueError(f"cannot read the JSONPath {path!r} from {text[at:]!r}")
        at = found.end()
        if found["index"] is not None:
            steps.append(_index(int(found["index"])))
        elif found["all"]:
            steps.append(_all)
        elif found["op"]:
            steps.append(_filter(found["path"], found["op"], found["value"]))
        else:
            name = next(found[g] for g in ("field", "quoted", "double") if found[g] is not None)
            steps.append(_field(re.sub(r"\\(.)", r"\1", name)))
    return tuple(steps)


def find(path: str, obj: Any) -> list[Any]:
    """Return all values at `path`; raises ValueError for a path outside the subset."""
    values = [obj]
    for step in _compile(path):
        values = [found for value in values for found in step(value)]
    return values
