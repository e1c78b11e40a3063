"""A ruling: something that was decided or came to pass, with everything that explains it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache

from govpool.api.auditrecord import MAX_INPUTS, MAX_OTHERWISE, AuditEntry, AuditInput, Told
from govpool.api.cloudpolicy import CloudPolicySpec
from govpool.api.cloudresourcerequest import Happening
from govpool.lifecycle.conditions import MAX_MESSAGE
from govpool.messages import Language, Message
from govpool.rules.citation import cite_clause
from govpool.rules.remembered import once

GOVPOOL = "govpool"
REMEMBERED = 4096
"""How many texts are kept in both languages: most rulings are explained in the same words."""
_VALUE = 1024
_TOLD = 2048
_TITLE = 256


@dataclass(frozen=True, slots=True)
class Ruling:
    """One decision by a rule or a person, or something that a clock did.

    ``key`` is deterministic within the request, so that it is told and recorded once. ``clause`` is never
    empty. ``inputs`` are the numbers that the rule looked at, never a secret; ``otherwise`` says what would
    have to be different for another outcome.
    """

    key: str
    at: datetime
    what: str
    clause: str
    outcome: Message | Told
    actor: str = GOVPOOL
    rule: str = ""
    """Dotted name of the pure function: ``rules.change.classify``."""
    inputs: tuple[tuple[str, str], ...] = ()
    otherwise: tuple[Message, ...] = ()
    detail: Message | None = None
    """What the story tells of it, where that is not the outcome."""

    def happening(self, language: Language) -> Happening:
        """The ruling as the request's story tells it."""
        return Happening(
            at=self.at,
            actor=self.actor,
            what=self.what,
            detail=self._detail(language)[:MAX_MESSAGE],
            article=self.clause,
            key=self.key,
        )

    def _detail(self, language: Language) -> str:
        said = self.detail or self.outcome
        if isinstance(said, Told):
            return said.en if language == "en" else said.zh
        return said.render(language)

    def entry(self, policy: CloudPolicySpec) -> AuditEntry:
        """The ruling as the audit trail keeps it, in both languages."""
        return AuditEntry(
            key=self.key,
            at=self.at,
            actor=self.actor[:_TITLE],
            what=self.what[:_TITLE],
            rule=self.rule,
            article=self.clause,
            citation=_cited(policy, self.clause),
            inputs=[
                AuditInput(name=name[:_TITLE], value=value[:_VALUE])
                for name, value in self.inputs[:MAX_INPUTS]
            ],
            outcome=self.outcome if isinstance(self.outcome, Told) else told(self.outcome),
            otherwise=[told(text) for text in self.otherwise[:MAX_OTHERWISE]],
        )


@once
def _cited(policy: CloudPolicySpec, clause: str) -> Told:
    return both(lambda language: cite_clause(policy, clause, language))


@lru_cache(maxsize=REMEMBERED)
def told(text: Message) -> Told:
    """The text in both languages."""
    return both(text.render)


def both(render: Callable[[Language], str]) -> Told:
    """What ``render`` gives for each language."""
    return Told(en=render("en")[:_TOLD], zh=render("zh")[:_TOLD])


def inputs(values: Mapping[str, object] | Iterable[tuple[str, object]]) -> tuple[tuple[str, str], ...]:
    """Inputs as text; what there is none of is left out."""
    pairs = values.items() if isinstance(values, Mapping) else values
    return tuple((name, _text(value)) for name, value in pairs if value is not None and value != "")


def _text(value: object) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)
