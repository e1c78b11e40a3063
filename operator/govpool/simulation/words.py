"""How the page writes times, clauses and the words of programs."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from govpool.messages import Language, message
from govpool.messages.words import TERMS
from govpool.rules.citation import chinese_number
from govpool.simulation.result import PolicyTold

_WEEKDAYS = (["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"], [f"周{day}" for day in "一二三四五六日"])
_CLAUSE = re.compile(r"(?P<code>[A-Z]+)-(?P<article>\d+)(?:\((?P<paragraph>\d+)\))?")
_HUMP = re.compile(r"(?<=[a-z])(?=[A-Z])")


@dataclass(frozen=True, slots=True)
class Words:
    """One language, one policy's time zone and clauses."""

    language: Language
    zone: ZoneInfo
    policy: PolicyTold

    @classmethod
    def of(cls, policy: PolicyTold, language: Language) -> Words:
        """The words for a policy. Raises zoneinfo.ZoneInfoNotFoundError if its time zone does not exist."""
        return cls(language, ZoneInfo(policy.time_zone), policy)

    def say(self, key: str, **values: object) -> str:
        """A text of the catalogue."""
        return message(key, **values).render(self.language)

    def term(self, word: str) -> str:
        """A word that programs use, for people: ``InReview``, ``Acceptance: Approve``, ``expert``."""
        parts = [self._one(part) for part in word.split(": ")]
        return ("：" if self.language == "zh" else ": ").join(parts)

    def _one(self, word: str) -> str:
        if word in TERMS:
            return TERMS[word][self.language == "zh"]
        return _HUMP.sub(" ", word).capitalize() if word.isalpha() and word.isascii() else word

    def actor(self, who: str) -> str:
        """A role for people; a person's name as it is."""
        return TERMS[who][self.language == "zh"] if who in TERMS else who

    def local(self, at: datetime) -> datetime:
        """In the policy's zone."""
        return at.astimezone(self.zone)

    def day(self, at: datetime) -> str:
        """``2026-02-14``."""
        return f"{self.local(at):%Y-%m-%d}"

    def moment(self, at: datetime) -> str:
        """``2026-02-14 Sat 09:00``."""
        local = self.local(at)
        return f"{local:%Y-%m-%d} {_WEEKDAYS[self.language == 'zh'][local.weekday()]} {local:%H:%M}"

    def span(self, span: timedelta) -> str:
        """Whole days, or hours below two of them."""
        hours = round(span.total_seconds() / 3600)
        if hours < 48:
            return self.say("page.hours", count=max(hours, 1))
        return self.say("page.days", count=span.days)

    def cited(self, article: str) -> str:
        """Clauses in words, with the regulation's title: 《办法》第十九条第（二）项."""
        found = list(_CLAUSE.finditer(article))
        if not found:
            return ""
        if self.language == "en":
            numbers = ", ".join(
                f["article"] + (f"({f['paragraph']})" if f["paragraph"] else "") for f in found
            )
            return f"{self.policy.title.en}, {'article' if len(found) == 1 else 'articles'} {numbers}"
        return f"《{self.policy.title.zh}》" + "、".join(
            f"第{chinese_number(int(f['article']))}条"
            + (f"第（{chinese_number(int(f['paragraph']))}）项" if f["paragraph"] else "")
            for f in found
        )
