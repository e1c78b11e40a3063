"""How a clause is cited: short for programs and tables, in words for decisions."""

from __future__ import annotations

import re
from functools import lru_cache

from govpool.api.base import Article
from govpool.api.cloudpolicy import CloudPolicySpec
from govpool.messages import Language
from govpool.rules.remembered import once

REMEMBERED = 4096
"""How many clauses are kept: a policy has few, and they are cited at every look."""
_PART = re.compile(r"^(?P<article>\d+)(?:\((?P<paragraph>\d+)\))?$")
_DIGITS = "零一二三四五六七八九"
_PLACES = ("", "十", "百", "千")


def clause(policy: CloudPolicySpec, article: Article) -> str:
    """The clause with the policy's code: ``YY-19(2)``; several are joined: ``YY-19(2), YY-39``."""
    return _clause(policy.code, article)


@lru_cache(maxsize=REMEMBERED)
def _clause(code: str, article: Article) -> str:
    return ", ".join(f"{code}-{part}" for part in article.split(","))


def cite(policy: CloudPolicySpec, article: Article, language: Language) -> str:
    """The clause in words, with the regulation's title.

    English: ``Measures, article 19(2)``; Chinese: ``《办法》第十九条第（二）项``.
    """
    parts = article.split(",")
    if language == "en":
        word = "article" if len(parts) == 1 else "articles"
        return f"{policy.title.en}, {word} {_enumerated(parts)}"
    return f"《{policy.title.zh}》{'、'.join(_chinese_clause(part) for part in parts)}"


@once
def cite_clause(policy: CloudPolicySpec, cited: str, language: Language) -> str:
    """A clause with the policy's code (``YY-19(2), YY-39``) in words; another policy's stays as it is."""
    parts = [part.removeprefix(f"{policy.code}-") for part in cited.split(", ")]
    if not all(_PART.match(part) for part in parts):
        return cited
    return cite(policy, ",".join(parts), language)


def _enumerated(parts: list[str]) -> str:
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"


def _chinese_clause(part: str) -> str:
    found = _PART.match(part)
    if found is None:
        raise ValueError(f"not an article: {part!r}")
    text = f"第{chinese_number(int(found['article']))}条"
    return text if found["paragraph"] is None else f"{text}第（{chinese_number(int(found['paragraph']))}）项"


def chinese_number(number: int) -> str:
    """A number from 1 to 9999 as regulations write it: 19 is 十九, 105 is 一百零五.

    Raises ValueError outside that range.
    """
    if not 1 <= number <= 9999:
        raise ValueError(f"no article has the number {number}")
    digits = [int(digit) for digit in str(number)]
    text = ""
    for index, digit in enumerate(digits):
        place = len(digits) - 1 - index
        if digit:
            text += _DIGITS[digit] + _PLACES[place]
        elif any(digits[index:]) and not text.endswith("零"):
            text += "零"
    return text.removeprefix("一") if text.startswith("一十") else text
