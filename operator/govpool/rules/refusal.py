"""A reason why an application is not put before the authority."""

from __future__ import annotations

from dataclasses import dataclass

from govpool.messages import Message


@dataclass(frozen=True, slots=True)
class Refusal:
    """One reason."""

    reason: str
    """A CamelCase word, for conditions and programs."""
    message: Message
    """What is wrong and what to do about it."""
    clause: str
    """The clause that it follows; empty where the cause is a technical one."""
